/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Tells the stories that explain.c collected. Says what happened under this one profile; what another box or
 * another client would have met is told behind each story by whoever tried it.
 */
#include "report/explain_parts.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "report/explain_blind.h"

static const char *const fates[KD_FATE_COUNT] = {"emitted", "rewritten", "dropped", "held", "injected"};

#define PLAIN "\033[0m"
#define BOLD "\033[1m"
#define DIM "\033[2m"

static const char *paint(const struct kd_explain *x, const char *code)
{
	return x->config.color ? code : "";
}

static const char *sentence(uint16_t reason)
{
	const struct kd_reason *row = kd_reason(reason);

	return row != NULL ? row->sentence : "";
}

static const struct kd_policy *policy_of(const struct kd_explain *x, unsigned int box)
{
	return kd_boxes_policy(x->config.boxes, x->config.policy, box);
}

static const struct kd_rule *rule_of(const struct kd_explain *x, unsigned int box, uint16_t rule)
{
	const struct kd_policy *policy = policy_of(x, box);

	return rule != KD_RULE_NONE && rule <= policy->nrules ? &policy->rules[rule] : NULL;
}

/* Where one box is all there is, nobody asks which. */
static void print_box(const struct kd_explain *x, FILE *to, unsigned int box)
{
	if (x->config.boxes != NULL)
		fprintf(to, "  box %u %s", box, policy_of(x, box)->box.id);
}

/* Bytes from a packet on somebody's terminal. */
static void print_bytes(FILE *to, const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (p[i] > 0x20 && p[i] < 0x7f && p[i] != '\\')
			fputc(p[i], to);
		else
			fprintf(to, "\\x%02x", p[i]);
}

static void print_end(FILE *to, const struct kd_tuple *t, unsigned int side)
{
	char text[INET6_ADDRSTRLEN];
	bool ports = t->ip_proto == 6 || t->ip_proto == 17;

	inet_ntop(t->ip_version == 6 ? AF_INET6 : AF_INET, t->addr[side], text, sizeof(text));
	fprintf(to, ports && t->ip_version == 6 ? "[%s]" : "%s", text);
	if (ports)
		fprintf(to, ":%u", t->port[side]);
}

static void print_header(const struct kd_explain *x, FILE *to, size_t number, const struct kd_story *s)
{
	const struct kd_tuple *t = &s->flow.tuple;
	unsigned int client = t->opened & 1;

	fprintf(to, "%sflow %zu", paint(x, BOLD), number);
	if (s->ended) {
		fputs("  ", to);
		print_end(to, t, client);
		fputs(" -> ", to);
		print_end(to, t, client ^ 1);
		if (t->ip_proto == 6 || t->ip_proto == 17)
			fprintf(to, "  %s", t->ip_proto == 6 ? "tcp" : "udp");
		else
			fprintf(to, "  ip protocol %u", t->ip_proto);
		fprintf(to, "  opened from %s", client == KD_INSIDE ? "inside" : "outside");
	}
	print_box(x, to, s->box);
	fprintf(to, "%s%s  flow_id %" PRIu64 "%s\n", paint(x, PLAIN), paint(x, DIM), s->node.id,
		paint(x, PLAIN));
}

static void print_ns(FILE *to, uint64_t ns)
{
	fprintf(to, "%" PRIu64, ns / 1000000000u);
	if (ns % 1000000000u != 0)
		fprintf(to, ".%03" PRIu64, ns % 1000000000u / 1000000u);
	fputs(" s", to);
}

/* "names-blocked, fallback" */
static void print_phases(FILE *to, unsigned int mask)
{
	const char *comma = "";

	for (unsigned int i = 0; i < KD_PHASE_COUNT; i++) {
		if ((mask >> i & 1) == 0)
			continue;
		fprintf(to, "%s%s", comma, kd_phase_name(i));
		comma = ", ";
	}
}

/* How long it is until a residual ends, at this box: what the rulebook says may be many times that. */
static void print_left(const struct kd_explain *x, FILE *to, unsigned int box, const struct kd_story_note *n)
{
	uint32_t time_scale = policy_of(x, box)->time_scale;

	print_ns(to, n->until_ns - n->time_ns);
	if (time_scale > 1)
		fprintf(to, " at time-scale %" PRIu32, time_scale);
}

