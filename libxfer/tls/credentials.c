/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* credentials.c -- a set of files, read once: certificate, key, CA and CRL, ready for handshakes */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "log.h"
#include "tls/certificate.h"
#include "tls/credentials.h"

/* A load under way. */
struct load {
	SSL_CTX *ctx;
	enum xfer_tls_role role;
	const char *file; /* that is being read */
	char *why;
	size_t why_len;
	bool asked;        /* for a password */
	char buffer[4096]; /* stdio's: one of its own would be freed with the key in it */
};

static int refuse(struct load *load, int err, const char *cause)
{
	snprintf(load->why, load->why_len, "%s: %s", load->file, cause);
	ERR_clear_error();
	return err;
}

static int no_password(char *buf, int size, int writing, void *user)
{
	struct load *load = user;

	(void)buf;
	(void)size;
	(void)writing;
	load->asked = true;
	return -1;
}

static int open_file(struct load *load, const char *path, BIO **bio)
{
	char cause[192];
	FILE *file = fopen(path, "re");
	int err = errno;

	load->file = path;
	if (!file) {
		snprintf(cause, sizeof(cause), "%s; %s", strerror(err),
			err == ENOENT   ? "create it, or correct the path in the configuration"
			: err == EACCES ? "let this process read it"
					: "look at the file system");
		return refuse(load, -err, cause);
	}
	setvbuf(file, load->buffer, _IOFBF, sizeof(load->buffer));
	*bio = BIO_new_fp(file, BIO_CLOSE);
	if (*bio)
		return 0;
	fclose(file);
	return refuse(load, -ENOMEM, "no memory");
}

/* Whether reading a file of PEM blocks has ended because there are no more of them. */
static bool at_end(void)
{
	unsigned long error = ERR_peek_last_error();

	return ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
}

/* What peers will refuse it for. */
static void warn_of_certificate(const char *file, X509 *certificate, enum xfer_tls_role role)
{
	if (X509_cmp_current_time(X509_get0_notAfter(certificate)) < 0)
		xfer_warn("%s: the certificate has expired; peers will refuse it: renew it", file);
	else if (X509_cmp_current_time(X509_get0_notBefore(certificate)) > 0)
		xfer_warn(
			"%s: the certificate is not valid yet; peers will refuse it: look at the clock",
			file);
	if (role == XFER_TLS_NODE &&
		(!xfer_tls_certificate_is_for(certificate, NID_server_auth) ||
			!xfer_tls_certificate_is_for(certificate, NID_client_auth)))
		xfer_warn(
			"%s: the certificate lacks the extended key usage serverAuth or clientAuth; other nodes will refuse it: issue one with both",
			file);
}

/* The rest of the certificate's file: its chain. */
static int load_chain(struct load *load, BIO *bio)
{
	X509 *certificate;

	while ((certificate = PEM_read_bio_X509(bio, NULL, no_password, load))) {
		int added = SSL_CTX_add1_chain_cert(load->ctx, certificate);

		X509_free(certificate);
		if (!added)
			return refuse(load, -EINVAL,
				"a certificate of the chain is not acceptable (too weak?)");
	}
	if (!at_end())
		return refuse(load, -EINVAL,
			"a certificate of the chain is broken; is the file complete?");
	ERR_clear_error();
	return 0;
}

static int load_certificate(struct load *load, const char *path)
{
	X509 *certificate;
	BIO *bio;
	int err = open_file(load, path, &bio);

	if (err)
		return err;
	certificate = PEM_read_bio_X509_AUX(bio, NULL, no_password, load);
	if (!certificate)
		err = refuse(load, -EINVAL,
			at_end() ? "there is no certificate in it; it has to be in PEM format"
				 : "the certificate is broken; is the file complete?");
	else if (SSL_CTX_use_certificate(load->ctx, certificate) != 1)
		err = refuse(load, -EINVAL,
			"OpenSSL refuses the certificate; its key or digest may be too weak");
	else
		err = load_chain(load, bio);
	if (err == 0)
		warn_of_certificate(path, certificate, load->role);
	X509_free(certificate);
	BIO_free(bio);
	return err;
}

