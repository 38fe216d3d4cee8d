/* SPDX-License-Identifier: BSD-3-Clause */
/* Every term of a rule's program, true and false, told by whether a drop rule that asks nothing else acts;
 * and how programs jump. */
#include "by_hand.h"

/* Whether a rule of one term takes the last packet of the feed, which goes. */
static bool takes(struct kd_term t, struct feed *f)
{
	unsigned int last = f->n;
	struct result r;
	bool dropped;

	start(NULL);
	drop_rule("it", KD_PHASE_PROTOCOL, term(t));
	go(f, &r);
	dropped = strcmp(fared(&r, last), "drop drop.trigger 1") == 0;
	assert_true(dropped || strncmp(fared(&r, last), "emit ", 5) == 0);
	result_free(&r);
	return dropped;
}

static struct feed *hello(const char *name)
{
	struct feed *f = new_feed();

	say_hello(f, &w0, name);
	return f;
}

static struct feed *text(const char *bytes)
{
	struct feed *f = new_feed();

	say_text(f, &w0, KD_INSIDE, bytes);
	return f;
}

static struct feed *datagram(const char *bytes, size_t len)
{
	struct feed *f = new_feed();

	add_ip(f, &w0, KD_INSIDE, T0, KD_PROTO_UDP, (const uint8_t *)bytes, len);
	return f;
}

#define REQUEST "GET /a HTTP/1.1\r\nHost: listed.example\r\n\r\n"
#define TERM(...) ((struct kd_term){__VA_ARGS__})
#define SPAN(from, to)                                                                                       \
	.n = 1, .spans = (const struct kd_span[])                                                            \
	{                                                                                                    \
		{                                                                                            \
			from, to                                                                             \
		}                                                                                            \
	}

static void test_protocol(void **state)
{
	(void)state;
	assert_true(takes(TERM(.kind = KD_TERM_PROTOCOL, .mask = TLS), hello("x.example")));
	assert_false(takes(TERM(.kind = KD_TERM_PROTOCOL, .mask = HTTP), hello("x.example")));
	assert_true(takes(TERM(.kind = KD_TERM_PROTOCOL, .mask = HTTP), text(REQUEST)));
	assert_false(takes(TERM(.kind = KD_TERM_PROTOCOL, .mask = ALL), text("SSH-2.0")));
	assert_false(takes(TERM(.kind = KD_TERM_NEVER), hello("x.example")));
}

static void test_transport(void **state)
{
	(void)state;
	assert_true(takes(TERM(.kind = KD_TERM_TRANSPORT, .mask = KD_TRANSPORT_TCP), text("x")));
	assert_false(takes(TERM(.kind = KD_TERM_TRANSPORT, .mask = KD_TRANSPORT_UDP), text("x")));
	assert_true(takes(TERM(.kind = KD_TERM_TRANSPORT, .mask = KD_TRANSPORT_UDP), datagram("x", 1)));
	assert_false(takes(
		TERM(.kind = KD_TERM_TRANSPORT, .mask = (uint64_t)~KD_TRANSPORT_UDP), datagram("x", 1)));
}

/* Those of no payload are asked of the first packet, in the phase that sees it. */
static void test_transport_of_first_packets(void **state)
{
	static const struct {
		uint8_t proto, transport;
	} row[] = {{1, KD_TRANSPORT_ICMP}, {58, KD_TRANSPORT_ICMP}, {47, KD_TRANSPORT_OTHER},
		{132, KD_TRANSPORT_OTHER}, {17, KD_TRANSPORT_UDP}};

	(void)state;
	for (unsigned int i = 0; i < 5; i++) {
		for (unsigned int bit = 1; bit <= KD_TRANSPORT_OTHER; bit *= 2) {
			struct feed *f = new_feed();
			struct result r;

			start(NULL);
			drop_rule(
				"it", KD_PHASE_ADDRESSES, term(TERM(.kind = KD_TERM_TRANSPORT, .mask = bit)));
			add_ip(f, &w0, KD_INSIDE, T0, row[i].proto, NULL, 0);
			go(f, &r);
			assert_int_equal(r.count.fates[KD_DROP], bit == row[i].transport);
			result_free(&r);
		}
	}
}

