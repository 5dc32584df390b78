/* slab_test.c: the contracts of the slab engine one by one, then random steps against a model, with the check after
 * each. The segment is numbers only: the engine never touches a page.
 */
#include "engine/slab.h"

#include "kit.h"

#define SHIFT 12u
#define PAGES 2048u /* enough for a summary of hints */
#define BASE  ((uintptr_t)0x40000000)

static ka_classes classes;
static ka_slabs slabs;
static uint32_t descriptors[PAGES];
static uint8_t map[PAGES];
static uint64_t words[PAGES << (SHIFT - 10)];
static uint64_t hints[KA_CLASS_COUNT * (PAGES / 64 + 1)];
static void *blocks[65536];

static void setup(uint32_t page_count, unsigned min_blocks)
{
    for (unsigned i = 0; i < PAGES; i++)
        descriptors[i] = KA_PAGE_IDLE;
    for (unsigned i = 0; i < PAGES; i++)
        map[i] = 0;
    for (unsigned i = 0; i < KIT_COUNT(words); i++)
        words[i] = 0;
    for (unsigned i = 0; i < KIT_COUNT(hints); i++)
        hints[i] = 0;
    ka_classes_init(&classes, SHIFT, min_blocks);
    ka_slabs_init(&slabs, BASE, page_count, &classes, descriptors, map, words, hints, KA_CLASS_COUNT);
}

static ka_slab_batch create(uint32_t page, unsigned class, unsigned max)
{
    descriptors[page] = ka_page_run(classes.of[class].pages);
    return ka_slab_create(&slabs, page, class, max);
}

static void *at(uintptr_t offset) { return (void *)(BASE + offset); }

static uint32_t offset_of(const void *block) { return (uint32_t)((uintptr_t)block - BASE); }

/* Goes on where a put stopped because a slab may be full. */
static ka_slab_result put(unsigned class, uint32_t count)
{
    ka_slab_result result, all = { .full_page = KA_NO_PAGE };
    do {
        ka_slab_put(&slabs, class, blocks + all.count, count - all.count, &result);
        result.count += all.count;
        if (result.full_page == KA_NO_PAGE)
            result.full_page = all.full_page;
        all = result;
    } while (result.verdict == KA_SLAB_FINE && result.count < count);
    return all;
}

/* ---- contracts ---- */

static void an_empty_segment(void)
{
    setup(PAGES, 16);
    KIT_CHECK(ka_slabs_hint_words(PAGES, KA_CLASS_COUNT) <= KIT_COUNT(hints));
    KIT_CHECK(ka_slabs_words(PAGES, SHIFT) == KIT_COUNT(words));
    ka_slab_batch batch;
    ka_slab_place place;
    KIT_CHECK(!ka_slab_refill(&slabs, 3, 0, 64, &batch) && !ka_slab_take_any(&slabs, 3, 64, &batch));
    KIT_CHECK(!ka_slab_take(&slabs, 0, 0, 64, &batch) && !ka_slab_reclaim(&slabs, 0));
    KIT_CHECK(ka_slab_next(&slabs, 0) == KA_NO_PAGE && ka_slab_count_free(&slabs, 0) == 0);
    KIT_CHECK(ka_slab_find(&slabs, BASE, &place) == KA_SLAB_CLASS);
    KIT_CHECK(ka_slab_find(&slabs, BASE - 1, &place) == KA_SLAB_FOREIGN);
    KIT_CHECK(ka_slab_find(&slabs, BASE + ((uintptr_t)PAGES << SHIFT), &place) == KA_SLAB_FOREIGN);
    KIT_CHECK_SOUND(ka_slabs_check(&slabs));
}

/* Every word of every page has a place of its own, inside of the array, whatever the number of pages. */
static void every_word(void)
{
    const uint32_t counts[] = { 1, 40, 64, 100, PAGES };
    for (unsigned i = 0; i < KIT_COUNT(counts); i++) {
        setup(counts[i], 16);
        for (uint32_t word = 0; word < ka_slabs_words(counts[i], SHIFT); word++) {
            uint64_t *place = ka_slab_word(&slabs, word / 4, word % 4);
            KIT_CHECK(place >= words && place < words + ka_slabs_words(counts[i], SHIFT) && *place == 0);
            *place = 1;
            KIT_CHECK(place == ka_slab_word(&slabs, 0, word));
        }
    }
}

