/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fragments from a small alphabet, so that they meet: six bytes each say version, side, packet, offset,
 * length, TTL, how long after the one before, and how much of the frame there is. Every packet gets exactly
 * one final action, in order of time; never more are held than the bounds say; what leaves has no byte
 * changed but the TTL and the checksum; and in the end everything is given back. Each input goes through two
 * engines: one that never looks into fragments, and one that reads packets put together from them and drops
 * the flows of some.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "engine/cursor.h"
#include "engine/engine.h"
#include "rulebook/policy.h"

#define WORD 6
#define PACKETS 256
#define HELD 12
#define FRAME 128

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct sent {
	uint8_t *data, original[FRAME];
	uint32_t len;
	bool held, gone;
};

static struct sent sent[PACKETS];
static struct kd_action actions[KD_OUT_ROOM(1)];
static struct kd_out out = {.actions = actions, .room = KD_OUT_ROOM(1)};
static uint64_t left_ns; /* time of the last action */

static void must(bool holds)
{
	if (!holds)
		abort();
}

/* UDP whose payload is three bytes or longer. */
static struct kd_term term = {.kind = KD_TERM_LENGTH,
	.n = 1,
	.spans = (const struct kd_span[]){{3, 65535}},
	.on_true = KD_TERM_TRUE,
	.on_false = KD_TERM_FALSE};
static struct kd_rule rules[2] = {[1] = {.id = "some",
					  .phase = KD_PHASE_PROTOCOL,
					  .mechanism = KD_MECHANISM_drop,
					  .presence = UINT64_MAX,
					  .residual_ns = 500}};
static struct kd_knob inspect = {.name = "frag.inspect",
	.index = KD_KNOB_FRAG_INSPECT,
	.value_index = KD_FRAG_INSPECT_YES,
	.share = UINT64_MAX};
static struct kd_policy policy[2];

static struct kd_engine *engine(unsigned int inspects)
{
	struct kd_policy *p = &policy[inspects];
	struct kd_engine_config c = KD_ENGINE_CONFIG_DEFAULT;
	struct kd_engine *e;

	*p = (struct kd_policy){.rules = rules,
		.terms = &term,
		.nrules = 1,
		.nterms = 1,
		.knobs = &inspect,
		.nknobs = inspects};
	for (unsigned int i = 0; i <= KD_PHASE_COUNT; i++)
		p->phase_first[i] = i <= KD_PHASE_PROTOCOL ? 1 : 2;
	p->box = (struct kd_box){.id = "box", .of = 1, .protocols = UINT64_MAX};
	p->settings = (struct kd_settings){.idle_syn_ns = 60000000000,
		.idle_established_ns = 60000000000,
		.idle_udp_ns = 60000000000,
		.idle_other_ns = 60000000000,
		.inspect_pkts = 20,
		.fallback_pkts = 3,
		.frag_most = 5,
		.frag_lifetime_ns = 1000};
	c.policy = p;
	c.flows4_max = c.flows6_max = 64;
	c.events_max = 1024;
	c.held_max = HELD;
	must(kd_engine_new(&e, &c) == 0);
	return e;
}

/* Two thirds of a header's bytes are fixed; the rest is what `w` says. */
static uint32_t build(uint8_t *frame, const uint8_t *w)
{
	bool v6 = (w[0] & 1) != 0, last = (w[0] & 4) != 0;
	uint32_t from = w[2] & 7, len = (w[3] & 3) * 8 + ((w[3] & 0x1c) == 0 ? w[3] >> 5 : 0);
	uint8_t *ip = frame + 14;

	memset(frame, 0, FRAME);
	kd_put16(frame + 12, v6 ? 0x86dd : 0x0800);
	if (v6) {
		ip[0] = 0x60;
		kd_put16(ip + 4, (uint16_t)(8 + len));
		ip[6] = 44;
		ip[7] = w[4] & 3;
		ip[40] = 17;
		kd_put16(ip + 42, (uint16_t)(from * 8 | !last));
		kd_put32(ip + 44, w[1] & 3);
	} else {
		ip[0] = 0x45;
		kd_put16(ip + 2, (uint16_t)(20 + len));
		kd_put16(ip + 4, w[1] & 3);
		kd_put16(ip + 6, (uint16_t)(from | (last ? 0u : 0x2000u)));
		ip[8] = w[4] & 3;
		ip[9] = 17;
	}
	/* What the first fragment begins with says how long the datagram is. */
	if (from == 0 && len >= 8)
		frame[14 + (v6 ? 48 : 20) + 5] = (uint8_t)(8 + (w[1] >> 2));
	return 14 + (v6 ? 48 : 20) + len;
}

static void take_back(void)
{
	must(out.count <= out.room);
	for (uint32_t i = 0; i < out.count; i++) {
		const struct kd_action *a = &actions[i];
		struct sent *s = a->handle;
		uint32_t ttl = 14 + (s->original[12] == 8 ? 8 : 7);

		must(a->number == (uint64_t)(s - sent) + 1 && !s->gone && a->fate != KD_INJECT);
		must(a->fate == KD_HOLD || a->time_ns >= left_ns);
		must(a->n == (s->held ? 1 : 0));
		if (a->fate == KD_HOLD) {
			s->held = true;
			continue;
		}
		left_ns = a->time_ns;
		must(a->len == s->len && a->data == s->data);
		s->gone = true;
		if (a->fate == KD_REWRITE) {
			must(s->data[ttl] != s->original[ttl]);
			s->original[ttl] = s->data[ttl];
			if (s->original[12] == 8)
				memcpy(s->original + 24, s->data + 24, 2);
		}
		must(memcmp(s->data, s->original, s->len) == 0);
	}
}

static void run(struct kd_engine *e, const uint8_t *data, size_t size)
{
	const struct kd_counters *c = kd_engine_counters(e);
	uint64_t now_ns = left_ns = 1000000;
	unsigned int n = 0;

	kd_engine_reset(e);
	memset(sent, 0, sizeof(sent));
	for (; size >= WORD && n < PACKETS; data += WORD, size -= WORD, n++) {
		struct sent *s = &sent[n];
		struct kd_pkt pkt;
		uint32_t whole = build(s->original, data);

		s->len = (data[5] & 0x40) != 0 && (data[5] & 0x3f) < whole ? data[5] & 0x3f : whole;
		s->data = malloc(s->len > 0 ? s->len : 1);
		must(s->data != NULL);
		memcpy(s->data, s->original, s->len);
		now_ns += (data[4] >> 2) * (data[4] >> 2);
		pkt = (struct kd_pkt){.data = s->data,
			.len = s->len,
			.wire_len = (data[5] & 0x80) != 0 ? whole : s->len,
			.side = data[0] >> 1 & 1,
			.time_ns = now_ns,
			.number = n + 1,
			.handle = s};
		kd_engine_burst(e, &pkt, 1, &out);
		take_back();
		must(c->held <= HELD && kd_counters_unbalanced(c) == NULL);
	}
	kd_engine_release(e, &out);
	take_back();
	must(c->held == 0 && kd_counters_unbalanced(c) == NULL);
	while (kd_engine_finish(e) > 0)
		;
	for (unsigned int i = 0; i < n; i++) {
		must(sent[i].gone);
		free(sent[i].data);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct kd_engine *e[2];

	for (unsigned int i = 0; i < 2; i++) {
		if (e[i] == NULL)
			e[i] = engine(i);
		run(e[i], data, size);
	}
	return 0;
}