/* What it leaves behind for other flows, if it does: from when on, and for how long. */
static void print_observed(
	const struct kd_explain *x, FILE *to, unsigned int box, const struct kd_story_note *n)
{
	const struct kd_rule *r = rule_of(x, box, n->rule);

	fputs(", which only observes", to);
	if (n->until_ns <= n->time_ns || r->mechanism >= KD_MECHANISM_COUNT)
		return;
	fprintf(to, "; residual: %s", kd_mechanisms[r->mechanism]->name);
	if (r->publish_after_ns != 0) {
		fputs(" after ", to);
		print_ns(to, r->publish_after_ns);
	}
	fputs(", over in ", to);
	print_left(x, to, box, n);
}

/* What a rule that matched does about it. */
static void print_grip(const struct kd_explain *x, FILE *to, unsigned int box, const struct kd_story_note *n)
{
	const struct kd_rule *r = rule_of(x, box, n->rule);

	if (r == NULL)
		return;
	fprintf(to, "%s rule %s",
		n->reason == KD_REASON_DECIDE_RESIDUAL ? "is under the residual of" : "matches", r->id);
	if (n->reason == KD_REASON_DECIDE_OBSERVED)
		print_observed(x, to, box, n);
	else if (r->inert)
		fprintf(to, ", which needs %s: not there yet, so nothing acts",
			r->pending != NULL ? r->pending : "something");
	else if (n->reason == KD_REASON_DECIDE_MISSED)
		fputs(", missed by chance", to);
	else if (n->reason == KD_REASON_DECIDE_NOT_IN_SHARE)
		fputs(", which acts on a share of flows and not on this one", to);
	else if (n->reason == KD_REASON_DECIDE_RESIDUAL_OVER)
		fputs(", whose residual is over", to);
	else if (n->reason == KD_REASON_DECIDE_RESIDUAL_NO_ROOM)
		fputs(", and there is no room for its residual: other flows pass", to);
	else if (n->reason == KD_REASON_DECIDE_COULD_NOT_ACT)
		fputs(", whose mechanism cannot act here", to);
	else if (r->closes != 0) {
		fputs(", which allows: closed to it are ", to);
		print_phases(to, r->closes);
	} else if (r->mechanism < KD_MECHANISM_COUNT) {
		fputs(n->reason == KD_REASON_DECIDE_WAITS ? ", which waits before it acts" : "", to);
		fprintf(to, " -> %s", kd_mechanisms[r->mechanism]->name);
		if (n->until_ns > n->time_ns) {
			fputs("; residual ", to);
			print_left(x, to, box, n);
		} else {
			fputs("; for as long as the flow lives", to);
		}
	}
}

/* A verdict repeats the name its packet's record brought: it is told once, with the verdict. */
static bool told_by_verdict(const struct kd_story_note *n)
{
	return n->type == KD_EVENT_APP && n->next != NULL && n->next->type == KD_EVENT_VERDICT &&
	       n->next->number == n->number;
}

static void print_note(const struct kd_explain *x, FILE *to, unsigned int box, const struct kd_story_note *n)
{
	if (told_by_verdict(n))
		return;
	fprintf(to, "%22s", "");
	if (n->name_len > 0) {
		fprintf(to, "%s %s %s", kd_protocols[n->app]->name, kd_protocols[n->app]->fields[0].name,
			paint(x, BOLD));
		print_bytes(to, n->name, n->name_len);
		fputs(paint(x, PLAIN), to);
		if (n->name_at != 0)
			fprintf(to, " (byte %u)", n->name_at);
		fputc(' ', to);
	} else if (n->app < KD_PROTOCOL_COUNT) {
		fprintf(to, "%s without a name ", kd_protocols[n->app]->name);
	}
	if (n->type == KD_EVENT_VERDICT)
		print_grip(x, to, box, n);
	else
		fputs("matches no rule", to);
	fputc('\n', to);
}

static const char *fate_colour(unsigned int fate)
{
	return fate == KD_EMIT ? "" : fate == KD_DROP ? "\033[31m" : "\033[33m";
}

/* Whether this line tells what became of the packet that was asked for. */
static bool is_answer(const struct kd_explain *x, const struct kd_story_run *r)
{
	for (unsigned int i = 0; i < x->nanswers; i++)
		if (kd_story_same_run(r, x->answer[i].fate, x->answer[i].reason, x->answer[i].rule))
			return x->config.packet >= r->first && x->config.packet <= r->last;
	return false;
}

