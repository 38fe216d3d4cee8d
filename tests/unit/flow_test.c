/* SPDX-License-Identifier: BSD-3-Clause */
/* The flow table up to and past its stated capacity: no insert fails before it, every flow is found, both
 * directions meet, removal leaves no hole behind. Addresses random, sequential, and all in one bucket. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/cursor.h"
#include "engine/flow.h"
#include "engine/rng.h"

struct packet {
	uint8_t src[16], dst[16];
	struct kd_view view;
};

static void from_inside(struct packet *p, bool v6, uint64_t client, uint64_t server, uint16_t port)
{
	memset(p, 0, sizeof(*p));
	memcpy(p->src, &client, 8);
	memcpy(p->dst, &server, 8);
	p->view.ip_version = v6 ? 6 : 4;
	p->view.ip_proto = KD_PROTO_TCP;
	p->view.src = p->src;
	p->view.dst = p->dst;
	p->view.sport = port;
	p->view.dport = 443;
}

/* Inserts flow number i, made by `make`, and says whether it found room. */
static struct kd_flow *insert(struct kd_flow_table *t, const struct packet *p)
{
	struct kd_flow_key k;
	struct kd_flow *f;

	kd_flow_key(t, &k, &p->view, 0);
	if (kd_flow_find(t, &k, kd_flow_hint(t, &k)) != NULL)
		return NULL;
	f = kd_flow_insert(t, &k);
	if (f != NULL)
		f->pkts[0] = 1;
	return f;
}

static struct kd_flow *find(struct kd_flow_table *t, const struct packet *p)
{
	struct kd_flow_key k;

	kd_flow_key(t, &k, &p->view, 0);
	return kd_flow_find(t, &k, kd_flow_hint(t, &k));
}

typedef void maker(struct packet *p, uint64_t i);

static void make_random(struct packet *p, uint64_t i)
{
	uint64_t draw = kd_mix(i, 7);

	from_inside(p, false, draw & 0xffffffff, draw >> 32, (uint16_t)(i & 0xffff));
}

static void make_sequential(struct packet *p, uint64_t i)
{
	uint8_t client[8] = {10, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i},
		server[8] = {203, 0, 113, 10};
	uint64_t c, s;

	memcpy(&c, client, 8);
	memcpy(&s, server, 8);
	from_inside(p, false, c, s, 40000);
}

static void make_ports(struct packet *p, uint64_t i)
{
	from_inside(p, false, 0x0200c6c6, 0x0a7100cb, (uint16_t)(1024 + i % 60000));
	p->view.dport = (uint16_t)(1 + i / 60000);
}

static void make_v6(struct packet *p, uint64_t i)
{
	from_inside(p, true, kd_mix(i, 3), kd_mix(i, 4), (uint16_t)(i & 0xffff));
}

#define CAPACITY 200000u

static void fill(maker *make, bool v6)
{
	struct kd_flow_table t;
	struct packet p;

	assert_int_equal(kd_flow_table_init(&t, v6 ? 1 : CAPACITY, v6 ? CAPACITY : 1, 42), 0);
	for (uint64_t i = 0; i < CAPACITY; i++) {
		make(&p, i);
		if (insert(&t, &p) == NULL)
			fail_msg("insert %lu of %u failed", (unsigned long)i, CAPACITY);
	}
	make(&p, CAPACITY);
	assert_null(insert(&t, &p));
	for (uint64_t i = 0; i < CAPACITY; i++) {
		make(&p, i);
		assert_non_null(find(&t, &p));
	}
	/* Every other one goes; the rest stay, and there is room for as many again. */
	for (uint64_t i = 0; i < CAPACITY; i += 2) {
		make(&p, i);
		kd_flow_remove(&t, find(&t, &p));
	}
	for (uint64_t i = 0; i < CAPACITY; i++) {
		make(&p, i);
		if ((i % 2 == 0) != (find(&t, &p) == NULL))
			fail_msg("flow %lu: wrong after removal", (unsigned long)i);
	}
	for (uint64_t i = 0; i < CAPACITY; i += 2) {
		make(&p, i);
		assert_non_null(insert(&t, &p));
	}
	assert_int_equal(t.pool[v6].live, CAPACITY);
	kd_flow_table_reset(&t);
	make(&p, 1);
	assert_null(find(&t, &p));
	assert_non_null(insert(&t, &p));
	kd_flow_table_free(&t);
}

static void test_full_random(void **state)
{
	(void)state;
	fill(make_random, false);
}

static void test_full_sequential(void **state)
{
	(void)state;
	fill(make_sequential, false);
}

