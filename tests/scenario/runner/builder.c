/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * "split(records(clienthello(sni=www.example.com), at=sni), at=1)" to bytes and segments. Builders nest; only
 * the outermost may be a split, because a split is about segments and all others are about bytes.
 */
#include "scn.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define PAYLOAD_MAX 65000
#define ARGS_MAX 96

struct args {
	char *arg[ARGS_MAX];
	unsigned int count;
};

struct call {
	struct scn *s;
	struct scn_built *b;
	const char *name;
	struct args args;
	int line;
	struct scn_error *e;
};

static bool append(struct scn_payload *p, struct scn *s, const void *bytes, size_t len)
{
	uint8_t *joined;

	if (p->len + len > PAYLOAD_MAX)
		return false;
	if (len == 0)
		return true;
	joined = scn_alloc(s, p->len + len);
	if (p->len != 0)
		memcpy(joined, p->bytes, p->len);
	memcpy(joined + p->len, bytes, len);
	p->bytes = joined;
	p->len += len;
	return true;
}

/* Cuts "a, b c=d" at commas and white space outside quotes and brackets. */
static bool cut_args(struct scn *s, struct args *a, const char *from, const char *end)
{
	while (from < end) {
		const char *stop = from;
		int depth = 0;
		bool quoted = false;

		for (; stop < end; stop++) {
			if (quoted && *stop == '\\')
				stop++;
			else if (*stop == '"')
				quoted = !quoted;
			else if (!quoted && (*stop == '(' || *stop == ')'))
				depth += *stop == '(' ? 1 : -1;
			else if (!quoted && depth == 0 && (*stop == ',' || isspace((unsigned char)*stop)))
				break;
		}
		if (stop > from && a->count == ARGS_MAX)
			return false;
		if (stop > from)
			a->arg[a->count++] = scn_text(s, from, (size_t)(stop - from));
		from = stop + 1;
	}
	return true;
}

/* Appends hex digits ("160301", spaces are already gone). */
static bool append_hex(struct call *c, const char *digits)
{
	for (; digits[0] != '\0'; digits += 2) {
		char pair[3] = {digits[0], digits[1], '\0'};
		uint8_t byte;

		if (!isxdigit((unsigned char)pair[0]) || !isxdigit((unsigned char)pair[1]))
			return false;
		byte = (uint8_t)strtoul(pair, NULL, 16);
		if (!append(&c->b->payload, c->s, &byte, 1))
			return false;
	}
	return true;
}

static bool make_hex(struct call *c)
{
	for (unsigned int i = 0; i < c->args.count; i++)
		if (!append_hex(c, c->args.arg[i]))
			return scn_fail(
				c->e, c->line, "hex(): \"%s\" is not pairs of hex digits", c->args.arg[i]);
	return true;
}

/* "text" with \r \n \t \\ \" \xNN */
static bool make_text(struct call *c, const char *text)
{
	char *out = scn_alloc(c->s, strlen(text));
	size_t len = 0;

	for (text++; *text != '\0' && *text != '"'; text++) {
		static const char from[] = "rnt\\\"", to[] = "\r\n\t\\\"";
		const char *at;

		if (*text != '\\') {
			out[len++] = *text;
			continue;
		}
		text++;
		at = strchr(from, *text);
		if (*text == 'x' && isxdigit((unsigned char)text[1]) && isxdigit((unsigned char)text[2])) {
			char pair[3] = {text[1], text[2], '\0'};

			out[len++] = (char)strtoul(pair, NULL, 16);
			text += 2;
		} else if (*text != '\0' && at != NULL) {
			out[len++] = to[at - from];
		} else {
			return scn_fail(c->e, c->line, "data(): unknown escape \\%c", *text);
		}
	}
	return append(&c->b->payload, c->s, out, len);
}

/* data(N): bytes that are no protocol's; the first has its high bit set. */
static bool make_data(struct call *c)
{
	uint64_t n;
	uint32_t x = 0x9d2c5680;

	if (c->args.count == 1 && c->args.arg[0][0] == '"')
		return make_text(c, c->args.arg[0]);
	if (c->args.count != 1 || !scn_u64(c->args.arg[0], PAYLOAD_MAX, &n))
		return scn_fail(c->e, c->line, "data() takes a length below %d or a \"text\"", PAYLOAD_MAX);
	c->b->payload.bytes = scn_alloc(c->s, n);
	c->b->payload.len = n;
	for (uint64_t i = 0; i < n; i++) {
		x = x * 1664525u + 1013904223u;
		c->b->payload.bytes[i] = (uint8_t)(x >> 24 | (i == 0 ? 0x80 : 0));
	}
	return true;
}

