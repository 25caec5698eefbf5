/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* abi.c -- whether the running server lays its structures out as this module does */

/*
 * The size of a variable stands in the symbol table of the binary that defines it, where the
 * dynamic linker finds it. nfs_param's changes with each option of Ganesha's build that changes
 * what modules share with the server, but for DEBUG_SAL, which Debian never sets.
 */

#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <stdio.h>

#include "abi.h"
#include "compat.h"

/* Exported by the server, though declared in one of its private headers. */
extern struct fsal_pnfs_ds_ops def_pnfs_ds_ops;

static int running_size(const void *variable, size_t *size)
{
	Dl_info info;
	const ElfW(Sym) *symbol = NULL;

	if (!dladdr1(variable, &info, (void **)&symbol, RTLD_DL_SYMENT) || !symbol)
		return -ENOENT;
	*size = symbol->st_size;
	return 0;
}

int xfer_abi_compare(const struct xfer_abi_object *objects, size_t count, char *why, size_t len)
{
	for (size_t i = 0; i < count; i++) {
		if (objects[i].built == objects[i].running)
			continue;
		snprintf(why, len,
			"the running nfs-ganesha has %zu bytes in %s, this module was built for %zu "
			"(nfs-ganesha " RDX_GANESHA_VERSION
			"): the server was built with other options "
			"or upgraded; build and install rdmaxfer again on this node",
			objects[i].running, objects[i].name, objects[i].built);
		return -ENOEXEC;
	}
	return 0;
}

int xfer_abi_check(char *why, size_t len)
{
	const void *const variables[] = { &nfs_param, &def_pnfs_ds_ops };
	struct xfer_abi_object objects[] = {
		{ "nfs_param", sizeof(nfs_param), 0 },
		{ "def_pnfs_ds_ops", sizeof(def_pnfs_ds_ops), 0 },
	};
	const size_t count = sizeof(objects) / sizeof(objects[0]);

	for (size_t i = 0; i < count; i++) {
		if (running_size(variables[i], &objects[i].running) == 0)
			continue;
		snprintf(why, len,
			"the running nfs-ganesha doesn't tell the size of %s, so it can't be seen whether "
			"this module fits it (nfs-ganesha " RDX_GANESHA_VERSION "); use a packaged "
			"nfs-ganesha of that version",
			objects[i].name);
		return -ENOENT;
	}
	return xfer_abi_compare(objects, count, why, len);
}
