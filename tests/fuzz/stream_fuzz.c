/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A TCP stream through the whole engine: eight bytes set the knobs, then segments of two connections, of a
 * ClientHello for a listed name in one and two records or of bytes of the input, anywhere in the sequence
 * space, cut by the capture or not, with SYN, FIN, RST and time in between. Every packet gets one final
 * action, what is emitted has no byte changed, bursts make no difference, and in the end nothing is gathered.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "engine/cursor.h"
#include "engine/internal.h"
#include "rulebook/policy.h"

#define KNOB_BYTES 8
#define PACKETS 64
#define FRAME (54 + 256)
#define ISN 0xffffffc0u /* so that numbers wrap */
#define BURST 16

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

/* The hello of few_packets.h with a longer name, and the same in two records cut inside the name. */
static const uint8_t hello[] = {0x16, 3, 1, 0, 70, 1, 0, 0, 66, 3, 3, [45] = 2, 0x13, 1, 1, [51] = 23, 0, 0,
	0, 19, 0, 17, 0, 0, 14, 'l', 'i', 's', 't', 'e', 'd', '.', 'e', 'x', 'a', 'm', 'p', 'l', 'e'};
static uint8_t records[sizeof(hello) + 5];

struct packet {
	uint8_t frame[FRAME];
	uint32_t len, wire_len;
	uint64_t time_ns;
	uint8_t side;
};

/* What became of a packet, or what was injected for it. */
struct told {
	uint64_t number;
	uint32_t len;
	uint16_t reason, rule;
	uint8_t fate, side;
};

struct run {
	struct told told[PACKETS * KD_ACTIONS_PER_PKT];
	unsigned int n;
};

static struct packet packets[PACKETS];
static unsigned int npackets;
static struct kd_action actions[KD_OUT_ROOM(BURST)];
static struct kd_out out = {.actions = actions, .room = KD_OUT_ROOM(BURST)};

static struct kd_rule rules[2];
static struct kd_term term = {
	.kind = KD_TERM_NAME, .set = 1, .on_true = KD_TERM_TRUE, .on_false = KD_TERM_FALSE};
static struct kd_knob knobs[KD_KNOB_COUNT];
static struct kd_policy policy = {
	.rules = rules, .terms = &term, .nrules = 1, .nterms = 1, .knobs = knobs, .nknobs = KD_KNOB_COUNT};

static void make_policy(void)
{
	struct kd_names_builder *b = kd_names_builder_new();

	must(b != NULL && kd_names_add(b, "listed.example", 14, KD_NAME_SELF, 1) == 0);
	must(kd_names_build(&policy.names, b) == 0);
	term.mask = 1u << KD_PROTOCOL_tls;
	rules[1] = (struct kd_rule){.id = "listed",
		.phase = KD_PHASE_NAMES_BLOCKED,
		.mechanism = KD_MECHANISM_reset,
		.presence = UINT64_MAX,
		.residual_ns = 1000000000};
	for (unsigned int i = 0; i <= KD_PHASE_COUNT; i++)
		policy.phase_first[i] = i <= KD_PHASE_NAMES_BLOCKED ? 1 : 2;
	policy.box = (struct kd_box){.id = "box", .of = 1, .protocols = UINT64_MAX};
	policy.settings = (struct kd_settings){.idle_syn_ns = 60000000000,
		.idle_established_ns = 60000000000,
		.idle_tcp_ns = 60000000000,
		.idle_udp_ns = 60000000000,
		.idle_other_ns = 60000000000,
		.inspect_pkts = 6,
		.later_pkts = 3,
		.give_up_bytes = 101,
		.fallback_pkts = 3,
		.frag_most = 5,
		.frag_lifetime_ns = 1000,
		.stream_depth = 200,
		.stream_timeout_ns = 10000000,
		.fake_ttl_slack = 30,
		.fake_near = 100,
		.fake_ahead = 1000};
	memcpy(records, hello, 60);
	kd_put16(records + 3, 55);
	memcpy(records + 60, hello, 3);
	kd_put16(records + 63, sizeof(hello) - 60);
	memcpy(records + 65, hello + 60, sizeof(hello) - 60);
}

/* Two bits of the input a knob, so that a knob more leaves the meaning of a corpus alone. */
static void set_knobs(const uint8_t *w)
{
	for (unsigned int i = 0; i < KD_KNOB_COUNT; i++) {
		unsigned int values = 1, value = w[i % KNOB_BYTES] >> i / KNOB_BYTES * 2 & 3;

		for (const char *p = kd_knob_rows[i].values; *p != '\0'; p++)
			values += *p == '|';
		knobs[i] = (struct kd_knob){.name = kd_knob_rows[i].name,
			.index = (uint8_t)i,
			.value_index = (uint8_t)(value % values),
			.share = UINT64_MAX};
	}
}

static struct kd_engine *engine(void)
{
	struct kd_engine_config c = KD_ENGINE_CONFIG_DEFAULT;
	struct kd_engine *e = NULL;

	c.policy = &policy;
	c.flows4_max = c.flows6_max = 4;
	c.events_max = 256;
	c.held_max = 4;
	c.gathers_max = 2; /* of four sides */
	must(kd_engine_new(&e, &c) == 0);
	return e;
}

