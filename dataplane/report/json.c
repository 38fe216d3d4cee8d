/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Writes events as JSON lines. Decides the order and the names of the keys, which docs/events.schema.json
 * repeats for readers; a key without a value is left out, never null. Decides nothing about when an event is
 * written or in which order. Protocol fields come from the protocol's manifest, so a new protocol needs no
 * line here.
 */
#include "report/json.h"

#include <arpa/inet.h>
#include <string.h>
#include <time.h>

#include "engine/cursor.h"
#include "engine/engine.h"
#include "engine/protocol.h"
#include "engine/spot.h"
#include "kd_version.h"
#include "rulebook/boxes.h"

#define KD_FIELD_ABSENT 0xffff

static void put(struct kd_json *j, const void *bytes, size_t len)
{
	if (j->full || j->room - j->len < len) {
		j->full = true;
		return;
	}
	memcpy(j->buf + j->len, bytes, len);
	j->len += len;
}

static void put_char(struct kd_json *j, char c)
{
	put(j, &c, 1);
}

static void put_u64(struct kd_json *j, uint64_t v)
{
	char digits[20];
	size_t at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + v % 10);
		v /= 10;
	} while (v != 0);
	put(j, digits + at, sizeof(digits) - at);
}

/* U+0000 to U+00FF only: control characters, and bytes that are no UTF-8. */
static void put_escape(struct kd_json *j, uint8_t c)
{
	static const char hex[] = "0123456789abcdef";
	const char text[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};

	put(j, text, sizeof(text));
}

/* Length of the well-formed UTF-8 sequence (RFC 3629: no overlong form, no surrogate) at p, or 0. */
static size_t utf8_len(const uint8_t *p, size_t left)
{
	uint8_t low = 0x80, high = 0xbf;
	size_t len;

	if (p[0] >= 0xc2 && p[0] <= 0xdf)
		len = 2;
	else if (p[0] >= 0xe0 && p[0] <= 0xef)
		len = 3;
	else if (p[0] >= 0xf0 && p[0] <= 0xf4)
		len = 4;
	else
		return 0;
	if (left < len)
		return 0;
	if (p[0] == 0xe0)
		low = 0xa0;
	else if (p[0] == 0xed)
		high = 0x9f;
	else if (p[0] == 0xf0)
		low = 0x90;
	else if (p[0] == 0xf4)
		high = 0x8f;
	if (p[1] < low || p[1] > high)
		return 0;
	for (size_t i = 2; i < len; i++)
		if (p[i] < 0x80 || p[i] > 0xbf)
			return 0;
	return len;
}

static void put_text(struct kd_json *j, const uint8_t *p, size_t len)
{
	put_char(j, '"');
	for (size_t i = 0; i < len;) {
		size_t n;

		if (p[i] == '"' || p[i] == '\\') {
			const char pair[2] = {'\\', (char)p[i]};

			put(j, pair, sizeof(pair));
			i++;
		} else if (p[i] >= 0x20 && p[i] < 0x7f) {
			put_char(j, (char)p[i++]);
		} else if (p[i] < 0x80) {
			put_escape(j, p[i++]);
		} else if ((n = utf8_len(p + i, len - i)) == 0) {
			put_escape(j, p[i++]);
		} else if (p[i] == 0xc2 && p[i + 1] < 0xa0) {
			put_escape(j, p[i + 1]); /* C1 controls: some terminals obey them */
			i += n;
		} else {
			put(j, p + i, n);
			i += n;
		}
	}
	put_char(j, '"');
}

static void put_key(struct kd_json *j, const char *key)
{
	if (j->comma)
		put_char(j, ',');
	j->comma = true;
	if (key == NULL)
		return;
	put_text(j, (const uint8_t *)key, strlen(key));
	put_char(j, ':');
}

void kd_json_start(struct kd_json *j, char *buf, size_t room)
{
	*j = (struct kd_json){.buf = buf, .room = room};
}

void kd_json_open(struct kd_json *j, const char *key, char bracket)
{
	put_key(j, key);
	put_char(j, bracket);
	j->comma = false;
}

void kd_json_close(struct kd_json *j, char bracket)
{
	put_char(j, bracket);
	j->comma = true;
}

void kd_json_text(struct kd_json *j, const char *key, const uint8_t *bytes, size_t len)
{
	put_key(j, key);
	put_text(j, bytes, len);
}

