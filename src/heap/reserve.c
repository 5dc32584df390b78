/* heap/reserve.c: blocks put by.
 *
 *     blocks   | A | B | C | D | 0 | E | 0 | 0 |      a slot keeps its block's address while the block is out
 *     in         1   0   1   1   0   0   0   0        set: the block is in the reserve
 *
 *     free slot  -- refill -->  in  <-- alloc, free -->  out
 *         ^---- refill (surplus) --'
 *
 * Ownership, as in the slab engine: whoever clears a bit owns the slot's block. An alloc is one fetch-and of a word, a
 * free is one fetch-or; a slot's address is written only by who owns it: a free slot is taken by a compare-exchange
 * from 0, a block that is given back to the inner allocator is taken by its bit first. So there is no moment at which a
 * block is in neither place: an NMI in the middle of an alloc or a free finds every block in or out, and is not
 * refused because of what it has interrupted.
 *
 * Why slots remember blocks that are out: a free then finds the slot by the address, and says at once whether the block
 * is the reserve's and whether it is in already; fini names what is missing; and a block always has a place to come
 * back to, with no list through the blocks themselves. The cost is the search, linear in the slots, and a bound on how
 * many may be out.
 *
 * Stale addresses. A block that went back to the inner allocator may come again in another slot. Its old slot was set
 * to 0 before it went, so who has got it since, by whatever way, sees that.
 *
 * The count. free adds 1 before it sets the bit; alloc takes 1 off after it has cleared one. So `left` is never below
 * the count of set bits, each subtraction follows its own addition, and all happen in one order: of the allocs that
 * bring it below `low` at least one sees that, and the exchange of `told` lets one speak. A refill first fills, then
 * exchanges told for 0, then looks again. Either its exchange comes before that of an alloc, and the alloc speaks; or
 * after it, and then it sees what the alloc did before, and goes on filling.
 *
 * Bounds. A fetch-and that finds its bit gone goes on with what the word was: each repetition is another's success.
 * NULL means that every word was seen without bits once: under a constant exchange of blocks a scan can miss one that
 * moves from a word ahead to a word behind; so NULL is said only when `left` agrees, or after four scans.
 */
#include <ka/handler.h>
#include <ka/reserve.h>

#include "base/atomic.h"
#include "base/bits.h"
#include "base/math.h"
#include "base/mem.h"

#define SCANS 4u

/* ---- slots ---- */

/* Clears a set bit and owns its block. KA_RESERVE_MAX_SLOTS: there was none. */
static uint32_t slot_take_once(ka_reserve *r)
{
    for (uint32_t word = 0; word < ka_words_for(r->slots); word++) {
        uint64_t seen = ka_load_relaxed_64(&r->in[word]);
        while (seen != 0) {
            uint64_t bit = seen & (0 - seen);
            uint64_t before = ka_fetch_and_64(&r->in[word], ~bit);
            if ((before & bit) != 0)
                return word * 64 + ka_lowest_bit(bit);
            seen = before;
        }
    }
    return KA_RESERVE_MAX_SLOTS;
}

/* The same, and counts. */
static uint32_t slot_take(ka_reserve *r, size_t *left)
{
    for (unsigned scan = 0; scan < SCANS && ka_load_acquire_ptr(&r->left) != 0; scan++) {
        uint32_t slot = slot_take_once(r);
        if (slot != KA_RESERVE_MAX_SLOTS) {
            *left = ka_fetch_add_ptr(&r->left, UINTPTR_MAX) - 1;
            return slot;
        }
    }
    return KA_RESERVE_MAX_SLOTS;
}

/* Puts the slot's block, of the caller's, into the reserve. false: it is there already. */
static bool slot_put(ka_reserve *r, uint32_t slot)
{
    uint64_t bit = UINT64_C(1) << slot % 64;
    ka_fetch_add_ptr(&r->left, 1);
    if ((ka_fetch_or_64(&r->in[slot / 64], bit) & bit) == 0)
        return true;
    ka_fetch_add_ptr(&r->left, UINTPTR_MAX);
    return false;
}

/* Makes a free slot the block's. KA_RESERVE_MAX_SLOTS: there is none. */
static uint32_t slot_claim(ka_reserve *r, void *block)
{
    for (uint32_t slot = 0; slot < r->slots; slot++) {
        uintptr_t none = 0;
        if (ka_load_relaxed_ptr(&r->blocks[slot]) == 0 && ka_cas_ptr(&r->blocks[slot], &none, (uintptr_t)block))
            return slot;
    }
    return KA_RESERVE_MAX_SLOTS;
}

/* ---- blocks ---- */

