/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One step of the time line: when, on which flow, from which side, what; and what becomes of the flow's
 * numbers. Expectations are left to expect.c.
 */
#include "scn.h"

#include <string.h>

#include "engine/decode.h"

/* "+18ms" after the last step, "75s" since the beginning. */
static bool parse_time(struct scn_parser *p, const char *text)
{
	uint64_t ns;
	bool delta = text[0] == '+';

	if (strcmp(text, "+0") != 0 && !scn_duration(text + delta, &ns))
		return scn_fail(p->e, p->w->line,
			"\"%s\" is neither a directive nor a time such as 0, 75s, +18ms", text);
	if (strcmp(text, "+0") == 0)
		return true;
	ns += delta ? p->s->now_ns : SCN_EPOCH_NS;
	if (ns < p->s->now_ns)
		return scn_fail(p->e, p->w->line, "time %s lies before the step above", text);
	p->s->now_ns = ns;
	return true;
}

static bool read_number(const char *v, char *sign, uint32_t *ret)
{
	uint64_t n;

	*sign = v[0] == '+' || v[0] == '-' ? v[0] : '=';
	if (!scn_u64(v + (*sign != '='), UINT32_MAX, &n))
		return false;
	*ret = (uint32_t)n;
	return true;
}

/* 1 = an option, 0 = none, -1 = a wrong one. */
static int parse_option(struct scn_options *o, const char *word)
{
	const char *v;
	uint64_t n;

	if ((v = scn_after(word, "seq=")) != NULL)
		return read_number(v, &o->seq_sign, &o->seq) ? 1 : -1;
	if ((v = scn_after(word, "ack=")) != NULL)
		return read_number(v, &o->ack_sign, &o->ack) ? 1 : -1;
	if ((v = scn_after(word, "tsval=")) != NULL)
		return read_number(v, &o->tsval_sign, &o->tsval) ? 1 : -1;
	if (strcmp(word, "md5") == 0) {
		o->md5 = true;
		return 1;
	}
	if ((v = scn_after(word, "ttl=")) != NULL) {
		if (!scn_u64(v, 255, &n))
			return -1;
		o->ttl = (int)n;
		return 1;
	}
	if ((v = scn_after(word, "urg=")) != NULL) {
		if (!scn_u64(v, 65535, &n))
			return -1;
		o->urg = (int)n;
		return 1;
	}
	if ((v = scn_after(word, "flags=")) != NULL) {
		o->flags = scn_flags(v);
		return o->flags != SCN_ANY ? 1 : -1;
	}
	if ((v = scn_after(word, "times=")) != NULL) {
		o->times = scn_u64(v, SCN_TIMES, &n) && n > 0 ? (unsigned int)n : 0;
		return o->times > 0 ? 1 : -1;
	}
	if ((v = scn_after(word, "every=")) != NULL)
		return scn_duration(v, &o->every_ns) ? 1 : -1;
	if (strcmp(word, "badsum") == 0 || strcmp(word, "badsum=seen") == 0) {
		o->bad_sum = true;
		o->bad_sum_seen = word[6] == '=';
		return 1;
	}
	return scn_fragment_option(&o->fragments, word);
}

static int flag_word(const char *word)
{
	static const char *const names[] = {"fin", "syn", "rst", "psh", "ack", "urg"};

	for (int i = 0; i < 6; i++)
		if (strcmp(names[i], word) == 0)
			return 1 << i;
	return 0;
}

/* What a step says to send. */
struct said {
	struct scn_built built;
	struct scn_options options;
	uint8_t flags;
	bool payload;
};

/* Bytes [from, to) of what was built, with the overlap before them if they are the first. */
static const uint8_t *bytes_of(struct scn *s, const struct scn_built *b, size_t from, size_t to)
{
	uint8_t *joined;

	if (b->payload.len == 0)
		return NULL;
	if (from != 0 || b->overlap.len == 0)
		return b->payload.bytes + from;
	joined = scn_alloc(s, b->overlap.len + to);
	memcpy(joined, b->overlap.bytes, b->overlap.len);
	memcpy(joined + b->overlap.len, b->payload.bytes, to);
	return joined;
}

