/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* datapath.c -- both ends of a data path over shared memory, without a connection */

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "control/hostpath.h"
#include "core/layout.h"
#include "counters.h"
#include "datapath.h"
#include "support/fault_transport.h"
#include "transport/shm.h"

#define EPOCH 7u
#define LANES 2u
#define SMALL 4096u
#define LARGE 65536u

static const struct xfer_path_volume any_volume;

static const struct xfer_slot_layout layout = { .nclasses = 2,
	.classes = { { SMALL, 2 }, { LARGE, 1 } } };

struct ends {
	struct xfer_datapath *initiator;
	struct xfer_hostpath *host;
	struct fault_transport at_initiator, at_host;
	unsigned gone, left;
	_Atomic bool ending;
	uint8_t data[LARGE], back[LARGE];
};

static void gone(void *arg, struct xfer_hostpath *path)
{
	xfer_hostpath_free(path);
	(*(unsigned *)arg)++;
}

static void left(void *arg, struct xfer_datapath *path)
{
	xfer_datapath_free(path);
	(*(unsigned *)arg)++;
}

/* What one end has made, and the other has mapped. */
static void share(struct xfer_memory **maker, struct xfer_memory **user)
{
	int fd;

	assert_int_equal(xfer_shm_make(xfer_layout_bytes(&layout, LANES), maker, &fd), 0);
	assert_int_equal(xfer_shm_map(fd, xfer_layout_bytes(&layout, LANES), user), 0);
	close(fd);
}

/* One more chunk at the host, of which the initiator is told. */
static void grant(struct ends *ends, struct xfer_chunk *chunk, struct xfer_memory **theirs)
{
	struct xfer_memory *ours;

	share(&ours, theirs);
	assert_int_equal(xfer_hostpath_add(ends->host, &layout, ours, chunk), 0);
}

static void grow(struct ends *ends)
{
	struct xfer_memory *theirs;
	struct xfer_chunk chunk;

	grant(ends, &chunk, &theirs);
	assert_int_equal(xfer_datapath_add(ends->initiator, &chunk, theirs), 0);
}

static int set_up(void **state)
{
	struct ends *ends = calloc(1, sizeof(*ends));
	struct xfer_datapath_params initiator = { .transport = &xfer_shm_transport,
		.epoch = EPOCH,
		.lanes = LANES,
		.read = layout,
		.gone = left,
		.arg = &ends->left };
	struct xfer_hostpath_params host = { .transport = &xfer_shm_transport,
		.epoch = EPOCH,
		.lanes = LANES,
		.read = layout,
		.gone = gone,
		.arg = &ends->gone };

	assert_non_null(ends);
	share(&initiator.memory, &host.memory);
	initiator.transport = fault_transport_new(initiator.transport, &ends->at_initiator);
	host.transport = fault_transport_new(host.transport, &ends->at_host);
	assert_int_equal(xfer_datapath_create(&initiator, &ends->initiator), 0);
	assert_int_equal(xfer_hostpath_create(&host, &ends->host), 0);
	grow(ends);
	for (size_t i = 0; i < sizeof(ends->data); i++)
		ends->data[i] = (uint8_t)(i * 7 + i / 256);
	*state = ends;
	return 0;
}

static int tear_down(void **state)
{
	struct ends *ends = *state;

	xfer_datapath_unref(ends->initiator);
	xfer_hostpath_unref(ends->host);
	assert_int_equal(ends->gone, 1);
	assert_int_equal(ends->left, 1);
	free(ends);
	return 0;
}

static enum xfer_path_cause write_slot(
	struct ends *ends, uint32_t lane, uint32_t length, struct xfer_placement *placement)
{
	struct iovec iov[] = { { ends->data, 10 }, { ends->data + 10, length - 10 } };

	return xfer_datapath_write(ends->initiator, &any_volume, lane, iov, 2, length, placement);
}

/* What an RPC that names it finds. */
static enum xfer_join_event arrive(
	struct ends *ends, const struct xfer_placement *sent, struct xfer_placement *found)
{
	*found = (struct xfer_placement){
		.direction = sent->direction, .slot = sent->slot, .length = sent->length
	};
	return xfer_hostpath_find(ends->host, found);
}

