/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The JSON writer, against literal lines: key order, escapes, client and server, what is left out. The whole
 * shape of real events is held against docs/events.schema.json by tests/replay.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/protocol.h"
#include "kd_version.h"
#include "engine/spot.h"
#include "report/json.h"
#include "rulebook/policy.h"

/* 2022-03-20 09:00:00 UTC */
#define NOON_MOSCOW 1647766800ull

static struct kd_rule rules[3];
static struct kd_policy policy = {.profile = "tspu@2022-03-20/home", .rules = rules, .nrules = 2};

static int set_up(void **state)
{
	(void)state;
	memset(policy.hash, 'a', 64);
	rules[1] = (struct kd_rule){.id = "sni-i", .mechanism = KD_MECHANISM_reset};
	for (int i = 0; i < KD_PART_COUNT; i++)
		rules[1].grade[i] = KD_GRADE_COUNT;
	rules[1].grade[KD_PART_DATE] = KD_GRADE_REPORTED;
	rules[1].grade[KD_PART_MATCH] = KD_GRADE_MEASURED;
	rules[2] = rules[1];
	rules[2].id = "slow";
	rules[2].mechanism = KD_MECHANISM_NONE;
	rules[2].pending = "mechanism:impair";
	rules[2].inert = true;
	return 0;
}

static struct kd_event event(uint8_t type)
{
	struct kd_event e = {.time_ns = NOON_MOSCOW * 1000000000u + 123456789,
		.number = 4,
		.flow_id = UINT64_MAX,
		.type = type,
		.app = KD_APP_NONE,
		.tuple = {.addr = {{198, 18, 0, 2}, {203, 0, 113, 10}},
			.port = {40120, 443},
			.ip_version = 4,
			.ip_proto = 6}};

	for (int i = 0; i < KD_FIELDS_MAX; i++)
		e.field[i].len = 0xffff;
	return e;
}

static void put_field(struct kd_event *e, unsigned int i, const void *bytes, size_t len)
{
	e->field[i].off = e->text_len;
	e->field[i].len = (uint16_t)len;
	memcpy(e->text + e->text_len, bytes, len);
	e->text_len = (uint16_t)(e->text_len + len);
}

static void name_it(struct kd_event *e)
{
	e->app = KD_PROTOCOL_tls;
	put_field(e, 0, "x.org", 5);
}

#define HEAD(type, rest)                                                                                     \
	"{\"timestamp\":\"2022-03-20T09:00:00.123456789Z\",\"event_type\":\"" type                           \
	"\",\"flow_id\":\"18446744073709551615\"," rest
#define TUPLE                                                                                                \
	"\"src_ip\":\"198.18.0.2\",\"src_port\":40120,\"dest_ip\":\"203.0.113.10\",\"dest_port\":443,"       \
	"\"proto\":\"TCP\","

static void check(const struct kd_event *e, bool open_loop, const char *expected)
{
	char line[KD_JSON_LINE_MAX];
	size_t len = kd_json_event(line, sizeof(line), e, &policy, open_loop);

	assert_true(len > 0 && len < sizeof(line));
	assert_int_equal(line[len - 1], '\n');
	line[len - 1] = '\0';
	assert_string_equal(line, expected);
}

/* Whether the line of e holds this piece. */
static bool holds(const struct kd_event *e, const char *piece)
{
	char line[KD_JSON_LINE_MAX + 1];
	size_t len = kd_json_event(line, sizeof(line) - 1, e, &policy, false);

	assert_true(len > 0);
	line[len] = '\0';
	return strstr(line, piece) != NULL;
}

static void check_time(uint64_t ns, const char *expected)
{
	char text[32];

	kd_json_time(text, ns);
	assert_string_equal(text, expected);
}

static void test_time(void **state)
{
	(void)state;
	check_time(0, "1970-01-01T00:00:00.000000000Z");
	check_time(NOON_MOSCOW * 1000000000u + 5, "2022-03-20T09:00:00.000000005Z");
	check_time(1709251199999999999u, "2024-02-29T23:59:59.999999999Z");
	check_time(UINT64_MAX, "2554-07-21T23:34:33.709551615Z");
}

static void check_text(const char *bytes, size_t len, const char *expected)
{
	uint8_t *copy = malloc(len > 0 ? len : 1);
	char buf[256];
	struct kd_json j;

	memcpy(copy, bytes, len);
	kd_json_start(&j, buf, sizeof(buf) - 1);
	kd_json_text(&j, NULL, copy, len);
	free(copy);
	assert_false(j.full);
	buf[j.len] = '\0';
	assert_string_equal(buf, expected);
}

