/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* dial.c -- a session's way to its owner: connected, and with TLS unless it has to be without */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "boot.h"
#include "clock.h"
#include "dial.h"
#include "tls/starttls.h"
#include "xfer/tls.h"

#define CONNECT_MS 2000 /* for a connection, and then for the answer to its probe */

/* --- being interrupted ------------------------------------------------------------------------ */

/* From now on the connection can be ended by whoever ends the session. -ECANCELED: it has ended. */
static int begin_wait(struct xfer_session *session, int fd)
{
	int own = fcntl(fd, F_DUPFD_CLOEXEC, 0), err = own < 0 ? -errno : 0;

	pthread_mutex_lock(&session->lock);
	if (err == 0 && session->state == XFER_SESSION_CLOSING)
		err = -ECANCELED;
	if (err == 0)
		session->dialed = own;
	pthread_mutex_unlock(&session->lock);
	if (err && own >= 0)
		close(own);
	return err;
}

static void end_wait(struct xfer_session *session)
{
	int own;

	pthread_mutex_lock(&session->lock);
	own = session->dialed;
	session->dialed = -1;
	pthread_mutex_unlock(&session->lock);
	close(own);
}

void xfer_dial_interrupt(struct xfer_session *session)
{
	if (session->dialed >= 0)
		shutdown(session->dialed, SHUT_RDWR);
}

/* --- the probe -------------------------------------------------------------------------------- */

/* All of it, within the time. */
static int receive_all(int fd, uint8_t *to, size_t len, uint64_t deadline_ns)
{
	struct pollfd pollfd = { .fd = fd, .events = POLLIN };
	uint64_t now;
	ssize_t n;

	while (len > 0) {
		n = recv(fd, to, len, MSG_DONTWAIT);
		if (n == 0)
			return -ECONNRESET;
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return -errno;
		if (n > 0) {
			to += n;
			len -= (size_t)n;
			continue;
		}
		now = xfer_now_ns();
		if (now >= deadline_ns)
			return -ETIMEDOUT;
		(void)poll(&pollfd, 1, (int)((deadline_ns - now) / XFER_NS_PER_MS + 1));
	}
	return 0;
}

/* Not a byte more than the answer is taken: what follows is the handshake's. */
static int probe(int fd)
{
	uint64_t deadline = xfer_now_ns() + CONNECT_MS * XFER_NS_PER_MS;
	uint8_t bytes[XFER_STARTTLS_PROBE];
	size_t used, have = XFER_STARTTLS_REFUSAL;
	uint32_t xid;
	int err, said;

	xfer_random(&xid, sizeof(xid));
	xfer_starttls_probe(bytes, xid, XFER_PROGRAM, XFER_VERSION);
	if (send(fd, bytes, XFER_STARTTLS_PROBE, MSG_NOSIGNAL) != XFER_STARTTLS_PROBE)
		return -ECONNRESET;
	err = receive_all(fd, bytes, have, deadline);
	if (err)
		return err;
	said = xfer_starttls_is_reply(bytes, have, xid, &used);
	if (said == 0) {
		err = receive_all(fd, bytes + have, XFER_STARTTLS_REPLY - have, deadline);
		said = err ? err : xfer_starttls_is_reply(bytes, XFER_STARTTLS_REPLY, xid, &used);
	}
	return said == 1 ? 0 : said;
}

static void explain_probe(const struct xfer_session *session, int err, char *why, size_t len)
{
	if (err == -EOPNOTSUPP)
		snprintf(why, len,
			"owner %s has no TLS: give it tls = { ... } in its rdmaxferd.conf, or write "
			"insecure behind its address in Owners",
			session->owner);
	else if (err == -EPROTO)
		snprintf(why, len,
			"what listens there doesn't understand a probe for TLS: install the same "
			"release on both nodes");
	else
		snprintf(why, len, "the probe for TLS isn't answered (%s); see the owner's log",
			strerror(-err));
}

/* --- TLS -------------------------------------------------------------------------------------- */

/* fd is taken over, also on failure. */
static int shake_hands(
	struct xfer_session *session, int fd, struct xfer_conn_io **io, char *why, size_t why_len)
{
	struct xfer_tls_start start = {
		.identity = session->context->tls_identity, .client = true, .expect = session->owner
	};
	socklen_t len = sizeof(start.address);
	struct xfer_tls_security *security;
	char *failed = NULL;

	(void)getpeername(fd, (struct sockaddr *)&start.address, &len);
	fd = xfer_tls_connect(session->context->tls, fd, &start, &security, &failed);
	if (fd < 0) {
		snprintf(why, why_len, "TLS: %s", failed ? failed : strerror(-fd));
		free(failed);
		return fd;
	}
	*io = xfer_conn_io_tls(fd, security);
	if (*io)
		return 0;
	snprintf(why, why_len, "out of memory");
	xfer_tls_security_unref(security);
	close(fd);
	return -ENOMEM;
}

/* fd is taken over, also on failure. */
static int secure(
	struct xfer_session *session, int fd, struct xfer_conn_io **io, char *why, size_t why_len)
{
	int err = begin_wait(session, fd);

	if (err) {
		snprintf(why, why_len, "%s", strerror(-err));
		close(fd);
		return err;
	}
	err = probe(fd);
	if (err) {
		explain_probe(session, err, why, why_len);
		close(fd);
	} else {
		err = shake_hands(session, fd, io, why, why_len);
	}
	end_wait(session);
	return err;
}

/* --- dialing ---------------------------------------------------------------------------------- */

static int plain(int fd, struct xfer_conn_io **io, char *why, size_t why_len)
{
	*io = xfer_conn_io_socket(fd);
	if (*io)
		return 0;
	snprintf(why, why_len, "out of memory");
	close(fd);
	return -ENOMEM;
}

int xfer_dial(struct xfer_session *session, struct xfer_conn_io **io, char *why, size_t why_len)
{
	bool cleartext = session->address.local || session->insecure;
	int err, fd;

	if (!cleartext && !session->context->tls_identity) {
		snprintf(why, why_len,
			"this node has no certificate to show, and nobody would know whether it is "
			"the owner: configure Node_Certificate, Node_Key and Node_CA here and tls at "
			"the owner, or write insecure behind its address in Owners");
		return -EKEYREJECTED;
	}
	err = xfer_address_connect(&session->address, CONNECT_MS, &fd);
	if (err) {
		snprintf(why, why_len,
			"%s: check that rdmaxferd runs there and that no firewall is in between",
			strerror(-err));
		return err;
	}
	return cleartext ? plain(fd, io, why, why_len) : secure(session, fd, io, why, why_len);
}