static void test_full_ports(void **state)
{
	(void)state;
	fill(make_ports, false);
}

static void test_full_v6(void **state)
{
	(void)state;
	fill(make_v6, true);
}

/* An adversary who knows the seed puts every flow into one bucket: slower, and still nothing fails. */
static void test_one_bucket(void **state)
{
	const uint32_t capacity = 3000;
	struct kd_flow_table t;
	struct kd_flow_key k;
	struct packet p;
	uint64_t made[3001];
	uint32_t n = 0;

	(void)state;
	assert_int_equal(kd_flow_table_init(&t, capacity, 1, 9), 0);
	for (uint64_t i = 0; n <= capacity; i++) {
		make_random(&p, i);
		kd_flow_key(&t, &k, &p.view, 0);
		if ((k.hash & t.mask) == 5)
			made[n++] = i;
	}
	for (uint32_t i = 0; i < capacity; i++) {
		make_random(&p, made[i]);
		assert_non_null(insert(&t, &p));
	}
	make_random(&p, made[capacity]);
	assert_null(insert(&t, &p));
	for (uint32_t i = 0; i < capacity; i++) {
		make_random(&p, made[i]);
		kd_flow_remove(&t, find(&t, &p));
	}
	assert_int_equal(t.pool[0].live, 0);
	for (uint32_t i = 0; i < capacity; i++) {
		make_random(&p, made[i]);
		assert_non_null(insert(&t, &p));
	}
	kd_flow_table_free(&t);
}

static void test_both_directions(void **state)
{
	struct kd_flow_table t;
	struct kd_flow_key k;
	struct packet p, back;
	struct kd_flow *f;

	(void)state;
	assert_int_equal(kd_flow_table_init(&t, 8, 8, 1), 0);
	from_inside(&p, false, 0x0200c6c6, 0x0a7100cb, 40000);
	f = insert(&t, &p);
	assert_non_null(f);
	from_inside(&back, false, 0x0a7100cb, 0x0200c6c6, 443);
	back.view.dport = 40000;
	kd_flow_key(&t, &k, &back.view, 1);
	assert_ptr_equal(kd_flow_find(&t, &k, 0), f);
	/* The same packet said to come from the inside is another flow. */
	kd_flow_key(&t, &k, &back.view, 0);
	assert_null(kd_flow_find(&t, &k, 0));
	/* UDP on the same addresses and ports is another flow. */
	back.view.ip_proto = KD_PROTO_UDP;
	kd_flow_key(&t, &k, &back.view, 1);
	assert_null(kd_flow_find(&t, &k, 0));
	kd_flow_table_free(&t);
}

static void test_stale_hint(void **state)
{
	struct kd_flow_table t;
	struct kd_flow_key k;
	struct packet p, q;
	uint32_t hint;

	(void)state;
	assert_int_equal(kd_flow_table_init(&t, 2, 2, 1), 0);
	make_random(&p, 1);
	make_random(&q, 2);
	insert(&t, &p);
	kd_flow_key(&t, &k, &p.view, 0);
	hint = kd_flow_hint(&t, &k);
	assert_int_not_equal(hint, 0);
	kd_flow_remove(&t, find(&t, &p));
	assert_null(kd_flow_find(&t, &k, hint));
	insert(&t, &q); /* takes the freed entry */
	assert_null(kd_flow_find(&t, &k, hint));
	kd_flow_table_free(&t);
}

static void test_layout(void **state)
{
	(void)state;
	print_message("# decided IPv4 flow %zu B (state %d B inside), IPv6 %zu B, bucket of %d slots %zu B\n",
		sizeof(struct kd_flow), KD_MECH_STATE, sizeof(struct kd_flow6), KD_BUCKET_SLOTS,
		sizeof(struct kd_bucket));
	print_message("# key 0..12, nonce 12, last+proto 16, bytes+rule 24, bytes+reason+flags 32, packets "
		      "%zu, state %zu\n",
		offsetof(struct kd_flow, pkts), offsetof(struct kd_flow, held));
	assert_int_equal(sizeof(struct kd_flow), 64);
	assert_int_equal(offsetof(struct kd_flow, held) + 8 + KD_MECH_STATE, 64);
	assert_int_equal(sizeof(struct kd_flow6), 128);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_full_random),
		cmocka_unit_test(test_full_sequential),
		cmocka_unit_test(test_full_ports),
		cmocka_unit_test(test_full_v6),
		cmocka_unit_test(test_one_bucket),
		cmocka_unit_test(test_both_directions),
		cmocka_unit_test(test_stale_hint),
		cmocka_unit_test(test_layout),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
