/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The four rules that say which side is inside, each where it decides and where it hands on to the next.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "drivers/side.h"
#include "engine/engine.h"

/* Two section headers: one that says kordon wrote it, one that says nothing. */
static const uint8_t by_kordon[] = {0x0a, 0x0d, 0x0d, 0x0a, 0, 0, 0, 40, 0x1a, 0x2b, 0x3c, 0x4d, 0, 1, 0, 0,
	0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 4, 0, 6, 'k', 'o', 'r', 'd', 'o', 'n', 0, 0, 0, 0,
	0, 40};
static const uint8_t by_others[] = {0x0a, 0x0d, 0x0d, 0x0a, 0, 0, 0, 28, 0x1a, 0x2b, 0x3c, 0x4d, 0, 1, 0, 0,
	0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 28};

/* A judge, the capture it is told of, and one packet's view. */
struct judged {
	struct kd_side_judge *j;
	struct kd_capture *c;
	struct kd_captured pkt;
	struct kd_view v;
	uint8_t src[16], dst[16];
};

static void begin(struct judged *t, const char *nets)
{
	struct kd_capture_error err;
	const char *bad = NULL;

	*t = (struct judged){.pkt.if_name = ""};
	assert_int_equal(kd_side_new(&t->j, nets, &bad), 0);
	assert_int_equal(kd_capture_open_bytes(&t->c, by_others, sizeof(by_others), &err), 0);
}

static void end(struct judged *t)
{
	kd_side_free(t->j);
	kd_capture_close(t->c);
}

static void address(uint8_t *to, const char *text)
{
	assert_int_equal(inet_pton(strchr(text, ':') == NULL ? AF_INET : AF_INET6, text, to), 1);
}

/* Side of a packet, of a protocol with ports where they are not 0. */
static unsigned int side(struct judged *t, const char *src, uint16_t sport, const char *dst, uint16_t dport,
	uint8_t ip_proto, uint8_t tcp_flags)
{
	address(t->src, src);
	address(t->dst, dst);
	t->v = (struct kd_view){
		.ip_version = strchr(src, ':') == NULL ? 4 : 6,
		.ip_proto = ip_proto,
		.tcp_flags = tcp_flags,
		.sport = sport,
		.dport = dport,
		.src = t->src,
		.dst = t->dst,
	};
	return kd_side_of(t->j, t->c, &t->pkt, &t->v);
}

static unsigned int udp(struct judged *t, const char *src, const char *dst)
{
	return side(t, src, 1000, dst, 2000, KD_PROTO_UDP, 0);
}

static unsigned int udp_back(struct judged *t, const char *src, const char *dst)
{
	return side(t, src, 2000, dst, 1000, KD_PROTO_UDP, 0);
}

static void expect_counts(
	const struct judged *t, uint64_t interface, uint64_t net, uint64_t private, uint64_t first)
{
	assert_int_equal(kd_side_count(t->j, KD_SIDE_BY_INTERFACE), interface);
	assert_int_equal(kd_side_count(t->j, KD_SIDE_BY_NET), net);
	assert_int_equal(kd_side_count(t->j, KD_SIDE_BY_PRIVATE), private);
	assert_int_equal(kd_side_count(t->j, KD_SIDE_BY_FIRST), first);
}

static void by_interface(void **state)
{
	static const struct {
		const char *name;
		enum kd_direction direction;
		unsigned int side;
	} row[] = {
		{"inside", KD_DIR_INBOUND, KD_INSIDE},
		{"inside", KD_DIR_OUTBOUND, KD_OUTSIDE},
		{"inside", KD_DIR_UNKNOWN, KD_INSIDE},
		{"outside", KD_DIR_INBOUND, KD_OUTSIDE},
		{"outside", KD_DIR_OUTBOUND, KD_INSIDE},
		{"outside", KD_DIR_UNKNOWN, KD_OUTSIDE},
	};
	const unsigned int n = sizeof(row) / sizeof(row[0]);
	struct kd_capture_error err;
	struct judged t;

	(void)state;
	begin(&t, "198.51.100.0/24");
	kd_capture_close(t.c);
	assert_int_equal(kd_capture_open_bytes(&t.c, by_kordon, sizeof(by_kordon), &err), 0);
	for (unsigned int i = 0; i < n; i++) {
		t.pkt.if_name = row[i].name;
		t.pkt.direction = row[i].direction;
		assert_int_equal(udp(&t, "198.51.100.1", "9.9.9.9"), row[i].side);
		assert_int_equal(udp(&t, "9.9.9.9", "198.51.100.1"), row[i].side);
		t.v.ip_version = 0; /* not IP: the interface still says */
		assert_int_equal(kd_side_of(t.j, t.c, &t.pkt, &t.v), row[i].side);
	}
	expect_counts(&t, 3 * n, 0, 0, 0);
	t.pkt.if_name = "insider";
	assert_int_equal(udp(&t, "9.9.9.9", "198.51.100.1"), KD_OUTSIDE);
	t.pkt.if_name = "";
	assert_int_equal(udp(&t, "9.9.9.9", "198.51.100.1"), KD_OUTSIDE);
	expect_counts(&t, 3 * n, 2, 0, 0);
	end(&t);

	begin(&t, "198.51.100.0/24"); /* a capture by somebody else */
	t.pkt.if_name = "inside";
	t.pkt.direction = KD_DIR_INBOUND;
	assert_int_equal(udp(&t, "9.9.9.9", "198.51.100.1"), KD_OUTSIDE);
	expect_counts(&t, 0, 1, 0, 0);
	end(&t);
}

