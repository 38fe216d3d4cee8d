/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The scenario runner: for each file one line, "ok NAME" or "not ok NAME: FILE:LINE: expected ..., got ...".
 * It runs a scenario as written, again in other bursts (all must be the same to the byte), and again on
 * `null` (nothing may happen, and the scenario's own expectations must fail there, else it could never fail
 * at all).
 */
#include "run.h"

#include <dirent.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "rulebook/diag.h"

#define POLICIES_MAX 128

struct runner {
	bool verbose;
	const char *profile; /* override */
	const char *dir;
	struct cases *cases;
	struct {
		char *key;
		struct kd_boxes boxes;
	} loaded[POLICIES_MAX];
	unsigned int nloaded, failed, ran;
};

/* The first failure of a scenario stands on its line; the others follow under -v. */
struct verdicts {
	struct runner *u;
	const struct scn *s;
	unsigned int count;
	char first[1400];
};

static void failure(struct verdicts *v, int line, const char *what, const char *why)
{
	char text[1200];

	snprintf(text, sizeof(text), "%s:%d: %s%s%s", v->s->file, line, what, what[0] != '\0' ? ": " : "",
		why);
	if (v->count++ == 0)
		strcpy(v->first, text);
	if (v->u->verbose)
		printf("# %s\n", text);
}

static const struct kd_boxes *load_boxes(
	struct runner *u, const struct scn *s, const char *profile, const char *const *set)
{
	struct kd_policy_request request = {.profile = profile,
		.dir = s->policies[0] != '\0' ? s->policies : u->dir,
		.set = set,
		.seed = 1,
		.time_scale = s->time_scale};
	struct kd_diags diags = {0};
	struct kd_boxes boxes;
	char key[1024];
	size_t len = (size_t)snprintf(key, sizeof(key), "%s %u %s", s->policies, s->time_scale, profile);
	int err;

	for (unsigned int i = 0; set != NULL && set[i] != NULL && len < sizeof(key); i++)
		len += (size_t)snprintf(key + len, sizeof(key) - len, " %s", set[i]);
	for (unsigned int i = 0; i < u->nloaded; i++)
		if (strcmp(u->loaded[i].key, key) == 0)
			return &u->loaded[i].boxes;
	err = kd_boxes_load(&boxes, &request, &diags);
	if (err < 0 || diags.errors != 0)
		kd_diags_print(&diags, stderr);
	kd_diags_free(&diags);
	if (err < 0 || u->nloaded == POLICIES_MAX)
		return NULL;
	u->loaded[u->nloaded].key = strdup(key);
	u->loaded[u->nloaded].boxes = boxes;
	return &u->loaded[u->nloaded++].boxes;
}

static void print_trace(const struct run *r)
{
	char text[1400];

	for (unsigned int i = 0; i < r->scn->npackets; i++) {
		describe_packet(text, sizeof(text), r->scn, i);
		printf("# %s\n", text);
		for (unsigned int j = 0; j < r->nactions; j++) {
			if (r->actions[j].packet != i)
				continue;
			describe_action(text, sizeof(text), r, &r->actions[j]);
			printf("#                     -> %s\n", text);
		}
	}
	for (unsigned int i = 0; i < r->nevents; i++) {
		describe_event(text, sizeof(text), r, &r->events[i]);
		printf("# %s\n", text);
	}
}

/* How many expectations of a `with` (0: of the scenario as it is set) do not hold; each is told when v is
 * given. */
static unsigned int count_failures(const struct run *r, unsigned int with, struct verdicts *v)
{
	unsigned int failures = 0;
	char why[1000];
	int line = 1;

	for (unsigned int i = 0; i < r->scn->nexpects; i++) {
		const struct scn_expect *x = &r->scn->expects[i];

		if (x->with != with || check_expect(r, x, why, sizeof(why)))
			continue;
		failures++;
		if (v != NULL)
			failure(v, x->line, "", why);
	}
	if (with != 0)
		return failures;
	check_injections(r, why, sizeof(why), &line);
	if (why[0] != '\0' && v != NULL)
		failure(v, line, "", why);
	return failures + (why[0] != '\0');
}

/* The same packets in other bursts, with other room, with looks at the clock: nothing may change. */
static void run_again(struct verdicts *v, const struct run *first, const struct kd_boxes *boxes)
{
	static const struct run_plan plans[] = {
		{"in bursts of 32", 32, false, 128},
		{"in bursts of 256", 256, false, 128},
		{"one by one, with advances", 1, true, 64},
		{"in bursts of 3, with advances, no room", 3, true, 0},
	};
	char why[900];

	for (unsigned int i = 0; i < sizeof(plans) / sizeof(plans[0]); i++) {
		struct run again;

		if (!run_scenario(&again, v->s, boxes, &plans[i])) {
			failure(v, 1, plans[i].name, "no engine");
			return;
		}
		if (again.broken[0] != '\0')
			failure(v, 1, plans[i].name, again.broken);
		describe_difference(why, sizeof(why), first, &again);
		if (why[0] != '\0')
			failure(v, 1, plans[i].name, why);
		run_free(&again);
	}
}

