/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which values of knobs a rulebook attests, on which days and on what: those of its entries and the defaults,
 * no others.
 */
#include "small_book.h"

#include "engine/knob.h"
#include "rulebook/attested.h"

#define EVIDENCE " evidence = { date = [ 'X-THR-2021' ]; then = [ 'X-THR-2021' ]; }; }"

static struct kd_arena *arena;
static struct kd_attested *list;
static unsigned int count;

static void attest(const char *text)
{
	struct loaded l = load(false, text);

	char *words = said(&l.diags);

	assert_string_equal(words, "");
	free(words);
	kd_arena_free(arena);
	arena = kd_arena_new();
	assert_int_equal(kd_attested_list(arena, l.book, &list, &count), 0);
	drop(&l);
}

/* NULL = nobody attests it. */
static const struct kd_attested *find(unsigned int knob, const char *word)
{
	for (unsigned int i = 0; i < count; i++)
		if (list[i].knob == knob && strcmp(list[i].word, word) == 0)
			return &list[i];
	return NULL;
}

static void check(
	unsigned int knob, const char *word, const char *dates, const char *grade, const char *claims)
{
	const struct kd_attested *a = find(knob, word);

	assert_non_null(a);
	assert_int_equal(a->value, kd_knob_value(knob, word, strlen(word)));
	assert_string_equal(a->dates, dates);
	assert_string_equal(a->grade, grade);
	assert_string_equal(a->claims, claims);
}

static void test_defaults_only(void **state)
{
	(void)state;
	attest("");
	assert_int_equal(count, KD_KNOB_COUNT);
	check(KD_KNOB_TCP_OVERLAP, "first", "", "assumed", "");
}

static void test_entry(void **state)
{
	(void)state;
	attest("knobs = ( { set = 'tcp.overlap'; value = 'last'; since = '2024-08..2024-10';" EVIDENCE
	       " );\n");
	assert_int_equal(count, KD_KNOB_COUNT + 1);
	check(KD_KNOB_TCP_OVERLAP, "last", "since 2024-08..2024-10", "measured", "X-THR-2021");
	check(KD_KNOB_TCP_OVERLAP, "first", "until 2024-08", "assumed", "");
	assert_null(find(KD_KNOB_TCP_REASSEMBLE, "any-order"));
}

/* A default is back when an entry's days are over; an entry for some flows leaves it the others. */
static void test_days_of_default(void **state)
{
	(void)state;
	attest("knobs = ( { set = 'tcp.overlap'; value = 'last'; since = '2021-03-10'; until = "
	       "'2022-03-04';" EVIDENCE ", { set = 'tcp.overlap'; value = 'last'; since = '2025-01';" EVIDENCE
	       ");\n");
	check(KD_KNOB_TCP_OVERLAP, "last", "since 2021-03-10 until 2022-03-04, since 2025-01", "measured",
		"X-THR-2021");
	check(KD_KNOB_TCP_OVERLAP, "first", "until 2021-03-10, since 2022-03-04 until 2025-01", "assumed",
		"");
	attest("knobs = ( { set = 'tcp.overlap'; value = 'last'; since = '2021-03-10'; to = [ '@cloud' "
	       "];" EVIDENCE
	       ", { set = 'tcp.overlap'; value = 'last'; since = '2021-04'; share = '50 % (40 %..60 %)';"
	       " evidence = { then = [ 'X-THR-2021' ]; numbers = [ 'X-THR-2021' ]; }; } );\n");
	check(KD_KNOB_TCP_OVERLAP, "first", "", "assumed", "");
}

/* Each variant is a value. */
static void test_variants(void **state)
{
	(void)state;
	attest("knobs = ( { set = 'tcp.reassemble'; since = '2024-01'; variants = ( { value = 'in-order'; },"
	       " { value = 'any-order'; } );" EVIDENCE ");\n");
	assert_int_equal(count, KD_KNOB_COUNT + 2);
	check(KD_KNOB_TCP_REASSEMBLE, "any-order", "since 2024-01", "measured", "X-THR-2021");
}

static int teardown(void **state)
{
	kd_arena_free(arena);
	return drop_book(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults_only),
		cmocka_unit_test(test_entry),
		cmocka_unit_test(test_days_of_default),
		cmocka_unit_test(test_variants),
	};

	return cmocka_run_group_tests(tests, make_book, teardown);
}
