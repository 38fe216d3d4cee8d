/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * kordon bench mechanisms: what a packet costs while a mechanism has hold of its flow, against the same flows
 * decided and passing under the same rule, and against io forwarding, in turns. What each mechanism is made
 * to do is bench_recipes.c's; which there are is the engine's, so that none is forgotten.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/bench.h"
#include "cmd/cmd.h"
#include "engine/guard.h"
#include "engine/mechanism.h"
#include "rulebook/diag.h"

#define LISTED "listed.example"
#define UNLISTED "passes.example" /* as long */

/* Both over ports, then where the frames lie. */
enum loop { IO, PASSING_PORTS, HELD_PORTS, PASSING_MEMORY, HELD_MEMORY, LOOPS };

enum ratio { BY_IO, BY_PASSING, BY_PASSING_MEMORY, RATIOS };

static const struct {
	enum loop of, by;
} ratios[RATIOS] = {
	[BY_IO] = {HELD_PORTS, IO},
	[BY_PASSING] = {HELD_PORTS, PASSING_PORTS},
	[BY_PASSING_MEMORY] = {HELD_MEMORY, PASSING_MEMORY},
};

/* What became of a recipe. */
struct row {
	const struct kd_bench_recipe *recipe;
	uint32_t distinct;
	uint64_t packets, injected; /* of the flows held */
	struct kd_bench_spread ns[LOOPS], ratio[RATIOS];
};

struct bench {
	const struct kd_bench_packets *what;
	struct kd_bench_machine machine;
	struct kd_bench_ports *ports; /* NULL: not in this build */
	struct kd_guard *guard;
	struct row *row;
	unsigned int nrows;
};

enum { PASSING, HELD };

/* Of one recipe: two engines of the same policy and the same flows, whose names it lists in one of them. */
struct run {
	const struct bench *b;
	const struct kd_bench_recipe *recipe;
	struct kd_policy *policy;
	struct kd_bench_source source;
	struct kd_bench_run engine[2];
	struct kd_counters before[2]; /* when the flows were open */
	uint64_t ticks[LOOPS], packets;
	double ns[LOOPS][KD_BENCH_PAIRS_MAX];
};

static const char *const names[2] = {[PASSING] = UNLISTED, [HELD] = LISTED};

/* --- a policy of one rule --- */

static int write_rule(const struct kd_bench_recipe *recipe, char *path)
{
	bool dns = recipe->app == KD_BENCH_DNS;
	int fd = mkstemps(path, 4);
	FILE *f = fd >= 0 ? fdopen(fd, "w") : NULL;

	if (f == NULL)
		return -errno;
	fprintf(f,
		"settings = ( { set = \"inspect.packets\"; value = \"1 pkt\"; } );\n"
		"rules = ( { id = \"bench\"; phase = \"names-blocked\";\n"
		"  when = { protocol = \"%s\"; %s = [ \"" LISTED "\" ]; };\n"
		"  then = { mechanism = \"%s\"; %s }; } );\n",
		dns ? "dns" : "tls", dns ? "qname" : "sni", recipe->mechanism, recipe->then);
	return fclose(f) != 0 ? -errno : 0;
}

static int load_rule(struct run *r)
{
	char path[] = "/tmp/kordon-bench-XXXXXX.cfg";
	const struct kd_args *args = r->b->what->args;
	const struct kd_policy_request request = {
		.profile = path, .dir = args->policies, .set = args->set, .seed = args->seed};
	struct kd_diags diags = {0};
	int rc = write_rule(r->recipe, path);

	if (rc < 0) {
		kd_complain("bench: %s: %s", path, strerror(-rc));
		return KD_EXIT_ENVIRONMENT;
	}
	rc = kd_policy_load(&r->policy, &request, &diags);
	unlink(path);
	if (rc < 0)
		kd_diags_print(&diags, stderr);
	kd_diags_free(&diags);
	return rc < 0 ? KD_EXIT_CONFIG : 0;
}

/* --- a recipe --- */

static void speak(struct run *r, unsigned int which)
{
	kd_bench_speak(&r->source, r->recipe->app, names[which]);
	r->source.answers_from = which == HELD ? r->recipe->answers_from : NULL;
}

