/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which knob takes which blind spot away, and what is left of what an observer saw once a box has said what
 * it can. Knobs are looked up by name: one that this build does not have takes nothing away, unless boxes
 * without it are known to see.
 */
#include "engine/spot.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/internal.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

const struct kd_spot_row kd_spots[KD_SPOT_COUNT] = {
#define X(symbol, name, sentence) {name, sentence},
	KD_SPOTS(X)
#undef X
};

/* Of bytes that come twice Linux keeps those it has acknowledged or queued (tcp_data_queue: "first"); IDs,
 * lengths of names and such overlaps are no reason for it to throw anything away. A name's last dot, and a
 * segment that comes again, are looked at apart (observe*.c). */
const struct kd_spot_knob kd_spot_endpoint[] = {
	{"tcp.reassemble", "any-order"},
	{"tcp.overlap", "first"},
	{"tcp.retransmit", "read"},
	{"tls.join_records", "stream"},
	{"tls.parser_2021", "off"},
	{"tls.padded_hello", "unparsed"},
	{"http.requests", "all"},
	{"names.case", "ignored"},
	{"names.trailing_dot", "exact"},
	{"flow.remote_syn", "ignored"},
	{"flow.fin_rst", "ignored"},
	{"flow.clean_hello", "looks_on"},
	{"flow.new_syn", "keeps"},
	{"flow.icmp_errors", "pass"},
	{"fake.checksum", "ignore"},
	{"fake.ttl", "ignore"},
	{"fake.sequence", "ignore"},
	{"fake.past_sequence", "ignore"},
	{"fake.md5", "ignore"},
	{"fake.timestamp", "ignore"},
	{"fake.urgent", "ignore"},
	{"fake.syn_data", "ignore"},
	{"fake.low_ttl_end", "ignore"},
	{NULL, NULL},
};

/* With one of these values the knob takes the spot away; several rows of a spot: any of them. */
static const struct {
	uint64_t spot;
	const char *knob, *values;
	bool if_absent;
} cures[] = {
	{KD_SPOT_BIT(SEGMENTS), "tcp.reassemble", "in-order|any-order", false},
	{KD_SPOT_BIT(ORDER), "tcp.reassemble", "any-order", false},
	{KD_SPOT_BIT(OVERLAP), "tcp.overlap", "first", false},
	{KD_SPOT_BIT(AGAIN), "tcp.retransmit", "read", false},
	{KD_SPOT_BIT(RECORDS), "tls.join_records", "within_segment|stream", false},
	{KD_SPOT_BIT(RECORDS_APART), "tls.join_records", "stream", false},
	{KD_SPOT_BIT(FRAGMENTS), "frag.inspect", "yes", false},
	{KD_SPOT_BIT(TRAILING_DOT), "names.trailing_dot", "ignored", false},
	{KD_SPOT_BIT(NAME_CASE), "names.case", "ignored", true},
	{KD_SPOT_BIT(AFTER_REQUEST), "http.requests", "all", false},
	{KD_SPOT_BIT(AFTER_HELLO), "flow.clean_hello", "looks_on", false},
	{KD_SPOT_BIT(AFTER_HELLO), "tls.parser_2021", "on", false},
	{KD_SPOT_BIT(DECOY_CHECKSUM), "fake.checksum", "ignore|punish", false},
	{KD_SPOT_BIT(DECOY_TTL), "fake.ttl", "ignore|punish", false},
	{KD_SPOT_BIT(DECOY_SEQUENCE), "fake.sequence", "ignore|punish", false},
	{KD_SPOT_BIT(DECOY_PAST), "fake.past_sequence", "ignore|punish", false},
	{KD_SPOT_BIT(DECOY_MD5), "fake.md5", "ignore|punish", false},
	{KD_SPOT_BIT(DECOY_TIMESTAMP), "fake.timestamp", "ignore|punish", false},
	{KD_SPOT_BIT(DECOY_URGENT), "fake.urgent", "ignore|punish", false},
	{KD_SPOT_BIT(DECOY_SYN_DATA), "fake.syn_data", "ignore|punish", false},
	{KD_SPOT_BIT(DECOY_END), "fake.low_ttl_end", "ignore|punish", false},
	{KD_SPOT_BIT(DECOY_END), "flow.fin_rst", "ignored", true},
};

_Static_assert(COUNT(cures) <= KD_CURES_MAX, "struct kd_cures");

/* What only says more of another one, and nothing while that one is blind already. */
static const struct {
	uint64_t spot, of;
} details[] = {
	{KD_SPOT_BIT(SLOW), KD_SPOT_BIT(SEGMENTS)},
	{KD_SPOT_BIT(DEPTH), KD_SPOT_BIT(SEGMENTS)},
	{KD_SPOT_BIT(OVERLAP), KD_SPOT_BIT(SEGMENTS)},
	{KD_SPOT_BIT(RECORDS_APART), KD_SPOT_BIT(RECORDS)},
};