#define CHECK_TEXT(bytes, expected) check_text(bytes, sizeof(bytes) - 1, "\"" expected "\"")

static void test_text(void **state)
{
	(void)state;
	CHECK_TEXT("", "");
	CHECK_TEXT("plain www.x.org", "plain www.x.org");
	CHECK_TEXT("\"\\/", "\\\"\\\\/");
	CHECK_TEXT("a\0b\n\x1f\x7f", "a\\u0000b\\u000a\\u001f\\u007f");
	/* UTF-8 of two, three and four bytes stays */
	CHECK_TEXT("\xd0\xbf\xe2\x82\xac\xf0\x9f\x98\x80", "\xd0\xbf\xe2\x82\xac\xf0\x9f\x98\x80");
	CHECK_TEXT("\xc2\xa0", "\xc2\xa0");
}

static void test_text_not_utf8(void **state)
{
	(void)state;
	CHECK_TEXT("\xff\xfe", "\\u00ff\\u00fe");
	CHECK_TEXT("\x80", "\\u0080");
	CHECK_TEXT("\xc2\x9b", "\\u009b");		     /* a C1 control, which terminals obey */
	CHECK_TEXT("\xc0\xaf", "\\u00c0\\u00af");	     /* overlong */
	CHECK_TEXT("\xe0\x9f\xbf", "\\u00e0\\u009f\\u00bf"); /* overlong */
	CHECK_TEXT("\xf0\x8f\xbf\xbf", "\\u00f0\\u008f\\u00bf\\u00bf"); /* overlong */
	CHECK_TEXT("\xed\xa0\x80", "\\u00ed\\u00a0\\u0080");		/* a surrogate */
	CHECK_TEXT("\xf4\x90\x80\x80", "\\u00f4\\u0090\\u0080\\u0080"); /* past U+10FFFF */
	CHECK_TEXT("\xe2\x82", "\\u00e2\\u0082");			/* cut */
	CHECK_TEXT("\xe2\x82z", "\\u00e2\\u0082z");
	CHECK_TEXT("\xd0", "\\u00d0");
}

static void test_builder(void **state)
{
	char buf[128];
	struct kd_json j;

	(void)state;
	kd_json_start(&j, buf, sizeof(buf) - 1);
	kd_json_open(&j, NULL, '{');
	kd_json_open(&j, "a", '[');
	kd_json_u64(&j, NULL, 0);
	kd_json_u64(&j, NULL, UINT64_MAX);
	kd_json_open(&j, NULL, '{');
	kd_json_close(&j, '}');
	kd_json_close(&j, ']');
	kd_json_bool(&j, "b", true);
	kd_json_str(&j, "c", "d");
	kd_json_bool(&j, "e", false);
	kd_json_close(&j, '}');
	buf[j.len] = '\0';
	assert_string_equal(buf, "{\"a\":[0,18446744073709551615,{}],\"b\":true,\"c\":\"d\",\"e\":false}");
}

static void test_app(void **state)
{
	struct kd_event e = event(KD_EVENT_APP);
	static const uint8_t alpn[] = "\x02h2\x08http/1.1", extensions[] = {0, 0, 0xfe, 0x0d};
	int version = -1, alpn_at = -1, extensions_at = -1;

	(void)state;
	for (int i = 0; i < KD_FIELDS_MAX && kd_protocols[KD_PROTOCOL_tls]->fields[i].name != NULL; i++) {
		const char *name = kd_protocols[KD_PROTOCOL_tls]->fields[i].name;

		version = strcmp(name, "version") == 0 ? i : version;
		alpn_at = strcmp(name, "alpn") == 0 ? i : alpn_at;
		extensions_at = strcmp(name, "extensions") == 0 ? i : extensions_at;
	}
	assert_true(version > 0 && alpn_at > 0 && extensions_at > 0);
	name_it(&e);
	e.field[version] = (struct kd_event_field){.num = 0x0304};
	put_field(&e, (unsigned int)alpn_at, alpn, sizeof(alpn) - 1);
	put_field(&e, (unsigned int)extensions_at, extensions, sizeof(extensions));
	check(&e, false,
		HEAD("tls",
			"\"pcap_cnt\":4," TUPLE
			"\"app_proto\":\"tls\",\"box\":0,\"tls\":{\"sni\":\"x.org\",\"version\":\"0x0304\","
			"\"alpn\":[\"h2\",\"http/1.1\"],\"extensions\":[0,65037]}}"));
}

