#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# A ban between real ends: UDP to a hoster is answered, a web page is fetched from it over TCP, and UDP to all of it is dead
# for the ban's time and not longer, on old ports and new, while TCP goes on and UDP elsewhere does too. The rule is that of
# September 2025 (ovh-2025) with 15 s instead of 20 min.
set -eu
# shellcheck source=tests/smoke/lab.bash
. "$(dirname "$0")/lab.bash"
need_lab
[ -x /usr/bin/dig ] || skip "dig is not installed"

cat >"$scratch/ban.cfg" <<'END'
tags = { ovh = { lab = [ "198.18.24.0/24", "2001:db8:24::/64" ]; }; };
rules = (
  { id = "short-ban"; phase = "observe";
    when = { transport = "tcp"; opened_from = "inside"; from = "inside"; to = [ "@ovh" ]; to_port = [ 80, 443 ]; };
    then = { mechanism = "drop"; direction = "both"; };
    residual = { key = "tag"; protocols = [ "udp" ]; for = "subscriber"; time = "15 s"; }; }
);
END
cat >"$scratch/client" <<'END'
now() { # in ms
	echo $((${EPOCHREALTIME/./} / 1000))
}
udp() { # WHAT SECONDS ADDRESS OPTIONS...
	local got
	got=$(dig +notcp +short +tries=1 "+time=$2" "${@:4}" "@$3" www.wikipedia.org A | grep -v '^;;' || true)
	echo "$1: ${got:-dead}"
}
web() { # WHAT
	echo "$1: $(curl -s -o /dev/null -w '%{http_code}' --max-time 10 https://www.ovh.com/)"
}
# Its certificate is made where no ban begins, so that little of the ban's time is gone when the page is here.
curl -s -o /dev/null --max-time 20 --resolve www.ovh.com:443:198.18.23.10 https://www.ovh.com/
udp "UDP before" 5 198.18.24.10 -b 0.0.0.0#40000
began=$(now)
web "web"
ended=$(now)
udp "UDP behind it, old port" 3 198.18.24.10 -b 0.0.0.0#40000
udp "UDP behind it, new port" 3 198.18.24.10
udp "UDP elsewhere" 5 198.18.23.10
again=$(now)
web "web goes on"
until [[ $(udp alive 1 198.18.24.10) != *dead ]] || [ $(($(now) - ended)) -gt 40000 ]; do :; done # each try takes a second
alive=$(now)
echo "not before its time: $((alive - began >= 15000))"
echo "not made longer by the second page: $((alive - again < 15000))"
udp "UDP in the end" 5 198.18.24.10 -b 0.0.0.0#40000
END
lab -p "$scratch/ban.cfg" --events "$scratch/events" -- bash "$scratch/client" >"$scratch/said" 2>"$scratch/err" ||
	cat "$scratch/err"
while read -r line; do
	what=${line%%: *}
	case $what in
	web*) want=200 ;;
	"UDP behind"*) want=dead ;;
	UDP*) want=198.18.22.10 ;;
	*) want=1 ;;
	esac
	check "$what" "$want" "${line#*: }"
done <"$scratch/said"
check "cases tried" 9 "$(wc -l <"$scratch/said")"
check "flows taken by the ban" "[1-9]*" "$(grep -c '"reason":"decide.residual","rule":"short-ban"' "$scratch/events" || true)"
finish
