/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* fsal_admit.c -- each operation of an export refuses whom its policy refuses, before anything is looked at */

/*
 * The object has no volume: an operation that goes on ends the test. That Ganesha's own work and what gives something back
 * isn't refused is asked of rdx_admit alone.
 */

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "admit.h"
#include "module.h"
#include "object.h"
#include "state.h"

/* --- an export, a request ------------------------------------------------------------------------ */

static struct admission admission;
static const struct xfer_tls_security *security;
static nfs_request_t request;
static compound_data_t compound;
static nfs_argop4 ops[4];
static struct gsh_export gsh_export = { .export_id = 7 };
static struct fsal_export fsal_export;
static union {
	struct gsh_refstr refstr;
	char bytes[sizeof(struct gsh_refstr) + sizeof("/guarded")];
} path;
static struct rdx_object object = { .obj.type = REGULAR_FILE };

struct admission *__wrap_rdx_export_admission(struct fsal_export *export);
const struct xfer_tls_security *__wrap_rdx_tls_security(void);

struct admission *__wrap_rdx_export_admission(struct fsal_export *export)
{
	assert_ptr_equal(export, &fsal_export);
	return &admission;
}

const struct xfer_tls_security *__wrap_rdx_tls_security(void)
{
	return security;
}

/* Whoever comes by TLS has this certificate. */
static const char certified[] = "the-client";
bool __wrap_xfer_tls_security_mutual(const struct xfer_tls_security *connection);
bool __wrap_xfer_tls_security_has_name(
	const struct xfer_tls_security *connection, const char *name);
const char *__wrap_xfer_tls_security_names(const struct xfer_tls_security *connection);

bool __wrap_xfer_tls_security_mutual(const struct xfer_tls_security *connection)
{
	return connection != NULL;
}

bool __wrap_xfer_tls_security_has_name(const struct xfer_tls_security *connection, const char *name)
{
	(void)connection;
	return strcmp(name, certified) == 0;
}

const char *__wrap_xfer_tls_security_names(const struct xfer_tls_security *connection)
{
	(void)connection;
	return certified;
}

const char *__wrap_xfer_tls_security_subject(const struct xfer_tls_security *connection);

const char *__wrap_xfer_tls_security_subject(const struct xfer_tls_security *connection)
{
	(void)connection;
	return "CN=the-client";
}

static unsigned counted;
void __wrap_xfer_tls_count(enum xfer_tls_event event);

void __wrap_xfer_tls_count(enum xfer_tls_event event)
{
	assert_int_equal(event, XFER_TLS_XPRTSEC_REFUSED);
	counted++;
}

/* Ganesha's log has to be set up before it can be written to. */
static char logged[1024];
static unsigned log_lines;
void __wrap_DisplayLogComponentLevel(log_components_t component, const char *file, int line,
	const char *function, log_levels_t level, const char *format, ...);

void __wrap_DisplayLogComponentLevel(log_components_t component, const char *file, int line,
	const char *function, log_levels_t level, const char *format, ...)
{
	va_list arguments;

	(void)component;
	(void)file;
	(void)line;
	(void)function;
	assert_int_equal(level, NIV_WARN);
	va_start(arguments, format);
	vsnprintf(logged, sizeof(logged), format, arguments);
	va_end(arguments);
	log_lines++;
}

static void change(uint32_t kinds, bool sideband, const char *names)
{
	struct xprtsec policy;
	char why[256];

	assert_int_equal(xprtsec_init(&policy, kinds, sideband, names, why, sizeof(why)), 0);
	admission_change(&admission, &policy);
}

static void set_policy(uint32_t kinds, bool sideband)
{
	change(kinds, sideband, NULL);
}

static void set_names(const char *names)
{
	change(XPRTSEC_MTLS, false, names);
}

/* A request in cleartext to an export that wants mtls. */
static int setup(void **state)
{
	(void)state;
	for (protos program = P_NFS; program < P_COUNT; program++)
		nfs_param.core_param.program[program] = 1000 + program;
	memcpy(path.refstr.gr_val, "/guarded", sizeof("/guarded"));
	memset(&request, 0, sizeof(request));
	memset(&compound, 0, sizeof(compound));
	op_ctx = &request.op_context;
	op_ctx->req_type = NFS_REQUEST;
	op_ctx->ctx_export = &gsh_export;
	op_ctx->ctx_fullpath = &path.refstr;
	op_ctx->fsal_export = &fsal_export;
	op_ctx->nfs_vers = NFS_V3;
	request.svc.rq_msg.cb_prog = 1000 + P_NFS;
	security = NULL;
	admission_init(&admission);
	set_policy(XPRTSEC_MTLS, false);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	op_ctx = NULL;
	admission_fini(&admission);
	return 0;
}

