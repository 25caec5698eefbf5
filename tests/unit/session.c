/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* session.c -- sessions, the whole engine in one process: operations, order, refusal */

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>
#include <semaphore.h>
#include <sys/un.h>

#include "address.h"
#include "clock.h"
#include "counters.h"
#include "log.h"
#include "session.h"
#include "support/sessions.h"
#include "xfer/xfer.h"

static void fill(uint8_t *data, size_t len, unsigned seed)
{
	for (size_t i = 0; i < len; i++) {
		seed = seed * 1103515245u + 12345u;
		data[i] = (uint8_t)(seed >> 16);
	}
}

/* --- operations ------------------------------------------------------------------------------- */

static void test_credentials_and_results(void **state)
{
	struct fixture f;
	struct xfer_attr attr;
	struct xfer_node node;
	struct xfer_opt_attr dir_attr;
	uint8_t verifier[8];

	(void)state;
	set_up(&f);
	assert_int_equal(xfer_op_getattr(f.session, &cred, &f.handle, &attr), 0);
	assert_int_equal(attr.size, MEMOWNER_SIZE);
	assert_int_equal(f.owner.last_uid, 7);
	assert_int_equal(f.owner.last_ngroups, 3);
	assert_int_equal(f.owner.last_group, 13);
	assert_int_equal(xfer_op_lookup(f.session, &cred, &f.handle, "there", &node, &dir_attr), 0);
	assert_true(dir_attr.valid);
	dir_attr.valid = false;
	assert_int_equal(
		xfer_op_lookup(f.session, &cred, &f.handle, "missing", &node, &dir_attr), -ENOENT);
	assert_true(dir_attr.valid);
	assert_int_equal(
		xfer_op_lookup(f.session, &cred, &f.handle, "", &node, &dir_attr), -ENOENT);
	assert_int_equal(xfer_session_verifier(f.session, verifier), 0);
	assert_memory_equal(verifier, "vvvvvvvv", 8);
	tear_down(&f);
}

static void test_many_groups(void **state)
{
	static uint32_t many[XFER_GROUPS_MAX];
	struct xfer_cred wide = { .uid = 1, .gid = 1, .ngroups = XFER_GROUPS_MAX, .groups = many };
	struct fixture f;
	struct xfer_attr attr;

	(void)state;
	set_up(&f);
	many[XFER_GROUPS_MAX - 1] = 4711;
	assert_int_equal(xfer_op_getattr(f.session, &wide, &f.handle, &attr), 0);
	assert_int_equal(f.owner.last_ngroups, XFER_GROUPS_MAX);
	assert_int_equal(f.owner.last_group, 4711);
	tear_down(&f);
}

struct listing {
	unsigned seen, stop_at;
	uint64_t cookie;
};

static bool list_entry(void *arg, const struct xfer_dirent *entry)
{
	struct listing *listing = arg;
	char expected[32];

	snprintf(expected, sizeof(expected), "name-%u", ++listing->seen);
	assert_string_equal(entry->name, expected);
	listing->cookie = entry->cookie;
	return listing->seen != listing->stop_at;
}

static void test_readdir_in_parts(void **state)
{
	struct fixture f;
	struct listing listing = { .stop_at = 3 };
	struct xfer_opt_attr dir_attr;
	bool eof = false;
	unsigned calls = 0;

	(void)state;
	set_up(&f);
	while (!eof) {
		assert_int_equal(xfer_op_readdir(f.session, &cred, &f.handle, listing.cookie, 4096,
					 list_entry, &listing, &eof, &dir_attr),
			0);
		calls++;
	}
	assert_int_equal(listing.seen, 100);
	assert_true(calls >= 3);
	tear_down(&f);
}

struct ahead {
	struct xfer_listing listing;
	pthread_mutex_t lock;
	pthread_cond_t came;
	bool done;
};

static void listed(struct xfer_listing *listing)
{
	struct ahead *ahead = (struct ahead *)listing;

	pthread_mutex_lock(&ahead->lock);
	ahead->done = true;
	pthread_cond_signal(&ahead->came);
	pthread_mutex_unlock(&ahead->lock);
}

