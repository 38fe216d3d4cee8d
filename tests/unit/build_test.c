/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The builders that scenarios are made of: if these lie, every scenario does. Frames are judged by the
 * checksum code of the capture driver and by the engine's decoder and parsers, which were written from the
 * RFCs by themselves, and against numbers worked out by hand.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "engine/checksum.h"
#include "engine/cursor.h"
#include "engine/decode.h"
#include "engine/protocol.h"
#include "run.h"

/* Addresses of the benchmarking and documentation ranges, as in every scenario. */
#define HEAD "profile null\n"
#define FLOW4 "flow a tcp 198.18.0.2:40000 > 203.0.113.10:443\n"
#define FLOW6 "flow a tcp [2001:2::2]:40000 > [2001:db8::10]:443\n"

extern const struct kd_protocol kd_protocol_tls;
extern const struct kd_protocol kd_protocol_http;

static void parse(struct scn *s, const char *text)
{
	struct scn_error e = {0};

	if (!scn_parse(s, "text", text, &e))
		fail_msg("line %d: %s", e.line, e.text);
}

/* Decodes packet n and demands that the whole frame is right; the view is the caller's. */
static void decode(const struct scn *s, unsigned int n, struct kd_view *v)
{
	const struct scn_packet *p = &s->packets[n];
	struct kd_sums sums;

	kd_decode(v, p->frame, p->len, p->len, s->link.kind);
	assert_int_equal(v->reason, 0);
	kd_sums_judge(&sums, p->frame, v);
	assert_int_equal(sums.ip, KD_SUM_GOOD);
	assert_int_equal(sums.transport, KD_SUM_GOOD);
}

static void test_checksums(void **state)
{
	static const char *const flows[] = {FLOW4, FLOW6, "flow a udp 198.18.0.2:5000 > 203.0.113.10:443\n",
		"flow a udp [2001:2::2]:5000 > [2001:db8::10]:443\n"};

	(void)state;
	for (unsigned int i = 0; i < 4; i++) {
		struct scn s;
		struct kd_view v;
		char text[400];

		snprintf(text, sizeof(text), HEAD "%s0 a > data(1)\n+1ms a < data(2)\n+1ms a > data(1399)\n",
			flows[i]);
		parse(&s, text);
		for (unsigned int n = 0; n < s.npackets; n++) {
			decode(&s, n, &v);
			assert_int_equal(v.payload_len, n == 0 ? 1 : n == 1 ? 2 : 1399);
		}
		scn_free(&s);
	}
}

static void test_ping(void **state)
{
	static const char *const flows[] = {
		"flow a icmp 198.18.0.2 > 203.0.113.10\n", "flow a icmp [2001:2::2] > [2001:db8::10]\n"};
	static const uint8_t types[2][2] = {{8, 0}, {128, 129}}; /* RFC 792, RFC 4443 */

	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		struct scn s;
		struct kd_view v;
		char text[200];

		snprintf(text, sizeof(text), HEAD "%s0 a > ping\n+1ms a < ping\n", flows[i]);
		parse(&s, text);
		for (unsigned int n = 0; n < 2; n++) {
			decode(&s, n, &v);
			assert_int_equal(s.packets[n].frame[v.l4_off], types[i][n]);
		}
		scn_free(&s);
	}
}

static void test_bad_checksum(void **state)
{
	struct scn s;
	struct kd_view v;
	struct kd_sums sums;
	struct wire w;

	(void)state;
	parse(&s, HEAD FLOW4 "0 a > data(10) badsum\n+1ms a > data(10) badsum=seen\n+1ms a > data(10)\n");
	for (unsigned int n = 0; n < 3; n++) {
		kd_decode(&v, s.packets[n].frame, s.packets[n].len, s.packets[n].len, KD_LINK_ETHERNET);
		kd_sums_judge(&sums, s.packets[n].frame, &v);
		wire_read(&w, KD_LINK_ETHERNET, s.packets[n].frame, s.packets[n].len);
		assert_int_equal(sums.ip, KD_SUM_GOOD);
		assert_int_equal(sums.transport, n < 2 ? KD_SUM_BAD : KD_SUM_GOOD);
		if (n < 2)
			assert_string_equal(w.wrong, "transport checksum is wrong");
		else
			assert_null(w.wrong);
		assert_int_equal(s.packets[n].bad_sum_seen, n == 1);
	}
	scn_free(&s);
}

