/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* config.c -- what rdmaxferd.conf says */

#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libconfig.h>

#include "address.h"
#include "owner/config.h"

#define DEFAULT_STATE_DIR      "/var/lib/rdmaxfer"
#define DEFAULT_RUN_DIR        "/run/rdmaxfer"
#define DEFAULT_WORKERS        16
#define ANONYMOUS              65534 /* nobody */
#define WORKERS_MAX            256
#define DEFAULT_KEEP           60 /* seconds */
#define KEEP_MAX               3600
#define DEFAULT_GRACE          10 /* seconds */
#define DEFAULT_MEMORY         1024
#define DEFAULT_SESSION_MEMORY 192
#define MEMORY_MAX             (1 << 20)
#define GRACE_MAX              600
#define DEFAULT_POLL_US        10
#define POLL_US_MAX            1000
#define HANDSHAKE_MS_MIN       100
#define HANDSHAKE_MS_MAX       60000

/* Names travel in messages and become names of directories. */
#define NAME_LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"

/* A file being read. */
struct reader {
	const char *file;
	struct config *config;
};

__attribute__((format(printf, 3, 4))) static int wrong_at(
	const struct reader *reader, unsigned line, const char *format, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	xfer_error("%s:%u: %s", reader->file, line, text);
	return -EINVAL;
}

#define wrong(reader, setting, ...)                                                                \
	wrong_at(reader, config_setting_source_line(setting), __VA_ARGS__)

/* The key of a setting; an entry of a list has that of the list. */
static const char *key_of(const config_setting_t *setting)
{
	while (!config_setting_is_root(setting) && !config_setting_name(setting))
		setting = config_setting_parent(setting);
	return config_setting_is_root(setting) ? "the file" : config_setting_name(setting);
}

/* --- values ----------------------------------------------------------------------------------- */

static int get_text(
	const struct reader *reader, const config_setting_t *setting, char *to, size_t size)
{
	const char *text = config_setting_get_string(setting);

	if (!text || !*text)
		return wrong(
			reader, setting, "%s must be a text in quotes, not empty", key_of(setting));
	if (strlen(text) >= size)
		return wrong(reader, setting, "%s is longer than %zu bytes: shorten it",
			key_of(setting), size - 1);
	strcpy(to, text);
	return 0;
}

static int get_name(
	const struct reader *reader, const config_setting_t *setting, char to[XFER_NODE_MAX + 1])
{
	int err = get_text(reader, setting, to, XFER_NODE_MAX + 1);

	if (err == 0 && (to[0] == '.' || to[strspn(to, NAME_LETTERS)] != '\0'))
		return wrong(reader, setting,
			"%s: \"%s\" can't be a name: use letters, digits, '-', '_' and '.', and "
			"not '.' first",
			key_of(setting), to);
	return err;
}

static int get_path(
	const struct reader *reader, const config_setting_t *setting, char *to, size_t size)
{
	int err = get_text(reader, setting, to, size);

	if (err == 0 && to[0] != '/')
		return wrong(reader, setting, "%s must be an absolute path",
			config_setting_name(setting));
	return err;
}

static int get_number(const struct reader *reader, const config_setting_t *setting, long long min,
	long long max, long long *number)
{
	int type = config_setting_type(setting);
	long long value = config_setting_get_int64(setting);

	if ((type != CONFIG_TYPE_INT && type != CONFIG_TYPE_INT64) || value < min || value > max)
		return wrong(reader, setting, "%s must be a number from %lld to %lld",
			key_of(setting), min, max);
	*number = value;
	return 0;
}

/* A number that has bounds. */
static int read_unsigned(struct reader *reader, const config_setting_t *setting, long long min,
	long long max, unsigned *to)
{
	long long number = 0;

	if (get_number(reader, setting, min, max, &number))
		return -EINVAL;
	*to = (unsigned)number;
	return 0;
}