/* Every class: all blocks come out once, aligned and apart, and go back. */
static void every_block(void)
{
    for (unsigned min_blocks = 1; min_blocks <= 16; min_blocks *= 4)
        for (unsigned class = 0; class < KA_CLASS_COUNT; class++) {
            setup(40, min_blocks);
            const ka_class *c = &classes.of[class];
            ka_slab_batch batch = create(3, class, 5);
            uint32_t count = ka_slab_spread(&batch, blocks);
            KIT_CHECK(count == (c->blocks < 5u ? c->blocks : 5u));
            KIT_CHECK_SOUND(ka_slabs_check(&slabs));
            while (ka_slab_refill(&slabs, class, 7, 64, &batch))
                count += ka_slab_spread(&batch, blocks + count);
            KIT_CHECK(count == c->blocks && ka_slab_count_free(&slabs, 3) == 0);
            for (uint32_t i = 0; i < count; i++) {
                KIT_CHECK(offset_of(blocks[i]) == (3u << SHIFT) + i * c->size);
                ka_slab_place place;
                KIT_CHECK(ka_slab_find(&slabs, (uintptr_t)blocks[i], &place) == KA_SLAB_FINE);
                KIT_CHECK(place.page == 3 && place.class == class && place.index == i);
                KIT_CHECK(!ka_slab_is_free(&slabs, &place));
                KIT_CHECK(map[offset_of(blocks[i]) >> SHIFT] == class + 1);
            }
            KIT_CHECK(!ka_slab_reclaim(&slabs, 3));
            ka_slab_result result = put(class, count);
            KIT_CHECK(result.count == count && result.verdict == KA_SLAB_FINE && result.full_page == 3);
            KIT_CHECK(ka_slab_count_free(&slabs, 3) == count && ka_slab_next(&slabs, 0) == 3);
            KIT_CHECK_SOUND(ka_slabs_check(&slabs));
            KIT_CHECK(ka_slab_reclaim(&slabs, 3) && descriptors[3] == ka_page_run(c->pages));
            KIT_CHECK(!ka_slab_reclaim(&slabs, 3) && !ka_slab_refill(&slabs, class, 0, 64, &batch));
            for (uint32_t page = 0; page < 40; page++)
                KIT_CHECK(map[page] == 0);
            KIT_CHECK_SOUND(ka_slabs_check(&slabs));
        }
}

static void how_many(void)
{
    setup(40, 16);
    unsigned class = ka_class_of(16);
    for (unsigned max = 0; max <= 64; max++) {
        ka_slab_batch batch = create(0, class, max);
        KIT_CHECK(ka_count_bits(batch.bits) == max && ka_slab_count_free(&slabs, 0) == 256 - max);
        ka_slab_put_batch(&slabs, &batch);
        if (max > 0) {
            KIT_CHECK(ka_slab_take(&slabs, 0, class, max, &batch) && ka_count_bits(batch.bits) == max);
            ka_slab_put_batch(&slabs, &batch);
        }
        KIT_CHECK(ka_slab_count_free(&slabs, 0) == 256 && ka_slab_reclaim(&slabs, 0));
    }
}

/* What a put says of each wrong pointer; the blocks around it go back. */
static void wrong_pointers(void)
{
    setup(40, 16);
    unsigned class = ka_class_of(208); /* 19 blocks in a page, or 39 in two; a tail */
    const ka_class *c = &classes.of[class];
    ka_slab_batch batch = create(2, class, 64), other = create(8, ka_class_of(64), 64);
    const struct {
        void *block;
        ka_slab_verdict verdict;
    } wrong[] = {
        { NULL, KA_SLAB_FOREIGN },
        { at(40u << SHIFT), KA_SLAB_FOREIGN },
        { at(0), KA_SLAB_CLASS },
        { at(8u << SHIFT), KA_SLAB_CLASS },
        { at((2u << SHIFT) + 208 + 16), KA_SLAB_INSIDE },
        { at((2u << SHIFT) + 9 * 208 + 16), KA_SLAB_INSIDE },
        { at((2u << SHIFT) + 1), KA_SLAB_INSIDE },
        { at((2u << SHIFT) + c->blocks * 208u), KA_SLAB_INSIDE },
        { at((2u << SHIFT) + c->blocks * 208u + 16), KA_SLAB_INSIDE },
    };
    for (unsigned i = 0; i < KIT_COUNT(wrong); i++) {
        uint32_t count = ka_slab_spread(&batch, blocks);
        KIT_CHECK(count == c->blocks);
        blocks[7] = wrong[i].block;
        ka_slab_result result = put(class, count);
        KIT_CHECK(result.count == 7 && result.verdict == wrong[i].verdict);
        KIT_CHECK(ka_slab_count_free(&slabs, 2) == 7);
        ka_slab_put(&slabs, class, blocks + 8, count - 8, &result);
        KIT_CHECK(result.count == count - 8 && result.verdict == KA_SLAB_FINE);
        blocks[0] = at((2u << SHIFT) + 7 * 208);
        KIT_CHECK(put(class, 1).full_page == 2);
        KIT_CHECK_SOUND(ka_slabs_check(&slabs));
        KIT_CHECK(ka_slab_take(&slabs, 2, class, 64, &batch));
    }
    ka_slab_put_batch(&slabs, &other);
    KIT_CHECK(ka_slab_count_free(&slabs, 8) == 64);
}

