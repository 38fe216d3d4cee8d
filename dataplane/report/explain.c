/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Collects the story of each flow. A run of packets with the same fate, reason and rule is one
 * line, so a story is as long as its changes, not as its flow. How it is told is explain_print.c's.
 */
#include "report/explain_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Runs this far apart stay two until they are printed, so that a flow that died of idleness in between can be
 * cut off where it ended; no idle time is shorter. */
#define RUN_GAP_NS 1000000000ull

int kd_explain_new(struct kd_explain **ret, const struct kd_explain_config *config)
{
	struct kd_explain *x = calloc(1, sizeof(*x));

	if (x == NULL)
		return -ENOMEM;
	x->config = *config;
	if (kd_idmap_init(&x->live) < 0) {
		free(x);
		return -ENOMEM;
	}
	*ret = x;
	return 0;
}

void kd_explain_after(struct kd_explain *x, kd_explain_more *more, void *user)
{
	x->more = more;
	x->more_user = user;
}

void kd_explain_free(struct kd_explain *x)
{
	if (x == NULL)
		return;
	for (struct kd_story *s = x->stories, *older; s != NULL; s = older) {
		older = s->older;
		for (struct kd_story_run *r = s->runs, *next; r != NULL; r = next) {
			next = r->next;
			free(r);
		}
		for (struct kd_story_note *n = s->notes, *next; n != NULL; n = next) {
			next = n->next;
			free(n);
		}
		free(s);
	}
	free(x->live.bucket);
	free(x);
}

static struct kd_story *story_new(struct kd_explain *x, uint64_t id, unsigned int box)
{
	struct kd_story *s = calloc(1, sizeof(*s));

	if (s == NULL) {
		x->lost = true;
		return NULL;
	}
	s->node.id = id;
	s->box = (uint8_t)box;
	s->last_note = &s->notes;
	s->older = x->stories;
	x->stories = s;
	x->nstories++;
	kd_idmap_add(&x->live, &s->node);
	return s;
}

static struct kd_story *story_of(struct kd_explain *x, uint64_t id, unsigned int box)
{
	struct kd_story *s = (struct kd_story *)*kd_idmap_at(&x->live, id);

	return s != NULL ? s : story_new(x, id, box);
}

static bool continues(const struct kd_story_run *r, const struct kd_action *a)
{
	return r != NULL && kd_story_same_run(r, a->fate, a->reason, a->rule) &&
	       a->time_ns <= r->last_ns + RUN_GAP_NS;
}

/* The run this packet goes on with: the last, or the one before it when the two directions fare differently.
 */
static struct kd_story_run *run_of(struct kd_explain *x, struct kd_story *s, const struct kd_action *a)
{
	struct kd_story_run *r;

	if (continues(s->last_run, a))
		return s->last_run;
	if (continues(s->run_before, a))
		return s->run_before;
	r = calloc(1, sizeof(*r));
	if (r == NULL) {
		x->lost = true;
		return NULL;
	}
	*r = (struct kd_story_run){.first = a->number,
		.first_ns = a->time_ns,
		.fate = a->fate,
		.reason = a->reason,
		.rule = a->rule};
	if (s->last_run != NULL)
		s->last_run->next = r;
	else
		s->runs = r;
	s->run_before = s->last_run;
	s->last_run = r;
	return r;
}

static void run_add(struct kd_explain *x, struct kd_story *s, const struct kd_action *a)
{
	struct kd_story_run *r = run_of(x, s, a);

	if (r == NULL)
		return;
	r->last = a->number;
	r->last_ns = a->time_ns;
	r->from |= (uint8_t)(1u << (a->fate == KD_INJECT ? a->side : a->side ^ 1));
}

void kd_explain_action(void *user, const struct kd_action *a, const uint8_t *original, uint32_t original_len)
{
	struct kd_explain *x = user;
	bool asked = x->config.packet != 0 && a->number == x->config.packet;
	struct kd_story *s;

	(void)original;
	(void)original_len;
	if (asked && x->nanswers < KD_STORY_ANSWERS_MAX)
		x->answer[x->nanswers++] = (struct kd_story_answer){.flow_id = a->flow_id,
			.reason = a->reason,
			.rule = a->rule,
			.fate = a->fate,
			.box = a->box};
	if (a->fate == KD_HOLD)
		return;
	if (a->flow_id == 0) {
		x->homeless[a->box % KD_BOXES_MAX][a->reason]++;
		return;
	}
	s = story_of(x, a->flow_id, a->box);
	if (s == NULL)
		return;
	s->has_packet |= asked;
	run_add(x, s, a);
}

/* The records come later than the actions: what lies behind the flow's end belongs to the next flow of this
 * id. */
