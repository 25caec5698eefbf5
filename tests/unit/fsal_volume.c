/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* fsal_volume.c -- a volume's caches come and go with it */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "volume.h"

/* What volume.c needs of the module, without Ganesha behind it. */
struct rdx_module rdx_module = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* Instead of names.c. */
struct names {
	struct attrcache *cache;
	struct attrcache_entry *entry; /* as each name refers to some */
};

static bool no_memory;
static unsigned made, destroyed;

struct names *names_create(struct validity *validity, struct attrcache *cache, unsigned max)
{
	const struct xfer_handle handle = { .len = 1 };
	struct names *names = no_memory ? NULL : calloc(1, sizeof(*names));

	assert_non_null(validity);
	assert_true(max > 0);
	if (!names)
		return NULL;
	made++;
	names->cache = cache;
	names->entry = attrcache_get(cache, &handle, 2);
	return names;
}

void names_destroy(struct names *names)
{
	destroyed++;
	attrcache_put(names->cache, names->entry);
	free(names);
}

static int setup(void **state)
{
	(void)state;
	glist_init(&rdx_module.volumes);
	made = destroyed = 0;
	no_memory = false;
	return 0;
}

/* What the volume of this name and id 1 is, or why there is none. */
static struct rdx_volume *get(
	struct rdx_owner *owner, const char *name, enum xfer_path_wish path, int err)
{
	struct rdx_volume *volume = NULL;

	assert_int_equal(rdx_volume_get(owner, name, 1, path, &volume), err);
	assert_true((volume != NULL) == (err == 0));
	return volume;
}

/* The sanitizer looks whether the other caches have gone, too. */
static void test_end(void **state)
{
	struct rdx_owner owner = { 0 };
	struct rdx_volume *volume = get(&owner, "data", XFER_WISH_AUTO, 0);

	(void)state;
	assert_ptr_equal(get(&owner, "data", XFER_WISH_AUTO, 0), volume);
	rdx_volume_put(volume);
	assert_int_equal(destroyed, 0);
	rdx_volume_put(volume);
	assert_int_equal(made, 1);
	assert_int_equal(destroyed, 1);
	assert_true(glist_empty(&rdx_module.volumes));
}

static void test_no_memory(void **state)
{
	struct rdx_owner owner = { 0 };
	struct rdx_volume *volume;

	(void)state;
	no_memory = true;
	(void)get(&owner, "data", XFER_WISH_AUTO, -ENOMEM);
	assert_true(glist_empty(&rdx_module.volumes));
	no_memory = false;
	volume = get(&owner, "data", XFER_WISH_AUTO, 0);
	rdx_volume_put(volume);
}

/* Exports of one volume agree about it, whichever comes first; what was refused leaves nothing behind. */
static void test_agreement(void **state)
{
	struct rdx_owner owner = { 0 }, other = { 0 };
	struct rdx_volume *volume = get(&owner, "data", XFER_WISH_INLINE, 0);

	(void)state;
	assert_int_equal(volume->path, XFER_WISH_INLINE);
	(void)get(&owner, "data", XFER_WISH_AUTO, -EBUSY);
	(void)get(&owner, "data", XFER_WISH_SHM, -EBUSY);
	(void)get(&owner, "more", XFER_WISH_INLINE, -EEXIST);
	(void)get(&other, "data", XFER_WISH_INLINE, -EEXIST);
	assert_int_equal(volume->refs, 1);
	rdx_volume_put(volume);
	/* The next one begins anew. */
	volume = get(&owner, "data", XFER_WISH_SHM, 0);
	assert_int_equal(volume->path, XFER_WISH_SHM);
	rdx_volume_put(volume);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_end, setup),
		cmocka_unit_test_setup(test_no_memory, setup),
		cmocka_unit_test_setup(test_agreement, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
