/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* owner_config.c -- the configuration: what is read, and what each mistake is answered with */

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "owner/config.h"

static char path[64], logged[2048];

static void keep(enum xfer_log_level level, const char *message)
{
	(void)level;
	snprintf(logged, sizeof(logged), "%s", message);
}

static int setup(void **state)
{
	int fd;

	(void)state;
	strcpy(path, "/tmp/xfer-config-XXXXXX");
	fd = mkstemp(path);
	xfer_log_set_sink(keep);
	return fd < 0 ? -1 : close(fd);
}

static int teardown(void **state)
{
	(void)state;
	xfer_log_set_sink(NULL);
	return unlink(path);
}

static int load(const char *text, struct config **config)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
	logged[0] = '\0';
	return config_load(path, config);
}

#define NODES   "nodes = ( { name = \"a\"; uids = [ 0 ]; } );\n"
#define VOLUME  "volumes = ( { name = \"v\"; path = \"/v\"; nodes = [ \"a\" ]; "
#define VOLUMES "volumes = ( { name = \"v\"; path = \"/v\"; nodes = [ \"a\" ]; } );\n"

static void test_defaults(void **state)
{
	struct config *config;

	(void)state;
	assert_int_equal(load("node = \"b\";\n" NODES VOLUMES, &config), 0);
	assert_string_equal(config->node, "b");
	assert_string_equal(config->state_dir, "/var/lib/rdmaxfer");
	assert_false(config->volumes[0].read_only);
	assert_int_equal(config->volumes[0].squash, SQUASH_NONE);
	assert_int_equal(config->volumes[0].coherence, COHERENCE_STRICT);
	assert_int_equal(config->volumes[0].anon_uid, 65534);
	assert_int_equal(config->volumes[0].anon_gid, 65534);
	assert_int_equal(config->nlisten, 2);
	assert_string_equal(config->listen[0], "0.0.0.0:20491");
	assert_string_equal(config->listen[1], "unix:/run/rdmaxfer/rdmaxferd.sock");
	assert_int_equal(config->workers, 16);
	assert_int_equal(config->session_keep, 60);
	assert_int_equal(config->grace, 10);
	assert_int_equal(config->rdma_poll_us, 10);
	assert_int_equal(config->volumes[0].workers, 16);
	assert_int_equal(config->volumes[0].id, xfer_volume_id("v"));
	assert_int_equal(config->nodes[0].path, XFER_WISH_AUTO);
	assert_ptr_equal(config_node_find(config, "a"), &config->nodes[0]);
	assert_null(config_node_find(config, "x"));
	config_free(config);
}

static void test_everything_said(void **state)
{
	struct config *config;

	(void)state;
	assert_int_equal(
		load("node = \"b\"; listen = ( \"[::1]:9\", \"unix:/r/rdmaxferd.sock\" );\n"
		     "state_dir = \"/s\"; run_dir = \"/r\"; log_level = \"debug\"; workers = 3;\n"
		     "session_keep = 5; grace = 7; rdma_poll_us = 1000;\n"
		     "nodes = ( { name = \"a\"; address = \"10.0.0.1\"; insecure = true; path = \"verbs\"; },\n"
		     "  { name = \"c\"; uids = [ 0, 7 ]; path = \"inline\"; },\n"
		     "  { name = \"d\"; uids = [ 0 ]; path = \"shm\"; },\n"
		     "  { name = \"e\"; uids = [ 0 ]; path = \"auto\"; } );\n"
		     "volumes = ( { name = \"v\"; path = \"/v\";\n"
		     "  nodes = ( \"a\", { name = \"c\"; read_only = true; } );\n"
		     "  workers = 2; id = 0xfedcba98; read_only = true; squash = \"root\";\n"
		     "  coherence = \"eventual\"; require_encryption = true;\n"
		     "  anon_uid = 99; anon_gid = 98; } );\n",
			&config),
		0);
	assert_int_equal(config->nlisten, 2); /* the socket in run_dir is there already */
	assert_int_equal(config->log_level, XFER_LOG_DEBUG);
	assert_true(config->nodes[0].insecure);
	assert_int_equal(config->nodes[1].nuids, 2);
	assert_int_equal(config->nodes[1].uids[1], 7);
	assert_int_equal(config->nodes[0].path, XFER_WISH_VERBS);
	assert_int_equal(config->nodes[1].path, XFER_WISH_INLINE);
	assert_int_equal(config->nodes[2].path, XFER_WISH_SHM);
	assert_int_equal(config->nodes[3].path, XFER_WISH_AUTO);
	assert_int_equal(config->volumes[0].id, 0xfedcba98);
	assert_int_equal(config->volumes[0].workers, 2);
	assert_int_equal(config->session_keep, 5);
	assert_int_equal(config->grace, 7);
	assert_int_equal(config->rdma_poll_us, 1000);
	assert_int_equal(config->volumes[0].nnodes, 2);
	assert_true(config->volumes[0].read_only);
	assert_int_equal(config->volumes[0].squash, SQUASH_ROOT);
	assert_int_equal(config->volumes[0].coherence, COHERENCE_EVENTUAL);
	assert_true(config->volumes[0].require_encryption);
	assert_int_equal(config->volumes[0].anon_uid, 99);
	assert_int_equal(config->volumes[0].anon_gid, 98);
	assert_false(config_volume_node_find(&config->volumes[0], "a")->read_only);
	assert_true(config_volume_node_find(&config->volumes[0], "c")->read_only);
	assert_null(config_volume_node_find(&config->volumes[0], "b"));
	assert_null(config_volume_node_find(&config->volumes[0], ""));
	config_free(config);
}

