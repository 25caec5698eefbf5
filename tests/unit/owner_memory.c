/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* owner_memory.c -- sessions that share memory with an owner, and peers that pretend to */

#include "support/owner/fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/layout.h"
#include "counters.h"
#include "session.h"
#include "support/raw.h"

/* Of the fixture's session, for WRITE. */
#define SESSION_BYTES                                                                              \
	(FIXTURE_SMALL_SLOTS * (UINT64_C(16) << 10) + FIXTURE_LARGE_SLOTS * (UINT64_C(1) << 20))

/* What it asks for at first, a quarter of its small slots and half of its large ones: two slots of 16 KiB and one of 1 MiB of each of two lanes. */
#define CHUNK_BYTES (UINT64_C(2) * ((2 * 16 << 10) + (1 << 20)))
/* Of both ends: the chunks for WRITE, and the memory for READ. */
#define MAPPINGS (2 * (4 + 1))

static const struct xfer_path_volume any_volume;
static uint8_t data[XFER_IO_MAX], back[XFER_IO_MAX];

/* Of the data path that the owner has made last. */
static struct xfer_hostpath_params made;
static struct xfer_hostpath *made_path;

/* Paths that the owner has; and how many there were when the first thread of its lanes went. */
static _Atomic unsigned paths, outlived;
static _Atomic bool slow; /* giving one up takes time */

int __real_xfer_hostpath_create(
	const struct xfer_hostpath_params *params, struct xfer_hostpath **path);
int __wrap_xfer_hostpath_create(
	const struct xfer_hostpath_params *params, struct xfer_hostpath **path);

int __wrap_xfer_hostpath_create(
	const struct xfer_hostpath_params *params, struct xfer_hostpath **path)
{
	int err = __real_xfer_hostpath_create(params, path);

	made = *params;
	made_path = err ? NULL : *path;
	paths += err == 0;
	return err;
}

void __real_xfer_hostpath_free(struct xfer_hostpath *path);
void __wrap_xfer_hostpath_free(struct xfer_hostpath *path);
void __real_xfer_lane_destroy(struct xfer_lane *lane);
void __wrap_xfer_lane_destroy(struct xfer_lane *lane);

void __wrap_xfer_hostpath_free(struct xfer_hostpath *path)
{
	if (slow)
		usleep(200000);
	__real_xfer_hostpath_free(path);
	paths--;
}

void __wrap_xfer_lane_destroy(struct xfer_lane *lane)
{
	outlived += paths;
	__real_xfer_lane_destroy(lane);
}

static uint64_t count(enum xfer_counter counter)
{
	return atomic_load(&xfer_counters[counter]);
}

/* How much sessions have. */
static uint64_t granted(void)
{
	uint64_t bytes;

	pthread_mutex_lock(&f.service.memory.lock);
	bytes = f.service.memory.quota.granted;
	pthread_mutex_unlock(&f.service.memory.lock);
	return bytes;
}

static bool comes_to(uint64_t bytes)
{
	for (int i = 0; i < 2000 && granted() != bytes; i++)
		usleep(5000);
	return granted() == bytes;
}

/* Bytes of WRITE slots that a session has. */
static uint64_t has(struct xfer_session *session)
{
	json_t *status = xfer_session_status(session), *size;
	uint64_t bytes = 0;
	size_t i;

	json_array_foreach (json_object_get(json_object_get(status, "path"), "sizes"), i, size)
		if (strcmp(json_string_value(json_object_get(size, "direction")), "write") == 0)
			bytes += (uint64_t)(json_integer_value(json_object_get(size, "slots")) *
					    json_integer_value(json_object_get(size, "slot_size")));
	json_decref(status);
	return bytes;
}

static bool session_comes_to(struct xfer_session *session, uint64_t bytes)
{
	for (int i = 0; i < 4000 && has(session) != bytes; i++)
		usleep(5000);
	return has(session) == bytes;
}

/* Shared memory that this process has mapped, of both ends. */
static unsigned mappings(void)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	unsigned number = 0;
	char line[512];

	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps))
		number += strstr(line, "memfd:rdmaxfer") != NULL;
	fclose(maps);
	return number;
}

/* Both ends make and give back in their own time: it may be that many in passing. */
static bool maps_come_to(unsigned number)
{
	unsigned looks = 0;

	for (int i = 0; i < 2000 && looks < 4; i++) {
		usleep(5000);
		looks = mappings() == number ? looks + 1 : 0;
	}
	return looks == 4;
}

static int set_up(void **state)
{
	fixture_setup(state);
	/* A session is up before it has memory. */
	assert_true(session_comes_to(f.session, SESSION_BYTES));
	return 0;
}

static void check_io(const struct xfer_handle *handle, size_t length, uint8_t seed)
{
	struct waited waited = { .io = { .stability = XFER_UNSTABLE } };

	for (size_t i = 0; i < length; i++)
		data[i] = (uint8_t)(seed + i * 13 + i / 251);
	memset(back, 0, length);
	assert_int_equal(run_io(&waited, true, &root_cred, handle, data, length), 0);
	assert_int_equal(waited.io.count, length);
	assert_int_equal(run_io(&waited, false, &root_cred, handle, back, length), 0);
	assert_int_equal(waited.io.count, length);
	assert_memory_equal(back, data, length);
}

/* --- sessions ----------------------------------------------------------------------------------- */

