/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* volume.c -- one volume: a directory that is served */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "owner/volume.h"

#define CHANGES_KEPT 65536 /* objects whose change counter is remembered */

/* What messages need to know of a mount. */
struct mount {
	char fs_type[32];
	bool whole; /* the file system's root is mounted, not a part of it */
};

static void mount_find(int mount_id, struct mount *mount)
{
	FILE *file = fopen("/proc/self/mountinfo", "re");
	char *line = NULL, root[8], *type;
	size_t size = 0;
	int id;

	*mount = (struct mount){ .fs_type = "this kind of file system" };
	if (!file)
		return;
	while (getline(&line, &size, file) > 0) {
		if (sscanf(line, "%d %*d %*s %7s", &id, root) != 2 || id != mount_id)
			continue;
		type = strstr(line, " - ");
		if (type)
			sscanf(type, " - %31s", mount->fs_type);
		mount->whole = strcmp(root, "/") == 0;
		break;
	}
	free(line);
	fclose(file);
}

static int open_root(struct volume *volume, char *message, size_t len)
{
	const char *path = volume->path;
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int err = fd < 0 ? -errno : 0;

	if (fd >= 0) {
		volume->root_fd = fd;
		return 0;
	}
	snprintf(message, len, "%s can't be opened: %s; %s", path, strerror(-err),
		err == -ENOENT    ? "create the directory or correct `path`"
		: err == -ENOTDIR ? "`path` has to name a directory"
				  : "check that it is mounted and readable");
	return err;
}

/* A file system that can't name its files by handles, or not within NFSv3's limit. */
static int unfit(const struct volume *volume, const struct mount *mount, const char *what, int err,
	char *message, size_t len)
{
	snprintf(message, len, "%s: %s %s (%s); put the volume on ext4, XFS, Btrfs or tmpfs",
		volume->path, mount->fs_type, what, strerror(-err));
	return err;
}

/* Without room for a MAC a volume can be served only if all of the file system belongs to it. */
static int check_length(struct volume *volume, const struct mount *mount,
	const union kernel_handle *kernel, bool mount_root)
{
	struct xfer_handle handle;
	int err = handle_encode(&volume->maker, kernel, &handle);

	if (err != -EOVERFLOW || !mount->whole || !mount_root)
		return err;
	volume->maker.mac = false;
	return handle_encode(&volume->maker, kernel, &handle);
}

/* Handles have to exist, to lead back, and to fit NFSv3's limit. */
static int check_handles(struct volume *volume, char *message, size_t len)
{
	union kernel_handle kernel;
	struct statx stx;
	struct mount mount;
	int err = volume->store->stat(volume->root_fd, &stx), fd;

	if (err) {
		snprintf(message, len, "%s can't be examined: %s; check the file system",
			volume->path, strerror(-err));
		return err;
	}
	volume->root_ino = stx.stx_ino;
	mount_find((int)stx.stx_mnt_id, &mount);
	volume->in_memory = strcmp(mount.fs_type, "tmpfs") == 0;
	err = volume->store->handle_of(volume->root_fd, &kernel, &volume->mount_id);
	if (err)
		return unfit(volume, &mount, "gives no file handles", err, message, len);
	fd = volume->store->open_handle(volume->root_fd, &kernel);
	if (fd == -EPERM) {
		snprintf(message, len,
			"%s: file handles can't be opened; rdmaxferd needs CAP_DAC_READ_SEARCH "
			"outside of user namespaces",
			volume->path);
		return fd;
	}
	if (fd < 0)
		return unfit(volume, &mount, "can't open its own file handles", fd, message, len);
	volume->store->close(fd);
	err = check_length(volume, &mount, &kernel, stx.stx_attributes & STATX_ATTR_MOUNT_ROOT);
	if (err)
		return unfit(
			volume, &mount, "has file handles too long for NFSv3", err, message, len);
	return 0;
}

static int open_parts(
	struct volume *volume, const struct volume_params *params, char *message, size_t len)
{
	const struct config_volume *config = params->config;
	int err = open_root(volume, message, len);

	if (err == 0)
		err = volume_lock(volume->root_fd, config->path, params->lock_ms, message, len);
	if (err == 0)
		err = volume_key_load(
			params->state_dir, config->name, volume->maker.key, message, len);
	return err ? err : check_handles(volume, message, len);
}

static void volume_close(struct volume *volume)
{
	if (volume->root_fd >= 0)
		volume->store->close(volume->root_fd);
	change_table_destroy(volume->changes);
	holders_destroy(volume->holders);
	names_fini(&volume->names);
	OPENSSL_cleanse(volume->maker.key, sizeof(volume->maker.key));
	free(volume);
}

int volume_open(const struct volume_params *params, struct volume **result, char *message,
	size_t message_len)
{
	struct volume *volume = calloc(1, sizeof(*volume));
	int err = -ENOMEM;

	if (!volume)
		return -ENOMEM;
	atomic_init(&volume->refs, 1);
	snprintf(volume->path, sizeof(volume->path), "%s", params->config->path);
	volume->store = params->store;
	volume->root_fd = -1;
	volume->maker.volume_id = params->config->id;
	volume->maker.mac = true;
	work_queue_init(&volume->queue, params->config->workers);
	volume->changes = change_table_create(CHANGES_KEPT);
	volume->holders = holders_create();
	names_init(&volume->names);
	if (volume->changes && volume->holders)
		err = open_parts(volume, params, message, message_len);
	else
		snprintf(message, message_len, "out of memory");
	if (err) {
		volume_close(volume);
		return err;
	}
	volume->gone = params->gone;
	volume->arg = params->arg;
	*result = volume;
	return 0;
}

struct volume *volume_get(struct volume *volume)
{
	atomic_fetch_add(&volume->refs, 1);
	return volume;
}

void volume_put(struct volume *volume)
{
	if (atomic_fetch_sub(&volume->refs, 1) != 1)
		return;
	if (volume->gone)
		volume->gone(volume->arg, volume);
	volume_close(volume);
}