static const char *way(const struct kd_story_run *r)
{
	bool inject = r->fate == KD_INJECT;

	if (r->from == 3)
		return "both ways";
	if (r->from == 1u << KD_INSIDE)
		return inject ? "to inside" : "from inside";
	return inject ? "to outside" : "from outside";
}

/* "7", "1-3", or "5+" for what went on to the end, perhaps in turns with one more run. */
static void print_numbers(FILE *to, const struct kd_story_run *r)
{
	bool goes_on = r->next == NULL || (r->next->next == NULL && r->last > r->next->first);
	char numbers[48];

	if (r->last == r->first)
		snprintf(numbers, sizeof(numbers), "%" PRIu64, r->first);
	else if (goes_on)
		snprintf(numbers, sizeof(numbers), "%" PRIu64 "+", r->first);
	else
		snprintf(numbers, sizeof(numbers), "%" PRIu64 "-%" PRIu64, r->first, r->last);
	fprintf(to, "%-8s ", numbers);
}

/* Runs that only a gap in time kept apart become one. */
static void join_runs(struct kd_story *s)
{
	for (struct kd_story_run *r = s->runs, *next; r != NULL; r = r->next)
		while ((next = r->next) != NULL && kd_story_same_run(next, r->fate, r->reason, r->rule)) {
			r->last = next->last;
			r->last_ns = next->last_ns;
			r->from |= next->from;
			r->next = next->next;
			free(next);
		}
}

static void print_run(const struct kd_explain *x, FILE *to, const struct kd_story_run *r)
{
	fprintf(to, "%s ", is_answer(x, r) ? ">" : " ");
	print_numbers(to, r);
	fprintf(to, "%s%-9s%s  %s", paint(x, fate_colour(r->fate)), fates[r->fate], paint(x, PLAIN),
		sentence(r->reason));
	if (r->fate != KD_EMIT)
		fprintf(to, ", %s", way(r));
	fprintf(to, "  %s[%s]%s\n", paint(x, DIM), kd_reason_name(r->reason), paint(x, PLAIN));
}

/* A record stands below the line of its packet: the last that began with it or before. */
static void print_packets(const struct kd_explain *x, FILE *to, struct kd_story *s)
{
	const struct kd_story_note *n = s->notes;

	join_runs(s);
	for (const struct kd_story_run *r = s->runs; r != NULL; r = r->next) {
		print_run(x, to, r);
		for (; n != NULL && (r->next == NULL || n->number < r->next->first); n = n->next)
			print_note(x, to, s->box, n);
	}
}

static void print_rule(const struct kd_explain *x, FILE *to, const char *how, const struct kd_rule *r)
{
	fprintf(to, "  %s %s%s%s", how, paint(x, BOLD), r->id, paint(x, PLAIN));
	if (r->since != NULL)
		fprintf(to, ", since %s", r->since);
	if (r->until != NULL)
		fprintf(to, ", until %s", r->until);
	fprintf(to, "  %s%s:%d%s\n", paint(x, DIM), r->file, r->line, paint(x, PLAIN));
	for (unsigned int i = 0; i < KD_PART_COUNT; i++)
		if (r->grade[i] < KD_GRADE_COUNT)
			fprintf(to, "    %-8s %-10s %s\n", kd_part_name(i), kd_grade_name(r->grade[i]),
				r->claims[i] != NULL ? r->claims[i] : "");
}

static void print_outcome(const struct kd_explain *x, FILE *to, const struct kd_story *s)
{
	static const char *const names[KD_OUTCOME_COUNT] = {"passed", "degraded", "blocked"};
	static const char *const colours[KD_OUTCOME_COUNT] = {"\033[32m", "\033[33m", "\033[31m"};
	const struct kd_rule *rule = rule_of(x, s->box, s->flow.rule);
	const struct kd_rule *armed = rule_of(x, s->box, s->flow.armed);
	unsigned int outcome = s->flow.outcome % KD_OUTCOME_COUNT;

	fprintf(to, "  outcome  %s%s%s: %s  %s[%s]%s\n", paint(x, colours[outcome]), names[outcome],
		paint(x, PLAIN), sentence(s->flow.reason), paint(x, DIM), kd_reason_name(s->flow.reason),
		paint(x, PLAIN));
	if (rule != NULL)
		print_rule(x, to, "rule", rule);
	if (armed != NULL)
		print_rule(x, to, "matched, but nothing was done to the flow: rule", armed);
	kd_explain_blind(to, &s->flow, policy_of(x, s->box));
}

