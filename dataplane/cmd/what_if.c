/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Runs a capture again under changed boxes and with changed clients, and compares what became of each flow.
 * It knows nothing of what a knob means: a knob decides if another attested value of it, alone, gives another
 * outcome or rule. Two knobs that only decide together are said by none. Reruns are of the whole capture,
 * because what one flow meets may hang on another, and over the whole path: a value is set at all its boxes.
 */
#include "cmd/what_if.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "drivers/capture.h"
#include "drivers/shape.h"
#include "engine/knob.h"
#include "rulebook/attested.h"
#include "rulebook/boxes.h"
#include "rulebook/diag.h"

/* More than this is only done when it is asked for: some seconds of a machine. */
#define PACKETS_MAX 200000
#define PACKETS_RUN_MAX 20000000

_Static_assert(KD_SHAPE_PIECES == KD_OFFLINE_PIECES, "a change fits where the driver takes it");

/* Another value, and what it makes of a flow. */
struct hit {
	struct hit *next;
	const struct kd_attested *value;
	uint16_t rule, armed;
	uint8_t outcome;
};

struct subject {
	struct kd_explain_flow flow;
	uint64_t until; /* first packet of the next flow of its tuple at its box */
	struct hit *hits, **last;
	const char *not_tried; /* NULL = the changes were */
	int change;	       /* enum kd_shape_kind, the first that passes; -1 = none */
};

struct kd_what_if {
	struct kd_what_if_config config;
	unsigned int nboxes;
	struct kd_arena *arena;
	struct kd_attested *values;
	unsigned int nvalues;
	struct subject *subjects; /* by tuple, box and first packet */
	size_t nsubjects;
	uint64_t runs, done; /* those to make, for people who wait */
};

/* What a run gave. */
struct told {
	struct kd_explain_flow *flows; /* as above */
	size_t n;
};

static int compare_tuples(const struct kd_tuple *a, const struct kd_tuple *b)
{
	int rc = memcmp(a->addr, b->addr, sizeof(a->addr));

	if (rc == 0)
		rc = memcmp(a->port, b->port, sizeof(a->port));
	if (rc == 0)
		rc = (int)a->ip_version - (int)b->ip_version;
	return rc != 0 ? rc : (int)a->ip_proto - (int)b->ip_proto;
}

static int compare_places(const struct kd_explain_flow *a, const struct kd_explain_flow *b)
{
	int rc = compare_tuples(&a->tuple, &b->tuple);

	return rc != 0 ? rc : (int)a->box - (int)b->box;
}

static int by_place(const void *a, const void *b)
{
	const struct kd_explain_flow *one = a, *two = b;
	int rc = compare_places(one, two);

	return rc != 0 ? rc : (one->first > two->first) - (one->first < two->first);
}

static int flows_of(const struct kd_explain *x, struct told *ret)
{
	int rc = kd_explain_flows(x, &ret->flows, &ret->n);

	if (rc == 0 && ret->n > 0)
		qsort(ret->flows, ret->n, sizeof(*ret->flows), by_place);
	return rc;
}

static void progress(struct kd_what_if *w)
{
	w->done++;
	if (!w->config.args->quiet && isatty(STDERR_FILENO))
		fprintf(stderr, "\rkordon: what if: run %" PRIu64 " of %" PRIu64 " ", w->done, w->runs);
}

static const struct kd_policy *policy_of(const struct kd_what_if *w, unsigned int box)
{
	return kd_boxes_policy(w->config.offline->boxes, w->config.offline->policy, box);
}

/* One more run over the capture, of the boxes in *o. The input may be cut: what is readable is the same in
 * every run. */
static int rerun(struct kd_what_if *w, struct kd_offline *o, struct told *ret)
{
	struct kd_explain_config config = {.policy = o->policy, .boxes = o->boxes};
	struct kd_offline_sink sink = {.action = kd_explain_action, .event = kd_explain_event};
	struct kd_offline_result result;
	struct kd_explain *x;
	int rc;

	progress(w);
	rc = kd_explain_new(&x, &config);
	if (rc < 0)
		return rc;
	sink.user = x;
	o->recorded = w->config.offline->policy;
	o->sink = &sink;
	kd_offline_run(o, &result);
	if (result.end == KD_OFFLINE_OK || result.end == KD_OFFLINE_INPUT)
		rc = flows_of(x, ret);
	else
		rc = -EIO;
	if (rc == -EIO)
		kd_complain("%s", result.message);
	kd_explain_free(x);
	return rc;
}

