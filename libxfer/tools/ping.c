/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* ping.c -- rdmaxferctl ping */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "ctl.h"

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
	struct ctl_owner owner;
	struct times times = { .ctl = ctl };
	int err;

	ctl_find_owner(ctl, &owner);
	times.address = owner.address;
	err = xfer_ping(owner.address, ctl->count, CTL_TIMEOUT_MS, answered, &times);
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
			owner.address);
		return CTL_USAGE;
	}
	fprintf(stderr, "rdmaxferctl: %s at %s doesn't answer: %s\n", ctl->target, owner.address,
		strerror(-err));
	return CTL_UNREACHABLE;
}
