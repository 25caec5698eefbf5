/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* tls.c -- what all TLS connections of a process share */

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <jansson.h>

#include "clock.h"
#include "counters.h"
#include "log.h"
#include "tls/ktls.h"
#include "tls/tls.h"

#define HANDSHAKE_MS           5000
#define HANDSHAKE_MS_MIN       100
#define HANDSHAKE_MS_MAX       60000
#define HANDSHAKES_MAX         1024
#define HANDSHAKES_PER_ADDRESS 64

/* --- ciphers, and who carries ------------------------------------------------------------------- */

/* "A:B", in the order of preference. */
static void name_ciphers(unsigned ciphers, char text[XFER_TLS_CIPHERSUITES])
{
	size_t len = 0;

	text[0] = '\0';
	for (enum xfer_tls_cipher cipher = 0; cipher < XFER_TLS_CIPHERS; cipher++)
		if (ciphers & 1u << cipher)
			len += (size_t)snprintf(text + len, XFER_TLS_CIPHERSUITES - len, "%s%s",
				len ? ":" : "", xfer_tls_cipher_types[cipher].name);
}

/* Of our ciphers those that OpenSSL offers by itself: its configuration, or FIPS, may forbid some. */
static unsigned openssl_ciphers(void)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_method());
	STACK_OF(SSL_CIPHER) * offered;
	unsigned ciphers = 0;
	SSL *ssl;

	ssl = ctx ? SSL_new(ctx) : NULL;
	offered = ssl ? SSL_get1_supported_ciphers(ssl) : NULL;
	for (int i = 0; i < sk_SSL_CIPHER_num(offered); i++) {
		enum xfer_tls_cipher cipher = xfer_tls_cipher_of(
			SSL_CIPHER_get_protocol_id(sk_SSL_CIPHER_value(offered, i)));

		if (cipher < XFER_TLS_CIPHERS)
			ciphers |= 1u << cipher;
	}
	sk_SSL_CIPHER_free(offered);
	SSL_free(ssl);
	SSL_CTX_free(ctx);
	return ciphers;
}

/* tls->ciphers, and *in_kernel. */
static int choose(
	struct xfer_tls *tls, enum xfer_ktls wish, bool *in_kernel, char *why, size_t why_len)
{
	unsigned kernel_ciphers = 0;
	char reason[192] = "Ktls is off";

	tls->ciphers = openssl_ciphers();
	if (tls->ciphers == 0) {
		snprintf(why, why_len,
			"OpenSSL offers none of the ciphers of TLS 1.3; look at its configuration (openssl.cnf)");
		return -EOPNOTSUPP;
	}
	if (wish != XFER_KTLS_OFF)
		kernel_ciphers = xfer_ktls_probe(tls->ciphers, reason, sizeof(reason));
	*in_kernel = kernel_ciphers != 0;
	if (*in_kernel) {
		tls->ciphers = kernel_ciphers;
		return 0;
	}
	if (wish == XFER_KTLS_REQUIRE) {
		snprintf(why, why_len,
			"the kernel can't carry TLS connections: %s; make it able to, or allow the relay (Ktls = prefer)",
			reason);
		return -EOPNOTSUPP;
	}
	if (wish == XFER_KTLS_PREFER)
		xfer_warn(
			"tls: the kernel can't carry TLS connections: %s; all of them go through the RELAY in this process, which costs several times the processor time",
			reason);
	return 0;
}

/* --- creation ----------------------------------------------------------------------------------- */

static void look(void *user)
{
	struct xfer_tls *tls = user;

	xfer_tls_identities_look(&tls->identities, false);
}

static int check_params(const struct xfer_tls_params *params, char *why, size_t why_len)
{
	if (params->handshake_ms == 0 || (params->handshake_ms >= HANDSHAKE_MS_MIN &&
						 params->handshake_ms <= HANDSHAKE_MS_MAX))
		return 0;
	snprintf(why, why_len, "a handshake may take %d to %d ms, not %u", HANDSHAKE_MS_MIN,
		HANDSHAKE_MS_MAX, params->handshake_ms);
	return -EINVAL;
}

static int start_threads(struct xfer_tls *tls, const struct xfer_tls_params *params, bool in_kernel)
{
	struct xfer_tls_endpoints_params endpoints = {
		.handshake_ms = params->handshake_ms ? params->handshake_ms : HANDSHAKE_MS,
		.handshakes_max = params->handshakes_max ? params->handshakes_max : HANDSHAKES_MAX,
		.handshakes_per_address = params->handshakes_per_address
						  ? params->handshakes_per_address
						  : HANDSHAKES_PER_ADDRESS,
	};
	int err = xfer_tls_proxy_create(look, tls, &tls->proxy);

	if (err == 0 && !in_kernel)
		err = xfer_tls_relay_create(&tls->relay);
	if (err)
		return err;
	endpoints.proxy = tls->proxy;
	endpoints.relay = tls->relay;
	return xfer_tls_endpoints_create(&endpoints, &tls->endpoints);
}

