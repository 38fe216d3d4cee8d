/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What stands behind `expect`, on a step and at the end. It only reads; check.c compares.
 */
#include "scn.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <string.h>

static struct scn_expect *add(struct scn *s, enum scn_expect_kind kind, const struct scn_words *w, int step)
{
	struct scn_expect *x = scn_grow((void **)&s->expects, &s->nexpects, sizeof(*s->expects));

	x->kind = kind;
	x->with = s->nwith;
	x->line = w->line;
	x->step = step;
	x->flow = step >= 0 ? s->packets[s->steps[step].first].flow : SCN_ANY;
	x->fate = x->side = x->flags = x->outcome = x->opened = x->box = SCN_ANY;
	return x;
}

/* Of a path with several boxes: which one's word is meant, from 0. */
static bool box_word(struct scn_expect *x, const char *text)
{
	uint64_t n;

	if (!scn_u64(text, 7, &n))
		return false;
	x->box = (int)n;
	return true;
}

static bool copy(char *to, size_t room, const char *from)
{
	if (from == NULL || from[0] == '\0' || strlen(from) >= room)
		return false;
	strcpy(to, from);
	return true;
}

/* "same", "1460", "0x10", "trigger.seq", "trigger.end+1" */
static bool value(const char *text, struct scn_value *v)
{
	static const struct {
		const char *prefix;
		enum scn_value_kind kind;
	} bases[] = {{"trigger.seq", SCN_VALUE_SEQ}, {"trigger.ack", SCN_VALUE_ACK},
		{"trigger.end", SCN_VALUE_END}};
	uint64_t n = 0;

	if (strcmp(text, "same") == 0) {
		v->kind = SCN_VALUE_SAME;
		return true;
	}
	for (unsigned int i = 0; i < 3; i++) {
		const char *rest = scn_after(text, bases[i].prefix);

		if (rest == NULL)
			continue;
		if (rest[0] != '\0' &&
			((rest[0] != '+' && rest[0] != '-') || !scn_u64(rest + 1, UINT32_MAX, &n)))
			return false;
		v->kind = bases[i].kind;
		v->n = rest[0] == '-' ? 0u - (uint32_t)n : (uint32_t)n;
		return true;
	}
	if (!scn_u64(text, UINT32_MAX, &n))
		return false;
	v->kind = SCN_VALUE_PLAIN;
	v->n = (uint32_t)n;
	return true;
}

/* seq= ack= ttl= len= flags=, or bare flags. 1 = taken, 0 = not one of these, -1 = wrong. */
static int wire_word(struct scn_expect *x, const char *word)
{
	const char *v;

	if ((v = scn_after(word, "seq=")) != NULL)
		return value(v, &x->seq) ? 1 : -1;
	if ((v = scn_after(word, "ack=")) != NULL)
		return value(v, &x->ack) ? 1 : -1;
	if ((v = scn_after(word, "ttl=")) != NULL)
		return value(v, &x->ttl) ? 1 : -1;
	if ((v = scn_after(word, "len=")) != NULL)
		return value(v, &x->len) ? 1 : -1;
	if ((v = scn_after(word, "flags=")) != NULL) {
		x->flags = scn_flags(v);
		return x->flags != SCN_ANY ? 1 : -1;
	}
	if (isupper((unsigned char)word[0])) {
		x->flags = scn_flags(word);
		return x->flags != SCN_ANY ? 1 : -1;
	}
	return 0;
}

/* outside=198.18.26.53, as above. */
static int outside_word(struct scn_expect *x, const char *word)
{
	const char *v = scn_after(word, "outside=");
	bool v6;

	if (v == NULL)
		return 0;
	v6 = strchr(v, ':') != NULL;
	x->outside_len = v6 ? 16 : 4;
	return inet_pton(v6 ? AF_INET6 : AF_INET, v, x->outside) == 1 ? 1 : -1;
}

