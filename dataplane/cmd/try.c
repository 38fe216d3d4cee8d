/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * kordon try: a real client against several boxes, each in a lab of its own, one after the other: the
 * machine's cores are few, and a busy one would look like a censor. Decides what the trials of a box add up
 * to and the exit code; null always comes first, because the others are measured against it.
 */
#include "cmd/try.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct kd_cmd_option options[] = {
	[KD_TRY_SAMPLE] = {"sample", 0, "N",
		"N boxes PROFILE~1 to PROFILE~N, drawn with --seed, for each PROFILE of the rulebook"},
	[KD_TRY_TRIALS] = {"trials", 0, "N", "times that each box is tried (default 1)"},
	[KD_TRY_TIMEOUT] = {"timeout", 0, "SECONDS", "... for at most this long (default 20)"},
	[KD_TRY_SERVER] = {"server", 0, "SERVER",
		"a shell command: a server of one's own outside, at $KORDON_SERVER"},
	[KD_TRY_SERVER_AT] = {"server-at", 0, "@TAG[:HOST]",
		"where it stands on the map (default @other:20)"},
	[KD_TRY_READY] = {"ready", 0, "PROTO:PORT", "tcp:443 or udp:443: wait until it listens there"},
	[KD_TRY_EXPECT] = {"expect", 0, "[PROFILE=]RESULT",
		"ok, degraded, blocked or broken; without PROFILE of every box but null; repeatable"},
	[KD_TRY_JSON] = {"json", 0, "FILE",
		"all that was measured as one document, - = standard output instead of the lines"},
	[KD_TRY_JUNIT] = {"junit", 0, "FILE", "the expectations as JUnit XML"},
	[KD_TRY_KEEP] = {"keep", 0, "DIR",
		"keep PROFILE/TRIAL/{ingress.pcapng,events.jsonl,client.log} there"},
	{NULL, 0, NULL, NULL},
};

static int make_folder(struct kd_try *t)
{
	const char *tmp = getenv("TMPDIR");

	if (t->keep != NULL) {
		if (mkdir(t->keep, 0777) == 0 || errno == EEXIST)
			return 0;
		kd_complain("--keep: %s: %s", t->keep, strerror(errno));
		return KD_EXIT_ENVIRONMENT;
	}
	snprintf(t->scratch, sizeof(t->scratch), "%s/kordon-try-XXXXXX",
		tmp != NULL && *tmp != '\0' ? tmp : "/tmp");
	if (mkdtemp(t->scratch) != NULL)
		return 0;
	kd_complain("try: %s: %s; set TMPDIR to a folder of yours", t->scratch, strerror(errno));
	t->scratch[0] = '\0';
	return KD_EXIT_ENVIRONMENT;
}

static int open_output(const struct kd_args *args, enum kd_try_row row, FILE **ret)
{
	const char *path = args->value[row];

	if (path == NULL)
		return 0;
	*ret = row == KD_TRY_JSON && strcmp(path, "-") == 0 ? stdout : fopen(path, "w");
	if (*ret != NULL)
		return 0;
	kd_complain("%s: %s", path, strerror(errno));
	return KD_EXIT_ENVIRONMENT;
}

/* What the trials of a box add up to. One that says nothing makes the whole say nothing. */
static void add_up(struct kd_try_box *box)
{
	box->ok = 0;
	box->result = box->trials[0].result;
	for (unsigned int i = 0; i < box->ntrials; i++) {
		enum kd_try_result result = box->trials[i].result;

		box->ok += result == KD_TRY_OK;
		if (result == KD_TRY_INCONCLUSIVE)
			box->result = KD_TRY_INCONCLUSIVE;
		else if (box->result != KD_TRY_INCONCLUSIVE && result != box->result)
			box->result = KD_TRY_FLAKY;
	}
}

