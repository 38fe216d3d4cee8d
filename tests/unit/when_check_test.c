/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A `when` that can be read and makes no sense: terms that exclude each other, terms in a place where they
 * never hold; and as many of those that look like it and are right.
 */
#include "small_book.h"

#include "engine/protocol.h"
#include "rulebook/when.h"

#define IN(phase, when) RULES("{ id = 'a'; phase = '" phase "'; when = { " when " }; " DROP " }")
#define WHEN(when) IN("protocol", when)

#define BOTH "no packet is both"
#define NONE " | classified = 'none' is of flows in which nothing was recognised\n"

static void test_protocols(void **state)
{
	(void)state;
	own(WHEN("sni = 'a.example'; host = 'a.example';"),
		"rules.[0].when.host: 'host' beside 'sni': no protocol has both | either of them: any = ( { "
		"sni = ...; }, { host = ...; } )\n");
	own(WHEN("sni = 'a.example'; http_method = 'GET';"),
		"rules.[0].when.http_method: 'http_method' beside 'sni': no protocol has both | either of "
		"them: any = ( { sni = ...; }, { http_method = ...; } )\n");
	own(WHEN("all = ( { host = 'a.example'; }, { all = ( { tls_alpn = 'h2'; }, { nth = 1; } ); } );"),
		"rules.[0].when.all.[1].all.[0].tls_alpn: 'tls_alpn' beside 'host': no protocol has both | "
		"either of them: any = ( { host = ...; }, { tls_alpn = ...; } )\n");
	own(WHEN("protocol = 'http'; any = ( { sni = 'a.example'; }, { host = 'a.example'; } );"),
		"rules.[0].when.any.[0].sni: 'sni' beside 'protocol': no protocol has both | either of them: "
		"any = ( { protocol = ...; }, { sni = ...; } )\n");
	own(WHEN("not = { sni = 'a.example'; host = 'a.example'; };"),
		"rules.[0].when.not.host: 'host' beside 'sni': no protocol has both...\n");
	own(WHEN("any = ( { sni = 'a.example'; }, { host = 'a.example'; } );"), "");
	own(WHEN("sni = 'a.example'; not = { http_method = 'GET'; };"), "");
	own(WHEN("sni = 'a.example'; tls_alpn = 'h2'; protocol = 'tls';"), "");
	/* Nobody knows yet what fields an announced protocol has. */
	own(RULES("{ id = 'a'; phase = 'protocol'; pending = 'protocol:quic'; when = { protocol = 'quic'; "
		  "sni "
		  "= 'a.example'; host = 'a.example'; transport = 'udp'; }; " DROP " }"),
		"");
	/* A mistake in reading is said alone. */
	own(WHEN("protocol = 'http'; sni = 'a.example';"),
		"rules.[0].when.sni: protocol 'http' has no 'sni'\n");
}

static void test_transports(void **state)
{
	(void)state;
	own(WHEN("protocol = 'tls'; transport = 'udp';"),
		"rules.[0].when.transport: 'transport' beside 'protocol': " BOTH " | tls runs over TCP\n");
	own(WHEN("transport = [ 'udp', 'icmp' ]; host = 'a.example';"),
		"rules.[0].when.host: 'host' beside 'transport': " BOTH " | http runs over TCP\n");
	own(WHEN("protocol = [ 'tls', 'http' ]; transport = 'other';"),
		"rules.[0].when.transport: 'transport' beside 'protocol': " BOTH
		" | tls runs over TCP, http runs over TCP\n");
	own(WHEN("to_port = 53; transport = 'icmp';"),
		"rules.[0].when.to_port: 'to_port' beside 'transport': " BOTH
		" | ports are of TCP and UDP\n");
	own("signatures = ( { id = 'u'; transport = 'udp'; pattern = '^a'; must = '61'; must_not = '62'; } "
	    ");\n" WHEN("transport = 'tcp'; signature = 'u';"),
		"rules.[0].when.signature: 'signature' beside 'transport': " BOTH
		" | 'u' is a signature of UDP\n");
	own(WHEN("transport = 'udp'; any = ( { fake = 'md5'; }, { fake = [ 'md5', 'ip_id' ]; } );"),
		"rules.[0].when.any.[0].fake: 'fake' beside 'transport': " BOTH " | such fakes are of TCP\n"
		"?rules.[0].when.any.[0].fake: no...\n?rules.[0].when.any.[1].fake: no...\n"
		"?rules.[0].when.any.[1].fake: no...\n");
	own(WHEN("transport = 'tcp'; signature = 'hi'; to_port = 1; protocol = 'tls';"), "");
	own(WHEN("protocol = 'tls'; transport = [ 'tcp', 'udp' ];"), "");
	own(WHEN("protocol = 'tls'; not = { transport = 'udp'; };"), "");
	own(WHEN("any = ( { protocol = 'tls'; }, { transport = 'udp'; } );"), "");
}

static void test_classified(void **state)
{
	(void)state;
	own(WHEN("protocol = 'tls'; classified = 'none';"),
		"rules.[0].when.classified: 'classified' beside 'protocol': " BOTH NONE);
	own(WHEN("classified = 'none'; all = ( { sni = 'a.example'; } );"),
		"rules.[0].when.all.[0].sni: 'sni' beside 'classified': " BOTH NONE);
	own(WHEN("classified = 'none'; not = { protocol = 'tls'; };"), "");
	own(WHEN("classified = 'none'; signature = 'hi';"), "");
}

#define FIRST " | its rules are asked once, at the first packet of a flow, and see no payload\n"