static void double_frees(void)
{
    setup(40, 16);
    unsigned class = ka_class_of(64);
    ka_slab_batch batch = create(0, class, 64);
    for (uint32_t first = 0; first < 8; first++)
        for (uint32_t second = first + 1; second < 8; second++) {
            /* In one array: whatever lies between, the second free is the one refused. */
            uint32_t count = ka_slab_spread(&batch, blocks);
            for (uint32_t i = count; i > second; i--)
                blocks[i] = blocks[i - 1];
            blocks[second] = blocks[first];
            uint32_t done = 0, refused = 0;
            while (done < count + 1) {
                ka_slab_result result;
                ka_slab_put(&slabs, class, blocks + done, count + 1 - done, &result);
                done += result.count;
                if (result.verdict == KA_SLAB_DOUBLED) {
                    KIT_CHECK(ka_count_bits(result.doubled.bits) == 1);
                    void *block;
                    KIT_CHECK(ka_slab_spread(&result.doubled, &block) == 1 && block == blocks[second]);
                    refused++;
                }
            }
            KIT_CHECK(refused == 1 && ka_slab_count_free(&slabs, 0) == 64);
            KIT_CHECK_SOUND(ka_slabs_check(&slabs));
            KIT_CHECK(ka_slab_take(&slabs, 0, class, 64, &batch));
        }
    /* After the first free has reached the slab: the whole group's doubles are told, the others are freed. */
    blocks[0] = at(3 * 64);
    blocks[1] = at(9 * 64);
    KIT_CHECK(put(class, 2).verdict == KA_SLAB_FINE);
    for (uint32_t i = 0; i < 12; i++)
        blocks[i] = at(i * 64u);
    ka_slab_result result = put(class, 12);
    KIT_CHECK(result.verdict == KA_SLAB_DOUBLED && result.count == 12);
    KIT_CHECK(result.doubled.bits == (1u << 3 | 1u << 9) && result.full_page == KA_NO_PAGE);
    KIT_CHECK(ka_slab_count_free(&slabs, 0) == 12);
}

/* Hints over a summary: the only slab is found from everywhere, wherever it lies. */
static void far_slabs(void)
{
    setup(PAGES, 16);
    KIT_CHECK(slabs.summary_words == 1);
    unsigned class = ka_class_of(128);
    ka_slab_batch batch;
    for (uint32_t page = 0; page < PAGES; page += 61) {
        (void)create(page, class, 0);
        for (uint32_t start = 0; start < PAGES; start += 97) {
            KIT_CHECK(ka_slab_refill(&slabs, class, start, 64, &batch) && batch.page == page);
            KIT_CHECK(!ka_slab_refill(&slabs, class, start, 64, &batch));
            batch = (ka_slab_batch){ BASE + ((uintptr_t)page << SHIFT), ~UINT64_C(0) >> 32, 128, page };
            ka_slab_put_batch(&slabs, &batch);
        }
        KIT_CHECK_SOUND(ka_slabs_check(&slabs));
        KIT_CHECK(ka_slab_reclaim(&slabs, page));
        descriptors[page] = KA_PAGE_IDLE;
    }
    KIT_CHECK(!ka_slab_refill(&slabs, class, 0, 64, &batch));
    /* Of two, the next one from the start on. */
    (void)create(100, class, 0);
    (void)create(1900, class, 0);
    KIT_CHECK(ka_slab_refill(&slabs, class, 101, 1, &batch) && batch.page == 1900);
    KIT_CHECK(ka_slab_refill(&slabs, class, 1901, 1, &batch) && batch.page == 100);
    KIT_CHECK(ka_slab_refill(&slabs, class, 100, 1, &batch) && batch.page == 100);
    KIT_CHECK(ka_slab_take_any(&slabs, class, 1, &batch) && batch.page == 100);
}

