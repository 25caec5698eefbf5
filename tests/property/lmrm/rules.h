/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* rules.h -- the rules of docs/lmrm.md that can be broken */
#ifndef TESTS_PROPERTY_LMRM_RULES_H
#define TESTS_PROPERTY_LMRM_RULES_H

enum rule {
	NONE,
	TIMEOUT,
	GENERATION,
	IN_USE,
	REPLY,
	WITHHOLD,
	ABORT,
	LOCAL_EPOCH,
	JOIN,
	CACHE,
	DRAIN,
	LET_GO,
	ENDED_PATH,
	BEGIN,
	LIMBO,
	RULES,
};

extern const char *const rules[RULES]; /* their names */

#endif
