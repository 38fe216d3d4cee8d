/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Option parsing for all verbs, from their tables. It decides how words on the command line become a struct
 * kd_args and how --help looks; what they mean is the verbs' own.
 */
#include "cmd/cmd.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <hs.h>

#include "cmd/parse.h"
#include "kd_version.h"
#include "rulebook/boxes.h"
#include "rulebook/diag.h"
#include "rulebook/scale.h"

enum common {
	COMMON_TIME_SCALE,
	COMMON_PROFILE,
	COMMON_SET,
	COMMON_SEED,
	COMMON_POLICIES,
	COMMON_QUIET,
	COMMON_VERBOSE,
	COMMON_COLOR,
	COMMON_HELP,
	COMMON_VERSION,
	COMMON_COUNT
};

static const struct kd_cmd_option common[COMMON_COUNT] = {
	[COMMON_TIME_SCALE] = {"time-scale", 0, "N",
		"residuals, bans, idle times, publication and flapping N times as fast (default 1)"},
	[COMMON_PROFILE] = {"profile", 'p', "PROFILE",
		"null, tspu@DATE[/NETWORK[/ISP[/REGION]]][+STATE][~K], or a rulebook file"},
	[COMMON_SET] = {"set", 0, "KEY=VALUE", "change a setting of the box; may be repeated"},
	[COMMON_SEED] = {"seed", 0, "N",
		"seed of every chance draw, and of the sampled boxes PROFILE~K (default 1)"},
	[COMMON_POLICIES] = {"policies", 0, "DIR",
		"rulebook folder (default: $KORDON_POLICIES, else beside the build)"},
	[COMMON_QUIET] = {"quiet", 'q', NULL, "no summary for people"},
	[COMMON_VERBOSE] = {"verbose", 'v', NULL, "say more; may be repeated"},
	[COMMON_COLOR] = {"color", 0, "WHEN", "auto, always or never (default auto; NO_COLOR is obeyed)"},
	[COMMON_HELP] = {"help", 'h', NULL, "this text"},
	[COMMON_VERSION] = {"version", 0, NULL, "the versions it was built with"},
};

/* The first of the common options a verb has: those that fewest have come first. */
static unsigned int common_from(const struct kd_command *c)
{
	if (c->keeps_time)
		return COMMON_TIME_SCALE;
	return c->takes_profile ? COMMON_PROFILE : COMMON_POLICIES;
}

void kd_complain(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	fputs("kordon: ", stderr);
	vfprintf(stderr, format, ap);
	fputc('\n', stderr);
	va_end(ap);
}

int kd_usage_error(const struct kd_args *args, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	fprintf(stderr, "kordon %s: ", args->command->name);
	vfprintf(stderr, format, ap);
	fprintf(stderr, "\nusage: kordon %s\ntry 'kordon %s --help'\n", args->command->usage,
		args->command->name);
	va_end(ap);
	return KD_EXIT_USAGE;
}

static void print_option(const struct kd_cmd_option *o)
{
	char left[64];

	snprintf(left, sizeof(left), "%c%c%c --%s%s%s", o->letter != 0 ? '-' : ' ',
		o->letter != 0 ? o->letter : ' ', o->letter != 0 ? ',' : ' ', o->name,
		o->arg != NULL ? " " : "", o->arg != NULL ? o->arg : "");
	if (strlen(left) > 26)
		printf("  %s\n  %-27s%s\n", left, "", o->help);
	else
		printf("  %-27s%s\n", left, o->help);
}

void kd_command_help(const struct kd_command *c)
{
	printf("usage: kordon %s\n\n%s\n", c->usage, c->summary);
	if (c->text != NULL)
		printf("\n%s\n", c->text);
	printf("\noptions\n");
	for (const struct kd_cmd_option *o = c->options; o != NULL && o->name != NULL; o++)
		print_option(o);
	for (unsigned int i = common_from(c); i < COMMON_COUNT; i++)
		print_option(&common[i]);
}

void kd_print_version(void)
{
	printf("kordon %s\nHyperscan %s\n", KD_VERSION, hs_version());
}

/* Option letters and names of a verb in getopt's shape; val = 256 + row, common ones behind the verb's. */
struct table {
	struct option opts[KD_CMD_OPTIONS_MAX + COMMON_COUNT + 1];
	char letters[2 * (KD_CMD_OPTIONS_MAX + COMMON_COUNT) + 2];
	unsigned int nown, n;
};

