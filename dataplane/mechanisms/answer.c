/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * answer: somebody else speaks in the server's place: a false address or none (DNS), a 302 to a page that
 * says so (X-HTTP-1, X-ARCH-7), a page, a FIN, a TLS alert, an ICMP error.
 *
 * Assumed, since the sources tell what the client gets and no more: what is answered does not arrive, nor
 * does what follows it on a TCP connection, either way, for a box in the path need not race the server; the
 * answer ends the connection (FIN); the same bytes sent again are answered again. Over UDP queries for
 * another name than the first one's pass, as do answers to them. Of bytes in several segments only the last
 * is in hand: a query or request so sent is answered at its last segment, DNS not at all.
 */
#include "engine/mechanism.h"

#include "engine/craft.h"
#include "engine/cursor.h"

#include <errno.h>
#include <string.h>

enum why {
	WHY_ANSWERED,
	WHY_LATER,
	WHY_WAITS,
	WHY_OTHER_WAY,
	WHY_OTHER_NAME,
	WHY_NO_QUERY,
	WHY_WRONG_PROTOCOL,
	WHY_TO_SENDER,
	WHY_TO_RECEIVER
};

#define REASON(why) KD_REASON_MECHANISM(KD_MECHANISM_answer, why)

enum form { FORM_DNS, FORM_NXDOMAIN, FORM_302, FORM_PAGE, FORM_FIN, FORM_ALERT, FORM_ICMP };
enum direction { DIRECTION_BOTH, DIRECTION_TO_INSIDE, DIRECTION_TO_OUTSIDE };

/* What fits into an injected frame behind IPv6, TCP and the deepest link header: less than the 536 bytes of
 * payload that RFC 9293 3.7.1 lets send unasked. */
#define ANSWER_MAX 398	 /* RFC 9293 3.7.1 */
#define LOCATION_MAX 256 /* of ANSWER_MAX, RFC 9293 3.7.1; the head takes 72 */
#define BODY_MAX 256	 /* of ANSWER_MAX, RFC 9293 3.7.1; the head takes 99 */

#define DNS_HEADER 12	  /* RFC 1035 4.1.1 */
#define NAME_MAX_WIRE 255 /* RFC 1035 2.3.4 */
#define TYPE_A 1	  /* RFC 1035 3.2.2 */
#define TYPE_AAAA 28	  /* RFC 3596 2.1 */
#define CLASS_IN 1	  /* RFC 1035 3.2.4 */

struct params {
	uint64_t ttl_ns;
	uint16_t location, body; /* texts */
	uint8_t form, direction;
	uint8_t address[16];
};

_Static_assert(sizeof(struct params) <= KD_MECH_PARAMS, "settings of a rule");

struct state {
	uint32_t name;	  /* hash of the one asked for, over UDP; 0 = none yet */
	uint8_t answered; /* over TCP, or by an ICMP error: which side asked, + 1; 0 = not yet */
};

_Static_assert(sizeof(struct state) <= KD_MECH_STATE, "state of a flow");

/* An answer in the making. */
struct bytes {
	uint8_t b[ANSWER_MAX];
	size_t len;
	bool full;
};

static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

static void put(struct bytes *a, const void *p, size_t len)
{
	if (len > sizeof(a->b) - a->len) {
		a->full = true;
		return;
	}
	memcpy(a->b + a->len, p, len);
	a->len += len;
}

static void put_text(struct bytes *a, const char *text)
{
	put(a, text, strlen(text));
}

static void put_number(struct bytes *a, uint32_t value, size_t len)
{
	uint8_t b[4];

	kd_put32(b, value);
	put(a, b + 4 - len, len);
}

static void put_decimal(struct bytes *a, unsigned int n)
{
	unsigned int scale = 1;

	while (n / scale >= 10)
		scale *= 10;
	for (; scale > 0; scale /= 10)
		put_number(a, '0' + n / scale % 10, 1);
}