void kd_json_str(struct kd_json *j, const char *key, const char *s)
{
	kd_json_text(j, key, (const uint8_t *)s, strlen(s));
}

void kd_json_u64(struct kd_json *j, const char *key, uint64_t v)
{
	put_key(j, key);
	put_u64(j, v);
}

void kd_json_bool(struct kd_json *j, const char *key, bool v)
{
	put_key(j, key);
	put(j, v ? "true" : "false", v ? 4 : 5);
}

static void two_digits(char *at, unsigned int v)
{
	at[0] = (char)('0' + v / 10 % 10);
	at[1] = (char)('0' + v % 10);
}

void kd_json_time(char *buf, uint64_t time_ns)
{
	time_t seconds = (time_t)(time_ns / 1000000000u);
	uint32_t rest = (uint32_t)(time_ns % 1000000000u);
	struct tm tm = {0};

	/* 2^64 ns end in the year 2554: four digits always do. */
	gmtime_r(&seconds, &tm);
	two_digits(buf, (unsigned int)(tm.tm_year + 1900) / 100);
	two_digits(buf + 2, (unsigned int)(tm.tm_year + 1900));
	buf[4] = '-';
	two_digits(buf + 5, (unsigned int)tm.tm_mon + 1);
	buf[7] = '-';
	two_digits(buf + 8, (unsigned int)tm.tm_mday);
	buf[10] = 'T';
	two_digits(buf + 11, (unsigned int)tm.tm_hour);
	buf[13] = ':';
	two_digits(buf + 14, (unsigned int)tm.tm_min);
	buf[16] = ':';
	two_digits(buf + 17, (unsigned int)tm.tm_sec);
	buf[19] = '.';
	for (int i = 28; i >= 20; i--, rest /= 10)
		buf[i] = (char)('0' + rest % 10);
	buf[29] = 'Z';
	buf[30] = '\0';
}

/* As a string: 64 bits do not fit the number of most JSON readers. */
static void put_u64_text(struct kd_json *j, const char *key, uint64_t v)
{
	put_key(j, key);
	put_char(j, '"');
	put_u64(j, v);
	put_char(j, '"');
}

static void put_time(struct kd_json *j, const char *key, uint64_t time_ns)
{
	char text[32];

	kd_json_time(text, time_ns);
	kd_json_str(j, key, text);
}

static void put_address(struct kd_json *j, const char *key, const uint8_t *addr, unsigned int ip_version)
{
	char text[INET6_ADDRSTRLEN];

	if (ip_version == 6) {
		inet_ntop(AF_INET6, addr, text, sizeof(text)); /* RFC 5952 */
		kd_json_str(j, key, text);
		return;
	}
	put_key(j, key);
	put_char(j, '"');
	for (int i = 0; i < 4; i++) {
		if (i > 0)
			put_char(j, '.');
		put_u64(j, addr[i]);
	}
	put_char(j, '"');
}

static void put_proto(struct kd_json *j, unsigned int ip_proto)
{
	char number[4];

	if (ip_proto == 6)
		kd_json_str(j, "proto", "TCP");
	else if (ip_proto == 17)
		kd_json_str(j, "proto", "UDP");
	else if (ip_proto == 1)
		kd_json_str(j, "proto", "ICMP");
	else if (ip_proto == 58)
		kd_json_str(j, "proto", "ICMPv6");
	else {
		snprintf(number, sizeof(number), "%u", ip_proto & 0xff);
		kd_json_str(j, "proto", number);
	}
}

/* eve's source is the client: the end that opened the flow, whichever way this packet went. */
static void put_tuple(struct kd_json *j, const struct kd_tuple *t)
{
	unsigned int client = t->opened & 1, server = client ^ 1;
	bool ports = t->ip_proto == 6 || t->ip_proto == 17;

	put_address(j, "src_ip", t->addr[client], t->ip_version);
	if (ports)
		kd_json_u64(j, "src_port", t->port[client]);
	put_address(j, "dest_ip", t->addr[server], t->ip_version);
	if (ports)
		kd_json_u64(j, "dest_port", t->port[server]);
	put_proto(j, t->ip_proto);
}