#define ROW(n) (256 + (int)(n))

static void table_add(struct table *t, const struct kd_cmd_option *o, size_t *nletters)
{
	t->opts[t->n] = (struct option){.name = o->name,
		.has_arg = o->arg != NULL ? required_argument : no_argument,
		.val = ROW(t->n)};
	t->n++;
	if (o->letter == 0)
		return;
	t->letters[(*nletters)++] = o->letter;
	if (o->arg != NULL)
		t->letters[(*nletters)++] = ':';
}

static void table_fill(struct table *t, const struct kd_command *c)
{
	size_t nletters = 0;

	memset(t, 0, sizeof(*t));
	for (const struct kd_cmd_option *o = c->options; o != NULL && o->name != NULL; o++)
		table_add(t, o, &nletters);
	t->nown = t->n;
	for (unsigned int i = common_from(c); i < COMMON_COUNT; i++)
		table_add(t, &common[i], &nletters);
}

static int row_of_letter(const struct kd_command *c, const struct table *t, int letter)
{
	for (unsigned int i = 0; i < t->nown; i++)
		if (c->options[i].letter == letter)
			return (int)i;
	for (unsigned int i = common_from(c); i < COMMON_COUNT; i++)
		if (common[i].letter == letter)
			return (int)(t->nown + i - common_from(c));
	return -1;
}

static int take_color(struct kd_args *args, const char *when)
{
	bool never = strcmp(when, "never") == 0, always = strcmp(when, "always") == 0;

	if (!never && !always && strcmp(when, "auto") != 0)
		return kd_usage_error(args, "--color \"%s\": expected auto, always or never", when);
	args->color_err = always || (!never && isatty(2) && getenv("NO_COLOR") == NULL);
	args->color_out = always || (!never && isatty(1) && getenv("NO_COLOR") == NULL);
	return 0;
}

static int take_time_scale(struct kd_args *args, const char *value)
{
	unsigned long n;
	char *end;

	errno = 0;
	n = strtoul(value, &end, 10);
	if (errno != 0 || *end != '\0' || *value < '0' || *value > '9' || n < 1 || n > KD_TIME_SCALE_MAX)
		return kd_usage_error(args, "--time-scale \"%s\": expected a whole number from 1 to %d",
			value, KD_TIME_SCALE_MAX);
	args->time_scale = (uint32_t)n;
	return 0;
}

static int take_common(struct kd_args *args, unsigned int which, const char *value, unsigned int *nset)
{
	char *end;

	switch (which) {
	case COMMON_TIME_SCALE:
		return take_time_scale(args, value);
	case COMMON_PROFILE:
		args->profile = value;
		return 0;
	case COMMON_SET:
		if (*nset == KD_CMD_REPEAT_MAX)
			return kd_usage_error(args, "--set: more than %d of them", KD_CMD_REPEAT_MAX);
		args->set[(*nset)++] = value;
		return 0;
	case COMMON_SEED:
		errno = 0;
		args->seed = strtoull(value, &end, 0);
		if (errno != 0 || *end != '\0' || *value < '0' || *value > '9')
			return kd_usage_error(
				args, "--seed \"%s\": expected a number from 0 to 2^64-1", value);
		return 0;
	case COMMON_POLICIES:
		args->policies = value;
		return 0;
	case COMMON_QUIET:
		args->quiet = true;
		return 0;
	case COMMON_VERBOSE:
		args->verbose++;
		return 0;
	default:
		return take_color(args, value);
	}
}

static int take_own(struct kd_args *args, unsigned int row, const char *value)
{
	args->value[row] = value != NULL ? value : "";
	if (args->nrepeat == KD_CMD_REPEAT_MAX)
		return kd_usage_error(args, "more than %d options", KD_CMD_REPEAT_MAX);
	args->repeat[args->nrepeat].row = row;
	args->repeat[args->nrepeat++].value = args->value[row];
	return 0;
}

