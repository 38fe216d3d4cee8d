/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Packets for a harness that runs an engine: connections with a ClientHello and with a request, a SYN from
 * the outside, datagrams, ICMP and GRE, and some of it again while a residual may last and after flows are
 * forgotten. IPv4 without a link header, checksums zero. They do not depend on the input.
 */
#ifndef KD_FUZZ_FEW_PACKETS_H
#define KD_FUZZ_FEW_PACKETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "engine/cursor.h"
#include "engine/decode.h"
#include "engine/engine.h"

#define T0 1718442000000000000ull /* noon in Moscow, 2024-06-15 */
#define FRAMES_MAX 32

static void must(bool holds)
{
	if (!holds)
		abort();
}

struct frame {
	uint8_t b[192];
	size_t n;
	unsigned int side;
	uint64_t at_ns;
};

static struct frame frames[FRAMES_MAX];
static unsigned int nframes;

static const uint8_t hello[75] = {0x16, 3, 1, 0, 70, 1, 0, 0, 66, 3, 3, [45] = 2, 0x13, 1, 1, [51] = 23, 0, 0,
	0, 19, 0, 17, 0, 0, 14, 'l', 'i', 's', 't', 'e', 'd', '.', 'e', 'x', 'a', 'm', 'p', 'l', 'e'};
static const uint8_t answer[60] = {0x16, 3, 3, 0, 55, 2, 0, 0, 51, 3, 3};
static const char get[] = "GET /listed HTTP/1.1\r\nHost: listed.example\r\n\r\n";
static const uint8_t datagram[] = {0x21, 0x12, 0xa4, 0x42, 1, 2, 3, 4, 5, 6, 7, 8};

#define CLIENT 0xc6120002u /* 198.18.0.2 */
#define SERVER 0xc612140au /* 198.18.20.10 */

/* An IPv4 packet without a link header; at_ms since the one before. Returns where the transport begins. */
static uint8_t *add_ip4(unsigned int side, unsigned int at_ms, uint8_t proto, size_t len)
{
	struct frame *f = &frames[nframes];
	uint8_t *ip = f->b;

	must(nframes < FRAMES_MAX && 20 + len <= sizeof(f->b));
	f->n = 20 + len;
	f->side = side;
	f->at_ns = (nframes > 0 ? f[-1].at_ns : T0) + at_ms * 1000000ull;
	nframes++;
	ip[0] = 0x45;
	kd_put16(ip + 2, (uint16_t)f->n);
	ip[8] = 64;
	ip[9] = proto;
	kd_put32(ip + 12, side == KD_INSIDE ? CLIENT : SERVER);
	kd_put32(ip + 16, side == KD_INSIDE ? SERVER : CLIENT);
	return ip + 20;
}

static void put_ports(uint8_t *p, unsigned int side, uint16_t client, uint16_t server)
{
	kd_put16(p, side == KD_INSIDE ? client : server);
	kd_put16(p + 2, side == KD_INSIDE ? server : client);
}

static void add_tcp(unsigned int side, unsigned int at_ms, uint16_t client, uint16_t server, uint8_t flags,
	uint32_t seq, const void *payload, size_t len)
{
	uint8_t *p = add_ip4(side, at_ms, KD_PROTO_TCP, 20 + len);

	put_ports(p, side, client, server);
	kd_put32(p + 4, seq);
	p[12] = 5 << 4;
	p[13] = flags;
	if (len > 0)
		memcpy(p + 20, payload, len);
}

static void add_udp(unsigned int side, unsigned int at_ms, uint16_t client, uint16_t server)
{
	uint8_t *p = add_ip4(side, at_ms, KD_PROTO_UDP, 8 + sizeof(datagram));

	put_ports(p, side, client, server);
	kd_put16(p + 4, 8 + sizeof(datagram));
	memcpy(p + 8, datagram, sizeof(datagram));
}

static void add_talk(uint16_t client, uint16_t server, const void *first, size_t len)
{
	add_tcp(KD_INSIDE, 5, client, server, KD_TCP_SYN, 1000, NULL, 0);
	add_tcp(KD_OUTSIDE, 5, client, server, KD_TCP_SYN | KD_TCP_ACK, 7000, NULL, 0);
	add_tcp(KD_INSIDE, 5, client, server, KD_TCP_ACK | KD_TCP_PSH, 1001, first, len);
	add_tcp(KD_OUTSIDE, 5, client, server, KD_TCP_ACK | KD_TCP_PSH, 7001, answer, sizeof(answer));
	add_tcp(KD_INSIDE, 5, client, server, KD_TCP_ACK | KD_TCP_PSH, 1001 + (uint32_t)len, answer,
		sizeof(answer));
}

static void make_frames(void)
{
	uint8_t *p;

	add_talk(40001, 443, hello, sizeof(hello));
	add_talk(40002, 80, get, sizeof(get) - 1);
	add_tcp(KD_OUTSIDE, 5, 22, 50000, KD_TCP_SYN, 1, NULL, 0); /* opened from the outside */
	add_udp(KD_INSIDE, 5, 40003, 443);
	add_udp(KD_OUTSIDE, 5, 40003, 443);
	p = add_ip4(KD_INSIDE, 5, 1, 8);
	p[0] = 8; /* ICMP echo */
	add_ip4(KD_INSIDE, 5, 47, 4);
	add_talk(40004, 443, hello, sizeof(hello));
	add_talk(40001, 443, hello, sizeof(hello)); /* again, while a residual may last */
	add_tcp(KD_INSIDE, 90000, 40001, 443, KD_TCP_ACK | KD_TCP_PSH, 2000, hello, sizeof(hello));
	add_udp(KD_INSIDE, 700000, 40003, 443);
}

#endif
