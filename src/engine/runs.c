/* engine/runs.c: see runs.h.
 *
 * Three bitmaps, one bit per page each, and the page's descriptor:
 *
 *     free         nobody owns the page; who clears the bit owns it
 *     committed    there is memory behind it                       } changed only by the page's owner, by fetch-or and
 *     zero         and it reads as zero: only while nobody owns it } fetch-and, since the other bits have other owners
 *
 *     free        1 1 0 0 0 0 1 1 1 1        pages 2 to 5 are a run: its first descriptor says 4, the others nothing
 *     committed   1 1 1 1 1 1 1 0 0 0        page 6 has memory, pages 7 to 9 have none
 *     pages[]     0 0 4 0 0 0 0 0 0 0
 *
 * Claim. Look for a stretch of free pages without writing, then own it word by word, by compare-exchange in ascending
 * order; if a word has lost a page, give back those before it and look again. Of two claims that overlap, the one that
 * reaches higher goes on: it fails only if a third one is higher still, so somebody always succeeds.
 *
 * Commit. What the search saw of `committed` may be old, as free pages can be trimmed: so the bits that count are read
 * after the pages are owned. A claim that may not commit gives up what is not committed and looks again. A claim that
 * may commits the missing stretches; if one of them fails, those that it has committed are decommitted again.
 *
 * Trim. Own first, then decommit, then mark as uncommitted, and only then release. In any other order another CPU can
 * write to a page without memory, or its memory vanishes under it.
 *
 * Release. The descriptor is exchanged first, from "run of n" to idle: of two releases of one run, one finds it so.
 * Then the bits are set, then `releases` is counted.
 *
 * The longest run. A search that finds nothing has seen the length of every free stretch. It notes the longest with the
 * number of releases before it began. As long as that number stands, free stretches can only have become shorter, so a
 * claim that wants more is refused without a search. All that makes pages free counts as a release: also a claim that
 * rolls back, and a commit or a trim that hands back what it has worked on. The count has 40 bits there: it would have
 * to go around within one search to be mistaken.
 *
 * First. For lengths of 2^i pages and more, the place of the first such stretch that the last search saw. The next one
 * starts there, and what makes pages free moves it back to the stretch that they complete. These places are only hints:
 * a search that finds nothing behind one is done again from page 0.
 *
 * Moving. A segment that is empty can lose its memory and get other memory later, at another address: its pages are all
 * owned by the one who does that, which is nothing new to anybody else. Only `base` changes while others may look, so
 * it is read (again) after the pages are owned: then it is steady.
 *
 * Order. First fit by address: it keeps runs low and the top of the segment free for trim, and was measured to fragment
 * no more than best fit (Johnstone and Wilson, "The memory fragmentation problem: solved?", 1998). Committed pages are
 * preferred wherever they lie.
 *
 * Bounds. A search is pages / 64 steps, and is repeated after a lost race at most RACES times: then the answer is a
 * spurious "no". One step is repeated when another CPU changed the same word in between: lock-free, not wait-free.
 * Without KA_RUNS_COMMIT nothing is called and nothing waits, so an NMI may claim and release.
 *
 * Shortcomings: a search for one page in a full, large segment reads the whole bitmap (32 MiB: 128 words).
 */
#include "engine/runs.h"

#include "base/assert.h"
#include "base/math.h"
#include "base/mem.h"

/* How many lost races a claim stands. */
#define RACES 16u

/* `longest` is this much count and that much length. */
#define LONGEST_BITS 24u

/* ---- stretches of bits ---- */

/* A bitmap, or two of which both bits must be set. */
typedef struct view {
    const uint64_t *map, *also; /* also: or NULL */
} view;

static uint64_t view_word(view v, uint32_t at)
{
    uint64_t word = ka_load_relaxed_64(&v.map[at]);
    return v.also == NULL ? word : word & ka_load_relaxed_64(&v.also[at]);
}

/* The first page in [from, end) whose bit is `set`; `end` if there is none. */
static uint32_t view_next(view v, uint32_t from, uint32_t end, bool set)
{
    uint64_t flip = set ? 0 : ~UINT64_C(0);
    uint64_t mask = ~ka_low_mask(from % 64);
    for (uint32_t at = from / 64; at * 64 < end; at++, mask = ~UINT64_C(0)) {
        uint64_t word = (view_word(v, at) ^ flip) & mask;
        if (word != 0)
            return (uint32_t)ka_min(end, at * 64 + ka_lowest_bit(word));
    }
    return end;
}

