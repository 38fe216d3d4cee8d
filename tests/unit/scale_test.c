/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * --time-scale: which times of a policy it makes shorter, and which it leaves alone, one table; what of a
 * policy goes on speaking of the real box; that every box of a path is scaled.
 */
#include "compile_rig.h"

#include "rulebook/boxes.h"
#include "rulebook/scale.h"

#define MS 1000000ull
#define SEC (1000 * MS)
#define MIN (60 * SEC)

static struct kd_rule rules[2];
static struct kd_flap flap;
static struct kd_counter counter;
static struct kd_policy policy = {
	.rules = rules, .nrules = 1, .flaps = &flap, .nflaps = 1, .counters = &counter, .ncounters = 1};

static const struct {
	const char *what;
	uint64_t *at, before, after; /* of a scale of 20 */
} times[] = {
	/* slow timers */
	{"residual", &rules[1].residual_ns, 40 * SEC, 2 * SEC},
	{"publication", &rules[1].publish_after_ns, 10 * MIN, 30 * SEC},
	{"flapping", &flap.time_ns, 30 * MIN, 90 * SEC},
	{"flow.idle_tcp", &policy.settings.idle_tcp_ns, 10 * MIN, 30 * SEC},
	{"flow.idle_syn", &policy.settings.idle_syn_ns, 20 * SEC, 1 * SEC},
	{"flow.idle_established", &policy.settings.idle_established_ns, 400 * SEC, 20 * SEC},
	{"flow.idle_udp", &policy.settings.idle_udp_ns, 60 * SEC, 3 * SEC},
	{"flow.idle_other", &policy.settings.idle_other_ns, 80 * SEC, 4 * SEC},
	/* how a box judges pace, waits for bytes, or shapes */
	{"after.time, least", &rules[1].after.lo, 5 * SEC, 5 * SEC},
	{"after.time, most", &rules[1].after.hi, 6 * SEC, 6 * SEC},
	{"delay_before", &rules[1].delay_before_ns, 3 * SEC, 3 * SEC},
	{"window", &counter.window_ns, 60 * SEC, 60 * SEC},
	{"spacing", &counter.spacing_ns, 300 * MS, 300 * MS},
	{"stream.timeout", &policy.settings.stream_timeout_ns, 60 * SEC, 60 * SEC},
	{"frag.lifetime", &policy.settings.frag_lifetime_ns, 5 * SEC, 5 * SEC},
};

#define TIMES (sizeof(times) / sizeof(times[0]))

static void fill(void)
{
	policy.time_scale = 0;
	for (size_t i = 0; i < TIMES; i++)
		*times[i].at = times[i].before;
}

static void only_slow_timers(void **state)
{
	(void)state;
	fill();
	kd_policy_scale(&policy, 20);
	assert_int_equal(policy.time_scale, 20);
	for (size_t i = 0; i < TIMES; i++)
		if (*times[i].at != times[i].after)
			fail_msg("%s: %llu ns", times[i].what, (unsigned long long)*times[i].at);
	fill();
	kd_policy_scale(&policy, 1);
	for (size_t i = 0; i < TIMES; i++)
		assert_int_equal(*times[i].at, times[i].before);
}

/* Zero is "as long as the flow lives" to a residual; and flapping divides by its time. */
static void none_stays_none_and_little_stays_some(void **state)
{
	(void)state;
	fill();
	rules[1].residual_ns = rules[1].publish_after_ns = 0;
	flap.time_ns = policy.settings.idle_udp_ns = 999;
	policy.settings.idle_other_ns = 1;
	kd_policy_scale(&policy, KD_TIME_SCALE_MAX);
	assert_int_equal(rules[1].residual_ns, 0);
	assert_int_equal(rules[1].publish_after_ns, 0);
	assert_int_equal(flap.time_ns, 1);
	assert_int_equal(policy.settings.idle_udp_ns, 1);
	assert_int_equal(policy.settings.idle_other_ns, 1);
}

#define BOOK                                                                                                 \
	"boxes = ( { id = \"near\"; title = \"n\"; }, { id = \"far\"; title = \"f\"; } );\n"                 \
	"paths = ( { id = \"home\"; boxes = [ \"near\", \"far\" ]; } );\n"                                   \
	"rules = ( { id = \"one\"; phase = \"protocol\"; when = { transport = \"udp\"; };\n"                 \
	"  then = { mechanism = \"police\"; rate = \"8 kbit/s\"; burst = \"2 kB\"; };\n"                     \
	"  residual = { key = \"4-tuple\"; time = \"40 s (40 s..50 s)\"; }; }\n,"                            \
	"  { id = \"two\"; phase = \"protocol\"; when = { transport = \"tcp\"; };\n"                         \
	"  then = { mechanism = \"delay\"; time = \"100 ms\"; jitter = \"50 ms\"; }; } );\n"

static void same_box(const struct kd_policy *slow, const struct kd_policy *fast)
{
	assert_int_equal(slow->time_scale, 0);
	assert_int_equal(fast->time_scale, 10);
	assert_string_equal(slow->hash, fast->hash);
	assert_string_equal(slow->profile, fast->profile);
	assert_string_equal(drawn(slow, "rule:one.residual.time"), drawn(fast, "rule:one.residual.time"));
	assert_int_equal(rule(fast, "one")->residual_ns, rule(slow, "one")->residual_ns / 10);
	assert_int_equal(fast->settings.idle_udp_ns, slow->settings.idle_udp_ns / 10);
	for (unsigned int i = 1; i <= slow->nrules; i++)
		assert_memory_equal(slow->rules[i].params, fast->rules[i].params, KD_MECH_PARAMS);
}

static void every_box_of_a_path(void **state)
{
	struct kd_policy_request request = {.dir = dir, .seed = 1};
	struct kd_diags diags = {0};
	struct kd_boxes slow, fast;
	char *path = in_dir("own.cfg");
	char *sampled;

	(void)state;
	write_file("own.cfg", BOOK);
	assert_true(asprintf(&sampled, "%s~3", path) > 0);
	request.profile = sampled;
	assert_int_equal(kd_boxes_load(&slow, &request, &diags), 0);
	request.time_scale = 10;
	assert_int_equal(kd_boxes_load(&fast, &request, &diags), 0);
	assert_int_equal(slow.n, 2);
	assert_int_equal(fast.n, 2);
	for (unsigned int i = 0; i < slow.n; i++)
		same_box(slow.policy[i], fast.policy[i]);
	assert_string_equal(slow.hash, fast.hash);
	kd_boxes_free(&fast);
	kd_boxes_free(&slow);
	kd_diags_free(&diags);
	free(sampled);
	free(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_slow_timers),
		cmocka_unit_test(none_stays_none_and_little_stays_some),
		cmocka_unit_test(every_box_of_a_path),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
