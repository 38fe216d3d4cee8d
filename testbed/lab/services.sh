# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2154
#
# What the lab's internet offers: any name resolves, any name is served with a certificate the client trusts, over
# HTTP/1.1, 2 and 3. Sourced by init. Files of the system are covered privately, never changed.

services_start() {
	names_config >"$dir/names"
	names_national >"$dir/names.national"
	web_config >"$dir/Caddyfile"
	mkdir "$dir/web" "$dir/www"
	local size
	for size in 64K 1M 10M 100M 1G; do truncate -s "$size" "$dir/www/$size"; done
	names_start inside names 127.0.0.1
	names_start outside names 127.0.0.1 198.18.8.2 "$ula:8::2" "${public_resolvers[@]}" $(web_addresses)
	names_start outside names.national "$national_resolver"
	[ -z "$outside" ] || names_start server names 127.0.0.1
	HOME=$dir/web XDG_CONFIG_HOME=$dir/web XDG_DATA_HOME=$dir/web \
		at outside caddy run --adapter caddyfile --config "$dir/Caddyfile" </dev/null >"$dir/web.log" 2>&1 &
	web=$!
}

names_config() {
	local tag v4 v6 names name
	echo "no-resolv
no-hosts
bind-interfaces
local=/#/
local-ttl=60"
	while read -r tag v4 v6 names; do
		for name in ${names:-$([ "$tag" != other ] || echo '#')}; do
			echo "address=/$name/$(host_of "$v4" 10)"
			echo "address=/$name/$(host_of "$v6" 10)"
		done
	done < <(tags)
	[ -z "$outside" ] || printf 'address=/server.test/%s\n' "$KORDON_SERVER" "$KORDON_SERVER6"
}

# What the national resolver says otherwise. Which names those were in the world changed from month to month: here one does
# not exist, and one leads to the web server of @domestic (X-DNS-2).
names_national() {
	local tag v4 v6
	grep -v '=/\(youtube\|facebook\)\.com/' "$dir/names"
	echo 'address=/youtube.com/'
	while read -r tag v4 v6 _; do
		[ "$tag" != domestic ] || printf 'address=/facebook.com/%s\n' "$(host_of "$v4" 10)" "$(host_of "$v6" 10)"
	done < <(tags)
}

names_start() { # NAMESPACE CONFIGURATION ADDRESS...
	local listen=("${@:3}")
	at "$1" dnsmasq --keep-in-foreground --conf-file="$dir/$2" --user= --group= --pid-file= \
		"${listen[@]/#/--listen-address=}" </dev/null >"$dir/$2.$1.log" 2>&1 &
}

names_up() { # NAMESPACE ADDRESS: somebody holds its UDP port 53 there
	local hex
	# shellcheck disable=SC2046 # four numbers
	hex=$(printf '%02X' $(echo "$2" | awk -F. '{ print $4, $3, $2, $1 }'))
	at "$1" grep -q " $hex:0035 " /proc/self/net/udp
}

web_addresses() {
	local v4 v6
	while read -r _ v4 v6 _; do host_of "$v4" 10 && host_of "$v6" 10; done < <(tags) | tr '\n' ' '
}

# Caddy offers HTTP/3 once for each address; one offer, as elsewhere, keeps answers as small as elsewhere.
web_config() {
	local addresses
	addresses=$(web_addresses)
	cat <<-END
		{
			admin off
			skip_install_trust
			auto_https disable_redirects
			storage file_system "$dir/web"
		}
		(page) {
			bind $addresses
			@tcp expression {http.request.proto} != "HTTP/3.0"
			header @tcp >Alt-Svc "h3=\":443\"; ma=2592000"
			root * "$dir/www"
			handle /bytes/* {
				uri strip_prefix /bytes
				file_server
			}
			respond "kordon lab: {http.request.host}, {http.request.proto}, from {http.request.remote.host}
		"
		}
		https:// {
			tls internal {
				on_demand
			}
			import page
		}
		http:// {
			import page
		}
	END
}

web_up() {
	kill -0 "$web" 2>/dev/null || die 125 "caddy ended" "$dir/web.log"
	[ -s "$ca" ] && at outside curl -sf --max-time 2 --cacert "$ca" --resolve "ready.test:443:$web4" \
		-o /dev/null https://ready.test/
}

services_wait() {
	local name file where address
	ca=$dir/web/pki/authorities/local/root.crt
	web4=$(host_of "$(tags | awk 'END { print $2 }')" 10)
	wait_for 20 web_up || die 125 "caddy serves no page" "$dir/web.log"
	for name in 'names inside 127.0.0.1' "names outside ${public_resolvers[0]}" \
		"names.national outside $national_resolver"; do
		read -r file where address <<<"$name"
		wait_for 10 names_up "$where" "$address" || die 125 "dnsmasq does not answer" "$dir/$file.$where.log"
	done
	echo 'nameserver 127.0.0.1' >"$dir/resolv.conf"
	echo 'hosts: files dns' >"$dir/nsswitch.conf"
	cp "$ca" "$dir/ca.pem"
	cat "$dir/ca.pem" >"$dir/bundle.pem"
	file=/etc/ssl/certs/ca-certificates.crt
	if [ -f "$file" ]; then
		cat "$file" >>"$dir/bundle.pem"
		mount --bind "$dir/bundle.pem" "$file"
	fi
	mount --bind "$dir/resolv.conf" /etc/resolv.conf
	[ ! -f /etc/nsswitch.conf ] || mount --bind "$dir/nsswitch.conf" /etc/nsswitch.conf
	[ ! -d /run/nscd ] || mount -t tmpfs kordon /run/nscd
	export SSL_CERT_FILE=$dir/bundle.pem REQUESTS_CA_BUNDLE=$dir/bundle.pem NODE_EXTRA_CA_CERTS=$dir/ca.pem
	export KORDON_CA=$dir/ca.pem KORDON_NETNS=$dir/ns KORDON_SPKI
	# What Chromium trusts by --ignore-certificate-errors-spki-list: the key all leaves are signed with.
	KORDON_SPKI=$(openssl x509 -in "${ca%/*}/intermediate.crt" -pubkey -noout |
		openssl pkey -pubin -outform der | openssl dgst -sha256 -binary | base64)
	unset CURL_CA_BUNDLE SSL_CERT_DIR http_proxy https_proxy all_proxy HTTPS_PROXY ALL_PROXY
}