/* later=40ms, as above. */
static int time_word(struct scn_expect *x, const char *word)
{
	const char *v = scn_after(word, "later=");

	if (v == NULL)
		return 0;
	x->has_later = scn_duration(v, &x->later_ns);
	return x->has_later ? 1 : -1;
}

static int fate_of(const char *word)
{
	static const struct {
		const char *word;
		int fate;
	} fates[] = {{"emit", KD_EMIT}, {"rewrite", KD_REWRITE}, {"drop", KD_DROP}};

	for (unsigned int i = 0; i < 3; i++)
		if (strcmp(fates[i].word, word) == 0)
			return fates[i].fate;
	return SCN_ANY;
}

/* expect [packet N] emit|rewrite|drop ... [inject > ...]... */
static bool parse_step(struct scn *s, struct scn_words *w, int step, struct scn_error *e)
{
	struct scn_expect *x = NULL;
	const char *word;

	while ((word = scn_word(w)) != NULL) {
		int taken;
		uint64_t n;

		if (strcmp(word, "inject") == 0) {
			x = add(s, SCN_EXPECT_INJECT, w, step);
			x->side = scn_word_is(w, ">")	? KD_OUTSIDE
				  : scn_word_is(w, "<") ? KD_INSIDE
							: SCN_ANY;
			if (x->side == SCN_ANY)
				return scn_fail(e, w->line, "inject wants > or <, the way the packet goes");
			continue;
		}
		if (strcmp(word, "packet") == 0) {
			if (!scn_u64(scn_word(w), s->steps[step].count, &n) || n == 0)
				return scn_fail(e, w->line, "packet wants 1..%u, the segments of this step",
					s->steps[step].count);
			x = add(s, SCN_EXPECT_FINAL, w, step);
			x->which = (unsigned int)n;
			continue;
		}
		if (x == NULL)
			x = add(s, SCN_EXPECT_FINAL, w, step);
		if (fate_of(word) != SCN_ANY && x->kind == SCN_EXPECT_FINAL && x->fate == SCN_ANY) {
			x->fate = fate_of(word);
			continue;
		}
		if (strcmp(word, "reason") == 0 && copy(x->reason, sizeof(x->reason), scn_word(w)))
			continue;
		if (strcmp(word, "rule") == 0 && copy(x->rule, sizeof(x->rule), scn_word(w)))
			continue;
		if (strcmp(word, "box") == 0 && box_word(x, scn_word(w)))
			continue;
		taken = time_word(x, word);
		if (taken == 0)
			taken = wire_word(x, word);
		if (taken == 0)
			taken = outside_word(x, word);
		if (taken < 0)
			return scn_fail(e, w->line, "\"%s\" is no value for a packet", word);
		if (taken == 0)
			return scn_fail(e, w->line, "\"%s\" is nothing a packet can be expected to be", word);
	}
	return x != NULL || scn_fail(e, w->line, "expect what?");
}

static int flow_word(struct scn *s, const char *word, unsigned int *which)
{
	char name[SCN_NAME];
	const char *hash = word != NULL ? strchr(word, '#') : NULL;
	uint64_t n = 0;

	*which = 0;
	if (word == NULL || strlen(word) >= sizeof(name))
		return -1;
	strcpy(name, word);
	if (hash != NULL) {
		name[hash - word] = '\0';
		if (!scn_u64(hash + 1, 1000, &n) || n == 0)
			return -1;
		*which = (unsigned int)n;
	}
	return scn_flow_find(s, name);
}

static bool flow_pair(struct scn_expect *x, const char *key, const char *v)
{
	static const char *const outcomes[] = {"passed", "degraded", "blocked"};

	if (strcmp(key, "outcome") == 0) {
		for (int i = 0; i < KD_OUTCOME_COUNT && v != NULL; i++)
			if (strcmp(outcomes[i], v) == 0)
				x->outcome = i;
		return x->outcome != SCN_ANY;
	}
	if (strcmp(key, "opened") == 0 && v != NULL) {
		x->opened = strcmp(v, "inside") == 0	? KD_INSIDE
			    : strcmp(v, "outside") == 0 ? KD_OUTSIDE
							: SCN_ANY;
		return x->opened != SCN_ANY;
	}
	if (strcmp(key, "armed") == 0)
		return copy(x->armed, sizeof(x->armed), v);
	if (strcmp(key, "end") == 0)
		return copy(x->end, sizeof(x->end), v);
	return false;
}