/* A list may have been cut to the room an event has: whole elements only. */
static void put_list(struct kd_json *j, const char *key, unsigned int kind, const uint8_t *bytes, size_t len)
{
	struct kd_cur c = kd_cur(bytes, len);

	kd_json_open(j, key, '[');
	while (kd_cur_left(&c) > 0) {
		if (kind == KD_FIELD_LIST_U16) {
			uint16_t v = kd_cur_be16(&c);

			if (c.bad)
				break;
			kd_json_u64(j, NULL, v);
		} else {
			size_t n = kd_cur_u8(&c);
			const uint8_t *at = kd_cur_take(&c, n);

			if (at == NULL)
				break;
			kd_json_text(j, NULL, at, n);
		}
	}
	kd_json_close(j, ']');
}

static void put_field(struct kd_json *j, const struct kd_field_spec *spec, const struct kd_event *e,
	const struct kd_event_field *f)
{
	const uint8_t *bytes = e->text + f->off;
	char hex[8];

	if (f->len == KD_FIELD_ABSENT || (size_t)f->off + f->len > e->text_len)
		return;
	switch (spec->kind) {
	case KD_FIELD_TEXT:
		kd_json_text(j, spec->name, bytes, f->len);
		break;
	case KD_FIELD_HEX16:
		snprintf(hex, sizeof(hex), "0x%04x", f->num & 0xffff);
		kd_json_str(j, spec->name, hex);
		break;
	default:
		put_list(j, spec->name, spec->kind, bytes, f->len);
	}
}

/* The fields of the protocol, as an object of its name. only_name: what a verdict matched, not all that was
 * seen. */
static void put_app(struct kd_json *j, const struct kd_event *e, bool only_name)
{
	const struct kd_protocol *p = kd_protocols[e->app];
	unsigned int n = only_name ? 1 : KD_FIELDS_MAX;

	if (only_name && (!p->has_name || e->field[0].len == KD_FIELD_ABSENT))
		return;
	kd_json_open(j, p->name, '{');
	for (unsigned int i = 0; i < n && p->fields[i].name != NULL; i++)
		put_field(j, &p->fields[i], e, &e->field[i]);
	kd_json_close(j, '}');
}

static const struct kd_rule *rule_of(const struct kd_policy *policy, uint16_t rule)
{
	return policy != NULL && rule != KD_RULE_NONE && rule <= policy->nrules ? &policy->rules[rule] : NULL;
}

/* The mechanism's name when it takes hold of the flow; "wait" when it will later, and then says so once more;
 * "pass" when the rule matched and lets go; "allow" and
 * "observe" for rules that do nothing else. */
static const char *action_of(const struct kd_event *e, const struct kd_rule *rule)
{
	if (e->reason == KD_REASON_DECIDE_OBSERVED)
		return "observe";
	if (rule == NULL || rule->inert || e->reason == KD_REASON_DECIDE_MISSED ||
		e->reason == KD_REASON_DECIDE_PENDING || e->reason == KD_REASON_DECIDE_COULD_NOT_ACT ||
		e->reason == KD_REASON_FLOW_ROLE_LIFTED || e->reason == KD_REASON_DECIDE_RESIDUAL_OVER ||
		e->reason == KD_REASON_DECIDE_RESIDUAL_NO_ROOM || e->reason == KD_REASON_DECIDE_NOT_IN_SHARE)
		return "pass";
	if (e->reason == KD_REASON_DECIDE_WAITS)
		return "wait";
	if (rule->closes != 0)
		return "allow";
	return rule->mechanism < KD_MECHANISM_COUNT ? kd_mechanisms[rule->mechanism]->name : "pass";
}

static void put_verdict(struct kd_json *j, const struct kd_event *e, const struct kd_policy *policy)
{
	const struct kd_rule *rule = rule_of(policy, e->rule);

	kd_json_open(j, "verdict", '{');
	kd_json_str(j, "action", action_of(e, rule));
	if (rule != NULL && rule->mechanism < KD_MECHANISM_COUNT)
		kd_json_str(j, "mechanism", kd_mechanisms[rule->mechanism]->name);
	if (rule != NULL && rule->pending != NULL)
		kd_json_str(j, "pending", rule->pending);
	kd_json_str(j, "reason", kd_reason_name(e->reason));
	if (rule != NULL)
		kd_json_str(j, "rule", rule->id);
	if (policy != NULL)
		kd_json_str(j, "profile", policy->profile);
	if (e->until_ns != 0)
		put_time(j, "until", e->until_ns);
	kd_json_close(j, '}');
	if (e->app < KD_PROTOCOL_COUNT)
		put_app(j, e, true);
	kd_json_open(j, "evidence", '{');
	for (unsigned int i = 0; rule != NULL && i < KD_PART_COUNT; i++)
		if (rule->grade[i] < KD_GRADE_COUNT)
			kd_json_str(j, kd_part_name(i), kd_grade_name(rule->grade[i]));
	kd_json_close(j, '}');
}

