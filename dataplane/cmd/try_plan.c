/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What `kordon try` is asked to do: its options checked, the boxes loaded with null before them, and each
 * box's expectation. Starts nothing: whatever is wrong with the words or the rules is said before the first
 * lab.
 */
#include "cmd/try.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rulebook/book.h"
#include "rulebook/diag.h"

#define PROFILES_MAX 64
#define SAMPLE_MAX 1000
#define BOXES_MAX 2000
#define TRIALS_MAX 1000
#define TIMEOUT_DEFAULT "20"

int kd_try_no_memory(void)
{
	kd_complain("out of memory");
	return KD_EXIT_ENVIRONMENT;
}

static int number(const struct kd_args *args, enum kd_try_row row, unsigned long max, unsigned int *ret)
{
	const char *text = args->value[row];
	unsigned long v;
	char *end;

	if (text == NULL)
		return 0;
	errno = 0;
	v = strtoul(text, &end, 10);
	if (errno != 0 || *text < '0' || *text > '9' || *end != '\0' || v < 1 || v > max)
		return kd_usage_error(args, "--%s \"%s\": expected a number from 1 to %lu",
			args->command->options[row].name, text, max);
	*ret = (unsigned int)v;
	return 0;
}

static int read_options(struct kd_try *t)
{
	const struct kd_args *args = t->args;
	unsigned int seconds;
	ssize_t n = readlink("/proc/self/exe", t->exe, sizeof(t->exe) - 1);

	if (args->noperands == 0)
		return kd_usage_error(args, "no client: its command stands behind --");
	if (strcmp(args->operands[-1], "--") != 0)
		return kd_usage_error(args, "CLIENT \"%s\" stands behind --", args->operands[0]);
	for (unsigned int row = KD_TRY_SERVER_AT; row <= KD_TRY_READY; row++)
		if (args->value[row] != NULL && args->value[KD_TRY_SERVER] == NULL)
			return kd_usage_error(args, "--%s needs --server", args->command->options[row].name);
	if (args->value[KD_TRY_JUNIT] != NULL && args->value[KD_TRY_EXPECT] == NULL)
		return kd_usage_error(args, "--junit needs --expect");
	if (n <= 0) {
		kd_complain("/proc/self/exe: %s", strerror(errno));
		return KD_EXIT_ENVIRONMENT;
	}
	t->exe[n] = '\0';
	t->trials = 1;
	t->timeout = args->value[KD_TRY_TIMEOUT] != NULL ? args->value[KD_TRY_TIMEOUT] : TIMEOUT_DEFAULT;
	t->server = args->value[KD_TRY_SERVER];
	t->server_at = args->value[KD_TRY_SERVER_AT];
	t->ready = args->value[KD_TRY_READY];
	t->keep = args->value[KD_TRY_KEEP];
	return number(args, KD_TRY_SAMPLE, SAMPLE_MAX, &t->sample) != 0 ||
			       number(args, KD_TRY_TRIALS, TRIALS_MAX, &t->trials) != 0 ||
			       number(args, KD_TRY_TIMEOUT, 86400, &seconds) != 0
		       ? KD_EXIT_USAGE
		       : 0;
}

/* The newest day that any claim of the rulebook speaks of, as a profile. */
static int newest(struct kd_try *t, const char **ret)
{
	struct kd_diags diags = {0};
	struct kd_book *book = NULL;
	char day[KD_DAY_TEXT];
	int rc = 0;

	if (kd_book_load(&book, t->args->policies, NULL, &diags) < 0)
		return kd_try_no_memory();
	if (diags.errors > 0) {
		kd_diags_print(&diags, stderr);
		rc = KD_EXIT_CONFIG;
		goto out;
	}
	kd_day_text(day, kd_book_newest(book));
	*ret = kd_arena_printf(t->arena, "tspu@%s", day);
	if (*ret == NULL)
		rc = kd_try_no_memory();
	else if (!t->args->quiet)
		fprintf(stderr, "kordon: no -p: null and %s, the newest day the rulebook speaks of\n", *ret);
out:
	kd_book_free(book);
	kd_diags_free(&diags);
	return rc;
}

/* Room for one more; kept as the arrays of an arena are. */
static struct kd_try_box *new_box(struct kd_try *t)
{
	t->boxes = kd_arena_grow(t->arena, t->boxes, t->nboxes, sizeof(*t->boxes));
	return t->boxes != NULL ? &t->boxes[t->nboxes] : NULL;
}