static void test_addresses(void **state)
{
	static const char *const terms[][2] = {{"length", "'1 B'"}, {"bytes", "'0: 16'"},
		{"signature", "'hi'"}, {"nth", "1"}, {"sni", "'a.example'"}, {"tls_alpn", "'h2'"},
		{"protocol", "'tls'"}};

	(void)state;
	for (size_t i = 0; i < sizeof(terms) / sizeof(terms[0]); i++) {
		char *text, *expected;

		assert_true(asprintf(&text, IN("addresses", "to = '192.0.2.0/24'; %s = %s;"), terms[i][0],
				    terms[i][1]) > 0);
		assert_true(asprintf(&expected,
				    "rules.[0].when.%s: '%s' never holds in the phase addresses" FIRST,
				    terms[i][0], terms[i][0]) > 0);
		own(text, expected);
		free(text);
		free(expected);
	}
	own(IN("addresses", "all = ( { to_port = 443; }, { nth = 1; } );"),
		"rules.[0].when.all.[1].nth: 'nth' never holds in the phase addresses" FIRST);
	own(IN("addresses", "fake = 'ttl';"),
		"rules.[0].when.fake: 'fake' never holds in the phase addresses" FIRST
		"?rules.[0].when.fake: no...\n");
	/* The other one may hold. */
	own(IN("addresses", "any = ( { nth = 1; }, { to = '192.0.2.0/24'; } );"), "");
	own(IN("addresses", "to = '192.0.2.0/24'; not = { protocol = 'tls'; };"), "");
	own(IN("addresses", "to = '192.0.2.0/24'; transport = 'icmp'; hours = '08:00-09:00'; opened_from = "
			    "'inside';"),
		"");
	own(IN("observe", "nth = 1;") /* `then` there is another test's */,
		"?rules.[0]: 'then' has no effect...\n");
}

#define COUNT(window, more) "count = { key = 'client'; window = '" window "'; more_than = 3; " more " };"

static void test_count(void **state)
{
	(void)state;
	own(WHEN("not = { " COUNT("1 s", "") " };"), "");
	own(WHEN(COUNT("1 s", "spacing = '2 s';")),
		"rules.[0].when.count: a spacing of '2 s' in a window of '1 s' | expected a spacing within "
		"the window, or none\n");
	own(WHEN(COUNT("1 s", "spacing = '1000 ms';")), "");
	own(WHEN("any = ( { " COUNT("1 s", "") " }, { nth = 9; } );"), "");
}

static uint8_t transports(const char *when)
{
	struct loaded l;
	uint8_t mask;
	char *text;

	assert_true(asprintf(&text, WHEN("%s"), when) > 0);
	l = fine(true, text);
	mask = kd_when_transports(l.book, rule_of(&l, "a")->when);
	drop(&l);
	free(text);
	return mask;
}

static void test_which_transports(void **state)
{
	const uint8_t tcp = KD_TRANSPORT_TCP, udp = KD_TRANSPORT_UDP, icmp = KD_TRANSPORT_ICMP,
		      all = tcp | udp | icmp | KD_TRANSPORT_OTHER;

	(void)state;
	assert_int_equal(transports(""), all);
	assert_int_equal(transports("to = '192.0.2.0/24';"), all);
	assert_int_equal(transports("transport = [ 'udp', 'icmp' ];"), udp | icmp);
	assert_int_equal(transports("transport = [ 'udp', 'icmp' ]; to_port = 1;"), udp);
	assert_int_equal(transports("sni = 'a.example';"), tcp);
	assert_int_equal(
		transports("any = ( { sni = 'a.example'; }, { transport = 'icmp'; } );"), tcp | icmp);
	assert_int_equal(transports("not = { transport = 'tcp'; };"), all);
	assert_int_equal(transports("signature = 'hi';"), tcp | udp);
}

#define RESETS(when, more)                                                                                   \
	RULES("{ id = 'a'; phase = 'protocol'; when = { " when " }; then = { mechanism = 'reset'; }; " more  \
	      " }")

static void test_reset(void **state)
{
	static const char never[] =
		"?rules.[0]: 'reset' can never act on what this matches | it needs TCP, and 'when' leaves "
		"none\n";

	(void)state;
	own(RESETS("transport = [ 'udp', 'icmp' ];", ""), never);
	own(RESETS("any = ( { transport = 'icmp'; }, { transport = 'udp'; nth = 1; } );", ""), never);
	own(RESETS("transport = [ 'udp', 'tcp' ];", ""), "");
	own(RESETS("nth = 1;", ""), "");
	/* Others than those that match. */
	own(RESETS("transport = 'udp';", "residual = { key = 'address'; time = '1 s'; };"), "");
	own(RESETS("transport = 'udp';", "residual = { key = '4-tuple'; time = '1 s'; };"), never);
	own(RULES("{ id = 'a'; phase = 'protocol'; when = { transport = 'udp'; }; " DROP
		  "variants = ( { }, { then = { mechanism = 'reset'; }; } ); }"),
		"?rules.[0].variants.[1]: 'reset' can never act...\n");
	own(RULES("{ id = 'a'; phase = 'protocol'; when = { transport = 'udp'; }; " DROP " }"), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_protocols),
		cmocka_unit_test(test_transports),
		cmocka_unit_test(test_classified),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_count),
		cmocka_unit_test(test_which_transports),
		cmocka_unit_test(test_reset),
	};

	return cmocka_run_group_tests_name("when_check", tests, make_book, drop_book);
}