/* The bits of word `at` that lie in [first, end). */
static uint64_t mask_of(uint32_t at, uint32_t first, uint32_t end)
{
    uint32_t low = at * 64;
    uint64_t mask = end - low >= 64 ? ~UINT64_C(0) : ka_low_mask(end - low);
    return first > low ? mask & ~ka_low_mask(first - low) : mask;
}

static void map_set(uint64_t *map, uint32_t first, uint32_t end)
{
    for (uint32_t at = first / 64; at * 64 < end; at++)
        (void)ka_fetch_or_64(&map[at], mask_of(at, first, end));
}

/* Words that have nothing to clear are only read. The caller owns the pages, so their bits do not change. */
static void map_clear(uint64_t *map, uint32_t first, uint32_t end)
{
    for (uint32_t at = first / 64; at * 64 < end; at++) {
        uint64_t mask = mask_of(at, first, end);
        if ((ka_load_relaxed_64(&map[at]) & mask) != 0)
            (void)ka_fetch_and_64(&map[at], ~mask);
    }
}

/* ---- owning ---- */

/* Where the free stretch begins that ends at `page`, looking at most two words back. */
static uint32_t stretch_start(const ka_runs *runs, uint32_t page)
{
    for (uint32_t words = 0, at = page; words < 2; words++) {
        uint32_t low = at == 0 ? 0 : (at - 1) / 64 * 64;
        uint64_t taken = ~ka_load_relaxed_64(&runs->free[low / 64]) & ka_low_mask(at - low);
        if (taken != 0)
            return low + ka_highest_bit(taken) + 1;
        at = low;
        page = low;
    }
    return page;
}

/* Pages from `page` on are about to become free. */
static void first_lower(ka_runs *runs, uint32_t page)
{
    uint32_t start = stretch_start(runs, page);
    for (unsigned i = 0; i < 2 * KA_RUNS_FIRST; i++) {
        uint32_t *first = &runs->first[i % 2][i / 2];
        if (ka_load_relaxed_32(first) > start)
            ka_store_relaxed_32(first, start);
    }
}

/* Makes [first, end), which the caller owns, free. */
static void pages_give(ka_runs *runs, uint32_t first, uint32_t end)
{
    if (first == end)
        return;
    first_lower(runs, first);
    for (uint32_t at = first / 64; at * 64 < end; at++) {
        uint64_t mask = mask_of(at, first, end), before = ka_fetch_or_64(&runs->free[at], mask);
        KA_ASSERT((before & mask) == 0);
    }
    (void)ka_fetch_add_64(&runs->releases, 1);
}

static bool word_own(uint64_t *word, uint64_t mask)
{
    uint64_t seen = ka_load_relaxed_64(word);
    while ((seen & mask) == mask)
        if (ka_cas_64(word, &seen, seen & ~mask))
            return true;
    return false;
}

/* Owns all of [first, end), or nothing. */
static bool pages_own(ka_runs *runs, uint32_t first, uint32_t end)
{
    for (uint32_t at = first / 64; at * 64 < end; at++)
        if (!word_own(&runs->free[at], mask_of(at, first, end))) {
            pages_give(runs, first, at == first / 64 ? first : at * 64);
            return false;
        }
    return true;
}

/* ---- memory behind pages that the caller owns ---- */

static void *page_at(const ka_runs *runs, uint32_t page)
{
    return (void *)(ka_load_relaxed_ptr(&runs->base) + ((uintptr_t)page << runs->page_shift));
}

static size_t page_bytes(const ka_runs *runs, uint32_t count)
{
    return (size_t)count << runs->page_shift;
}

bool ka_runs_committed_(const ka_runs *runs, uint32_t first, uint32_t count)
{
    view committed = { runs->committed, NULL };
    return view_next(committed, first, first + count, false) == first + count;
}

