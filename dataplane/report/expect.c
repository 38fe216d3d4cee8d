/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Holds expectations against the event stream: a flow collects the names its events bring, and when its
 * record comes it is judged and forgotten, so only live flows cost memory. What an unnamed expectation means
 * (the named flows, or all) is known only at the end, so both tallies are kept.
 */
#include "report/expect.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "engine/protocol.h"
#include "engine/rng.h"
#include "report/idmap.h"
#include "rulebook/boxes.h"

static const char *const outcome_names[KD_OUTCOME_COUNT] = {"passed", "degraded", "blocked"};

/* The flows one expectation was held against. */
struct tally {
	uint64_t flows;
	uint64_t pending; /* of them: met a rule without a mechanism */
	bool missed;	  /* one did not fit; what and why: */
	char got[480];
};

struct row {
	const char *text;
	size_t name_len; /* of text's start; 0 = no name */
	uint8_t outcome;
	uint16_t rule[KD_BOXES_MAX]; /* by box: KD_RULE_NONE where it has none of that name */
	bool ruled;
	struct tally named, all; /* a row with a name uses `named` only */
};

struct name {
	struct name *next;
	size_t len;
	uint8_t text[];
};

struct flow {
	struct kd_idnode node;
	bool pending, ended;
	struct name *names;
	struct kd_event worst; /* of several boxes' records; without its text */
};

struct kd_expect {
	const struct kd_policy *policy;
	const struct kd_boxes *boxes; /* NULL: one box */
	struct row *rows;
	unsigned int nrows;
	struct kd_idmap flows; /* live ones */
	uint64_t nameless; /* flows that ended without a name the box could read, though they had payload */
};

int kd_expect_new(struct kd_expect **ret, const struct kd_policy *policy)
{
	struct kd_expect *x = calloc(1, sizeof(*x));

	if (x == NULL)
		return -ENOMEM;
	x->policy = policy;
	if (kd_idmap_init(&x->flows) < 0) {
		free(x);
		return -ENOMEM;
	}
	*ret = x;
	return 0;
}

void kd_expect_boxes(struct kd_expect *x, const struct kd_boxes *boxes)
{
	x->boxes = boxes;
}

static void flow_free(struct flow *f)
{
	while (f->names != NULL) {
		struct name *n = f->names;

		f->names = n->next;
		free(n);
	}
	free(f);
}

void kd_expect_free(struct kd_expect *x)
{
	struct kd_idnode *n;

	if (x == NULL)
		return;
	while ((n = kd_idmap_pop(&x->flows)) != NULL)
		flow_free((struct flow *)n);
	free(x->flows.bucket);
	free(x->rows);
	free(x);
}

int kd_expect_add(struct kd_expect *x, const char *text, const char **why)
{
	const char *equals = strchr(text, '='), *word = equals != NULL ? equals + 1 : text;
	const char *colon = strchr(word, ':');
	size_t word_len = colon != NULL ? (size_t)(colon - word) : strlen(word);
	struct row row = {.text = text, .outcome = KD_OUTCOME_COUNT}, *rows;

	if (equals == text) {
		*why = "no name before the =";
		return -EINVAL;
	}
	row.name_len = equals != NULL ? (size_t)(equals - text) : 0;
	for (uint8_t i = 0; i < KD_OUTCOME_COUNT; i++)
		if (strlen(outcome_names[i]) == word_len && memcmp(outcome_names[i], word, word_len) == 0)
			row.outcome = i;
	if (row.outcome == KD_OUTCOME_COUNT) {
		*why = "the result is one of passed, degraded, blocked";
		return -EINVAL;
	}
	if (colon != NULL) {
		for (unsigned int b = 0; b < (x->boxes != NULL ? x->boxes->n : 1); b++) {
			row.rule[b] = kd_policy_rule_find(kd_boxes_policy(x->boxes, x->policy, b), colon + 1);
			row.ruled |= row.rule[b] != KD_RULE_NONE;
		}
		if (!row.ruled) {
			*why = "the profile has no such rule";
			return -EINVAL;
		}
	}
	rows = realloc(x->rows, (x->nrows + 1) * sizeof(*rows));
	if (rows == NULL)
		return -ENOMEM;
	rows[x->nrows++] = row;
	x->rows = rows;
	return 0;
}

static struct flow *flow_get(struct kd_expect *x, uint64_t id)
{
	struct flow *f = (struct flow *)*kd_idmap_at(&x->flows, id);