static void test_data_travels_in_slots(void **state)
{
	static const size_t lengths[] = { 513, 4096, 16384, 16385, XFER_IO_MAX };
	uint64_t writes = count(XFER_CNT_SLOT_WRITES), reads = count(XFER_CNT_SLOT_READS);
	uint64_t small = atomic_load(&xfer_inline_counters[XFER_CAUSE_SMALL]);
	struct xfer_node file;

	(void)state;
	put_file("x", "", 0, 0, 0644);
	file = find("x");
	for (unsigned i = 0; i < 5; i++)
		check_io(&file.handle, lengths[i], (uint8_t)i);
	assert_int_equal(count(XFER_CNT_SLOT_WRITES), writes + 5);
	assert_int_equal(count(XFER_CNT_SLOT_READS), reads + 5);
	check_io(&file.handle, 512, 9);
	assert_int_equal(count(XFER_CNT_SLOT_WRITES), writes + 5);
	assert_int_equal(atomic_load(&xfer_inline_counters[XFER_CAUSE_SMALL]), small + 2);
	assert_int_equal(granted(), SESSION_BYTES);
	assert_true(maps_come_to(MAPPINGS));
	xfer_session_close(f.session);
	f.session = NULL;
	assert_true(comes_to(0));
	assert_true(maps_come_to(0));
}

/* Its transport has told so, as often as it likes; shared memory never does. */
static void test_a_lost_path_is_taken(void **state)
{
	uint64_t taken = count(XFER_CNT_PATHS_TAKEN);
	struct xfer_node file;

	(void)state;
	put_file("x", "", 0, 0, 0644);
	file = find("x");
	/* As a transport does, which isn't freed while it tells. */
	xfer_hostpath_ref(made_path);
	for (unsigned i = 0; i < 3; i++)
		made.lost(made.arg, "the cable is out");
	xfer_hostpath_unref(made_path);
	for (int i = 0; i < 2000 && has(f.session) != 0; i++)
		usleep(1000);
	assert_int_equal(has(f.session), 0);
	assert_int_equal(count(XFER_CNT_PATHS_TAKEN), taken + 1);
	check_io(&file.handle, 65536, 1);
	/* Another one comes, and the connections have stayed. */
	assert_true(session_comes_to(f.session, SESSION_BYTES));
	assert_int_equal(granted(), SESSION_BYTES);
	check_io(&file.handle, 65536, 2);
	assert_int_equal(f.session->epoch, 1);
}

/* Queue pairs are unwatched by the threads of their lanes, so those stay until the last path is freed. */
static void test_paths_go_before_the_lanes(void **state)
{
	(void)state;
	assert_int_equal(paths, 1);
	outlived = 0;
	slow = true;
	fixture_stop();
	slow = false;
	fixture_serve();
	assert_int_equal(outlived, 0);
}

/* Errors leave no slot behind. */
static void test_errors_give_slots_back(void **state)
{
	struct waited waited = { .io = { 0 } };
	struct xfer_node file;
	json_t *status, *size;
	size_t i;

	(void)state;
	put_file("x", "text", 0, 0, 0600);
	file = find("x");
	for (int n = 0; n < 300; n++) {
		assert_int_equal(
			run_io(&waited, true, &user_cred, &file.handle, data, 4096), -EACCES);
		assert_int_equal(
			run_io(&waited, false, &user_cred, &file.handle, data, 4096), -EACCES);
	}
	status = xfer_session_status(f.session);
	json_array_foreach (json_object_get(json_object_get(status, "path"), "sizes"), i, size)
		assert_int_equal(json_integer_value(
					 json_object_get(json_object_get(size, "states"), "free")),
			json_integer_value(json_object_get(size, "slots")));
	assert_int_equal(i, 8);
	json_decref(status);
}

/* Until it is answered. Sessions don't live for long here, so what was under way may be nobody's. */
static void insist(bool write, struct waited *waited, const struct xfer_handle *handle,
	uint8_t *bytes, size_t length)
{
	int err;

	do
		err = run_io(waited, write, &root_cred, handle, bytes, length);
	while (err == -EAGAIN || err == -EREMOTEIO);
	assert_int_equal(err, 0);
}

static struct xfer_handle worked_on;

/* Writes and reads one block over and over, whatever happens to the session. */
static void *work(void *arg)
{
	unsigned number = (unsigned)(uintptr_t)arg;
	size_t length = 4096u << number % 5;
	uint8_t *out = malloc(length), *in = malloc(length);

	for (int i = 0; i < 1000; i++) {
		struct waited waited = { .io = { .offset = number * UINT64_C(65536),
						 .stability = XFER_UNSTABLE } };

		memset(out, (int)(number * 31 + (unsigned)i), length);
		insist(true, &waited, &worked_on, out, length);
		insist(false, &waited, &worked_on, in, length);
		assert_memory_equal(in, out, length);
	}
	free(out);
	free(in);
	return NULL;
}

static void test_connections_end_meanwhile(void **state)
{
	pthread_t threads[6];

	(void)state;
	put_file("x", "", 0, 0, 0644);
	/* Before the first cut: who looks names up is told of it. */
	worked_on = find("x").handle;
	for (uintptr_t i = 0; i < 6; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, work, (void *)i), 0);
	for (int i = 0; i < 6; i++) {
		usleep(150 * 1000);
		xfer_session_close_lanes(f.session, -ECONNRESET, "the test cuts it");
	}
	for (int i = 0; i < 6; i++)
		pthread_join(threads[i], NULL);
	assert_true(comes_to(SESSION_BYTES));
	assert_true(maps_come_to(MAPPINGS));
}