static int list_ahead(struct fixture *f, struct ahead *ahead, uint64_t cookie)
{
	ahead->done = false;
	ahead->listing.session = f->session;
	ahead->listing.cred = cred;
	ahead->listing.dir = f->handle;
	ahead->listing.cookie = cookie;
	ahead->listing.done = listed;
	xfer_op_list(&ahead->listing);
	pthread_mutex_lock(&ahead->lock);
	while (!ahead->done)
		pthread_cond_wait(&ahead->came, &ahead->lock);
	pthread_mutex_unlock(&ahead->lock);
	return ahead->listing.result;
}

/* A part as it came is walked when it is wanted; one that was cut off, or isn't a list, is told apart. */
static void test_list_without_waiting(void **state)
{
	static struct ahead ahead = { .lock = PTHREAD_MUTEX_INITIALIZER,
		.came = PTHREAD_COND_INITIALIZER };
	struct listing listing = { .stop_at = 3 };
	struct fixture f;

	(void)state;
	set_up(&f);
	assert_int_equal(list_ahead(&f, &ahead, 0), 0);
	assert_int_equal(xfer_listing_walk(&ahead.listing, list_entry, &listing), 0);
	assert_int_equal(listing.seen, 3);
	listing = (struct listing){ 0 };
	assert_int_equal(xfer_listing_walk(&ahead.listing, list_entry, &listing), 0);
	assert_true(listing.seen > 3);
	listing = (struct listing){ 0 };
	ahead.listing.len -= 4;
	assert_int_equal(xfer_listing_walk(&ahead.listing, list_entry, &listing), -EIO);
	while (!ahead.listing.eof) {
		listing = (struct listing){ .seen = listing.seen };
		assert_int_equal(list_ahead(&f, &ahead, listing.cookie), 0);
		assert_int_equal(xfer_listing_walk(&ahead.listing, list_entry, &listing), 0);
	}
	xfer_session_end(f.session);
	assert_int_equal(list_ahead(&f, &ahead, 0), -EAGAIN);
	assert_int_equal(ahead.listing.len, 0);
	tear_down(&f);
}

/* Writes pieces of every size class and alignment, gathered from and scattered to several buffers.
 */
static void read_and_write(struct fixture *f)
{
	static const size_t sizes[] = { 0, 1, 3, 4, 4095, 4096, 4097, 65536, 70001, XFER_IO_MAX };
	uint8_t *out = malloc(XFER_IO_MAX), *in = malloc(XFER_IO_MAX);
	struct wait_io w;

	for (unsigned i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		size_t size = sizes[i], third = size / 3;
		uint64_t offset = 1234567 + i;

		fill(out, size, i + 1);
		memset(in, 0, XFER_IO_MAX);
		io_prepare(f, &w, offset, out, third);
		w.iov[1] = (struct iovec){ out + third, third };
		w.iov[2] = (struct iovec){ out + 2 * third, size - 2 * third };
		w.io.iovcnt = 3;
		xfer_op_write(&w.io);
		assert_int_equal(io_wait(&w), 0);
		assert_int_equal(w.io.count, size);
		assert_int_equal(w.io.committed, w.io.stability);
		assert_memory_equal(f->owner.data + offset, out, size);

		io_prepare(f, &w, offset, in, third);
		w.iov[1] = (struct iovec){ in + third, third };
		w.iov[2] = (struct iovec){ in + 2 * third, size - 2 * third };
		w.io.iovcnt = 3;
		xfer_op_read(&w.io);
		assert_int_equal(io_wait(&w), 0);
		assert_int_equal(w.io.count, size);
		assert_false(w.io.eof);
		assert_memory_equal(in, out, size);
	}
	free(out);
	free(in);
}

static void test_io_local(void **state)
{
	struct fixture f;

	(void)state;
	set_up(&f);
	read_and_write(&f);
	tear_down(&f);
}

static void test_io_tcp(void **state)
{
	struct fixture f;
	char address[32];

	(void)state;
	snprintf(address, sizeof(address), "127.0.0.1:%u", 20000 + (unsigned)getpid() % 10000);
	set_up_at(&f, address);
	read_and_write(&f);
	tear_down(&f);
}