	if (f != NULL)
		return f;
	f = calloc(1, sizeof(*f));
	if (f == NULL)
		return NULL;
	f->node.id = id;
	kd_idmap_add(&x->flows, &f->node);
	return f;
}

static bool same_name(const uint8_t *a, size_t a_len, const void *b, size_t b_len)
{
	return a_len == b_len && strncasecmp((const char *)a, b, a_len) == 0;
}

static bool flow_has_name(const struct flow *f, const void *name, size_t len)
{
	for (const struct name *n = f != NULL ? f->names : NULL; n != NULL; n = n->next)
		if (same_name(n->text, n->len, name, len))
			return true;
	return false;
}

/* The name in an event, or NULL. */
static const uint8_t *event_name(const struct kd_event *e, size_t *len)
{
	const struct kd_event_field *f = &e->field[0];

	if (e->type == KD_EVENT_FLOW || e->app >= KD_PROTOCOL_COUNT || !kd_protocols[e->app]->has_name)
		return NULL;
	if (f->len == 0xffff || (size_t)f->off + f->len > e->text_len)
		return NULL;
	*len = f->len;
	return e->text + f->off;
}

static const char *rule_id(const struct kd_expect *x, unsigned int box, uint16_t rule)
{
	const struct kd_policy *policy = kd_boxes_policy(x->boxes, x->policy, box);

	return rule != KD_RULE_NONE && rule <= policy->nrules ? policy->rules[rule].id : "none";
}

/* Names come from packets; people read them on terminals. */
static void make_printable(char *s)
{
	for (; *s != '\0'; s++)
		if (*s < 0x20 || *s > 0x7e)
			*s = '?';
}

static uint16_t rule_of(const struct kd_event *e)
{
	return e->outcome == KD_OUTCOME_PASSED ? e->armed : e->rule;
}

static bool fits(const struct row *row, const struct kd_event *e)
{
	uint16_t rule = rule_of(e);

	return e->outcome == row->outcome &&
	       (!row->ruled || (rule != KD_RULE_NONE && row->rule[e->box % KD_BOXES_MAX] == rule));
}

static void tally(const struct kd_expect *x, struct tally *t, const struct row *row, const struct flow *f,
	const struct kd_event *e)
{
	const struct kd_reason *reason = kd_reason(e->reason);
	const struct name *name = f != NULL ? f->names : NULL;
	uint16_t rule = rule_of(e);

	t->flows++;
	if (f != NULL && f->pending) {
		t->pending++;
		return;
	}
	if (t->missed || fits(row, e))
		return;
	t->missed = true;
	snprintf(t->got, sizeof(t->got), "%s%s%s in flow %llu%s%.*s, reason %s: %s",
		outcome_names[e->outcome % KD_OUTCOME_COUNT], rule != KD_RULE_NONE ? ":" : "",
		rule != KD_RULE_NONE ? rule_id(x, e->box, rule) : "", (unsigned long long)e->flow_id,
		name != NULL ? " " : "", name != NULL ? (int)name->len : 0,
		name != NULL ? (const char *)name->text : "", kd_reason_name(e->reason),
		reason != NULL ? reason->sentence : "");
	make_printable(t->got);
}

/* A flow keeps these two reasons until its first payload, or for ever. */
static bool had_payload(const struct kd_event *e)
{
	return e->reason != KD_REASON_FLOW_NO_PAYLOAD && e->reason != KD_REASON_FLOW_OTHER_PROTOCOL;
}

static void judge(struct kd_expect *x, const struct flow *f, const struct kd_event *e)
{
	if ((f == NULL || f->names == NULL) && had_payload(e))
		x->nameless++;
	for (unsigned int i = 0; i < x->nrows; i++) {
		struct row *row = &x->rows[i];

		if (row->name_len > 0) {
			if (flow_has_name(f, row->text, row->name_len))
				tally(x, &row->named, row, f, e);
			continue;
		}
		tally(x, &row->all, row, f, e);
		if (f != NULL && f->names != NULL)
			tally(x, &row->named, row, f, e);
	}
}

/* Each box numbers flows by itself: what they mean is told by its ends. */
static uint64_t flow_key(const struct kd_expect *x, const struct kd_event *e)
{
	uint64_t key;

	if (x->boxes == NULL)
		return e->flow_id;
	key = kd_hash_bytes(e->tuple.addr[0], sizeof(e->tuple.addr));
	key = kd_mix(key, (uint64_t)e->tuple.port[0] << 32 | (uint64_t)e->tuple.port[1] << 16 |
				  (uint64_t)e->tuple.ip_proto << 8 | e->tuple.ip_version);
	return key | 1;
}