static void test_write(void **state)
{
	static const uint32_t lengths[] = { 513, SMALL, SMALL + 1, LARGE };
	struct xfer_placement sent, found;
	struct ends *ends = *state;

	for (uint32_t lane = 0; lane < LANES; lane++)
		for (unsigned i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
			assert_int_equal(
				write_slot(ends, lane, lengths[i], &sent), XFER_CAUSE_NONE);
			assert_int_equal(arrive(ends, &sent, &found), XFER_JOIN_GO);
			assert_memory_equal(found.memory, ends->data, lengths[i]);
			assert_ptr_not_equal(found.memory, sent.memory); /* two mappings */
			xfer_hostpath_done(ends->host, &found);
			assert_int_equal(
				xfer_datapath_written(ends->initiator, &sent, &found.slot), 0);
		}
}

static void test_read(void **state)
{
	struct xfer_placement asked, found;
	struct ends *ends = *state;
	struct iovec iov[] = { { ends->back, 100 }, { ends->back + 100, SMALL - 100 } };
	struct xfer_payload payload = { .kind = XFER_PAYLOAD_SLOT, .length = SMALL - 1 };

	assert_int_equal(xfer_datapath_offer(ends->initiator, &any_volume, 1, SMALL, &asked),
		XFER_CAUSE_NONE);
	assert_int_equal(arrive(ends, &asked, &found), XFER_JOIN_GO);
	memcpy(found.memory, ends->data, SMALL - 1);
	assert_int_equal(xfer_hostpath_send(ends->host, &found), 0);
	xfer_hostpath_done(ends->host, &found);
	payload.slot = found.slot;
	assert_int_equal(xfer_datapath_read(ends->initiator, &asked, &payload, iov, 2), 0);
	assert_memory_equal(ends->back, ends->data, SMALL - 1);
	assert_int_equal(ends->back[SMALL - 1], 0);
}

static void test_what_goes_inline(void **state)
{
	struct xfer_placement first, second, third;
	struct ends *ends = *state;

	assert_int_equal(write_slot(ends, 0, 512, &first), XFER_CAUSE_SMALL);
	assert_int_equal(xfer_datapath_offer(ends->initiator, &any_volume, 0, LARGE + 1, &first),
		XFER_CAUSE_TOO_LONG);
	assert_int_equal(write_slot(ends, 0, LARGE, &first), XFER_CAUSE_NONE);
	assert_int_equal(write_slot(ends, 0, LARGE, &second), XFER_CAUSE_EXHAUSTED);
	/* The other lane has its own, and so has the other direction. */
	assert_int_equal(write_slot(ends, 1, LARGE, &second), XFER_CAUSE_NONE);
	assert_int_equal(xfer_datapath_offer(ends->initiator, &any_volume, 0, LARGE, &third),
		XFER_CAUSE_NONE);
	assert_int_equal(xfer_datapath_written(ends->initiator, &first, &first.slot), 0);
	assert_int_equal(write_slot(ends, 0, LARGE, &first), XFER_CAUSE_NONE);
	/* An answer that names nothing gives nothing back: all slots of a size are missing. */
	assert_true(xfer_datapath_abandon(ends->initiator, &first));
	assert_int_equal(write_slot(ends, 0, LARGE, &first), XFER_CAUSE_EXHAUSTED);
	xfer_datapath_lost(ends->initiator);
	assert_int_equal(write_slot(ends, 1, SMALL, &first), XFER_CAUSE_NO_PATH);
}

/* RPCs of a peer that doesn't keep to it. */
static void test_host_refuses(void **state)
{
	struct xfer_placement sent, found, other;
	struct ends *ends = *state;

	assert_int_equal(write_slot(ends, 0, SMALL, &sent), XFER_CAUSE_NONE);
	other = sent;
	other.slot.lane = LANES;
	assert_int_equal(arrive(ends, &other, &found), XFER_JOIN_UNKNOWN_SLOT);
	other = sent;
	other.slot.name.slot = 3;
	assert_int_equal(arrive(ends, &other, &found), XFER_JOIN_UNKNOWN_SLOT);
	other = sent;
	other.slot.name.epoch++;
	assert_int_equal(arrive(ends, &other, &found), XFER_JOIN_BAD_EPOCH);
	other.slot.name.epoch = EPOCH - 1;
	assert_int_equal(arrive(ends, &other, &found), XFER_JOIN_RESEND);
	other = sent;
	other.length = SMALL + 1;
	assert_int_equal(arrive(ends, &other, &found), XFER_JOIN_TOO_LONG);
	assert_int_equal(arrive(ends, &sent, &found), XFER_JOIN_GO);
	other = sent;
	other.slot.name.generation++;
	assert_int_equal(arrive(ends, &other, &other), XFER_JOIN_BUSY);
	xfer_hostpath_done(ends->host, &found);
	assert_int_equal(arrive(ends, &sent, &other), XFER_JOIN_STALE);
	xfer_hostpath_end(ends->host);
	assert_int_equal(write_slot(ends, 1, SMALL, &sent), XFER_CAUSE_NONE);
	assert_int_equal(arrive(ends, &sent, &found), XFER_JOIN_RESEND);
}

