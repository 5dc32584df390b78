/* guests.c: see guests.h; the code is in guests_code.S. */
#include "guests.h"

extern const uint8_t guest_real_start[], guest_long_start[];

/* Images are whole pages. */
const vcpu_guest guest_real = {
    .name = "real mode",
    .image = guest_real_start,
    .image_size = 4096,
    .image_at = 0x1000,
    .memory_size = 0x100000,
};

const vcpu_guest guest_long = {
    .name = "long mode",
    .image = guest_long_start,
    .image_size = 4 * 4096,
    .image_at = 0x100000,
    .memory_size = 0x800000,
    .long_mode = true,
    .page_root = 0x101000,
};
