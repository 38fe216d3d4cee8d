/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What every verb shares: one table of options per verb, from which parsing, --help and the reference page
 * come, and the options that stand everywhere. Results go to stdout, words for people to stderr.
 */
#ifndef KD_CMD_H
#define KD_CMD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rulebook/policy.h"

struct kd_boxes;

enum kd_exit {
	KD_EXIT_OK = 0,
	KD_EXIT_EXPECTATION = 1,
	KD_EXIT_USAGE = 2,
	KD_EXIT_CONFIG = 3,
	KD_EXIT_INPUT = 4,
	KD_EXIT_ENVIRONMENT = 5,
	KD_EXIT_INTERNAL = 6,
	KD_EXIT_INCONCLUSIVE = 75,
	KD_EXIT_SKIPPED = 77,
};

#define KD_CMD_REPEAT_MAX 64

/* One option of a verb; its value lands in kd_args.value[row]. */
struct kd_cmd_option {
	const char *name; /* long name */
	char letter;	  /* 0 = none */
	const char *arg;  /* "FILE"; NULL = a switch */
	const char *help;
};

struct kd_args;

struct kd_command {
	const char *name;
	const char *summary;		     /* one line for `kordon --help` */
	const char *usage;		     /* "replay -p PROFILE IN.pcap[ng] ..." */
	const char *text;		     /* paragraphs for --help; may be NULL */
	const struct kd_cmd_option *options; /* ends with a NULL name */
	bool takes_profile;		     /* -p, --set, --seed and --policies are among its options */
	bool keeps_time;		     /* --time-scale is one of them too */
	bool real_traffic;		     /* it reads captures of it: real prefixes of tags count too */
	int exit_base;			     /* added to the exit code of a usage error */
	int (*run)(const struct kd_args *args);
};

#define KD_CMD_OPTIONS_MAX 24

struct kd_args {
	const struct kd_command *command;
	/* By row of command->options: the value, "" for a switch that was given, NULL when absent. Options
	 * given more than once keep their last value here and all of them in `repeat`. */
	const char *value[KD_CMD_OPTIONS_MAX];
	struct {
		unsigned int row;
		const char *value;
	} repeat[KD_CMD_REPEAT_MAX];
	unsigned int nrepeat;
	const char *set[KD_CMD_REPEAT_MAX + 1]; /* --set, NULL-terminated */
	const char *profile;			/* -p or NULL */
	const char *policies;			/* resolved folder */
	uint64_t seed;
	uint32_t time_scale; /* 1..KD_TIME_SCALE_MAX */
	bool quiet;
	unsigned int verbose;
	bool color_err, color_out; /* --color and NO_COLOR applied to each stream */
	char **operands;
	unsigned int noperands;
};

/* All verbs, ends with NULL. */
extern const struct kd_command *const kd_commands[];

/* "kordon: what: why; what to do" on stderr, one line. */
void kd_complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Usage error: complains, points to --help, returns KD_EXIT_USAGE. */
int kd_usage_error(const struct kd_args *args, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* That the slow timers are not the real box's, if so: once a run, by the program the user started. */
void kd_cmd_say_time_scale(const struct kd_args *args);

/* Loads all boxes of args->profile (it must be given, else a usage error), prints every diagnostic; 0 or an
 * exit code. */
int kd_cmd_boxes(struct kd_boxes *ret, const struct kd_args *args);
/* The same profile once more, every box under these settings, without a word. -EINVAL or -ENOMEM. */
int kd_cmd_boxes_set(struct kd_boxes *ret, const struct kd_args *args, const char *const *set);
/* For verbs that run one box: as kd_cmd_boxes, and a path of several is refused. */
int kd_cmd_policy(struct kd_policy **ret, const struct kd_args *args);

#endif
