/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* owner_nth_call.c -- an owner and a point of contact from their beginning to their end, while the nth call fails */

#include <errno.h>
#include <ftw.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#include "clock.h"
#include "support/failing.h"
#include "support/owner/fixture.h"
#include "support/process.h"

#define RUN_SECONDS 30 /* one run that takes longer hangs */
#define UP_MS       5000
#define MEMORY_MS   50
#define TEXT        "0123456789abcdef"

static struct scenario {
	char dir[64], address[96];
	struct config *config;
	struct service service;
	struct xfer_server *server;
	struct xfer_context *context;
	struct xfer_session *session;
	struct xfer_handle root;
	unsigned failures; /* steps that have failed */
	char log[200];     /* what was said last */
} s;

static const char *const kinds[] = { "memory", "descriptors", "records", "files" };
static unsigned kind, nth; /* of the run */

/* --- what a step may end with ------------------------------------------------------------------ */

/* The name of what has failed, for who looks for the cause. */
static bool ok(const char *step, int err)
{
	if (err == 0)
		return true;
	assert_true(err < 0);
	s.failures++;
	if (getenv("XFER_VERBOSE"))
		printf("  %s: %s\n", step, strerror(-err));
	return false;
}

#define OK(call) ok(#call, (call))

static void keep_line(enum xfer_log_level level, const char *message)
{
	(void)level;
	snprintf(s.log, sizeof(s.log), "%s", message);
}

/* --- the owner --------------------------------------------------------------------------------- */

