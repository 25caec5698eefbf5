/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* verbs_address.c -- addresses by which queue pairs are connected, as messages have them and as sockets do */

#include <arpa/inet.h>
#include <string.h>

#include "transport/device.h"
#include "transport/verbs_end.h"

static bool is_mapped(const struct xfer_rdma_address *address)
{
	return IN6_IS_ADDR_V4MAPPED((const struct in6_addr *)(const void *)address->bytes);
}

void verbs_to_sockaddr(
	const struct xfer_rdma_address *address, uint16_t port, struct sockaddr_storage *out)
{
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)out;
	struct sockaddr_in *in = (struct sockaddr_in *)out;

	memset(out, 0, sizeof(*out));
	if (is_mapped(address)) {
		in->sin_family = AF_INET;
		in->sin_port = htons(port);
		memcpy(&in->sin_addr, &address->bytes[12], 4);
	} else {
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons(port);
		memcpy(&in6->sin6_addr, address->bytes, 16);
	}
}

void verbs_from_sockaddr(const struct sockaddr *from, struct xfer_rdma_address *address)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	memset(address, 0, sizeof(*address));
	if (from->sa_family == AF_INET6) {
		memcpy(address->bytes, &((const struct sockaddr_in6 *)from)->sin6_addr, 16);
	} else if (from->sa_family == AF_INET) {
		memcpy(address->bytes, mapped, sizeof(mapped));
		memcpy(&address->bytes[12], &((const struct sockaddr_in *)from)->sin_addr, 4);
	}
}

const char *xfer_verbs_address_text(
	const struct xfer_rdma_address *address, char text[INET6_ADDRSTRLEN])
{
	const char *done = is_mapped(address)
				   ? inet_ntop(AF_INET, &address->bytes[12], text, INET6_ADDRSTRLEN)
				   : inet_ntop(AF_INET6, address->bytes, text, INET6_ADDRSTRLEN);

	return done ? done : "?";
}

int xfer_verbs_addresses(
	struct xfer_rdma_address list[XFER_RDMA_ADDRESSES_MAX], char *why, size_t why_len)
{
	struct sockaddr_storage addresses[XFER_RDMA_ADDRESSES_MAX];
	int n = xfer_device_addresses(addresses, XFER_RDMA_ADDRESSES_MAX, why, why_len);

	for (int i = 0; i < n; i++)
		verbs_from_sockaddr((const struct sockaddr *)&addresses[i], &list[i]);
	return n;
}