static int get_bool(const struct reader *reader, const config_setting_t *setting, bool *value)
{
	if (config_setting_type(setting) != CONFIG_TYPE_BOOL)
		return wrong(
			reader, setting, "%s must be true or false", config_setting_name(setting));
	*value = config_setting_get_bool(setting);
	return 0;
}

/* One of the names, by its number. */
static int get_choice(
	const struct reader *reader, const config_setting_t *setting, const char *const *names)
{
	char text[16], known[128] = "";
	int err = get_text(reader, setting, text, sizeof(text));

	if (err)
		return err;
	for (int i = 0; names[i]; i++) {
		if (strcmp(text, names[i]) == 0)
			return i;
		strcat(strcat(strcat(strcat(known, i == 0         ? ""
						   : names[i + 1] ? ", "
								  : " or "),
				      "\""),
			       names[i]),
			"\"");
	}
	return wrong(reader, setting, "%s must be %s", key_of(setting), known);
}

/* --- tables of keys --------------------------------------------------------------------------- */

/* One key of a group: how it is read into the thing that the group describes. */
struct key {
	const char *name;
	int (*read)(struct reader *reader, const config_setting_t *setting, void *to);
	bool required;
};

static int read_group(
	struct reader *reader, const config_setting_t *group, const struct key *keys, void *to)
{
	char known[256] = "";

	if (config_setting_type(group) != CONFIG_TYPE_GROUP)
		return wrong(reader, group, "%s: an entry must be a group: { name = \"...\"; ... }",
			key_of(group));
	for (const struct key *key = keys; key->name; key++)
		strcat(strcat(known, known[0] ? ", " : ""), key->name);
	for (int i = 0; i < config_setting_length(group); i++) {
		const config_setting_t *setting = config_setting_get_elem(group, (unsigned)i);
		const struct key *key = keys;
		int err;

		while (key->name && strcmp(key->name, config_setting_name(setting)) != 0)
			key++;
		if (!key->name)
			return wrong(reader, setting, "there is no key %s here; known are %s",
				config_setting_name(setting), known);
		err = key->read(reader, setting, to);
		if (err)
			return err;
	}
	/* Only now: a required key that is missing may be one that was misspelt. */
	for (const struct key *key = keys; key->name; key++)
		if (key->required && !config_setting_get_member(group, key->name))
			return wrong(reader, group, "%s is missing: add  %s = ...;", key->name,
				key->name);
	return 0;
}

/* Calls read for each entry of a list or an array; *count is how many there were. */
static int read_list(struct reader *reader, const config_setting_t *list, unsigned max,
	int (*read)(struct reader *reader, const config_setting_t *setting, void *to),
	void *entries, size_t size, unsigned *count)
{
	if (!config_setting_is_list(list) && !config_setting_is_array(list))
		return wrong(
			reader, list, "%s must be a list: ( ..., ... )", config_setting_name(list));
	if ((unsigned)config_setting_length(list) > max)
		return wrong(reader, list, "%s has more than %u entries", config_setting_name(list),
			max);
	for (int i = 0; i < config_setting_length(list); i++) {
		int err = read(reader, config_setting_get_elem(list, (unsigned)i),
			(char *)entries + size * (size_t)i);

		if (err)
			return err;
	}
	*count = (unsigned)config_setting_length(list);
	return 0;
}

/* --- nodes ------------------------------------------------------------------------------------ */

static int node_name(struct reader *reader, const config_setting_t *setting, void *to)
{
	return get_name(reader, setting, ((struct config_node *)to)->name);
}

static int node_address(struct reader *reader, const config_setting_t *setting, void *to)
{
	struct config_node *node = to;
	unsigned char number[sizeof(struct in6_addr)];
	int err = get_text(reader, setting, node->address, sizeof(node->address));

	if (err == 0 && inet_pton(AF_INET, node->address, number) != 1 &&
		inet_pton(AF_INET6, node->address, number) != 1)
		return wrong(
			reader, setting, "address must be an IPv4 or IPv6 number, without a port");
	return err;
}

