/* engine/slab.c: see slab.h.
 *
 * Words. A slab is a run of pages cut into equal blocks. Its words are atomic 64-bit words, a bit per block, which lie
 * in an array beside the segment, at a place that depends on nothing but the page: per_page = page size / 16 / 64 words
 * are enough for blocks of 16 bytes, and block i of the slab that begins at page p is bit i % 64 of its word w = i /
 * 64, which is word w % per_page of page p + w / per_page. So words are never allocated, and never go away:
 *
 *     pages   | slab, class A | slab, class B         | idle          | run ...
 *     words 0 | w             | w       : .           | 0             | 0 ...       ( . : always 0 )
 *           1 | w             | w       : .           | 0             | 0 ...
 *           2 | .             | .       : .           | 0             | 0 ...
 *     pages[] | A, 0 back     | B, 0 back : B, 1 back | 0             | run of n
 *
 * All words 0 lie together, then all words 1, and so on: blocks of 64 bytes and more need the first only (with pages of
 * 4 KiB), so that what is touched is 8 bytes for a page. Within 64 pages they lie as in a square that is read by its
 * columns: neighbours, which different CPUs often have, are on different cache lines.
 *
 * Ownership. A set bit is a block that the slab has; a clear one is a block that somebody else has, or none. Whoever
 * clears a bit owns the block, be it to hand it out or to keep it in a magazine. All operations are exchanges of owners
 * by one atomic step on one word, so an operation that is interrupted anywhere harms nobody: there are no locks and
 * nothing waits.
 *
 * What can go wrong: between the look at the descriptor ("page 7 is a slab of class A") and the exchange of the word,
 * the slab may be reclaimed and its page be cut for class B. The bits that the exchange brings are then blocks of B.
 * Hence the rule that makes it right:
 *
 *     a block that is held pins its slab        (reclaim needs every block)
 *
 * take     read the descriptor; exchange the word; read the descriptor again. We now hold blocks, so the slab that they
 *          belong to cannot change any more: if the descriptor is what it was, they are A's; if not, put them back as
 *          what they are, and look elsewhere. It does not matter if the slab was reclaimed and made again as A in
 *          between.
 * put      the caller holds the block, so descriptor and word are steady: one fetch-or. A bit that was set already is a
 *          double free, found at once.
 * reclaim  compare-exchange each word from full to 0, the first one first, then read the descriptor again, for the same
 *          reason: a full word of B may look like one of A. From then on the slab is pinned. Any failure: put back what
 *          was taken. Who has all words has the slab; only then are the descriptors changed.
 * create   the caller owns the pages and all words are 0. Descriptors first, then the words with release: who sees a
 *          bit sees the descriptor. Other CPUs may take blocks from the first word while the last one is not yet
 *          written.
 *
 * Either re-read left out doubles blocks; the stress test and the enumeration of all schedules prove that they see it.
 * A double free of a block whose slab was reclaimed since can go unseen: nothing tells it from a true one.
 *
 * Hints. Per class a bit per page: "the slab that begins here may have free blocks". The rule: a word that is not 0 has
 * its slab's hint set, once all calls have returned. Who turns a word from 0 to something sets the hint afterwards
 * (others need not: somebody did, or will). Who finds a slab empty clears the hint and then looks at the words again,
 * and sets it back if they are not 0. Both are read-modify-writes of one word, so one of them comes second: either the
 * setter, and the bit is set; or the clearer, and then it sees the words as the setter left them. The summary, a bit
 * per word of hints, follows the same rule one level up. Hints may be high (stale), which costs a visit, and low for a
 * moment: so the heap calls ka_slab_take_any before it says NULL.
 *
 * Bounds. take, put and reclaim are at most one step per word; a compare-exchange is not repeated. Taking less than a
 * whole word, and the fetch-or of machines without one, repeat only when another CPU changed the same word in between:
 * lock-free.
 *
 * The protocol is close to that of the bitmaps of mimalloc's arenas and of LLFree, which both hold pages; the pinning
 * rule, which allows it for blocks whose class changes, was found by stress.
 */
