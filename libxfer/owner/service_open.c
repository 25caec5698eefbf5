/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* service_open.c -- OPEN in all its modes, CLOSE */

#include <errno.h>
#include <string.h>

#include "owner/creds.h"
#include "owner/service.h"

#define TRIES 3 /* against others who create and remove the same name */

/* What OPEN finds or makes. */
struct opening {
	const struct op *op;
	struct object dir; /* when a name is given */
	int path_fd;       /* O_PATH, of the file; -1: the file was made and fd is there */
	int fd;            /* open for what is asked; -1: not yet */
	uint64_t fileid;   /* of the file; 0: not known yet */
	bool looked;       /* for the name; the directory's attributes are from before that */
	bool created;      /* by this call */
	bool same;         /* EXCLUSIVE: by an earlier sending of it */
	bool dir_changes, file_changes; /* of the following, which has begun */
	struct coherence_change dir_change, file_change;
};

static const struct xfer_open_args *args_of(const struct opening *opening)
{
	return &opening->op->request->args.open;
}

static void begin_file_change(struct opening *opening)
{
	op_change_begin(opening->op, &opening->file_change, &opening->fileid, 1);
	opening->file_changes = true;
}

static void end_file_change(struct opening *opening)
{
	if (opening->file_changes)
		op_change_end(opening->op, &opening->file_change);
	opening->file_changes = false;
}

static void end_dir_change(struct opening *opening)
{
	if (opening->dir_changes)
		op_change_end(opening->op, &opening->dir_change);
	opening->dir_changes = false;
}

static uint32_t access_of(const struct xfer_open_args *args)
{
	return args->flags & (XFER_OPEN_READ | XFER_OPEN_WRITE);
}

/* The times that an EXCLUSIVE creation leaves in the file so that its repetition is recognized, as FSAL_VFS
 * does it: the verifier's halves, in the initiator's byte order, as seconds. */
static void verifier_times(const uint8_t verifier[8], uint32_t *atime, uint32_t *mtime)
{
	memcpy(atime, verifier, 4);
	memcpy(mtime, verifier + 4, 4);
}

static bool made_by_same(const struct xfer_open_args *args, const struct statx *stx)
{
	uint32_t atime, mtime;

	verifier_times(args->verifier, &atime, &mtime);
	return args->create == XFER_EXCLUSIVE && S_ISREG(stx->stx_mode) &&
	       (uint32_t)stx->stx_atime.tv_sec == atime && (uint32_t)stx->stx_mtime.tv_sec == mtime;
}

/* --- a file that exists ------------------------------------------------------------------------ */

static int not_regular(const struct statx *stx)
{
	switch (stx->stx_mode & S_IFMT) {
	case S_IFREG:
		return 0;
	case S_IFDIR:
		return -EISDIR;
	case S_IFLNK:
		return -ELOOP;
	default:
		return -EINVAL; /* never opened: that could block, or do something to a device */
	}
}

/* The permission for what is asked, and for the new size of an UNCHECKED creation. */
static int open_existing(struct opening *opening)
{
	const struct xfer_open_args *args = args_of(opening);
	const struct op *op = opening->op;
	bool sets_size = args->flags & XFER_OPEN_TRUNC ||
			 (args->create == XFER_UNCHECKED && args->set.mask & XFER_SET_SIZE);
	uint64_t size = args->flags & XFER_OPEN_TRUNC ? 0 : args->set.size;
	uint32_t access = access_of(args) | (sets_size ? XFER_OPEN_WRITE : 0);
	bool override = opening->same || args->flags & XFER_OPEN_OWNER_OVERRIDE;
	struct statx stx;
	int err = op->volume->store->stat(opening->path_fd, &stx);

	if (err == 0)
		err = not_regular(&stx);
	if (err == 0 && access)
		err = op_may_access(op, opening->path_fd, &stx, access, override);
	if (err)
		return err;
	opening->fileid = object_fileid(op->volume, &stx);
	opening->fd = op_reopen(op, opening->path_fd, access);
	if (opening->fd < 0)
		return opening->fd;
	if (!sets_size)
		return 0;
	begin_file_change(opening);
	err = creds_assume(&op->cred);
	return err ? err : op->volume->store->truncate(opening->fd, size);
}

/* --- a new file -------------------------------------------------------------------------------- */

