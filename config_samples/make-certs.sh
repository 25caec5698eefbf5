#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-3.0-or-later
# make-certs.sh -- a certificate authority for a cluster, and certificates of it, by openssl's command line
set -euo pipefail

usage() {
	cat <<'TEXT'
usage: config_samples/make-certs.sh [OPTION...] DIR [NAME[=SAN,SAN...]]...

Makes a certificate authority in DIR, unless there is one, and a certificate for each NAME, valid for NAME and for
all SANs: host names ("*.example.org", too) or IP addresses. Between nodes NAME has to be the node's name (node in
rdmaxferd.conf, Node_Name in ganesha.conf); for the NFS port it takes what clients mount by. What is there is never
overwritten.

  DIR/ca.pem                  the authority's certificate: give it to all
  DIR/ca.key, DIR/ca.db       its key, and what it has issued: keep them away from nodes and clients
  DIR/NAME.pem, DIR/NAME.key  a certificate for servers and clients, and its key (mode 0600): for NAME alone
  DIR/crl.pem                 with --crl or --revoke: what is revoked

  --days N       certificates are valid for so many days (default: 825); the authority and the CRL: 3650
  --eku LIST     what the certificates are for: serverAuth,clientAuth (default), one of them, or none (no such limit)
  --renew        replace certificates that are there, with new keys; the old ones stay valid
  --expired      certificates that aren't valid any more, for tests
  --crl          make DIR/crl.pem, or make it again
  --revoke NAME  revoke DIR/NAME.pem and make DIR/crl.pem again; can be repeated

    config_samples/make-certs.sh /etc/rdmaxfer/tls a b nfs.example.org=nfs,192.0.2.1 client1=192.0.2.80

Exit codes: 0; 1 failed, nothing is half made; 2 usage.
TEXT
}

fail() {
	echo "make-certs.sh: $1" >&2
	exit "${2:-1}"
}

misused() {
	fail "$1; --help shows how" 2
}

# quietly COMMAND...: what it says is shown only if it fails.
quietly() {
	"$@" >"$work/said" 2>&1 || fail "$1 $2 failed: $(tr '\n' ' ' <"$work/said")"
}

days=825 eku=serverAuth,clientAuth renew= expired= crl= revoke=() arguments=()
while [ $# -gt 0 ]; do
	case $1 in
	-h | --help)
		usage
		exit 0
		;;
	--days | --eku | --revoke)
		[ $# -gt 1 ] || misused "$1 needs a value"
		case $1 in
		--days) days=$2 ;;
		--eku) eku=$2 ;;
		--revoke) revoke+=("$2") ;;
		esac
		shift
		;;
	--renew) renew=1 ;;
	--expired) expired=1 ;;
	--crl) crl=1 ;;
	-*) misused "there is no option $1" ;;
	*) arguments+=("$1") ;;
	esac
	shift
done
[ ${#arguments[@]} -gt 0 ] || misused "in which folder?"
dir=${arguments[0]}
names=("${arguments[@]:1}")
[[ $days =~ ^[1-9][0-9]{0,4}$ ]] || misused "--days $days isn't a number from 1 to 99999"
case $eku in
serverAuth,clientAuth | serverAuth | clientAuth | none) ;;
*) misused "--eku $eku is none of serverAuth,clientAuth, serverAuth, clientAuth, none" ;;
esac

