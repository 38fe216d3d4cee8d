/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * kordon: one binary, verbs like git's. This file knows the verbs and their order, finds the rulebook folder,
 * and nothing else.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "cmd/parse.h"
#include "kd_version.h"
#include "rulebook/diag.h"

extern const struct kd_command kd_command_bench, kd_command_run, kd_command_stats, kd_command_bypass;
extern const struct kd_command kd_command_replay, kd_command_explain, kd_command_check, kd_command_list,
	kd_command_diff, kd_command_lab, kd_command_try;

const struct kd_command *const kd_commands[] = {
	&kd_command_replay,
	&kd_command_explain,
	&kd_command_check,
	&kd_command_list,
	&kd_command_diff,
	&kd_command_run,
	&kd_command_stats,
	&kd_command_bypass,
	&kd_command_lab,
	&kd_command_try,
	&kd_command_bench,
	NULL,
};

static const struct kd_command *find(const char *name)
{
	for (const struct kd_command *const *c = kd_commands; *c != NULL; c++)
		if (strcmp((*c)->name, name) == 0)
			return *c;
	return NULL;
}

static int usage(FILE *to, int code)
{
	fputs("kordon: a lab censor: what Russia's TSPU would do to this traffic, and why\n\n"
	      "usage: kordon VERB [OPTION...] [FILE...]\n\n",
		to);
	for (const struct kd_command *const *c = kd_commands; *c != NULL; c++)
		fprintf(to, "  %-9s %s\n", (*c)->name, (*c)->summary);
	fputs("  help      help VERB: the options of a verb\n\n"
	      "kordon --version prints the versions it was built with.\n"
	      "exit: 0 fine, 1 expectation not met, 2 usage, 3 configuration, 4 input, 5 environment, 6 "
	      "internal error\n",
		to);
	return code;
}

static int unknown(const char *verb)
{
	char words[256] = "help";
	char *near;

	for (const struct kd_command *const *c = kd_commands; *c != NULL; c++)
		snprintf(words + strlen(words), sizeof(words) - strlen(words), "|%s", (*c)->name);
	near = kd_did_you_mean(verb, words);
	kd_complain("\"%s\" is not a verb%s%s%s; 'kordon --help' lists them", verb,
		near != NULL ? " - did you mean \"" : "", near != NULL ? near : "",
		near != NULL ? "\"?" : "");
	free(near);
	return KD_EXIT_USAGE;
}

static int help(int argc, char **argv)
{
	const struct kd_command *c;

	if (argc < 2)
		return usage(stdout, KD_EXIT_OK);
	c = find(argv[1]);
	if (c == NULL)
		return unknown(argv[1]);
	kd_command_help(c);
	return KD_EXIT_OK;
}

/* The folder with the rules when nobody names one: beside the build, else where it was installed. */
static const char *default_policies(char *buf, size_t room)
{
	ssize_t n = readlink("/proc/self/exe", buf, room - 16);
	char *slash;

	if (n > 0) {
		buf[n] = '\0';
		slash = strrchr(buf, '/');
		strcpy(slash, "/../policies");
		if (access(buf, R_OK) == 0)
			return buf;
	}
	return KD_POLICIES_INSTALLED;
}

int main(int argc, char **argv)
{
	static char policies[PATH_MAX + 16];
	const struct kd_command *command;
	struct kd_args args;
	int code;

	if (argc < 2)
		return usage(stderr, KD_EXIT_USAGE);
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
		return usage(stdout, KD_EXIT_OK);
	if (strcmp(argv[1], "--version") == 0) {
		kd_print_version();
		return KD_EXIT_OK;
	}
	if (strcmp(argv[1], "help") == 0)
		return help(argc - 1, argv + 1);
	command = find(argv[1]);
	if (command == NULL)
		return unknown(argv[1]);
	code = kd_args_parse(&args, command, argc - 1, argv + 1);
	if (code != 0)
		return code < 0 ? KD_EXIT_OK : command->exit_base + code;
	if (args.policies == NULL)
		args.policies = default_policies(policies, sizeof(policies));
	kd_cmd_say_time_scale(&args);
	code = command->run(&args);
	if (fflush(stdout) != 0 && code == KD_EXIT_OK) {
		kd_complain("standard output: cannot be written");
		code = KD_EXIT_ENVIRONMENT;
	}
	return code;
}
