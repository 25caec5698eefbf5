/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* tls_endpoint.c -- handshakes with peers that say anything: a byte of how, then what they say */

#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fuzz.h"
#include "support/pki.h"

enum how { PUBLIC_SERVER, NODE_SERVER, NODE_CLIENT, HOWS };

static struct pki *pki;
static struct xfer_tls *tls;
static struct xfer_tls_identity *public, *node;
static sem_t done; /* the other thread may still be leaving it when the next input comes */

static void tear_down(void)
{
	xfer_tls_identity_destroy(public);
	xfer_tls_identity_destroy(node);
	xfer_tls_destroy(tls);
	pki_free(pki);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const struct xfer_tls_params params = { .ktls = XFER_KTLS_OFF };
	struct xfer_tls_files files;
	char why[512];

	(void)argc;
	(void)argv;
	fuzz_quiet();
	sem_init(&done, 0, 0);
	pki = pki_create("test CA");
	pki_issue_node(pki, "a");
	files = pki_files(pki, "a", pki);
	FUZZ_CHECK(xfer_tls_create(&params, &tls, why, sizeof(why)) == 0);
	FUZZ_CHECK(xfer_tls_identity_create(
			   tls, XFER_TLS_PUBLIC, &files, &public, why, sizeof(why)) == 0);
	FUZZ_CHECK(
		xfer_tls_identity_create(tls, XFER_TLS_NODE, &files, &node, why, sizeof(why)) == 0);
	atexit(tear_down);
	return 0;
}

/* Nobody gets through without having computed anything. */
static void check(void *user, const struct xfer_tls_result *result)
{
	(void)user;
	FUZZ_CHECK(result->err < 0);
	FUZZ_CHECK(result->security == NULL);
	FUZZ_CHECK(strlen(result->why) > 0);
	sem_post(&done);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = { data, size };
	enum how how = input_u8(&input) % HOWS;
	struct xfer_tls_start start = { .identity = how == PUBLIC_SERVER ? public : node,
		.client = how == NODE_CLIENT,
		.expect = how == PUBLIC_SERVER ? NULL : "b",
		.address.ss_family = AF_INET,
		.done = check };
	int pair[2];

	FUZZ_CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
	FUZZ_CHECK(xfer_tls_start(tls, pair[1], &start) == 0);
	while (input.size > 0) {
		struct input part = input_part(&input, 1024);

		/* It may have had enough already. */
		if (send(pair[0], part.data, part.size, MSG_NOSIGNAL) < 0)
			break;
	}
	shutdown(pair[0], SHUT_WR);
	/* libFuzzer's clock interrupts. */
	while (sem_wait(&done))
		;
	close(pair[0]);
	return 0;
}
