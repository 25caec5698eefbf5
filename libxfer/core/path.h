/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* path.h -- which way an operation's payload travels */
#ifndef XFER_CORE_PATH_H
#define XFER_CORE_PATH_H

#include <stdbool.h>
#include <stdint.h>

#include "xfer/xfer.h"

enum xfer_path { XFER_PATH_INLINE, XFER_PATH_SHM, XFER_PATH_VERBS };

/* Why inline. The order is that in which they are looked at: the first one that holds is given. */
enum xfer_path_cause {
	XFER_CAUSE_NONE,       /* not inline */
	XFER_CAUSE_PINNED,     /* the configuration says inline, or another path than there is */
	XFER_CAUSE_NO_PATH,    /* there is no data path, or not at the moment */
	XFER_CAUSE_ENCRYPTION, /* Require_Encryption, and what verbs carries isn't encrypted */
	XFER_CAUSE_RESENT, /* the host has answered RESEND_INLINE, or the first sending's fate isn't known */
	XFER_CAUSE_SMALL,     /* cheaper that way */
	XFER_CAUSE_REFUSED,   /* the host has granted no memory for it */
	XFER_CAUSE_TOO_LONG,  /* no slot is large enough */
	XFER_CAUSE_EXHAUSTED, /* no slot was free in time */
	XFER_CAUSES,
};

struct xfer_path_op {
	uint32_t length; /* bytes of payload; READ: asked for */
	bool write;      /* it travels to the host */
	bool resent;
	bool exhausted; /* it has waited for a slot in vain, or no more may wait */
};

struct xfer_path_volume {
	bool require_encryption;
	enum xfer_path_wish wish; /* AUTO: as the session's */
};

struct xfer_path_session {
	enum xfer_path_wish wish;
	enum xfer_path there;             /* the data path that is up; INLINE: none */
	uint32_t inline_bytes;            /* up to which length inline is cheaper on it */
	uint32_t write_bytes, read_bytes; /* the largest slot; 0: none */
};

struct xfer_path_choice {
	enum xfer_path path;
	enum xfer_path_cause cause;
};

/* Pure, and the same for the same arguments. */
struct xfer_path_choice xfer_path_choose(const struct xfer_path_op *op,
	const struct xfer_path_volume *volume, const struct xfer_path_session *session);

/* What two wishes leave together; INLINE: nothing else. */
enum xfer_path_wish xfer_path_wish_both(enum xfer_path_wish one, enum xfer_path_wish other);
/* Whether a wish leaves a data path of this kind; INLINE, which is none: whether it leaves any. */
bool xfer_path_wish_leaves(enum xfer_path_wish wish, enum xfer_path path);

/* As configurations have it. */
const char *xfer_path_wish_name(enum xfer_path_wish wish);
const char *xfer_path_name(enum xfer_path path);
const char *xfer_path_cause_name(enum xfer_path_cause cause);

#endif