/* A list that was cut to the event's room, or a field that points past it, must not be read past its end. */
static void test_app_cut(void **state)
{
	struct kd_event e = event(KD_EVENT_APP);

	(void)state;
	name_it(&e);
	put_field(&e, 2, "\x02h2\x08http", 8);
	put_field(&e, 3, "\x00\x10\x00", 3);
	assert_int_equal(kd_protocols[KD_PROTOCOL_tls]->fields[2].kind, KD_FIELD_LIST8);
	assert_int_equal(kd_protocols[KD_PROTOCOL_tls]->fields[3].kind, KD_FIELD_LIST_U16);
	assert_true(holds(&e, "\"alpn\":[\"h2\"],\"extensions\":[16]"));
	e.field[0].len = KD_EVENT_TEXT;
	e.field[0].off = KD_EVENT_TEXT - 1;
	assert_false(holds(&e, "\"sni\""));
}

static void test_no_packet(void **state)
{
	struct kd_event e = event(KD_EVENT_FLOW);

	(void)state;
	assert_true(holds(&e, "\"pcap_cnt\":4,"));
	e.number = 0;
	assert_false(holds(&e, "pcap_cnt"));
	e.number = UINT64_MAX;
	assert_false(holds(&e, "pcap_cnt"));
}

static void test_switch(void **state)
{
	struct kd_event e = {.time_ns = NOON_MOSCOW * 1000000000u + 123456789,
		.type = KD_EVENT_BOX,
		.box = 1,
		.bypassed = 1};
	char line[KD_JSON_LINE_MAX];

	(void)state;
	line[kd_json_event(line, sizeof(line), &e, &policy, true)] = '\0';
	assert_string_equal(strstr(line, "\"event_type\""),
		"\"event_type\":\"box\",\"box\":1,\"switch\":{\"bypassed\":true}}\n");
	e.bypassed = 0;
	e.rule = 1;
	line[kd_json_event(line, sizeof(line), &e, &policy, true)] = '\0';
	assert_string_equal(strstr(line, "\"event_type\""),
		"\"event_type\":\"box\",\"box\":1,\"switch\":{\"bypassed\":false,\"rule\":\"sni-i\"}}\n");
}

static void test_flow(void **state)
{
	struct kd_event e = event(KD_EVENT_FLOW);

	(void)state;
	e.outcome = KD_OUTCOME_BLOCKED;
	e.rule = 1;
	e.reason = KD_REASON_MECHANISM(KD_MECHANISM_reset, 0);
	e.end_reason = KD_REASON_FLOW_FINISHED;
	e.box = 2;
	e.pkts[KD_INSIDE] = 10;
	e.pkts[KD_OUTSIDE] = 8;
	e.bytes[KD_INSIDE] = 1392;
	e.bytes[KD_OUTSIDE] = 1ull << 40;
	check(&e, true,
		HEAD("flow", "\"pcap_cnt\":4," TUPLE
			     "\"box\":2,\"open_loop\":true,\"flow\":{\"outcome\":\"blocked\","
			     "\"reason\":\"reset.armed\",\"rule\":\"sni-i\",\"blind_spots\":[],\"pkts_"
			     "toserver\":10,"
			     "\"pkts_toclient\":8,\"bytes_toserver\":1392,\"bytes_toclient\":1099511627776,"
			     "\"end\":\"flow.end_of_run\"}}"));
	e.outcome = KD_OUTCOME_PASSED;
	e.rule = 0;
	e.armed = 2;
	e.reason = KD_REASON_DECIDE_PENDING;
	assert_true(
		holds(&e, "\"outcome\":\"passed\",\"reason\":\"decide.pending\",\"armed\":\"slow\",\"blind"));
	e.spots = KD_SPOT_BIT(SEGMENTS) | KD_SPOT_BIT(RECORDS);
	e.unseen = 1;
	assert_true(holds(
		&e, "\"blind_spots\":[\"segments\",\"records\"],\"unseen\":\"sni-i\",\"pkts_toserver\""));
}

/* Opened from outside: the outside end is the client, and so are its packets. */
static void test_opened_from_outside(void **state)
{
	struct kd_event e = event(KD_EVENT_FLOW);

	(void)state;
	e.tuple.opened = KD_OUTSIDE;
	e.pkts[KD_INSIDE] = 1;
	e.pkts[KD_OUTSIDE] = 2;
	assert_true(holds(&e, "\"src_ip\":\"203.0.113.10\",\"src_port\":443,\"dest_ip\":\"198.18.0.2\","
			      "\"dest_port\":40120,"));
	assert_true(holds(&e, "\"pkts_toserver\":2,\"pkts_toclient\":1,"));
}

