/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * kordon lab: a command, or a shell, as the client of a small internet with the box in the middle. Checks
 * everything that can be checked before anything is started, hands the rest to testbed/lab/start and waits
 * until the last process of the lab is gone. What the lab looks like is decided there; what the box does, by
 * `kordon run`.
 */
#include "cmd/cmd.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kd_version.h"
#include "report/expect.h"

enum row { OUTSIDE, OUTSIDE_AT, READY, READY_TIMEOUT, EVENTS, CAPTURE, EXPECT, TIMEOUT, BARE, ACCESS };

static const struct kd_cmd_option options[] = {
	[OUTSIDE] = {"outside", 0, "SERVER", "a shell command: a server of one's own outside"},
	[OUTSIDE_AT] = {"outside-at", 0, "@TAG[:HOST]", "where it stands on the map (default @other:20)"},
	[READY] = {"ready", 0, "PROTO:PORT", "tcp:443 or udp:443: wait until it listens there"},
	[READY_TIMEOUT] = {"ready-timeout", 0, "SECONDS", "... but no longer (default 10)"},
	[EVENTS] = {"events", 'e', "FILE", "events of the box as JSON lines"},
	[CAPTURE] = {"capture", 0, "FILE", "pcapng of what came into the box, both sides"},
	[EXPECT] = {"expect", 0, "[NAME=]RESULT",
		"passed, degraded or blocked, [:RULE] behind it; repeatable"},
	[TIMEOUT] = {"timeout", 0, "SECONDS", "end COMMAND after that time, with status 124"},
	[BARE] = {"bare", 0, NULL, "no delay line: for speed instead of a round trip of 36 ms"},
	[ACCESS] = {"access", 0, "KIND", "what stands before the box: none"},
	{NULL, 0, NULL, NULL},
};

/* kordon's own failures stand above those of most commands: usage 122, configuration 123, environment 125. */
#define LAB_EXIT(code) (120 + (code))
#define LAB_EXIT_NOT_RUNNABLE 126
#define LAB_EXIT_NOT_FOUND 127

#define WORDS_MAX (64 + 2 * 2 * KD_CMD_REPEAT_MAX)

struct lab {
	const struct kd_args *args;
	const char *profile;
	char start[PATH_MAX + 32], exe[PATH_MAX], dir[PATH_MAX], seed[24], time_scale[16];
	char **words; /* of testbed/lab/start */
	size_t nwords;
};

static int seconds(const struct lab *lab, enum row row)
{
	const char *text = lab->args->value[row];
	char *end;
	long v;

	if (text == NULL)
		return 0;
	v = strtol(text, &end, 10);
	if (*text < '0' || *text > '9' || *end != '\0' || v < 1 || v > 86400)
		return kd_usage_error(
			lab->args, "--%s \"%s\": expected seconds, from 1 to 86400", options[row].name, text);
	return 0;
}

static int read_server(const struct lab *lab)
{
	const struct kd_args *args = lab->args;
	const char *at = args->value[OUTSIDE_AT], *ready = args->value[READY], *colon;
	unsigned int n;
	char proto[4], rest;

	for (unsigned int row = OUTSIDE_AT; row <= READY_TIMEOUT; row++)
		if (args->value[row] != NULL && args->value[OUTSIDE] == NULL)
			return kd_usage_error(args, "--%s needs --outside", options[row].name);
	if (at != NULL) {
		colon = strchr(at, ':');
		if (*at != '@' ||
			(colon != NULL && (sscanf(colon, ":%3u%c", &n, &rest) != 1 || n < 2 || n > 254)))
			return kd_usage_error(args,
				"--outside-at \"%s\": expected @TAG or @TAG:HOST, HOST from 2 to 254", at);
	}
	if (ready != NULL && (sscanf(ready, "%3[a-z]:%5u%c", proto, &n, &rest) != 2 || n < 1 || n > 65535 ||
				     (strcmp(proto, "tcp") != 0 && strcmp(proto, "udp") != 0)))
		return kd_usage_error(args, "--ready \"%s\": expected tcp:PORT or udp:PORT", ready);
	return seconds(lab, READY_TIMEOUT);
}

