/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* conn_io_tls.c -- what a connection makes of records that the kernel has opened: data, alerts, forged ones, none */

#include <errno.h>
#include <fcntl.h>
#include <linux/tls.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "control/conn_io.h"
#include "xfer/tls.h"

#define ALERT     21
#define HANDSHAKE 22
#define DATA      23

/* --- the kernel: what it gives next ----------------------------------------------------------- */

static struct {
	int err;      /* instead of a record; 0: none */
	uint8_t type; /* of the record */
	bool unnamed; /* the kernel doesn't say the type of data */
	const void *bytes;
	size_t len;
	unsigned interrupted; /* so many calls are interrupted before */

	unsigned calls, sends;
	size_t control_room; /* of the last receive */
	int flags;
	int send_err;
	size_t send_max; /* 0: all */
	uint8_t sent[64];
	size_t nsent;
} kernel;

ssize_t __wrap_recvmsg(int fd, struct msghdr *msg, int flags);
ssize_t __wrap_recvmsg(int fd, struct msghdr *msg, int flags)
{
	const uint8_t *from = kernel.bytes;
	size_t left = kernel.len;
	struct cmsghdr *header;

	(void)fd;
	kernel.calls++;
	kernel.control_room = msg->msg_controllen;
	kernel.flags = flags;
	if (kernel.interrupted > 0) {
		kernel.interrupted--;
		msg->msg_controllen = 0;
		errno = EINTR;
		return -1;
	}
	if (kernel.err) {
		errno = kernel.err;
		return -1;
	}
	for (size_t i = 0; i < msg->msg_iovlen && left > 0; i++) {
		size_t part = msg->msg_iov[i].iov_len < left ? msg->msg_iov[i].iov_len : left;

		memcpy(msg->msg_iov[i].iov_base, from, part);
		from += part;
		left -= part;
	}
	if (kernel.unnamed || !msg->msg_control || kernel.len == 0) {
		msg->msg_controllen = 0;
		return (ssize_t)(kernel.len - left);
	}
	header = CMSG_FIRSTHDR(msg);
	header->cmsg_level = SOL_TLS;
	header->cmsg_type = TLS_GET_RECORD_TYPE;
	header->cmsg_len = CMSG_LEN(1);
	*CMSG_DATA(header) = kernel.type;
	msg->msg_controllen = CMSG_SPACE(1);
	return (ssize_t)(kernel.len - left);
}

ssize_t __wrap_sendmsg(int fd, const struct msghdr *msg, int flags);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *msg, int flags)
{
	size_t max = kernel.send_max ? kernel.send_max : sizeof(kernel.sent);

	(void)fd;
	kernel.sends++;
	assert_true(flags & MSG_NOSIGNAL);
	assert_int_equal(flags & MSG_MORE, 0);
	assert_null(msg->msg_control);
	if (kernel.send_err) {
		errno = kernel.send_err;
		return -1;
	}
	kernel.nsent = 0;
	for (size_t i = 0; i < msg->msg_iovlen && kernel.nsent < max; i++) {
		size_t part = msg->msg_iov[i].iov_len;

		if (part > max - kernel.nsent)
			part = max - kernel.nsent;
		memcpy(kernel.sent + kernel.nsent, msg->msg_iov[i].iov_base, part);
		kernel.nsent += part;
	}
	return (ssize_t)kernel.nsent;
}

/* --- TLS -------------------------------------------------------------------------------------- */

static struct {
	bool relayed;
	unsigned goodbyes, references;
	bool open; /* was, when it was said */
} tls;
static const struct xfer_tls_security *const security = (const void *)&tls;
static int ends[2]; /* the io's, and where its end is seen */

bool __wrap_xfer_tls_security_in_kernel(const struct xfer_tls_security *of);
bool __wrap_xfer_tls_security_in_kernel(const struct xfer_tls_security *of)
{
	assert_ptr_equal(of, security);
	return !tls.relayed;
}

void __wrap_xfer_tls_security_unref(const struct xfer_tls_security *of);
void __wrap_xfer_tls_security_unref(const struct xfer_tls_security *of)
{
	assert_ptr_equal(of, security);
	tls.references--;
}