static int node_insecure(struct reader *reader, const config_setting_t *setting, void *to)
{
	return get_bool(reader, setting, &((struct config_node *)to)->insecure);
}

static int node_uid(struct reader *reader, const config_setting_t *setting, void *to)
{
	long long uid = 0;

	if (get_number(reader, setting, 0, UINT32_MAX - 1ll, &uid))
		return -EINVAL;
	*(uid_t *)to = (uid_t)uid;
	return 0;
}

static int node_uids(struct reader *reader, const config_setting_t *setting, void *to)
{
	struct config_node *node = to;

	return read_list(reader, setting, CONFIG_UIDS_MAX, node_uid, node->uids,
		sizeof(node->uids[0]), &node->nuids);
}

static int node_path(struct reader *reader, const config_setting_t *setting, void *to)
{
	static const char *const names[] = { [XFER_WISH_AUTO] = "auto",
		[XFER_WISH_INLINE] = "inline",
		[XFER_WISH_SHM] = "shm",
		[XFER_WISH_VERBS] = "verbs",
		NULL };
	int found = get_choice(reader, setting, names);

	if (found < 0)
		return found;
	((struct config_node *)to)->path = (enum xfer_path_wish)found;
	return 0;
}

static const struct key node_keys[] = {
	{ "name", node_name, true },
	{ "address", node_address, false },
	{ "insecure", node_insecure, false },
	{ "uids", node_uids, false },
	{ "path", node_path, false },
	{ NULL, NULL, false },
};

static int read_node(struct reader *reader, const config_setting_t *setting, void *to)
{
	struct config_node *node = to;
	int err = read_group(reader, setting, node_keys, node);

	node->line = config_setting_source_line(setting);
	if (err == 0 && node->insecure && !node->address[0])
		return wrong(reader, setting,
			"node %s is insecure, so its address has to be known: give address = "
			"\"...\"; too",
			node->name);
	return err;
}

static int read_nodes(struct reader *reader, const config_setting_t *setting, void *to)
{
	struct config *config = to;

	config->nodes = calloc(CONFIG_NODES_MAX, sizeof(*config->nodes));
	if (!config->nodes)
		return -ENOMEM;
	return read_list(reader, setting, CONFIG_NODES_MAX, read_node, config->nodes,
		sizeof(*config->nodes), &config->nnodes);
}

/* --- TLS -------------------------------------------------------------------------------------- */

static int tls_certificate(struct reader *reader, const config_setting_t *setting, void *to)
{
	struct config_tls *tls = to;

	return get_path(reader, setting, tls->certificate, sizeof(tls->certificate));
}

static int tls_key(struct reader *reader, const config_setting_t *setting, void *to)
{
	struct config_tls *tls = to;

	return get_path(reader, setting, tls->key, sizeof(tls->key));
}

static int tls_ca(struct reader *reader, const config_setting_t *setting, void *to)
{
	struct config_tls *tls = to;

	return get_path(reader, setting, tls->ca, sizeof(tls->ca));
}

static int tls_crl(struct reader *reader, const config_setting_t *setting, void *to)
{
	struct config_tls *tls = to;

	return get_path(reader, setting, tls->crl, sizeof(tls->crl));
}

static int tls_ktls(struct reader *reader, const config_setting_t *setting, void *to)
{
	static const char *const names[] = { [XFER_KTLS_PREFER] = "prefer",
		[XFER_KTLS_REQUIRE] = "require",
		[XFER_KTLS_OFF] = "off",
		NULL };
	int found = get_choice(reader, setting, names);

	if (found < 0)
		return found;
	((struct config_tls *)to)->ktls = (enum xfer_ktls)found;
	return 0;
}

static int tls_handshake_ms(struct reader *reader, const config_setting_t *setting, void *to)
{
	return read_unsigned(reader, setting, HANDSHAKE_MS_MIN, HANDSHAKE_MS_MAX,
		&((struct config_tls *)to)->handshake_ms);
}