/* A group may be meant, everybody never is. */
static void warn_of_key(const char *path, BIO *bio)
{
	FILE *file = NULL;
	struct stat st;

	BIO_get_fp(bio, &file);
	if (fstat(fileno(file), &st) == 0 && st.st_mode & S_IRWXO)
		xfer_warn(
			"%s: everybody on this host can read or change the key: chmod o= %s, and make a new one if somebody could have",
			path, path);
}

static int load_key(struct load *load, const char *path)
{
	EVP_PKEY *key;
	BIO *bio;
	int err = open_file(load, path, &bio);

	if (err)
		return err;
	key = PEM_read_bio_PrivateKey(bio, NULL, no_password, load);
	if (!key)
		err = refuse(load, -EINVAL,
			load->asked
				? "the key is encrypted, and there is nobody to ask for its password; write it without one: openssl pkey -in KEY -out NEW"
				: "there is no private key in it, or it is incomplete; it has to be in PEM format");
	else if (X509_check_private_key(SSL_CTX_get0_certificate(load->ctx), key) != 1)
		err = refuse(load, -EINVAL,
			"the key doesn't belong to the certificate; give the two that were made together");
	else if (SSL_CTX_use_PrivateKey(load->ctx, key) != 1)
		err = refuse(load, -EINVAL, "OpenSSL refuses the key; it may be too weak");
	else
		warn_of_key(path, bio);
	EVP_PKEY_free(key);
	BIO_free(bio);
	return err;
}

static int load_ca(struct load *load, const char *path)
{
	X509_STORE *store = SSL_CTX_get_cert_store(load->ctx);
	X509 *certificate;
	unsigned count = 0;
	BIO *bio;
	int err = open_file(load, path, &bio);

	if (err)
		return err;
	while (err == 0 && (certificate = PEM_read_bio_X509(bio, NULL, no_password, load))) {
		if (!X509_STORE_add_cert(store, certificate) ||
			!SSL_CTX_add_client_CA(load->ctx, certificate))
			err = refuse(load, -ENOMEM, "no memory");
		X509_free(certificate);
		count++;
	}
	if (err == 0 && !at_end())
		err = refuse(
			load, -EINVAL, "a certificate of a CA is broken; is the file complete?");
	else if (err == 0 && count == 0)
		err = refuse(load, -EINVAL,
			"there is no certificate of a CA in it, so nobody could be verified; it has to be in PEM format");
	ERR_clear_error();
	BIO_free(bio);
	return err;
}

static int load_crl(struct load *load, const char *path)
{
	X509_STORE *store = SSL_CTX_get_cert_store(load->ctx);
	const ASN1_TIME *next_update;
	X509_CRL *crl;
	unsigned count = 0;
	BIO *bio;
	int err = open_file(load, path, &bio);

	if (err)
		return err;
	while (err == 0 && (crl = PEM_read_bio_X509_CRL(bio, NULL, no_password, load))) {
		if (!X509_STORE_add_crl(store, crl))
			err = refuse(load, -ENOMEM, "no memory");
		/* Some have none. */
		next_update = X509_CRL_get0_nextUpdate(crl);
		if (next_update && X509_cmp_current_time(next_update) < 0)
			xfer_warn(
				"%s: the revocation list is out of date; peers of its CA are refused: renew it",
				path);
		X509_CRL_free(crl);
		count++;
	}
	if (err == 0 && !at_end())
		err = refuse(load, -EINVAL, "a revocation list is broken; is the file complete?");
	else if (err == 0 && count == 0)
		err = refuse(load, -EINVAL,
			"there is no revocation list in it; it has to be in PEM format");
	ERR_clear_error();
	BIO_free(bio);
	X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
	return err;
}