/* RFC 9293 §3.4: SYN and FIN count one, data its length; the answer acknowledges all of it. */
static void test_tcp_numbers(void **state)
{
	struct scn s;
	const struct scn_packet *p;

	(void)state;
	parse(&s,
		HEAD FLOW4 "0 a > syn\n+1ms a < syn ack\n+1ms a > ack\n+1ms a > data(100)\n+1ms a < data(7)\n"
			   "+1ms a > again\n+1ms a > data(5) seq=-100\n+1ms a > fin ack\n+1ms a < ack\n"
			   "+1s a > syn\n");
	p = s.packets;
	assert_int_equal(p[0].flags, KD_TCP_SYN);
	assert_int_equal(p[0].ack, 0);
	assert_int_equal(p[1].flags, KD_TCP_SYN | KD_TCP_ACK);
	assert_int_equal(p[1].ack, p[0].seq + 1);
	assert_int_equal(p[2].seq, p[0].seq + 1);
	assert_int_equal(p[2].ack, p[1].seq + 1);
	assert_int_equal(p[3].seq, p[0].seq + 1);
	assert_int_equal(p[4].seq, p[1].seq + 1);
	assert_int_equal(p[4].ack, p[0].seq + 101);
	/* Sent again: the same bytes at the same place. A packet with seq= of its own moves nothing. */
	assert_int_equal(p[5].seq, p[3].seq);
	assert_int_equal(p[5].payload_len, 100);
	assert_int_equal(p[6].seq, p[0].seq + 1);
	assert_int_equal(p[7].seq, p[0].seq + 101);
	assert_int_equal(p[8].ack, p[0].seq + 102);
	/* A connection of its own on the old ports begins elsewhere. */
	assert_int_not_equal(p[9].seq, p[0].seq);
	for (unsigned int n = 0; n < s.npackets; n++) {
		struct kd_view v;

		decode(&s, n, &v);
		assert_int_equal(v.seq, p[n].seq);
		assert_int_equal(v.ack, p[n].ack);
		assert_int_equal(v.tcp_flags, p[n].flags);
		assert_int_equal(v.ttl, p[n].side == KD_INSIDE ? 64 : 52);
	}
	scn_free(&s);
}

static void test_options(void **state)
{
	struct scn s;
	struct kd_view v;

	(void)state;
	parse(&s, HEAD FLOW4 "0 a > data(9) ttl=3 seq=77 ack=+5 flags=F urg=4\n+1ms a > data(1)\n");
	decode(&s, 0, &v);
	assert_int_equal(v.ttl, 3);
	assert_int_equal(v.seq, 77);
	assert_int_equal(v.tcp_flags, KD_TCP_FIN | KD_TCP_URG);
	assert_int_equal(kd_get16(s.packets[0].frame + v.l4_off + 18), 4);
	assert_int_equal(v.ack, 5); /* no ACK flag: 0 and 5 more */
	scn_free(&s);
}