/* --- little memory ------------------------------------------------------------------------------ */

static void serve_with(const struct memory_params *params)
{
	fixture_setup_owner(NULL);
	memory_fini(&f.service.memory);
	assert_int_equal(memory_init(&f.service.memory, params), 0);
}

static int set_up_with(uint64_t total, uint64_t session)
{
	const struct memory_params params = { .total = total, .session = session };

	serve_with(&params);
	fixture_ask();
	return 0;
}

static int set_up_little(void **state)
{
	(void)state;
	set_up_with(3 << 20, 16 << 20);
	assert_true(session_comes_to(f.session, CHUNK_BYTES));
	return 0;
}

/* Not even one of the chunks that a session asks for. */
static int set_up_crumbs(void **state)
{
	(void)state;
	set_up_with(CHUNK_BYTES - 1, 16 << 20);
	assert_true(session_comes_to(f.session, CHUNK_BYTES - (2 * 16 << 10)));
	return 0;
}

static int set_up_none(void **state)
{
	(void)state;
	return set_up_with(0, 0);
}

static void test_less_is_granted(void **state)
{
	uint64_t writes = count(XFER_CNT_SLOT_WRITES);
	struct xfer_node file;

	(void)state;
	put_file("x", "", 0, 0, 0644);
	file = find("x");
	check_io(&file.handle, XFER_IO_MAX, 1);
	assert_int_equal(count(XFER_CNT_SLOT_WRITES), writes + 1);
}

/* --- memory that moves -------------------------------------------------------------------------- */

static struct xfer_session *second;

#define WORKERS 6 /* of a session: more than it has large slots of a lane */

/* A session that writes and reads files of its own, until it is told to end. */
struct worker {
	pthread_t threads[WORKERS];
	struct xfer_session *session;
	struct xfer_handle handle;
	_Atomic unsigned next, rounds;
	_Atomic bool ending;
	_Atomic int err;          /* of an operation that should not have failed */
	_Atomic unsigned mangled; /* READs that brought something else than what was written */
};

static bool transfer(
	struct worker *worker, bool write, uint64_t offset, uint8_t *bytes, size_t length)
{
	struct waited waited = {
		.io = { .session = worker->session, .offset = offset, .stability = XFER_UNSTABLE }
	};
	int err = run_io_of(&waited, write, &root_cred, &worker->handle, bytes, length);

	if (err == 0 && waited.io.count != length)
		err = -ENODATA;
	if (err)
		worker->err = err;
	return err == 0;
}

static void *work_on(void *arg)
{
	struct worker *worker = arg;
	uint8_t *out = malloc(XFER_IO_MAX), *in = malloc(XFER_IO_MAX);
	unsigned number = worker->next++;
	uint64_t offset = number * (uint64_t)XFER_IO_MAX;

	for (unsigned i = 0; !worker->ending && worker->err == 0; i++) {
		size_t length = i % 3 ? 16384 : XFER_IO_MAX;

		memset(out, (int)(number * 41 + i), length);
		if (!transfer(worker, true, offset, out, length) ||
			!transfer(worker, false, offset, in, length))
			break;
		worker->mangled += memcmp(in, out, length) != 0;
		worker->rounds++;
	}
	free(out);
	free(in);
	return NULL;
}

static void start_working(struct worker *worker, struct xfer_session *session, const char *name)
{
	put_file(name, "", 0, 0, 0644);
	*worker = (struct worker){ .session = session, .handle = find(name).handle };
	for (unsigned i = 0; i < WORKERS; i++)
		assert_int_equal(pthread_create(&worker->threads[i], NULL, work_on, worker), 0);
}

static void stop_working(struct worker *worker)
{
	worker->ending = true;
	for (unsigned i = 0; i < WORKERS; i++)
		pthread_join(worker->threads[i], NULL);
	assert_int_equal(worker->err, 0);
	assert_int_equal(worker->mangled, 0);
	assert_true(worker->rounds > 0);
}

/* The first one has all that there is when the second one comes. */
static void begin_first(unsigned idle_ms, unsigned return_ms)
{
	const struct memory_params params = { .total = SESSION_BYTES,
		.session = 16 << 20,
		.idle_ms = idle_ms,
		.return_ms = return_ms };

	serve_with(&params);
	fixture_ask();
	assert_true(session_comes_to(f.session, SESSION_BYTES));
	second = NULL;
}

static int end_two(void **state)
{
	if (second)
		xfer_session_close(second);
	return fixture_teardown(state);
}

static int set_up_two(void **state)
{
	(void)state;
	begin_first(0, 0);
	return 0;
}

static int set_up_idle(void **state)
{
	(void)state;
	begin_first(300, 0);
	return 0;
}

static int set_up_overdue(void **state)
{
	(void)state;
	begin_first(0, 300);
	return 0;
}

