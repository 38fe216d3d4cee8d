/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Knobs of a flow and what they do to its stream, on the whole engine: hellos in segments and records, in and
 * out of order, told twice in two ways, with and without room; who gets which value. A policy made by hand
 * has one rule: TLS to listed.example is reset.
 */
#include "feed.h"

static struct kd_knob knobs[4];

static void set(unsigned int index, unsigned int value)
{
	knobs[policy.nknobs++] = (struct kd_knob){.name = kd_knob_rows[index].name,
		.index = (uint8_t)index,
		.value_index = (uint8_t)value,
		.share = UINT64_MAX};
	policy.knobs = knobs;
	policy.settings.stream_depth = 16000;
	policy.settings.stream_timeout_ns = 60 * SEC;
}

static int fresh(void **state)
{
	int rc = make_policy(state);

	policy.nknobs = 0;
	return rc;
}

static const struct who one = {0xc6120002, 0xcb00710a, 40000};

struct piece {
	int at; /* offset into the hello, -1 = it ends */
	unsigned int len;
	const char *over; /* other bytes instead */
};

static struct kd_engine *sized(uint32_t gathers)
{
	struct kd_engine_config c = KD_ENGINE_CONFIG_DEFAULT;
	struct kd_engine *e = NULL;

	c.policy = &policy;
	c.flows4_max = 64;
	c.flows6_max = 4;
	c.events_max = 256;
	c.gathers_max = gathers;
	assert_int_equal(kd_engine_new(&e, &c), 0);
	return e;
}

static void hello_in(struct feed *f, const struct who *w, const uint8_t *hello, const struct piece *piece)
{
	uint64_t at = T0 + f->n * SEC;

	add(f, w, KD_INSIDE, at, KD_TCP_SYN, 0xfffffff0u, NULL, 0);
	for (; piece->at >= 0; piece++)
		add(f, w, KD_INSIDE, at += 1000, KD_TCP_ACK, 0xfffffff1u + (uint32_t)piece->at,
			piece->over != NULL ? (const uint8_t *)piece->over : hello + piece->at, piece->len);
}

/* Whether the rule took the flow, which must not depend on the burst; `reason` is one that must be there. */
static bool caught(const uint8_t *hello, const struct piece *piece, const char *reason)
{
	struct feed *f = calloc(1, sizeof(*f));
	struct kd_engine *e = sized(4);
	struct result a, b;
	bool got, told = reason == NULL;

	hello_in(f, &one, hello, piece);
	run_on(e, f, 1, 1, &a);
	kd_engine_reset(e);
	run_on(e, f, 64, 1, &b);
	assert_string_equal(a.actions, b.actions);
	got = count_of(&a, KD_EVENT_VERDICT, "reset.armed") == 1;
	told = told || strstr(a.actions, reason) != NULL;
	if (!told)
		fail_msg("no %s in\n%s", reason, a.actions);
	kd_engine_free(e);
	result_free(&a);
	result_free(&b);
	feed_free(f);
	return got;
}

#define PIECES(...) ((const struct piece[]){__VA_ARGS__, {-1, 0, NULL}})

static uint8_t hello[512], records[600];
static unsigned int len, rlen;

/* The same hello in two records, cut at 60. */
static void make(void)
{
	len = (unsigned int)put_hello(hello, "listed.example");
	memcpy(records, hello, 60);
	kd_put16(records + 3, 55);
	memcpy(records + 60, hello, 3);
	kd_put16(records + 63, (uint16_t)(len - 60));
	memcpy(records + 65, hello + 60, len - 60);
	rlen = len + 5;
}

