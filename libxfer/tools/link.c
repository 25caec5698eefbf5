/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* link.c -- the bench's session with an owner */

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
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

/* --- TLS ---------------------------------------------------------------------------------------- */

/* As a point of contact has it. */
static int open_tls(struct link *link, const struct ctl_bench_options *options)
{
	const struct xfer_tls_params params = { .ktls = XFER_KTLS_PREFER };
	const struct xfer_tls_files files = { options->certificate, options->key, options->ca,
		NULL };
	char why[sizeof(trouble)];
	int err;

	if (!options->certificate)
		return 0;
	err = xfer_tls_create(&params, &link->tls, why, sizeof(why));
	if (err == 0)
		err = xfer_tls_identity_create(
			link->tls, XFER_TLS_NODE, &files, &link->identity, why, sizeof(why));
	if (err)
		keep_first(XFER_LOG_WARN, why);
	return err ? -ENOTCONN : 0;
}

/* Whether the owner can know who this is, or needn't. */
static bool can_be_known(const struct ctl_owner *owner, const struct ctl_bench_options *options)
{
	char why[sizeof(trouble)];

	if (options->certificate || options->insecure || strncmp(owner->address, "unix:", 5) == 0)
		return true;
	snprintf(why, sizeof(why),
		"owner %s is reached by TCP: give --certificate, --key and --ca, or --insecure "
		"if its nodes may come in cleartext",
		owner->name);
	keep_first(XFER_LOG_WARN, why);
	return false;
}

static void close_tls(struct link *link)
{
	if (link->identity)
		xfer_tls_identity_destroy(link->identity);
	if (link->tls)
		xfer_tls_destroy(link->tls);
}

/* --- the session -------------------------------------------------------------------------------- */

static int open_session(
	struct link *link, const struct ctl_owner *owner, const struct ctl_bench_options *options)
{
	const struct xfer_context_params params = { .node = owner->node,
		.lanes = options->lanes,
		.path = options->path,
		.tls = link->tls,
		.tls_identity = link->identity,
		.log = keep_first };
	const struct xfer_session_params session = {
		.owner = owner->name,
		.address = owner->address,
		.insecure = options->insecure,
	};
	int err = xfer_context_create(&params, &link->context);

	if (err)
		return err;
	err = xfer_session_open(link->context, &session, &link->session);
	if (err)
		xfer_context_destroy(link->context);
	return err;
}

int link_open(
	struct link *link, const struct ctl_owner *owner, const struct ctl_bench_options *options)
{
	int err;

	*link = (struct link){ .path = options->path };
	err = can_be_known(owner, options) ? open_tls(link, options) : -ENOTCONN;
	if (err == 0)
		err = open_session(link, owner, options);
	if (err) {
		close_tls(link);
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
	close_tls(link);
}
