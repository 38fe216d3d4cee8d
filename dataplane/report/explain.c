/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Collects the story of each flow and tells it. A run of packets with the same fate, reason and rule is one
 * line, so a story is as long as its changes, not as its flow. Says what happened under this one profile;
 * what another box or another client would have met is not answered here.
 */
#include "report/explain.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "engine/protocol.h"
#include "report/idmap.h"
#include "rulebook/boxes.h"

/* Runs this far apart stay two until they are printed, so that a flow that died of idleness in between can be
 * cut off where it ended; no idle time is shorter. */
#define RUN_GAP_NS 1000000000ull

struct run {
	struct run *next;
	uint64_t first, last; /* packet numbers */
	uint64_t first_ns, last_ns;
	uint16_t reason, rule;
	uint8_t fate;
	uint8_t from; /* bit per enum kd_side the packets came from; of injected ones, the side they leave by
		       */
};

/* A record that belongs to a packet: what was recognised, what was decided. */
struct note {
	struct note *next;
	uint64_t number, time_ns, until_ns;
	uint16_t reason, rule, name_at;
	uint8_t type, app;
	size_t name_len;
	uint8_t name[];
};

struct story {
	struct kd_idnode node;
	uint8_t box;
	struct story *older; /* every story, latest first */
	struct run *runs, *last_run, *run_before;
	struct note *notes, **last_note;
	bool ended, has_packet;
	struct kd_event flow; /* when ended: the record, without its text */
};

/* What the box did with the one packet asked for. */
struct answer {
	uint64_t flow_id;
	uint16_t reason, rule;
	uint8_t fate, box;
};

/* What all boxes may do about one packet: pass it, and answer it. */
#define ANSWERS_MAX (KD_BOXES_MAX * KD_ACTIONS_PER_PKT)

struct kd_explain {
	struct kd_explain_config config;
	struct kd_idmap live;
	struct story *stories;
	size_t nstories;
	uint64_t homeless[KD_BOXES_MAX][KD_REASON_COUNT]; /* packets of no flow */
	struct answer answer[ANSWERS_MAX];
	unsigned int nanswers;
	bool lost; /* memory was short */
};

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

void kd_explain_free(struct kd_explain *x)
{
	if (x == NULL)
		return;
	for (struct story *s = x->stories, *older; s != NULL; s = older) {
		older = s->older;
		for (struct run *r = s->runs, *next; r != NULL; r = next) {
			next = r->next;
			free(r);
		}
		for (struct note *n = s->notes, *next; n != NULL; n = next) {
			next = n->next;
			free(n);
		}
		free(s);
	}
	free(x->live.bucket);
	free(x);
}

static struct story *story_new(struct kd_explain *x, uint64_t id, unsigned int box)
{
	struct story *s = calloc(1, sizeof(*s));

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

static struct story *story_of(struct kd_explain *x, uint64_t id, unsigned int box)
{
	struct story *s = (struct story *)*kd_idmap_at(&x->live, id);

	return s != NULL ? s : story_new(x, id, box);
}

static bool same_run(const struct run *r, unsigned int fate, unsigned int reason, unsigned int rule)
{
	return r->fate == fate && r->reason == reason && r->rule == rule;
}

static bool continues(const struct run *r, const struct kd_action *a)
{
	return r != NULL && same_run(r, a->fate, a->reason, a->rule) && a->time_ns <= r->last_ns + RUN_GAP_NS;
}

/* The run this packet goes on with: the last, or the one before it when the two directions fare differently.
 */
static struct run *run_of(struct kd_explain *x, struct story *s, const struct kd_action *a)
{
	struct run *r;