/* Servers: "sunrpc" if it is offered (RFC 9289, section 4.1); others are refused. */
static int select_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
	const unsigned char *in, unsigned in_len, void *user)
{
	static const char sunrpc[] = "sunrpc";

	(void)ssl;
	(void)user;
	for (unsigned i = 0; i < in_len; i += 1u + in[i])
		if (in[i] == sizeof(sunrpc) - 1 && memcmp(in + i + 1, sunrpc, in[i]) == 0) {
			*out = in + i + 1;
			*out_len = in[i];
			return SSL_TLSEXT_ERR_OK;
		}
	return SSL_TLSEXT_ERR_ALERT_FATAL;
}

/*
 * Elliptic curves only: finite-field groups, which OpenSSL has by default, cost a hundred times as much, at the wish of whoever
 * comes, and the proxy has one thread for all. A FIPS provider has no X25519.
 */
static bool set_groups(SSL_CTX *ctx)
{
	return SSL_CTX_set1_groups_list(ctx, "X25519:P-256:P-384:P-521") == 1 ||
	       SSL_CTX_set1_groups_list(ctx, "P-256:P-384:P-521") == 1;
}

/*
 * No tickets, no resumption, no early data: every connection has keys of its own, and nothing is sent behind the
 * handshake, so that the first record of the data has number 0.
 */
static int set_options(SSL_CTX *ctx, const struct xfer_tls_settings *settings)
{
	static const unsigned char alpn[] = "\x06sunrpc";

	SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION |
					 SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_max_early_data(ctx, 0);
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_alpn_select_cb(ctx, select_alpn, NULL);
	SSL_CTX_set_keylog_callback(ctx, settings->keylog);
	return SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) == 1 &&
	       SSL_CTX_set_max_proto_version(ctx, TLS1_3_VERSION) == 1 &&
	       SSL_CTX_set_num_tickets(ctx, 0) == 1 && set_groups(ctx) &&
	       SSL_CTX_set_ciphersuites(ctx, settings->ciphersuites) == 1 &&
	       SSL_CTX_set_alpn_protos(ctx, alpn, sizeof(alpn) - 1) == 0;
}

/* Clients may have certificates for any use; nodes are looked at by settings->verify, too. */
static void set_verification(SSL_CTX *ctx, const struct xfer_tls_settings *settings,
	enum xfer_tls_role role, bool with_ca)
{
	int mode = with_ca ? SSL_VERIFY_PEER : SSL_VERIFY_NONE;

	if (role == XFER_TLS_NODE)
		mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
	else
		SSL_CTX_set_purpose(ctx, X509_PURPOSE_ANY);
	SSL_CTX_set_verify(ctx, mode, settings->verify);
	X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(ctx), X509_V_FLAG_PARTIAL_CHAIN);
}

int xfer_tls_credentials_load(const struct xfer_tls_settings *settings, enum xfer_tls_role role,
	const struct xfer_tls_files *files, SSL_CTX **credentials, char *why, size_t why_len)
{
	struct load load = { .ctx = SSL_CTX_new(TLS_method()),
		.role = role,
		.file = "OpenSSL",
		.why = why,
		.why_len = why_len };
	int err = 0;

	if (!load.ctx || !set_options(load.ctx, settings))
		err = refuse(&load, -ENOMEM,
			"can't be set up; no memory, or its configuration forbids TLS 1.3");
	if (err == 0)
		err = load_certificate(&load, files->certificate);
	if (err == 0)
		err = load_key(&load, files->key);
	if (err == 0 && files->ca)
		err = load_ca(&load, files->ca);
	if (err == 0 && files->crl)
		err = load_crl(&load, files->crl);
	/* Any of the files may have the key in it, too. */
	OPENSSL_cleanse(load.buffer, sizeof(load.buffer));
	if (err) {
		SSL_CTX_free(load.ctx);
		return err;
	}
	set_verification(load.ctx, settings, role, files->ca != NULL);
	*credentials = load.ctx;
	return 0;
}
