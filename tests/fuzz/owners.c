/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* owners.c -- the Owners parameter of ganesha.conf */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "compat.h"
#include "owner.h"

#include "fuzz.h"

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	return 0;
}

static void check(struct rdx_owners *owners)
{
	struct glist_head *node;

	glist_for_each (node, &owners->list) {
		struct rdx_owner *owner = glist_entry(node, struct rdx_owner, link);

		FUZZ_CHECK(owner->name[0] && strlen(owner->name) <= XFER_NODE_MAX);
		FUZZ_CHECK(owner->address[0]);
		FUZZ_CHECK(rdx_owners_find(owners, owner->name) == owner);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = { data, size };
	struct rdx_owners owners = { 0 };
	char *text = input_text(&input), *reason = NULL;
	int err;

	glist_init(&owners.list);
	err = rdx_owners_parse(&owners, text, &reason);
	FUZZ_CHECK(err == 0 || err == -EINVAL);
	FUZZ_CHECK((err == 0) == (reason == NULL));
	check(&owners);
	gsh_free(reason);
	rdx_owners_destroy(&owners);
	free(text);
	return 0;
}
