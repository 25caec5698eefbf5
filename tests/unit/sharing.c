/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* sharing.c -- a session whose owner answers SHARE, GROW and RETIRE as no owner should */

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "control/dispatcher.h"
#include "core/layout.h"
#include "session.h"
#include "support/sessions.h"

#define KEPT_MAX 8

/* What the owner does. NULL: it never answers. */
typedef void answer_fn(struct xfer_request *request);

static struct {
	answer_fn *share, *grow, *retire;
	_Atomic unsigned shares, grows, retires; /* that came */
	_Atomic unsigned complaints;             /* of the session's end */
	pthread_mutex_t lock;
	struct xfer_request *kept[KEPT_MAX];
	unsigned nkept;
} owner = { .lock = PTHREAD_MUTEX_INITIALIZER };

static struct fixture f;

static void keep(struct xfer_request *request)
{
	pthread_mutex_lock(&owner.lock);
	assert_true(owner.nkept < KEPT_MAX);
	owner.kept[owner.nkept++] = request;
	pthread_mutex_unlock(&owner.lock);
}

static void memory(void *arg, struct xfer_request *request)
{
	answer_fn *answer = request->proc == XFER_PROC_SHARE  ? owner.share
			    : request->proc == XFER_PROC_GROW ? owner.grow
							      : owner.retire;

	(void)arg;
	owner.shares += request->proc == XFER_PROC_SHARE;
	owner.grows += request->proc == XFER_PROC_GROW;
	owner.retires += request->proc == XFER_PROC_RETIRE;
	if (answer)
		answer(request);
	else
		keep(request);
}

/* --- its answers -------------------------------------------------------------------------------- */

static void agree(struct xfer_request *request)
{
	xfer_request_finish(request, 0);
}

static void refuse(struct xfer_request *request)
{
	xfer_request_finish(request, -EINVAL);
}

static void delay(struct xfer_request *request)
{
	xfer_request_finish(request, -EAGAIN);
}

static void full(struct xfer_request *request)
{
	xfer_request_finish(request, -ENOSPC);
}

/* Memory of this layout, and a chunk that is as it should be. */
static int chunk_of(struct xfer_request *request, const struct xfer_slot_layout *layout)
{
	struct xfer_chunk *chunk = &request->results.grow.chunk;
	uint64_t bytes = xfer_layout_bytes(layout, f.context->nlanes);
	int fd = memfd_create("granted", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	assert_true(fd >= 0);
	assert_int_equal(fallocate(fd, 0, 0, (off_t)bytes), 0);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW), 0);
	chunk->id = owner.grows;
	chunk->layout = *layout;
	chunk->nplaces = f.context->nlanes * layout->nclasses;
	for (uint32_t i = 0; i < chunk->nplaces; i++)
		chunk->places[i].first = (uint16_t)(1000 * owner.grows + 100 * i);
	return fd;
}

static void send_chunk(struct xfer_request *request, int fd)
{
	assert_int_equal(xfer_request_put_fd(request, fd), 0);
	close(fd);
	xfer_request_finish(request, 0);
}

static void grant(struct xfer_request *request)
{
	send_chunk(request, chunk_of(request, &request->args.grow.layout));
}

static void grant_without_memory(struct xfer_request *request)
{
	close(chunk_of(request, &request->args.grow.layout));
	xfer_request_finish(request, 0);
}

static void grant_too_much(struct xfer_request *request)
{
	struct xfer_slot_layout layout = request->args.grow.layout;

	layout.classes[0].slots++;
	send_chunk(request, chunk_of(request, &layout));
}

static void grant_another_size(struct xfer_request *request)
{
	int fd = chunk_of(request, &request->args.grow.layout);

	request->results.grow.chunk.layout.nclasses = 1;
	send_chunk(request, fd);
}

static void grant_nothing(struct xfer_request *request)
{
	int fd = chunk_of(request, &request->args.grow.layout);

	request->results.grow.chunk.layout.nclasses = 0;
	send_chunk(request, fd);
}