/* What became of the packets of a flow at a box: of the worst of the flows they are in this time. */
static const struct kd_explain_flow *fate_of(
	const struct told *t, const struct subject *s, unsigned int box, uint64_t until)
{
	const struct kd_explain_flow key = {
		.tuple = s->flow.tuple, .first = s->flow.first, .box = (uint8_t)box};
	const struct kd_explain_flow *worst = NULL;
	size_t lo = 0, hi = t->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (by_place(&t->flows[mid], &key) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	for (size_t i = lo; i < t->n && compare_places(&t->flows[i], &key) == 0; i++)
		if (t->flows[i].first < until && (worst == NULL || t->flows[i].outcome > worst->outcome))
			worst = &t->flows[i];
	if (worst == NULL && lo > 0 && compare_places(&t->flows[lo - 1], &key) == 0)
		worst = &t->flows[lo - 1];
	return worst;
}

static int hold_against(struct kd_what_if *w, const struct kd_attested *value, const struct told *t)
{
	for (size_t i = 0; i < w->nsubjects; i++) {
		struct subject *s = &w->subjects[i];
		const struct kd_explain_flow *f = fate_of(t, s, s->flow.box, s->until);
		struct hit *hit;

		if (!s->flow.wanted || f == NULL ||
			(f->outcome == s->flow.outcome && f->rule == s->flow.rule &&
				f->armed == s->flow.armed))
			continue;
		hit = kd_arena_alloc(w->arena, sizeof(*hit));
		if (hit == NULL)
			return -ENOMEM;
		*hit = (struct hit){
			.value = value, .rule = f->rule, .armed = f->armed, .outcome = f->outcome};
		*s->last = hit;
		s->last = &hit->next;
	}
	return 0;
}

static bool speaks_of(const struct kd_policy *p, unsigned int knob)
{
	for (uint32_t i = 0; i < p->nknobs; i++)
		if (p->knobs[i].index == knob)
			return true;
	return false;
}

/* No entry of any box speaks of the knob, and its default is what the value is. */
static bool is_already_so(const struct kd_what_if *w, const struct kd_attested *value)
{
	for (unsigned int i = 0; i < w->nboxes; i++)
		if (speaks_of(policy_of(w, i), value->knob))
			return false;
	return strcmp(kd_knob_rows[value->knob].deflt, value->word) == 0;
}

static int try_value(struct kd_what_if *w, const struct kd_attested *value)
{
	const char *set[KD_CMD_REPEAT_MAX + 2] = {NULL};
	struct kd_offline o = *w->config.offline;
	struct kd_boxes boxes = {0};
	struct told told = {0};
	unsigned int n = 0;
	char own[128];
	int rc;

	for (; w->config.args->set[n] != NULL; n++)
		set[n] = w->config.args->set[n];
	snprintf(own, sizeof(own), "%s=%s", kd_knob_rows[value->knob].name, value->word);
	set[n] = own;
	o.unobserved = true;
	rc = kd_cmd_boxes_set(&boxes, w->config.args, set);
	if (rc < 0)
		return rc;
	o.policy = boxes.policy[0];
	o.boxes = boxes.n > 1 ? &boxes : NULL;
	rc = rerun(w, &o, &told);
	if (rc == 0)
		rc = hold_against(w, value, &told);
	free(told.flows);
	kd_boxes_free(&boxes);
	return rc;
}

static int try_values(struct kd_what_if *w)
{
	int rc = 0;

	for (unsigned int i = 0; i < w->nvalues && rc == 0; i++)
		if (!is_already_so(w, &w->values[i]))
			rc = try_value(w, &w->values[i]);
	return rc;
}

static unsigned int reshape(
	void *user, const struct kd_captured *c, uint64_t number, unsigned int link, struct kd_captured *out)
{
	return kd_shape_apply(user, c, number, link, out);
}

/* Reads the capture until the flow's hello is whole. */
static int learn(struct kd_what_if *w, struct kd_shape *shape)
{
	struct kd_capture_error error = {0};
	struct kd_capture *capture;
	struct kd_captured c;
	uint64_t number = 0;
	int rc = kd_capture_open(&capture, w->config.offline->input, &error), link;

	if (rc < 0)
		return rc;
	progress(w);
	rc = 1;
	while (rc == 1 && kd_capture_next(capture, &c, &error) > 0) {
		number++;
		link = kd_offline_link(c.dlt);
		if (link >= 0)
			rc = kd_shape_show(shape, &c, number, (unsigned int)link);
	}
	kd_capture_close(capture);
	return rc == 1 ? -EOPNOTSUPP : rc;
}

/* Past every box. A rule that takes the flow and cannot act yet is no way past its box. */
static bool passes(const struct kd_what_if *w, const struct told *t, const struct subject *s, uint64_t until)
{
	for (unsigned int box = 0; box < w->nboxes; box++) {
		const struct kd_explain_flow *f = fate_of(t, s, box, until);

		if (f == NULL || f->outcome != KD_OUTCOME_PASSED ||
			(f->armed != KD_RULE_NONE && policy_of(w, box)->rules[f->armed].closes == 0))
			return false;
	}
	return true;
}

/* 1 = it passes, 0 = it does not, or has no meaning here. */
static int try_change(struct kd_what_if *w, struct subject *s, struct kd_shape *shape, unsigned int kind)
{
	struct kd_offline o = *w->config.offline;
	struct told told = {0};
	uint64_t until;
	int rc;

	if (kd_shape_choose(shape, kind) < 0)
		return 0;
	o.unobserved = true;
	o.reshape = reshape;
	o.reshape_user = shape;
	rc = rerun(w, &o, &told);
	if (rc < 0)
		return rc;
	until = s->until == UINT64_MAX ? UINT64_MAX : s->until + (uint64_t)kd_shape_added(shape);
	rc = kd_shape_done(shape) && passes(w, &told, s, until);
	free(told.flows);
	return rc;
}

static int try_changes(struct kd_what_if *w, struct subject *s)
{
	const struct kd_shape_flow flow = {s->flow.tuple, s->flow.first, s->until};
	struct kd_shape *shape;
	int rc = kd_shape_new(&shape, &flow);

	if (rc < 0)
		return rc;
	rc = learn(w, shape);
	for (unsigned int kind = 0; rc == 0 && kind < KD_SHAPE_COUNT && s->change < 0; kind++) {
		rc = try_change(w, s, shape, kind);
		if (rc == 1)
			s->change = (int)kind;
		rc = rc < 0 ? rc : 0;
	}
	if (rc == -EOPNOTSUPP) {
		s->not_tried = kd_shape_why(shape);
		rc = 0;
	}
	kd_shape_free(shape);
	return rc;
}

static bool suffered(const struct subject *s)
{
	return s->flow.wanted && s->flow.outcome != KD_OUTCOME_PASSED;
}

static int take_subjects(struct kd_what_if *w)
{
	struct told base = {0};
	int rc = flows_of(w->config.told, &base);

	if (rc < 0)
		return rc;
	w->subjects = calloc(base.n + 1, sizeof(*w->subjects));
	w->nsubjects = w->subjects != NULL ? base.n : 0;
	for (size_t i = 0; i < w->nsubjects; i++) {
		struct subject *s = &w->subjects[i];
		bool again = i + 1 < base.n && compare_places(&base.flows[i], &base.flows[i + 1]) == 0;

		*s = (struct subject){.flow = base.flows[i],
			.until = again ? base.flows[i + 1].first : UINT64_MAX,
			.change = -1};
		s->last = &s->hits;
	}
	free(base.flows);
	return w->subjects != NULL ? 0 : -ENOMEM;
}

/* No box of the path has a rule. */
static bool has_no_rules(const struct kd_offline *o)
{
	unsigned int n = o->boxes != NULL ? o->boxes->n : 1;

	for (unsigned int i = 0; i < n; i++)
		if (kd_boxes_policy(o->boxes, o->policy, i)->nrules > 0)
			return false;
	return true;
}

/* The values come from the shipped rulebook, whatever file of one's own the profile is. */
static int take_values(struct kd_what_if *w)
{
	struct kd_diags diags = {0};
	struct kd_book *book;
	int rc = kd_book_load(&book, w->config.args->policies, NULL, &diags);

	if (rc == 0 && diags.errors > 0)
		kd_diags_print(&diags, stderr);
	kd_diags_free(&diags);
	if (rc < 0)
		return rc;
	rc = kd_attested_list(w->arena, book, &w->values, &w->nvalues);
	kd_book_free(book);
	return rc;
}

static void count_runs(struct kd_what_if *w)
{
	for (unsigned int i = 0; i < w->nvalues; i++)
		w->runs += !is_already_so(w, &w->values[i]);
	for (size_t i = 0; i < w->nsubjects; i++)
		w->runs += suffered(&w->subjects[i]) ? 1 + KD_SHAPE_COUNT : 0;
}

static bool is_too_long(const struct kd_what_if *w)
{
	uint64_t packets = w->config.packets;

	return !w->config.always &&
	       (packets > PACKETS_MAX || (packets > 0 && w->runs > PACKETS_RUN_MAX / packets));
}

static bool reads_again(const char *path)
{
	struct stat st;

	return strcmp(path, "-") != 0 && stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

static int try_all(struct kd_what_if *w)
{
	bool wanted = false;
	int rc;

	for (size_t i = 0; i < w->nsubjects; i++)
		wanted |= w->subjects[i].flow.wanted;
	if (!wanted)
		return 0;
	rc = try_values(w);
	for (size_t i = 0; i < w->nsubjects && rc == 0; i++)
		if (suffered(&w->subjects[i]))
			rc = try_changes(w, &w->subjects[i]);
	if (w->done > 0 && !w->config.args->quiet && isatty(STDERR_FILENO))
		fputs("\r\033[K", stderr);
	return rc;
}

int kd_what_if_try(struct kd_what_if **ret, const struct kd_what_if_config *config)
{
	struct kd_what_if *w;
	int rc = -ENOMEM;

	*ret = NULL;
	if (has_no_rules(config->offline) || config->packets == 0)
		return 0;
	if (!reads_again(config->offline->input)) {
		if (!config->args->quiet)
			kd_complain(
				"no counterfactuals: \"%s\" can be read only once", config->offline->input);
		return 0;
	}
	w = calloc(1, sizeof(*w));
	if (w != NULL) {
		w->config = *config;
		w->nboxes = config->offline->boxes != NULL ? config->offline->boxes->n : 1;
		w->arena = kd_arena_new();
		rc = w->arena == NULL ? -ENOMEM : take_values(w);
		if (rc == 0)
			rc = take_subjects(w);
	}
	if (rc == 0)
		count_runs(w);
	if (rc == 0 && is_too_long(w)) {
		kd_complain("no counterfactuals: they take up to %" PRIu64 " runs over %" PRIu64
			    " packets; ask for them with --counterfactuals, of one flow with --flow",
			w->runs, config->packets);
		kd_what_if_free(w);
		return 0;
	}
	if (rc == 0)
		rc = try_all(w);
	if (rc == 0) {
		*ret = w;
		return 0;
	}
	kd_complain("counterfactuals: %s", strerror(-rc));
	kd_what_if_free(w);
	return KD_EXIT_ENVIRONMENT;
}

void kd_what_if_free(struct kd_what_if *w)
{
	if (w == NULL)
		return;
	kd_arena_free(w->arena);
	free(w->subjects);
	free(w);
}

/* The rules of all runs are the same: they are of one query. */
static const char *rule_id(const struct kd_what_if *w, unsigned int box, uint16_t rule)
{
	const struct kd_policy *p = policy_of(w, box);

	return rule <= p->nrules ? p->rules[rule].id : "?";
}

static void print_hit(const struct kd_what_if *w, FILE *to, unsigned int box, const struct hit *hit)
{
	static const char *const outcomes[KD_OUTCOME_COUNT] = {"passed", "degraded", "blocked"};
	const struct kd_attested *v = hit->value;
	bool is_default = strcmp(kd_knob_rows[v->knob].deflt, v->word) == 0;

	fprintf(to, "  box knob that decides: %s = %s (", kd_knob_rows[v->knob].name, v->word);
	if (v->dates[0] != '\0')
		fprintf(to, "attested %s", v->dates);
	else
		fputs(is_default ? "the default" : "attested", to);
	fprintf(to, "; %s%s%s)%s -> %s", v->grade, v->claims[0] != '\0' ? ": " : "", v->claims,
		w->nboxes > 1 ? ", at every box" : "", outcomes[hit->outcome % KD_OUTCOME_COUNT]);
	if (hit->rule != KD_RULE_NONE)
		fprintf(to, " by rule %s", rule_id(w, box, hit->rule));
	else if (hit->armed != KD_RULE_NONE)
		fprintf(to, ", matched by rule %s", rule_id(w, box, hit->armed));
	fputc('\n', to);
}

static void print_change(FILE *to, const struct subject *s)
{
	fputs("  client change that passes: ", to);
	if (s->not_tried != NULL)
		fprintf(to, "not tried: %s\n", s->not_tried);
	else if (s->change < 0)
		fputs("none of those tried\n", to);
	else
		fprintf(to, "%s (%s); the endpoint is taken to accept it\n",
			kd_shape_words((unsigned int)s->change), kd_shape_claims((unsigned int)s->change));
}

void kd_what_if_print(void *user, FILE *to, const struct kd_explain_flow *flow)
{
	const struct kd_what_if *w = user;
	const struct subject *s;

	/* The flow is what a subject begins with. */
	s = bsearch(flow, w->subjects, w->nsubjects, sizeof(*w->subjects), by_place);
	if (s == NULL || (s->flow.reason == KD_REASON_FLOW_NO_PAYLOAD && s->hits == NULL))
		return;
	for (const struct hit *hit = s->hits; hit != NULL; hit = hit->next)
		print_hit(w, to, s->flow.box, hit);
	if (s->hits == NULL)
		fputs("  box knob that decides: none by itself\n", to);
	if (suffered(s))
		print_change(to, s);
}
