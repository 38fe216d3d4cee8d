/* SPDX-License-Identifier: BSD-3-Clause */
/* The HTTP/1 request parser on any bytes; what must hold stands in protocol_check.h. */
#include "protocol_check.h"

extern const struct kd_protocol kd_protocol_http;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check_protocol(&kd_protocol_http, data, size);
	return 0;
}
