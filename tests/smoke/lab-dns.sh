#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# A public resolver asked by dig: behind the box of 27 August 2026 another one answers over UDP, from the address that was
# asked, with a false address and a name that does not exist; over TCP, of a resolver that is not public, and behind no box,
# the answer is right. Two resolvers asked from one port keep their own answers. The box says what it did.
set -eu
# shellcheck source=tests/smoke/lab.bash
. "$(dirname "$0")/lab.bash"
need_lab
[ -x /usr/bin/dig ] || skip "dig is not installed"

cat >"$scratch/client" <<'END_OF_CLIENT'
ask() { # WHAT NAME OPTIONS...: status, first answer, who gave it
	local got
	got=$(dig +tries=1 +time=4 "${@:3}" "$2" A)
	echo "$1: $(sed -n 's/.*status: \([A-Z]*\).*/\1/p' <<<"$got") $(sed -n 's/^[^;].*\tA\t//p' <<<"$got") $(
		sed -n 's/^;; SERVER: \([0-9.]*\).*/from \1/p' <<<"$got")"
}
for way in udp tcp; do
	option=+notcp
	[ $way = udp ] || option=+tcp
	ask "false $way" facebook.com $option @198.18.17.53
	ask "none $way" youtube.com $option @198.18.17.53
	ask "same $way" www.wikipedia.org $option @198.18.16.53
done
ask "other resolver" facebook.com +notcp @198.18.18.10
/usr/bin/python3 - <<'PY'
import socket, struct
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(5)
asked = {0x101: "198.18.17.53", 0x202: "198.18.16.53"}
for number, to in asked.items():
    name = b"".join(bytes([len(l)]) + l for l in (b"facebook", b"com")) + b"\0\0\1\0\1"
    s.sendto(struct.pack(">6H", number, 0x100, 1, 0, 0, 0) + name, (to, 53))
for _ in asked:
    got, (who, port) = s.recvfrom(2048)
    print("one port: %s %s" % (who == asked[struct.unpack(">H", got[:2])[0]], socket.inet_ntoa(got[-4:])))
PY
END_OF_CLIENT

for box in tspu@2026-08-27/home null; do
	lab -p "$box" --events "$scratch/events" -- bash "$scratch/client" >"$scratch/said" 2>"$scratch/err" ||
		cat "$scratch/err"
	while read -r line; do
		what=${line%%: *}
		case $box/$what in
		tspu*/"false udp") want="NOERROR 198.18.26.10 from 198.18.17.53" ;;
		*/false*) want="NOERROR 198.18.18.10 from 198.18.17.53" ;;
		tspu*/"none udp") want="NXDOMAIN  from 198.18.17.53" ;;
		*/none*) want="NOERROR 198.18.17.10 from 198.18.17.53" ;;
		*/same*) want="NOERROR 198.18.22.10 from 198.18.16.53" ;;
		*/other*) want="NOERROR 198.18.18.10 from 198.18.18.10" ;;
		tspu*/one*) want="True 198.18.26.10" ;;
		*/one*) want="True 198.18.18.10" ;;
		esac
		check "$box: $what" "$want" "${line#*: }"
	done <"$scratch/said"
	check "$box: cases tried" 9 "$(wc -l <"$scratch/said")"
	want=5
	[ "$box" != null ] || want=0
	check "$box: verdicts of redirect" "$want" "$(grep -c '"action":"[a-z]*","mechanism":"redirect","reason":"redirect.sent","rule":"dns-redirect"' \
		"$scratch/events" || true)"
	check "$box: flows that were redirected" "$want" "$(grep '"event_type":"flow"' "$scratch/events" |
		grep -c '"outcome":"blocked","reason":"redirect\.' || true)"
done
finish