static int open_flows(struct run *r, unsigned int which)
{
	struct kd_bench_run *of = &r->engine[which];
	struct kd_engine_config config = KD_ENGINE_CONFIG_DEFAULT;

	config.policy = r->policy;
	config.guard = r->b->guard;
	config.seed = r->b->what->args->seed;
	config.flows4_max = r->source.flows;
	config.flows6_max = 1;
	config.nat_max = r->source.flows; /* one question each */
	if (kd_engine_new(&of->engine, &config) != 0)
		return -ENOMEM;
	kd_bench_start(of, &r->source, r->b->machine.tsc_hz);
	speak(r, which);
	kd_bench_open_flows(of, 1);
	r->before[which] = *kd_engine_counters(of->engine);
	return r->before[which].flows_live != r->source.flows || r->before[which].untracked != 0
		       ? kd_bench_internal("not every flow found a place")
		       : 0;
}

static uint64_t one_loop(struct run *r, enum loop loop)
{
	struct kd_bench_ports *ports = r->b->ports;
	unsigned int which = loop == HELD_PORTS || loop == HELD_MEMORY ? HELD : PASSING;
	struct kd_bench_run *of = &r->engine[which];
	uint64_t ticks;

	if (loop == IO)
		return kd_bench_ports_run(ports, KD_BENCH_IO, &r->source.load, NULL, &of->clock);
	speak(r, which);
	kd_bench_draw(&r->source, which == HELD);
	ticks = loop == PASSING_MEMORY || loop == HELD_MEMORY
			? kd_bench_from_memory(of)
			: kd_bench_ports_run(ports, KD_BENCH_ENGINE, &r->source.load, of->engine, &of->clock);
	kd_bench_drain(of);
	return ticks;
}

static int pair(struct run *r, unsigned int index)
{
	const struct kd_bench_packets *what = r->b->what;
	uint64_t until = kd_bench_monotonic_ns() + what->seconds * 1000000000u / what->pairs;

	memset(r->ticks, 0, sizeof(r->ticks));
	r->packets = 0;
	do {
		for (enum loop loop = r->b->ports != NULL ? IO : PASSING_MEMORY; loop < LOOPS; loop++) {
			uint64_t ticks = one_loop(r, loop);

			if (ticks == 0)
				return kd_bench_internal("buffers were lost");
			r->ticks[loop] += ticks;
		}
		r->packets += r->source.load.n;
	} while (kd_bench_monotonic_ns() < until);
	for (enum loop loop = 0; loop < LOOPS; loop++)
		r->ns[loop][index] =
			(double)r->ticks[loop] * 1e9 / ((double)r->b->machine.tsc_hz * (double)r->packets);
	return 0;
}

static bool is_expected(const struct kd_bench_recipe *recipe, unsigned int which, const char *reason)
{
	/* Over UDP a flow is decided when as much of it was looked at as ever is. */
	if (which == PASSING)
		return strcmp(reason,
			       recipe->app == KD_BENCH_DNS ? "classify.budget_spent" : "decide.no_rule") == 0;
	for (unsigned int i = 0; i < KD_BENCH_REASONS && recipe->reasons[i] != NULL; i++)
		if (strcmp(reason, recipe->reasons[i]) == 0)
			return true;
	return false;
}

/* Every packet measured was what the recipe says, none is left anywhere, and no flow came or went. */
static int check(const struct run *r, unsigned int which)
{
	const struct kd_counters *c = kd_engine_counters(r->engine[which].engine),
				 *before = &r->before[which];
	const char *wrong = kd_counters_unbalanced(c);

	if (wrong != NULL)
		return kd_bench_internal(wrong);
	if (c->held != 0 || c->inject_refused != 0)
		return kd_bench_internal("a packet was kept, or one could not be injected");
	if (c->flows_new != r->source.flows || c->flows_ended != 0 || c->untracked != 0)
		return kd_bench_internal("flows began or ended while it was measured");
	for (uint16_t i = 0; i < KD_REASON_COUNT; i++) {
		if (c->reasons[i] == before->reasons[i] || is_expected(r->recipe, which, kd_reason_name(i)))
			continue;
		kd_complain("bench: %s (%s): %llu packets were \"%s\", which its recipe does not expect",
			r->recipe->mechanism, which == HELD ? r->recipe->what : "passing",
			(unsigned long long)(c->reasons[i] - before->reasons[i]), kd_reason_name(i));
		return KD_EXIT_INTERNAL;
	}
	return 0;
}