/* Answers of a host that doesn't. */
static void test_initiator_refuses(void **state)
{
	struct xfer_placement sent, asked;
	struct ends *ends = *state;
	struct iovec iov = { ends->back, SMALL };
	struct xfer_payload payload = { .kind = XFER_PAYLOAD_SLOT, .length = SMALL };
	struct xfer_slot_ref released;

	assert_int_equal(write_slot(ends, 0, SMALL, &sent), XFER_CAUSE_NONE);
	released = sent.slot;
	released.lane = 1;
	assert_int_equal(xfer_datapath_written(ends->initiator, &sent, &released), -EPROTO);
	assert_int_equal(write_slot(ends, 0, SMALL, &asked), XFER_CAUSE_NONE);
	assert_int_equal(xfer_datapath_written(ends->initiator, &sent, &asked.slot), -EPROTO);
	assert_int_equal(xfer_datapath_offer(ends->initiator, &any_volume, 0, SMALL, &asked),
		XFER_CAUSE_NONE);
	payload.slot = asked.slot;
	payload.slot.name.generation++;
	assert_int_equal(xfer_datapath_read(ends->initiator, &asked, &payload, &iov, 1), -EPROTO);
	payload.slot = asked.slot;
	payload.length = SMALL + 1;
	assert_int_equal(xfer_datapath_read(ends->initiator, &asked, &payload, &iov, 1), -EPROTO);
	payload.length = 1;
	assert_int_equal(xfer_datapath_read(ends->initiator, &asked, &payload, &iov, 1), 0);
}

/* Slots are used as long as somebody has a reference, whatever became of the path. */
static void test_memory_stays(void **state)
{
	struct xfer_placement sent, found;
	struct ends *ends = *state;

	assert_int_equal(write_slot(ends, 0, LARGE, &sent), XFER_CAUSE_NONE);
	assert_int_equal(arrive(ends, &sent, &found), XFER_JOIN_GO);
	xfer_hostpath_ref(ends->host);
	xfer_hostpath_end(ends->host);
	xfer_hostpath_unref(ends->host);
	xfer_datapath_ref(ends->initiator);
	xfer_datapath_lost(ends->initiator);
	xfer_datapath_unref(ends->initiator);
	assert_int_equal(ends->gone, 0);
	assert_memory_equal(found.memory, ends->data, LARGE);
	xfer_hostpath_done(ends->host, &found);
	assert_int_equal(xfer_datapath_written(ends->initiator, &sent, &found.slot), 0);
}

/* The size's only slot is free again each time. */
static void test_transport_fails(void **state)
{
	struct xfer_placement sent, found;
	struct ends *ends = *state;

	ends->at_initiator.stage_err = -EAGAIN;
	assert_int_equal(write_slot(ends, 0, LARGE, &sent), XFER_CAUSE_EXHAUSTED);
	ends->at_initiator.stage_err = 0;
	ends->at_initiator.send_err = -ENOTCONN;
	assert_int_equal(write_slot(ends, 0, LARGE, &sent), XFER_CAUSE_NO_PATH);
	ends->at_initiator.send_err = 0;
	assert_int_equal(write_slot(ends, 0, LARGE, &sent), XFER_CAUSE_NONE);
	ends->at_host.stage_err = -EAGAIN;
	assert_int_equal(xfer_datapath_offer(ends->initiator, &any_volume, 0, LARGE, &sent),
		XFER_CAUSE_NONE);
	assert_int_equal(arrive(ends, &sent, &found), XFER_JOIN_RESEND);
	xfer_hostpath_end(ends->host); /* nothing of it is in use */
}