/* The one that has more than its share gives of it, while both go on. */
static void test_a_later_session_gets_its_share(void **state)
{
	uint64_t retired = count(XFER_CNT_CHUNKS_RETIRED), taken = count(XFER_CNT_PATHS_TAKEN);
	struct worker one, other;

	(void)state;
	start_working(&one, f.session, "x");
	second = open_session();
	start_working(&other, second, "y");
	assert_true(session_comes_to(second, CHUNK_BYTES));
	assert_true(has(f.session) <= SESSION_BYTES - CHUNK_BYTES);
	stop_working(&one);
	stop_working(&other);
	assert_true(count(XFER_CNT_CHUNKS_RETIRED) > retired);
	assert_int_equal(count(XFER_CNT_PATHS_TAKEN), taken);
	/* Nobody's data path had to be begun anew. */
	assert_int_equal(f.session->path_epoch, 1);
	assert_int_equal(second->path_epoch, 1);
}

/* The one that does nothing gives all of it, and gets some again when it has something to do. */
static void test_an_idle_session_gives_all(void **state)
{
	struct worker one, other;

	(void)state;
	second = open_session();
	start_working(&other, second, "y");
	assert_true(session_comes_to(second, SESSION_BYTES));
	assert_int_equal(has(f.session), 0);
	start_working(&one, f.session, "x");
	assert_true(session_comes_to(f.session, CHUNK_BYTES));
	stop_working(&one);
	stop_working(&other);
	assert_int_equal(f.session->path_epoch, 1);
}

/* One that can't give back, because somebody uses a slot: both ends drop to inline, then begin a data path anew. */
static void test_an_overdue_session_loses_its_path(void **state)
{
	uint64_t taken = count(XFER_CNT_PATHS_TAKEN);
	struct xfer_placement held[32];
	struct iovec iov = { data, 16384 };
	struct xfer_datapath *path = f.session->path;
	struct worker one, other;
	unsigned n = 0;

	(void)state;
	xfer_datapath_ref(path);
	for (uint32_t lane = 0; lane < 2; lane++)
		while (xfer_datapath_write(path, &any_volume, lane, &iov, 1, 16384, &held[n]) ==
			XFER_CAUSE_NONE)
			n++;
	assert_true(n > 8);
	start_working(&one, f.session, "x");
	second = open_session();
	start_working(&other, second, "y");
	for (int i = 0; i < 4000 && count(XFER_CNT_PATHS_TAKEN) == taken; i++)
		usleep(5000);
	assert_int_equal(count(XFER_CNT_PATHS_TAKEN), taken + 1);
	assert_true(session_comes_to(second, CHUNK_BYTES));
	assert_true(session_comes_to(f.session, CHUNK_BYTES));
	assert_true(f.session->path != path);
	stop_working(&one);
	stop_working(&other);
	while (n-- > 0)
		assert_int_equal(xfer_datapath_written(path, &held[n], &held[n].slot), 0);
	xfer_datapath_unref(path);
	assert_true(xfer_session_is_up(f.session));
	assert_int_equal(f.session->epoch, 1);
}

static void test_none_is_shared(void **state)
{
	uint64_t writes = count(XFER_CNT_SLOT_WRITES), reads = count(XFER_CNT_SLOT_READS);
	struct xfer_node file;

	(void)state;
	put_file("x", "", 0, 0, 0644);
	file = find("x");
	check_io(&file.handle, XFER_IO_MAX, 1);
	assert_int_equal(count(XFER_CNT_SLOT_WRITES), writes);
	assert_int_equal(count(XFER_CNT_SLOT_READS), reads);
	assert_true(maps_come_to(0));
}

/* --- what a node's entry says -------------------------------------------------------------------- */

static _Atomic unsigned refusals; /* for what `nodes` says, as the log has it */

static void count_refusals(enum xfer_log_level level, const char *message)
{
	(void)level;
	if (strncmp(message, "node c gets no data path over ", 30) == 0 &&
		strstr(message, " from this owner: its entry in nodes says path = \""))
		atomic_fetch_add(&refusals, 1);
}

/* Of all nodes, before anybody asks: a setup doesn't change. */
static void serve_pinned(enum xfer_path_wish path)
{
	fixture_setup_owner(NULL);
	pthread_mutex_lock(&f.service.setup_lock);
	for (unsigned i = 0; i < f.config->nnodes; i++)
		f.config->nodes[i].path = path;
	pthread_mutex_unlock(&f.service.setup_lock);
}

static int set_up_pinned_inline(void **state)
{
	(void)state;
	serve_pinned(XFER_WISH_INLINE);
	return 0;
}

static int set_up_pinned_verbs(void **state)
{
	(void)state;
	serve_pinned(XFER_WISH_VERBS);
	return 0;
}

static int set_up_pinned_shm(void **state)
{
	(void)state;
	serve_pinned(XFER_WISH_SHM);
	return 0;
}

/* With a session, to which it is refused. */
static int set_up_pinned_session(void **state)
{
	(void)state;
	serve_pinned(XFER_WISH_VERBS);
	fixture_ask();
	return 0;
}

/* --- peers that pretend ------------------------------------------------------------------------- */

static int join_as(const char *node, uint8_t boot)
{
	char address[128];
	int fd;

	snprintf(address, sizeof(address), "unix:%s/l", f.dir);
	fd = connect_raw_to(address);
	hello_as(fd, node, boot, 0);
	return fd;
}

static int join(uint8_t boot)
{
	return join_as("c", boot);
}

