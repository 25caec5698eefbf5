/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* conn.h -- one connection: record marking, sends from any thread, receives on its lane */
#ifndef XFER_CONTROL_CONN_H
#define XFER_CONTROL_CONN_H

#include <sys/queue.h>
#include <sys/uio.h>

#include "control/conn_io.h"
#include "control/lane.h"
#include "xfer/xfer.h"

/*
 * A record (RFC 5531, section 11) is here one fragment, the head, and for inline payload a second
 * one that holds nothing but the payload's bytes and their padding: so the receiver knows where the
 * head ends, and the payload goes where it belongs without being copied.
 */

struct xfer_conn;

/* Receive memory, shared by the connection and by requests whose payload lies in it. */
struct xfer_rbuf {
	_Atomic unsigned refs;
	uint32_t size;
	uint8_t data[];
};
void xfer_rbuf_ref(struct xfer_rbuf *rbuf);
void xfer_rbuf_unref(struct xfer_rbuf *rbuf);

/* Where a payload's bytes go. */
struct xfer_sink {
	bool discard;    /* take the payload off the connection, whatever its length */
	uint32_t length; /* else: what the head announced, in bytes */
};

/*
 * What the owner of a connection does with what arrives. All run on the lane's thread, except that head, place and
 * complete may run on one that receives in its place (xfer_conn_poll); never two of these three at a time.
 */
struct xfer_conn_ops {
	/*
	 * A head has arrived: len bytes, valid during the call. more: a payload fragment follows,
	 * say in *sink what is expected. 0, or -errno: the connection is closed; *why is the cause,
	 * for the log.
	 */
	int (*head)(struct xfer_conn *conn, const uint8_t *head, uint32_t len, bool more,
		struct xfer_sink *sink, const char **why);
	/*
	 * The payload begins: `arrived` bytes of it are at `data` in rbuf (reference it to keep
	 * them). Says in iov, of at most XFER_IOV_MAX entries, where the remaining bytes go;
	 * returns the entries used (0 if none remain) or -errno.
	 */
	int (*place)(struct xfer_conn *conn, struct xfer_rbuf *rbuf, uint8_t *data,
		uint32_t arrived, uint32_t remaining, struct iovec *iov);
	/* The payload is complete. */
	int (*complete)(struct xfer_conn *conn);
	/* The connection has ended; no other function is called any more. */
	void (*closed)(struct xfer_conn *conn, int err, const char *why);
	void (*tick)(struct xfer_conn *conn, uint64_t now_ns);
};

/* Bytes to send; the memory, all of what iov points at included, is the sender's until sent was
 * called. */
struct xfer_out {
	struct iovec iov[XFER_IOV_MAX + 3];
	int iovcnt;
	bool started; /* a byte of it has left */
	/* err: 0 or -errno. Any thread, no lock held. */
	void (*sent)(struct xfer_out *out, int err);

	int index; /* the connection's own */
	STAILQ_ENTRY(xfer_out) link;
};

struct xfer_conn_params {
	struct xfer_lane *lane;
	struct xfer_conn_io *io;
	const struct xfer_conn_ops *ops;
	void *user;
	uint32_t recv_chunk; /* bytes asked of one receive, beyond what a payload still needs */
	const char *name;    /* of the peer, for logs */
};

/* Owns params->io from then on, also on failure. One reference for the caller. */
int xfer_conn_create(const struct xfer_conn_params *params, struct xfer_conn **conn);

/* Begins to receive; ops are called from now on. `closed` will be called exactly once. */
void xfer_conn_start(struct xfer_conn *conn);

void xfer_conn_ref(struct xfer_conn *conn);
void xfer_conn_unref(struct xfer_conn *conn);

void *xfer_conn_user(const struct xfer_conn *conn);
void xfer_conn_set_user(struct xfer_conn *conn, void *user);
const char *xfer_conn_name(const struct xfer_conn *conn);
/* How much of what its keys may carry is used up, in per mille; 0 without keys. It closes itself at 1000. Within `tick`. */
unsigned xfer_conn_keys_used(const struct xfer_conn *conn);

/* Sends now what can be sent, leaves the rest to the lane. Any thread; never blocks. */
void xfer_conn_send(struct xfer_conn *conn, struct xfer_out *out);

/*
 * Receives in the lane's place, without ever sleeping, as long as *wanted, until deadline_ns (xfer_now_ns) or the
 * connection's end; later, if others want the processor. Not on a lane thread, and only on connections that nobody
 * pauses.
 */
void xfer_conn_poll(struct xfer_conn *conn, const _Atomic bool *wanted, uint64_t deadline_ns);
/* Whether the calling thread is within that. */
bool xfer_conn_is_polling(void);

/* Beside the next bytes that are sent, or before; and what has come so. See conn_io.h. */
int xfer_conn_want_fd(struct xfer_conn *conn);
int xfer_conn_put_fd(struct xfer_conn *conn, int fd);
int xfer_conn_take_fd(struct xfer_conn *conn);

/* Ends the connection; the first cause wins (why: static text). Any thread; `closed` follows on the
 * lane. */
void xfer_conn_close(struct xfer_conn *conn, int err, const char *why);

/* Stops and resumes receiving. Any thread. */
void xfer_conn_pause(struct xfer_conn *conn, bool paused);

/* For heartbeats and for limits. */
uint64_t xfer_conn_last_received_ns(struct xfer_conn *conn);
uint64_t xfer_conn_last_sent_ns(struct xfer_conn *conn);
size_t xfer_conn_unsent_bytes(struct xfer_conn *conn);

/* Record marking: the 4 bytes before a fragment of len bytes. */
#define XFER_MARK_LAST 0x80000000u
static inline void xfer_mark_put(uint8_t *to, uint32_t len, bool last)
{
	uint32_t mark = len | (last ? XFER_MARK_LAST : 0);

	to[0] = mark >> 24;
	to[1] = mark >> 16;
	to[2] = mark >> 8;
	to[3] = mark;
}

#endif
