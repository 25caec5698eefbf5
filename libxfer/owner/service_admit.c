/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* service_admit.c -- who may have a session, and why not */

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "address.h"
#include "control/peer.h"
#include "owner/service.h"
#include "xfer/tls.h"

static void mapped(const struct in_addr *v4, struct in6_addr *v6)
{
	static const uint8_t prefix[12] = { [10] = 0xff, [11] = 0xff };

	memcpy(v6->s6_addr, prefix, sizeof(prefix));
	memcpy(v6->s6_addr + sizeof(prefix), v4, sizeof(*v4));
}

/* Whether a peer's socket address is the configured number; an IPv4 one may come in IPv6's dress. */
static bool same_host(const char *configured, const struct sockaddr_storage *storage)
{
	struct in6_addr want, have;
	struct in_addr v4;

	if (inet_pton(AF_INET, configured, &v4) == 1)
		mapped(&v4, &want);
	else if (inet_pton(AF_INET6, configured, &want) != 1)
		return false;
	if (storage->ss_family == AF_INET)
		mapped(&((const struct sockaddr_in *)storage)->sin_addr, &have);
	else if (storage->ss_family == AF_INET6)
		have = ((const struct sockaddr_in6 *)storage)->sin6_addr;
	else
		return false;
	return memcmp(&want, &have, sizeof(want)) == 0;
}

static bool uid_listed(const struct config_node *node, uid_t uid)
{
	for (unsigned i = 0; i < node->nuids; i++)
		if (node->uids[i] == uid)
			return true;
	return false;
}

static uint32_t admit_local(const struct config_node *node,
	const struct xfer_conn_identity *identity, char *reason, size_t len)
{
	if (uid_listed(node, identity->uid))
		return XFER_ST_OK;
	snprintf(reason, len,
		"user id %u may not speak for node %s over the Unix socket: add it to uids = [ ... ] "
		"of that node in the owner's configuration",
		identity->uid, node->name);
	return XFER_ST_NOT_ALLOWED;
}

/* Without the port, which is another one each time: refusals are logged once for each reason. */
static const char *host_of(const struct sockaddr_storage *storage, char text[INET6_ADDRSTRLEN])
{
	size_t len;
	const void *host = xfer_address_host(storage, &len);

	return inet_ntop(storage->ss_family, host, text, INET6_ADDRSTRLEN) ? text
									   : "an unknown address";
}

/* What the kernel says of where it comes from, if that matters. */
static bool right_address(const struct config_node *node, const struct xfer_conn_identity *identity,
	char *reason, size_t len)
{
	char host[INET6_ADDRSTRLEN];

	if (!node->address[0] || same_host(node->address, &identity->address))
		return true;
	snprintf(reason, len,
		"%s is not the address of node %s, which is %s: correct one of the two in the "
		"owner's configuration",
		host_of(&identity->address, host), node->name, node->address);
	return false;
}

/* In cleartext: nobody knows who it is. */
static bool may_be_insecure(const struct config_node *node, char *reason, size_t len)
{
	if (node->insecure)
		return true;
	snprintf(reason, len,
		"node %s comes by TCP without TLS: configure Node_Certificate, Node_Key and Node_CA "
		"there and take \"insecure\" out of its Owners, or say address = \"...\"; insecure = "
		"true; in its entry in the owner's configuration to do without",
		node->name);
	return false;
}

/* Its certificate is one of the cluster's, but may be another node's. */
static bool right_certificate(const struct config_node *node,
	const struct xfer_conn_identity *identity, char *reason, size_t len)
{
	if (xfer_peer_has_certificate(identity, node->name))
		return true;
	snprintf(reason, len,
		"whoever says to be node %s has the certificate of %.100s: give it one whose "
		"subject alternative name is %s, or correct its Node_Name",
		node->name, xfer_tls_security_names(identity->security), node->name);
	return false;
}

static uint32_t admit_tcp(const struct config_node *node, const struct xfer_conn_identity *identity,
	char *reason, size_t len)
{
	bool known = identity->security ? right_certificate(node, identity, reason, len)
					: may_be_insecure(node, reason, len);

	return known && right_address(node, identity, reason, len) ? XFER_ST_OK
								   : XFER_ST_NOT_ALLOWED;
}

static uint32_t admit_node(const struct config *config, const struct xfer_hello_args *hello,
	const struct xfer_conn_identity *identity, char *reason, size_t len)
{
	const struct config_node *node = config_node_find(config, hello->node);

	if (strcmp(hello->owner, config->node) != 0) {
		snprintf(reason, len,
			"this is owner %s, not %s: correct the address or the name in Owners of "
			"node %s",
			config->node, hello->owner, hello->node);
		return XFER_ST_WRONG_NODE;
	}
	if (!node) {
		snprintf(reason, len,
			"owner %s doesn't know node %s: add it to `nodes` in the owner's "
			"configuration",
			config->node, hello->node);
		return XFER_ST_NOT_ALLOWED;
	}
	return identity->local ? admit_local(node, identity, reason, len)
			       : admit_tcp(node, identity, reason, len);
}

uint32_t service_admit(void *arg, const struct xfer_hello_args *hello,
	const struct xfer_conn_identity *identity, char *reason, size_t reason_len)
{
	struct setup *setup = service_setup(arg);
	uint32_t status = admit_node(setup->config, hello, identity, reason, reason_len);

	setup_put(setup);
	return status;
}
