# SPDX-License-Identifier: LGPL-3.0-or-later
# lib.sh -- what integration tests share; to be sourced
set -euo pipefail

: "${XFER_SOURCE_DIR:=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)}"
: "${XFER_BUILD_DIR:=$XFER_SOURCE_DIR/build}"
export XFER_SOURCE_DIR XFER_BUILD_DIR
HERE=$XFER_SOURCE_DIR/tests/integration
WORK=$(mktemp -d /tmp/rdmaxfer-test.XXXXXX)
export CLUSTER_DIR=$WORK/cluster
export CLUSTER_GUARD=$$ # when even the traps below can't clean up

cluster() {
	"$XFER_SOURCE_DIR/tests/cluster" "$@"
}

# What a failed test leaves for its reader.
show_logs() {
	local log
	for log in "$CLUSTER_DIR"/logs/*.{rdmaxferd,ganesha}.log; do
		[ -s "$log" ] || continue
		echo "--- the end of ${log##*/}"
		tail -n 25 "$log"
	done
}

finish() {
	local status=$?
	trap - EXIT
	trap '' PIPE
	[ $status = 0 ] || [ $status = 77 ] || show_logs || true
	cluster down || true
	rm -rf "$WORK"
	exit $status
}
trap finish EXIT
trap 'exit 130' INT TERM HUP PIPE

say() {
	echo "== $*"
}

fail() {
	echo "FAILED: $*" >&2
	exit 1
}

skip() {
	echo "SKIPPED: $*"
	exit 77
}

need_root() {
	[ "$(id -u)" = 0 ] || skip "namespaces need root"
}

# up OPTION...: a cluster, its assignments set.
up() {
	local assignments
	assignments=$(cluster up --build "$XFER_BUILD_DIR" "$@") || fail "the cluster doesn't start"
	eval "$assignments"
}

client() {
	cluster exec client -- "$@"
}

# url POC VOLUME [PATH]: for libnfs, v3.
url() {
	echo "nfs://10.99.0.$((10 + $1))/vol$2${3:+/$3}"
}

# wait_until SECONDS COMMAND...: until it succeeds.
wait_until() {
	local deadline=$(($(date +%s) + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ "$(date +%s)" -lt $deadline ] || return 1
		sleep 0.1
	done
}

# expect_log FILE TEXT...: the file says all of these.
expect_log() {
	local file=$1 text
	shift
	for text in "$@"; do
		grep -qF -- "$text" "$file" || {
			echo "--- ${file##*/}:"
			tail -n 20 "$file"
			fail "it doesn't say \"$text\""
		}
	done
}

# status NODE [JQ-LIKE PYTHON EXPRESSION]: a process's STATUS as s.
status() {
	"$XFER_BUILD_DIR/libxfer/rdmaxferctl" --run-dir "$CLUSTER_DIR/$1" --json status |
		python3 -c 'import json, sys; s = json.load(sys.stdin)[0]; print(eval(sys.argv[1]))' "$2"
}
need_root
