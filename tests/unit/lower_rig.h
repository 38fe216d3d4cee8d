/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A policy in the making with rules r1..r70 and no file behind it, trees of `when` built by hand, and the
 * lowering of one of them. Each test gets everything anew.
 */
#ifndef KD_TEST_LOWER_RIG_H
#define KD_TEST_LOWER_RIG_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "rulebook/book.h"
#include "rulebook/lower.h"

#define RULES 70

static struct kd_diags diags;
static struct kd_book book;
static struct kd_policy policy;
static struct kd_lower lower;

static inline int start(void **state)
{
	(void)state;
	memset(&diags, 0, sizeof(diags));
	memset(&book, 0, sizeof(book));
	memset(&policy, 0, sizeof(policy));
	book.arena = kd_arena_new();
	book.diags = &diags;
	book.dir = "";
	policy.profile = "test";
	policy.arena = kd_arena_new();
	policy.nrules = RULES;
	policy.rules = kd_arena_alloc(policy.arena, (RULES + 1) * sizeof(*policy.rules));
	for (unsigned int i = 1; i <= RULES; i++)
		policy.rules[i].id = kd_arena_printf(policy.arena, "r%u", i);
	lower = (struct kd_lower){
		.book = &book, .policy = &policy, .sets = kd_sets_new(&book, &policy, false)};
	return 0;
}

static inline int end(void **state)
{
	(void)state;
	kd_sets_free(lower.sets);
	kd_names_free(policy.names);
	kd_patterns_free(policy.name_patterns);
	kd_prefixes_free(policy.prefixes);
	kd_arena_free(policy.arena);
	kd_arena_free(book.arena);
	kd_diags_free(&diags);
	return 0;
}

static inline void *made(size_t size)
{
	void *p = kd_arena_alloc(book.arena, size);

	assert_non_null(p);
	return p;
}

static inline struct kd_when *node(unsigned int kind)
{
	struct kd_when *w = made(sizeof(*w));

	w->kind = (uint8_t)kind;
	w->at = (struct kd_at){"x.cfg", 7, "rules.[0].when"};
	return w;
}

static inline struct kd_when *term(unsigned int kind)
{
	struct kd_when *w = node(KD_WHEN_TERM);

	w->term = (uint8_t)kind;
	return w;
}

/* True where bit i of an assignment is set. */
static inline struct kd_when *bit(unsigned int i)
{
	struct kd_when *w = term(KD_TERM_TRANSPORT);

	w->mask = 1u << i;
	return w;
}

static inline struct kd_when *over(unsigned int kind, struct kd_when *a, struct kd_when *b)
{
	struct kd_when *w = node(kind);

	w->child = a;
	if (a != NULL)
		a->next = b;
	return w;
}

static inline int low(struct kd_when *when, uint16_t index)
{
	struct kd_book_rule rule = {.id = "r", .draw = "rule:r", .when = when};

	return kd_lower_when(&lower, &rule, rule.draw, index);
}

/* Says one error with a place, and no more. */
static inline void said(const char *part)
{
	assert_int_equal(diags.count, 1);
	assert_string_equal(diags.list[0].file, "x.cfg");
	assert_int_equal(diags.list[0].line, 7);
	assert_non_null(strstr(diags.list[0].message, part));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, end)

#endif
