/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * kordon replay: a capture in, events and an annotated capture out. Reads its options, runs the offline
 * driver, holds the expectations against the events, says what people should know and chooses the exit code.
 */
#include "cmd/replay.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "report/expect.h"
#include "report/junit.h"
#include "rulebook/boxes.h"

enum row { WRITE, EVENTS, INSIDE_NET, CHECKSUMS, HOPS, KEEP, EXPECT, JUNIT, BURST, TICKS };

static const struct kd_cmd_option options[] = {
	[WRITE] = {"write", 'w', "FILE", "annotated pcapng: what left the box, each packet with its reason"},
	[EVENTS] = {"events", 'e', "FILE", "events as JSON lines, - = standard output (default without -w)"},
	[INSIDE_NET] = {"inside-net", 0, "CIDR[,..]", "the networks that are inside"},
	[CHECKSUMS] = {"checksums", 0, "MODE",
		"auto: wrong ones are counted; trust: not looked at; verify: not inspected (default auto)"},
	[HOPS] = {"hops", 0, "N", KD_REPLAY_HOPS},
	[KEEP] = {"keep", 0, NULL, "-w also holds dropped packets and the originals of rewritten ones"},
	[EXPECT] = {"expect", 0, "[NAME=]RESULT",
		"passed, degraded or blocked, [:RULE] behind it; repeatable"},
	[JUNIT] = {"junit", 0, "FILE", "the expectations as JUnit XML"},
	[BURST] = {"burst", 0, "N", "test aid: packets given to the engine at a time (default 32)"},
	[TICKS] = {"ticks", 0, "N", "test aid: advances of time between two bursts (default 0)"},
	{NULL, 0, NULL, NULL},
};

struct replay {
	const struct kd_args *args;
	struct kd_boxes boxes;
	struct kd_expect *expect;
	FILE *junit;
	struct kd_offline o;
	struct kd_offline_sink sink;
	bool out_of_memory; /* an expectation lost an event */
};

int kd_replay_checksums(const struct kd_args *args, const char *word, enum kd_checksums *ret)
{
	if (word == NULL)
		return 0;
	if (strcmp(word, "auto") == 0)
		*ret = KD_CHECKSUMS_AUTO;
	else if (strcmp(word, "trust") == 0)
		*ret = KD_CHECKSUMS_TRUST;
	else if (strcmp(word, "verify") == 0)
		*ret = KD_CHECKSUMS_VERIFY;
	else
		return kd_usage_error(args, "--checksums \"%s\": expected auto, trust or verify", word);
	return 0;
}

int kd_replay_hops(const struct kd_args *args, const char *word, struct kd_endpoint *ret)
{
	unsigned long v;
	char *end;

	if (word == NULL)
		return 0;
	errno = 0;
	v = strtoul(word, &end, 10);
	if (errno != 0 || *word < '0' || *word > '9' || *end != '\0' || v > UINT8_MAX)
		return kd_usage_error(args,
			"--hops \"%s\": expected a number from 1 to 255, or 0 when it is not known", word);
	ret->hops = (uint8_t)v;
	return 0;
}

static int count(
	const struct kd_args *args, enum row row, unsigned int min, unsigned int max, unsigned int *ret)
{
	const char *text = args->value[row];
	unsigned long v;
	char *end;

	if (text == NULL)
		return 0;
	errno = 0;
	v = strtoul(text, &end, 10);
	if (errno != 0 || *text < '0' || *text > '9' || *end != '\0' || v < min || v > max)
		return kd_usage_error(args, "--%s \"%s\": expected a number from %u to %u", options[row].name,
			text, min, max);
	*ret = (unsigned int)v;
	return 0;
}

static void on_event(void *user, const struct kd_event *e, bool open_loop)
{
	struct replay *r = user;

	(void)open_loop;
	if (kd_expect_event(r->expect, e) < 0)
		r->out_of_memory = true;
}

/* The regular file a path means: itself, or, when it is not there yet, its folder and its name in it. */
struct file {
	dev_t dev;
	ino_t ino;
	const char *name; /* NULL = it is there */
};

/* false: no regular file, so writing it twice destroys nothing (/dev/null), or opening it will fail. */
static bool file_of(const char *path, int standard, struct file *ret)
{
	const char *slash = strrchr(path, '/');
	char folder[PATH_MAX] = ".";
	struct stat st;

	if (strcmp(path, "-") == 0 ? fstat(standard, &st) == 0 : stat(path, &st) == 0) {
		*ret = (struct file){.dev = st.st_dev, .ino = st.st_ino};
		return S_ISREG(st.st_mode);
	}
	if (slash != NULL && (size_t)(slash - path) + 2 > sizeof(folder))
		return false;
	if (slash != NULL)
		snprintf(folder, sizeof(folder), "%.*s", (int)(slash - path) + 1, path);
	if (stat(folder, &st) < 0)
		return false;
	*ret = (struct file){.dev = st.st_dev, .ino = st.st_ino, .name = slash != NULL ? slash + 1 : path};
	return true;
}

