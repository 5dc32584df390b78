/* layer/guard.c: canaries.
 *
 *     | the block, `size` bytes | canary, 16 bytes | whatever the inner allocator rounded up | size word, 8 bytes |
 *     ^ aligned as asked                                                       ka_usable of the inner block ends ^
 *
 * The canary is two words that depend on the key, the address and the size, and so differ from block to block: a copy
 * of one canary is none elsewhere. Its first byte is never 0, since a terminating zero one byte too far is the overrun
 * that is seen most. A free that was right turns it over, so that a second free of the same memory is known as one.
 *
 * The size word, the size mixed with the key and the address, lies where a walk of the inner allocator ends the block:
 * a check finds the canary of each block by it. A live block without a sensible word is somebody else's, or one whose
 * end is spoiled; the count of live blocks tells.
 *
 * Canaries are StackGuard's (Cowan and others, 1998); keyed ones behind heap blocks are usual since Robertson and
 * others, "Run-time detection of heap-based overflows" (2003).
 */
#include <ka/guard.h>
#include <ka/handler.h>
#include <ka/hash.h>

#include "base/atomic.h"
#include "base/mem.h"

#define CANARY_WORDS 2u
#define CANARY_BYTES (CANARY_WORDS * sizeof(uint64_t))

typedef struct canary {
    uint64_t words[CANARY_WORDS];
} canary;

static ka_guard *guard_of(ka_allocator *self)
{
    return (ka_guard *)self;
}

