/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A ClientHello as a browser of 2022 sends it (RFC 8446 §4.1.2, RFC 6066 §3, RFC 7685): valid down to every
 * length, 517 bytes by default as Chrome pads to. Randoms and keys are fixed, so a scenario is the same bytes
 * for ever.
 */
#include "scn.h"

#include <string.h>

#define HELLO_MAX 16389 /* a record's 2^14 and its header */
#define HELLO_DEFAULT 517
#define NAME_MAX_LEN 255

struct writer {
	uint8_t *base;
	size_t len;
	bool full;
};

static void put(struct writer *w, const void *bytes, size_t len)
{
	if (w->len + len > HELLO_MAX) {
		w->full = true;
		return;
	}
	memcpy(w->base + w->len, bytes, len);
	w->len += len;
}

static void put_u8(struct writer *w, unsigned int v)
{
	uint8_t byte = (uint8_t)v;

	put(w, &byte, 1);
}

static void put_u16(struct writer *w, unsigned int v)
{
	put_u8(w, v >> 8);
	put_u8(w, v);
}

static void put_fixed(struct writer *w, unsigned int seed, size_t len)
{
	for (size_t i = 0; i < len; i++)
		put_u8(w, (unsigned int)(seed + i * 37 + (i >> 3) * 11));
}

/* Opens a length field of `width` bytes; shut() fills it with what was written since. */
static size_t open_len(struct writer *w, unsigned int width)
{
	put_fixed(w, 0, width);
	return w->len;
}

static void shut(struct writer *w, size_t at, unsigned int width)
{
	size_t len = w->len - at;

	if (w->full)
		return;
	for (unsigned int i = 0; i < width; i++)
		w->base[at - 1 - i] = (uint8_t)(len >> 8 * i);
}

static void put_extension(struct writer *w, unsigned int type, const char *bytes, size_t len)
{
	put_u16(w, type);
	put_u16(w, (unsigned int)len);
	put(w, bytes, len);
}

/* A string literal without its NUL. */
#define BYTES(literal) (literal), sizeof(literal) - 1

static void put_sni(struct writer *w, const char *name, struct scn_payload *p)
{
	size_t ext, list, host;

	put_u16(w, 0x0000);
	ext = open_len(w, 2);
	list = open_len(w, 2);
	put_u8(w, 0); /* host_name */
	host = open_len(w, 2);
	p->name_off = w->len;
	p->name_len = strlen(name);
	put(w, name, p->name_len);
	shut(w, host, 2);
	shut(w, list, 2);
	shut(w, ext, 2);
}

static void put_alpn(struct writer *w, const char *names)
{
	size_t ext, list, one;

	put_u16(w, 0x0010);
	ext = open_len(w, 2);
	list = open_len(w, 2);
	while (*names != '\0') {
		size_t len = strcspn(names, "+");

		one = open_len(w, 1);
		put(w, names, len);
		shut(w, one, 1);
		names += len + (names[len] == '+');
	}
	shut(w, list, 2);
	shut(w, ext, 2);
}

static void put_key_share(struct writer *w)
{
	put_u16(w, 0x0033);
	put_u16(w, 2 + 5 + 4 + 32);
	put_u16(w, 5 + 4 + 32);
	put(w, BYTES("\x2a\x2a\x00\x01\x00")); /* GREASE, RFC 8701 */
	put_u16(w, 0x001d);
	put_u16(w, 32);
	put_fixed(w, 0x51, 32);
}

/* The outer form of draft-ietf-tls-esni: HKDF-SHA256 / AES-128-GCM, one config id, a key and a payload. */
static void put_ech(struct writer *w)
{
	size_t ext;

	put_u16(w, 0xfe0d);
	ext = open_len(w, 2);
	put(w, BYTES("\x00\x00\x01\x00\x01\x2f\x00\x20"));
	put_fixed(w, 0x77, 32);
	put_u16(w, 144);
	put_fixed(w, 0x93, 144);
	shut(w, ext, 2);
}

