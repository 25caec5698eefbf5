/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* protocol.c -- codecs of the control protocol: there and back, cut short, too long, random */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <rpc/rpc.h>
#include <rpc/xdr_inline.h>

#include "support/messages.h"

#define ROUNDS  100 /* of each procedure */
#define BUFFER  (XFER_HEAD_MAX)
#define GARBAGE 400 /* bytes; more than any fixed part */

static uint64_t seed;

/* One value of one procedure, either its arguments or its results. */
struct value {
	uint32_t proc;
	bool is_results;
	union xfer_args args;
	union xfer_results results;
	uint8_t *variable; /* MESSAGE_VARIABLE bytes */
};

static void value_init(struct value *value)
{
	memset(value, 0, sizeof(*value));
	value->variable = malloc(MESSAGE_VARIABLE);
	assert_non_null(value->variable);
}

static bool value_xdr(struct value *value, XDR *xdrs)
{
	const struct xfer_proc_info *info = xfer_proc_info(value->proc);

	return value->is_results ? info->results(xdrs, &value->results)
				 : info->args(xdrs, &value->args);
}

static void value_random(struct value *value, struct random *random)
{
	if (value->is_results)
		message_results(random, value->proc, &value->results, value->variable);
	else
		message_args(random, value->proc, &value->args);
}

/* Its length in bytes. */
static uint32_t value_encode(struct value *value, uint8_t *bytes, uint32_t size)
{
	XDR xdrs;

	xdrmem_ncreate(&xdrs, (char *)bytes, size, XDR_ENCODE);
	assert_true(value_xdr(value, &xdrs));
	return (uint32_t)XDR_GETPOS(&xdrs);
}

/* Decodes `len` bytes that lie in memory of just that size. */
static bool value_decode(struct value *value, const uint8_t *bytes, uint32_t len, uint32_t *used)
{
	uint8_t *copy = malloc(len ? len : 1);
	bool ok;
	XDR xdrs;

	assert_non_null(copy);
	memcpy(copy, bytes, len);
	memset(&value->args, 0, sizeof(value->args));
	memset(&value->results, 0, sizeof(value->results));
	if (value->is_results)
		message_results_room(
			value->proc, &value->results, value->variable, MESSAGE_VARIABLE);
	xdrmem_ncreate(&xdrs, (char *)copy, len, XDR_DECODE);
	ok = value_xdr(value, &xdrs);
	*used = (uint32_t)XDR_GETPOS(&xdrs);
	free(copy);
	return ok;
}

/* Pointers don't travel; what they point at does. */
static void expect_equal(struct value *a, struct value *b)
{
	uint32_t len = 0;

	if (a->is_results && a->proc == XFER_PROC_READDIR) {
		len = a->results.readdir.entries_len;
		b->results.readdir.entries = a->results.readdir.entries;
	} else if (a->is_results && a->proc == XFER_PROC_STATUS) {
		len = a->results.text.text_len;
		b->results.text.text = a->results.text.text;
	}
	assert_memory_equal(&a->args, &b->args, sizeof(a->args));
	assert_memory_equal(&a->results, &b->results, sizeof(a->results));
	if (len > 0)
		assert_memory_equal(a->variable, b->variable, len);
}

typedef void (*value_fn)(struct value *value, struct random *random);

/* Arguments and results of every procedure. */
static void for_each_kind(value_fn fn, unsigned rounds)
{
	struct random random = random_from(seed);
	struct value value;

	value_init(&value);
	for (value.proc = 0; value.proc < XFER_PROC_COUNT; value.proc++)
		for (unsigned i = 0; xfer_proc_info(value.proc) && i < 2 * rounds; i++) {
			value.is_results = i % 2;
			fn(&value, &random);
		}
	free(value.variable);
}

/* --- there and back ---------------------------------------------------------------------------- */

static void there_and_back(struct value *value, struct random *random)
{
	static uint8_t bytes[BUFFER];
	struct value back;
	uint32_t len, used;

	memset(&value->args, 0, sizeof(value->args));
	memset(&value->results, 0, sizeof(value->results));
	value_random(value, random);
	len = value_encode(value, bytes, sizeof(bytes));
	assert_int_equal(len % 4, 0);
	value_init(&back);
	back.proc = value->proc;
	back.is_results = value->is_results;
	assert_true(value_decode(&back, bytes, len, &used));
	assert_int_equal(used, len);
	expect_equal(value, &back);
	free(back.variable);
}

