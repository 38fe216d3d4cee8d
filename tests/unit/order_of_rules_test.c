/* SPDX-License-Identifier: BSD-3-Clause */
/* Which rule gets a flow when several match: phases, allow, else, observe, shares of nodes, a
 * default that denies, and what a box upstream only makes of it all. */
#include "by_hand.h"

#define TERM(...) ((struct kd_term){__VA_ARGS__})
#define REASON(name) KD_REASON_DECIDE_##name
#define PHASE(name) BIT(KD_PHASE_##name)

static struct who from_port(unsigned int port)
{
	return (struct who){.client = CLIENT, .server = SERVER, .port = (uint16_t)port};
}

static uint16_t is_tls(void)
{
	return term(TERM(.kind = KD_TERM_PROTOCOL, .mask = TLS));
}

static uint16_t to_server(void)
{
	return term(TERM(.kind = KD_TERM_ADDRESS, .of = KD_END_TO, .set = P_SERVER));
}

static uint16_t reset_rule(const char *id, unsigned int phase, uint16_t first_term, unsigned int form)
{
	return rule((struct kd_rule){.id = id,
		.phase = (uint8_t)phase,
		.mechanism = KD_MECHANISM_reset,
		.first_term = first_term,
		.params = {[0] = (uint8_t)form}}); /* to-inside */
}

enum { REWRITE, INJECT };

/* One hello alone, and what became of it. */
static const char *hello_fares(const char *name)
{
	static char text[128];
	struct feed *f = new_feed();
	struct result r;

	say_hello(f, &w0, name);
	go(f, &r);
	snprintf(text, sizeof(text), "%s", fared(&r, 1));
	result_free(&r);
	return text;
}

static void test_phases_in_order(void **state)
{
	(void)state;
	drop_rule("names", KD_PHASE_NAMES_BLOCKED, named(LISTED));
	drop_rule("tls", KD_PHASE_PROTOCOL, is_tls());
	drop_rule("rest", KD_PHASE_FALLBACK, YES);
	assert_string_equal(hello_fares("listed.example"), "drop drop.trigger 1");
	assert_string_equal(hello_fares("x.example"), "drop drop.trigger 2");
}

static void test_first_in_phase(void **state)
{
	(void)state;
	drop_rule("no", KD_PHASE_PROTOCOL, NO);
	drop_rule("first", KD_PHASE_PROTOCOL, is_tls());
	drop_rule("second", KD_PHASE_PROTOCOL, YES);
	assert_string_equal(hello_fares("x.example"), "drop drop.trigger 2");
}

/* ---- allow ---- */

static void test_allow_closes_its_phases(void **state)
{
	uint16_t listed = named(LISTED);
	struct feed *f = new_feed();
	struct result r;

	(void)state;
	allow_rule("pass", KD_PHASE_NAMES_ALLOWED, listed, PHASE(NAMES_BLOCKED) | PHASE(FALLBACK));
	drop_rule("names", KD_PHASE_NAMES_BLOCKED, listed);
	drop_rule("rest", KD_PHASE_FALLBACK, YES);
	say_hello(f, &w0, "listed.example");
	say_text(f, &w0, KD_OUTSIDE, "answer");
	go(f, &r);
	assert_string_equal(fared(&r, 1), "emit decide.allowed");
	assert_string_equal(fared(&r, 2), "emit decide.allowed");
	assert_int_equal(verdicts(&r, 1, REASON(ALLOWED)), 1);
	assert_int_equal(last_flow(&r)->reason, REASON(ALLOWED));
	assert_int_equal(last_flow(&r)->outcome, KD_OUTCOME_PASSED);
	assert_int_equal(last_flow(&r)->armed, 1);
	result_free(&r);
	assert_string_equal(hello_fares("x.example"), "drop drop.trigger 3");
}

static void test_allow_closes_no_other(void **state)
{
	uint16_t listed = named(LISTED);

	(void)state;
	allow_rule("pass", KD_PHASE_NAMES_ALLOWED, listed, PHASE(NAMES_BLOCKED) | PHASE(FALLBACK));
	drop_rule("names", KD_PHASE_NAMES_BLOCKED, listed);
	drop_rule("tls", KD_PHASE_PROTOCOL, is_tls());
	assert_string_equal(hello_fares("listed.example"), "drop drop.trigger 3");
}

