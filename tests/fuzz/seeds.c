/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* seeds.c -- valid inputs for the targets of the protocol, to begin a corpus with: DIRECTORY ROUNDS */

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <openssl/pem.h>
#include <rpc/xdr_inline.h>

#include "control/conn.h"
#include "control/rpc.h"
#include "fuzz.h"
#include "seeds.h"
#include "support/messages.h"
#include "support/pki.h"
#include "support/tls_peer.h"
#include "tls/starttls.h"
#include "transport/verbs_end.h"

#define PAYLOAD_MAX 3000u

static const char *directory;

/* An input that grows. */
struct seed {
	uint8_t bytes[4 * XFER_HEAD_MAX];
	size_t len;
};

static void put(struct seed *seed, const void *bytes, size_t len)
{
	FUZZ_CHECK(len <= sizeof(seed->bytes) - seed->len);
	memcpy(seed->bytes + seed->len, bytes, len);
	seed->len += len;
}

static void put_u8(struct seed *seed, uint8_t value)
{
	put(seed, &value, 1);
}

static void put_u16(struct seed *seed, uint32_t value)
{
	put_u8(seed, (uint8_t)value);
	put_u8(seed, (uint8_t)(value >> 8));
}

static void put_step(struct seed *seed, const uint8_t *head, int len, uint32_t payload_length)
{
	FUZZ_CHECK(len > 0 && len <= UINT16_MAX);
	put_u8(seed, STEP_RECORD);
	put_u16(seed, (uint32_t)len);
	put_u16(seed, payload_length);
	put(seed, head, (size_t)len);
}

static void save(const struct seed *seed, const char *target, unsigned number)
{
	char path[4096];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", directory, target);
	mkdir(path, 0777);
	snprintf(path, sizeof(path), "%s/%s/seed-%u", directory, target, number);
	file = fopen(path, "we");
	FUZZ_CHECK(file && fwrite(seed->bytes, 1, seed->len, file) == seed->len);
	FUZZ_CHECK(fclose(file) == 0);
}

/* --- calls --------------------------------------------------------------------------------------- */

/* A call's head; its payload is what comes behind it. */
static int encode_call(struct random *random, uint32_t proc, uint32_t call_slot,
	uint8_t head[XFER_HEAD_MAX], uint32_t *payload_length)
{
	static uint32_t groups[XFER_GROUPS_MAX];
	struct xfer_request_header header;
	struct xfer_payload *payload;
	union xfer_args args;

	message_args(random, proc, &args);
	message_header(random, &header, groups);
	header.call_slot = call_slot;
	header.ngroups %= 8;
	payload = xfer_args_payload(proc, &args);
	*payload_length = 0;
	if (payload && payload->kind != XFER_PAYLOAD_SLOT) {
		payload->length %= PAYLOAD_MAX;
		*payload_length = payload->length;
	}
	if (proc == XFER_PROC_READ)
		args.read.count %= PAYLOAD_MAX;
	return xfer_rpc_encode_call(head, XFER_HEAD_MAX, (uint32_t)random_u64(random), proc,
		proc >= XFER_PROC_FIRST_OP ? &header : NULL, &args);
}

static void seed_call(struct random *random, uint32_t proc, unsigned number)
{
	static _Alignas(4) uint8_t head[XFER_HEAD_MAX];
	static struct seed seed;
	uint32_t payload_length;
	int len = encode_call(random, proc, number, head, &payload_length);

	FUZZ_CHECK(len > 0);
	seed.len = 0;
	put(&seed, head, (size_t)len);
	save(&seed, "calls", number);
}

/* --- a server's connections ---------------------------------------------------------------------- */

/* Of node "a", that asks for a session (0: a new one). */
static void put_hello(struct seed *seed, uint64_t session_id)
{
	_Alignas(4) uint8_t head[XFER_CALL_HEAD];
	union xfer_args args = { 0 };

	args.hello.limits = xfer_own_limits;
	args.hello.session_id = session_id;
	strcpy(args.hello.node, "a");
	strcpy(args.hello.owner, "b");
	put_step(seed, head,
		xfer_rpc_encode_call(head, sizeof(head), 1, XFER_PROC_HELLO, NULL, &args), 0);
}