static int sum_up(struct run *r, struct row *row)
{
	const struct kd_counters *c = kd_engine_counters(r->engine[HELD].engine), *before = &r->before[HELD];
	unsigned int pairs = r->b->what->pairs;
	double ratio[KD_BENCH_PAIRS_MAX];

	row->recipe = r->recipe;
	row->packets = c->in[0] + c->in[1] - before->in[0] - before->in[1];
	row->injected = c->fates[KD_INJECT] - before->fates[KD_INJECT];
	row->distinct = kd_bench_distinct(&r->source);
	for (enum loop loop = 0; loop < LOOPS; loop++)
		row->ns[loop] = kd_bench_spread(r->ns[loop], pairs);
	for (enum ratio k = r->b->ports != NULL ? 0 : BY_PASSING_MEMORY; k < RATIOS; k++) {
		for (unsigned int i = 0; i < pairs; i++)
			ratio[i] = r->ns[ratios[k].of][i] / r->ns[ratios[k].by][i];
		row->ratio[k] = kd_bench_spread(ratio, pairs);
	}
	if ((uint64_t)row->distinct * 1000 >= (uint64_t)r->source.flows * KD_BENCH_TOUCHED_MIN_PERMILLE)
		return 0;
	kd_complain("bench: only %u of %u flows were touched, 95 %% are needed; give it more --seconds",
		row->distinct, r->source.flows);
	return KD_EXIT_EXPECTATION;
}

static int measure(struct run *r, struct row *row)
{
	const struct kd_bench_packets *what = r->b->what;
	int rc = kd_bench_source_init(&r->source, what->flows, false, what->size, LISTED, what->args->seed);

	for (unsigned int which = 0; rc == 0 && which < 2; which++)
		rc = open_flows(r, which);
	for (unsigned int i = 0; rc == 0 && i < what->pairs; i++)
		rc = pair(r, i);
	for (unsigned int which = 0; rc == 0 && which < 2; which++)
		rc = check(r, which);
	return rc == 0 ? sum_up(r, row) : rc;
}

static int fill_row(const struct bench *b, const struct kd_bench_recipe *recipe, struct row *row)
{
	struct run *r = calloc(1, sizeof(*r));
	int rc = -ENOMEM;

	if (r != NULL) {
		r->b = b;
		r->recipe = recipe;
		rc = load_rule(r);
		if (rc == 0)
			rc = measure(r, row);
		kd_engine_free(r->engine[PASSING].engine);
		kd_engine_free(r->engine[HELD].engine);
		kd_bench_source_free(&r->source);
		kd_policy_free(r->policy);
	}
	free(r);
	if (rc < 0) {
		kd_complain("bench: out of memory for %u flows", b->what->flows);
		return KD_EXIT_ENVIRONMENT;
	}
	return rc;
}

/* --- telling --- */

static void print_spread(const struct kd_bench_spread *s, const char *behind)
{
	printf("%6.2f (%.2f..%.2f)%s", s->median, s->min, s->max, behind);
}

static void print_row(const struct bench *b, const struct row *row)
{
	const struct kd_bench_spread *ns = row->ns;

	printf("%-7s %-21s memory  %6.1f ns %5.0f cycles, passing %6.1f ns  : passing",
		row->recipe->mechanism, row->recipe->what, ns[HELD_MEMORY].median,
		ns[HELD_MEMORY].median * (double)b->machine.tsc_hz / 1e9, ns[PASSING_MEMORY].median);
	print_spread(&row->ratio[BY_PASSING_MEMORY], "\n");
	if (b->ports == NULL)
		return;
	printf("%-29s ports   %6.1f ns %5.0f cycles, passing %6.1f ns  : passing", "", ns[HELD_PORTS].median,
		ns[HELD_PORTS].median * (double)b->machine.tsc_hz / 1e9, ns[PASSING_PORTS].median);
	print_spread(&row->ratio[BY_PASSING], "  : io");
	print_spread(&row->ratio[BY_IO], "\n");
}