static bool tells(const struct params *p, unsigned int side)
{
	return p->direction == DIRECTION_BOTH ||
	       p->direction == (side == KD_INSIDE ? DIRECTION_TO_INSIDE : DIRECTION_TO_OUTSIDE);
}

static bool over_tcp_only(const struct params *p)
{
	return p->form == FORM_302 || p->form == FORM_PAGE || p->form == FORM_FIN || p->form == FORM_ALERT;
}

/* What ends a connection may go to both ends, an answer to who asked only. */
static bool tells_receiver(const struct params *p)
{
	return p->form == FORM_FIN || p->form == FORM_ALERT;
}

/* Where the one question of a query ends, 0 = it is none; *ret_name: a hash of its name, in any case. */
static size_t question_end(struct kd_cur c, uint32_t *ret_name)
{
	const uint8_t *start = c.p, *name = c.p + DNS_HEADER;
	uint32_t hash = 2166136261u;
	uint8_t len;

	if (kd_cur_left(&c) < DNS_HEADER || (start[2] & 0xf8) != 0 || kd_get16(start + 4) != 1)
		return 0;
	kd_cur_skip(&c, DNS_HEADER);
	while ((len = kd_cur_u8(&c)) != 0) {
		if (len > 63)
			return 0;
		kd_cur_skip(&c, len);
	}
	if (c.bad || c.p - name > NAME_MAX_WIRE)
		return 0;
	for (const uint8_t *b = name; b < c.p; b++)
		hash = (hash ^ (*b >= 'A' && *b <= 'Z' ? *b | 0x20u : *b)) * 16777619u;
	*ret_name = hash != 0 ? hash : 1;
	kd_cur_skip(&c, 4);
	return c.bad ? 0 : (size_t)(c.p - start);
}

/* The record of `address`, if it is of the type that was asked for. */
static bool address_record(struct bytes *a, const struct params *p, uint16_t type, uint16_t class)
{
	bool v4 = memcmp(p->address, mapped, sizeof(mapped)) == 0;

	if (class != CLASS_IN || type != (v4 ? TYPE_A : TYPE_AAAA))
		return false;
	put_number(a, 0xc000 | DNS_HEADER, 2); /* the name of the question */
	put_number(a, type, 2);
	put_number(a, class, 2);
	put_number(a, (uint32_t)(p->ttl_ns / 1000000000), 4);
	put_number(a, v4 ? 4 : 16, 2);
	put(a, v4 ? p->address + 12 : p->address, v4 ? 4 : 16);
	return true;
}

/* RFC 1035 4.1: the question as it was asked, recursion available; no record where there is none of the type
 * that was asked for. `query` ends with its question. */
static void dns_answer(struct bytes *a, const struct params *p, const uint8_t *query, size_t len)
{
	size_t from = a->len;

	put(a, query, 2);
	put_number(a, 0x8080 | (query[2] & 1u) << 8 | (p->form == FORM_NXDOMAIN ? 3 : 0), 2);
	put_number(a, 1u << 16, 4);
	put_number(a, 0, 4);
	put(a, query + DNS_HEADER, len - DNS_HEADER);
	if (p->form == FORM_DNS && !a->full &&
		address_record(a, p, kd_get16(query + len - 4), kd_get16(query + len - 2)))
		a->b[from + 7] = 1;
}

