/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* xprtsec.c -- which connections an export may be reached by: none, tls, mtls, as knfsd's option has it */

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "xprtsec.h"

#define NAME_MAX_LEN 253 /* of a host's name */
#define QUOTED_MAX   64  /* of what is no name */

/* --- what is configured ------------------------------------------------------------------------- */

/* What host names and addresses consist of. A pattern stands in certificates, not here; a dot in front would be one. */
static bool is_name(const char *name, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)name[i]) && !strchr("-._:", name[i]))
			return false;
	return len > 0 && len <= NAME_MAX_LEN && name[0] != '.';
}

/* One name of a list, without the blanks around it; *rest becomes what is behind it, NULL: nothing. */
static const char *next_name(const char **rest, size_t *len)
{
	const char *name = *rest + strspn(*rest, " \t");
	const char *end = name + strcspn(name, ",");

	*rest = *end ? end + 1 : NULL;
	while (end > name && isspace((unsigned char)end[-1]))
		end--;
	*len = (size_t)(end - name);
	return name;
}

static int take_names(struct xprtsec *policy, const char *names, char *why, size_t why_len)
{
	char *to = policy->names = calloc(1, strlen(names) + 2);

	if (!to) {
		snprintf(why, why_len, "there is no memory for its names");
		return -ENOMEM;
	}
	while (names) {
		size_t len;
		const char *name = next_name(&names, &len);

		if (!is_name(name, len)) {
			snprintf(why, why_len,
				"\"%.*s\" is no host name nor address: write  Xprtsec_Names = "
				"\"a.example.org, 10.0.0.7\"",
				(int)(len < QUOTED_MAX ? len : QUOTED_MAX), name);
			return -EINVAL;
		}
		memcpy(to, name, len);
		to += len + 1;
	}
	return 0;
}

int xprtsec_init(struct xprtsec *policy, uint32_t kinds, bool sideband, const char *names,
	char *why, size_t why_len)
{
	int err = 0;

	*policy = (struct xprtsec){ .kinds = kinds, .sideband = sideband };
	if ((kinds & XPRTSEC_ANY) == 0) {
		snprintf(why, why_len,
			"nobody could use it: write  Xprtsec = none, tls, mtls  or some of them");
		return -EINVAL;
	}
	if (names && !(kinds & XPRTSEC_MTLS)) {
		snprintf(why, why_len,
			"its names are those of certificates, which Xprtsec doesn't ask for: add  mtls  to "
			"it, or leave Xprtsec_Names out");
		return -EINVAL;
	}
	if (names)
		err = take_names(policy, names, why, why_len);
	if (err)
		xprtsec_fini(policy);
	return err;
}

void xprtsec_fini(struct xprtsec *policy)
{
	free(policy->names);
	policy->names = NULL;
}

bool xprtsec_is_open(const struct xprtsec *policy)
{
	return policy->kinds == XPRTSEC_ANY && !policy->names;
}

/* --- who comes ---------------------------------------------------------------------------------- */

static enum xprtsec_kind kind_of(const struct xfer_tls_security *security)
{
	if (!security)
		return XPRTSEC_NONE;
	return xfer_tls_security_mutual(security) ? XPRTSEC_MTLS : XPRTSEC_TLS;
}

static bool has_one_of(const struct xfer_tls_security *security, const char *names)
{
	if (!names)
		return true;
	for (; *names; names += strlen(names) + 1)
		if (xfer_tls_security_has_name(security, names))
			return true;
	return false;
}

enum xprtsec_verdict xprtsec_judge(
	const struct xprtsec *policy, const struct xfer_tls_security *security)
{
	switch (kind_of(security) & policy->kinds) {
	case XPRTSEC_NONE:
	case XPRTSEC_TLS:
		return XPRTSEC_ADMITTED;
	case XPRTSEC_MTLS:
		return has_one_of(security, policy->names) ? XPRTSEC_ADMITTED : XPRTSEC_OTHER_NAME;
	default:
		break;
	}
	if (!security)
		return XPRTSEC_CLEARTEXT;
	return xfer_tls_security_mutual(security) ? XPRTSEC_CERTIFICATE : XPRTSEC_NO_CERTIFICATE;
}

/* What a certificate is told by: its names, else its subject. */
static const char *shown(const struct xfer_tls_security *security)
{
	const char *names = xfer_tls_security_names(security);

	return *names ? names : xfer_tls_security_subject(security);
}

void xprtsec_explain(enum xprtsec_verdict verdict, const struct xfer_tls_security *security,
	char *text, size_t len)
{
	switch (verdict) {
	case XPRTSEC_ADMITTED:
		snprintf(text, len, "it may come so");
		break;
	case XPRTSEC_CLEARTEXT:
		snprintf(text, len,
			"it comes in cleartext: let it mount with xprtsec=tls or mtls, or add  none  to Xprtsec");
		break;
	case XPRTSEC_NO_CERTIFICATE:
		snprintf(text, len,
			"it comes by TLS without a certificate: let it mount with xprtsec=mtls, or add  tls  to "
			"Xprtsec");
		break;
	case XPRTSEC_CERTIFICATE:
		snprintf(text, len,
			"it comes by TLS with a certificate (%s): add  mtls  to Xprtsec",
			shown(security));
		break;
	case XPRTSEC_OTHER_NAME:
		snprintf(text, len,
			"its certificate has none of the names of Xprtsec_Names, but %s: add one of these, or "
			"give it another certificate",
			shown(security));
		break;
	}
}