/* SHARE with a descriptor, or (-1) without. */
static void send_share(int fd, const struct xfer_share_args *share_args, int memory)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	union xfer_args args = { .share = *share_args };
	uint8_t record[4 + XFER_CALL_HEAD];
	uint32_t len = call_head(record + 4, XFER_PROC_SHARE, &args);
	struct iovec iov = { record, 4 + len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	xfer_mark_put(record, len, true);
	if (memory >= 0) {
		struct cmsghdr *header;

		msg.msg_control = control.bytes;
		msg.msg_controllen = sizeof(control.bytes);
		header = CMSG_FIRSTHDR(&msg);
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(header), &memory, sizeof(memory));
	}
	assert_int_equal(sendmsg(fd, &msg, 0), 4 + len);
}

static uint32_t share(int fd, const struct xfer_share_args *args, int memory)
{
	send_share(fd, args, memory);
	return expect_reply(fd, RAW_XID);
}

static void send_grow(int fd, const struct xfer_grow_args *args)
{
	union xfer_args grow = { .grow = *args };

	send_call(fd, RAW_XID, XFER_PROC_GROW, &grow, 0, 0);
}

static uint32_t grow(int fd, const struct xfer_grow_args *args)
{
	send_grow(fd, args);
	return expect_reply(fd, RAW_XID);
}

/* The connection is closed, whatever was answered before. */
static void expect_end(int fd)
{
	struct pollfd readable = { .fd = fd, .events = POLLIN };
	uint8_t bytes[512];

	do
		assert_int_equal(poll(&readable, 1, 10000), 1);
	while (recv(fd, bytes, sizeof(bytes), 0) > 0);
}

static int memory_of(off_t bytes, int seals)
{
	int fd = memfd_create("pretended", MFD_ALLOW_SEALING);

	assert_true(fd >= 0);
	assert_int_equal(fallocate(fd, 0, 0, bytes), 0);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
	return fd;
}

static void test_bad_offers(void **state)
{
	const int seals = F_SEAL_SHRINK | F_SEAL_GROW;
	struct xfer_share_args args = { .epoch = 1, .lanes = 1, .read = { 1, { { 4096, 4 } } } };
	struct xfer_grow_args more = { 1, { 1, { { 4096, 4 } } } }, much = more;
	int fd = join(3), good = memory_of(4 * 4096, seals), small = memory_of(4096, seals),
	    loose = memory_of(4 * 4096, F_SEAL_GROW);
	struct xfer_share_args odd = args;

	(void)state;
	assert_int_equal(share(fd, &args, -1), EINVAL);
	assert_int_equal(share(fd, &args, small), EINVAL);
	assert_int_equal(share(fd, &args, loose), EINVAL);
	odd.lanes = 0;
	assert_int_equal(share(fd, &odd, good), EINVAL);
	odd.lanes = UINT32_MAX;
	assert_int_equal(share(fd, &odd, good), EINVAL);
	odd = args;
	odd.epoch = 0;
	assert_int_equal(share(fd, &odd, good), EINVAL);
	odd = args;
	odd.read.classes[0].slots = 65536; /* more than session_memory */
	assert_int_equal(share(fd, &odd, good), EFBIG);
	odd.read.classes[0].slot_size = 1;
	assert_int_equal(share(fd, &odd, good), EINVAL);
	assert_int_equal(grow(fd, &more), ENOTCONN);
	assert_int_equal(share(fd, &args, good), XFER_ST_OK);
	/* What can't be granted isn't. */
	much.layout.classes[0] = (struct xfer_slot_class){ UINT32_MAX & ~4095u, 65536 };
	assert_int_equal(grow(fd, &much), ENOSPC);
	much.layout.classes[0] = (struct xfer_slot_class){ 4097, 1 };
	assert_int_equal(grow(fd, &much), ENOSPC);
	much.layout.nclasses = 0;
	assert_int_equal(grow(fd, &much), ENOSPC);
	more.epoch++;
	assert_int_equal(grow(fd, &more), ENOTCONN);
	assert_int_equal(granted(), 0);
	args.epoch++;
	assert_int_equal(share(fd, &args, memory_of(4 * 4096, seals)), XFER_ST_OK);
	assert_int_equal(grow(fd, &more), XFER_ST_OK);
	assert_true(comes_to(4 * 4096));
	/* Once more: an epoch that was, and then another one, for which the first one is given up. */
	assert_int_equal(share(fd, &args, memory_of(4 * 4096, seals)), EINVAL);
	args.epoch++;
	assert_int_equal(share(fd, &args, memory_of(4 * 4096, seals)), XFER_ST_OK);
	assert_true(comes_to(0));
	close(fd);
	assert_true(comes_to(0));
	close(good);
	close(small);
	close(loose);
}

/* The memory for WRITE that came along with the answer to GROW. */
static int take_memory(int fd)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	uint8_t byte;
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes) };
	struct pollfd readable = { .fd = fd, .events = POLLIN };
	int memory;

	assert_int_equal(poll(&readable, 1, 10000), 1);
	assert_int_equal(recvmsg(fd, &msg, MSG_PEEK), 1);
	assert_non_null(CMSG_FIRSTHDR(&msg));
	memcpy(&memory, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(memory));
	return memory;
}

/* A peer with a chunk of four slots of 4 KiB, that has mapped them. */
struct pretender {
	int fd;
	uint8_t *slots;
	struct xfer_handle file;
	uint32_t sequence;
	_Atomic bool ending;
};

