/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Whether an expectation holds for a run. It never looks at the profile's files or at the engine: only at
 * what came out, and at counters.
 */
#include "run.h"

#include <inttypes.h>
#include <string.h>

#include "engine/decode.h"
#include "engine/protocol.h"

static const char *const fate_names[KD_FATE_COUNT] = {"emit", "rewrite", "drop", "hold", "inject"};
static const char *const outcome_names[KD_OUTCOME_COUNT] = {"passed", "degraded", "blocked"};

struct got {
	char *why;
	size_t room;
};

static bool differs(struct got *g, const char *what, const char *expected, const char *got)
{
	snprintf(g->why, g->room, "expected %s %s, got %s", what, expected, got);
	return false;
}

static bool same_text(struct got *g, const char *what, const char *expected, const char *got)
{
	return expected[0] == '\0' || strcmp(expected, got) == 0 || differs(g, what, expected, got);
}

static bool same_number(struct got *g, const char *what, uint64_t expected, uint64_t got)
{
	if (expected == got)
		return true;
	snprintf(g->why, g->room, "expected %s %" PRIu64 ", got %" PRIu64, what, expected, got);
	return false;
}

static bool is_within(struct got *g, const char *what, const struct scn_expect *x, uint64_t got)
{
	if (x->lo == x->hi)
		return same_number(g, what, x->lo, got);
	if (got >= x->lo && got <= x->hi)
		return true;
	snprintf(g->why, g->room, "expected %s %" PRIu64 "..%" PRIu64 ", got %" PRIu64, what, x->lo, x->hi,
		got);
	return false;
}

static bool same_value(struct got *g, const char *what, struct scn_value v, uint32_t own, uint32_t got,
	const struct scn_packet *p)
{
	uint32_t end =
		p->seq + p->payload_len + ((p->flags & KD_TCP_SYN) != 0) + ((p->flags & KD_TCP_FIN) != 0);
	uint32_t want = 0;

	switch (v.kind) {
	case SCN_VALUE_ANY:
		return true;
	case SCN_VALUE_SAME:
		want = own;
		break;
	case SCN_VALUE_PLAIN:
		want = v.n;
		break;
	case SCN_VALUE_SEQ:
		want = p->seq + v.n;
		break;
	case SCN_VALUE_ACK:
		want = p->ack + v.n;
		break;
	case SCN_VALUE_END:
		want = end + v.n;
		break;
	}
	return same_number(g, what, want, got);
}

static void flag_text(int flags, char *buf)
{
	unsigned int n = 0;

	for (int i = 0; i < 6; i++)
		if ((flags >> i & 1) != 0)
			buf[n++] = "FSRPAU"[i];
	buf[n] = '\0';
}

/* One action against the words that describe a packet. */
static bool check_packet(
	const struct run *r, const struct scn_expect *x, const struct run_action *a, struct got *g)
{
	const struct scn_packet *p = &r->scn->packets[a->packet];
	struct wire w;
	char want[8], got[8];

	if (x->fate != SCN_ANY && x->fate != a->a.fate)
		return differs(g, "fate", fate_names[x->fate], fate_names[a->a.fate]);
	if (!same_text(g, "reason", x->reason, kd_reason_name(a->a.reason)))
		return false;
	if (x->box != SCN_ANY && !same_number(g, "box", (uint64_t)x->box, a->a.box))
		return false;
	if (!same_text(g, "rule", x->rule, describe_rule(r, a->a.box, a->a.rule)))
		return false;
	if (x->has_later && !same_number(g, "ns later", x->later_ns, a->a.time_ns - p->time_ns))
		return false;
	if (a->a.fate == KD_DROP)
		return (x->flags == SCN_ANY && x->len.kind == SCN_VALUE_ANY && x->outside_len == 0) ||
		       differs(g, "a packet", "with flags, a length or an address", "a drop");
	wire_read(&w, a->a.link, a->a.data, a->a.len);
	if (x->flags != SCN_ANY && x->flags != w.flags) {
		flag_text(x->flags, want);
		flag_text(w.flags, got);
		return differs(g, "flags", want, got);
	}
	if (x->outside_len != 0 && memcmp(w.addr[a->a.side], x->outside, x->outside_len) != 0)
		return differs(g, "another", "outside address", "this one");
	return same_value(g, "seq", x->seq, p->seq, w.seq, p) &&
	       same_value(g, "ack", x->ack, p->ack, w.ack, p) &&
	       same_value(g, "ttl", x->ttl, p->ttl, w.ttl, p) &&
	       same_value(g, "len", x->len, p->payload_len, (uint32_t)w.payload_len, p);
}

static bool check_final(const struct run *r, const struct scn_expect *x, struct got *g)
{
	const struct scn_step *step = &r->scn->steps[x->step];

	for (unsigned int i = 0; i < step->count; i++) {
		if (x->which != 0 && x->which != i + 1)
			continue;
		if (!check_packet(r, x, &r->actions[r->final_of[step->first + i]], g))
			return false;
	}
	return true;
}

static bool of_step(const struct run *r, const struct run_action *a, int step)
{
	return a->a.fate == KD_INJECT && r->scn->packets[a->packet].step == step;
}

