/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* sessions.h -- for tests of sessions: one with a memowner, and operations that a test waits for */
#ifndef TESTS_SUPPORT_SESSIONS_H
#define TESTS_SUPPORT_SESSIONS_H

#include <semaphore.h>

#include "session.h"
#include "support/memowner.h"
#include "xfer/xfer.h"

extern const struct xfer_cred cred;

struct fixture {
	struct memowner owner;
	struct xfer_context *context;
	struct xfer_session *session;
	struct xfer_handle handle;
};

/* Within 20 s. */
bool wait_for(bool (*condition)(void *arg), void *arg);
/* Conditions; arg: the session. */
bool session_up(void *arg);
bool session_down(void *arg);

/* Ends the session's connections as a network does: at no good time. */
void cut(struct xfer_session *session);

/* A condition: the session is up again, in a later epoch than that one. */
struct later {
	struct xfer_session *session;
	uint32_t epoch;
};
bool later_epoch(void *arg);

struct xfer_context *new_context(unsigned heartbeat_ms);

/* The next set_up's session has these; NULL: none. The fixture is their argument. */
extern const struct xfer_session_ops *session_ops;

/* address: of the owner; NULL: a Unix socket of its own. The session is up. */
void set_up_at(struct fixture *f, const char *address);
void set_up(struct fixture *f);
void tear_down(struct fixture *f);

/* One READ or WRITE that a test waits for. */
struct wait_io {
	struct xfer_io io;
	struct iovec iov[3];
	sem_t done;
};

void io_prepare(struct fixture *f, struct wait_io *w, uint64_t offset, void *data, size_t len);
int io_wait(struct wait_io *w);

#endif
