/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What `kordon try` leaves behind for machines: one JSON document and a JUnit file. docs/try.md describes the
 * document; a key without a value is left out, never null.
 */
#include "cmd/try.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/protocol.h"
#include "kd_version.h"
#include "report/json.h"
#include "report/junit.h"

#define TRIAL_ROOM 8192
#define BOX_ROOM 4096

const char *kd_try_word(enum kd_try_result result)
{
	static const char *const words[KD_TRY_RESULT_COUNT] = {
		"ok", "degraded", "blocked", "broken", "inconclusive", "skipped", "flaky"};

	return words[result];
}

const char *kd_try_box_word(const struct kd_try_box *box, char *buf, size_t room)
{
	if (box->result == KD_TRY_FLAKY)
		snprintf(buf, room, "flaky %u/%u", box->ok, box->ntrials);
	else
		snprintf(buf, room, "%s", kd_try_word(box->result));
	return buf;
}

const char *kd_try_box_why(const struct kd_try_box *box)
{
	for (unsigned int i = 0; i < box->ntrials; i++)
		if (box->result == KD_TRY_FLAKY ? box->trials[i].result != KD_TRY_OK
						: box->trials[i].result == box->result)
			return box->trials[i].why;
	return box->result == KD_TRY_SKIPPED ? "null gave no measure" : "";
}

static void put_rule(struct kd_json *j, const struct kd_try_box *box, const struct kd_try_seen *s)
{
	const char *id = s->rule != KD_RULE_NONE && s->rule <= box->policy->nrules
				 ? box->policy->rules[s->rule].id
				 : NULL;

	if (!s->matched)
		return;
	if (id != NULL)
		kd_json_str(j, "rule", id);
	kd_json_str(j, "verdict_reason", kd_reason_name(s->verdict_reason));
	kd_json_str(j, "reason", kd_reason_name(s->reason));
	if (s->name[0] != '\0')
		kd_json_str(j, kd_protocols[s->app]->fields[0].name, s->name);
	if (s->number != 0)
		kd_json_u64(j, "packet", s->number);
}

static void put_trial(struct kd_json *j, const struct kd_try_box *box, const struct kd_try_trial *x)
{
	static const char *const outcomes[KD_OUTCOME_COUNT] = {"passed", "degraded", "blocked"};
	const struct kd_try_seen *s = &x->seen;
	char seed[24];

	snprintf(seed, sizeof(seed), "%llu", (unsigned long long)x->seed);
	kd_json_open(j, NULL, '{');
	kd_json_str(j, "result", kd_try_word(x->result));
	kd_json_str(j, "seed", seed);
	if (!x->lab_failed) {
		kd_json_u64(j, "status", (uint64_t)x->status);
		kd_json_bool(j, "timed_out", x->timed_out);
		kd_json_u64(j, "time_ms", (s->last_ns - s->first_ns) / 1000000);
		kd_json_u64(j, "setup_ms", s->setup_ns / 1000000);
		kd_json_u64(j, "bytes", s->bytes);
		kd_json_u64(j, "goodput", kd_try_goodput(s));
		kd_json_open(j, "flows", '{');
		for (int i = 0; i < KD_OUTCOME_COUNT; i++)
			kd_json_u64(j, outcomes[i], s->outcomes[i]);
		kd_json_close(j, '}');
	}
	put_rule(j, box, s);
	if (x->why[0] != '\0')
		kd_json_str(j, "why", x->why);
	kd_json_close(j, '}');
}

static void put_box(struct kd_json *j, const struct kd_try_box *box)
{
	kd_json_open(j, NULL, '{');
	kd_json_str(j, "profile", box->policy->profile);
	kd_json_str(j, "hash", box->policy->hash);
	kd_json_str(j, "result", kd_try_word(box->result));
	kd_json_u64(j, "ok", box->ok);
	if (box->expected != KD_TRY_RESULT_COUNT) {
		kd_json_str(j, "expected", kd_try_word(box->expected));
		if (box->result != KD_TRY_INCONCLUSIVE && box->result != KD_TRY_SKIPPED)
			kd_json_bool(j, "met", box->result == box->expected);
	}
	if (kd_try_box_why(box)[0] != '\0')
		kd_json_str(j, "why", kd_try_box_why(box));
	if (box->policy->ndrawn > 0) {
		kd_json_open(j, "drawn", '{');
		for (uint32_t i = 0; i < box->policy->ndrawn; i++)
			kd_json_str(j, box->policy->drawn[i].what, box->policy->drawn[i].value);
		kd_json_close(j, '}');
	}
	kd_json_open(j, "trials", '[');
	for (unsigned int i = 0; i < box->ntrials; i++)
		put_trial(j, box, &box->trials[i]);
	kd_json_close(j, ']');
	kd_json_close(j, '}');
}

