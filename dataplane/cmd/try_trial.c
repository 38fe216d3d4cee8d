/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One trial: the client in a lab of its own, through `kordon lab` as anybody would run it. Decides what
 * belongs to the client and what to the lab when the two share an exit status. A signal ends the lab, and the
 * trial with it.
 */
#include "cmd/try.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define LAB_EXIT_FIRST 120
#define LAB_EXIT_TIMEOUT 124
#define LAB_EXIT_LAST 127

#define FIXED_WORDS 32

static char *file_in(char buf[PATH_MAX], const char *folder, const char *name)
{
	int n = snprintf(buf, PATH_MAX, "%s/%s", folder, name);

	return n > 0 && n < PATH_MAX ? buf : NULL;
}

static void say(const char **words, size_t *n, const char *word, const char *value)
{
	words[(*n)++] = word;
	words[(*n)++] = value;
}

/* The words of `kordon lab`, from the arena; NULL = no memory. */
static const char **lab_words(
	const struct kd_try *t, const struct kd_try_box *box, const char *folder, uint64_t seed)
{
	const struct kd_args *args = t->args;
	const char **words = kd_arena_alloc(
		t->arena, (FIXED_WORDS + 2 * KD_CMD_REPEAT_MAX + args->noperands) * sizeof(*words));
	const char *number = kd_arena_printf(t->arena, "%" PRIu64, seed);
	const char *scale = kd_arena_printf(t->arena, "%u", args->time_scale);
	const char *events = kd_arena_printf(t->arena, "%s/events.jsonl", folder);
	const char *capture = kd_arena_printf(t->arena, "%s/ingress.pcapng", folder);
	size_t n = 0;

	if (words == NULL || number == NULL || scale == NULL || events == NULL || capture == NULL)
		return NULL;
	words[n++] = t->exe;
	words[n++] = "lab";
	words[n++] = "-q";
	say(words, &n, "-p", box->profile);
	say(words, &n, "--policies", args->policies);
	say(words, &n, "--seed", number);
	say(words, &n, "--time-scale", scale);
	say(words, &n, "--events", events);
	say(words, &n, "--capture", capture);
	say(words, &n, "--timeout", t->timeout);
	if (t->server != NULL)
		say(words, &n, "--outside", t->server);
	if (t->server_at != NULL)
		say(words, &n, "--outside-at", t->server_at);
	if (t->ready != NULL)
		say(words, &n, "--ready", t->ready);
	for (unsigned int i = 0; args->set[i] != NULL; i++)
		say(words, &n, "--set", args->set[i]);
	words[n++] = "--";
	for (unsigned int i = 0; i < args->noperands; i++)
		words[n++] = args->operands[i];
	return words;
}

