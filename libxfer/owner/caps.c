/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* caps.c -- the capabilities that an owner needs, and no others */

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/capability.h>

#include "owner/caps.h"

static const struct {
	unsigned number;
	const char *name;
	bool required;
} wanted[] = {
	{ CAP_CHOWN, "CAP_CHOWN", true }, { CAP_DAC_OVERRIDE, "CAP_DAC_OVERRIDE", true },
	{ CAP_DAC_READ_SEARCH, "CAP_DAC_READ_SEARCH", true }, /* open_by_handle_at */
	{ CAP_FOWNER, "CAP_FOWNER", true }, { CAP_FSETID, "CAP_FSETID", true },
	{ CAP_SETUID, "CAP_SETUID", true }, /* setfsuid */
	{ CAP_SETGID, "CAP_SETGID", true }, { CAP_MKNOD, "CAP_MKNOD", false },
	{ CAP_NET_BIND_SERVICE, "CAP_NET_BIND_SERVICE", false }, /* a port below 1024 */
};
#define WANTED (sizeof(wanted) / sizeof(*wanted))

/* glibc wraps neither capget nor capset. */
static int get(struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3])
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };

	return syscall(SYS_capget, &header, data) < 0 ? -errno : 0;
}

int caps_check(char *message, size_t message_len)
{
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
	char missing[256] = "";
	size_t used = 0;
	int err = get(data);

	if (err)
		return err;
	/* Only a change from user 0 to another makes the kernel take the file capabilities away. */
	if (geteuid() != 0) {
		snprintf(message, message_len,
			"user id %u can't serve files for others: start rdmaxferd as root",
			geteuid());
		return -EPERM;
	}
	for (size_t i = 0; i < WANTED; i++)
		if (wanted[i].required && !(data[CAP_TO_INDEX(wanted[i].number)].effective &
						  CAP_TO_MASK(wanted[i].number)))
			used += (size_t)snprintf(missing + used, sizeof(missing) - used, "%s%s",
				used ? " " : "", wanted[i].name);
	if (used == 0)
		return 0;
	snprintf(message, message_len,
		"capabilities are missing: %s; add them to CapabilityBoundingSet= of the unit, or to what "
		"the container may do",
		missing);
	return -EPERM;
}

int caps_reduce(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3],
		kept[_LINUX_CAPABILITY_U32S_3];
	int err = get(data);

	if (err)
		return err;
	for (size_t i = 0; i < _LINUX_CAPABILITY_U32S_3; i++)
		kept[i] = (struct __user_cap_data_struct){ 0 };
	for (size_t i = 0; i < WANTED; i++) {
		unsigned index = CAP_TO_INDEX(wanted[i].number);
		uint32_t mask = CAP_TO_MASK(wanted[i].number);

		kept[index].effective |= data[index].effective & mask;
		kept[index].permitted |= data[index].permitted & mask;
	}
	return syscall(SYS_capset, &header, kept) < 0 ? -errno : 0;
}