static void call(protos program, rpcproc_t proc)
{
	request.svc.rq_msg.cb_prog = 1000 + program;
	request.svc.rq_msg.cb_proc = proc;
}

/* The operation `at` of a COMPOUND is under way. */
static void compounded(uint32_t at, const nfs_opnum4 *opcodes, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		ops[i].argop = opcodes[i];
	compound.argarray = ops;
	compound.argarray_len = count;
	compound.oppos = at;
	compound.opcode = opcodes[at];
	op_ctx->nfs_vers = NFS_V4;
	request.proc_data = &compound;
}

#define assert_refused(expression)  assert_int_equal((expression).major, ERR_FSAL_ACCESS)
#define assert_admitted(expression) assert_int_equal((expression).major, ERR_FSAL_NO_ERROR)

/* --- operations ---------------------------------------------------------------------------------- */

static void refused_transfer(
	struct fsal_obj_handle *obj, fsal_status_t status, void *arg, void *caller)
{
	(void)obj;
	(void)arg;
	assert_refused(status);
	++*(int *)caller;
}

static enum fsal_dir_result no_entry(const char *name, struct fsal_obj_handle *obj,
	struct fsal_attrlist *attrs, void *dir_state, fsal_cookie_t cookie)
{
	(void)obj;
	(void)attrs;
	(void)dir_state;
	(void)cookie;
	fail_msg("%s is listed", name);
	return DIR_TERMINATE;
}

static void test_names(void **state)
{
	struct fsal_obj_handle *obj = &object.obj, *found = NULL;
	struct fsal_attrlist attrs = { 0 };
	fsal_cookie_t whence = 0;
	bool eof = false;
	struct fsal_obj_ops op;
	(void)state;

	rdx_obj_ops_init(&op);
	assert_refused(op.lookup(obj, "name", &found, &attrs));
	assert_refused(op.lookup(obj, "..", &found, &attrs));
	assert_refused(op.readdir(obj, &whence, NULL, no_entry, 0, &eof));
	assert_refused(op.mkdir(obj, "name", &attrs, &found, &attrs));
	assert_refused(op.mknode(obj, "name", FIFO_FILE, &attrs, &found, &attrs));
	assert_refused(op.symlink(obj, "name", "target", &attrs, &found, &attrs));
	assert_refused(op.link(obj, obj, "name"));
	assert_refused(op.rename(obj, obj, "name", obj, "other"));
	assert_refused(op.unlink(obj, obj, "name"));
	assert_null(found);
	assert_int_equal(attrs.valid_mask, 0);
}

static void test_attributes(void **state)
{
	struct fsal_obj_handle *obj = &object.obj;
	struct fsal_attrlist attrs = { .request_mask = ATTR_RDATTR_ERR };
	struct gsh_buffdesc text = { 0 };
	fsal_verifier_t verifier = { 0 };
	char text_of_name[] = "name";
	xattrkey4 name = { .utf8string_val = text_of_name, .utf8string_len = 4 };
	xattrvalue4 value = { 0 };
	xattrlist4 names = { 0 };
	nfs_cookie4 cookie = 0;
	bool_t eof;
	struct fsal_obj_ops op;
	(void)state;

	rdx_obj_ops_init(&op);
	assert_refused(op.getattrs(obj, &attrs));
	assert_int_equal(attrs.valid_mask, ATTR_RDATTR_ERR);
	attrs.valid_mask = ATTR_MODE;
	assert_refused(op.setattr2(obj, false, NULL, &attrs));
	attrs.valid_mask = ATTR_SIZE;
	assert_refused(op.setattr2(obj, false, NULL, &attrs));
	assert_refused(op.readlink(obj, &text, false));
	assert_null(text.addr);
	assert_false(op.check_verifier(obj, verifier));
	assert_refused(op.getxattrs(obj, &name, &value));
	assert_refused(op.setxattrs(obj, SETXATTR4_EITHER, &name, &value));
	assert_refused(op.removexattrs(obj, &name));
	assert_refused(op.listxattrs(obj, 4096, &cookie, &eof, &names));
}

static void test_data(void **state)
{
	struct fsal_obj_handle *obj = &object.obj;
	/* Where rdx_is_read_plus looks in requests of NFSv4; these are of NFSv3. */
	struct fsal_io_arg arg = { 0 };
	struct io_info info = { .io_content.what = NFS4_CONTENT_DATA };
	int refused = 0;
	struct fsal_obj_ops op;
	(void)state;

	rdx_obj_ops_init(&op);
	op.read2(obj, false, refused_transfer, &arg, &refused);
	op.write2(obj, false, refused_transfer, &arg, &refused);
	assert_int_equal(refused, 2);
	assert_refused(op.commit2(obj, 0, 0));
	assert_refused(op.seek2(obj, NULL, &info));
	assert_refused(op.fallocate(obj, NULL, 0, 1, true));
}