#include "engine/slab.h"

#include "base/assert.h"
#include "base/math.h"

/* Up to so many words of hints are searched without a summary. */
#define HINT_WORDS_PLAIN 8u

/* Words of hints of one class that lie together: a cache line of them. */
#define GROUP 8u

/* ---- pure functions ---- */

/* The lowest `n` set bits of x, or all of them. */
static uint64_t bits_lowest(uint64_t x, unsigned n)
{
    if (n >= 64)
        return x;
    uint64_t rest = x;
    for (; n > 0 && rest != 0; n--)
        rest &= rest - 1;
    return x ^ rest;
}

static uint32_t summary_words_for(uint32_t hint_words)
{
    return hint_words > HINT_WORDS_PLAIN ? (uint32_t)ka_words_for(hint_words) : 0;
}

static uintptr_t slab_base(const ka_slabs *slabs, uint32_t page)
{
    return ka_load_relaxed_ptr(&slabs->base) + ((uintptr_t)page << slabs->page_shift);
}

static const ka_class *class_get(const ka_slabs *slabs, unsigned class)
{
    return &slabs->classes->of[class];
}

/* ---- hints ---- */

/* Where word `at` of a class lies in an array of `words` for each class: eight of them together, a cache line, then the
 * eight of the next class. So a heap touches lines in proportion to the pages that it uses, not some for each class,
 * and classes share no line. Arrays of fewer words have them class by class. */
static size_t grouped(const ka_slabs *slabs, uint32_t words, unsigned class, uint32_t at)
{
    return words < GROUP ? (size_t) class * words + at
                         : ((size_t)(at / GROUP) * slabs->class_count + class) * GROUP + at % GROUP;
}

static size_t grouped_words(uint32_t words)
{
    return words < GROUP ? words : ka_round_up(words, GROUP);
}

static uint64_t *hint_at(const ka_slabs *slabs, unsigned class, uint32_t at)
{
    return &slabs->hints[grouped(slabs, slabs->hint_words, class, at)];
}

static uint64_t *summary_at(const ka_slabs *slabs, unsigned class, uint32_t at)
{
    return &slabs->hints[slabs->class_count * grouped_words(slabs->hint_words) +
                         grouped(slabs, slabs->summary_words, class, at)];
}

static void hint_set(ka_slabs *slabs, unsigned class, uint32_t page)
{
    uint32_t at = page / 64;
    uint64_t before = ka_fetch_or_64(hint_at(slabs, class, at), UINT64_C(1) << page % 64);
    if (before == 0 && slabs->summary_words != 0)
        (void)ka_fetch_or_64(summary_at(slabs, class, at / 64), UINT64_C(1) << at % 64);
}

static void hint_clear(ka_slabs *slabs, unsigned class, uint32_t page)
{
    uint32_t at = page / 64;
    uint64_t *hints = hint_at(slabs, class, at), bit = UINT64_C(1) << page % 64;
    if ((ka_load_relaxed_64(hints) & bit) == 0)
        return; /* many find the same slab empty at once */
    if (ka_fetch_and_64(hints, ~bit) != bit || slabs->summary_words == 0)
        return;
    uint64_t *summary = summary_at(slabs, class, at / 64);
    (void)ka_fetch_and_64(summary, ~(UINT64_C(1) << at % 64));
    if (ka_load_acquire_64(hints) != 0)
        (void)ka_fetch_or_64(summary, UINT64_C(1) << at % 64);
}

/* Does the slab at `page`, if it is one of this class, have a free block? */
static bool slab_has_free(const ka_slabs *slabs, uint32_t page, unsigned class)
{
    if (ka_load_acquire_32(&slabs->pages[page]) != ka_page_slab(class, 0))
        return false;
    for (unsigned i = 0; i < class_get(slabs, class)->words; i++)
        if (ka_load_acquire_64(ka_slab_word(slabs, page, i)) != 0)
            return true;
    return false;
}

