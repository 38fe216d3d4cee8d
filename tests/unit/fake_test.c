/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fakes told by the packet's headers, on the whole engine: of each kind one that is and its neighbour that is
 * not, under each value of its knob. The neighbour often differs by one: a TTL, a byte, an ID.
 */
#include "fake_rig.h"

/* ---- checksum ---- */

static uint8_t sum_flags;

static void bad_tcp_sum(void)
{
	opened();
	says(0, other, other_len)->data[50] ^= 1;
	f->pkt[f->n - 1].flags = sum_flags;
	says(0, listed, listed_len);
}

static void bad_ip_sum(void)
{
	opened();
	says(0, other, other_len)->data[24] ^= 1;
	says(0, listed, listed_len);
}

static void good_sums(void)
{
	opened();
	says(0, other, other_len)->flags = sum_flags;
	says(0, listed, listed_len);
}

/* As an offloading host leaves it: the folded pseudo-header sum. */
static void unfinished_sum(void)
{
	struct kd_pkt *p;

	opened();
	p = says(0, other, other_len);
	kd_put16(p->data + 50, (uint16_t)sum_of(p->data + 26, 8, KD_PROTO_TCP + 20 + other_len));
	says(0, listed, listed_len);
}

static void checksum(void **state)
{
	(void)state;
	sum_flags = 0;
	as_the_knob_says(KD_FAKE_CHECKSUM, bad_tcp_sum);
	as_the_knob_says(KD_FAKE_CHECKSUM, bad_ip_sum);
	never(KD_FAKE_CHECKSUM, good_sums);
	never(KD_FAKE_CHECKSUM, unfinished_sum);
	/* The driver has looked. */
	sum_flags = KD_PKT_SUMS_JUDGED | KD_PKT_WRONG_SUM;
	as_the_knob_says(KD_FAKE_CHECKSUM, good_sums);
	sum_flags = KD_PKT_SUMS_JUDGED;
	never(KD_FAKE_CHECKSUM, bad_tcp_sum);
}

/* ---- TTL ---- */

static uint8_t the_ttl;

static void with_ttl(void)
{
	opened();
	ttl(says(0, other, other_len), the_ttl);
	says(0, listed, listed_len);
}

static void ttl_test(void **state)
{
	static const uint8_t low[] = {1, 33, 65, 97, 129, 224}, fine[] = {34, 64, 98, 128, 225, 255};

	(void)state;
	for (unsigned int i = 0; i < sizeof(low); i++) {
		the_ttl = low[i];
		as_the_knob_says(KD_FAKE_TTL, with_ttl);
	}
	for (unsigned int i = 0; i < sizeof(fine); i++) {
		the_ttl = fine[i];
		never(KD_FAKE_TTL, with_ttl);
	}
	policy.settings.fake_ttl_slack = 40;
	the_ttl = 24;
	never(KD_FAKE_TTL, with_ttl);
}

/* ---- sequence numbers ---- */

static uint32_t off;

static void elsewhere(void)
{
	opened();
	says(off, other, other_len);
	says(0, listed, listed_len);
}

/* The server's: where its SYN said. */
static void of_server(void)
{
	opened();
	from(OUT, KD_TCP_ACK, SERVER_ISN + 1 + off, other, other_len);
	says(0, listed, listed_len);
}

static void sequence(void **state)
{
	static const uint32_t far[] = {(uint32_t)-4096, (uint32_t)-10000, 64001, 10000000};
	static const uint32_t near[] = {(uint32_t)-1, (uint32_t)-1000, (uint32_t)-4095};

	(void)state;
	policy.settings.fake_near = 4096;
	for (unsigned int i = 0; i < 4; i++) {
		off = far[i];
		as_the_knob_says(KD_FAKE_SEQUENCE, elsewhere);
		as_the_knob_says(KD_FAKE_SEQUENCE, of_server);
		never(KD_FAKE_PAST_SEQUENCE, elsewhere);
	}
	/* Nearer, and all of it before the first byte. */
	for (unsigned int i = 1; i < 3; i++) {
		off = near[i];
		as_the_knob_says(KD_FAKE_PAST_SEQUENCE, elsewhere);
		as_the_knob_says(KD_FAKE_PAST_SEQUENCE, of_server);
		never(KD_FAKE_SEQUENCE, elsewhere);
	}
	off = 0;
	never(KD_FAKE_PAST_SEQUENCE, elsewhere);
	never(KD_FAKE_SEQUENCE, elsewhere);
	off = 64000;
	never(KD_FAKE_SEQUENCE, elsewhere);
}

/* 20 bytes before the first one of the stream, then the listed hello: seen through, they are cut off. */
static void across(void **state)
{
	uint8_t bytes[600];

	(void)state;
	memset(bytes, 0, 20);
	memcpy(bytes + 20, listed, listed_len);
	for (unsigned int value = BELIEVE; value < VALUES; value++) {
		for (unsigned int joined = 0; joined < 2; joined++) {
			policy.nknobs = 0;
			set(KD_KNOB_FAKE_PAST_SEQUENCE, value);
			set(KD_KNOB_TCP_REASSEMBLE, joined ? KD_REASSEMBLE_IN_ORDER : KD_REASSEMBLE_OFF);
			opened();
			says((uint32_t)-20, bytes, 20 + listed_len);
			assert_int_equal(fate(NULL), value == PUNISH		 ? DROPPED
						     : value == IGNORE || joined ? RESET
										 : PASSED);
			/* In two segments, it takes both. */
			opened();
			says((uint32_t)-20, bytes, 40);
			says(20, listed + 20, listed_len - 20);
			assert_int_equal(fate(NULL), value == PUNISH ? DROPPED : joined ? RESET : PASSED);
		}
	}
}