/* Of one box a flow is judged when it ends; of several, when all have told of it, at the end. */
static int flow_ended(struct kd_expect *x, const struct kd_event *e)
{
	struct flow *f;

	if (x->boxes == NULL) {
		f = (struct flow *)kd_idmap_take(&x->flows, e->flow_id);
		judge(x, f, e);
		if (f != NULL)
			flow_free(f);
		return 0;
	}
	f = flow_get(x, flow_key(x, e));
	if (f == NULL)
		return -ENOMEM;
	if (!f->ended || e->outcome > f->worst.outcome ||
		(e->outcome == f->worst.outcome && rule_of(&f->worst) == KD_RULE_NONE))
		memcpy(&f->worst, e, offsetof(struct kd_event, text));
	f->ended = true;
	return 0;
}

int kd_expect_event(struct kd_expect *x, const struct kd_event *e)
{
	const uint8_t *text;
	struct flow *f;
	struct name *n;
	size_t len;

	if (x->nrows == 0)
		return 0;
	if (e->type == KD_EVENT_FLOW)
		return flow_ended(x, e);
	text = event_name(e, &len);
	if (text == NULL && e->reason != KD_REASON_DECIDE_PENDING)
		return 0;
	f = flow_get(x, flow_key(x, e));
	if (f == NULL)
		return -ENOMEM;
	if (e->type == KD_EVENT_VERDICT && e->reason == KD_REASON_DECIDE_PENDING)
		f->pending = true;
	if (text == NULL || flow_has_name(f, text, len))
		return 0;
	n = malloc(sizeof(*n) + len);
	if (n == NULL)
		return -ENOMEM;
	n->len = len;
	memcpy(n->text, text, len);
	n->next = f->names;
	f->names = n;
	return 0;
}

unsigned int kd_expect_count(const struct kd_expect *x)
{
	return x->nrows;
}

void kd_expect_end(struct kd_expect *x)
{
	struct kd_idnode *n;

	while (x->boxes != NULL && (n = kd_idmap_pop(&x->flows)) != NULL) {
		struct flow *f = (struct flow *)n;

		if (f->ended)
			judge(x, f, &f->worst);
		flow_free(f);
	}
}

/* No flow to hold it against. A name that was not read may be the one asked for: then nobody knows. */
static void none_to_judge(const struct kd_expect *x, const struct row *row, struct kd_expect_result *ret)
{
	int name_len = (int)row->name_len;

	ret->status = KD_EXPECT_NOT_MET;
	if (name_len == 0) {
		snprintf(ret->message, sizeof(ret->message), "expected %s, got no flow at all", row->text);
		return;
	}
	if (x->nameless == 0) {
		snprintf(ret->message, sizeof(ret->message), "expected %s, got no flow named %.*s", row->text,
			name_len, row->text);
		return;
	}
	ret->status = KD_EXPECT_INCONCLUSIVE;
	snprintf(ret->message, sizeof(ret->message),
		"expected %s, got no flow named %.*s; but in %llu flow%s with payload the box read no name, "
		"as "
		"when a ClientHello is split over segments: try --expect %s, which asks about all flows when "
		"none has a name",
		row->text, name_len, row->text, (unsigned long long)x->nameless, x->nameless == 1 ? "" : "s",
		row->text + name_len + 1);
}

void kd_expect_result(const struct kd_expect *x, unsigned int i, struct kd_expect_result *ret)
{
	const struct row *row = &x->rows[i];
	const struct tally *t = row->name_len > 0 || row->named.flows > 0 ? &row->named : &row->all;

	*ret = (struct kd_expect_result){.text = row->text, .status = KD_EXPECT_MET, .flows = t->flows};
	if (t->missed) {
		ret->status = KD_EXPECT_NOT_MET;
		snprintf(ret->message, sizeof(ret->message), "expected %s, got %s", row->text, t->got);
	} else if (t->flows == 0) {
		none_to_judge(x, row, ret);
	} else if (t->pending > 0) {
		ret->status = KD_EXPECT_INCONCLUSIVE;
		snprintf(ret->message, sizeof(ret->message),
			"expected %s, got a rule whose mechanism does not exist yet (%s)", row->text,
			kd_reason_name(KD_REASON_DECIDE_PENDING));
	}
}