/* A thread that copies into a slot while the path is lost lets go of it afterwards. */
static void *write_slowly(void *arg)
{
	struct xfer_placement sent;

	return (void *)(uintptr_t)write_slot(arg, 0, LARGE, &sent);
}

static void test_lost_while_copying(void **state)
{
	struct xfer_placement sent;
	struct ends *ends = *state;
	pthread_t thread;
	void *cause;

	ends->at_initiator.send_ms = 200;
	assert_int_equal(pthread_create(&thread, NULL, write_slowly, ends), 0);
	usleep(50 * 1000);
	xfer_datapath_lost(ends->initiator);
	assert_int_equal(write_slot(ends, 1, LARGE, &sent), XFER_CAUSE_NO_PATH);
	pthread_join(thread, &cause);
	assert_int_equal((uintptr_t)cause, XFER_CAUSE_NO_PATH);
}

static int memory(const char *name, unsigned seals, off_t bytes)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, bytes), 0);
	assert_int_equal(fallocate(fd, 0, 0, bytes), 0);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
	return fd;
}

static void expect_no_memory(int fd)
{
	struct xfer_memory *mapped;

	assert_int_equal(xfer_shm_map(fd, SMALL, &mapped), -EINVAL);
	close(fd);
}

static void test_bad_memory(void **state)
{
	const unsigned both = F_SEAL_SHRINK | F_SEAL_GROW;
	char path[] = "/tmp/xfer-datapath-XXXXXX";
	struct xfer_memory *mapped;
	int fd, pipes[2];

	(void)state;
	expect_no_memory(memory("short", both, SMALL - 1));
	expect_no_memory(memory("long", both, SMALL + 1));
	expect_no_memory(memory("shrinks", F_SEAL_GROW, SMALL));
	expect_no_memory(memory("grows", F_SEAL_SHRINK, SMALL));
	expect_no_memory(memory("has no more seals", both | F_SEAL_SEAL, SMALL));
	assert_int_equal(xfer_shm_map(-1, SMALL, &mapped), -EINVAL);
	assert_int_equal(xfer_shm_map(0, 0, &mapped), -EINVAL);
	fd = mkstemp(path);
	assert_int_equal(ftruncate(fd, SMALL), 0);
	expect_no_memory(fd);
	unlink(path);
	assert_int_equal(pipe(pipes), 0);
	expect_no_memory(pipes[0]);
	close(pipes[1]);
	/* Nobody may write to it. */
	fd = memory("constant", both | F_SEAL_WRITE, SMALL);
	assert_true(xfer_shm_map(fd, SMALL, &mapped) < 0);
	close(fd);
	fd = memfd_create("sparse", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	assert_int_equal(ftruncate(fd, SMALL), 0);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, both), 0);
	expect_no_memory(fd);
}

/* Once both have it, nobody can take anything of it away. */
static void test_memory_is_sealed(void **state)
{
	struct xfer_memory *made, *mapped;
	uint8_t *bytes;
	int fd;

	(void)state;
	assert_int_equal(xfer_shm_make(SMALL, &made, &fd), 0);
	assert_int_equal(xfer_shm_map(fd, SMALL, &mapped), 0);
	assert_int_equal(ftruncate(fd, 0), -1);
	assert_int_equal(errno, EPERM);
	assert_int_equal(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, SMALL), -1);
	assert_int_equal(errno, EPERM);
	bytes = (uint8_t *)(uintptr_t)made->base;
	assert_int_equal(madvise(bytes, SMALL, MADV_REMOVE), -1);
	memset(bytes, 7, SMALL);
	assert_memory_equal(bytes, (void *)(uintptr_t)mapped->base, SMALL);
	xfer_memory_free(made);
	xfer_memory_free(mapped);
	close(fd);
}

