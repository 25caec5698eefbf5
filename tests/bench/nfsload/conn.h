/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* conn.h -- one TCP connection with record marking and any number of calls outstanding */
#ifndef NFSLOAD_CONN_H
#define NFSLOAD_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONN_MAX_CALLS     1024
#define CONN_REPLY_SECONDS 60

struct conn;

/*
 * A call: its memory is reused for one call after the other. The caller owns it and what it points
 * to; both stay as they are from conn_submit to done(). head begins with room for the record mark.
 */
struct call {
	uint8_t head[2048];
	size_t head_len;
	const uint8_t *payload;
	size_t payload_len;
	uint8_t *reply;
	size_t reply_size;
	size_t reply_len;
	void (*done)(struct call *call);
	void *context;
	/* the connection's: */
	uint32_t index;
	size_t sent;
	bool outstanding;
	struct call *next;
};

/* Whatever goes wrong on a connection, here and later, ends the program with a message. */
struct conn *conn_open(const char *host, unsigned port);
void conn_close(struct conn *conn);

/* Give a call its place on the connection and a reply buffer of its own. */
void conn_add_call(struct conn *conn, struct call *call, size_t reply_size);
void conn_drop_call(struct conn *conn, struct call *call);

/* The xid that the next submission of this call has to carry as the head's second word. */
uint32_t conn_next_xid(struct conn *conn, const struct call *call);

void conn_submit(struct conn *conn, struct call *call);

/* Wait for something to happen on any of them, at most so long; calls done(). */
void conn_wait(struct conn *const *conns, unsigned count, int timeout_ms);

/* Submit and wait for the reply. */
void conn_call(struct conn *conn, struct call *call);

#endif