static void test_there_and_back(void **state)
{
	(void)state;
	for_each_kind(there_and_back, ROUNDS);
}

static void test_request_header(void **state)
{
	static uint32_t groups[XFER_GROUPS_MAX], back_groups[XFER_GROUPS_MAX];
	static uint8_t bytes[BUFFER];
	struct random random = random_from(seed);

	(void)state;
	for (unsigned i = 0; i < ROUNDS; i++) {
		struct xfer_request_header header, back = { .groups = back_groups };
		uint32_t len;
		XDR xdrs;

		message_header(&random, &header, groups);
		xdrmem_ncreate(&xdrs, (char *)bytes, sizeof(bytes), XDR_ENCODE);
		assert_true(xfer_xdr_request_header(&xdrs, &header));
		len = (uint32_t)XDR_GETPOS(&xdrs);
		assert_int_equal(len, 20 + 4 * header.ngroups);
		xdrmem_ncreate(&xdrs, (char *)bytes, len, XDR_DECODE);
		assert_true(xfer_xdr_request_header(&xdrs, &back));
		assert_memory_equal(groups, back_groups, 4 * header.ngroups);
		back.groups = header.groups;
		assert_memory_equal(&header, &back, sizeof(header));
		for (uint32_t cut = 0; cut < len && cut < 64; cut++) {
			back.groups = back_groups;
			xdrmem_ncreate(&xdrs, (char *)bytes, len - 1 - cut, XDR_DECODE);
			assert_false(xfer_xdr_request_header(&xdrs, &back));
		}
	}
}

static void test_directory_entries(void **state)
{
	static uint8_t bytes[BUFFER];
	struct random random = random_from(seed);

	(void)state;
	for (unsigned i = 0; i < ROUNDS; i++) {
		struct xfer_dirent entry, back;
		uint32_t len;
		XDR xdrs;

		message_dirent(&random, &entry);
		xdrmem_ncreate(&xdrs, (char *)bytes, sizeof(bytes), XDR_ENCODE);
		assert_true(xfer_xdr_dirent(&xdrs, &entry));
		len = (uint32_t)XDR_GETPOS(&xdrs);
		memset(&back, 0, sizeof(back));
		xdrmem_ncreate(&xdrs, (char *)bytes, len, XDR_DECODE);
		assert_true(xfer_xdr_dirent(&xdrs, &back));
		assert_memory_equal(&entry, &back, sizeof(entry));
	}
}

/* --- cut short --------------------------------------------------------------------------------- */

static void cut_short(struct value *value, struct random *random)
{
	static uint8_t bytes[BUFFER];
	struct value back;
	uint32_t len, used, step;

	value_random(value, random);
	len = value_encode(value, bytes, sizeof(bytes));
	value_init(&back);
	back.proc = value->proc;
	back.is_results = value->is_results;
	step = len > 2000 ? 97 : 1; /* long ones are long opaques */
	for (uint32_t cut = 0; cut < len; cut += step)
		assert_false(value_decode(&back, bytes, cut, &used));
	if (len > 0)
		assert_false(value_decode(&back, bytes, len - 1, &used));
	free(back.variable);
}

static void test_cut_short(void **state)
{
	(void)state;
	for_each_kind(cut_short, 5);
}

/* Encoding writes nothing beyond its buffer, and says that it doesn't fit. */
static void no_room(struct value *value, struct random *random)
{
	static uint8_t bytes[BUFFER];
	uint32_t len;

	value_random(value, random);
	len = value_encode(value, bytes, sizeof(bytes));
	for (uint32_t size = len > 64 ? len - 64 : 0; size < len; size++) {
		uint8_t *small = malloc(size ? size : 1);
		XDR xdrs;

		xdrmem_ncreate(&xdrs, (char *)small, size, XDR_ENCODE);
		assert_false(value_xdr(value, &xdrs));
		free(small);
	}
}

