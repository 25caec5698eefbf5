/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* errors.c -- libxfer's -errno values as Ganesha's FSAL errors */

/*
 * Ganesha's own posix2fsal_error() doesn't fit errors that come from another node:
 * - ERR_FSAL_NOMEM and ERR_FSAL_NOT_OPENED (its ENOMEM, ENOLCK, EBADF) make NFSv3 drop the request, so
 *   that the client waits and sends it again for ever. They are never given here.
 * - ERR_FSAL_DELAY (its EBUSY) promises that asking again will help. It is given only for -EAGAIN, which
 *   libxfer gives only for what was not executed.
 */

#include <errno.h>
#include <stddef.h>

#include "errors.h"

static const struct {
	int err; /* positive */
	fsal_errors_t fsal;
} table[] = {
	{ 0, ERR_FSAL_NO_ERROR },
	/* NFS3ERR_PERM, "not owner": the caller lacks ownership, not access. */
	{ EPERM, ERR_FSAL_PERM },
	{ ENOENT, ERR_FSAL_NOENT },
	{ EIO, ERR_FSAL_IO },
	{ ENXIO, ERR_FSAL_NXIO },
	{ ENODEV, ERR_FSAL_NXIO },
	{ EBADF, ERR_FSAL_BADHANDLE }, /* the owner refused the handle as none of its making */
	{ EAGAIN, ERR_FSAL_DELAY },
	{ ENOMEM, ERR_FSAL_SERVERFAULT },
	{ ENOLCK, ERR_FSAL_SERVERFAULT },
	{ ENFILE, ERR_FSAL_SERVERFAULT },
	{ EMFILE, ERR_FSAL_SERVERFAULT },
	{ EACCES, ERR_FSAL_ACCESS },
	{ EFAULT, ERR_FSAL_SERVERFAULT },
	/* In use as a mount point at the owner, which lasts: the client shall tell its user. */
	{ EBUSY, ERR_FSAL_ACCESS },
	{ EEXIST, ERR_FSAL_EXIST },
	{ EXDEV, ERR_FSAL_XDEV },
	{ ENOTDIR, ERR_FSAL_NOTDIR },
	{ EISDIR, ERR_FSAL_ISDIR },
	{ EINVAL, ERR_FSAL_INVAL },
	{ EDOM, ERR_FSAL_INVAL },
	/* SHARE_DENIED would make NFSv3 clients ask for ever. */
	{ ETXTBSY, ERR_FSAL_FILE_OPEN },
	{ EFBIG, ERR_FSAL_FBIG },
	{ EOVERFLOW, ERR_FSAL_OVERFLOW },
	{ ENOSPC, ERR_FSAL_NOSPC },
	{ EROFS, ERR_FSAL_ROFS },
	{ EMLINK, ERR_FSAL_MLINK },
	{ ELOOP, ERR_FSAL_SYMLINK }, /* an open met a symbolic link */
	{ ENAMETOOLONG, ERR_FSAL_NAMETOOLONG },
	{ EILSEQ, ERR_FSAL_BADNAME },
	{ ENOTEMPTY, ERR_FSAL_NOTEMPTY },
	{ ENODATA, ERR_FSAL_NOXATTR },
	{ E2BIG, ERR_FSAL_XATTR2BIG },
	{ EDQUOT, ERR_FSAL_DQUOT },
	{ ESTALE, ERR_FSAL_STALE },
	{ ENOTSUP, ERR_FSAL_NOTSUPP },
	{ ENOSYS, ERR_FSAL_NOTSUPP },
	/* Nobody knows whether it was executed: an error that the client doesn't answer by asking again. */
	{ EREMOTEIO, ERR_FSAL_IO },
	{ ETIMEDOUT, ERR_FSAL_IO },
	{ ECONNREFUSED, ERR_FSAL_IO },
	{ ECONNRESET, ERR_FSAL_IO },
	{ ECONNABORTED, ERR_FSAL_IO },
	{ ENOTCONN, ERR_FSAL_IO },
	{ EPIPE, ERR_FSAL_IO },
	{ EPROTO, ERR_FSAL_IO },
};

fsal_errors_t rdx_error(int err)
{
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		if (table[i].err == -err)
			return table[i].fsal;
	}
	return ERR_FSAL_SERVERFAULT;
}