static void reassemble(void **state)
{
	(void)state;
	make();
	for (unsigned int value = KD_REASSEMBLE_OFF; value <= KD_REASSEMBLE_ANY_ORDER; value++) {
		bool on = value != KD_REASSEMBLE_OFF, any = value == KD_REASSEMBLE_ANY_ORDER;

		policy.nknobs = 0;
		set(KD_KNOB_TCP_REASSEMBLE, value);
		assert_true(caught(hello, PIECES({0, len, NULL}), NULL));
		assert_int_equal(caught(hello, PIECES({0, 20, NULL}, {20, len - 20, NULL}), NULL), on);
		assert_int_equal(
			caught(hello, PIECES({0, 20, NULL}, {10, 30, NULL}, {40, len - 40, NULL}), NULL), on);
		assert_int_equal(caught(hello, PIECES({20, len - 20, NULL}, {0, 20, NULL}),
					 on ? "stream.waits" : NULL),
			any);
		assert_int_equal(
			caught(hello, PIECES({0, 20, NULL}, {40, len - 40, NULL}, {20, 20, NULL}), NULL),
			any);
		assert_int_equal(caught(hello, PIECES({0, 20, NULL}, {0, 20, NULL}, {20, len - 20, NULL}),
					 on ? "stream.nothing_new" : NULL),
			on);
		/* What begins as nothing known is no start: the next segment is one. */
		assert_true(caught(hello, PIECES({0, 5, "\x80junk"}, {5, len, (const char *)hello}), NULL));
	}
}

/* 60 bytes of padding behind the name. */
static void make_padded(const char *name)
{
	len = (unsigned int)put_hello(hello, name);
	kd_put16(hello + 3, (uint16_t)(len - 5 + 60));
	kd_put16(hello + 7, (uint16_t)(len - 9 + 60));
	kd_put16(hello + 9 + 41, (uint16_t)(strlen(name) + 9 + 60));
	memset(hello + len, 0, 60);
	kd_put16(hello + len, 21);
	kd_put16(hello + len + 2, 56);
	len += 60;
}

static void overlap(void **state)
{
	char other[15] = "other.example.";
	int name;

	(void)state;
	make();
	name = (int)len - 14;
	for (unsigned int value = KD_OVERLAP_FIRST; value <= KD_OVERLAP_STRICT; value++) {
		policy.nknobs = 0;
		set(KD_KNOB_TCP_REASSEMBLE, KD_REASSEMBLE_IN_ORDER);
		set(KD_KNOB_TCP_OVERLAP, value);
		/* All but the last byte; then the name again, another one; then the last byte. */
		assert_int_equal(
			caught(hello, PIECES({0, len - 1, NULL}, {name, 13, other}, {(int)len - 1, 1, NULL}),
				NULL),
			value == KD_OVERLAP_FIRST);
		/* The same bytes again contradict nothing. */
		assert_true(caught(
			hello, PIECES({0, len - 1, NULL}, {name, 13, NULL}, {(int)len - 1, 1, NULL}), NULL));
	}
}

/* Who says two things of one byte is read segment by segment from there on, and the flow tells why. */
static void strict(void **state)
{
	struct feed *f = calloc(1, sizeof(*f));
	struct kd_engine *e = NULL;
	struct result r;

	(void)state;
	make();
	set(KD_KNOB_TCP_REASSEMBLE, KD_REASSEMBLE_ANY_ORDER);
	set(KD_KNOB_TCP_OVERLAP, KD_OVERLAP_STRICT);
	/* Behind a gap too; but what comes whole is still read. */
	assert_false(caught(hello,
		PIECES({0, 5, NULL}, {20, 10, NULL}, {5, 16, "0123456789abcdef"}, {5, len - 5, NULL}), NULL));
	assert_true(caught(hello,
		PIECES({0, 20, NULL}, {10, 10, "0123456789"}, {(int)len, len, (const char *)hello}), NULL));
	e = sized(4);
	hello_in(f, &one, hello, PIECES({0, 20, NULL}, {10, 10, "0123456789"}, {20, len - 20, NULL}));
	run_on(e, f, 1, 1, &r);
	assert_int_equal(count_of(&r, KD_EVENT_VERDICT, NULL), 0);
	assert_int_equal(count_of(&r, KD_EVENT_FLOW, "stream.differs"), 1);
	kd_engine_free(e);
	result_free(&r);
	feed_free(f);
}