static void test_signature(void **state)
{
	struct feed *f = new_feed();

	(void)state;
	assert_true(takes(TERM(.kind = KD_TERM_SIGNATURE, .set = SIG_SSH), text("SSH-2.0-x")));
	assert_false(takes(TERM(.kind = KD_TERM_SIGNATURE, .set = SIG_SSH), text(" SSH-2.0-x")));
	assert_true(takes(TERM(.kind = KD_TERM_SIGNATURE, .set = SIG_UDP), datagram("\0\1", 2)));
	assert_false(takes(TERM(.kind = KD_TERM_SIGNATURE, .set = SIG_SSH), datagram("SSH-2.0", 7)));
	say(f, &w0, KD_INSIDE, "\0\1", 2);
	assert_false(takes(TERM(.kind = KD_TERM_SIGNATURE, .set = SIG_UDP), f));
}

static void test_name(void **state)
{
	(void)state;
	assert_true(
		takes(TERM(.kind = KD_TERM_NAME, .mask = TLS, .set = LISTED), hello("www.LISTED.example")));
	assert_false(
		takes(TERM(.kind = KD_TERM_NAME, .mask = TLS, .set = LISTED), hello("unlisted.example")));
	assert_false(takes(TERM(.kind = KD_TERM_NAME, .mask = TLS, .set = ALLOWED), hello("listed.example")));
	assert_false(takes(TERM(.kind = KD_TERM_NAME, .mask = HTTP, .set = LISTED), hello("listed.example")));
	assert_true(takes(TERM(.kind = KD_TERM_NAME, .mask = HTTP, .set = LISTED), text(REQUEST)));
	assert_false(takes(TERM(.kind = KD_TERM_NAME, .mask = ALL, .set = LISTED), text("listed.example")));
}

/* Two packets: one opens the flow, the other is asked. */
static struct feed *two(unsigned int opener, unsigned int sender)
{
	struct feed *f = new_feed();

	add(f, &w0, opener, T0, KD_TCP_SYN, 1000, NULL, 0);
	say_text(f, &w0, sender, "x");
	return f;
}

static void test_sides(void **state)
{
	(void)state;
	for (uint8_t side = 0; side < 2; side++) {
		assert_true(takes(TERM(.kind = KD_TERM_OPENED, .of = side), two(side, side ^ 1)));
		assert_false(takes(TERM(.kind = KD_TERM_OPENED, .of = side), two(side ^ 1, side)));
		assert_true(takes(TERM(.kind = KD_TERM_OPENED, .of = KD_ANY_SIDE), two(side, 0)));
		assert_true(takes(TERM(.kind = KD_TERM_FROM, .of = side), two(side ^ 1, side)));
		assert_false(takes(TERM(.kind = KD_TERM_FROM, .of = side), two(side, side ^ 1)));
		assert_true(takes(TERM(.kind = KD_TERM_FROM, .of = KD_ANY_SIDE), two(0, side)));
	}
}

static void test_addresses(void **state)
{
	/* to, by, either: of a flow to the server, and of one that the server opens to the client */
	static const struct {
		uint8_t set, of;
		bool out, in;
	} row[] = {{P_SERVER, KD_END_TO, true, false}, {P_SERVER, KD_END_BY, false, true},
		{P_SERVER, KD_END_EITHER, true, true}, {P_CLIENT, KD_END_TO, false, true},
		{P_CLIENT, KD_END_BY, true, false}, {P_CLIENT, KD_END_EITHER, true, true},
		{P_HALF, KD_END_EITHER, false, false}, {P_SERVER6, KD_END_EITHER, false, false}};

	(void)state;
	for (unsigned int i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct kd_term t = {.kind = KD_TERM_ADDRESS, .set = row[i].set, .of = row[i].of};

		assert_int_equal(takes(t, two(KD_INSIDE, KD_INSIDE)), row[i].out);
		assert_int_equal(takes(t, two(KD_INSIDE, KD_OUTSIDE)), row[i].out);
		assert_int_equal(takes(t, two(KD_OUTSIDE, KD_INSIDE)), row[i].in);
	}
}