static const struct key tls_keys[] = {
	{ "certificate", tls_certificate, true },
	{ "key", tls_key, true },
	{ "ca", tls_ca, true },
	{ "crl", tls_crl, false },
	{ "ktls", tls_ktls, false },
	{ "handshake_ms", tls_handshake_ms, false },
	{ NULL, NULL, false },
};

static int read_tls(struct reader *reader, const config_setting_t *setting, void *to)
{
	struct config *config = to;

	config->tls.line = config_setting_source_line(setting);
	return read_group(reader, setting, tls_keys, &config->tls);
}

/* --- volumes ---------------------------------------------------------------------------------- */

static int volume_name(struct reader *reader, const config_setting_t *setting, void *to)
{
	return get_name(reader, setting, ((struct config_volume *)to)->name);
}

static int volume_path(struct reader *reader, const config_setting_t *setting, void *to)
{
	struct config_volume *volume = to;

	return get_path(reader, setting, volume->path, sizeof(volume->path));
}

static int volume_id(struct reader *reader, const config_setting_t *setting, void *to)
{
	/* libconfig keeps 0x80000000 and above as negative numbers. */
	bool hex = config_setting_get_format(setting) == CONFIG_FORMAT_HEX;
	long long id = 0;

	if (get_number(reader, setting, hex ? INT32_MIN : 0, UINT32_MAX, &id))
		return -EINVAL;
	if ((uint32_t)id == 0)
		return wrong(reader, setting, "id must not be 0: take another number");
	((struct config_volume *)to)->id = (uint32_t)id;
	return 0;
}

static int volume_workers(struct reader *reader, const config_setting_t *setting, void *to)
{
	return read_unsigned(
		reader, setting, 1, WORKERS_MAX, &((struct config_volume *)to)->workers);
}

static int volume_read_only(struct reader *reader, const config_setting_t *setting, void *to)
{
	return get_bool(reader, setting, &((struct config_volume *)to)->read_only);
}

static int volume_require_encryption(
	struct reader *reader, const config_setting_t *setting, void *to)
{
	return get_bool(reader, setting, &((struct config_volume *)to)->require_encryption);
}

static int volume_squash(struct reader *reader, const config_setting_t *setting, void *to)
{
	static const char *const names[] = {
		[SQUASH_NONE] = "none", [SQUASH_ROOT] = "root", [SQUASH_ALL] = "all", NULL
	};
	int found = get_choice(reader, setting, names);

	if (found < 0)
		return found;
	((struct config_volume *)to)->squash = (enum config_squash)found;
	return 0;
}

static int volume_coherence(struct reader *reader, const config_setting_t *setting, void *to)
{
	static const char *const names[] = {
		[COHERENCE_STRICT] = "strict", [COHERENCE_EVENTUAL] = "eventual", NULL
	};
	int found = get_choice(reader, setting, names);

	if (found < 0)
		return found;
	((struct config_volume *)to)->coherence = (enum config_coherence)found;
	return 0;
}

static int volume_anon_uid(struct reader *reader, const config_setting_t *setting, void *to)
{
	return node_uid(reader, setting, &((struct config_volume *)to)->anon_uid);
}

static int volume_anon_gid(struct reader *reader, const config_setting_t *setting, void *to)
{
	return node_uid(reader, setting, &((struct config_volume *)to)->anon_gid);
}

static int volume_node_name(struct reader *reader, const config_setting_t *setting, void *to)
{
	return get_name(reader, setting, ((struct config_volume_node *)to)->name);
}

static int volume_node_read_only(struct reader *reader, const config_setting_t *setting, void *to)
{
	return get_bool(reader, setting, &((struct config_volume_node *)to)->read_only);
}

static const struct key volume_node_keys[] = {
	{ "name", volume_node_name, true },
	{ "read_only", volume_node_read_only, false },
	{ NULL, NULL, false },
};

