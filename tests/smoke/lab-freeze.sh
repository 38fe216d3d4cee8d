#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The freeze of June 2025, as curl and ssh meet it: from a listed hoster a small page comes whole and one of 64 KB stalls,
# no end sees a reset, both send again; ssh to that hoster, and pages from elsewhere, go on.
set -eu
# shellcheck source=tests/smoke/lab.bash
. "$(dirname "$0")/lab.bash"
PATH=$PATH:/usr/sbin
for program in tcpdump ssh ssh-keygen sshd python3; do
	command -v $program >/dev/null || skip "$program is missing"
done
[ "$(id -u)" -eq 0 ] || skip "tcpdump and sshd change their user, which a plain user's lab refuses"
need_lab

ssh-keygen -q -t ed25519 -N '' -f "$scratch/host"
ssh-keygen -q -t ed25519 -N '' -f "$scratch/user"
cat >"$scratch/sshd_config" <<END
Port 22
HostKey $scratch/host
AuthorizedKeysFile $scratch/user.pub
StrictModes no
UsePAM no
PidFile none
END
mkdir "$scratch/www"
head -c 65536 /dev/zero >"$scratch/www/64K"
cat >"$scratch/server" <<END
python3 -m http.server --directory $scratch/www 80 &
until grep -q ':0050 .* 0A ' /proc/self/net/tcp; do sleep 0.05; done
mount -t tmpfs none /run
mkdir -m 755 /run/sshd
exec $(command -v sshd) -D -e -f $scratch/sshd_config
END

# Each curl has a port of its own, to be known by on the wires.
cat >"$scratch/client" <<'END'
cd "$1"
watchers=()
watch() { # NAMESPACE LINK
	nsenter --net="$KORDON_NETNS/$1" -- tcpdump -Z root --immediate-mode -lnn -i "$2" tcp >"$1.wire" 2>"$1.err" &
	watchers+=($!)
}
poll() { # COMMAND...: for 10 s at least
	local tries
	for tries in $(seq 500); do
		! "$@" || return 0
		sleep 0.02
	done
}
page() { # NAME PORT URL
	curl -s -4 -m 10 --local-port "$2" -o /dev/null -w "$1=%{size_download} $1_status=%{exitcode}\n" "$3" || true
}
again() { # WIRE SENDER RECEIVER: segments with a number that had been sent before
	awk -v from="$2" -v to="$3:" '$3 == from && $5 == to && $7 !~ /S/ && $8 == "seq" {
		split($9, at, /[:,]/); n += at[1] in seen; seen[at[1]] } END { print n + 0 }' "$1.wire"
}
both_again() {
	[ "$(again inside $client $web)" -gt 0 ] && [ "$(again outside $web $client)" -gt 0 ]
}
client=198.18.0.2.41002 web=198.18.23.10.443
watch inside kdi
watch outside eth0
watch server eth0
for name in inside outside server; do poll grep -q 'listening on' $name.err; done

page small 41001 https://www.hetzner.com/
page frozen 41002 https://www.hetzner.com/bytes/64K &
page elsewhere 41003 https://www.hetzner.ru/bytes/64K &
page same 41004 "http://$KORDON_SERVER/64K" &
waited=($(jobs -p))
echo "ssh=$(ssh -n -F none -i "$2/user" -o IdentitiesOnly=yes -o BatchMode=yes -o StrictHostKeyChecking=no -o LogLevel=ERROR \
	-o UserKnownHostsFile=/dev/null "root@$KORDON_SERVER" 'head -c 200000 /dev/zero' | wc -c)"
for pid in "${waited[@]}"; do [[ " ${watchers[*]} " == *" $pid "* ]] || wait "$pid"; done
[ "$3" != frozen ] || poll both_again
sleep 0.2
kill "${watchers[@]}"
wait
echo "client_again=$(again inside $client $web) server_again=$(again outside $web $client)"
echo "arrived=$(awk -v from=$web -v to=$client: '$3 == from && $5 == to && $7 !~ /S/ && $8 == "seq" {
	split($9, at, /[:,]/); if (at[2] > last) last = at[2] } END { print last - 1 }' inside.wire)"
echo "seen=$(cat ./*.wire | grep -cE '\.4100[24][ :]') resets=$(cat ./*.wire | grep -E '\.4100[24][ :]' | awk '$7 ~ /R/' | wc -l)"
END

run() { # NAME PROFILE
	mkdir "$scratch/$1"
	lab -p "$2" --outside "bash $scratch/server" --outside-at @hetzner --ready tcp:22 --ready-timeout 60 -- \
		bash "$scratch/client" "$scratch/$1" "$scratch" "$1" >"$scratch/$1/said" 2>"$scratch/$1/err" ||
		cat "$scratch/$1/err"
}
run frozen tspu@2025-07-01/home &
run null null &
wait
read_results '' "$scratch/frozen/said"
read_results null_ "$scratch/null/said"

within "a small page of a listed hoster comes" 10 1000 "${of[small]:-}" bytes
check "its page of 64 KB does not, and curl gives up" 28 "${of[frozen_status]:-}"
within "what of that came over the wire" 14000 34816 "${of[arrived]:-}" bytes
within "the client sent again" 1 1000 "${of[client_again]:-}" segments
within "the server sent again" 1 1000 "${of[server_again]:-}" segments
check "no end of the two stalled flows sees a reset" 0 "${of[resets]:-}"
within "of their packets on the wires" 100 1000 "${of[seen]:-}" packets
check "a page of 64 KB from elsewhere" '65536 0' "${of[elsewhere]:-} ${of[elsewhere_status]:-}"
within "one over HTTP from where ssh goes to" 14000 34816 "${of[same]:-}" bytes
check "200 kB over ssh from the same address" 200000 "${of[ssh]:-}"
check "null: all pages and ssh" '65536 65536 65536 200000' \
	"${of[null_frozen]:-} ${of[null_elsewhere]:-} ${of[null_same]:-} ${of[null_ssh]:-}"
finish
