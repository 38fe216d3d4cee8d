/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * kordon check: the loader that every verb uses, and nothing but its complaints: all of them, with their
 * places. The shipped rulebook is also compiled for every day on which it changes.
 */
#include "cmd/cmd.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "rulebook/book.h"

static const struct kd_cmd_option options[] = {{NULL, 0, NULL, NULL}};

struct tally {
	unsigned int books, rules, settings, claims, names, signatures, pending, assumed;
};

static unsigned int assumed(const struct kd_evidence *ev)
{
	unsigned int n = 0;

	for (unsigned int p = 0; p < KD_PART_COUNT; p++)
		n += ev->grade[p] == KD_GRADE_ASSUMED;
	return n;
}

/* Whether it stands in the policies folder, which every file of one's own is read over. */
static bool shared(const struct kd_book *book, const char *file)
{
	size_t len = strlen(book->dir);

	return strncmp(file, book->dir, len) == 0 &&
	       (strcmp(file + len, "/claims.cfg") == 0 || strncmp(file + len, "/signatures/", 12) == 0);
}

static void add(struct tally *t, const struct kd_book *book)
{
	bool first = t->books++ == 0;

	t->rules += book->nrules;
	t->settings += book->nsettings;
	for (unsigned int i = 0; i < book->nclaims; i++)
		t->claims += first || !shared(book, book->claims[i].at.file);
	for (unsigned int i = 0; i < book->nsignatures; i++)
		t->signatures += first || !shared(book, book->signatures[i].at.file);
	for (unsigned int i = 0; i < book->nrules; i++) {
		t->names += book->rules[i].names.count;
		t->pending += book->rules[i].pending != NULL;
		t->assumed += assumed(&book->rules[i].evidence);
	}
	for (unsigned int i = 0; i < book->nsettings; i++)
		t->assumed += assumed(&book->settings[i].evidence);
}

/* -EINVAL is among the diagnostics already. */
static int compile(const struct kd_book *book, const struct kd_query *query)
{
	struct kd_policy *policy = NULL;
	int rc = kd_book_compile(&policy, book, query, book->own != NULL ? book->own : "rulebook", NULL);

	kd_policy_free(policy);
	return rc == -ENOMEM ? rc : 0;
}

/* Every network on the first day and on every day that a rule starts: no other day has more in force. */
static int compile_days(const struct kd_book *book)
{
	unsigned int errors = book->diags->errors;
	int rc = 0;

	for (unsigned int i = 0; i <= book->nrules; i++) {
		struct kd_query q = {.day = i > 0 ? book->rules[i - 1].scope.since : KD_FIRST_DAY};
		bool seen = i > 0 && q.day <= KD_FIRST_DAY;

		for (unsigned int k = 1; k < i && !seen; k++)
			seen = book->rules[k - 1].scope.since == q.day;
		for (; !seen && q.network < KD_NETWORK_COUNT; q.network++) {
			rc = compile(book, &q);
			/* The same error would come with every day. */
			if (rc < 0 || book->diags->errors > errors)
				return rc;
		}
	}
	return 0;
}

static int check(const struct kd_args *args, const char *file, struct kd_diags *diags, struct tally *tally)
{
	struct kd_book *book;
	int rc = kd_book_load(&book, args->policies, file, diags);

	if (rc < 0)
		return rc;
	add(tally, book);
	rc = file != NULL ? compile(book, NULL) : compile_days(book);
	kd_book_free(book);
	return rc;
}

/* A file that is not there is a matter of input, not of configuration. */
static int readable(const char *path)
{
	FILE *file = fopen(path, "re");
	int err = 0;

	if (file == NULL)
		err = errno;
	else if (fgetc(file) == EOF && ferror(file))
		err = errno;
	if (file != NULL)
		fclose(file);
	if (err == 0)
		return KD_EXIT_OK;
	kd_complain("%s: cannot be read: %s; give files of rules, or nothing to check the shipped rulebook",
		path, strerror(err));
	return KD_EXIT_INPUT;
}

static int run(const struct kd_args *args)
{
	struct kd_diags diags = {0};
	struct tally t = {0};
	int rc = 0, unread = KD_EXIT_OK, code;

	if (args->noperands == 0)
		rc = check(args, NULL, &diags, &t);
	for (unsigned int i = 0; i < args->noperands && rc == 0; i++) {
		code = readable(args->operands[i]);
		if (code == KD_EXIT_OK)
			rc = check(args, args->operands[i], &diags, &t);
		else
			unread = code;
	}
	if (rc < 0) {
		kd_complain("out of memory while checking");
		kd_diags_free(&diags);
		return KD_EXIT_ENVIRONMENT;
	}
	if (diags.errors > 0 || !args->quiet)
		kd_diags_print(&diags, stderr);
	if (t.books > 0)
		printf("checked %u rules, %u settings, %u claims, %u names, %u signatures; %u pending, "
		       "%u assumed parts\n",
			t.rules, t.settings, t.claims, t.names, t.signatures, t.pending, t.assumed);
	/* Of two things wrong, the file nobody looked into is the worse: the rest may not be all. */
	code = unread != KD_EXIT_OK ? unread : diags.errors > 0 ? KD_EXIT_CONFIG : KD_EXIT_OK;
	kd_diags_free(&diags);
	return code;
}

const struct kd_command kd_command_check = {
	.name = "check",
	.summary = "reads the rulebook, lists and signatures; says everything that is wrong with them",
	.usage = "check [FILE...]",
	.text = "Without FILE, the shipped rulebook. A FILE is a rulebook of one's own: dates and evidence "
		"may be left out\n"
		"there, and it may use the claims, lists and signatures of the policies folder.",
	.options = options,
	.takes_profile = false,
	.run = run,
};
