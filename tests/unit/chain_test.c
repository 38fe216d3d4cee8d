/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Boxes in series: what one does to a packet is what the next one sees, what it injects crosses the others,
 * every packet of the driver ends once, every sum adds up, and no burst size shows. Expectations follow from
 * what a RST on a wire between two boxes must do.
 */
#include "feed.h"

#include <errno.h>

#include "drivers/chain.h"

/* What `then` of reset and drop say, as their files lay it out: two bytes each. */
#define REWRITE_TO_INSIDE                                                                                    \
	{                                                                                                    \
		0, 0                                                                                         \
	}
#define REWRITE_TO_OUTSIDE                                                                                   \
	{                                                                                                    \
		0, 1                                                                                         \
	}
#define INJECT_BOTH                                                                                          \
	{                                                                                                    \
		1, 2                                                                                         \
	}
#define DROP_BOTH                                                                                            \
	{                                                                                                    \
		0                                                                                            \
	}
#define DROP_TO_INSIDE                                                                                       \
	{                                                                                                    \
		1                                                                                            \
	}

struct box {
	struct kd_policy policy;
	struct kd_rule rules[2];
};

#define BOX(m, ...)                                                                                          \
	make_box(KD_MECHANISM_##m, KD_SEES_BOTH, UINT64_MAX, (const uint8_t[])__VA_ARGS__,                   \
		sizeof((const uint8_t[])__VA_ARGS__))
#define UPSTREAM_BOX(m, ...)                                                                                 \
	make_box(KD_MECHANISM_##m, KD_SEES_UPSTREAM, UINT64_MAX, (const uint8_t[])__VA_ARGS__,               \
		sizeof((const uint8_t[])__VA_ARGS__))
/* Has a rule, on no node: it looks and does nothing. */
#define QUIET_BOX make_box(KD_MECHANISM_drop, KD_SEES_BOTH, 0, (const uint8_t[])DROP_BOTH, 1)

static struct box make_box(
	unsigned int mechanism, uint8_t sees, uint64_t presence, const uint8_t *params, size_t nparams)
{
	struct box b = {.policy = policy};

	b.rules[1] = rules[1];
	b.rules[1].mechanism = (uint8_t)mechanism;
	b.rules[1].presence = presence;
	memcpy(b.rules[1].params, params, nparams);
	b.policy.box.sees = sees;
	return b;
}

struct outcome {
	struct result r;
	struct kd_counters box[3];
	char *seen;
	size_t seen_len;
	FILE *seen_to;
};

static void on_seen(void *user, const struct kd_action *a)
{
	static const char *const fates[] = {"emit", "rewrite", "drop", "hold", "inject"};
	struct outcome *o = user;

	fprintf(o->seen_to, "%lu %u %s %c %s%s\n", (unsigned long)a->number, a->box, fates[a->fate],
		a->side == KD_OUTSIDE ? '>' : '<', kd_reason_name(a->reason), a->handle == NULL ? " -" : "");
}

static struct kd_chain *make_chain(struct box *boxes, unsigned int n, uint32_t injects_max, struct outcome *o)
{
	const struct kd_policy *policies[3];
	struct kd_chain_config config = {.policies = policies,
		.n = n,
		.engine = KD_ENGINE_CONFIG_DEFAULT,
		.injects_max = injects_max,
		.seen = o != NULL ? on_seen : NULL,
		.user = o};
	struct kd_chain *c = NULL;

	for (unsigned int i = 0; i < n; i++) {
		boxes[i].policy.rules = boxes[i].rules;
		policies[i] = &boxes[i].policy;
	}
	config.engine.flow_ids = true;
	config.engine.flows4_max = 64;
	config.engine.flows6_max = 4;
	assert_int_equal(kd_chain_new(&c, &config), 0);
	return c;
}

static void drain_chain(struct kd_chain *c, struct result *r)
{
	unsigned int got;

	do {
		r->event = realloc(r->event, (r->events + 64) * sizeof(*r->event));
		memset(r->event + r->events, 0, 64 * sizeof(*r->event));
		got = kd_chain_events(c, r->event + r->events, 64);
		r->events += got;
	} while (got == 64);
	assert_null(kd_chain_unbalanced(c));
}