static void http_answer(struct bytes *a, const struct params *p, const struct kd_text *texts)
{
	const struct kd_text *body = &texts[p->body];

	if (p->form == FORM_302) {
		put_text(a, "HTTP/1.1 302 Found\r\nLocation: ");
		put(a, texts[p->location].p, texts[p->location].len);
		put_text(a, "\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
		return;
	}
	put_text(a, "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: ");
	put_decimal(a, body->len);
	put_text(a, "\r\nConnection: close\r\n\r\n");
	put(a, body->p, body->len);
}

/* Sends one, or counts why it could not be made. */
static uint16_t send_forged(struct kd_act *a, enum kd_craft_way way, const struct bytes *answer)
{
	const struct params *p = a->params;
	unsigned int to = way == KD_CRAFT_BACK ? a->pkt->side : a->pkt->side ^ 1;
	uint8_t flags = (uint8_t)(KD_TCP_FIN | KD_TCP_ACK | (answer->len != 0 ? KD_TCP_PSH : 0));
	size_t room;
	uint8_t *buf = kd_inject_buffer(a, &room);
	uint16_t why;
	int len;

	if (buf == NULL)
		return KD_REASON_INJECT_NO_ROOM;
	if (p->form == FORM_ICMP)
		len = kd_craft_unreachable(buf, room, a->pkt, a->view);
	else if (a->view->ip_proto == KD_PROTO_UDP)
		len = kd_craft_udp_reply(buf, room, a->pkt, a->view, answer->b, answer->len);
	else
		len = kd_craft_tcp(buf, room, a->pkt, a->view, way, flags, answer->b, answer->len);
	if (len < 0 || answer->full) {
		why = len == -EOPNOTSUPP ? KD_REASON_INJECT_MPLS : KD_REASON_INJECT_TOO_LONG;
		kd_inject_refuse(a, why);
		return why;
	}
	kd_inject(a, buf, (size_t)len, to, REASON(way == KD_CRAFT_BACK ? WHY_TO_SENDER : WHY_TO_RECEIVER));
	a->forged = true;
	return KD_REASON_NONE;
}

/* The packet in hand does not arrive; whoever is told gets `answer`. */
static void reply(struct kd_act *a, const struct bytes *answer)
{
	const struct params *p = a->params;
	uint16_t refused = KD_REASON_NONE;

	a->fate = KD_DROP;
	if (tells_receiver(p) && tells(p, a->pkt->side ^ 1))
		refused = send_forged(a, KD_CRAFT_ONWARD, answer);
	if (tells(p, a->pkt->side))
		refused = send_forged(a, KD_CRAFT_BACK, answer);
	a->reason = a->forged ? REASON(WHY_ANSWERED) : refused;
}

static void say(struct kd_act *a, uint8_t fate, enum why why)
{
	a->fate = fate;
	a->reason = REASON(why);
}

/* What goes back over TCP; false: nothing can. */
static bool compose_tcp(const struct kd_act *a, struct bytes *answer)
{
	/* RFC 8446 6: a record of version 1.2, fatal, handshake_failure. */
	static const uint8_t alert[] = {21, 3, 3, 0, 2, 2, 40};
	const struct params *p = a->params;
	const uint8_t *payload = a->pkt->data + a->view->payload_off;
	struct kd_cur c = kd_cur(payload, a->view->payload_len);
	uint32_t name;
	size_t len;

	if (p->form == FORM_ALERT)
		put(answer, alert, sizeof(alert));
	if (p->form == FORM_302 || p->form == FORM_PAGE)
		http_answer(answer, p, kd_act_texts(a));
	if (p->form == FORM_DNS || p->form == FORM_NXDOMAIN) {
		kd_cur_skip(&c, 2);
		len = question_end(c, &name);
		if (len == 0)
			return false;
		put_number(answer, 0, 2);
		dns_answer(answer, p, payload + 2, len);
		kd_put16(answer->b, (uint16_t)(answer->len - 2));
	}
	return true;
}

static void over_tcp(struct kd_act *a, struct state *s)
{
	const struct params *p = a->params;
	struct bytes answer = {.len = 0};

	if ((a->view->tcp_flags & KD_TCP_SYN) != 0)
		s->answered = 0; /* another connection with the same ports */
	if (a->view->payload_wire_len == 0 ||
		(a->view->tcp_flags & (KD_TCP_SYN | KD_TCP_ACK)) != KD_TCP_ACK) {
		say(a, s->answered != 0 ? KD_DROP : KD_EMIT, s->answered != 0 ? WHY_LATER : WHY_WAITS);
		return;
	}
	if (s->answered != 0 && s->answered != a->pkt->side + 1) {
		say(a, KD_DROP, WHY_LATER);
		return;
	}
	if (!tells(p, a->pkt->side) && !(tells_receiver(p) && tells(p, a->pkt->side ^ 1))) {
		say(a, KD_EMIT, WHY_OTHER_WAY);
		return;
	}
	s->answered = (uint8_t)(a->pkt->side + 1);
	if (compose_tcp(a, &answer))
		reply(a, &answer);
	else
		say(a, KD_DROP, WHY_NO_QUERY);
}

static void over_udp(struct kd_act *a, struct state *s)
{
	const struct params *p = a->params;
	const uint8_t *payload = a->pkt->data + a->view->payload_off;
	struct bytes answer = {.len = 0};
	uint32_t name = 0;
	size_t len = question_end(kd_cur(payload, a->view->payload_len), &name);

	if (!tells(p, a->pkt->side)) {
		say(a, KD_EMIT, WHY_OTHER_WAY);
		return;
	}
	if (len == 0) {
		say(a, KD_EMIT, WHY_NO_QUERY);
		return;
	}
	if (s->name == 0)
		s->name = name;
	if (s->name != name) {
		say(a, KD_EMIT, WHY_OTHER_NAME);
		return;
	}
	dns_answer(&answer, p, payload, len);
	reply(a, &answer);
}

/* Errors are not answered with errors (RFC 1122 3.2.2, RFC 4443 2.4), and of what else ICMP does only an echo
 * request waits for an answer. */
static bool may_be_answered(const struct kd_act *a)
{
	uint8_t type = a->view->l4_off < a->pkt->len ? a->pkt->data[a->view->l4_off] : 0;

	if (a->view->ip_proto == KD_PROTO_ICMP)
		return type == 8;
	return a->view->ip_proto != KD_PROTO_ICMP6 || type == 128;
}

static void unreachable(struct kd_act *a, struct state *s)
{
	struct bytes none = {.len = 0};

	if (tells(a->params, a->pkt->side) && may_be_answered(a)) {
		s->answered = 1;
		reply(a, &none);
	} else {
		say(a, s->answered != 0 ? KD_DROP : KD_EMIT, s->answered != 0 ? WHY_LATER : WHY_OTHER_WAY);
	}
}

static void act(struct kd_act *a)
{
	const struct params *p = a->params;
	struct state s;

	memcpy(&s, a->state, sizeof(s));
	if (p->form == FORM_ICMP) {
		unreachable(a, &s);
	} else if (a->view->ip_proto == KD_PROTO_TCP) {
		over_tcp(a, &s);
	} else if (a->view->ip_proto == KD_PROTO_UDP && !over_tcp_only(p)) {
		over_udp(a, &s);
	} else {
		a->reason = REASON(WHY_WRONG_PROTOCOL);
		a->done = true;
	}
	memcpy(a->state, &s, sizeof(s));
}

/* An answer that only the outside gets is one to what the outside said. Who took the server's part must know
 * who that is: assumed to be lifted as a reset is (X-ST-5). */
static unsigned int needs(const void *params)
{
	const struct params *p = params;

	return (over_tcp_only(p) ? KD_NEEDS_TCP | KD_NEEDS_ROLES : 0) |
	       (p->direction == DIRECTION_TO_OUTSIDE && !tells_receiver(p) ? KD_NEEDS_DOWNSTREAM : 0);
}

/* One line of printable ASCII: it becomes a header. */
static bool is_one_word(const char *text)
{
	for (; *text != '\0'; text++)
		if (*text <= ' ' || *text > '~')
			return false;
	return true;
}

static bool is_wrong(
	const void *params, const char *const *texts, const char **ret_message, const char **ret_hint)
{
	static const uint8_t none[16];
	const struct params *p = params;
	const struct {
		bool given, owed;
		const char *message, *hint;
	} parts[] = {{p->location != 0, p->form == FORM_302, "a \"302\" without \"location\"",
			     "say where to: location = \"http://...\""},
		{p->body != 0, p->form == FORM_PAGE, "a \"page\" without \"body\"", "say what it shows"},
		{memcmp(p->address, none, sizeof(none)) != 0, p->form == FORM_DNS,
			"\"dns\" without \"address\"", "say which, or take form = \"nxdomain\""}};

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		if (parts[i].given == parts[i].owed)
			continue;
		*ret_message = parts[i].owed ? parts[i].message : "a setting that this form has no use for";
		*ret_hint = parts[i].owed ? parts[i].hint
					  : "location is for \"302\", body for \"page\", address for \"dns\"";
		return true;
	}
	if (p->location == 0 || is_one_word(texts[p->location - 1]))
		return false;
	*ret_message = "\"location\" holds what cannot stand in a header";
	*ret_hint = "expected printable ASCII without blanks";
	return true;
}