/* "a", or { name = "a"; read_only = true; } */
static int read_volume_node(struct reader *reader, const config_setting_t *setting, void *to)
{
	if (config_setting_is_group(setting))
		return read_group(reader, setting, volume_node_keys, to);
	return volume_node_name(reader, setting, to);
}

static int volume_nodes(struct reader *reader, const config_setting_t *setting, void *to)
{
	struct config_volume *volume = to;

	volume->nodes = calloc(CONFIG_NODES_MAX, sizeof(*volume->nodes));
	if (!volume->nodes)
		return -ENOMEM;
	return read_list(reader, setting, CONFIG_NODES_MAX, read_volume_node, volume->nodes,
		sizeof(*volume->nodes), &volume->nnodes);
}

static const struct key volume_keys[] = {
	{ "name", volume_name, true },
	{ "path", volume_path, true },
	{ "id", volume_id, false },
	{ "workers", volume_workers, false },
	{ "read_only", volume_read_only, false },
	{ "require_encryption", volume_require_encryption, false },
	{ "coherence", volume_coherence, false },
	{ "squash", volume_squash, false },
	{ "anon_uid", volume_anon_uid, false },
	{ "anon_gid", volume_anon_gid, false },
	{ "nodes", volume_nodes, true },
	{ NULL, NULL, false },
};

static int read_volume(struct reader *reader, const config_setting_t *setting, void *to)
{
	struct config_volume *volume = to;
	int err;

	volume->anon_uid = ANONYMOUS;
	volume->anon_gid = ANONYMOUS;
	err = read_group(reader, setting, volume_keys, volume);

	volume->line = config_setting_source_line(setting);
	if (err == 0 && volume->id == 0)
		volume->id = xfer_volume_id(volume->name);
	return err;
}

static int read_volumes(struct reader *reader, const config_setting_t *setting, void *to)
{
	struct config *config = to;

	config->volumes = calloc(CONFIG_VOLUMES_MAX, sizeof(*config->volumes));
	if (!config->volumes)
		return -ENOMEM;
	config->nvolumes = CONFIG_VOLUMES_MAX; /* what must be freed when an entry is wrong */
	return read_list(reader, setting, CONFIG_VOLUMES_MAX, read_volume, config->volumes,
		sizeof(*config->volumes), &config->nvolumes);
}

/* --- the rest --------------------------------------------------------------------------------- */

static int read_own_name(struct reader *reader, const config_setting_t *setting, void *to)
{
	return get_name(reader, setting, ((struct config *)to)->node);
}

static int read_address(struct reader *reader, const config_setting_t *setting, void *to)
{
	struct xfer_address address;
	int err = get_text(reader, setting, to, 256);

	if (err == 0 && xfer_address_parse(to, &address))
		return wrong(reader, setting,
			"\"%s\" is no address: use \"HOST:PORT\", \"[V6]:PORT\" or \"unix:/PATH\"",
			(char *)to);
	return err;
}

static int read_listen(struct reader *reader, const config_setting_t *setting, void *to)
{
	struct config *config = to;

	return read_list(reader, setting, CONFIG_LISTEN_MAX, read_address, config->listen,
		sizeof(config->listen[0]), &config->nlisten);
}

static int read_state_dir(struct reader *reader, const config_setting_t *setting, void *to)
{
	struct config *config = to;

	return get_path(reader, setting, config->state_dir, sizeof(config->state_dir));
}

static int read_run_dir(struct reader *reader, const config_setting_t *setting, void *to)
{
	struct config *config = to;

	return get_path(reader, setting, config->run_dir, sizeof(config->run_dir));
}

static int read_log_level(struct reader *reader, const config_setting_t *setting, void *to)
{
	char text[16];
	int err = get_text(reader, setting, text, sizeof(text));

	if (err == 0 && xfer_log_level_parse(text, &((struct config *)to)->log_level))
		return wrong(reader, setting, "log_level must be error, warn, info or debug");
	return err;
}

static int read_workers(struct reader *reader, const config_setting_t *setting, void *to)
{
	return read_unsigned(reader, setting, 1, WORKERS_MAX, &((struct config *)to)->workers);
}

