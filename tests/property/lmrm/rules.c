/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* rules.c -- the rules' names, and what they say */

#include "rules.h"

const char *const rules[RULES] = {
	[NONE] = "none",
	[TIMEOUT] = "timeout",       /* a timeout doesn't free a slot */
	[GENERATION] = "generation", /* RPC and immediate agree on epoch and generation */
	[IN_USE] = "in-use", /* a slot isn't given back before the operation is done with it */
	[REPLY] = "reply",   /* a reply frees the use of a slot that it names, not a later one */
	[WITHHOLD] = "withhold",       /* what is in use when an epoch begins isn't part of it */
	[ABORT] = "abort",             /* an aborted write is in quarantine */
	[LOCAL_EPOCH] = "local-epoch", /* the host confirms an epoch before anything is reused */
	[JOIN] = "join",               /* an RPC waits for its immediate */
	[CACHE] = "cache",             /* what was executed isn't executed again */
	[DRAIN] = "drain",             /* a region is deregistered when it is drained */
	[LET_GO] = "let-go", /* a slot isn't reused while somebody at this end writes into it */
	[ENDED_PATH] =
		"ended-path", /* a host that has given up an RPC doesn't carry it out later */
	[LIMBO] = "limbo",    /* a region isn't removed while a data path is lost */
	[BEGIN] = "begin",    /* a region's generations begin where the host says */
};