static void init_identities(struct xfer_tls *tls, bool in_kernel)
{
	struct xfer_tls_settings settings = { .verify = xfer_tls_handshake_verify,
		.keylog = in_kernel ? xfer_tls_handshake_keylog : NULL };

	name_ciphers(tls->ciphers, settings.ciphersuites);
	xfer_tls_identities_init(&tls->identities, &settings);
	xfer_info("tls: ciphers %s, carried by the %s", settings.ciphersuites,
		in_kernel ? "kernel" : "relay");
}

/*
 * No core file and no ptrace: keys are in this memory. But when a thread changes its user for the file system, as whoever
 * serves files does, the process becomes as dumpable as fs.suid_dumpable says. So there is a limit as well: one byte is
 * less than any core file has, and the value by which the kernel doesn't run a program for cores; with 0 it would.
 */
static void forbid_cores(void)
{
	const struct rlimit one_byte = { 1, 1 };

	prctl(PR_SET_DUMPABLE, 0);
	if (setrlimit(RLIMIT_CORE, &one_byte))
		xfer_warn(
			"tls: core files, which would have keys in them, can't be forbidden by a limit: %s; keep fs.suid_dumpable 0",
			strerror(errno));
}

int xfer_tls_create(
	const struct xfer_tls_params *params, struct xfer_tls **result, char *why, size_t why_len)
{
	struct xfer_tls *tls;
	bool in_kernel = false;
	int err = check_params(params, why, why_len);

	if (err)
		return err;
	/* OpenSSL would free what it has at exit(3), while these threads are at work. */
	OPENSSL_init_ssl(OPENSSL_INIT_NO_ATEXIT, NULL);
	if (params->log)
		xfer_log_set_sink(params->log);
	forbid_cores();
	tls = calloc(1, sizeof(*tls));
	if (!tls) {
		snprintf(why, why_len, "no memory");
		return -ENOMEM;
	}
	err = choose(tls, params->ktls, &in_kernel, why, why_len);
	if (err) {
		free(tls);
		return err;
	}
	init_identities(tls, in_kernel);
	err = start_threads(tls, params, in_kernel);
	if (err) {
		snprintf(why, why_len, "the threads of TLS can't be started: %s", strerror(-err));
		xfer_tls_destroy(tls);
		return err;
	}
	*result = tls;
	return 0;
}

void xfer_tls_destroy(struct xfer_tls *tls)
{
	if (tls->endpoints)
		xfer_tls_endpoints_stop(tls->endpoints);
	if (tls->proxy)
		xfer_tls_proxy_destroy(tls->proxy);
	if (tls->endpoints)
		xfer_tls_endpoints_destroy(tls->endpoints);
	if (tls->relay)
		xfer_tls_relay_destroy(tls->relay);
	xfer_tls_identities_fini(&tls->identities);
	free(tls);
}

bool xfer_tls_in_kernel(const struct xfer_tls *tls)
{
	return tls->relay == NULL;
}

int xfer_tls_identity_create(struct xfer_tls *tls, enum xfer_tls_role role,
	const struct xfer_tls_files *files, struct xfer_tls_identity **identity, char *why,
	size_t why_len)
{
	return xfer_tls_identities_add(&tls->identities, role, files, identity, why, why_len);
}

void xfer_tls_reload(struct xfer_tls *tls)
{
	xfer_tls_identities_look(&tls->identities, true);
}

/* --- connections -------------------------------------------------------------------------------- */

int xfer_tls_start(struct xfer_tls *tls, int fd, const struct xfer_tls_start *start)
{
	return xfer_tls_endpoints_start(tls->endpoints, fd, start);
}

/* Somebody who waits for a result. */
struct waiter {
	pthread_mutex_t lock;
	pthread_cond_t cond;
	bool done;
	struct xfer_tls_result result;
	char *why;
};

static void wake(void *user, const struct xfer_tls_result *result)
{
	struct waiter *waiter = user;

	pthread_mutex_lock(&waiter->lock);
	waiter->result = *result;
	waiter->why = result->err ? strdup(result->why) : NULL;
	waiter->done = true;
	pthread_cond_signal(&waiter->cond);
	pthread_mutex_unlock(&waiter->lock);
}

int xfer_tls_connect(struct xfer_tls *tls, int fd, const struct xfer_tls_start *start,
	struct xfer_tls_security **security, char **why)
{
	struct waiter waiter = { .done = false };
	struct xfer_tls_start mine = *start;
	int err;

