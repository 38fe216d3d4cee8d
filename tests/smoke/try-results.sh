#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# What `try` calls a result when it is neither plainly ok nor plainly blocked, and its exit status
# for each.
set -eu
# shellcheck source=tests/smoke/lab.bash
. "$(dirname "$0")/lab.bash"
need_lab

mkdir "$scratch/tmp"
export TMPDIR=$scratch/tmp N=$scratch/n
day=tspu@2026-04-15

# Clients that behave otherwise from one trial to the next, by the count in $N; null's trials come first.
cat >"$scratch/client" <<'END'
n=$(($(cat "$N") + 1))
echo $n >"$N"
get() { curl -s -o /dev/null https://www.vk.com/bytes/64K; }
large() { curl -s -o /dev/null "$@" https://www.vk.com/bytes/1M; } # more than socket buffers hold
case $1 in
slow) if [ $n = 1 ]; then large; else large --limit-rate 100k; fi ;;
gives-up) if [ $n = 1 ]; then get; else echo "cannot be bothered" >&2; exit 3; fi ;;
sometimes) if [ $n != 4 ]; then get; else exit 3; fi ;;
END
echo 'esac' >>"$scratch/client"

try() { # NAME STATUS LINE OPTION...: the line of the last box
	local name=$1 want=$2 line=$3 status=0
	shift 3
	echo 0 >"$N"
	"$KORDON" try "$@" >"$scratch/out" 2>"$scratch/err" || status=$?
	check "$name: status" "$want" $status
	check "$name: result" "$line" "$(tail -n 1 "$scratch/out")"
}

client() {
	printf '%s\n' bash "$scratch/client" "$1"
}

mapfile -t slow < <(client slow)
mapfile -t gives_up < <(client gives-up)
mapfile -t sometimes < <(client sometimes)
try "met, but slowly" 0 "$day/home *degraded *kB/s against null's *" -p $day --expect degraded -- "${slow[@]}"
try "not met, and not the box's doing" 0 "$day/home *broken *the box did nothing: exit 3*: cannot be bothered" \
	-p $day --expect broken -- "${gives_up[@]}"
try "now and then" 1 "$day/home *flaky 1/2 *" -p $day --trials 2 --expect ok -- "${sometimes[@]}"
check "now and then: expected and got" "*expected ok, got flaky 1/2: *" "$(cat "$scratch/err")"
try "out of time" 0 "$day/home *blocked *sni-drop-registry*" -p $day --timeout 3 --expect blocked -- \
	curl -s https://www.instagram.com/
try "fails without a box too" 75 "$day/home *skipped *" -p $day --expect broken -- false
check "fails without a box too: says" "null *inconclusive *exit 1*" "$(sed -n 2p "$scratch/out")"
try "server not ready" 75 "$day/home *skipped *" -p $day --server 'exit 1' --ready tcp:443 -- true
check "server not ready: says" "null *inconclusive *the server ended*" "$(sed -n 2p "$scratch/out")"
try "server of one's own" 0 "$day/home *ok *" -p $day --server-at @hetzner --ready tcp:7000 \
	--server "exec openssl s_server -quiet -accept 7000 -nocert -cipher aNULL:ALL" -- \
	bash -c ': >/dev/tcp/server.test/7000'
check "nothing stays behind" '' "$(ls "$scratch/tmp")"
finish