static void print_answers(const struct kd_explain *x, FILE *to)
{
	for (unsigned int i = 0; i < x->nanswers; i++) {
		const struct kd_story_answer *a = &x->answer[i];
		const struct kd_rule *rule = rule_of(x, a->box, a->rule);

		fprintf(to, "packet %" PRIu64, x->config.packet);
		print_box(x, to, a->box);
		fprintf(to, "  %s: %s  [%s]%s%s%s\n", fates[a->fate], sentence(a->reason),
			kd_reason_name(a->reason), rule != NULL ? "  rule " : "",
			rule != NULL ? rule->id : "", a->flow_id == 0 ? "  (belongs to no flow)" : "");
	}
}

static void print_homeless(const struct kd_explain *x, FILE *to)
{
	bool first = x->stories != NULL;

	for (unsigned int k = 0; k < KD_BOXES_MAX * KD_REASON_COUNT; k++) {
		unsigned int box = k / KD_REASON_COUNT, i = k % KD_REASON_COUNT;
		uint64_t n = x->homeless[box][i];

		if (n == 0)
			continue;
		fputs(first ? "\n" : "", to);
		first = false;
		fprintf(to, "of no flow: %" PRIu64 " packet%s", n, n == 1 ? "" : "s");
		print_box(x, to, box);
		fprintf(to, ": %s  %s[%s]%s\n", sentence((uint16_t)i), paint(x, DIM),
			kd_reason_name((uint16_t)i), paint(x, PLAIN));
	}
}

/* Whether what was asked for is there: the packet, the flow, and the one in the other. */
static int find(
	const struct kd_explain *x, struct kd_story *const *sorted, size_t n, char why[KD_EXPLAIN_WHY])
{
	uint64_t flow = x->config.flow, packet = x->config.packet;
	bool flow_there = flow == 0, both = false;
	size_t home = 0;

	for (size_t i = 0; i < n; i++) {
		bool match = flow == 0 || flow == i + 1 || flow == sorted[i]->node.id;

		flow_there |= match;
		both |= match && sorted[i]->has_packet;
		if (sorted[i]->has_packet)
			home = i + 1;
	}
	if (packet != 0 && x->nanswers == 0)
		snprintf(why, KD_EXPLAIN_WHY, "--packet %" PRIu64 ": the capture has no such packet", packet);
	else if (!flow_there)
		snprintf(why, KD_EXPLAIN_WHY, "--flow %" PRIu64 ": the capture has no such flow", flow);
	else if (flow != 0 && packet != 0 && !both && home != 0)
		snprintf(why, KD_EXPLAIN_WHY, "--packet %" PRIu64 ": is in flow %zu, not in flow %" PRIu64,
			packet, home, flow);
	else if (flow != 0 && packet != 0 && !both)
		snprintf(why, KD_EXPLAIN_WHY, "--packet %" PRIu64 ": belongs to no flow", packet);
	else
		return 0;
	return -ENOENT;
}

static void print_story(const struct kd_explain *x, FILE *to, struct kd_story *s, size_t number)
{
	struct kd_explain_flow flow;

	print_header(x, to, number, s);
	print_packets(x, to, s);
	if (!s->ended)
		return;
	print_outcome(x, to, s);
	if (x->more == NULL || s->runs == NULL)
		return;
	kd_story_flow(s, number, &flow);
	x->more(x->more_user, to, &flow);
}

int kd_explain_print(struct kd_explain *x, FILE *to, char why[KD_EXPLAIN_WHY])
{
	struct kd_story **sorted = x->lost ? NULL : kd_explain_sorted(x);
	size_t shown = 0;
	int rc;

	if (sorted == NULL)
		return -ENOMEM;
	rc = find(x, sorted, x->nstories, why);
	if (rc < 0) {
		free(sorted);
		return rc;
	}
	if (x->config.flow == 0)
		print_answers(x, to);
	for (size_t i = 0; i < x->nstories; i++) {
		if (!kd_explain_wants(x, sorted[i], i + 1))
			continue;
		if (shown++ > 0 || x->nanswers > 0)
			fputc('\n', to);
		print_story(x, to, sorted[i], i + 1);
	}
	free(sorted);
	if (x->config.flow == 0 && x->config.packet == 0)
		print_homeless(x, to);
	return 0;
}
