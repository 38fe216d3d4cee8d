/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Whether a rule's `when` holds for the packet in hand: the flat program of policy.h, one term after the
 * other until one says yes or no. Names, signatures and prefixes cost a look-up, made when the first term
 * asks and at most once a packet. It changes nothing: what is counted and remembered is decide.c's.
 */
#include "engine/internal.h"

#include <string.h>

#include "engine/cursor.h"

/* struct kd_seen.known */
#define KNOWS_NAMES 0x1
#define KNOWS_SIGNATURES 0x2
#define KNOWS_END(side) (0x4u << (side))

#define MINUTE_NS 60000000000ull
#define MOSCOW_MINUTES 180 /* UTC+3 all year since 2014-10-26 */
#define DAY_MINUTES 1440

static const struct kd_set_bits no_sets;

/*
 * The name as it compares. The matchers take it without case; where case counts a capital of the wire is a
 * letter that no list has. A name longer than any host is none then.
 */
static size_t spell(const struct kd_step *s, const struct kd_app_field *name, uint8_t buf[KD_NAME_MAX],
	const uint8_t **ret)
{
	size_t len = name->len;

	*ret = name->p;
	if (s->dot_ignored && len > 1 && name->p[len - 1] == '.')
		len--;
	if (!s->exact_case)
		return len;
	if (len > KD_NAME_MAX)
		return 0;
	for (size_t i = 0; i < len; i++)
		buf[i] = name->p[i] >= 'A' && name->p[i] <= 'Z' ? 1 : name->p[i];
	*ret = buf;
	return len;
}

const struct kd_set_bits *kd_seen_names(const struct kd_step *s, struct kd_seen *seen)
{
	const struct kd_policy *p = s->e->policy;
	const struct kd_app_field *name = kd_seen_name(s);
	uint8_t buf[KD_NAME_MAX];
	const uint8_t *text;
	size_t len;

	if ((seen->known & KNOWS_NAMES) != 0)
		return &seen->names;
	seen->known |= KNOWS_NAMES;
	memset(&seen->names, 0, sizeof(seen->names));
	if (name == NULL)
		return &seen->names;
	len = spell(s, name, buf, &text);
	if (p->names != NULL)
		kd_names_match(p->names, text, len, &seen->names);
	if (p->name_patterns != NULL)
		kd_patterns_match(p->name_patterns, s->e->scratch, text, len, &seen->names);
	return &seen->names;
}

static const struct kd_set_bits *signatures(const struct kd_step *s, struct kd_seen *seen)
{
	const struct kd_policy *p = s->e->policy;

	if ((seen->known & KNOWS_SIGNATURES) != 0)
		return &seen->signatures;
	seen->known |= KNOWS_SIGNATURES;
	memset(&seen->signatures, 0, sizeof(seen->signatures));
	if (p->signatures != NULL)
		kd_patterns_match(p->signatures, s->e->scratch, s->pkt->data + s->view->payload_off,
			s->view->payload_len, &seen->signatures);
	return &seen->signatures;
}

const struct kd_set_bits *kd_seen_end(const struct kd_step *s, struct kd_seen *seen, unsigned int side)
{
	const struct kd_policy *p = s->e->policy;

	if ((seen->known & KNOWS_END(side)) != 0)
		return seen->ends[side];
	seen->known |= (uint8_t)KNOWS_END(side);
	seen->ends[side] = p->prefixes != NULL ? kd_prefixes_match(p->prefixes, kd_flow_addr(s->flow, side),
							 s->flow->v6 != 0)
					       : &no_sets;
	return seen->ends[side];
}

bool kd_match_signature(const struct kd_step *s, uint16_t signature)
{
	struct kd_seen seen;

	kd_seen_start(&seen, true);
	return (s->e->policy->signature_transports[signature] & kd_transport(s)) != 0 &&
	       kd_set_bits_has(signatures(s, &seen), signature);
}

static bool signature(const struct kd_step *s, struct kd_seen *seen, const struct kd_term *t)
{
	return (s->e->policy->signature_transports[t->set] & kd_transport(s)) != 0 &&
	       kd_set_bits_has(signatures(s, seen), t->set);
}

static bool in_spans(const struct kd_term *t, uint64_t value)
{
	for (unsigned int i = 0; i < t->n; i++)
		if (value >= t->spans[i].lo && value <= t->spans[i].hi)
			return true;
	return false;
}

static bool recognised(const struct kd_step *s, uint64_t mask)
{
	return s->app_index != KD_APP_NONE && (mask >> s->app_index & 1) != 0;
}

static bool address(const struct kd_step *s, struct kd_seen *seen, const struct kd_term *t)
{
	unsigned int to = kd_to(s->flow);

	if (t->of != KD_END_BY && kd_set_bits_has(kd_seen_end(s, seen, to), t->set))
		return true;
	return t->of != KD_END_TO && kd_set_bits_has(kd_seen_end(s, seen, to ^ 1), t->set);
}

static bool port(const struct kd_step *s, const struct kd_term *t)
{
	unsigned int to = kd_to(s->flow);

	if (!kd_is_tcp_or_udp(s))
		return false;
	if (t->of != KD_END_BY && in_spans(t, s->flow->port[to]))
		return true;
	return t->of != KD_END_TO && in_spans(t, s->flow->port[to ^ 1]);
}

static bool bytes(const struct kd_step *s, const struct kd_term *t)
{
	const uint8_t *payload = s->pkt->data + s->view->payload_off;

	for (unsigned int i = 0; i < t->n; i++) {
		const struct kd_byte_run *r = &t->runs[i];

		if ((uint64_t)r->offset + r->len > s->view->payload_len)
			return false;
		for (uint32_t k = 0; k < r->len; k++)
			if ((payload[r->offset + k] & r->mask[k]) != r->bytes[k])
				return false;
	}
	return true;
}