/* The slab was found without free blocks, or gone: forget it, unless that has changed. */
static void hint_drop(ka_slabs *slabs, unsigned class, uint32_t page)
{
    hint_clear(slabs, class, page);
    if (slab_has_free(slabs, page, class))
        hint_set(slabs, class, page);
}

/* The first word of hints at or after `at` that is worth a look, by the summary; `end` or more if none. */
static uint32_t hint_next_word(const ka_slabs *slabs, unsigned class, uint32_t at, uint32_t end)
{
    if (slabs->summary_words == 0 || at >= end)
        return at;
    uint32_t i = at / 64;
    uint64_t seen = ka_load_relaxed_64(summary_at(slabs, class, i)) & ~ka_low_mask(at % 64);
    while (seen == 0) {
        if (++i * 64 >= end)
            return end;
        seen = ka_load_relaxed_64(summary_at(slabs, class, i));
    }
    return i * 64 + ka_lowest_bit(seen);
}

uint32_t ka_slab_hinted(const ka_slabs *slabs, unsigned class, uint32_t page)
{
    uint64_t mask = ~ka_low_mask(page % 64);
    uint32_t end = (uint32_t)ka_words_for(ka_load_relaxed_32(&slabs->open));
    for (uint32_t at = hint_next_word(slabs, class, page / 64, end); at < end;
         at = hint_next_word(slabs, class, at + 1, end)) {
        uint64_t seen = ka_load_relaxed_64(hint_at(slabs, class, at));
        if (at == page / 64)
            seen &= mask;
        if (seen != 0)
            return at * 64 + ka_lowest_bit(seen);
    }
    return KA_NO_PAGE;
}

/* ---- words ---- */

/* Clears up to `max` set bits and returns them. */
static uint64_t word_take(uint64_t *word, unsigned max)
{
    uint64_t seen = ka_load_relaxed_64(word);
    if (max >= 64)
        return seen == 0 ? 0 : ka_exchange_64(word, 0);
    while (seen != 0 && max > 0) {
        uint64_t wanted = bits_lowest(seen, max);
        uint64_t before = ka_fetch_and_64(word, ~wanted);
        if ((before & wanted) != 0)
            return before & wanted;
        seen = before;
    }
    return 0;
}

/* Puts bits back that the caller holds, whatever slab they belong to. Holding them keeps the descriptor steady up to
 * the fetch-or; the hint that is set afterwards may be stale, which is harmless. */
static void word_return(ka_slabs *slabs, uint32_t page, uint32_t i, uint64_t bits)
{
    uint64_t *word = ka_slab_word(slabs, page, i);
    page += i >> (slabs->page_shift - 10);
    uint32_t descriptor = ka_load_acquire_32(&slabs->pages[page]);
    uint64_t before = ka_fetch_or_64(word, bits);
    if (before == 0 && ka_page_is_slab(descriptor))
        hint_set(slabs, ka_page_slab_class(descriptor), page - ka_page_slab_back(descriptor));
}

/* ---- make, take, reclaim ---- */

size_t ka_slabs_hint_words(size_t page_count, unsigned class_count)
{
    uint32_t words = (uint32_t)ka_words_for(page_count);
    return class_count * (grouped_words(words) + grouped_words(summary_words_for(words)));
}

void ka_slabs_init(ka_slabs *slabs, uintptr_t base, uint32_t page_count, const ka_classes *classes, uint32_t *pages,
                   uint8_t *map, uint64_t *words, uint64_t *hints, unsigned class_count)
{
    KA_ASSERT(page_count < KA_PAGE_LIMIT && base % ((uintptr_t)1 << classes->page_shift) == 0);
    uint32_t hint_words = (uint32_t)ka_words_for(page_count);
    *slabs = (ka_slabs){
        .base = base,
        .classes = classes,
        .pages = pages,
        .map = map,
        .words = words,
        .hints = hints,
        .page_count = page_count,
        .page_shift = classes->page_shift,
        .hint_words = hint_words,
        .summary_words = summary_words_for(hint_words),
        .class_count = class_count,
    };
}