/* A hello whose padding runs on behind its segment, its end still to come. */
static void padded(void **state)
{
	uint8_t other[512];
	unsigned int n;

	(void)state;
	for (unsigned int value = KD_PADDED_HELLO_UNPARSED; value <= KD_PADDED_HELLO_PARSED; value++) {
		bool parsed = value == KD_PADDED_HELLO_PARSED;

		for (unsigned int on = KD_REASSEMBLE_OFF; on <= KD_REASSEMBLE_IN_ORDER; on++) {
			policy.nknobs = 0;
			set(KD_KNOB_TLS_PADDED_HELLO, value);
			set(KD_KNOB_TCP_REASSEMBLE, on);
			make_padded("listed.example");
			assert_int_equal(caught(hello, PIECES({0, len - 1, NULL}), NULL), parsed);
			assert_int_equal(caught(hello, PIECES({0, len - 60, NULL}), NULL), parsed);
			/* Its name is not all there. */
			assert_false(caught(hello, PIECES({0, len - 65, NULL}), NULL));
			/* A clean beginning settles nothing, the whole of it does. */
			make_padded("a.clean.example");
			n = (unsigned int)put_hello(other, "listed.example");
			assert_int_equal(
				caught(hello, PIECES({0, len - 60, NULL}, {(int)len, n, (const char *)other}),
					NULL),
				on == KD_REASSEMBLE_OFF);
			assert_int_equal(caught(hello,
						 PIECES({0, len - 60, NULL}, {(int)len - 60, 60, NULL},
							 {(int)len, n, (const char *)other}),
						 NULL),
				on == KD_REASSEMBLE_OFF);
		}
	}
}

static void join(void **state)
{
	(void)state;
	make();
	for (unsigned int value = KD_JOIN_OFF; value <= KD_JOIN_STREAM; value++) {
		for (unsigned int on = 0; on < 2; on++) {
			policy.nknobs = 0;
			set(KD_KNOB_TCP_REASSEMBLE, on ? KD_REASSEMBLE_IN_ORDER : KD_REASSEMBLE_OFF);
			set(KD_KNOB_TLS_JOIN_RECORDS, value);
			assert_int_equal(
				caught(records, PIECES({0, rlen, NULL}), NULL), value != KD_JOIN_OFF);
			for (unsigned int cut = 1; cut < rlen; cut++)
				assert_int_equal(
					caught(records, PIECES({0, cut, NULL}, {(int)cut, rlen - cut, NULL}),
						NULL),
					on && value == KD_JOIN_STREAM);
		}
	}
}

/* Two sides at once in a pool of one: the second is inspected by itself, says so, and takes nothing along. */
static void pool(void **state)
{
	struct feed *f = calloc(1, sizeof(*f));
	struct who two = one;
	struct kd_engine *e;
	struct result r;

	(void)state;
	make();
	set(KD_KNOB_TCP_REASSEMBLE, KD_REASSEMBLE_IN_ORDER);
	e = sized(1);
	two.port++;
	hello_in(f, &one, hello, PIECES({0, 20, NULL}));
	hello_in(f, &two, hello, PIECES({0, 20, NULL}, {20, len - 20, NULL}));
	add(f, &one, KD_INSIDE, T0 + 10 * SEC, KD_TCP_ACK, 0xfffffff1u + 20, hello + 20, len - 20);
	/* The first is decided and has given its place back. */
	two.port++;
	hello_in(f, &two, hello, PIECES({0, 20, NULL}, {20, len - 20, NULL}));
	run_on(e, f, 1, 1, &r);
	assert_int_equal(r.count.reasons[KD_REASON_STREAM_NO_ROOM], 1);
	assert_int_equal(r.count.gathers_full, 1);
	assert_int_equal(count_of(&r, KD_EVENT_VERDICT, "reset.armed"), 2);
	result_free(&r);
	kd_engine_free(e);
	feed_free(f);
}

