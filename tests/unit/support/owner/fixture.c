/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* fixture.c -- an owner in this process, asked by a point of contact in this process */

#include "support/owner/fixture.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "owner/caps.h"

struct fixture f;
const struct store_ops *fixture_store = &store_posix;
unsigned fixture_lease_ms;

const struct xfer_cred root_cred;
const struct xfer_cred user_cred = { .uid = USER, .gid = USER };

/* --- the fixture ------------------------------------------------------------------------------- */

static void write_config(const char *path)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fprintf(file,
		"node = \"b\"; listen = ( \"unix:%s/l\" ); state_dir = \"%s/state\";\n"
		"run_dir = \"%s/run\"; workers = 6; grace = 2;\n"
		"nodes = ( { name = \"a\"; uids = [ 0 ]; }, { name = \"c\"; uids = [ 0 ]; }, "
		"{ name = \"t\"; address = \"10.9.8.7\"; "
		"insecure = true; } );\n"
		"volumes = ( { name = \"v\"; path = \"%s\"; nodes = [ \"a\", \"c\" ]; workers = 4; },\n"
		"  { name = \"w\"; path = \"%s\"; nodes = [ \"t\" ]; } );\n",
		f.dir, f.dir, f.dir, f.volume, f.other);
	assert_int_equal(fclose(file), 0);
}

static void make_directories(void)
{
	char path[128];

	strcpy(f.dir, "/tmp/xfer-owner-XXXXXX");
	assert_non_null(mkdtemp(f.dir));
	assert_int_equal(chmod(f.dir, 0755), 0);
	snprintf(f.volume, sizeof(f.volume), "%s/v", f.dir);
	snprintf(f.other, sizeof(f.other), "%s/w", f.dir);
	assert_int_equal(mkdir(f.volume, 0777), 0);
	assert_int_equal(mkdir(f.other, 0777), 0);
	snprintf(path, sizeof(path), "%s/state", f.dir);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "%s/run", f.dir);
	assert_int_equal(mkdir(path, 0755), 0);
}

struct xfer_session *open_session(void)
{
	struct xfer_session *session;
	char address[128];

	snprintf(address, sizeof(address), "unix:%s/l", f.dir);
	assert_int_equal(xfer_session_open(f.context,
				 &(struct xfer_session_params){ .owner = "b", .address = address },
				 &session),
		0);
	for (int i = 0; i < 2000 && !xfer_session_is_up(session); i++)
		usleep(5000);
	assert_true(xfer_session_is_up(session));
	return session;
}

void fixture_serve(void)
{
	struct xfer_server_params server = {
		.node = "b",
		.lanes = 2,
		.service = &f.service.ops,
		.owner = &f.service,
		.keep_ms = KEEP_MS,
	};
	char path[128];

	snprintf(path, sizeof(path), "%s/conf", f.dir);
	assert_int_equal(config_load(path, &f.config), 0);
	assert_int_equal(service_open_volumes(&f.service, f.config, fixture_store, 0), 0);
	f.service.lease_ms = fixture_lease_ms;
	assert_int_equal(service_start(&f.service), 0);
	assert_int_equal(xfer_server_create(&server, &f.server), 0);
	recovery_begin(f.service.recovery);
	assert_int_equal(xfer_server_listen(f.server, f.config->listen[0]), 0);
}

void fixture_stop(void)
{
	xfer_server_destroy(f.server);
	service_stop(&f.service);
}

int fixture_setup_owner(void **state)
{
	char path[128];

	(void)state;
	memset(&f, 0, sizeof(f));
	umask(0);
	make_directories();
	snprintf(path, sizeof(path), "%s/conf", f.dir);
	write_config(path);
	assert_int_equal(store_posix_prepare(), 0);
	fixture_serve();
	xfer_handle_root(xfer_volume_id("v"), &f.root);
	return 0;
}

/* Little memory: it takes time to make. */
void fixture_ask(void)
{
	struct xfer_context_params params = {
		.node = "a", .small_slots = FIXTURE_SMALL_SLOTS, .large_slots = FIXTURE_LARGE_SLOTS
	};

	assert_int_equal(xfer_context_create(&params, &f.context), 0);
	f.session = open_session();
}

int fixture_setup(void **state)
{
	fixture_setup_owner(state);
	fixture_ask();
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

int fixture_teardown(void **state)
{
	(void)state;
	if (f.session)
		xfer_session_close(f.session);
	if (f.context)
		xfer_context_destroy(f.context);
	fixture_stop();
	return nftw(f.dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* --- shorthands -------------------------------------------------------------------------------- */

int open_as(const struct xfer_cred *cred, const char *name, uint32_t flags, enum xfer_create create,
	uint32_t mode, struct xfer_opened *opened)
{
	struct xfer_open open = { .handle = f.root,
		.name = name,
		.flags = flags,
		.create = create,
		.set = { .mask = create ? XFER_SET_MODE : 0, .mode = mode } };

	return xfer_op_open(f.session, cred, &open, opened);
}

/* A file of root's with this mode and text, made behind the owner's back. */
void put_file(const char *name, const char *text, uid_t uid, gid_t gid, mode_t mode)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", f.volume, name);
	fd = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(fchown(fd, uid, gid), 0);
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

struct xfer_node find(const char *name)
{
	struct xfer_node node;
	struct xfer_opt_attr dir;

	assert_int_equal(xfer_op_lookup(f.session, &root_cred, &f.root, name, &node, &dir), 0);
	return node;
}

static void io_done(struct xfer_io *io)
{
	_Atomic bool *done = (_Atomic bool *)(io + 1);

	atomic_store(done, true);
}

int run_io_of(struct waited *waited, bool write, const struct xfer_cred *cred,
	const struct xfer_handle *handle, void *data, size_t length)
{
	waited->io.cred = *cred;
	waited->io.handle = *handle;
	waited->iov = (struct iovec){ data, length };
	waited->io.iov = &waited->iov;
	waited->io.iovcnt = 1;
	waited->io.done = io_done;
	_Static_assert(offsetof(struct waited, done) == sizeof(struct xfer_io), "found by io_done");
	atomic_store(&waited->done, false);
	if (write)
		xfer_op_write(&waited->io);
	else
		xfer_op_read(&waited->io);
	while (!atomic_load(&waited->done))
		usleep(50);
	return waited->io.result;
}

int run_io(struct waited *waited, bool write, const struct xfer_cred *cred,
	const struct xfer_handle *handle, void *data, size_t length)
{
	waited->io.session = f.session;
	return run_io_of(waited, write, cred, handle, data, length);
}

int read_as(const struct xfer_cred *cred, const struct xfer_handle *handle, bool override,
	char *data, size_t length)
{
	struct waited waited = { .io = { .owner_override = override } };
	int err = run_io(&waited, false, cred, handle, data, length);

	return err ? err : (int)waited.io.count;
}

int write_as(const struct xfer_cred *cred, const struct xfer_handle *handle, bool override,
	const char *text)
{
	struct waited waited = { .io = { .owner_override = override,
					 .stability = XFER_DATA_SYNC } };
	int err = run_io(&waited, true, cred, handle, (void *)(uintptr_t)text, strlen(text));

	return err ? err : (int)waited.io.count;
}

bool fixture_possible(void)
{
	char message[512];

	if (caps_check(message, sizeof(message)) == 0)
		return true;
	printf("skipped: %s\n", message);
	return false;
}