/* For the rest of the flow: a SYN is let through by its address, and its payload later is not unknown to
 * anybody. Told once. */
static void test_allow_lasts(void **state)
{
	struct feed *f = new_feed();
	struct result r;

	(void)state;
	allow_rule("pass", KD_PHASE_ADDRESSES, to_server(), PHASE(DEFAULT));
	allow_rule("again", KD_PHASE_NAMES_ALLOWED, YES, PHASE(DEFAULT));
	drop_rule("deny", KD_PHASE_DEFAULT, YES);
	add(f, &w0, KD_INSIDE, T0, KD_TCP_SYN, 1000, NULL, 0);
	say_text(f, &w0, KD_INSIDE, "anything");
	say_text(f, &w0, KD_INSIDE, "anything");
	go(f, &r);
	assert_int_equal(r.count.fates[KD_EMIT], 3);
	assert_int_equal(verdicts(&r, 1, REASON(ALLOWED)), 1);
	assert_int_equal(verdicts(&r, 2, REASON(ALLOWED)), 0); /* nothing was left to close */
	result_free(&r);
}

/* An allow that chance missed is none: what comes behind it in its phase is asked. */
static void test_allow_missed(void **state)
{
	(void)state;
	rules[allow_rule("pass", KD_PHASE_NAMES_ALLOWED, YES, PHASE(NAMES_BLOCKED))].miss = ALL;
	drop_rule("behind", KD_PHASE_NAMES_ALLOWED, YES);
	assert_string_equal(hello_fares("listed.example"), "drop drop.trigger 2");
}

/* An allow that waits for a part of its match lets nobody through; told once. */
static void test_allow_inert(void **state)
{
	struct feed *f = new_feed();
	struct result r;
	uint16_t pass;

	(void)state;
	pass = allow_rule("not-chrome", KD_PHASE_NAMES_ALLOWED, YES, PHASE(NAMES_BLOCKED));
	rules[pass].inert = true;
	allow_rule("own", KD_PHASE_NAMES_ALLOWED, named(OWN), PHASE(NAMES_BLOCKED));
	drop_rule("names", KD_PHASE_NAMES_BLOCKED, named(LISTED));
	say_text(f, &w0, KD_INSIDE, "x");
	say_hello(f, &w0, "listed.example");
	go(f, &r);
	assert_string_equal(fared(&r, 2), "drop drop.trigger 3");
	assert_int_equal(verdicts(&r, pass, REASON(PENDING)), 1);
	assert_int_equal(verdicts(&r, pass, REASON(ALLOWED)), 0);
	result_free(&r);
	/* The next of its phase is asked. */
	assert_string_equal(hello_fares("own.listed.example"), "emit decide.allowed");
}

/* ---- else ---- */

static void test_else_upstream_only(void **state)
{
	uint16_t first, other;

	(void)state;
	first = reset_rule("sni-i", KD_PHASE_NAMES_BLOCKED, named(LISTED), REWRITE);
	other = drop_rule("sni-iv", KD_PHASE_PROTOCOL, named(OWN));
	rules[first].other = other;
	/* It sees the answers: the first acts, whatever stands behind it. */
	assert_string_equal(hello_fares("own.listed.example"), "emit reset.armed 1");
	policy.box.sees = KD_SEES_UPSTREAM;
	assert_string_equal(hello_fares("own.listed.example"), "drop drop.trigger 2");
	/* Only for names of its own set. */
	assert_string_equal(hello_fares("listed.example"), "emit decide.could_not_act");
}

/* A forged RST needs no view of the answers. */
static void test_inject_needs_no_answers(void **state)
{
	(void)state;
	reset_rule("rst", KD_PHASE_NAMES_BLOCKED, named(LISTED), INJECT);
	policy.box.sees = KD_SEES_UPSTREAM;
	assert_string_equal(hello_fares("listed.example"), "emit reset.injecting 1");
}