#define TLS "tls = { certificate = \"/c\"; key = \"/k\"; ca = \"/a\"; "

/* With certificates a name is enough, wherever they stand in the file. */
static void test_tls(void **state)
{
	struct config *config;

	(void)state;
	assert_int_equal(
		load("node = \"b\"; nodes = ( { name = \"a\"; }, { name = \"c\"; address = "
		     "\"10.0.0.1\"; } );\n" VOLUMES TLS
		     "crl = \"/r\"; ktls = \"require\"; handshake_ms = 100; };\n",
			&config),
		0);
	assert_int_equal(config->tls.line, 3);
	assert_string_equal(config->tls.certificate, "/c");
	assert_string_equal(config->tls.key, "/k");
	assert_string_equal(config->tls.ca, "/a");
	assert_string_equal(config->tls.crl, "/r");
	assert_int_equal(config->tls.ktls, XFER_KTLS_REQUIRE);
	assert_int_equal(config->tls.handshake_ms, 100);
	assert_false(config->nodes[1].insecure);
	config_free(config);
	assert_int_equal(load("node = \"b\";\n" NODES VOLUMES TLS "};\n", &config), 0);
	assert_string_equal(config->tls.crl, "");
	assert_int_equal(config->tls.ktls, XFER_KTLS_PREFER);
	assert_int_equal(config->tls.handshake_ms, 0);
	assert_false(config->volumes[0].require_encryption);
	config_free(config);
	assert_int_equal(load("node = \"b\";\n" NODES VOLUMES, &config), 0);
	assert_int_equal(config->tls.line, 0);
	config_free(config);
}

