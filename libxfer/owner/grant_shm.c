/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* grant_shm.c -- a data path over memory that session and owner have mapped, the owner's end */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "control/dispatcher.h"
#include "core/layout.h"
#include "owner/grant.h"
#include "transport/shm.h"

/*
 * What the caller has brought isn't in the quota, which is for what this process makes, but mapping it costs page
 * tables here. No slots: its READs are answered inline.
 */
static int shm_open_path(struct grant *grant, struct xfer_request *request,
	struct xfer_hostpath_params *params, char *why)
{
	const struct xfer_share_args *args = &request->args.share;
	uint64_t bytes = xfer_layout_bytes(&args->read, args->lanes);
	int err;

	params->transport = &xfer_shm_transport;
	if (!request->dispatcher->identity.local) {
		snprintf(why, GRANT_WHY, "it is on another host");
		return -EOPNOTSUPP;
	}
	if (args->read.nclasses == 0)
		return 0;
	if (bytes > grant->memory->quota.config.cap) {
		snprintf(why, GRANT_WHY,
			"it offers more than session_memory: raise that, or lower its Small_Slots "
			"and Large_Slots");
		return -EFBIG;
	}
	err = bytes > 0 ? xfer_shm_map(request->fd, bytes, &params->memory) : -EINVAL;
	if (err == -EINVAL)
		snprintf(why, GRANT_WHY, "what it offers isn't sealed memory of the size it says");
	else if (err)
		snprintf(why, GRANT_WHY, "%s", strerror(-err));
	return err;
}

static void shm_offer(struct grant *grant, struct xfer_request *request,
	const struct xfer_hostpath_params *params)
{
	(void)grant;
	(void)request;
	(void)params;
}

static int shm_lend(struct grant *grant, struct xfer_request *request, uint64_t bytes,
	struct xfer_memory **memory, char *why)
{
	int fd, err = xfer_shm_make(bytes, memory, &fd);

	if (err) {
		grant_return(grant, bytes);
		snprintf(why, GRANT_WHY, "%s", strerror(-err));
		return err;
	}
	grant_count(grant, *memory);
	err = xfer_request_put_fd(request, fd);
	close(fd);
	if (err) {
		xfer_memory_free(*memory);
		snprintf(why, GRANT_WHY, "its descriptor can't be sent: %s", strerror(-err));
	}
	return err;
}

static void shm_describe(const struct xfer_memory *memory, uint32_t lanes, struct xfer_chunk *chunk)
{
	(void)memory;
	(void)lanes;
	chunk->base = 0;
	chunk->nkeys = 0;
}

static const char *shm_trouble(struct grant *grant)
{
	(void)grant;
	return NULL;
}

const struct grant_sort grant_shm = {
	.open = shm_open_path,
	.offer = shm_offer,
	.lend = shm_lend,
	.describe = shm_describe,
	.trouble = shm_trouble,
};