/* The k-th `inject` of a step speaks of its k-th injected packet. */
static bool check_inject(const struct run *r, const struct scn_expect *x, struct got *g)
{
	unsigned int nth = 0;

	for (const struct scn_expect *y = r->scn->expects; y < x; y++)
		nth += y->kind == SCN_EXPECT_INJECT && y->step == x->step;
	for (unsigned int i = 0; i < r->nactions; i++) {
		if (!of_step(r, &r->actions[i], x->step) || nth-- != 0)
			continue;
		if (r->actions[i].a.side != x->side)
			return differs(g, "an injection",
				x->side == KD_OUTSIDE ? "to the outside" : "to the inside", "the other way");
		return check_packet(r, x, &r->actions[i], g);
	}
	return differs(g, "an injection", x->side == KD_OUTSIDE ? "to the outside" : "to the inside", "none");
}

void check_injections(const struct run *r, char *why, size_t room, int *line)
{
	unsigned int any = 0;

	why[0] = '\0';
	while (any < r->nactions && r->actions[any].a.fate != KD_INJECT)
		any++;
	if (any == r->nactions)
		return;
	for (unsigned int s = 0; s < r->scn->nsteps; s++) {
		unsigned int made = 0, expected = 0;
		const struct run_action *last = NULL;
		char text[300];

		for (unsigned int i = 0; i < r->nactions; i++) {
			if (!of_step(r, &r->actions[i], (int)s))
				continue;
			made++;
			last = &r->actions[i];
		}
		for (unsigned int i = 0; i < r->scn->nexpects; i++)
			expected += r->scn->expects[i].kind == SCN_EXPECT_INJECT &&
				    r->scn->expects[i].step == (int)s;
		if (made <= expected)
			continue;
		describe_action(text, sizeof(text), r, last);
		snprintf(why, room, "expected %u injections, got %u: %s", expected, made, text);
		*line = r->scn->steps[s].line;
		return;
	}
}

static bool of_box(const struct scn_expect *x, const struct kd_event *e)
{
	return x->box == SCN_ANY || x->box == e->box;
}

static bool check_flow(const struct run *r, const struct scn_expect *x, struct got *g)
{
	const struct kd_event *found = NULL;
	unsigned int n = 0;
	char blind[512];

	for (unsigned int i = 0; i < r->nevents; i++) {
		const struct kd_event *e = &r->events[i];

		if (e->type != KD_EVENT_FLOW || event_flow(r->scn, e) != x->flow || !of_box(x, e))
			continue;
		if (++n == x->which || (x->which == 0 && n == 1))
			found = e;
	}
	if (x->kind == SCN_EXPECT_FLOWS)
		return same_number(g, "flow records", x->number, n);
	if (x->which == 0 && n > 1)
		return differs(g, "one flow record", "(else say FLOW#N or box N)", "several");
	if (found == NULL)
		return differs(g, "a flow record", "of this number", "fewer");
	if (x->outcome != SCN_ANY && x->outcome != found->outcome)
		return differs(g, "outcome", outcome_names[x->outcome], outcome_names[found->outcome]);
	if (x->opened != SCN_ANY && x->opened != found->tuple.opened)
		return differs(g, "opened", x->opened == KD_INSIDE ? "inside" : "outside", "the other side");
	describe_blind(blind, sizeof(blind), found);
	return same_text(g, "blind spots", x->blind, blind) &&
	       same_text(g, "unseen", x->unseen, describe_rule(r, found->box, found->unseen)) &&
	       same_text(g, "rule", x->rule, describe_rule(r, found->box, found->rule)) &&
	       same_text(g, "armed", x->armed, describe_rule(r, found->box, found->armed)) &&
	       same_text(g, "reason", x->reason, kd_reason_name(found->reason)) &&
	       same_text(g, "end", x->end, kd_reason_name(found->end_reason));
}

static bool check_one_verdict(
	const struct run *r, const struct scn_expect *x, const struct kd_event *e, struct got *g)
{
	if (x->has_number && !same_number(g, "a verdict at packet", x->number, e->number))
		return false;
	if (x->has_until && !same_number(g, "a residual in ns of", x->until_ns, e->until_ns - e->time_ns))
		return false;
	return same_text(g, "verdict's rule", x->rule, describe_rule(r, e->box, e->rule)) &&
	       same_text(g, "verdict's reason", x->reason, kd_reason_name(e->reason));
}

/* Holds when one of the flow's verdicts is as described; else tells of the nearest, the last one looked at.
 */
static bool check_verdict(const struct run *r, const struct scn_expect *x, struct got *g)
{
	differs(g, "a verdict", "on this flow", "none");
	for (unsigned int i = 0; i < r->nevents; i++) {
		const struct kd_event *e = &r->events[i];

		if (e->type != KD_EVENT_VERDICT || event_flow(r->scn, e) != x->flow || !of_box(x, e))
			continue;
		if (check_one_verdict(r, x, e, g))
			return true;
	}
	return false;
}

