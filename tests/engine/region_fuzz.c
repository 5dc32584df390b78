/* region_fuzz.c: bytes become operations on a region and on the model beside it; every fact is checked after each.
 *
 *   clang -g -O1 -fsanitize=fuzzer,address,undefined ... tests/engine/region_fuzz.c ...   (see tools/ for the flags)
 *   ./region_fuzz -max_total_time=60          searches for a minute
 *   ./region_fuzz -runs=200000 -seed=1        a fixed number of runs
 *
 * The input: one byte picks the memory (ranges, sizes, a refill), then operations of four bytes each: what, and three
 * bytes of operands. A misuse is an operation too: it must be reported once and change nothing.
 */
#include <stdio.h>
#include <stdlib.h>

#include "region_model.h"

#define ARENA (64 * 1024)

static _Alignas(4096) unsigned char arena[ARENA];
static ka_region region;
static model m;
static size_t claimed; /* bytes from the arena's start */

static void must_hold(const char *broken)
{
    if (broken != NULL) {
        fprintf(stderr, "region_fuzz: %s\n", broken);
        abort();
    }
}

static bool claim_next(size_t gap, size_t size)
{
    if (claimed + gap + size > ARENA || !ka_region_claim(&region, arena + claimed + gap, size))
        return false;
    claimed += gap + (size + 15) / 16 * 16;
    return true;
}

static bool on_refill(void *context, size_t size, size_t align, ka_flags flags)
{
    (void)context, (void)align, (void)flags;
    if (ka_region_alloc(&region, ARENA * 2, 16) != NULL)
        must_hold("a request served during its own refill");
    return claim_next(size % 3 * 16, 1024 + size % 1024 / 16 * 16);
}

static void begin(uint8_t shape)
{
    static const size_t sizes[] = { 1024, 1039, 1536, 2048, 3000, 4096, 8192, 16384 };
    claimed = 0;
    ka_region_init(&region);
    model_init(&m, &region);
    for (unsigned i = 0; i <= (shape >> 3 & 3u); i++)
        (void)claim_next(i * 16, sizes[shape & 7]);
    if ((shape & 32) != 0)
        ka_region_set_refill(&region, on_refill, NULL);
}

/* 16 bits to a size: small ones, and all up to the arena's. */
static size_t size_from(uint8_t a, uint8_t b)
{
    return a < 0xc0 ? a : ((size_t)(a & 0x3f) << 8 | b);
}

static size_t align_from(uint8_t c)
{
    return (size_t)1 << (c % 13 < 8 ? 4 : c % 13);
}

/* Hands in what is no block, or not of this size: reported once, nothing changed. */
static void misuse(uint8_t a, uint8_t b, uint8_t c)
{
    unsigned char *address = arena + ((size_t)a << 8 | b);
    size_t size = (size_t)c * 8 + 1;
    for (size_t i = 0; i < m.count; i++)
        if (m.blocks[i].address == address && model_rounded(m.blocks[i].size) == model_rounded(size))
            return; /* a true free, which the model would not know of */
    ka_stats before = ka_get_stats(&region.allocator);
    ka_region_free(&region, address, size, 16);
    ka_stats after = ka_get_stats(&region.allocator);
    if (m.reports != 1 || memcmp(&before, &after, sizeof before) != 0)
        must_hold("a misuse that was not reported once, or changed something");
    m.reports = 0;
    must_hold(model_check(&m));
}

static void operation(uint8_t what, uint8_t a, uint8_t b, uint8_t c)
{
    ka_flags flags = (c & 16) != 0 ? KA_ZERO : 0;
    size_t at = m.count == 0 ? 0 : (size_t)(a ^ b << 3) % m.count;
    switch (what % 8) {
    case 0:
    case 1:
    case 2:
        must_hold(model_alloc(&m, size_from(a, b), align_from(c), flags));
        return;
    case 3:
    case 4:
        if (m.count != 0)
            must_hold(model_free(&m, at, c));
        return;
    case 5:
        if (m.count != 0)
            must_hold(model_resize(&m, what / 8 % m.count, size_from(a, b), align_from(c), flags));
        return;
    case 6:
        misuse(a, b, c);
        return;
    default:
        if ((what & 0x38) == 0)
            (void)claim_next((size_t)(c & 3) * 16, (size_t)a * 16 + 512);
        must_hold(model_check(&m));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    begin(data[0]);
    for (size_t i = 1; i + 4 <= size; i += 4)
        operation(data[i], data[i + 1], data[i + 2], data[i + 3]);
    must_hold(model_close(&m));
    return 0;
}
