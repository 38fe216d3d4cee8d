/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The tables of what is announced. Words of a value are settled here, before anything reads them, so that the
 * rulebook can be written first. Nothing here acts: a rule that uses a row says `pending`.
 */
#include "rulebook/announced.h"

#include "rulebook/units.h"

#include <stdio.h>
#include <string.h>

#define WORDS(words, help) KD_UNIT_KINDS, words, help
#define TEXT(help) KD_UNIT_KINDS, NULL, help
#define END                                                                                                  \
	{                                                                                                    \
		NULL, 0, NULL, NULL                                                                          \
	}

const struct kd_announced kd_announced_protocols[] = {
	{"quic", TEXT("QUIC Initial packets, with the ClientHello inside")},
	{"dtls", TEXT("DTLS handshakes")},
	{"stun", TEXT("STUN and TURN messages")},
	{"wireguard", TEXT("WireGuard handshakes")},
	{"openvpn", TEXT("OpenVPN control packets over UDP and TCP")},
	{"ssh", TEXT("SSH version lines")},
	{"socks", TEXT("SOCKS 4 and 5 greetings")},
	{"mtproto", TEXT("MTProto, plain and obfuscated")},
	{"discord", TEXT("Discord's address discovery over UDP")},
	END,
};

const struct kd_announced kd_announced_terms[] = {
	{"ja3", TEXT("JA3 digest of the ClientHello")},
	{"ja4", TEXT("JA4 fingerprint of the ClientHello")},
	{"browser", TEXT("whose ClientHello it looks like")},
	{"quic_version", TEXT("version of the QUIC Initial")},
	{"certificate_name", TEXT("a name of the server's certificate, as a name term")},
	END,
};

const struct kd_announced kd_announced_knobs[] = {
	{"tls.certificates", WORDS("unread|read", "names of the server's certificate are read")},
	END,
};

const struct kd_announced kd_announced_settings[] = {
	END,
};

const struct kd_announced *kd_announced_find(const struct kd_announced *rows, const char *name)
{
	for (const struct kd_announced *r = rows; r->name != NULL; r++)
		if (strcmp(r->name, name) == 0)
			return r;
	return NULL;
}

void kd_announced_words(char *buf, size_t room, const struct kd_announced *rows)
{
	size_t len = 0;

	if (room == 0)
		return;
	buf[0] = '\0';
	for (const struct kd_announced *r = rows; r->name != NULL && len < room; r++)
		len += (size_t)snprintf(buf + len, room - len, "%s%s", len > 0 ? "|" : "", r->name);
}
