/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Decides whether a TCP payload starts with an HTTP/1 request, and reads its host. Later ones, in the same
 * packet too, are nobody's business (X-RATE-1), unless http.requests says all: then it tells where the next
 * begins, behind a body of stated length; a chunked one hides what follows it. The target, the headers and
 * the body are not judged.
 *
 * Circumvention tools vary the case and the blanks of a request head to slip by naive parsers; no public
 * source says what the box of 2022 accepts. Assumed, in the sense of RFC 9110 and 9112: header names compare
 * without case; methods, the single blanks of the request line and "HTTP/1." do not bend; blanks before a
 * colon and folded lines (obs-fold) before the Host are malformed, as is an empty line before the request; a
 * bare LF ends a line.
 */
#include "engine/protocol.h"

#include "engine/cursor.h"
#include "engine/knob.h"

#include <string.h>

#define METHOD_MAX 16
#define BODY_MAX (1u << 24) /* a longer one ends in no packet in hand */

enum { FIELD_HOST, FIELD_METHOD, FIELD_URL, FIELD_VERSION };
enum { WHY_REQUEST, WHY_NO_HOST, WHY_HEAD_INCOMPLETE, WHY_NOT_HTTP, WHY_MALFORMED };

struct slice {
	const uint8_t *p;
	uint16_t len;
};

struct request {
	struct slice method, target;
	const uint8_t *version; /* the two digits with their dot: "1.1" */
};

static enum kd_parse no(struct kd_app *app, enum kd_parse parse, uint8_t why)
{
	app->why = why;
	return parse;
}

static void set_text(struct kd_app_field *f, struct slice s)
{
	f->p = s.len > 0 ? s.p : NULL;
	f->len = s.len;
}

static bool is(struct slice s, const char *word)
{
	return s.len == strlen(word) && memcmp(s.p, word, s.len) == 0;
}

static enum kd_parse match(struct kd_app *app, const struct request *r, struct slice host)
{
	set_text(&app->field[FIELD_HOST], host);
	set_text(&app->field[FIELD_METHOD], r->method);
	set_text(&app->field[FIELD_URL], r->target);
	app->field[FIELD_VERSION].p = r->version;
	app->field[FIELD_VERSION].len = 3;
	app->field[FIELD_VERSION].num = 0x0100u | (r->version[2] == '1');
	app->leads = is(r->method, "CONNECT");
	app->why = host.len > 0 ? WHY_REQUEST : WHY_NO_HOST;
	return KD_MATCH;
}

static struct slice since(const uint8_t *start, const uint8_t *end)
{
	return (struct slice){start, (uint16_t)(end - start)};
}

