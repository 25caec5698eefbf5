/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* owner.c -- the owner nodes that the configuration names, and this process's session with each */

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "compat.h"
#include "owner.h"

static char *reason_format(const char *format, const char *what)
{
	char buffer[512];

	snprintf(buffer, sizeof(buffer), format, what);
	return gsh_strdup(buffer);
}

static void owner_add(
	struct rdx_owners *owners, const char *name, const char *address, bool insecure)
{
	struct rdx_owner *owner = gsh_calloc(1, sizeof(*owner));

	owner->owners = owners;
	owner->name = gsh_strdup(name);
	owner->address = gsh_strdup(address);
	owner->insecure = insecure;
	owner->holdings = rdx_holdings_create(name, owners->log);
	PTHREAD_MUTEX_init(&owner->lock, NULL);
	glist_add_tail(&owners->list, &owner->link);
}

static char *trim(char *text)
{
	text += strspn(text, " \t");
	for (size_t length = strlen(text); length > 0 && strchr(" \t", text[length - 1]); length--)
		text[length - 1] = '\0';
	return text;
}

/* What stands behind the address, which it is cut off from. NULL: nothing. */
static char *split_word(char *address)
{
	char *word = address + strcspn(address, " \t");

	if (*word == '\0')
		return NULL;
	*word++ = '\0';
	return trim(word);
}

/* One "NAME=ADDRESS" or "NAME=ADDRESS insecure", which is changed. NULL or the reason. */
static char *owner_parse(struct rdx_owners *owners, char *item)
{
	char *equals = strchr(item, '=');

	if (equals == NULL)
		return reason_format(
			"\"%s\" isn't NAME=ADDRESS; write for example b=192.0.2.7:20491 "
			"or c=unix:/run/rdmaxfer/rdmaxferd.sock",
			item);
	*equals = '\0';
	char *name = trim(item), *address = trim(equals + 1), *word = split_word(address);

	if (*name == '\0' || strlen(name) > XFER_NODE_MAX)
		return reason_format("\"%s\" is no node name: 1 to 63 bytes are allowed", name);
	if (*address == '\0')
		return reason_format("owner \"%s\" has no address; write NAME=HOST[:PORT] or "
				     "NAME=unix:PATH",
			name);
	if (word && strcmp(word, "insecure") != 0)
		return reason_format(
			"\"%s\" behind an address says nothing: only insecure may stand "
			"there",
			word);
	if (rdx_owners_find(owners, name) != NULL)
		return reason_format("owner \"%s\" is named twice; remove one", name);
	owner_add(owners, name, address, word != NULL);
	return NULL;
}

int rdx_owners_parse(struct rdx_owners *owners, const char *text, char **reason)
{
	char *copy = gsh_strdup(text), *rest = copy, *item, *failed = NULL;

	while (failed == NULL && (item = strsep(&rest, ",")) != NULL) {
		item = trim(item);
		if (*item != '\0')
			failed = owner_parse(owners, item);
	}
	gsh_free(copy);
	if (failed == NULL)
		return 0;
	*reason = failed;
	return -EINVAL;
}

static bool is_local(const struct rdx_owner *owner)
{
	return strncmp(owner->address, "unix:", 5) == 0;
}

bool rdx_owner_in_cleartext(const struct rdx_owner *owner)
{
	return owner->insecure && !is_local(owner);
}

__attribute__((format(printf, 3, 4))) static void owners_log(
	const struct rdx_owners *owners, enum xfer_log_level level, const char *format, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	owners->log(level, text);
}

bool rdx_owners_check(const struct rdx_owners *owners, bool certificate)
{
	struct glist_head *node;

	glist_for_each (node, &owners->list) {
		const struct rdx_owner *owner = glist_entry(node, struct rdx_owner, link);

		if (rdx_owner_in_cleartext(owner))
			owners_log(owners, XFER_LOG_WARN,
				"RDMAXFER Owners: %s is insecure: whoever has its address %s is taken for "
				"it, and what it gets and sends can be read and changed on the way; "
				"certificates (Node_Certificate) end that",
				owner->name, owner->address);
		if (certificate || owner->insecure || is_local(owner))
			continue;
		owners_log(owners, XFER_LOG_ERROR,
			"RDMAXFER Owners: %s is reached by TCP, and this node has no certificate: add  "
			"Node_Certificate = ...; Node_Key = ...; Node_CA = ...;  to the RDMAXFER block, or "
			"write  %s=%s insecure  to do without",
			owner->name, owner->name, owner->address);
		return false;
	}
	return true;
}