/* As run_on of one engine. */
static void run_chain(struct box *boxes, unsigned int n, uint32_t injects_max, const struct feed *from,
	unsigned int burst, unsigned int ticks, struct outcome *o)
{
	static struct kd_action actions[KD_BURST_MAX * 8 + 3 * KD_HELD_MAX];
	struct kd_out out = {.actions = actions, .room = kd_chain_out_room(n, burst)};
	struct feed *f = malloc(sizeof(*f));
	struct kd_chain *c;
	FILE *to;

	memset(o, 0, sizeof(*o));
	o->seen_to = open_memstream(&o->seen, &o->seen_len);
	to = open_memstream(&o->r.actions, &o->r.actions_len);
	c = make_chain(boxes, n, injects_max, o);
	copy_feed(f, from);
	for (unsigned int at = 0; at < f->n; at += burst) {
		unsigned int some = f->n - at < burst ? f->n - at : burst;
		uint64_t before = at == 0 ? f->pkt[0].time_ns : f->pkt[at - 1].time_ns;

		for (unsigned int i = 0; i < ticks; i++) {
			kd_chain_advance(c, before + (f->pkt[at].time_ns - before) * i / ticks, &out);
			take(&o->r, to, &out);
		}
		kd_chain_burst(c, f->pkt + at, some, &out);
		assert_true(out.count <= out.room);
		take(&o->r, to, &out);
		drain_chain(c, &o->r);
	}
	kd_chain_release(c, &out);
	take(&o->r, to, &out);
	while (kd_chain_finish(c) != 0)
		drain_chain(c, &o->r);
	drain_chain(c, &o->r);
	fclose(to);
	fclose(o->seen_to);
	qsort(o->r.event, o->r.events, sizeof(*o->r.event), by_key);
	o->r.count = *kd_chain_counters(c);
	assert_null(kd_counters_unbalanced(&o->r.count));
	assert_int_equal(o->r.count.held, 0);
	for (unsigned int i = 0; i < n; i++)
		o->box[i] = *kd_chain_box_counters(c, i);
	kd_chain_free(c);
	feed_free(f);
}

static void outcome_free(struct outcome *o)
{
	result_free(&o->r);
	free(o->seen);
}

static struct feed *one_talk(void)
{
	static const struct who w = {0xc6120002, 0xcb00710a, 40000};
	struct feed *f = calloc(1, sizeof(*f));

	talk(f, &w, T0, "www.listed.example");
	return f;
}

static void has(const struct outcome *o, const char *lines)
{
	if (strstr(o->seen, lines) == NULL)
		fail_msg("no\n%s in\n%s", lines, o->seen);
}

static void has_not(const struct outcome *o, const char *lines)
{
	if (strstr(o->seen, lines) != NULL)
		fail_msg("unexpected\n%s in\n%s", lines, o->seen);
}

static uint64_t in_of(const struct kd_counters *c)
{
	return c->in[KD_INSIDE] + c->in[KD_OUTSIDE];
}

/* The second box resets: its RST to the inside passes the first, that to the outside does not. */
static void second_resets(void **state)
{
	struct box boxes[2] = {QUIET_BOX, BOX(reset, INJECT_BOTH)};
	struct feed *f = one_talk();
	struct outcome o;

	(void)state;
	run_chain(boxes, 2, 0, f, 1, 0, &o);
	has(&o, "4 0 emit > decide.no_rule\n4 1 emit > reset.injecting\n4 1 inject > reset.to_receiver -\n"
		"4 1 inject < reset.to_sender -\n4 0 emit < decide.no_rule -\n");
	assert_int_equal(in_of(&o.r.count), 5);
	assert_int_equal(in_of(&o.box[0]), 6);
	assert_int_equal(in_of(&o.box[1]), 5);
	assert_int_equal(o.box[0].in[KD_OUTSIDE], 3);
	assert_int_equal(o.r.count.fates[KD_INJECT], 2);
	assert_int_equal(o.r.count.fates[KD_EMIT], 5);
	/* Records of the first box about the forged packet stand behind those about what it answers. */
	for (unsigned int i = 1; i < o.r.events; i++)
		assert_true(by_key(&o.r.event[i - 1], &o.r.event[i]) < 0);
	outcome_free(&o);
	feed_free(f);
}

