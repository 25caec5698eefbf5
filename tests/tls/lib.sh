# SPDX-License-Identifier: LGPL-3.0-or-later
# lib.sh -- what the tests of TLS share; to be sourced
. "$(dirname "${BASH_SOURCE[0]}")/../integration/lib.sh"
HERE=$XFER_SOURCE_DIR/tests/tls
CERTS=$WORK/certs
TUNNEL=$XFER_BUILD_DIR/tests/tls/gnutls_tunnel

# certs NAME...: as make-certs.sh takes them, options too.
certs() {
	"$XFER_SOURCE_DIR/config_samples/make-certs.sh" "$@" >/dev/null || fail "no certificates"
}

# The server's certificate, a client's good one, and all kinds of bad ones.
make_certs() {
	certs "$CERTS" server="$POC1_ADDR" client revoked
	certs --expired "$CERTS" expired
	certs --revoke revoked "$CERTS"
	certs "$WORK/others" client
}

CONFIG() {
	echo "$CLUSTER_DIR/poc1/ganesha.conf"
}

# with_tls [KEY = VALUE;...]: the point of contact's RDMAXFER block gets TLS, and these.
with_tls() {
	sed -i "s|^RDMAXFER { |&TLS_Certificate = \"$CERTS/server.pem\"; TLS_Key = \"$CERTS/server.key\"; \
TLS_CA = \"$CERTS/ca.pem\"; TLS_CRL = \"$CERTS/crl.pem\"; Ktls = ${XFER_KTLS:-prefer}; \
$* |" "$(CONFIG)"
	grep -q TLS_CRL "$(CONFIG)" || fail "the configuration isn't as it was thought to be"
}

# up_tls [KEY = VALUE;...]: a cluster whose point of contact has TLS.
up_tls() {
	up
	make_certs
	cluster term poc1
	with_tls "$*"
	cluster start poc1
}

poc() {
	cluster pids | awk '$1 == "poc1" { print $2 }'
}

log() {
	echo "$CLUSTER_DIR/logs/poc1.ganesha.log"
}

descriptors() {
	find "/proc/$(poc)/fd" -mindepth 1 | wc -l
}

# few_descriptors N: not more than N of the point of contact.
few_descriptors() {
	[ "$(descriptors)" -le "$1" ]
}

# counter NAME: of the point of contact.
counter() {
	status poc1 "s[\"counters\"][\"$1\"]"
}

# Who has to carry TLS here, as the log calls it.
carrier() {
	[ "${XFER_KTLS:-}" = require ] && echo kernel || echo relay
}

# How many connections the point of contact's kernel has carried so far: to send, and to receive. Nothing where it has no TLS.
kernel_connections() {
	cluster exec poc1 -- sh -c 'awk "/^Tls[TR]xSw/ { printf \"%s%s\", between, \$2; between = \" \" }" /proc/net/tls_stat 2>/dev/null' || true
}

# tls_client SCRIPT ARGUMENT...: at the client, told where all is.
tls_client() {
	client python3 -B "$HERE/$1" "$POC1_ADDR" "$NFS_PORT" "$MNT_PORT" "$EXPORT1" "$WORK" "$TUNNEL" "${@:2}"
}