/* What the box itself says of a flow it let pass. */
static const struct {
	uint16_t reason;
	uint64_t spot;
} owns[] = {
	{KD_REASON_FLOW_ROLE_LIFTED, KD_SPOT_BIT(ROLES_LIFTED)},
	{KD_REASON_DECIDE_COULD_NOT_ACT, KD_SPOT_BIT(COULD_NOT_ACT)},
	{KD_REASON_DECIDE_MISSED, KD_SPOT_BIT(MISSED)},
	{KD_REASON_DECIDE_ALLOWED, KD_SPOT_BIT(ALLOWED)},
	{KD_REASON_DECIDE_PENDING, KD_SPOT_BIT(PENDING)},
	{KD_REASON_STREAM_NO_ROOM, KD_SPOT_BIT(NO_ROOM)},
	{KD_REASON_STREAM_DIFFERS, KD_SPOT_BIT(OVERLAP)},
	{KD_REASON_FLOW_CLEARED, KD_SPOT_BIT(CLEARED)},
	{KD_REASON_CLASSIFY_BYTES, KD_SPOT_BIT(DEPTH)},
	{KD_REASON_CLASSIFY_BUDGET, KD_SPOT_BIT(BUDGET)},
	{KD_REASON_BOX_NOT_SEEN, KD_SPOT_BIT(NOT_SEEN)},
	{KD_REASON_GUARD_OUTSIDE_LAB, KD_SPOT_BIT(GUARD)},
	{KD_REASON_GUARD_LAB_SIZE, KD_SPOT_BIT(GUARD)},
};

/* The set of a flow that perhaps nobody asked about yet. */
static const struct kd_knob_set *set_of(struct kd_engine *e, const struct kd_flow *f)
{
	const struct kd_flow_key key = {.proto = (uint8_t)f->proto, .v6 = f->v6 != 0};
	struct kd_pkt pkt = {.time_ns = f->last_ns};
	struct kd_flow6 copy;
	struct kd_step s;

	if (f->open.knobs != 0)
		return &e->knobs.set[f->open.knobs];
	memcpy(&copy, f, f->v6 ? sizeof(copy) : sizeof(copy.flow));
	memset(&s, 0, sizeof(s));
	s.e = e;
	s.pkt = &pkt;
	s.key = &key;
	s.now_ns = f->last_ns;
	s.flow = &copy.flow;
	kd_knobs_resolve(&s);
	return &e->knobs.set[copy.flow.open.knobs];
}

/* A bit for each of a knob's values that stands among these. */
static uint32_t values_of(unsigned int knob, const char *words)
{
	uint32_t values = 0;

	for (const char *w = words; *w != '\0'; w += *w == '|') {
		size_t n = strcspn(w, "|");
		int value = kd_knob_value(knob, w, n);

		if (value >= 0)
			values |= 1u << value;
		w += n;
	}
	return values;
}

int kd_cures_new(struct kd_cures **ret)
{
	struct kd_cures *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return -ENOMEM;
	for (unsigned int i = 0; i < COUNT(cures); i++) {
		int knob = kd_knob_find(cures[i].knob, strlen(cures[i].knob));

		if (knob < 0) {
			c->always |= cures[i].if_absent ? cures[i].spot : 0;
			continue;
		}
		c->row[c->n].spot = cures[i].spot;
		c->row[c->n].knob = (uint8_t)knob;
		c->row[c->n++].values = values_of((unsigned int)knob, cures[i].values);
	}
	*ret = c;
	return 0;
}

uint64_t kd_spots_can(struct kd_engine *e, const struct kd_flow *f, uint16_t *ret_looks)
{
	const struct kd_knob_set *set = set_of(e, f);
	const struct kd_cures *c = e->cures;
	uint64_t can = c->always;

	for (unsigned int i = 0; i < c->n; i++)
		if ((c->row[i].values >> set->value[c->row[i].knob] & 1) != 0)
			can |= c->row[i].spot;
	if (set->value[KD_KNOB_FAKE_OVERLAP] != KD_FAKE_IS_BELIEVED)
		can &= ~KD_SPOT_BIT(OVERLAP); /* the whole segment is a fake to it */
	*ret_looks = kd_stream_budget_of(e, f, set);
	return can;
}

/* What the bytes needed and the box does not do. */
static uint64_t left(const struct kd_event *flow, const struct kd_event *note)
{
	uint64_t needs = note->spots;

	if ((needs & KD_SPOT_BIT(UNKNOWN)) != 0)
		return KD_SPOT_BIT(UNKNOWN);
	if (note->looks > flow->looks)
		needs |= KD_SPOT_BIT(BUDGET);
	else if ((flow->gave_up >> note->side & 1) != 0 && note->looks > 1)
		needs |= KD_SPOT_BIT(GAVE_UP);
	needs &= ~flow->spots;
	for (unsigned int i = 0; i < COUNT(details); i++)
		if ((needs & details[i].of) != 0)
			needs &= ~details[i].spot;
	return needs;
}

static uint64_t own(const struct kd_event *flow)
{
	for (unsigned int i = 0; i < COUNT(owns); i++)
		if (owns[i].reason == flow->reason)
			return owns[i].spot;
	if (flow->reason >= KD_REASON_FAKE_CHECKSUM && flow->reason <= KD_REASON_FAKE_NAME_LENGTH)
		return KD_SPOT_BIT(DISBELIEVED);
	/* It matched there, too, and the rule waits for what never came. */
	return flow->armed != KD_RULE_NONE ? 0 : KD_SPOT_BIT(UNKNOWN);
}

void kd_spots_join(struct kd_event *flow, const struct kd_event *note)
{
	uint64_t blind = 0;

	if (note != NULL && flow->untouched) {
		blind = left(flow, note);
		if (blind == 0)
			blind = own(flow);
	}
	flow->spots = blind;
	flow->unseen = blind != 0 && (note->spots & KD_SPOT_BIT(UNKNOWN)) == 0 ? note->rule : KD_RULE_NONE;
}