static void test_layouts(void **state)
{
	struct xfer_slot_layout odd = layout;
	struct xfer_region region;

	(void)state;
	assert_int_equal(xfer_layout_bytes(&layout, LANES), LANES * (2 * SMALL + LARGE));
	assert_int_equal(xfer_layout_bytes(&layout, 0), 0);
	assert_int_equal(xfer_layout_largest(&layout), LARGE);
	region = xfer_layout_region(&layout, 3, 1, 1, 100);
	assert_int_equal(region.id, 3 * XFER_SLOT_CLASSES_MAX + 1);
	assert_int_equal(region.first, 2);
	assert_int_equal(region.base, 100 + 2 * SMALL + LARGE + 2 * SMALL);
	odd.classes[0].slot_size = SMALL + 1;
	assert_int_equal(xfer_layout_bytes(&odd, 1), 0);
	odd.classes[0] = (struct xfer_slot_class){ SMALL, XFER_SLOT_NUMBERS };
	assert_int_equal(xfer_layout_bytes(&odd, 1), 0); /* one number too many */
	odd.classes[1].slots = 0;
	assert_int_equal(xfer_layout_bytes(&odd, 1), 0);
	odd.nclasses = 1;
	assert_int_equal(xfer_layout_bytes(&odd, 1), (uint64_t)SMALL * XFER_SLOT_NUMBERS);
	odd.classes[0].slot_size = UINT32_MAX & ~(SMALL - 1);
	assert_int_equal(xfer_layout_bytes(&odd, 1), 0); /* more than anybody has */
	odd.nclasses = 0;
	assert_int_equal(xfer_layout_bytes(&odd, 1), 0);
}

/* What is asked for adds up to what is wanted, whatever the numbers. */
static void test_parts_of_a_layout(void **state)
{
	struct xfer_slot_layout wanted = layout, part, sum;

	(void)state;
	for (uint32_t small = 1; small < 40; small++)
		for (uint32_t large = 1; large < 10; large++) {
			unsigned parts = 0;

			wanted.classes[0].slots = small;
			wanted.classes[1].slots = large;
			sum.nclasses = 0;
			while ((part = xfer_layout_missing(&wanted, &sum, 4)).nclasses > 0) {
				assert_true(xfer_layout_is_part(&part, &wanted));
				assert_int_equal(xfer_layout_add(&sum, &part), 0);
				parts++;
			}
			assert_true(parts <= 4);
			assert_true(xfer_layout_is_part(&sum, &wanted));
			assert_true(xfer_layout_is_part(&wanted, &sum));
		}
	part = (struct xfer_slot_layout){ 1, { { 3 * SMALL, 1 } } };
	assert_false(xfer_layout_is_part(&part, &wanted));
	/* Not by naming a size several times, either. */
	sum = wanted;
	sum.classes[sum.nclasses++] = sum.classes[0];
	assert_false(xfer_layout_is_part(&sum, &wanted));
	for (uint32_t i = 3; i <= XFER_SLOT_CLASSES_MAX; i++, part.classes[0].slot_size += SMALL)
		assert_int_equal(xfer_layout_add(&wanted, &part), 0);
	assert_int_equal(xfer_layout_add(&wanted, &part), -ENOSPC);
}

/* --- chunks that come and go -------------------------------------------------------------------- */

/* What the initiator could take at a time, and gives back again. */
static unsigned slots_there(struct ends *ends, uint32_t length)
{
	struct xfer_placement sent[32], found;
	unsigned number = 0;

	while (number < 32 && write_slot(ends, 0, length, &sent[number]) == XFER_CAUSE_NONE)
		number++;
	for (unsigned i = 0; i < number; i++) {
		assert_int_equal(arrive(ends, &sent[i], &found), XFER_JOIN_GO);
		assert_memory_equal(found.memory, ends->data, length);
		xfer_hostpath_done(ends->host, &found);
		assert_int_equal(xfer_datapath_written(ends->initiator, &sent[i], &found.slot), 0);
	}
	return number;
}

static void test_chunks_come_and_go(void **state)
{
	struct ends *ends = *state;
	uint32_t first = xfer_hostpath_newest(ends->host), second;

	assert_int_equal(slots_there(ends, LARGE), 1);
	assert_false(xfer_hostpath_used_ns(ends->host) == 0);
	grow(ends);
	second = xfer_hostpath_newest(ends->host);
	assert_int_not_equal(first, second);
	assert_int_equal(slots_there(ends, LARGE), 2);
	assert_int_equal(xfer_datapath_retire(ends->initiator, first), 0);
	assert_int_equal(xfer_datapath_layout(ends->initiator)->classes[0].slots, 2);
	assert_int_equal(slots_there(ends, LARGE), 1);
	assert_int_equal(xfer_datapath_remove(ends->initiator, first), 0);
	assert_int_equal(xfer_hostpath_remove(ends->host, first), 0);
	/* Another one has its numbers, but none of its names. */
	grow(ends);
	assert_int_equal(slots_there(ends, LARGE), 2);
	assert_int_equal(xfer_datapath_remove(ends->initiator, first), -ENOENT);
	assert_int_equal(xfer_datapath_retire(ends->initiator, first), -ENOENT);
	assert_int_equal(xfer_hostpath_remove(ends->host, first), -ENOENT);
}