/* One segment: what and which connection, where, how long, when; behind it its bytes if they are its own. */
static void add(struct kd_cur *c, uint64_t *now_ns)
{
	static const uint8_t flags[4] = {KD_TCP_ACK, KD_TCP_SYN, KD_TCP_RST, KD_TCP_FIN | KD_TCP_ACK};
	uint8_t what = kd_cur_u8(c), at = kd_cur_u8(c), len = kd_cur_u8(c), later = kd_cur_u8(c);
	struct packet *p = &packets[npackets];
	const uint8_t *from = NULL;
	uint8_t *ip = p->frame + 14, *tcp = ip + 20;
	bool outside = (what & 1) != 0;
	unsigned int source = what >> 2 & 3, room = source == 0 ? sizeof(hello) : sizeof(records);

	memset(p, 0, sizeof(*p));
	if (source < 2 && at < room)
		from = (source == 0 ? hello : records) + at;
	if (from != NULL)
		len = len < room - at ? len : (uint8_t)(room - at);
	else
		from = kd_cur_take(c, len);
	if (c->bad)
		return;
	kd_put16(p->frame + 12, 0x0800);
	ip[0] = 0x45;
	kd_put16(ip + 2, (uint16_t)(40 + len));
	ip[8] = 64;
	ip[9] = KD_PROTO_TCP;
	kd_put32(ip + 12, outside ? 0xcb00710au : 0xc6120002u);
	kd_put32(ip + 16, outside ? 0xc6120002u : 0xcb00710au);
	kd_put16(tcp + (outside ? 2 : 0), (uint16_t)(40000 + (what >> 1 & 1)));
	kd_put16(tcp + (outside ? 0 : 2), 443);
	kd_put32(tcp + 4, ISN + 1 + (source == 3 ? (uint32_t)((int8_t)at * 64) : at));
	tcp[12] = 5 << 4;
	tcp[13] = flags[what >> 4 & 3];
	if ((tcp[13] & KD_TCP_SYN) != 0)
		kd_put32(tcp + 4, ISN + (at >> 7));
	if (len != 0)
		memcpy(tcp + 20, from, len);
	*now_ns += (uint64_t)later * later * 1000;
	p->side = outside;
	p->time_ns = *now_ns;
	p->wire_len = 54u + len;
	p->len = (what & 0x40) != 0 && len != 0 ? p->wire_len - 1 : p->wire_len;
	npackets++;
}

static void take_back(struct run *r)
{
	must(out.count <= out.room);
	for (uint32_t i = 0; i < out.count; i++) {
		const struct kd_action *a = &actions[i];
		struct told *t = &r->told[r->n++];

		must(r->n < sizeof(r->told) / sizeof(r->told[0]) && a->number >= 1 && a->number <= npackets);
		must(a->reason != KD_REASON_NONE && a->fate != KD_HOLD);
		if (a->fate == KD_EMIT)
			must(a->len == packets[a->number - 1].len &&
				memcmp(a->data, packets[a->number - 1].frame, a->len) == 0);
		memset(t, 0, sizeof(*t));
		t->number = a->number;
		t->len = a->len;
		t->reason = a->reason;
		t->rule = a->rule;
		t->fate = a->fate;
		t->side = a->side;
	}
}

static void run(struct kd_engine *e, struct run *r, unsigned int burst)
{
	static uint8_t frames[BURST][FRAME + 64];
	struct kd_pkt pkt[BURST];
	unsigned int final = 0;

	r->n = 0;
	for (unsigned int i = 0, n; i < npackets; i += n) {
		for (n = 0; n < burst && i + n < npackets; n++) {
			const struct packet *p = &packets[i + n];

			memcpy(frames[n], p->frame, p->len);
			pkt[n] = (struct kd_pkt){.data = frames[n],
				.len = p->len,
				.wire_len = p->wire_len,
				.tailroom = 64,
				.side = p->side,
				.time_ns = p->time_ns,
				.number = i + n + 1,
				.handle = frames[n]};
		}
		kd_engine_burst(e, pkt, n, &out);
		take_back(r);
		must(kd_counters_unbalanced(kd_engine_counters(e)) == NULL);
	}
	for (unsigned int i = 0; i < r->n; i++)
		final += r->told[i].fate != KD_INJECT;
	must(final == npackets);
	while (kd_engine_finish(e) > 0)
		;
	must(kd_gather_oldest(&e->gathers) == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct run one, many;
	struct kd_cur c = kd_cur(data + KNOB_BYTES, size < KNOB_BYTES ? 0 : size - KNOB_BYTES);
	struct kd_engine *e;
	uint64_t now_ns = 1000000;

	if (size < KNOB_BYTES)
		return 0;
	if (policy.names == NULL)
		make_policy();
	set_knobs(data);
	npackets = 0;
	while (npackets < PACKETS && kd_cur_left(&c) >= 4 && !c.bad)
		add(&c, &now_ns);
	e = engine();
	run(e, &one, 1);
	kd_engine_reset(e);
	run(e, &many, BURST);
	must(one.n == many.n && memcmp(one.told, many.told, one.n * sizeof(one.told[0])) == 0);
	kd_engine_free(e);
	return 0;
}
