/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* address.c -- addresses, as configurations and rdmaxferctl name them */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "address.h"
#include "fuzz.h"

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	return 0;
}

static bool is_text(const char *text, size_t size)
{
	size_t len = strnlen(text, size);

	return len > 0 && len < size;
}

static void check(const struct xfer_address *address)
{
	struct sockaddr_storage storage;
	socklen_t len;

	if (address->local) {
		FUZZ_CHECK(is_text(address->path, sizeof(address->path)));
		/* Names would be asked for in the network. */
		FUZZ_CHECK(xfer_address_resolve(address, &storage, &len) == 0);
		return;
	}
	FUZZ_CHECK(is_text(address->host, sizeof(address->host)));
	FUZZ_CHECK(is_text(address->port, sizeof(address->port)));
	FUZZ_CHECK(atoi(address->port) > 0 && atoi(address->port) < 65536);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = { data, size };
	char *text = input_text(&input);
	struct xfer_address address;
	int err = xfer_address_parse(text, &address);

	FUZZ_CHECK(err == 0 || err == -EINVAL);
	if (err == 0)
		check(&address);
	free(text);
	return 0;
}