static void test_no_room(void **state)
{
	(void)state;
	for_each_kind(no_room, 5);
}

/* --- values out of their range ----------------------------------------------------------------- */

/* A message made by hand, in words. */
struct builder {
	uint8_t bytes[8192];
	uint32_t len;
};

static void add_word(struct builder *builder, uint32_t word)
{
	word = htonl(word);
	memcpy(builder->bytes + builder->len, &word, 4);
	builder->len += 4;
}

static void add_words(struct builder *builder, uint32_t word, unsigned count)
{
	while (count-- > 0)
		add_word(builder, word);
}

/* A counted opaque of `len` bytes 'x', with padding. */
static void add_opaque(struct builder *builder, uint32_t len)
{
	add_word(builder, len);
	memset(builder->bytes + builder->len, 'x', len);
	memset(builder->bytes + builder->len + len, 0, 3);
	builder->len += (len + 3) & ~3u;
}

static bool decodes(const struct builder *builder, uint32_t proc, bool is_results)
{
	struct value value;
	uint32_t used;
	bool ok;

	value_init(&value);
	value.proc = proc;
	value.is_results = is_results;
	ok = value_decode(&value, builder->bytes, builder->len, &used) && used == builder->len;
	free(value.variable);
	return ok;
}

static bool handle_decodes(uint32_t len)
{
	struct builder builder = { .len = 0 };

	add_opaque(&builder, len);
	return decodes(&builder, XFER_PROC_GETATTR, false);
}

static bool name_decodes(uint32_t len, bool with_nul)
{
	struct builder builder = { .len = 0 };

	add_opaque(&builder, 6);
	add_opaque(&builder, len);
	if (with_nul)
		builder.bytes[16] = '\0';
	return decodes(&builder, XFER_PROC_LOOKUP, false);
}

static bool hello_decodes(uint32_t node_len, uint32_t owner_len)
{
	struct builder builder = { .len = 0 };

	add_words(&builder, 0, 2 + 4 + 4 + 4 + 2);
	add_opaque(&builder, node_len);
	add_opaque(&builder, owner_len);
	add_words(&builder, 1, 5);
	return decodes(&builder, XFER_PROC_HELLO, false);
}

static bool share_decodes(uint32_t classes)
{
	struct builder builder = { .len = 0 };

	add_words(&builder, 1, 2);
	add_word(&builder, classes);
	add_words(&builder, 1, 2 * classes);
	add_word(&builder, XFER_SHARE_MEMORY);
	return decodes(&builder, XFER_PROC_SHARE, false);
}

static bool verbs_decode(uint32_t kind, uint32_t sources)
{
	struct builder builder = { .len = 0 };

	add_words(&builder, 1, 2);
	add_word(&builder, 0);
	add_word(&builder, kind);
	add_word(&builder, 0);
	add_word(&builder, sources);
	add_words(&builder, 1, 4 * sources);
	return decodes(&builder, XFER_PROC_SHARE, false);
}

static bool offer_decodes(uint32_t port, uint32_t addresses, uint32_t tokens)
{
	struct builder builder = { .len = 0 };

	add_word(&builder, XFER_ST_OK);
	add_word(&builder, 0);
	add_word(&builder, port);
	add_word(&builder, addresses);
	add_words(&builder, 1, 4 * addresses);
	add_word(&builder, tokens);
	add_words(&builder, 1, 4 * tokens);
	return decodes(&builder, XFER_PROC_SHARE, true);
}

static bool grow_decodes(uint32_t classes)
{
	struct builder builder = { .len = 0 };

	add_word(&builder, 1);
	add_word(&builder, classes);
	add_words(&builder, 1, 2 * classes);
	return decodes(&builder, XFER_PROC_GROW, false);
}

static bool chunk_decodes(uint32_t classes, uint32_t places, uint32_t first, uint32_t keys)
{
	struct builder builder = { .len = 0 };

	add_word(&builder, XFER_ST_OK);
	add_word(&builder, 1);
	add_word(&builder, classes);
	add_words(&builder, 1, 2 * classes);
	add_word(&builder, places);
	for (uint32_t i = 0; i < places; i++) {
		add_word(&builder, first);
		add_word(&builder, UINT32_MAX);
	}
	add_words(&builder, 1, 2);
	add_word(&builder, keys);
	add_words(&builder, 1, keys);
	return decodes(&builder, XFER_PROC_GROW, true);
}