int kd_args_parse(struct kd_args *args, const struct kd_command *command, int argc, char **argv)
{
	struct table t;
	unsigned int nset = 0;
	int got, row, err;

	*args = (struct kd_args){
		.command = command, .seed = 1, .time_scale = 1, .policies = getenv("KORDON_POLICIES")};
	take_color(args, "auto");
	table_fill(&t, command);
	optind = 1;
	opterr = 0;
	while ((got = getopt_long(argc, argv, t.letters, t.opts, NULL)) != -1) {
		if (got == '?')
			return optopt != 0 && optopt < 256
				       ? kd_usage_error(
						 args, "option -%c: unknown, or its value is missing", optopt)
				       : kd_usage_error(args, "option %s: unknown, or its value is missing",
						 argv[optind - 1]);
		row = got >= ROW(0) ? got - ROW(0) : row_of_letter(command, &t, got);
		if ((unsigned int)row < t.nown) {
			err = take_own(args, (unsigned int)row, optarg);
		} else {
			unsigned int which = (unsigned int)row - t.nown + common_from(command);

			if (which == COMMON_HELP) {
				kd_command_help(command);
				return -1;
			}
			if (which == COMMON_VERSION) {
				kd_print_version();
				return -1;
			}
			err = take_common(args, which, optarg, &nset);
		}
		if (err != 0)
			return err;
	}
	args->operands = argv + optind;
	args->noperands = (unsigned int)(argc - optind);
	return 0;
}

/* Where compiled matchers of long lists are kept; NULL when the environment names no place. Relative ones do
 * not count, says the XDG Base Directory Specification. */
static const char *cache_folder(char *buf, size_t room)
{
	const char *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
	int n;

	if (xdg != NULL && xdg[0] == '/')
		n = snprintf(buf, room, "%s/kordon", xdg);
	else if (home != NULL && home[0] == '/')
		n = snprintf(buf, room, "%s/.cache/kordon", home);
	else
		return NULL;
	return n > 0 && (size_t)n < room ? buf : NULL;
}

void kd_cmd_say_time_scale(const struct kd_args *args)
{
	if (args->time_scale > 1 && !args->quiet)
		kd_complain("time-scale %u: residuals, bans, idle times, publication and flapping run %u "
			    "times as fast",
			args->time_scale, args->time_scale);
}

static int load(
	struct kd_boxes *ret, const struct kd_args *args, const char *const *set, struct kd_diags *diags)
{
	char cache[4096];
	struct kd_policy_request request = {.profile = args->profile,
		.dir = args->policies,
		.set = set,
		.seed = args->seed,
		.time_scale = args->time_scale,
		.real = args->command->real_traffic,
		.cache = cache_folder(cache, sizeof(cache))};

	return kd_boxes_load(ret, &request, diags);
}

int kd_cmd_boxes_set(struct kd_boxes *ret, const struct kd_args *args, const char *const *set)
{
	struct kd_diags diags = {0};
	int err = load(ret, args, set, &diags);

	kd_diags_free(&diags);
	return err;
}

int kd_cmd_boxes(struct kd_boxes *ret, const struct kd_args *args)
{
	struct kd_diags diags = {0};
	int err;

	if (args->profile == NULL)
		return kd_usage_error(args, "no profile: give one with -p (see 'kordon list profiles')");
	err = load(ret, args, args->set, &diags);
	if (diags.errors != 0 || (diags.warnings != 0 && !args->quiet))
		kd_diags_print(&diags, stderr);
	kd_diags_free(&diags);
	if (err == 0)
		return 0;
	if (err == -ENOMEM) {
		kd_complain("out of memory while loading \"%s\"", args->profile);
		return KD_EXIT_ENVIRONMENT;
	}
	return KD_EXIT_CONFIG;
}

int kd_cmd_policy(struct kd_policy **ret, const struct kd_args *args)
{
	char names[512] = "";
	struct kd_boxes boxes;
	size_t len = 0;
	int rc = kd_cmd_boxes(&boxes, args);

	if (rc != 0)
		return rc;
	if (boxes.n == 1) {
		*ret = boxes.policy[0];
		return 0;
	}
	for (unsigned int i = 0; i < boxes.n && len < sizeof(names); i++)
		len += (size_t)snprintf(
			names + len, sizeof(names) - len, "%s%s", i > 0 ? ", " : "", boxes.policy[i]->box.id);
	kd_complain(
		"%s: %u boxes stand on its path (%s), and %s runs one: take a place whose path has one, or "
		"replay a capture, which crosses all of them",
		args->profile, boxes.n, names, args->command->name);
	kd_boxes_free(&boxes);
	return KD_EXIT_CONFIG;
}