static void test_short_read_at_the_end(void **state)
{
	struct fixture f;
	struct wait_io w;
	uint8_t data[100];

	(void)state;
	set_up(&f);
	memset(f.owner.data, 'x', MEMOWNER_SIZE);
	memset(data, 0, sizeof(data));
	io_prepare(&f, &w, MEMOWNER_SIZE - 10, data, sizeof(data));
	xfer_op_read(&w.io);
	assert_int_equal(io_wait(&w), 0);
	assert_int_equal(w.io.count, 10);
	assert_true(w.io.eof);
	assert_int_equal(data[9], 'x');
	assert_int_equal(data[10], 0);
	tear_down(&f);
}

static void test_invalid_io(void **state)
{
	struct fixture f;
	struct wait_io w;
	uint8_t *data = calloc(1, XFER_IO_MAX + 1);

	(void)state;
	set_up(&f);
	io_prepare(&f, &w, 0, data, XFER_IO_MAX + 1);
	xfer_op_read(&w.io);
	assert_int_equal(io_wait(&w), -EINVAL);
	io_prepare(&f, &w, INT64_MAX, data, 1);
	xfer_op_write(&w.io);
	assert_int_equal(io_wait(&w), -EINVAL);
	io_prepare(&f, &w, 0, data, 1);
	w.io.iovcnt = 0;
	xfer_op_write(&w.io);
	assert_int_equal(io_wait(&w), -EINVAL);
	assert_int_equal(f.owner.operations, 0);
	free(data);
	tear_down(&f);
}

/* --- many at once ----------------------------------------------------------------------------- */

#define THREADS    6
#define PER_THREAD 60
#define DEPTH      8
#define REGION     65536u

struct hammer {
	struct fixture *f;
	unsigned number;
};

/* Each thread has a region of its own: writes DEPTH pieces at a time, reads them back, compares. */
static void *hammer(void *arg)
{
	struct hammer *h = arg;
	uint8_t *out = malloc(REGION), *in = malloc(REGION);
	struct wait_io w[DEPTH];
	struct xfer_attr attr;
	size_t piece = REGION / DEPTH;

	for (unsigned round = 0; round < PER_THREAD; round++) {
		fill(out, REGION, h->number * 1000 + round);
		for (unsigned i = 0; i < DEPTH; i++) {
			io_prepare(h->f, &w[i], h->number * REGION + i * piece, out + i * piece,
				piece);
			w[i].io.attended = i % 2;
			xfer_op_write(&w[i].io);
		}
		for (unsigned i = 0; i < DEPTH; i++)
			assert_int_equal(io_wait(&w[i]), 0);
		assert_int_equal(xfer_op_getattr(h->f->session, &cred, &h->f->handle, &attr), 0);
		for (unsigned i = 0; i < DEPTH; i++) {
			io_prepare(
				h->f, &w[i], h->number * REGION + i * piece, in + i * piece, piece);
			w[i].io.attended = i % 2;
			xfer_op_read(&w[i].io);
		}
		for (unsigned i = 0; i < DEPTH; i++)
			assert_int_equal(io_wait(&w[i]), 0);
		assert_memory_equal(in, out, REGION);
	}
	free(out);
	free(in);
	return NULL;
}

static void test_many_at_once_out_of_order(void **state)
{
	struct fixture f;
	struct hammer h[THREADS];
	pthread_t threads[THREADS];

	(void)state;
	set_up(&f);
	f.owner.delay_us = 300;
	for (unsigned i = 0; i < THREADS; i++) {
		h[i] = (struct hammer){ &f, i };
		pthread_create(&threads[i], NULL, hammer, &h[i]);
	}
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(f.owner.operations, THREADS * PER_THREAD * (2 * DEPTH + 1));
	tear_down(&f);
}

