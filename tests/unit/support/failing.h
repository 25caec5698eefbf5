/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* failing.h -- calls of the C library, one of which fails when a test says so */
#ifndef SUPPORT_FAILING_H
#define SUPPORT_FAILING_H

/*
 * For tests that are linked with --wrap of what failing.c defines (failing_calls in CMakeLists.txt): what the objects of
 * this project call goes through here, what libraries call among themselves doesn't.
 */

enum failing_kind {
	FAILING_MEMORY,      /* malloc and the like; jansson's, too */
	FAILING_DESCRIPTORS, /* what makes descriptors and threads, and what watches them */
	FAILING_RECORDS,     /* sends and receives */
	FAILING_FILES,       /* the rest: what a file system may refuse */
	FAILING_KINDS,
};

/* From now on the nth call of this kind fails, on whichever thread; 1 is the next one. */
void failing_arm(enum failing_kind kind, unsigned nth);
/* From now on none does. The call that has failed; NULL: there were fewer. */
const char *failing_disarm(void);

#endif
