/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* fsal_sessions.c -- whom a session belongs to, and which one a COMPOUND is in */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "session_guard.h"
#include "sessions.h"

#define SECOND UINT64_C(1000000000)
#define LIFE   (100 * SECOND)

static struct sessions *table;

static int setup(void **state)
{
	(void)state;
	table = calloc(1, sizeof(*table));
	pthread_mutex_init(&table->lock, NULL);
	table->life = LIFE;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	free(table);
	return 0;
}

static const uint8_t *id_of(uint64_t number)
{
	static uint8_t id[SESSION_ID_SIZE];

	memcpy(id, &number, sizeof(number));
	return id;
}

static void test_bound_to_the_first(void **state)
{
	(void)state;
	assert_false(table->used);
	assert_true(sessions_admit(table, id_of(1), 7, SECOND));
	assert_true(sessions_bind(table, id_of(1), 7, SECOND));
	assert_true(table->used);
	assert_true(sessions_bind(table, id_of(1), 8, SECOND)); /* it is known, that's all */
	assert_true(sessions_admit(table, id_of(1), 7, SECOND));
	assert_false(sessions_admit(table, id_of(1), 8, SECOND));
	assert_false(sessions_admit(table, id_of(1), 0, SECOND));
	assert_true(sessions_admit(table, id_of(2), 0, SECOND));
}

/* Its own client keeps it alive; strangers don't. */
static void test_life(void **state)
{
	(void)state;
	assert_true(sessions_bind(table, id_of(1), 7, SECOND));
	assert_true(sessions_admit(table, id_of(1), 7, LIFE));
	assert_false(sessions_admit(table, id_of(1), 8, 2 * LIFE - SECOND));
	assert_true(sessions_admit(table, id_of(1), 8, 2 * LIFE));
	assert_true(sessions_bind(table, id_of(1), 8, 2 * LIFE));
	assert_false(sessions_admit(table, id_of(1), 7, 2 * LIFE));
	/* A clock that is read before the lock may be behind. */
	assert_false(sessions_admit(table, id_of(1), 7, SECOND));
}

/* Where there is no room for a session that is said; no other is forgotten. */
static void test_a_crowd(void **state)
{
	enum { COUNT = SESSIONS_SETS * SESSIONS_WAYS };
	bool *bound = calloc(COUNT, sizeof(*bound));
	unsigned refused = 0;
	(void)state;

	for (unsigned i = 0; i < COUNT; i++) {
		bound[i] = sessions_bind(table, id_of(i), i + 1, SECOND);
		refused += !bound[i];
	}
	assert_true(refused > 0 && refused < COUNT / 4);
	for (unsigned i = 0; i < COUNT; i++)
		assert_int_equal(sessions_admit(table, id_of(i), 0, SECOND), !bound[i]);
	free(bound);
}

/* --- what a COMPOUND says ----------------------------------------------------------------------- */

struct words {
	uint8_t bytes[2048];
	size_t len;
};

static void put(struct words *words, uint32_t word)
{
	word = htonl(word);
	memcpy(words->bytes + words->len, &word, sizeof(word));
	words->len += sizeof(word);
}

static void make(struct words *words, uint32_t tag, uint32_t count, uint32_t op)
{
	words->len = 0;
	put(words, tag);
	for (uint32_t i = 0; i < RNDUP(tag) / 4; i++)
		put(words, 0x74616774);
	put(words, 1);
	put(words, count);
	put(words, op);
	for (uint32_t i = 0; i < 4; i++)
		put(words, 0x01020304 * (i + 1));
}

/* As much of it as is there; what is peeked at is still there afterwards. */
static bool peek(const struct words *words, size_t len, uint8_t id[NFS4_SESSIONID_SIZE])
{
	char *bytes = malloc(len + 1); /* so that a sanitizer sees what is behind it */
	bool found;
	XDR xdrs;

	memcpy(bytes, words->bytes, len);
	xdrmem_create(&xdrs, bytes, (u_int)len, XDR_DECODE);
	found = session_guard_peek(&xdrs, id);
	assert_int_equal(XDR_GETPOS(&xdrs), 0);
	XDR_DESTROY(&xdrs);
	free(bytes);
	return found;
}

static void test_a_sequence_is_found(void **state)
{
	static const uint32_t tags[] = { 0, 1, 3, 4, 255, 256, 257, 1024 };
	uint8_t id[NFS4_SESSIONID_SIZE];
	struct words words;
	(void)state;

	for (size_t i = 0; i < sizeof(tags) / sizeof(tags[0]); i++) {
		make(&words, tags[i], 3, NFS4_OP_SEQUENCE);
		memset(id, 0, sizeof(id));
		assert_true(peek(&words, words.len, id));
		assert_memory_equal(id, words.bytes + words.len - sizeof(id), sizeof(id));
		for (size_t len = 0; len < words.len; len++)
			assert_false(peek(&words, len, id));
	}
}

static void test_nothing_else_is(void **state)
{
	uint8_t id[NFS4_SESSIONID_SIZE];
	struct words words;
	(void)state;

	make(&words, 5, 0, NFS4_OP_SEQUENCE);
	assert_false(peek(&words, words.len, id));
	make(&words, 5, 1, NFS4_OP_PUTROOTFH);
	assert_false(peek(&words, words.len, id));
	make(&words, 5, 1, NFS4_OP_SEQUENCE);
	memset(words.bytes, 0xff, 4); /* a tag longer than any record */
	assert_false(peek(&words, words.len, id));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_bound_to_the_first, setup, teardown),
		cmocka_unit_test_setup_teardown(test_life, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_crowd, setup, teardown),
		cmocka_unit_test(test_a_sequence_is_found),
		cmocka_unit_test(test_nothing_else_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
