/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* link.c -- the bench's session with an owner */

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "bench.h"

/* The log's function has no argument. */
static char trouble[512];
static atomic_flag taken = ATOMIC_FLAG_INIT;
static _Atomic bool said;

static void keep_first(enum xfer_log_level level, const char *message)
{
	if (level > XFER_LOG_WARN || atomic_flag_test_and_set(&taken))
		return;
	snprintf(trouble, sizeof(trouble), "%s", message);
	said = true;
}

const char *link_trouble(void)
{
	return said ? trouble : NULL;
}

static bool has_path(const struct link *link)
{
	return link->path == XFER_WISH_AUTO || link->path == XFER_WISH_INLINE ||
	       xfer_session_path(link->session) == link->path;
}

static bool is_up(const struct link *link)
{
	return xfer_session_is_up(link->session);
}

static int wait_until(struct link *link, bool (*there)(const struct link *link), int late)
{
	uint64_t until = xfer_now_ns() + CTL_TIMEOUT_MS * XFER_NS_PER_MS;

	while (!there(link)) {
		if (interrupted())
			return -EINTR;
		if (link_trouble())
			return -ENOTCONN;
		if (xfer_now_ns() > until)
			return late;
		usleep(BENCH_TICK_US);
	}
	return 0;
}

int link_open(
	struct link *link, const struct ctl_owner *owner, const struct ctl_bench_options *options)
{
	const struct xfer_context_params params = { .node = owner->node,
		.lanes = options->lanes,
		.path = options->path,
		.log = keep_first };
	const struct xfer_session_params session = {
		.owner = owner->name,
		.address = owner->address,
		.insecure = true,
	};
	int err = xfer_context_create(&params, &link->context);

	link->path = options->path;
	if (err)
		return err;
	err = xfer_session_open(link->context, &session, &link->session);
	if (err) {
		xfer_context_destroy(link->context);
		return err;
	}
	err = wait_until(link, is_up, -ETIMEDOUT);
	if (err == 0)
		err = wait_until(link, has_path, -ENOLINK);
	if (err)
		link_close(link);
	return err;
}

void link_close(struct link *link)
{
	xfer_session_close(link->session);
	xfer_context_destroy(link->context);
}
