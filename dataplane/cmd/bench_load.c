/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Packets of N flows for the benchmark, all in benchmarking space (RFC 2544, RFC 5180), which the guard
 * leaves unlimited. A flow is its index: addresses and ports are computed, nothing is stored, so drawing
 * costs no cache but the frame's own line.
 */
#include "cmd/bench.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "engine/engine.h"
#include "engine/rng.h"

#define ETH 14
#define TCP 20
#define UDP 8
#define PORT_HTTPS 443
#define PORT_DNS 53

static void put16(uint8_t *p, unsigned int v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static uint64_t next(struct kd_bench_source *s)
{
	s->random += 0x9e3779b97f4a7c15ull;
	return kd_mix(s->random, s->random >> 32);
}

static uint32_t headers_len(const struct kd_bench_source *s)
{
	return ETH + (s->v6 ? 40 : 20) + (s->app == KD_BENCH_DNS ? UDP : TCP);
}

/* Headers that all flows share: Ethernet, IP, UDP or TCP with ACK, addresses and ports still empty. */
static void headers(const struct kd_bench_source *s, uint8_t *h, uint32_t len)
{
	bool v6 = s->v6, udp = s->app == KD_BENCH_DNS;
	uint8_t *ip = h + ETH, *l4 = ip + (v6 ? 40 : 20);

	memset(h, 0, headers_len(s));
	h[0] = h[6] = 2;
	h[11] = 1;
	put16(h + 12, v6 ? 0x86dd : 0x0800);
	ip[0] = v6 ? 0x60 : 0x45;
	put16(ip + (v6 ? 4 : 2), len - ETH - (v6 ? 40 : 0));
	ip[v6 ? 6 : 9] = udp ? 17 : 6;
	ip[v6 ? 7 : 8] = 64;
	if (udp) {
		put16(l4 + 4, len - (uint32_t)(l4 - h));
		return;
	}
	l4[12] = 0x50;
	l4[13] = 0x18; /* PSH, ACK */
}

/* 198.19.a.b -> 198.18.128.0/17, or 2001:2:0:1::/64 -> 2001:2:0:2::/64: nothing a tag of the lab covers. The
 * low 16 bits of the index are the inside host, the rest its port; the outside host is scattered. */
static inline void address(const struct kd_bench_source *s, uint8_t *frame, uint32_t index, unsigned int from)
{
	bool v6 = s->v6;
	uint8_t *ip = frame + ETH, *ports = ip + (v6 ? 40 : 20);
	unsigned int inside = from == KD_INSIDE ? 0 : 1;
	unsigned int server = index * 0x9e3779b1u >> 16;

	if (v6) {
		uint8_t *a = ip + 8 + 16 * inside, *b = ip + 8 + 16 * (inside ^ 1);

		memset(ip + 8, 0, 32);
		a[0] = b[0] = 0x20;
		a[1] = b[1] = 0x01;
		a[3] = b[3] = 2;
		a[7] = 1;
		b[7] = 2;
		put16(a + 14, index & 0xffff);
		put16(b + 14, server);
	} else {
		uint8_t *a = ip + 12 + 4 * inside, *b = ip + 12 + 4 * (inside ^ 1);

		a[0] = b[0] = 198;
		a[1] = 19;
		b[1] = 18;
		put16(a + 2, index & 0xffff);
		put16(b + 2, server | 0x8000);
		if (from == KD_OUTSIDE && s->answers_from != NULL)
			memcpy(b, s->answers_from, 4);
	}
	put16(ports + 2 * inside, 1024 + (index >> 16));
	put16(ports + 2 * (inside ^ 1), s->app == KD_BENCH_DNS ? PORT_DNS : PORT_HTTPS);
}

/* A ClientHello of RFC 8446 4.1.2 with one extension, server_name (RFC 6066 3). */
static uint32_t hello_payload(uint8_t *p, const char *name)
{
	uint32_t name_len = (uint32_t)strlen(name), extensions = 9 + name_len;
	uint32_t body = 2 + 32 + 1 + 4 + 2 + 2 + extensions;
	uint8_t *e = p + 9 + 2 + 32 + 1 + 4 + 2;

	memset(p, 0, 9 + body);
	p[0] = 22;
	p[1] = 3;
	p[2] = 1;
	put16(p + 3, 4 + body);
	p[5] = 1;
	put16(p + 7, body);
	p[9] = p[10] = 3;
	put16(p + 9 + 35, 2); /* one cipher suite */
	put16(p + 9 + 37, 0x1301);
	p[9 + 39] = 1; /* no compression */
	put16(e, extensions);
	put16(e + 4, 5 + name_len);
	put16(e + 6, 3 + name_len);
	put16(e + 9, name_len);
	memcpy(e + 11, name, name_len);
	return 9 + body;
}

/* A query for the address of `name` (RFC 1035 4.1). */
static uint32_t query_payload(uint8_t *p, const char *name)
{
	uint8_t *at = p + 12;

	memset(p, 0, 12);
	put16(p, 0x4b64);
	p[2] = 1; /* recursion desired */
	put16(p + 4, 1);
	for (;;) {
		size_t len = strcspn(name, ".");

		*at++ = (uint8_t)len;
		memcpy(at, name, len);
		at += len;
		if (name[len] == '\0')
			break;
		name += len + 1;
	}
	*at++ = 0;
	put16(at, 1);
	put16(at + 2, 1);
	return (uint32_t)(at + 4 - p);
}

void kd_bench_speak(struct kd_bench_source *s, enum kd_bench_app app, const char *name)
{
	uint32_t before, least;

	s->app = app;
	before = headers_len(s);
	s->hello_len =
		before + (app == KD_BENCH_DNS ? query_payload : hello_payload)(s->hello + before, name);
	headers(s, s->hello, s->hello_len);
	least = app == KD_BENCH_DNS ? s->hello_len : before + 4;
	s->load.len = s->frame_len < least ? least : s->frame_len;
	memset(s->plain, 0, sizeof(s->plain));
	headers(s, s->plain, app == KD_BENCH_TLS_ACKS ? before : s->load.len);
	if (app == KD_BENCH_DNS)
		memcpy(s->plain + before, s->hello + before, s->hello_len - before);
}

/* Buffers for the load, as far apart as a NIC's, in shuffled order. */
static int make_frames(struct kd_bench_source *s)
{
	size_t bytes = (size_t)KD_BENCH_FRAMES * KD_BENCH_STRIDE;

	s->touched = calloc(s->flows / 64 + 1, sizeof(*s->touched));
	if (posix_memalign((void **)&s->memory, 2u << 20, bytes) != 0)
		s->memory = NULL;
	if (s->touched == NULL || s->memory == NULL)
		return -ENOMEM;
	madvise(s->memory, bytes, MADV_HUGEPAGE); /* as buffers of a NIC are; may be refused */
	memset(s->memory, 0, bytes);
	for (uint32_t i = 0; i < KD_BENCH_FRAMES; i++) {
		uint32_t j = (uint32_t)(next(s) % (i + 1));

		s->frame[i] = s->frame[j];
		s->frame[j] = s->memory + (size_t)i * KD_BENCH_STRIDE;
	}
	return 0;
}

int kd_bench_source_init(struct kd_bench_source *s, uint32_t flows, bool v6, uint32_t frame_len,
	const char *name, uint64_t seed)
{
	memset(s, 0, sizeof(*s));
	if (strlen(name) > 255 || frame_len > sizeof(s->plain))
		return -EINVAL;
	s->flows = flows;
	s->v6 = v6;
	s->random = seed;
	s->frame_len = frame_len;
	s->load = (struct kd_bench_load){.frame = s->frame, .n = KD_BENCH_FRAMES};
	if (frame_len > 0 && make_frames(s) < 0) {
		kd_bench_source_free(s);
		return -ENOMEM;
	}
	kd_bench_speak(s, KD_BENCH_TLS, name);
	return 0;
}

void kd_bench_source_free(struct kd_bench_source *s)
{
	free(s->memory);
	free(s->touched);
	s->memory = NULL;
	s->touched = NULL;
}

uint32_t kd_bench_hello(const struct kd_bench_source *s, uint32_t index, uint8_t *buf)
{
	memcpy(buf, s->hello, s->hello_len);
	address(s, buf, index, KD_INSIDE);
	return s->hello_len;
}

uint32_t kd_bench_plain(const struct kd_bench_source *s, uint32_t index, unsigned int from, uint8_t *buf)
{
	memcpy(buf, s->plain, s->load.len);
	address(s, buf, index, from);
	return s->load.len;
}

void kd_bench_draw(struct kd_bench_source *s, bool touch)
{
	for (uint32_t i = 0; i < s->load.n; i++) {
		uint32_t index = (uint32_t)((next(s) >> 32) * s->flows >> 32);

		kd_bench_plain(s, index, i / KD_BENCH_BURST & 1, s->frame[i]);
		if (touch)
			s->touched[index / 64] |= 1ull << index % 64;
	}
}

uint32_t kd_bench_distinct(const struct kd_bench_source *s)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i <= s->flows / 64; i++)
		n += (uint32_t)__builtin_popcountll(s->touched[i]);
	return n;
}
