/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* boot.h -- what tells one life of a process or a kernel from another */
#ifndef XFER_BOOT_H
#define XFER_BOOT_H

#include <stddef.h>
#include <stdint.h>

/* The running kernel's boot id; -errno when /proc doesn't tell it. */
int xfer_kernel_boot_id(uint8_t id[16]);

/* Random bytes from the kernel; never fails on a system that has booted. */
void xfer_random(void *bytes, size_t len);

#endif
