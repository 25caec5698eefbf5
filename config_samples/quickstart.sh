#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-3.0-or-later
# quickstart.sh -- from nothing to a file that travels through NFS: installs, builds, starts, copies
set -euo pipefail

usage() {
	cat <<'TEXT'
usage: config_samples/quickstart.sh [--once]

On Debian 12, as root: installs what is needed, builds, starts an owner with a volume and a Ganesha that serves
it, each in namespaces of its own, and copies a file in and out through NFS with a stock client. Then it
waits, so that you can try it; Ctrl-C ends everything.

  --once   ends by itself after the copy
TEXT
}

source=$(cd "$(dirname "$0")/.." && pwd)
build=$source/build
once=
case ${1:-} in
'') ;;
--once) once=1 ;;
-h | --help)
	usage
	exit 0
	;;
*)
	usage >&2
	exit 2
	;;
esac
if [ "$(id -u)" != 0 ]; then
	echo "quickstart.sh installs packages and makes namespaces: run it as root" >&2
	exit 2
fi
# shellcheck source=../tests/lib/install.sh
. "$source/tests/lib/install.sh"

state=$(mktemp -d "${TMPDIR:-/tmp}/rdmaxfer-quickstart.XXXXXX")
cluster=("$source/tests/cluster")
export CLUSTER_DIR=$state/cluster
finish() {
	trap - EXIT INT TERM
	[ -z "${waiting:-}" ] || kill "$waiting" 2>/dev/null || true
	echo "==> stopping"
	"${cluster[@]}" down || true
	rm -rf "$state"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

echo "==> 1/5 packages"
xfer_install "${XFER_PACKAGES[@]}"
echo "==> 2/5 building into $build"
xfer_build "$source" "$build" -DRDMAXFER_TESTS=OFF
echo "==> 3/5 starting an owner and a point of contact"
assignments=$("${cluster[@]}" up --build "$build" --control unix)
eval "$assignments"
echo "    owner owner1 at $OWNER1_ADDR, volume $VOLUME1; Ganesha on poc1 at $POC1_ADDR serves it as $EXPORT1"

echo "==> 4/5 copying a file in and out through NFS (v3, nfs-cp)"
client() {
	"${cluster[@]}" exec client -- "$@"
}
head -c $((64 << 20)) /dev/urandom >"$state/file"
client nfs-cp "$state/file" "nfs://$POC1_ADDR$EXPORT1/file"
client nfs-cp "nfs://$POC1_ADDR$EXPORT1/file" "$state/back"
cmp "$state/file" "$state/back"
"${cluster[@]}" exec owner1 -- cmp "$state/file" "$VOLUME1/file"
echo "    the same 64 MiB in the file, on the owner's volume and in the copy read back"

echo "==> 5/5 what the processes say: rdmaxferctl status"
for node in owner1 poc1; do
	"$build/libxfer/rdmaxferctl" --run-dir "$STATE/$node" status
done

cat <<TEXT

It runs. From a shell in the client's namespaces,

    CLUSTER_DIR=$CLUSTER_DIR $source/tests/cluster exec client -- bash

mount it (where the kernel has an NFS client) or list it by libnfs:

    mount -t nfs -o vers=4.2,proto=tcp $POC1_ADDR:$EXPORT1 /mnt
    mount -t nfs -o vers=3,proto=tcp,mountproto=tcp,nolock $POC1_ADDR:$EXPORT1 /mnt
    nfs-ls nfs://$POC1_ADDR$EXPORT1

TEXT
if [ -n "$once" ]; then
	exit 0
fi
echo "Ctrl-C stops it all."
sleep infinity &
waiting=$!
wait $waiting