/* The first box resets too: what it sends to the outside, the second sees before what it makes of it. */
static void first_resets(void **state)
{
	struct box boxes[2] = {BOX(reset, INJECT_BOTH), QUIET_BOX};
	struct feed *f = one_talk();
	struct outcome o;

	(void)state;
	run_chain(boxes, 2, 0, f, 1, 0, &o);
	has(&o, "4 0 emit > reset.injecting\n4 0 inject > reset.to_receiver -\n4 0 inject < reset.to_sender "
		"-\n"
		"4 1 emit > decide.no_rule\n4 1 emit > decide.no_rule -\n");
	assert_int_equal(in_of(&o.box[0]), 5);
	assert_int_equal(in_of(&o.box[1]), 6);
	assert_int_equal(o.r.count.fates[KD_INJECT], 2);
	outcome_free(&o);
	feed_free(f);
}

/* The first box drops what goes to the inside, so also what the second one forged. */
static void first_drops_injected(void **state)
{
	struct box boxes[2] = {BOX(drop, DROP_TO_INSIDE), BOX(reset, INJECT_BOTH)};
	struct feed *f = one_talk();
	struct outcome o;

	(void)state;
	run_chain(boxes, 2, 0, f, 1, 0, &o);
	has(&o, "4 0 emit > drop.other_way\n4 1 emit > reset.injecting\n4 1 inject > reset.to_receiver -\n"
		"4 1 inject < reset.to_sender -\n4 0 drop < drop.later -\n");
	assert_int_equal(o.r.count.fates[KD_INJECT], 1);
	assert_int_equal(o.r.count.inject_refused, 1);
	/* The answer, and nobody else's packet. */
	assert_int_equal(o.r.count.fates[KD_DROP], 1);
	assert_int_equal(o.box[0].fates[KD_DROP], 2);
	assert_int_equal(o.box[1].fates[KD_INJECT], 2);
	outcome_free(&o);
	feed_free(f);
}

/* It rewrites it: the packet stays an injected one, of no handle. */
static void first_rewrites(void **state)
{
	struct box boxes[2] = {BOX(reset, REWRITE_TO_INSIDE), BOX(reset, INJECT_BOTH)};
	struct feed *f = one_talk();
	struct outcome o;

	(void)state;
	run_chain(boxes, 2, 0, f, 1, 0, &o);
	has(&o, "4 1 inject < reset.to_sender -\n4 0 rewrite < reset.rewritten -\n");
	has(&o, "5 1 emit < flow.done\n5 0 rewrite < reset.rewritten\n");
	assert_int_equal(o.r.count.fates[KD_REWRITE], 1);
	assert_int_equal(o.box[0].fates[KD_REWRITE], 2);
	assert_int_equal(o.r.count.fates[KD_INJECT], 2);
	outcome_free(&o);
	feed_free(f);
}

/* From the outside the last box comes first: what it drops the first never sees. */
static void order_of_boxes(void **state)
{
	struct box boxes[3] = {QUIET_BOX, BOX(drop, DROP_TO_INSIDE), BOX(reset, REWRITE_TO_INSIDE)};
	struct feed *f = one_talk();
	struct outcome o;

	(void)state;
	run_chain(boxes, 3, 0, f, 1, 0, &o);
	has(&o, "1 0 emit > flow.no_payload\n1 1 emit > flow.no_payload\n1 2 emit > flow.no_payload\n");
	has(&o, "2 2 emit < flow.no_payload\n2 1 emit < flow.no_payload\n2 0 emit < flow.no_payload\n");
	has(&o, "5 2 rewrite < reset.rewritten\n5 1 drop < drop.later\n");
	has_not(&o, "5 0 ");
	/* Dropped is what it is, whatever was done to it before. */
	assert_int_equal(o.r.count.fates[KD_REWRITE], 0);
	assert_int_equal(o.r.count.fates[KD_DROP], 1);
	assert_int_equal(in_of(&o.box[0]), 4);
	outcome_free(&o);
	feed_free(f);
}

/* Two boxes hold one flow, a direction each; the second sees only what comes from the inside. */
static void upstream_only(void **state)
{
	struct box boxes[2] = {QUIET_BOX, UPSTREAM_BOX(drop, DROP_BOTH)};
	struct feed *f = one_talk();
	struct outcome o;

	(void)state;
	run_chain(boxes, 2, 0, f, 1, 0, &o);
	has(&o, "4 0 emit > decide.no_rule\n4 1 drop > drop.trigger\n");
	has(&o, "5 1 emit < box.not_seen\n5 0 emit < ");
	assert_int_equal(o.box[1].reasons[KD_REASON_BOX_NOT_SEEN], 2);
	outcome_free(&o);
	feed_free(f);
}

