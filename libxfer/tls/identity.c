/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* identity.c -- certificates with what belongs to them, read again when their files change */

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "counters.h"
#include "log.h"
#include "tls/certificate.h"
#include "tls/identity.h"

#define FILES 4

/* By what it's seen that a file is another one. */
struct mark {
	int err; /* stat's; the rest is 0 then */
	dev_t dev;
	ino_t ino;
	off_t size;
	struct timespec modified, changed;
};

struct xfer_tls_identity {
	_Atomic unsigned refs;
	struct xfer_tls_identities *identities;
	LIST_ENTRY(xfer_tls_identity) link;
	enum xfer_tls_role role;
	char *paths[FILES]; /* certificate, key, CA, CRL */

	/* of the last attempt */
	struct mark marks[FILES]; /* xfer_tls_identities.loading */
	_Atomic bool broken;

	pthread_mutex_t lock; /* the rest */
	SSL_CTX *credentials;
	json_t *description;
};

void xfer_tls_identities_init(
	struct xfer_tls_identities *identities, const struct xfer_tls_settings *settings)
{
	pthread_mutex_init(&identities->loading, NULL);
	pthread_mutex_init(&identities->lock, NULL);
	LIST_INIT(&identities->list);
	identities->settings = *settings;
}

void xfer_tls_identities_fini(struct xfer_tls_identities *identities)
{
	pthread_mutex_destroy(&identities->lock);
	pthread_mutex_destroy(&identities->loading);
}

static void look_at(const char *path, struct mark *mark)
{
	struct stat st;

	memset(mark, 0, sizeof(*mark));
	if (!path)
		return;
	if (stat(path, &st)) {
		mark->err = errno;
		return;
	}
	mark->dev = st.st_dev;
	mark->ino = st.st_ino;
	mark->size = st.st_size;
	mark->modified = st.st_mtim;
	mark->changed = st.st_ctim;
}

/* Whether one is another than at the last attempt; *marks becomes what is there now. */
static bool has_changed(struct xfer_tls_identity *identity)
{
	struct mark now[FILES];
	bool changed;

	/* Cleared as a whole, so they can be compared as memory. */
	for (int i = 0; i < FILES; i++)
		look_at(identity->paths[i], &now[i]);
	changed = memcmp(now, identity->marks, sizeof(now)) != 0;
	memcpy(identity->marks, now, sizeof(now));
	return changed;
}

/* For STATUS; made once, because certificates are OpenSSL's to share among threads. NULL: no memory. */
static json_t *describe(const struct xfer_tls_identity *identity, X509 *certificate)
{
	char *subject = xfer_tls_certificate_subject(certificate);
	char *names = xfer_tls_certificate_names(certificate);
	char *fingerprint = xfer_tls_certificate_fingerprint(certificate);
	struct tm tm = { 0 };
	char expires[32];
	json_t *description;

	ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &tm);
	strftime(expires, sizeof(expires), "%Y-%m-%dT%H:%M:%SZ", &tm);
	description = json_pack("{s:s, s:s, s:s*, s:s*, s:s*, s:s}", "certificate",
		identity->paths[0], "role", identity->role == XFER_TLS_NODE ? "node" : "nfs",
		"subject", subject, "names", names, "fingerprint", fingerprint, "expires", expires);
	free(subject);
	free(names);
	free(fingerprint);
	return description;
}

/* Handshakes that begin now use these. */
static void take(struct xfer_tls_identity *identity, SSL_CTX *credentials)
{
	json_t *description = describe(identity, SSL_CTX_get0_certificate(credentials));
	json_t *old_description;
	SSL_CTX *old;

	pthread_mutex_lock(&identity->lock);
	old = identity->credentials;
	old_description = identity->description;
	identity->credentials = credentials;
	identity->description = description;
	pthread_mutex_unlock(&identity->lock);
	SSL_CTX_free(old);
	json_decref(old_description);
}

static int load(struct xfer_tls_identity *identity, char *why, size_t why_len)
{
	const struct xfer_tls_files files = { identity->paths[0], identity->paths[1],
		identity->paths[2], identity->paths[3] };
	SSL_CTX *credentials;
	int err = xfer_tls_credentials_load(&identity->identities->settings, identity->role, &files,
		&credentials, why, why_len);

	identity->broken = err != 0;
	if (err == 0)
		take(identity, credentials);
	return err;
}

static void reload(struct xfer_tls_identity *identity)
{
	char why[512];

	if (load(identity, why, sizeof(why)) == 0) {
		xfer_count(XFER_CNT_TLS_RELOADS, 1);
		xfer_info("tls: %s was read again", identity->paths[0]);
		return;
	}
	xfer_count(XFER_CNT_TLS_RELOADS_FAILED, 1);
	xfer_error(
		"tls: the certificate in use stays, because the new files can't be used: %s", why);
}