static void undecoded(void **state)
{
	struct judged t;

	(void)state;
	begin(&t, NULL);
	assert_int_equal(kd_side_of(t.j, t.c, &t.pkt, &t.v), KD_INSIDE);
	expect_counts(&t, 0, 0, 0, 0);
	end(&t);
}

static void by_net(void **state)
{
	struct judged t;

	(void)state;
	begin(&t, "203.0.113.77/26,8.8.8.8,2a00::/9,2001:db8::5");
	assert_int_equal(udp(&t, "203.0.113.64", "10.0.0.1"), KD_INSIDE); /* before the private space */
	assert_int_equal(udp(&t, "10.0.0.1", "203.0.113.127"), KD_OUTSIDE);
	assert_int_equal(udp(&t, "8.8.8.8", "10.0.0.1"), KD_INSIDE);
	assert_int_equal(udp(&t, "2a7f::1", "2a80::1"), KD_INSIDE);
	assert_int_equal(udp(&t, "fd00::1", "2001:db8::5"), KD_OUTSIDE);
	expect_counts(&t, 0, 5, 0, 0);
	assert_int_equal(udp(&t, "203.0.113.63", "10.0.0.1"), KD_OUTSIDE); /* just outside the net */
	assert_int_equal(udp(&t, "203.0.113.128", "10.0.0.1"), KD_OUTSIDE);
	assert_int_equal(udp(&t, "8.8.8.9", "10.0.0.1"), KD_OUTSIDE);
	expect_counts(&t, 0, 5, 3, 0);
	/* Both in: the rules behind decide. */
	assert_int_equal(udp(&t, "8.8.8.8", "203.0.113.64"), KD_OUTSIDE);
	expect_counts(&t, 0, 5, 4, 0);
	assert_int_equal(udp(&t, "2a00::1", "2a01::1"), KD_INSIDE);
	assert_int_equal(udp_back(&t, "2a01::1", "2a00::1"), KD_OUTSIDE);
	expect_counts(&t, 0, 5, 4, 2);
	end(&t);

	begin(&t, "0.0.0.0/0"); /* all of IPv4, nothing of IPv6 */
	assert_int_equal(udp(&t, "1.1.1.1", "9.9.9.9"), KD_INSIDE);
	assert_int_equal(udp(&t, "2600::1", "2601::1"), KD_INSIDE);
	expect_counts(&t, 0, 0, 0, 2);
	end(&t);
}

static void bad_nets(void **state)
{
	static const struct {
		const char *nets;
		size_t bad;
	} row[] = {
		{"", 0},
		{"10.0.0.0/8,", 11},
		{",10.0.0.0/8", 0},
		{"10.0.0.0/33", 0},
		{"10.0.0.0/", 0},
		{"10.0.0.0/8/8", 0},
		{"10.0.0.0/+8", 0},
		{"10.0.0.0/0008", 0},
		{"10.0.0/8", 0},
		{"10.0.0.0/8, fd00::/8", 11},
		{"10.0.0.0/8,fd00::/129,x", 11},
		{"fd00::/8,localhost", 9},
		{"fd00::/128,1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb/12", 11},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct kd_side_judge *j = NULL;
		const char *bad = NULL;

		assert_int_equal(kd_side_new(&j, row[i].nets, &bad), -EINVAL);
		assert_null(j);
		assert_ptr_equal(bad, row[i].nets + row[i].bad);
	}
}