/* Payloads that aren't multiples of 4 bytes, one behind the other: what follows them begins anywhere in memory. */
static void test_uneven_lengths_at_once(void **state)
{
	enum { CALLS = 64, MAX = 70000 };
	struct fixture f;
	struct wait_io w[CALLS];
	uint8_t *out = malloc(CALLS * MAX), *in = malloc(CALLS * MAX);

	(void)state;
	set_up(&f);
	fill(out, CALLS * MAX, 99);
	for (unsigned round = 0; round < 20; round++) {
		for (unsigned i = 0; i < CALLS; i++) {
			size_t size = 1 + (round * 7919 + i * 104729) % (i % 4 ? 9000 : MAX - 1);

			io_prepare(&f, &w[i], (uint64_t)i * MAX, out + i * MAX, size);
			xfer_op_write(&w[i].io);
		}
		for (unsigned i = 0; i < CALLS; i++)
			assert_int_equal(io_wait(&w[i]), 0);
		memset(in, 0, CALLS * MAX);
		for (unsigned i = 0; i < CALLS; i++) {
			size_t size = w[i].iov[0].iov_len;

			io_prepare(&f, &w[i], (uint64_t)i * MAX, in + i * MAX, size);
			xfer_op_read(&w[i].io);
		}
		for (unsigned i = 0; i < CALLS; i++) {
			assert_int_equal(io_wait(&w[i]), 0);
			assert_memory_equal(in + i * MAX, out + i * MAX, w[i].iov[0].iov_len);
		}
	}
	assert_int_equal(xfer_counters[XFER_CNT_PROTOCOL_ERRORS], 0);
	free(out);
	free(in);
	tear_down(&f);
}

static bool all_slots_taken(void *arg)
{
	struct memowner *owner = arg;

	return owner->max_running == xfer_own_limits.calls_max - XFER_SESSION_RESERVED;
}

static bool half_of_the_slots_taken(void *arg)
{
	struct memowner *owner = arg;

	return owner->max_running == xfer_own_limits.calls_max / 2;
}

/* More calls than a volume's part of the call slots: the rest waits, none is lost, none shares a slot. */
static void test_more_calls_than_slots(void **state)
{
	enum { CALLS = 700 };
	struct fixture f;
	struct wait_io *w = calloc(CALLS, sizeof(*w));
	static uint8_t data[CALLS];

	(void)state;
	set_up(&f);
	f.owner.hold = true;
	for (unsigned i = 0; i < CALLS; i++) {
		data[i] = (uint8_t)i;
		io_prepare(&f, &w[i], i, &data[i], 1);
		xfer_op_write(&w[i].io);
	}
	assert_true(wait_for(half_of_the_slots_taken, &f.owner));
	f.owner.hold = false;
	for (unsigned i = 0; i < CALLS; i++)
		assert_int_equal(io_wait(&w[i]), 0);
	assert_int_equal(f.owner.max_running, xfer_own_limits.calls_max / 2);
	assert_memory_equal(f.owner.data, data, CALLS);
	free(w);
	tear_down(&f);
}

/* A volume that hangs leaves call slots to another one; together they have all but the reserved ones, and none twice. */
static void test_a_volume_leaves_slots(void **state)
{
	enum { CALLS = 700 };
	struct fixture f;
	struct wait_io *w = calloc(CALLS, sizeof(*w));
	static uint8_t data[CALLS];

	(void)state;
	set_up(&f);
	f.owner.hold = true;
	for (unsigned i = 0; i < CALLS; i++) {
		data[i] = (uint8_t)(i + 1);
		io_prepare(&f, &w[i], i, &data[i], 1);
		if (i >= CALLS / 2)
			xfer_handle_root(77, &w[i].io.handle);
		xfer_op_write(&w[i].io);
		if (i == CALLS / 2 - 1)
			assert_true(wait_for(half_of_the_slots_taken, &f.owner));
	}
	assert_true(wait_for(all_slots_taken, &f.owner));
	f.owner.hold = false;
	for (unsigned i = 0; i < CALLS; i++)
		assert_int_equal(io_wait(&w[i]), 0);
	assert_int_equal(f.owner.max_running, xfer_own_limits.calls_max - XFER_SESSION_RESERVED);
	assert_int_equal(f.owner.slot_clashes, 0);
	assert_memory_equal(f.owner.data, data, CALLS);
	free(w);
	tear_down(&f);
}

/*
 * 100 MiB of WRITEs that nobody executes for longer than a peer may be silent: the session keeps back what the
 * server could not take, so that heartbeats are answered, and loses nothing.
 */
