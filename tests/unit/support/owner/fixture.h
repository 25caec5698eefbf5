/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* fixture.h -- an owner in this process, asked by a point of contact in this process */
#ifndef TEST_OWNER_FIXTURE_H
#define TEST_OWNER_FIXTURE_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include "owner/service.h"

#define USER  4711
#define GROUP 4712

#define GRACE_MS 2000 /* at most, when the owner is started again */
#define KEEP_MS  300  /* how long a session lives without a connection */

/* One at a time; node "a" has the session; it and node "c" may use volume "v", but not "w". */
extern struct fixture {
	char dir[64], volume[96], other[96];
	struct config *config;
	struct service service;
	struct xfer_server *server;
	struct xfer_context *context;
	struct xfer_session *session;
	struct xfer_handle root;
} f;

/* Of the session's shared memory, in each direction. */
#define FIXTURE_SMALL_SLOTS 16u
#define FIXTURE_LARGE_SLOTS 4u

/* What the next fixture_serve works with. */
extern const struct store_ops *fixture_store;
extern unsigned fixture_lease_ms; /* 0: the usual one */

extern const struct xfer_cred root_cred, user_cred;

/* For cmocka. */
int fixture_setup(void **state);
int fixture_setup_owner(void **state); /* without a session */
void fixture_ask(void);                /* the session, and its context */
int fixture_teardown(void **state);
/* The owner's process, as it is started again and again. */
void fixture_serve(void);
void fixture_stop(void);
#define FIXTURE_TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
/* False: the process lacks capabilities, which was printed; the test is to end with 77. */
bool fixture_possible(void);

/* One more session of node "a". */
struct xfer_session *open_session(void);

int open_as(const struct xfer_cred *cred, const char *name, uint32_t flags, enum xfer_create create,
	uint32_t mode, struct xfer_opened *opened);

/* A file with this mode and text, made behind the owner's back. */
void put_file(const char *name, const char *text, uid_t uid, gid_t gid, mode_t mode);

struct xfer_node find(const char *name);

/* A READ or WRITE that is waited for. */
struct waited {
	struct xfer_io io;
	_Atomic bool done;
	struct iovec iov;
};

int run_io(struct waited *waited, bool write, const struct xfer_cred *cred,
	const struct xfer_handle *handle, void *data, size_t length);
/* The same of the session that is named in it. */
int run_io_of(struct waited *waited, bool write, const struct xfer_cred *cred,
	const struct xfer_handle *handle, void *data, size_t length);
/* Bytes, or -errno. */
int read_as(const struct xfer_cred *cred, const struct xfer_handle *handle, bool override,
	char *data, size_t length);
int write_as(const struct xfer_cred *cred, const struct xfer_handle *handle, bool override,
	const char *text);

#endif
