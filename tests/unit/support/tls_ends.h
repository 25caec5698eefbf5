/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* tls_ends.h -- both ends of TLS connections in one process, over loopback */
#ifndef SUPPORT_TLS_ENDS_H
#define SUPPORT_TLS_ENDS_H

#include <pthread.h>

#include "xfer/tls.h"

/* TLS; one of its identities. The test fails if there can't be any. */
struct xfer_tls *tls_make(const struct xfer_tls_params *params);
struct xfer_tls_identity *tls_identity_make(
	struct xfer_tls *tls, enum xfer_tls_role role, struct xfer_tls_files files);

/* A TCP connection to ourselves: blocking, [0] the client's end. */
void tls_ends_tcp(int pair[2]);

/* A handshake under way at one end, and its result. */
struct tls_end {
	pthread_mutex_t lock;
	pthread_cond_t cond;
	bool done;
	int err, fd; /* started: xfer_tls_start's; then the result's */
	char why[512];
	struct xfer_tls_security *security;
};

void tls_end_start(struct tls_end *end, struct xfer_tls *tls, struct xfer_tls_identity *identity,
	int fd, bool client, const char *expect);
/* Waits for the end. 0 or the error. */
int tls_end_wait(struct tls_end *end);
/* Closes what it has. */
void tls_end_finish(struct tls_end *end);

/* What can be told apart from its neighbours and from what other seeds make. */
void tls_fill(uint8_t *bytes, size_t len, uint8_t seed);
/* All of the bytes, over a non-blocking stream. -errno; tls_read_all: -ENODATA: the stream has ended before. */
int tls_write_all(int fd, const void *bytes, size_t len);
int tls_read_all(int fd, void *bytes, size_t len);
/* Whether nothing but the stream's end comes. */
bool tls_at_end(int fd);

/* Keeps the lines of the log from now on; whether one has all these texts. */
void tls_log_keep(void);
bool tls_log_has(const char *text, const char *text2);
unsigned tls_log_count(const char *text);
/* All of them, to stderr: for a test that fails. */
void tls_log_print(void);

#endif