static bool make_zeros(struct call *c)
{
	uint64_t n;

	if (c->args.count != 1 || !scn_u64(c->args.arg[0], PAYLOAD_MAX, &n))
		return scn_fail(c->e, c->line, "zeros() takes a length below %d", PAYLOAD_MAX);
	c->b->payload.bytes = scn_alloc(c->s, n);
	c->b->payload.len = n;
	return true;
}

static bool make_hello(struct call *c)
{
	struct scn_hello h = {.pad = -1};
	const char *v, *why;
	bool nosni = false;
	uint64_t n;

	for (unsigned int i = 0; i < c->args.count; i++) {
		const char *arg = c->args.arg[i];

		if ((v = scn_after(arg, "sni=")) != NULL)
			h.sni = v;
		else if ((v = scn_after(arg, "alpn=")) != NULL)
			h.alpn = v;
		else if ((v = scn_after(arg, "size=")) != NULL && scn_u64(v, 16389, &n))
			h.size = n;
		else if ((v = scn_after(arg, "pad=")) != NULL && scn_u64(v, 16000, &n))
			h.pad = (long)n;
		else if (strcmp(arg, "tls=1.2") == 0)
			h.tls12 = true;
		else if (strcmp(arg, "ech") == 0)
			h.ech = true;
		else if (strcmp(arg, "nosni") == 0)
			nosni = true;
		else if (strcmp(arg, "tls=1.3") != 0)
			return scn_fail(c->e, c->line,
				"clienthello(): \"%s\" is none of sni= tls=1.2|1.3 size= "
				"alpn= pad= ech nosni",
				arg);
	}
	if (nosni == (h.sni != NULL))
		return scn_fail(c->e, c->line, "clienthello() takes either sni=NAME or nosni");
	why = scn_clienthello(c->s, &c->b->payload, &h);
	return why == NULL || scn_fail(c->e, c->line, "clienthello(): %s", why);
}

static bool make_http(struct call *c)
{
	const char *method = "GET", *host = NULL, *path = "/", *v;
	char text[1024];
	int len;

	for (unsigned int i = 0; i < c->args.count; i++) {
		if ((v = scn_after(c->args.arg[i], "host=")) != NULL)
			host = v;
		else if ((v = scn_after(c->args.arg[i], "path=")) != NULL)
			path = v;
		else
			method = c->args.arg[i];
	}
	if (host == NULL)
		return scn_fail(c->e, c->line, "http() needs host=NAME");
	len = snprintf(text, sizeof(text), "%s %s HTTP/1.1\r\nHost: ", method, path);
	c->b->payload.name_off = (size_t)len;
	c->b->payload.name_len = strlen(host);
	len = snprintf(text, sizeof(text),
		"%s %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: curl/7.88.1\r\nAccept: */*\r\n\r\n", method, path,
		host);
	if (len >= (int)sizeof(text))
		return scn_fail(c->e, c->line, "http(): the request is longer than %zu", sizeof(text));
	return append(&c->b->payload, c->s, text, (size_t)len);
}

/* "at=10,20" or "at=sni" (its middle), offsets from `base` and below `end`, ascending. */
static bool read_cuts(struct call *c, size_t base, size_t end, size_t *cut, unsigned int *count)
{
	const struct scn_payload *p = &c->b->payload;
	bool in_at = false;

	for (unsigned int i = 1; i < c->args.count; i++) {
		const char *v = scn_after(c->args.arg[i], "at=");
		uint64_t n;

		if (v != NULL)
			in_at = true;
		else if (!in_at || strchr(c->args.arg[i], '=') != NULL)
			in_at = false;
		if (!in_at)
			continue;
		v = v != NULL ? v : c->args.arg[i];
		if ((strcmp(v, "sni") == 0 || strcmp(v, "host") == 0) && p->name_len > 1)
			n = p->name_off + p->name_len / 2;
		else if (scn_u64(v, end, &n))
			n += base;
		else
			return scn_fail(c->e, c->line, "%s(): at=%s is no offset in %zu bytes", c->name, v,
				end - base);
		if (n <= (*count != 0 ? cut[*count - 1] : base) || n >= end || *count == SCN_CUTS - 1)
			return scn_fail(c->e, c->line, "%s(): at=%s does not cut what is left", c->name, v);
		cut[(*count)++] = n;
	}
	if (*count == 0)
		return scn_fail(c->e, c->line, "%s() needs at=OFFSET[,OFFSET...] or at=sni", c->name);
	cut[(*count)++] = end;
	return true;
}

