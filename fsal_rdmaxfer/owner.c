/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* owner.c -- the owner nodes that the configuration names, and this process's session with each */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "compat.h"
#include "owner.h"

static char *reason_format(const char *format, const char *what)
{
	char buffer[512];

	snprintf(buffer, sizeof(buffer), format, what);
	return gsh_strdup(buffer);
}

static void owner_add(struct rdx_owners *owners, const char *name, const char *address)
{
	struct rdx_owner *owner = gsh_calloc(1, sizeof(*owner));

	owner->name = gsh_strdup(name);
	owner->address = gsh_strdup(address);
	PTHREAD_RWLOCK_init(&owner->lock, NULL);
	glist_add_tail(&owners->list, &owner->link);
}

static char *trim(char *text)
{
	text += strspn(text, " \t");
	for (size_t length = strlen(text); length > 0 && strchr(" \t", text[length - 1]); length--)
		text[length - 1] = '\0';
	return text;
}

/* One "NAME=ADDRESS", which is changed. NULL or the reason. */
static char *owner_parse(struct rdx_owners *owners, char *item)
{
	char *equals = strchr(item, '=');

	if (equals == NULL)
		return reason_format(
			"\"%s\" isn't NAME=ADDRESS; write for example b=192.0.2.7:20491 "
			"or c=unix:/run/rdmaxfer/rdmaxferd.sock",
			item);
	*equals = '\0';
	char *name = trim(item), *address = trim(equals + 1);

	if (*name == '\0' || strlen(name) > XFER_NODE_MAX)
		return reason_format("\"%s\" is no node name: 1 to 63 bytes are allowed", name);
	if (*address == '\0')
		return reason_format("owner \"%s\" has no address; write NAME=HOST[:PORT] or "
				     "NAME=unix:PATH",
			name);
	if (rdx_owners_find(owners, name) != NULL)
		return reason_format("owner \"%s\" is named twice; remove one", name);
	owner_add(owners, name, address);
	return NULL;
}

int rdx_owners_parse(struct rdx_owners *owners, const char *text, char **reason)
{
	char *copy = gsh_strdup(text), *rest = copy, *item, *failed = NULL;

	while (failed == NULL && (item = strsep(&rest, ",")) != NULL) {
		item = trim(item);
		if (*item != '\0')
			failed = owner_parse(owners, item);
	}
	gsh_free(copy);
	if (failed == NULL)
		return 0;
	*reason = failed;
	return -EINVAL;
}

void rdx_owners_destroy(struct rdx_owners *owners)
{
	struct glist_head *node, *next;

	glist_for_each_safe (node, next, &owners->list) {
		struct rdx_owner *owner = glist_entry(node, struct rdx_owner, link);

		rdx_owner_close(owner);
		glist_del(&owner->link);
		PTHREAD_RWLOCK_destroy(&owner->lock);
		gsh_free(owner->name);
		gsh_free(owner->address);
		gsh_free(owner);
	}
}

struct rdx_owner *rdx_owners_find(struct rdx_owners *owners, const char *name)
{
	struct glist_head *node;

	glist_for_each (node, &owners->list) {
		struct rdx_owner *owner = glist_entry(node, struct rdx_owner, link);

		if (strcmp(owner->name, name) == 0)
			return owner;
	}
	return NULL;
}

int rdx_owner_open(struct rdx_owner *owner, struct xfer_context *context)
{
	int err = 0;

	/* Not the other lock, if it can be helped: that would wait for calls that are under way. */
	if (rdx_owner_acquire(owner)) {
		rdx_owner_release(owner);
		return 0;
	}
	PTHREAD_RWLOCK_wrlock(&owner->lock);
	if (owner->session == NULL && !owner->closed)
		err = xfer_session_open(
			context, owner->name, owner->address, NULL, NULL, &owner->session);
	PTHREAD_RWLOCK_unlock(&owner->lock);
	return err;
}

void rdx_owner_close(struct rdx_owner *owner)
{
	struct xfer_session *session;

	/* The lock waits for those who use the session now. It isn't held while the session is closed:
	 * completions that this brings come here too, to close files. */
	PTHREAD_RWLOCK_wrlock(&owner->lock);
	session = owner->session;
	owner->session = NULL;
	owner->closed = true;
	PTHREAD_RWLOCK_unlock(&owner->lock);
	if (session != NULL)
		xfer_session_close(session);
}

struct xfer_session *rdx_owner_acquire(struct rdx_owner *owner)
{
	struct xfer_session *session;

	PTHREAD_RWLOCK_rdlock(&owner->lock);
	session = owner->session;
	if (session == NULL)
		PTHREAD_RWLOCK_unlock(&owner->lock);
	return session;
}

void rdx_owner_release(struct rdx_owner *owner)
{
	PTHREAD_RWLOCK_unlock(&owner->lock);
}