/* One box; number: K of `asked`~K, 0 = as asked. */
static int add_box(struct kd_try *t, const char *asked, unsigned int number)
{
	struct kd_try_box *box = t->nboxes < BOXES_MAX ? new_box(t) : NULL;
	struct kd_args args = *t->args;
	char *folder;
	int rc;

	if (t->nboxes == BOXES_MAX)
		return kd_usage_error(t->args, "more than %d boxes", BOXES_MAX);
	args.profile = number > 0 ? kd_arena_printf(t->arena, "%s~%u", asked, number) : asked;
	if (box == NULL || args.profile == NULL)
		return kd_try_no_memory();
	*box = (struct kd_try_box){.profile = args.profile,
		.asked = asked,
		.number = number,
		.result = KD_TRY_SKIPPED,
		.expected = KD_TRY_RESULT_COUNT};
	args.quiet |= number > 1; /* the first said it for all */
	rc = kd_cmd_policy(&box->policy, &args);
	if (rc != 0)
		return rc;
	for (unsigned int i = 0; i < t->nboxes; i++)
		if (strcmp(t->boxes[i].policy->profile, box->policy->profile) == 0) {
			kd_policy_free(box->policy);
			box->policy = NULL;
			return i == 0 ? 0 : kd_usage_error(t->args, "profile \"%s\" twice", args.profile);
		}
	t->nboxes++;
	box->trials = kd_arena_alloc(t->arena, t->trials * sizeof(*box->trials));
	box->folder = folder = kd_arena_strdup(t->arena, box->policy->profile);
	if (box->trials == NULL || folder == NULL)
		return kd_try_no_memory();
	for (; *folder != '\0'; folder++)
		if (*folder == '/')
			*folder = '_';
	return 0;
}

/* A profile as asked for: itself, or its sampled boxes. */
static int add_profile(struct kd_try *t, const char *asked)
{
	bool drawn = t->sample > 0 && strchr(asked, '@') != NULL;
	int rc = 0;

	if (drawn && strchr(asked, '~') != NULL)
		return kd_usage_error(t->args, "--sample: \"%s\" is one sampled box already", asked);
	for (unsigned int k = 1; drawn && k <= t->sample && rc == 0; k++)
		rc = add_box(t, asked, k);
	return drawn ? rc : add_box(t, asked, 0);
}

static int read_boxes(struct kd_try *t)
{
	const char *asked = t->args->profile;
	char *list, *save = NULL;
	unsigned int n = 0;
	int rc;

	rc = add_box(t, "null", 0);
	if (rc == 0 && asked == NULL)
		rc = newest(t, &asked);
	if (rc != 0)
		return rc;
	if (t->sample > 0 && strchr(asked, '@') == NULL)
		return kd_usage_error(t->args, "--sample needs a profile of the rulebook: tspu@DATE");
	list = kd_arena_strdup(t->arena, asked);
	if (list == NULL)
		return kd_try_no_memory();
	for (char *word = strtok_r(list, ",", &save); word != NULL && rc == 0;
		word = strtok_r(NULL, ",", &save)) {
		if (n++ == PROFILES_MAX)
			return kd_usage_error(t->args, "more than %d profiles", PROFILES_MAX);
		rc = add_profile(t, word);
	}
	return rc;
}

static bool is(const char *name, const char *text, size_t len)
{
	return strlen(name) == len && memcmp(name, text, len) == 0;
}

/* By its name or as it was asked for; all that --sample made of a profile also by the profile's. */
static bool named_by(const struct kd_try_box *box, const char *text, size_t len)
{
	const char *name = box->policy->profile;

	return is(box->profile, text, len) || is(name, text, len) ||
	       (box->number > 0 && (is(box->asked, text, len) ||
					   (strcspn(name, "~") == len && memcmp(name, text, len) == 0)));
}

static int expect(struct kd_try *t, const char *text)
{
	const char *equals = strrchr(text, '='), *word = equals != NULL ? equals + 1 : text;
	size_t len = equals != NULL ? (size_t)(equals - text) : 0;
	bool found = false;
	int result = 0;

	while (result <= KD_TRY_BROKEN && strcmp(kd_try_word(result), word) != 0)
		result++;
	if (result > KD_TRY_BROKEN)
		return kd_usage_error(
			t->args, "--expect \"%s\": expected one of ok, degraded, blocked, broken", text);
	for (unsigned int i = 0; i < t->nboxes; i++) {
		struct kd_try_box *box = &t->boxes[i];
		bool named = equals != NULL && named_by(box, text, len);

		/* What is said of one box holds over what is said of all. */
		if (named || (equals == NULL && i > 0 && box->expected == KD_TRY_RESULT_COUNT))
			box->expected = (enum kd_try_result)result;
		found |= named || equals == NULL;
	}
	if (!found)
		return kd_usage_error(t->args, "--expect \"%s\": no such profile among those tried", text);
	return 0;
}

static int read_expectations(struct kd_try *t)
{
	const struct kd_args *args = t->args;
	int rc = 0;

	for (int named = 1; named >= 0; named--)
		for (unsigned int i = 0; i < args->nrepeat && rc == 0; i++)
			if (args->repeat[i].row == KD_TRY_EXPECT &&
				(strchr(args->repeat[i].value, '=') != NULL) == named)
				rc = expect(t, args->repeat[i].value);
	return rc;
}

int kd_try_plan(struct kd_try *t)
{
	int rc = read_options(t);

	if (rc == 0)
		rc = read_boxes(t);
	return rc == 0 ? read_expectations(t) : rc;
}