static ka_slab_batch batch_make(const ka_slabs *slabs, uint32_t page, const ka_class *c, unsigned word, uint64_t bits)
{
    return (ka_slab_batch){
        .first = slab_base(slabs, page) + (uintptr_t)word * 64 * c->size,
        .bits = bits,
        .size = c->size,
        .page = page,
    };
}

static void map_fill(const ka_slabs *slabs, uint32_t page, uint32_t pages, unsigned value)
{
    for (uint32_t i = 0; slabs->map != NULL && i < pages; i++)
        ka_store_relaxed_8(&slabs->map[page + i], (uint8_t)value);
}

ka_slab_batch ka_slab_create(ka_slabs *slabs, uint32_t page, unsigned class, unsigned max)
{
    const ka_class *c = class_get(slabs, class);
    KA_ASSERT(ka_load_relaxed_32(&slabs->pages[page]) == ka_page_run(c->pages));
    uint32_t open = ka_load_relaxed_32(&slabs->open);
    while (open < page + c->pages && !ka_cas_32(&slabs->open, &open, page + c->pages))
        ;
    map_fill(slabs, page, c->pages, class + 1);
    for (uint32_t i = 1; i < c->pages; i++)
        ka_store_relaxed_32(&slabs->pages[page + i], ka_page_slab(class, i));
    ka_store_release_32(&slabs->pages[page], ka_page_slab(class, 0));

    uint64_t taken = bits_lowest(ka_class_full(c, 0), max);
    uint64_t rest = ka_class_full(c, 0) ^ taken;
    ka_store_release_64(ka_slab_word(slabs, page, 0), rest);
    for (unsigned i = 1; i < c->words; i++)
        ka_store_release_64(ka_slab_word(slabs, page, i), ka_class_full(c, i));
    if (rest != 0 || c->words > 1)
        hint_set(slabs, class, page);
    return batch_make(slabs, page, c, 0, taken);
}

bool ka_slab_take(ka_slabs *slabs, uint32_t page, unsigned class, unsigned max, ka_slab_batch *out)
{
    uint32_t descriptor = ka_page_slab(class, 0);
    if (ka_load_acquire_32(&slabs->pages[page]) != descriptor)
        return false;
    const ka_class *c = class_get(slabs, class);
    for (unsigned i = 0; i < c->words; i++) {
        uint64_t bits = word_take(ka_slab_word(slabs, page, i), max);
        if (bits == 0)
            continue;
        if (KA_UNLIKELY(!ka_slab_take_holds_(slabs, page, descriptor))) {
            word_return(slabs, page, i, bits);
            return false;
        }
        *out = batch_make(slabs, page, c, i, bits);
        return true;
    }
    return false;
}

/* A slab of one word of which nothing is left, most likely: the next one who looks need not come here. */
static bool took_all(const ka_slabs *slabs, unsigned class, const ka_slab_batch *taken)
{
    return class_get(slabs, class)->words == 1 && ka_load_relaxed_64(ka_slab_word(slabs, taken->page, 0)) == 0;
}

static bool refill_between(ka_slabs *slabs, unsigned class, uint32_t from, uint32_t end, unsigned max,
                           ka_slab_batch *out)
{
    for (uint32_t page = ka_slab_hinted(slabs, class, from); page < end;
         page = ka_slab_hinted(slabs, class, page + 1)) {
        bool taken = ka_slab_take(slabs, page, class, max, out);
        if (!taken || took_all(slabs, class, out))
            hint_drop(slabs, class, page);
        if (taken)
            return true;
    }
    return false;
}

