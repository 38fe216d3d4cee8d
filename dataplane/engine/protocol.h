/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a protocol is: one file with one `const struct kd_protocol kd_protocol_NAME`, and its name in the list
 * of dataplane/meson.build (the order there is the order of trial). A parser takes bytes it does not own,
 * keeps no state, allocates nothing, and gives one of three answers.
 */
#ifndef KD_PROTOCOL_H
#define KD_PROTOCOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/event.h"
#include "engine/reason.h"

enum kd_parse {
	KD_NOT_MINE,  /* no continuation of these bytes can be mine */
	KD_NEED_MORE, /* the start fits, the end is missing */
	KD_MATCH,
};

enum kd_field_kind {
	KD_FIELD_TEXT,	   /* bytes, printed as text with escapes */
	KD_FIELD_HEX16,	   /* num, printed as a name of the protocol's own or 0x%04x */
	KD_FIELD_LIST8,	   /* texts, each behind one length byte (ALPN) */
	KD_FIELD_LIST_U16, /* big-endian 16-bit numbers (extension types, in wire order) */
};

struct kd_field_spec {
	const char
		*name; /* JSON key; field 0 of a protocol that has a name is that name, and the `when` term */
	uint8_t kind;  /* enum kd_field_kind */
	const char *term; /* key of `when` when PROTOCOL_NAME would read badly; NULL = that */
	const char
		*words; /* HEX16: "1.2=0x0303|1.3=0x0304", what rules may write for a number; NULL = none */
};

/* What a parser found. Slices lie in the payload, in scratch or in how.room. */
struct kd_app_field {
	const uint8_t *p; /* NULL = absent */
	uint16_t len;
	uint32_t num;
};

#define KD_APP_SCRATCH 304 /* a name that lies in labels, as text, and an address */

/* How the bytes came, and what the box makes of what is ambiguous in them; the engine sets it before each
 * parse, and a parser may leave it alone. All zero: one segment by itself, nothing joined. */
struct kd_how {
	uint32_t from, to; /* of the bytes, those that came with the segment in hand */
	uint8_t join;	   /* enum kd_join: of TLS records */
	uint8_t padded;	   /* enum kd_padded_hello */
	uint8_t requests;  /* enum kd_requests */
	uint8_t transport; /* KD_TRANSPORT_* */
	uint8_t *room;	   /* where pieces may be put together; good until the next parse. NULL = none */
	size_t room_len;
};

struct kd_app {
	struct kd_how how;
	struct kd_app_field field[KD_FIELDS_MAX];
	bool alone;  /* need more: but no more of these bytes, what may come is looked at by itself */
	bool joined; /* a match: of several TLS records; apart: not all came with the segment in hand */
	bool apart;
	bool leads;    /* a match: on the same flow what is wanted may follow, as behind a proxy's request */
	bool partial;  /* a match, read as far as it came: more of these bytes say it again, and more */
	bool goes_on;  /* a match that settles nothing about the flow: more of it is read */
	uint32_t next; /* a match: where in these bytes another begins, also behind their end; 0 = nowhere */
	uint8_t why;   /* index into the protocol's reasons: what it saw, also when need more or no */
	uint16_t scratch_len;		 /* bytes of scratch in use */
	uint8_t scratch[KD_APP_SCRATCH]; /* for what does not lie in one piece */
};

#define KD_TRANSPORT_TCP 0x1
#define KD_TRANSPORT_UDP 0x2

struct kd_protocol {
	const char *name;      /* the word in rules and events */
	const char *title;     /* one line for `kordon list protocols` */
	uint8_t transports;    /* KD_TRANSPORT_* */
	uint8_t has_name;      /* field[0] is matched against names */
	uint16_t budget_bytes; /* most bytes of a flow's start a need-more may ask for */
	struct kd_field_spec fields[KD_FIELDS_MAX];
	struct kd_reason reasons[KD_LOCAL_REASONS]; /* indexed by kd_app.why; why 0 must be the plain match */
	enum kd_parse (*parse)(const uint8_t *payload, size_t len, struct kd_app *app);
};

/* In order of trial; KD_PROTOCOL_COUNT rows. */
extern const struct kd_protocol *const kd_protocols[];
/* Index by name, or -ENOENT. */
int kd_protocol_find(const char *name);

#endif