void __wrap_xfer_tls_goodbye(const struct xfer_tls_security *of, int fd);
void __wrap_xfer_tls_goodbye(const struct xfer_tls_security *of, int fd)
{
	char byte;

	assert_ptr_equal(of, security);
	assert_int_equal(fd, ends[0]);
	tls.goodbyes++;
	tls.open = recv(ends[1], &byte, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

unsigned __wrap_xfer_tls_used(const struct xfer_tls_security *of, int fd);
unsigned __wrap_xfer_tls_used(const struct xfer_tls_security *of, int fd)
{
	assert_ptr_equal(of, security);
	assert_int_equal(fd, ends[0]);
	return 321;
}

/* --- what the tests have ---------------------------------------------------------------------- */

static struct xfer_conn_io *io;
static uint8_t first[1], second[32]; /* where bytes go */

static int set_up(void **state)
{
	(void)state;
	memset(&kernel, 0, sizeof(kernel));
	memset(&tls, 0, sizeof(tls));
	memset(second, 0, sizeof(second));
	kernel.type = DATA;
	tls.references = 1;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	io = xfer_conn_io_tls(ends[0], security);
	assert_non_null(io);
	return 0;
}

static void use_relay(void)
{
	tls.references++;
	io->ops->free(io);
	close(ends[1]);
	tls.relayed = true;
	tls.goodbyes = 0;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	io = xfer_conn_io_tls(ends[0], security);
	assert_non_null(io);
}

static int tear_down(void **state)
{
	(void)state;
	if (io)
		io->ops->free(io);
	io = NULL;
	close(ends[1]);
	assert_int_equal(tls.references, 0);
	assert_int_equal(tls.goodbyes, 1);
	return 0;
}

static ssize_t receive(uint8_t type, const void *bytes, size_t len)
{
	struct iovec iov[2] = { { first, sizeof(first) }, { second, sizeof(second) } };

	kernel.type = type;
	kernel.bytes = bytes;
	kernel.len = len;
	return io->ops->recvv(io, iov, 2);
}

static void expect_why(ssize_t n, int err, const char *text)
{
	assert_int_equal(n, err);
	assert_non_null(io->why);
	if (!strstr(io->why, text))
		fail_msg("\"%s\" doesn't say \"%s\"", io->why, text);
}

/* --- data ------------------------------------------------------------------------------------- */

/* Straight to where it belongs, and the kernel has always room to say what it is. */
static void test_data(void **state)
{
	(void)state;
	kernel.interrupted = 2;
	assert_int_equal(receive(DATA, "straight", 8), 8);
	assert_int_equal(first[0], 's');
	assert_memory_equal(second, "traight", 7);
	assert_int_equal(kernel.calls, 3);
	assert_true(kernel.control_room >= CMSG_SPACE(1));
	assert_int_equal(kernel.flags, 0);
	kernel.unnamed = true;
	assert_int_equal(receive(DATA, "more", 4), 4);
	assert_null(io->why);
}

static void test_not_now(void **state)
{
	(void)state;
	kernel.err = EAGAIN;
	assert_int_equal(receive(DATA, NULL, 0), -EAGAIN);
	kernel.send_err = EAGAIN;
	assert_int_equal(io->ops->sendv(io, &(struct iovec){ second, 1 }, 1), -EAGAIN);
	assert_null(io->why);
}

/* All pieces by one call, as far as they go. */
static void test_send(void **state)
{
	char text[] = "one call each";
	struct iovec iov[3] = { { text, 4 }, { text + 4, 5 }, { text + 9, 4 } };

	(void)state;
	assert_int_equal(io->ops->sendv(io, iov, 3), 13);
	assert_int_equal(kernel.sends, 1);
	assert_memory_equal(kernel.sent, "one call each", 13);
	kernel.send_max = 6;
	assert_int_equal(io->ops->sendv(io, iov, 3), 6);
	assert_int_equal(kernel.sends, 2);
}

static void test_no_descriptors(void **state)
{
	(void)state;
	for (int relayed = 0; relayed < 2; relayed++) {
		assert_int_equal(io->ops->want_fd(io), -EOPNOTSUPP);
		assert_int_equal(io->ops->put_fd(io, ends[1]), -EOPNOTSUPP);
		assert_int_equal(io->ops->take_fd(io), -1);
		assert_int_equal(io->ops->used(io), 321);
		if (!relayed)
			use_relay();
	}
}

/* --- what isn't data -------------------------------------------------------------------------- */

static void test_close_notify(void **state)
{
	static const uint8_t close_notify[] = { 1, 0 };

	(void)state;
	assert_int_equal(receive(ALERT, close_notify, 2), 0);
	assert_null(io->why);
	/* The end of the stream behind it is in order. */
	assert_int_equal(receive(DATA, NULL, 0), 0);
	assert_null(io->why);
}

static void test_truncated(void **state)
{
	(void)state;
	expect_why(receive(DATA, NULL, 0), -ECONNRESET, "without TLS's close_notify");
}

/* Those by which peers refuse certificates; each has its name. Its two bytes lie in two places. */
static void test_alerts(void **state)
{
	static const struct {
		uint8_t number;
		const char *name;
	} alerts[] = { { 10, "unexpected_message" }, { 20, "bad_record_mac" },
		{ 22, "record_overflow" }, { 40, "handshake_failure" }, { 42, "bad_certificate" },
		{ 43, "unsupported_certificate" }, { 44, "certificate_revoked" },
		{ 45, "certificate_expired" }, { 46, "certificate_unknown" }, { 48, "unknown_ca" },
		{ 49, "access_denied" }, { 50, "decode_error" }, { 51, "decrypt_error" },
		{ 80, "internal_error" }, { 90, "user_canceled" }, { 116, "certificate_required" },
		{ 255, "a TLS alert" } };

	(void)state;
	for (size_t i = 0; i < sizeof(alerts) / sizeof(alerts[0]); i++) {
		const uint8_t alert[] = { 2, alerts[i].number };

		expect_why(receive(ALERT, alert, 2), -ECONNABORTED, alerts[i].name);
	}
}

static void test_other_records(void **state)
{
	static const uint8_t key_update[] = { 24, 0, 0, 1, 0 }, ticket[] = { 4, 0, 0, 0 };

	(void)state;
	expect_why(receive(HANDSHAKE, key_update, 5), -EPROTO, "KeyUpdate");
	expect_why(receive(HANDSHAKE, ticket, 4), -EPROTO, "neither data nor an alert");
	expect_why(receive(20, "x", 1), -EPROTO, "neither data nor an alert");
	expect_why(receive(ALERT, "x", 1), -EPROTO, "neither data nor an alert");
}

/* The kernel goes on failing, in both directions. */
static void test_forged(void **state)
{
	(void)state;
	kernel.err = kernel.send_err = EBADMSG;
	expect_why(receive(DATA, NULL, 0), -EBADMSG, "changed on its way");
	io->why = NULL;
	expect_why(io->ops->sendv(io, &(struct iovec){ second, 1 }, 1), -EBADMSG,
		"changed on its way");
}

static void test_no_records(void **state)
{
	(void)state;
	kernel.err = EMSGSIZE;
	expect_why(receive(DATA, NULL, 0), -EMSGSIZE, "longer than records are");
	kernel.err = EINVAL;
	expect_why(receive(DATA, NULL, 0), -EINVAL, "no record of TLS 1.3");
	io->why = NULL;
	kernel.err = ECONNRESET;
	assert_int_equal(receive(DATA, NULL, 0), -ECONNRESET);
	kernel.send_err = EPIPE;
	assert_int_equal(io->ops->sendv(io, &(struct iovec){ second, 1 }, 1), -EPIPE);
	assert_null(io->why);
}

/* --- a relay's end ---------------------------------------------------------------------------- */

/* What comes beside the bytes isn't looked at, and an end is one: the relay's log says of which kind. */
static void test_relayed(void **state)
{
	(void)state;
	use_relay();
	assert_int_equal(receive(ALERT, "\2\50plain", 7), 7);
	assert_memory_equal(second, "\50plain", 6);
	assert_int_equal(kernel.control_room, 0);
	assert_int_equal(receive(DATA, NULL, 0), 0);
	assert_null(io->why);
}

/* --- its end ---------------------------------------------------------------------------------- */

/* Said once, while it still can be. */
static void test_goodbye(void **state)
{
	char byte;

	(void)state;
	io->ops->shutdown(io);
	assert_int_equal(tls.goodbyes, 1);
	assert_true(tls.open);
	assert_int_equal(recv(ends[1], &byte, 1, 0), 0);
	io->ops->shutdown(io);
	assert_int_equal(tls.goodbyes, 1);
}

static void test_goodbye_without_shutdown(void **state)
{
	(void)state;
	io->ops->free(io);
	io = NULL;
	assert_int_equal(tls.goodbyes, 1);
	assert_true(tls.open);
	assert_int_equal(fcntl(ends[0], F_GETFD), -1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_data),
		TEST(test_not_now),
		TEST(test_send),
		TEST(test_no_descriptors),
		TEST(test_close_notify),
		TEST(test_truncated),
		TEST(test_alerts),
		TEST(test_other_records),
		TEST(test_forged),
		TEST(test_no_records),
		TEST(test_relayed),
		TEST(test_goodbye),
		TEST(test_goodbye_without_shutdown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