static void test_reset_needs_tcp(void **state)
{
	for (unsigned int form = REWRITE; form <= INJECT; form++) {
		struct feed *f = new_feed();
		struct result r;

		start(state);
		rules[reset_rule("rst", KD_PHASE_PROTOCOL, YES, form)].other = 2;
		drop_rule("drop", KD_PHASE_PROTOCOL,
			term(TERM(.kind = KD_TERM_TRANSPORT, .mask = KD_TRANSPORT_UDP)));
		add_ip(f, &w0, KD_INSIDE, T0, KD_PROTO_UDP, (const uint8_t *)"x", 1);
		go(f, &r);
		assert_string_equal(fared(&r, 1), "drop drop.trigger 2");
		result_free(&r);
	}
}

/* Nobody of the chain can act: told once, later phases go on, and if they do nothing the flow is armed by the
 * chain's first. */
static void test_could_not_act(void **state)
{
	struct feed *f = new_feed();
	struct result r;

	(void)state;
	rules[reset_rule("rst", KD_PHASE_PROTOCOL, YES, INJECT)].other = 2;
	reset_rule("cut", KD_PHASE_PROTOCOL, YES, REWRITE);
	for (unsigned int i = 0; i < 3; i++)
		add_ip(f, &w0, KD_INSIDE, T0 + i, KD_PROTO_UDP, (const uint8_t *)"x", 1);
	go(f, &r);
	assert_int_equal(r.count.fates[KD_EMIT], 3);
	assert_int_equal(verdicts(&r, 1, REASON(COULD_NOT_ACT)), 1);
	assert_int_equal(count_of(&r, KD_EVENT_VERDICT, NULL), 1);
	assert_int_equal(last_flow(&r)->armed, 1);
	assert_int_equal(last_flow(&r)->reason, REASON(COULD_NOT_ACT));
	result_free(&r);

	f = new_feed();
	drop_rule("rest", KD_PHASE_FALLBACK, YES);
	for (unsigned int i = 0; i < 3; i++)
		add_ip(f, &w0, KD_INSIDE, T0 + i, KD_PROTO_UDP, (const uint8_t *)"x", 1);
	go(f, &r);
	assert_string_equal(fared(&r, 3), "drop drop.trigger 3");
	result_free(&r);
}

/* Eight rules may stand behind the first; a ring of them ends as well. */
static void test_else_is_bounded(void **state)
{
	struct feed *f;
	struct result r;

	for (unsigned int behind = 8; behind <= 9; behind++) {
		start(state);
		for (unsigned int i = 1; i <= behind; i++)
			rules[reset_rule("rst", KD_PHASE_PROTOCOL, YES, INJECT)].other = (uint16_t)(i + 1);
		drop_rule("last", KD_PHASE_PROTOCOL, YES);
		f = new_feed();
		add_ip(f, &w0, KD_INSIDE, T0, KD_PROTO_UDP, (const uint8_t *)"x", 1);
		go(f, &r);
		assert_int_equal(r.count.fates[KD_DROP], behind == 8);
		result_free(&r);
	}
	start(state);
	rules[reset_rule("rst", KD_PHASE_PROTOCOL, YES, INJECT)].other = 1;
	f = new_feed();
	add_ip(f, &w0, KD_INSIDE, T0, KD_PROTO_UDP, (const uint8_t *)"x", 1);
	go(f, &r);
	assert_string_equal(fared(&r, 1), "emit classify.unknown");
	result_free(&r);
}

/* What an allow has closed is not entered by way of an else. */
static void test_else_into_closed_phase(void **state)
{
	uint16_t first;

	(void)state;
	policy.box.sees = KD_SEES_UPSTREAM;
	allow_rule("pass", KD_PHASE_NAMES_ALLOWED, YES, PHASE(PROTOCOL));
	first = reset_rule("sni-i", KD_PHASE_NAMES_BLOCKED, YES, REWRITE);
	rules[first].other = drop_rule("sni-iv", KD_PHASE_PROTOCOL, YES);
	assert_string_equal(hello_fares("x.example"), "emit decide.could_not_act");
}

