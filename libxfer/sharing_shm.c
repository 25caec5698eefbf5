/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* sharing_shm.c -- a data path over memory that session and owner have mapped, the calling end */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/layout.h"
#include "session.h"
#include "transport/shm.h"

static int shm_offer(struct xfer_session *session, struct xfer_share_args *args, char *why)
{
	struct xfer_memory **memory = &session->sharing.memory;
	int err, fd;

	args->kind = XFER_SHARE_MEMORY;
	if (!session->address.local) {
		snprintf(why, XFER_SHARING_WHY,
			"only an owner on this host can share memory, by its unix: address in "
			"Owners");
		return -EOPNOTSUPP;
	}
	err = xfer_shm_make(xfer_layout_bytes(&args->read, args->lanes), memory, &fd);
	if (err == 0) {
		err = xfer_caller_put_fd(session->lanes[0], fd);
		close(fd);
	}
	if (err == 0)
		return 0;
	snprintf(why, XFER_SHARING_WHY, "there is no memory to share: %s", strerror(-err));
	xfer_memory_free(*memory);
	*memory = NULL;
	return err;
}

static int shm_join(struct xfer_session *session, struct xfer_datapath_params *params, char *why)
{
	(void)why;
	params->transport = &xfer_shm_transport;
	params->memory = session->sharing.memory;
	session->sharing.memory = NULL;
	return 0;
}

static int shm_borrow(struct xfer_session *session, const struct xfer_chunk *chunk, uint64_t bytes,
	struct xfer_memory **memory, char *why)
{
	int err = xfer_shm_map(session->sharing.grow.fd, bytes, memory);

	(void)chunk;
	if (err)
		snprintf(why, XFER_SHARING_WHY, "what the owner has granted can't be mapped: %s",
			strerror(-err));
	return err;
}

static void shm_drop(struct xfer_session *session)
{
	xfer_memory_free(session->sharing.memory);
	session->sharing.memory = NULL;
}

const struct xfer_sharing_sort xfer_sharing_shm = {
	.offer = shm_offer,
	.join = shm_join,
	.borrow = shm_borrow,
	.drop = shm_drop,
	.again_ms = 0,
};