	if (continues(s->last_run, a))
		return s->last_run;
	if (continues(s->run_before, a))
		return s->run_before;
	r = calloc(1, sizeof(*r));
	if (r == NULL) {
		x->lost = true;
		return NULL;
	}
	*r = (struct run){.first = a->number,
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

static void run_add(struct kd_explain *x, struct story *s, const struct kd_action *a)
{
	struct run *r = run_of(x, s, a);

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
	struct story *s;

	(void)original;
	(void)original_len;
	if (asked && x->nanswers < ANSWERS_MAX)
		x->answer[x->nanswers++] = (struct answer){.flow_id = a->flow_id,
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
static void story_end(struct kd_explain *x, struct story *s, const struct kd_event *e)
{
	struct run *before = NULL, *r = s->runs;
	struct story *later;

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
	struct story *s = story_of(x, e->flow_id, e->box);
	struct note *n;

	(void)open_loop;
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
	*n = (struct note){.number = e->number,
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

static void print_header(const struct kd_explain *x, FILE *to, size_t number, const struct story *s)
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

/* What a rule that matched does about it. */
static void print_grip(const struct kd_explain *x, FILE *to, unsigned int box, const struct note *n)
{
	const struct kd_rule *r = rule_of(x, box, n->rule);

	if (r == NULL)
		return;
	fprintf(to, "matches rule %s", r->id);
	if (n->reason == KD_REASON_DECIDE_OBSERVED)
		fputs(", which only observes", to);
	else if (r->inert)
		fprintf(to, ", which needs %s: not there yet, so nothing acts",
			r->pending != NULL ? r->pending : "something");
	else if (n->reason == KD_REASON_DECIDE_MISSED)
		fputs(", missed by chance", to);
	else if (n->reason == KD_REASON_DECIDE_RESIDUAL_OVER)
		fputs(", whose residual is over", to);
	else if (n->reason == KD_REASON_DECIDE_COULD_NOT_ACT)
		fputs(", whose mechanism cannot act here", to);
	else if (r->closes != 0) {
		fputs(", which allows: closed to it are ", to);
		print_phases(to, r->closes);
	} else if (r->mechanism < KD_MECHANISM_COUNT) {
		fprintf(to, " -> %s", kd_mechanisms[r->mechanism]->name);
		if (n->until_ns > n->time_ns) {
			fputs("; residual ", to);
			print_ns(to, n->until_ns - n->time_ns);
		} else {
			fputs("; for as long as the flow lives", to);
		}
	}
}

/* A verdict repeats the name its packet's record brought: it is told once, with the verdict. */
static bool told_by_verdict(const struct note *n)
{
	return n->type == KD_EVENT_APP && n->next != NULL && n->next->type == KD_EVENT_VERDICT &&
	       n->next->number == n->number;
}

static void print_note(const struct kd_explain *x, FILE *to, unsigned int box, const struct note *n)
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
static bool is_answer(const struct kd_explain *x, const struct run *r)
{
	for (unsigned int i = 0; i < x->nanswers; i++)
		if (same_run(r, x->answer[i].fate, x->answer[i].reason, x->answer[i].rule))
			return x->config.packet >= r->first && x->config.packet <= r->last;
	return false;
}

static const char *way(const struct run *r)
{
	bool inject = r->fate == KD_INJECT;

	if (r->from == 3)
		return "both ways";
	if (r->from == 1u << KD_INSIDE)
		return inject ? "to inside" : "from inside";
	return inject ? "to outside" : "from outside";
}

/* "7", "1-3", or "5+" for what went on to the end, perhaps in turns with one more run. */
static void print_numbers(FILE *to, const struct run *r)
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
static void join_runs(struct story *s)
{
	for (struct run *r = s->runs, *next; r != NULL; r = r->next)
		while ((next = r->next) != NULL && same_run(next, r->fate, r->reason, r->rule)) {
			r->last = next->last;
			r->last_ns = next->last_ns;
			r->from |= next->from;
			r->next = next->next;
			free(next);
		}
}

static void print_run(const struct kd_explain *x, FILE *to, const struct run *r)
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
static void print_packets(const struct kd_explain *x, FILE *to, struct story *s)
{
	const struct note *n = s->notes;

	join_runs(s);
	for (const struct run *r = s->runs; r != NULL; r = r->next) {
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

static void print_outcome(const struct kd_explain *x, FILE *to, const struct story *s)
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
}

static void print_answers(const struct kd_explain *x, FILE *to)
{
	for (unsigned int i = 0; i < x->nanswers; i++) {
		const struct answer *a = &x->answer[i];
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

static int by_first_packet(const void *a, const void *b)
{
	const struct story *const *one = a, *const *two = b;
	uint64_t x = (*one)->runs != NULL ? (*one)->runs->first : UINT64_MAX;
	uint64_t y = (*two)->runs != NULL ? (*two)->runs->first : UINT64_MAX;

	if (x != y)
		return x > y ? 1 : -1;
	return ((*one)->box > (*two)->box) - ((*one)->box < (*two)->box);
}

static bool flow_wanted(const struct kd_explain *x, const struct story *s, size_t number)
{
	return x->config.flow == 0 || x->config.flow == number || x->config.flow == s->node.id;
}

/* Whether what was asked for is there: the packet, the flow, and the one in the other. */
static int find(const struct kd_explain *x, struct story *const *sorted, size_t n, char why[KD_EXPLAIN_WHY])
{
	uint64_t flow = x->config.flow, packet = x->config.packet;
	bool flow_there = flow == 0, both = false;
	size_t home = 0;

	for (size_t i = 0; i < n; i++) {
		bool match = flow_wanted(x, sorted[i], i + 1);

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

int kd_explain_print(struct kd_explain *x, FILE *to, char why[KD_EXPLAIN_WHY])
{
	struct story **sorted = calloc(x->nstories + 1, sizeof(struct story *));
	size_t n = 0, shown = 0;
	int rc;

	if (sorted == NULL || x->lost) {
		free(sorted);
		return -ENOMEM;
	}
	for (struct story *s = x->stories; s != NULL; s = s->older)
		sorted[n++] = s;
	qsort(sorted, n, sizeof(struct story *), by_first_packet);
	rc = find(x, sorted, n, why);
	if (rc < 0) {
		free(sorted);
		return rc;
	}
	if (x->config.flow == 0)
		print_answers(x, to);
	for (size_t i = 0; i < n; i++) {
		if (!flow_wanted(x, sorted[i], i + 1) || (x->config.packet != 0 && !sorted[i]->has_packet))
			continue;
		if (shown++ > 0 || x->nanswers > 0)
			fputc('\n', to);
		print_header(x, to, i + 1, sorted[i]);
		print_packets(x, to, sorted[i]);
		if (sorted[i]->ended)
			print_outcome(x, to, sorted[i]);
	}
	free(sorted);
	if (x->config.flow == 0 && x->config.packet == 0)
		print_homeless(x, to);
	return 0;
}
