/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* path.c -- which way each payload travels, as a table */

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/path.h"

#define SMALL 4096u
#define SLOT  1048576u

#define SHM                                                                                        \
	{                                                                                          \
		.there = XFER_PATH_SHM, .inline_bytes = SMALL, .write_bytes = SLOT,                \
		.read_bytes = SLOT                                                                 \
	}
#define VERBS                                                                                      \
	{                                                                                          \
		.there = XFER_PATH_VERBS, .inline_bytes = SMALL, .write_bytes = SLOT,              \
		.read_bytes = SLOT                                                                 \
	}
#define WISHED(w, t)                                                                               \
	{                                                                                          \
		.wish = w, .there = t, .inline_bytes = SMALL, .write_bytes = SLOT,                 \
		.read_bytes = SLOT                                                                 \
	}

/* volumes */
#define ANY                                                                                        \
	{                                                                                          \
		.wish = XFER_WISH_AUTO                                                             \
	}
#define ENCRYPTED                                                                                  \
	{                                                                                          \
		.require_encryption = true                                                         \
	}

static const struct {
	struct xfer_path_op op;
	struct xfer_path_volume volume;
	struct xfer_path_session session;
	enum xfer_path path;
	enum xfer_path_cause cause;
} table[] = {
	/* by length */
	{ { .length = 0 }, ANY, SHM, XFER_PATH_INLINE, XFER_CAUSE_SMALL },
	{ { .length = 1 }, ANY, SHM, XFER_PATH_INLINE, XFER_CAUSE_SMALL },
	{ { .length = SMALL }, ANY, SHM, XFER_PATH_INLINE, XFER_CAUSE_SMALL },
	{ { .length = SMALL + 1 }, ANY, SHM, XFER_PATH_SHM, XFER_CAUSE_NONE },
	{ { .length = SMALL + 1 }, ANY, VERBS, XFER_PATH_VERBS, XFER_CAUSE_NONE },
	{ { .length = SLOT, .write = true }, ANY, VERBS, XFER_PATH_VERBS, XFER_CAUSE_NONE },
	{ { .length = SLOT + 1, .write = true }, ANY, VERBS, XFER_PATH_INLINE,
		XFER_CAUSE_TOO_LONG },
	{ { .length = UINT32_MAX }, ANY, SHM, XFER_PATH_INLINE, XFER_CAUSE_TOO_LONG },
	{ { .length = 0 }, ANY, { .there = XFER_PATH_SHM, .write_bytes = SLOT }, XFER_PATH_INLINE,
		XFER_CAUSE_SMALL },
	/* each direction has its slots */
	{ { .length = SLOT, .write = true }, ANY, { .there = XFER_PATH_SHM, .read_bytes = SLOT },
		XFER_PATH_INLINE, XFER_CAUSE_REFUSED },
	{ { .length = SLOT }, ANY, { .there = XFER_PATH_SHM, .read_bytes = SLOT }, XFER_PATH_SHM,
		XFER_CAUSE_NONE },
	{ { .length = SLOT }, ANY, { .there = XFER_PATH_SHM, .read_bytes = SLOT - 1 },
		XFER_PATH_INLINE, XFER_CAUSE_TOO_LONG },
	/* what happened to it before */
	{ { .length = SLOT, .exhausted = true }, ANY, SHM, XFER_PATH_INLINE, XFER_CAUSE_EXHAUSTED },
	{ { .length = SLOT, .resent = true }, ANY, SHM, XFER_PATH_INLINE, XFER_CAUSE_RESENT },
	{ { .length = SLOT, .resent = true, .exhausted = true }, ENCRYPTED, VERBS, XFER_PATH_INLINE,
		XFER_CAUSE_ENCRYPTION },
	/* what isn't encrypted */
	{ { .length = SLOT }, ENCRYPTED, VERBS, XFER_PATH_INLINE, XFER_CAUSE_ENCRYPTION },
	{ { .length = 1 }, ENCRYPTED, VERBS, XFER_PATH_INLINE, XFER_CAUSE_ENCRYPTION },
	{ { .length = SLOT }, ENCRYPTED, SHM, XFER_PATH_SHM, XFER_CAUSE_NONE },
	/* what is configured, and what there is */
	{ { .length = SLOT }, ANY, { .inline_bytes = SMALL }, XFER_PATH_INLINE,
		XFER_CAUSE_NO_PATH },
	{ { .length = SLOT }, ENCRYPTED, { .inline_bytes = SMALL }, XFER_PATH_INLINE,
		XFER_CAUSE_NO_PATH },
	{ { .length = SLOT }, ANY, WISHED(XFER_WISH_INLINE, XFER_PATH_SHM), XFER_PATH_INLINE,
		XFER_CAUSE_PINNED },
	{ { .length = SLOT }, ANY, WISHED(XFER_WISH_INLINE, XFER_PATH_INLINE), XFER_PATH_INLINE,
		XFER_CAUSE_PINNED },
	{ { .length = SLOT }, ANY, WISHED(XFER_WISH_SHM, XFER_PATH_SHM), XFER_PATH_SHM,
		XFER_CAUSE_NONE },
	{ { .length = SLOT }, ANY, WISHED(XFER_WISH_SHM, XFER_PATH_VERBS), XFER_PATH_INLINE,
		XFER_CAUSE_PINNED },
	{ { .length = SLOT }, ANY, WISHED(XFER_WISH_SHM, XFER_PATH_INLINE), XFER_PATH_INLINE,
		XFER_CAUSE_NO_PATH },
	{ { .length = SLOT }, ANY, WISHED(XFER_WISH_VERBS, XFER_PATH_VERBS), XFER_PATH_VERBS,
		XFER_CAUSE_NONE },
	{ { .length = SLOT }, ANY, WISHED(XFER_WISH_VERBS, XFER_PATH_SHM), XFER_PATH_INLINE,
		XFER_CAUSE_PINNED },
	{ { .length = SLOT }, ANY, WISHED(XFER_WISH_VERBS, XFER_PATH_INLINE), XFER_PATH_INLINE,
		XFER_CAUSE_NO_PATH },
	/* what the volume's exports say */
	{ { .length = SLOT }, { .wish = XFER_WISH_INLINE }, SHM, XFER_PATH_INLINE,
		XFER_CAUSE_PINNED },
	{ { .length = SLOT }, { .wish = XFER_WISH_INLINE }, { .inline_bytes = SMALL },
		XFER_PATH_INLINE, XFER_CAUSE_PINNED },
	{ { .length = SLOT }, { .wish = XFER_WISH_SHM }, SHM, XFER_PATH_SHM, XFER_CAUSE_NONE },
	{ { .length = SLOT }, { .wish = XFER_WISH_SHM }, VERBS, XFER_PATH_INLINE,
		XFER_CAUSE_PINNED },
	{ { .length = SLOT }, { .wish = XFER_WISH_SHM }, { .inline_bytes = SMALL },
		XFER_PATH_INLINE, XFER_CAUSE_NO_PATH },
	{ { .length = SLOT }, { .wish = XFER_WISH_VERBS }, VERBS, XFER_PATH_VERBS,
		XFER_CAUSE_NONE },
	{ { .length = SLOT }, { .wish = XFER_WISH_VERBS }, SHM, XFER_PATH_INLINE,
		XFER_CAUSE_PINNED },
	{ { .length = SLOT }, { true, XFER_WISH_VERBS }, VERBS, XFER_PATH_INLINE,
		XFER_CAUSE_ENCRYPTION },
	/* both: nothing that one of them doesn't leave */
	{ { .length = SLOT }, { .wish = XFER_WISH_SHM }, WISHED(XFER_WISH_SHM, XFER_PATH_SHM),
		XFER_PATH_SHM, XFER_CAUSE_NONE },
	{ { .length = SLOT }, { .wish = XFER_WISH_SHM }, WISHED(XFER_WISH_INLINE, XFER_PATH_SHM),
		XFER_PATH_INLINE, XFER_CAUSE_PINNED },
	{ { .length = SLOT }, { .wish = XFER_WISH_SHM }, WISHED(XFER_WISH_VERBS, XFER_PATH_INLINE),
		XFER_PATH_INLINE, XFER_CAUSE_PINNED },
};

