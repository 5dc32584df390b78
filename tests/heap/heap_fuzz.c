/* heap_fuzz.c: libFuzzer target: bytes are operations on a small heap beside a plain model, checked after each.
 *
 *     clang -std=c11 -g -O1 -fsanitize=fuzzer,address,undefined -D_GNU_SOURCE -Iinclude -Isrc -I. -Isrc/base/gnu \
 *         -Iports/user -Itests -Itests/kit tests/heap/heap_fuzz.c src/base/[a-z]*.c src/engine/[a-z]*.c \
 *         src/heap/[a-z]*.c ports/user/po*.c ports/user/threads.c ports/user/cells.c ports/user/pages.c \
 *         tests/kit/kit.c tests/kit/kit_host.c -o heap_fuzz -pthread
 *     ./heap_fuzz -max_total_time=60
 *
 * The first byte picks the heap: given memory or a source whose commits fail as the bytes say, one segment or several,
 * pages of 4 or 16 KiB. Then each operation is a byte for what, and bytes for which block, size, alignment and flags.
 */
#include <stdlib.h>

#include "heap_fixture.h"
#include "heap_model.h"

#define RANGE ((size_t)5 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

static _Alignas(65536) unsigned char memory[RANGE];
static ka_heap heap;
static model m;

typedef struct input {
    const uint8_t *at, *end;
} input;

static unsigned next(input *in)
{
    return in->at < in->end ? *in->at++ : 0;
}

/* Log-uniform by one byte, refined by a second. */
static size_t next_size(input *in)
{
    unsigned law = next(in);
    size_t size = (size_t)1 << law % 21;
    return size + size * next(in) / 256 - (law >> 7);
}

static size_t next_align(input *in)
{
    return (size_t)1 << next(in) % 17;
}

static ka_flags next_flags(input *in)
{
    unsigned law = next(in);
    return (law < 64 ? KA_ZERO : 0) | (law % 16 == 15 ? KA_ANY_CONTEXT : law % 16 == 14 ? KA_ATOMIC : 0);
}

static const char *step(input *in)
{
    unsigned what = next(in);
    size_t at = m.count == 0 ? 0 : (next(in) << 8 | next(in)) % m.count;
    if (what < 100 || m.count == 0)
        return model_alloc(&m, next_size(in), next_align(in), next_flags(in), what);
    if (what < 180)
        return model_free(&m, at, what);
    if (what < 220)
        return model_resize(&m, at, next_size(in), next_align(in), next_flags(in));
    if (what < 235)
        return model_alloc_many(&m, next_size(in), next_align(in), next_flags(in), next(in));
    if (what < 240)
        ka_heap_flush(&heap);
    else if (what < 246)
        (void)ka_heap_trim(&heap, next_size(in));
    else if (what < 250)
        (void)ka_heap_commit(&heap, next_size(in));
    else
        fixture_fail(what % 8, false);
    return model_check(&m);
}

static void must(const char *broken)
{
    if (broken == NULL)
        return;
    kit_note("%s", broken);
    abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    static const size_t sizes[] = { 256 << 10, (300 << 10) + 4096, 1 << 20, RANGE };
    input in = { bytes, bytes + count };
    unsigned shape = next(&in);
    ka_heap_options options = { .size = sizes[shape % 4],
                                .page_shift = (shape & 4) != 0 ? 14 : 12,
                                .segment_shift = 21 };
    fixture_open();
    if ((shape & 8) != 0)
        options.source = &fixture_source;
    else
        options.base = memory;
    if (!ka_heap_init(&heap, &options))
        abort();
    model_init(&m, &heap, 1);
    m.scarce = options.source != NULL;
    while (in.at < in.end)
        must(step(&in));
    must(model_close(&m));
    if (ka_heap_fini(&heap) != 0 || fixture.faults != 0)
        abort();
    return 0;
}
