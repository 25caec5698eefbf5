/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* volume_key.c -- a volume's MAC key, which all handles that clients hold depend on */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "boot.h"
#include "owner/volume.h"

#define KEY_FILE "handle.key"
#define NEW_FILE "handle.key.new"

struct key_place {
	int dir;
	char path[512]; /* of the directory, for messages */
	char *message;
	size_t message_len;
};

static int failed(const struct key_place *place, const char *what, int err)
{
	snprintf(place->message, place->message_len,
		"%s: %s: %s; make it writable for the daemon and free some space there",
		place->path, what, strerror(-err));
	return err;
}

/* Opens the directory of the volume's state, made when it isn't there. */
static int open_place(struct key_place *place, const char *state_dir, const char *name)
{
	const char *const parts[] = { "volumes", name };
	int dir = open(state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	snprintf(place->path, sizeof(place->path), "%s", state_dir);
	for (int i = 0; i < 2 && dir >= 0; i++) {
		int above = dir;
		size_t used = strlen(place->path);

		snprintf(place->path + used, sizeof(place->path) - used, "/%s", parts[i]);
		if (mkdirat(above, parts[i], 0700) && errno != EEXIST)
			dir = -1;
		else
			dir = openat(
				above, parts[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		if (dir >= 0 && fsync(above))
			dir = (close(dir), -1);
		close(above);
	}
	if (dir < 0)
		return failed(place, "the state directory can't be used", -errno);
	place->dir = dir;
	return 0;
}

/* A key that was made once must not be replaced in silence: every handle out there would go stale. */
static int check_key(const struct key_place *place, const struct stat *st)
{
	const char *what = NULL, *remedy = "restore it from a backup, or remove it if clients may "
					   "lose all their handles";

	if (!S_ISREG(st->st_mode) || st->st_size != HANDLE_KEY_SIZE)
		what = "is broken: it has to be a file of 16 bytes";
	else if (st->st_mode & 077) {
		what = "may be read or written by others";
		remedy = "chmod 600";
	}
	if (!what)
		return 0;
	snprintf(place->message, place->message_len, "%s/" KEY_FILE " %s; %s", place->path, what,
		remedy);
	return -EINVAL;
}

/* -ENOENT: there is no key. */
static int read_key(const struct key_place *place, uint8_t key[HANDLE_KEY_SIZE])
{
	int fd = openat(place->dir, KEY_FILE, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct stat st;
	int err = 0;

	if (fd < 0)
		return errno == ENOENT ? -ENOENT
				       : failed(place, KEY_FILE " can't be opened", -errno);
	if (fstat(fd, &st))
		err = failed(place, KEY_FILE " can't be examined", -errno);
	else
		err = check_key(place, &st);
	if (err == 0 && read(fd, key, HANDLE_KEY_SIZE) != HANDLE_KEY_SIZE)
		err = failed(place, KEY_FILE " can't be read", -EIO);
	close(fd);
	return err;
}

static int write_new(const struct key_place *place, const uint8_t key[HANDLE_KEY_SIZE])
{
	int fd = openat(
		place->dir, NEW_FILE, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	int err = 0;
	ssize_t put;

	if (fd < 0)
		return -errno;
	put = write(fd, key, HANDLE_KEY_SIZE);
	if (put != HANDLE_KEY_SIZE)
		err = put < 0 ? -errno : -ENOSPC;
	if (err == 0 && fsync(fd))
		err = -errno;
	close(fd);
	return err;
}

/* Whole or not at all, whenever the power goes. */
static int make_key(const struct key_place *place, uint8_t key[HANDLE_KEY_SIZE])
{
	int err;

	xfer_random(key, HANDLE_KEY_SIZE);
	err = write_new(place, key);
	if (err == 0 && renameat(place->dir, NEW_FILE, place->dir, KEY_FILE))
		err = -errno;
	if (err == 0 && fsync(place->dir))
		err = -errno;
	if (err) {
		unlinkat(place->dir, NEW_FILE, 0);
		return failed(place, KEY_FILE " can't be written", err);
	}
	return 0;
}

int volume_key_load(const char *state_dir, const char *name, uint8_t key[HANDLE_KEY_SIZE],
	char *message, size_t message_len)
{
	struct key_place place = { .message = message, .message_len = message_len };
	int err = open_place(&place, state_dir, name);

	if (err)
		return err;
	err = read_key(&place, key);
	if (err == -ENOENT)
		err = make_key(&place, key);
	close(place.dir);
	return err;
}
