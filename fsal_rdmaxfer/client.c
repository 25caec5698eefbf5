/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* client.c -- a client's address */

#include <arpa/inet.h>

#include "client.h"

void rdx_client_bytes(const sockaddr_t *address, uint8_t bytes[16])
{
	memset(bytes, 0, 16);
	if (address && address->ss_family == AF_INET)
		memcpy(bytes, &((const struct sockaddr_in *)address)->sin_addr, 4);
	else if (address && address->ss_family == AF_INET6)
		memcpy(bytes, &((const struct sockaddr_in6 *)address)->sin6_addr, 16);
}

sockaddr_t rdx_client_address(const sockaddr_t *address)
{
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)address;
	sockaddr_t own = *address;

	if (v6->sin6_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr)) {
		struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = v6->sin6_port };

		memcpy(&v4.sin_addr, &v6->sin6_addr.s6_addr[12], sizeof(v4.sin_addr));
		memcpy(&own, &v4, sizeof(v4));
	}
	return own;
}

void rdx_client_text(const sockaddr_t *address, char *text, size_t len)
{
	uint8_t bytes[16];
	sockaddr_t own;

	if (address) {
		own = rdx_client_address(address);
		rdx_client_bytes(&own, bytes);
	}
	if (!address || !inet_ntop(own.ss_family, bytes, text, (socklen_t)len))
		snprintf(text, len, "a client");
}
