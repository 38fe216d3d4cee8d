/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What `kordon bench mechanisms` has each mechanism do to flows it has hold of, as data: its settings, and
 * the reasons it must then give for every packet. A mechanism without a recipe is measured by nobody, and the
 * bench says so by name.
 */
#include "cmd/bench.h"

#include <stddef.h>
#include <string.h>

const struct kd_bench_recipe kd_bench_recipes[] = {
	{.mechanism = "drop", .what = "both ways", .then = "", .reasons = {"drop.later"}},
	{.mechanism = "reset",
		.what = "rewrite, both ways",
		.then = "form = \"rewrite\"; direction = \"both\";",
		.reasons = {"reset.rewritten"}},
	/* The RSTs are out, and the flow is left alone. */
	{.mechanism = "reset",
		.what = "inject, done",
		.then = "form = \"inject\"; direction = \"both\";",
		.reasons = {"flow.done"}},
	{.mechanism = "police",
		.what = "within the rate",
		.then = "rate = \"1 Gbit/s\"; burst = \"1 MB\";",
		.reasons = {"police.within"}},
	/* Of every flow one packet each way passed before it is measured, and no second one does for minutes.
	 */
	{.mechanism = "police",
		.what = "over the rate",
		.then = "rate = \"1 bit/s\"; burst = \"60 B\";",
		.reasons = {"police.over"}},
	/* Less than what the pool of packets that wait has room for, at any rate a core reaches. */
	{.mechanism = "delay",
		.what = "10 us",
		.then = "time = \"10 us\";",
		.reasons = {"later.held", "delay.held"}},
	{.mechanism = "impair",
		.what = "capacity 50",
		.then = "capacity = 50;",
		.reasons = {"impair.passed", "impair.capacity"}},
	/* Data of who asked would be answered again. */
	{.mechanism = "answer",
		.what = "TLS alert, after it",
		.app = KD_BENCH_TLS_ACKS,
		.then = "form = \"alert\";",
		.reasons = {"answer.later"}},
	/* Queries are answered, and what comes from the other side passes. */
	{.mechanism = "answer",
		.what = "NXDOMAIN, each query",
		.app = KD_BENCH_DNS,
		.then = "form = \"nxdomain\";",
		.reasons = {"answer.answered", "answer.other_way"}},
	/* Each flow's question is known longer than anybody measures, so all answers are turned. */
	{.mechanism = "redirect",
		.what = "questions and answers",
		.app = KD_BENCH_DNS,
		.answers_from = (const uint8_t[]){198, 18, 34, 53},
		.then = "to = \"198.18.34.53\"; time = \"1 h\";",
		.reasons = {"redirect.sent", "redirect.turned"}},
	{.mechanism = NULL},
};

bool kd_bench_has_recipe(const char *mechanism)
{
	for (const struct kd_bench_recipe *r = kd_bench_recipes; r->mechanism != NULL; r++)
		if (strcmp(r->mechanism, mechanism) == 0)
			return true;
	return false;
}