static void grant_unnamed(struct xfer_request *request)
{
	int fd = chunk_of(request, &request->args.grow.layout);

	request->results.grow.chunk.id = 0;
	send_chunk(request, fd);
}

static void grant_without_places(struct xfer_request *request)
{
	int fd = chunk_of(request, &request->args.grow.layout);

	request->results.grow.chunk.nplaces = 0;
	send_chunk(request, fd);
}

static void grant_in_one_place(struct xfer_request *request)
{
	int fd = chunk_of(request, &request->args.grow.layout);

	memset(request->results.grow.chunk.places, 0, sizeof(request->results.grow.chunk.places));
	send_chunk(request, fd);
}

/* The first chunk is wanted back right behind the answer that grants it. */
static void grant_and_want_back(struct xfer_request *request)
{
	struct xfer_request *retire;

	if (owner.grows > 1) {
		full(request);
		return;
	}
	grant(request);
	pthread_mutex_lock(&owner.lock);
	assert_int_equal(owner.nkept, 1);
	retire = owner.kept[--owner.nkept];
	pthread_mutex_unlock(&owner.lock);
	retire->results.retire.chunk = 1;
	xfer_request_finish(retire, 0);
}

static void ask_for_what_is_not(struct xfer_request *request)
{
	request->results.retire.chunk = UINT32_MAX;
	xfer_request_finish(request, 0);
}

static void say_it_is_over(struct xfer_request *request)
{
	xfer_request_finish(request, -ENOTCONN);
}

/* Nothing, three times; then it is silent. */
static void say_nothing(struct xfer_request *request)
{
	if (owner.retires > 3)
		keep(request);
	else
		xfer_request_finish(request, 0);
}

/* --- the session -------------------------------------------------------------------------------- */

static void listen_for_complaints(enum xfer_log_level level, const char *message)
{
	(void)level;
	owner.complaints += strstr(message, "data of owner b at ") != NULL;
}

static void begin(answer_fn *share, answer_fn *grow, answer_fn *retire)
{
	struct xfer_context_params params = { .node = "a",
		.small_slots = 16,
		.large_slots = 4,
		.path = XFER_WISH_SHM,
		.log = listen_for_complaints };

	owner.share = share;
	owner.grow = grow;
	owner.retire = retire;
	owner.shares = owner.grows = owner.retires = owner.complaints = 0;
	memset(&f, 0, sizeof(f));
	f.owner.memory = memory;
	memowner_start(&f.owner, "b", NULL);
	assert_int_equal(xfer_context_create(&params, &f.context), 0);
	xfer_handle_root(1, &f.handle);
	assert_int_equal(
		xfer_session_open(f.context,
			&(struct xfer_session_params){ .owner = "b", .address = f.owner.address },
			&f.session),
		0);
	assert_true(wait_for(session_up, f.session));
}

/* The session ends whatever it waits for. */
static void end(void)
{
	uint32_t epoch = f.session->epoch;

	xfer_session_close(f.session);
	assert_int_equal(epoch, 1);
	while (owner.nkept > 0)
		xfer_request_finish(owner.kept[--owner.nkept], -EAGAIN);
	xfer_context_destroy(f.context);
	memowner_stop(&f.owner);
}

static bool has_path(void *arg)
{
	(void)arg;
	return xfer_session_path(f.session) == XFER_WISH_SHM;
}

/* The log says that nothing is shared, and nothing is. */
static bool is_off(void *arg)
{
	return owner.complaints > 0 && !has_path(arg);
}

static bool reaches(void *arg)
{
	return *(_Atomic unsigned *)arg >= 2;
}

/* Data travels, whatever the owner says of memory. */
static void check_io(void)
{
	static uint8_t out[65536], in[65536];
	struct wait_io w;

	for (size_t i = 0; i < sizeof(out); i++)
		out[i] = (uint8_t)(i * 7 + i / 256);
	io_prepare(&f, &w, 0, out, sizeof(out));
	xfer_op_write(&w.io);
	assert_int_equal(io_wait(&w), 0);
	io_prepare(&f, &w, 0, in, sizeof(in));
	xfer_op_read(&w.io);
	assert_int_equal(io_wait(&w), 0);
	assert_memory_equal(out, in, sizeof(out));
}