static void pretend_with(struct pretender *pretender, uint8_t boot)
{
	struct xfer_share_args args = { .epoch = 1, .lanes = 1, .read = { 1, { { 4096, 4 } } } };
	struct xfer_grow_args more = { 1, { 1, { { 4096, 4 } } } };
	int ours = memory_of(4 * 4096, F_SEAL_SHRINK | F_SEAL_GROW), theirs;

	pretender->fd = join(boot);
	assert_int_equal(share(pretender->fd, &args, ours), XFER_ST_OK);
	send_grow(pretender->fd, &more);
	theirs = take_memory(pretender->fd);
	assert_int_equal(expect_reply(pretender->fd, RAW_XID), XFER_ST_OK);
	pretender->slots = mmap(NULL, 4 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, theirs, 0);
	assert_ptr_not_equal(pretender->slots, MAP_FAILED);
	close(ours);
	close(theirs);
	pretender->sequence = 0;
}

static void pretend(struct pretender *pretender, uint8_t boot)
{
	pretender->file = find("x").handle;
	pretend_with(pretender, boot);
}

static void leave(struct pretender *pretender)
{
	munmap(pretender->slots, 4 * 4096);
	close(pretender->fd);
}

/* Of slot 0's bytes, as the n-th use of it. */
static void send_write(
	struct pretender *pretender, const struct xfer_slot_ref *slot, uint32_t length)
{
	union xfer_args args = { .write = {
					 .handle = pretender->file,
					 .payload = { .kind = XFER_PAYLOAD_SLOT,
						 .length = length,
						 .slot = *slot },
				 } };

	send_call(pretender->fd, RAW_XID, XFER_PROC_WRITE, &args, 0, ++pretender->sequence);
}

static void *scribble(void *arg)
{
	struct pretender *pretender = arg;

	for (uint8_t n = 0; !pretender->ending; n++)
		memset(pretender->slots, n, 4096);
	return NULL;
}

static void test_scribbling_harms_nobody_else(void **state)
{
	struct xfer_slot_ref slot = { .name = { .epoch = 1 } };
	struct pretender pretender = { 0 };
	struct xfer_node own;
	pthread_t thread;

	(void)state;
	put_file("x", "", 0, 0, 0666);
	put_file("y", "", 0, 0, 0644);
	own = find("y");
	pretend(&pretender, 4);
	assert_int_equal(pthread_create(&thread, NULL, scribble, &pretender), 0);
	for (slot.name.generation = 1; slot.name.generation <= 300; slot.name.generation++) {
		send_write(&pretender, &slot, 4096);
		assert_int_equal(expect_reply(pretender.fd, RAW_XID), XFER_ST_OK);
		check_io(&own.handle, 4096, (uint8_t)slot.name.generation);
	}
	pretender.ending = true;
	pthread_join(thread, NULL);
	leave(&pretender);
}

static void test_wrong_names_cost_their_peer(void **state)
{
	static const struct {
		struct xfer_slot_ref slot;
		uint32_t length;
	} wrong[] = {
		{ { 1, { 1, 1, 0 } }, 4096 }, /* another lane */
		{ { UINT16_MAX, { 1, 1, 0 } }, 4096 }, { { 0, { 1, 1, 4 } }, 4096 }, /* no slot */
		{ { 0, { 1, 1, UINT16_MAX } }, 4096 },
		{ { 0, { 2, 1, 0 } }, 4096 }, /* an epoch to come */
		{ { 0, { 1, 1, 0 } }, 4097 }, /* more than there is room for */
	};
	struct xfer_slot_ref slot = { .name = { .epoch = 1, .generation = 1 } };
	struct pretender pretender = { 0 };
	struct xfer_node own;

	(void)state;
	put_file("x", "", 0, 0, 0666);
	put_file("y", "", 0, 0, 0644);
	own = find("y");
	for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		pretend(&pretender, (uint8_t)(10 + i));
		send_write(&pretender, &wrong[i].slot, wrong[i].length);
		expect_end(pretender.fd);
		leave(&pretender);
		check_io(&own.handle, 4096, (uint8_t)i);
	}
	/* A name that was used already. */
	pretend(&pretender, 30);
	send_write(&pretender, &slot, 4096);
	assert_int_equal(expect_reply(pretender.fd, RAW_XID), XFER_ST_OK);
	send_write(&pretender, &slot, 4096);
	expect_end(pretender.fd);
	leave(&pretender);
	/* An epoch that is over is nobody's fault. */
	pretend(&pretender, 31);
	slot.name.epoch = UINT32_MAX;
	send_write(&pretender, &slot, 4096);
	assert_int_equal(expect_reply(pretender.fd, RAW_XID), XFER_ST_RESEND_INLINE);
	leave(&pretender);
	check_io(&own.handle, 4096, 99);
}

static void send_retire(struct pretender *pretender, uint32_t xid, uint32_t returned)
{
	union xfer_args args = { .retire = { 1, returned } };

	send_call(pretender->fd, xid, XFER_PROC_RETIRE, &args, 0, 0);
}

/* The status; *chunk: what is to be returned. */
static uint32_t expect_retire(struct pretender *pretender, uint32_t xid, uint32_t *chunk)
{
	uint32_t words[16];

	assert_int_equal(recv_reply(pretender->fd, words, 16), 8);
	assert_int_equal(words[0], xid);
	*chunk = words[7];
	return words[6];
}