/* RFC 9110 9.3, and PATCH of RFC 5789. */
static bool is_known_method(struct slice m)
{
	static const char *const known[] = {
		"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (is(m, known[i]))
			return true;
	return false;
}

static bool is_tchar(uint8_t b)
{
	uint8_t letter = b | 0x20;

	if ((letter >= 'a' && letter <= 'z') || (b >= '0' && b <= '9'))
		return true;
	return b != 0 && strchr("!#$%&'*+-.^_`|~", b) != NULL;
}

/*
 * METHOD SP target SP HTTP/1.x line-end. Unknown methods pass when the whole line fits. Every start of a good
 * line is a need-more, so the bytes are taken one at a time.
 */
static enum kd_parse request_line(struct kd_cur *c, struct request *r, struct kd_app *app)
{
	uint8_t wrong = WHY_NOT_HTTP, b;
	const uint8_t *start = c->p;

	do
		b = kd_cur_u8(c);
	while (!c->bad && b >= 'A' && b <= 'Z' && c->p - start <= METHOD_MAX);
	if (c->bad)
		return no(app, KD_NEED_MORE, WHY_HEAD_INCOMPLETE);
	r->method = since(start, c->p - 1);
	if (b != ' ' || r->method.len == 0)
		return no(app, KD_NOT_MINE, WHY_NOT_HTTP);
	if (is_known_method(r->method))
		wrong = WHY_MALFORMED;

	start = c->p;
	do
		b = kd_cur_u8(c);
	while (!c->bad && b > ' ' && b != 0x7f);
	if (c->bad)
		return no(app, KD_NEED_MORE, WHY_HEAD_INCOMPLETE);
	r->target = since(start, c->p - 1);
	if (b != ' ' || r->target.len == 0)
		return no(app, KD_NOT_MINE, wrong);

	for (const char *w = "HTTP/1."; *w != '\0'; w++)
		if (kd_cur_u8(c) != (uint8_t)*w)
			return c->bad ? no(app, KD_NEED_MORE, WHY_HEAD_INCOMPLETE)
				      : no(app, KD_NOT_MINE, wrong);
	r->version = c->p - 2;
	b = kd_cur_u8(c);
	if (!c->bad && b != '0' && b != '1')
		return no(app, KD_NOT_MINE, wrong);
	b = kd_cur_u8(c);
	if (b == '\r')
		b = kd_cur_u8(c);
	if (c->bad)
		return no(app, KD_NEED_MORE, WHY_HEAD_INCOMPLETE);
	return b == '\n' ? KD_MATCH : no(app, KD_NOT_MINE, wrong);
}

/* The next line without its end; false when the end is missing. */
static bool take_line(struct kd_cur *c, struct kd_cur *line)
{
	const uint8_t *lf = memchr(c->p, '\n', kd_cur_left(c));
	size_t len;

	if (lf == NULL)
		return false;
	len = (size_t)(lf - c->p);
	*line = kd_cur_sub(c, len);
	kd_cur_skip(c, 1);
	if (len > 0 && lf[-1] == '\r')
		line->end--;
	return true;
}

/* name ":" OWS value OWS. The name goes to *name, the trimmed value stays in *line; false = not a field line.
 */
static bool split_field(struct kd_cur *line, struct slice *name)
{
	const uint8_t *start = line->p;
	uint8_t b;

	do
		b = kd_cur_u8(line);
	while (!line->bad && is_tchar(b));
	if (line->bad || b != ':' || line->p - 1 == start)
		return false;
	*name = since(start, line->p - 1);
	if (memchr(line->p, '\r', kd_cur_left(line)) != NULL ||
		memchr(line->p, '\0', kd_cur_left(line)) != NULL)
		return false; /* RFC 9110 5.5 */
	while (kd_cur_left(line) > 0 && (line->p[0] == ' ' || line->p[0] == '\t'))
		line->p++;
	while (kd_cur_left(line) > 0 && (line->end[-1] == ' ' || line->end[-1] == '\t'))
		line->end--;
	return true;
}

/* Letters and hyphens in lower case; `word` too. */
static bool is_field(struct slice name, const char *word)
{
	if (name.len != strlen(word))
		return false;
	for (size_t i = 0; i < name.len; i++)
		if ((name.p[i] | 0x20) != word[i])
			return false;
	return true;
}

/* What is not a plain number below BODY_MAX is longer than anything. */
static uint32_t body_length(struct kd_cur text)
{
	uint32_t n = 0;

	if (kd_cur_left(&text) == 0)
		return BODY_MAX;
	while (kd_cur_left(&text) > 0) {
		uint8_t b = kd_cur_u8(&text);

		if (b < '0' || b > '9' || n >= BODY_MAX)
			return BODY_MAX;
		n = n * 10 + (b - '0');
	}
	return n < BODY_MAX ? n : BODY_MAX;
}

/* uri-host of `uri-host [":" port]`: what follows the first colon outside brackets is taken for the port. */
static struct slice without_port(struct kd_cur text)
{
	const uint8_t *start = text.p, *end = NULL;

	if (kd_cur_left(&text) == 0)
		return since(start, start);
	if (*start == '[')
		end = memchr(start, ']', kd_cur_left(&text));
	if (end != NULL)
		return since(start, end + 1);
	end = memchr(start, ':', kd_cur_left(&text));
	return since(start, end != NULL ? end : text.end);
}

/* The host of an absolute-form target or of CONNECT's authority (RFC 9112 3.2), empty for the other forms. */
static struct slice target_host(const struct request *r)
{
	struct kd_cur text = kd_cur(r->target.p, r->target.len);
	const uint8_t *at = text.p;

	if (!is(r->method, "CONNECT")) {
		while (at < text.end && is_tchar(*at))
			at++;
		if (text.end - at < 3 || memcmp(at, "://", 3) != 0 || at == text.p)
			return since(at, at);
		text.p = at + 3;
		for (at = text.p; at < text.end && *at != '/' && *at != '?' && *at != '#'; at++)
			if (*at == '@') /* what was before it is userinfo */
				text.p = at + 1;
		text.end = at;
	}
	return without_port(text);
}

/* Where the next request begins: behind head, body and blank lines (RFC 9112 2.2), if the head ends here and
 * says how long the body is. `c` stands at the first field line. */
static void find_next(struct kd_cur c, const uint8_t *start, struct kd_app *app)
{
	struct kd_cur line;
	struct slice name;
	uint32_t body = 0;

	while (take_line(&c, &line)) {
		if (kd_cur_left(&line) == 0) {
			while (body == 0 && kd_cur_left(&c) > 0 && (*c.p == '\r' || *c.p == '\n'))
				kd_cur_skip(&c, 1);
			app->next = (uint32_t)(c.p - start) + body;
			return;
		}
		if (!split_field(&line, &name) || is_field(name, "transfer-encoding"))
			return;
		if (is_field(name, "content-length"))
			body = body_length(line);
		if (body == BODY_MAX)
			return;
	}
	app->partial = true;
}

static enum kd_parse parse(const uint8_t *payload, size_t len, struct kd_app *app)
{
	struct kd_cur c = kd_cur(payload, len < UINT16_MAX ? len : UINT16_MAX),
		      line; /* slices have 16 bits */
	struct request r = {0};
	struct slice name, host;
	enum kd_parse start;

	memset(app->field, 0, sizeof(app->field));
	app->scratch_len = 0;

	start = request_line(&c, &r, app);
	if (start != KD_MATCH)
		return start;
	app->goes_on = app->how.requests == KD_REQUESTS_ALL;
	if (app->goes_on)
		find_next(c, payload, app);
	while (take_line(&c, &line)) {
		if (kd_cur_left(&line) == 0)
			return match(app, &r, target_host(&r));
		if (!split_field(&line, &name))
			return no(app, KD_NOT_MINE, WHY_MALFORMED);
		if (!is_field(name, "host"))
			continue;
		host = without_port(line);
		return match(app, &r, host.len > 0 ? host : target_host(&r));
	}
	return no(app, KD_NEED_MORE, WHY_HEAD_INCOMPLETE);
}

const struct kd_protocol kd_protocol_http = {
	.name = "http",
	.title = "HTTP/1 request head at the start of a TCP payload",
	.transports = KD_TRANSPORT_TCP,
	.has_name = 1,
	.budget_bytes = 8192,
	.fields =
		{
			[FIELD_HOST] = {.name = "host", .kind = KD_FIELD_TEXT},
			[FIELD_METHOD] = {.name = "method", .kind = KD_FIELD_TEXT},
			[FIELD_URL] = {.name = "url", .kind = KD_FIELD_TEXT},
			[FIELD_VERSION] = {.name = "version",
				.kind = KD_FIELD_HEX16,
				.words = "1.0=0x0100|1.1=0x0101"},
		},
	.reasons =
		{
			[WHY_REQUEST] = {"http.request", "an HTTP/1 request; its host is known"},
			[WHY_NO_HOST] = {"http.no_host", "an HTTP/1 request head that names no host"},
			[WHY_HEAD_INCOMPLETE] = {"http.head_incomplete",
				"an HTTP/1 request starts here and its head goes on"},
			[WHY_NOT_HTTP] = {"http.not_http", "not an HTTP/1 request"},
			[WHY_MALFORMED] = {"http.malformed",
				"a request line or header line that RFC 9112 does not allow"},
		},
	.parse = parse,
};