static void test_nothing_is_left(void **state)
{
	struct xfer_placement sent;
	struct ends *ends = *state;
	uint32_t chunk = xfer_hostpath_newest(ends->host);

	assert_false(xfer_datapath_lacked(ends->initiator));
	assert_int_equal(xfer_datapath_retire(ends->initiator, chunk), 0);
	assert_int_equal(write_slot(ends, 0, SMALL, &sent), XFER_CAUSE_REFUSED);
	assert_true(xfer_datapath_lacked(ends->initiator));
	assert_false(xfer_datapath_lacked(ends->initiator));
	/* READ has its own. */
	assert_int_equal(xfer_datapath_offer(ends->initiator, &any_volume, 0, LARGE, &sent),
		XFER_CAUSE_NONE);
	assert_int_equal(xfer_datapath_remove(ends->initiator, chunk), 0);
	assert_int_equal(xfer_hostpath_remove(ends->host, chunk), 0);
	assert_int_equal(xfer_hostpath_newest(ends->host), 0);
	assert_int_equal(write_slot(ends, 0, SMALL, &sent), XFER_CAUSE_REFUSED);
	grow(ends);
	assert_int_equal(slots_there(ends, LARGE), 1);
}

/* Neither end lets memory go of which the other one could still touch something. */
static void test_what_is_used_stays(void **state)
{
	struct xfer_placement sent, found;
	struct ends *ends = *state;
	uint32_t chunk = xfer_hostpath_newest(ends->host);

	assert_int_equal(xfer_datapath_remove(ends->initiator, chunk), -EBUSY); /* not retiring */
	assert_int_equal(write_slot(ends, 1, LARGE, &sent), XFER_CAUSE_NONE);
	assert_int_equal(xfer_datapath_retire(ends->initiator, chunk), 0);
	assert_int_equal(xfer_datapath_remove(ends->initiator, chunk), -EBUSY);
	assert_int_equal(arrive(ends, &sent, &found), XFER_JOIN_GO);
	/* The initiator lies. */
	assert_int_equal(xfer_hostpath_remove(ends->host, chunk), -EBUSY);
	xfer_hostpath_end(ends->host);
	assert_memory_equal(found.memory, ends->data, LARGE);
	xfer_hostpath_done(ends->host, &found);
	assert_int_equal(xfer_datapath_written(ends->initiator, &sent, &found.slot), 0);
	assert_int_equal(xfer_datapath_remove(ends->initiator, chunk), 0);
	assert_int_equal(xfer_hostpath_remove(ends->host, chunk), 0);
}

/* A chunk that a host can't mean. */
static void expect_no_chunk(struct ends *ends, const struct xfer_chunk *chunk, int err)
{
	struct xfer_memory *ours, *theirs;

	share(&theirs, &ours);
	xfer_memory_free(theirs);
	assert_int_equal(xfer_datapath_add(ends->initiator, chunk, ours), err);
}

static void test_bad_chunks(void **state)
{
	struct xfer_memory *theirs;
	struct ends *ends = *state;
	struct xfer_chunk good, bad;

	grant(ends, &good, &theirs);
	bad = good;
	bad.id = 0;
	expect_no_chunk(ends, &bad, -EINVAL);
	bad = good;
	bad.nplaces--;
	expect_no_chunk(ends, &bad, -EINVAL);
	bad = good;
	bad.layout.classes[0].slots++;
	expect_no_chunk(ends, &bad, -EINVAL);
	bad = good;
	bad.places[0].first = 0; /* the first chunk's */
	expect_no_chunk(ends, &bad, -EEXIST);
	bad.places[0].first = XFER_SLOT_NUMBERS - 1;
	bad.id += 1000;
	expect_no_chunk(ends, &bad, -EINVAL);
	xfer_memory_free(theirs);
}