static void put_ciphers(struct writer *w, bool tls12)
{
	size_t list = open_len(w, 2);

	put(w, BYTES("\x1a\x1a"));
	if (!tls12)
		put(w, BYTES("\x13\x01\x13\x02\x13\x03"));
	put(w, BYTES("\xc0\x2b\xc0\x2f\xc0\x2c\xc0\x30\xcc\xa9\xcc\xa8\xc0\x13\xc0\x14"));
	put(w, BYTES("\x00\x9c\x00\x9d\x00\x2f\x00\x35"));
	shut(w, list, 2);
}

static void put_extensions(struct writer *w, const struct scn_hello *h, struct scn_payload *p)
{
	put_extension(w, 0x3a3a, "", 0);
	if (h->sni != NULL)
		put_sni(w, h->sni, p);
	put_extension(w, 0x0017, "", 0);
	put_extension(w, 0xff01, BYTES("\x00"));
	put_extension(w, 0x000a, BYTES("\x00\x08\x2a\x2a\x00\x1d\x00\x17\x00\x18"));
	put_extension(w, 0x000b, BYTES("\x01\x00"));
	put_extension(w, 0x0023, "", 0);
	if (h->alpn != NULL)
		put_alpn(w, h->alpn);
	put_extension(w, 0x0005, BYTES("\x01\x00\x00\x00\x00"));
	put_extension(
		w, 0x000d, BYTES("\x00\x10\x04\x03\x08\x04\x04\x01\x05\x03\x08\x05\x05\x01\x08\x06\x06\x01"));
	put_extension(w, 0x0012, "", 0);
	if (!h->tls12) {
		put_key_share(w);
		put_extension(w, 0x002d, BYTES("\x01\x01"));
		put_extension(w, 0x002b, BYTES("\x06\x4a\x4a\x03\x04\x03\x03"));
		put_extension(w, 0x001b, BYTES("\x02\x00\x02"));
	}
	if (h->ech)
		put_ech(w);
	put_extension(w, 0x5a5a, BYTES("\x00"));
}

static const char *put_padding(struct writer *w, const struct scn_hello *h)
{
	size_t size = h->size != 0 ? h->size : HELLO_DEFAULT;

	if (h->pad < 0 && w->len == size)
		return NULL;
	if (h->pad < 0 && w->len + 4 > size)
		return h->size == 0 ? NULL
				    : "size= is less than the hello needs (padding takes at least 4 bytes)";
	put_u16(w, 0x0015);
	size = h->pad >= 0 ? (size_t)h->pad : size - w->len - 2;
	put_u16(w, (unsigned int)size);
	while (size-- > 0 && !w->full)
		put_u8(w, 0);
	return w->full ? "the hello is longer than one record may be" : NULL;
}

const char *scn_clienthello(struct scn *s, struct scn_payload *p, const struct scn_hello *h)
{
	struct writer w = {.base = scn_alloc(s, HELLO_MAX)};
	size_t record, handshake, extensions;
	const char *why;

	if (h->sni != NULL && strlen(h->sni) > NAME_MAX_LEN)
		return "sni= is longer than a host name may be";
	put(&w, BYTES("\x16\x03\x01"));
	record = open_len(&w, 2);
	put_u8(&w, 1); /* client_hello */
	handshake = open_len(&w, 3);
	put_u16(&w, 0x0303);
	put_fixed(&w, 0x0b, 32); /* random */
	put_u8(&w, 32);
	put_fixed(&w, 0x29, 32); /* session id */
	put_ciphers(&w, h->tls12);
	put(&w, BYTES("\x01\x00")); /* no compression */
	extensions = open_len(&w, 2);
	put_extensions(&w, h, p);
	why = put_padding(&w, h);
	if (why != NULL)
		return why;
	shut(&w, extensions, 2);
	shut(&w, handshake, 3);
	shut(&w, record, 2);
	p->bytes = w.base;
	p->len = w.len;
	return NULL;
}
