/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A policies folder of one's own for tests: one claim that all evidence may cite, one rulebook file that each
 * test writes, and loading from it.
 */
#ifndef KD_TEST_COMPILE_RIG_H
#define KD_TEST_COMPILE_RIG_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rulebook/diag.h"
#include "rulebook/policy.h"

static char dir[] = "/tmp/kordon-compile-test-XXXXXX";

static const char *const folders[] = {"rulebook", "lists"};
static const char *const files[] = {
	"claims.cfg", "own.cfg", "rulebook/x.cfg", "lists/real.txt", "lists/n.txt"};

#define CLAIMS                                                                                               \
	"claims = ( { id = \"X-THR-2021\"; source = \"example.org\"; date = \"2030-01\"; tag = \"P\"; "      \
	"grade = "                                                                                           \
	"\"measured\";\n  read = \"primary\"; text = \"t\"; } );\n"
#define EVIDENCE " evidence = { match = \"X-THR-2021\"; then = \"X-THR-2021\"; numbers = \"X-THR-2021\"; }; "
#define DROP " then = { mechanism = \"drop\"; }; "

static inline char *in_dir(const char *name)
{
	char *path;

	assert_true(asprintf(&path, "%s/%s", dir, name) > 0);
	return path;
}

static inline void write_file(const char *name, const char *text)
{
	char *path = in_dir(name);
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
	free(path);
}

static inline int set_up(void **state)
{
	(void)state;
	if (mkdtemp(dir) == NULL)
		return -1;
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		char *path = in_dir(folders[i]);

		if (mkdir(path, 0755) < 0)
			return -1;
		free(path);
	}
	write_file("claims.cfg", CLAIMS);
	return 0;
}

static inline int tear_down(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		char *path = in_dir(files[i]);

		unlink(path);
		free(path);
	}
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		char *path = in_dir(folders[i]);

		rmdir(path);
		free(path);
	}
	return rmdir(dir);
}

static inline struct kd_policy *load_as(const struct kd_policy_request *how, const char *profile)
{
	struct kd_policy_request request = *how;
	struct kd_policy *policy = NULL;
	struct kd_diags diags = {0};
	int rc;

	request.profile = profile;
	request.dir = dir;
	rc = kd_policy_load(&policy, &request, &diags);
	if (rc != 0)
		kd_diags_print(&diags, stderr);
	assert_int_equal(diags.errors, 0);
	assert_int_equal(rc, 0);
	kd_diags_free(&diags);
	return policy;
}

static inline struct kd_policy *load(const char *profile)
{
	const struct kd_policy_request request = {.seed = 1};

	return load_as(&request, profile);
}

/* The one error of a load. */
static inline void load_fails(const struct kd_policy_request *how, const char *profile, const char *part)
{
	struct kd_policy_request request = *how;
	struct kd_policy *policy = NULL;
	struct kd_diags diags = {0};

	request.profile = profile;
	request.dir = dir;
	assert_int_equal(kd_policy_load(&policy, &request, &diags), -EINVAL);
	assert_null(policy);
	assert_int_equal(diags.errors, 1);
	for (unsigned int i = 0; i < diags.count; i++)
		if (diags.list[i].level == KD_DIAG_ERROR)
			assert_non_null(strstr(diags.list[i].message, part));
	kd_diags_free(&diags);
}

static inline const struct kd_rule *rule(const struct kd_policy *p, const char *id)
{
	uint16_t found = kd_policy_rule_find(p, id);

	if (found == 0)
		fail_msg("no rule %s", id);
	return &p->rules[found];
}

static const char *drawn(const struct kd_policy *p, const char *what)
{
	for (uint32_t i = 0; i < p->ndrawn; i++)
		if (strcmp(p->drawn[i].what, what) == 0)
			return p->drawn[i].value;
	return NULL;
}

#endif
