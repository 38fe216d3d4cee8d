#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# A real client through the box: on null every page comes, on 2022-03-20 a listed name is reset and the others come.
# HTTP/1.1, 2 and 3, IPv4 and IPv6, curl, openssl and ngtcp2. QUIC to abroad was dropped that day whatever it named
# (X-QUIC-2022), so no HTTP/3 comes.
set -eu
# shellcheck source=tests/smoke/lab.bash
. "$(dirname "$0")/lab.bash"
command -v gtlsclient >/dev/null || skip "ngtcp2-client is missing"
need_lab

# A listed hello slips through once in 1200, so one that came is tried again.
cat >"$scratch/client" <<'END'
for name in www.instagram.com www.wikipedia.org; do
	for family in -4 -6; do
		for http in --http1.1 --http2; do
			for try in 1 2; do
				status=0
				version=$(curl -s $family $http --max-time 8 -o /dev/null -w '%{http_version}' https://$name/) || status=$?
				[ $status -eq 0 ] && [ $name = www.instagram.com ] || break
			done
			echo "$name $family curl $http: $status $version"
		done
		for try in 1 2; do
			status=0
			timeout 8 openssl s_client $family -connect $name:443 -servername $name -verify_return_error \
				-brief </dev/null >/dev/null 2>&1 || status=$?
			[ $status -eq 0 ] && [ $name = www.instagram.com ] || break
		done
		echo "$name $family openssl: $status"
	done
	for address in $(getent ahosts $name | awk '$2 == "STREAM" { print $1 }'); do
		# It ends with 0 whatever happened.
		echo "$name $address HTTP/3: $(gtlsclient --exit-on-first-stream-close --timeout=4s $address 443 https://$name/ 2>&1 |
			grep -c 'headers ended' || true)"
	done
done
END

for profile in null tspu@2022-03-20/home; do
	lab -p "$profile" -- bash "$scratch/client" >"$scratch/said" 2>"$scratch/err" || cat "$scratch/err"
	while read -r line; do
		who=${line%%: *} got=${line#*: }
		case $profile/$line in
		tspu*/*instagram*openssl*) want=1 ;;
		tspu*/*instagram*curl*) want='@(35|56) 0' ;;
		*openssl*) want=0 ;;
		tspu*/*HTTP/3*) want=0 ;;
		*HTTP/3*) want=1 ;;
		*http1.1*) want='0 1.1' ;;
		*) want='0 2' ;;
		esac
		check "$profile: $who" "$want" "$got"
	done <"$scratch/said"
	check "$profile: cases tried" 16 "$(wc -l <"$scratch/said")"
done
finish