/* The middle of the name if it lies in [from, to), as an offset from there. */
static size_t name_in(const struct scn_payload *p, size_t from, size_t to)
{
	size_t at = p->name_off + p->name_len / 2;

	return p->name_len != 0 && at > from && at < to ? at - from : 0;
}

/* A segment of a step; the flow's own numbers move when all of them are out. */
static bool send_segments(struct scn_parser *p, int flow, int side, struct said *a)
{
	struct scn *s = p->s;
	struct scn_flow *f = &s->flows[flow];
	struct scn_built *b = &a->built;
	uint32_t base = b->again ? f->last_seq[side] : f->next[side];
	bool one = b->ncuts == 1 && !b->again;

	for (unsigned int i = 0; i < b->ncuts; i++) {
		unsigned int nth = b->order[i];
		size_t from = nth != 0 ? b->cut[nth - 1] : 0, to = b->cut[nth];
		size_t before = nth == 0 ? b->overlap.len : 0, name = name_in(&b->payload, from, to);
		uint32_t seq = base + (uint32_t)(from - before);
		struct scn_options options = a->options;
		struct scn_send send = {.flow = flow,
			.step = (int)s->nsteps - 1,
			.side = side,
			.time_ns = s->now_ns,
			.flags = a->flags,
			.ping = b->ping,
			.payload = bytes_of(s, b, from, to),
			.len = before + to - from,
			.name_at = name != 0 ? before + name : 0,
			.at_seq = one ? NULL : &seq,
			.options = &options};
		const char *why;

		if (b->urgent > from && b->urgent <= to && options.urg == SCN_ANY)
			options.urg = (int)(before + b->urgent - from);
		why = scn_send(s, &send);
		if (why != NULL)
			return scn_fail(p->e, p->w->line, "%s", why);
		if (i + 1 < b->ncuts)
			s->now_ns += b->gap_ns;
	}
	if (a->payload && !b->again) {
		f->last[side] = b->payload;
		f->last_seq[side] = one ? f->next[side] - (uint32_t)b->payload.len : base;
	}
	if (!one && !b->again && a->options.seq_sign == 0)
		f->next[side] += (uint32_t)b->payload.len;
	return true;
}

/* Builders, flags and options up to `expect` or the end. */
static bool parse_said(struct scn_parser *p, int flow, int side, struct said *a)
{
	const struct scn_flow *f = &p->s->flows[flow];
	const char *word;

	while (p->w->at < p->w->count && strcmp(p->w->word[p->w->at], "expect") != 0) {
		int taken;

		word = scn_word(p->w);
		taken = parse_option(&a->options, word);
		if (taken < 0)
			return scn_fail(p->e, p->w->line, "\"%s\" is no value for this option", word);
		if (taken > 0)
			continue;
		if (flag_word(word) != 0 && f->proto == KD_PROTO_TCP) {
			a->flags |= (uint8_t)flag_word(word);
			continue;
		}
		if (a->payload || a->built.ping)
			return scn_fail(
				p->e, p->w->line, "a step sends one payload; \"%s\" is a second", word);
		if (strcmp(word, "ping") == 0 && f->proto != KD_PROTO_TCP && f->proto != KD_PROTO_UDP) {
			a->built.ping = true;
			continue;
		}
		a->payload = true;
		if (strcmp(word, "again") == 0) {
			a->built.again = true;
			a->built.payload = f->last[side];
			if (f->last[side].len == 0)
				return scn_fail(p->e, p->w->line, "nothing was sent yet to send again");
			continue;
		}
		if (!scn_build(p->s, &a->built, word, p->w->line, p->e))
			return false;
	}
	if (a->payload && a->flags == 0)
		a->flags = KD_TCP_PSH | KD_TCP_ACK;
	if (a->built.ncuts == 0)
		a->built.cut[a->built.ncuts++] = a->built.payload.len;
	if (!a->payload && !a->built.ping && a->flags == 0 && a->options.flags == SCN_ANY)
		return scn_fail(p->e, p->w->line, "the step sends nothing");
	return true;
}