bool ka_slab_refill(ka_slabs *slabs, unsigned class, uint32_t start, unsigned max, ka_slab_batch *out)
{
    return refill_between(slabs, class, start, slabs->page_count, max, out) ||
           (start > 0 && refill_between(slabs, class, 0, start, max, out));
}

bool ka_slab_take_any(ka_slabs *slabs, unsigned class, unsigned max, ka_slab_batch *out)
{
    uint32_t open = ka_load_acquire_32(&slabs->open);
    for (uint32_t page = 0; page < open; page++)
        if (ka_slab_take(slabs, page, class, max, out))
            return true;
    return false;
}

/* All words are the caller's: the pages are a run again. */
static void slab_end(ka_slabs *slabs, uint32_t page, uint32_t pages)
{
    map_fill(slabs, page, pages, 0);
    for (uint32_t i = 1; i < pages; i++)
        ka_store_relaxed_32(&slabs->pages[page + i], KA_PAGE_IDLE);
    ka_store_release_32(&slabs->pages[page], ka_page_run(pages));
}

/* A look without a write: most slabs that are asked for are not full. */
static bool slab_looks_full(const ka_slabs *slabs, uint32_t page, const ka_class *c)
{
    for (unsigned i = 0; i < c->words; i++)
        if (ka_load_relaxed_64(ka_slab_word(slabs, page, i)) != ka_class_full(c, i))
            return false;
    return true;
}

bool ka_slab_reclaim(ka_slabs *slabs, uint32_t page)
{
    uint32_t descriptor = ka_load_acquire_32(&slabs->pages[page]);
    if (!ka_page_is_slab_first(descriptor))
        return false;
    const ka_class *c = class_get(slabs, ka_page_slab_class(descriptor));
    if (!slab_looks_full(slabs, page, c))
        return false;
    unsigned taken = 0;
    while (taken < c->words) {
        uint64_t found = ka_class_full(c, taken);
        if (!ka_cas_64(ka_slab_word(slabs, page, taken), &found, 0))
            break;
        taken++;
        if (taken == 1 && !ka_slab_reclaim_holds_(slabs, page, descriptor))
            break;
        if (taken == c->words) {
            slab_end(slabs, page, c->pages);
            return true;
        }
    }
    for (unsigned i = 0; i < taken; i++)
        word_return(slabs, page, i, ka_class_full(c, i));
    return false;
}

/* ---- put ---- */

void ka_slab_put_batch(ka_slabs *slabs, const ka_slab_batch *batch)
{
    if (batch->bits == 0)
        return;
    uint32_t offset = (uint32_t)(batch->first - slab_base(slabs, batch->page));
    word_return(slabs, batch->page, offset / 64 / batch->size, batch->bits);
}

/* The first page of the slab that `address` lies in. */
static ka_slab_verdict slab_locate(const ka_slabs *slabs, uintptr_t address, uint32_t *first, unsigned *class)
{
    uintptr_t offset = address - ka_load_relaxed_ptr(&slabs->base);
    uintptr_t page = offset >> slabs->page_shift;
    if (page >= slabs->page_count)
        return KA_SLAB_FOREIGN;
    uint32_t descriptor = ka_load_acquire_32(&slabs->pages[page]);
    if (!ka_page_is_slab(descriptor))
        return KA_SLAB_CLASS;
    *class = ka_page_slab_class(descriptor);
    *first = (uint32_t)page - ka_page_slab_back(descriptor);
    return KA_SLAB_FINE;
}

/* Why `address` is not in a slab of this class; FINE and the slab's first page if it is. */
static ka_slab_verdict put_locate(const ka_slabs *slabs, unsigned class, uintptr_t address, uint32_t *page)
{
    unsigned found;
    ka_slab_verdict verdict = slab_locate(slabs, address, page, &found);
    return verdict == KA_SLAB_FINE && found != class ? KA_SLAB_CLASS : verdict;
}

