/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From what came into the box to a result. The ingress capture is replayed through the same engine, which
 * tells every packet's fate with its time; its events must be those of the live run, or nothing is concluded.
 * All times are those of packets at the box: how long a client takes to start and to end is no box's doing.
 */
#include "cmd/try.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "drivers/offline.h"
#include "engine/decode.h"
#include "engine/protocol.h"

/* The last word a rule had on a flow. */
struct verdict {
	uint64_t flow_id, number;
	uint16_t rule, reason;
	uint8_t app;
	char name[KD_TRY_NAME];
};

struct look {
	struct kd_try_seen *seen;
	struct verdict *verdicts;
	size_t count, room;
	unsigned int weight; /* of the flow told of so far */
	bool no_memory;
};

static void on_action(void *user, const struct kd_action *a, const uint8_t *original, uint32_t original_len)
{
	struct look *l = user;
	struct kd_try_seen *s = l->seen;
	const uint8_t *data = original != NULL ? original : a->data;
	struct kd_view v;

	if (a->fate == KD_INJECT || a->fate == KD_HOLD)
		return;
	kd_decode(&v, data, original != NULL ? original_len : a->len,
		original != NULL ? original_len : a->len, a->link);
	if (v.reason != 0 || (v.ip_proto != KD_PROTO_TCP && v.ip_proto != KD_PROTO_UDP))
		return;
	if (s->first_ns == 0)
		s->first_ns = a->time_ns;
	s->last_ns = a->time_ns;
	if (a->fate == KD_DROP || a->side != KD_INSIDE)
		return;
	kd_decode(&v, a->data, a->len, a->len, a->link);
	if (v.payload_len == 0)
		return;
	if (s->bytes == 0)
		s->setup_ns = a->time_ns - s->first_ns;
	s->time_ns = a->time_ns - s->first_ns;
	s->bytes += v.payload_len;
}

/* Names come from packets; people read them on terminals. */
static void take_name(char name[KD_TRY_NAME], const struct kd_event *e)
{
	const struct kd_event_field *f = &e->field[0];
	size_t len;

	name[0] = '\0';
	if (e->app >= KD_PROTOCOL_COUNT || !kd_protocols[e->app]->has_name || f->len == 0xffff ||
		(size_t)f->off + f->len > e->text_len)
		return;
	len = f->len < KD_TRY_NAME ? f->len : KD_TRY_NAME - 1;
	for (size_t i = 0; i < len; i++)
		name[i] = e->text[f->off + i] > 0x20 && e->text[f->off + i] < 0x7f ? (char)e->text[f->off + i]
										   : '?';
	name[len] = '\0';
}

static struct verdict *verdict_of(struct look *l, uint64_t flow_id)
{
	for (size_t i = l->count; i > 0; i--)
		if (l->verdicts[i - 1].flow_id == flow_id)
			return &l->verdicts[i - 1];
	return NULL;
}

static void on_verdict(struct look *l, const struct kd_event *e)
{
	struct verdict *v = verdict_of(l, e->flow_id);

	if (v == NULL) {
		if (l->count == l->room) {
			size_t room = l->room > 0 ? 2 * l->room : 16;
			struct verdict *more = realloc(l->verdicts, room * sizeof(*more));

			if (more == NULL) {
				l->no_memory = true;
				return;
			}
			l->verdicts = more;
			l->room = room;
		}
		v = &l->verdicts[l->count++];
	}
	*v = (struct verdict){.flow_id = e->flow_id,
		.number = e->number,
		.rule = e->rule,
		.reason = e->reason,
		.app = e->app};
	take_name(v->name, e);
}

/* Of several flows the worst is told of, of equal ones the first. */
static void on_flow(struct look *l, const struct kd_event *e)
{
	const struct verdict *v = verdict_of(l, e->flow_id);
	struct kd_try_seen *s = l->seen;
	unsigned int weight = e->outcome == KD_OUTCOME_BLOCKED	  ? 3
			      : e->outcome == KD_OUTCOME_DEGRADED ? 2
			      : v != NULL			  ? 1
								  : 0;

	s->outcomes[e->outcome % KD_OUTCOME_COUNT]++;
	if (weight <= l->weight)
		return;
	l->weight = weight;
	s->matched = true;
	s->rule = v != NULL ? v->rule : e->rule;
	s->reason = e->reason;
	s->verdict_reason = v != NULL ? v->reason : e->reason;
	s->app = v != NULL ? v->app : KD_APP_NONE;
	s->number = v != NULL ? v->number : 0;
	s->pending = s->verdict_reason == KD_REASON_DECIDE_PENDING;
	s->missed = s->verdict_reason == KD_REASON_DECIDE_MISSED;
	snprintf(s->name, sizeof(s->name), "%s", v != NULL ? v->name : "");
}

