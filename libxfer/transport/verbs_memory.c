/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* verbs_memory.c -- memory that queue pairs write into, and from */

#include <errno.h>
#include <linux/mempolicy.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "counters.h"
#include "log.h"
#include "transport/device.h"
#include "transport/verbs_end.h"

#define HUGE_PAGE (UINT64_C(2) << 20)

static struct verbs_memory *memory_of(struct xfer_memory *memory)
{
	return (struct verbs_memory *)memory;
}

/* --- pages -------------------------------------------------------------------------------------- */

static void *map_pages(uint64_t bytes, int flags)
{
	return mmap(
		NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
}

static void say_small_pages(void)
{
	static atomic_flag said = ATOMIC_FLAG_INIT;

	if (!atomic_flag_test_and_set(&said))
		xfer_info("memory for RDMA has small pages: no huge ones are free; "
			  "vm.nr_hugepages sets some aside");
}

/* Huge pages, if the system has some set aside: the device then needs fewer translations. */
static int map_memory(struct verbs_memory *memory)
{
	uint64_t huge = (memory->memory.bytes + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
	void *base = map_pages(huge, MAP_HUGETLB);

	memory->huge = base != MAP_FAILED;
	memory->mapped = memory->huge ? huge : memory->memory.bytes;
	if (!memory->huge)
		base = map_pages(memory->mapped, 0);
	if (base == MAP_FAILED)
		return -ENOMEM;
	if (!memory->huge) {
		madvise(base, memory->mapped, MADV_HUGEPAGE);
		say_small_pages();
	}
	/* A core file of it would be large, and full of files' contents. */
	madvise(base, memory->mapped, MADV_DONTDUMP);
	memory->memory.base = (uintptr_t)base;
	return 0;
}

/* Before it is touched. That it isn't near is no error: it works, if slower. */
static void bind_near(const struct verbs_memory *memory, const struct verbs_device *device)
{
	int node = xfer_device_numa_node(device->name);
	unsigned long nodes;

	if (node < 0 || node >= (int)(8 * sizeof(nodes)))
		return;
	nodes = 1ul << node;
	(void)syscall(SYS_mbind, (void *)(uintptr_t)memory->memory.base, memory->mapped,
		MPOL_PREFERRED, &nodes, 8 * sizeof(nodes), 0);
}

/* --- registering: verbs->lock is held ----------------------------------------------------------- */

static int register_with(struct verbs_memory *memory, unsigned device, char *why, size_t why_len)
{
	int access = IBV_ACCESS_LOCAL_WRITE | (memory->offered ? IBV_ACCESS_REMOTE_WRITE : 0);
	struct xfer_verbs *verbs = memory->verbs;
	struct ibv_mr *mr = ibv_reg_mr(verbs->devices[device].pd,
		(void *)(uintptr_t)memory->memory.base, memory->mapped, access);
	int err = mr ? 0 : -errno;

	if (mr) {
		memory->mrs[device] = mr;
		verbs->registrations++;
		verbs->pinned += memory->mapped;
		verbs->huge += memory->huge ? memory->mapped : 0;
		xfer_count(XFER_CNT_REGISTRATIONS, 1);
		return 0;
	}
	/* The limit is what it mostly is; whether it is this is for the limit's file to say. */
	if (err != -ENOMEM || xfer_device_memlock(memory->mapped, why, why_len))
		verbs_explain(why, why_len, "%llu MiB can't be registered with %s: %s",
			(unsigned long long)(memory->mapped >> 20), verbs->devices[device].name,
			strerror(-err));
	return err;
}

int verbs_register_all(struct xfer_verbs *verbs, unsigned device, char *why, size_t why_len)
{
	struct verbs_memory *memory;
	int err = 0;

	LIST_FOREACH (memory, &verbs->memories, link)
		if (err == 0 && !memory->mrs[device])
			err = register_with(memory, device, why, why_len);
	return err;
}

static void deregister(struct verbs_memory *memory)
{
	struct xfer_verbs *verbs = memory->verbs;

	for (unsigned i = 0; i < VERBS_DEVICES_MAX; i++) {
		if (!memory->mrs[i])
			continue;
		/* A device that is gone has forgotten it by itself. */
		(void)ibv_dereg_mr(memory->mrs[i]);
		memory->mrs[i] = NULL;
		verbs->pinned -= memory->mapped;
		verbs->huge -= memory->huge ? memory->mapped : 0;
	}
}

/* --- memory ------------------------------------------------------------------------------------- */

static void memory_free(struct xfer_memory *own)
{
	struct verbs_memory *memory = memory_of(own);
	struct xfer_verbs *verbs = memory->verbs;

	pthread_mutex_lock(&verbs->lock);
	LIST_REMOVE(memory, link);
	deregister(memory);
	pthread_mutex_unlock(&verbs->lock);
	if (memory->memory.base)
		munmap((void *)(uintptr_t)memory->memory.base, memory->mapped);
	free(memory);
	verbs_unref(verbs);
}

/* verbs->lock is held. */
static int fill(struct verbs_memory *memory, char *why, size_t why_len)
{
	struct xfer_verbs *verbs = memory->verbs;
	int err = map_memory(memory);

	if (err)
		verbs_explain(why, why_len, "%llu MiB of memory can't be had: %s",
			(unsigned long long)(memory->memory.bytes >> 20), strerror(-err));
	if (err == 0 && verbs->ndevices > 0)
		bind_near(memory, &verbs->devices[0]);
	for (unsigned i = 0; err == 0 && i < verbs->ndevices; i++)
		err = register_with(memory, i, why, why_len);
	return err;
}

static int make(struct xfer_verbs *verbs, uint64_t bytes, bool offered, struct xfer_memory **result,
	char *why, size_t why_len)
{
	struct verbs_memory *memory = calloc(1, sizeof(*memory));
	int err;

	if (!memory) {
		verbs_explain(why, why_len, "out of memory");
		return -ENOMEM;
	}
	memory->memory.bytes = bytes;
	memory->memory.free = memory_free;
	memory->verbs = verbs;
	memory->offered = offered;
	verbs_ref(verbs);
	pthread_mutex_lock(&verbs->lock);
	LIST_INSERT_HEAD(&verbs->memories, memory, link);
	err = fill(memory, why, why_len);
	pthread_mutex_unlock(&verbs->lock);
	if (err)
		memory_free(&memory->memory);
	else
		*result = &memory->memory;
	return err;
}

int xfer_verbs_offer(struct xfer_verbs *verbs, uint64_t bytes, struct xfer_memory **memory,
	char *why, size_t why_len)
{
	return make(verbs, bytes, true, memory, why, why_len);
}

int xfer_verbs_mirror(struct xfer_verbs *verbs, uint64_t bytes, struct xfer_memory **memory,
	char *why, size_t why_len)
{
	return make(verbs, bytes, false, memory, why, why_len);
}

uint32_t xfer_verbs_key(const struct xfer_memory *own, uint32_t lane)
{
	const struct verbs_memory *memory = (const struct verbs_memory *)own;

	return memory->mrs[memory->verbs->lanes[lane].device]->rkey;
}

void xfer_verbs_aim(struct xfer_memory *own, uint32_t lane, uint64_t base, uint32_t key)
{
	struct verbs_memory *memory = memory_of(own);

	memory->remote[lane].base = base;
	memory->remote[lane].key = key;
}
