/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* quota.c -- how much memory a host gives to whom, and from whom it asks some back */

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "core/quota.h"

struct xfer_quota_client {
	bool taken;
	uint64_t granted, wanted, asked; /* bytes; asked: to be returned */
	uint64_t used_at;
	uint64_t asked_at; /* or when it was found overdue; while anything is asked */
};

int xfer_quota_init(struct xfer_quota *quota, const struct xfer_quota_config *config)
{
	if (config->clients_max == 0 || config->cap < config->minimum ||
		config->total / config->clients_max < config->minimum)
		return -EINVAL;
	quota->clients = calloc(config->clients_max, sizeof(*quota->clients));
	if (!quota->clients)
		return -ENOMEM;
	quota->config = *config;
	quota->granted = 0;
	return 0;
}

void xfer_quota_fini(struct xfer_quota *quota)
{
	free(quota->clients);
}

static struct xfer_quota_client *client_of(const struct xfer_quota *quota, unsigned number)
{
	assert(number < quota->config.clients_max && quota->clients[number].taken);
	return &quota->clients[number];
}

int xfer_quota_join(struct xfer_quota *quota, uint64_t now)
{
	for (unsigned i = 0; i < quota->config.clients_max; i++)
		if (!quota->clients[i].taken) {
			quota->clients[i] =
				(struct xfer_quota_client){ .taken = true, .used_at = now };
			return (int)i;
		}
	return -ENOSPC;
}

void xfer_quota_leave(struct xfer_quota *quota, unsigned number)
{
	struct xfer_quota_client *client = client_of(quota, number);

	quota->granted -= client->granted;
	client->taken = false;
}

static uint64_t lesser(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t above(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

static bool is_idle(
	const struct xfer_quota *quota, const struct xfer_quota_client *client, uint64_t now)
{
	return now - client->used_at >= quota->config.idle_ns;
}

/* What an active client may have: the minimum, and an equal share of what isn't kept for minimums; at most the cap. */
static uint64_t share(const struct xfer_quota *quota, uint64_t now)
{
	const struct xfer_quota_config *config = &quota->config;
	unsigned active = 0;

	for (unsigned i = 0; i < config->clients_max; i++)
		active += quota->clients[i].taken && !is_idle(quota, &quota->clients[i], now);
	if (active == 0)
		active = 1;
	return lesser(config->cap,
		config->minimum + (config->total - config->clients_max * config->minimum) / active);
}

/* What is neither granted nor kept for minimums. */
static uint64_t spare(const struct xfer_quota *quota)
{
	const struct xfer_quota_config *config = &quota->config;
	uint64_t spoken_for = 0;

	for (unsigned i = 0; i < config->clients_max; i++) {
		const struct xfer_quota_client *client = &quota->clients[i];

		spoken_for += client->taken && client->granted > config->minimum ? client->granted
										 : config->minimum;
	}
	return config->total - spoken_for;
}

uint64_t xfer_quota_grant(
	struct xfer_quota *quota, unsigned number, uint64_t bytes, uint64_t unit, uint64_t now)
{
	struct xfer_quota_client *client = client_of(quota, number);
	uint64_t room, grant;

	assert(unit > 0);
	client->used_at = now;
	room = above(quota->config.minimum, client->granted) + spare(quota);
	grant = lesser(bytes, lesser(room, above(share(quota, now), client->granted)));
	grant -= grant % unit;
	client->granted += grant;
	quota->granted += grant;
	/* no more than it may have at all, and no less than makes up a unit */
	client->wanted = lesser(bytes - grant, above(share(quota, now), client->granted));
	if (client->wanted < unit)
		client->wanted = 0;
	return grant;
}

void xfer_quota_return(struct xfer_quota *quota, unsigned number, uint64_t bytes)
{
	struct xfer_quota_client *client = client_of(quota, number);

	assert(bytes <= client->granted);
	client->granted -= bytes;
	client->asked = above(client->asked, bytes);
	quota->granted -= bytes;
}

void xfer_quota_used(struct xfer_quota *quota, unsigned number, uint64_t now)
{
	client_of(quota, number)->used_at = now;
}

/* What is wanted and neither there nor on its way back. */
static uint64_t missing(const struct xfer_quota *quota)
{
	uint64_t wanted = 0, asked = 0;

	for (unsigned i = 0; i < quota->config.clients_max; i++) {
		const struct xfer_quota_client *client = &quota->clients[i];

		if (client->taken) {
			wanted += client->wanted;
			asked += client->asked;
		}
	}
	return above(wanted, spare(quota) + asked);
}

/* What it could do without. What it is asked for has one deadline, so nothing is added to that. */
static uint64_t superfluous(const struct xfer_quota *quota, const struct xfer_quota_client *client,
	uint64_t now, uint64_t equal)
{
	if (!client->taken || client->asked > 0)
		return 0;
	return above(client->granted, is_idle(quota, client, now) ? quota->config.minimum : equal);
}

bool xfer_quota_reclaim(struct xfer_quota *quota, uint64_t now, unsigned *number, uint64_t *bytes)
{
	struct xfer_quota_client *found = NULL;
	uint64_t equal = share(quota, now), lacking = missing(quota), most = 0;
	bool idle = false;

	if (lacking == 0)
		return false;
	for (unsigned i = 0; i < quota->config.clients_max; i++) {
		struct xfer_quota_client *client = &quota->clients[i];
		uint64_t has = superfluous(quota, client, now, equal);
		bool sleeps = has > 0 && is_idle(quota, client, now);

		if (has > 0 && (!found || sleeps > idle || (sleeps == idle && has > most))) {
			found = client;
			most = has;
			idle = sleeps;
		}
	}
	if (!found)
		return false;
	*number = (unsigned)(found - quota->clients);
	*bytes = lesser(most, lacking);
	found->asked = *bytes;
	found->asked_at = now;
	found->wanted = 0;
	return true;
}

bool xfer_quota_overdue(struct xfer_quota *quota, uint64_t now, unsigned *number)
{
	for (unsigned i = 0; i < quota->config.clients_max; i++) {
		struct xfer_quota_client *client = &quota->clients[i];

		if (client->taken && client->asked > 0 &&
			now - client->asked_at > quota->config.return_ns) {
			client->asked_at = now;
			*number = i;
			return true;
		}
	}
	return false;
}

uint64_t xfer_quota_granted(const struct xfer_quota *quota, unsigned number)
{
	return client_of(quota, number)->granted;
}
