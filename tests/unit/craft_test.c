/* SPDX-License-Identifier: BSD-3-Clause */
/* Forged frames: numbers, addresses, lengths and padding checked by hand, sums by an independent sum over the
 * bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <errno.h>

#include <cmocka.h>

#include "engine/craft.h"
#include "engine/cursor.h"

#define ROOM 256

static const uint8_t macs[12] = {2, 0, 0, 0, 0, 0xbb, 2, 0, 0, 0, 0, 0xaa};
static const uint8_t ip4[20] = {
	0x45, 0x10, 0, 0, 0x12, 0x34, 0x40, 0, 57, 6, 0, 0, 198, 18, 0, 2, 203, 0, 113, 10};
static const uint8_t ip6_ends[32] = {
	0xfd, [15] = 2, [16] = 0x20, [17] = 1, [18] = 0xd, [19] = 0xb8, [31] = 0x10};

struct frame {
	uint8_t *data; /* a heap block of exactly len + tailroom bytes */
	struct kd_pkt pkt;
	struct kd_view view;
};

/* A TCP data packet of 100 payload bytes behind the given link bytes (after the MACs); options are 12 bytes.
 */
static void make(
	struct frame *f, const uint8_t *tags, size_t tags_len, unsigned int ip_version, size_t pppoe_at)
{
	size_t l3 = 12 + tags_len, ip_len = ip_version == 4 ? 20 : 40, tcp_len = 32,
	       len = l3 + ip_len + tcp_len + 100;
	uint8_t *p = malloc(len), *t;

	memset(p, 0x55, len);
	memcpy(p, macs, 12);
	memcpy(p + 12, tags, tags_len);
	if (pppoe_at != 0)
		kd_put16(p + pppoe_at, (uint16_t)(len - pppoe_at - 2));
	if (ip_version == 4) {
		memcpy(p + l3, ip4, 20);
		kd_put16(p + l3 + 2, (uint16_t)(len - l3));
	} else {
		memset(p + l3, 0, 8);
		p[l3] = 0x60;
		kd_put16(p + l3 + 4, (uint16_t)(tcp_len + 100));
		p[l3 + 6] = KD_PROTO_TCP;
		p[l3 + 7] = 57;
		memcpy(p + l3 + 8, ip6_ends, 32);
	}
	t = p + l3 + ip_len;
	kd_put16(t, 40000);
	kd_put16(t + 2, 443);
	kd_put32(t + 4, 1000);
	kd_put32(t + 8, 5000);
	t[12] = 8 << 4;
	t[13] = KD_TCP_PSH | KD_TCP_ACK;
	kd_put16(t + 18, 7);
	memset(t + 20, 1, 12);
	f->data = p;
	f->pkt = (struct kd_pkt){
		.data = p, .len = (uint32_t)len, .wire_len = (uint32_t)len, .link = KD_LINK_ETHERNET};
	kd_decode(&f->view, p, len, len, KD_LINK_ETHERNET);
	assert_int_equal(f->view.reason, 0);
	assert_int_equal(f->view.payload_len, 100);
}

static uint32_t add(uint32_t sum, const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		sum += (uint32_t)p[i] << (i % 2 == 0 ? 8 : 0);
	return sum;
}

