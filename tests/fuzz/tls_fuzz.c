/* SPDX-License-Identifier: BSD-3-Clause */
/* The ClientHello parser on any bytes, with records joined in each way and not; what must hold stands in
 * protocol_check.h. */
#include "protocol_check.h"

#include "engine/knob.h"

#define ROOM 400 /* so that some hellos do not fit */

extern const struct kd_protocol kd_protocol_tls;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct kd_how how = {.room = malloc(ROOM), .room_len = ROOM};

	must(how.room != NULL);
	check_protocol(&kd_protocol_tls, data, size);
	for (how.join = KD_JOIN_WITHIN_SEGMENT; how.join <= KD_JOIN_STREAM; how.join++) {
		how.from = 0;
		how.to = (uint32_t)size;
		check_protocol_how(&kd_protocol_tls, &how, data, size);
		how.to = (uint32_t)size / 2;
		check_protocol_how(&kd_protocol_tls, &how, data, size);
		how.from = how.to;
		how.to = (uint32_t)size;
		check_protocol_how(&kd_protocol_tls, &how, data, size);
	}
	free(how.room);
	return 0;
}
