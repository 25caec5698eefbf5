/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* limits.c -- how many handshakes may be under way, in all and from one address */

#include <errno.h>
#include <string.h>

#include "address.h"
#include "counters.h"
#include "tls/limits.h"
#include "xfer/xfer.h"

void xfer_tls_limits_init(struct xfer_tls_limits *limits, unsigned max, unsigned per_address)
{
	memset(limits, 0, sizeof(*limits));
	limits->max = max;
	limits->per_address = per_address;
	pthread_mutex_init(&limits->lock, NULL);
}

void xfer_tls_limits_fini(struct xfer_tls_limits *limits)
{
	pthread_mutex_destroy(&limits->lock);
}

static unsigned bucket_of(const struct sockaddr_storage *address)
{
	size_t len;
	const void *host = xfer_address_host(address, &len);

	return xfer_hash(0, host, len) % XFER_TLS_BUCKETS;
}

static unsigned count_from(
	const struct xfer_tls_limits *limits, const struct sockaddr_storage *address)
{
	const struct xfer_tls_place *place;
	unsigned count = 0;

	LIST_FOREACH (place, &limits->buckets[bucket_of(address)], link)
		count += xfer_address_same_host(&place->address, address);
	return count;
}

int xfer_tls_limits_enter(
	struct xfer_tls_limits *limits, struct xfer_tls_place *place, const char **which)
{
	int err = -EUSERS;

	pthread_mutex_lock(&limits->lock);
	if (limits->taken >= limits->max) {
		*which = "in all";
		xfer_count(XFER_CNT_TLS_TOO_MANY, 1);
	} else if (count_from(limits, &place->address) >= limits->per_address) {
		*which = "from one address";
		xfer_count(XFER_CNT_TLS_TOO_MANY_OF_ADDRESS, 1);
	} else {
		err = 0;
		limits->taken++;
		LIST_INSERT_HEAD(&limits->buckets[bucket_of(&place->address)], place, link);
	}
	pthread_mutex_unlock(&limits->lock);
	return err;
}

void xfer_tls_limits_leave(struct xfer_tls_limits *limits, struct xfer_tls_place *place)
{
	pthread_mutex_lock(&limits->lock);
	limits->taken--;
	LIST_REMOVE(place, link);
	pthread_mutex_unlock(&limits->lock);
}

unsigned xfer_tls_limits_taken(struct xfer_tls_limits *limits)
{
	unsigned taken;

	pthread_mutex_lock(&limits->lock);
	taken = limits->taken;
	pthread_mutex_unlock(&limits->lock);
	return taken;
}