/* 2000 nodes: about half have what half the nodes have, and those are the same whatever the port. */
/* How many flows of a feed the rule took, with a pool of one, whatever the burst. */
static unsigned int taken(struct feed *f)
{
	struct kd_engine *e = sized(1);
	struct result a, b;
	unsigned int n;

	run_on(e, f, 1, 1, &a);
	kd_engine_reset(e);
	run_on(e, f, 64, 0, &b);
	assert_string_equal(a.actions, b.actions);
	n = count_of(&a, KD_EVENT_VERDICT, "reset.armed");
	kd_engine_free(e);
	result_free(&a);
	result_free(&b);
	feed_free(f);
	return n;
}

/* Half a hello, and the rest so many seconds later, on a flow of its own. */
static void halves(struct feed *f, const struct who *w, uint64_t at, uint64_t rest_after)
{
	add(f, w, KD_INSIDE, at, KD_TCP_SYN, 100, NULL, 0);
	add(f, w, KD_INSIDE, at + 1, KD_TCP_ACK, 101, hello, 20);
	add(f, w, KD_INSIDE, at + 1 + rest_after, KD_TCP_ACK, 121, hello + 20, len - 20);
}

static void timeout(void **state)
{
	static const struct who two = {0xc6120002, 0xcb00710a, 40001};
	struct feed *f = calloc(1, sizeof(*f));

	(void)state;
	make();
	set(KD_KNOB_TCP_REASSEMBLE, KD_REASSEMBLE_IN_ORDER);
	halves(f, &one, T0, 60 * SEC - 1);
	assert_int_equal(taken(f), 1);
	f = calloc(1, sizeof(*f));
	halves(f, &one, T0, 60 * SEC);
	assert_int_equal(taken(f), 0);
	/* Its place is another's then, and not before. */
	f = calloc(1, sizeof(*f));
	add(f, &one, KD_INSIDE, T0, KD_TCP_SYN, 100, NULL, 0);
	add(f, &one, KD_INSIDE, T0 + 1, KD_TCP_ACK, 101, hello, 20);
	halves(f, &two, T0 + 60 * SEC, 1);
	assert_int_equal(taken(f), 1);
	f = calloc(1, sizeof(*f));
	add(f, &one, KD_INSIDE, T0, KD_TCP_SYN, 100, NULL, 0);
	add(f, &one, KD_INSIDE, T0 + 1, KD_TCP_ACK, 101, hello, 20);
	halves(f, &two, T0 + 59 * SEC, 1);
	assert_int_equal(taken(f), 0);
}

/* So it is when its flow dies, however seldom the sweep comes by. */
static void dead_make_room(void **state)
{
	static const struct who two = {0xc6120002, 0xcb00710a, 40001};

	(void)state;
	make();
	set(KD_KNOB_TCP_REASSEMBLE, KD_REASSEMBLE_IN_ORDER);
	policy.settings.idle_syn_ns = policy.settings.idle_established_ns = 10 * SEC;
	for (unsigned int early = 0; early < 2; early++) {
		struct feed *f = calloc(1, sizeof(*f));

		add(f, &one, KD_INSIDE, T0, KD_TCP_SYN, 100, NULL, 0);
		add(f, &one, KD_INSIDE, T0 + 1, KD_TCP_ACK, 101, hello, 20);
		halves(f, &two, T0 + 10 * SEC - early, 1);
		assert_int_equal(taken(f), !early);
	}
}

