/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* ctl_devices.c -- what rdmaxferctl devices prints, and how it ends */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "ctl.h"

/* What libxfer says, instead of libxfer's own; NULL: it has no memory. */
static const char *told;

int xfer_devices(char **json)
{
	if (!told)
		return -ENOMEM;
	*json = strdup(told);
	return 0;
}

static char output[4096];

/* devices' exit code; what it prints is in `output`. */
static int run(const struct ctl *ctl)
{
	FILE *file = tmpfile();
	int saved = dup(STDOUT_FILENO), code;
	size_t length;

	assert_non_null(file);
	fflush(stdout);
	dup2(fileno(file), STDOUT_FILENO);
	code = ctl_devices(ctl);
	fflush(stdout);
	dup2(saved, STDOUT_FILENO);
	close(saved);
	rewind(file);
	length = fread(output, 1, sizeof(output) - 1, file);
	output[length] = '\0';
	fclose(file);
	return code;
}

#define DOWN                                                                                       \
	"{\"name\":\"mlx5_0\",\"port\":2,\"state\":\"DOWN\",\"link\":\"InfiniBand\",\"gid\":\"\"," \
	"\"mtu\":0,\"numa_node\":-1,\"addresses\":[],\"usable\":false,\"reason\":\"it is down\"}"
#define SHUT                                                                                       \
	"{\"name\":\"rxe1\",\"port\":0,\"state\":\"?\",\"link\":\"?\",\"gid\":\"\",\"mtu\":0,"     \
	"\"numa_node\":-1,\"addresses\":[],\"usable\":false,\"reason\":\"it is shut\"}"
#define GOOD                                                                                           \
	"{\"name\":\"rxe0\",\"port\":1,\"state\":\"ACTIVE\",\"link\":\"RoCE\",\"gid\":\"::1\","        \
	"\"mtu\":1024,\"numa_node\":1,\"usable\":true,\"reason\":\"\",\"addresses\":["                 \
	"{\"address\":\"10.0.0.1\",\"netdev\":\"eth0\"},{\"address\":\"fd00::1\",\"netdev\":\"eth0\"}" \
	"]}"
#define UNLIMITED "\"memlock\":{\"limit\":null,\"pinned\":0}"
#define LIMITED   "\"memlock\":{\"limit\":65536,\"pinned\":0}"

static void test_text(void **state)
{
	const struct ctl ctl = { 0 };

	(void)state;
	told = "{\"devices\":[" DOWN "," SHUT "," GOOD "],\"reason\":\"\"," LIMITED "}";
	assert_int_equal(run(&ctl), CTL_OK);
	assert_string_equal(output,
		"mlx5_0 port 2: not usable: it is down\n"
		"    InfiniBand, DOWN\n"
		"rxe1: not usable: it is shut\n"
		"    ?, ?\n"
		"rxe0 port 1: usable, by 10.0.0.1 (eth0), fd00::1 (eth0)\n"
		"    RoCE, ACTIVE, MTU 1024, GID ::1, NUMA node 1\n"
		"memory that this user may pin: 64 KiB, to be raised by LimitMEMLOCK= in a unit or "
		"memlock in /etc/security/limits.conf\n");
}

static void test_none(void **state)
{
	const struct ctl ctl = { 0 };

	(void)state;
	told = "{\"devices\":[],\"reason\":\"no RDMA device\"," UNLIMITED "}";
	assert_int_equal(run(&ctl), CTL_FAILED);
	assert_string_equal(output, "no RDMA device\n"
				    "memory that this user may pin: without a limit\n");
	told = "{\"devices\":[" DOWN "],\"reason\":\"\"," UNLIMITED "}";
	assert_int_equal(run(&ctl), CTL_FAILED);
}

static void test_json(void **state)
{
	const struct ctl ctl = { .json = true };

	(void)state;
	told = "{\"devices\":[" GOOD "],\"reason\":\"\"," UNLIMITED "}";
	assert_int_equal(run(&ctl), CTL_OK);
	assert_non_null(strstr(output, "\"usable\": true"));
	assert_non_null(strstr(output, "\"limit\": null"));
}

static void test_what_goes_wrong(void **state)
{
	const struct ctl ctl = { 0 }, target = { .target = "owner1" };

	(void)state;
	told = NULL;
	assert_int_equal(run(&ctl), CTL_FAILED);
	assert_int_equal(run(&target), CTL_USAGE);
	assert_string_equal(output, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_none),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_what_goes_wrong),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