static uint32_t folded(uint32_t sum)
{
	while (sum > 0xffff)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

/* A frame whose sums are right adds up to 0xffff, header and pseudo-header, whatever wrote them. */
static void check_sums(const uint8_t *data, size_t len)
{
	struct kd_view v;
	size_t tcp_len;
	uint32_t sum;

	kd_decode(&v, data, len, len, KD_LINK_ETHERNET);
	assert_int_equal(v.reason, 0);
	tcp_len = v.ip_end - v.l4_off;
	if (v.ip_version == 4)
		assert_int_equal(folded(add(0, data + v.l3_off, (size_t)(v.l4_off - v.l3_off))), 0xffff);
	sum = add(KD_PROTO_TCP + (uint32_t)tcp_len, v.src, v.ip_version == 4 ? 4 : 16);
	sum = add(sum, v.dst, v.ip_version == 4 ? 4 : 16);
	assert_int_equal(folded(add(sum, data + v.l4_off, tcp_len)), 0xffff);
}

static void check_rst(struct frame *f, enum kd_craft_way way)
{
	uint8_t buf[ROOM];
	int len = kd_craft_rst(buf, sizeof(buf), &f->pkt, &f->view, way);
	bool back = way == KD_CRAFT_BACK;
	struct kd_view v;

	assert_true(len >= 60);
	check_sums(buf, (size_t)len);
	kd_decode(&v, buf, (size_t)len, (size_t)len, KD_LINK_ETHERNET);
	assert_int_equal(v.payload_len, 0);
	assert_int_equal(v.seq, back ? 5000 : 1100);
	assert_int_equal(v.ack, back ? 1100 : 5000);
	assert_int_equal(v.tcp_flags, KD_TCP_RST | KD_TCP_ACK);
	assert_int_equal(v.sport, back ? 443 : 40000);
	assert_int_equal(v.dport, back ? 40000 : 443);
	assert_int_equal(v.ttl, 57);
	assert_int_equal(v.l3_off, f->view.l3_off);
	assert_memory_equal(v.src, back ? f->view.dst : f->view.src, v.ip_version == 4 ? 4 : 16);
	assert_memory_equal(v.dst, back ? f->view.src : f->view.dst, v.ip_version == 4 ? 4 : 16);
	assert_memory_equal(buf, back ? macs + 6 : macs, 6);
	assert_memory_equal(buf + 6, back ? macs : macs + 6, 6);
	for (size_t i = v.ip_end; i < (size_t)len; i++)
		assert_int_equal(buf[i], 0);
	if (v.pppoe_off != 0)
		assert_int_equal(kd_get16(buf + v.pppoe_off), v.ip_end - v.pppoe_off - 2);
}

/* A segment in the trigger's place, or in answer to it. */
static void check_tcp(struct frame *f, enum kd_craft_way way)
{
	uint8_t buf[ROOM];
	int len = kd_craft_tcp(
		buf, sizeof(buf), &f->pkt, &f->view, way, KD_TCP_PSH | KD_TCP_ACK, (const uint8_t *)"odd", 3);
	bool back = way == KD_CRAFT_BACK;
	struct kd_view v;

	assert_true(len >= 60);
	check_sums(buf, (size_t)len);
	kd_decode(&v, buf, (size_t)len, (size_t)len, KD_LINK_ETHERNET);
	assert_int_equal(v.payload_len, 3);
	assert_memory_equal(buf + v.payload_off, "odd", 3);
	assert_int_equal(v.seq, back ? 5000 : 1000);
	assert_int_equal(v.ack, back ? 1100 : 5000);
	assert_int_equal(v.tcp_flags, KD_TCP_PSH | KD_TCP_ACK);
	assert_int_equal(v.sport, back ? 443 : 40000);
	assert_memory_equal(buf, back ? macs + 6 : macs, 6);
	for (size_t i = v.ip_end; i < (size_t)len; i++)
		assert_int_equal(buf[i], 0);
	if (v.pppoe_off != 0)
		assert_int_equal(kd_get16(buf + v.pppoe_off), v.ip_end - v.pppoe_off - 2);
}

/* RFC 4443 2.3: the sum has a pseudo-header; type 1 code 1, and the first 128 bytes. */
static void check_unreachable(struct frame *f)
{
	uint8_t buf[ROOM];
	int len = kd_craft_unreachable(buf, sizeof(buf), &f->pkt, &f->view);
	bool v6 = f->view.ip_version == 6;
	size_t at = f->view.l3_off + (v6 ? 40u : 20u), end = at + 8 + 128;
	uint32_t sum = 0;

	assert_int_equal(len, end);
	assert_int_equal(buf[at], v6 ? 1 : 3);
	assert_int_equal(buf[at + 1], v6 ? 1 : 13);
	assert_memory_equal(buf + at + 8, f->data + f->view.l3_off, 128);
	if (v6)
		sum = add(KD_PROTO_ICMP6 + 136, buf + at - 32, 32);
	assert_int_equal(folded(add(sum, buf + at, 136)), 0xffff);
	assert_int_equal(v6 ? buf[at - 34] : buf[at - 11], v6 ? KD_PROTO_ICMP6 : KD_PROTO_ICMP);
	if (f->view.pppoe_off != 0)
		assert_int_equal(kd_get16(buf + f->view.pppoe_off), end - f->view.pppoe_off - 2);
}

static void check_cut(struct frame *f)
{
	struct kd_view before = f->view, v;
	uint8_t options[12];

	memcpy(options, f->data + before.l4_off + 20, 12);
	kd_craft_cut_to_rst(&f->pkt, &before);
	check_sums(f->pkt.data, f->pkt.len);
	kd_decode(&v, f->pkt.data, f->pkt.len, f->pkt.wire_len, KD_LINK_ETHERNET);
	assert_int_equal(v.tcp_flags, KD_TCP_RST | KD_TCP_ACK);
	assert_int_equal(v.seq, 1000);
	assert_int_equal(v.ack, 5000);
	assert_int_equal(v.ttl, 57);
	assert_memory_equal(f->pkt.data + v.l4_off + 20, options, 12);
	assert_int_equal(kd_get16(f->pkt.data + v.l4_off + 18), 0);
	assert_int_equal(f->pkt.len, f->pkt.wire_len);
	if (v.pppoe_off != 0)
		assert_int_equal(kd_get16(f->pkt.data + v.pppoe_off), v.ip_end - v.pppoe_off - 2);
}

static const uint8_t plain4[] = {8, 0}, plain6[] = {0x86, 0xdd};
static const uint8_t qinq[] = {0x88, 0xa8, 0, 100, 0x81, 0, 0x20, 200, 8, 0};
static const uint8_t pppoe[] = {0x88, 0x64, 0x11, 0, 0, 9, 0, 0, 0, 0x21};
static const uint8_t pppoe6[] = {0x88, 0x64, 0x11, 0, 0, 9, 0, 0, 0, 0x57};
static const uint8_t mpls[] = {0x88, 0x47, 0, 0x01, 0x01, 0x40};

static void test_rst(void **state)
{
	const struct {
		const uint8_t *tags;
		size_t len;
		unsigned int ip_version;
		size_t pppoe_at;
	} all[] = {{plain4, 2, 4, 0}, {plain6, 2, 6, 0}, {qinq, 10, 4, 0}, {pppoe, 10, 4, 18},
		{pppoe6, 10, 6, 18}};
	struct frame f;

	(void)state;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		make(&f, all[i].tags, all[i].len, all[i].ip_version, all[i].pppoe_at);
		check_rst(&f, KD_CRAFT_ONWARD);
		check_rst(&f, KD_CRAFT_BACK);
		check_tcp(&f, KD_CRAFT_ONWARD);
		check_tcp(&f, KD_CRAFT_BACK);
		check_unreachable(&f);
		check_cut(&f);
		free(f.data);
	}
}