static int by_size(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* What the others are held against: the median of each figure. */
static int measure_control(struct kd_try *t)
{
	static const size_t figures[] = {offsetof(struct kd_try_seen, setup_ns),
		offsetof(struct kd_try_seen, time_ns), offsetof(struct kd_try_seen, bytes)};
	const struct kd_try_box *box = &t->boxes[0];
	uint64_t *values = kd_arena_alloc(t->arena, box->ntrials * sizeof(*values));

	if (values == NULL)
		return -ENOMEM;
	for (size_t f = 0; f < sizeof(figures) / sizeof(*figures); f++) {
		for (unsigned int i = 0; i < box->ntrials; i++)
			memcpy(&values[i], (const char *)&box->trials[i].seen + figures[f], sizeof(*values));
		qsort(values, box->ntrials, sizeof(*values), by_size);
		memcpy((char *)&t->control + figures[f], &values[box->ntrials / 2], sizeof(*values));
	}
	return 0;
}

static void say_progress(const struct kd_try *t, const struct kd_try_box *box)
{
	if (t->args->quiet || !isatty(STDERR_FILENO))
		return;
	if (box != NULL)
		fprintf(stderr, "\r\033[Kkordon: %s, trial %u of %u ...", box->policy->profile,
			box->ntrials + 1, t->trials);
	else
		fputs("\r\033[K", stderr);
	fflush(stderr);
}

static int width(const struct kd_try *t)
{
	int most = 7;

	for (unsigned int i = 0; i < t->nboxes; i++)
		if ((int)strlen(t->boxes[i].policy->profile) > most)
			most = (int)strlen(t->boxes[i].policy->profile);
	return most;
}

static void say_box(const struct kd_try *t, const struct kd_try_box *box, FILE *to)
{
	const char *paint = !t->args->color_out		   ? ""
			    : box->result == KD_TRY_OK	   ? "\033[32m"
			    : box->result <= KD_TRY_BROKEN ? "\033[31m"
							   : "\033[33m";
	const char *why = kd_try_box_why(box);
	uint64_t longest = 0;
	char word[32];

	for (unsigned int i = 0; i < box->ntrials; i++)
		if (box->trials[i].seen.last_ns - box->trials[i].seen.first_ns > longest)
			longest = box->trials[i].seen.last_ns - box->trials[i].seen.first_ns;
	if (box == t->boxes)
		fprintf(to, "%-*s  %-12s  %7s  %s\n", width(t), "profile", "result", "seconds", "why");
	fprintf(to, "%-*s  %s%-12s%s  %4llu.%02u%s%s\n", width(t), box->policy->profile, paint,
		kd_try_box_word(box, word, sizeof(word)), *paint != '\0' ? "\033[0m" : "",
		(unsigned long long)(longest / 1000000000), (unsigned int)(longest / 10000000 % 100),
		*why != '\0' ? "  " : "", why);
	fflush(to);
}

/* A lab that cannot be had at all, or a client that is not there, ends everything: 0 or an exit code. */
static int cannot_go_on(const struct kd_try_trial *x)
{
	if (!x->lab_failed || x->status == 120)
		return 0;
	kd_complain("%s", x->why);
	return x->status == 122 ? KD_EXIT_USAGE : x->status == 123 ? KD_EXIT_CONFIG : KD_EXIT_ENVIRONMENT;
}

static int try_box(struct kd_try *t, struct kd_try_box *box)
{
	int rc = 0;

	while (box->ntrials < t->trials && t->stopped == 0 && rc == 0) {
		struct kd_try_trial *x = &box->trials[box->ntrials];

		say_progress(t, box);
		kd_try_run(t, box, x);
		say_progress(t, NULL);
		if (t->stopped != 0)
			return 128 + t->stopped;
		if (box == t->boxes && box->ntrials == 0)
			rc = cannot_go_on(x);
		box->ntrials++;
	}
	add_up(box);
	return rc;
}

unsigned int kd_try_sampled(
	const struct kd_try *t, const struct kd_try_box *box, unsigned int results[KD_TRY_RESULT_COUNT])
{
	unsigned int n = 0;

	memset(results, 0, KD_TRY_RESULT_COUNT * sizeof(*results));
	while (box + n < t->boxes + t->nboxes && box[n].number == n + 1)
		results[box[n++].result]++;
	return n;
}

/* Behind the last box of a profile's sample: how many of them ended how. */
static void say_sample(const struct kd_try *t, const struct kd_try_box *last, FILE *to)
{
	bool more = last + 1 < t->boxes + t->nboxes && last[1].number == last->number + 1;
	unsigned int results[KD_TRY_RESULT_COUNT], n;
	const char *comma = "";

	if (last->number == 0 || more)
		return;
	n = kd_try_sampled(t, last + 1 - last->number, results);
	fprintf(to, "%.*s: ", (int)strcspn(last->policy->profile, "~"), last->policy->profile);
	for (unsigned int i = 0; i < KD_TRY_RESULT_COUNT; i++) {
		if (results[i] == 0)
			continue;
		fprintf(to, "%s%u of %u sampled boxes: %s", comma, results[i], n, kd_try_word(i));
		comma = ", ";
	}
	fputs(" (a share of sampled models, not a probability)\n", to);
	fflush(to);
}

static int try_all(struct kd_try *t, FILE *lines)
{
	int rc = 0;

	for (unsigned int i = 0; i < t->nboxes && rc == 0; i++) {
		struct kd_try_box *box = &t->boxes[i];

		if (i == 0 || t->boxes[0].result == KD_TRY_OK)
			rc = try_box(t, box);
		if (rc == 0 && i == 0)
			rc = measure_control(t) < 0 ? kd_try_no_memory() : 0;
		if (rc == 0 && lines != NULL)
			say_box(t, box, lines);
		if (rc == 0 && lines != NULL)
			say_sample(t, box, lines);
	}
	return rc;
}

/* The worst of the boxes: a mismatch weighs more than an open question. */
static int judge(const struct kd_try *t)
{
	int rc = KD_EXIT_OK;
	char word[32];

	for (unsigned int i = 0; i < t->nboxes; i++) {
		const struct kd_try_box *box = &t->boxes[i];

		if (box->result == KD_TRY_INCONCLUSIVE || box->result == KD_TRY_SKIPPED) {
			rc = rc == KD_EXIT_OK ? KD_EXIT_INCONCLUSIVE : rc;
			continue;
		}
		if (box->expected == KD_TRY_RESULT_COUNT || box->expected == box->result)
			continue;
		rc = KD_EXIT_EXPECTATION;
		kd_complain("%s: expected %s, got %s%s%s", box->policy->profile, kd_try_word(box->expected),
			kd_try_box_word(box, word, sizeof(word)), *kd_try_box_why(box) != '\0' ? ": " : "",
			kd_try_box_why(box));
	}
	return rc;
}

static int write_documents(const struct kd_try *t, FILE *json, FILE *junit, int rc)
{
	int err = json != NULL ? kd_try_json(t, json) : 0;

	if (err < 0) {
		kd_complain("%s: %s", t->args->value[KD_TRY_JSON], strerror(-err));
		return KD_EXIT_ENVIRONMENT;
	}
	err = junit != NULL ? kd_try_junit(t, junit) : 0;
	if (err < 0) {
		kd_complain("%s: %s", t->args->value[KD_TRY_JUNIT], strerror(-err));
		return KD_EXIT_ENVIRONMENT;
	}
	return rc;
}

static int run(const struct kd_args *args)
{
	struct kd_try t = {.args = args, .arena = kd_arena_new()};
	FILE *json = NULL, *junit = NULL;
	int rc = t.arena == NULL ? kd_try_no_memory() : kd_try_plan(&t);

	if (rc == 0)
		rc = open_output(args, KD_TRY_JSON, &json);
	if (rc == 0)
		rc = open_output(args, KD_TRY_JUNIT, &junit);
	if (rc == 0)
		rc = make_folder(&t);
	if (rc == 0) {
		rc = try_all(&t, json == stdout ? NULL : stdout);
		if (rc == 0)
			rc = write_documents(&t, json, junit, judge(&t));
	}
	if (json != NULL && json != stdout)
		fclose(json);
	if (junit != NULL)
		fclose(junit);
	if (t.scratch[0] != '\0')
		rmdir(t.scratch);
	for (unsigned int i = 0; i < t.nboxes; i++)
		kd_policy_free(t.boxes[i].policy);
	if (t.arena != NULL)
		kd_arena_free(t.arena);
	return rc;
}

const struct kd_command kd_command_try = {
	.name = "try",
	.summary = "a real client against several boxes, one line for each",
	.usage = "try [-p PROFILE,...] [--sample N] [--trials N] [--expect [PROFILE=]RESULT] -- CLIENT...",
	.text = "CLIENT runs as the client inside a lab (see 'kordon lab --help') for each profile, one "
		"after the "
		"other, null\n"
		"first: the box that does nothing is what the others are measured against. Its goal is met "
		"when "
		"it exits\n"
		"with 0. Without -p: null and the newest day the rulebook speaks of. --sample N tries N "
		"boxes that the\n"
		"rulebook allows for, each range and share drawn; of them a share is told, not a "
		"probability.\n\n"
		"ok            met, with at least half of null's goodput and at most three times its set-up "
		"time\n"
		"degraded      met, but not so\n"
		"blocked       not met, and the box blocked or degraded a flow\n"
		"broken        not met, and the box did nothing\n"
		"inconclusive  not met on null, the lab failed, or a rule matched whose mechanism does not "
		"exist yet\n"
		"flaky k/n     k of n trials were ok, the others were not alike\n\n"
		"exit: 0, else 1 expectation not met, 2 usage, 3 configuration, 5 environment, 75 "
		"inconclusive.",
	.options = options,
	.takes_profile = true,
	.keeps_time = true,
	.run = run,
};