/* RFC 2385 §3, RFC 7323 §3.2, RFC 791: what a fake may carry. Behind it all is as it was. */
static void test_fakes(void **state)
{
	struct scn s;
	struct kd_view v;
	uint32_t tsval[3];

	(void)state;
	parse(&s, HEAD FLOW4 "0 a > data(9) md5 ipid=7 seq=+0\n+0 a > data(9) tsval=-1000 ipid=7 seq=-10000\n"
			     "+0 a > data(9)\n+1ms a > syn data(5)\n+1ms a > data(1)\n");
	for (unsigned int n = 0; n < 3; n++) {
		const uint8_t *tcp;

		decode(&s, n, &v);
		tcp = s.packets[n].frame + v.l4_off;
		assert_int_equal(v.payload_len, 9);
		assert_int_equal(tcp[12] >> 4, n == 0 ? 13 : 8); /* 20, 12 and 20 bytes of header */
		assert_memory_equal(tcp + 20, "\x01\x01\x08\x0a", 4);
		tsval[n] = kd_get32(tcp + 24);
		assert_int_equal(kd_get16(s.packets[n].frame + v.l3_off + 4), n < 2 ? 7 : 0x2000);
		if (n == 0)
			assert_memory_equal(tcp + 32, "\x01\x01\x13\x12", 4);
	}
	assert_int_equal(tsval[0], tsval[2]);
	assert_int_equal(tsval[1], tsval[2] - 1000);
	assert_int_equal(s.packets[0].seq, s.packets[2].seq);
	assert_int_equal(s.packets[1].seq, s.packets[2].seq - 10000);
	/* RFC 9293 §3.4: the SYN counts, and so does what came with it. */
	decode(&s, 3, &v);
	assert_int_equal(v.tcp_flags, KD_TCP_SYN);
	assert_int_equal(v.payload_len, 5);
	assert_int_equal(s.packets[4].seq, s.packets[3].seq + 6);
	scn_free(&s);
}

/* RFC 6093: the pointer is the end of the urgent byte, counted from the segment's first. */
static void test_urgent(void **state)
{
	struct scn s;
	struct kd_view v;
	const uint8_t *p;

	(void)state;
	parse(&s, HEAD FLOW4 "0 a > urgent(hex(aabbcc), at=1)\n"
			     "+0 a > split(urgent(clienthello(sni=www.instagram.com), at=10), at=4)\n");
	decode(&s, 0, &v);
	p = s.packets[0].frame;
	assert_int_equal(v.payload_len, 4);
	assert_memory_equal(p + v.payload_off, "\xaa!\xbb\xcc", 4);
	assert_int_equal(v.tcp_flags, KD_TCP_PSH | KD_TCP_ACK | KD_TCP_URG);
	assert_int_equal(kd_get16(p + v.l4_off + 18), 2);
	decode(&s, 1, &v);
	assert_int_equal(v.tcp_flags & KD_TCP_URG, 0);
	decode(&s, 2, &v);
	assert_int_equal(v.tcp_flags & KD_TCP_URG, KD_TCP_URG);
	assert_int_equal(kd_get16(s.packets[2].frame + v.l4_off + 18), 7);
	assert_int_equal(s.packets[2].frame[v.payload_off + 6], '!');
	assert_int_equal(s.flows[0].last[KD_INSIDE].len, 518);
	assert_memory_equal(
		s.flows[0].last[KD_INSIDE].bytes + s.flows[0].last[KD_INSIDE].name_off, "www.", 4);
	scn_free(&s);
}

static void test_links(void **state)
{
	static const struct {
		const char *link;
		unsigned int l3_off;
		bool mpls;
	} links[] = {{"ethernet", 14, false}, {"ethernet vlan 100", 18, false},
		{"ethernet vlan 100,200", 22, false}, {"ethernet pppoe 7", 22, false},
		{"ethernet vlan 100,200 pppoe 7", 30, false}, {"ethernet mpls 16000,24001", 22, true},
		{"raw", 0, false}, {"sll", 16, false}, {"sll2", 20, false}, {"null", 4, false}};

	(void)state;
	for (unsigned int i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
		for (unsigned int six = 0; six < 2; six++) {
			struct scn s;
			struct kd_view v;
			char text[300];

			snprintf(text, sizeof(text),
				HEAD "link %s\n%s0 a > syn\n+1ms a < syn ack\n+1ms a > data(1)\n",
				links[i].link, six ? FLOW6 : FLOW4);
			parse(&s, text);
			for (unsigned int n = 0; n < 3; n++) {
				decode(&s, n, &v);
				assert_int_equal(v.l3_off, links[i].l3_off);
				assert_int_equal(v.mpls, links[i].mpls);
				assert_int_equal(v.ip_version, six ? 6 : 4);
				assert_int_equal(v.payload_len, n == 2); /* padding is none of it */
				if (s.link.kind == KD_LINK_ETHERNET)
					assert_true(s.packets[n].len >= 60);
			}
			scn_free(&s);
		}
	}
}

