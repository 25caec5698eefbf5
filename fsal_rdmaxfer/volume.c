/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* volume.c -- what objects belong to: a volume of an owner, whichever exports show it */

#include "volume.h"

#define UNSTABLE_MAX                                                                               \
	16384 /* files times NFSv3 clients with uncommitted data; further ones are written stable */

/* With the module's lock held. */
static struct rdx_volume *find(uint32_t id)
{
	struct glist_head *node;

	glist_for_each (node, &rdx_module.volumes) {
		struct rdx_volume *volume = glist_entry(node, struct rdx_volume, link);

		if (volume->id == id)
			return volume;
	}
	return NULL;
}

static struct rdx_volume *volume_new(struct rdx_owner *owner, const char *name, uint32_t id)
{
	struct attrcache *cache = attrcache_create();
	struct rdx_volume *volume;

	if (!cache)
		return NULL;
	volume = gsh_calloc(1, sizeof(*volume));
	volume->owner = owner;
	volume->id = id;
	volume->name = gsh_strdup(name);
	volume->cache = cache;
	volume->unstable = unstable_create(UNSTABLE_MAX);
	glist_add_tail(&rdx_module.volumes, &volume->link);
	return volume;
}

struct rdx_volume *rdx_volume_get(struct rdx_owner *owner, const char *name, uint32_t id)
{
	struct rdx_volume *volume;

	PTHREAD_MUTEX_lock(&rdx_module.lock);
	volume = find(id);
	if (!volume)
		volume = volume_new(owner, name, id);
	else if (volume->owner != owner || strcmp(volume->name, name) != 0)
		volume = NULL;
	if (volume)
		volume->refs++;
	PTHREAD_MUTEX_unlock(&rdx_module.lock);
	return volume;
}

void rdx_volume_ref(struct rdx_volume *volume)
{
	PTHREAD_MUTEX_lock(&rdx_module.lock);
	volume->refs++;
	PTHREAD_MUTEX_unlock(&rdx_module.lock);
}

void rdx_volume_put(struct rdx_volume *volume)
{
	bool last;

	PTHREAD_MUTEX_lock(&rdx_module.lock);
	last = --volume->refs == 0;
	if (last)
		glist_del(&volume->link);
	PTHREAD_MUTEX_unlock(&rdx_module.lock);
	if (!last)
		return;
	attrcache_destroy(volume->cache);
	unstable_destroy(volume->unstable);
	gsh_free(volume->name);
	gsh_free(volume);
}