/* Commits [first, end), none of which is committed, and notes whether it is zero, but not yet that it is committed. */
static bool stretch_commit(ka_runs *runs, uint32_t first, uint32_t end)
{
    bool zeroed = false;
    if (!runs->source->commit(runs->source->context, page_at(runs, first), page_bytes(runs, end - first), &zeroed))
        return false;
    if (zeroed)
        map_set(runs->zero, first, end);
    return true;
}

/* Returns false if the memory is still there. */
static bool stretch_decommit(ka_runs *runs, uint32_t first, uint32_t end)
{
    const ka_page_source *source = runs->source;
    if (source->decommit == NULL ||
        !source->decommit(source->context, page_at(runs, first), page_bytes(runs, end - first)))
        return false;
    map_clear(runs->committed, first, end);
    map_clear(runs->zero, first, end);
    return true;
}

/* Takes back what pages_commit did in [first, end): the stretches there that are still not marked. */
static void pages_uncommit(ka_runs *runs, uint32_t first, uint32_t end)
{
    view committed = { runs->committed, NULL };
    for (uint32_t at = view_next(committed, first, end, false); at < end;) {
        uint32_t stop = view_next(committed, at, end, true);
        if (!stretch_decommit(runs, at, stop))
            map_set(runs->committed, at, stop);
        at = view_next(committed, stop, end, false);
    }
}

/* Commits what is missing in [first, end), or nothing. */
static bool pages_commit(ka_runs *runs, uint32_t first, uint32_t end)
{
    view committed = { runs->committed, NULL };
    uint32_t at = view_next(committed, first, end, false);
    if (at == end)
        return true;
    while (at < end) {
        uint32_t stop = view_next(committed, at, end, true);
        if (!stretch_commit(runs, at, stop)) {
            pages_uncommit(runs, first, at);
            return false;
        }
        at = view_next(committed, stop, end, false);
    }
    map_set(runs->committed, first, end);
    return true;
}

/* The pages go to a caller, who will write to them. */
static void pages_hand_out(ka_runs *runs, uint32_t first, uint32_t end, unsigned flags)
{
    view zero = { runs->zero, NULL };
    if ((flags & KA_RUNS_CLEAR) != 0)
        for (uint32_t at = view_next(zero, first, end, false); at < end;) {
            uint32_t stop = view_next(zero, at, end, true);
            ka_clear(page_at(runs, at), page_bytes(runs, stop - at));
            at = view_next(zero, stop, end, false);
        }
    map_clear(runs->zero, first, end);
}

/* ---- searching ---- */

static uint32_t pages_open(const ka_runs *runs)
{
    return ka_load_acquire_32(&runs->open);
}

/* Which pages a search looks at: all free ones, or those that are committed too. */
typedef enum open_pages { ANY_PAGES, COMMITTED_PAGES } open_pages;

/* What a search saw: a bound of the longest stretch (those below `enough` count as enough - 1), and where the first one
 * of `enough` pages or more begins (or KA_NO_PAGE). enough: a power of two, at most what is searched for, or 1. */
typedef struct seen_runs {
    uint32_t longest, enough, first;
} seen_runs;

static void stretch_seen(seen_runs *seen, uint32_t start, uint32_t length)
{
    if (length >= seen->enough && seen->first == KA_NO_PAGE)
        seen->first = start;
    seen->longest = (uint32_t)ka_max(seen->longest, length);
}

/* The first stretch of `count` set bits that lies wholly in the word, 64 if there is none. base: the page of bit 0. */
static unsigned search_inside(uint64_t word, uint32_t base, uint32_t count, seen_runs *seen)
{
    uint64_t starts = seen->enough < 64 ? word : 0;
    for (uint32_t by = 1; by < seen->enough && starts != 0; by *= 2)
        starts &= starts >> by; /* bits with 2 * by - 1 set ones above */
    if (word != 0)
        seen->longest = (uint32_t)ka_max(seen->longest, ka_min(seen->enough - 1, 62));
    while (starts != 0) {
        unsigned from = ka_lowest_bit(starts), end = ka_lowest_bit(~word & ~ka_low_mask(from));
        stretch_seen(seen, base + from, end - from);
        if (end - from >= count)
            return from;
        starts &= ~ka_low_mask(end);
    }
    return 64;
}

