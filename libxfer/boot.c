/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* boot.c -- what tells one life of a process or a kernel from another */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include <openssl/crypto.h>

#include "boot.h"

#define BOOT_ID "/proc/sys/kernel/random/boot_id"

int xfer_kernel_boot_id(uint8_t id[16])
{
	FILE *file = fopen(BOOT_ID, "re");
	unsigned n = 0;
	int c;

	if (!file)
		return -errno;
	while (n < 32 && (c = fgetc(file)) != EOF) {
		int digit = OPENSSL_hexchar2int((unsigned char)c);

		if (digit < 0)
			continue; /* a dash */
		id[n / 2] = (uint8_t)(n % 2 ? id[n / 2] | digit : digit << 4);
		n++;
	}
	fclose(file);
	return n == 32 ? 0 : -EIO;
}

void xfer_random(void *bytes, size_t len)
{
	if (getrandom(bytes, len, 0) != (ssize_t)len)
		abort();
}