static bool flags_valid(ka_flags flags)
{
    return (flags & ~KA_FLAGS_KNOWN) == 0 && (flags & KA_PAGEABLE) == 0;
}

void *ka_reserve_alloc(ka_reserve *r, ka_flags flags)
{
    size_t left = 0;
    if (!flags_valid(flags))
        return NULL;
    uint32_t slot = slot_take(r, &left);
    if (slot == KA_RESERVE_MAX_SLOTS)
        return NULL;
    void *block = (void *)ka_load_relaxed_ptr(&r->blocks[slot]);
    if (left < r->low && r->low_water != NULL && ka_exchange_32(&r->told, 1) == 0)
        r->low_water(r->context, r, left);
    if ((flags & KA_ZERO) != 0)
        ka_clear(block, r->size);
    return block;
}

static void reserve_free(ka_reserve *r, void *block, const void *site)
{
    ka_misuse kind = KA_MISUSE_FOREIGN;
    for (uint32_t slot = 0; slot < r->slots; slot++) {
        uintptr_t here = ka_load_relaxed_ptr(&r->blocks[slot]);
        if (here == (uintptr_t)block) {
            if (slot_put(r, slot))
                return;
            kind = KA_MISUSE_DOUBLE_FREE;
            break;
        }
        if (here != 0 && (uintptr_t)block - here < r->size)
            kind = KA_MISUSE_INTERIOR;
    }
    ka_report_misuse(kind, &r->allocator, block, r->size, site);
}

void ka_reserve_free(ka_reserve *r, void *block)
{
    if (block != NULL)
        reserve_free(r, block, KA_RETURN_ADDRESS());
}

size_t ka_reserve_left(const ka_reserve *r)
{
    return ka_load_relaxed_ptr(&r->left);
}

/* ---- refill ---- */

/* One block more. false: no memory, or no slot. */
static bool refill_one(ka_reserve *r, ka_flags flags)
{
    void *block = ka_alloc(r->inner, r->size, r->align, flags);
    if (block == NULL)
        return false;
    uint32_t slot = slot_claim(r, block);
    if (slot == KA_RESERVE_MAX_SLOTS) {
        ka_free(r->inner, block, r->size, r->align);
        return false;
    }
    (void)slot_put(r, slot);
    return true;
}

/* One block less. false: there is none. */
static bool surplus_give(ka_reserve *r)
{
    size_t left;
    uint32_t slot = slot_take(r, &left);
    if (slot == KA_RESERVE_MAX_SLOTS)
        return false;
    void *block = (void *)ka_load_relaxed_ptr(&r->blocks[slot]);
    ka_store_release_ptr(&r->blocks[slot], 0);
    ka_free(r->inner, block, r->size, r->align);
    return true;
}

static bool is_low(const ka_reserve *r)
{
    return ka_load_acquire_ptr(&r->left) < r->low;
}

bool ka_reserve_refill(ka_reserve *r, ka_flags flags)
{
    flags &= KA_NOWAIT | KA_ATOMIC | KA_ANY_CONTEXT;
    do {
        while (ka_reserve_left(r) > r->count && surplus_give(r))
            ;
        while (ka_reserve_left(r) < r->count)
            if (!refill_one(r, flags))
                return false;
        (void)ka_exchange_32(&r->told, 0);
    } while (is_low(r));
    return true;
}

/* ---- to look at ---- */

bool ka_reserve_walk(ka_reserve *r, ka_visit *visit, void *context)
{
    for (uint32_t slot = 0; slot < r->slots; slot++)
        if (r->blocks[slot] != 0 && !visit(context, (const void *)r->blocks[slot], r->size, !ka_bit_get(r->in, slot)))
            return false;
    return true;
}

void ka_reserve_stats(const ka_reserve *r, ka_stats *out)
{
    ka_stats s = { 0 };
    size_t known = 0;
    for (uint32_t slot = 0; slot < r->slots; slot++)
        known += ka_load_relaxed_ptr(&r->blocks[slot]) != 0;
    s.free_blocks = ka_min(ka_reserve_left(r), known); /* on a reserve in use they are of different moments */
    s.live_blocks = known - s.free_blocks;
    s.total = known * r->size;
    s.live = s.live_blocks * r->size;
    s.free = s.total - s.live;
    s.overhead = KA_RESERVE_SIZE(r->slots);
    s.largest_free = s.free_blocks != 0 ? r->size : 0;
    *out = s;
}