void xfer_tls_identities_look(struct xfer_tls_identities *identities, bool all)
{
	struct xfer_tls_identity *identity;

	pthread_mutex_lock(&identities->loading);
	LIST_FOREACH (identity, &identities->list, link)
		if (has_changed(identity) || all)
			reload(identity);
	pthread_mutex_unlock(&identities->loading);
}

static int copy_paths(struct xfer_tls_identity *identity, const struct xfer_tls_files *files)
{
	const char *const paths[FILES] = { files->certificate, files->key, files->ca, files->crl };

	for (int i = 0; i < FILES; i++) {
		identity->paths[i] = paths[i] ? strdup(paths[i]) : NULL;
		if (paths[i] && !identity->paths[i])
			return -ENOMEM;
	}
	return 0;
}

static void enlist(struct xfer_tls_identity *identity)
{
	struct xfer_tls_identities *identities = identity->identities;

	pthread_mutex_lock(&identities->loading);
	pthread_mutex_lock(&identities->lock);
	LIST_INSERT_HEAD(&identities->list, identity, link);
	pthread_mutex_unlock(&identities->lock);
	pthread_mutex_unlock(&identities->loading);
}

static const char *missing(enum xfer_tls_role role, const struct xfer_tls_files *files)
{
	if (!files->certificate)
		return "no file is configured for the certificate";
	if (!files->key)
		return "no file is configured for the certificate's key";
	if (role == XFER_TLS_NODE && !files->ca)
		return "no file is configured for the CA, without which no node could be verified";
	if (files->crl && !files->ca)
		return "a revocation list is configured, but no CA to which it could belong";
	return NULL;
}

int xfer_tls_identities_add(struct xfer_tls_identities *identities, enum xfer_tls_role role,
	const struct xfer_tls_files *files, struct xfer_tls_identity **result, char *why,
	size_t why_len)
{
	struct xfer_tls_identity *identity;
	int err;

	if (missing(role, files)) {
		snprintf(why, why_len, "%s", missing(role, files));
		return -EINVAL;
	}
	identity = calloc(1, sizeof(*identity));
	snprintf(why, why_len, "no memory");
	if (!identity)
		return -ENOMEM;
	identity->refs = 1;
	identity->identities = identities;
	identity->role = role;
	pthread_mutex_init(&identity->lock, NULL);
	err = copy_paths(identity, files);
	if (err == 0) {
		has_changed(identity);
		err = load(identity, why, why_len);
	}
	if (err) {
		xfer_tls_identity_unref(identity);
		return err;
	}
	enlist(identity);
	*result = identity;
	return 0;
}

void xfer_tls_identity_destroy(struct xfer_tls_identity *identity)
{
	struct xfer_tls_identities *identities = identity->identities;

	pthread_mutex_lock(&identities->loading);
	pthread_mutex_lock(&identities->lock);
	LIST_REMOVE(identity, link);
	pthread_mutex_unlock(&identities->lock);
	pthread_mutex_unlock(&identities->loading);
	xfer_tls_identity_unref(identity);
}

void xfer_tls_identity_ref(struct xfer_tls_identity *identity)
{
	atomic_fetch_add(&identity->refs, 1);
}

/* A handshake under way may be the last to use it. */
void xfer_tls_identity_unref(struct xfer_tls_identity *identity)
{
	if (atomic_fetch_sub(&identity->refs, 1) != 1)
		return;
	SSL_CTX_free(identity->credentials);
	json_decref(identity->description);
	for (int i = 0; i < FILES; i++)
		free(identity->paths[i]);
	pthread_mutex_destroy(&identity->lock);
	free(identity);
}

enum xfer_tls_role xfer_tls_identity_role(const struct xfer_tls_identity *identity)
{
	return identity->role;
}

SSL_CTX *xfer_tls_identity_credentials(struct xfer_tls_identity *identity)
{
	SSL_CTX *credentials;

	pthread_mutex_lock(&identity->lock);
	credentials = identity->credentials;
	SSL_CTX_up_ref(credentials);
	pthread_mutex_unlock(&identity->lock);
	return credentials;
}

static json_t *identity_status(struct xfer_tls_identity *identity)
{
	json_t *status;

	pthread_mutex_lock(&identity->lock);
	status = json_deep_copy(identity->description);
	pthread_mutex_unlock(&identity->lock);
	json_object_set_new(
		status, "newer_files_broken", json_boolean(atomic_load(&identity->broken)));
	return status;
}

json_t *xfer_tls_identities_status(struct xfer_tls_identities *identities)
{
	json_t *status = json_array();
	struct xfer_tls_identity *identity;

	pthread_mutex_lock(&identities->lock);
	LIST_FOREACH (identity, &identities->list, link)
		json_array_append_new(status, identity_status(identity));
	pthread_mutex_unlock(&identities->lock);
	return status;
}
