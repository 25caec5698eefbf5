/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* shm.c -- a data path over memory that both ends have mapped */

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "log.h"
#include "transport/shm.h"

#define SEALS  (F_SEAL_SHRINK | F_SEAL_GROW)
#define LOG_MS 10000

/* --- memory ------------------------------------------------------------------------------------- */

static void unmap(struct xfer_memory *memory)
{
	munmap((void *)(uintptr_t)memory->base, memory->bytes);
	free(memory);
}

static int map(int fd, uint64_t bytes, struct xfer_memory **result)
{
	struct xfer_memory *memory = malloc(sizeof(*memory));
	void *base;

	if (!memory)
		return -ENOMEM;
	base = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
	if (base == MAP_FAILED) {
		int err = -errno;

		free(memory);
		return err;
	}
	/* A core file of it would be large, and full of files' contents. */
	madvise(base, bytes, MADV_DONTDUMP);
	*memory = (struct xfer_memory){ .base = (uintptr_t)base, .bytes = bytes, .free = unmap };
	*result = memory;
	return 0;
}

/* What it needs is there from now on, or it isn't made. */
static int fill(int fd, uint64_t bytes)
{
	if (ftruncate(fd, (off_t)bytes) || fallocate(fd, 0, 0, (off_t)bytes) ||
		fcntl(fd, F_ADD_SEALS, SEALS))
		return -errno;
	return 0;
}

static void complain(uint64_t bytes, int err)
{
	unsigned suppressed;

	if (xfer_log_allowed(xfer_log_limit_of(strerror(-err)), LOG_MS, &suppressed))
		xfer_warn(
			"%llu MiB of shared memory can't be had: %s; lower the slots' numbers, or "
			"raise the memory limit of the process (%u more like this were not "
			"written)",
			(unsigned long long)(bytes >> 20), strerror(-err), suppressed);
}

int xfer_shm_make(uint64_t bytes, struct xfer_memory **memory, int *fd_out)
{
	int fd = memfd_create("rdmaxfer", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int err = fd < 0 ? -errno : fill(fd, bytes);

	if (err == 0)
		err = map(fd, bytes, memory);
	if (err) {
		complain(bytes, err);
		if (fd >= 0)
			close(fd);
		return err;
	}
	*fd_out = fd;
	return 0;
}

/* Huge pages could be missing when they are touched; a file on a disk could be cut. */
static bool is_sealed_memory(int fd, uint64_t bytes)
{
	int seals = fcntl(fd, F_GET_SEALS);
	struct statfs fs;
	struct stat st;

	return seals >= 0 && (seals & SEALS) == SEALS && fstat(fd, &st) == 0 &&
	       (uint64_t)st.st_size == bytes && (uint64_t)st.st_blocks * 512 >= bytes &&
	       fstatfs(fd, &fs) == 0 && fs.f_type == TMPFS_MAGIC;
}

/* Both ends have it mapped: from now on nobody can punch holes into it, and none was punched before. */
static bool seal(int fd, uint64_t bytes)
{
	return fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE) == 0 && is_sealed_memory(fd, bytes);
}

int xfer_shm_map(int fd, uint64_t bytes, struct xfer_memory **memory)
{
	int err;

	if (fd < 0 || bytes == 0 || !is_sealed_memory(fd, bytes))
		return -EINVAL;
	err = map(fd, bytes, memory);
	if (err == 0 && !seal(fd, bytes)) {
		unmap(*memory);
		err = -EINVAL;
	}
	return err;
}

/* --- the transport ------------------------------------------------------------------------------ */

static void locate(struct xfer_placement *placement)
{
	placement->memory = (void *)(uintptr_t)placement->address;
}

static int shm_stage(struct xfer_transport *transport, struct xfer_placement *placement)
{
	(void)transport;
	locate(placement);
	return 0;
}

/* The RPC that follows must not be seen before the bytes. */
static int shm_send(struct xfer_transport *transport, const struct xfer_placement *placement)
{
	(void)transport;
	(void)placement;
	atomic_thread_fence(memory_order_release);
	return 0;
}

/* The RPC that named them was received before. */
static void shm_fetch(struct xfer_transport *transport, struct xfer_placement *placement)
{
	(void)transport;
	atomic_thread_fence(memory_order_acquire);
	locate(placement);
}

/* The memory is its users'. */
static void shm_free(struct xfer_transport *transport)
{
	(void)transport;
}

static const struct xfer_transport_ops shm_ops = {
	.path = XFER_PATH_SHM,
	.immediates = false,
	.stage = shm_stage,
	.send = shm_send,
	.fetch = shm_fetch,
	.free = shm_free,
};

struct xfer_transport xfer_shm_transport = { &shm_ops };
