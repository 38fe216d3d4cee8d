/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * kordon bypass: takes a running box, or one rule of it, out of the packets' way and puts it back. What that
 * means is the engine's; which rules there are the run knows.
 */
#include <stdio.h>
#include <string.h>

#include "cmd/cmd.h"
#include "cmd/dial.h"

enum row { RULE, OFF, INLINE };

static const struct kd_cmd_option options[] = {
	[RULE] = {"rule", 0, "RULE", "only that rule of the box"},
	[OFF] = {"off", 0, NULL, "end the bypass"},
	[INLINE] = {"inline", 0, NULL, "the same"},
	{NULL, 0, NULL, NULL},
};

#define TEXT_MAX 1024
#define RULE_MAX 128

static int run(const struct kd_args *args)
{
	static const char done[] = "done ", refused[] = "refused ";
	const char *path = kd_dial_path(args), *rule = args->value[RULE];
	bool on = args->value[OFF] == NULL && args->value[INLINE] == NULL;
	char request[RULE_MAX + 32], text[TEXT_MAX];
	ssize_t len;

	if (path == NULL)
		return KD_EXIT_USAGE;
	if (rule != NULL && (rule[0] == '\0' || strlen(rule) > RULE_MAX || strpbrk(rule, " \n") != NULL))
		return kd_usage_error(args, "--rule \"%.80s\": expected the id of a rule", rule);
	snprintf(request, sizeof(request), "bypass %s%s%s", on ? "on" : "off", rule != NULL ? " " : "",
		rule != NULL ? rule : "");
	len = kd_dial(path, request, text, sizeof(text));
	if (len <= 0)
		return kd_dial_failed(path, len);
	text[strcspn(text, "\n")] = '\0';
	if (strncmp(text, refused, sizeof(refused) - 1) == 0) {
		kd_complain("%s", text + sizeof(refused) - 1);
		return KD_EXIT_CONFIG;
	}
	if (strncmp(text, done, sizeof(done) - 1) != 0) {
		kd_complain("%s: what answers there is no run of this version", path);
		return KD_EXIT_ENVIRONMENT;
	}
	if (!args->quiet)
		printf("%s\n", text + sizeof(done) - 1);
	return fflush(stdout) == 0 ? KD_EXIT_OK : KD_EXIT_ENVIRONMENT;
}

const struct kd_command kd_command_bypass = {
	.name = "bypass",
	.summary = "takes a running box, or a rule of it, out of the way and puts it back",
	.usage = "bypass [SOCKET] [--rule RULE] [--off | --inline]",
	.text = "SOCKET is the one of 'kordon run --stats SOCKET'; without it $KORDON_STATS, which COMMAND "
		"of\n"
		"'kordon lab' has. A bypassed box is a wire: it forwards everything (box.bypassed) and makes "
		"and\n"
		"touches no flow; inline again it knows what it knew. A bypassed rule takes hold of nothing, "
		"and\n"
		"what it has hold of passes (decide.bypassed) until it is inline. All packets from one time "
		"on feel\n"
		"it, and a run's --capture tells a replay when that was.",
	.options = options,
	.takes_profile = false,
	.run = run,
};
