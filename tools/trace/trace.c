/* trace.c: see trace.h. */
#include "tools/trace/trace.h"

#include "base/mem.h"

enum { HEADER_BYTES = 16, RECORD_BYTES = 8, SIZE_BITS = 27 };

static uint32_t load_32(const unsigned char *at)
{
    return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static bool fail(trace_error *error, const char *what, uint32_t operation)
{
    error->what = what;
    error->operation = operation;
    return false;
}

bool trace_open(trace *t, const void *bytes, size_t length, trace_error *error)
{
    const unsigned char *at = bytes;
    if (length < HEADER_BYTES)
        return fail(error, "shorter than a trace's header", TRACE_IN_HEADER);
    if (memcmp(at, "KATRACE1", 8) != 0)
        return fail(error, "not a trace: it does not begin with KATRACE1", TRACE_IN_HEADER);
    t->operations = load_32(at + 8);
    t->slots = load_32(at + 12);
    t->records = at + HEADER_BYTES;
    uint64_t expected = HEADER_BYTES + (uint64_t)t->operations * RECORD_BYTES;
    if (length < expected)
        return fail(error, "truncated: fewer operations than the header says", TRACE_IN_HEADER);
    if (length > expected)
        return fail(error, "bytes follow the last operation", TRACE_IN_HEADER);
    if (t->slots > t->operations || t->slots > UINT32_MAX >> 2)
        return fail(error, "more slots than operations", TRACE_IN_HEADER);
    return true;
}

trace_operation trace_get(const trace *t, uint32_t at)
{
    const unsigned char *record = t->records + (size_t)at * RECORD_BYTES;
    uint32_t slot_and_kind = load_32(record), align_and_size = load_32(record + 4);
    return (trace_operation){ .kind = (trace_kind)(slot_and_kind & 3),
                              .slot = slot_and_kind >> 2,
                              .size = align_and_size & ((UINT32_C(1) << SIZE_BITS) - 1),
                              .align = (size_t)1 << (align_and_size >> SIZE_BITS) };
}

/* Why an operation cannot be; NULL if it can. */
static const char *operation_fault(const trace *t, const trace_slot *slots, trace_operation operation)
{
    if (operation.kind != TRACE_ALLOC && operation.kind != TRACE_FREE && operation.kind != TRACE_RESIZE)
        return "unknown kind of operation";
    if (operation.slot >= t->slots)
        return "slot out of range";
    bool live = slots[operation.slot].live;
    if (operation.kind == TRACE_ALLOC)
        return live ? "alloc of a live slot" : NULL;
    if (!live)
        return operation.kind == TRACE_FREE ? "free of a dead slot" : "resize of a dead slot";
    if (operation.kind == TRACE_FREE && (operation.size != 0 || operation.align != 1))
        return "a free with a size or an alignment";
    return NULL;
}

static void operation_count(trace_summary *sum, trace_slot *slot, trace_operation operation, uint32_t at)
{
    sum->allocs += operation.kind == TRACE_ALLOC;
    sum->frees += operation.kind == TRACE_FREE;
    sum->resizes += operation.kind == TRACE_RESIZE;
    sum->end_blocks += operation.kind == TRACE_ALLOC;
    sum->end_blocks -= operation.kind == TRACE_FREE;
    sum->end_bytes += operation.size;
    sum->end_bytes -= slot->size;
    if (sum->end_bytes > sum->peak) {
        sum->peak = sum->end_bytes;
        sum->peak_at = at;
    }
    sum->largest = operation.size > sum->largest ? operation.size : sum->largest;
    sum->largest_align = operation.align > sum->largest_align ? operation.align : sum->largest_align;
    slot->live = operation.kind != TRACE_FREE;
    slot->size = (uint32_t)operation.size;
}

bool trace_validate(const trace *t, trace_slot *slots, trace_summary *out, trace_error *error)
{
    trace_summary sum = { 0 };
    for (uint32_t i = 0; i < t->operations; i++) {
        trace_operation operation = trace_get(t, i);
        const char *fault = operation_fault(t, slots, operation);
        if (fault != NULL)
            return fail(error, fault, i);
        operation_count(&sum, &slots[operation.slot], operation, i);
    }
    ka_clear(slots, t->slots * sizeof slots[0]);
    *out = sum;
    return true;
}
