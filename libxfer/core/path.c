/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* path.c -- which way an operation's payload travels */

#include "core/path.h"

enum xfer_path_wish xfer_path_wish_both(enum xfer_path_wish one, enum xfer_path_wish other)
{
	if (one == XFER_WISH_AUTO || one == other)
		return other;
	return other == XFER_WISH_AUTO ? one : XFER_WISH_INLINE;
}

bool xfer_path_wish_leaves(enum xfer_path_wish wish, enum xfer_path path)
{
	switch (wish) {
	case XFER_WISH_AUTO:
		return true;
	case XFER_WISH_SHM:
		return path != XFER_PATH_VERBS;
	case XFER_WISH_VERBS:
		return path != XFER_PATH_SHM;
	default:
		return false;
	}
}

static enum xfer_path_cause why_inline(const struct xfer_path_op *op,
	const struct xfer_path_volume *volume, const struct xfer_path_session *session)
{
	uint32_t largest = op->write ? session->write_bytes : session->read_bytes;
	enum xfer_path_wish wish = xfer_path_wish_both(session->wish, volume->wish);

	/* Without a path there may come to be one. */
	if (!xfer_path_wish_leaves(wish, session->there))
		return XFER_CAUSE_PINNED;
	if (session->there == XFER_PATH_INLINE)
		return XFER_CAUSE_NO_PATH;
	/* shared memory doesn't leave the node, nor does the socket that would carry it instead */
	if (volume->require_encryption && session->there == XFER_PATH_VERBS)
		return XFER_CAUSE_ENCRYPTION;
	if (op->resent)
		return XFER_CAUSE_RESENT;
	if (op->length <= session->inline_bytes)
		return XFER_CAUSE_SMALL;
	if (largest == 0)
		return XFER_CAUSE_REFUSED;
	if (op->length > largest)
		return XFER_CAUSE_TOO_LONG;
	if (op->exhausted)
		return XFER_CAUSE_EXHAUSTED;
	return XFER_CAUSE_NONE;
}

struct xfer_path_choice xfer_path_choose(const struct xfer_path_op *op,
	const struct xfer_path_volume *volume, const struct xfer_path_session *session)
{
	enum xfer_path_cause cause = why_inline(op, volume, session);

	return (struct xfer_path_choice){
		.path = cause == XFER_CAUSE_NONE ? session->there : XFER_PATH_INLINE,
		.cause = cause,
	};
}

const char *xfer_path_wish_name(enum xfer_path_wish wish)
{
	static const char *const names[] = {
		[XFER_WISH_AUTO] = "auto",
		[XFER_WISH_INLINE] = "inline",
		[XFER_WISH_SHM] = "shm",
		[XFER_WISH_VERBS] = "verbs",
	};

	return names[wish];
}

const char *xfer_path_name(enum xfer_path path)
{
	return path == XFER_PATH_SHM ? "shm" : path == XFER_PATH_VERBS ? "verbs" : "inline";
}

const char *xfer_path_cause_name(enum xfer_path_cause cause)
{
	static const char *const names[XFER_CAUSES] = {
		[XFER_CAUSE_NONE] = "none",
		[XFER_CAUSE_PINNED] = "configured",
		[XFER_CAUSE_NO_PATH] = "no data path",
		[XFER_CAUSE_ENCRYPTION] = "Require_Encryption",
		[XFER_CAUSE_RESENT] = "resent",
		[XFER_CAUSE_SMALL] = "small",
		[XFER_CAUSE_REFUSED] = "refused",
		[XFER_CAUSE_TOO_LONG] = "too long",
		[XFER_CAUSE_EXHAUSTED] = "exhausted",
	};

	return names[cause];
}
