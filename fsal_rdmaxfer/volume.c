/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* volume.c -- what objects belong to: a volume of an owner, whichever exports show it */

#include <errno.h>

#include "volume.h"

#define UNSTABLE_MAX                                                                               \
	16384 /* files times NFSv3 clients with uncommitted data; further ones are written stable */
#define NAMES_MAX  65536
#define PLACES_MAX 131072

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

static void free_caches(struct rdx_volume *volume)
{
	if (volume->aheads)
		aheads_destroy(volume->aheads);
	if (volume->parts)
		parts_destroy(volume->parts);
	if (volume->names)
		names_destroy(volume->names);
	if (volume->cache)
		attrcache_destroy(volume->cache);
	if (volume->validity)
		validity_destroy(volume->validity);
}

/* False: no memory. */
static bool make_caches(struct rdx_volume *volume)
{
	volume->validity = validity_create();
	if (volume->validity)
		volume->cache = attrcache_create(volume->validity);
	if (volume->cache)
		volume->names = names_create(volume->validity, volume->cache, NAMES_MAX);
	if (volume->names)
		volume->parts = parts_create(volume->validity, volume->cache, PLACES_MAX);
	if (volume->parts)
		volume->aheads = aheads_create(volume->cache);
	return volume->aheads != NULL;
}

static struct rdx_volume *volume_new(
	struct rdx_owner *owner, const char *name, uint32_t id, enum xfer_path_wish path)
{
	struct rdx_volume *volume = gsh_calloc(1, sizeof(*volume));

	if (!make_caches(volume)) {
		free_caches(volume);
		gsh_free(volume);
		return NULL;
	}
	volume->owner = owner;
	volume->id = id;
	volume->name = gsh_strdup(name);
	volume->path = path;
	volume->unstable = unstable_create(UNSTABLE_MAX);
	glist_add_tail(&rdx_module.volumes, &volume->link);
	return volume;
}

int rdx_volume_get(struct rdx_owner *owner, const char *name, uint32_t id, enum xfer_path_wish path,
	struct rdx_volume **result)
{
	struct rdx_volume *volume;
	int err = 0;

	PTHREAD_MUTEX_lock(&rdx_module.lock);
	volume = find(id);
	if (!volume)
		volume = volume_new(owner, name, id, path);
	if (!volume)
		err = -ENOMEM;
	else if (volume->owner != owner || strcmp(volume->name, name) != 0)
		err = -EEXIST;
	else if (volume->path != path)
		err = -EBUSY;
	if (err == 0) {
		volume->refs++;
		*result = volume;
	}
	PTHREAD_MUTEX_unlock(&rdx_module.lock);
	return err;
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
	free_caches(volume);
	unstable_destroy(volume->unstable);
	gsh_free(volume->name);
	gsh_free(volume);
}

static void invalidate(
	struct rdx_volume *volume, const struct xfer_invalidation *invalidations, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (invalidations[i].volume_id == volume->id)
			validity_invalidate(volume->validity, invalidations[i].bucket);
	if (count == 0)
		validity_invalidate_all(volume->validity);
}

void rdx_volumes_invalidate(const struct rdx_owner *owner,
	const struct xfer_invalidation *invalidations, unsigned count)
{
	struct glist_head *node;

	PTHREAD_MUTEX_lock(&rdx_module.lock);
	glist_for_each (node, &rdx_module.volumes) {
		struct rdx_volume *volume = glist_entry(node, struct rdx_volume, link);

		if (volume->owner == owner)
			invalidate(volume, invalidations, count);
	}
	PTHREAD_MUTEX_unlock(&rdx_module.lock);
}