static void test_no_prefixes(void **state)
{
	struct feed *f = two(0, 0);
	struct result r;

	(void)state;
	policy.prefixes = NULL;
	drop_rule("it", KD_PHASE_ADDRESSES,
		term(TERM(.kind = KD_TERM_ADDRESS, .set = P_SERVER, .of = KD_END_EITHER)));
	go(f, &r);
	assert_int_equal(r.count.fates[KD_DROP], 0);
	result_free(&r);
}

static void test_ports(void **state)
{
	struct feed *f;
	struct result r;

	(void)state;
	/* 40000 -> 443 */
	assert_true(takes(TERM(.kind = KD_TERM_PORT, .of = KD_END_TO, SPAN(443, 443)), text("x")));
	assert_false(takes(TERM(.kind = KD_TERM_PORT, .of = KD_END_TO, SPAN(444, 65535)), text("x")));
	assert_false(takes(TERM(.kind = KD_TERM_PORT, .of = KD_END_TO, SPAN(0, 442)), text("x")));
	assert_false(takes(TERM(.kind = KD_TERM_PORT, .of = KD_END_BY, SPAN(443, 443)), text("x")));
	assert_true(takes(TERM(.kind = KD_TERM_PORT, .of = KD_END_BY, SPAN(30000, 40000)), text("x")));
	assert_true(takes(TERM(.kind = KD_TERM_PORT, .of = KD_END_EITHER, SPAN(40000, 50000)), text("x")));
	assert_true(takes(TERM(.kind = KD_TERM_PORT, .of = KD_END_EITHER, SPAN(443, 443)), datagram("x", 1)));
	assert_true(takes(TERM(.kind = KD_TERM_PORT, .of = KD_END_TO, .n = 2,
				  .spans = (const struct kd_span[]){{80, 80}, {443, 443}}),
		text("x")));
	/* ICMP has none, not even 0. */
	f = new_feed();
	add_ip(f, &w0, KD_INSIDE, T0, KD_PROTO_ICMP, NULL, 0);
	start(NULL);
	drop_rule("it", KD_PHASE_ADDRESSES,
		term(TERM(.kind = KD_TERM_PORT, .of = KD_END_EITHER, SPAN(0, 65535))));
	go(f, &r);
	assert_int_equal(r.count.fates[KD_DROP], 0);
	result_free(&r);
}

static void test_length(void **state)
{
	struct feed *f;

	(void)state;
	assert_true(takes(TERM(.kind = KD_TERM_LENGTH, SPAN(5, 5)), text("12345")));
	assert_false(takes(TERM(.kind = KD_TERM_LENGTH, SPAN(6, ALL)), text("12345")));
	assert_false(takes(TERM(.kind = KD_TERM_LENGTH, SPAN(0, 4)), text("12345")));
	/* of the wire, not of the capture */
	f = text("1234567890123456789012345678901234567890");
	f->pkt[0].len -= 10;
	assert_true(takes(TERM(.kind = KD_TERM_LENGTH, SPAN(40, 40)), f));
}

static void test_bytes(void **state)
{
	static const uint8_t any[] = {0}, whole[] = {0xff, 0xff, 0xff}, ab[] = "ab", wild[] = {0xff, 0, 0xff},
			     a_c[] = {'a', 0, 'c'};
	const struct kd_byte_run at3 = {3, 2, ab, whole}, gap = {0, 3, a_c, wild}, past = {4, 2, ab, whole},
				 far = {UINT32_MAX, 1, any, any};
#define RUNS(count, ...) .kind = KD_TERM_BYTES, .n = count, .runs = (const struct kd_byte_run[]){__VA_ARGS__}

	(void)state;
	assert_true(takes(TERM(RUNS(1, at3)), text("012ab")));
	assert_false(takes(TERM(RUNS(1, at3)), text("0123ab")));
	assert_true(takes(TERM(RUNS(1, gap)), text("axc")));
	assert_false(takes(TERM(RUNS(1, gap)), text("axd")));
	assert_true(takes(TERM(RUNS(2, gap, at3)), text("axcab")));
	assert_false(takes(TERM(RUNS(2, gap, at3)), text("axcac")));
	assert_false(takes(TERM(RUNS(1, past)), text("0123a"))); /* the last byte is missing */
	assert_false(takes(TERM(RUNS(1, far)), text("x")));
}