static uint8_t lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

static bool is_text(const struct kd_term *t, const uint8_t *p, size_t len, bool any_case)
{
	for (unsigned int i = 0; i < t->n; i++) {
		const uint8_t *want = (const uint8_t *)t->texts[i].p;
		size_t k = 0;

		if (t->texts[i].len != len)
			continue;
		while (k < len && (any_case ? lower(p[k]) == lower(want[k]) : p[k] == want[k]))
			k++;
		if (k == len)
			return true;
	}
	return false;
}

static bool list_has(const struct kd_term *t, const struct kd_app_field *f, bool of_numbers)
{
	struct kd_cur c = kd_cur(f->p, f->len);

	while (kd_cur_left(&c) > 0) {
		uint16_t head = of_numbers ? kd_cur_be16(&c) : kd_cur_u8(&c);
		const uint8_t *text = of_numbers ? NULL : kd_cur_take(&c, head);

		if (c.bad)
			return false;
		if (of_numbers ? in_spans(t, head) : is_text(t, text, head, false))
			return true;
	}
	return false;
}

static bool field(const struct kd_step *s, const struct kd_term *t)
{
	const struct kd_app_field *f = &s->app.field[t->field];

	if (!recognised(s, 1ull << t->protocol) || f->p == NULL)
		return false;
	switch (kd_protocols[t->protocol]->fields[t->field].kind) {
	case KD_FIELD_HEX16:
		return in_spans(t, f->num);
	case KD_FIELD_LIST_U16:
		return list_has(t, f, true);
	case KD_FIELD_LIST8:
		return list_has(t, f, false);
	default:
		return is_text(t, f->p, f->len, true);
	}
}

static bool pairs(const struct kd_step *s, struct kd_seen *seen, const struct kd_term *t)
{
	const struct kd_set_bits *names = kd_seen_names(s, seen);
	const struct kd_set_bits *to = kd_seen_end(s, seen, kd_to(s->flow));

	for (unsigned int i = 0; i < t->n; i++)
		if (kd_set_bits_has(names, t->pairings[i].name_set) &&
			kd_set_bits_has(to, t->pairings[i].prefix_set))
			return true;
	return false;
}

static bool already(const struct kd_flow *f, const struct kd_term *t)
{
	if (t->set < 64 && (f->open.seen >> t->set & 1) != 0)
		return true;
	return t->mask != KD_RULE_NONE && f->rule == t->mask;
}

/* Nothing is recognised in a packet whose payload nobody looks at; what else asks about it says so here. */
static inline bool holds(const struct kd_step *s, struct kd_seen *seen, const struct kd_term *t)
{
	switch (t->kind) {
	case KD_TERM_PROTOCOL:
		return recognised(s, t->mask);
	case KD_TERM_NAME:
		return recognised(s, t->mask) && kd_set_bits_has(kd_seen_names(s, seen), t->set);
	case KD_TERM_OPENED:
		return t->of == KD_ANY_SIDE || t->of == s->flow->opened;
	case KD_TERM_FROM:
		return t->of == KD_ANY_SIDE || t->of == s->pkt->side;
	case KD_TERM_TRANSPORT:
		return (t->mask & kd_transport(s)) != 0;
	case KD_TERM_ADDRESS:
		return address(s, seen, t);
	case KD_TERM_PORT:
		return port(s, t);
	case KD_TERM_SIGNATURE:
		return seen->payload && signature(s, seen, t);
	case KD_TERM_LENGTH:
		return seen->payload && in_spans(t, s->view->payload_wire_len);
	case KD_TERM_BYTES:
		return seen->payload && bytes(s, t);
	case KD_TERM_NTH:
		return seen->payload && in_spans(t, s->flow->open.looked_at[s->pkt->side]);
	case KD_TERM_FIELD:
		return field(s, t);
	case KD_TERM_PAIRS:
		return pairs(s, seen, t);
	case KD_TERM_CLASSIFIED:
		return s->flow->app == 0;
	case KD_TERM_ALREADY:
		return already(s->flow, t);
	case KD_TERM_COUNT:
		return (seen->over >> t->set & 1) != 0;
	case KD_TERM_FAKE:
		return (s->punished & t->mask) != 0;
	case KD_TERM_HOURS:
		return in_spans(t, (s->pkt->time_ns / MINUTE_NS + MOSCOW_MINUTES) % DAY_MINUTES);
	default:
		return false;
	}
}

bool kd_match(const struct kd_step *s, struct kd_seen *seen, uint16_t term)
{
	const struct kd_term *terms = s->e->policy->terms;

	while (term < KD_TERM_FALSE)
		term = holds(s, seen, &terms[term]) ? terms[term].on_true : terms[term].on_false;
	return term == KD_TERM_TRUE;
}

uint64_t kd_match_wants(const struct kd_policy *policy, uint16_t term)
{
	uint64_t wants = UINT64_MAX;

	while (term < KD_TERM_FALSE && policy->terms[term].on_false == KD_TERM_FALSE) {
		const struct kd_term *t = &policy->terms[term];

		if (t->kind == KD_TERM_PROTOCOL || t->kind == KD_TERM_NAME)
			wants &= t->mask;
		else if (t->kind == KD_TERM_FIELD)
			wants &= 1ull << t->protocol;
		term = t->on_true;
	}
	return term == KD_TERM_FALSE ? 0 : wants;
}