static void test_lengths(void **state)
{
	(void)state;
	assert_true(handle_decodes(0));
	assert_true(handle_decodes(XFER_HANDLE_MAX));
	assert_false(handle_decodes(XFER_HANDLE_MAX + 1));
	assert_true(name_decodes(0, false));
	assert_true(name_decodes(XFER_NAME_MAX, false));
	assert_false(name_decodes(XFER_NAME_MAX + 1, false));
	assert_false(name_decodes(1, true));
	assert_true(hello_decodes(XFER_NODE_MAX, XFER_NODE_MAX));
	assert_false(hello_decodes(XFER_NODE_MAX + 1, 1));
	assert_false(hello_decodes(1, XFER_NODE_MAX + 1));
	assert_true(share_decodes(0));
	assert_true(share_decodes(XFER_SLOT_CLASSES_MAX));
	assert_false(share_decodes(XFER_SLOT_CLASSES_MAX + 1));
	assert_true(verbs_decode(XFER_SHARE_VERBS, 0));
	assert_true(verbs_decode(XFER_SHARE_VERBS, XFER_RDMA_ADDRESSES_MAX));
	assert_false(verbs_decode(XFER_SHARE_VERBS, XFER_RDMA_ADDRESSES_MAX + 1));
	assert_false(verbs_decode(XFER_SHARE_VERBS + 1, 0));
	assert_true(offer_decodes(UINT16_MAX, XFER_RDMA_ADDRESSES_MAX, XFER_LANES_MAX));
	assert_false(offer_decodes(UINT16_MAX + 1, 0, 0));
	assert_false(offer_decodes(1, XFER_RDMA_ADDRESSES_MAX + 1, 0));
	assert_false(offer_decodes(1, 0, XFER_LANES_MAX + 1));
	assert_true(grow_decodes(XFER_SLOT_CLASSES_MAX));
	assert_false(grow_decodes(XFER_SLOT_CLASSES_MAX + 1));
	assert_true(chunk_decodes(
		XFER_SLOT_CLASSES_MAX, XFER_PLACES_MAX, XFER_SLOT_NUMBERS - 1, XFER_LANES_MAX));
	assert_false(chunk_decodes(XFER_SLOT_CLASSES_MAX + 1, 1, 0, XFER_LANES_MAX));
	assert_false(chunk_decodes(1, XFER_PLACES_MAX + 1, 0, XFER_LANES_MAX));
	assert_false(chunk_decodes(1, 1, XFER_SLOT_NUMBERS, XFER_LANES_MAX));
	assert_false(chunk_decodes(1, 1, 0, XFER_LANES_MAX + 1));
}

static void test_too_many_groups(void **state)
{
	static uint32_t groups[XFER_GROUPS_MAX];
	struct xfer_request_header header = { .groups = groups };
	struct builder builder = { .len = 0 };
	XDR xdrs;

	(void)state;
	add_words(&builder, 0, 4);
	add_word(&builder, XFER_GROUPS_MAX + 1);
	add_words(&builder, 7, XFER_GROUPS_MAX + 1);
	xdrmem_ncreate(&xdrs, (char *)builder.bytes, builder.len, XDR_DECODE);
	assert_false(xfer_xdr_request_header(&xdrs, &header));
	header.ngroups = XFER_GROUPS_MAX + 1;
	xdrmem_ncreate(&xdrs, (char *)builder.bytes, sizeof(builder.bytes), XDR_ENCODE);
	assert_false(xfer_xdr_request_header(&xdrs, &header));
}

static void add_setattr(struct builder *builder, uint32_t nsec)
{
	add_words(builder, 0, 4 + 2);
	add_words(builder, 0, 2);
	add_word(builder, nsec);
	add_words(builder, 0, 3);
}