static bool same_file(const char *a, const char *b, int standard_a)
{
	struct file one, two;

	if (!file_of(a, standard_a, &one) || !file_of(b, STDOUT_FILENO, &two))
		return false;
	if (one.dev != two.dev || one.ino != two.ino || (one.name == NULL) != (two.name == NULL))
		return false;
	return one.name == NULL || strcmp(one.name, two.name) == 0;
}

/* Opening an output truncates it: not when it is the input or another output. */
static int check_files(const struct replay *r)
{
	static const char *const option[] = {"-w", "-e", "--junit"};
	const char *path[] = {r->o.output, r->o.events, r->args->value[JUNIT]};

	for (unsigned int i = 0; i < 3; i++) {
		if (path[i] == NULL)
			continue;
		if (same_file(r->o.input, path[i], STDIN_FILENO))
			return kd_usage_error(
				r->args, "%s %s: is the input; it would be overwritten", option[i], path[i]);
		for (unsigned int k = 0; k < i; k++)
			if (path[k] != NULL && ((strcmp(path[k], "-") == 0 && strcmp(path[i], "-") == 0) ||
						       same_file(path[k], path[i], STDOUT_FILENO)))
				return kd_usage_error(
					r->args, "%s and %s name the same file", option[k], option[i]);
	}
	return 0;
}

static int read_options(struct replay *r)
{
	const struct kd_args *args = r->args;
	int rc;

	if (args->noperands != 1)
		return kd_usage_error(args, "expected one capture");
	r->o = (struct kd_offline){.seed = args->seed,
		.input = args->operands[0],
		.output = args->value[WRITE],
		.events = args->value[EVENTS],
		.inside_nets = args->value[INSIDE_NET],
		.burst = KD_OFFLINE_BURST_DEFAULT,
		.keep = args->value[KEEP] != NULL};
	if (r->o.output == NULL && r->o.events == NULL)
		r->o.events = "-";
	if (r->o.keep && r->o.output == NULL)
		return kd_usage_error(args, "--keep needs -w");
	if (args->value[JUNIT] != NULL && args->value[EXPECT] == NULL)
		return kd_usage_error(args, "--junit needs --expect");
	rc = check_files(r);
	if (rc != 0)
		return rc;
	rc = kd_replay_checksums(args, args->value[CHECKSUMS], &r->o.checksums);
	if (rc == 0)
		rc = kd_replay_hops(args, args->value[HOPS], &r->o.endpoint);
	if (rc == 0)
		rc = count(args, BURST, 1, KD_OFFLINE_BURST_MAX, &r->o.burst);
	if (rc == 0)
		rc = count(args, TICKS, 0, 1000, &r->o.ticks);
	return rc;
}

static int read_expectations(struct replay *r)
{
	const struct kd_args *args = r->args;
	const char *why;
	int rc;

	if (kd_expect_new(&r->expect, r->boxes.policy[0]) < 0)
		goto no_memory;
	if (r->boxes.n > 1)
		kd_expect_boxes(r->expect, &r->boxes);
	for (unsigned int i = 0; i < args->nrepeat; i++) {
		if (args->repeat[i].row != EXPECT)
			continue;
		rc = kd_expect_add(r->expect, args->repeat[i].value, &why);
		if (rc == -EINVAL)
			return kd_usage_error(args, "--expect \"%s\": %s", args->repeat[i].value, why);
		if (rc < 0)
			goto no_memory;
	}
	if (args->value[JUNIT] == NULL)
		return 0;
	r->junit = fopen(args->value[JUNIT], "w");
	if (r->junit != NULL)
		return 0;
	kd_complain("%s: %s", args->value[JUNIT], strerror(errno));
	return KD_EXIT_ENVIRONMENT;
no_memory:
	kd_complain("out of memory");
	return KD_EXIT_ENVIRONMENT;
}

/* Boxes of a path see a flow each. */
static void say_flows(const struct replay *r, const struct kd_offline_result *x, unsigned int box)
{
	const uint64_t *o = x->outcomes[box];
	uint64_t flows = o[KD_OUTCOME_PASSED] + o[KD_OUTCOME_DEGRADED] + o[KD_OUTCOME_BLOCKED];

	fputs("kordon: ", stderr);
	if (r->boxes.n > 1)
		fprintf(stderr, "box %u %s: ", box, r->boxes.policy[box]->box.id);
	fprintf(stderr,
		"%" PRIu64 " flow%s: %" PRIu64 " passed, %" PRIu64 " degraded, %" PRIu64
		" blocked; inside: %s\n",
		flows, flows == 1 ? "" : "s", o[KD_OUTCOME_PASSED], o[KD_OUTCOME_DEGRADED],
		o[KD_OUTCOME_BLOCKED], x->inside);
}

static void say_summary(const struct replay *r, const struct kd_offline_result *x)
{
	const uint64_t *f = x->fates;

	fprintf(stderr,
		"kordon: %" PRIu64 " packet%s in: %" PRIu64 " emitted, %" PRIu64 " rewritten, %" PRIu64
		" dropped; %" PRIu64 " injected\n",
		x->packets, x->packets == 1 ? "" : "s", f[KD_EMIT], f[KD_REWRITE], f[KD_DROP], f[KD_INJECT]);
	for (unsigned int box = 0; box < r->boxes.n; box++)
		say_flows(r, x, box);
	kd_offline_say(x, stderr);
}

