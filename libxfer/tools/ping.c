/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* ping.c -- rdmaxferctl ping */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "ctl.h"
#include "xfer/xfer.h"

/* --- the address of a name ------------------------------------------------------------------- */

struct search {
	const char *name;
	char address[512]; /* empty: not found yet */
};

static void search_sessions(struct search *search, const json_t *status)
{
	json_t *session;
	size_t i;

	json_array_foreach (json_object_get(status, "sessions"), i, session) {
		const char *owner = json_string_value(json_object_get(session, "owner"));
		const char *address = json_string_value(json_object_get(session, "address"));

		if (owner && address && strcmp(owner, search->name) == 0)
			snprintf(search->address, sizeof(search->address), "%s", address);
	}
}

static void search_process(void *arg, const char *socket)
{
	struct search *search = arg;
	char *answer;
	json_t *status;

	if (xfer_status(socket, CTL_TIMEOUT_MS, &answer))
		return;
	status = json_loads(answer, 0, NULL);
	search_sessions(search, status);
	json_decref(status);
	free(answer);
}

/* A name that a process here has a session with, else the target itself. */
static void find_address(const struct ctl *ctl, struct search *search)
{
	search->name = ctl->target;
	ctl_each_socket(ctl, search_process, search);
	if (!search->address[0])
		snprintf(search->address, sizeof(search->address), "%s%s",
			*ctl->target == '/' ? "unix:" : "", ctl->target);
}

/* --- times ------------------------------------------------------------------------------------ */

struct times {
	const struct ctl *ctl;
	const char *address;
	unsigned count;
	double min, max, sum; /* microseconds */
};

static void answered(void *arg, double microseconds)
{
	struct times *times = arg;

	if (times->count == 0 || microseconds < times->min)
		times->min = microseconds;
	if (microseconds > times->max)
		times->max = microseconds;
	times->sum += microseconds;
	times->count++;
	if (!times->ctl->json)
		printf("answer %u from %s: %.1f us\n", times->count, times->address, microseconds);
}

static void print_json(const struct times *times, int err)
{
	json_t *result = json_pack("{s:s, s:s, s:i, s:i}", "node", times->ctl->target, "address",
		times->address, "asked", (int)times->ctl->count, "answered", (int)times->count);

	if (times->count > 0) {
		json_object_set_new(result, "min_us", json_real(times->min));
		json_object_set_new(result, "mean_us", json_real(times->sum / times->count));
		json_object_set_new(result, "max_us", json_real(times->max));
	}
	if (err)
		json_object_set_new(result, "error", json_string(strerror(-err)));
	json_dumpf(result, stdout, JSON_INDENT(2));
	printf("\n");
	json_decref(result);
}

int ctl_ping(const struct ctl *ctl)
{
	struct search search = { .address = "" };
	struct times times = { .ctl = ctl };
	int err;

	find_address(ctl, &search);
	times.address = search.address;
	err = xfer_ping(search.address, ctl->count, CTL_TIMEOUT_MS, answered, &times);
	if (ctl->json)
		print_json(&times, err);
	else if (times.count > 0)
		printf("%u answers: min %.1f, mean %.1f, max %.1f us\n", times.count, times.min,
			times.sum / times.count, times.max);
	if (err == 0)
		return CTL_OK;
	if (err == -EINVAL) {
		fprintf(stderr,
			"rdmaxferctl: %s is no address: use HOST[:PORT], unix:PATH or an owner's name "
			"that a process on this node knows\n",
			search.address);
		return CTL_USAGE;
	}
	fprintf(stderr, "rdmaxferctl: %s at %s doesn't answer: %s\n", ctl->target, search.address,
		strerror(-err));
	return CTL_UNREACHABLE;
}