static const struct kd_option options[] = {
	{.name = "form",
		.kind = KD_OPTION_WORD,
		.offset = offsetof(struct params, form),
		.words = "dns|nxdomain|302|page|fin|alert|icmp",
		.help = "what is sent as the answer"},
	{.name = "address",
		.kind = KD_OPTION_ADDRESS,
		.offset = offsetof(struct params, address),
		.deflt = "",
		.help = "dns: the address given; who asks for the other kind is told that there is none"},
	{.name = "location",
		.kind = KD_OPTION_TEXT,
		.offset = offsetof(struct params, location),
		.deflt = "",
		.min = 1,
		.max = LOCATION_MAX,
		.help = "302: where to"},
	{.name = "body",
		.kind = KD_OPTION_TEXT,
		.offset = offsetof(struct params, body),
		.deflt = "",
		.min = 1,
		.max = BODY_MAX,
		.help = "page: the text shown, HTML"},
	{.name = "ttl",
		.kind = KD_OPTION_DURATION,
		.offset = offsetof(struct params, ttl_ns),
		.deflt = "60 s",
		.min = 0,
		.max = 86400000000000,
		.help = "dns: how long the answer may be kept"},
	{.name = "direction",
		.kind = KD_OPTION_WORD,
		.offset = offsetof(struct params, direction),
		.words = "both|to-inside|to-outside",
		.deflt = "to-inside",
		.help = "who gets it; fin and alert may also go to the end that was spoken to"},
	{.name = NULL},
};

const struct kd_mechanism kd_mechanism_answer = {
	.name = "answer",
	.title = "a forged answer in the place of the one that was asked for",
	.options = options,
	.reasons = {[WHY_ANSWERED] = {"answer.answered", "does not arrive; a forged answer goes out instead"},
		[WHY_LATER] = {"answer.later", "dropped: the connection has had its forged answer"},
		[WHY_WAITS] = {"answer.waits", "passes; what is answered is the first payload"},
		[WHY_OTHER_WAY] = {"answer.other_way", "the rule answers the other side only"},
		[WHY_OTHER_NAME] = {"answer.other_name",
			"a query for another name than was answered; it passes"},
		[WHY_NO_QUERY] = {"answer.no_query",
			"no whole DNS query in this packet; there is no answer to it"},
		[WHY_WRONG_PROTOCOL] = {"answer.wrong_protocol",
			"this form of answer is not spoken over this protocol; the flow passes"},
		[WHY_TO_SENDER] = {"answer.to_sender", "a forged answer back to the sender of the trigger"},
		[WHY_TO_RECEIVER] = {"answer.to_receiver",
			"a forged end of the connection onward to the receiver of the trigger"}},
	.needs = needs,
	.is_wrong = is_wrong,
	.act = act,
};