static void test_flow_control(void **state)
{
	enum { CALLS = 100 };
	struct fixture f;
	struct wait_io *w = calloc(CALLS, sizeof(*w));
	uint8_t *data = malloc(XFER_IO_MAX);

	(void)state;
	set_up(&f);
	f.owner.hold = true;
	fill(data, XFER_IO_MAX, 5);
	for (unsigned i = 0; i < CALLS; i++) {
		io_prepare(&f, &w[i], 0, data, XFER_IO_MAX);
		if (i % 2) /* one volume alone may have half of it */
			xfer_handle_root(77, &w[i].io.handle);
		xfer_op_write(&w[i].io);
	}
	usleep(2000000); /* ten heartbeats */
	assert_int_equal(f.owner.operations, XFER_PAYLOAD_OUT_MAX / XFER_IO_MAX);
	assert_true(xfer_session_is_up(f.session));
	assert_int_equal(f.owner.peers_gone, 0);
	f.owner.hold = false;
	for (unsigned i = 0; i < CALLS; i++)
		assert_int_equal(io_wait(&w[i]), 0);
	assert_int_equal(f.owner.operations, CALLS);
	assert_memory_equal(f.owner.data, data, XFER_IO_MAX);
	assert_true(xfer_session_is_up(f.session));
	free(w);
	free(data);
	tear_down(&f);
}

/* A condition: so many operations have arrived. */
struct arrived {
	struct memowner *owner;
	unsigned operations;
};

static bool so_many_arrived(void *arg)
{
	struct arrived *arrived = arg;

	return arrived->owner->operations == arrived->operations;
}

/* What brings no payload doesn't wait behind what waits for room for its own. */
static void test_small_calls_pass(void **state)
{
	enum { CALLS = 20, FLY = XFER_PAYLOAD_OUT_MAX / XFER_IO_MAX / 2 };
	struct fixture f;
	struct wait_io w[CALLS];
	uint8_t *data = calloc(1, XFER_IO_MAX);
	struct arrived arrived = { &f.owner, FLY };

	(void)state;
	set_up(&f);
	f.owner.hold = true;
	for (unsigned i = 0; i < CALLS; i++) {
		io_prepare(&f, &w[i], 0, data, XFER_IO_MAX);
		xfer_op_write(&w[i].io);
	}
	assert_true(wait_for(so_many_arrived, &arrived));
	xfer_op_close(f.session, &f.handle, 1);
	arrived.operations = FLY + 1;
	assert_true(wait_for(so_many_arrived, &arrived));
	f.owner.hold = false;
	for (unsigned i = 0; i < CALLS; i++)
		assert_int_equal(io_wait(&w[i]), 0);
	free(data);
	tear_down(&f);
}

/* A condition: so much waits in the session. */
struct waiting {
	struct xfer_session *session;
	uint64_t bytes;
};

static bool so_much_waits(void *arg)
{
	struct waiting *waiting = arg;
	uint64_t bytes;

	pthread_mutex_lock(&waiting->session->lock);
	bytes = waiting->session->waiting_bytes;
	pthread_mutex_unlock(&waiting->session->lock);
	return bytes == waiting->bytes;
}

/* WRITEs of one volume that nobody answers, one more than may fly and wait: that one ends, in no time. */
static unsigned fill_volume(
	struct fixture *f, struct wait_io *w, unsigned most, uint32_t volume, uint8_t *data)
{
	unsigned count = 0, refused = 0;

	while (!refused && count < most) {
		io_prepare(f, &w[count], 0, data, XFER_IO_MAX);
		xfer_handle_root(volume, &w[count].io.handle);
		xfer_op_write(&w[count].io);
		refused = sem_trywait(&w[count].done) == 0;
		count++;
	}
	assert_true(refused);
	assert_int_equal(w[count - 1].io.result, -EAGAIN);
	return count - 1;
}

