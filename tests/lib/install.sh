# SPDX-License-Identifier: LGPL-3.0-or-later
# install.sh -- what rdmaxfer needs on Debian 12, installed where it is missing; to be sourced

# To build it, and to run a cluster on one machine.
XFER_PACKAGES=(build-essential cmake pkg-config python3 ca-certificates
	libntirpc-dev liburcu-dev libkrb5-dev libdbus-1-dev libssl-dev libjansson-dev libconfig-dev
	libibverbs-dev librdmacm-dev ibverbs-providers
	nfs-ganesha rpcbind netbase iproute2 util-linux libnfs-utils)

# For the tests, too.
XFER_TEST_PACKAGES=(libcmocka-dev libnfs-dev libgnutls28-dev nfs-ganesha-vfs nfs-ganesha-proxy-v4
	user-mode-linux debootstrap qemu-system-x86 busybox-static cpio ibverbs-utils rdmacm-utils perftest
	nfs-common e2fsprogs kmod libcap2-bin tcpdump strace procps python3-matplotlib
	fio stress-ng git rsync groff-base systemd clang-14 libclang-rt-14-dev)

# Daemons of packages that are installed must not start in the host's own namespaces.
xfer_without_services() {
	local policy=/usr/sbin/policy-rc.d made= status=0
	if [ ! -e $policy ]; then
		made=1
		printf '#!/bin/sh\nexit 101\n' >$policy
		chmod 755 $policy
	fi
	"$@" || status=$?
	[ -z "$made" ] || rm -f $policy
	return $status
}

# xfer_install PACKAGE...: installs what is missing; fails with the reason.
xfer_install() {
	local missing=() package
	for package in "$@"; do
		[ "$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null)" = "install ok installed" ] ||
			missing+=("$package")
	done
	[ ${#missing[@]} -gt 0 ] || return 0
	echo "==> installing ${missing[*]}"
	export DEBIAN_FRONTEND=noninteractive
	apt-get update -q || {
		echo "apt-get update failed: check the network and the package sources" >&2
		return 1
	}
	xfer_without_services apt-get install -q -y --no-install-recommends "${missing[@]}" || {
		echo "apt-get can't install ${missing[*]}: this needs Debian 12 (bookworm) with its main archive" >&2
		return 1
	}
}

# xfer_build SOURCE BUILD [CMAKE_OPTION...] [-- TARGET...]: configures and builds, with progress.
xfer_build() {
	local source=$1 build=$2 options=() targets=()
	shift 2
	while [ $# -gt 0 ] && [ "$1" != -- ]; do
		options+=("$1")
		shift
	done
	[ $# -lt 2 ] || targets=(--target "${@:2}")
	cmake -S "$source" -B "$build" "${options[@]}" && cmake --build "$build" -j "$(nproc)" "${targets[@]}"
}

# xfer_build_fuzzers SOURCE BUILD: what tests/fuzz runs by libFuzzer.
xfer_build_fuzzers() {
	xfer_build "$1" "$2" -DCMAKE_C_COMPILER=clang-14 -DRDMAXFER_SANITIZE=fuzzer -DRDMAXFER_WERROR=ON \
		-DRDMAXFER_TESTS=ON -DRDMAXFER_FSAL=ON -DRDMAXFER_CACHE_DIR="$1/build/cache" -- fuzzers
}
