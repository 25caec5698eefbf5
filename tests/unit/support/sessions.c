/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* sessions.c -- for tests of sessions: one with a memowner, and operations that a test waits for */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "clock.h"
#include "support/sessions.h"

static const uint32_t groups[] = { 11, 12, 13 };
const struct xfer_cred cred = { .uid = 7, .gid = 8, .ngroups = 3, .groups = groups };

bool wait_for(bool (*condition)(void *arg), void *arg)
{
	uint64_t deadline = xfer_now_ns() + 20000 * XFER_NS_PER_MS;

	while (!condition(arg)) {
		if (xfer_now_ns() > deadline)
			return false;
		usleep(1000);
	}
	return true;
}

bool session_up(void *arg)
{
	return xfer_session_is_up(arg);
}

bool session_down(void *arg)
{
	return !xfer_session_is_up(arg);
}

void cut(struct xfer_session *session)
{
	struct xfer_caller *lane = NULL;

	pthread_mutex_lock(&session->lock);
	if (session->nlanes > 0) {
		lane = session->lanes[0];
		xfer_caller_ref(lane);
	}
	pthread_mutex_unlock(&session->lock);
	if (!lane)
		return;
	xfer_caller_close(lane, -ECONNRESET, "the test cuts it");
	xfer_caller_unref(lane);
}

bool later_epoch(void *arg)
{
	struct later *later = arg;

	return xfer_session_is_up(later->session) && later->session->epoch > later->epoch;
}

const struct xfer_session_ops *session_ops;

struct xfer_context *new_context(unsigned heartbeat_ms)
{
	struct xfer_context_params params = {
		.node = "a", .heartbeat_ms = heartbeat_ms, .small_slots = 2, .large_slots = 2
	};
	struct xfer_context *context;

	assert_int_equal(xfer_context_create(&params, &context), 0);
	return context;
}

void set_up_at(struct fixture *f, const char *address)
{
	memset(f, 0, sizeof(*f));
	memowner_start(&f->owner, "b", address);
	f->context = new_context(200);
	xfer_handle_root(1, &f->handle);
	assert_int_equal(xfer_session_open(f->context,
				 &(struct xfer_session_params){ .owner = "b",
					 .address = f->owner.address,
					 .insecure = true,
					 .ops = session_ops,
					 .ops_arg = f },
				 &f->session),
		0);
	assert_true(wait_for(session_up, f->session));
}

void set_up(struct fixture *f)
{
	set_up_at(f, NULL);
}

void tear_down(struct fixture *f)
{
	xfer_session_close(f->session);
	xfer_context_destroy(f->context);
	memowner_stop(&f->owner);
	assert_int_equal(f->owner.slot_clashes, 0);
	assert_int_equal(f->owner.event_clashes, 0);
}

static void io_done(struct xfer_io *io)
{
	sem_post(&((struct wait_io *)io)->done);
}

void io_prepare(struct fixture *f, struct wait_io *w, uint64_t offset, void *data, size_t len)
{
	memset(w, 0, sizeof(*w));
	sem_init(&w->done, 0, 0);
	w->iov[0] = (struct iovec){ data, len };
	w->io = (struct xfer_io){
		.session = f->session,
		.cred = cred,
		.handle = f->handle,
		.offset = offset,
		.iov = w->iov,
		.iovcnt = 1,
		.done = io_done,
	};
}

int io_wait(struct wait_io *w)
{
	while (sem_wait(&w->done))
		;
	sem_destroy(&w->done);
	return w->io.result;
}