/* Each: a text, the line that has to be named, and a word of the message. */
static void test_mistakes(void **state)
{
	static const struct {
		const char *text;
		unsigned line;
		const char *word;
	} cases[] = {
		{ "node = \"b\";\nnodes = (\n", 3, "syntax" },
		{ "node = \"b\";\ncolour = 1;\n" NODES VOLUMES, 2, "colour" },
		{ "node = 7;\n" NODES VOLUMES, 1, "node" },
		{ "node = \"\";\n" NODES VOLUMES, 1, "node" },
		{ "node = \"../b\";\n" NODES VOLUMES, 1, "node" },
		{ "node = \"b\";\n" NODES VOLUME "squash = \"some\"; } );\n", 3,
			"squash must be \"none\", \"root\" or \"all\"" },
		{ "node = \"b\";\n" NODES VOLUME "coherence = \"lazy\"; } );\n", 3,
			"coherence must be \"strict\" or \"eventual\"" },
		{ "node = \"b\";\n" NODES VOLUME "coherence = true; } );\n", 3, "coherence" },
		{ "node = \"b\";\n" NODES VOLUME "read_only = 1; } );\n", 3, "read_only" },
		{ "node = \"b\";\n" NODES VOLUME "anon_uid = -1; } );\n", 3, "anon_uid" },
		{ "node = \"b\";\n" NODES
		  "volumes = ( { name = \"v\"; path = \"/v\"; nodes = ( { read_only = true; } ); } );\n",
			3, "name" },
		{ "node = \"b\";\nworkers = 0;\n" NODES VOLUMES, 2, "workers" },
		{ "node = \"b\";\nworkers = \"many\";\n" NODES VOLUMES, 2, "workers" },
		{ "node = \"b\";\nsession_keep = 0;\n" NODES VOLUMES, 2,
			"session_keep must be a number from 1 to 3600" },
		{ "node = \"b\";\ngrace = 601;\n" NODES VOLUMES, 2,
			"grace must be a number from 1 to 600" },
		{ "node = \"b\";\nrdma_poll_us = 0;\n" NODES VOLUMES, 2,
			"rdma_poll_us must be a number from 1 to 1000" },
		{ "node = \"b\";\nrdma_poll_us = 1001;\n" NODES VOLUMES, 2, "rdma_poll_us" },
		{ "node = \"b\";\nlog_level = \"loud\";\n" NODES VOLUMES, 2, "log_level" },
		{ "node = \"b\";\nstate_dir = \"var\";\n" NODES VOLUMES, 2, "state_dir" },
		{ "node = \"b\";\nlisten = \"x\";\n" NODES VOLUMES, 2, "listen" },
		{ "node = \"b\";\nlisten = ( \"x:y:z\" );\n" NODES VOLUMES, 2, "no address" },
		{ "node = \"b\";\nnodes = ( 1 );\n" VOLUMES, 2, "nodes" },
		{ "node = \"b\";\nnodes = (\n{ uids = [ 0 ]; } );\n" VOLUMES, 3, "name" },
		{ "node = \"b\";\nnodes = (\n{ name = \"a\"; } );\n" VOLUMES, 3, "uids" },
		{ "node = \"b\";\nnodes = (\n{ name = \"a\"; uids = [ 0 ]; insecure = true; } );\n" VOLUMES,
			3, "give address" },
		{ "node = \"b\";\n" NODES VOLUMES "tls = {\nkey = \"/k\"; ca = \"/a\"; };\n", 4,
			"certificate is missing" },
		{ "node = \"b\";\n" NODES VOLUMES "tls = { certificate = \"/c\"; ca = \"/a\"; };\n",
			4, "key is missing" },
		{ "node = \"b\";\n" NODES VOLUMES
		  "tls = { certificate = \"/c\"; key = \"/k\"; };\n",
			4, "ca is missing" },
		{ "node = \"b\";\n" NODES VOLUMES TLS "\nktls = \"maybe\"; };\n", 5,
			"ktls must be \"prefer\", \"require\" or \"off\"" },
		{ "node = \"b\";\n" NODES VOLUMES TLS "\nhandshake_ms = 99; };\n", 5,
			"handshake_ms must be a number from 100 to 60000" },
		{ "node = \"b\";\n" NODES VOLUMES TLS "\ncrl = \"crl.pem\"; };\n", 5, "absolute" },
		{ "node = \"b\";\n" NODES VOLUME "require_encryption = 1; } );\n", 3,
			"require_encryption must be true or false" },
		{ "node = \"b\";\nnodes = (\n{ name = \"a\"; address = \"10.0.0.1\"; } );\n" VOLUMES,
			3, "insecure" },
		{ "node = \"b\";\nnodes = (\n{ name = \"a\"; address = \"host\"; } );\n" VOLUMES, 3,
			"address" },
		{ "node = \"b\";\nnodes = (\n{ name = \"a\"; uids = [ -1 ]; } );\n" VOLUMES, 3,
			"uids" },
		{ "node = \"b\";\nnodes = (\n{ name = \"a\"; uids = [ 0 ]; path = \"rdma\"; } );\n" VOLUMES,
			3, "path must be \"auto\", \"inline\", \"shm\" or \"verbs\"" },
		{ "node = \"b\";\nnodes = (\n{ name = \"a\"; uids = [ 0 ]; path = 1; } );\n" VOLUMES,
			3, "path" },
		{ "node = \"b\";\nnodes = (\n{ name = \"a\"; uids = [ 0 ]; },\n{ name = \"a\"; uids = "
		  "[ 1 ]; } );\n" VOLUMES,
			4, "two entries" },
		{ "node = \"b\";\n" NODES
		  "volumes = (\n{ name = \"v\"; path = \"v\"; nodes = [ \"a\" ]; "
		  "} );\n",
			4, "path" },
		{ "node = \"b\";\n" NODES "volumes = (\n{ name = \"v\"; path = \"/v\"; } );\n", 4,
			"nodes" },
		{ "node = \"b\";\n" NODES
		  "volumes = (\n{ name = \"v\"; path = \"/v\"; nodes = [ \"x\" ]; } );\n",
			4, "x" },
		{ "node = \"b\";\n" NODES
		  "volumes = ( { name = \"v\"; path = \"/v\"; nodes = [ \"a\" ]; "
		  "},\n{ name = \"w\"; path = \"/v\"; nodes = [ \"a\" ]; } );\n",
			4, "path" },
		{ "node = \"b\";\n" NODES
		  "volumes = ( { name = \"v\"; path = \"/v\"; nodes = [ \"a\" ]; "
		  "id = 5; },\n{ name = \"w\"; path = \"/w\"; nodes = [ \"a\" ]; id = 5; } );\n",
			4, "same id" },
		{ "node = \"b\";\n" NODES
		  "volumes = ( { name = \"v\"; path = \"/v\"; nodes = [ \"a\" ]; "
		  "id = 0; } );\n",
			3, "id" },
	};
	struct config *config;
	char place[96];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		assert_int_equal(load(cases[i].text, &config), -EINVAL);
		snprintf(place, sizeof(place), "%s:%u: ", path, cases[i].line);
		if (!strstr(logged, place) || !strstr(logged, cases[i].word))
			fail_msg("case %zu: \"%s\" lacks \"%s\" or \"%s\"", i, logged, place,
				cases[i].word);
	}
}

static void test_missing_file(void **state)
{
	struct config *config;

	(void)state;
	assert_int_equal(config_load("/nowhere/rdmaxferd.conf", &config), -ENOENT);
	assert_non_null(strstr(logged, "--config"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_defaults, setup, teardown),
		cmocka_unit_test_setup_teardown(test_everything_said, setup, teardown),
		cmocka_unit_test_setup_teardown(test_tls, setup, teardown),
		cmocka_unit_test_setup_teardown(test_mistakes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_missing_file, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