/* There is just that one chunk. */
static void serve_one_chunk(unsigned return_ms)
{
	const struct memory_params params = {
		.total = 4 * 4096, .session = 16 << 20, .return_ms = return_ms
	};

	serve_with(&params);
}

static int set_up_coveted(void **state)
{
	(void)state;
	serve_one_chunk(0);
	return 0;
}

static int set_up_impatient(void **state)
{
	(void)state;
	serve_one_chunk(300);
	return 0;
}

/* SHARE of each kind; how often the log has a refusal for what `nodes` says. */
static unsigned share_pinned(uint32_t memory_status, uint32_t verbs_status)
{
	struct xfer_share_args args = { .epoch = 1, .lanes = 1, .read = { 1, { { 4096, 4 } } } };
	struct xfer_share_args verbs = { .kind = XFER_SHARE_VERBS,
		.epoch = 2,
		.lanes = 1,
		.read = args.read,
		.write = args.read };
	int fd = join(3), memory = memory_of(4 * 4096, F_SEAL_SHRINK | F_SEAL_GROW);

	atomic_store(&refusals, 0);
	xfer_log_set_sink(count_refusals);
	assert_int_equal(share(fd, &args, memory), memory_status);
	assert_int_equal(share(fd, &verbs, -1), verbs_status);
	xfer_log_set_sink(NULL);
	close(memory);
	close(fd);
	return atomic_load(&refusals);
}

/* Of either kind it is said once. */
static void test_a_node_is_pinned_inline(void **state)
{
	(void)state;
	assert_int_equal(share_pinned(EOPNOTSUPP, EOPNOTSUPP), 1);
	assert_int_equal(granted(), 0);
}

/* What it asks for over queue pairs is looked at, and can't be. */
static void test_a_node_is_pinned_to_verbs(void **state)
{
	(void)state;
	assert_int_equal(share_pinned(EOPNOTSUPP, EINVAL), 1);
}

static void test_a_node_is_pinned_to_shm(void **state)
{
	(void)state;
	assert_int_equal(share_pinned(XFER_ST_OK, EOPNOTSUPP), 1);
}

/* A session that would like to have some. */
static void covet(int fd)
{
	struct xfer_share_args args = { .epoch = 1, .lanes = 1, .read = { 1, { { 4096, 4 } } } };
	struct xfer_grow_args more = { 1, { 1, { { 4096, 2 } } } };
	int memory = memory_of(4 * 4096, F_SEAL_SHRINK | F_SEAL_GROW);

	assert_int_equal(share(fd, &args, memory), XFER_ST_OK);
	close(memory);
	assert_int_equal(grow(fd, &more), ENOSPC);
}

/* What was returned is somebody else's; what wasn't asked for can't be returned. */
static void test_a_chunk_is_returned(void **state)
{
	struct xfer_grow_args more = { 1, { 1, { { 4096, 2 } } } };
	struct pretender pretender = { 0 };
	int other;
	uint32_t chunk;

	(void)state;
	pretend_with(&pretender, 4);
	send_retire(&pretender, 1, 1);
	assert_int_equal(expect_retire(&pretender, 1, &chunk), EINVAL);
	/* The first one is answered when a second one comes. */
	send_retire(&pretender, 2, 0);
	send_retire(&pretender, 3, 0);
	assert_int_equal(expect_retire(&pretender, 2, &chunk), XFER_ST_OK);
	assert_int_equal(chunk, 0);
	other = join_as("a", 9);
	covet(other);
	assert_int_equal(expect_retire(&pretender, 3, &chunk), XFER_ST_OK);
	assert_int_equal(chunk, 1);
	send_retire(&pretender, 4, 2);
	assert_int_equal(expect_retire(&pretender, 4, &chunk), EINVAL);
	send_retire(&pretender, 5, 1);
	assert_true(comes_to(0));
	assert_int_equal(grow(other, &more), XFER_ST_OK);
	assert_int_equal(granted(), 2 * 4096);
	close(other);
	leave(&pretender);
}

/* Who doesn't return anything loses all of it, and may ask again. */
static void test_a_chunk_is_taken(void **state)
{
	uint64_t taken = count(XFER_CNT_PATHS_TAKEN);
	struct xfer_grow_args more = { 1, { 1, { { 4096, 2 } } } };
	struct pretender pretender = { 0 };
	uint32_t chunk;
	int other;

	(void)state;
	pretend_with(&pretender, 4);
	send_retire(&pretender, 1, 0);
	other = join_as("a", 9);
	covet(other);
	assert_int_equal(expect_retire(&pretender, 1, &chunk), XFER_ST_OK);
	send_retire(&pretender, 2, 0);
	assert_int_equal(expect_retire(&pretender, 2, &chunk), ENOTCONN);
	assert_int_equal(count(XFER_CNT_PATHS_TAKEN), taken + 1);
	assert_true(comes_to(0));
	send_retire(&pretender, 3, 1);
	assert_int_equal(expect_retire(&pretender, 3, &chunk), ENOTCONN);
	assert_int_equal(grow(pretender.fd, &more), ENOTCONN);
	assert_int_equal(grow(other, &more), XFER_ST_OK);
	close(other);
	leave(&pretender);
}

static _Atomic bool writes_hang;
static _Atomic unsigned writes_begun;

static ssize_t hanging_write(
	int fd, const struct iovec *iov, int iovcnt, uint64_t offset, int flags)
{
	writes_begun++;
	while (writes_hang)
		usleep(1000);
	return store_posix.write(fd, iov, iovcnt, offset, flags);
}