/* A believed fake far ahead is what its side sent, a disbelieved one is not. */
static void ahead_of_what(void **state)
{
	(void)state;
	set(KD_KNOB_FAKE_SEQUENCE, IGNORE);
	opened();
	says(60000, other, 4);
	says(124000, other, 4);
	says(200000, other, other_len);
	says(4, listed, listed_len);
	assert_int_equal(fate("fake.sequence"), RESET);
	/* An ACK from afar moves nothing. */
	opened();
	from(IN, KD_TCP_ACK, ISN + 200000, NULL, 0);
	says(200000, other, other_len);
	says(4, listed, listed_len);
	assert_int_equal(fate("fake.sequence"), RESET);
}

/* ---- TCP options ---- */

static bool rightly;

static void md5_option(void)
{
	static const uint8_t signature[20] = {1, 1, 19, 18, 1, 2, 3},
			     hidden[20] = {0, 0, 19, 18}, /* behind the end of the list */
		shorter[20] = {1, 1, 19, 17, 1, 2, 3};
	static const uint8_t *const neither[] = {hidden, shorter};
	static unsigned int turn;

	opened();
	says(0, other, other_len);
	option(rightly ? neither[turn++ % 2] : signature, 20);
	says(0, listed, listed_len);
}

static void md5(void **state)
{
	(void)state;
	rightly = false;
	as_the_knob_says(KD_FAKE_MD5, md5_option);
	rightly = true;
	never(KD_FAKE_MD5, md5_option);
}

static void stamp(uint32_t value)
{
	uint8_t bytes[12] = {1, 1, 8, 10};

	kd_put32(bytes + 4, value);
	option(bytes, sizeof(bytes));
}

static uint32_t older;

static void timestamps(void)
{
	from(IN, KD_TCP_SYN, ISN, NULL, 0);
	stamp(3);
	from(OUT, KD_TCP_SYN | KD_TCP_ACK, SERVER_ISN, NULL, 0);
	stamp(0x70000000); /* its own clock */
	from(IN, KD_TCP_ACK, ISN + 1, NULL, 0);
	stamp(5);
	says(0, other, other_len);
	stamp(5 - older);
	says(0, listed, listed_len);
	stamp(5);
}

static void timestamp(void **state)
{
	(void)state;
	older = 1;
	as_the_knob_says(KD_FAKE_TIMESTAMP, timestamps);
	older = 600000; /* the clock went past 2^32 */
	as_the_knob_says(KD_FAKE_TIMESTAMP, timestamps);
	older = 0;
	never(KD_FAKE_TIMESTAMP, timestamps);
	/* A clock that was set forward makes all that comes behind it old; each side has its own. */
	policy.nknobs = 0;
	set(KD_KNOB_FAKE_TIMESTAMP, IGNORE);
	opened();
	says(0, (const uint8_t *)"junk", 4);
	stamp(100);
	from(OUT, KD_TCP_ACK, SERVER_ISN + 1, (const uint8_t *)"junk", 4);
	stamp(1);
	says(0, listed, listed_len);
	stamp(99);
	assert_int_equal(fate("fake.timestamp"), PASSED);
}

/* ---- IP IDs ---- */

static uint16_t first_id, second_id;
static unsigned int between;

static void ids(void)
{
	opened();
	id(&f->pkt[2], second_id); /* without payload: says nothing */
	id(says(0, (const uint8_t *)"junk", 4), first_id);
	for (unsigned int i = 0; i < between; i++)
		id(says(4 + i, (const uint8_t *)"x", 1), (uint16_t)(1000 + i));
	id(from(OUT, KD_TCP_ACK, SERVER_ISN + 1, (const uint8_t *)"junk", 4), 99);
	id(says(100, other, other_len), second_id);
	id(says(100, listed, listed_len), 999);
}

static void ip_id(void **state)
{
	(void)state;
	between = 0;
	first_id = second_id = 7;
	as_the_knob_says(KD_FAKE_IP_ID, ids);
	between = 7; /* eight are kept */
	as_the_knob_says(KD_FAKE_IP_ID, ids);
	between = 0;
	second_id = 8;
	never(KD_FAKE_IP_ID, ids);
	second_id = 99; /* the other side's */
	never(KD_FAKE_IP_ID, ids);
	first_id = second_id = 0;
	never(KD_FAKE_IP_ID, ids);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fresh, done)
	const struct CMUnitTest tests[] = {TEST(checksum), TEST(ttl_test), TEST(sequence), TEST(across),
		TEST(ahead_of_what), TEST(md5), TEST(timestamp), TEST(ip_id)};

	return cmocka_run_group_tests_name("fake", tests, NULL, NULL);
}
