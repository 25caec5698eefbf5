/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* device.h -- this host's RDMA devices: which can be used, by which addresses, or why not */
#ifndef XFER_TRANSPORT_DEVICE_H
#define XFER_TRANSPORT_DEVICE_H

#include <net/if.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define XFER_DEVICE_NAME_MAX  64  /* bytes, with the NUL; as libibverbs has it */
#define XFER_DEVICE_ADDRESSES 16  /* of a port that are told */
#define XFER_DEVICE_WHY_MAX   320 /* bytes, with the NUL, of a reason */
#define XFER_DEVICES_MAX      64  /* ports that are told */

enum xfer_link { XFER_LINK_UNKNOWN, XFER_LINK_ROCE, XFER_LINK_INFINIBAND, XFER_LINK_IWARP };

/* An address of this host by which rdma_cm reaches a port. */
struct xfer_device_address {
	struct sockaddr_storage address; /* port 0 */
	char netdev[IF_NAMESIZE];        /* that has it */
};

/* A port of a device. */
struct xfer_device {
	char name[XFER_DEVICE_NAME_MAX];
	unsigned port;     /* from 1 on; 0: the device can't be asked for its ports */
	const char *state; /* "ACTIVE", "DOWN" ... as libibverbs calls it; "?" */
	enum xfer_link link;
	char gid[INET6_ADDRSTRLEN]; /* of its first address; empty: none */
	uint32_t mtu;               /* active, bytes; 0: unknown */
	unsigned naddresses;
	struct xfer_device_address addresses[XFER_DEVICE_ADDRESSES];
	bool usable;
	char why[XFER_DEVICE_WHY_MAX]; /* unless it is usable: cause and remedy */
};

/* A `why` of all that follows gets a sentence with cause and remedy when there is nothing to have; why_len: its bytes. */

/*
 * Before any memory is registered, and while no other thread changes the environment: a child process doesn't take
 * registered pages away. Once it has succeeded it does nothing.
 */
int xfer_device_init(char *why, size_t why_len);

/*
 * All ports, at most `room`, and how many. 0: there is no device. -ENOENT, -EACCES, -EPERM: rdma_cm can't be used;
 * -EPROTO: it is of another version than librdmacm.
 */
int xfer_devices_list(struct xfer_device *list, unsigned room, char *why, size_t why_len);

/* The addresses, at most `room`, that lead to usable ports, these in turn, and how many; else as xfer_devices_list. */
int xfer_device_addresses(struct sockaddr_storage *list, unsigned room, char *why, size_t why_len);

/* Whether this process may pin so many bytes more. */
bool xfer_device_memlock(uint64_t need, char *why, size_t why_len);

/* What it may pin in all, and what of it it has pinned. UINT64_MAX: as much as there is. */
struct xfer_memlock {
	uint64_t limit, pinned; /* bytes */
};
struct xfer_memlock xfer_device_pinnable(void);

/* The NUMA node that a device is attached to; -1: unknown. */
int xfer_device_numa_node(const char *device);

const char *xfer_link_name(enum xfer_link link);

#endif