static void put_attach(struct seed *seed)
{
	_Alignas(4) uint8_t head[XFER_CALL_HEAD];
	union xfer_args args = { 0 };

	memset(args.attach.token.bytes, SEED_RANDOM(1), sizeof(args.attach.token.bytes));
	put_step(seed, head,
		xfer_rpc_encode_call(head, sizeof(head), 1, XFER_PROC_ATTACH, NULL, &args), 0);
}

static void put_call(struct seed *seed, struct random *random, uint32_t proc, uint32_t call_slot)
{
	static _Alignas(4) uint8_t head[XFER_HEAD_MAX];
	uint32_t payload_length;
	int len = encode_call(random, proc, call_slot, head, &payload_length);

	put_step(seed, head, len, payload_length);
}

/* A session, a call of this procedure over its first connection, over a second lane, and after it was resumed. */
static void seed_server(struct random *random, uint32_t proc, unsigned number)
{
	struct random same = *random;
	static struct seed seed;

	seed.len = 0;
	put_u8(&seed, (uint8_t)random_below(random, 4));
	put_hello(&seed, 0);
	put_call(&seed, random, XFER_PROC_TOKEN, 0);
	*random = same;
	put_call(&seed, random, proc, 1);
	put_u8(&seed, STEP_NEXT);
	put_u8(&seed, (uint8_t)random_below(random, 4));
	put_attach(&seed);
	put_call(&seed, random, proc, 2);
	put_u8(&seed, STEP_NEXT);
	put_u8(&seed, 0);
	put_hello(&seed, 0x0101010101010101 * SEED_RANDOM(0));
	*random = same;
	put_call(&seed, random, proc, 1);
	save(&seed, "server", number);
}

/* --- a server's data paths ----------------------------------------------------------------------- */

/* A call in a call slot of its own that uses so many bytes of a slot of the first lane, for the first time. */
static void put_slot_use(
	struct seed *seed, uint32_t proc, uint32_t call_slot, uint16_t slot, uint32_t length)
{
	_Alignas(4) uint8_t head[XFER_CALL_HEAD];
	struct xfer_request_header header = {
		.call_slot = call_slot, .sequence = 1, .gid = call_slot
	};
	const struct xfer_payload payload = { .kind = XFER_PAYLOAD_SLOT,
		.length = length,
		.slot.name = { .epoch = 1, .generation = 1, .slot = slot } };
	union xfer_args args = { 0 };

	if (proc == XFER_PROC_READ)
		args.read = (struct xfer_read_args){ .count = length, .payload = payload };
	else
		args.write = (struct xfer_write_args){ .payload = payload };
	put_step(seed, head, xfer_rpc_encode_call(head, sizeof(head), 2, proc, &header, &args), 0);
}

static void put_slot_call(struct seed *seed, uint32_t proc, uint32_t call_slot, uint16_t slot)
{
	put_slot_use(seed, proc, call_slot, slot, 100);
}

static void put_memory_call(struct seed *seed, uint32_t proc, union xfer_args *args)
{
	_Alignas(4) uint8_t head[XFER_CALL_HEAD];

	put_step(seed, head, xfer_rpc_encode_call(head, sizeof(head), 1, proc, NULL, args), 0);
}

static void put_share(struct seed *seed, enum xfer_share_kind kind, uint32_t epoch)
{
	const struct xfer_slot_layout layout = { 1, { { 4096, 8 } } };
	union xfer_args args = { 0 };

	args.share = (struct xfer_share_args){ .epoch = epoch,
		.lanes = 1,
		.read = layout,
		.kind = kind,
		.write = layout,
		.nsources = 1 };
	put_memory_call(seed, XFER_PROC_SHARE, &args);
}

static void put_grow(struct seed *seed)
{
	union xfer_args args = { 0 };

	args.grow = (struct xfer_grow_args){ 1, { 2, { { 4096, 6 }, { 8192, 1 } } } };
	put_memory_call(seed, XFER_PROC_GROW, &args);
}

static void put_retire(struct seed *seed, uint32_t returned)
{
	union xfer_args args = { .retire = { 1, returned } };

	put_memory_call(seed, XFER_PROC_RETIRE, &args);
}

static void put_cancel(struct seed *seed, uint32_t call_slot)
{
	union xfer_args args = { .cancel = { call_slot, 1 } };

	put_memory_call(seed, XFER_PROC_CANCEL, &args);
}

