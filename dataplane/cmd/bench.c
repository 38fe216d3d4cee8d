/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * kordon bench: the verb and its options. What is measured, and how it is told, is in a file for each kind
 * (bench_throughput.c, bench_mechanisms.c, bench_micro.c, bench_memory.c).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/bench.h"
#include "cmd/cmd.h"

enum row {
	FLOWS,
	SECONDS,
	PAIRS,
	SIZE,
	NAME,
	NO_TESTPMD,
	JSON,
	NAMES,
	PREFIXES,
	LITERALS,
	FRAGMENTS,
	HELLOS
};

static const struct kd_cmd_option options[] = {
	[FLOWS] = {"flows", 'n', "N",
		"flows in the table, each decided beforehand (default: 1000000); memory: half-open "
		"ones, twice what the table holds (default: 2000000)"},
	[SECONDS] = {"seconds", 't', "S", "for each row, its packets' making included (default: 10)"},
	[PAIRS] = {"pairs", 0, "N", "measurements of each kind, alternating (default: 7)"},
	[SIZE] = {"size", 0, "BYTES", "of a frame (default: 64); IPv6 takes at least 78"},
	[NAME] = {"name", 0, "NAME",
		"server name in the hello that decides a flow (default: unlisted.example); memory: of one "
		"that "
		"a rule drops (default: sni-iv.example)"},
	[NO_TESTPMD] = {"no-testpmd", 0, NULL, "do not run dpdk-testpmd for reference"},
	[JSON] = {"json", 0, "FILE",
		"the same figures for programs; \"-\" is standard output, without the text"},
	[NAMES] = {"names", 0, "N", "micro: names of the list (default: 1000000)"},
	[PREFIXES] = {"prefixes", 0, "N", "micro: prefixes of the list (default: 150000)"},
	[LITERALS] = {"literals", 0, "N",
		"micro: of the names, how many for Hyperscan (default: 100000; 0: none)"},
	[FRAGMENTS] = {"fragments", 0, "N", "memory: first fragments (default: 1000000)"},
	[HELLOS] = {"hellos", 0, "N", "memory: half ClientHellos (default: 200000)"},
	{NULL, 0, NULL, NULL},
};

#define FLOWS_MOST (1u << 24)
#define HELD_MOST (1u << 22) /* a question of each may be remembered */
#define PROFILE "tspu@2022-03-20"
#define PROFILE_MEMORY "tspu@2025-03-15" /* puts segments together */

static int number(const struct kd_args *args, enum row which, uint64_t least, uint64_t most, uint64_t *ret)
{
	const char *text = args->value[which];
	char *end;

	if (text == NULL)
		return 0;
	errno = 0;
	*ret = strtoull(text, &end, 10);
	if (errno == 0 && *end == '\0' && *text >= '0' && *text <= '9' && *ret >= least && *ret <= most)
		return 0;
	return kd_usage_error(args, "--%s \"%s\": expected a number from %llu to %llu", options[which].name,
		text, (unsigned long long)least, (unsigned long long)most);
}

/* Of the two that measure what packets cost. */
static int read_packets(struct kd_bench_packets *ret, const struct kd_args *args, uint64_t flows_most)
{
	uint64_t flows = 1000000, seconds = 10, pairs = KD_BENCH_PAIRS_WORTH, size = 64;
	int rc = number(args, FLOWS, 1, flows_most, &flows);

	rc = rc != 0 ? rc : number(args, SECONDS, 0, 3600, &seconds);
	rc = rc != 0 ? rc : number(args, PAIRS, 1, KD_BENCH_PAIRS_MAX, &pairs);
	rc = rc != 0 ? rc : number(args, SIZE, 60, 128, &size);
	*ret = (struct kd_bench_packets){.args = args,
		.profile = args->profile != NULL ? args->profile : PROFILE,
		.name = args->value[NAME] != NULL ? args->value[NAME] : "unlisted.example",
		.json = args->value[JSON],
		.flows = (uint32_t)flows,
		.size = (uint32_t)size,
		.pairs = (uint32_t)pairs,
		.seconds = seconds,
		.testpmd = args->value[NO_TESTPMD] == NULL};
	return rc;
}