static void test_protocols_and_addresses(void **state)
{
	struct kd_event e = event(KD_EVENT_FLOW);
	/* RFC 5952: the longest run of zeros goes, the first of two equal ones, lower case */
	static const uint8_t v6[2][16] = {
		{0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0xAB, 0}, {0xfd, [15] = 2}};

	(void)state;
	e.tuple.ip_version = 6;
	e.tuple.ip_proto = 58;
	memcpy(e.tuple.addr, v6, sizeof(v6));
	assert_true(holds(&e,
		"\"src_ip\":\"2001:db8:0:1::ab00\",\"dest_ip\":\"fd00::2\",\"proto\":\"ICMPv6\",\"box\""));
	e.tuple.ip_proto = 17;
	assert_true(
		holds(&e, "\"src_port\":40120,\"dest_ip\":\"fd00::2\",\"dest_port\":443,\"proto\":\"UDP\""));
	e.tuple.ip_proto = 1;
	assert_true(holds(&e, "\"proto\":\"ICMP\""));
	e.tuple.ip_proto = 132;
	assert_true(holds(&e, "\"proto\":\"132\""));
	assert_false(holds(&e, "_port"));
}

static void test_verdict(void **state)
{
	struct kd_event e = event(KD_EVENT_VERDICT);

	(void)state;
	name_it(&e);
	e.rule = 1;
	e.reason = KD_REASON_MECHANISM(KD_MECHANISM_reset, 0);
	e.until_ns = e.time_ns + 75000000000u;
	check(&e, false,
		HEAD("verdict",
			"\"pcap_cnt\":4," TUPLE
			"\"app_proto\":\"tls\",\"box\":0,\"verdict\":{\"action\":\"reset\","
			"\"mechanism\":\"reset\",\"reason\":\"reset.armed\",\"rule\":\"sni-i\","
			"\"profile\":\"tspu@2022-03-20/home\",\"until\":\"2022-03-20T09:01:15.123456789Z\"},"
			"\"tls\":{\"sni\":\"x.org\"},\"evidence\":{\"date\":\"reported\",\"match\":"
			"\"measured\"}}"));
}

static void test_verdict_passes(void **state)
{
	struct kd_event e = event(KD_EVENT_VERDICT);

	(void)state;
	e.rule = 1;
	e.reason = KD_REASON_DECIDE_MISSED;
	assert_true(holds(&e,
		"\"verdict\":{\"action\":\"pass\",\"mechanism\":\"reset\",\"reason\":\"decide.missed\","));
	assert_false(holds(&e, "\"tls\""));
	e.reason = KD_REASON_DECIDE_RESIDUAL_OVER;
	assert_true(
		holds(&e, "\"action\":\"pass\",\"mechanism\":\"reset\",\"reason\":\"decide.residual_over\""));
	e.rule = 2;
	e.reason = KD_REASON_DECIDE_PENDING;
	assert_true(holds(&e, "\"verdict\":{\"action\":\"pass\",\"pending\":\"mechanism:impair\",\"reason\":"
			      "\"decide.pending\",\"rule\":\"slow\","));
}

/* A line that does not fit is no line, whatever the room; nothing is written past it. */
static void test_no_room(void **state)
{
	struct kd_event e = event(KD_EVENT_VERDICT);
	char line[KD_JSON_LINE_MAX];
	size_t whole;

	(void)state;
	name_it(&e);
	e.rule = 1;
	whole = kd_json_event(line, sizeof(line), &e, &policy, true);
	assert_true(whole > 0);
	for (size_t room = 0; room <= whole; room++) {
		char *small = malloc(room > 0 ? room : 1);

		assert_int_equal(kd_json_event(small, room, &e, &policy, true), room < whole ? 0 : whole);
		free(small);
	}
}

/* The longest record there can be still fits a line: every byte of text escaped. */
static void test_longest(void **state)
{
	struct kd_event e = event(KD_EVENT_APP);
	char line[KD_JSON_LINE_MAX];

	(void)state;
	e.app = KD_PROTOCOL_tls;
	e.text_len = KD_EVENT_TEXT;
	e.field[0] = (struct kd_event_field){.len = KD_EVENT_TEXT};
	assert_true(kd_json_event(line, sizeof(line), &e, &policy, true) > 6 * KD_EVENT_TEXT);
}

