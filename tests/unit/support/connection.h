/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* connection.h -- a connection over a socket that takes and gives as many bytes as a test says */
#ifndef TEST_CONNECTION_H
#define TEST_CONNECTION_H

#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <cmocka.h>

#include "control/conn.h"

#define CHUNK   4096u /* recv_chunk */
#define WAIT_MS 20000

struct shim {
	struct xfer_conn_io io;
	struct xfer_conn_io *under;
	_Atomic size_t recv_max, send_max; /* 0: no limit */
	_Atomic bool stutter;              /* each second send is refused by EAGAIN */
	_Atomic int recv_err;              /* 0: none; what receiving fails with */
	_Atomic size_t received;
	unsigned sends; /* under the connection's lock */
};

/* A connection whose events are written down. A head's first word says how long its payload is. */
struct fixture {
	struct xfer_lane *lane;
	struct xfer_conn *conn;
	struct shim *shim; /* as long as conn lives */
	int peer;
	bool discard;    /* take payloads off, whatever their length */
	unsigned pieces; /* in which a payload is placed, 1..XFER_IOV_MAX */
	bool keep;       /* hold the receive memory of the first payload */
	struct xfer_rbuf *held;
	const uint8_t *held_at;
	uint32_t held_len;

	pthread_mutex_t lock; /* the following */
	uint8_t *log; /* 'H', length, bytes of each head; 'P', length, bytes of each payload */
	size_t log_len, log_size;
	unsigned records, closed, ticks;
	bool on_lane; /* the last head came on the lane's thread */
	int closed_err;
	const char *closed_why;
	sem_t ended;

	uint8_t *payload; /* the lane's */
	uint32_t payload_len;
};

/* Bytes to receive, and what has to come of them. */
struct script {
	uint8_t wire[3 << 20];
	size_t wire_len;
	uint8_t log[3 << 20];
	size_t log_len;
	unsigned records;
};

void fixture_set_up(struct fixture *f);
void fixture_start(struct fixture *f);
void fixture_wait_end(struct fixture *f);
void fixture_free(struct fixture *f);
void fixture_tear_down(struct fixture *f);
unsigned records_of(struct fixture *f);
void wait_received(struct fixture *f, size_t bytes);
void script_log(struct script *s, char tag, const uint8_t *bytes, uint32_t len);
void script_fragment(struct script *s, const uint8_t *bytes, uint32_t len, bool last);
void script_record(struct script *s, uint32_t head_len, uint32_t payload_len);
struct script *script_small(void);
void send_all(int fd, const uint8_t *bytes, size_t len);
void expect_script(struct fixture *f, const struct script *s);

#endif