static void test_tags_kept(void **state)
{
	uint8_t buf[ROOM];
	struct frame f;

	(void)state;
	make(&f, qinq, sizeof(qinq), 4, 0);
	assert_int_equal(kd_craft_rst(buf, sizeof(buf), &f.pkt, &f.view, KD_CRAFT_BACK), 12 + 10 + 20 + 20);
	assert_memory_equal(buf + 12, qinq, sizeof(qinq));
	free(f.data);
}

static void test_mpls(void **state)
{
	uint8_t buf[ROOM];
	struct frame f;

	(void)state;
	make(&f, mpls, sizeof(mpls), 4, 0);
	assert_true(f.view.mpls);
	check_rst(&f, KD_CRAFT_ONWARD);
	assert_int_equal(kd_craft_rst(buf, sizeof(buf), &f.pkt, &f.view, KD_CRAFT_BACK), -EOPNOTSUPP);
	assert_int_equal(kd_craft_unreachable(buf, sizeof(buf), &f.pkt, &f.view), -EOPNOTSUPP);
	check_cut(&f);
	free(f.data);
}

static void test_no_room(void **state)
{
	uint8_t buf[ROOM];
	struct frame f;

	(void)state;
	make(&f, qinq, sizeof(qinq), 4, 0);
	assert_int_equal(kd_craft_rst(buf, 61, &f.pkt, &f.view, KD_CRAFT_ONWARD), -EMSGSIZE);
	assert_int_equal(kd_craft_rst(buf, 62, &f.pkt, &f.view, KD_CRAFT_ONWARD), 62);
	assert_int_equal(kd_craft_tcp(buf, 64, &f.pkt, &f.view, KD_CRAFT_ONWARD, KD_TCP_ACK,
				 (const uint8_t *)"odd", 3),
		-EMSGSIZE);
	assert_int_equal(kd_craft_unreachable(buf, 177, &f.pkt, &f.view), -EMSGSIZE);
	assert_int_equal(kd_craft_unreachable(buf, 178, &f.pkt, &f.view), 178);
	free(f.data);
}

/* RFC 9293 3.5.2: a SYN takes a sequence number, and a segment without ACK is answered with sequence 0. */
static void test_syn(void **state)
{
	uint8_t buf[ROOM];
	struct kd_view v;
	struct frame f;
	int len;

	(void)state;
	make(&f, plain4, sizeof(plain4), 4, 0);
	f.view.tcp_flags = KD_TCP_SYN;
	f.view.payload_len = f.view.payload_wire_len = 0;
	len = kd_craft_rst(buf, sizeof(buf), &f.pkt, &f.view, KD_CRAFT_BACK);
	kd_decode(&v, buf, (size_t)len, (size_t)len, KD_LINK_ETHERNET);
	assert_int_equal(v.seq, 0);
	assert_int_equal(v.ack, 1001);
	len = kd_craft_rst(buf, sizeof(buf), &f.pkt, &f.view, KD_CRAFT_ONWARD);
	kd_decode(&v, buf, (size_t)len, (size_t)len, KD_LINK_ETHERNET);
	assert_int_equal(v.seq, 1001);
	assert_int_equal(v.tcp_flags, KD_TCP_RST);
	free(f.data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rst),
		cmocka_unit_test(test_tags_kept),
		cmocka_unit_test(test_mpls),
		cmocka_unit_test(test_no_room),
		cmocka_unit_test(test_syn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