static int set_up_hanging(void **state)
{
	static struct store_ops store;

	store = store_posix;
	store.write = hanging_write;
	writes_hang = true;
	writes_begun = 0;
	fixture_store = &store;
	set_up_coveted(state);
	fixture_store = &store_posix;
	return 0;
}

/* Who says that a chunk is returned while an operation still reads from it loses the data path; the memory stays. */
static void test_a_lie_costs_the_path(void **state)
{
	uint64_t taken = count(XFER_CNT_PATHS_TAKEN);
	struct xfer_slot_ref slot = { .name = { .epoch = 1, .generation = 1 } };
	struct pretender pretender = { 0 };
	char path[128], bytes[4096];
	uint32_t chunk;
	int other, file;

	(void)state;
	put_file("x", "", 0, 0, 0666);
	fixture_ask();
	pretender.file = find("x").handle;
	xfer_session_close(f.session);
	f.session = NULL;
	assert_true(comes_to(0));
	pretend_with(&pretender, 4);
	memset(pretender.slots, 'd', 4096);
	send_retire(&pretender, 1, 0);
	other = join_as("a", 9);
	covet(other);
	assert_int_equal(expect_retire(&pretender, 1, &chunk), XFER_ST_OK);
	send_write(&pretender, &slot, 4096);
	for (int i = 0; i < 2000 && writes_begun == 0; i++)
		usleep(5000);
	assert_int_equal(writes_begun, 1);
	send_retire(&pretender, 2, chunk);
	assert_int_equal(expect_retire(&pretender, 2, &chunk), ENOTCONN);
	assert_int_equal(count(XFER_CNT_PATHS_TAKEN), taken + 1);
	assert_int_equal(granted(), 4 * 4096);
	writes_hang = false;
	assert_int_equal(expect_reply(pretender.fd, RAW_XID), XFER_ST_OK);
	assert_true(comes_to(0));
	snprintf(path, sizeof(path), "%s/x", f.volume);
	file = open(path, O_RDONLY);
	assert_int_equal(read(file, bytes, sizeof(bytes)), sizeof(bytes));
	assert_memory_equal(bytes, pretender.slots, sizeof(bytes));
	close(file);
	close(other);
	leave(&pretender);
}

/* A flood of requests for memory costs the flooding peer's answers, and nobody else's. */
static void test_a_flood_of_requests(void **state)
{
	struct xfer_grow_args more = { 1, { 1, { { 4096, 1 } } } };
	struct pretender pretender = { 0 };
	unsigned refused = 0;
	struct xfer_node own;
	uint32_t status;

	(void)state;
	put_file("x", "", 0, 0, 0666);
	put_file("y", "", 0, 0, 0644);
	own = find("y");
	pretend(&pretender, 4);
	for (unsigned i = 0; i < 100; i++)
		send_grow(pretender.fd, &more);
	for (unsigned i = 0; i < 50; i++)
		send_retire(&pretender, RAW_XID, 0);
	check_io(&own.handle, XFER_IO_MAX, 1);
	for (unsigned i = 0; i < 149; i++) {
		status = expect_reply(pretender.fd, RAW_XID);
		refused += status == XFER_ST_DELAY || status == ENOSPC || status == EBUSY;
		assert_true(status == XFER_ST_OK || status == XFER_ST_DELAY || status == ENOSPC ||
			    status == EBUSY);
	}
	assert_true(refused > 0);
	check_io(&own.handle, XFER_IO_MAX, 2);
	leave(&pretender);
	assert_true(comes_to(SESSION_BYTES));
}

#define TEST(name, set_up) cmocka_unit_test_setup_teardown(name, set_up, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_data_travels_in_slots, set_up),
		TEST(test_a_lost_path_is_taken, set_up),
		TEST(test_paths_go_before_the_lanes, set_up),
		TEST(test_errors_give_slots_back, set_up),
		TEST(test_connections_end_meanwhile, set_up),
		TEST(test_less_is_granted, set_up_little),
		TEST(test_less_is_granted, set_up_crumbs),
		TEST(test_none_is_shared, set_up_none),
		TEST(test_a_node_is_pinned_inline, set_up_pinned_inline),
		TEST(test_a_node_is_pinned_to_verbs, set_up_pinned_verbs),
		TEST(test_a_node_is_pinned_to_shm, set_up_pinned_shm),
		TEST(test_none_is_shared, set_up_pinned_session),
		cmocka_unit_test_setup_teardown(
			test_a_later_session_gets_its_share, set_up_two, end_two),
		cmocka_unit_test_setup_teardown(
			test_an_idle_session_gives_all, set_up_idle, end_two),
		cmocka_unit_test_setup_teardown(
			test_an_overdue_session_loses_its_path, set_up_overdue, end_two),
		TEST(test_bad_offers, fixture_setup_owner),
		TEST(test_scribbling_harms_nobody_else, set_up),
		TEST(test_wrong_names_cost_their_peer, set_up),
		TEST(test_a_chunk_is_returned, set_up_coveted),
		TEST(test_a_chunk_is_taken, set_up_impatient),
		TEST(test_a_lie_costs_the_path, set_up_hanging),
		TEST(test_a_flood_of_requests, set_up),
	};

	if (!fixture_possible())
		return 77;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