static int run_throughput(const struct kd_args *args)
{
	struct kd_bench_packets what;
	int rc = read_packets(&what, args, FLOWS_MOST);

	if (rc == 0 && (what.name[0] == '\0' || strlen(what.name) > 253))
		rc = kd_usage_error(args, "--name \"%s\": expected a host name", what.name);
	return rc != 0 ? rc : kd_bench_throughput(&what);
}

static int run_mechanisms(const struct kd_args *args)
{
	struct kd_bench_packets what;
	int rc = read_packets(&what, args, HELD_MOST);

	if (rc == 0 && (args->profile != NULL || args->value[NAME] != NULL))
		rc = kd_usage_error(args, "mechanisms have rules of their own: neither -p nor --name");
	return rc != 0 ? rc : kd_bench_mechanisms(&what);
}

static int run_micro(const struct kd_args *args)
{
	uint64_t names = 1000000, prefixes = 150000, literals = 100000;
	struct kd_bench_micro what = {.json = args->value[JSON]};
	int rc = number(args, NAMES, 1, 4000000, &names);

	rc = rc != 0 ? rc : number(args, PREFIXES, 1, 4000000, &prefixes);
	rc = rc != 0 ? rc : number(args, LITERALS, 0, 1000000, &literals);
	if (rc != 0)
		return rc;
	what.names = (uint32_t)names;
	what.prefixes = (uint32_t)prefixes;
	what.literals = (uint32_t)literals;
	kd_bench_machine(&what.machine);
	return kd_bench_micro(&what);
}

static int run_memory(const struct kd_args *args)
{
	uint64_t flows = 2000000, fragments = 1000000, hellos = 200000;
	struct kd_bench_memory what = {.json = args->value[JSON], .seed = args->seed};
	struct kd_policy *policy;
	struct kd_args with = *args;
	int rc = number(args, FLOWS, 1000, FLOWS_MOST, &flows);

	rc = rc != 0 ? rc : number(args, FRAGMENTS, 10000, 100000000, &fragments);
	rc = rc != 0 ? rc : number(args, HELLOS, 1000, flows / 4, &hellos);
	if (rc != 0)
		return rc;
	if (with.profile == NULL)
		with.profile = PROFILE_MEMORY;
	with.quiet = with.verbose == 0;
	rc = kd_cmd_policy(&policy, &with);
	if (rc != 0)
		return rc;
	what.policy = policy;
	what.name = args->value[NAME] != NULL ? args->value[NAME] : "sni-iv.example";
	what.flows = (uint32_t)flows;
	what.fragments = (uint32_t)fragments;
	what.hellos = (uint32_t)hellos;
	what.gathers = (uint32_t)hellos / 50;
	rc = kd_bench_memory(&what);
	kd_policy_free(policy);
	return rc;
}

static int run(const struct kd_args *args)
{
	static const struct {
		const char *name;
		int (*run)(const struct kd_args *args);
	} kinds[] = {{"throughput", run_throughput}, {"mechanisms", run_mechanisms}, {"micro", run_micro},
		{"memory", run_memory}};

	for (size_t i = 0; args->noperands == 1 && i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(args->operands[0], kinds[i].name) == 0)
			return kinds[i].run(args);
	return kd_usage_error(args, "expected what to measure: throughput, mechanisms, micro or memory");
}

const struct kd_command kd_command_bench = {
	.name = "bench",
	.summary = "what a packet costs, beside plain forwarding over the same ports",
	.usage = "bench throughput|mechanisms|micro|memory [-p PROFILE] [OPTION...]",
	.text = "throughput measures on one core, to which it pins itself, between two ports that make and "
		"take packets "
		"(net_null);\n"
		"mechanisms, the same of each mechanism that has hold of the flows, beside flows that "
		"pass;\n"
		"micro, what long lists of names and prefixes cost: to build, to keep, to look up, to load "
		"again;\n"
		"memory, what a flow takes, and that floods take no more than there is room for.\n"
		"Without -p: " PROFILE ", for memory " PROFILE_MEMORY
		". docs/performance.md says how to read the figures.",
	.options = options,
	.takes_profile = true,
	.run = run,
};