static void test_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct xfer_path_choice choice =
			xfer_path_choose(&table[i].op, &table[i].volume, &table[i].session);

		if (choice.path != table[i].path || choice.cause != table[i].cause)
			fail_msg("row %zu: %s, %s", i, xfer_path_name(choice.path),
				xfer_path_cause_name(choice.cause));
	}
}

static bool leaves(enum xfer_path_wish wish, enum xfer_path path)
{
	return wish == XFER_WISH_AUTO || (wish == XFER_WISH_SHM && path == XFER_PATH_SHM) ||
	       (wish == XFER_WISH_VERBS && path == XFER_PATH_VERBS);
}

/* Inline has a cause, the others have none. */
static void test_each_combination(void **state)
{
	static const uint32_t lengths[] = { 0, SMALL, SMALL + 1, SLOT, SLOT + 1 };

	(void)state;
	for (unsigned i = 0; i < 5u * 2 * 2 * 2 * 2 * 4 * 4 * 3; i++) {
		unsigned n = i / 5;
		struct xfer_path_op op = { .length = lengths[i % 5],
			.write = n & 1,
			.resent = n & 2,
			.exhausted = n & 4 };
		struct xfer_path_volume volume = { .require_encryption = n & 8,
			.wish = (enum xfer_path_wish)(n / 16 % 4) };
		struct xfer_path_session session = { .wish = (enum xfer_path_wish)(n / 64 % 4),
			.there = (enum xfer_path)(n / 256),
			.inline_bytes = SMALL,
			.write_bytes = SLOT,
			.read_bytes = SLOT };
		struct xfer_path_choice choice = xfer_path_choose(&op, &volume, &session);

		assert_true((choice.path == XFER_PATH_INLINE) == (choice.cause != XFER_CAUSE_NONE));
		assert_true(choice.path == XFER_PATH_INLINE || choice.path == session.there);
		assert_false(volume.require_encryption && choice.path == XFER_PATH_VERBS);
		assert_true(
			choice.path == XFER_PATH_INLINE ||
			(leaves(session.wish, choice.path) && leaves(volume.wish, choice.path)));
	}
}

static void test_names(void **state)
{
	(void)state;
	assert_string_equal(xfer_path_name(XFER_PATH_INLINE), "inline");
	assert_string_equal(xfer_path_name(XFER_PATH_SHM), "shm");
	assert_string_equal(xfer_path_name(XFER_PATH_VERBS), "verbs");
	assert_string_equal(xfer_path_wish_name(XFER_WISH_AUTO), "auto");
	assert_string_equal(xfer_path_wish_name(XFER_WISH_INLINE), "inline");
	assert_string_equal(xfer_path_wish_name(XFER_WISH_SHM), "shm");
	assert_string_equal(xfer_path_wish_name(XFER_WISH_VERBS), "verbs");
	for (int i = 0; i < XFER_CAUSES; i++)
		assert_non_null(xfer_path_cause_name((enum xfer_path_cause)i));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_each_combination),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
