/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* tls_nodes.c -- for tests of sessions over TLS: nodes a and b of a cluster, with a CA of its own, in one process */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "log.h"
#include "support/tls_ends.h"
#include "support/tls_nodes.h"

#define MEBIBYTE (1u << 20)

/* The list of those that are revoked is complete before it is read. */
static void issue(struct tls_nodes *nodes, const char *name, const struct tls_node *node)
{
	if (node)
		pki_issue(node->other_ca ? nodes->other : nodes->pki, name, &node->wish);
	else
		pki_issue_node(nodes->pki, name);
}

static struct xfer_tls_identity *identity(
	struct tls_nodes *nodes, const char *name, const struct tls_node *node)
{
	struct pki *pki = node && node->other_ca ? nodes->other : nodes->pki;
	struct xfer_tls_files files = pki_files(pki, name, nodes->pki);

	files.crl = pki_path(nodes->pki, "crl.pem");
	return tls_identity_make(nodes->tls, XFER_TLS_NODE, files);
}

void tls_nodes_begin(struct tls_nodes *nodes, const struct tls_node *a, const struct tls_node *b)
{
	/* Where there is a kernel that has to carry, tests/vm/ktls says so. */
	const struct xfer_tls_params params = {
		.ktls = getenv("XFER_KTLS") ? XFER_KTLS_REQUIRE : XFER_KTLS_OFF,
		.handshake_ms = 20000,
	};

	memset(nodes, 0, sizeof(*nodes));
	tls_log_keep();
	nodes->pki = pki_create("test CA");
	nodes->other = pki_create("test CA");
	pki_write_crl(nodes->pki, 1);
	nodes->tls = tls_make(&params);
	issue(nodes, "a", a);
	issue(nodes, "b", b);
	nodes->a = identity(nodes, "a", a);
	nodes->b = identity(nodes, "b", b);
}

const char *tls_nodes_address(void)
{
	static char address[32];
	static unsigned number;

	snprintf(address, sizeof(address), "127.0.0.1:%u",
		10000 + ((unsigned)getpid() * 16 + number++) % 20000);
	return address;
}

void tls_nodes_open(struct tls_nodes *nodes, enum tls_without without)
{
	struct xfer_context_params params = { .node = "a", .heartbeat_ms = 200 };
	struct xfer_session_params session = { .owner = "b", .insecure = nodes->insecure };
	struct fixture *f = &nodes->f;

	if (without != TLS_WITHOUT_NODE) {
		params.tls = nodes->tls;
		params.tls_identity = nodes->a;
	}
	if (without != TLS_WITHOUT_OWNER) {
		f->owner.tls = nodes->tls;
		f->owner.tls_identity = nodes->b;
	}
	memowner_start(&f->owner, "b", tls_nodes_address());
	assert_int_equal(xfer_context_create(&params, &f->context), 0);
	xfer_handle_root(1, &f->handle);
	session.address = f->owner.address;
	assert_int_equal(xfer_session_open(f->context, &session, &f->session), 0);
}

static void fill(uint8_t *data, size_t len, unsigned seed)
{
	for (size_t i = 0; i < len; i++) {
		seed = seed * 1103515245u + 12345u;
		data[i] = (uint8_t)(seed >> 16);
	}
}

void tls_nodes_exchange(struct tls_nodes *nodes, unsigned seed)
{
	struct fixture *f = &nodes->f;
	uint8_t *data = malloc(MEBIBYTE), *back = calloc(1, MEBIBYTE);
	struct wait_io io;

	fill(data, MEBIBYTE, seed);
	io_prepare(f, &io, 0, data, MEBIBYTE);
	xfer_op_write(&io.io);
	assert_int_equal(io_wait(&io), 0);
	assert_memory_equal(f->owner.data, data, MEBIBYTE);
	io_prepare(f, &io, 0, back, MEBIBYTE);
	xfer_op_read(&io.io);
	assert_int_equal(io_wait(&io), 0);
	assert_memory_equal(back, data, MEBIBYTE);
	free(data);
	free(back);
}

struct logged {
	const char *text, *text2;
};

static bool is_logged(void *arg)
{
	const struct logged *logged = arg;

	return tls_log_has(logged->text, logged->text2);
}

void tls_nodes_expect_logged(const char *text, const char *text2)
{
	struct logged logged = { text, text2 };

	if (wait_for(is_logged, &logged))
		return;
	tls_log_print();
	fail_msg("the log never says \"%s\" with \"%s\"", text, text2);
}

void tls_nodes_end(struct tls_nodes *nodes)
{
	if (nodes->f.session)
		tear_down(&nodes->f);
	xfer_tls_identity_destroy(nodes->a);
	xfer_tls_identity_destroy(nodes->b);
	xfer_tls_destroy(nodes->tls);
	pki_free(nodes->pki);
	pki_free(nodes->other);
	xfer_log_set_sink(NULL);
}
