/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* raw.c -- a client of the control protocol that sends what a test says, byte for byte */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <poll.h>
#include <rpc/rpc.h>

#include "address.h"
#include "support/raw.h"

int connect_raw_to(const char *at)
{
	struct xfer_address address;
	int fd;

	assert_int_equal(xfer_address_parse(at, &address), 0);
	assert_int_equal(xfer_address_connect(&address, 10000, &fd), 0);
	return fd;
}

int connect_raw(struct raw *raw)
{
	return connect_raw_to(raw->owner.address);
}

int raw_set_up(void **state)
{
	struct raw *raw = calloc(1, sizeof(*raw));

	memowner_start(&raw->owner, "b", NULL);
	raw->fd = connect_raw(raw);
	*state = raw;
	return 0;
}

int raw_tear_down(void **state)
{
	struct raw *raw = *state;

	close(raw->fd);
	memowner_stop(&raw->owner);
	free(raw);
	return 0;
}

void send_bytes(int fd, const void *bytes, size_t len)
{
	ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);

	assert_true(n == (ssize_t)len || (n < 0 && (errno == EPIPE || errno == ECONNRESET)));
}

bool recv_bytes(int fd, uint8_t *bytes, size_t len)
{
	while (len > 0) {
		struct pollfd pollfd = { .fd = fd, .events = POLLIN };
		ssize_t n;

		assert_int_equal(poll(&pollfd, 1, 10000), 1);
		n = read(fd, bytes, len);
		if (n <= 0)
			return false;
		bytes += n;
		len -= (size_t)n;
	}
	return true;
}

void send_head(int fd, uint8_t *head, uint32_t len, bool last)
{
	uint8_t mark[4];

	xfer_mark_put(mark, len, last);
	send_bytes(fd, mark, 4);
	send_bytes(fd, head, len);
}

uint32_t call_head_at(uint8_t buf[XFER_CALL_HEAD], uint32_t proc, union xfer_args *args,
	uint32_t slot, uint32_t sequence)
{
	static union xfer_args zero;
	struct xfer_request_header header = { .call_slot = slot, .sequence = sequence, .uid = 1 };
	int len = xfer_rpc_encode_call(buf, XFER_CALL_HEAD, RAW_XID, proc,
		proc >= XFER_PROC_FIRST_OP ? &header : NULL, args ? args : &zero);

	assert_true(len > 0);
	return (uint32_t)len;
}

uint32_t call_head(uint8_t buf[XFER_CALL_HEAD], uint32_t proc, union xfer_args *args)
{
	return call_head_at(buf, proc, args, 0, 0);
}

uint32_t recv_record(int fd, uint8_t *bytes, uint32_t size)
{
	uint8_t mark[4];
	uint32_t len;

	assert_true(recv_bytes(fd, mark, 4));
	assert_true(mark[0] & 0x80);
	len = (uint32_t)(mark[0] & 0x7f) << 24 | mark[1] << 16 | mark[2] << 8 | mark[3];
	assert_in_range(len, 8, size);
	assert_true(recv_bytes(fd, bytes, len));
	return len;
}

unsigned recv_reply(int fd, uint32_t *words, unsigned max)
{
	uint8_t bytes[4096];
	uint32_t len = recv_record(fd, bytes, sizeof(bytes));

	for (unsigned i = 0; i < max && i < len / 4; i++) {
		memcpy(&words[i], bytes + 4 * i, 4);
		words[i] = ntohl(words[i]);
	}
	return len / 4;
}

/* xid, REPLY, MSG_ACCEPTED, verifier (2 words), accept_stat */
void expect_accept_stat(int fd, uint32_t stat)
{
	uint32_t words[8];

	assert_true(recv_reply(fd, words, 8) >= 6);
	assert_int_equal(words[0], RAW_XID);
	assert_int_equal(words[1], REPLY);
	assert_int_equal(words[2], MSG_ACCEPTED);
	assert_int_equal(words[5], stat);
}

void expect_closed(int fd)
{
	uint8_t byte;

	assert_false(recv_bytes(fd, &byte, 1));
}

void expect_alive(int fd)
{
	uint8_t head[XFER_CALL_HEAD];

	send_head(fd, head, call_head(head, XFER_PROC_NULL, NULL), true);
	expect_accept_stat(fd, SUCCESS);
}

void put_word(uint8_t *head, unsigned index, uint32_t value)
{
	value = htonl(value);
	memcpy(head + 4 * index, &value, 4);
}

void expect_silence(int fd, int ms)
{
	struct pollfd pollfd = { .fd = fd, .events = POLLIN };

	assert_int_equal(poll(&pollfd, 1, ms), 0);
}

struct xfer_hello_res hello_as(int fd, const char *node, uint8_t boot, uint64_t session_id)
{
	union xfer_results results = { 0 };
	union xfer_args args = { 0 };
	uint8_t head[XFER_CALL_HEAD], reply[4096];
	uint32_t len;

	args.hello.limits = xfer_own_limits;
	args.hello.session_id = session_id;
	memset(args.hello.boot_id, boot, sizeof(args.hello.boot_id));
	strcpy(args.hello.node, node);
	strcpy(args.hello.owner, "b");
	send_head(fd, head, call_head(head, XFER_PROC_HELLO, &args), true);
	len = recv_record(fd, reply, sizeof(reply));
	assert_int_equal(xfer_rpc_decode_reply(reply, len, XFER_PROC_HELLO, &results), 0);
	assert_int_equal(results.hello.status, XFER_ST_OK);
	return results.hello;
}

void send_call(int fd, uint32_t xid, uint32_t proc, union xfer_args *args, uint32_t slot,
	uint32_t sequence)
{
	uint8_t head[XFER_CALL_HEAD];
	uint32_t len = call_head_at(head, proc, args, slot, sequence);

	put_word(head, 0, xid);
	send_head(fd, head, len, true);
}

uint32_t expect_reply(int fd, uint32_t xid)
{
	uint32_t words[8];

	assert_true(recv_reply(fd, words, 8) >= 7);
	assert_int_equal(words[0], xid);
	assert_int_equal(words[5], SUCCESS);
	return words[6];
}