/* A rule that only watches does not act by way of an else, whatever its mechanism. */
static void test_else_to_one_that_watches(void **state)
{
	(void)state;
	drop_rule("watch", KD_PHASE_OBSERVE, YES);
	rules[reset_rule("cut", KD_PHASE_PROTOCOL, YES, REWRITE)].other = 1;
	policy.box.sees = KD_SEES_UPSTREAM;
	assert_string_equal(hello_fares("x.example"), "emit decide.could_not_act");
}

/* An allow that opens nothing, for chance or because it waits, opens nothing by way of an else. */
static void test_else_to_an_allow(void **state)
{
	uint16_t first, other;

	(void)state;
	policy.box.sees = KD_SEES_UPSTREAM;
	first = reset_rule("cut", KD_PHASE_NAMES_BLOCKED, YES, REWRITE);
	other = allow_rule("pass", KD_PHASE_PROTOCOL, YES, PHASE(FALLBACK));
	drop_rule("rest", KD_PHASE_FALLBACK, YES);
	rules[first].other = other;
	assert_string_equal(hello_fares("x.example"), "emit decide.allowed");
	rules[other].first_term = term(TERM(.kind = KD_TERM_TRANSPORT, .mask = KD_TRANSPORT_TCP));
	rules[other].miss = ALL;
	assert_string_equal(hello_fares("x.example"), "drop drop.trigger 3");
	rules[other].miss = 0;
	rules[other].inert = true;
	assert_string_equal(hello_fares("x.example"), "drop drop.trigger 3");
}

/* What goes to the inside is not there to be dropped. */
static void test_drop_needs_downstream(void **state)
{
	static const uint8_t to_inside = 1, to_outside = 2; /* as in the words of its option */
	uint16_t first;

	(void)state;
	policy.box.sees = KD_SEES_UPSTREAM;
	first = drop_rule("answers", KD_PHASE_NAMES_BLOCKED, YES);
	rules[first].other = drop_rule("all", KD_PHASE_PROTOCOL, NO);
	rules[first].params[0] = to_inside;
	assert_string_equal(hello_fares("x.example"), "emit decide.could_not_act");
	rules[rules[first].other].first_term = YES;
	assert_string_equal(hello_fares("x.example"), "drop drop.trigger 2");
	rules[first].params[0] = to_outside;
	assert_string_equal(hello_fares("x.example"), "drop drop.trigger 1");
}

/* ---- default and fallback ---- */

static void test_deny(void **state)
{
	static const uint8_t alert[] = {0x15, 3, 3, 0, 2, 2, 40}; /* TLS, and not a hello: it may come yet */
	struct who other = from_port(40001), third = from_port(40002);
	struct feed *f = new_feed();
	struct result r;

	(void)state;
	allow_rule("pass", KD_PHASE_NAMES_ALLOWED, named(ALLOWED), PHASE(DEFAULT));
	drop_rule("deny", KD_PHASE_DEFAULT, YES);
	add(f, &w0, KD_INSIDE, T0, KD_TCP_SYN, 1000, NULL, 0);
	say_text(f, &w0, KD_INSIDE, "SSH-2.0");
	say_text(f, &w0, KD_INSIDE, "SSH-2.0");
	say_hello(f, &other, "allowed.example");
	say_text(f, &other, KD_OUTSIDE, "answer");
	say(f, &third, KD_INSIDE, alert, sizeof(alert));
	say_hello(f, &third, "listed.example");
	add_ip(f, &w0, KD_INSIDE, T0 + SEC, KD_PROTO_ICMP, NULL, 0);
	go(f, &r);
	assert_string_equal(fared(&r, 1), "emit flow.no_payload");
	assert_string_equal(fared(&r, 2), "drop drop.trigger 2");
	assert_string_equal(fared(&r, 3), "drop drop.later 2");
	assert_string_equal(fared(&r, 4), "emit decide.allowed");
	assert_string_equal(fared(&r, 5), "emit decide.allowed");
	assert_string_equal(fared(&r, 6), "emit tls.other_record");
	assert_string_equal(fared(&r, 7), "drop drop.trigger 2");
	assert_string_equal(fared(&r, 8), "drop drop.trigger 2");
	result_free(&r);
}