/* What openat's mode can't do. Others may have seen the file as it is. */
static int set_attributes(struct opening *opening, struct object *made)
{
	const struct xfer_open_args *args = args_of(opening);
	struct volume *volume = opening->op->volume;
	struct xfer_setattr set = args->set;
	uint32_t atime, mtime;
	int err = 0;

	if ((set.mode & 07000) == 0)
		set.mask &= ~(uint32_t)XFER_SET_MODE;
	if (args->create == XFER_EXCLUSIVE) {
		verifier_times(args->verifier, &atime, &mtime);
		set.mask &= ~(uint32_t)(XFER_SET_ATIME_NOW | XFER_SET_MTIME_NOW);
		set.mask |= XFER_SET_ATIME | XFER_SET_MTIME;
		set.atime = (struct xfer_time){ .sec = atime };
		set.mtime = (struct xfer_time){ .sec = mtime };
	}
	if (set.mask == 0)
		return 0;
	err = object_learn_fileid(made);
	if (err)
		return err;
	opening->fileid = made->fileid;
	begin_file_change(opening);
	if (set.mask & XFER_SET_SIZE && set.size > 0)
		err = set.size > INT64_MAX ? -EFBIG
					   : volume->store->truncate(opening->fd, set.size);
	return err ? err : object_set(volume, opening->fd, &set);
}

/* Returns what is open, -errno. */
static int create_file(const struct opening *opening, uint32_t mode)
{
	struct volume *volume = opening->op->volume;
	uint64_t dir = opening->dir.fileid;
	int fd;

	names_lock(&volume->names, dir, dir);
	fd = volume->store->open_at(
		opening->dir.fd, args_of(opening)->name, O_RDWR | O_CREAT | O_EXCL, mode);
	names_unlock(&volume->names, dir, dir);
	return fd;
}

/* As far as it is known what it is. */
static void take_file_back(struct opening *opening, struct object *made)
{
	if (object_learn_fileid(made) == 0)
		op_take_back(opening->op, &opening->dir, args_of(opening)->name, made->fileid, 0);
}

/* -EEXIST: there is one already. The thread has the caller's credentials. */
static int make_file(struct opening *opening)
{
	const struct xfer_open_args *args = args_of(opening);
	struct xfer_open_res *res = &opening->op->request->results.open;
	struct object made = { .volume = opening->op->volume };
	uint32_t mode = args->set.mask & XFER_SET_MODE ? args->set.mode & 07777 : 0666;
	int err;

	/* Until its times tell whose it is, nobody else may have a file that is made exclusively. */
	if (args->create == XFER_EXCLUSIVE && !(args->set.mask & XFER_SET_MODE))
		mode = 0600;
	made.fd = create_file(opening, mode);
	if (made.fd < 0)
		return made.fd;
	opening->fd = made.fd;
	opening->created = true;
	err = set_attributes(opening, &made);
	if (err == 0)
		err = op_node(opening->op, &made, true, &res->node);
	if (err)
		take_file_back(opening, &made);
	else
		opening->fileid = res->node.attr.fileid;
	return err;
}

/* --- all modes --------------------------------------------------------------------------------- */

/* -ENOENT: there is no such file. The thread has the caller's credentials. */
static int find_named(struct opening *opening)
{
	const struct xfer_open_args *args = args_of(opening);
	struct volume *volume = opening->op->volume;
	struct object object;
	struct statx stx;
	int err;

	/* First: what is promised of the directory is true of the name that is found then. */
	opening->looked = true;
	op_opt_attr(
		opening->op, &opening->dir, false, &opening->op->request->results.open.dir_attr);
	err = object_open_at(volume, opening->dir.fd, args->name, &object);
	if (err)
		return err;
	if (opening->path_fd >= 0)
		volume->store->close(opening->path_fd); /* of the try before */
	opening->path_fd = object.fd;
	if (args->create != XFER_EXCLUSIVE && args->create != XFER_GUARDED)
		return open_existing(opening);
	err = volume->store->stat(object.fd, &stx);
	if (err)
		return err;
	opening->same = made_by_same(args, &stx);
	return opening->same ? open_existing(opening) : -EEXIST;
}

/* -ENOENT: the directory's change has begun, and a file can be made. */
static int find_or_begin(struct opening *opening)
{
	int err;

	opening->dir_changes =
		op_change_begin_now(opening->op, &opening->dir_change, &opening->dir.fileid, 1);
	if (opening->dir_changes)
		return -ENOENT;
	/* Others needn't be told of a new name if there is none. */
	err = find_named(opening);
	if (err != -ENOENT)
		return err;
	op_change_begin(opening->op, &opening->dir_change, &opening->dir.fileid, 1);
	opening->dir_changes = true;
	return -ENOENT;
}