/* The first `count` free pages, aligned or not, from `from` on, a word at a time; or KA_NO_PAGE. */
static uint32_t search_words(view open, uint32_t from, uint32_t end, uint32_t count, seen_runs *seen)
{
    uint32_t length = 0; /* of the stretch that ends where the word begins */
    uint64_t mask = ~ka_low_mask(from % 64);
    for (uint32_t at = from / 64; at * 64 < end; at++, mask = ~UINT64_C(0)) {
        uint64_t word = view_word(open, at) & mask;
        if (word == 0 && length == 0)
            continue;
        unsigned low = ~word == 0 ? 64 : ka_lowest_bit(~word);
        uint32_t start = at * 64 - length;
        length += low;
        if (length >= count || low < 64)
            stretch_seen(seen, start, length);
        if (length >= count)
            return start;
        if (low == 64)
            continue;
        length = 63 - ka_highest_bit(~word);
        unsigned inside = search_inside(word & ka_low_mask(64 - length) & ~ka_low_mask(low), at * 64, count, seen);
        if (inside < 64)
            return at * 64 + inside;
    }
    stretch_seen(seen, end - length, length); /* `end` may lie inside of the word: a hint only */
    return KA_NO_PAGE;
}

/* The first run of `count` free pages aligned to `align` from `from` on, or KA_NO_PAGE. */
static uint32_t search_from(const ka_runs *runs, open_pages which, uint32_t from, uint32_t count, uint32_t align,
                            seen_runs *seen)
{
    view open = { runs->free, which == COMMITTED_PAGES ? runs->committed : NULL };
    uintptr_t origin = ka_load_relaxed_ptr(&runs->base) >> runs->page_shift;
    uint32_t end = pages_open(runs);
    seen->longest = 0;
    seen->first = KA_NO_PAGE;
    if (align == 1)
        return search_words(open, from, end, count, seen);
    for (uint32_t at = view_next(open, from, end, true); at < end;) {
        size_t start = ka_round_up(origin + at, align) - origin;
        size_t goal = start + count;
        uint32_t stop = view_next(open, at, (uint32_t)ka_min(end, goal), false);
        stretch_seen(seen, at, stop - at);
        if (stop == goal)
            return (uint32_t)start;
        at = view_next(open, stop, end, true);
    }
    return KA_NO_PAGE;
}

/* The same from wherever it is worth to start, and from page 0 before it says no: then `longest` is the longest
 * stretch. */
static uint32_t search(ka_runs *runs, open_pages which, uint32_t count, uint32_t align, uint32_t *longest)
{
    unsigned i = (unsigned)ka_min(ka_highest_bit(count), KA_RUNS_FIRST - 1);
    uint32_t *first = &runs->first[which][i], from = ka_load_relaxed_32(first);
    seen_runs seen = { .enough = UINT32_C(1) << i };
    uint32_t page = search_from(runs, which, from, count, align, &seen);
    if (page == KA_NO_PAGE && from > 0)
        page = search_from(runs, which, 0, count, align, &seen);
    if (page != KA_NO_PAGE)
        ka_store_relaxed_32(first, seen.first);
    *longest = seen.longest;
    return page;
}

static bool longest_refuses(const ka_runs *runs, open_pages which, uint64_t releases, uint32_t count)
{
    uint64_t known = ka_load_relaxed_64(&runs->longest[which]);
    return known >> LONGEST_BITS == (releases & ka_low_mask(64 - LONGEST_BITS)) &&
           (known & ka_low_mask(LONGEST_BITS)) < count;
}

/* Finds and owns a run. With COMMITTED_PAGES all of it is committed. */
static uint32_t run_own(ka_runs *runs, open_pages which, uint32_t count, uint32_t align)
{
    for (unsigned races = 0; races < RACES; races++) {
        uint64_t releases = ka_load_acquire_64(&runs->releases);
        uint32_t longest;
        if (longest_refuses(runs, which, releases, count))
            return KA_NO_PAGE;
        uint32_t first = search(runs, which, count, align, &longest);
        if (first == KA_NO_PAGE) {
            ka_store_relaxed_64(&runs->longest[which], releases << LONGEST_BITS | longest);
            return KA_NO_PAGE;
        }
        if (!pages_own(runs, first, first + count))
            continue;
        bool aligned =
            (((uintptr_t)page_at(runs, first) >> runs->page_shift) & (align - 1)) == 0; /* the base may be new */
        if (aligned && (which == ANY_PAGES || ka_runs_claim_holds_(runs, first, count)))
            return first;
        pages_give(runs, first, first + count);
    }
    return KA_NO_PAGE;
}

