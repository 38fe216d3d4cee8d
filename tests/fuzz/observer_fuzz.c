/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Packets of one flow for an observer: eight bytes each say side, TCP flags, options, where in the sequence,
 * how much payload of a fixed hello from which byte, TTL, urgent pointer, and whether it comes as two
 * fragments. No crash; no action, at most one record a flow, and the spots it names exist.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "engine/cursor.h"
#include "engine/engine.h"
#include "engine/spot.h"
#include "rulebook/policy.h"

#define WORD 8
#define PACKETS 128
#define PAYLOAD 200
#define FRAME (20 + 20 + 40 + PAYLOAD)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

/* Any ClientHello is reset. */
static struct kd_engine *engine(void)
{
	static struct kd_rule rules[2];
	static struct kd_term term = {.kind = KD_TERM_PROTOCOL,
		.mask = 1u << KD_PROTOCOL_tls,
		.on_true = KD_TERM_TRUE,
		.on_false = KD_TERM_FALSE};
	static const struct kd_endpoint endpoint = {.hops = 8};
	static struct kd_policy policy = {.rules = rules, .terms = &term, .nrules = 1, .nterms = 1};
	static struct kd_engine *e;
	struct kd_engine_config c = KD_ENGINE_CONFIG_DEFAULT;

	if (e != NULL)
		return e;
	rules[1] = (struct kd_rule){.id = "tls",
		.phase = KD_PHASE_NAMES_BLOCKED,
		.mechanism = KD_MECHANISM_reset,
		.presence = UINT64_MAX};
	for (unsigned int i = 0; i <= KD_PHASE_COUNT; i++)
		policy.phase_first[i] = i <= KD_PHASE_NAMES_BLOCKED ? 1 : 2;
	policy.box = (struct kd_box){.id = "box", .of = 1, .protocols = UINT64_MAX};
	policy.settings = (struct kd_settings){.idle_syn_ns = 60000000000,
		.idle_established_ns = 60000000000,
		.idle_udp_ns = 60000000000,
		.idle_other_ns = 60000000000,
		.inspect_pkts = 20,
		.stream_depth = 16000,
		.stream_timeout_ns = 1000,
		.fallback_pkts = 3,
		.frag_most = 45,
		.fake_ttl_slack = 30,
		.fake_near = 4096,
		.fake_ahead = 64000,
		.frag_lifetime_ns = 1000};
	c.policy = &policy;
	c.endpoint = &endpoint;
	c.flows4_max = c.flows6_max = 16;
	c.gathers_max = 2;
	c.events_max = 256;
	must(kd_engine_new(&e, &c) == 0);
	return e;
}

/* The smallest ClientHello, and what follows it. */
static void put_hello(uint8_t *p)
{
	memset(p, 0, PAYLOAD);
	p[0] = 0x16;
	p[1] = 3;
	kd_put16(p + 3, 47);
	p[5] = 1;
	kd_put16(p + 7, 43);
	kd_put16(p + 9, 0x0303);
	kd_put16(p + 44, 2);
	p[48] = 1;
}

static size_t put_options(uint8_t *p, uint8_t which, uint8_t stamp)
{
	memset(p, 1, 40);
	if ((which & 3) == 1) {
		p[0] = 8;
		p[1] = (which & 4) != 0 ? stamp : 10;
		kd_put32(p + 2, stamp);
		return 12;
	}
	if ((which & 3) == 2) {
		p[0] = 19;
		p[1] = (which & 4) != 0 ? stamp : 18;
		return 20;
	}
	return (which & 3) == 3 ? 40 : 0;
}