static bool open_decodes(uint32_t create, uint32_t nsec)
{
	struct builder builder = { .len = 0 };

	add_opaque(&builder, 6);
	add_opaque(&builder, 1);
	add_word(&builder, 0);
	add_word(&builder, create);
	add_words(&builder, 0, 2);
	add_setattr(&builder, nsec);
	return decodes(&builder, XFER_PROC_OPEN, false);
}

/* slot: what the words of its name are. */
static bool slot_decodes(uint32_t stability, uint32_t kind, uint32_t length, uint32_t slot)
{
	struct builder builder = { .len = 0 };

	add_opaque(&builder, 6);
	add_words(&builder, 0, 5);
	add_word(&builder, stability);
	add_word(&builder, kind);
	if (kind == XFER_PAYLOAD_SLOT)
		add_words(&builder, slot, 4);
	if (kind != XFER_PAYLOAD_NONE)
		add_word(&builder, length);
	return decodes(&builder, XFER_PROC_WRITE, false);
}

static bool write_decodes(uint32_t stability, uint32_t kind, uint32_t length)
{
	return slot_decodes(stability, kind, length, 3);
}

static bool attr_decodes(uint32_t type, uint32_t nsec)
{
	struct builder builder = { .len = 0 };

	add_words(&builder, 0, 1);
	add_word(&builder, 1);
	add_word(&builder, type);
	add_words(&builder, 0, 6 + 8);
	for (int i = 0; i < 3; i++) {
		add_words(&builder, 0, 2);
		add_word(&builder, nsec);
	}
	add_word(&builder, 0);
	return decodes(&builder, XFER_PROC_GETATTR, true);
}

static void test_ranges(void **state)
{
	(void)state;
	assert_true(open_decodes(XFER_EXCLUSIVE, 999999999));
	assert_false(open_decodes(XFER_EXCLUSIVE + 1, 0));
	assert_false(open_decodes(XFER_NO_CREATE, 1000000000));
	assert_true(write_decodes(XFER_FILE_SYNC, XFER_PAYLOAD_INLINE, XFER_IO_MAX));
	assert_true(write_decodes(XFER_UNSTABLE, XFER_PAYLOAD_SLOT, XFER_IO_MAX));
	assert_true(write_decodes(XFER_UNSTABLE, XFER_PAYLOAD_NONE, 0));
	assert_false(write_decodes(XFER_FILE_SYNC + 1, XFER_PAYLOAD_INLINE, 0));
	assert_false(write_decodes(XFER_UNSTABLE, XFER_PAYLOAD_SLOT + 1, 0));
	assert_false(write_decodes(XFER_UNSTABLE, XFER_PAYLOAD_INLINE, XFER_IO_MAX + 1));
	assert_false(write_decodes(XFER_UNSTABLE, XFER_PAYLOAD_SLOT, UINT32_MAX));
	assert_true(slot_decodes(XFER_UNSTABLE, XFER_PAYLOAD_SLOT, 1, UINT16_MAX));
	assert_false(slot_decodes(XFER_UNSTABLE, XFER_PAYLOAD_SLOT, 1, UINT16_MAX + 1));
	assert_false(slot_decodes(XFER_UNSTABLE, XFER_PAYLOAD_SLOT, 1, 0));
	assert_true(attr_decodes(XFER_REG, 0));
	assert_true(attr_decodes(XFER_SOCK, 999999999));
	assert_false(attr_decodes(0, 0));
	assert_false(attr_decodes(XFER_SOCK + 1, 0));
	assert_false(attr_decodes(XFER_DIR, 1000000000));
}

/* READDIR's and STATUS's decoders get a buffer and stay inside of it. */
static void test_answers_longer_than_their_buffer(void **state)
{
	struct builder builder = { .len = 0 };
	union xfer_results results;
	uint8_t *room = malloc(100);
	XDR xdrs;

	(void)state;
	add_word(&builder, 0);
	add_opaque(&builder, 101);
	for (uint32_t size = 99; size <= 102; size++) {
		room = realloc(room, size);
		memset(&results, 0, sizeof(results));
		message_results_room(XFER_PROC_STATUS, &results, room, size);
		xdrmem_ncreate(&xdrs, (char *)builder.bytes, builder.len, XDR_DECODE);
		assert_int_equal(
			xfer_proc_info(XFER_PROC_STATUS)->results(&xdrs, &results), size >= 101);
	}
	free(room);
}