static void on_event(void *user, const struct kd_event *e, bool open_loop)
{
	(void)open_loop;
	if (e->type == KD_EVENT_VERDICT)
		on_verdict(user, e);
	else if (e->type == KD_EVENT_FLOW)
		on_flow(user, e);
}

/* Both files, but for the first line: the run record. */
static bool same_events(const char *a, const char *b)
{
	FILE *x = fopen(a, "r"), *y = fopen(b, "r");
	bool same = x != NULL && y != NULL;
	int c = 0, d = 0;

	for (FILE *const *f = (FILE *const[]){x, y, NULL}; same && *f != NULL; f++)
		while ((c = getc(*f)) != EOF && c != '\n')
			continue;
	while (same && c != EOF) {
		c = getc(x);
		d = getc(y);
		same = c == d;
	}
	if (x != NULL)
		fclose(x);
	if (y != NULL)
		fclose(y);
	return same;
}

int kd_try_look(const struct kd_try *t, const struct kd_try_box *box, const char *folder, uint64_t seed,
	struct kd_try_seen *seen, char why[KD_TRY_WHY])
{
	char capture[PATH_MAX + 32], live[PATH_MAX + 32], replayed[PATH_MAX + 32];
	struct look look = {.seen = seen};
	struct kd_offline_sink sink = {.user = &look, .action = on_action, .event = on_event};
	struct kd_offline_result result;
	struct kd_offline o = {.policy = box->policy,
		.seed = seed,
		.input = capture,
		.events = replayed,
		.checksums = KD_CHECKSUMS_AUTO,
		.unobserved = true,
		.burst = KD_OFFLINE_BURST_DEFAULT,
		.sink = &sink};
	int rc = 0;

	(void)t;
	snprintf(capture, sizeof(capture), "%s/ingress.pcapng", folder);
	snprintf(live, sizeof(live), "%s/events.jsonl", folder);
	snprintf(replayed, sizeof(replayed), "%s/replayed.jsonl", folder);
	if (kd_offline_run(&o, &result) != KD_OFFLINE_OK) {
		snprintf(why, KD_TRY_WHY, "the box's capture cannot be judged: %.500s", result.message);
		rc = -EIO;
	} else if (look.no_memory) {
		snprintf(why, KD_TRY_WHY, "out of memory");
		rc = -ENOMEM;
	} else if (!same_events(live, replayed)) {
		snprintf(why, KD_TRY_WHY,
			"the box's events differ from those of its capture: packets are missing in it");
		rc = -EIO;
	}
	unlink(replayed);
	free(look.verdicts);
	return rc;
}

uint64_t kd_try_goodput(const struct kd_try_seen *seen)
{
	return seen->time_ns > 0 ? (uint64_t)((unsigned __int128)seen->bytes * 1000000000u / seen->time_ns)
				 : 0;
}