static void put_end(struct seed *seed)
{
	union xfer_args args = { 0 };

	put_memory_call(seed, XFER_PROC_END, &args);
}

/* On the first lane. */
static void put_event(struct seed *seed, enum path_event event, uint16_t slot, uint16_t generation)
{
	put_u8(seed, STEP_PATH);
	put_u8(seed, (uint8_t)event);
	put_u8(seed, 0);
	put_u16(seed, slot);
	put_u16(seed, generation);
}

/* A session with a data path that has memory. */
static void put_session(struct seed *seed, enum xfer_share_kind kind)
{
	seed->len = 0;
	put_u8(seed, 0);
	put_hello(seed, 0);
	put_share(seed, kind, 1);
	put_grow(seed);
}

/* Calls that use its slots, and memory that comes and goes; the last call uses some that is gone. */
static void make_memory(struct seed *seed)
{
	put_session(seed, XFER_SHARE_MEMORY);
	put_slot_call(seed, XFER_PROC_WRITE, 1, 0);
	put_grow(seed);
	put_slot_call(seed, XFER_PROC_READ, 2, 0);
	put_retire(seed, 0);
	put_retire(seed, 2);
	put_slot_call(seed, XFER_PROC_WRITE, 3, 7);
}

/* More bytes than the last slot of the session's memory has, or of a chunk. */
static void make_too_long(struct seed *seed)
{
	put_session(seed, XFER_SHARE_MEMORY);
	put_slot_use(seed, XFER_PROC_READ, 1, 7, 4097);
}

static void make_too_long_write(struct seed *seed)
{
	put_session(seed, XFER_SHARE_MEMORY);
	put_slot_use(seed, XFER_PROC_WRITE, 1, 6, 8193);
}

/* The memory is in use when the session says that it isn't. */
static void make_busy(struct seed *seed)
{
	put_session(seed, XFER_SHARE_MEMORY);
	put_slot_call(seed, XFER_PROC_WRITE, 4, 0);
	put_retire(seed, 1);
	put_slot_call(seed, XFER_PROC_WRITE, 1, 1);
}

/* Bytes that come before their RPC, and behind it. */
static void make_announced(struct seed *seed)
{
	put_session(seed, XFER_SHARE_VERBS);
	put_event(seed, PATH_IMMEDIATE, 0, 1);
	put_slot_call(seed, XFER_PROC_WRITE, 1, 0);
	put_slot_call(seed, XFER_PROC_WRITE, 2, 1);
	put_event(seed, PATH_IMMEDIATE, 1, 1);
	put_slot_call(seed, XFER_PROC_READ, 3, 0);
	put_event(seed, PATH_FULL, 0, 0);
	put_slot_call(seed, XFER_PROC_READ, 3, 1);
	put_retire(seed, 1);
}

/* Bytes that come when the host looks: for the RPC that makes it look, for one that waits, and too early. */
static void make_owed(struct seed *seed)
{
	put_session(seed, XFER_SHARE_VERBS);
	put_event(seed, PATH_OWED, 0, 1);
	put_slot_call(seed, XFER_PROC_WRITE, 1, 0);
	put_slot_call(seed, XFER_PROC_WRITE, 2, 1);
	put_event(seed, PATH_OWED, 1, 1);
	put_event(seed, PATH_OWED, 4, 1);
	put_slot_call(seed, XFER_PROC_WRITE, 3, 2);
}

/* The same immediate twice; and one of another use of the slot, for an RPC that waits. */
static void make_twice(struct seed *seed)
{
	put_session(seed, XFER_SHARE_VERBS);
	put_event(seed, PATH_IMMEDIATE, 0, 1);
	put_slot_call(seed, XFER_PROC_WRITE, 1, 1);
	put_event(seed, PATH_IMMEDIATE, 0, 1);
	put_slot_call(seed, XFER_PROC_WRITE, 2, 0);
}

static void make_wrong(struct seed *seed)
{
	put_session(seed, XFER_SHARE_VERBS);
	put_event(seed, PATH_CUT, 0, 0);
	put_slot_call(seed, XFER_PROC_READ, 1, 0);
	put_slot_call(seed, XFER_PROC_WRITE, 2, 0);
	put_event(seed, PATH_IMMEDIATE, 0, 2);
}