static bool check_no_verdict(const struct run *r, const struct scn_expect *x, struct got *g)
{
	char text[400];

	for (unsigned int i = 0; i < r->nevents; i++) {
		const struct kd_event *e = &r->events[i];

		if (e->type != KD_EVENT_VERDICT || (x->flow != SCN_ANY && event_flow(r->scn, e) != x->flow))
			continue;
		describe_event(text, sizeof(text), r, e);
		return differs(g, "no", "verdict", text);
	}
	return true;
}

/* Whether a record has the field "name=text". */
static bool has_field(const struct kd_event *e, const struct kd_protocol *proto, const char *pair)
{
	const char *text = strchr(pair, '=') + 1;
	size_t name_len = (size_t)(text - 1 - pair);

	for (unsigned int i = 0; i < KD_FIELDS_MAX; i++) {
		const struct kd_event_field *f = &e->field[i];

		if (proto->fields[i].name == NULL || strlen(proto->fields[i].name) != name_len ||
			strncmp(proto->fields[i].name, pair, name_len) != 0)
			continue;
		return f->len == strlen(text) && f->off + f->len <= e->text_len &&
		       memcmp(e->text + f->off, text, f->len) == 0;
	}
	return false;
}

static bool check_app(const struct run *r, const struct scn_expect *x, struct got *g)
{
	differs(g, "an app record of protocol", x->key, "none");
	for (unsigned int i = 0; i < r->nevents; i++) {
		const struct kd_event *e = &r->events[i];

		if (e->type != KD_EVENT_APP || event_flow(r->scn, e) != x->flow ||
			e->app >= KD_PROTOCOL_COUNT)
			continue;
		if (strcmp(kd_protocols[e->app]->name, x->key) != 0)
			continue;
		if (x->value[0] == '\0' || has_field(e, kd_protocols[e->app], x->value))
			return true;
		differs(g, "field", x->value, "another value");
	}
	return false;
}

static bool check_counter(const struct run *r, const struct scn_expect *x, struct got *g)
{
	const struct kd_counters *c = x->box != SCN_ANY ? &r->box[x->box] : &r->counters;
	const struct {
		const char *name;
		uint64_t value;
	} plain[] = {{"in", c->in[KD_INSIDE] + c->in[KD_OUTSIDE]}, {"emitted", c->fates[KD_EMIT]},
		{"rewritten", c->fates[KD_REWRITE]}, {"dropped", c->fates[KD_DROP]},
		{"held", c->fates[KD_HOLD]}, {"injected", c->fates[KD_INJECT]},
		{"inject_refused", c->inject_refused}, {"flows_new", c->flows_new},
		{"flows_ended", c->flows_ended}, {"untracked", c->untracked},
		{"events_lost", c->events_lost}};

	for (unsigned int i = 0; i < sizeof(plain) / sizeof(plain[0]); i++)
		if (strcmp(plain[i].name, x->key) == 0)
			return is_within(g, x->key, x, plain[i].value);
	for (unsigned int i = 0; i < KD_REASON_COUNT && x->reason[0] != '\0'; i++) {
		if (strcmp(kd_reason_name((uint16_t)i), x->reason) != 0)
			continue;
		return is_within(g, x->reason, x,
			strcmp(x->key, "reason") == 0 ? c->reasons[i] : c->inject_reasons[i]);
	}
	return differs(g, "a counter", "that exists", x->reason[0] != '\0' ? x->reason : x->key);
}

static bool check_delivered(const struct run *r, const struct scn_expect *x, struct got *g)
{
	uint64_t bytes = 0;

	for (unsigned int i = 0; i < r->nactions; i++) {
		const struct kd_action *a = &r->actions[i].a;
		const struct scn_packet *p = &r->scn->packets[r->actions[i].packet];
		uint64_t at_ns = a->time_ns - SCN_EPOCH_NS;

		if (a->fate == KD_EMIT && p->flow == x->flow && p->side == x->side && at_ns >= x->from_ns &&
			at_ns < x->to_ns)
			bytes += p->payload_len;
	}
	if (bytes >= x->lo && bytes <= x->hi)
		return true;
	snprintf(g->why, g->room, "expected %" PRIu64 "..%" PRIu64 " bytes of payload, got %" PRIu64, x->lo,
		x->hi, bytes);
	return false;
}

bool check_expect(const struct run *r, const struct scn_expect *x, char *why, size_t room)
{
	struct got g = {.why = why, .room = room};

	why[0] = '\0';
	switch (x->kind) {
	case SCN_EXPECT_FINAL:
		return check_final(r, x, &g);
	case SCN_EXPECT_INJECT:
		return check_inject(r, x, &g);
	case SCN_EXPECT_FLOW:
	case SCN_EXPECT_FLOWS:
		return check_flow(r, x, &g);
	case SCN_EXPECT_VERDICT:
		return check_verdict(r, x, &g);
	case SCN_EXPECT_NO_VERDICT:
		return check_no_verdict(r, x, &g);
	case SCN_EXPECT_APP:
		return check_app(r, x, &g);
	case SCN_EXPECT_COUNTER:
		return check_counter(r, x, &g);
	case SCN_EXPECT_DELIVERED:
		return check_delivered(r, x, &g);
	}
	return false;
}