/* ---- the interface ---- */

void ka_runs_init(ka_runs *runs, uintptr_t base, uint32_t page_count, unsigned page_shift, uint32_t *pages,
                  uint64_t *words, const ka_page_source *source)
{
    KA_ASSERT(page_count < KA_PAGE_LIMIT && base % ((uintptr_t)1 << page_shift) == 0);
    size_t map = ka_words_for(page_count);
    *runs = (ka_runs){
        .base = base,
        .source = source,
        .pages = pages,
        .free = words,
        .committed = words + map,
        .zero = words + 2 * map,
        .page_count = page_count,
        .page_shift = page_shift,
    };
}

void ka_runs_add(ka_runs *runs, uint32_t first, uint32_t count, unsigned state)
{
    KA_ASSERT(first <= runs->page_count && count <= runs->page_count - first);
    if ((state & KA_RUNS_COMMITTED) != 0)
        map_set(runs->committed, first, first + count);
    if (state == (KA_RUNS_COMMITTED | KA_RUNS_ZERO))
        map_set(runs->zero, first, first + count);
    uint32_t open = ka_load_relaxed_32(&runs->open);
    while (open < first + count && !ka_cas_32(&runs->open, &open, first + count))
        ;
    pages_give(runs, first, first + count);
}

uint32_t ka_runs_claim(ka_runs *runs, uint32_t count, uint32_t align, unsigned flags)
{
    bool refused;
    return ka_runs_claim_or_say(runs, count, align, flags, &refused);
}

uint32_t ka_runs_claim_or_say(ka_runs *runs, uint32_t count, uint32_t align, unsigned flags, bool *refused)
{
    *refused = false;
    if (count == 0 || count > runs->page_count)
        return KA_NO_PAGE;
    uint32_t first = run_own(runs, COMMITTED_PAGES, count, align);
    if (first == KA_NO_PAGE) {
        if ((flags & KA_RUNS_COMMIT) == 0 || runs->source == NULL)
            return KA_NO_PAGE;
        first = run_own(runs, ANY_PAGES, count, align);
        if (first == KA_NO_PAGE)
            return KA_NO_PAGE;
        if (!pages_commit(runs, first, first + count)) {
            pages_give(runs, first, first + count);
            *refused = true;
            return KA_NO_PAGE;
        }
    }
    pages_hand_out(runs, first, first + count, flags);
    ka_store_release_32(&runs->pages[first], ka_page_run(count));
    return first;
}

bool ka_runs_vacate(ka_runs *runs)
{
    if (pages_open(runs) != runs->page_count || !pages_own(runs, 0, runs->page_count))
        return false;
    map_clear(runs->zero, 0, runs->page_count);
    map_clear(runs->committed, 0, runs->page_count);
    return true;
}

void ka_runs_move(ka_runs *runs, uintptr_t base, unsigned state)
{
    ka_store_relaxed_ptr(&runs->base, base);
    ka_runs_add(runs, 0, runs->page_count, state);
}

bool ka_runs_extend(ka_runs *runs, uint32_t page, uint32_t count, uint32_t new_count, unsigned flags)
{
    if (page >= runs->page_count || new_count < count || new_count > runs->page_count - page ||
        ka_runs_length(runs, page) != count)
        return false;
    uint32_t first = page + count, end = page + new_count;
    if (!pages_own(runs, first, end))
        return false;
    bool may_commit = (flags & KA_RUNS_COMMIT) != 0 && runs->source != NULL;
    if (may_commit ? !pages_commit(runs, first, end) : !ka_runs_claim_holds_(runs, first, end - first)) {
        pages_give(runs, first, end);
        return false;
    }
    pages_hand_out(runs, first, end, flags);
    uint32_t found = ka_page_run(count);
    if (ka_cas_32(&runs->pages[page], &found, ka_page_run(new_count)))
        return true;
    pages_give(runs, first, end);
    return false;
}