static void put_flow(struct kd_json *j, const struct kd_event *e, const struct kd_policy *policy)
{
	static const char *const outcomes[KD_OUTCOME_COUNT] = {"passed", "degraded", "blocked"};
	const struct kd_rule *rule = rule_of(policy, e->rule), *armed = rule_of(policy, e->armed);
	const struct kd_rule *unseen = rule_of(policy, e->unseen);
	unsigned int client = e->tuple.opened & 1, server = client ^ 1;

	kd_json_open(j, "flow", '{');
	kd_json_str(j, "outcome", outcomes[e->outcome < KD_OUTCOME_COUNT ? e->outcome : 0]);
	kd_json_str(j, "reason", kd_reason_name(e->reason));
	if (rule != NULL)
		kd_json_str(j, "rule", rule->id);
	if (armed != NULL)
		kd_json_str(j, "armed", armed->id);
	kd_json_open(j, "blind_spots", '[');
	for (unsigned int i = 0; i < KD_SPOT_COUNT; i++)
		if ((e->spots >> i & 1) != 0)
			kd_json_str(j, NULL, kd_spots[i].name);
	kd_json_close(j, ']');
	if (unseen != NULL)
		kd_json_str(j, "unseen", unseen->id);
	kd_json_u64(j, "pkts_toserver", e->pkts[client]);
	kd_json_u64(j, "pkts_toclient", e->pkts[server]);
	kd_json_u64(j, "bytes_toserver", e->bytes[client]);
	kd_json_u64(j, "bytes_toclient", e->bytes[server]);
	kd_json_str(j, "end", kd_reason_name(e->end_reason));
	kd_json_close(j, '}');
}

/* The length of the finished line, 0 when it did not fit. */
static size_t finish(struct kd_json *j)
{
	put_char(j, '\n');
	return j->full ? 0 : j->len;
}

/* Of a box whose slow timers are not the real one's, in every line. */
static void put_scale(struct kd_json *j, const struct kd_policy *policy)
{
	if (policy != NULL && policy->time_scale > 1)
		kd_json_u64(j, "time_scale", policy->time_scale);
}

/* A box was bypassed, or a rule of it, or is inline again: no flow's. */
static size_t put_switch(char *buf, size_t room, const struct kd_event *e, const struct kd_policy *policy)
{
	const struct kd_rule *rule = rule_of(policy, e->rule);
	struct kd_json j;

	kd_json_start(&j, buf, room);
	kd_json_open(&j, NULL, '{');
	put_time(&j, "timestamp", e->time_ns);
	kd_json_str(&j, "event_type", "box");
	kd_json_u64(&j, "box", e->box);
	kd_json_open(&j, "switch", '{');
	kd_json_bool(&j, "bypassed", e->bypassed != 0);
	if (rule != NULL)
		kd_json_str(&j, "rule", rule->id);
	kd_json_close(&j, '}');
	put_scale(&j, policy);
	kd_json_close(&j, '}');
	return finish(&j);
}

size_t kd_json_event(
	char *buf, size_t room, const struct kd_event *e, const struct kd_policy *policy, bool open_loop)
{
	const char *app = e->app < KD_PROTOCOL_COUNT ? kd_protocols[e->app]->name : NULL;
	const char *type = e->type == KD_EVENT_VERDICT ? "verdict" : "flow";
	struct kd_json j;

	if (e->type == KD_EVENT_BOX)
		return put_switch(buf, room, e, policy);
	if (e->type == KD_EVENT_APP) {
		if (app == NULL)
			return 0;
		type = app;
	}
	kd_json_start(&j, buf, room);
	kd_json_open(&j, NULL, '{');
	put_time(&j, "timestamp", e->time_ns);
	kd_json_str(&j, "event_type", type);
	put_u64_text(&j, "flow_id", e->flow_id);
	if (e->number != 0 &&
		e->number != UINT64_MAX) /* time's own records: expiry, and last of all the end */
		kd_json_u64(&j, "pcap_cnt", e->number);
	put_tuple(&j, &e->tuple);
	if (app != NULL)
		kd_json_str(&j, "app_proto", app);
	kd_json_u64(&j, "box", e->box);
	put_scale(&j, policy);
	if (open_loop)
		kd_json_bool(&j, "open_loop", true);
	if (e->type == KD_EVENT_APP)
		put_app(&j, e, false);
	else if (e->type == KD_EVENT_VERDICT)
		put_verdict(&j, e, policy);
	else
		put_flow(&j, e, policy);
	kd_json_close(&j, '}');
	return finish(&j);
}