static int read_options(const struct lab *lab)
{
	const struct kd_args *args = lab->args;
	const char *events = args->value[EVENTS], *capture = args->value[CAPTURE];

	if (args->noperands > 0 && strcmp(args->operands[-1], "--") != 0)
		return kd_usage_error(args, "COMMAND \"%s\" stands behind --", args->operands[0]);
	if (args->value[ACCESS] != NULL && strcmp(args->value[ACCESS], "none") != 0)
		return kd_usage_error(
			args, "--access \"%s\": not in this version; expected none", args->value[ACCESS]);
	for (unsigned int row = EVENTS; row <= CAPTURE; row++)
		if (args->value[row] != NULL && strcmp(args->value[row], "-") == 0)
			return kd_usage_error(
				args, "--%s -: standard output is COMMAND's; name a file", options[row].name);
	if (events != NULL && capture != NULL && strcmp(events, capture) == 0)
		return kd_usage_error(args, "--events and --capture name the same file");
	return seconds(lab, TIMEOUT) != 0 ? KD_EXIT_USAGE : read_server(lab);
}

/* Bad rules and bad expectations are told before anything starts. */
static int read_policy(const struct lab *lab)
{
	struct kd_args args = *lab->args;
	struct kd_policy *policy = NULL;
	struct kd_expect *expect = NULL;
	const char *why;
	int rc, err;

	args.profile = lab->profile;
	rc = kd_cmd_policy(&policy, &args);
	if (rc != 0)
		return rc;
	err = kd_expect_new(&expect, policy);
	for (unsigned int i = 0; i < args.nrepeat && err == 0; i++) {
		if (args.repeat[i].row != EXPECT)
			continue;
		err = kd_expect_add(expect, args.repeat[i].value, &why);
		if (err == -EINVAL)
			rc = kd_usage_error(&args, "--expect \"%s\": %s", args.repeat[i].value, why);
	}
	if (err == -ENOMEM) {
		kd_complain("out of memory");
		rc = KD_EXIT_ENVIRONMENT;
	}
	kd_expect_free(expect);
	kd_policy_free(policy);
	return rc;
}

static int runnable(const char *path)
{
	struct stat s;

	if (stat(path, &s) < 0)
		return -ENOENT;
	return S_ISREG(s.st_mode) && access(path, X_OK) == 0 ? 0 : -EACCES;
}

/* 0, or what a shell would end with. */
static int find_command(const char *name)
{
	const char *path = getenv("PATH");
	char *copy, *save = NULL, file[PATH_MAX];
	int err = -ENOENT, now;

	if (strchr(name, '/') != NULL) {
		err = runnable(name);
	} else {
		copy = strdup(path != NULL ? path : "/usr/bin:/bin");
		for (char *p = copy != NULL ? strtok_r(copy, ":", &save) : NULL; p != NULL && err != 0;
			p = strtok_r(NULL, ":", &save)) {
			snprintf(file, sizeof(file), "%s/%s", p, name);
			now = runnable(file);
			err = now == -ENOENT ? err : now;
		}
		free(copy);
	}
	if (err == 0)
		return 0;
	kd_complain("lab: %s: %s", name, err == -ENOENT ? "no such command" : "cannot be run");
	return err == -ENOENT ? LAB_EXIT_NOT_FOUND : LAB_EXIT_NOT_RUNNABLE;
}

static bool starts_at(struct lab *lab, const char *folder, int folder_len, const char *behind)
{
	int n = snprintf(lab->start, sizeof(lab->start), "%.*s%s/lab/start", folder_len, folder, behind);

	return n > 0 && (size_t)n < sizeof(lab->start) && runnable(lab->start) == 0;
}

/* The scripts: $KORDON_TESTBED, else beside the build, or where they were installed. Never beside --policies:
 * where rules are read from must not choose what is run. */