/* Each box draws flow ids of its own, and each has its records. */
static void records(void **state)
{
	struct box boxes[2] = {QUIET_BOX, BOX(drop, DROP_BOTH)};
	struct feed *f = one_talk();
	unsigned int flows[2] = {0}, verdicts[2] = {0};
	uint64_t id[2] = {0};
	struct outcome o;

	(void)state;
	run_chain(boxes, 2, 0, f, 3, 0, &o);
	for (unsigned int i = 0; i < o.r.events; i++) {
		const struct kd_event *e = &o.r.event[i];

		assert_true(e->box < 2);
		flows[e->box] += e->type == KD_EVENT_FLOW;
		verdicts[e->box] += e->type == KD_EVENT_VERDICT;
		assert_true(id[e->box] == 0 || id[e->box] == e->flow_id);
		id[e->box] = e->flow_id;
	}
	assert_true(id[0] != id[1]);
	assert_int_equal(flows[0], 1);
	assert_int_equal(flows[1], 1);
	assert_int_equal(verdicts[0], 0);
	assert_int_equal(verdicts[1], 1);
	assert_int_equal(o.r.count.flows_ended, 2);
	outcome_free(&o);
	feed_free(f);
}

/* What a box injects for a packet bears that packet's number: its records stand behind those of the packet.
 */
static void ordinals(void **state)
{
	struct box boxes[1] = {BOX(reset, INJECT_BOTH)};
	struct feed *f = one_talk();
	unsigned int found = 0;
	struct outcome o;

	(void)state;
	f->pkt[3].n = 2;
	run_chain(boxes, 1, 0, f, 1, 0, &o);
	for (unsigned int i = 0; i < o.r.events; i++) {
		if (o.r.event[i].number != 4)
			continue;
		assert_int_equal(o.r.event[i].n, 512 + (o.r.event[i].type == KD_EVENT_VERDICT));
		found++;
	}
	assert_int_equal(found, 2);
	outcome_free(&o);
	feed_free(f);
}

/* A fragment of 8 bytes at an offset of so many; identification `id`. */
static void add_fragment(
	struct feed *f, uint64_t at_ns, uint16_t id, unsigned int offset, bool more, uint8_t ttl)
{
	static const struct who w = {0xc6120002, 0xcb00710a, 40000};
	uint8_t *ip;
	uint32_t sum = 0;

	add(f, &w, KD_INSIDE, at_ns, KD_TCP_ACK, 1, NULL, 0);
	ip = f->block[f->n - 1] + 14;
	kd_put16(ip + 2, 28);
	kd_put16(ip + 4, id);
	kd_put16(ip + 6, (uint16_t)(offset / 8 | (more ? 0x2000 : 0)));
	ip[8] = ttl;
	for (unsigned int i = 0; i < 20; i += 2)
		sum += i == 10 ? 0u : kd_get16(ip + i);
	sum = (sum & 0xffff) + (sum >> 16);
	kd_put16(ip + 10, (uint16_t)~sum);
}

/* Every box holds the fragments in turn, and a packet in fragments is told to be held once. Half a packet is
 * the first box's to lose, after five seconds, whether or not a packet comes by. */
static void held(void **state)
{
	struct box boxes[2] = {QUIET_BOX, QUIET_BOX};
	struct feed *f = calloc(1, sizeof(*f));
	struct outcome o;

	(void)state;
	add_fragment(f, T0, 1, 0, true, 64);
	add_fragment(f, T0 + SEC, 2, 0, true, 64);
	add_fragment(f, T0 + 2 * SEC, 1, 8, false, 10);
	add_fragment(f, T0 + 9 * SEC, 3, 0, true, 64);
	run_chain(boxes, 2, 0, f, 1, 0, &o);
	has(&o, "1 0 hold > frag.held\n2 0 hold > frag.held\n1 0 emit > frag.not_inspected\n"
		"3 0 rewrite > frag.not_inspected\n1 1 hold > frag.held\n1 1 emit > frag.not_inspected\n"
		"3 1 emit > frag.not_inspected\n2 0 drop > frag.timeout\n");
	assert_int_equal(o.r.count.fates[KD_HOLD], 3);
	assert_int_equal(o.r.count.fates[KD_EMIT], 1);
	assert_int_equal(o.r.count.fates[KD_REWRITE], 1);
	assert_int_equal(o.r.count.fates[KD_DROP], 2);
	assert_int_equal(o.box[0].fates[KD_HOLD], 3);
	assert_int_equal(o.box[1].fates[KD_HOLD], 1);
	assert_int_equal(o.r.count.reasons[KD_REASON_FRAG_END_OF_RUN], 1);
	outcome_free(&o);
	feed_free(f);
}

