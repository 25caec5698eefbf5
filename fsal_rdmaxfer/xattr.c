/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* xattr.c -- extended attributes (RFC 8276) */

#include <errno.h>

#include "errors.h"
#include "gate.h"
#include "ownchange.h"
#include "xattr.h"

/* NFS knows the names without it, and only these. */
#define PREFIX "user."

struct full_name {
	char text[XFER_NAME_MAX + 1];
};

static int put_name(const xattrkey4 *name, struct full_name *full)
{
	size_t prefix = sizeof(PREFIX) - 1;

	if (name->utf8string_len == 0 || memchr(name->utf8string_val, '\0', name->utf8string_len))
		return -EINVAL;
	if (name->utf8string_len > XFER_NAME_MAX - prefix)
		return -ENAMETOOLONG;
	memcpy(full->text, PREFIX, prefix);
	memcpy(full->text + prefix, name->utf8string_val, name->utf8string_len);
	full->text[prefix + name->utf8string_len] = '\0';
	return 0;
}

/* Ganesha asks with a small buffer first; without one it asks for the length. */
static fsal_status_t hand_over(const uint8_t *bytes, uint32_t len, xattrvalue4 *value)
{
	if (value->utf8string_len > 0 && len > value->utf8string_len)
		return fsalstat(ERR_FSAL_XATTR2BIG, 0);
	if (value->utf8string_len > 0)
		memcpy(value->utf8string_val, bytes, len);
	value->utf8string_len = len;
	return rdx_status(0);
}

fsal_status_t rdx_getxattrs(struct fsal_obj_handle *obj, xattrkey4 *name, xattrvalue4 *value)
{
	struct rdx_object *object = rdx_object(obj);
	struct full_name full;
	struct rdx_op op;
	fsal_status_t status;
	uint8_t *bytes;
	uint32_t len;
	int err = put_name(name, &full);

	status = err ? rdx_status(err) : rdx_op_begin(object->volume, &op);
	if (FSAL_IS_ERROR(status))
		return status;
	bytes = gsh_malloc(XFER_XATTR_MAX);
	err = xfer_op_getxattr(op.session, &op.cred, &object->handle, full.text, bytes, &len);
	rdx_op_end(&op);
	status = err ? rdx_status(err) : hand_over(bytes, len, value);
	gsh_free(bytes);
	return status;
}

static int to_how(setxattr_option4 option, enum xfer_setxattr *how)
{
	switch (option) {
	case SETXATTR4_CREATE:
		*how = XFER_XATTR_CREATE;
		return 0;
	case SETXATTR4_REPLACE:
		*how = XFER_XATTR_REPLACE;
		return 0;
	default:
		*how = XFER_XATTR_EITHER;
		return option == SETXATTR4_EITHER ? 0 : -EINVAL;
	}
}

fsal_status_t rdx_setxattrs(
	struct fsal_obj_handle *obj, setxattr_option4 option, xattrkey4 *name, xattrvalue4 *value)
{
	struct rdx_object *object = rdx_object(obj);
	struct xfer_opt_attr attr = { 0 };
	struct rdx_change change;
	enum xfer_setxattr how;
	struct full_name full;
	struct rdx_op op;
	fsal_status_t status;
	int err = to_how(option, &how);

	if (err == 0)
		err = put_name(name, &full);
	status = err ? rdx_status(err) : rdx_op_begin(object->volume, &op);
	if (FSAL_IS_ERROR(status))
		return status;
	rdx_change_init(&change, object->volume);
	rdx_change_object(&change, object, OWN_ATTRS);
	err = xfer_op_setxattr(op.session, &op.cred, &object->handle, full.text, how,
		value->utf8string_val, value->utf8string_len, &attr);
	rdx_op_end(&op);
	rdx_object_note(object, &attr, &op.asked, op.begun);
	rdx_change_end(&change);
	return rdx_status(err);
}

fsal_status_t rdx_removexattrs(struct fsal_obj_handle *obj, xattrkey4 *name)
{
	struct rdx_object *object = rdx_object(obj);
	struct xfer_opt_attr attr = { 0 };
	struct rdx_change change;
	struct full_name full;
	struct rdx_op op;
	fsal_status_t status;
	int err = put_name(name, &full);

	status = err ? rdx_status(err) : rdx_op_begin(object->volume, &op);
	if (FSAL_IS_ERROR(status))
		return status;
	rdx_change_init(&change, object->volume);
	rdx_change_object(&change, object, OWN_ATTRS);
	err = xfer_op_removexattr(op.session, &op.cred, &object->handle, full.text, &attr);
	rdx_op_end(&op);
	rdx_object_note(object, &attr, &op.asked, op.begun);
	rdx_change_end(&change);
	return rdx_status(err);
}

/* --- listing ---------------------------------------------------------------------------------- */

#define COUNT_BYTES 4 /* of the array's length, which Ganesha forgets in its own count */

/* What a name without its prefix takes in the answer (RFC 8276, section 8.4.3: XDR's overhead counts). */
static uint32_t wire_bytes(const char *name)
{
	return 4 + (uint32_t)RNDUP(strlen(name + sizeof(PREFIX) - 1));
}

/* The next one in a list of names with a NUL behind each. */
static const char *next_name(const char *name)
{
	return name + strlen(name) + 1;
}

static fsal_status_t hand_names(const char *name, const char *end, uint32_t room,
	nfs_cookie4 *cookie, bool_t *eof, xattrlist4 *names)
{
	const char *first, *last;
	uint32_t count = 0;
	uint64_t skip;

	for (skip = *cookie; skip > 0 && name < end; skip--)
		name = next_name(name);
	if (skip > 0)
		return fsalstat(ERR_FSAL_BADCOOKIE, 0);
	for (first = last = name; last < end && wire_bytes(last) <= room; last = next_name(last)) {
		room -= wire_bytes(last);
		count++;
	}
	if (count == 0 && last < end)
		return fsalstat(ERR_FSAL_TOOSMALL, 0);
	names->xl4_entries = count ? gsh_calloc(count, sizeof(*names->xl4_entries)) : NULL;
	names->xl4_count = count;
	for (uint32_t i = 0; i < count; i++, first = next_name(first)) {
		const char *bare = first + sizeof(PREFIX) - 1;

		names->xl4_entries[i].utf8string_len = (uint32_t)strlen(bare);
		names->xl4_entries[i].utf8string_val = gsh_memdup(bare, strlen(bare));
	}
	*cookie += count;
	*eof = last == end;
	return rdx_status(0);
}

/* A cookie is the number of names before: what is added or removed meanwhile may be missed or come twice. */
fsal_status_t rdx_listxattrs(struct fsal_obj_handle *obj, count4 max_bytes, nfs_cookie4 *cookie,
	bool_t *eof, xattrlist4 *names)
{
	struct rdx_object *object = rdx_object(obj);
	struct rdx_op op;
	fsal_status_t status = rdx_op_begin(object->volume, &op);
	uint32_t len;
	char *bytes;
	int err;

	if (FSAL_IS_ERROR(status))
		return status;
	bytes = gsh_malloc(XFER_XATTR_MAX);
	err = xfer_op_listxattr(op.session, &op.cred, &object->handle, bytes, &len);
	rdx_op_end(&op);
	if (err)
		status = rdx_status(err);
	else
		status = hand_names(bytes, bytes + len,
			max_bytes > COUNT_BYTES ? max_bytes - COUNT_BYTES : 0, cookie, eof, names);
	gsh_free(bytes);
	return status;
}