static void print_all(const struct bench *b)
{
	printf("what a packet costs while a mechanism has hold of its flow, one core; %u alternating "
	       "measurements of each\n"
	       "kind, TSC over wall time; median (least..most). %u flows, drawn at random for every packet. "
	       "passing: the same\n"
	       "flows decided and let alone (decide.no_rule); io: rx, tx; memory: engine alone; ports: "
	       "net_null.\n\n",
		b->what->pairs, b->what->flows);
	kd_bench_machine_print(&b->machine);
	printf("\n");
	for (unsigned int i = 0; i < b->nrows; i++)
		print_row(b, &b->row[i]);
	for (unsigned int i = 0; i < KD_MECHANISM_COUNT; i++)
		if (!kd_bench_has_recipe(kd_mechanisms[i]->name))
			printf("%-7s no recipe: nobody has measured it\n", kd_mechanisms[i]->name);
	if (b->what->pairs < KD_BENCH_PAIRS_WORTH)
		printf("\nFewer than %u pairs: a ratio to look at, not to quote.\n", KD_BENCH_PAIRS_WORTH);
}

static void json_row(struct kd_json *j, const struct bench *b, const struct row *row)
{
	static const char *const loop_name[LOOPS] = {
		"io", "passing_ports", "held_ports", "passing_memory", "held_memory"};
	static const char *const ratio_name[RATIOS] = {
		"held_ports_to_io", "held_to_passing_ports", "held_to_passing_memory"};

	kd_json_open(j, NULL, '{');
	kd_json_str(j, "mechanism", row->recipe->mechanism);
	kd_json_str(j, "what", row->recipe->what);
	kd_json_u64(j, "distinct", row->distinct);
	kd_json_u64(j, "packets", row->packets);
	kd_json_u64(j, "injected", row->injected);
	kd_json_open(j, "ps_per_packet", '{');
	for (enum loop loop = b->ports != NULL ? IO : PASSING_MEMORY; loop < LOOPS; loop++)
		kd_bench_json_spread(j, loop_name[loop], &row->ns[loop]);
	kd_json_close(j, '}');
	kd_json_open(j, "permille", '{');
	for (enum ratio k = b->ports != NULL ? 0 : BY_PASSING_MEMORY; k < RATIOS; k++)
		kd_bench_json_spread(j, ratio_name[k], &row->ratio[k]);
	kd_json_close(j, '}');
	kd_json_close(j, '}');
}

static int write_json(const struct bench *b)
{
	static char text[32768];
	struct kd_json j;

	kd_json_start(&j, text, sizeof(text));
	kd_json_open(&j, NULL, '{');
	kd_json_str(&j, "bench", "mechanisms");
	kd_json_u64(&j, "flows", b->what->flows);
	kd_json_u64(&j, "pairs", b->what->pairs);
	kd_bench_machine_json(&b->machine, &j);
	kd_json_open(&j, "rows", '[');
	for (unsigned int i = 0; i < b->nrows; i++)
		json_row(&j, b, &b->row[i]);
	kd_json_close(&j, ']');
	kd_json_open(&j, "no_recipe", '[');
	for (unsigned int i = 0; i < KD_MECHANISM_COUNT; i++)
		if (!kd_bench_has_recipe(kd_mechanisms[i]->name))
			kd_json_str(&j, NULL, kd_mechanisms[i]->name);
	kd_json_close(&j, ']');
	kd_json_close(&j, '}');
	return kd_bench_json(&j, b->what->json);
}

static int prepare(struct bench *b)
{
	static const uint8_t net4[4] = {198, 18};
	unsigned int n = 0;

	while (kd_bench_recipes[n].mechanism != NULL)
		n++;
	b->row = calloc(n, sizeof(*b->row));
	if (b->row == NULL || kd_guard_new(&b->guard) != 0 || kd_guard_add(b->guard, false, net4, 15) != 0)
		return kd_bench_internal("no guard for benchmarking space");
	kd_bench_machine(&b->machine);
	return kd_bench_ports_open(&b->ports, b->what->args->verbose);
}

int kd_bench_mechanisms(const struct kd_bench_packets *what)
{
	struct bench b = {.what = what};
	int rc = prepare(&b);

	for (const struct kd_bench_recipe *r = kd_bench_recipes; rc == 0 && r->mechanism != NULL; r++)
		rc = fill_row(&b, r, &b.row[b.nrows++]);
	if (rc == 0 && (what->json == NULL || strcmp(what->json, "-") != 0))
		print_all(&b);
	if (rc == 0 && what->json != NULL)
		rc = write_json(&b);
	kd_bench_ports_close(b.ports);
	kd_guard_free(b.guard);
	free(b.row);
	return rc;
}