/* 0, 1 or 75: the worst of the expectations; a mismatch weighs more than an open question. */
static int judge(const struct replay *r, const struct kd_offline_result *run, struct kd_junit_case *cases,
	struct kd_expect_result *results)
{
	int rc = KD_EXIT_OK;

	for (unsigned int i = 0; i < kd_expect_count(r->expect); i++) {
		struct kd_expect_result *x = &results[i];

		kd_expect_result(r->expect, i, x);
		cases[i] = (struct kd_junit_case){
			.classname = r->boxes.policy[0]->profile, .name = x->text, .message = x->message};
		if (run->end != KD_OFFLINE_OK) {
			cases[i].status = KD_JUNIT_ERROR;
			cases[i].message = run->message;
		} else if (x->status == KD_EXPECT_NOT_MET) {
			cases[i].status = KD_JUNIT_FAILED;
			rc = KD_EXIT_EXPECTATION;
		} else if (x->status == KD_EXPECT_INCONCLUSIVE) {
			cases[i].status = KD_JUNIT_SKIPPED;
			rc = rc == KD_EXIT_OK ? KD_EXIT_INCONCLUSIVE : rc;
		}
		if (run->end == KD_OFFLINE_OK && x->status != KD_EXPECT_MET)
			kd_complain("%s", x->message);
	}
	return rc;
}

static int report(struct replay *r, const struct kd_offline_result *run)
{
	unsigned int n = kd_expect_count(r->expect);
	struct kd_expect_result *results = calloc(n + 1, sizeof(*results));
	struct kd_junit_case *cases = calloc(n + 1, sizeof(*cases));
	int rc, err = 0;

	if (results == NULL || cases == NULL || r->out_of_memory) {
		kd_complain("out of memory");
		rc = KD_EXIT_ENVIRONMENT;
		goto out;
	}
	kd_expect_end(r->expect);
	rc = judge(r, run, cases, results);
	if (r->junit != NULL)
		err = kd_junit_write(r->junit, "kordon replay", cases, n);
	if (err < 0) {
		kd_complain("%s: %s", r->args->value[JUNIT], strerror(-err));
		rc = KD_EXIT_ENVIRONMENT;
	}
out:
	free(cases);
	free(results);
	return rc;
}

static int run(const struct kd_args *args)
{
	struct replay r = {.args = args};
	struct kd_offline_result result;
	int rc;

	rc = read_options(&r);
	if (rc == 0)
		rc = kd_cmd_boxes(&r.boxes, args);
	if (rc == 0)
		rc = read_expectations(&r);
	if (rc != 0)
		goto out;
	r.o.policy = r.boxes.policy[0];
	r.o.boxes = r.boxes.n > 1 ? &r.boxes : NULL;
	r.sink = (struct kd_offline_sink){.user = &r, .event = on_event};
	r.o.sink = &r.sink;
	kd_offline_run(&r.o, &result);
	if (!args->quiet && (result.end == KD_OFFLINE_OK || result.packets > 0))
		say_summary(&r, &result);
	rc = report(&r, &result);
	if (result.end != KD_OFFLINE_OK) {
		kd_complain("%s", result.message);
		rc = (int)result.end;
	}
out:
	if (r.junit != NULL)
		fclose(r.junit);
	kd_expect_free(r.expect);
	kd_boxes_free(&r.boxes);
	return rc;
}

const struct kd_command kd_command_replay = {
	.name = "replay",
	.summary = "a capture in, events and an annotated capture out",
	.usage = "replay -p PROFILE IN.pcap[ng] [-w OUT.pcapng] [-e EVENTS.jsonl]",
	.text = "Packet time is the clock: the same capture, profile and seed give the same bytes. IN may be "
		"- for\n"
		"standard input. Events are described by docs/events.schema.json; after the first thing done "
		"to a packet\n"
		"they carry \"open_loop\": the recorded packets are no longer what the endpoints would have "
		"sent.\n\n"
		"Inside is told by the interface in a capture that kordon wrote, else by --inside-net, else "
		"by the one\n"
		"private or lab address, else by who sent a flow's first packet (a guess, and said).\n\n"
		"--expect holds for every flow of NAME (SNI or Host); without NAME for every flow that has "
		"one, or for\n"
		"all flows when none has. Exit 1 when it does not hold or no flow has that name; 75 when a "
		"rule's\n"
		"mechanism does not exist yet, or when the flow of NAME may be one whose payload showed the "
		"box no name,\n"
		"as a ClientHello in two segments does: there an --expect without NAME helps. Of a path of "
		"several boxes the\nworst that any of them did to a flow counts.\n\n"
		"A capture that ends in the middle of a packet is processed up to there, and the exit code "
		"is 4.",
	.options = options,
	.takes_profile = true,
	.keeps_time = true,
	.real_traffic = true,
	.run = run,
};