static unsigned int boxes_of(const struct kd_run_record *run)
{
	return run->boxes != NULL ? run->boxes->n : 1;
}

/* A byte is six when it is escaped; quotes, colon and comma. */
size_t kd_json_run_room(const struct kd_run_record *run)
{
	size_t room = KD_JSON_LINE_MAX + 6 * strlen(run->policy->profile);

	for (unsigned int b = 0; b < boxes_of(run); b++) {
		const struct kd_policy *p = kd_boxes_policy(run->boxes, run->policy, b);

		if (run->boxes != NULL)
			room += 6 * strlen(p->box.id) + 128;
		for (uint32_t i = 0; i < p->ndrawn; i++)
			room += 6 * (strlen(p->drawn[i].what) + strlen(p->drawn[i].value)) + 6;
	}
	return room;
}

/* Whether a box before drew it: what it is called and all that is drawn of it are the same at every box. */
static bool drawn_before(const struct kd_run_record *run, unsigned int box, const char *what)
{
	for (unsigned int b = 0; b < box; b++) {
		const struct kd_policy *p = kd_boxes_policy(run->boxes, run->policy, b);

		for (uint32_t i = 0; i < p->ndrawn; i++)
			if (strcmp(p->drawn[i].what, what) == 0)
				return true;
	}
	return false;
}

static void put_drawn(struct kd_json *j, const struct kd_run_record *run)
{
	kd_json_open(j, "drawn", '{'); /* empty: a plain profile uses every number's default */
	for (unsigned int b = 0; b < boxes_of(run); b++) {
		const struct kd_policy *p = kd_boxes_policy(run->boxes, run->policy, b);

		for (uint32_t i = 0; i < p->ndrawn; i++)
			if (!drawn_before(run, b, p->drawn[i].what))
				kd_json_str(j, p->drawn[i].what, p->drawn[i].value);
	}
	kd_json_close(j, '}');
}

static void put_boxes(struct kd_json *j, const struct kd_boxes *boxes)
{
	kd_json_open(j, "boxes", '[');
	for (unsigned int i = 0; i < boxes->n; i++) {
		kd_json_open(j, NULL, '{');
		kd_json_u64(j, "box", i);
		kd_json_str(j, "id", boxes->policy[i]->box.id);
		kd_json_str(j, "hash", boxes->policy[i]->hash);
		kd_json_close(j, '}');
	}
	kd_json_close(j, ']');
}

/* Nobody tells the system at the other end: it is taken for Linux (engine/observe_tcp.c). */
static void put_endpoint(struct kd_json *j, const struct kd_endpoint *endpoint, bool guessed)
{
	kd_json_open(j, "endpoint", '{');
	if (endpoint->hops != 0)
		kd_json_u64(j, "hops", endpoint->hops);
	kd_json_str(j, "os", "linux");
	kd_json_bool(j, "guessed", guessed);
	kd_json_close(j, '}');
}

size_t kd_json_run(char *buf, size_t room, const struct kd_run_record *run)
{
	struct kd_json j;

	kd_json_start(&j, buf, room);
	kd_json_open(&j, NULL, '{');
	kd_json_str(&j, "event_type", "run");
	kd_json_open(&j, "run", '{');
	kd_json_u64(&j, "schema", KD_EVENT_SCHEMA_VERSION);
	kd_json_str(&j, "version", KD_VERSION);
	kd_json_str(&j, "profile", run->policy->profile);
	kd_json_str(&j, "hash", run->boxes != NULL ? run->boxes->hash : run->policy->hash);
	if (run->boxes != NULL)
		put_boxes(&j, run->boxes);
	put_u64_text(&j, "seed", run->seed);
	put_scale(&j, run->policy);
	put_drawn(&j, run);
	kd_json_str(&j, "inside", run->inside);
	kd_json_str(&j, "checksums", run->checksums);
	if (run->endpoint != NULL)
		put_endpoint(&j, run->endpoint, run->endpoint_guessed);
	kd_json_close(&j, '}');
	kd_json_close(&j, '}');
	return finish(&j);
}
