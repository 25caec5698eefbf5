/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* scratch.c -- the file that a bench reads and writes */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"

#define AGAIN_US 100000

/* --- errors ------------------------------------------------------------------------------------- */

static const char *remedy(int err)
{
	switch (err) {
	case -EACCES:
	case -EPERM:
		return "run it as a user who may write in the volume's root; squash makes root another "
		       "one there";
	case -EROFS:
		return "in rdmaxferd.conf read_only of the volume, or of this node in it, has to be "
		       "false";
	case -ENOSPC:
	case -EDQUOT:
		return "free some space there, or write less by --file-size";
	case -EAGAIN:
		return "the owner puts it off: if it was restarted a short while ago, wait for the end "
		       "of its grace period";
	case -EEXIST:
		return "remove what an earlier bench has left in the volume's root";
	default:
		return "see the owner's log";
	}
}

void scratch_complain(const struct scratch *scratch, const char *what, int err)
{
	const char *trouble = link_trouble();

	if (interrupted())
		fprintf(stderr, "rdmaxferctl: interrupted\n");
	else if (trouble)
		fprintf(stderr, "rdmaxferctl: %s; nothing was measured: see the owner's log\n",
			trouble);
	else
		fprintf(stderr, "rdmaxferctl: can't %s on volume %s of owner %s: %s; %s\n", what,
			scratch->volume, scratch->owner->name, strerror(-err), remedy(err));
}

/* --- the volume --------------------------------------------------------------------------------- */

/* By STATFS, which needs no right in the file system: so -EACCES is about the node. */
static int check_volume(const struct scratch *scratch, uint64_t size)
{
	const char *owner = scratch->owner->name, *volume = scratch->volume;
	struct xfer_statfs statfs;
	int err = xfer_op_statfs(scratch->session, &scratch->cred, &scratch->root, &statfs);

	if (err == 0 && statfs.avail_bytes < size)
		err = -ENOSPC;
	if (err == -EAGAIN && !link_trouble())
		fprintf(stderr,
			"rdmaxferctl: owner %s has no volume %s: correct --volume, or say its id by "
			"--volume-id if rdmaxferd.conf gives it one\n",
			owner, volume);
	else if (err == -EACCES)
		fprintf(stderr,
			"rdmaxferctl: node %s may not use volume %s of owner %s: add it to the volume's "
			"`nodes` in rdmaxferd.conf\n",
			scratch->owner->node, volume, owner);
	else if (err)
		scratch_complain(scratch, "make a file", err);
	return err;
}

/* --- the file ----------------------------------------------------------------------------------- */

/* While the owner puts it off. */
static bool again(int err, uint64_t until_ns)
{
	if (err != -EAGAIN || xfer_now_ns() > until_ns)
		return false;
	usleep(AGAIN_US);
	return true;
}

static uint64_t patience(void)
{
	return xfer_now_ns() + CTL_TIMEOUT_MS * XFER_NS_PER_MS;
}

static int open_file(struct scratch *scratch)
{
	struct xfer_open open = { .handle = scratch->root,
		.name = scratch->name,
		.flags = XFER_OPEN_READ | XFER_OPEN_WRITE | XFER_OPEN_KEEP,
		.create = XFER_GUARDED,
		.set = { .mask = XFER_SET_MODE, .mode = 0600 } };
	uint64_t until = patience();
	struct xfer_opened opened;
	int err;

	do
		err = xfer_op_open(scratch->session, &scratch->cred, &open, &opened);
	while (again(err, until));
	if (err)
		return err;
	scratch->handle = opened.node.handle;
	scratch->open_id = opened.open_id;
	return 0;
}

static int unlink_file(const struct scratch *scratch)
{
	struct xfer_opt_attr dir_attr, object;
	uint64_t until = patience();
	int err;

	do
		err = xfer_op_unlink(scratch->session, &scratch->cred, &scratch->root,
			scratch->name, &dir_attr, &object);
	while (again(err, until));
	return err == -ENOENT ? 0 : err;
}

static void identify(struct xfer_cred *cred)
{
	static gid_t groups[XFER_GROUPS_MAX];
	int n = getgroups(XFER_GROUPS_MAX, groups);

	_Static_assert(sizeof(*groups) == sizeof(*cred->groups), "groups are passed as they are");
	*cred = (struct xfer_cred){ .uid = geteuid(), .gid = getegid() };
	cred->ngroups = n > 0 ? (uint32_t)n : 0;
	cred->groups = groups;
}

int scratch_create(struct scratch *scratch, const struct ctl *ctl, const struct ctl_owner *owner,
	struct xfer_session *session, uint64_t size)
{
	const struct ctl_bench_options *options = &ctl->bench;
	uint32_t id = options->volume_id ? options->volume_id : xfer_volume_id(options->volume);
	int err;

	*scratch =
		(struct scratch){ .session = session, .owner = owner, .volume = options->volume };
	identify(&scratch->cred);
	xfer_handle_root(id, &scratch->root);
	snprintf(scratch->name, sizeof(scratch->name), "rdmaxferctl-bench-%s-%d", owner->node,
		getpid());
	err = check_volume(scratch, size);
	if (err)
		return err;
	err = open_file(scratch);
	if (err)
		scratch_complain(scratch, "make a file", err);
	/* It may be there all the same. */
	if (err == -EREMOTEIO)
		unlink_file(scratch);
	return err;
}

int scratch_commit(struct scratch *scratch)
{
	uint64_t until = patience();
	struct xfer_opt_attr attr;
	uint8_t verifier[8];
	int err;

	do
		err = xfer_op_commit(scratch->session, &scratch->cred, &scratch->handle,
			scratch->open_id, 0, 0, verifier, &attr);
	while (again(err, until));
	return err;
}

int scratch_remove(struct scratch *scratch)
{
	int err;

	xfer_op_close(scratch->session, &scratch->handle, scratch->open_id);
	err = unlink_file(scratch);
	if (err)
		fprintf(stderr,
			"rdmaxferctl: %s is still in the root of volume %s of owner %s (%s): remove "
			"it there\n",
			scratch->name, scratch->volume, scratch->owner->name, strerror(-err));
	return err;
}
