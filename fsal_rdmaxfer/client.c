/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* client.c -- a client's address, without its port */

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

void rdx_client_text(const sockaddr_t *address, char *text, size_t len)
{
	sa_family_t family = address ? address->ss_family : AF_UNSPEC;
	const void *bytes = NULL;

	if (family == AF_INET)
		bytes = &((const struct sockaddr_in *)address)->sin_addr;
	else if (family == AF_INET6)
		bytes = &((const struct sockaddr_in6 *)address)->sin6_addr;
	if (family == AF_INET6 && IN6_IS_ADDR_V4MAPPED((const struct in6_addr *)bytes)) {
		bytes = &((const struct in6_addr *)bytes)->s6_addr[12];
		family = AF_INET;
	}
	if (!bytes || !inet_ntop(family, bytes, text, (socklen_t)len))
		snprintf(text, len, "a client");
}