/* Bytes that come too late, and not at all; then the same call comes once more. */
static void make_late(struct seed *seed)
{
	put_session(seed, XFER_SHARE_VERBS);
	put_slot_call(seed, XFER_PROC_WRITE, 1, 0);
	put_slot_call(seed, XFER_PROC_WRITE, 2, 1);
	put_event(seed, PATH_LATE, 0, 0);
	put_event(seed, PATH_IMMEDIATE, 0, 1);
	put_slot_call(seed, XFER_PROC_WRITE, 2, 1);
	put_event(seed, PATH_IMMEDIATE, 0, 1);
	put_event(seed, PATH_LOST, 0, 0);
}

/* Calls that are cancelled while they wait, and before they come. */
static void make_cancelled(struct seed *seed)
{
	put_session(seed, XFER_SHARE_VERBS);
	put_slot_call(seed, XFER_PROC_WRITE, 1, 0);
	put_cancel(seed, 1);
	put_cancel(seed, 2);
	put_event(seed, PATH_IMMEDIATE, 0, 1);
	put_slot_call(seed, XFER_PROC_WRITE, 2, 1);
	put_event(seed, PATH_IMMEDIATE, 1, 1);
}

/* The path ends while a call waits, and then the session does. */
static void make_ended(struct seed *seed)
{
	put_session(seed, XFER_SHARE_VERBS);
	put_slot_call(seed, XFER_PROC_WRITE, 1, 0);
	put_share(seed, XFER_SHARE_VERBS, 2);
	put_slot_call(seed, XFER_PROC_WRITE, 2, 0);
	put_share(seed, XFER_SHARE_MEMORY, 2);
	put_end(seed);
}

static void make_orphan(struct seed *seed)
{
	put_session(seed, XFER_SHARE_VERBS);
	put_slot_call(seed, XFER_PROC_WRITE, 1, 0);
	put_slot_call(seed, XFER_PROC_WRITE, 2, 1);
	put_u8(seed, STEP_END);
	put_u8(seed, STEP_NEXT);
	put_u8(seed, 0);
	put_hello(seed, 0x0101010101010101 * SEED_RANDOM(0));
	put_slot_call(seed, XFER_PROC_WRITE, 1, 0);
	put_slot_call(seed, XFER_PROC_WRITE, 2, 1);
	put_event(seed, PATH_IMMEDIATE, 0, 1);
	put_event(seed, PATH_LATE, 0, 0);
	put_end(seed);
}

static void seed_paths(unsigned number)
{
	static void (*const makers[])(struct seed *) = { make_memory, make_too_long,
		make_too_long_write, make_busy, make_announced, make_owed, make_twice, make_wrong,
		make_late, make_cancelled, make_ended, make_orphan };
	static struct seed seed;

	for (unsigned i = 0; i < sizeof(makers) / sizeof(makers[0]); i++) {
		makers[i](&seed);
		save(&seed, "server", number + i);
	}
}

/* --- requests to be connected -------------------------------------------------------------------- */

/* With the token of a lane, as its own or as another one's. */
static void put_knock(struct seed *seed, uint8_t how, uint16_t lane, uint8_t token, uint32_t mtu)
{
	struct verbs_hello hello = { .magic = htonl(VERBS_MAGIC),
		.version = htons(VERBS_VERSION),
		.lane = htons(lane),
		.mtu = htonl(mtu) };

	memset(hello.token, SEED_RANDOM(token), sizeof(hello.token));
	put_u8(seed, how);
	put_u8(seed, sizeof(hello));
	put(seed, &hello, sizeof(hello));
}

/* Two lanes: `how` as knock.c's, over one device and over the other, with packets of so many bytes. */
static void seed_knock(uint8_t how, uint32_t mtu, unsigned number)
{
	static struct seed seed;

	seed.len = 0;
	put_u8(&seed, 1);
	put_knock(&seed, how, 0, 0, mtu);
	put_knock(&seed, 1, 0, 0, mtu);
	put_knock(&seed, 0, 0, 1, mtu);
	put_knock(&seed, 0, 1, 1, mtu);
	put_u8(&seed, 1);
	put_u8(&seed, 8);
	put(&seed, "too less", 8);
	save(&seed, "knock", number);
}

/* --- first bytes of connections ------------------------------------------------------------------ */