/* The n-th packet looked at of both sides; before that, what nobody recognises is waited for. */
static void test_fallback_after(void **state)
{
	for (unsigned int n = 0; n <= 4; n++) {
		struct feed *f = new_feed();
		struct result r;

		start(state);
		policy.settings.fallback_pkts = n;
		drop_rule("rest", KD_PHASE_FALLBACK, YES);
		for (unsigned int i = 0; i < 5; i++)
			say_text(f, &w0, i % 2, "x");
		go(f, &r);
		assert_int_equal(r.count.fates[KD_DROP], n == 0 ? 5 : 6 - n);
		assert_int_equal(r.count.reasons[KD_REASON_CLASSIFY_UNKNOWN], n == 0 ? 0 : n - 1);
		result_free(&r);
	}
}

/* Recognised and nobody's: at once. */
static void test_fallback_recognised(void **state)
{
	(void)state;
	policy.settings.fallback_pkts = 10;
	drop_rule("names", KD_PHASE_NAMES_BLOCKED, named(LISTED));
	drop_rule("rest", KD_PHASE_FALLBACK, YES);
	assert_string_equal(hello_fares("x.example"), "drop drop.trigger 2");
}

/* The budget of a side is spent: asked once, not for each packet to come. */
static void test_fallback_budget(void **state)
{
	for (unsigned int want = 2; want <= 4; want++) {
		struct feed *f = new_feed();
		struct result r;

		start(state);
		policy.settings.fallback_pkts = UINT32_MAX;
		policy.settings.inspect_pkts = 2;
		drop_rule("rest", KD_PHASE_FALLBACK,
			term(TERM(.kind = KD_TERM_LENGTH, .n = 1, .spans = &(struct kd_span){want, want})));
		for (unsigned int i = 1; i <= 5; i++)
			say(f, &w0, KD_INSIDE, "xxxxx", i); /* as long as its number */
		go(f, &r);
		assert_int_equal(r.count.fates[KD_DROP], want == 3 ? 3 : 0);
		assert_int_equal(r.count.reasons[KD_REASON_CLASSIFY_UNKNOWN], 2);
		assert_int_equal(r.count.reasons[KD_REASON_CLASSIFY_BUDGET], want == 3 ? 0 : 3);
		result_free(&r);
	}
}

/* A budget of more than a flow can count is a large one, not a small one. */
static void test_budget_is_clamped(void **state)
{
	static struct kd_action actions[KD_OUT_ROOM(1)];
	struct kd_out out = {.actions = actions, .room = KD_OUT_ROOM(1)};
	struct feed *f = new_feed();
	const struct kd_counters *c;
	struct kd_engine *e;

	(void)state;
	policy.settings.inspect_pkts = UINT32_MAX;
	e = engine(4, 64);
	c = kd_engine_counters(e);
	say_text(f, &w0, KD_INSIDE, "x");
	for (unsigned int i = 0; i < 70000; i++)
		kd_engine_burst(e, f->pkt, 1, &out);
	assert_int_equal(c->reasons[KD_REASON_CLASSIFY_UNKNOWN], 65534);
	assert_int_equal(c->reasons[KD_REASON_CLASSIFY_BUDGET], 70000 - 65534);
	kd_engine_free(e);
	feed_free(f);
}

/* ---- observe ---- */

/* Every one that matches, once a flow, whatever its `then` says; the flow goes on. */
static void test_observe(void **state)
{
	struct who other = from_port(40001);
	struct feed *f = new_feed();
	struct result r;

	(void)state;
	watch_rule("all", YES);
	drop_rule("with-then", KD_PHASE_OBSERVE, YES);
	watch_rule("none", NO);
	watch_rule("short", term(TERM(.kind = KD_TERM_LENGTH, .n = 1, .spans = &(struct kd_span){1, 9})));
	for (unsigned int i = 0; i < 3; i++)
		say_text(f, &w0, KD_INSIDE, "x");
	say_hello(f, &other, "x.example");
	go(f, &r);
	assert_int_equal(r.count.fates[KD_EMIT], 4);
	assert_string_equal(fared(&r, 1), "emit classify.unknown");
	assert_string_equal(fared(&r, 4), "emit decide.no_rule");
	assert_int_equal(verdicts(&r, 1, REASON(OBSERVED)), 2);
	assert_int_equal(verdicts(&r, 2, REASON(OBSERVED)), 2);
	assert_int_equal(verdicts(&r, 3, REASON(OBSERVED)), 0);
	assert_int_equal(verdicts(&r, 4, REASON(OBSERVED)), 1);
	assert_int_equal(last_flow(&r)->armed, 0);
	result_free(&r);
}