static void test_run(void **state)
{
	struct kd_run_record run = {
		.policy = &policy, .seed = UINT64_MAX, .inside = "inside-net", .checksums = "auto"};
	char line[KD_JSON_LINE_MAX + 1];
	size_t len = kd_json_run(line, sizeof(line) - 1, &run);

	(void)state;
	assert_true(len > 0);
	line[len] = '\0';
	assert_string_equal(line, "{\"event_type\":\"run\",\"run\":{\"schema\":1,\"version\":\"" KD_VERSION
				  "\",\"profile\":\"tspu@2022-03-20/home\",\"hash\":\""
				  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\","
				  "\"seed\":\"18446744073709551615\","
				  "\"drawn\":{},\"inside\":\"inside-net\",\"checksums\":\"auto\"}}\n");
}

/* Every line of a box whose slow timers run faster says so; of one whose do not, none. */
static void test_time_scale(void **state)
{
	static const uint8_t types[] = {KD_EVENT_APP, KD_EVENT_VERDICT, KD_EVENT_FLOW};
	struct kd_policy scaled = policy;
	struct kd_run_record run = {.policy = &scaled, .seed = 1, .inside = "private", .checksums = "auto"};
	char line[KD_JSON_LINE_MAX + 1];
	size_t len;

	(void)state;
	for (scaled.time_scale = 0; scaled.time_scale <= 20; scaled.time_scale += 20) {
		for (size_t i = 0; i < sizeof(types); i++) {
			struct kd_event e = event(types[i]);

			name_it(&e);
			e.rule = 1;
			len = kd_json_event(line, sizeof(line) - 1, &e, &scaled, true);
			assert_true(len > 0);
			line[len] = '\0';
			if (scaled.time_scale == 0)
				assert_null(strstr(line, "time_scale"));
			else
				assert_non_null(
					strstr(line, ",\"box\":0,\"time_scale\":20,\"open_loop\":true,"));
		}
		len = kd_json_run(line, sizeof(line) - 1, &run);
		line[len] = '\0';
		assert_non_null(strstr(line, scaled.time_scale == 0
						     ? ",\"seed\":\"1\",\"drawn\":"
						     : ",\"seed\":\"1\",\"time_scale\":20,\"drawn\":"));
	}
}

/* A sampled box says what it drew, however much that is. */
static void test_run_drawn(void **state)
{
	enum { N = 400 };
	struct kd_drawn drawn[N];
	struct kd_policy sampled = policy;
	struct kd_run_record run = {
		.policy = &sampled, .seed = 7, .inside = "private", .checksums = "verify"};
	size_t room, len;
	char *line;

	(void)state;
	drawn[0] = (struct kd_drawn){"rule:sni-ii.then.after.packets", "7 pkt"};
	drawn[1] = (struct kd_drawn){"setting:flow.idle_tcp", "421 s"};
	for (int i = 2; i < N; i++)
		drawn[i] =
			(struct kd_drawn){"rule:a-rule-with-a-long-name.residual.publish_after", "\"\x01\""};
	sampled.drawn = drawn;
	sampled.ndrawn = 2;
	room = kd_json_run_room(&run);
	line = malloc(room + 1);
	assert_non_null(line);
	len = kd_json_run(line, room, &run);
	assert_true(len > 0);
	line[len] = '\0';
	assert_non_null(strstr(line, "\"drawn\":{\"rule:sni-ii.then.after.packets\":\"7 pkt\","
				     "\"setting:flow.idle_tcp\":\"421 s\"},\"inside\":\"private\""));
	free(line);
	sampled.ndrawn = N;
	room = kd_json_run_room(&run);
	line = malloc(room);
	assert_non_null(line);
	assert_true(kd_json_run(line, room, &run) > KD_JSON_LINE_MAX);
	assert_int_equal(kd_json_run(line, KD_JSON_LINE_MAX, &run), 0);
	free(line);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_time),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_text_not_utf8),
		cmocka_unit_test(test_builder),
		cmocka_unit_test(test_app),
		cmocka_unit_test(test_app_cut),
		cmocka_unit_test(test_no_packet),
		cmocka_unit_test(test_switch),
		cmocka_unit_test(test_flow),
		cmocka_unit_test(test_opened_from_outside),
		cmocka_unit_test(test_protocols_and_addresses),
		cmocka_unit_test(test_verdict),
		cmocka_unit_test(test_verdict_passes),
		cmocka_unit_test(test_no_room),
		cmocka_unit_test(test_longest),
		cmocka_unit_test(test_run),
		cmocka_unit_test(test_time_scale),
		cmocka_unit_test(test_run_drawn),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