/* "blind segments,records" and "unseen RULE"; both want the one flow record. */
static bool blind_pair(struct scn_expect *x, const char *key, const char *v)
{
	if (strcmp(key, "blind") == 0)
		return copy(x->blind, sizeof(x->blind), v);
	return strcmp(key, "unseen") == 0 && copy(x->unseen, sizeof(x->unseen), v);
}

static bool verdict_pair(struct scn_expect *x, const char *key, const char *v)
{
	if (strcmp(key, "at") == 0) {
		x->has_number = scn_u64(v, UINT32_MAX, &x->number);
		return x->has_number;
	}
	if (strcmp(key, "until") == 0) {
		x->has_until = scn_duration(v, &x->until_ns);
		return x->has_until;
	}
	return false;
}

static bool parse_record(struct scn *s, struct scn_words *w, enum scn_expect_kind kind, struct scn_error *e)
{
	struct scn_expect *x = add(s, kind, w, -1);
	const char *word = scn_word(w);

	x->flow = flow_word(s, word, &x->which);
	if (x->flow < 0)
		return scn_fail(e, w->line, "\"%s\" is no flow of this scenario", word != NULL ? word : "");
	if (kind == SCN_EXPECT_FLOWS)
		return (scn_u64(scn_word(w), 1000, &x->number) &&
			       (!scn_word_is(w, "box") || box_word(x, scn_word(w)))) ||
		       scn_fail(e, w->line, "expect flows FLOW COUNT [box N]");
	while ((word = scn_word(w)) != NULL) {
		const char *v = scn_word(w);

		if (strcmp(word, "rule") == 0 && copy(x->rule, sizeof(x->rule), v))
			continue;
		if (strcmp(word, "reason") == 0 && copy(x->reason, sizeof(x->reason), v))
			continue;
		if (strcmp(word, "box") == 0 && box_word(x, v))
			continue;
		if (kind == SCN_EXPECT_FLOW ? flow_pair(x, word, v) || (v != NULL && blind_pair(x, word, v))
					    : verdict_pair(x, word, v))
			continue;
		return scn_fail(e, w->line, "\"%s %s\" cannot be expected of a %s", word, v != NULL ? v : "",
			kind == SCN_EXPECT_FLOW ? "flow" : "verdict");
	}
	return true;
}

static bool parse_app(struct scn *s, struct scn_words *w, struct scn_error *e)
{
	struct scn_expect *x = add(s, SCN_EXPECT_APP, w, -1);
	const char *word;

	x->flow = flow_word(s, scn_word(w), &x->which);
	if (x->flow < 0 || !copy(x->key, sizeof(x->key), scn_word(w)))
		return scn_fail(e, w->line, "expect app FLOW PROTOCOL [FIELD=TEXT]");
	word = scn_word(w);
	if (word != NULL && (strchr(word, '=') == NULL || !copy(x->value, sizeof(x->value), word)))
		return scn_fail(e, w->line, "\"%s\" is not FIELD=TEXT", word);
	return true;
}

/* "N" or "LO..HI" */
static bool span(const char *text, uint64_t *lo, uint64_t *hi)
{
	const char *dots = text != NULL ? strstr(text, "..") : NULL;
	char first[24] = "";

	if (dots == NULL)
		return scn_u64(text, UINT64_MAX, lo) && scn_u64(text, UINT64_MAX, hi);
	if ((size_t)(dots - text) >= sizeof(first))
		return false;
	memcpy(first, text, (size_t)(dots - text));
	return scn_u64(first, UINT64_MAX, lo) && scn_u64(dots + 2, UINT64_MAX, hi) && *lo <= *hi;
}