/* One TLS record becomes several, each with a header of its own; the handshake message inside stays. */
static bool make_records(struct call *c)
{
	struct scn_payload p = c->b->payload;
	struct scn_payload *out = &c->b->payload;
	size_t cut[SCN_CUTS], at = 5, record_end;
	unsigned int count = 0, passed = 0;

	if (p.len < 7)
		return scn_fail(c->e, c->line, "records() needs a TLS record");
	record_end = 5u + (size_t)(p.bytes[3] << 8 | p.bytes[4]);
	if (record_end > p.len)
		return scn_fail(c->e, c->line, "records() needs a whole TLS record");
	if (!read_cuts(c, 5, record_end, cut, &count))
		return false;
	*out = (struct scn_payload){.name_len = p.name_len};
	for (unsigned int i = 0; i < count; i++) {
		uint8_t header[5] = {p.bytes[0], p.bytes[1], p.bytes[2], (uint8_t)((cut[i] - at) >> 8),
			(uint8_t)(cut[i] - at)};

		append(out, c->s, header, sizeof(header));
		append(out, c->s, p.bytes + at, cut[i] - at);
		at = cut[i];
		passed += cut[i] <= p.name_off;
	}
	out->name_off = p.name_off + 5u * passed;
	return append(out, c->s, p.bytes + record_end, p.len - record_end) ||
	       scn_fail(c->e, c->line, "records(): too long");
}

static bool make_prefix(struct call *c)
{
	struct scn_payload p = c->b->payload;

	c->b->payload = (struct scn_payload){0};
	for (unsigned int i = 1; i < c->args.count; i++)
		if (!append_hex(c, c->args.arg[i]))
			return scn_fail(
				c->e, c->line, "prefix(): \"%s\" is not pairs of hex digits", c->args.arg[i]);
	c->b->payload.name_off = p.name_off + c->b->payload.len;
	c->b->payload.name_len = p.name_len;
	return append(&c->b->payload, c->s, p.bytes, p.len) || scn_fail(c->e, c->line, "prefix(): too long");
}

/* patch(builder, OFFSET=HEX...): bytes overwritten, lengths and all else left as they were. */
static bool make_patch(struct call *c)
{
	struct scn_payload p = c->b->payload;

	for (unsigned int i = 1; i < c->args.count; i++) {
		char *hex = strchr(c->args.arg[i], '=');
		uint64_t at;
		struct scn_payload *now = &c->b->payload;

		if (hex != NULL)
			*hex++ = '\0';
		*now = (struct scn_payload){0};
		if (hex == NULL || !scn_u64(c->args.arg[i], p.len, &at) || !append_hex(c, hex) ||
			at + now->len > p.len)
			return scn_fail(c->e, c->line, "patch() takes OFFSET=HEX within %zu bytes", p.len);
		if (now->len > 0)
			memcpy(p.bytes + at, now->bytes, now->len);
	}
	c->b->payload = p;
	return true;
}

/* urgent(builder, at=N): a byte more, at that offset, which is urgent (RFC 6093): who reads the stream
 * without it reads what the builder made. */
static bool make_urgent(struct call *c)
{
	struct scn_payload p = c->b->payload, *out = &c->b->payload;
	const char *v = c->args.count == 2 ? scn_after(c->args.arg[1], "at=") : NULL;
	uint64_t at;

	if (v == NULL || !scn_u64(v, p.len, &at))
		return scn_fail(c->e, c->line, "urgent() takes at=OFFSET within %zu bytes", p.len);
	*out = (struct scn_payload){.name_len = p.name_len, .name_off = p.name_off + (at <= p.name_off)};
	append(out, c->s, p.bytes, at);
	append(out, c->s, "!", 1);
	c->b->urgent = at + 1;
	return append(out, c->s, p.bytes + at, p.len - at) || scn_fail(c->e, c->line, "urgent(): too long");
}

/* order=2,1: the segments by number, in the order they are sent. */
static bool read_order(struct call *c)
{
	struct scn_built *b = c->b;
	unsigned int count = 0;
	uint64_t seen = 0;
	bool in_order = false;

	for (unsigned int i = 1; i < c->args.count; i++) {
		const char *v = scn_after(c->args.arg[i], "order=");
		uint64_t n;

		in_order = v != NULL || (in_order && strchr(c->args.arg[i], '=') == NULL);
		if (!in_order)
			continue;
		v = v != NULL ? v : c->args.arg[i];
		if (!scn_u64(v, b->ncuts, &n) || n == 0 || (seen >> (n - 1) & 1) != 0)
			return scn_fail(c->e, c->line, "split(): order= wants each of 1..%u once", b->ncuts);
		seen |= UINT64_C(1) << (n - 1);
		b->order[count++] = (unsigned int)n - 1;
	}
	if (count != 0 && count != b->ncuts)
		return scn_fail(c->e, c->line, "split(): order= wants each of 1..%u once", b->ncuts);
	return true;
}

