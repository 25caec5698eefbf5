/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* ctl_raw.c -- what rdmaxferctl bench --raw asks for and prints */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "ctl.h"

static struct xfer_raw_params asked;
static bool no_device;

/* Instead of libxfer's own. */
int xfer_raw_run(const struct xfer_raw_params *params, struct xfer_raw_result *result, char *why,
	size_t why_len)
{
	asked = *params;
	params->log(XFER_LOG_INFO, "what nobody has to know");
	params->log(XFER_LOG_WARN, "what somebody has to see");
	if (no_device) {
		snprintf(why, why_len, "no RDMA device");
		return -ENODEV;
	}
	*result = (struct xfer_raw_result){
		.address = "10.0.0.1",
		.operations = 1024,
		.bytes = 64u << 20,
		.seconds = 2,
		.cpu_seconds = 0.5,
		.mean_us = 500.25,
		.max_us = 1000.5,
		.posts = 1024,
		.completions = 2048,
		.wakeups = 256,
	};
	return 0;
}

/* A standard descriptor, and what is written to it meanwhile. */
struct stream {
	int fd, saved;
	FILE *file;
	char text[4096];
};

static struct stream output = { .fd = STDOUT_FILENO }, errors = { .fd = STDERR_FILENO };

static void divert(struct stream *stream)
{
	stream->file = tmpfile();
	stream->saved = dup(stream->fd);
	assert_non_null(stream->file);
	fflush(stdout);
	dup2(fileno(stream->file), stream->fd);
}

static void restore(struct stream *stream)
{
	size_t length;

	fflush(stdout);
	dup2(stream->saved, stream->fd);
	close(stream->saved);
	rewind(stream->file);
	length = fread(stream->text, 1, sizeof(stream->text) - 1, stream->file);
	stream->text[length] = '\0';
	fclose(stream->file);
}

/* bench's exit code. */
static int run(const struct ctl *ctl)
{
	int code;

	divert(&output);
	divert(&errors);
	code = ctl_bench(ctl);
	restore(&errors);
	restore(&output);
	return code;
}

static const struct ctl plain = {
	.bench = { .raw = true, .size = 65536, .depth = 16, .lanes = 2, .seconds = 2 }
};

static void test_text(void **state)
{
	(void)state;
	no_device = false;
	assert_int_equal(run(&plain), CTL_OK);
	assert_string_equal(errors.text, "rdmaxferctl: what somebody has to see\n");
	assert_int_equal(asked.size, 65536);
	assert_int_equal(asked.depth, 16);
	assert_int_equal(asked.lanes, 2);
	assert_float_equal(asked.seconds, 2, 0);
	assert_int_equal(asked.operations, 0);
	assert_null(asked.address);
	assert_false(asked.verify);
	assert_string_equal(output.text,
		"from and to 10.0.0.1: 65536 bytes, depth 16, queue pairs 2; a first write of each slot "
		"verified\n"
		"             MiB/s     ops/s   mean us    max us CPU s/GiB\n"
		"WRITE         32.0       512     500.2    1000.5     8.000\n"
		"  for each: posts 1.000, completions 2.000, wake-ups 0.250\n");
}

static void test_json(void **state)
{
	struct ctl ctl = plain;
	json_t *json;

	(void)state;
	no_device = false;
	ctl.json = ctl.bench.verify = true;
	ctl.bench.address = "10.0.0.1";
	assert_int_equal(run(&ctl), CTL_OK);
	assert_string_equal(asked.address, "10.0.0.1");
	assert_true(asked.verify);
	json = json_loads(output.text, 0, NULL);
	assert_int_equal(json_object_size(json), 16);
	assert_string_equal(json_string_value(json_object_get(json, "address")), "10.0.0.1");
	assert_true(json_is_true(json_object_get(json, "verify")));
	assert_float_equal(json_real_value(json_object_get(json, "mib_per_s")), 32, 0);
	assert_float_equal(json_real_value(json_object_get(json, "cpu_s_per_gib")), 8, 0);
	assert_int_equal(json_integer_value(json_object_get(json, "wakeups")), 256);
	json_decref(json);
}

static void test_what_goes_wrong(void **state)
{
	struct ctl ctl = plain;

	(void)state;
	no_device = true;
	assert_int_equal(run(&plain), CTL_FAILED);
	assert_non_null(strstr(errors.text, "queue pairs can't be measured: no RDMA device\n"));
	assert_string_equal(output.text, "");
	ctl.target = "owner1";
	assert_int_equal(run(&ctl), CTL_USAGE);
	assert_non_null(strstr(errors.text, "bench --raw takes no NODE"));
	ctl = (struct ctl){ 0 };
	assert_int_equal(run(&ctl), CTL_USAGE);
	assert_string_equal(output.text, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_what_goes_wrong),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