static KA_NOINLINE bool put_doubled(const ka_slabs *slabs, const ka_class *c, uint32_t page, uint32_t word,
                                    uint64_t doubled, ka_slab_result *result)
{
    result->doubled = batch_make(slabs, page, c, word, doubled);
    result->verdict = KA_SLAB_DOUBLED;
    return false;
}

/* Puts blocks of one word back. Returns false if some were free already; those that were not are back all the same. */
static inline bool put_word(ka_slabs *slabs, unsigned class, uint32_t page, uint32_t word, uint64_t mask,
                            ka_slab_result *result)
{
    const ka_class *c = class_get(slabs, class);
    uint64_t before = ka_fetch_or_64(ka_slab_word(slabs, page, word), mask);
    if (before == 0)
        hint_set(slabs, class, page);
    if (KA_UNLIKELY((before & mask) != 0))
        return put_doubled(slabs, c, page, word, before & mask, result);
    if ((before | mask) == ka_class_full(c, word))
        result->full_page = page;
    return true;
}

/* How many of the blocks, from the first one on, are good blocks of the word that begins at `base` and covers `bytes`,
 * none of them in `mask` yet; adds them to it. This is the inner loop of a flush. */
static uint32_t put_gather(const ka_class *c, void *const *blocks, uint32_t count, uintptr_t base, uint32_t bytes,
                           uint64_t *mask)
{
    const uint32_t size = c->size;
    uint64_t gathered = *mask;
    uint32_t i = 0;
    for (; i < count; i++) {
        uintptr_t offset = (uintptr_t)blocks[i] - base;
        if (offset >= bytes)
            break;
        uint32_t index = ka_class_index(c, (uint32_t)offset);
        uint64_t bit = UINT64_C(1) << index % 64;
        if (KA_UNLIKELY(index * size != offset || (gathered & bit) != 0))
            break;
        gathered |= bit;
    }
    *mask = gathered;
    return i;
}

void ka_slab_put(ka_slabs *slabs, unsigned class, void *const *blocks, uint32_t count, ka_slab_result *result)
{
    const ka_class *c = class_get(slabs, class);
    const uint32_t size = c->size, covered = c->blocks * size;
    uintptr_t base = 0;         /* of the slab of the last block */
    uint32_t page = KA_NO_PAGE; /* its first page */
    uint32_t i = 0;
    *result = (ka_slab_result){ .verdict = KA_SLAB_FINE, .full_page = KA_NO_PAGE };
    while (i < count) {
        uintptr_t address = (uintptr_t)blocks[i];
        if (page == KA_NO_PAGE || address - base >= covered) {
            result->verdict = put_locate(slabs, class, address, &page);
            if (KA_UNLIKELY(result->verdict != KA_SLAB_FINE))
                break;
            base = slab_base(slabs, page);
        }
        uint32_t offset = (uint32_t)(address - base), index = ka_class_index(c, offset);
        if (KA_UNLIKELY(offset >= covered || index * size != offset)) {
            result->verdict = KA_SLAB_INSIDE;
            break;
        }
        /* A block that is a second time in one mask begins the next one: the word finds it. */
        uint32_t word = index / 64, before = word * 64 * size;
        uint64_t mask = UINT64_C(1) << index % 64;
        i++;
        i += put_gather(c, blocks + i, count - i, base + before, (uint32_t)ka_min(covered - before, 64 * size), &mask);
        if (!put_word(slabs, class, page, word, mask, result) || result->full_page != KA_NO_PAGE)
            break;
    }
    result->count = i;
}

/* ---- looking ---- */

ka_slab_verdict ka_slab_find(const ka_slabs *slabs, uintptr_t address, ka_slab_place *place)
{
    ka_slab_verdict verdict = slab_locate(slabs, address, &place->page, &place->class);
    if (verdict != KA_SLAB_FINE)
        return verdict;
    const ka_class *c = class_get(slabs, place->class);
    uint32_t offset = (uint32_t)(address - slab_base(slabs, place->page));
    place->index = ka_class_index(c, offset);
    return place->index < c->blocks && place->index * c->size == offset ? KA_SLAB_FINE : KA_SLAB_INSIDE;
}