	pthread_mutex_init(&waiter.lock, NULL);
	xfer_cond_init(&waiter.cond);
	mine.done = wake;
	mine.user = &waiter;
	err = xfer_tls_start(tls, fd, &mine);
	pthread_mutex_lock(&waiter.lock);
	while (err == 0 && !waiter.done)
		pthread_cond_wait(&waiter.cond, &waiter.lock);
	pthread_mutex_unlock(&waiter.lock);
	pthread_cond_destroy(&waiter.cond);
	pthread_mutex_destroy(&waiter.lock);
	if (err)
		waiter.why =
			strdup(err == -EUSERS ? "too many handshakes are under way" : "no memory");
	else
		err = waiter.result.err;
	if (err) {
		*why = waiter.why;
		return err;
	}
	*security = waiter.result.security;
	return waiter.result.fd;
}

unsigned xfer_tls_used(const struct xfer_tls_security *security, int fd)
{
	uint64_t sent = atomic_load_explicit(&security->sent, memory_order_relaxed);
	uint64_t received = atomic_load_explicit(&security->received, memory_order_relaxed);
	uint64_t records = sent > received ? sent : received;

	/* A connection that can't be asked is about to end. */
	if (security->in_kernel && xfer_ktls_records(fd, security->cipher, &records))
		return 0;
	return xfer_tls_security_used(security, records);
}

/* The relay says it itself when it reads the end of the pair. */
void xfer_tls_goodbye(const struct xfer_tls_security *security, int fd)
{
	if (security->in_kernel)
		xfer_ktls_close_notify(fd);
}

/* --- status ------------------------------------------------------------------------------------- */

void xfer_tls_count(enum xfer_tls_event event)
{
	static const enum xfer_counter counters[] = {
		[XFER_TLS_USED_UP] = XFER_CNT_TLS_USED_UP,
		[XFER_TLS_OFFERS_TOO_MANY] = XFER_CNT_TLS_OFFERS_TOO_MANY,
		[XFER_TLS_OFFERS_TOO_MANY_OF_ADDRESS] = XFER_CNT_TLS_OFFERS_TOO_MANY_OF_ADDRESS,
		[XFER_TLS_OFFERS_NOT_BEGUN] = XFER_CNT_TLS_OFFERS_NOT_BEGUN,
		[XFER_TLS_XPRTSEC_REFUSED] = XFER_CNT_XPRTSEC_REFUSED,
		[XFER_TLS_XPRTSEC_STRANGERS] = XFER_CNT_XPRTSEC_STRANGERS,
	};

	xfer_count(counters[event], 1);
}

static json_t *cipher_status(const struct xfer_tls *tls)
{
	json_t *names = json_array();

	for (enum xfer_tls_cipher cipher = 0; cipher < XFER_TLS_CIPHERS; cipher++)
		if (tls->ciphers & 1u << cipher)
			json_array_append_new(
				names, json_string(xfer_tls_cipher_types[cipher].name));
	return names;
}

static json_t *failure_status(void)
{
	json_t *failures = json_object();

	for (enum xfer_tls_cause cause = 0; cause < XFER_TLS_CAUSES; cause++) {
		uint64_t count =
			atomic_load_explicit(&xfer_tls_failures[cause], memory_order_relaxed);

		if (count)
			json_object_set_new(failures, xfer_tls_cause_name(cause),
				json_integer((json_int_t)count));
	}
	return failures;
}

static json_t *counter_status(void)
{
	json_t *counters = json_object();

	for (enum xfer_counter counter = XFER_CNT_TLS_HANDSHAKES;
		counter <= XFER_CNT_XPRTSEC_STRANGERS; counter++)
		json_object_set_new(counters, xfer_counter_name(counter),
			json_integer((json_int_t)atomic_load_explicit(
				&xfer_counters[counter], memory_order_relaxed)));
	return counters;
}

char *xfer_tls_status(struct xfer_tls *tls)
{
	unsigned relayed = tls->relay ? xfer_tls_relay_connections(tls->relay) : 0;
	json_t *status = json_pack("{s:s, s:o, s:i, s:i, s:o, s:o, s:o}", "carrier",
		xfer_tls_in_kernel(tls) ? "kernel" : "relay", "ciphers", cipher_status(tls),
		"handshakes_under_way", (int)xfer_tls_endpoints_busy(tls->endpoints),
		"relay_connections", (int)relayed, "counters", counter_status(), "failures",
		failure_status(), "certificates", xfer_tls_identities_status(&tls->identities));
	char *text = json_dumps(status, JSON_COMPACT);

	json_decref(status);
	return text;
}