/* Two boxes hold half a packet each: they lose them in the order of time, whichever box it was, and whoever
 * asks. */
static void lost_in_order(void **state)
{
	struct box boxes[2] = {QUIET_BOX, QUIET_BOX};
	struct feed *f = calloc(1, sizeof(*f));
	struct outcome once, often;

	(void)state;
	/* The second box waits less: it loses its half first, though the first box's is as old. */
	boxes[1].policy.settings.frag_lifetime_ns = 2 * SEC;
	add_fragment(f, T0, 7, 0, true, 64);
	add_fragment(f, T0, 8, 0, true, 64);
	f->pkt[1].side = KD_OUTSIDE;
	add_fragment(f, T0 + 20 * SEC, 9, 0, true, 64);
	run_chain(boxes, 2, 0, f, 3, 0, &once);
	has(&once, "2 1 drop < frag.timeout\n1 0 drop > frag.timeout\n");
	run_chain(boxes, 2, 0, f, 1, 40, &often);
	assert_string_equal(once.r.actions, often.r.actions);
	assert_string_equal(once.seen, often.seen);
	outcome_free(&once);
	outcome_free(&often);
	feed_free(f);
}

/* Many connections at once, fragments between them. */
static struct feed *crowd(void)
{
	struct feed *all = calloc(1, sizeof(*all));

	for (unsigned int i = 0; i < 40; i++) {
		const struct who w = {0xc6120002 + i, 0xcb00710a, (uint16_t)(40000 + i)};
		uint64_t at_ns = T0 + i * 25000000ull;

		talk(all, &w, at_ns, i % 3 == 0 ? "www.plain.example" : "www.listed.example");
		add_fragment(all, at_ns + 21000000, (uint16_t)i, 0, true, 64);
		if (i % 4 != 0)
			add_fragment(all, at_ns + 22000000, (uint16_t)i, 8, false, (uint8_t)(60 + i));
		add(all, &w, KD_INSIDE, at_ns + 24000000, KD_TCP_ACK | KD_TCP_PSH, 2000, (const uint8_t *)"x",
			1);
	}
	return all;
}

static void same_in_any_burst(void **state)
{
	static const struct {
		unsigned int burst, ticks;
	} plans[] = {{7, 0}, {256, 0}, {1, 3}, {7, 2}};
	struct box sets[][3] = {
		{BOX(reset, REWRITE_TO_INSIDE), BOX(reset, INJECT_BOTH), BOX(reset, INJECT_BOTH)},
		{BOX(reset, INJECT_BOTH), UPSTREAM_BOX(drop, DROP_BOTH), QUIET_BOX},
		{BOX(drop, DROP_TO_INSIDE), BOX(reset, INJECT_BOTH), BOX(reset, REWRITE_TO_OUTSIDE)}};
	struct feed *f = crowd();

	(void)state;
	for (unsigned int s = 0; s < 3; s++) {
		struct outcome one;

		run_chain(sets[s], 3, 0, f, 1, 0, &one);
		assert_true(one.r.events > 100);
		for (unsigned int p = 0; p < sizeof(plans) / sizeof(plans[0]); p++) {
			struct outcome other;

			run_chain(sets[s], 3, 0, f, plans[p].burst, plans[p].ticks, &other);
			assert_string_equal(one.r.actions, other.r.actions);
			assert_string_equal(one.seen, other.seen);
			assert_int_equal(one.r.events, other.r.events);
			for (unsigned int i = 0; i < one.r.events; i++)
				assert_memory_equal(
					&one.r.event[i], &other.r.event[i], offsetof(struct kd_event, text));
			assert_memory_equal(&one.r.count, &other.r.count, sizeof(one.r.count));
			outcome_free(&other);
		}
		outcome_free(&one);
	}
	feed_free(f);
}