static void test_nth(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 8; i++) {
		unsigned int n = i / 2 + 1, side = i % 2;
		struct feed *f = new_feed();
		struct result r;

		add(f, &w0, side, T0, KD_TCP_SYN, 1000, NULL, 0); /* carries nothing: does not count */
		for (unsigned int k = 0; k < 6; k++)
			say_text(f, &w0, side ^ 1, "other"); /* nor does the other side */
		for (unsigned int k = 0; k < n; k++)
			say_text(f, &w0, side, "this");
		start(NULL);
		drop_rule("it", KD_PHASE_PROTOCOL,
			and_then(term(TERM(.kind = KD_TERM_FROM, .of = (uint8_t)side, .on_true = YES,
					 .on_false = NO)),
				TERM(.kind = KD_TERM_NTH, SPAN(3, 3))));
		go(f, &r);
		assert_int_equal(r.count.fates[KD_DROP], n < 3 ? 0 : n - 2);
		if (n >= 3)
			assert_string_equal(fared(&r, 10), "drop drop.trigger 1");
		result_free(&r);
	}
}

/* put_hello offers no ALPN and says 0x0303; these are written by hand. */
static size_t put_alpn_hello(uint8_t *p, const char *list, size_t len)
{
	size_t ext = 4 + 2 + len, body = 2 + 32 + 1 + 4 + 2 + 2 + ext;

	memset(p, 0, 9 + body);
	p[0] = 0x16;
	p[1] = 3;
	p[2] = 1;
	kd_put16(p + 3, (uint16_t)(body + 4));
	p[5] = 1;
	kd_put16(p + 7, (uint16_t)body);
	p += 9;
	kd_put16(p, 0x0302);
	p += 2 + 32 + 1;
	kd_put16(p, 2);
	kd_put16(p + 2, 0x1301);
	p[4] = 1;
	kd_put16(p + 6, (uint16_t)ext);
	p += 8;
	kd_put16(p, 16);
	kd_put16(p + 2, (uint16_t)(len + 2));
	kd_put16(p + 4, (uint16_t)len);
	memcpy(p + 6, list, len);
	return 9 + body;
}

static struct feed *alpn_hello(void)
{
	struct feed *f = new_feed();
	uint8_t p[512];

	say(f, &w0, KD_INSIDE, p, put_alpn_hello(p, "\2h2\10http/1.1", 12));
	return f;
}

#define FIELD(of_protocol, of_field) .kind = KD_TERM_FIELD, .protocol = of_protocol, .field = of_field
#define TEXTS(count, ...)                                                                                    \
	.n = count, .texts = (const struct kd_text[])                                                        \
	{                                                                                                    \
		__VA_ARGS__                                                                                  \
	}

/* The indices are those of the protocols' tables; that they are what is meant here is asserted. */
static void test_field_numbers(void **state)
{
	(void)state;
	assert_string_equal(kd_protocols[KD_PROTOCOL_tls]->fields[1].name, "version");
	assert_int_equal(kd_protocols[KD_PROTOCOL_tls]->fields[1].kind, KD_FIELD_HEX16);
	assert_true(takes(TERM(FIELD(KD_PROTOCOL_tls, 1), SPAN(0x0302, 0x0302)), alpn_hello()));
	assert_false(takes(TERM(FIELD(KD_PROTOCOL_tls, 1), SPAN(0x0303, 0x0304)), alpn_hello()));
	assert_true(takes(TERM(FIELD(KD_PROTOCOL_tls, 1), SPAN(0x0303, 0x0304)), hello("x.example")));
	assert_false(takes(TERM(FIELD(KD_PROTOCOL_http, 3), SPAN(0, ALL)), hello("x.example")));
	assert_string_equal(kd_protocols[KD_PROTOCOL_tls]->fields[3].name, "extensions");
	assert_int_equal(kd_protocols[KD_PROTOCOL_tls]->fields[3].kind, KD_FIELD_LIST_U16);
	assert_true(takes(TERM(FIELD(KD_PROTOCOL_tls, 3), SPAN(16, 16)), alpn_hello()));
	assert_false(takes(TERM(FIELD(KD_PROTOCOL_tls, 3), SPAN(0, 15)), alpn_hello()));
	assert_true(takes(TERM(FIELD(KD_PROTOCOL_tls, 3), SPAN(0, 0)), hello("x.example")));
}