/* --- tests -------------------------------------------------------------------------------------- */

/* Nothing more is asked for in this epoch of the session. */
static void expect_off(answer_fn *share, answer_fn *grow, answer_fn *retire)
{
	begin(share, grow, retire);
	assert_true(wait_for(is_off, NULL));
	check_io();
	assert_int_equal(owner.shares, 1);
	end();
}

static void test_share_is_refused(void **state)
{
	(void)state;
	expect_off(refuse, grant, NULL);
}

static void test_share_is_delayed(void **state)
{
	(void)state;
	begin(delay, grant, NULL);
	assert_true(wait_for(reaches, &owner.shares));
	check_io();
	end();
}

static void test_bad_chunks(void **state)
{
	static answer_fn *const bad[] = { grant_without_memory, grant_too_much, grant_another_size,
		grant_nothing, grant_unnamed, grant_without_places, grant_in_one_place };

	(void)state;
	for (unsigned i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		expect_off(agree, bad[i], NULL);
}

static void test_strange_chunks_to_retire(void **state)
{
	(void)state;
	expect_off(agree, full, ask_for_what_is_not);
	expect_off(agree, full, refuse);
}

/* A data path that the owner has ended is begun anew. */
static void test_path_is_taken(void **state)
{
	(void)state;
	begin(agree, full, say_it_is_over);
	assert_true(wait_for(reaches, &owner.shares));
	check_io();
	end();
}

static bool first_chunk_is_returned(void *arg)
{
	bool is;

	(void)arg;
	pthread_mutex_lock(&owner.lock);
	is = owner.nkept == 1 && owner.kept[0]->args.retire.returned == 1;
	pthread_mutex_unlock(&owner.lock);
	return is;
}

/* The session's thread may find both answers at a time. */
static void test_chunk_is_wanted_back_at_once(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 50; i++) {
		begin(agree, grant_and_want_back, NULL);
		assert_true(wait_for(first_chunk_is_returned, NULL));
		assert_int_equal(owner.complaints, 0);
		assert_true(has_path(NULL));
		end();
	}
}

/* It is asked again as often as it says nothing. */
static void test_nothing_to_retire(void **state)
{
	(void)state;
	begin(agree, grant, say_nothing);
	assert_true(wait_for(reaches, &owner.retires));
	check_io();
	end();
}

/* What a session waits for keeps nobody from anything. */
static void test_silence(void **state)
{
	(void)state;
	begin(NULL, NULL, NULL);
	check_io();
	assert_false(has_path(NULL));
	end();
	begin(agree, NULL, NULL);
	assert_true(wait_for(has_path, NULL));
	check_io();
	end();
	begin(agree, full, NULL);
	assert_true(wait_for(has_path, NULL));
	check_io();
	end();
}

/* This owner finds no slot that is named: the data path is given up as soon as too many are lost, and the session isn't. */
static void test_lost_slots_renew_the_path(void **state)
{
	(void)state;
	begin(agree, grant, NULL);
	assert_true(wait_for(has_path, NULL));
	for (int i = 0; i < 4000 && owner.shares < 2; i++) {
		check_io();
		usleep(1000);
	}
	assert_true(owner.shares >= 2);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_share_is_refused),
		cmocka_unit_test(test_share_is_delayed),
		cmocka_unit_test(test_bad_chunks),
		cmocka_unit_test(test_strange_chunks_to_retire),
		cmocka_unit_test(test_path_is_taken),
		cmocka_unit_test(test_chunk_is_wanted_back_at_once),
		cmocka_unit_test(test_nothing_to_retire),
		cmocka_unit_test(test_silence),
		cmocka_unit_test(test_lost_slots_renew_the_path),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