/* On null every packet passes as it came and every flow passed; and what the author expects must not hold
 * there. */
static void run_null(struct verdicts *v, const struct run_plan *plan)
{
	const struct kd_boxes *boxes = load_boxes(v->u, v->s, "null", NULL);
	struct run r;

	if (boxes == NULL || !run_scenario(&r, v->s, boxes, plan)) {
		failure(v, v->s->profile_line, "null", "the profile cannot be loaded");
		return;
	}
	if (r.broken[0] != '\0')
		failure(v, 1, "null", r.broken);
	for (unsigned int i = 0; i < r.nactions; i++)
		if (r.actions[i].a.fate != KD_EMIT)
			failure(v, v->s->steps[v->s->packets[r.actions[i].packet].step].line, "null",
				"expected every packet emitted, got another fate");
	for (unsigned int i = 0; i < r.nevents; i++) {
		const struct kd_event *e = &r.events[i];

		if (e->type == KD_EVENT_VERDICT ||
			(e->type == KD_EVENT_FLOW && e->outcome != KD_OUTCOME_PASSED))
			failure(v, 1, "null",
				"expected no verdict and every flow passed, got another record");
	}
	if (v->s->control && count_failures(&r, 0, NULL) != 0)
		failure(v, 1, "null", "a control expects what does not hold on null");
	if (!v->s->control && count_failures(&r, 0, NULL) == 0)
		failure(v, 1, "",
			"a test that cannot fail: every expectation holds on null too (say `control` if that "
			"is meant)");
	run_free(&r);
}

/* The same packets, one thing set otherwise; and what is expected then must not hold without it. */
static void run_with(
	struct verdicts *v, const struct run *first, unsigned int with, const struct run_plan *plan)
{
	const struct scn *s = v->s;
	const char *set[SCN_SETS + 2] = {NULL}, *what = s->with[with - 1].set;
	const struct kd_boxes *boxes;
	unsigned int n = 0;
	struct run r;

	while (s->set[n] != NULL) {
		set[n] = s->set[n];
		n++;
	}
	set[n] = what;
	boxes = load_boxes(v->u, s, s->profile, set);
	if (boxes == NULL || !run_scenario(&r, s, boxes, plan)) {
		failure(v, s->with[with - 1].line, what, "the profile cannot be loaded");
		return;
	}
	if (v->u->verbose) {
		printf("# with %s\n", what);
		print_trace(&r);
	}
	if (r.broken[0] != '\0')
		failure(v, s->with[with - 1].line, what, r.broken);
	count_failures(&r, with, v);
	if (count_failures(first, with, NULL) == 0)
		failure(v, s->with[with - 1].line, what,
			"a test that cannot fail: what is expected with it holds without it too");
	run_free(&r);
}

static void run_one(struct runner *u, struct verdicts *v)
{
	static const struct run_plan as_written = {"as written", 0, false, 128};
	const struct scn *s = v->s;
	const struct kd_boxes *boxes;
	struct run r;
	char why[600];

	cases_check(u->cases, s, why, sizeof(why));
	if (why[0] != '\0' && u->profile == NULL)
		failure(v, s->case_line, "", why);
	boxes = load_boxes(u, s, u->profile != NULL ? u->profile : s->profile, s->set);
	if (boxes == NULL || !run_scenario(&r, s, boxes, &as_written)) {
		failure(v, s->profile_line, "", "the profile cannot be loaded");
		return;
	}
	if (u->verbose)
		print_trace(&r);
	if (r.broken[0] != '\0')
		failure(v, 1, "", r.broken);
	count_failures(&r, 0, v);
	run_again(v, &r, boxes);
	for (unsigned int with = 1; u->profile == NULL && with <= s->nwith; with++)
		run_with(v, &r, with, &as_written);
	if (u->profile == NULL)
		run_null(v, &as_written);
	run_free(&r);
}

static char *read_file(const char *path)
{
	FILE *f = fopen(path, "r");
	char *text;
	size_t len = 0;

	if (f == NULL)
		return NULL;
	text = calloc(1, 1 << 20);
	if (text != NULL)
		len = fread(text, 1, (1 << 20) - 1, f);
	fclose(f);
	if (len == 0) {
		free(text);
		return NULL;
	}
	return text;
}