/* What can't be had leaves nothing behind. */
static void test_too_many_chunks(void **state)
{
	struct xfer_memory *ours, *theirs;
	struct xfer_slot_layout odd = layout;
	struct ends *ends = *state;
	struct xfer_chunk chunk;
	uint32_t last;

	for (unsigned regions = 2 * layout.nclasses; regions <= XFER_REGIONS_MAX;
		regions += layout.nclasses)
		grow(ends);
	last = xfer_hostpath_newest(ends->host);
	share(&ours, &theirs);
	xfer_memory_free(theirs);
	assert_int_equal(xfer_hostpath_add(ends->host, &layout, ours, &chunk), -ENOSPC);
	assert_int_equal(xfer_hostpath_newest(ends->host), last);
	odd.classes[0].slots++;
	share(&ours, &theirs);
	xfer_memory_free(theirs);
	assert_int_equal(xfer_hostpath_add(ends->host, &odd, ours, &chunk), -EINVAL);
	assert_int_equal(slots_there(ends, LARGE), XFER_REGIONS_MAX / layout.nclasses);
}

/* While a thread writes, chunks come and go: none of its payload is lost, or anybody else's. */
static void *write_on(void *arg)
{
	struct xfer_placement sent, found;
	struct ends *ends = arg;

	while (!ends->ending) {
		if (write_slot(ends, 0, SMALL, &sent) != XFER_CAUSE_NONE)
			continue;
		assert_int_equal(arrive(ends, &sent, &found), XFER_JOIN_GO);
		assert_memory_equal(found.memory, ends->data, SMALL);
		xfer_hostpath_done(ends->host, &found);
		assert_int_equal(xfer_datapath_written(ends->initiator, &sent, &found.slot), 0);
	}
	return NULL;
}

static void test_chunks_come_and_go_meanwhile(void **state)
{
	struct ends *ends = *state;
	pthread_t threads[2];
	uint32_t chunk;

	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, write_on, ends), 0);
	for (unsigned i = 0; i < 200; i++) {
		chunk = xfer_hostpath_newest(ends->host);
		grow(ends);
		assert_int_equal(xfer_datapath_retire(ends->initiator, chunk), 0);
		while (xfer_datapath_remove(ends->initiator, chunk) == -EBUSY)
			usleep(100);
		assert_int_equal(xfer_hostpath_remove(ends->host, chunk), 0);
	}
	ends->ending = true;
	for (unsigned i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
}

/* Slots of a size are counted together, whatever regions they are in. */
static void test_status(void **state)
{
	struct ends *ends = *state;
	json_t *status, *size;
	size_t i;

	grow(ends);
	status = xfer_datapath_status(ends->initiator);
	json_array_foreach (json_object_get(status, "sizes"), i, size) {
		bool write =
			strcmp(json_string_value(json_object_get(size, "direction")), "write") == 0;

		assert_int_equal(json_integer_value(json_object_get(size, "regions")), 1 + write);
		assert_int_equal(json_integer_value(json_object_get(size, "slots")),
			layout.classes[i % 2].slots * (1u + write));
		assert_int_equal(json_integer_value(
					 json_object_get(json_object_get(size, "states"), "free")),
			json_integer_value(json_object_get(size, "slots")));
	}
	assert_int_equal(i, 2 * 2 * LANES);
	json_decref(status);
	status = xfer_hostpath_status(ends->host);
	assert_int_equal(
		json_integer_value(json_object_get(json_object_get(status, "write"), "bytes")),
		2 * xfer_layout_bytes(&layout, LANES));
	assert_int_equal(
		json_integer_value(json_object_get(json_object_get(status, "read"), "bytes")),
		xfer_layout_bytes(&layout, LANES));
	json_decref(status);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_write),
		TEST(test_read),
		TEST(test_what_goes_inline),
		TEST(test_host_refuses),
		TEST(test_initiator_refuses),
		TEST(test_memory_stays),
		TEST(test_transport_fails),
		TEST(test_lost_while_copying),
		TEST(test_chunks_come_and_go),
		TEST(test_nothing_is_left),
		TEST(test_what_is_used_stays),
		TEST(test_bad_chunks),
		TEST(test_too_many_chunks),
		TEST(test_chunks_come_and_go_meanwhile),
		TEST(test_status),
		cmocka_unit_test(test_bad_memory),
		cmocka_unit_test(test_memory_is_sealed),
		cmocka_unit_test(test_layouts),
		cmocka_unit_test(test_parts_of_a_layout),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
