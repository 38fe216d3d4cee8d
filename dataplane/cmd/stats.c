/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * kordon stats: what a live run has counted so far. Connects to its socket, reads lines of "group name
 * value", and shows them to people or, with --json, to programs. Knows no counter by name.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "cmd/dial.h"
#include "report/json.h"

enum row { WATCH, JSON };

static const struct kd_cmd_option options[] = {
	[WATCH] = {"watch", 'w', NULL, "again every second, until interrupted"},
	[JSON] = {"json", 0, NULL, "one JSON object, with --watch one a line"},
	{NULL, 0, NULL, NULL},
};

#define TEXT_MAX 65536

/* Cuts the next "group name value" out of *text. */
static bool next_line(char **text, char *part[3])
{
	char *line = strsep(text, "\n");

	for (unsigned int i = 0; i < 3; i++) {
		part[i] = line != NULL ? (i < 2 ? strsep(&line, " ") : line) : NULL;
		if (part[i] == NULL || part[i][0] == '\0')
			return false;
	}
	return true;
}

static void show_people(char *text)
{
	char *part[3];
	char group[64] = "";

	while (next_line(&text, part)) {
		if (strcmp(part[0], group) != 0)
			printf("%s\n", part[0]);
		snprintf(group, sizeof(group), "%s", part[0]);
		printf("  %-28s %15s\n", part[1], part[2]);
	}
}

static void show_json(char *text)
{
	static char out[2 * TEXT_MAX];
	struct kd_json j;
	char *part[3];
	char group[64] = "";

	kd_json_start(&j, out, sizeof(out));
	kd_json_open(&j, NULL, '{');
	while (next_line(&text, part)) {
		char *end;
		unsigned long long v;

		if (strcmp(part[0], group) != 0) {
			if (group[0] != '\0')
				kd_json_close(&j, '}');
			kd_json_open(&j, part[0], '{');
		}
		snprintf(group, sizeof(group), "%s", part[0]);
		v = strtoull(part[2], &end, 10);
		if (*end == '\0')
			kd_json_u64(&j, part[1], v);
		else
			kd_json_str(&j, part[1], part[2]);
	}
	if (group[0] != '\0')
		kd_json_close(&j, '}');
	kd_json_close(&j, '}');
	if (!j.full)
		printf("%.*s\n", (int)j.len, out);
}

static int show(const struct kd_args *args, const char *path)
{
	static char text[TEXT_MAX];
	ssize_t len = kd_dial(path, "stats", text, sizeof(text));

	if (len <= 0)
		return kd_dial_failed(path, len);
	if (args->value[JSON] != NULL) {
		show_json(text);
	} else {
		if (args->value[WATCH] != NULL && isatty(STDOUT_FILENO))
			fputs("\033[H\033[J", stdout);
		show_people(text);
	}
	return fflush(stdout) == 0 ? KD_EXIT_OK : KD_EXIT_ENVIRONMENT;
}

static int run(const struct kd_args *args)
{
	const char *path = kd_dial_path(args);
	int rc;

	if (path == NULL)
		return KD_EXIT_USAGE;
	rc = show(args, path);
	while (rc == KD_EXIT_OK && args->value[WATCH] != NULL) {
		sleep(1);
		rc = show(args, path);
	}
	return rc;
}

const struct kd_command kd_command_stats = {
	.name = "stats",
	.summary = "what a live run has counted so far",
	.usage = "stats [SOCKET] [--watch] [--json]",
	.text = "SOCKET is the one of 'kordon run --stats SOCKET'; without it $KORDON_STATS.",
	.options = options,
	.takes_profile = false,
	.run = run,
};