/* Parses the payload of the first packet from an exact-size copy. */
static enum kd_parse parse_payload(
	const struct scn *s, const struct kd_protocol *proto, char *name, size_t *len)
{
	const struct kd_view *v;
	struct kd_view view;
	struct kd_app app = {0};
	uint8_t *copy;
	enum kd_parse got;

	decode(s, 0, &view);
	v = &view;
	*len = v->payload_len;
	copy = malloc(v->payload_len);
	assert_non_null(copy);
	memcpy(copy, s->packets[0].frame + v->payload_off, v->payload_len);
	got = proto->parse(copy, v->payload_len, &app);
	name[0] = '\0';
	if (got == KD_MATCH && app.field[0].p != NULL) {
		memcpy(name, app.field[0].p, app.field[0].len);
		name[app.field[0].len] = '\0';
	}
	free(copy);
	return got;
}

static void test_hello(void **state)
{
	static const struct {
		const char *step, *name;
		size_t len;
	} hellos[] = {{"clienthello(sni=www.instagram.com)", "www.instagram.com", 517},
		{"clienthello(sni=a.example, size=517)", "a.example", 517},
		{"clienthello(sni=a.example, size=1948)", "a.example", 1948},
		{"clienthello(sni=a.example tls=1.2 alpn=h2+http/1.1)", "a.example", 517},
		{"clienthello(sni=a.example, ech, size=1200)", "a.example", 1200},
		{"clienthello(sni=x.example., tls=1.3)", "x.example.", 517}, {"clienthello(nosni)", "", 517}};

	(void)state;
	for (unsigned int i = 0; i < sizeof(hellos) / sizeof(hellos[0]); i++) {
		struct scn s;
		char text[300], name[300];
		size_t len;

		snprintf(text, sizeof(text), HEAD FLOW4 "0 a > %s\n", hellos[i].step);
		parse(&s, text);
		assert_int_equal(parse_payload(&s, &kd_protocol_tls, name, &len), KD_MATCH);
		assert_int_equal(len, hellos[i].len);
		assert_string_equal(name, hellos[i].name);
		scn_free(&s);
	}
}

/* pad=N is N bytes in extension 21, and 4 of header: the same hello without differs by just that. */
static void test_hello_padding(void **state)
{
	struct scn s;
	uint32_t len[2];

	(void)state;
	parse(&s, HEAD FLOW4
		"0 a > clienthello(sni=a.example, pad=0)\n+0 a > clienthello(sni=a.example, pad=700)\n");
	len[0] = s.packets[0].payload_len;
	len[1] = s.packets[1].payload_len;
	assert_int_equal(len[1] - len[0], 700);
	assert_true(len[0] < 517);
	scn_free(&s);
}

static void test_http(void **state)
{
	struct scn s;
	char name[300];
	size_t len;

	(void)state;
	parse(&s, HEAD FLOW4 "0 a > http(POST host=www.example.com path=/a?b=c)\n");
	assert_int_equal(parse_payload(&s, &kd_protocol_http, name, &len), KD_MATCH);
	assert_string_equal(name, "www.example.com");
	assert_memory_equal(s.flows[0].last[KD_INSIDE].bytes, "POST /a?b=c HTTP/1.1\r\n", 22);
	scn_free(&s);
}

static void test_text_and_hex(void **state)
{
	struct scn s;

	(void)state;
	parse(&s,
		HEAD FLOW4 "0 a > data(\"a b\\r\\n\\x00\\\"#\")\n+0 a < prefix(hex(aabb cc), 14 0303 00)\n");
	assert_int_equal(s.packets[0].payload_len, 8);
	assert_memory_equal(s.flows[0].last[KD_INSIDE].bytes, "a b\r\n\0\"#", 8);
	assert_int_equal(s.packets[1].payload_len, 7);
	assert_memory_equal(s.flows[0].last[KD_OUTSIDE].bytes, "\x14\x03\x03\x00\xaa\xbb\xcc", 7);
	scn_free(&s);
}