bool ka_runs_shrink(ka_runs *runs, uint32_t page, uint32_t count, uint32_t new_count)
{
    uint32_t found = ka_page_run(count);
    if (page >= runs->page_count || new_count == 0 || new_count > count ||
        !ka_cas_32(&runs->pages[page], &found, ka_page_run(new_count)))
        return false;
    pages_give(runs, page + new_count, page + count);
    return true;
}

bool ka_runs_release(ka_runs *runs, uint32_t page, uint32_t count)
{
    if (page >= runs->page_count)
        return false;
    uint32_t found = ka_load_acquire_32(&runs->pages[page]);
    if (!ka_page_is_run(found) || (count != 0 && ka_page_run_pages(found) != count))
        return false;
    if (!ka_cas_32(&runs->pages[page], &found, KA_PAGE_IDLE))
        return false;
    pages_give(runs, page, page + ka_page_run_pages(found));
    return true;
}

bool ka_runs_park(ka_runs *runs, uint32_t page, uint32_t count)
{
    uint32_t found = ka_page_run(count);
    return page < runs->page_count && ka_cas_32(&runs->pages[page], &found, ka_page_parked(count));
}

void ka_runs_unpark(ka_runs *runs, uint32_t page, uint32_t count)
{
    KA_ASSERT(ka_load_relaxed_32(&runs->pages[page]) == ka_page_parked(count));
    ka_store_release_32(&runs->pages[page], ka_page_run(count));
}

/* ---- commit ahead, and trim: one word of pages at a time ---- */

/* The `n` lowest, or the `n` highest, set bits of x. */
static uint64_t bits_some(uint64_t x, uint32_t n, bool lowest)
{
    uint64_t some = 0;
    for (; n > 0 && x != 0; n--) {
        uint64_t bit = UINT64_C(1) << (lowest ? ka_lowest_bit(x) : ka_highest_bit(x));
        some |= bit;
        x ^= bit;
    }
    return some;
}

/* Owns those pages of the mask that are free. */
static uint64_t word_own_some(uint64_t *word, uint64_t mask)
{
    return mask == 0 ? 0 : ka_fetch_and_64(word, ~mask) & mask;
}

static void word_give(ka_runs *runs, uint32_t at, uint64_t mask)
{
    if (mask == 0)
        return;
    first_lower(runs, at * 64);
    uint64_t before = ka_fetch_or_64(&runs->free[at], mask);
    KA_ASSERT((before & mask) == 0);
    (void)ka_fetch_add_64(&runs->releases, 1);
}

/* One stretch of neighbours in the mask, which is not 0: its lowest bit, and the bit after its highest. */
static void mask_stretch(uint64_t mask, unsigned *from, unsigned *end)
{
    *from = ka_lowest_bit(mask);
    uint64_t gap = ~mask & ~ka_low_mask(*from);
    *end = gap == 0 ? 64 : ka_lowest_bit(gap);
}

/* Commits (or decommits) the pages of word `at` that the mask says, stretch by stretch; the caller owns them.
 * Returns how many. */
static uint32_t word_change(ka_runs *runs, uint32_t at, uint64_t mask, bool commit)
{
    uint32_t changed = 0;
    while (mask != 0) {
        unsigned from, end;
        mask_stretch(mask, &from, &end);
        mask &= ~ka_low_mask(end);
        uint32_t first = at * 64 + from, stop = at * 64 + end;
        if (commit ? !stretch_commit(runs, first, stop) : !stretch_decommit(runs, first, stop))
            continue;
        if (commit)
            map_set(runs->committed, first, stop);
        changed += end - from;
    }
    return changed;
}

static uint32_t count_free_committed(const ka_runs *runs)
{
    view both = { runs->free, runs->committed };
    uint32_t count = 0, open = pages_open(runs);
    for (uint32_t at = 0; at * 64 < open; at++)
        count += ka_count_bits(view_word(both, at));
    return count;
}

uint32_t ka_runs_commit(ka_runs *runs, uint32_t count)
{
    uint32_t have = count_free_committed(runs), end = pages_open(runs);
    if (runs->source == NULL)
        return have;
    for (uint32_t at = 0; at * 64 < end && have < count; at++) {
        uint64_t open = ka_load_relaxed_64(&runs->free[at]) & ~ka_load_relaxed_64(&runs->committed[at]);
        uint64_t own = word_own_some(&runs->free[at], bits_some(open, count - have, true));
        have += word_change(runs, at, own & ~ka_load_relaxed_64(&runs->committed[at]), true);
        word_give(runs, at, own);
    }
    return have;
}