static int read_session_keep(struct reader *reader, const config_setting_t *setting, void *to)
{
	return read_unsigned(reader, setting, 1, KEEP_MAX, &((struct config *)to)->session_keep);
}

static int read_grace(struct reader *reader, const config_setting_t *setting, void *to)
{
	return read_unsigned(reader, setting, 1, GRACE_MAX, &((struct config *)to)->grace);
}

static int read_memory(struct reader *reader, const config_setting_t *setting, void *to)
{
	return read_unsigned(reader, setting, 0, MEMORY_MAX, &((struct config *)to)->memory);
}

static int read_session_memory(struct reader *reader, const config_setting_t *setting, void *to)
{
	return read_unsigned(
		reader, setting, 0, MEMORY_MAX, &((struct config *)to)->session_memory);
}

static int read_rdma_poll_us(struct reader *reader, const config_setting_t *setting, void *to)
{
	return read_unsigned(reader, setting, 1, POLL_US_MAX, &((struct config *)to)->rdma_poll_us);
}

static const struct key keys[] = {
	{ "node", read_own_name, true },
	{ "listen", read_listen, false },
	{ "state_dir", read_state_dir, false },
	{ "run_dir", read_run_dir, false },
	{ "log_level", read_log_level, false },
	{ "workers", read_workers, false },
	{ "session_keep", read_session_keep, false },
	{ "grace", read_grace, false },
	{ "memory", read_memory, false },
	{ "session_memory", read_session_memory, false },
	{ "rdma_poll_us", read_rdma_poll_us, false },
	{ "tls", read_tls, false },
	{ "nodes", read_nodes, true },
	{ "volumes", read_volumes, true },
	{ NULL, NULL, false },
};

/* --- what only the whole shows ---------------------------------------------------------------- */

const struct config_node *config_node_find(const struct config *config, const char *name)
{
	for (unsigned i = 0; i < config->nnodes; i++)
		if (strcmp(config->nodes[i].name, name) == 0)
			return &config->nodes[i];
	return NULL;
}

const struct config_volume_node *config_volume_node_find(
	const struct config_volume *volume, const char *name)
{
	for (unsigned i = 0; i < volume->nnodes; i++)
		if (strcmp(volume->nodes[i].name, name) == 0)
			return &volume->nodes[i];
	return NULL;
}

/* Against the volumes before it. */
static int check_unique(const struct reader *reader, unsigned index)
{
	const struct config_volume *volume = &reader->config->volumes[index];

	for (unsigned i = 0; i < index; i++) {
		const struct config_volume *other = &reader->config->volumes[i];

		if (strcmp(other->name, volume->name) == 0)
			return wrong_at(reader, volume->line,
				"volumes: name \"%s\" stands in line %u, too: rename one of them",
				volume->name, other->line);
		if (strcmp(other->path, volume->path) == 0)
			return wrong_at(reader, volume->line,
				"volumes: path \"%s\" is that of volume %s, too: serve it under one "
				"name",
				volume->path, other->name);
		if (other->id == volume->id)
			return wrong_at(reader, volume->line,
				"volumes: %s and %s have the same id 0x%08x: give one of them "
				"another by id = 0x...; here and in its exports",
				other->name, volume->name, volume->id);
	}
	return 0;
}

static int check_volume(const struct reader *reader, unsigned index)
{
	struct config_volume *volume = &reader->config->volumes[index];

	if (volume->workers == 0)
		volume->workers = reader->config->workers;
	for (unsigned i = 0; i < volume->nnodes; i++)
		if (!config_node_find(reader->config, volume->nodes[i].name))
			return wrong_at(reader, volume->line,
				"volumes: %s is for node %s, which is not in nodes: add it there",
				volume->name, volume->nodes[i].name);
	return check_unique(reader, index);
}