/* What cannot be put together takes no place and blinds nobody. */
static void edges(void **state)
{
	static const struct who two = {0xc6120002, 0xcb00710a, 40001};
	uint8_t early[600] = "x";
	struct feed *f;

	(void)state;
	make();
	memcpy(early + 1, hello, len);
	for (unsigned int value = KD_REASSEMBLE_IN_ORDER; value <= KD_REASSEMBLE_ANY_ORDER; value++) {
		policy.nknobs = 0;
		set(KD_KNOB_TCP_REASSEMBLE, value);
		/* One byte before the first: cut off, as the receiver does. */
		f = calloc(1, sizeof(*f));
		add(f, &one, KD_INSIDE, T0, KD_TCP_SYN, 100, NULL, 0);
		add(f, &one, KD_INSIDE, T0 + 1, KD_TCP_ACK, 100, early, 21);
		add(f, &one, KD_INSIDE, T0 + 2, KD_TCP_ACK, 121, hello + 20, len - 20);
		assert_int_equal(taken(f), 1);
		/* A segment far beyond the depth. */
		f = calloc(1, sizeof(*f));
		add(f, &one, KD_INSIDE, T0, KD_TCP_SYN, 100, NULL, 0);
		add(f, &one, KD_INSIDE, T0 + 1, KD_TCP_ACK, 101 + 0x10000000u, hello, 20);
		halves(f, &two, T0 + 2, 1);
		assert_int_equal(taken(f), 1);
		/* A first packet that the capture cut, then a whole hello. */
		f = calloc(1, sizeof(*f));
		add(f, &one, KD_INSIDE, T0, KD_TCP_SYN, 100, NULL, 0);
		add(f, &one, KD_INSIDE, T0 + 1, KD_TCP_ACK, 101, early, 10);
		f->pkt[f->n - 1].len = 14 + 20 + 20 + 3;
		add(f, &one, KD_INSIDE, T0 + 2, KD_TCP_ACK, 111, hello, len);
		assert_int_equal(taken(f), 1);
	}
}

static void share(void **state)
{
	struct feed *f = calloc(1, sizeof(*f));
	struct kd_engine *e;
	struct result r;
	unsigned int n;

	(void)state;
	make();
	set(KD_KNOB_TCP_REASSEMBLE, KD_REASSEMBLE_IN_ORDER);
	knobs[0].share = 1ull << 63;
	e = engine(1024, 1024);
	for (uint32_t i = 0; i < 400; i++) {
		struct who w = {0xc6120002 + i / 2, 0xcb00710a, (uint16_t)(40000 + i)};

		hello_in(f, &w, hello, PIECES({0, 20, NULL}, {20, len - 20, NULL}));
	}
	run_on(e, f, 32, 1, &r);
	n = count_of(&r, KD_EVENT_VERDICT, "reset.armed");
	assert_in_range(n, 140, 260);
	assert_int_equal(n % 2, 0);
	result_free(&r);
	kd_engine_free(e);
	feed_free(f);
}

static void sets(void **state)
{
	struct kd_knob_table t;
	struct kd_knob_set s;
	bool full;

	(void)state;
	kd_knob_table_reset(&t);
	s = t.set[KD_KNOB_SET_DEFAULTS];
	assert_int_equal(s.value[KD_KNOB_TCP_REASSEMBLE], KD_REASSEMBLE_OFF);
	assert_int_equal(kd_knob_intern(&t, &s, &full), KD_KNOB_SET_DEFAULTS);
	for (unsigned int i = 0; i < KD_KNOB_SETS - 2; i++) {
		s.value[0] = (uint8_t)(100 + i);
		assert_int_equal(kd_knob_intern(&t, &s, &full), KD_KNOB_SET_DEFAULTS + 1 + i);
		assert_false(full);
	}
	assert_int_equal(kd_knob_intern(&t, &s, &full), KD_KNOB_SETS - 1);
	s.value[0] = 99;
	assert_int_equal(kd_knob_intern(&t, &s, &full), KD_KNOB_SET_DEFAULTS);
	assert_true(full);
	assert_int_equal(kd_knob_find("tcp.overlap", 11), KD_KNOB_TCP_OVERLAP);
	assert_true(kd_knob_find("tcp.overlap", 10) < 0);
	assert_int_equal(kd_knob_value(KD_KNOB_TLS_JOIN_RECORDS, "stream", 6), KD_JOIN_STREAM);
	assert_true(kd_knob_value(KD_KNOB_TLS_JOIN_RECORDS, "within", 6) < 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fresh, drop_policy)
	const struct CMUnitTest tests[] = {TEST(reassemble), TEST(overlap), TEST(strict), TEST(padded),
		TEST(join), TEST(pool), TEST(timeout), TEST(dead_make_room), TEST(edges), TEST(share),
		TEST(sets)};

	return cmocka_run_group_tests_name("stream", tests, NULL, NULL);
}