/* The check finds what it says that it finds. */
static void the_check(void)
{
    setup(40, 16);
    unsigned class = ka_class_of(96);
    (void)create(4, class, 1);
    KIT_CHECK_SOUND(ka_slabs_check(&slabs));
    *ka_slab_word(&slabs, 4, 0) |= UINT64_C(1) << 63;
    KIT_CHECK(ka_slabs_check(&slabs) != NULL);
    *ka_slab_word(&slabs, 4, 0) &= ~(UINT64_C(1) << 63);
    *ka_slab_word(&slabs, 2, 3) = 1;
    KIT_CHECK(ka_slabs_check(&slabs) != NULL);
    *ka_slab_word(&slabs, 2, 3) = 0;
    descriptors[3] = ka_page_slab(class, 1);
    KIT_CHECK(ka_slabs_check(&slabs) != NULL);
    descriptors[3] = KA_PAGE_IDLE;
    hints[class] = 0;
    KIT_CHECK(ka_slabs_check(&slabs) != NULL);
    hints[class] = 1 << 4;
    KIT_CHECK_SOUND(ka_slabs_check(&slabs));
}

/* ---- the model ---- */

#define MODEL_PAGES 24u
#define MODEL_KINDS 10u
#define MODEL_HELD  8192u

static struct {
    unsigned class[MODEL_KINDS];
    uint8_t used[MODEL_PAGES];                        /* page belongs to a slab */
    uint8_t held[MODEL_PAGES << (SHIFT - 4)];         /* 16 bytes belong to a block that we have */
    uint32_t live[MODEL_PAGES];                       /* by first page of a slab: blocks that we have */
    struct held_list {
        void *block[MODEL_HELD];
        uint32_t count;
    } list[MODEL_KINDS];
    unsigned long taken, put, made, reclaimed, wrong;
} model;

static void model_take(unsigned kind, const ka_slab_batch *batch, unsigned max)
{
    const ka_class *c = &classes.of[model.class[kind]];
    void *slots[64];
    unsigned count = ka_slab_spread(batch, slots);
    KIT_CHECK(count <= max);
    for (unsigned i = 0; i < count; i++) {
        uint32_t offset = offset_of(slots[i]);
        KIT_CHECK(offset + c->size <= MODEL_PAGES << SHIFT);
        for (uint32_t unit = offset / 16; unit < (offset + c->size) / 16; unit++) {
            KIT_CHECK(!model.held[unit]);
            model.held[unit] = 1;
        }
        struct held_list *list = &model.list[kind];
        list->block[list->count++] = slots[i];
        model.live[batch->page]++;
        model.taken++;
    }
}

static void model_forget(unsigned kind, void *block)
{
    const ka_class *c = &classes.of[model.class[kind]];
    ka_slab_place place;
    KIT_CHECK(ka_slab_find(&slabs, (uintptr_t)block, &place) == KA_SLAB_FINE && place.class == model.class[kind]);
    for (uint32_t unit = offset_of(block) / 16, i = 0; i < c->size / 16; i++)
        model.held[unit + i] = 0;
    model.live[place.page]--;
    model.put++;
}

static bool model_any_free(unsigned kind)
{
    for (uint32_t page = 0; page < MODEL_PAGES; page++)
        if (descriptors[page] == ka_page_slab(model.class[kind], 0) &&
            model.live[page] < classes.of[model.class[kind]].blocks)
            return true;
    return false;
}

static void step_take(kit_random *random, unsigned kind)
{
    ka_slab_batch batch;
    unsigned max = kit_below(random, 2) ? 64 : 1 + (unsigned)kit_below(random, 64);
    bool found = kit_below(random, 8) == 0
                     ? ka_slab_take_any(&slabs, model.class[kind], max, &batch)
                     : ka_slab_refill(&slabs, model.class[kind], (uint32_t)kit_below(random, MODEL_PAGES), max, &batch);
    KIT_CHECK(found == model_any_free(kind));
    if (found)
        model_take(kind, &batch, max);
}

