# SPDX-License-Identifier: LGPL-3.0-or-later
# guest.sh -- a guest in user-mode Linux that runs commands, one after the other; to be sourced after tests/integration/lib.sh

GUEST=$WORK/guest guest_job=

# start_guest UML_OPTION...: until it takes commands.
start_guest() {
	mkdir -p "$GUEST"
	chmod 755 "$WORK"
	UML_RESULTS=$GUEST UML_TIMEOUT=${UML_TIMEOUT:-240} "$XFER_SOURCE_DIR/tests/vm/uml" "$@" "$XFER_SOURCE_DIR/tests/vm/agent" >"$WORK/guest.log" 2>&1 &
	guest_job=$!
	guest true
}

# guest COMMAND...: runs it there, with its output and its status; for words of a shell: guest sh -c '...'.
guest() {
	local number=1 base
	while [ -e "$GUEST/$number.command" ]; do
		number=$((number + 1))
	done
	base=$GUEST/$number
	printf '%q ' "$@" >"$base.new"
	mv "$base.new" "$base.command"
	until [ -e "$base.status" ]; do
		kill -0 "$guest_job" 2>/dev/null || {
			cat "$WORK/guest.log" >&2
			fail "the guest has ended"
		}
		sleep 0.05
	done
	cat "$base.output"
	return "$(cat "$base.status")"
}

end_guest() {
	: >"$GUEST/end"
	wait "$guest_job" || {
		cat "$WORK/guest.log" >&2
		fail "the guest doesn't end well"
	}
}