static const char *check_slot(const ka_reserve *r, uint32_t slot)
{
    uintptr_t block = r->blocks[slot];
    if (block == 0)
        return ka_bit_get(r->in, slot) ? "a slot without a block says that it is in" : NULL;
    if (block % r->align != 0)
        return "a block is not aligned";
    for (uint32_t other = 0; other < slot; other++)
        if (r->blocks[other] != 0 &&
            (r->blocks[other] > block ? r->blocks[other] - block : block - r->blocks[other]) < r->size)
            return "two blocks overlap, or one has two slots";
    return NULL;
}

const char *ka_reserve_check(const ka_reserve *r)
{
    size_t in = 0;
    for (uint32_t slot = 0; slot < r->slots; slot++) {
        const char *broken = check_slot(r, slot);
        if (broken != NULL)
            return broken;
        in += ka_bit_get(r->in, slot);
    }
    if (r->slots % 64 != 0 && (r->in[r->slots / 64] & ~ka_low_mask(r->slots % 64)) != 0)
        return "a bit stands for no slot";
    return in != r->left ? "the count of blocks is wrong" : NULL;
}

/* ---- the interface ---- */

static ka_reserve *reserve_of(ka_allocator *self)
{
    return (ka_reserve *)self;
}

static bool reserve_serves(const ka_reserve *r, size_t size, size_t align)
{
    return size <= r->size && align <= r->align;
}

static void *op_alloc(ka_allocator *self, size_t size, size_t align, ka_flags flags)
{
    return reserve_serves(reserve_of(self), size, align) ? ka_reserve_alloc(reserve_of(self), flags) : NULL;
}

static void op_free(ka_allocator *self, void *block, size_t size, size_t align)
{
    if (reserve_serves(reserve_of(self), size, align))
        reserve_free(reserve_of(self), block, KA_RETURN_ADDRESS());
    else
        ka_report_misuse(KA_MISUSE_WRONG_SIZE, self, block, size, KA_RETURN_ADDRESS());
}

static void *op_resize(ka_allocator *self, void *block, size_t old_size, size_t old_align, size_t new_size,
                       size_t new_align, ka_flags flags)
{
    (void)old_align;
    if (!reserve_serves(reserve_of(self), new_size, new_align) || !flags_valid(flags))
        return NULL;
    if ((flags & KA_ZERO) != 0 && new_size > old_size)
        ka_clear((char *)block + old_size, new_size - old_size);
    return block;
}

static size_t op_usable(ka_allocator *self, const void *block, size_t size, size_t align)
{
    (void)block, (void)size, (void)align;
    return reserve_of(self)->size;
}

static bool op_walk(ka_allocator *self, ka_visit *visit, void *context)
{
    return ka_reserve_walk(reserve_of(self), visit, context);
}

static void op_stats(ka_allocator *self, ka_stats *out)
{
    ka_reserve_stats(reserve_of(self), out);
}

static const char *op_check(ka_allocator *self)
{
    return ka_reserve_check(reserve_of(self));
}

static const ka_allocator_ops reserve_ops = {
    .name = "reserve",
    .alloc = op_alloc,
    .free = op_free,
    .resize = op_resize,
    .usable = op_usable,
    .walk = op_walk,
    .stats = op_stats,
    .check = op_check,
};

/* ---- life ---- */

bool ka_reserve_init(ka_reserve *r, const ka_reserve_options *o)
{
    if (o->inner == NULL || o->memory == NULL || (uintptr_t)o->memory % sizeof(uint64_t) != 0 || o->size == 0 ||
        !ka_layout_valid(o->size, o->align) || o->count == 0 || o->count > KA_RESERVE_MAX_SLOTS || o->low > o->count)
        return false;
    size_t slots = o->slots != 0 ? o->slots : o->count * 2;
    if (slots < o->count || slots > KA_RESERVE_MAX_SLOTS)
        return false;
    ka_clear(o->memory, KA_RESERVE_SIZE(slots));
    *r = (ka_reserve){
        .allocator = { &reserve_ops },
        .inner = o->inner,
        .size = o->size,
        .align = o->align,
        .count = o->count,
        .slots = slots,
        .low = o->low,
        .low_water = o->low_water,
        .context = o->context,
        .in = o->memory,
        .blocks = (uintptr_t *)((uint64_t *)o->memory + ka_words_for(slots)),
    };
    if (ka_reserve_refill(r, 0))
        return true;
    (void)ka_reserve_fini(r);
    return false;
}

size_t ka_reserve_fini(ka_reserve *r)
{
    size_t leaks = 0;
    while (surplus_give(r))
        ;
    for (uint32_t slot = 0; slot < r->slots; slot++)
        if (r->blocks[slot] != 0) {
            leaks++;
            ka_report_misuse(KA_MISUSE_LEAK, &r->allocator, (const void *)r->blocks[slot], r->size, NULL);
        }
    ka_clear(r, sizeof *r);
    return leaks;
}