/* Edges of each space, against an address on the internet. */
static void by_private(void **state)
{
	static const char *const lab[] = {"10.0.0.0", "10.255.255.255", "172.16.0.0", "172.31.255.255",
		"192.168.0.0", "192.168.255.255", "100.64.0.0", "100.127.255.255", "169.254.0.0",
		"169.254.255.255", "198.18.0.0", "198.19.255.255", "127.0.0.0", "127.255.255.255",
		"192.0.2.0", "192.0.2.255", "198.51.100.0", "198.51.100.255", "203.0.113.0", "203.0.113.255",
		"fc00::", "fdff:ffff::", "fe80::", "febf:ffff::", "2001:db8::", "2001:db8:ffff::", "2001:2::",
		"2001:2:0:ffff::", "::1"};
	static const char *const internet[] = {"9.255.255.255", "11.0.0.0", "172.15.255.255", "172.32.0.0",
		"192.167.255.255", "192.169.0.0", "100.63.255.255", "100.128.0.0", "169.253.255.255",
		"169.255.0.0", "198.17.255.255", "198.20.0.0", "126.255.255.255", "128.0.0.0", "192.0.1.255",
		"192.0.3.0", "198.51.99.255", "198.51.101.0", "203.0.112.255", "203.0.114.0", "fbff::",
		"fe00::", "fe7f::", "fec0::", "2001:db7::", "2001:db9::", "2001:1::", "2001:2:1::", "::2",
		"::"};
	const size_t nlab = sizeof(lab) / sizeof(lab[0]);
	const size_t ninternet = sizeof(internet) / sizeof(internet[0]);
	struct judged t;

	(void)state;
	begin(&t, NULL);
	for (size_t i = 0; i < nlab; i++) {
		const char *far = strchr(lab[i], ':') == NULL ? "8.8.8.8" : "2600::1";

		assert_int_equal(udp(&t, far, lab[i]), KD_OUTSIDE); /* though it comes first */
		assert_int_equal(udp(&t, lab[i], far), KD_INSIDE);
	}
	expect_counts(&t, 0, 0, 2 * nlab, 0);
	for (size_t i = 0; i < ninternet; i++)
		assert_int_equal(
			udp(&t, internet[i], strchr(internet[i], ':') == NULL ? "8.8.8.8" : "2600::1"), 0);
	expect_counts(&t, 0, 0, 2 * nlab, ninternet);
	end(&t);
}

static void documentation_is_the_internet_of_labs(void **state)
{
	struct judged t;

	(void)state;
	begin(&t, NULL);
	assert_int_equal(udp(&t, "198.18.0.2", "203.0.113.10"), KD_INSIDE);
	assert_int_equal(udp(&t, "203.0.113.10", "198.18.0.2"), KD_OUTSIDE);
	assert_int_equal(udp(&t, "192.0.2.1", "10.0.0.1"), KD_OUTSIDE);
	assert_int_equal(udp(&t, "2001:db8::1", "fd00::1"), KD_OUTSIDE);
	expect_counts(&t, 0, 0, 4, 0);
	/* Two of a kind: the first packet says. */
	assert_int_equal(udp(&t, "203.0.113.10", "192.0.2.1"), KD_INSIDE);
	assert_int_equal(udp_back(&t, "192.0.2.1", "203.0.113.10"), KD_OUTSIDE);
	assert_int_equal(udp(&t, "192.168.1.1", "10.0.0.1"), KD_INSIDE);
	assert_int_equal(udp_back(&t, "10.0.0.1", "192.168.1.1"), KD_OUTSIDE);
	expect_counts(&t, 0, 0, 4, 4);
	end(&t);
}

static void by_first_packet(void **state)
{
	const uint8_t syn = KD_TCP_SYN, ack = KD_TCP_ACK, syn_ack = KD_TCP_SYN | KD_TCP_ACK;
	struct judged t;

	(void)state;
	begin(&t, NULL);
	assert_int_equal(side(&t, "9.9.9.9", 500, "8.8.8.8", 443, KD_PROTO_TCP, syn), KD_INSIDE);
	assert_int_equal(side(&t, "8.8.8.8", 443, "9.9.9.9", 500, KD_PROTO_TCP, syn_ack), KD_OUTSIDE);
	assert_int_equal(side(&t, "9.9.9.9", 500, "8.8.8.8", 443, KD_PROTO_TCP, ack), KD_INSIDE);
	/* Another port, another flow, and one whose SYN the capture missed. */
	assert_int_equal(side(&t, "8.8.8.8", 443, "9.9.9.9", 501, KD_PROTO_TCP, syn_ack), KD_OUTSIDE);
	assert_int_equal(side(&t, "9.9.9.9", 501, "8.8.8.8", 443, KD_PROTO_TCP, ack), KD_INSIDE);
	assert_int_equal(side(&t, "8.8.8.8", 443, "9.9.9.9", 502, KD_PROTO_TCP, ack), KD_INSIDE);
	assert_int_equal(side(&t, "9.9.9.9", 502, "8.8.8.8", 443, KD_PROTO_TCP, ack), KD_OUTSIDE);
	/* Another protocol. */
	assert_int_equal(side(&t, "8.8.8.8", 443, "9.9.9.9", 500, KD_PROTO_UDP, 0), KD_INSIDE);
	assert_int_equal(side(&t, "9.9.9.9", 500, "8.8.8.8", 443, KD_PROTO_UDP, 0), KD_OUTSIDE);
	/* One address, two ports. */
	assert_int_equal(side(&t, "2600::1", 7, "2600::1", 9, KD_PROTO_UDP, 0), KD_INSIDE);
	assert_int_equal(side(&t, "2600::1", 9, "2600::1", 7, KD_PROTO_UDP, 0), KD_OUTSIDE);
	expect_counts(&t, 0, 0, 0, 11);
	end(&t);
}