/* --- random bytes ------------------------------------------------------------------------------ */

static void check_strings(const struct value *value)
{
	const union xfer_args *args = &value->args;

	if (value->is_results)
		return;
	switch (value->proc) {
	case XFER_PROC_HELLO:
		assert_true(strnlen(args->hello.node, XFER_NODE_MAX + 1) <= XFER_NODE_MAX);
		assert_true(strnlen(args->hello.owner, XFER_NODE_MAX + 1) <= XFER_NODE_MAX);
		break;
	case XFER_PROC_LOOKUP:
	case XFER_PROC_UNLINK:
		assert_true(strnlen(args->name.name, XFER_NAME_MAX + 1) <= XFER_NAME_MAX);
		break;
	case XFER_PROC_RENAME:
		assert_true(strnlen(args->rename.to_name, XFER_NAME_MAX + 1) <= XFER_NAME_MAX);
		break;
	default:
		break;
	}
}

/* Half of them with many zeros, so that lengths come out small and decoding gets further. */
static void garbage(struct value *value, struct random *random)
{
	uint8_t bytes[GARBAGE];
	uint32_t len = random_upto(random, sizeof(bytes)), used;
	const struct xfer_handle *handle;

	random_bytes(random, bytes, len);
	for (uint32_t i = 0; random_below(random, 2) && i < len; i++)
		if (random_below(random, 4) || i % 4 < 3)
			bytes[i] = 0;
	if (!value_decode(value, bytes, len, &used))
		return;
	assert_true(used <= len);
	check_strings(value);
	handle = value->is_results ? NULL : xfer_args_handle(value->proc, &value->args);
	if (handle)
		assert_true(handle->len <= XFER_HANDLE_MAX);
}

static void test_random_bytes(void **state)
{
	(void)state;
	for_each_kind(garbage, 20 * ROUNDS);
}

/* --- statuses ---------------------------------------------------------------------------------- */

static void test_statuses(void **state)
{
	(void)state;
	assert_int_equal(xfer_status_from_errno(0), XFER_ST_OK);
	assert_int_equal(xfer_status_to_errno(XFER_ST_OK), 0);
	for (int err = 1; err < 1000; err++) {
		int back = xfer_status_to_errno(xfer_status_from_errno(-err));

		assert_int_equal(back, err == EREMOTEIO ? -EIO : -err);
	}
	/* Their own meanings can't be sent by an owner. */
	assert_int_equal(xfer_status_from_errno(-EAGAIN), XFER_ST_DELAY);
	assert_int_equal(xfer_status_to_errno(EAGAIN), -EIO);
	assert_int_equal(xfer_status_to_errno(EREMOTEIO), -EIO);
}

static void test_own_statuses(void **state)
{
	(void)state;
	assert_int_equal(xfer_status_to_errno(XFER_ST_DELAY), -EAGAIN);
	assert_int_equal(xfer_status_to_errno(XFER_ST_NO_VOLUME), -EAGAIN);
	assert_int_equal(xfer_status_to_errno(XFER_ST_NOT_ALLOWED), -EACCES);
	assert_int_equal(xfer_status_to_errno(XFER_ST_VERSION), -EPROTO);
	assert_int_equal(xfer_status_to_errno(XFER_ST_WRONG_NODE), -EPROTO);
	assert_int_equal(xfer_status_to_errno(XFER_ST_BAD_HANDLE), -EBADF);
	assert_int_equal(xfer_status_to_errno(XFER_ST_BAD_TOKEN), -EPROTO);
	assert_int_equal(xfer_status_to_errno(XFER_ST_BAD_OPEN), -EBADFD);
	assert_int_equal(xfer_status_to_errno(XFER_ST_TOO_LATE), -EREMOTEIO);
	/* What is unknown is an error, and never one that would be asked again. */
	for (uint32_t status = XFER_ST_TOO_LATE + 1; status < 3000; status++)
		assert_int_equal(xfer_status_to_errno(status), -EIO);
	assert_int_equal(xfer_status_to_errno(UINT32_MAX), -EIO);
	/* Services return negated wire statuses. */
	for (uint32_t status = XFER_ST_DELAY; status <= XFER_ST_TOO_LATE; status++)
		assert_int_equal(xfer_status_from_errno(-(int)status), status);
}