/* An allow may close it, too; whether anybody counts makes no difference. */
static void test_observe_closed(void **state)
{
	for (unsigned int counts = 0; counts < 2; counts++) {
		struct feed *f = new_feed();
		struct result r;

		start(state);
		allow_rule("unwatched", KD_PHASE_ADDRESSES, to_server(), PHASE(OBSERVE));
		watch_rule("all", YES);
		drop_rule("never", KD_PHASE_PROTOCOL, NO);
		counters[0] = (struct kd_counter){
			.rule = 3, .keys = KD_KEY_CLIENT, .window_ns = SEC, .more_than = 1};
		policy.ncounters = counts;
		say_text(f, &w0, KD_INSIDE, "x");
		add_ip(f, &w0, KD_INSIDE, T0 + SEC, KD_PROTO_ICMP, NULL, 0);
		go(f, &r);
		assert_int_equal(verdicts(&r, 1, REASON(ALLOWED)), 2);
		assert_int_equal(verdicts(&r, 2, REASON(OBSERVED)), 0);
		result_free(&r);
	}
}

static void test_observe_sees_other_protocols(void **state)
{
	struct feed *f = new_feed();
	struct result r;

	(void)state;
	watch_rule("icmp", term(TERM(.kind = KD_TERM_TRANSPORT, .mask = KD_TRANSPORT_ICMP)));
	for (unsigned int i = 0; i < 2; i++)
		add_ip(f, &w0, KD_INSIDE, T0, KD_PROTO_ICMP, NULL, 0);
	go(f, &r);
	assert_int_equal(verdicts(&r, 1, REASON(OBSERVED)), 1);
	assert_string_equal(fared(&r, 2), "emit flow.other_protocol");
	result_free(&r);
}

static void test_already(void **state)
{
	static const char *const said[] = {"y", "x", "y", "y"};
	static const uint8_t x[] = "x", whole[] = {0xff};
	static const struct kd_byte_run is_x = {0, 1, x, whole};
	struct feed *f = new_feed();
	uint16_t watch, look;
	struct result r;

	(void)state;
	watch_rule("not-asked-for", YES); /* its own memory is another */
	watch = watch_rule("saw-x", term(TERM(.kind = KD_TERM_BYTES, .n = 1, .runs = &is_x)));
	rules[watch].seen_bit = 1;
	look = term(TERM(.kind = KD_TERM_ALREADY, .set = 0));
	and_then(look, TERM(.kind = KD_TERM_NTH, .n = 1, .spans = &(struct kd_span){1, 3}));
	terms[look].on_false = NO;
	drop_rule("after-x", KD_PHASE_PROTOCOL, look);
	for (unsigned int i = 0; i < 4; i++)
		say_text(f, &w0, i == 1, said[i]);
	go(f, &r);
	assert_string_equal(fared(&r, 1), "emit classify.unknown");
	assert_string_equal(fared(&r, 2), "drop drop.trigger 3"); /* observe comes before protocol */
	assert_string_equal(fared(&r, 3), "drop drop.later 3");
	result_free(&r);
}