static void story_end(struct kd_explain *x, struct kd_story *s, const struct kd_event *e)
{
	struct kd_story_run *before = NULL, *r = s->runs;
	struct kd_story *later;

	s->ended = true;
	memcpy(&s->flow, e, offsetof(struct kd_event, text));
	kd_idmap_take(&x->live, s->node.id);
	if (e->end_reason == KD_REASON_FLOW_FINISHED)
		return;
	while (r != NULL && (e->number != 0 ? r->first < e->number : r->first_ns < e->time_ns)) {
		before = r;
		r = r->next;
	}
	if (r == NULL || before == NULL)
		return;
	later = story_new(x, s->node.id, s->box);
	if (later == NULL)
		return;
	later->runs = r;
	later->last_run = s->last_run;
	before->next = NULL;
	if (x->config.packet >= r->first && s->has_packet) {
		later->has_packet = true;
		s->has_packet = false;
	}
}

void kd_explain_event(void *user, const struct kd_event *e, bool open_loop)
{
	struct kd_explain *x = user;
	const struct kd_event_field *f = &e->field[0];
	bool named = e->app < KD_PROTOCOL_COUNT && kd_protocols[e->app]->has_name && f->len != 0xffff &&
		     (size_t)f->off + f->len <= e->text_len;
	struct kd_story_note *n;
	struct kd_story *s;

	(void)open_loop;
	if (e->type == KD_EVENT_BOX) /* of no flow: each packet says by itself that it was let by */
		return;
	s = story_of(x, e->flow_id, e->box);
	if (s == NULL)
		return;
	if (e->type == KD_EVENT_FLOW) {
		story_end(x, s, e);
		return;
	}
	n = malloc(sizeof(*n) + (named ? f->len : 0));
	if (n == NULL) {
		x->lost = true;
		return;
	}
	*n = (struct kd_story_note){.number = e->number,
		.time_ns = e->time_ns,
		.until_ns = e->until_ns,
		.reason = e->reason,
		.rule = e->rule,
		.name_at = e->name_at,
		.type = e->type,
		.app = e->app,
		.name_len = named ? f->len : 0};
	if (named)
		memcpy(n->name, e->text + f->off, f->len);
	*s->last_note = n;
	s->last_note = &n->next;
}

static int by_first_packet(const void *a, const void *b)
{
	const struct kd_story *const *one = a, *const *two = b;
	uint64_t x = (*one)->runs != NULL ? (*one)->runs->first : UINT64_MAX;
	uint64_t y = (*two)->runs != NULL ? (*two)->runs->first : UINT64_MAX;

	if (x != y)
		return x > y ? 1 : -1;
	return ((*one)->box > (*two)->box) - ((*one)->box < (*two)->box);
}

bool kd_explain_wants(const struct kd_explain *x, const struct kd_story *s, size_t number)
{
	if (x->config.packet != 0 && !s->has_packet)
		return false;
	return x->config.flow == 0 || x->config.flow == number || x->config.flow == s->node.id;
}

struct kd_story **kd_explain_sorted(const struct kd_explain *x)
{
	struct kd_story **sorted = calloc(x->nstories + 1, sizeof(struct kd_story *));
	size_t n = 0;

	if (sorted == NULL)
		return NULL;
	for (struct kd_story *s = x->stories; s != NULL; s = s->older)
		sorted[n++] = s;
	qsort(sorted, n, sizeof(struct kd_story *), by_first_packet);
	return sorted;
}

void kd_story_flow(const struct kd_story *s, size_t number, struct kd_explain_flow *ret)
{
	*ret = (struct kd_explain_flow){.number = number,
		.box = s->box,
		.first = s->runs != NULL ? s->runs->first : 0,
		.tuple = s->flow.tuple,
		.outcome = s->flow.outcome,
		.reason = s->flow.reason,
		.rule = s->flow.rule,
		.armed = s->flow.armed};
}

int kd_explain_flows(const struct kd_explain *x, struct kd_explain_flow **ret, size_t *ret_n)
{
	struct kd_story **sorted = x->lost ? NULL : kd_explain_sorted(x);
	struct kd_explain_flow *flows = calloc(x->nstories + 1, sizeof(*flows));
	size_t n = 0;

	if (sorted == NULL || flows == NULL) {
		free(sorted);
		free(flows);
		return -ENOMEM;
	}
	for (size_t i = 0; i < x->nstories; i++) {
		const struct kd_story *s = sorted[i];

		if (!s->ended || s->runs == NULL)
			continue;
		kd_story_flow(s, i + 1, &flows[n]);
		flows[n++].wanted = kd_explain_wants(x, s, i + 1);
	}
	free(sorted);
	*ret = flows;
	*ret_n = n;
	return 0;
}