bool ka_slab_is_free(const ka_slabs *slabs, const ka_slab_place *place)
{
    const uint64_t *word = ka_slab_word(slabs, place->page, place->index / 64);
    return (ka_load_relaxed_64(word) >> place->index % 64 & 1) != 0;
}

bool ka_slab_mark(ka_slabs *slabs, const ka_slab_place *place, bool set)
{
    uint64_t *word = ka_slab_word(slabs, place->page, place->index / 64), bit = UINT64_C(1) << place->index % 64;
    uint64_t before = set ? ka_fetch_or_64(word, bit) : ka_fetch_and_64(word, ~bit);
    return ((before & bit) != 0) != set;
}

uint32_t ka_slab_count_free(const ka_slabs *slabs, uint32_t page)
{
    uint32_t descriptor = ka_load_acquire_32(&slabs->pages[page]), count = 0;
    if (!ka_page_is_slab_first(descriptor))
        return 0;
    for (unsigned i = 0; i < class_get(slabs, ka_page_slab_class(descriptor))->words; i++)
        count += ka_count_bits(ka_load_relaxed_64(ka_slab_word(slabs, page, i)));
    return count;
}

uint32_t ka_slab_next(const ka_slabs *slabs, uint32_t page)
{
    uint32_t open = ka_load_acquire_32(&slabs->open);
    for (; page < open; page++)
        if (ka_page_is_slab_first(ka_load_acquire_32(&slabs->pages[page])))
            return page;
    return KA_NO_PAGE;
}

/* ---- check ---- */

static bool hint_is_set(const ka_slabs *slabs, unsigned class, uint32_t page)
{
    uint32_t at = page / 64;
    return (*hint_at(slabs, class, at) >> page % 64 & 1) != 0 &&
           (slabs->summary_words == 0 || (*summary_at(slabs, class, at / 64) >> at % 64 & 1) != 0);
}

static const char *slab_check(const ka_slabs *slabs, uint32_t page, unsigned class)
{
    const ka_class *c = class_get(slabs, class);
    uint32_t word_count = (uint32_t)c->pages << (slabs->page_shift - 10);
    bool any = false;
    if (slabs->page_count - page < c->pages)
        return "a slab reaches over the segment's end";
    for (uint32_t i = 1; i < c->pages; i++)
        if (slabs->pages[page + i] != ka_page_slab(class, i))
            return "a page of a slab does not know its slab";
    for (uint32_t i = 0; i < word_count; i++) {
        uint64_t word = *ka_slab_word(slabs, page, i);
        if (i >= c->words ? word != 0 : (word & ~ka_class_full(c, i)) != 0)
            return "a slab has a free bit that stands for no block";
        any = any || word != 0;
    }
    return any && !hint_is_set(slabs, class, page) ? "a slab with free blocks has no hint" : NULL;
}

static const char *page_check(const ka_slabs *slabs, uint32_t page)
{
    if (ka_page_is_slab(slabs->pages[page]))
        return "a page says that it is inside of a slab, but there is none";
    for (uint32_t i = 0; i < UINT32_C(1) << (slabs->page_shift - 10); i++)
        if (*ka_slab_word(slabs, page, i) != 0)
            return "a page that is not a slab has free blocks";
    return NULL;
}

const char *ka_slabs_check(const ka_slabs *slabs)
{
    for (uint32_t page = 0; page < slabs->open;) {
        uint32_t descriptor = slabs->pages[page];
        bool slab = ka_page_is_slab_first(descriptor);
        unsigned class = ka_page_slab_class(descriptor);
        if (slab && class >= KA_CLASS_COUNT)
            return "a slab's class does not exist";
        const char *broken = slab ? slab_check(slabs, page, class) : page_check(slabs, page);
        if (broken != NULL)
            return broken;
        page += slab ? class_get(slabs, class)->pages : 1;
    }
    return NULL;
}