/* The boxes that --sample made of one profile, summed up. */
static void put_sample(struct kd_json *j, const struct kd_try *t, const struct kd_try_box *first)
{
	const char *name = first->policy->profile;
	unsigned int results[KD_TRY_RESULT_COUNT], n = kd_try_sampled(t, first, results);

	kd_json_open(j, NULL, '{');
	kd_json_text(j, "profile", (const uint8_t *)name, strcspn(name, "~"));
	kd_json_u64(j, "boxes", n);
	kd_json_open(j, "results", '{');
	for (unsigned int i = 0; i < KD_TRY_RESULT_COUNT; i++)
		if (results[i] > 0)
			kd_json_u64(j, kd_try_word(i), results[i]);
	kd_json_close(j, '}');
	kd_json_str(j, "means", "share of sampled models, not a probability");
	kd_json_close(j, '}');
}

static size_t drawn_room(const struct kd_policy *policy)
{
	size_t room = 0;

	for (uint32_t i = 0; i < policy->ndrawn; i++)
		room += 6 * (strlen(policy->drawn[i].what) + strlen(policy->drawn[i].value)) + 6;
	return room;
}

static size_t json_room(const struct kd_try *t)
{
	size_t room = 8192;

	for (unsigned int i = 0; i < t->args->noperands; i++)
		room += 6 * strlen(t->args->operands[i]) + 8;
	for (unsigned int i = 0; i < t->nboxes; i++)
		room += BOX_ROOM + t->boxes[i].ntrials * (size_t)TRIAL_ROOM +
			12 * strlen(t->boxes[i].policy->profile) + drawn_room(t->boxes[i].policy);
	return room;
}

static void put_document(struct kd_json *j, const struct kd_try *t)
{
	kd_json_open(j, NULL, '{');
	kd_json_u64(j, "schema", 1);
	kd_json_str(j, "version", KD_VERSION);
	kd_json_open(j, "command", '[');
	for (unsigned int i = 0; i < t->args->noperands; i++)
		kd_json_str(j, NULL, t->args->operands[i]);
	kd_json_close(j, ']');
	kd_json_u64(j, "timeout_s", strtoul(t->timeout, NULL, 10));
	if (t->args->time_scale > 1)
		kd_json_u64(j, "time_scale", t->args->time_scale);
	kd_json_open(j, "compared", '{');
	kd_json_u64(j, "goodput_min_percent", KD_TRY_GOODPUT_PERCENT);
	kd_json_u64(j, "setup_max_times", KD_TRY_SETUP_TIMES);
	kd_json_u64(j, "floor_ms", KD_TRY_FLOOR_NS / 1000000);
	kd_json_close(j, '}');
	if (t->sample > 0) {
		kd_json_open(j, "samples", '[');
		for (unsigned int i = 0; i < t->nboxes; i++)
			if (t->boxes[i].number == 1)
				put_sample(j, t, &t->boxes[i]);
		kd_json_close(j, ']');
	}
	kd_json_open(j, "boxes", '[');
	for (unsigned int i = 0; i < t->nboxes; i++)
		put_box(j, &t->boxes[i]);
	kd_json_close(j, ']');
	kd_json_close(j, '}');
}

int kd_try_json(const struct kd_try *t, FILE *to)
{
	size_t room = json_room(t);
	char *buf = malloc(room);
	struct kd_json j;
	int rc = 0;

	if (buf == NULL)
		return -ENOMEM;
	kd_json_start(&j, buf, room);
	put_document(&j, t);
	errno = 0;
	if (j.full)
		rc = -ENOBUFS;
	else if (fwrite(buf, 1, j.len, to) != j.len || putc('\n', to) == EOF || fflush(to) != 0)
		rc = errno != 0 ? -errno : -EIO;
	free(buf);
	return rc;
}

/* One case for each expectation. */
int kd_try_junit(const struct kd_try *t, FILE *to)
{
	struct kd_junit_case *cases = kd_arena_alloc(t->arena, t->nboxes * sizeof(*cases));
	unsigned int n = 0;

	if (cases == NULL)
		return -ENOMEM;
	for (unsigned int i = 0; i < t->nboxes; i++) {
		const struct kd_try_box *box = &t->boxes[i];
		bool known = box->result != KD_TRY_INCONCLUSIVE && box->result != KD_TRY_SKIPPED;
		char word[32];

		if (box->expected == KD_TRY_RESULT_COUNT)
			continue;
		cases[n].classname = box->policy->profile;
		cases[n].name =
			kd_arena_printf(t->arena, "%s: %s", t->args->operands[0], kd_try_word(box->expected));
		cases[n].message =
			kd_arena_printf(t->arena, "expected %s, got %s: %s", kd_try_word(box->expected),
				kd_try_box_word(box, word, sizeof(word)), kd_try_box_why(box));
		cases[n].status = !known			 ? KD_JUNIT_SKIPPED
				  : box->result == box->expected ? KD_JUNIT_PASSED
								 : KD_JUNIT_FAILED;
		if (cases[n].name == NULL || cases[n].message == NULL)
			return -ENOMEM;
		n++;
	}
	return kd_junit_write(to, "kordon try", cases, n);
}