/* The other way to ask: the rule had hold of the flow. */
static void test_already_held(void **state)
{
	struct feed *f = new_feed();
	uint16_t held;
	struct result r;

	(void)state;
	held = drop_rule("hold", KD_PHASE_NAMES_BLOCKED, named(LISTED));
	rules[held].residual_ns = SEC;
	drop_rule("again", KD_PHASE_PROTOCOL, term(TERM(.kind = KD_TERM_ALREADY, .set = 63, .mask = held)));
	say_text(f, &w0, KD_INSIDE, "x");
	say_hello(f, &w0, "listed.example");
	say_text(f, &w0, KD_INSIDE, "x");
	f->pkt[2].time_ns = T0 + 10 * SEC;
	go(f, &r);
	assert_string_equal(fared(&r, 1), "emit classify.unknown");
	assert_string_equal(fared(&r, 2), "drop drop.trigger 1");
	assert_string_equal(fared(&r, 3), "drop drop.trigger 2");
	result_free(&r);
}

/* ---- pending ---- */

static void test_inert(void **state)
{
	uint16_t it;

	(void)state;
	it = drop_rule("residual-is-pending", KD_PHASE_NAMES_BLOCKED, YES);
	drop_rule("behind", KD_PHASE_PROTOCOL, YES);
	rules[it].pending = "residual:prefix";
	rules[it].inert = true;
	assert_string_equal(hello_fares("x.example"), "emit decide.pending");
	/* A protocol that does not exist yet is only never recognised. */
	rules[it].pending = "protocol:quic";
	rules[it].inert = false;
	assert_string_equal(hello_fares("x.example"), "drop drop.trigger 1");
}

/* ---- a box that sees upstream only ---- */

static void test_upstream_only(void **state)
{
	struct feed *f = new_feed();
	struct result r;

	(void)state;
	policy.box.sees = KD_SEES_UPSTREAM;
	drop_rule("everything", KD_PHASE_ADDRESSES, term(TERM(.kind = KD_TERM_FROM, .of = KD_OUTSIDE)));
	drop_rule("names", KD_PHASE_NAMES_BLOCKED, named(LISTED));
	say_text(f, &w0, KD_OUTSIDE, "x");
	add_ip(f, &w0, KD_OUTSIDE, T0 + SEC, KD_PROTO_ICMP, NULL, 0);
	go(f, &r);
	assert_string_equal(fared(&r, 1), "emit box.not_seen");
	assert_string_equal(fared(&r, 2), "emit box.not_seen");
	assert_int_equal(r.count.in[KD_OUTSIDE], 2);
	assert_int_equal(r.count.flows_new, 0);
	assert_int_equal(r.events, 0);
	result_free(&r);
	f = new_feed();
	say_hello(f, &w0, "listed.example");
	say_text(f, &w0, KD_OUTSIDE, "answer");
	say_text(f, &w0, KD_INSIDE, "more");
	go(f, &r);
	assert_string_equal(fared(&r, 1), "drop drop.trigger 2");
	assert_string_equal(fared(&r, 2), "emit box.not_seen"); /* though the rule drops both ways */
	assert_string_equal(fared(&r, 3), "drop drop.later 2");
	assert_int_equal(last_flow(&r)->pkts[KD_OUTSIDE], 0);
	result_free(&r);
}

#define TEST(name) cmocka_unit_test_setup(name, start)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_phases_in_order),
		TEST(test_first_in_phase),
		TEST(test_allow_closes_its_phases),
		TEST(test_allow_closes_no_other),
		TEST(test_allow_lasts),
		TEST(test_allow_missed),
		TEST(test_allow_inert),
		TEST(test_else_upstream_only),
		TEST(test_inject_needs_no_answers),
		TEST(test_reset_needs_tcp),
		TEST(test_could_not_act),
		TEST(test_else_is_bounded),
		TEST(test_else_into_closed_phase),
		TEST(test_else_to_one_that_watches),
		TEST(test_else_to_an_allow),
		TEST(test_drop_needs_downstream),
		TEST(test_deny),
		TEST(test_fallback_after),
		TEST(test_fallback_recognised),
		TEST(test_fallback_budget),
		TEST(test_budget_is_clamped),
		TEST(test_observe),
		TEST(test_observe_closed),
		TEST(test_observe_sees_other_protocols),
		TEST(test_already),
		TEST(test_already_held),
		TEST(test_inert),
		TEST(test_upstream_only),
	};

	return cmocka_run_group_tests(tests, make_sets, drop_sets);
}