static void test_opens_and_locks(void **state)
{
	struct fsal_obj_handle *obj = &object.obj, *found = NULL;
	struct fsal_attrlist attrs = { 0 };
	fsal_verifier_t verifier = { 0 };
	fsal_lock_param_t lock = { .lock_type = FSAL_LOCK_R, .lock_length = 1 }, conflict = { 0 };
	struct state_t *share = rdx_alloc_state(&fsal_export, STATE_TYPE_SHARE, NULL);
	bool check;
	struct fsal_obj_ops op;
	(void)state;

	rdx_obj_ops_init(&op);
	assert_refused(op.open2(obj, NULL, FSAL_O_READ, FSAL_NO_CREATE, NULL, NULL, verifier,
		&found, &attrs, &check));
	assert_refused(op.open2(obj, share, FSAL_O_RDWR, FSAL_UNCHECKED, "name", &attrs, verifier,
		&found, &attrs, &check));
	assert_refused(op.reopen2(obj, share, FSAL_O_READ));
	/* ERR_FSAL_ACCESS would be told as a conflict. */
	assert_int_equal(op.lock_op2(obj, share, NULL, FSAL_OP_LOCKT, &lock, &conflict).major,
		ERR_FSAL_PERM);
	assert_int_equal(
		op.lock_op2(obj, share, NULL, FSAL_OP_LOCK, &lock, &conflict).major, ERR_FSAL_PERM);
	rdx_free_state(&fsal_export, share);
}

static void test_handles(void **state)
{
	uint8_t bytes[64];
	struct gsh_buffdesc buffer = { .addr = bytes, .len = sizeof(bytes) };
	nfs_function_desc_t table = { 0 };
	struct fsal_obj_ops op;
	(void)state;

	rdx_obj_ops_init(&op);
	request.funcdesc = &table;
	for (protos program = P_NFS; program < P_COUNT; program++) {
		call(program, 1);
		assert_refused(op.handle_to_wire(&object.obj, FSAL_DIGEST_NFSV3, &buffer));
	}
}

/* --- who is asked, and who isn't ------------------------------------------------------------------ */

static void test_without_a_client(void **state)
{
	(void)state;
	assert_refused(rdx_admit());
	op_ctx->req_type = UNKNOWN_REQUEST;
	assert_admitted(rdx_admit());
	assert_admitted(rdx_admit_handle());
	op_ctx = NULL;
	assert_admitted(rdx_admit());
	assert_admitted(rdx_admit_handle());
}

/* Each one, whether the log tells of it or not; what is admitted isn't counted. */
static void test_refusals_are_counted(void **state)
{
	unsigned before = counted;
	(void)state;

	for (int i = 0; i < 100; i++) {
		assert_refused(rdx_admit());
		assert_refused(rdx_admit_handle());
	}
	assert_int_equal(counted, before + 200);
	security = (const struct xfer_tls_security *)&security;
	assert_admitted(rdx_admit());
	set_policy(XPRTSEC_ANY, false);
	security = NULL;
	assert_admitted(rdx_admit());
	assert_int_equal(counted, before + 200);
}

/* Once a minute, with the client's address and the word to add. */
static void test_the_log(void **state)
{
	struct sockaddr_in6 address = { .sin6_family = AF_INET6 };
	unsigned before = log_lines;
	(void)state;

	op_ctx->caller_addr = (sockaddr_t *)&address;
	assert_int_equal(inet_pton(AF_INET6, "::ffff:10.0.0.1", &address.sin6_addr), 1);
	for (in_port_t port = 0; port < 1000; port++) {
		address.sin6_port = port;
		assert_refused(rdx_admit());
	}
	assert_int_equal(log_lines, before + 1);
	assert_non_null(strstr(logged, "/guarded refuses 10.0.0.1: it comes in cleartext"));
	assert_non_null(strstr(logged, "add  none  to Xprtsec"));
	gsh_export.export_id++;
	assert_refused(rdx_admit());
	assert_int_equal(log_lines, before + 2);
}

/* --- a reload meanwhile --------------------------------------------------------------------------- */

#define THREADS 4
#define ASKED   20000

static atomic_uint asking;

static void *ask(void *arg)
{
	nfs_request_t own;

	(void)arg;
	memcpy(&own, &request, sizeof(own));
	op_ctx = &own.op_context;
	for (unsigned i = 0; i < ASKED; i++)
		assert_admitted(rdx_admit());
	op_ctx = NULL;
	asking--;
	return NULL;
}