static uint32_t build(uint8_t *frame, const uint8_t *w, const uint8_t *hello)
{
	uint32_t at = w[3] % 60, len = w[4] % (PAYLOAD - 60);
	uint8_t *tcp = frame + 20;
	size_t options = put_options(tcp + 20, w[1] >> 2, w[7]);
	bool inside = (w[0] & 1) == 0;

	memset(frame, 0, 40);
	frame[0] = 0x45;
	kd_put16(frame + 2, (uint16_t)(40 + options + len));
	frame[8] = w[5];
	frame[9] = (w[0] & 2) != 0 && (w[0] & 4) != 0 ? 17 : 6;
	kd_put32(frame + 12, inside ? 0xc6120002 : 0xcb00710a);
	kd_put32(frame + 16, inside ? 0xcb00710a : 0xc6120002);
	kd_put16(tcp, inside ? 40000 : 443);
	kd_put16(tcp + 2, inside ? 443 : 40000);
	kd_put32(tcp + 4, 1000u + at + ((uint32_t)(int8_t)w[6] << (w[0] >> 4)));
	tcp[12] = (uint8_t)((5 + options / 4) << 4);
	tcp[13] = w[2];
	kd_put16(tcp + 18, w[7]);
	memcpy(tcp + 20 + options, hello + at, len);
	return (uint32_t)(40 + options + len);
}

static void give(struct kd_engine *e, uint8_t *frame, uint32_t len, const uint8_t *w, uint64_t time_ns)
{
	/* exactly as long, so that a sanitizer sees a byte too far */
	uint8_t *copy = malloc(len);
	struct kd_out out = {.actions = NULL};
	struct kd_pkt pkt = {.data = copy,
		.len = len,
		.wire_len = len,
		.side = w[0] & 1,
		.link = KD_LINK_RAW,
		.flags = w[1] == 0xff ? KD_PKT_SUMS_JUDGED | KD_PKT_WRONG_SUM : KD_PKT_SUMS_JUDGED,
		.time_ns = time_ns,
		.number = 1};

	must(copy != NULL);
	memcpy(copy, frame, len);
	kd_engine_burst(e, &pkt, 1, &out);
	must(out.count == 0);
	free(copy);
}

/* Two fragments, cut at a multiple of eight; they may overlap. */
static void give_cut(struct kd_engine *e, uint8_t *frame, uint32_t len, const uint8_t *w, uint64_t time_ns)
{
	uint32_t cut = 20 + (w[7] & 0x18) + 8, back = (w[1] & 1) * 8;
	uint8_t rest[FRAME];

	if (cut >= len)
		cut = 28;
	memcpy(rest, frame, 20);
	memcpy(rest + 20, frame + cut - back, len - cut + back);
	kd_put16(rest + 2, (uint16_t)(20 + len - cut + back));
	kd_put16(rest + 6, (uint16_t)((cut - 20 - back) / 8));
	kd_put16(frame + 2, (uint16_t)cut);
	kd_put16(frame + 6, 0x2000);
	give(e, frame, cut, w, time_ns);
	give(e, rest, 20 + len - cut + back, w, time_ns);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct kd_engine *e = engine();
	uint8_t hello[PAYLOAD], frame[FRAME];
	struct kd_event events[64];
	uint64_t time_ns = 1;
	unsigned int n;

	put_hello(hello);
	for (size_t i = 0; i + WORD <= size && i / WORD < PACKETS; i += WORD) {
		const uint8_t *w = data + i;
		uint32_t len = build(frame, w, hello);

		time_ns += (uint64_t)w[3] << (w[1] >> 6) * 8;
		if ((w[0] & 8) != 0)
			give_cut(e, frame, len, w, time_ns);
		else
			give(e, frame, len, w, time_ns);
	}
	while (kd_engine_finish(e) > 0)
		;
	while ((n = kd_engine_events(e, events, 64)) > 0)
		for (unsigned int i = 0; i < n; i++)
			must(events[i].type == KD_EVENT_UNSEEN && events[i].rule == 1 &&
				events[i].spots >> KD_SPOT_COUNT == 0);
	must(kd_engine_counters(e)->events_lost == 0 && kd_engine_counters(e)->flows_live == 0);
	kd_engine_reset(e);
	return 0;
}