static bool parse_counters(struct scn *s, struct scn_words *w, struct scn_error *e)
{
	struct scn_expect of = {.box = SCN_ANY};
	const char *word;

	if (scn_word_is(w, "box") && !box_word(&of, scn_word(w)))
		return scn_fail(e, w->line, "box wants a number from 0");
	while ((word = scn_word(w)) != NULL) {
		struct scn_expect *x = add(s, SCN_EXPECT_COUNTER, w, -1);

		x->box = of.box;
		if (strcmp(word, "reason") == 0 || strcmp(word, "inject_reason") == 0) {
			copy(x->key, sizeof(x->key), word);
			if (!copy(x->reason, sizeof(x->reason), scn_word(w)))
				return scn_fail(e, w->line, "%s wants a name", word);
		} else if (!copy(x->key, sizeof(x->key), word)) {
			return scn_fail(e, w->line, "\"%s\" is no counter", word);
		}
		if (!span(scn_word(w), &x->lo, &x->hi))
			return scn_fail(e, w->line, "counter %s wants a number, or LO..HI", word);
	}
	return true;
}

/* delivered FLOW >|< LO..HI [from TIME] [to TIME] */
static bool parse_delivered(struct scn *s, struct scn_words *w, struct scn_error *e)
{
	struct scn_expect *x = add(s, SCN_EXPECT_DELIVERED, w, -1);
	const char *word = scn_word(w);

	x->flow = flow_word(s, word, &x->which);
	x->side = scn_word_is(w, ">") ? KD_INSIDE : scn_word_is(w, "<") ? KD_OUTSIDE : SCN_ANY;
	if (x->flow < 0 || x->side == SCN_ANY || !span(scn_word(w), &x->lo, &x->hi))
		return scn_fail(e, w->line, "expect delivered FLOW >|< LO..HI [from TIME] [to TIME]");
	x->to_ns = UINT64_MAX;
	if (scn_word_is(w, "from") && !scn_duration(scn_word(w), &x->from_ns))
		return scn_fail(e, w->line, "from wants a time since the beginning");
	if (scn_word_is(w, "to") && !scn_duration(scn_word(w), &x->to_ns))
		return scn_fail(e, w->line, "to wants a time since the beginning");
	word = scn_word(w);
	return word == NULL || scn_fail(e, w->line, "\"%s\" cannot be expected here", word);
}

bool scn_parse_expect(struct scn *s, struct scn_words *w, int step, struct scn_error *e)
{
	const char *word;
	unsigned int which;
	struct scn_expect *x;

	if (step >= 0)
		return parse_step(s, w, step, e);
	if (scn_word_is(w, "flow"))
		return parse_record(s, w, SCN_EXPECT_FLOW, e);
	if (scn_word_is(w, "flows"))
		return parse_record(s, w, SCN_EXPECT_FLOWS, e);
	if (scn_word_is(w, "verdict"))
		return parse_record(s, w, SCN_EXPECT_VERDICT, e);
	if (scn_word_is(w, "app"))
		return parse_app(s, w, e);
	if (scn_word_is(w, "counters"))
		return parse_counters(s, w, e);
	if (scn_word_is(w, "delivered"))
		return parse_delivered(s, w, e);
	if (!scn_word_is(w, "no") || !scn_word_is(w, "verdict"))
		return scn_fail(
			e, w->line, "expect flow, flows, verdict, no verdict, app, counters or delivered");
	x = add(s, SCN_EXPECT_NO_VERDICT, w, -1);
	word = scn_word(w);
	x->flow = word != NULL ? flow_word(s, word, &which) : SCN_ANY;
	if (word != NULL && x->flow < 0)
		return scn_fail(e, w->line, "\"%s\" is no flow of this scenario", word);
	return true;
}