/* Sent in pieces of so many bytes: a probe, as it has to be, with one byte wrong, with more behind it; and a call. */
static void seed_greeting(uint8_t piece, unsigned number)
{
	static struct seed seed;
	static union xfer_args none;
	uint8_t bytes[4 + XFER_CALL_HEAD];

	for (unsigned i = 0; i < 3; i++) {
		xfer_starttls_probe(bytes, 1, XFER_PROGRAM, XFER_VERSION);
		bytes[i == 1 ? 31 : 4] ^= 1;
		seed.len = 0;
		put_u8(&seed, piece);
		put(&seed, bytes, XFER_STARTTLS_PROBE);
		if (i == 2)
			put(&seed, "more", 4);
		save(&seed, "greeting", 4 * number + i);
	}
	xfer_mark_put(bytes,
		(uint32_t)xfer_rpc_encode_call(
			bytes + 4, XFER_CALL_HEAD, 1, XFER_PROC_NULL, NULL, &none),
		true);
	seed.len = 0;
	put_u8(&seed, piece);
	put(&seed, bytes, 44);
	save(&seed, "greeting", 4 * number + 3);
}

/* --- replies ------------------------------------------------------------------------------------- */

static int encode_reply(struct random *random, uint32_t proc, uint32_t xid,
	uint8_t head[XFER_HEAD_MAX], uint32_t *payload_length)
{
	static _Alignas(4) uint8_t variable[MESSAGE_VARIABLE];
	struct xfer_payload *payload;
	union xfer_results results;

	message_results(random, proc, &results, variable);
	payload = xfer_results_payload(proc, &results);
	*payload_length = 0;
	if (payload && payload->kind == XFER_PAYLOAD_INLINE) {
		payload->length %= PAYLOAD_MAX;
		*payload_length = payload->length;
	}
	if (random_below(random, 10) == 0)
		return xfer_rpc_encode_refusal(
			head, XFER_HEAD_MAX, xid, random_below(random, XFER_RPC_NO_SESSION + 1));
	return xfer_rpc_encode_reply(head, XFER_HEAD_MAX, xid, proc, &results);
}

static void seed_reply(struct random *random, uint32_t proc, unsigned number)
{
	static _Alignas(4) uint8_t head[XFER_HEAD_MAX];
	static struct seed seed;
	uint32_t payload_length;
	int len = encode_reply(random, proc, 1, head, &payload_length);

	FUZZ_CHECK(len > 0);
	seed.len = 0;
	put_u8(&seed, (uint8_t)proc);
	put_u16(&seed, UINT16_MAX);
	put(&seed, head, (size_t)len);
	save(&seed, "replies", number);
}

/* Two calls of this procedure; the answer to the second one comes first. */
static void seed_caller(struct random *random, uint32_t proc, unsigned number)
{
	static _Alignas(4) uint8_t head[XFER_HEAD_MAX];
	static struct seed seed;
	uint32_t payload_length;

	seed.len = 0;
	put_u8(&seed, (uint8_t)random_below(random, 4));
	for (int i = 0; i < 2; i++) {
		put_u8(&seed, STEP_NEXT);
		put_u8(&seed, (uint8_t)proc);
		put_u16(&seed, UINT16_MAX);
	}
	for (int i = 1; i >= 0; i--) {
		/* The first use of the entry of that number. */
		int len = encode_reply(random, proc, 1u << 12 | (uint32_t)i, head, &payload_length);

		put_step(&seed, head, len, payload_length);
	}
	save(&seed, "caller", number);
}

/* --- entries and handles ------------------------------------------------------------------------- */

static void seed_entries(struct random *random, unsigned number)
{
	static _Alignas(4) uint8_t variable[MESSAGE_VARIABLE];
	static struct seed seed;
	union xfer_results results;

	message_results(random, XFER_PROC_READDIR, &results, variable);
	seed.len = 0;
	put(&seed, results.readdir.entries, results.readdir.entries_len);
	save(&seed, "entries", number);
}

static void seed_handle(struct random *random, unsigned number)
{
	struct handle_maker maker = seed_maker(number % 2 == 0);
	union kernel_handle kernel = { 0 };
	struct xfer_handle handle;
	static struct seed seed;

	kernel.fh.handle_bytes = 1 + random_below(random, 45);
	kernel.fh.handle_type = (int)random_below(random, 0x7fff);
	random_bytes(random, kernel.fh.f_handle, kernel.fh.handle_bytes);
	FUZZ_CHECK(handle_encode(&maker, &kernel, &handle) == 0);
	if (number < 2)
		xfer_handle_root(maker.volume_id, &handle);
	seed.len = 0;
	put_u8(&seed, !maker.mac);
	put(&seed, handle.data, handle.len);
	save(&seed, "handles", number);
}

