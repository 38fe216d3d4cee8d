# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2154
#
# The processes that make a lab worth having: the box, a server of one's own outside, the client inside, and what their
# ends mean. Sourced by init.

box_start() {
	local delay=(--delay '18 ms')
	! $bare || delay=()
	[ ${#expect[@]} -eq 0 ] || [ -n "$capture" ] || capture=$dir/ingress.pcapng
	# A socket's name has room for 107 bytes.
	[ ${#dir} -gt 90 ] || stats=$dir/box.stats
	"$kordon" run "${box[@]}" ${stats:+--stats "$stats"} --inside-port net_tap0,iface=kdi --outside-port net_tap1,iface=kdo \
		--lab-net "$lab_nets" --hops 8 ${delay[@]+"${delay[@]}"} --ready-file "$dir/box.ready" \
		${events:+--events "$events"} ${capture:+--capture "$capture"} </dev/null >"$dir/box.log" 2>&1 &
	box_pid=$!
}

running() { # PID
	kill -0 "$1" 2>/dev/null
}

ended() {
	! running "$1"
}

box_ready() {
	local status=0
	running "$box_pid" || {
		wait "$box_pid" || status=$?
		# 2, 3 and 5 of `run` are 122, 123 and 125 here.
		case $status in 2 | 3 | 5) status=$((120 + status)) ;; *) status=125 ;; esac
		die "$status" "the box did not start" "$dir/box.log"
	}
	[ -e "$dir/box.ready" ]
}

box_wait() {
	wait_for 20 box_ready || die 125 "the box forwards nothing" "$dir/box.log"
}

# The box writes what it still holds and ends by itself.
box_end() {
	local status=0
	kill -TERM "$box_pid" 2>/dev/null || true
	wait_for 20 ended "$box_pid" || die 125 "the box does not end" "$dir/box.log"
	wait "$box_pid" || status=$?
	# 75: the capture has holes; box_judge minds, a command's own status does not.
	[ "$status" -eq 0 ] || [ "$status" -eq 75 ] || die 125 "the box ended with status $status" "$dir/box.log"
	! $verbose || sed 's/^/    /' "$dir/box.log" >&2
}

# The ingress capture is what the engine got, so an offline replay of it tells the same events as the live run did.
box_judge() {
	local status=0
	[ ${#expect[@]} -gt 0 ] || return 0
	if grep -q capture.lost "$dir/box.log"; then
		echo "kordon: lab: the capture has holes, so expectations cannot be judged" >&2
		exit 75
	fi
	"$kordon" replay -q "${box[@]}" "${expect[@]}" -e /dev/null "$capture" || status=$?
	case $status in
	0) ;;
	1) exit 121 ;;
	75) exit 75 ;;
	*) die 125 "the ingress capture cannot be judged" ;;
	esac
}

server_start() {
	at server bash -c "$outside" </dev/null >"$dir/server.log" 2>&1 &
	server_pid=$!
}

server_ready() {
	local proto=${ready%%:*} hex state
	running "$server_pid" || die 120 "the server ended before it was ready" "$dir/server.log"
	[ -n "$ready" ] || return 0
	hex=$(printf ':%04X' "$((10#${ready#*:}))")
	state=07
	[ "$proto" = udp ] || state=0A
	at server cat /proc/self/net/"$proto" /proc/self/net/"$proto"6 |
		awk -v port="$hex" -v state=$state 'substr($2, length($2) - 4) == port && $4 == state { found = 1 }
			END { exit !found }'
}

server_wait() {
	wait_for "$ready_timeout" server_ready ||
		die 120 "the server holds no $ready after $ready_timeout s" "$dir/server.log"
}

client_run() {
	local status=0 limit=()
	if [ $# -eq 0 ]; then
		echo "kordon lab: you are the client inside (198.18.0.2, $ula::2); exit ends the lab" >&2
		set -- bash -i
	fi
	[ -z "$timeout" ] || limit=(timeout --foreground --kill-after=2 "$timeout")
	trap : INT
	[ -z "$stats" ] || export KORDON_STATS=$stats
	# A shell tells on its standard error when a signal ended a command; only COMMAND speaks there now.
	exec 4>&2 2>/dev/null
	nsenter --net="$dir/ns/inside" -- ${limit[@]+"${limit[@]}"} "$@" 2>&4 4>&- || status=$?
	exec 2>&4 4>&-
	trap '' INT
	told=true
	box_end
	[ -z "$outside" ] || ! $verbose || sed 's/^/    /' "$dir/server.log" >&2
	box_judge
	exit "$status"
}