/* Never returns: this process becomes the lab, whose command hears nothing and speaks into a file. */
static void become_lab(
	const struct kd_try *t, const char **words, const char *log, pid_t parent, const sigset_t *mask)
{
	int in = open("/dev/null", O_RDONLY | O_CLOEXEC),
	    out = open(log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent || in < 0 || out < 0)
		_exit(LAB_EXIT_FIRST + KD_EXIT_ENVIRONMENT);
	dup2(in, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	dup2(out, STDERR_FILENO);
	sigprocmask(SIG_SETMASK, mask, NULL);
	execv(t->exe, (char **)(uintptr_t)words);
	_exit(LAB_EXIT_FIRST + KD_EXIT_ENVIRONMENT);
}

static int wait_for(struct kd_try *t, pid_t child, const sigset_t *waited)
{
	siginfo_t info;
	int status;
	pid_t pid;

	for (;;) {
		pid = waitpid(child, &status, WNOHANG);
		if (pid == child)
			return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
		if (pid < 0)
			return LAB_EXIT_FIRST + KD_EXIT_ENVIRONMENT;
		if (sigwaitinfo(waited, &info) < 0 || info.si_signo == SIGCHLD)
			continue;
		kill(child, t->stopped == 0 ? SIGTERM : SIGKILL);
		t->stopped = info.si_signo;
	}
}

static int run_lab(struct kd_try *t, const char **words, const char *log)
{
	int code = LAB_EXIT_FIRST + KD_EXIT_ENVIRONMENT;
	pid_t parent = getpid(), child;
	sigset_t waited, mask;

	sigemptyset(&waited);
	for (const int *s = (const int[]){SIGCHLD, SIGINT, SIGTERM, SIGHUP, SIGQUIT, 0}; *s != 0; s++)
		sigaddset(&waited, *s);
	sigprocmask(SIG_BLOCK, &waited, &mask);
	fflush(NULL);
	child = fork();
	if (child == 0)
		become_lab(t, words, log, parent, &mask);
	if (child > 0)
		code = wait_for(t, child, &waited);
	sigprocmask(SIG_SETMASK, &mask, NULL);
	return code;
}

/* The last bytes of a file as a string; "" when there is none. */
static void read_tail(const char *path, char *buf, size_t room)
{
	FILE *f = fopen(path, "r");
	size_t n = 0;

	if (f != NULL) {
		if (fseek(f, -(long)(room - 1), SEEK_END) != 0)
			rewind(f);
		n = fread(buf, 1, room - 1, f);
		fclose(f);
	}
	buf[n] = '\0';
	for (size_t i = 0; i < n; i++)
		if (buf[i] == '\0')
			buf[i] = '?';
}

/* What the lab itself said, in whose words a status of its own is believed. */
static const char *lab_said(const char *log)
{
	static const char *const marks[] = {"kordon: lab: ", "kordon lab: "};

	for (size_t i = 0; i < sizeof(marks) / sizeof(*marks); i++)
		for (const char *at = log; (at = strstr(at, marks[i])) != NULL; at++)
			if (at == log || at[-1] == '\n')
				return at + strlen(marks[i]);
	return NULL;
}

/* "what failed: the last line of its log", which the lab shows indented behind it. */
static void tell_lab(const char *said, char why[KD_TRY_WHY])
{
	size_t end = strlen(said), start;
	int n = (int)strcspn(said, "\n");

	while (end > 0 && said[end - 1] == '\n')
		end--;
	for (start = end; start > 0 && said[start - 1] != '\n';)
		start--;
	if (strncmp(said + start, "    ", 4) == 0)
		snprintf(why, KD_TRY_WHY, "%.*s: %.*s", n, said, (int)(end - start) - 4, said + start + 4);
	else
		snprintf(why, KD_TRY_WHY, "%.*s", n, said);
}

static bool blame_lab(const char *log, struct kd_try_trial *x)
{
	const char *said =
		x->status >= LAB_EXIT_FIRST && x->status <= LAB_EXIT_LAST && x->status != LAB_EXIT_TIMEOUT
			? lab_said(log)
			: NULL;

	if (said == NULL)
		return false;
	x->lab_failed = true;
	x->result = KD_TRY_INCONCLUSIVE;
	tell_lab(said, x->why);
	return true;
}

static int make_folder(const struct kd_try *t, const struct kd_try_box *box, char folder[PATH_MAX])
{
	const char *top = t->keep != NULL ? t->keep : t->scratch;
	int n = snprintf(folder, PATH_MAX, "%s/%s", top, box->folder);

	if (n < 0 || n > PATH_MAX - 32)
		return -ENAMETOOLONG;
	if (mkdir(folder, 0777) < 0 && errno != EEXIST)
		return -errno;
	snprintf(folder + n, PATH_MAX - (size_t)n, "/%u", box->ntrials + 1);
	return mkdir(folder, 0777) < 0 && errno != EEXIST ? -errno : 0;
}

static void remove_folder(const char *folder)
{
	char path[PATH_MAX];

	for (const char *const *name = (const char *const[]){"events.jsonl", "ingress.pcapng", "client.log",
		     "replayed.jsonl", NULL};
		*name != NULL; name++)
		if (file_in(path, folder, *name) != NULL)
			unlink(path);
	rmdir(folder);
	snprintf(path, sizeof(path), "%s", folder);
	*strrchr(path, '/') = '\0';
	rmdir(path);
}

static void show_log(const struct kd_try_box *box, const char *log)
{
	fprintf(stderr, "kordon: %s: the client said:\n", box->policy->profile);
	for (const char *line = log; *line != '\0';) {
		size_t n = strcspn(line, "\n");

		fprintf(stderr, "    %.*s\n", (int)n, line);
		line += n + (line[n] == '\n');
	}
}

uint64_t kd_try_seed(const struct kd_try *t, const struct kd_try_box *box, unsigned int trial)
{
	const char *at = strchr(box->policy->profile, '@');
	bool drawn = at != NULL && strchr(at, '~') != NULL;

	return drawn ? t->args->seed : t->args->seed + trial;
}

void kd_try_run(struct kd_try *t, const struct kd_try_box *box, struct kd_try_trial *ret)
{
	char folder[PATH_MAX], path[PATH_MAX], log[8192];
	struct kd_try_trial x = {.result = KD_TRY_INCONCLUSIVE, .seed = kd_try_seed(t, box, box->ntrials)};
	const char **words;
	int err = make_folder(t, box, folder);

	if (err < 0) {
		snprintf(x.why, sizeof(x.why), "%.500s: %s", t->keep != NULL ? t->keep : t->scratch,
			strerror(-err));
		x.lab_failed = true;
		*ret = x;
		return;
	}
	words = lab_words(t, box, folder, x.seed);
	if (words == NULL || file_in(path, folder, "client.log") == NULL) {
		snprintf(x.why, sizeof(x.why), "out of memory");
		x.lab_failed = true;
		goto out;
	}
	x.status = run_lab(t, words, path);
	x.timed_out = x.status == LAB_EXIT_TIMEOUT;
	read_tail(path, log, sizeof(log));
	if (t->args->verbose > 0)
		show_log(box, log);
	if (t->stopped == 0 && !blame_lab(log, &x) &&
		kd_try_look(t, box, folder, x.seed, &x.seen, x.why) == 0)
		kd_try_judge(t, box, log, &x);
out:
	if (t->keep == NULL)
		remove_folder(folder);
	*ret = x;
}
