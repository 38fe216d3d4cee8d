/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the parts of `kordon try` share: boxes, their trials, and what came of them. try_plan.c reads what is
 * asked for, try.c runs the show, try_trial.c one client against one box, try_judge.c turns what the box saw
 * into a result, try_report.c writes the documents.
 */
#ifndef KD_TRY_H
#define KD_TRY_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "cmd/cmd.h"
#include "rulebook/arena.h"

/* Options, by row of the verb's table. */
enum kd_try_row {
	KD_TRY_SAMPLE,
	KD_TRY_TRIALS,
	KD_TRY_TIMEOUT,
	KD_TRY_SERVER,
	KD_TRY_SERVER_AT,
	KD_TRY_READY,
	KD_TRY_EXPECT,
	KD_TRY_JSON,
	KD_TRY_JUNIT,
	KD_TRY_KEEP,
};

enum kd_try_result {
	KD_TRY_OK,
	KD_TRY_DEGRADED,
	KD_TRY_BLOCKED,
	KD_TRY_BROKEN,
	KD_TRY_INCONCLUSIVE,
	KD_TRY_SKIPPED,
	KD_TRY_FLAKY, /* of a box only: its trials differ */
	KD_TRY_RESULT_COUNT
};

/* A goal that is met counts as ok with at least this share of the null box's goodput and at most this many
 * times its set-up time. A difference below the floor is the machine's: two cores under load stall a transfer
 * for that long. */
#define KD_TRY_GOODPUT_PERCENT 50
#define KD_TRY_SETUP_TIMES 3
#define KD_TRY_FLOOR_NS 500000000ull

#define KD_TRY_WHY 640
#define KD_TRY_NAME 256

/* What the box saw of one trial, told by a replay of everything that came into it. */
struct kd_try_seen {
	uint64_t first_ns, last_ns; /* of packets, TCP and UDP; 0 = there was none */
	uint64_t setup_ns;    /* first packet until the first payload that reached the inside; 0 = none did */
	uint64_t time_ns;     /* first packet until the last payload that reached the inside */
	uint64_t bytes;	      /* payload that reached the inside */
	uint64_t outcomes[3]; /* flows by enum kd_outcome */
	/* The rule that is told of: of a blocked flow, else a degraded one, else one that matched and was let
	 * through. */
	bool matched, pending, missed;
	uint16_t rule, reason, verdict_reason; /* rule 0 = none */
	uint8_t app;
	uint64_t number; /* packet that made the rule act */
	char name[KD_TRY_NAME];
};

struct kd_try_trial {
	enum kd_try_result result;
	uint64_t seed;
	int status;	/* the client's */
	bool timed_out; /* it was ended */
	bool lab_failed;
	struct kd_try_seen seen;
	char why[KD_TRY_WHY];
};

struct kd_try_box {
	const char *profile; /* as asked for, and ~K behind it when --sample made it */
	const char *asked;   /* as asked for */
	unsigned int number; /* K of those that --sample made; 0 = none of them */
	struct kd_policy *policy;
	struct kd_try_trial *trials;
	unsigned int ntrials; /* that were made */
	unsigned int ok;      /* of them */
	enum kd_try_result result;
	enum kd_try_result expected; /* KD_TRY_RESULT_COUNT: nothing is expected */
	const char *folder;	     /* name of its folder under --keep */
};

struct kd_try {
	const struct kd_args *args;
	struct kd_arena *arena;
	struct kd_try_box *boxes; /* [0] is null, the control */
	unsigned int nboxes;
	unsigned int sample; /* boxes for each profile of the rulebook; 0 = the profile itself */
	unsigned int trials;
	const char *timeout; /* seconds */
	const char *server, *server_at, *ready;
	const char *keep;	/* folder or NULL */
	char scratch[PATH_MAX]; /* folder of this run */
	char exe[PATH_MAX];
	struct kd_try_seen control; /* medians of the null box */
	int stopped;		    /* by this signal */
};

/* Fills t from t->args; 0 or an exit code, said already. */
int kd_try_plan(struct kd_try *t);
int kd_try_no_memory(void); /* says so; its exit code */

/* One trial, from the lab to its result; the result needs try->control unless box is the control itself. */
void kd_try_run(struct kd_try *t, const struct kd_try_box *box, struct kd_try_trial *ret);

/* Fills seen from the ingress capture and holds it against the live events; -errno with a reason in why. */
int kd_try_look(const struct kd_try *t, const struct kd_try_box *box, const char *folder, uint64_t seed,
	struct kd_try_seen *seen, char why[KD_TRY_WHY]);
/* From status and seen to result and why; log is what the client said. */
void kd_try_judge(
	const struct kd_try *t, const struct kd_try_box *box, const char *log, struct kd_try_trial *x);
uint64_t kd_try_goodput(const struct kd_try_seen *seen); /* bytes per second */

const char *kd_try_word(enum kd_try_result result);
/* The seed of a trial: another one each time, but for sampled boxes, which it draws too. */
uint64_t kd_try_seed(const struct kd_try *t, const struct kd_try_box *box, unsigned int trial);

/* How the n boxes from `box` on that --sample made of one profile ended; returns n. */
unsigned int kd_try_sampled(
	const struct kd_try *t, const struct kd_try_box *box, unsigned int results[KD_TRY_RESULT_COUNT]);

/* The word, or "flaky 2/3". */
const char *kd_try_box_word(const struct kd_try_box *box, char *buf, size_t room);
/* The reason of the first trial that has the box's result, or of the first that was not ok. */
const char *kd_try_box_why(const struct kd_try_box *box);

/* 0 or -errno. */
int kd_try_json(const struct kd_try *t, FILE *to);
int kd_try_junit(const struct kd_try *t, FILE *to);

#endif