# san NAME: as openssl wants it.
san() {
	if [[ $1 =~ ^[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+$ || $1 == *:* ]]; then
		echo "IP:$1"
	else
		echo "DNS:$1"
	fi
}

# subject_names NAME=SAN,SAN: all of them, for the extension.
subject_names() {
	local name list=
	for name in ${1//[=,]/ }; do
		list+=${list:+,}$(san "$name")
	done
	echo "$list"
}

check_request() {
	local name=${1%%=*} file
	[[ $1 =~ ^[A-Za-z0-9_:][A-Za-z0-9._:-]*(=[A-Za-z0-9._:*-]+(,[A-Za-z0-9._:*-]+)*)?$ ]] || misused "\"$1\" isn't NAME[=SAN,SAN...]"
	[ "$name" != ca ] && [ "$name" != crl ] || misused "$name can't be a certificate's name: $name.pem is the authority's"
	[ ${#name} -le 64 ] || misused "$name is longer than the 64 characters that a certificate's CN has room for"
	for file in "$dir/$name.pem" "$dir/$name.key"; do
		[ -n "$renew" ] || [ ! -e "$file" ] || fail "there is $file already: remove it, or take --renew"
	done
}

# In the folder, with a place for what isn't complete: nothing half made is seen elsewhere.
begin() {
	local file
	command -v openssl >/dev/null || fail "openssl is missing: apt-get install openssl"
	mkdir -p "$dir" || fail "$dir can't be made"
	if [ -e "$dir/ca.pem" ]; then
		for file in ca.key ca.db/index.txt; do
			[ -r "$dir/$file" ] || fail "$dir/ca.pem is an authority that can't issue certificates here: $dir/$file is missing or unreadable"
		done
	elif [ -e "$dir/ca.key" ] || [ -e "$dir/ca.db" ]; then
		fail "$dir has parts of an authority, but not ca.pem: put it back, or take another folder"
	fi
	cd "$dir"
	work=$(mktemp -d .new.XXXXXX) || fail "nothing can be written to $dir"
	trap 'rm -rf "$work"' EXIT
}

configure() {
	cat >"$work/openssl.cnf" <<CONF
[req]
distinguished_name = subject
[subject]
[authority]
basicConstraints = critical,CA:TRUE,pathlen:0
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
[ca]
default_ca = issuer
[issuer]
database = ca.db/index.txt
crlnumber = ca.db/crlnumber
new_certs_dir = $work
certificate = ca.pem
private_key = ca.key
policy = any
default_md = sha256
rand_serial = yes
default_crl_days = 3650
unique_subject = no
[any]
commonName = supplied
CONF
}

make_key() {
	quietly openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1"
	chmod 600 "$1"
}

make_authority() {
	make_key "$work/ca.key"
	quietly openssl req -x509 -config "$work/openssl.cnf" -extensions authority -key "$work/ca.key" -sha256 \
		-days 3650 -subj "/CN=rdmaxfer cluster $(openssl rand -hex 4)" -out "$work/ca.pem"
	mkdir -m 700 "$work/ca.db"
	: >"$work/ca.db/index.txt"
	echo 01 >"$work/ca.db/crlnumber"
	chmod 644 "$work/ca.pem"
	mv "$work/ca.db" "$work/ca.key" "$work/ca.pem" .
	echo "$dir/ca.pem"
}

make_certificate() {
	local name=${1%%=*} validity=(-days "$days")
	[ -z "$expired" ] || validity=(-startdate 20200101000000Z -enddate 20200201000000Z)
	cat >"$work/extensions" <<EXTENSIONS
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
$([ "$eku" = none ] || echo "extendedKeyUsage = $eku")
subjectAltName = $(subject_names "$1")
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
EXTENSIONS
	make_key "$work/$name.key"
	quietly openssl req -new -config "$work/openssl.cnf" -key "$work/$name.key" -subj "/CN=$name" -out "$work/request"
	quietly openssl ca -batch -notext -config "$work/openssl.cnf" -extfile "$work/extensions" \
		"${validity[@]}" -in "$work/request" -out "$work/$name.pem"
	chmod 644 "$work/$name.pem"
	mv "$work/$name.key" "$work/$name.pem" .
	echo "$dir/$name.pem"
}

make_crl() {
	local name
	for name in "${revoke[@]}"; do
		quietly openssl ca -config "$work/openssl.cnf" -revoke "$name.pem"
	done
	quietly openssl ca -config "$work/openssl.cnf" -gencrl -out "$work/crl.pem"
	chmod 644 "$work/crl.pem"
	mv "$work/crl.pem" .
	echo "$dir/crl.pem"
}

for name in "${names[@]}"; do
	check_request "$name"
done
for name in "${revoke[@]}"; do
	[ -r "$dir/$name.pem" ] || fail "there is no $dir/$name.pem to revoke"
done
begin
configure
[ -e ca.pem ] || make_authority
for name in "${names[@]}"; do
	make_certificate "$name"
done
if [ -n "$crl" ] || [ ${#revoke[@]} -gt 0 ]; then
	make_crl
fi