/* Segments of a split are the same bytes in a row, whatever order they are sent in; the cut lies in the name.
 */
static void test_split(void **state)
{
	struct scn s;
	struct kd_view v[3];
	const char *at;
	uint8_t *joined;

	(void)state;
	parse(&s,
		HEAD FLOW4 "0 a > split(clienthello(sni=www.instagram.com), at=3,sni, order=3,1,2, gap=2ms)\n"
			   "+1ms a > ack\n");
	assert_int_equal(s.npackets, 4);
	assert_int_equal(s.steps[0].count, 3);
	for (unsigned int n = 0; n < 3; n++)
		decode(&s, n, &v[n]);
	assert_int_equal(v[1].payload_len, 3);
	assert_int_equal(v[2].seq, v[1].seq + 3);
	assert_int_equal(v[0].seq, v[2].seq + v[2].payload_len);
	assert_int_equal(v[0].payload_len + v[1].payload_len + v[2].payload_len, 517);
	assert_int_equal(s.packets[3].seq, v[1].seq + 517);
	assert_int_equal(s.packets[2].time_ns - s.packets[0].time_ns, 4000000);
	assert_int_equal(s.packets[3].time_ns - s.packets[0].time_ns, 5000000);
	joined = calloc(1, 517 + 1);
	assert_non_null(joined);
	for (unsigned int n = 0; n < 3; n++)
		memcpy(joined + (v[n].seq - v[1].seq), s.packets[n].frame + v[n].payload_off,
			v[n].payload_len);
	assert_memory_equal(joined, s.flows[0].last[KD_INSIDE].bytes, 517);
	at = memmem(joined, 517, "www.instagram.com", 17);
	assert_non_null(at);
	assert_int_equal(at - (char *)joined + 8, 3 + v[2].payload_len); /* 17 / 2 */
	free(joined);
	scn_free(&s);
}

static void test_split_every(void **state)
{
	struct scn s;

	(void)state;
	parse(&s, HEAD FLOW4 "0 a > split(zeros(33), every=16, order=3,2,1)\n+0 a > data(1)\n");
	assert_int_equal(s.npackets, 4);
	assert_int_equal(s.packets[0].payload_len, 1);
	assert_int_equal(s.packets[1].payload_len, 16);
	assert_int_equal(s.packets[0].seq, s.packets[2].seq + 32);
	assert_int_equal(s.packets[1].seq, s.packets[2].seq + 16);
	assert_int_equal(s.packets[3].seq, s.packets[2].seq + 33);
	scn_free(&s);
}

/* The first segment begins earlier, with other bytes; those of the payload stand where they would. */
static void test_overlap(void **state)
{
	struct scn s;
	struct kd_view v[3];

	(void)state;
	parse(&s, HEAD FLOW4
		"0 a > syn\n+0 a > split(hex(aabbccdd), at=1, overlap=zeros(681))\n+0 a > data(1)\n");
	for (unsigned int n = 0; n < 3; n++)
		decode(&s, n + 1, &v[n]);
	assert_int_equal(v[0].seq, s.packets[0].seq + 1 - 681);
	assert_int_equal(v[0].payload_len, 682);
	assert_int_equal(s.packets[1].frame[v[0].payload_off + 680], 0);
	assert_int_equal(s.packets[1].frame[v[0].payload_off + 681], 0xaa);
	assert_int_equal(v[1].seq, s.packets[0].seq + 2);
	assert_memory_equal(s.packets[2].frame + v[1].payload_off, "\xbb\xcc\xdd", 3);
	assert_int_equal(v[2].seq, s.packets[0].seq + 5);
	scn_free(&s);
}