static void make_directories(void)
{
	static const char *const names[] = { "v", "state", "run" };
	char path[128];
	FILE *file;

	strcpy(s.dir, "/tmp/xfer-nth-XXXXXX");
	assert_non_null(mkdtemp(s.dir));
	for (unsigned i = 0; i < sizeof(names) / sizeof(*names); i++) {
		snprintf(path, sizeof(path), "%s/%s", s.dir, names[i]);
		assert_int_equal(mkdir(path, 0777), 0);
	}
	snprintf(s.address, sizeof(s.address), "unix:%s/l", s.dir);
	snprintf(path, sizeof(path), "%s/conf", s.dir);
	file = fopen(path, "w");
	assert_non_null(file);
	fprintf(file,
		"node = \"b\"; listen = ( \"%s\" ); state_dir = \"%s/state\"; run_dir = \"%s/run\";\n"
		"workers = 2; nodes = ( { name = \"a\"; uids = [ 0 ]; } );\n"
		"volumes = ( { name = \"v\"; path = \"%s/v\"; nodes = [ \"a\" ]; } );\n",
		s.address, s.dir, s.dir, s.dir);
	assert_int_equal(fclose(file), 0);
	xfer_handle_root(xfer_volume_id("v"), &s.root);
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

/* As main.c does it. */
static bool start_owner(void)
{
	struct xfer_server_params params = { .node = "b",
		.lanes = 2,
		.service = &s.service.ops,
		.owner = &s.service,
		.keep_ms = 300 };
	char path[128];

	snprintf(path, sizeof(path), "%s/conf", s.dir);
	if (!OK(config_load(path, &s.config)))
		return false;
	if (!OK(service_open_volumes(&s.service, s.config, &store_posix, 0))) {
		config_free(s.config);
		service_stop(&s.service);
		return false;
	}
	if (!OK(service_start(&s.service)) || !OK(xfer_server_create(&params, &s.server))) {
		service_stop(&s.service);
		return false;
	}
	recovery_begin(s.service.recovery);
	if (OK(xfer_server_listen(s.server, s.address)))
		return true;
	xfer_server_destroy(s.server);
	service_stop(&s.service);
	return false;
}

/* --- the point of contact ---------------------------------------------------------------------- */

/* Memory is shared behind everybody's back: what fails of that has failed by the end. */
static void await_memory(void)
{
	struct memory *memory = &s.service.memory;
	uint64_t granted = 0;

	for (int i = 0; i < MEMORY_MS && granted == 0; i++) {
		usleep(1000);
		pthread_mutex_lock(&memory->lock);
		granted = memory->quota.granted;
		pthread_mutex_unlock(&memory->lock);
	}
}

static bool start_session(void)
{
	char run_dir[96];
	struct xfer_context_params params = { .node = "a",
		.heartbeat_ms = 100,
		.small_slots = 2,
		.large_slots = 2,
		.run_dir = run_dir,
		.role = "nth" };
	uint64_t deadline = xfer_now_ns() + UP_MS * XFER_NS_PER_MS;

	snprintf(run_dir, sizeof(run_dir), "%s/run", s.dir);
	if (!OK(xfer_context_create(&params, &s.context)))
		return false;
	if (!OK(xfer_session_open(s.context,
		    &(struct xfer_session_params){
			    .owner = "b", .address = s.address, .insecure = true },
		    &s.session))) {
		xfer_context_destroy(s.context);
		return false;
	}
	/* One failure doesn't keep it from coming up. */
	while (!xfer_session_is_up(s.session)) {
		if (xfer_now_ns() > deadline)
			fail_msg("the session doesn't come up: %s", s.log);
		usleep(1000);
	}
	await_memory();
	return true;
}

/* --- operations -------------------------------------------------------------------------------- */

static void do_files(void)
{
	struct xfer_open open = { .handle = s.root,
		.name = "file",
		.flags = XFER_OPEN_READ | XFER_OPEN_WRITE | XFER_OPEN_KEEP,
		.create = XFER_GUARDED,
		.set = { .mask = XFER_SET_MODE, .mode = 0644 } };
	struct xfer_setattr set = { .mask = XFER_SET_SIZE, .size = 8192 };
	struct xfer_lock lock = { .exclusive = true, .length = 10 }, conflict;
	struct xfer_opt_attr attr;
	struct xfer_opened opened;
	struct xfer_attr plain;
	struct xfer_found found;
	uint8_t verifier[8];
	bool granted;

	if (!OK(xfer_op_open(s.session, &root_cred, &open, &opened)))
		return;
	OK(xfer_op_setattr(
		s.session, &root_cred, &opened.node.handle, opened.open_id, &set, &plain));
	OK(xfer_op_getattr(s.session, &root_cred, &opened.node.handle, &plain));
	OK(xfer_op_commit(
		s.session, &root_cred, &opened.node.handle, opened.open_id, 0, 0, verifier, &attr));
	OK(xfer_op_allocate(
		s.session, &root_cred, &opened.node.handle, opened.open_id, 0, 100, false, &attr));
	OK(xfer_op_seek(
		s.session, &root_cred, &opened.node.handle, opened.open_id, 0, true, &found));
	OK(xfer_op_lock(s.session, &root_cred, &opened.node.handle, opened.open_id, XFER_LOCK_SET,
		&lock, &granted, &conflict));
	OK(xfer_op_lock(s.session, &root_cred, &opened.node.handle, opened.open_id, XFER_LOCK_CLEAR,
		&lock, &granted, &conflict));
	xfer_op_close(s.session, &opened.node.handle, opened.open_id);
}

static bool count_entry(void *arg, const struct xfer_dirent *entry)
{
	(void)entry;
	++*(unsigned *)arg;
	return true;
}

static struct xfer_listing ahead;
static sem_t came;

static void listed(struct xfer_listing *listing)
{
	(void)listing;
	sem_post(&came);
}

static int list_ahead(void)
{
	ahead.session = s.session;
	ahead.cred = root_cred;
	ahead.dir = s.root;
	ahead.done = listed;
	sem_init(&came, 0, 0);
	xfer_op_list(&ahead);
	while (sem_wait(&came) < 0)
		;
	sem_destroy(&came);
	return ahead.result;
}

static void do_names(void)
{
	struct xfer_new link = { .type = XFER_LNK, .target = "target" };
	struct xfer_new dir = { .type = XFER_DIR, .set = { .mask = XFER_SET_MODE, .mode = 0755 } };
	char target[XFER_TARGET_MAX + 1];
	struct xfer_opt_attr attr, object;
	struct xfer_renamed renamed;
	struct xfer_node node;
	struct xfer_statfs statfs;
	unsigned entries = 0;
	bool eof;

	if (OK(xfer_op_create(s.session, &root_cred, &s.root, "link", &link, &node, &attr)))
		OK(xfer_op_readlink(s.session, &root_cred, &node.handle, target, &attr));
	OK(xfer_op_create(s.session, &root_cred, &s.root, "dir", &dir, &node, &attr));
	if (OK(xfer_op_lookup(s.session, &root_cred, &s.root, "file", &node, &attr)))
		OK(xfer_op_link(
			s.session, &root_cred, &node.handle, &s.root, "other", &attr, &object));
	OK(xfer_op_rename(s.session, &root_cred, &s.root, "other", &s.root, "third", &renamed));
	OK(xfer_op_readdir(
		s.session, &root_cred, &s.root, 0, 0, count_entry, &entries, &eof, &attr));
	OK(list_ahead());
	OK(xfer_op_unlink(s.session, &root_cred, &s.root, "third", &attr, &object));
	OK(xfer_op_statfs(s.session, &root_cred, &s.root, &statfs));
}

static void do_xattrs(const struct xfer_handle *handle)
{
	static uint8_t bytes[XFER_XATTR_MAX];
	struct xfer_opt_attr attr;
	uint32_t len;

	OK(xfer_op_setxattr(
		s.session, &root_cred, handle, "user.a", XFER_XATTR_EITHER, "1", 1, &attr));
	OK(xfer_op_getxattr(s.session, &root_cred, handle, "user.a", bytes, &len));
	OK(xfer_op_listxattr(s.session, &root_cred, handle, (char *)bytes, &len));
	OK(xfer_op_removexattr(s.session, &root_cred, handle, "user.a", &attr));
}

/* As somebody else; what was written is what is read. */
static void do_io(const struct xfer_handle *handle)
{
	struct waited waited = { .io = { .stability = XFER_DATA_SYNC } };
	char text[] = TEXT, back[sizeof(text)] = "";
	bool written;

	f.session = s.session;
	written = OK(run_io(&waited, true, &root_cred, handle, text, sizeof(text)));
	waited = (struct waited){ 0 };
	if (OK(run_io(&waited, false, &user_cred, handle, back, sizeof(back))) && written)
		assert_memory_equal(text, back, sizeof(text));
}

static void do_status(void)
{
	char *text;

	if (!OK(xfer_status(s.address, 5000, &text)))
		return;
	assert_non_null(strchr(text, '{'));
	free(text);
}

/* As main.c does it. */
static int reload(void)
{
	struct config *config;
	char path[128];
	int err;

	snprintf(path, sizeof(path), "%s/conf", s.dir);
	err = config_load(path, &config);
	if (err)
		return err;
	err = service_reload(&s.service, config);
	if (err)
		config_free(config);
	return err;
}

static void pinged(void *arg, double microseconds)
{
	++*(unsigned *)arg;
	assert_true(microseconds > 0);
}

static void run_operations(void)
{
	unsigned pings = 0;
	struct xfer_opt_attr attr;
	struct xfer_node node;

	do_files();
	do_names();
	if (OK(xfer_op_lookup(s.session, &root_cred, &s.root, "file", &node, &attr))) {
		do_io(&node.handle);
		do_xattrs(&node.handle);
	}
	do_status();
	OK(reload());
	OK(xfer_ping(s.address, 1, 5000, pinged, &pings));
}

/* --- runs -------------------------------------------------------------------------------------- */

/* What failed; NULL: nothing, there are not so many calls. */
static const char *run(bool failing)
{
	unsigned descriptors = process_descriptors(), threads = process_threads();
	const char *call;

	s = (struct scenario){ 0 };
	make_directories();
	alarm(RUN_SECONDS);
	if (failing)
		failing_arm(kind, nth);
	if (start_owner()) {
		if (start_session()) {
			run_operations();
			xfer_session_close(s.session);
			xfer_context_destroy(s.context);
		}
		xfer_server_destroy(s.server);
		service_stop(&s.service);
	}
	call = failing_disarm();
	alarm(0);
	assert_int_equal(nftw(s.dir, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
	assert_int_equal(process_descriptors(), descriptors);
	assert_int_equal(process_threads(), threads);
	return call;
}

/* The leak checker's, where there is one. */
__attribute__((weak)) int __lsan_do_recoverable_leak_check(void);

static void fail_each(unsigned which)
{
	const char *call;

	kind = which;
	nth = 0;
	do {
		nth++;
		printf("%s %u\r", kinds[kind], nth);
		fflush(stdout);
		call = run(true);
		if (getenv("XFER_VERBOSE"))
			printf("%s %u: %s, %u steps failed\n", kinds[kind], nth,
				call ? call : "nothing", s.failures);
		if (__lsan_do_recoverable_leak_check)
			assert_int_equal(__lsan_do_recoverable_leak_check(), 0);
		if (!call)
			assert_int_equal(s.failures, 0);
	} while (call);
	printf("%s: %u calls\n", kinds[kind], nth - 1);
}

static void test_nothing_fails(void **state)
{
	(void)state;
	assert_null(run(false));
	assert_int_equal(s.failures, 0);
}

static void test_memory(void **state)
{
	(void)state;
	fail_each(FAILING_MEMORY);
}

static void test_descriptors(void **state)
{
	(void)state;
	fail_each(FAILING_DESCRIPTORS);
}

static void test_records(void **state)
{
	(void)state;
	fail_each(FAILING_RECORDS);
}

static void test_files(void **state)
{
	(void)state;
	fail_each(FAILING_FILES);
}

void *__wrap_malloc(size_t size);

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_fails),
		cmocka_unit_test(test_memory),
		cmocka_unit_test(test_descriptors),
		cmocka_unit_test(test_records),
		cmocka_unit_test(test_files),
	};

	if (!fixture_possible())
		return 77;
	process_abort_on_alarm();
	xfer_log_set_sink(keep_line);
	json_set_alloc_funcs(__wrap_malloc, free);
	assert_int_equal(store_posix_prepare(), 0);
	umask(0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