struct rdx_owner *rdx_owners_find(struct rdx_owners *owners, const char *name)
{
	struct glist_head *node;

	glist_for_each (node, &owners->list) {
		struct rdx_owner *owner = glist_entry(node, struct rdx_owner, link);

		if (strcmp(owner->name, name) == 0)
			return owner;
	}
	return NULL;
}

void rdx_owners_destroy(struct rdx_owners *owners)
{
	struct glist_head *node, *next;

	rdx_owners_close(owners);
	glist_for_each_safe (node, next, &owners->list) {
		struct rdx_owner *owner = glist_entry(node, struct rdx_owner, link);

		glist_del(&owner->link);
		rdx_holdings_destroy(owner->holdings);
		PTHREAD_MUTEX_destroy(&owner->lock);
		gsh_free(owner->name);
		gsh_free(owner->address);
		gsh_free(owner);
	}
}

/* --- the session ------------------------------------------------------------------------------ */

static void recover(void *arg, struct xfer_session *session, bool in_time)
{
	struct rdx_owner *owner = arg;

	/* In time or not: what others have had meanwhile shows when it is asked for. */
	(void)in_time;
	rdx_holdings_recover(owner->holdings, session);
}

static void invalidate(void *arg, const struct xfer_invalidation *invalidations, unsigned count)
{
	const struct rdx_owner *owner = arg;

	if (owner->owners->invalidate)
		owner->owners->invalidate(owner, invalidations, count);
}

int rdx_owner_enlist(struct rdx_owner *owner, struct xfer_context *context)
{
	static const struct xfer_session_ops ops = { .recover = recover, .invalidate = invalidate };
	const struct xfer_session_params params = {
		.owner = owner->name,
		.address = owner->address,
		.insecure = owner->insecure,
		.ops = &ops,
		.ops_arg = owner,
	};
	struct xfer_session *session;
	int err = 0;

	PTHREAD_MUTEX_lock(&owner->lock);
	if (!owner->session && !owner->closed) {
		err = xfer_session_open(context, &params, &session);
		if (err == 0)
			owner->session = session;
	}
	if (err == 0)
		owner->exports++;
	PTHREAD_MUTEX_unlock(&owner->lock);
	return err;
}

/* With the lock held. */
static void close_session(struct rdx_owner *owner)
{
	static const struct timespec pause = { .tv_nsec = 1000000 };
	struct xfer_session *session = atomic_exchange(&owner->session, NULL);

	if (!session)
		return;
	/* Who is inside comes out when his operation fails; then nobody else can be. */
	xfer_session_end(session);
	while (atomic_load(&owner->users) > 0)
		nanosleep(&pause, NULL);
	xfer_session_close(session);
	rdx_holdings_forget(owner->holdings);
}

void rdx_owner_delist(struct rdx_owner *owner)
{
	PTHREAD_MUTEX_lock(&owner->lock);
	if (--owner->exports == 0)
		close_session(owner);
	PTHREAD_MUTEX_unlock(&owner->lock);
}

void rdx_owners_close(struct rdx_owners *owners)
{
	struct glist_head *node;

	glist_for_each (node, &owners->list) {
		struct rdx_owner *owner = glist_entry(node, struct rdx_owner, link);
		struct xfer_session *session = rdx_owner_acquire(owner);

		if (!session)
			continue;
		xfer_session_end(session);
		rdx_owner_release(owner);
	}
	glist_for_each (node, &owners->list) {
		struct rdx_owner *owner = glist_entry(node, struct rdx_owner, link);

		PTHREAD_MUTEX_lock(&owner->lock);
		owner->closed = true;
		close_session(owner);
		PTHREAD_MUTEX_unlock(&owner->lock);
	}
}

void rdx_owners_tick(struct rdx_owners *owners)
{
	struct glist_head *node;

	glist_for_each (node, &owners->list) {
		struct rdx_owner *owner = glist_entry(node, struct rdx_owner, link);
		struct xfer_session *session = rdx_owner_acquire(owner);

		if (!session)
			continue;
		rdx_holdings_tick(owner->holdings, session);
		rdx_owner_release(owner);
	}
}

/* Counted first: who closes the session takes it away, and then waits for those who were counted. */
struct xfer_session *rdx_owner_acquire(struct rdx_owner *owner)
{
	struct xfer_session *session;

	atomic_fetch_add(&owner->users, 1);
	session = atomic_load(&owner->session);
	if (!session)
		rdx_owner_release(owner);
	return session;
}

void rdx_owner_release(struct rdx_owner *owner)
{
	atomic_fetch_sub(&owner->users, 1);
}