/* What waits is bounded: a volume that hangs has half of it, what comes then is put off; the rest goes on, and room comes back. */
static void test_waiting_is_bounded(void **state)
{
	enum { MOST = 64, FLY = XFER_PAYLOAD_OUT_MAX / XFER_IO_MAX / 2, WAIT = 5 };
	const uint64_t each = XFER_IO_MAX + sizeof(struct xfer_session_call);
	struct wait_io *w = calloc(MOST, sizeof(*w));
	uint8_t *data = calloc(1, XFER_IO_MAX);
	struct waiting waiting;
	struct fixture f;
	unsigned count;

	(void)state;
	set_up(&f);
	waiting = (struct waiting){ f.session, 2 * WAIT * each };
	f.session->waiting_max = 2 * WAIT * each;
	f.owner.hold = true;
	count = fill_volume(&f, w, MOST, 1, data);
	assert_int_equal(count, FLY + WAIT);
	count += fill_volume(&f, w + count, MOST - count, 77, data);
	assert_int_equal(count, 2 * (FLY + WAIT));
	assert_true(so_much_waits(&waiting));
	f.owner.hold = false;
	for (unsigned i = 0; i < count; i++)
		assert_int_equal(io_wait(&w[i]), 0);
	assert_int_equal(f.owner.operations, count);
	waiting.bytes = 0;
	assert_true(so_much_waits(&waiting));
	io_prepare(&f, w, 0, data, XFER_IO_MAX);
	xfer_op_write(&w->io);
	assert_int_equal(io_wait(w), 0);
	free(w);
	free(data);
	tear_down(&f);
}

/* --- verifiers -------------------------------------------------------------------------------- */

/* What was overtaken never brings an old one back, and while one is new nothing matches. */
static void test_verifiers_only_go_on(void **state)
{
	static const uint8_t a[8] = "aaaaaaaa", b[8] = "bbbbbbbb", c[8] = "cccccccc";
	struct fixture f;
	uint8_t got[8], again[8];

	(void)state;
	set_up(&f);
	assert_true(xfer_session_saw_verifier(f.session, a));
	assert_true(xfer_session_saw_verifier(f.session, b));
	assert_true(xfer_session_saw_verifier(f.session, c));
	assert_false(xfer_session_saw_verifier(f.session, a));
	assert_false(xfer_session_saw_verifier(f.session, b));
	assert_true(xfer_session_saw_verifier(f.session, c));
	assert_int_equal(xfer_session_verifier(f.session, got), 0);
	assert_int_equal(xfer_session_verifier(f.session, again), 0);
	assert_memory_not_equal(got, again, 8);
	assert_memory_not_equal(got, c, 8);
	f.session->verifier_ns -= 11ull * 1000 * 1000 * 1000; /* it has been there for long */
	assert_int_equal(xfer_session_verifier(f.session, got), 0);
	assert_memory_equal(got, c, 8);
	tear_down(&f);
}

/* An unstable WRITE that was answered under an old verifier is to be sent again. */
static void test_write_under_an_old_verifier(void **state)
{
	static const uint8_t later[8] = "lateronn";
	struct fixture f;
	struct wait_io w;
	uint8_t data = 1;

	(void)state;
	set_up(&f);
	assert_true(xfer_session_saw_verifier(f.session, later));
	io_prepare(&f, &w, 0, &data, 1);
	w.io.stability = XFER_UNSTABLE;
	xfer_op_write(&w.io);
	assert_int_equal(io_wait(&w), -EAGAIN);
	io_prepare(&f, &w, 0, &data, 1);
	w.io.stability = XFER_FILE_SYNC;
	xfer_op_write(&w.io);
	assert_int_equal(io_wait(&w), 0);
	tear_down(&f);
}

/* --- refusal ---------------------------------------------------------------------------------- */

static char log_text[4096];
static pthread_mutex_t log_lock = PTHREAD_MUTEX_INITIALIZER;

static void collect_log(enum xfer_log_level level, const char *message)
{
	(void)level;
	pthread_mutex_lock(&log_lock);
	strncat(log_text, message, sizeof(log_text) - strlen(log_text) - 2);
	strcat(log_text, "\n");
	pthread_mutex_unlock(&log_lock);
}

static bool logged(void *text)
{
	bool found;

	pthread_mutex_lock(&log_lock);
	found = strstr(log_text, text) != NULL;
	pthread_mutex_unlock(&log_lock);
	return found;
}

/* A session that the owner `node` refuses with `status`, and what the point of contact's log says.
 */