/* A path of one box is that box. */
static void chain_of_one(void **state)
{
	struct box boxes[1] = {BOX(reset, INJECT_BOTH)};
	struct kd_engine_config config = KD_ENGINE_CONFIG_DEFAULT;
	struct feed *f = crowd();
	struct kd_engine *e = NULL;
	struct outcome o;
	struct result alone;

	(void)state;
	run_chain(boxes, 1, 0, f, 7, 0, &o);
	config.policy = &boxes[0].policy;
	config.flow_ids = true;
	config.flows4_max = 64;
	config.flows6_max = 4;
	assert_int_equal(kd_engine_new(&e, &config), 0);
	run_on(e, f, 7, 0, &alone);
	assert_string_equal(o.r.actions, alone.actions);
	assert_int_equal(o.r.events, alone.events);
	assert_int_equal(o.seen_len, 0);
	result_free(&alone);
	kd_engine_free(e);
	outcome_free(&o);
	feed_free(f);
}

/* One place for injected packets: the second has none, and is told so by name; the next call has it again. */
static void no_room(void **state)
{
	struct box boxes[2] = {QUIET_BOX, BOX(reset, INJECT_BOTH)};
	struct feed *f = one_talk();
	const struct who w = {0xc6120003, 0xcb00710a, 40001};
	struct outcome o;

	(void)state;
	talk(f, &w, T0 + SEC, "www.listed.example");
	run_chain(boxes, 2, 1, f, 5, 0, &o);
	assert_int_equal(o.r.count.fates[KD_INJECT], 2);
	assert_int_equal(o.r.count.inject_refused, 2);
	assert_int_equal(o.r.count.inject_reasons[KD_REASON_CHAIN_NO_ROOM], 2);
	assert_int_equal(o.box[0].in[KD_OUTSIDE], 4);
	outcome_free(&o);
	feed_free(f);
}

/* Asked for after the packets that it was for: each box says so, and the path both. */
static void late_switches(void **state)
{
	static struct kd_action actions[KD_BURST_MAX * 8 + 3 * KD_HELD_MAX];
	struct kd_out out = {.actions = actions, .room = kd_chain_out_room(2, KD_BURST_MAX)};
	struct box boxes[2] = {QUIET_BOX, QUIET_BOX};
	struct kd_chain *c = make_chain(boxes, 2, 0, NULL);

	(void)state;
	kd_chain_advance(c, T0 + 2, &out);
	for (unsigned int box = 0; box < 2; box++)
		assert_int_equal(kd_chain_bypass(c, box, 0, true, T0 + 1), 0);
	kd_chain_advance(c, T0 + 3, &out);
	assert_int_equal(kd_chain_box_counters(c, 1)->switched_late, 1);
	assert_int_equal(kd_chain_counters(c)->switched_late, 2);
	kd_chain_free(c);
}

static void sizes(void **state)
{
	const struct kd_policy *policies[KD_CHAIN_MAX + 1];
	struct kd_chain_config config = {.policies = policies, .engine = KD_ENGINE_CONFIG_DEFAULT};
	struct kd_chain *c = NULL;

	(void)state;
	for (unsigned int i = 0; i <= KD_CHAIN_MAX; i++)
		policies[i] = &policy;
	assert_int_equal(kd_chain_new(&c, &config), -EINVAL);
	config.n = KD_CHAIN_MAX + 1;
	assert_int_equal(kd_chain_new(&c, &config), -EINVAL);
	config.n = 2;
	config.engine.held_max = KD_HELD_MAX + 1;
	assert_int_equal(kd_chain_new(&c, &config), -EINVAL);
	assert_null(c);
	/* A packet and its hold, what two boxes may inject for it and copy of that, and all that they hold.
	 */
	assert_int_equal(kd_chain_out_room(2, 10), 10 * (2 + 4 + 2) + 2 * KD_HELD_MAX);
	/* Every ordinal is a byte. */
	assert_int_equal(kd_chain_injects(KD_CHAIN_MAX), 240);
	assert_int_equal(kd_chain_out_room(1, 10), KD_OUT_ROOM(10));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(second_resets),
		cmocka_unit_test(first_resets),
		cmocka_unit_test(first_drops_injected),
		cmocka_unit_test(first_rewrites),
		cmocka_unit_test(order_of_boxes),
		cmocka_unit_test(upstream_only),
		cmocka_unit_test(records),
		cmocka_unit_test(ordinals),
		cmocka_unit_test(held),
		cmocka_unit_test(lost_in_order),
		cmocka_unit_test(same_in_any_burst),
		cmocka_unit_test(chain_of_one),
		cmocka_unit_test(no_room),
		cmocka_unit_test(late_switches),
		cmocka_unit_test(sizes),
	};

	return cmocka_run_group_tests(tests, make_policy, drop_policy);
}