/* --- TLS ---------------------------------------------------------------------------------------- */

static void seed_starttls(void)
{
	struct seed seed = { .len = XFER_STARTTLS_PROBE };

	xfer_starttls_probe(seed.bytes, 7, 0x20524d41, 1);
	save(&seed, "starttls", 0);
	seed.len = xfer_starttls_reply(seed.bytes, 0x01020304, true);
	save(&seed, "starttls", 1);
	seed.len = xfer_starttls_reply(seed.bytes, 0x01020304, false);
	save(&seed, "starttls", 2);
}

/* A client's first flight, and garbage behind it, to each kind of server. */
static void seed_tls_endpoint(void)
{
	const struct tls_peer_wish wish = { .alpn = "sunrpc" };

	for (uint8_t how = 0; how < 3; how++) {
		struct seed seed = { .len = 0 };
		struct tls_peer peer;

		put_u8(&seed, how);
		tls_peer_open_memory(&peer, &wish);
		tls_peer_handshake(&peer);
		seed.len += (size_t)BIO_read(
			SSL_get_wbio(peer.ssl), seed.bytes + 1, sizeof(seed.bytes) - 16);
		save(&seed, "tls_endpoint", how);
		put(&seed, "\x17\x03\x03\x00\x04rest", 9);
		save(&seed, "tls_endpoint", how + 3u);
		tls_peer_close(&peer);
	}
}

static void seed_certificate(struct pki *pki, const struct pki_wish *wish, unsigned number)
{
	struct seed seed = { .len = 0 };
	uint8_t *bytes = NULL;
	X509 *certificate;
	FILE *file;
	int len;

	pki_issue(pki, "seed", wish);
	file = fopen(pki_path(pki, "seed.pem"), "re");
	FUZZ_CHECK(file != NULL);
	certificate = PEM_read_X509(file, NULL, NULL, NULL);
	fclose(file);
	len = i2d_X509(certificate, &bytes);
	put(&seed, bytes, (size_t)len);
	save(&seed, "tls_certificate", number);
	OPENSSL_free(bytes);
	X509_free(certificate);
}

static void seed_certificates(void)
{
	static const struct pki_wish wishes[] = {
		{ .cn = "a" },
		{ .cn = "a",
			.names = "DNS:a.example.org,DNS:*.example.org,IP:10.0.0.1,IP:fe80::1" },
		{ .cn = "\xc3\xa4, \"b\"", .names = "email:a@example.org,URI:http://a,DNS:b" },
		{ .cn = "a", .names = "DNS:a", .usage = PKI_EITHER },
	};
	struct pki *pki = pki_create("test CA");

	for (unsigned i = 0; i < sizeof(wishes) / sizeof(*wishes); i++)
		seed_certificate(pki, &wishes[i], i);
	pki_free(pki);
}

int main(int argc, char **argv)
{
	unsigned rounds = argc == 3 ? (unsigned)atoi(argv[2]) : 0, number = 0;
	struct random random = random_from(1);

	directory = argv[1];
	for (unsigned i = 0; i < rounds; i++) {
		seed_entries(&random, i);
		seed_handle(&random, i);
		for (uint32_t proc = 0; proc < XFER_PROC_COUNT; proc++) {
			if (!xfer_proc_info(proc))
				continue;
			seed_call(&random, proc, number);
			seed_server(&random, proc, number);
			seed_reply(&random, proc, number);
			seed_caller(&random, proc, number++);
		}
	}
	seed_paths(number);
	for (uint8_t how = 0; how < 8; how++) {
		seed_knock(how, 1024, how);
		seed_knock(how, 1025, 8u + how);
	}
	seed_greeting(0, 0);
	seed_greeting(7, 1);
	seed_starttls();
	seed_tls_endpoint();
	seed_certificates();
	if (number > 0)
		return 0;
	fprintf(stderr, "usage: fuzz_seeds DIRECTORY ROUNDS\n");
	return 2;
}
