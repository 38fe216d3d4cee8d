/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Datagrams through an engine that redirects, bans, is overloaded and is switched: a byte of sizes, then five
 * bytes a packet say ends, ports, sums, how much of it the capture has, what the payload begins with and
 * which switch is thrown before it. Every packet gets one final action and bursts make no difference. What is
 * emitted has no byte changed; of what is rewritten only the address of the outside end and the sums are
 * others, right if they were: a question goes to the target, an answer comes from one that was asked so.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "engine/cursor.h"
#include "engine/engine.h"
#include "rulebook/policy.h"

#define WORD 5
#define PACKETS 96
#define FRAME (40 + 8 + 8)
#define BURST 16
#define KNOWN_NS 40000
#define TARGET 3 /* of the outside ends */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

struct packet {
	uint8_t frame[FRAME];
	uint32_t len, wire_len;
	uint64_t time_ns;
	uint8_t side;
	bool v6, summed;   /* its sums are right, or it has none of UDP */
	bool switches, on; /* before it */
	uint16_t rule;	   /* which; 0 = the box */
	bool rewritten;
};

/* What became of a packet. */
struct told {
	uint8_t frame[FRAME];
	uint16_t reason, rule;
	uint8_t fate;
};

static struct packet packets[PACKETS];
static unsigned int npackets;
static struct told told[2][PACKETS];
static struct kd_action actions[KD_OUT_ROOM(BURST)];
static struct kd_out out = {.actions = actions, .room = KD_OUT_ROOM(BURST)};

static struct kd_span ports[3] = {{53, 53}, {98, 98}, {99, 99}};
static struct kd_term terms[3];
static struct kd_rule rules[4];
static struct kd_policy policy = {.rules = rules, .terms = terms, .nrules = 3, .nterms = 3};

/* 10.0.0.1 and 2 are clients, 192.0.2.0 to 3 the outside, the last of them the target; likewise of IPv6. */
static void put_end(uint8_t *p, bool v6, bool outside, unsigned int which)
{
	if (!v6) {
		kd_put32(p, (outside ? 0xc0000200u : 0x0a000001u) + which);
		return;
	}
	memset(p, 0, 16);
	kd_put32(p, 0x20010db8u);
	p[15] = (uint8_t)((outside ? 0x10 : 1) + which);
}

static void add_rule(unsigned int i, const char *id, uint8_t mechanism)
{
	terms[i - 1] = (struct kd_term){.kind = KD_TERM_PORT,
		.of = KD_END_TO,
		.n = 1,
		.spans = &ports[i - 1],
		.on_true = KD_TERM_TRUE,
		.on_false = KD_TERM_FALSE};
	rules[i] = (struct kd_rule){.id = id,
		.phase = KD_PHASE_ADDRESSES,
		.first_term = (uint16_t)(i - 1),
		.mechanism = mechanism,
		.presence = UINT64_MAX,
		.residual_ns = 100000};
}

static void make_policy(void)
{
	uint8_t *to = rules[1].params;
	uint64_t known_ns = KNOWN_NS;

	add_rule(1, "redirects", KD_MECHANISM_redirect);
	rules[1].residual_ns = 0;
	to[10] = to[11] = 0xff;
	put_end(to + 12, false, true, TARGET);
	memcpy(rules[1].params + kd_mechanisms[KD_MECHANISM_redirect]->options[2].offset, &known_ns,
		sizeof(known_ns));
	add_rule(2, "bans-a-pair", KD_MECHANISM_drop);
	rules[2].residual_key = KD_RESIDUAL_PAIR;
	add_rule(3, "bans-for-all", KD_MECHANISM_drop);
	rules[3].residual_key = KD_RESIDUAL_ADDRESS;
	rules[3].residual_for = KD_FOR_EVERYONE;
	rules[3].publish_after_ns = 1000;
	for (unsigned int i = 1; i <= KD_PHASE_COUNT; i++)
		policy.phase_first[i] = 4;
	policy.phase_first[KD_PHASE_ADDRESSES] = 1;
	policy.box = (struct kd_box){.id = "box", .of = 1, .protocols = UINT64_MAX};
	policy.settings = (struct kd_settings){.idle_syn_ns = 300000,
		.idle_established_ns = 300000,
		.idle_udp_ns = 300000,
		.idle_other_ns = 300000,
		.inspect_pkts = 6,
		.fallback_pkts = 3,
		.frag_most = 5,
		.frag_lifetime_ns = 1000};
}

