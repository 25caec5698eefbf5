/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* state.c -- files that an owner finds in its state directory: a byte (which one), its content */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz.h"
#include "owner/recovery.h"
#include "owner/verifier.h"
#include "owner/volume.h"

static char dir[] = "/tmp/rdmaxfer-fuzz.XXXXXX";

static void clean(void)
{
	static const char *const names[] = { "sessions", "writeback-errors",
		"volumes/v/handle.key" };
	char path[128];

	for (unsigned i = 0; i < sizeof(names) / sizeof(*names); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		unlink(path);
	}
	snprintf(path, sizeof(path), "%s/volumes/v", dir);
	rmdir(path);
	snprintf(path, sizeof(path), "%s/volumes", dir);
	rmdir(path);
	rmdir(dir);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	char message[512], path[128];
	uint8_t key[HANDLE_KEY_SIZE];

	(void)argc;
	(void)argv;
	fuzz_quiet();
	FUZZ_CHECK(mkdtemp(dir) != NULL);
	atexit(clean);
	FUZZ_CHECK(volume_key_load(dir, "v", key, message, sizeof(message)) == 0);
	snprintf(path, sizeof(path), "%s/volumes/v/handle.key", dir);
	FUZZ_CHECK(chmod(path, 0600) == 0);
	return 0;
}

static void put_file(const char *name, const struct input *content)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	FUZZ_CHECK(fd >= 0);
	FUZZ_CHECK(write(fd, content->data, content->size) == (ssize_t)content->size);
	close(fd);
}

static int check_process(void *arg, const char *node, const uint8_t boot_id[16])
{
	unsigned *count = arg;

	++*count;
	FUZZ_CHECK((node == NULL) == (boot_id == NULL));
	FUZZ_CHECK(!node || (*node && strlen(node) <= XFER_NODE_MAX));
	return 0;
}

static void read_sessions(const struct input *content)
{
	const struct recovery_params params = { .state_dir = dir, .grace_ms = 60000 };
	struct recovery *recovery;
	unsigned count = 0;
	char names[256];

	put_file("sessions", content);
	FUZZ_CHECK(recovery_create(&params, &recovery) == 0);
	FUZZ_CHECK(recovery_each_awaited(recovery, check_process, &count) == 0);
	FUZZ_CHECK((count > 0) == recovery_in_grace(recovery));
	recovery_awaited(recovery, names, sizeof(names));
	FUZZ_CHECK(strnlen(names, sizeof(names)) < sizeof(names));
	json_decref(recovery_status(recovery));
	recovery_destroy(recovery);
}

static void read_errors(const struct input *content)
{
	struct verifier verifier;
	int err;

	put_file("writeback-errors", content);
	err = verifier_init(&verifier, dir);
	FUZZ_CHECK(err == 0 || err == -EINVAL);
	if (err == 0)
		verifier_fini(&verifier);
}

static void read_key(const struct input *content)
{
	uint8_t key[HANDLE_KEY_SIZE];
	char message[512];
	int err;

	put_file("volumes/v/handle.key", content);
	err = volume_key_load(dir, "v", key, message, sizeof(message));
	FUZZ_CHECK(err == (content->size == HANDLE_KEY_SIZE ? 0 : -EINVAL));
	FUZZ_CHECK(err || memcmp(key, content->data, HANDLE_KEY_SIZE) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const readers[])(
		const struct input *) = { read_sessions, read_errors, read_key };
	struct input input = { data, size };
	uint8_t which = input_u8(&input) % (sizeof(readers) / sizeof(*readers));

	readers[which](&input);
	return 0;
}