static void test_field_texts(void **state)
{
	(void)state;
	assert_int_equal(kd_protocols[KD_PROTOCOL_tls]->fields[2].kind, KD_FIELD_LIST8);
	assert_true(takes(TERM(FIELD(KD_PROTOCOL_tls, 2), TEXTS(1, {"h2", 2})), alpn_hello()));
	assert_true(
		takes(TERM(FIELD(KD_PROTOCOL_tls, 2), TEXTS(2, {"h3", 2}, {"http/1.1", 8})), alpn_hello()));
	assert_false(takes(TERM(FIELD(KD_PROTOCOL_tls, 2), TEXTS(1, {"h", 1})), alpn_hello()));
	assert_false(takes(TERM(FIELD(KD_PROTOCOL_tls, 2), TEXTS(1, {"H2", 2})), alpn_hello()));
	assert_false(
		takes(TERM(FIELD(KD_PROTOCOL_tls, 2), TEXTS(1, {"h2", 2})), hello("x.example"))); /* absent */
	assert_string_equal(kd_protocols[KD_PROTOCOL_http]->fields[1].name, "method");
	assert_true(takes(TERM(FIELD(KD_PROTOCOL_http, 1), TEXTS(1, {"get", 3})), text(REQUEST)));
	assert_true(
		takes(TERM(FIELD(KD_PROTOCOL_http, 1), TEXTS(2, {"POST", 4}, {"GET", 3})), text(REQUEST)));
	assert_false(takes(TERM(FIELD(KD_PROTOCOL_http, 1), TEXTS(1, {"GETT", 4})), text(REQUEST)));
	assert_false(takes(TERM(FIELD(KD_PROTOCOL_http, 1), TEXTS(1, {"get", 3})), text("GET")));
}

/* Nothing recognised in this flow: not even in another packet than this one. */
static void test_classified(void **state)
{
	struct feed *f;
	struct result r;

	(void)state;
	assert_true(takes(TERM(.kind = KD_TERM_CLASSIFIED), text("SSH-2.0")));
	assert_false(takes(TERM(.kind = KD_TERM_CLASSIFIED), hello("x.example")));
	/* A drop from inside for 1 s, then the flow is looked at anew: it was TLS. */
	start(NULL);
	rules[drop_rule("hold", KD_PHASE_NAMES_BLOCKED, named(LISTED))].residual_ns = SEC;
	drop_rule("unknown", KD_PHASE_PROTOCOL, term(TERM(.kind = KD_TERM_CLASSIFIED)));
	f = hello("listed.example");
	say_text(f, &w0, KD_INSIDE, "later");
	f->pkt[1].time_ns = T0 + 2 * SEC;
	go(f, &r);
	assert_string_equal(fared(&r, 2), "emit classify.unknown");
	result_free(&r);
}

/* What matched before has not to have hold of the flow: an allow. */
static void test_already(void **state)
{
	struct feed *f = new_feed();
	uint16_t pass, look;
	struct result r;

	(void)state;
	pass = allow_rule("pass", KD_PHASE_NAMES_ALLOWED, term(TERM(.kind = KD_TERM_FROM, .of = KD_INSIDE)),
		BIT(KD_PHASE_FALLBACK));
	rules[pass].seen_bit = 1;
	look = term(TERM(.kind = KD_TERM_ALREADY, .set = 0));
	and_then(look, TERM(.kind = KD_TERM_FROM, .of = KD_OUTSIDE));
	drop_rule("answer", KD_PHASE_PROTOCOL, look);
	say_text(f, &w0, KD_OUTSIDE, "greeting");
	say_text(f, &w0, KD_INSIDE, "question");
	say_text(f, &w0, KD_OUTSIDE, "answer");
	go(f, &r);
	assert_string_equal(fared(&r, 1), "emit classify.unknown");
	assert_string_equal(fared(&r, 2), "emit classify.unknown");
	assert_string_equal(fared(&r, 3), "drop drop.trigger 2");
	assert_int_equal(verdicts(&r, pass, KD_REASON_DECIDE_ALLOWED), 1);
	result_free(&r);
}