static bool build(struct scn *s, struct scn_built *b, const char *text, int line, struct scn_error *e);

/* every=16: all segments so long but the last. */
static bool cut_every(struct call *c, const char *v)
{
	struct scn_built *b = c->b;
	uint64_t n;

	if (!scn_u64(v, PAYLOAD_MAX, &n) || n == 0 || n >= b->payload.len ||
		(b->payload.len - 1) / n >= SCN_CUTS)
		return scn_fail(
			c->e, c->line, "split(): every=%s does not make 2 to %d segments", v, SCN_CUTS);
	while (b->ncuts == 0 || b->cut[b->ncuts - 1] < b->payload.len) {
		size_t end = (b->ncuts + 1) * n;

		b->cut[b->ncuts++] = end < b->payload.len ? end : b->payload.len;
	}
	return true;
}

static bool make_overlap(struct call *c, const char *text)
{
	struct scn_built other = {0};

	if (!build(c->s, &other, text, c->line, c->e))
		return false;
	if (other.ncuts != 0)
		return scn_fail(c->e, c->line, "split() must be the outermost builder");
	c->b->overlap = other.payload;
	return true;
}

static bool make_split(struct call *c)
{
	const char *every = NULL, *v;

	c->b->ncuts = 0;
	for (unsigned int i = 1; i < c->args.count; i++) {
		v = scn_after(c->args.arg[i], "gap=");
		if (v != NULL && !scn_duration(v, &c->b->gap_ns))
			return scn_fail(c->e, c->line, "split(): gap=%s is no duration", v);
		v = scn_after(c->args.arg[i], "overlap=");
		if (v != NULL && !make_overlap(c, v))
			return false;
		v = scn_after(c->args.arg[i], "every=");
		every = v != NULL ? v : every;
	}
	if (every != NULL ? !cut_every(c, every)
			  : !read_cuts(c, 0, c->b->payload.len, c->b->cut, &c->b->ncuts))
		return false;
	for (unsigned int i = 0; i < c->b->ncuts; i++)
		c->b->order[i] = i;
	return read_order(c);
}

static const struct {
	const char *name;
	bool nests; /* its first argument is a builder */
	bool (*make)(struct call *c);
} builders[] = {
	{"data", false, make_data},
	{"zeros", false, make_zeros},
	{"hex", false, make_hex},
	{"clienthello", false, make_hello},
	{"http", false, make_http},
	{"records", true, make_records},
	{"prefix", true, make_prefix},
	{"patch", true, make_patch},
	{"urgent", true, make_urgent},
	{"split", true, make_split},
};

static bool build(struct scn *s, struct scn_built *b, const char *text, int line, struct scn_error *e)
{
	struct call c = {.s = s, .b = b, .line = line, .e = e};
	const char *open = strchr(text, '(');
	size_t len = strlen(text);

	if (open == NULL || text[len - 1] != ')')
		return scn_fail(e, line, "\"%s\" is neither a builder nor TCP flags", text);
	c.name = scn_text(s, text, (size_t)(open - text));
	if (!cut_args(s, &c.args, open + 1, text + len - 1))
		return scn_fail(e, line, "%s(): more than %d arguments", c.name, ARGS_MAX);
	for (unsigned int i = 0; i < sizeof(builders) / sizeof(builders[0]); i++) {
		if (strcmp(builders[i].name, c.name) != 0)
			continue;
		if (builders[i].nests && c.args.count == 0)
			return scn_fail(e, line, "%s() needs a builder first", c.name);
		if (builders[i].nests && scn_after(c.args.arg[0], "split(") != NULL)
			return scn_fail(e, line, "split() must be the outermost builder");
		if (builders[i].nests && !build(s, b, c.args.arg[0], line, e))
			return false;
		if (b->urgent != 0 && builders[i].make != make_split)
			return scn_fail(e, line, "urgent() stands in a split() only");
		return builders[i].make(&c);
	}
	return scn_fail(e, line, "no builder is called %s()", c.name);
}

bool scn_build(struct scn *s, struct scn_built *b, const char *text, int line, struct scn_error *e)
{
	memset(b, 0, sizeof(*b));
	if (!build(s, b, text, line, e))
		return false;
	if (b->ncuts == 0)
		b->cut[b->ncuts++] = b->payload.len;
	return true;
}