static void step_put(kit_random *random, unsigned kind)
{
    struct held_list *list = &model.list[kind];
    uint32_t count = (uint32_t)kit_below(random, (list->count < 100 ? list->count : 100) + 1);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t pick = kit_below(random, 3) ? list->count - 1 : (uint32_t)kit_below(random, list->count);
        blocks[i] = list->block[pick];
        list->block[pick] = list->block[--list->count];
        model_forget(kind, blocks[i]);
    }
    uint32_t fault = count > 0 && kit_below(random, 16) == 0 ? (uint32_t)kit_below(random, count) : count;
    if (fault < count) { /* one of them twice, the last time at the end */
        blocks[count++] = blocks[fault];
        model.wrong++;
    }
    uint32_t done = 0, refused = 0;
    while (done < count) {
        ka_slab_result result;
        ka_slab_put(&slabs, model.class[kind], blocks + done, count - done, &result);
        KIT_CHECK(result.verdict == KA_SLAB_FINE || result.verdict == KA_SLAB_DOUBLED);
        KIT_CHECK(result.verdict == KA_SLAB_DOUBLED || result.full_page != KA_NO_PAGE || result.count == count - done);
        done += result.count;
        refused += ka_count_bits(result.doubled.bits);
    }
    KIT_CHECK(refused == (fault < count));
}

static void step_create(kit_random *random, unsigned kind)
{
    const ka_class *c = &classes.of[model.class[kind]];
    uint32_t first = (uint32_t)kit_below(random, MODEL_PAGES);
    for (uint32_t i = 0; i < c->pages; i++)
        if (first + i >= MODEL_PAGES || model.used[first + i])
            return;
    for (uint32_t i = 0; i < c->pages; i++)
        model.used[first + i] = 1;
    unsigned max = (unsigned)kit_below(random, 65);
    model.live[first] = 0;
    ka_slab_batch batch = create(first, model.class[kind], max);
    model_take(kind, &batch, max);
    model.made++;
}

static void step_reclaim(kit_random *random)
{
    uint32_t page = (uint32_t)kit_below(random, MODEL_PAGES), descriptor = descriptors[page];
    bool full = ka_page_is_slab_first(descriptor) && model.live[page] == 0;
    KIT_CHECK(ka_slab_reclaim(&slabs, page) == full);
    if (!full)
        return;
    uint32_t pages = ka_page_run_pages(descriptors[page]);
    KIT_CHECK(pages == classes.of[ka_page_slab_class(descriptor)].pages);
    for (uint32_t i = 0; i < pages; i++) {
        KIT_CHECK(i == 0 || descriptors[page + i] == KA_PAGE_IDLE);
        model.used[page + i] = 0;
    }
    descriptors[page] = KA_PAGE_IDLE;
    model.reclaimed++;
}

static void model_counts(void)
{
    for (uint32_t page = ka_slab_next(&slabs, 0); page != KA_NO_PAGE; page = ka_slab_next(&slabs, page + 1)) {
        const ka_class *c = &classes.of[ka_page_slab_class(descriptors[page])];
        KIT_CHECK(ka_slab_count_free(&slabs, page) + model.live[page] == c->blocks);
    }
}

static void random_steps(void)
{
    static const size_t size[MODEL_KINDS] = { 16, 32, 48, 64, 208, 512, 1024, 2048, 3840, 9216 };
    kit_random random = { 7 };
    setup(MODEL_PAGES, 1);
    for (unsigned i = 0; i < MODEL_KINDS; i++)
        model.class[i] = ka_class_of(size[i]);
    for (unsigned long step = 0; step < 1000000 && !kit_failed(); step++) {
        unsigned kind = (unsigned)kit_below(&random, MODEL_KINDS);
        bool drain = step >> 12 & 1; /* now it fills up, now it empties */
        switch (kit_below(&random, 8)) {
        case 0:
            step_create(&random, kind);
            break;
        case 1:
        case 2:
            step_reclaim(&random);
            break;
        case 3:
        case 4:
            step_take(&random, kind);
            break;
        case 5:
            if (!drain)
                step_take(&random, kind);
            break;
        default:
            if (drain || kit_below(&random, 4) == 0)
                step_put(&random, kind);
        }
        model_counts();
        KIT_CHECK_SOUND(ka_slabs_check(&slabs));
    }
    kit_note("%lu blocks taken, %lu put, %lu double frees found, %lu slabs made, %lu reclaimed", model.taken, model.put,
             model.wrong, model.made, model.reclaimed);
}

static const kit_case cases[] = {
    { "an empty segment has nothing", an_empty_segment },
    { "every word has a place of its own", every_word },
    { "every block of every class comes out once and goes back", every_block },
    { "as many blocks as wanted", how_many },
    { "wrong pointers are named", wrong_pointers },
    { "double frees are found", double_frees },
    { "slabs far away are found by hints", far_slabs },
    { "the check finds damage", the_check },
    { "a million random steps against a model", random_steps },
};

int main(void)
{
    return kit_main("slab", cases, KIT_COUNT(cases));
}
