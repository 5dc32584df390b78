/* classes_test.c: every size, every alignment, every offset. */
#include "engine/classes.h"

#include "kit.h"

static ka_classes classes;

/* All the page sizes, with many blocks and with small slabs. */
static void for_all(void (*test)(unsigned page_shift, unsigned min_blocks))
{
    for (unsigned shift = KA_CLASS_MIN_PAGE_SHIFT; shift <= KA_CLASS_MAX_PAGE_SHIFT; shift++)
        for (unsigned min_blocks = 1; min_blocks <= 16; min_blocks *= 4) {
            ka_classes_init(&classes, shift, min_blocks);
            test(shift, min_blocks);
        }
}

static void tables_one(unsigned page_shift, unsigned min_blocks)
{
    KIT_CHECK_SOUND(ka_classes_check(&classes));
    uint32_t worst = 0, most_pages = 0;
    for (unsigned i = 0; i < KA_CLASS_COUNT; i++) {
        const ka_class *c = &classes.of[i];
        uint32_t bytes = (uint32_t)c->pages << page_shift, waste = bytes - c->blocks * c->size;
        KIT_CHECK(c->size % 16 == 0);
        KIT_CHECK(waste * 8 <= bytes);
        KIT_CHECK(waste * (min_blocks == 1 ? 8 : min_blocks == 4 ? 40 : 32) <= bytes);
        KIT_CHECK(min_blocks == 1 || c->blocks >= min_blocks || c->pages >= (min_blocks < 16 ? 4 : 8));
        KIT_CHECK(c->words <= c->pages << (page_shift - 10));
        worst = waste * 1000 / bytes > worst ? waste * 1000 / bytes : worst;
        most_pages = c->pages > most_pages ? c->pages : most_pages;
    }
    KIT_CHECK(classes.of[KA_CLASS_COUNT - 1].size == KA_CLASS_LARGEST);
    if (page_shift == 12)
        kit_note("pages of 4 KiB, %u blocks wanted: at most %u of 1000 bytes of a slab are lost, at most %u pages",
                 min_blocks, worst, most_pages);
}

static void tables(void) { for_all(tables_one); }

static void sizes(void)
{
    ka_classes_init(&classes, 12, 16);
    unsigned class = 0;
    for (size_t size = 1; size <= KA_CLASS_LARGEST; size++) {
        if (classes.of[class].size < size)
            class++;
        KIT_CHECK(ka_class_of(size) == class && (size > 1024 || ka_class_computed(size) == class));
        size_t waste = classes.of[class].size - size;
        KIT_CHECK(size > 112 ? waste * 8 < classes.of[class].size : waste < 16);
    }
    KIT_CHECK(class == KA_CLASS_COUNT - 1 && ka_class_of(0) == 0);
}

/* Powers of two with a header have classes that waste little, and slabs that do. */
static void headers(void)
{
    static const uint16_t wanted[] = { 1024 + 16, 2048 + 128, 4096 + 272 };
    ka_classes_init(&classes, 12, 4);
    for (unsigned i = 0; i < KIT_COUNT(wanted); i++) {
        const ka_class *c = &classes.of[ka_class_of(wanted[i])];
        uint32_t bytes = (uint32_t)c->pages << 12;
        KIT_CHECK(c->size == wanted[i] && (bytes - c->blocks * c->size) * 64 <= bytes);
    }
}

static void layouts_one(unsigned page_shift, unsigned min_blocks)
{
    (void)min_blocks;
    for (size_t align = 1; align <= (size_t)1 << page_shift; align *= 2)
        for (size_t size = 1; size <= KA_CLASS_LARGEST; size++) {
            if (!ka_class_serves(size, align, page_shift)) {
                KIT_CHECK(size > KA_CLASS_LARGEST - align || align > KA_CLASS_LARGEST);
                continue;
            }
            unsigned class = ka_class_of_layout(size, align);
            size_t block = classes.of[class].size;
            KIT_CHECK(block >= size && block % align == 0);
            for (; class > 0 && classes.of[class - 1].size >= size; class--) /* none smaller would do */
                KIT_CHECK(classes.of[class - 1].size % align != 0);
        }
    KIT_CHECK(!ka_class_serves(1, (size_t)2 << page_shift, page_shift));
    KIT_CHECK(!ka_class_serves(KA_CLASS_LARGEST + 1, 1, page_shift));
}

static void layouts(void) { for_all(layouts_one); }

static void reciprocals(void)
{
    ka_classes_init(&classes, 12, 16);
    for (unsigned i = 0; i < KA_CLASS_COUNT; i++) {
        const ka_class *c = &classes.of[i];
        uint32_t index = 0, within = 0, wrong = 0;
        for (uint32_t offset = 0; offset < KA_CLASS_MAX_SLAB; offset++) {
            wrong += ka_class_index(c, offset) != index;
            if (++within == c->size) {
                within = 0;
                index++;
            }
        }
        KIT_CHECK(wrong == 0);
    }
}

static void full_words(void)
{
    ka_classes_init(&classes, 12, 16);
    for (unsigned i = 0; i < KA_CLASS_COUNT; i++) {
        unsigned bits = 0;
        for (unsigned word = 0; word < classes.of[i].words; word++)
            bits += ka_count_bits(ka_class_full(&classes.of[i], word));
        KIT_CHECK(bits == classes.of[i].blocks);
    }
}

static const kit_case cases[] = {
    { "the tables for all page sizes", tables },
    { "every size has the smallest class that holds it", sizes },
    { "powers of two and a header", headers },
    { "every size and alignment", layouts },
    { "the reciprocal divides every offset exactly", reciprocals },
    { "full words", full_words },
};

int main(void)
{
    return kit_main("classes", cases, KIT_COUNT(cases));
}