static int find_or_make(struct opening *opening)
{
	int err = object_learn_fileid(&opening->dir);

	if (err)
		return err;
	for (int i = 0; i < TRIES; i++) {
		err = find_or_begin(opening);
		if (err != -ENOENT)
			return err;
		err = creds_assume(&opening->op->cred);
		if (err == 0)
			err = make_file(opening);
		if (err != -EEXIST || opening->created)
			return err;
		end_dir_change(opening);
		err = find_named(opening);
		if (err != -ENOENT)
			return err;
	}
	return err;
}

static int open_named(struct opening *opening)
{
	const struct xfer_open_args *args = args_of(opening);
	struct xfer_open_res *res = &opening->op->request->results.open;
	int err = object_check_name(args->name);

	if (err == 0)
		err = object_open(opening->op->volume, &args->handle, &opening->dir);
	if (err)
		return err;
	err = creds_assume(&opening->op->cred);
	if (err == 0)
		err = args->create == XFER_NO_CREATE ? find_named(opening) : find_or_make(opening);
	if (opening->created || !opening->looked)
		op_opt_attr(opening->op, &opening->dir, opening->created, &res->dir_attr);
	end_dir_change(opening);
	object_close(&opening->dir);
	return err;
}

static int open_by_handle(struct opening *opening)
{
	const struct xfer_open_args *args = args_of(opening);
	struct object object;
	int err;

	if (args->create != XFER_NO_CREATE)
		return -EINVAL;
	err = object_open(opening->op->volume, &args->handle, &object);
	if (err)
		return err;
	if (object.root) {
		object_close(&object);
		return -EISDIR;
	}
	opening->path_fd = object.fd;
	return open_existing(opening);
}

static int open_any(struct opening *opening)
{
	return args_of(opening)->name[0] ? open_named(opening) : open_by_handle(opening);
}

/* --- keeping it -------------------------------------------------------------------------------- */

/* Node and, when it is to be kept, the open id. Takes opening->fd over. */
static int complete(struct opening *opening, unsigned place)
{
	const struct xfer_open_args *args = args_of(opening);
	const struct op *op = opening->op;
	struct xfer_open_res *res = &op->request->results.open;
	bool keep = args->flags & XFER_OPEN_KEEP;
	bool changed = args->flags & XFER_OPEN_TRUNC ||
		       (args->create == XFER_UNCHECKED && args->set.mask & XFER_SET_SIZE);
	struct object opened = {
		.volume = op->volume, .fd = opening->fd, .fileid = opening->fileid
	};
	int fd = opening->fd, err = 0;
	struct file *file;

	/* A file that was made has told it, when it still could be removed. */
	if (!opening->created)
		err = op_node(op, &opened, changed, &res->node);

	opening->fd = -1;
	res->created = opening->created || opening->same;
	if (err || !keep) {
		op->volume->store->close(fd);
		return err;
	}
	file = file_new(op->volume, fd, access_of(args), &res->node.handle, res->node.attr.fileid);
	if (!file)
		return -ENOMEM;
	res->open_id = opens_fill(&op->peer->opens, place, file);
	return 0;
}

int service_open(const struct op *op)
{
	const struct xfer_open_args *args = &op->request->args.open;
	const struct store_ops *store = op->volume->store;
	bool keep = args->flags & XFER_OPEN_KEEP;
	struct opening opening = { .op = op, .path_fd = -1, .fd = -1 };
	unsigned place = 0;
	int err = keep ? opens_reserve(&op->peer->opens, &place) : 0;

	if (err)
		return -EAGAIN;
	err = open_any(&opening);
	if (err == 0)
		err = complete(&opening, place);
	end_file_change(&opening);
	if (err && keep)
		opens_cancel(&op->peer->opens, place);
	if (opening.fd >= 0)
		store->close(opening.fd);
	if (opening.path_fd >= 0)
		store->close(opening.path_fd);
	return err;
}

int service_close(const struct op *op)
{
	const struct xfer_close_args *args = &op->request->args.close;

	file_put(opens_take(&op->peer->opens, args->open_id));
	return 0;
}