static void add(char why[KD_TRY_WHY], const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add(char why[KD_TRY_WHY], const char *format, ...)
{
	size_t n = strlen(why);
	va_list ap;

	va_start(ap, format);
	vsnprintf(why + n, KD_TRY_WHY - n, format, ap);
	va_end(ap);
}

/* "sni www.example.org (packet 4), rule some-rule: what it does [reason]; date reported, match assumed" */
static void tell_rule(const struct kd_try_box *box, const struct kd_try_seen *s, char why[KD_TRY_WHY])
{
	const struct kd_rule *rule = s->rule != KD_RULE_NONE && s->rule <= box->policy->nrules
					     ? &box->policy->rules[s->rule]
					     : NULL;
	uint16_t number = s->outcomes[KD_OUTCOME_BLOCKED] + s->outcomes[KD_OUTCOME_DEGRADED] > 0
				  ? s->reason
				  : s->verdict_reason;
	const struct kd_reason *reason = kd_reason(number);
	const char *comma = ";";

	if (s->name[0] != '\0')
		add(why, "%s %s (packet %" PRIu64 "), ", kd_protocols[s->app]->fields[0].name, s->name,
			s->number);
	add(why, "rule %s: %s [%s]", rule != NULL ? rule->id : "none", reason != NULL ? reason->sentence : "",
		kd_reason_name(number));
	for (const int *p = (const int[]){KD_PART_DATE, KD_PART_MATCH, -1}; rule != NULL && *p >= 0; p++) {
		if (rule->grade[*p] == KD_GRADE_COUNT)
			continue;
		add(why, "%s %s %s", comma, kd_part_name((unsigned int)*p), kd_grade_name(rule->grade[*p]));
		comma = ",";
	}
}

/* The last line that says something. */
static void tell_log(const char *log, char why[KD_TRY_WHY])
{
	const char *end = log + strlen(log), *start;

	while (end > log && isspace((unsigned char)end[-1]))
		end--;
	for (start = end; start > log && start[-1] != '\n';)
		start--;
	if (start == end)
		return;
	add(why, ": ");
	for (size_t n = strlen(why); start < end && n + 1 < KD_TRY_WHY; start++, n++) {
		why[n] = *start >= 0x20 && *start < 0x7f ? *start : '?';
		why[n + 1] = '\0';
	}
}

static void tell_goal(const struct kd_try *t, const char *log, struct kd_try_trial *x)
{
	if (x->timed_out)
		add(x->why, "still running after %s s", t->timeout);
	else
		add(x->why, "exit %d", x->status);
	if (x->seen.first_ns == 0)
		add(x->why, ", no packet came to the box");
	tell_log(log, x->why);
}

/* What is worse than half the goodput or three times the set-up of the control, by more than the floor. */
static bool slower(const struct kd_try *t, struct kd_try_trial *x)
{
	const struct kd_try_seen *s = &x->seen, *c = &t->control;
	uint64_t now = kd_try_goodput(s), before = kd_try_goodput(c);
	bool thin = (unsigned __int128)now * 100 < (unsigned __int128)before * KD_TRY_GOODPUT_PERCENT &&
		    s->time_ns > c->time_ns + KD_TRY_FLOOR_NS;
	bool late =
		s->setup_ns > c->setup_ns * KD_TRY_SETUP_TIMES && s->setup_ns > c->setup_ns + KD_TRY_FLOOR_NS;

	if (thin)
		add(x->why, "%" PRIu64 " kB/s against null's %" PRIu64 "; ", now / 1000, before / 1000);
	if (late)
		add(x->why, "set-up %" PRIu64 " ms against null's %" PRIu64 "; ", s->setup_ns / 1000000,
			c->setup_ns / 1000000);
	return thin || late;
}

void kd_try_judge(
	const struct kd_try *t, const struct kd_try_box *box, const char *log, struct kd_try_trial *x)
{
	const struct kd_try_seen *s = &x->seen;
	bool acted = s->outcomes[KD_OUTCOME_BLOCKED] + s->outcomes[KD_OUTCOME_DEGRADED] > 0;
	bool met = x->status == 0;
	size_t len;

	x->why[0] = '\0';
	if (s->pending && !acted) {
		const char *needs = box->policy->rules[s->rule].pending;

		tell_rule(box, s, x->why);
		add(x->why, " (%s)", needs != NULL ? needs : "pending");
		return;
	}
	if (box == t->boxes) {
		x->result = met ? KD_TRY_OK : KD_TRY_INCONCLUSIVE;
		if (met)
			return;
		add(x->why, "the client fails without any box: ");
		tell_goal(t, log, x);
	} else if (met) {
		x->result = slower(t, x) ? KD_TRY_DEGRADED : KD_TRY_OK;
		if (s->matched)
			tell_rule(box, s, x->why);
		len = strlen(x->why);
		if (len > 2 && x->why[len - 2] == ';')
			x->why[len - 2] = '\0';
	} else if (acted) {
		x->result = KD_TRY_BLOCKED;
		tell_rule(box, s, x->why);
	} else {
		x->result = KD_TRY_BROKEN;
		add(x->why, "the box did nothing: ");
		tell_goal(t, log, x);
	}
}
