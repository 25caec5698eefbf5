/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* gnutls_tunnel.c -- TLS by GnuTLS between two descriptors, for test clients that aren't OpenSSL's */

/*
 * gnutls_tunnel TLS PLAIN CA HOST [CERTIFICATE KEY]
 *
 * Shakes hands on the descriptor TLS, whose peer's certificate has to be CA's and HOST's, and offers the ALPN protocol
 * "sunrpc"; then carries what comes by the one to the other, until both directions have ended. 0: both have, as TLS wants
 * it; 1: the handshake failed; 3: the peer went without saying so; 4: it has ended after an alert, which was ordered;
 * 2: something else.
 *
 * Orders come on stdin, a letter each, and are answered by the same one on stdout when the record has gone out: `u`: new
 * keys; `r`: new keys, and the peer has to have some, too; `a`: a fatal alert, behind which nothing is said or heard.
 */

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <gnutls/gnutls.h>

enum { EXIT_HANDSHAKE = 1, EXIT_OTHER = 2, EXIT_CUT = 3, EXIT_ALERT = 4 };

#define PRIORITIES "NORMAL:-VERS-ALL:+VERS-TLS1.3"

static char buffer[16384];

static void fail(int status, const char *what, int err)
{
	fprintf(stderr, "%s: %s\n", what, err < 0 ? gnutls_strerror(err) : strerror(err));
	exit(status);
}

static void check(const char *what, int err)
{
	if (err < 0)
		fail(EXIT_OTHER, what, err);
}

static gnutls_session_t session_create(char **argv, int argc)
{
	const gnutls_datum_t alpn = { (unsigned char *)"sunrpc", 6 };
	gnutls_certificate_credentials_t credentials;
	gnutls_session_t session;

	check("credentials", gnutls_certificate_allocate_credentials(&credentials));
	check(argv[3],
		gnutls_certificate_set_x509_trust_file(credentials, argv[3], GNUTLS_X509_FMT_PEM));
	if (argc > 6)
		check(argv[5], gnutls_certificate_set_x509_key_file(
				       credentials, argv[5], argv[6], GNUTLS_X509_FMT_PEM));
	check("session", gnutls_init(&session, GNUTLS_CLIENT));
	check("priorities", gnutls_priority_set_direct(session, PRIORITIES, NULL));
	check("credentials", gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, credentials));
	check("alpn", gnutls_alpn_set_protocols(session, &alpn, 1, 0));
	gnutls_session_set_verify_cert(session, argv[4], 0);
	gnutls_transport_set_int(session, atoi(argv[1]));
	return session;
}

static void shake(gnutls_session_t session)
{
	gnutls_datum_t alpn;
	int err;

	do
		err = gnutls_handshake(session);
	while (err < 0 && !gnutls_error_is_fatal(err));
	if (err < 0)
		fail(EXIT_HANDSHAKE, "handshake", err);
	if (gnutls_alpn_get_selected_protocol(session, &alpn) || alpn.size != 6)
		fail(EXIT_HANDSHAKE, "the protocol that was offered isn't selected", EPROTO);
}

/* false: the peer has said that nothing follows. */
static bool from_peer(gnutls_session_t session, int plain)
{
	ssize_t got = gnutls_record_recv(session, buffer, sizeof(buffer));

	if (got == 0) {
		(void)shutdown(plain, SHUT_WR);
		return false;
	}
	if (got == GNUTLS_E_AGAIN || got == GNUTLS_E_INTERRUPTED)
		return true;
	if (got < 0)
		fail(EXIT_CUT, "receiving", (int)got);
	for (ssize_t at = 0, sent; at < got; at += sent) {
		sent = send(plain, buffer + at, (size_t)(got - at), MSG_NOSIGNAL);
		if (sent < 0)
			exit(0); /* nobody wants it any more */
	}
	return true;
}

/* false: nothing follows, which the peer is told. */
static bool to_peer(gnutls_session_t session, int plain)
{
	ssize_t got = recv(plain, buffer, sizeof(buffer), 0);

	if (got <= 0) {
		check("goodbye", gnutls_bye(session, GNUTLS_SHUT_WR));
		return false;
	}
	for (ssize_t at = 0, sent; at < got; at += sent) {
		sent = gnutls_record_send(session, buffer + at, (size_t)(got - at));
		if (sent < 0)
			fail(EXIT_CUT, "sending", (int)sent);
	}
	return true;
}

/* What the peer still sends isn't looked at; only its end is waited for. */
static void alert(gnutls_session_t session, int tls)
{
	check("alert", gnutls_alert_send(session, GNUTLS_AL_FATAL, GNUTLS_A_INTERNAL_ERROR));
	(void)!write(STDOUT_FILENO, "a", 1);
	while (recv(tls, buffer, sizeof(buffer), 0) > 0)
		;
	exit(EXIT_ALERT);
}

/* false: no more orders come. */
static bool obey(gnutls_session_t session, int tls)
{
	char order;

	if (read(STDIN_FILENO, &order, 1) != 1)
		return false;
	if (order == 'a')
		alert(session, tls);
	check("new keys", gnutls_session_key_update(session, order == 'r' ? GNUTLS_KU_PEER : 0));
	(void)!write(STDOUT_FILENO, &order, 1);
	return true;
}

static void carry(gnutls_session_t session, int tls, int plain)
{
	bool in = true, out = true, orders = true;

	while (in || out) {
		/* Orders come first, so what was sent before one is seen along with it, and goes out before. */
		struct pollfd polled[] = {
			{ .fd = orders ? STDIN_FILENO : -1, .events = POLLIN },
			{ .fd = in ? tls : -1, .events = POLLIN },
			{ .fd = out ? plain : -1, .events = POLLIN },
		};
		bool pending = in && gnutls_record_check_pending(session) > 0;

		if (poll(polled, 3, pending ? 0 : -1) < 0)
			fail(EXIT_OTHER, "poll", errno);
		if (in && (pending || polled[1].revents))
			in = from_peer(session, plain);
		if (out && polled[2].revents)
			out = to_peer(session, plain);
		else if (orders && polled[0].revents)
			orders = obey(session, tls);
	}
}

int main(int argc, char **argv)
{
	gnutls_session_t session;

	if (argc != 5 && argc != 7) {
		fprintf(stderr, "gnutls_tunnel TLS PLAIN CA HOST [CERTIFICATE KEY]\n");
		return EXIT_OTHER;
	}
	session = session_create(argv, argc);
	shake(session);
	carry(session, atoi(argv[1]), atoi(argv[2]));
	return 0;
}
