/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* verifier.c -- the write verifier: kernel boot and writeback errors */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/sha.h>

#include "boot.h"
#include "log.h"
#include "owner/verifier.h"

#define COUNT_FILE "writeback-errors"
#define NEW_FILE   "writeback-errors.new"

/* With the lock held, or alone. */
static void compute(struct verifier *verifier)
{
	uint8_t text[sizeof(verifier->boot_id) + sizeof(verifier->errors)];
	uint8_t digest[SHA256_DIGEST_LENGTH];

	memcpy(text, verifier->boot_id, sizeof(verifier->boot_id));
	memcpy(text + sizeof(verifier->boot_id), &verifier->errors, sizeof(verifier->errors));
	SHA256(text, sizeof(text), digest);
	memcpy(verifier->bytes, digest, sizeof(verifier->bytes));
}

static int read_count(struct verifier *verifier)
{
	int fd = openat(verifier->dir, COUNT_FILE, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	char text[32] = "";
	char *end;

	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	if (read(fd, text, sizeof(text) - 1) < 0)
		text[0] = '\0';
	close(fd);
	verifier->errors = strtoull(text, &end, 10);
	return end == text || *end != '\n' ? -EINVAL : 0;
}

int verifier_init(struct verifier *verifier, const char *state_dir)
{
	int err = xfer_kernel_boot_id(verifier->boot_id);

	if (err) {
		xfer_error("the kernel's boot id can't be read: %s; mount /proc", strerror(-err));
		return err;
	}
	verifier->errors = 0;
	verifier->dir = open(state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	err = verifier->dir < 0 ? -errno : read_count(verifier);
	if (err) {
		xfer_error("%s/" COUNT_FILE " can't be read: %s; if it is broken, write a number "
			   "into it that is greater than before",
			state_dir, strerror(-err));
		if (verifier->dir >= 0)
			close(verifier->dir);
		return err;
	}
	verifier->stored = verifier->errors;
	pthread_mutex_init(&verifier->lock, NULL);
	pthread_mutex_init(&verifier->store_lock, NULL);
	compute(verifier);
	return 0;
}

void verifier_fini(struct verifier *verifier)
{
	close(verifier->dir);
	pthread_mutex_destroy(&verifier->lock);
	pthread_mutex_destroy(&verifier->store_lock);
}

void verifier_get(struct verifier *verifier, uint8_t bytes[8])
{
	pthread_mutex_lock(&verifier->lock);
	memcpy(bytes, verifier->bytes, sizeof(verifier->bytes));
	pthread_mutex_unlock(&verifier->lock);
}

bool verifier_is_loss(int err)
{
	return err == -EIO || err == -ENOSPC || err == -EDQUOT;
}

static int write_count(struct verifier *verifier, uint64_t errors)
{
	int fd = openat(verifier->dir, NEW_FILE, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	int err = 0;

	if (fd < 0)
		return -errno;
	if (dprintf(fd, "%" PRIu64 "\n", errors) < 0 || fsync(fd))
		err = -errno;
	close(fd);
	if (err == 0 && renameat(verifier->dir, NEW_FILE, verifier->dir, COUNT_FILE))
		err = -errno;
	return err;
}

/* Those who come while the file is written find their count in it afterwards, or write the latest. */
static int store_count(struct verifier *verifier)
{
	uint64_t errors;
	int err = 0;

	pthread_mutex_lock(&verifier->store_lock);
	pthread_mutex_lock(&verifier->lock);
	errors = verifier->errors;
	pthread_mutex_unlock(&verifier->lock);
	if (errors > verifier->stored)
		err = write_count(verifier, errors);
	if (err == 0)
		verifier->stored = errors;
	pthread_mutex_unlock(&verifier->store_lock);
	return err;
}

void verifier_lost(struct verifier *verifier)
{
	int err;

	pthread_mutex_lock(&verifier->lock);
	verifier->errors++;
	compute(verifier);
	pthread_mutex_unlock(&verifier->lock);
	err = store_count(verifier);
	if (err)
		xfer_error("the count of writeback errors can't be stored: %s; if rdmaxferd ends "
			   "now, restart the points of contact, too",
			strerror(-err));
}
