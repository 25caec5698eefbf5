/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* raw.h -- a client of the control protocol that sends what a test says, byte for byte */
#ifndef SUPPORT_RAW_H
#define SUPPORT_RAW_H

#include "control/conn.h"
#include "control/rpc.h"
#include "support/memowner.h"

#define RAW_XID 77u

/* An owner, and one connection to it. */
struct raw {
	struct memowner owner;
	int fd;
};

/* For cmocka. */
int raw_set_up(void **state);
int raw_tear_down(void **state);

/* One more connection; all of these fail the test when they can't. */
int connect_raw(struct raw *raw);
int connect_raw_to(const char *address);

/* The server may have closed the connection already for what came before. */
void send_bytes(int fd, const void *bytes, size_t len);
/* False: the server closed the connection first. */
bool recv_bytes(int fd, uint8_t *bytes, size_t len);
void send_head(int fd, uint8_t *head, uint32_t len, bool last);

/* A call of `proc` in buf, args NULL: all zero; its length. Operations are numbers 0, 0. */
uint32_t call_head(uint8_t buf[XFER_CALL_HEAD], uint32_t proc, union xfer_args *args);
/* The same for the n-th call of a slot. */
uint32_t call_head_at(uint8_t buf[XFER_CALL_HEAD], uint32_t proc, union xfer_args *args,
	uint32_t slot, uint32_t sequence);
void put_word(uint8_t *head, unsigned index, uint32_t value);

/* A record of one fragment; its length. */
uint32_t recv_record(int fd, uint8_t *bytes, uint32_t size);
/* The reply's words behind the mark; how many there are. */
unsigned recv_reply(int fd, uint32_t *words, unsigned max);
/* The accept_stat of a reply. */
void expect_accept_stat(int fd, uint32_t stat);
void expect_closed(int fd);
void expect_alive(int fd);
/* Nothing arrives for `ms`. */
void expect_silence(int fd, int ms);

/* Says HELLO as a process of a node, `boot` standing for its boot id; the answer, which is good. */
struct xfer_hello_res hello_as(int fd, const char *node, uint8_t boot, uint64_t session_id);

void send_call(int fd, uint32_t xid, uint32_t proc, union xfer_args *args, uint32_t slot,
	uint32_t sequence);
/* The reply to this xid; its status. */
uint32_t expect_reply(int fd, uint32_t xid);

#endif
