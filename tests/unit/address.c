/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* address.c -- forms of addresses, and what connecting says when it fails */

#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "address.h"

static void expect(const char *text, const char *host, const char *port)
{
	struct xfer_address address;

	assert_int_equal(xfer_address_parse(text, &address), 0);
	assert_false(address.local);
	assert_string_equal(address.host, host);
	assert_string_equal(address.port, port);
}

static void test_forms(void **state)
{
	struct xfer_address address;

	(void)state;
	expect("b", "b", "20491");
	expect("b.example:7", "b.example", "7");
	expect("10.0.0.1", "10.0.0.1", "20491");
	expect("10.0.0.1:65535", "10.0.0.1", "65535");
	expect("10.0.0.1:00007", "10.0.0.1", "00007");
	expect("[fe80::1]", "fe80::1", "20491");
	expect("[::]:20491", "::", "20491");
	assert_int_equal(xfer_address_parse("unix:/run/x.sock", &address), 0);
	assert_true(address.local);
	assert_string_equal(address.path, "/run/x.sock");
}

static void test_what_is_no_address(void **state)
{
	static const char *const wrong[] = { "", ":1", "b:", "b:0", "b:65536", "b:x", "b:1x",
		"b:00000007", "b:-1", "b: 1", "[::1", "[::1]x", "[]:1", "unix:", "unix:relative",
		"fe80::1" };
	struct xfer_address address = { .host = "untouched" };
	char text[400] = "unix:/";

	(void)state;
	for (unsigned i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		assert_int_equal(xfer_address_parse(wrong[i], &address), -EINVAL);
	memset(text + 6, 'x', 200);
	assert_int_equal(xfer_address_parse(text, &address), -EINVAL);
	memset(text, 'x', 300);
	assert_int_equal(xfer_address_parse(text, &address), -EINVAL);
	assert_string_equal(address.host, "untouched");
}

static void test_connecting_fails(void **state)
{
	struct xfer_address address;
	int fd = -2;

	(void)state;
	assert_int_equal(xfer_address_parse("unix:/nowhere/at/all", &address), 0);
	assert_int_equal(xfer_address_connect(&address, 100, &fd), -ENOENT);
	assert_int_equal(xfer_address_parse("127.0.0.1:1", &address), 0);
	assert_int_equal(xfer_address_connect(&address, 100, &fd), -ECONNREFUSED);
	assert_int_equal(xfer_address_parse("no-such-host.invalid", &address), 0);
	assert_int_equal(xfer_address_connect(&address, 100, &fd), -EHOSTUNREACH);
	assert_int_equal(fd, -2);
}

/* Who waits for it accepts one connection after a while. */
static void *accept_late(void *arg)
{
	usleep(50000);
	close(accept(*(int *)arg, NULL, NULL));
	return NULL;
}

/* So many wait to be accepted that there is no room for one more, until there is. */
static void test_crowded(void **state)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), waiting, fd;
	struct xfer_address address;
	char text[sizeof(sun.sun_path) + 8];
	pthread_t thread;

	(void)state;
	snprintf(sun.sun_path, sizeof(sun.sun_path), "/tmp/xfer-address-%d", getpid());
	snprintf(text, sizeof(text), "unix:%s", sun.sun_path);
	assert_int_equal(bind(listener, (struct sockaddr *)&sun, sizeof(sun)), 0);
	assert_int_equal(listen(listener, 0), 0);
	assert_int_equal(xfer_address_parse(text, &address), 0);
	assert_int_equal(xfer_address_connect(&address, 100, &waiting), 0);
	assert_int_equal(xfer_address_connect(&address, 100, &fd), -ETIMEDOUT);
	assert_int_equal(pthread_create(&thread, NULL, accept_late, &listener), 0);
	assert_int_equal(xfer_address_connect(&address, 10000, &fd), 0);
	pthread_join(thread, NULL);
	close(fd);
	close(waiting);
	close(listener);
	unlink(sun.sun_path);
}

static void test_text(void **state)
{
	struct sockaddr_storage storage = { 0 };
	struct sockaddr_in *sin = (struct sockaddr_in *)&storage;
	struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *)&storage;
	char text[80];

	(void)state;
	sin->sin_family = AF_INET;
	sin->sin_addr.s_addr = htonl(0x0a000001);
	sin->sin_port = htons(847);
	xfer_address_format(&storage, text, sizeof(text));
	assert_string_equal(text, "10.0.0.1:847");
	memset(&storage, 0, sizeof(storage));
	sin6->sin6_family = AF_INET6;
	sin6->sin6_addr.s6_addr[15] = 1;
	sin6->sin6_port = htons(847);
	xfer_address_format(&storage, text, sizeof(text));
	assert_string_equal(text, "[::1]:847");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forms),
		cmocka_unit_test(test_what_is_no_address),
		cmocka_unit_test(test_connecting_fails),
		cmocka_unit_test(test_crowded),
		cmocka_unit_test(test_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