static int check_node(const struct reader *reader, const struct config_node *node)
{
	const struct config *config = reader->config;

	if (config_node_find(config, node->name) != node)
		return wrong_at(
			reader, node->line, "nodes: %s has two entries: merge them", node->name);
	if (config->tls.line || node->insecure)
		return 0;
	if (node->address[0])
		return wrong_at(reader, node->line,
			"node %s is known by its address alone, which anybody in its network can "
			"take: add tls = { ... } for certificates, or say insecure = true; here to "
			"accept that",
			node->name);
	if (node->nuids == 0)
		return wrong_at(reader, node->line,
			"node %s can't prove who it is: give uids = [ ... ]; (same host), add tls = "
			"{ ... } for certificates, or say address = \"...\"; insecure = true;",
			node->name);
	return 0;
}

static int check(const struct reader *reader)
{
	const struct config *config = reader->config;
	int err = 0;

	for (unsigned i = 0; i < config->nnodes && err == 0; i++)
		err = check_node(reader, &config->nodes[i]);
	for (unsigned i = 0; i < config->nvolumes && err == 0; i++)
		err = check_volume(reader, i);
	return err;
}

static void set_defaults(struct config *config)
{
	strcpy(config->state_dir, DEFAULT_STATE_DIR);
	strcpy(config->run_dir, DEFAULT_RUN_DIR);
	config->log_level = XFER_LOG_INFO;
	config->workers = DEFAULT_WORKERS;
	config->session_keep = DEFAULT_KEEP;
	config->grace = DEFAULT_GRACE;
	config->memory = DEFAULT_MEMORY;
	config->session_memory = DEFAULT_SESSION_MEMORY;
	config->rdma_poll_us = DEFAULT_POLL_US;
}

/* The default, and the socket in run_dir: tools ask for the status there, whatever else is said. */
static int complete_listen(const struct reader *reader)
{
	struct config *config = reader->config;
	const size_t size = sizeof(config->listen[0]);
	struct xfer_address address;
	char own[sizeof(config->run_dir) + 32];

	snprintf(own, sizeof(own), "unix:%s/rdmaxferd.sock", config->run_dir);
	if (xfer_address_parse(own, &address)) {
		xfer_error("%s: run_dir is too long for a socket's path: shorten it", reader->file);
		return -EINVAL;
	}
	if (config->nlisten == 0)
		snprintf(config->listen[config->nlisten++], size, "0.0.0.0:%d", XFER_DEFAULT_PORT);
	for (unsigned i = 0; i < config->nlisten; i++)
		if (strcmp(config->listen[i], own) == 0)
			return 0;
	memcpy(config->listen[config->nlisten++], own, strlen(own) + 1);
	return 0;
}

int config_load(const char *file, struct config **result)
{
	struct reader reader = { .file = file, .config = calloc(1, sizeof(struct config)) };
	config_t parsed;
	int err;

	if (!reader.config)
		return -ENOMEM;
	set_defaults(reader.config);
	config_init(&parsed);
	if (config_read_file(&parsed, file)) {
		err = read_group(&reader, config_root_setting(&parsed), keys, reader.config);
		if (err == 0)
			err = complete_listen(&reader);
		if (err == 0)
			err = check(&reader);
	} else if (config_error_type(&parsed) == CONFIG_ERR_FILE_IO) {
		err = -ENOENT;
		xfer_error("%s can't be read: name another file by --config, or write it after the "
			   "sample rdmaxferd.conf",
			file);
	} else {
		err = -EINVAL;
		xfer_error(
			"%s:%d: %s: look for a missing ';', bracket or quote in this line or before",
			file, config_error_line(&parsed), config_error_text(&parsed));
	}
	config_destroy(&parsed);
	if (err)
		config_free(reader.config);
	else
		*result = reader.config;
	return err;
}

void config_free(struct config *config)
{
	if (!config)
		return;
	for (unsigned i = 0; config->volumes && i < config->nvolumes; i++)
		free(config->volumes[i].nodes);
	free(config->volumes);
	free(config->nodes);
	free(config);
}
