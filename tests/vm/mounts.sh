# SPDX-License-Identifier: LGPL-3.0-or-later
# mounts.sh -- what tests of mounts by TLS share: Linux's client, its tlshd, and poc1's certificate; to be sourced
# Who sources it has a cluster with --tls, a folder GUEST that client and host see at this path, and a command  guest  that runs
# words where Debian 13 is.

DENIED="access denied by server"

# client_files MIB: an identity, and a file to copy.
client_files() {
	mkdir "$GUEST/cluster"
	cp "$TLS_DIR"/{ca.pem,client.pem,client.key} "$GUEST/cluster"
	head -c $(($1 << 20)) /dev/urandom >"$GUEST/file"
}

# identity CA [OF]: tlshd trusts CA's certificates, and shows the client's of OF.
identity() {
	printf '[authenticate.client]\nx509.truststore= %s\n' "$GUEST/$1/ca.pem" >"$GUEST/tlshd.conf"
	[ $# = 1 ] || printf 'x509.certificate= %s\nx509.private_key= %s\n' "$GUEST/$2/client.pem" "$GUEST/$2/client.key" >>"$GUEST/tlshd.conf"
	guest sh -c "pkill -x tlshd; setsid tlshd -s -c $GUEST/tlshd.conf >>$GUEST/tlshd.log 2>&1 & sleep 0.3"
}

reloads() {
	grep -c "poc1.pem was read again" "$CLUSTER_DIR/logs/poc1.ganesha.log" || true
}

reloaded() {
	[ "$(reloads)" -ge "$1" ]
}

# certificate SAN: poc1 gets a new one, and has it in use, for clients and towards the owner.
certificate() {
	local before
	before=$(reloads)
	"$XFER_SOURCE_DIR/config_samples/make-certs.sh" --renew "$TLS_DIR" "poc1=$1" >/dev/null
	wait_until 20 reloaded $((before + 2)) || fail "poc1 doesn't read its new certificate"
}

# attach ADDRESS VOLUME OPTIONS
attach() {
	guest mount -t nfs -o "proto=tcp,$3" "$1:/vol$2" /mnt
}

detach() {
	guest umount /mnt
}

# accepts VOLUME OPTIONS...: each of them mounts it, and finds what is there.
accepts() {
	local volume=$1 options
	shift
	for options in "$@"; do
		attach "$POC1_ADDR" "$volume" "$options" || fail "vol$volume isn't mounted with $options"
		guest test -e /mnt/here || fail "a mount of vol$volume with $options doesn't show what is there"
		detach
	done
}

# refuses WHY ADDRESS VOLUME OPTIONS...: none of them mounts it, for that reason.
refuses() {
	local why=$1 address=$2 volume=$3 options
	shift 3
	for options in "$@"; do
		! attach "$address" "$volume" "$options" >"$WORK/refused" 2>&1 || fail "vol$volume is mounted with $options"
		grep -qF -- "$why" "$WORK/refused" || fail "vol$volume with $options: not \"$why\" but: $(cat "$WORK/refused")"
	done
}

# How many the client's kernel has carried.
tls_connections() {
	guest awk '/^TlsTxSw/ { print $2 }' /proc/net/tls_stat
}

# both_ways VOLUME OPTIONS: the file in, and out again after a remount.
both_ways() {
	local before
	before=$(tls_connections)
	attach "$POC1_ADDR" "$1" "$2"
	guest sh -c "cp $GUEST/file /mnt/file && sync -f /mnt/file"
	detach
	cluster exec owner1 -- cmp "$GUEST/file" "$STATE/vol$1/file"
	attach "$POC1_ADDR" "$1" "$2"
	guest cmp "$GUEST/file" /mnt/file || fail "other bytes come back with $2"
	detach
	[ "$(tls_connections)" -ge $((before + 2)) ] || fail "the client's kernel carries no TLS with $2"
}

# renewed_while_mounted: of vol3, which has the file; it stays mounted.
renewed_while_mounted() {
	attach "$POC1_ADDR" 3 vers=4.2,xprtsec=mtls
	certificate elsewhere.example.org
	guest sh -c "cmp $GUEST/file /mnt/file && cp $GUEST/file /mnt/second"
	refuses "$DENIED" "$POC1_ADDR" 2 vers=4.2,xprtsec=tls
	certificate "$POC1_ADDR"
	accepts 2 vers=4.2,xprtsec=tls
}

# restarted_while_mounted RESTART...: what starts poc1 again while the client writes, behind renewed_while_mounted.
restarted_while_mounted() {
	local writes file
	guest sh -c "for i in 1 2 3 4; do cp $GUEST/file /mnt/restart-\$i || exit; done; sync -f /mnt/restart-1" >"$WORK/writes" 2>&1 &
	writes=$!
	wait_until 60 cluster exec owner1 -- test -s "$VOLUME3/restart-2" || fail "nothing is written"
	"$@"
	wait $writes || fail "writes fail: $(cat "$WORK/writes")"
	for file in second restart-1 restart-2 restart-3 restart-4; do
		cluster exec owner1 -- cmp "$GUEST/file" "$VOLUME3/$file"
	done
	detach
}