/* RFC 791 §3.2: offsets are multiples of 8, counted behind the IP header. */
static void test_fragment_at(void **state)
{
	static const char *const flows[] = {FLOW4, FLOW6};

	(void)state;
	for (unsigned int six = 0; six < 2; six++) {
		struct scn s;
		char text[400];
		size_t name, ip[3] = {0}, end;

		snprintf(text, sizeof(text),
			HEAD "%s0 a > clienthello(sni=www.instagram.com) fragment_at=24,sni\n", flows[six]);
		parse(&s, text);
		assert_int_equal(s.npackets, 3);
		/* Behind 14 of Ethernet: the length with 20 bytes of IPv4's header, or with 8 of a
		 * fragment's. */
		for (unsigned int n = 0; n < 3; n++)
			ip[n] = kd_get16(s.packets[n].frame + 14 + (six ? 4 : 2)) - (six ? 8u : 20u);
		assert_int_equal(ip[0], 24);
		assert_int_equal(ip[0] + ip[1] + ip[2], 32 + 517);
		name = 32 + s.flows[0].last[KD_INSIDE].name_off;
		end = ip[0] + ip[1];
		assert_int_equal(end % 8, 0);
		assert_true(end > name && end < name + 17);
		assert_int_equal(six ? kd_get16(s.packets[2].frame + 14 + 42) & 0xfff8
				     : (kd_get16(s.packets[2].frame + 14 + 6) & 0x1fff) * 8,
			end);
		scn_free(&s);
	}
}

static void test_with(void **state)
{
	struct scn s;

	(void)state;
	parse(&s, HEAD FLOW4 "0 a > syn\nexpect flows a 1\nwith a.b=c\nexpect flows a 2\n"
			     "with \"d.e=5 min\"\nexpect flows a 3\nexpect flows a 4\n");
	assert_int_equal(s.nwith, 2);
	assert_string_equal(s.with[0].set, "a.b=c");
	assert_string_equal(s.with[1].set, "d.e=5 min");
	for (unsigned int i = 0; i < 4; i++)
		assert_int_equal(s.expects[i].with, i < 3 ? i : 2);
	scn_free(&s);
}

/* RFC 8446 §5.1: a handshake message may lie in several records; their bodies in a row are the message. */
static void test_records(void **state)
{
	struct scn s;
	const uint8_t *p, *whole;
	size_t body = 0;

	(void)state;
	parse(&s, HEAD FLOW4 "0 a > records(clienthello(sni=www.instagram.com), at=1,sni)\n"
			     "+0 a < clienthello(sni=www.instagram.com)\n");
	assert_int_equal(s.packets[0].payload_len, 517 + 2 * 5);
	p = s.flows[0].last[KD_INSIDE].bytes;
	whole = s.flows[0].last[KD_OUTSIDE].bytes + 5;
	for (unsigned int i = 0; i < 3; i++) {
		size_t len = kd_get16(p + 3);

		assert_memory_equal(p, "\x16\x03\x01", 3);
		assert_memory_equal(p + 5, whole + body, len);
		if (i == 0)
			assert_int_equal(len, 1);
		body += len;
		p += 5 + len;
	}
	assert_int_equal(body, 512);
	/* The name begins in the second record, two headers in. */
	assert_memory_equal(
		s.flows[0].last[KD_INSIDE].bytes + s.flows[0].last[KD_INSIDE].name_off, "www.inst", 8);
	scn_free(&s);
}

static void test_time(void **state)
{
	struct scn s;

	(void)state;
	parse(&s, HEAD FLOW4
		"0 a > syn\n+1.5us a < syn ack\n+2min a > ack\n1h a > ack\n3600.000000001s a > ack\n");
	assert_int_equal(s.packets[0].time_ns, SCN_EPOCH_NS);
	assert_int_equal(s.packets[1].time_ns, SCN_EPOCH_NS + 1500);
	assert_int_equal(s.packets[2].time_ns, SCN_EPOCH_NS + UINT64_C(120000001500));
	assert_int_equal(s.packets[3].time_ns, SCN_EPOCH_NS + UINT64_C(3600000000000));
	assert_int_equal(s.packets[4].time_ns, SCN_EPOCH_NS + UINT64_C(3600000000001));
	scn_free(&s);
}