static int find_start(struct lab *lab)
{
	const char *env = getenv("KORDON_TESTBED");
	ssize_t n = readlink("/proc/self/exe", lab->exe, sizeof(lab->exe) - 1);

	if (n <= 0)
		return -ENOENT;
	lab->exe[n] = '\0';
	if (env != NULL)
		return starts_at(lab, env, INT_MAX, "") ? 0 : -ENOENT;
	if (starts_at(lab, lab->exe, (int)(strrchr(lab->exe, '/') - lab->exe), "/../testbed") ||
		starts_at(lab, KD_POLICIES_INSTALLED, INT_MAX, "/testbed"))
		return 0;
	return -ENOENT;
}

static void say(struct lab *lab, const char *word, const char *value)
{
	lab->words[lab->nwords++] = (char *)(uintptr_t)word;
	lab->words[lab->nwords++] = (char *)(uintptr_t)value;
}

static void say_box(struct lab *lab, const char *option, const char *value)
{
	say(lab, "--box", option);
	say(lab, "--box", value);
}

static int fill_words(struct lab *lab)
{
	const struct kd_args *args = lab->args;

	lab->words = calloc(WORDS_MAX + args->noperands, sizeof(*lab->words));
	if (lab->words == NULL)
		return -ENOMEM;
	say(lab, lab->start, lab->dir);
	say(lab, "--kordon", lab->exe);
	say_box(lab, "-p", lab->profile);
	say_box(lab, "--policies", args->policies);
	snprintf(lab->seed, sizeof(lab->seed), "%" PRIu64, args->seed);
	say_box(lab, "--seed", lab->seed);
	snprintf(lab->time_scale, sizeof(lab->time_scale), "%u", args->time_scale);
	say_box(lab, "--time-scale", lab->time_scale);
	for (unsigned int i = 0; args->set[i] != NULL; i++)
		say_box(lab, "--set", args->set[i]);
	for (unsigned int i = 0; i < args->nrepeat; i++)
		if (args->repeat[i].row == EXPECT)
			say(lab, "--expect", args->repeat[i].value);
	static const struct {
		enum row row;
		const char *word;
	} plain[] = {{OUTSIDE, "--outside"}, {OUTSIDE_AT, "--outside-at"}, {READY, "--ready"},
		{READY_TIMEOUT, "--ready-timeout"}, {EVENTS, "--events"}, {CAPTURE, "--capture"},
		{TIMEOUT, "--timeout"}};
	for (size_t i = 0; i < sizeof(plain) / sizeof(*plain); i++)
		if (args->value[plain[i].row] != NULL)
			say(lab, plain[i].word, args->value[plain[i].row]);
	say(lab, "--bare", args->value[BARE] != NULL ? "true" : "false");
	say(lab, "--verbose", args->verbose > 0 ? "true" : "false");
	lab->words[lab->nwords++] = (char *)(uintptr_t) "--";
	for (unsigned int i = 0; i < args->noperands; i++)
		lab->words[lab->nwords++] = args->operands[i];
	return 0;
}

/* Never returns. The lab dies with this process: of the signal set here, which execve keeps. */
static void become_start(struct lab *lab, pid_t parent, const sigset_t *mask)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(LAB_EXIT(KD_EXIT_ENVIRONMENT));
	sigprocmask(SIG_SETMASK, mask, NULL);
	execv(lab->start, lab->words);
	kd_complain("lab: %s: %s", lab->start, strerror(errno));
	_exit(LAB_EXIT(KD_EXIT_ENVIRONMENT));
}

/*
 * Until no process of the lab is left. What the terminal sends goes to COMMAND too, whose business it is; a
 * signal sent to this process alone ends the lab. As its reaper this process sees the lab's init end, and
 * with it all of the lab.
 */
static int wait_for_all(pid_t child, const sigset_t *waited)
{
	int code = LAB_EXIT(KD_EXIT_ENVIRONMENT), status, killed = 0;
	siginfo_t info;
	pid_t pid;

	for (;;) {
		while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
			if (pid == child)
				code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
		if (pid < 0 && errno == ECHILD)
			return killed != 0 ? 128 + killed : code;
		if (sigwaitinfo(waited, &info) < 0 || info.si_signo == SIGCHLD)
			continue;
		if (info.si_code == SI_KERNEL && info.si_signo != SIGHUP)
			continue;
		killed = info.si_signo;
		kill(child, SIGKILL);
	}
}

