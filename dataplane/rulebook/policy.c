/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The policy's front door: what a profile name means, and the words for grades, parts and phases.
 */
#include "rulebook/policy.h"

#include "rulebook/book.h"
#include "rulebook/place.h"
#include "rulebook/scale.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *kd_grade_name(unsigned int grade)
{
	static const char *const names[] = {"measured", "documented", "reported", "assumed"};

	return grade < KD_GRADE_COUNT ? names[grade] : "none";
}

const char *kd_part_name(unsigned int part)
{
	static const char *const names[] = {"date", "target", "match", "then", "numbers"};

	return part < KD_PART_COUNT ? names[part] : "?";
}

const char *kd_phase_name(unsigned int phase)
{
	static const char *const names[] = {
		"addresses", "observe", "names-allowed", "names-blocked", "protocol", "fallback", "default"};

	return phase < KD_PHASE_COUNT ? names[phase] : "?";
}

static int compile_null(
	struct kd_policy **ret, const struct kd_policy_request *request, struct kd_diags *diags)
{
	struct kd_book empty = {.diags = diags, .dir = ""};

	return kd_book_compile(ret, &empty, NULL, "null", request->set, request->real);
}

#define SAMPLE_MAX 1000000 /* as in queries */

/* K of FILE~K, where `*ret_len` becomes the length of FILE; 0 = none, all of it is the file's name. */
static uint32_t sample_of(const char *profile, size_t *ret_len)
{
	const char *mark = strrchr(profile, '~');
	uint64_t k = 0;

	*ret_len = strlen(profile);
	if (mark == NULL || mark[1] < '1' || mark[1] > '9' || strchr(mark, '/') != NULL)
		return 0;
	for (const char *p = mark + 1; *p != '\0'; p++) {
		if (*p < '0' || *p > '9' || k > SAMPLE_MAX)
			return 0;
		k = k * 10 + (uint64_t)(*p - '0');
	}
	if (k > SAMPLE_MAX || access(profile, F_OK) == 0)
		return 0;
	*ret_len = (size_t)(mark - profile);
	return (uint32_t)k;
}

/* Everything in a file of one's own is in force, at the boxes it names if any, so of the query only its draws
 * and its box count. */
static int compile_file(
	struct kd_policy **ret, const struct kd_policy_request *request, struct kd_diags *diags)
{
	struct kd_query query = {
		.seed = request->seed, .box = request->box, .path = kd_path_said(request->set)};
	const char *slash = strrchr(request->profile, '/');
	unsigned int errors = diags->errors;
	struct kd_book *book = NULL;
	char *file;
	size_t len;
	int rc;

	query.sample = sample_of(request->profile, &len);
	file = strndup(request->profile, len);
	if (file == NULL)
		return -ENOMEM;
	rc = kd_book_load_cached(&book, request->dir, file, request->cache, diags);
	free(file);
	if (rc < 0)
		return rc;
	/* Compiles in spite of errors so far: --set may be wrong too, and all errors are to be said at once.
	 */
	rc = kd_book_compile(
		ret, book, &query, slash != NULL ? slash + 1 : request->profile, request->set, request->real);
	kd_book_free(book);
	if (rc == 0 && diags->errors > errors) {
		kd_policy_free(*ret);
		*ret = NULL;
		rc = -EINVAL;
	}
	return rc;
}

static int compile_query(
	struct kd_policy **ret, const struct kd_policy_request *request, struct kd_diags *diags)
{
	unsigned int errors = diags->errors;
	struct kd_policy *policy = NULL;
	struct kd_query query = {0};
	struct kd_book *book;
	char *name;
	int rc;

	rc = kd_book_load_cached(&book, request->dir, NULL, request->cache, diags);
	if (rc < 0)
		return rc;
	name = kd_book_query(book, request->profile, &query);
	query.seed = request->seed;
	query.box = request->box;
	query.path = kd_path_said(request->set);
	rc = kd_book_compile(
		&policy, book, &query, name != NULL ? name : request->profile, request->set, request->real);
	kd_book_free(book);
	free(name);
	if (rc == 0 && diags->errors > errors)
		rc = -EINVAL;
	if (rc < 0) {
		kd_policy_free(policy);
		return rc;
	}
	*ret = policy;
	return 0;
}

int kd_policy_load(struct kd_policy **ret, const struct kd_policy_request *request, struct kd_diags *diags)
{
	struct kd_policy *policy = NULL;
	int rc;

	if (strcmp(request->profile, "null") == 0)
		rc = compile_null(&policy, request, diags);
	else if (strchr(request->profile, '@') != NULL)
		rc = compile_query(&policy, request, diags);
	else
		rc = compile_file(&policy, request, diags);
	if (rc < 0)
		return rc;
	kd_policy_scale(policy, request->time_scale);
	*ret = policy;
	return 0;
}

void kd_policy_free(struct kd_policy *policy)
{
	if (policy == NULL)
		return;
	kd_names_free(policy->names);
	kd_prefixes_free(policy->prefixes);
	kd_patterns_free(policy->name_patterns);
	kd_patterns_free(policy->signatures);
	kd_cache_free(policy->cached);
	kd_arena_free(policy->arena);
	free(policy);
}

uint16_t kd_policy_rule_find(const struct kd_policy *policy, const char *id)
{
	for (uint32_t i = 1; i <= policy->nrules; i++)
		if (strcmp(policy->rules[i].id, id) == 0)
			return (uint16_t)i;
	return 0;
}