/* A mistake is said, with its line; nothing is guessed. */
static void test_mistakes(void **state)
{
	static const struct {
		const char *text, *says;
		int line;
	} mistakes[] = {
		{FLOW4 "0 a > syn\n", "no profile", 1},
		{HEAD FLOW4, "no steps", 2},
		{HEAD FLOW4 "0 b > syn\n", "is no flow", 3},
		{HEAD FLOW4 "0 a < syn\n", "the other side opens it", 3},
		{HEAD FLOW4 "1s a > syn\n0 a > syn\n", "lies before", 4},
		{HEAD FLOW4 "1 a > syn\n", "neither a directive nor a time", 3},
		{HEAD FLOW4 "0 a > hello(sni=x)\n", "no builder is called hello", 3},
		{HEAD FLOW4 "0 a > clienthello(sni=x, size=100)\n", "less than the hello needs", 3},
		{HEAD FLOW4 "0 a > clienthello(sni=x, color=red)\n", "is none of", 3},
		{HEAD FLOW4 "0 a > records(split(data(9), at=1), at=2)\n", "outermost", 3},
		{HEAD FLOW4 "0 a > split(data(9), at=9)\n", "cut", 3},
		{HEAD FLOW4 "0 a > split(data(9), at=1, order=1,1)\n", "each of 1..2 once", 3},
		{HEAD FLOW4 "0 a > syn expect\n", "expect what", 3},
		{HEAD FLOW4 "0 a > syn expect emitted\n", "is nothing a packet", 3},
		{HEAD FLOW4 "0 a > syn\nexpect flow a outcome cut\n", "cannot be expected", 4},
		{HEAD FLOW4 "0 a > data(\"x\n", "not closed", 3},
		{HEAD FLOW4 FLOW4, "exists already", 3},
		{HEAD FLOW4 "0 a > again\n", "nothing was sent yet", 3},
		{HEAD FLOW4 "0 a > syn\nwith a=b\n0 a > syn\n", "behind `with`", 5},
		{HEAD FLOW4 "0 a > syn md5\n", "no room", 3},
		{HEAD FLOW6 "0 a > syn ipid=1\n", "no identification", 3},
		{HEAD FLOW4 "0 a > split(zeros(16), every=16)\n", "does not make", 3},
		{HEAD FLOW4 "0 a > split(zeros(65), every=1)\n", "does not make", 3},
		{HEAD FLOW4 "0 a > data(9) fragment_at=20\n", "no value", 3},
		{HEAD FLOW4 "0 a > data(9) fragment_at=48\n", "does not cut", 3},
		{HEAD FLOW4 "0 a > data(9) fragment_at=sni\n", "does not cut", 3},
		{HEAD FLOW4 "0 a > patch(urgent(data(9), at=1), 0=00)\n", "in a split() only", 3},
		{HEAD FLOW4 "0 a > urgent(data(9), at=10)\n", "within 9 bytes", 3},
		{HEAD "flow a tcp 198.18.0.2:1 > [2001:db8::1]:2\n", "same family", 2},
	};

	(void)state;
	for (unsigned int i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
		struct scn s;
		struct scn_error e = {0};

		assert_false(scn_parse(&s, "text", mistakes[i].text, &e));
		if (strstr(e.text, mistakes[i].says) == NULL)
			fail_msg("%s: said \"%s\"", mistakes[i].text, e.text);
		assert_int_equal(e.line, mistakes[i].line);
		scn_free(&s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_checksums),
		cmocka_unit_test(test_ping),
		cmocka_unit_test(test_bad_checksum),
		cmocka_unit_test(test_tcp_numbers),
		cmocka_unit_test(test_options),
		cmocka_unit_test(test_fakes),
		cmocka_unit_test(test_urgent),
		cmocka_unit_test(test_links),
		cmocka_unit_test(test_hello),
		cmocka_unit_test(test_hello_padding),
		cmocka_unit_test(test_http),
		cmocka_unit_test(test_text_and_hex),
		cmocka_unit_test(test_split),
		cmocka_unit_test(test_split_every),
		cmocka_unit_test(test_overlap),
		cmocka_unit_test(test_fragment_at),
		cmocka_unit_test(test_with),
		cmocka_unit_test(test_records),
		cmocka_unit_test(test_time),
		cmocka_unit_test(test_mistakes),
	};

	return cmocka_run_group_tests_name("build", tests, NULL, NULL);
}
