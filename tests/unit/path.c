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

static const struct {
	struct xfer_path_op op;
	struct xfer_path_volume volume;
	struct xfer_path_session session;
	enum xfer_path path;
	enum xfer_path_cause cause;
} table[] = {
	/* by length */
	{ { .length = 0 }, { false }, SHM, XFER_PATH_INLINE, XFER_CAUSE_SMALL },
	{ { .length = 1 }, { false }, SHM, XFER_PATH_INLINE, XFER_CAUSE_SMALL },
	{ { .length = SMALL }, { false }, SHM, XFER_PATH_INLINE, XFER_CAUSE_SMALL },
	{ { .length = SMALL + 1 }, { false }, SHM, XFER_PATH_SHM, XFER_CAUSE_NONE },
	{ { .length = SMALL + 1 }, { false }, VERBS, XFER_PATH_VERBS, XFER_CAUSE_NONE },
	{ { .length = SLOT, .write = true }, { false }, VERBS, XFER_PATH_VERBS, XFER_CAUSE_NONE },
	{ { .length = SLOT + 1, .write = true }, { false }, VERBS, XFER_PATH_INLINE,
		XFER_CAUSE_TOO_LONG },
	{ { .length = UINT32_MAX }, { false }, SHM, XFER_PATH_INLINE, XFER_CAUSE_TOO_LONG },
	{ { .length = 0 }, { false }, { .there = XFER_PATH_SHM, .write_bytes = SLOT },
		XFER_PATH_INLINE, XFER_CAUSE_SMALL },
	/* each direction has its slots */
	{ { .length = SLOT, .write = true }, { false },
		{ .there = XFER_PATH_SHM, .read_bytes = SLOT }, XFER_PATH_INLINE,
		XFER_CAUSE_REFUSED },
	{ { .length = SLOT }, { false }, { .there = XFER_PATH_SHM, .read_bytes = SLOT },
		XFER_PATH_SHM, XFER_CAUSE_NONE },
	{ { .length = SLOT }, { false }, { .there = XFER_PATH_SHM, .read_bytes = SLOT - 1 },
		XFER_PATH_INLINE, XFER_CAUSE_TOO_LONG },
	/* what happened to it before */
	{ { .length = SLOT, .exhausted = true }, { false }, SHM, XFER_PATH_INLINE,
		XFER_CAUSE_EXHAUSTED },
	{ { .length = SLOT, .resent = true }, { false }, SHM, XFER_PATH_INLINE, XFER_CAUSE_RESENT },
	{ { .length = SLOT, .resent = true, .exhausted = true }, { true }, VERBS, XFER_PATH_INLINE,
		XFER_CAUSE_ENCRYPTION },
	/* what isn't encrypted */
	{ { .length = SLOT }, { true }, VERBS, XFER_PATH_INLINE, XFER_CAUSE_ENCRYPTION },
	{ { .length = 1 }, { true }, VERBS, XFER_PATH_INLINE, XFER_CAUSE_ENCRYPTION },
	{ { .length = SLOT }, { true }, SHM, XFER_PATH_SHM, XFER_CAUSE_NONE },
	/* what is configured, and what there is */
	{ { .length = SLOT }, { false }, { .inline_bytes = SMALL }, XFER_PATH_INLINE,
		XFER_CAUSE_NO_PATH },
	{ { .length = SLOT }, { true }, { .inline_bytes = SMALL }, XFER_PATH_INLINE,
		XFER_CAUSE_NO_PATH },
	{ { .length = SLOT }, { false }, WISHED(XFER_WISH_INLINE, XFER_PATH_SHM), XFER_PATH_INLINE,
		XFER_CAUSE_PINNED },
	{ { .length = SLOT }, { false }, WISHED(XFER_WISH_INLINE, XFER_PATH_INLINE),
		XFER_PATH_INLINE, XFER_CAUSE_PINNED },
	{ { .length = SLOT }, { false }, WISHED(XFER_WISH_SHM, XFER_PATH_SHM), XFER_PATH_SHM,
		XFER_CAUSE_NONE },
	{ { .length = SLOT }, { false }, WISHED(XFER_WISH_SHM, XFER_PATH_VERBS), XFER_PATH_INLINE,
		XFER_CAUSE_PINNED },
	{ { .length = SLOT }, { false }, WISHED(XFER_WISH_SHM, XFER_PATH_INLINE), XFER_PATH_INLINE,
		XFER_CAUSE_NO_PATH },
	{ { .length = SLOT }, { false }, WISHED(XFER_WISH_VERBS, XFER_PATH_VERBS), XFER_PATH_VERBS,
		XFER_CAUSE_NONE },
	{ { .length = SLOT }, { false }, WISHED(XFER_WISH_VERBS, XFER_PATH_SHM), XFER_PATH_INLINE,
		XFER_CAUSE_PINNED },
	{ { .length = SLOT }, { false }, WISHED(XFER_WISH_VERBS, XFER_PATH_INLINE),
		XFER_PATH_INLINE, XFER_CAUSE_NO_PATH },
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

/* Inline has a cause, the others have none. */
static void test_each_combination(void **state)
{
	static const uint32_t lengths[] = { 0, SMALL, SMALL + 1, SLOT, SLOT + 1 };

	(void)state;
	for (unsigned i = 0; i < 5u * 2 * 2 * 2 * 2 * 4 * 3; i++) {
		unsigned n = i / 5;
		struct xfer_path_op op = { .length = lengths[i % 5],
			.write = n & 1,
			.resent = n & 2,
			.exhausted = n & 4 };
		struct xfer_path_volume volume = { .require_encryption = n & 8 };
		struct xfer_path_session session = { .wish = (enum xfer_path_wish)(n / 16 % 4),
			.there = (enum xfer_path)(n / 64),
			.inline_bytes = SMALL,
			.write_bytes = SLOT,
			.read_bytes = SLOT };
		struct xfer_path_choice choice = xfer_path_choose(&op, &volume, &session);

		assert_true((choice.path == XFER_PATH_INLINE) == (choice.cause != XFER_CAUSE_NONE));
		assert_true(choice.path == XFER_PATH_INLINE || choice.path == session.there);
		assert_false(volume.require_encryption && choice.path == XFER_PATH_VERBS);
	}
}

static void test_names(void **state)
{
	(void)state;
	assert_string_equal(xfer_path_name(XFER_PATH_INLINE), "inline");
	assert_string_equal(xfer_path_name(XFER_PATH_SHM), "shm");
	assert_string_equal(xfer_path_name(XFER_PATH_VERBS), "verbs");
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