/* Noon in Moscow, on a day of UTC+3. */
static void test_hours(void **state)
{
	struct feed *f;

	(void)state;
	assert_true(takes(TERM(.kind = KD_TERM_HOURS, SPAN(12 * 60, 12 * 60)), text("x")));
	assert_false(takes(TERM(.kind = KD_TERM_HOURS, SPAN(0, 12 * 60 - 1)), text("x")));
	assert_false(takes(TERM(.kind = KD_TERM_HOURS, SPAN(12 * 60 + 1, 1439)), text("x")));
	f = text("x");
	f->pkt[0].time_ns = T0 + 60 * SEC - 1;
	assert_true(takes(TERM(.kind = KD_TERM_HOURS, SPAN(12 * 60, 12 * 60)), f));
	f = text("x");
	f->pkt[0].time_ns = T0 + 12 * 3600 * SEC; /* midnight */
	assert_true(takes(TERM(.kind = KD_TERM_HOURS, SPAN(0, 0)), f));
}

/* The name and the address of one line, not of two. */
static void test_pairs(void **state)
{
	static const struct kd_pairing both = {LISTED, P_SERVER}, other_name = {ALLOWED, P_SERVER},
				       other_place = {LISTED, P_HALF};
#define PAIRS(count, ...)                                                                                    \
	.kind = KD_TERM_PAIRS, .n = count, .pairings = (const struct kd_pairing[]){__VA_ARGS__}

	(void)state;
	assert_true(takes(TERM(PAIRS(1, both)), hello("listed.example")));
	assert_false(takes(TERM(PAIRS(2, other_name, other_place)), hello("listed.example")));
	assert_true(takes(TERM(PAIRS(3, other_name, other_place, both)), hello("listed.example")));
	assert_false(takes(TERM(PAIRS(1, both)), text("x")));
}

/* Nothing of a payload is known of a first packet in the phase of addresses, even if it has one. */
static void test_no_payload_in_addresses(void **state)
{
	const struct kd_term row[] = {TERM(.kind = KD_TERM_PROTOCOL, .mask = ALL),
		TERM(.kind = KD_TERM_SIGNATURE, .set = SIG_UDP), TERM(.kind = KD_TERM_LENGTH, SPAN(0, ALL)),
		TERM(.kind = KD_TERM_NTH, SPAN(0, ALL)), TERM(.kind = KD_TERM_BYTES, .n = 0)};

	(void)state;
	for (unsigned int i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct result r;

		start(NULL);
		drop_rule("it", KD_PHASE_ADDRESSES, term(row[i]));
		go(datagram("\0\1", 2), &r);
		assert_int_equal(r.count.fates[KD_DROP], 0);
		result_free(&r);
	}
	for (unsigned int i = 1; i < sizeof(row) / sizeof(row[0]); i++)
		assert_true(takes(row[i], datagram("\0\1", 2)));
}

/* A program that sends a packet through `jump`, over every pair of answers of two terms. */
static unsigned int outcomes(const struct kd_term jump[2])
{
	unsigned int taken = 0;

	for (unsigned int i = 0; i < 4; i++) {
		struct kd_term a = jump[0], b = jump[1];
		struct feed *f = text("x");
		struct result r;

		start(NULL);
		a.kind = b.kind = KD_TERM_TRANSPORT;
		a.mask = (i & 1) != 0 ? KD_TRANSPORT_TCP : KD_TRANSPORT_UDP;
		b.mask = (i & 2) != 0 ? KD_TRANSPORT_TCP : KD_TRANSPORT_UDP;
		term(a);
		term(b);
		drop_rule("it", KD_PHASE_PROTOCOL, 0);
		go(f, &r);
		if (r.count.fates[KD_DROP] != 0)
			taken |= 1u << i;
		result_free(&r);
	}
	return taken;
}

