/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* config.c -- rdmaxferd.conf */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "address.h"
#include "fuzz.h"
#include "owner/config.h"

/* libconfig 1.5 loses what a syntax error cuts off: a text, a name. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:strbuf_append\nleak:libconfig_yylex";
}

static int fd = -1;
static char file[32];

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	fuzz_quiet();
	fd = memfd_create("rdmaxferd.conf", MFD_CLOEXEC);
	FUZZ_CHECK(fd >= 0);
	snprintf(file, sizeof(file), "/proc/self/fd/%d", fd);
	return 0;
}

static void check(const struct config *config)
{
	struct xfer_address address;

	FUZZ_CHECK(config->node[0] && config->state_dir[0] == '/' && config->run_dir[0] == '/');
	FUZZ_CHECK(config->nlisten > 0 && config->nlisten <= CONFIG_LISTEN_MAX + 1);
	for (unsigned i = 0; i < config->nlisten; i++)
		FUZZ_CHECK(xfer_address_parse(config->listen[i], &address) == 0);
	FUZZ_CHECK(config->nnodes <= CONFIG_NODES_MAX && config->nvolumes <= CONFIG_VOLUMES_MAX);
	for (unsigned i = 0; i < config->nnodes; i++) {
		FUZZ_CHECK(config->nodes[i].name[0]);
		FUZZ_CHECK(config->nodes[i].nuids <= CONFIG_UIDS_MAX);
	}
	for (unsigned i = 0; i < config->nvolumes; i++) {
		const struct config_volume *volume = &config->volumes[i];

		FUZZ_CHECK(volume->name[0] && volume->path[0] == '/' && volume->workers > 0);
		for (unsigned j = 0; j < volume->nnodes; j++)
			FUZZ_CHECK(config_node_find(config, volume->nodes[j].name));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config *config;
	int err;

	/* libconfig would read files that have nothing to do with it. */
	if (memmem(data, size, "@include", 8))
		return 0;
	FUZZ_CHECK(ftruncate(fd, 0) == 0 && pwrite(fd, data, size, 0) == (ssize_t)size);
	err = config_load(file, &config);
	FUZZ_CHECK(err == 0 || err == -EINVAL);
	if (err == 0) {
		check(config);
		config_free(config);
	}
	return 0;
}
