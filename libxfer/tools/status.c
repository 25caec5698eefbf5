/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* status.c -- rdmaxferctl status */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "ctl.h"
#include "xfer/xfer.h"

/* What comes from a process may lack anything: it can be of another release. */
static const char *text(const json_t *object, const char *key)
{
	const char *value = json_string_value(json_object_get(object, key));

	return value ? value : "?";
}

static long long number(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

static void print_lane(size_t index, const json_t *lane)
{
	printf("    lane %zu   %s, %lld outstanding", index, text(lane, "address"),
		number(lane, "outstanding"));
	if (json_object_get(lane, "rpcs"))
		printf(", %lld calls", number(lane, "rpcs"));
	if (json_is_true(json_object_get(lane, "tls")))
		printf(", %s by the %s, %s", text(lane, "cipher"),
			json_is_true(json_object_get(lane, "in_kernel")) ? "kernel" : "relay",
			text(lane, "names"));
	if (json_is_true(json_object_get(lane, "paused")))
		printf(", not read from: too much is under way");
	printf("\n");
}

/* Those that there are: " 12 free, 3 submitted". */
static void print_states(const json_t *states)
{
	const char *separator = "";
	const json_t *value;
	const char *key;

	json_object_foreach ((json_t *)states, key, value) {
		if (json_integer_value(value) == 0 || strcmp(key, "bytes") == 0)
			continue;
		printf("%s %lld %s", separator, (long long)json_integer_value(value), key);
		separator = ",";
	}
	printf("\n");
}

/* What RDMA has beyond that. */
static void print_rdma(const json_t *path)
{
	json_t *pair, *device, *value;
	const char *name, *counter;
	size_t i;

	printf("      %lld MiB registered, %lld MiB of it in huge pages\n",
		number(path, "registered_bytes") >> 20, number(path, "huge_bytes") >> 20);
	json_array_foreach (json_object_get(path, "queue_pairs"), i, pair)
		printf("      queue pair of lane %lld: %s port %lld, GID %s, MTU %lld, %s, posted %lld, "
		       "immediates %lld, completions %lld, wakeups %lld%s\n",
			number(pair, "lane"), text(pair, "device"), number(pair, "port"),
			text(pair, "gid"), number(pair, "mtu"), text(pair, "state"),
			number(pair, "posted"), number(pair, "immediates"),
			number(pair, "completions"), number(pair, "wakeups"),
			json_is_false(json_object_get(pair, "immediates_work"))
				? ", messages for immediates"
				: "");
	json_object_foreach (json_object_get(path, "devices"), name, device) {
		printf("      device %s counts", name);
		json_object_foreach (device, counter, value)
			printf(" %s %lld", counter, (long long)json_integer_value(value));
		printf("\n");
	}
}

/* Slots of a size at a point of contact, both directions at an owner. */
static void print_path(const json_t *path)
{
	static const char *const directions[] = { "write", "read" };
	json_t *size, *direction;
	size_t i;

	printf("    data path %s, epoch %lld\n", text(path, "kind"), number(path, "epoch"));
	json_array_foreach (json_object_get(path, "sizes"), i, size) {
		printf("      lane %lld %s, %lld slots of %lld KiB in %lld regions:",
			number(size, "lane"), text(size, "direction"), number(size, "slots"),
			number(size, "slot_size") >> 10, number(size, "regions"));
		print_states(json_object_get(size, "states"));
	}
	for (i = 0; i < 2; i++) {
		direction = json_object_get(path, directions[i]);
		if (!direction)
			continue;
		printf("      %s, %lld MiB:", directions[i], number(direction, "bytes") >> 20);
		print_states(direction);
	}
	if (json_object_get(path, "queue_pairs"))
		print_rdma(path);
}

static void print_session(const json_t *session)
{
	bool calling = json_object_get(session, "owner") != NULL;
	const char *reason = json_string_value(json_object_get(session, "reason"));
	json_t *lane;
	size_t i;

	printf("  session with %s %s", calling ? "owner" : "node",
		text(session, calling ? "owner" : "peer"));
	if (calling)
		printf(" at %s", text(session, "address"));
	printf(": %s", text(session, "state"));
	if (json_object_get(session, "since_ms"))
		printf(" for %lld s", number(session, "since_ms") / 1000);
	if (json_is_true(json_object_get(session, "recovering")))
		printf(", recovering");
	if (reason && *reason)
		printf(" (%s)", reason);
	if (json_is_true(json_object_get(session, "insecure")))
		printf(", insecure");
	printf("\n    id %s, epoch %lld, %lld operations", text(session, "id"),
		number(session, "epoch"), number(session, "operations"));
	if (json_object_get(session, "opens"))
		printf(", %lld opens", number(session, "opens"));
	/* What it was told and hasn't acknowledged; or calls whose answers were lost. */
	if (json_object_get(session, "unsettled"))
		printf(", %lld %s unsettled", number(session, "unsettled"),
			calling ? "calls" : "invalidations");
	printf("\n");
	json_array_foreach (json_object_get(session, "lanes"), i, lane)
		print_lane(i, lane);
	if (json_object_get(session, "path"))
		print_path(json_object_get(session, "path"));
}

static void print_volume(const json_t *volume)
{
	const json_t *value;
	const char *key;

	printf("  volume %s", text(volume, "name"));
	json_object_foreach ((json_t *)volume, key, value) {
		if (strcmp(key, "name") == 0)
			continue;
		if (json_is_string(value))
			printf(", %s %s", key, json_string_value(value));
		else if (json_is_integer(value))
			printf(", %s %lld", key, (long long)json_integer_value(value));
	}
	printf("\n");
}

static void print_counters(const json_t *counters)
{
	const json_t *value;
	const char *key;

	printf("  counters\n");
	json_object_foreach ((json_t *)counters, key, value)
		if (json_is_integer(value))
			printf("    %-30s %lld\n", key, (long long)json_integer_value(value));
	printf("    calls by procedure            ");
	json_object_foreach (json_object_get(counters, "rpcs"), key, value)
		printf(" %s %lld", key, (long long)json_integer_value(value));
	printf("\n");
	if (json_object_size(json_object_get(counters, "inline")) == 0)
		return;
	printf("    data that went inline         ");
	json_object_foreach (json_object_get(counters, "inline"), key, value)
		printf(" %s: %lld", key, (long long)json_integer_value(value));
	printf("\n");
}

/* Which connections TLS carries, by what, and what this process shows to others. */
static void print_tls(const json_t *tls)
{
	const json_t *value, *failures = json_object_get(tls, "failures");
	const char *key;
	json_t *certificate;
	size_t i;

	printf("  TLS carried by the %s, %lld handshakes under way, %lld relayed connections\n",
		text(tls, "carrier"), number(tls, "handshakes_under_way"),
		number(tls, "relay_connections"));
	json_array_foreach (json_object_get(tls, "certificates"), i, certificate)
		printf("    certificate for %s: %s %s, SHA-256 %s (%s)%s\n",
			text(certificate, "role"), text(certificate, "subject"),
			text(certificate, "names"), text(certificate, "fingerprint"),
			text(certificate, "certificate"),
			json_is_true(json_object_get(certificate, "newer_files_broken"))
				? ", newer files can't be used"
				: "");
	json_object_foreach ((json_t *)failures, key, value)
		printf("    failed: %s %lld\n", key, (long long)json_integer_value(value));
}

/* After a restart of an owner. */
static void print_grace(const json_t *grace)
{
	json_t *node;
	size_t i;

	printf("  grace period: %lld s left", (number(grace, "left_ms") + 999) / 1000);
	json_array_foreach (json_object_get(grace, "awaited"), i, node)
		printf("%s %s", i ? "," : ", waiting for node",
			json_is_string(node) ? json_string_value(node) : "?");
	printf("\n");
}

static void print_process(const char *address, const json_t *status)
{
	json_t *element;
	size_t i;

	printf("%s on node %s, pid %lld, release %s, up %lld s  (%s)\n", text(status, "role"),
		text(status, "node"), number(status, "pid"), text(status, "version"),
		number(status, "uptime_s"), address);
	if (json_is_object(json_object_get(status, "grace")))
		print_grace(json_object_get(status, "grace"));
	json_array_foreach (json_object_get(status, "volumes"), i, element)
		print_volume(element);
	json_array_foreach (json_object_get(status, "sessions"), i, element)
		print_session(element);
	if (json_is_object(json_object_get(status, "tls")))
		print_tls(json_object_get(status, "tls"));
	print_counters(json_object_get(status, "counters"));
}

/* One or several processes being asked. */
struct asking {
	json_t *all; /* with --json */
	unsigned answered, failed;
};

static void ask(void *arg, const char *address)
{
	struct asking *asking = arg;
	char *answer;
	json_t *status;
	int err = xfer_status(address, CTL_TIMEOUT_MS, &answer);

	if (err) {
		asking->failed++;
		fprintf(stderr, "rdmaxferctl: %s doesn't answer: %s\n", address, strerror(-err));
		return;
	}
	status = json_loads(answer, 0, NULL);
	free(answer);
	if (!json_is_object(status)) {
		asking->failed++;
		fprintf(stderr, "rdmaxferctl: what %s answers is no status\n", address);
		json_decref(status);
		return;
	}
	asking->answered++;
	if (asking->all) {
		json_object_set_new(status, "socket", json_string(address));
		json_array_append_new(asking->all, status);
		return;
	}
	print_process(address, status);
	json_decref(status);
}

/* "PATH" means "unix:PATH". */
static void ask_target(struct asking *asking, const char *target)
{
	char address[512];

	snprintf(address, sizeof(address), "%s%s", *target == '/' ? "unix:" : "", target);
	ask(asking, address);
}

int ctl_status(const struct ctl *ctl)
{
	struct asking asking = { .all = ctl->json ? json_array() : NULL };
	int n = 1;

	if (ctl->target)
		ask_target(&asking, ctl->target);
	else
		n = ctl_each_socket(ctl, ask, &asking);
	if (asking.all) {
		json_dumpf(asking.all, stdout, JSON_INDENT(2));
		printf("\n");
		json_decref(asking.all);
	}
	if (n <= 0) {
		fprintf(stderr,
			"rdmaxferctl: no process's socket is in %s%s%s: start rdmaxferd or Ganesha, or "
			"name their run directory by --run-dir\n",
			ctl->run_dir, n ? ": " : "", n ? strerror(-n) : "");
		return CTL_UNREACHABLE;
	}
	return asking.failed || !asking.answered ? CTL_UNREACHABLE : CTL_OK;
}
