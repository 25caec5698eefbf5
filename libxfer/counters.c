/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* counters.c -- what the process did, and the one function that copies payload */

#include <string.h>

#include "counters.h"

_Atomic uint64_t xfer_counters[XFER_CNT_COUNT];
_Atomic uint64_t xfer_rpc_counters[XFER_RPC_COUNTERS];
_Atomic uint64_t xfer_inline_counters[XFER_CAUSES];

static const char *const names[XFER_CNT_COUNT] = {
	[XFER_CNT_CALLS_SENT] = "calls_sent",
	[XFER_CNT_REPLIES_RECEIVED] = "replies_received",
	[XFER_CNT_CALLS_RECEIVED] = "calls_received",
	[XFER_CNT_REPLIES_SENT] = "replies_sent",
	[XFER_CNT_READS] = "reads",
	[XFER_CNT_READ_BYTES] = "read_bytes",
	[XFER_CNT_WRITES] = "writes",
	[XFER_CNT_WRITE_BYTES] = "write_bytes",
	[XFER_CNT_PAYLOAD_COPIES] = "payload_copies",
	[XFER_CNT_PAYLOAD_COPIED_BYTES] = "payload_copied_bytes",
	[XFER_CNT_REPLIES_KEPT] = "replies_kept",
	[XFER_CNT_REPLIES_REPEATED] = "replies_repeated",
	[XFER_CNT_SEND_CALLS] = "send_calls",
	[XFER_CNT_RECV_CALLS] = "recv_calls",
	[XFER_CNT_SENT_BYTES] = "sent_bytes",
	[XFER_CNT_RECEIVED_BYTES] = "received_bytes",
	[XFER_CNT_WAKEUPS] = "wakeups",
	[XFER_CNT_PROTOCOL_ERRORS] = "protocol_errors",
	[XFER_CNT_INVALIDATIONS] = "invalidations",
	[XFER_CNT_CHANGES_WAITED] = "changes_waited",
	[XFER_CNT_LEASES_WAITED_OUT] = "leases_waited_out",
	[XFER_CNT_SLOT_READS] = "slot_reads",
	[XFER_CNT_SLOT_WRITES] = "slot_writes",
	[XFER_CNT_CHUNKS_GRANTED] = "chunks_granted",
	[XFER_CNT_CHUNKS_RETIRED] = "chunks_retired",
	[XFER_CNT_PATHS_TAKEN] = "paths_taken",
	[XFER_CNT_POSTS] = "posts",
	[XFER_CNT_IMMEDIATES] = "immediates",
	[XFER_CNT_COMPLETIONS] = "completions",
	[XFER_CNT_QUEUE_WAKEUPS] = "queue_wakeups",
	[XFER_CNT_REGISTRATIONS] = "registrations",
	[XFER_CNT_TLS_HANDSHAKES] = "tls_handshakes",
	[XFER_CNT_TLS_FAILURES] = "tls_failures",
	[XFER_CNT_TLS_IN_KERNEL] = "tls_in_kernel",
	[XFER_CNT_TLS_RELAYED] = "tls_relayed",
	[XFER_CNT_TLS_TOO_MANY] = "tls_too_many",
	[XFER_CNT_TLS_TOO_MANY_OF_ADDRESS] = "tls_too_many_of_address",
	[XFER_CNT_TLS_RELOADS] = "tls_reloads",
	[XFER_CNT_TLS_RELOADS_FAILED] = "tls_reloads_failed",
	[XFER_CNT_TLS_RELAY_SENT_BYTES] = "tls_relay_sent_bytes",
	[XFER_CNT_TLS_RELAY_RECEIVED_BYTES] = "tls_relay_received_bytes",
	[XFER_CNT_TLS_USED_UP] = "tls_used_up",
	[XFER_CNT_TLS_OFFERS_TOO_MANY] = "tls_offers_too_many",
	[XFER_CNT_TLS_OFFERS_TOO_MANY_OF_ADDRESS] = "tls_offers_too_many_of_address",
	[XFER_CNT_TLS_OFFERS_NOT_BEGUN] = "tls_offers_not_begun",
	[XFER_CNT_XPRTSEC_REFUSED] = "xprtsec_refused",
	[XFER_CNT_XPRTSEC_STRANGERS] = "xprtsec_strangers",
};

const char *xfer_counter_name(enum xfer_counter counter)
{
	return names[counter];
}

void xfer_payload_copy(void *to, const void *from, size_t length)
{
	memcpy(to, from, length);
	xfer_count(XFER_CNT_PAYLOAD_COPIES, 1);
	xfer_count(XFER_CNT_PAYLOAD_COPIED_BYTES, length);
}