static struct kd_engine *engine(uint8_t sizes)
{
	struct kd_engine_config c = KD_ENGINE_CONFIG_DEFAULT;
	struct kd_engine *e = NULL;

	policy.settings.overload_pkts = (sizes & 1) != 0 ? 12 : 0;
	memset(rules[1].params + 16, 0, 16);
	if ((sizes & 4) == 0)
		put_end(rules[1].params + 16, true, true, TARGET);
	c.policy = &policy;
	c.flows4_max = c.flows6_max = 64; /* more than there are tuples */
	c.events_max = 256;
	c.held_max = 4;
	c.bans_max = 64;
	c.nat_max = (sizes & 2) != 0 ? 3 : 64;
	must(kd_engine_new(&e, &c) == 0);
	return e;
}

static uint16_t add_up(uint32_t sum, const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		sum += (uint32_t)p[i] << (i % 2 != 0 ? 0 : 8);
	while (sum >> 16 != 0)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

/* Of a datagram that is all there: 0xffff when its sum is right. */
static uint16_t udp_sum(const uint8_t *ip, bool v6)
{
	const uint8_t *udp = ip + (v6 ? 40 : 20);
	uint16_t len = kd_get16(udp + 4);

	return add_up(add_up(17u + len, ip + (v6 ? 8 : 12), v6 ? 32 : 8), udp, len);
}

static void put_ip(struct packet *p, unsigned int client, unsigned int server, uint16_t len)
{
	bool leaves = p->side == KD_INSIDE;
	uint8_t *ip = p->frame, *src = ip + (p->v6 ? 8 : 12), *dst = src + (p->v6 ? 16 : 4);

	put_end(leaves ? src : dst, p->v6, false, client);
	put_end(leaves ? dst : src, p->v6, true, server);
	if (p->v6) {
		ip[0] = 0x60;
		kd_put16(ip + 4, len);
		ip[6] = 17;
		ip[7] = 64;
		return;
	}
	ip[0] = 0x45;
	kd_put16(ip + 2, (uint16_t)(20 + len));
	ip[8] = 64;
	ip[9] = 17;
	kd_put16(ip + 10, (uint16_t)~add_up(0, ip, 20));
}

/* One packet: ends and side; ports; length, sum and cut; payload; time and switch. */
static void add(const uint8_t *w, uint64_t *now_ns)
{
	static const uint16_t services[4] = {53, 53, 98, 99};
	struct packet *p = &packets[npackets++];
	uint16_t client_port = (uint16_t)(40000 + (w[1] >> 2 & 1)), service = services[w[1] & 3], sum;
	uint32_t len = 8 + (w[2] & 7), head;
	uint8_t *udp;

	memset(p, 0, sizeof(*p));
	p->side = w[0] & 1;
	p->v6 = (w[0] & 2) != 0;
	head = p->v6 ? 40 : 20;
	udp = p->frame + head;
	put_ip(p, w[0] >> 4 & 1, w[0] >> 2 & 3, (uint16_t)len);
	kd_put16(udp, p->side == KD_INSIDE ? client_port : service);
	kd_put16(udp + 2, p->side == KD_INSIDE ? service : client_port);
	kd_put16(udp + 4, (uint16_t)len);
	udp[9] = w[3] & 3; /* of two bytes that tell answers apart */
	for (uint32_t i = 10; i < len; i++)
		udp[i] = (uint8_t)(w[3] * i);
	sum = (uint16_t)~udp_sum(p->frame, p->v6);
	p->summed = (w[2] & 0x18) != 0x18;
	if ((w[2] & 0x18) != 0x08)
		kd_put16(udp + 6, (uint16_t)(p->summed ? (sum != 0 ? sum : 0xffff) : sum + 1));
	p->wire_len = head + len;
	p->len = p->wire_len - (w[2] >> 5) * 2;
	p->switches = (w[4] & 0x80) != 0;
	p->on = (w[4] & 0x40) != 0;
	p->rule = w[4] >> 4 & 3;
	/* All packets of a time feel a switch of that time, so it comes behind the one before. */
	*now_ns += (uint64_t)(w[4] & 15) * (w[4] & 15) * 400 + p->switches;
	p->time_ns = *now_ns;
}

/* The rule saw a question from there to `asked` that it sent on, and an answer of now was known. */
static bool was_asked(const struct packet *p, const uint8_t *asked)
{
	size_t len = p->v6 ? 16 : 4, at = p->v6 ? 8 : 12, head = p->v6 ? 40 : 20;

	for (const struct packet *q = packets; q < p; q++)
		if (q->rewritten && q->side == KD_INSIDE && q->v6 == p->v6 &&
			p->time_ns - q->time_ns < KNOWN_NS &&
			memcmp(q->frame + at, p->frame + at + len, len) == 0 &&
			memcmp(q->frame + at + len, asked, len) == 0 &&
			memcmp(q->frame + head, p->frame + head + 2, 2) == 0)
			return true;
	return false;
}

static void check_rewritten(struct packet *p, const uint8_t *frame)
{
	size_t len = p->v6 ? 16 : 4, head = p->v6 ? 40 : 20;
	size_t at = (p->v6 ? 8 : 12) + (p->side == KD_INSIDE ? len : 0);
	uint8_t target[16], same[FRAME];

	put_end(target, p->v6, true, TARGET);
	if (p->side == KD_INSIDE)
		must(memcmp(frame + at, target, len) == 0);
	else
		must(memcmp(p->frame + at, target, len) == 0 && was_asked(p, frame + at));
	memcpy(same, frame, p->len);
	memcpy(same + at, p->frame + at, len);
	memcpy(same + head + 6, p->frame + head + 6, 2);
	if (!p->v6) {
		must(add_up(0, frame, 20) == 0xffff);
		memcpy(same + 10, p->frame + 10, 2);
	}
	must(memcmp(same, p->frame, p->len) == 0);
	must((kd_get16(frame + head + 6) == 0) == (kd_get16(p->frame + head + 6) == 0));
	if (p->summed && p->len == p->wire_len && kd_get16(frame + head + 6) != 0)
		must(udp_sum(frame, p->v6) == 0xffff);
	p->rewritten = true;
}

static void take_back(struct told *t, uint64_t from, unsigned int n)
{
	must(out.count == n);
	for (uint32_t i = 0; i < n; i++) {
		const struct kd_action *a = &actions[i];
		struct packet *p = &packets[from + i];
		struct told *one = &t[from + i];

		must(a->number == from + i + 1 && a->reason != KD_REASON_NONE && a->side != p->side);
		must(a->fate == KD_EMIT || a->fate == KD_REWRITE || a->fate == KD_DROP);
		must(a->len == p->len);
		if (a->fate == KD_EMIT)
			must(memcmp(a->data, p->frame, p->len) == 0);
		if (a->fate == KD_REWRITE)
			check_rewritten(p, a->data);
		memset(one, 0, sizeof(*one));
		if (a->fate == KD_REWRITE)
			memcpy(one->frame, a->data, p->len);
		one->reason = a->reason;
		one->rule = a->rule;
		one->fate = a->fate;
	}
}

static void run(struct kd_engine *e, struct told *t, unsigned int burst)
{
	struct kd_pkt pkt[BURST];

	for (unsigned int i = 0, n; i < npackets; i += n) {
		for (n = 0; n < burst && i + n < npackets; n++) {
			const struct packet *p = &packets[i + n];
			/* exactly as long, so that a sanitizer sees a byte too far */
			uint8_t *copy = malloc(p->len);

			must(copy != NULL);
			memcpy(copy, p->frame, p->len);
			pkt[n] = (struct kd_pkt){.data = copy,
				.len = p->len,
				.wire_len = p->wire_len,
				.side = p->side,
				.link = KD_LINK_RAW,
				.time_ns = p->time_ns,
				.number = i + n + 1};
			if (p->switches)
				must(kd_engine_bypass(e, p->rule, p->on, p->time_ns) == 0);
		}
		kd_engine_burst(e, pkt, n, &out);
		take_back(t, i, n);
		for (unsigned int k = 0; k < n; k++)
			free(pkt[k].data);
		must(kd_counters_unbalanced(kd_engine_counters(e)) == NULL);
	}
	while (kd_engine_finish(e) > 0)
		;
	must(kd_engine_counters(e)->flows_live == 0 && kd_engine_counters(e)->untracked == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct kd_engine *e;
	uint64_t now_ns = 1000000;

	if (size == 0)
		return 0;
	if (rules[1].id == NULL)
		make_policy();
	npackets = 0;
	for (size_t i = 1; i + WORD <= size && npackets < PACKETS; i += WORD)
		add(data + i, &now_ns);
	e = engine(data[0]);
	run(e, told[0], 1);
	kd_engine_reset(e);
	run(e, told[1], BURST);
	must(memcmp(told[0], told[1], npackets * sizeof(told[0][0])) == 0);
	kd_engine_free(e);
	return 0;
}