uint32_t ka_runs_trim(ka_runs *runs, uint32_t keep)
{
    uint32_t have = count_free_committed(runs), trimmed = 0;
    if (runs->source == NULL || runs->source->decommit == NULL || have <= keep)
        return 0;
    uint32_t excess = have - keep;
    view both = { runs->free, runs->committed };
    for (uint32_t at = (uint32_t)ka_words_for(pages_open(runs)); at-- > 0 && trimmed < excess;) {
        uint64_t own = word_own_some(&runs->free[at], bits_some(view_word(both, at), excess - trimmed, false));
        trimmed += word_change(runs, at, own & ka_load_relaxed_64(&runs->committed[at]), false);
        word_give(runs, at, own);
    }
    return trimmed;
}

/* ---- looking ---- */

void ka_runs_census(const ka_runs *runs, ka_runs_stats *out)
{
    uint32_t open = pages_open(runs);
    *out = (ka_runs_stats){ .free_committed = count_free_committed(runs) };
    for (uint32_t at = 0; at * 64 < open; at++) {
        out->free += ka_count_bits(ka_load_relaxed_64(&runs->free[at]));
        out->committed += ka_count_bits(ka_load_relaxed_64(&runs->committed[at]));
    }
    seen_runs seen = { .enough = 1 };
    (void)search_from(runs, ANY_PAGES, 0, runs->page_count + 1, 1, &seen);
    out->longest = seen.longest;
}

static const char *word_check(const ka_runs *runs, uint32_t at)
{
    uint64_t inside = mask_of(at, 0, runs->page_count);
    if (((runs->free[at] | runs->committed[at] | runs->zero[at]) & ~inside) != 0)
        return "a bit stands for a page behind the segment's end";
    if ((runs->zero[at] & ~runs->committed[at]) != 0)
        return "a page without memory is said to be zero";
    if ((runs->zero[at] & ~runs->free[at]) != 0)
        return "a page that is owned is said to be zero";
    return NULL;
}

/* The run that begins at `page`. */
static const char *run_check(const ka_runs *runs, uint32_t page, uint32_t count)
{
    view free = { runs->free, NULL };
    if (count == 0 || count > runs->page_count - page)
        return "a run reaches over the segment's end";
    if (view_next(free, page, page + count, true) != page + count)
        return "a page of a run is free";
    if (!ka_runs_committed_(runs, page, count))
        return "a page of a run has no memory";
    for (uint32_t i = 1; i < count; i++)
        if (runs->pages[page + i] != KA_PAGE_IDLE)
            return "a page inside of a run has a descriptor";
    return NULL;
}

static const char *longest_check(const ka_runs *runs, open_pages which)
{
    seen_runs seen = { .enough = 1 };
    (void)search_from(runs, which, 0, runs->page_count + 1, 1, &seen);
    return longest_refuses(runs, which, runs->releases, seen.longest) ? "a free run would be refused unseen" : NULL;
}

const char *ka_runs_check(const ka_runs *runs)
{
    view free = { runs->free, NULL };
    if (runs->open > runs->page_count || view_next(free, runs->open, runs->page_count, true) != runs->page_count)
        return "a page is free that was never added";
    for (uint32_t at = 0; at * 64 < runs->open; at++) {
        const char *broken = word_check(runs, at);
        if (broken != NULL)
            return broken;
    }
    for (uint32_t page = 0; page < runs->open; page++) {
        uint32_t descriptor = runs->pages[page];
        if (descriptor != KA_PAGE_IDLE && ka_bit_get(runs->free, page))
            return "a free page has a descriptor";
        const char *broken = NULL;
        if (ka_page_is_run(descriptor) || ka_page_is_parked(descriptor))
            broken = run_check(runs, page, ka_page_run_pages(descriptor));
        if (broken != NULL)
            return broken;
    }
    const char *broken = longest_check(runs, ANY_PAGES);
    return broken != NULL ? broken : longest_check(runs, COMMITTED_PAGES);
}