/* splitmix64's finalizer. */
static uint64_t guard_mix(uint64_t z)
{
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static canary canary_for(const ka_guard *guard, const void *block, size_t size)
{
    static const uint64_t step = UINT64_C(0x9e3779b97f4a7c15);
    uint64_t seed = guard_mix(guard->key + (uint64_t)(uintptr_t)block) ^ (uint64_t)size;
    canary c = { { guard_mix(seed + step), guard_mix(seed + 2 * step) } };
    unsigned char first;
    ka_copy(&first, &c, 1);
    first |= first == 0;
    ka_copy(&c, &first, 1);
    return c;
}

static canary canary_turned(canary c)
{
    for (unsigned i = 0; i < CANARY_WORDS; i++)
        c.words[i] = ~c.words[i];
    return c;
}

static void canary_put(void *block, size_t size, canary c)
{
    ka_copy((char *)block + size, &c, CANARY_BYTES);
}

static bool canary_is(const void *block, size_t size, canary expected)
{
    canary found;
    ka_copy(&found, (const char *)block + size, CANARY_BYTES);
    uint64_t differ = 0;
    for (unsigned i = 0; i < CANARY_WORDS; i++)
        differ |= found.words[i] ^ expected.words[i];
    return differ == 0;
}

/* The size word: its own inverse. */
static uint64_t size_mixed(const ka_guard *guard, const void *block, uint64_t word)
{
    return guard_mix(~guard->key + (uint64_t)(uintptr_t)block) ^ word;
}

/* The size that the word says, of an inner block of `whole` bytes; 0: none that could be. */
static size_t size_told(const ka_guard *guard, const void *block, size_t whole)
{
    uint64_t word;
    if (whole <= KA_GUARD_BYTES)
        return 0;
    ka_copy(&word, (const char *)block + whole - sizeof word, sizeof word);
    word = size_mixed(guard, block, word);
    return word <= whole - KA_GUARD_BYTES ? (size_t)word : 0;
}

/* The whole inner block. */
static size_t guard_whole(const ka_guard *guard, const void *block, size_t size, size_t align)
{
    return ka_usable(guard->inner, block, size + KA_GUARD_BYTES, align);
}

static void guard_arm(const ka_guard *guard, void *block, size_t size, size_t align)
{
    uint64_t word = size_mixed(guard, block, size);
    canary_put(block, size, canary_for(guard, block, size));
    ka_copy((char *)block + guard_whole(guard, block, size, align) - sizeof word, &word, sizeof word);
}

bool ka_guard_intact(const ka_guard *guard, const void *block, size_t size, size_t align)
{
    return block == NULL || size == 0 ||
           (canary_is(block, size, canary_for(guard, block, size)) &&
            size_told(guard, block, guard_whole(guard, block, size, align)) == size);
}

/* Why a canary is not what it should be. */
static KA_NOINLINE ka_misuse guard_verdict(const ka_guard *guard, const void *block, size_t size, size_t align)
{
    if (canary_is(block, size, canary_turned(canary_for(guard, block, size))))
        return KA_MISUSE_DOUBLE_FREE;
    size_t told = size_told(guard, block, guard_whole(guard, block, size, align));
    bool other = told != 0 && told != size && canary_is(block, told, canary_for(guard, block, told));
    return other ? KA_MISUSE_WRONG_SIZE : KA_MISUSE_OVERRUN;
}

static bool guard_admits(ka_allocator *self, const void *block, size_t size, size_t align, const void *site)
{
    const ka_guard *guard = guard_of(self);
    if (KA_LIKELY(ka_guard_intact(guard, block, size, align)))
        return true;
    ka_report_misuse(guard_verdict(guard, block, size, align), self, block, size, site);
    return false;
}

static void *guard_alloc(ka_allocator *self, size_t size, size_t align, ka_flags flags)
{
    ka_guard *guard = guard_of(self);
    void *block = ka_alloc(guard->inner, size + KA_GUARD_BYTES, align, flags);
    if (block == NULL)
        return NULL;
    guard_arm(guard, block, size, align);
    (void)ka_fetch_add_ptr(&guard->live_blocks, 1);
    return block;
}

static void guard_free(ka_allocator *self, void *block, size_t size, size_t align)
{
    ka_guard *guard = guard_of(self);
    if (!guard_admits(self, block, size, align, KA_RETURN_ADDRESS()))
        return;
    canary_put(block, size, canary_turned(canary_for(guard, block, size)));
    (void)ka_fetch_add_ptr(&guard->live_blocks, (uintptr_t)0 - 1);
    ka_free(guard->inner, block, size + KA_GUARD_BYTES, align);
}

/* The bytes that KA_ZERO means are not those that the inner allocator would clear. */
static void *guard_resize(ka_allocator *self, void *block, size_t old_size, size_t old_align, size_t new_size,
                          size_t new_align, ka_flags flags)
{
    ka_guard *guard = guard_of(self);
    if (!guard_admits(self, block, old_size, old_align, KA_RETURN_ADDRESS()))
        return NULL;
    canary whole = canary_for(guard, block, old_size);
    canary_put(block, old_size, canary_turned(whole)); /* it may be freed */
    void *moved = ka_resize(guard->inner, block, old_size + KA_GUARD_BYTES, old_align, new_size + KA_GUARD_BYTES,
                            new_align, flags & ~KA_ZERO);
    if (moved == NULL) {
        canary_put(block, old_size, whole);
        return NULL;
    }
    if ((flags & KA_ZERO) != 0 && new_size > old_size)
        ka_clear((char *)moved + old_size, new_size - old_size);
    guard_arm(guard, moved, new_size, new_align);
    return moved;
}

static bool guard_walk(ka_allocator *self, ka_visit *visit, void *context)
{
    return ka_walk(guard_of(self)->inner, visit, context);
}

static void guard_stats(ka_allocator *self, ka_stats *out)
{
    *out = ka_get_stats(guard_of(self)->inner);
}

typedef struct guard_census {
    ka_guard *guard;
    size_t intact;
} guard_census;

static bool guard_look(void *context, const void *block, size_t size, bool live)
{
    guard_census *census = context;
    size_t told = live ? size_told(census->guard, block, size) : 0;
    if (told == 0)
        return true;
    if (canary_is(block, told, canary_for(census->guard, block, told)))
        census->intact++;
    else
        ka_report_misuse(KA_MISUSE_OVERRUN, &census->guard->allocator, block, told, NULL);
    return true;
}

static const char *guard_check(ka_allocator *self)
{
    guard_census census = { guard_of(self), 0 };
    const char *broken = ka_check(census.guard->inner);
    if (broken != NULL || !ka_walk(census.guard->inner, guard_look, &census))
        return broken;
    return census.intact != ka_load_relaxed_ptr(&census.guard->live_blocks) ? "guard: a block was written past its end"
                                                                          : NULL;
}

/* No usable: what is behind the requested size is the guard's. */
static const ka_allocator_ops guard_ops = { .name = "guard",
                                            .alloc = guard_alloc,
                                            .free = guard_free,
                                            .resize = guard_resize,
                                            .walk = guard_walk,
                                            .stats = guard_stats,
                                            .check = guard_check };

void ka_guard_init(ka_guard *guard, ka_allocator *inner, uint64_t key)
{
    ka_clear(guard, sizeof *guard);
    guard->allocator.ops = &guard_ops;
    guard->inner = inner;
    guard->key = key;
    if (key == 0 && !ka_port_entropy(NULL, &guard->key, sizeof guard->key))
        guard->key = guard_mix((uint64_t)(uintptr_t)guard); /* all that there is */
}