/* Requests are judged by the old policy or by the new one. */
static void test_changes_meanwhile(void **state)
{
	static const char *const names[] = { "a, the-client", "the-client", "b, c, the-client" };
	pthread_t threads[THREADS];
	(void)state;

	security = (const struct xfer_tls_security *)&security;
	set_names(names[0]);
	asking = THREADS;
	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, ask, NULL), 0);
	for (unsigned i = 0; asking > 0; i++)
		set_names(names[i % 3]);
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
}

/* 9P has no TLS here. */
static void test_other_protocols(void **state)
{
	(void)state;
	op_ctx->req_type = _9P_REQUEST;
	assert_refused(rdx_admit());
	assert_refused(rdx_admit_handle());
	for (protos program = P_NFS; program < P_COUNT; program++) {
		op_ctx->req_type = NFS_REQUEST;
		call(program, 1);
		assert_refused(rdx_admit());
	}
}

static void test_a_policy_that_changes(void **state)
{
	(void)state;
	set_policy(XPRTSEC_NONE, false);
	assert_admitted(rdx_admit());
	set_policy(XPRTSEC_TLS, false);
	assert_refused(rdx_admit());
	set_policy(XPRTSEC_ANY, false);
	assert_admitted(rdx_admit());
	assert_admitted(rdx_admit_handle());
}

/* MOUNT is told the root's handle and nothing else, NLM may do what it is for. */
static void test_sideband(void **state)
{
	(void)state;
	set_policy(XPRTSEC_MTLS, true);
	call(P_MNT, MOUNTPROC3_MNT);
	assert_admitted(rdx_admit_handle());
	assert_refused(rdx_admit());
	call(P_NLM, NLMPROC4_LOCK);
	assert_admitted(rdx_admit());
	call(P_NFS, NFSPROC3_GETATTR);
	assert_refused(rdx_admit());
	call(P_RQUOTA, 1);
	assert_refused(rdx_admit());
}

static void test_what_nlm_gives_back(void **state)
{
	static const rpcproc_t back[] = { NLMPROC4_UNLOCK, NLMPROC4_UNLOCK_MSG, NLMPROC4_CANCEL,
		NLMPROC4_CANCEL_MSG, NLMPROC4_UNSHARE };
	(void)state;

	for (rpcproc_t proc = 0; proc <= NLMPROC4_FREE_ALL; proc++) {
		bool gives_back = false;

		for (size_t i = 0; i < sizeof(back) / sizeof(back[0]); i++)
			gives_back |= back[i] == proc;
		call(P_NLM, proc);
		assert_int_equal(
			rdx_admit().major, gives_back ? ERR_FSAL_NO_ERROR : ERR_FSAL_ACCESS);
	}
}

static void test_what_compounds_give_back(void **state)
{
	static const nfs_opnum4 close[] = { NFS4_OP_SEQUENCE, NFS4_OP_PUTFH, NFS4_OP_CLOSE };
	static const nfs_opnum4 both[] = { NFS4_OP_PUTFH, NFS4_OP_LOCKU, NFS4_OP_CLOSE };
	static const nfs_opnum4 more[] = { NFS4_OP_PUTFH, NFS4_OP_CLOSE, NFS4_OP_GETATTR };
	static const nfs_opnum4 bare[] = { NFS4_OP_PUTFH };
	static const nfs_opnum4 other[] = { NFS4_OP_PUTFH, NFS4_OP_READ };
	(void)state;

	compounded(1, close, 3);
	assert_admitted(rdx_admit());
	compounded(2, close, 3);
	assert_admitted(rdx_admit());
	compounded(0, both, 3);
	assert_admitted(rdx_admit());
	compounded(1, both, 3);
	assert_admitted(rdx_admit());
	compounded(0, more, 3);
	assert_refused(rdx_admit());
	compounded(2, more, 3);
	assert_refused(rdx_admit());
	compounded(0, bare, 1);
	assert_refused(rdx_admit());
	compounded(0, other, 2);
	assert_refused(rdx_admit());
	compounded(1, other, 2);
	assert_refused(rdx_admit());
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_names, setup, teardown),
		cmocka_unit_test_setup_teardown(test_attributes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_data, setup, teardown),
		cmocka_unit_test_setup_teardown(test_opens_and_locks, setup, teardown),
		cmocka_unit_test_setup_teardown(test_handles, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refusals_are_counted, setup, teardown),
		cmocka_unit_test_setup_teardown(test_the_log, setup, teardown),
		cmocka_unit_test_setup_teardown(test_changes_meanwhile, setup, teardown),
		cmocka_unit_test_setup_teardown(test_without_a_client, setup, teardown),
		cmocka_unit_test_setup_teardown(test_other_protocols, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_policy_that_changes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_sideband, setup, teardown),
		cmocka_unit_test_setup_teardown(test_what_nlm_gives_back, setup, teardown),
		cmocka_unit_test_setup_teardown(test_what_compounds_give_back, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