static void refused(const char *node, uint32_t status, const char *expected)
{
	struct memowner owner;
	struct xfer_context *context;
	struct xfer_session *session;

	memset(&owner, 0, sizeof(owner));
	owner.admit_status = status;
	log_text[0] = '\0';
	memowner_start(&owner, node, NULL);
	context = new_context(200);
	xfer_log_set_sink(collect_log);
	assert_int_equal(
		xfer_session_open(context,
			&(struct xfer_session_params){ .owner = "b", .address = owner.address },
			&session),
		0);
	assert_true(wait_for(logged, (void *)(uintptr_t)expected));
	assert_false(xfer_session_is_up(session));
	xfer_session_close(session);
	xfer_context_destroy(context);
	memowner_stop(&owner);
	xfer_log_set_sink(NULL);
}

static void test_refusals_name_the_cause(void **state)
{
	(void)state;
	refused("b", XFER_ST_NOT_ALLOWED, "refused: the test says so");
	refused("c", XFER_ST_OK, "the owner there calls itself c");
}

static void test_nobody_listens(void **state)
{
	struct xfer_context *context = new_context(200);
	struct xfer_session *session;

	(void)state;
	log_text[0] = '\0';
	xfer_log_set_sink(collect_log);
	assert_int_equal(xfer_session_open(context,
				 &(struct xfer_session_params){
					 .owner = "b", .address = "unix:/tmp/nobody-listens-here" },
				 &session),
		0);
	assert_true(wait_for(logged, (void *)(uintptr_t) "check that rdmaxferd runs there"));
	xfer_session_close(session);
	assert_int_equal(
		xfer_session_open(context,
			&(struct xfer_session_params){ .owner = "b", .address = "unix:relative" },
			&session),
		-EINVAL);
	assert_int_equal(
		xfer_session_open(context,
			&(struct xfer_session_params){ .owner = "b", .address = "host:port" },
			&session),
		-EINVAL);
	assert_int_equal(
		xfer_session_open(context,
			&(struct xfer_session_params){ .owner = "", .address = "host" }, &session),
		-EINVAL);
	xfer_context_destroy(context);
	xfer_log_set_sink(NULL);
}

/* --- status and ping -------------------------------------------------------------------------- */

static void count_pings(void *arg, double microseconds)
{
	assert_true(microseconds > 0);
	++*(unsigned *)arg;
}

static void test_status_and_ping(void **state)
{
	struct fixture f;
	char *text;
	json_t *status, *sessions;
	unsigned pings = 0;

	(void)state;
	set_up(&f);
	assert_int_equal(xfer_status(f.owner.address, 5000, &text), 0);
	status = json_loads(text, 0, NULL);
	assert_non_null(status);
	assert_string_equal(json_string_value(json_object_get(status, "node")), "b");
	sessions = json_object_get(status, "sessions");
	assert_int_equal(json_array_size(sessions), 1);
	assert_string_equal(
		json_string_value(json_object_get(json_array_get(sessions, 0), "peer")), "a");
	assert_int_equal(json_array_size(json_object_get(json_array_get(sessions, 0), "lanes")), 2);
	json_decref(status);
	free(text);
	assert_int_equal(xfer_ping(f.owner.address, 5, 5000, count_pings, &pings), 0);
	assert_int_equal(pings, 5);
	tear_down(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_credentials_and_results),
		cmocka_unit_test(test_many_groups),
		cmocka_unit_test(test_readdir_in_parts),
		cmocka_unit_test(test_list_without_waiting),
		cmocka_unit_test(test_io_local),
		cmocka_unit_test(test_io_tcp),
		cmocka_unit_test(test_short_read_at_the_end),
		cmocka_unit_test(test_invalid_io),
		cmocka_unit_test(test_many_at_once_out_of_order),
		cmocka_unit_test(test_uneven_lengths_at_once),
		cmocka_unit_test(test_more_calls_than_slots),
		cmocka_unit_test(test_a_volume_leaves_slots),
		cmocka_unit_test(test_flow_control),
		cmocka_unit_test(test_small_calls_pass),
		cmocka_unit_test(test_waiting_is_bounded),
		cmocka_unit_test(test_verifiers_only_go_on),
		cmocka_unit_test(test_write_under_an_old_verifier),
		cmocka_unit_test(test_refusals_name_the_cause),
		cmocka_unit_test(test_nobody_listens),
		cmocka_unit_test(test_status_and_ping),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