/* What is said of one step and expected of it; the words of the latter are read each time anew. */
static bool take_step(struct scn_parser *p, int flow, int side, struct said *said)
{
	struct scn *s = p->s;
	int number = (int)s->nsteps;
	struct scn_step *step = scn_grow((void **)&s->steps, &s->nsteps, sizeof(*s->steps));

	step->line = p->w->line;
	step->first = s->npackets;
	if (s->in_burst++ % s->burst == 0)
		s->bursts++;
	step->burst = s->bursts;
	if (!send_segments(p, flow, side, said))
		return false;
	step = &s->steps[number];
	step->count = s->npackets - step->first;
	while (scn_word_is(p->w, "expect"))
		if (!scn_parse_expect(s, p->w, number, p->e))
			return false;
	return true;
}

/* TIME bypass|inline [RULE] */
static bool take_switch(struct scn_parser *p, bool on)
{
	struct scn *s = p->s;
	const char *rule = scn_word(p->w);
	struct scn_switch *sw;

	if (s->nswitches == SCN_SWITCHES)
		return scn_fail(p->e, p->w->line, "more than %d switches", SCN_SWITCHES);
	if (s->npackets != 0 && s->packets[s->npackets - 1].time_ns == s->now_ns)
		return scn_fail(p->e, p->w->line,
			"a switch is felt by all packets of its time: give it a later one than the last's");
	sw = scn_grow((void **)&s->switches, &s->nswitches, sizeof(*s->switches));
	*sw = (struct scn_switch){.line = p->w->line,
		.on = on,
		.rule = rule != NULL ? scn_text(s, rule, strlen(rule)) : NULL,
		.time_ns = s->now_ns,
		.before = s->npackets};
	return true;
}

/* TIME FLOW >|< WHAT... [OPTION...] [expect ...] */
bool scn_parse_step(struct scn_parser *p, const char *time)
{
	struct scn *s = p->s;
	struct said said = {.options = {.flags = SCN_ANY, .ttl = SCN_ANY, .urg = SCN_ANY}};
	const char *name, *way;
	unsigned int expected, more;
	int flow, side;

	if (!parse_time(p, time))
		return false;
	if (scn_word_is(p->w, "bypass"))
		return take_switch(p, true);
	if (scn_word_is(p->w, "inline"))
		return take_switch(p, false);
	name = scn_word(p->w);
	way = scn_word(p->w);
	flow = name != NULL ? scn_flow_find(s, name) : -1;
	if (flow < 0)
		return scn_fail(
			p->e, p->w->line, "\"%s\" is no flow of this scenario", name != NULL ? name : "");
	if (way == NULL || (strcmp(way, ">") != 0 && strcmp(way, "<") != 0))
		return scn_fail(
			p->e, p->w->line, "behind the flow stands > (from inside) or < (from outside)");
	side = way[0] == '>' ? KD_INSIDE : KD_OUTSIDE;
	if (!parse_said(p, flow, side, &said))
		return false;
	more = s->flows[flow].more;
	if (said.options.times > 1 && more != 0)
		return scn_fail(p->e, p->w->line, "times=N in a flow of many ports, which all take the step");
	if ((said.options.times > 1 || more != 0) != (said.options.every_ns != 0))
		return scn_fail(p->e, p->w->line,
			"every=TIME goes with times=N of 2 and more, or with a flow of many ports");
	expected = p->w->at;
	for (unsigned int i = 0; i <= more || i < said.options.times; i++) {
		p->w->at = expected;
		s->now_ns += i > 0 ? said.options.every_ns : 0;
		if (!take_step(p, flow + (more != 0 ? (int)i : 0), side, &said))
			return false;
	}
	return true;
}