static void without_ports(void **state)
{
	struct judged t;

	(void)state;
	begin(&t, NULL);
	/* ICMP goes by the pair of addresses; the type and code are no ports. */
	assert_int_equal(side(&t, "9.9.9.9", 0, "8.8.8.8", 0, KD_PROTO_ICMP, 0), KD_INSIDE);
	assert_int_equal(side(&t, "8.8.8.8", 0, "9.9.9.9", 0, KD_PROTO_ICMP, 0), KD_OUTSIDE);
	/* A fragmented answer goes with the flow it answers, though no fragment came before. */
	assert_int_equal(side(&t, "9.9.9.9", 500, "8.8.8.8", 53, KD_PROTO_UDP, 0), KD_INSIDE);
	side(&t, "8.8.8.8", 53, "9.9.9.9", 500, KD_PROTO_UDP, 0);
	t.v.fragment = true;
	t.v.reason = KD_REASON_FRAG_NOT_INSPECTED;
	assert_int_equal(kd_side_of(t.j, t.c, &t.pkt, &t.v), KD_OUTSIDE);
	t.v.sport = t.v.dport = 0;
	assert_int_equal(kd_side_of(t.j, t.c, &t.pkt, &t.v), KD_OUTSIDE);
	/* A fragment that is the first of its pair decides for fragments. */
	side(&t, "7.7.7.7", 0, "8.8.8.8", 0, KD_PROTO_UDP, 0);
	t.v.fragment = true;
	assert_int_equal(kd_side_of(t.j, t.c, &t.pkt, &t.v), KD_INSIDE);
	side(&t, "8.8.8.8", 0, "7.7.7.7", 0, KD_PROTO_UDP, 0);
	t.v.fragment = true;
	assert_int_equal(kd_side_of(t.j, t.c, &t.pkt, &t.v), KD_OUTSIDE);
	/* A SYN/ACK says who opened for the pair, too. */
	side(&t, "6.6.6.6", 443, "8.8.8.8", 999, KD_PROTO_TCP, KD_TCP_SYN | KD_TCP_ACK);
	t.v.fragment = true;
	t.v.sport = t.v.dport = 0;
	assert_int_equal(kd_side_of(t.j, t.c, &t.pkt, &t.v), KD_OUTSIDE);
	end(&t);
}

/* More flows than the first table holds, all remembered. */
static void many_flows(void **state)
{
	struct judged t;

	(void)state;
	begin(&t, NULL);
	for (unsigned int i = 0; i < 40000; i++) {
		unsigned int want = i % 3 == 0 ? KD_OUTSIDE : KD_INSIDE;
		uint8_t flags = i % 3 == 0 ? KD_TCP_SYN | KD_TCP_ACK : KD_TCP_SYN;

		assert_int_equal(side(&t, "9.9.9.9", (uint16_t)i, "8.8.8.8", 443, KD_PROTO_TCP, flags), want);
	}
	for (unsigned int i = 0; i < 40000; i++) {
		unsigned int want = i % 3 == 0 ? KD_INSIDE : KD_OUTSIDE;

		assert_int_equal(
			side(&t, "8.8.8.8", 443, "9.9.9.9", (uint16_t)i, KD_PROTO_TCP, KD_TCP_ACK), want);
	}
	expect_counts(&t, 0, 0, 0, 80000);
	end(&t);
}

static void names(void **state)
{
	(void)state;
	assert_string_equal(kd_side_rule_name(KD_SIDE_BY_INTERFACE), "interface");
	assert_string_equal(kd_side_rule_name(KD_SIDE_BY_NET), "inside-net");
	assert_string_equal(kd_side_rule_name(KD_SIDE_BY_PRIVATE), "private");
	assert_string_equal(kd_side_rule_name(KD_SIDE_BY_FIRST), "first-packet");
	kd_side_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(by_interface),
		cmocka_unit_test(undecoded),
		cmocka_unit_test(by_net),
		cmocka_unit_test(bad_nets),
		cmocka_unit_test(by_private),
		cmocka_unit_test(documentation_is_the_internet_of_labs),
		cmocka_unit_test(by_first_packet),
		cmocka_unit_test(without_ports),
		cmocka_unit_test(many_flows),
		cmocka_unit_test(names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
