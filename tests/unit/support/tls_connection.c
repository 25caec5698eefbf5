/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* tls_connection.c -- a connection over loopback: OpenSSL's end of it, and ours */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "support/tls_connection.h"

void tls_connection_open(struct tls_connection *connection, struct xfer_tls *tls,
	struct xfer_tls_identity *identity, const char *expect, const struct tls_peer_wish *wish)
{
	int pair[2];

	tls_ends_tcp(pair);
	tls_peer_open(&connection->peer, pair[wish->server], wish);
	tls_end_start(&connection->end, tls, identity, pair[!wish->server], wish->server, expect);
}

void tls_connection_make(struct tls_connection *connection, struct xfer_tls *tls,
	struct xfer_tls_identity *identity, const char *expect, const struct tls_peer_wish *wish)
{
	tls_connection_open(connection, tls, identity, expect, wish);
	assert_true(tls_peer_handshake(&connection->peer));
	if (tls_end_wait(&connection->end))
		fail_msg("%s", connection->end.why);
}

void tls_connection_close(struct tls_connection *connection)
{
	tls_end_finish(&connection->end);
	tls_peer_close(&connection->peer);
}