/* Bit 0: neither term holds, 1: the first, 2: the second, 3: both. */
static void test_jumps(void **state)
{
	const struct kd_term all[2] = {
		TERM(.on_true = 1, .on_false = NO), TERM(.on_true = YES, .on_false = NO)};
	const struct kd_term any[2] = {
		TERM(.on_true = YES, .on_false = 1), TERM(.on_true = YES, .on_false = NO)};
	const struct kd_term not_any[2] = {
		TERM(.on_true = NO, .on_false = 1), TERM(.on_true = NO, .on_false = YES)};
	const struct kd_term first_not_second[2] = {
		TERM(.on_true = 1, .on_false = NO), TERM(.on_true = NO, .on_false = YES)};

	(void)state;
	assert_int_equal(outcomes(all), 0x8);
	assert_int_equal(outcomes(any), 0xe);
	assert_int_equal(outcomes(not_any), 0x1);
	assert_int_equal(outcomes(first_not_second), 0x2);
}

/* A protocol in the program, and payload that nobody recognises: only what cannot match without is passed
 * over. */
static void test_protocol_among_others(void **state)
{
	static const struct {
		struct kd_term first, second;
		bool unknown, tls;
	} row[] = {
		/* tls and tcp; tls or tcp; not tls, and tcp; not (tls and tcp) */
		{{.on_true = 1, .on_false = NO}, {.on_true = YES, .on_false = NO}, false, true},
		{{.on_true = YES, .on_false = 1}, {.on_true = YES, .on_false = NO}, true, true},
		{{.on_true = NO, .on_false = 1}, {.on_true = YES, .on_false = NO}, true, false},
		{{.on_true = 1, .on_false = YES}, {.on_true = NO, .on_false = YES}, true, false},
	};

	(void)state;
	for (unsigned int i = 0; i < 8; i++) {
		struct kd_term a = row[i / 2].first, b = row[i / 2].second;
		struct result r;

		start(NULL);
		a.kind = KD_TERM_PROTOCOL;
		a.mask = TLS;
		b.kind = KD_TERM_TRANSPORT;
		b.mask = KD_TRANSPORT_TCP;
		term(a);
		term(b);
		drop_rule("it", KD_PHASE_PROTOCOL, 0);
		go(i % 2 == 0 ? text("x") : hello("x.example"), &r);
		assert_int_equal(r.count.fates[KD_DROP], i % 2 == 0 ? row[i / 2].unknown : row[i / 2].tls);
		result_free(&r);
	}
}

static void test_empty_when(void **state)
{
	struct result r;

	(void)state;
	drop_rule("everything", KD_PHASE_PROTOCOL, KD_TERM_TRUE);
	go(text("x"), &r);
	assert_string_equal(fared(&r, 1), "drop drop.trigger 1");
	result_free(&r);
	start(NULL);
	drop_rule("nothing", KD_PHASE_PROTOCOL, KD_TERM_FALSE);
	go(text("x"), &r);
	assert_string_equal(fared(&r, 1), "emit classify.unknown");
	result_free(&r);
}

/* A box that does not know a protocol takes it for unknown payload. */
static void test_box_protocols(void **state)
{
	struct result r;

	(void)state;
	policy.box.protocols = HTTP;
	drop_rule("it", KD_PHASE_PROTOCOL, term(TERM(.kind = KD_TERM_PROTOCOL, .mask = ALL)));
	go(hello("x.example"), &r);
	assert_string_equal(fared(&r, 1), "emit classify.unknown");
	assert_int_equal(count_of(&r, KD_EVENT_APP, NULL), 0);
	result_free(&r);
	go(text(REQUEST), &r);
	assert_string_equal(fared(&r, 1), "drop drop.trigger 1");
	result_free(&r);
}

#define TEST(name) cmocka_unit_test_setup(name, start)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_protocol),
		TEST(test_transport),
		TEST(test_transport_of_first_packets),
		TEST(test_signature),
		TEST(test_name),
		TEST(test_sides),
		TEST(test_addresses),
		TEST(test_no_prefixes),
		TEST(test_ports),
		TEST(test_length),
		TEST(test_bytes),
		TEST(test_nth),
		TEST(test_field_numbers),
		TEST(test_field_texts),
		TEST(test_classified),
		TEST(test_already),
		TEST(test_hours),
		TEST(test_pairs),
		TEST(test_no_payload_in_addresses),
		TEST(test_jumps),
		TEST(test_protocol_among_others),
		TEST(test_empty_when),
		TEST(test_box_protocols),
	};

	return cmocka_run_group_tests(tests, make_sets, drop_sets);
}