/* --- the table --------------------------------------------------------------------------------- */

static void test_procedures(void **state)
{
	static const uint32_t changing[] = { XFER_PROC_HELLO, XFER_PROC_TOKEN, XFER_PROC_ATTACH,
		XFER_PROC_SHARE, XFER_PROC_GROW, XFER_PROC_RETIRE, XFER_PROC_END,
		XFER_PROC_RECOVERED, XFER_PROC_CANCEL, XFER_PROC_SETATTR, XFER_PROC_OPEN,
		XFER_PROC_CLOSE, XFER_PROC_CREATE, XFER_PROC_UNLINK, XFER_PROC_RENAME,
		XFER_PROC_WRITE, XFER_PROC_LINK, XFER_PROC_LOCK, XFER_PROC_ALLOCATE,
		XFER_PROC_SETXATTR, XFER_PROC_REMOVEXATTR };
	unsigned known = 0, changes = 0;

	(void)state;
	for (uint32_t proc = 0; proc < 100; proc++) {
		known += xfer_proc_info(proc) != NULL;
		changes += xfer_proc_info(proc) && xfer_proc_info(proc)->changes;
	}
	assert_int_equal(known, 13 + 22);
	assert_int_equal(changes, sizeof(changing) / sizeof(*changing));
	for (unsigned i = 0; i < changes; i++)
		assert_true(xfer_proc_info(changing[i])->changes);
	assert_null(xfer_proc_info(XFER_PROC_RETIRE + 1));
	assert_null(xfer_proc_info(XFER_PROC_COUNT));
	assert_null(xfer_proc_info(UINT32_MAX));
}

/* The handle that says which volume it is comes first in every operation. */
static void test_handles_and_payloads(void **state)
{
	static uint8_t bytes[BUFFER];
	struct random random = random_from(seed);
	struct value value;

	(void)state;
	value_init(&value);
	for (value.proc = 0; value.proc < XFER_PROC_COUNT; value.proc++) {
		const struct xfer_handle *handle;
		uint32_t word;

		if (!xfer_proc_info(value.proc))
			continue;
		value_random(&value, &random);
		handle = xfer_args_handle(value.proc, &value.args);
		assert_int_equal(handle != NULL, value.proc >= XFER_PROC_FIRST_OP);
		value_encode(&value, bytes, sizeof(bytes));
		if (handle) {
			memcpy(&word, bytes, 4);
			assert_int_equal(ntohl(word), handle->len);
			assert_memory_equal(bytes + 4, handle->data, handle->len);
		}
		assert_int_equal(xfer_args_payload(value.proc, &value.args) != NULL,
			value.proc == XFER_PROC_WRITE || value.proc == XFER_PROC_CREATE ||
				value.proc == XFER_PROC_SETXATTR);
		assert_int_equal(xfer_args_file_data(value.proc, &value.args) != NULL,
			value.proc == XFER_PROC_READ || value.proc == XFER_PROC_WRITE);
		assert_int_equal(xfer_results_payload(value.proc, &value.results) != NULL,
			value.proc == XFER_PROC_READ || value.proc == XFER_PROC_READLINK ||
				value.proc == XFER_PROC_GETXATTR ||
				value.proc == XFER_PROC_LISTXATTR);
	}
	assert_null(xfer_args_handle(XFER_PROC_COUNT, &value.args));
	free(value.variable);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_there_and_back),
		cmocka_unit_test(test_request_header),
		cmocka_unit_test(test_directory_entries),
		cmocka_unit_test(test_cut_short),
		cmocka_unit_test(test_no_room),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_too_many_groups),
		cmocka_unit_test(test_ranges),
		cmocka_unit_test(test_answers_longer_than_their_buffer),
		cmocka_unit_test(test_random_bytes),
		cmocka_unit_test(test_statuses),
		cmocka_unit_test(test_own_statuses),
		cmocka_unit_test(test_procedures),
		cmocka_unit_test(test_handles_and_payloads),
	};

	seed = random_seed();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