static void run_file(struct runner *u, const char *path, bool list)
{
	const char *slash = strrchr(path, '/');
	struct scn s;
	struct scn_error e = {0};
	struct verdicts v = {.u = u, .s = &s};
	char *text = read_file(path);
	char name[SCN_NAME];

	snprintf(name, sizeof(name), "%s", slash != NULL ? slash + 1 : path);
	if (strrchr(name, '.') != NULL)
		*strrchr(name, '.') = '\0';
	if (list) {
		printf("%s\n", name);
		free(text);
		return;
	}
	u->ran++;
	memset(&s, 0, sizeof(s));
	s.file = path;
	if (text == NULL)
		failure(&v, 0, "", "cannot be read");
	else if (!scn_parse(&s, path, text, &e))
		failure(&v, e.line, "", e.text);
	else
		run_one(u, &v);
	cases_note(u->cases, &s, v.count == 0);
	u->failed += v.count != 0;
	if (v.count == 0)
		printf("ok %s\n", name);
	else
		printf("not ok %s: %s%s\n", name, v.first,
			v.count > 1 && !u->verbose ? " (and more, see -v)" : "");
	fflush(stdout);
	scn_free(&s);
	free(text);
}

static int is_scenario(const struct dirent *d)
{
	size_t len = strlen(d->d_name);

	return len > 4 && strcmp(d->d_name + len - 4, ".scn") == 0;
}

/* A file, or every *.scn of a folder in order of name. */
static void run_path(struct runner *u, const char *path, bool list)
{
	struct dirent **names;
	char full[4096];
	int n = scandir(path, &names, is_scenario, alphasort);

	if (n < 0) {
		run_file(u, path, list);
		return;
	}
	for (int i = 0; i < n; i++) {
		snprintf(full, sizeof(full), "%s/%s", path, names[i]->d_name);
		run_file(u, full, list);
		free(names[i]);
	}
	free(names);
}

static int usage(FILE *to, int code)
{
	fputs("scenario-runner [OPTION...] FILE|FOLDER...\n"
	      "  -v, --verbose        what every packet became, and all failures\n"
	      "      --list           names only\n"
	      "      --cases          a table of the numbered cases at the end\n"
	      "      --cases-file F   their transcription (default: cases.tsv beside the first file)\n"
	      "      --profile P      run under another profile; no comparison with null, no case check\n"
	      "      --policies DIR   rulebook folder (default: $KORDON_POLICIES, else policies)\n",
		to);
	return code;
}

static struct cases *load_cases(const char *given, const char *first)
{
	struct cases *c = NULL;
	char path[4096];
	const char *slash = strrchr(first, '/');

	if (given != NULL)
		return cases_load(given);
	snprintf(path, sizeof(path), "%s/cases.tsv", first);
	c = cases_load(path);
	if (c != NULL)
		return c;
	snprintf(path, sizeof(path), "%.*scases.tsv", slash != NULL ? (int)(slash - first) + 1 : 0, first);
	return cases_load(path);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"verbose", no_argument, NULL, 'v'},
		{"list", no_argument, NULL, 'l'}, {"cases", no_argument, NULL, 'c'},
		{"cases-file", required_argument, NULL, 'f'}, {"profile", required_argument, NULL, 'p'},
		{"policies", required_argument, NULL, 'd'}, {"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0}};
	struct runner u = {.dir = getenv("KORDON_POLICIES")};
	const char *cases_file = NULL;
	bool list = false, table = false;
	int opt;

	while ((opt = getopt_long(argc, argv, "vp:h", options, NULL)) != -1) {
		switch (opt) {
		case 'v':
			u.verbose = true;
			break;
		case 'l':
			list = true;
			break;
		case 'c':
			table = true;
			break;
		case 'f':
			cases_file = optarg;
			break;
		case 'p':
			u.profile = optarg;
			break;
		case 'd':
			u.dir = optarg;
			break;
		default:
			return usage(opt == 'h' ? stdout : stderr, opt == 'h' ? 0 : 2);
		}
	}
	if (optind == argc)
		return usage(stderr, 2);
	if (u.dir == NULL)
		u.dir = "policies";
	u.cases = load_cases(cases_file, argv[optind]);
	for (int i = optind; i < argc; i++)
		run_path(&u, argv[i], list);
	if (!list)
		printf("1..%u\n", u.ran);
	if (table)
		cases_print(u.cases);
	for (unsigned int i = 0; i < u.nloaded; i++) {
		kd_boxes_free(&u.loaded[i].boxes);
		free(u.loaded[i].key);
	}
	cases_free(u.cases);
	return u.failed != 0 || (!list && u.ran == 0) ? 1 : 0;
}