static int run_lab(struct lab *lab)
{
	pid_t parent = getpid(), child;
	sigset_t waited, mask;

	sigemptyset(&waited);
	for (const int *s = (const int[]){SIGCHLD, SIGINT, SIGQUIT, SIGTERM, SIGHUP, 0}; *s != 0; s++)
		sigaddset(&waited, *s);
	sigprocmask(SIG_BLOCK, &waited, &mask);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	fflush(NULL);
	child = fork();
	if (child == 0)
		become_start(lab, parent, &mask);
	if (child < 0) {
		kd_complain("lab: no process: %s", strerror(errno));
		return LAB_EXIT(KD_EXIT_ENVIRONMENT);
	}
	return wait_for_all(child, &waited);
}

static int make_dir(struct lab *lab)
{
	const char *tmp = getenv("TMPDIR");

	snprintf(lab->dir, sizeof(lab->dir), "%s/kordon-lab-XXXXXX",
		tmp != NULL && *tmp != '\0' ? tmp : "/tmp");
	if (mkdtemp(lab->dir) != NULL)
		return 0;
	kd_complain("lab: %s: %s; set TMPDIR to a folder of yours", lab->dir, strerror(errno));
	return KD_EXIT_ENVIRONMENT;
}

static int run(const struct kd_args *args)
{
	struct lab lab = {.args = args, .profile = args->profile != NULL ? args->profile : "null"};
	int rc = read_options(&lab);

	if (rc == 0)
		rc = read_policy(&lab);
	if (rc != 0)
		return LAB_EXIT(rc);
	if (args->noperands > 0) {
		rc = find_command(args->operands[0]);
		if (rc != 0)
			return rc;
	}
	if (find_start(&lab) < 0) {
		kd_complain("lab: no lab/start in %s; set KORDON_TESTBED to the folder testbed",
			getenv("KORDON_TESTBED") != NULL ? getenv("KORDON_TESTBED") : "any testbed/");
		return LAB_EXIT(KD_EXIT_ENVIRONMENT);
	}
	rc = make_dir(&lab);
	if (rc != 0)
		return LAB_EXIT(rc);
	if (fill_words(&lab) < 0) {
		kd_complain("out of memory");
		rc = LAB_EXIT(KD_EXIT_ENVIRONMENT);
	} else {
		rc = run_lab(&lab);
	}
	rmdir(lab.dir);
	free(lab.words);
	return rc;
}

const struct kd_command kd_command_lab = {
	.name = "lab",
	.summary = "a small internet with the box in the middle; COMMAND or a shell as the client",
	.usage = "lab [-p PROFILE] [--outside SERVER --ready tcp:443] [-- COMMAND...]",
	.text = "Any name resolves and is served over HTTP/1.1, 2 and 3 with a certificate the client "
		"trusts; IPv4\n"
		"and IPv6; eight hops and 18 ms behind the box. Nothing leaves the machine, nothing stays on "
		"it, no\n"
		"privilege is needed. Without COMMAND: a shell. Without -p: null, a box that does "
		"nothing.\n\n"
		"--outside runs SERVER in a namespace of its own at $KORDON_SERVER ($KORDON_SERVER6), which "
		"the\n"
		"client finds in its environment and as server.test. docs/lab.md has the map and the "
		"tags.\n\n"
		"--expect is judged on a replay of what came into the box.\n\n"
		"exit: COMMAND's status, else 75 the expected rule's mechanism does not exist yet, 120 "
		"SERVER not\n"
		"ready, 121 expectation not met, 122 usage, 123 configuration, 124 time-out, 125 "
		"environment,\n"
		"126 COMMAND cannot be run, 127 no such COMMAND.",
	.options = options,
	.takes_profile = true,
	.keeps_time = true,
	.exit_base = LAB_EXIT(0),
	.run = run,
};
