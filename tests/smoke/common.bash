# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
#
# Sourced by run-*.sh: a client and a server in network namespaces of their own, kordon's two taps between them. The
# script starts itself anew in a PID, mount and network namespace whose end is the end of everything in it. Prints TAP.
# Programs beyond the base system stand behind "# needs:" in the sourcing script, by the names of their commands.

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
export LC_ALL=C.UTF-8 TZ=UTC KORDON_POLICIES=$here/../../policies

cannot() {
	echo "$1" >&2
	exit 77
}

if [ -z "${KORDON_SMOKE:-}" ]; then
	for program in unshare nsenter ip $(sed -n 's/^# needs: //p' "$0"); do
		PATH=$PATH:/usr/sbin:/sbin command -v "$program" >/dev/null || cannot "$program is not installed"
	done
	[ -x "${KORDON:?names the binary}" ] || cannot "$KORDON is not there"
	[ -c /dev/net/tun ] || cannot "/dev/net/tun is not there"
	user=()
	[ "$(id -u)" -eq 0 ] || user=(--user --map-root-user)
	unshare "${user[@]}" --net --mount --pid --fork true 2>/dev/null || cannot "no namespaces for this user"
	export KORDON_SMOKE=1 PATH=$PATH:/usr/sbin:/sbin
	exec unshare "${user[@]}" --net --mount --pid --fork --kill-child --mount-proc bash "$0" "$@"
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tests=0 bad=0
kordon_pid=

ok() { # NAME COMMAND...: one result; what the command printed is shown when it fails
	local name=$1 word=ok
	shift
	"$@" >"$work/said" 2>&1 || word="not ok"
	tests=$((tests + 1))
	echo "$word $tests - $name"
	[ "$word" = ok ] || {
		bad=$((bad + 1))
		sed 's/^/# /' "$work/said"
	}
}

finish() {
	echo "1..$tests"
	[ "$bad" -eq 0 ]
}

until_true() { # COMMAND...: within 10 s
	local i
	for ((i = 0; i < 200; i++)); do
		"$@" >/dev/null 2>&1 && return 0
		read -rt 0.05 <> <(:) || true
	done
	echo "waited 10 s for: $*" >&2
	return 1
}

own_net() { # PID: it has left our network namespace
	[ "$(readlink "/proc/$1/ns/net")" != "$(readlink /proc/self/ns/net)" ]
}

hosts() { # starts the namespaces $client and $server
	unshare --net tail -f /dev/null &
	client=$!
	unshare --net tail -f /dev/null &
	server=$!
	until_true own_net "$client"
	until_true own_net "$server"
}

at() { # PID COMMAND...: in its network namespace
	nsenter --net="/proc/$1/ns/net" -- "${@:2}"
}

start() { # OPTIONS...: kordon between the hosts; logs in $work/kordon.err
	"$KORDON" run --virtual --ready-file "$work/ready" "$@" 2>"$work/kordon.err" &
	kordon_pid=$!
	until_true test -e "$work/ready" || {
		sed 's/^/# /' "$work/kordon.err"
		return 1
	}
	ip link set kdi netns "$client"
	ip link set kdo netns "$server"
	plug "$client" kdi 198.18.0.2 2001:2::2 203.0.113.0/24
	plug "$server" kdo 203.0.113.10 2001:2::10 198.18.0.0/15
}

plug() { # PID DEVICE ADDRESS ADDRESS6 ROUTE
	at "$1" ip link set lo up
	at "$1" ip link set "$2" up
	at "$1" ip address add "$3/32" dev "$2"
	at "$1" ip address add "$4/48" dev "$2" nodad
	at "$1" ip route add "$5" dev "$2" src "$3"
}

# shellcheck disable=SC2034 # status is for the sourcing script
stop() { # ends kordon; its exit status in $status
	kill -INT "$kordon_pid"
	status=0
	wait "$kordon_pid" || status=$?
}

summary() { # PATTERN: a line of kordon's own summary
	grep -E "$1" "$work/kordon.err" || {
		cat "$work/kordon.err"
		return 1
	}
}

certificate() {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN=lab \
		-keyout "$work/key.pem" -out "$work/cert.pem" 2>"$work/said"
}

https_server() { # one thread a connection: a cut one must not block the next
	[ -z "${web:-}" ] || return 0
	certificate
	at "$server" python3 - "$work" >/dev/null 2>&1 <<-'END' &
		import http.server, ssl, sys

		class Page(http.server.BaseHTTPRequestHandler):
		    def do_GET(self):
		        self.send_response(200)
		        self.send_header("Content-Length", "3")
		        self.end_headers()
		        self.wfile.write(b"ok\n")

		server = http.server.ThreadingHTTPServer(("", 443), Page)
		context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
		context.load_cert_chain(sys.argv[1] + "/cert.pem", sys.argv[1] + "/key.pem")
		server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
		server.serve_forever()
	END
	web=$!
	until_true at "$server" bash -c 'exec 3<>/dev/tcp/127.0.0.1/443'
}

page() { # NAME: over the box
	at "$client" curl -4 -sk -m 5 -o /dev/null --resolve "$1:443:203.0.113.10" "https://$1/"
}

fails() { # STATUS COMMAND...
	local got=0
	"${@:2}" || got=$?
	echo "exit status $got, expected $1"
	[ "$got" -eq "$1" ]
}

same_events() { # LIVE REPLAYED: but for the run record and the blind spots, which a live run leaves to the replay
	local blind='s/"blind_spots":\[[^]]*\](,"unseen":"[^"]*")?,//'
	[ "$(wc -l <"$1")" -gt 1 ] && diff <(tail -n +2 "$1" | sed -E "$blind") <(tail -n +2 "$2" | sed -E "$blind")
}
