/* sort_test.c: every pattern at every small size and some large ones, against counts of what went in; the compares that
 * the worst case takes; and the heapsort that is behind it. */
#include <ka/sort.h>

#include <stdlib.h>
#include <string.h>

#include "kit.h"

enum { LARGE = 100000 };

static uint64_t compares;

static int counted(uint32_t const *a, uint32_t const *b)
{
    compares++;
    return (*a > *b) - (*a < *b);
}

KA_SORT(number_sort, uint32_t, counted)

typedef struct wide {
    _Alignas(64) uint64_t key;
    unsigned char rest[80];
} wide;

static int wide_compare(wide const *a, wide const *b)
{
    return a->key < b->key ? -7 : a->key > b->key ? 7 : 0;
}

KA_SORT(wide_sort, wide, wide_compare)
KA_SORT(double_sort, double, KA_COMPARE_NUMBERS)
KA_SORT(plain_sort, uint32_t, KA_COMPARE_NUMBERS)
KA_SORT(pointer_sort, const uint32_t *, KA_COMPARE_NUMBERS)

static uint32_t items[LARGE], plain[LARGE], model[LARGE];

static int by_number(const void *a, const void *b)
{
    return KA_COMPARE_NUMBERS((const uint32_t *)a, (const uint32_t *)b);
}

/* 2 n log2 n for the partitions, 2 n log2 n for heapsort, and what small parts and medians take. */
static uint64_t compares_at_most(size_t n)
{
    uint64_t levels = 1;
    for (size_t left = n; left > 1; left /= 2)
        levels++;
    return 4 * n * levels + 32 * n + 64;
}

typedef uint32_t pattern(kit_random *random, size_t i, size_t n);

static uint32_t any(kit_random *random, size_t i, size_t n)
{
    (void)i, (void)n;
    return (uint32_t)kit_next(random);
}
static uint32_t up(kit_random *random, size_t i, size_t n)
{
    (void)random, (void)n;
    return (uint32_t)i;
}
static uint32_t down(kit_random *random, size_t i, size_t n)
{
    (void)random;
    return (uint32_t)(n - i);
}
static uint32_t same(kit_random *random, size_t i, size_t n)
{
    (void)random, (void)i, (void)n;
    return 7;
}
static uint32_t few(kit_random *random, size_t i, size_t n)
{
    (void)i, (void)n;
    return (uint32_t)kit_below(random, 4);
}
static uint32_t pipes(kit_random *random, size_t i, size_t n)
{
    (void)random;
    return (uint32_t)(i < n / 2 ? i : n - i);
}
static uint32_t teeth(kit_random *random, size_t i, size_t n)
{
    (void)random, (void)n;
    return (uint32_t)(i % 17);
}
static uint32_t nearly(kit_random *random, size_t i, size_t n)
{
    return kit_below(random, 50) == 0 ? (uint32_t)kit_below(random, n) : (uint32_t)i;
}
static pattern *const patterns[] = { any, up, down, same, few, pipes, teeth, nearly };

static bool sorts(pattern *fill, kit_random *random, size_t n)
{
    for (size_t i = 0; i < n; i++)
        items[i] = model[i] = fill(random, i, n);
    compares = 0;
    number_sort(items, n);
    bool short_enough = compares <= compares_at_most(n);
    memcpy(plain, model, n * sizeof *plain);
    plain_sort(plain, n);
    qsort(model, n, sizeof *model, by_number);
    for (size_t i = 0; i < n; i++)
        if (items[i] != model[i] || plain[i] != model[i])
            return false;
    return short_enough && number_sort_run(items, n) == n && plain_sort_run(plain, n) == n;
}

static void every_small_size(void)
{
    kit_random random = { 11 };
    for (size_t p = 0; p < KIT_COUNT(patterns); p++)
        for (size_t n = 0; n <= 300; n++)
            KIT_CHECK(sorts(patterns[p], &random, n));
}

static void large(void)
{
    kit_random random = { 12 };
    for (size_t p = 0; p < KIT_COUNT(patterns); p++) {
        KIT_CHECK(sorts(patterns[p], &random, LARGE));
        kit_note("pattern %u: %u compares of %u items", (unsigned)p, (unsigned)compares, (unsigned)LARGE);
    }
}

static void in_order_is_linear(void)
{
    kit_random random = { 13 };
    KIT_CHECK(sorts(up, &random, LARGE) && compares == 2 * (LARGE - 1)); /* and once more, to check */
    KIT_CHECK(sorts(same, &random, LARGE) && compares == 2 * (LARGE - 1));
    KIT_CHECK(sorts(few, &random, LARGE) && compares < 12 * LARGE);
    KIT_CHECK(number_sort_run(items, 0) == 0 && number_sort_run(items, 1) == 1);
    items[0] = 9, items[1] = 8;
    KIT_CHECK(number_sort_run(items, 2) == 1);
    KIT_CHECK(ka_sort_budget_(1) == 2 && ka_sort_budget_(8) == 64 && ka_sort_budget_(SIZE_MAX) == SIZE_MAX);
}

/* McIlroy's adversary: it decides what is less only when asked, so that each pivot turns out to be nearly the least.
 * Any quicksort without something behind it takes n * n / 4 compares or so. */
enum { HARD = 20000, UNDECIDED = HARD };
static uint32_t decided[HARD], next_value, candidate;

static int adversary(uint32_t const *a, uint32_t const *b)
{
    compares++;
    if (decided[*a] == UNDECIDED && decided[*b] == UNDECIDED)
        decided[*a == candidate ? *a : *b] = next_value++;
    if (decided[*a] == UNDECIDED)
        candidate = *a;
    else if (decided[*b] == UNDECIDED)
        candidate = *b;
    return KA_COMPARE_NUMBERS(&decided[*a], &decided[*b]);
}

KA_SORT(hard_sort, uint32_t, adversary)

static void against_an_adversary(void)
{
    for (uint32_t i = 0; i < HARD; i++) {
        decided[i] = UNDECIDED;
        items[i] = i;
    }
    decided[0] = UNDECIDED + 1; /* first, and the greatest: else all are in order */
    next_value = 0;
    compares = 0;
    hard_sort(items, HARD);
    kit_note("%u compares of %u items", (unsigned)compares, (unsigned)HARD);
    KIT_CHECK(compares <= compares_at_most(HARD));
    KIT_CHECK(compares > 25 * HARD); /* the adversary was at work: others take about 17 */
    for (uint32_t i = 1; i < HARD; i++)
        KIT_CHECK(decided[items[i - 1]] <= decided[items[i]]);
}

static void heapsort_by_itself(void)
{
    kit_random random = { 14 };
    for (size_t n = 1; n < 500; n++) {
        for (size_t i = 0; i < n; i++)
            items[i] = model[i] = (uint32_t)kit_below(&random, n);
        number_sort_heap_(items, n);
        qsort(model, n, sizeof *model, by_number);
        for (size_t i = 0; i < n; i++)
            KIT_CHECK(items[i] == model[i]);
    }
}

/* A network that sorts all rows of zeros and ones sorts all rows. */
static void networks(void)
{
    uint32_t row[16];
    for (uint32_t n = 8; n <= 16; n += 8)
        for (uint32_t bits = 0; bits < 1u << n; bits++) {
            uint32_t ones = 0;
            for (uint32_t i = 0; i < n; i++)
                ones += row[i] = bits >> i & 1;
            plain_sort_part_(row, n, n);
            for (uint32_t i = 0; i < n; i++)
                KIT_CHECK(row[i] == (i >= n - ones));
        }
}

/* A part takes a network over what is behind it, which stays behind it, and none where there is not enough. */
static void parts_of_an_array(void)
{
    uint32_t row[17] = { 3, 1, 2, 4, 9, 5, 7, 8, 6, 11, 10 };
    plain_sort_part_(row, 3, 11);
    for (uint32_t i = 0; i < 4; i++)
        KIT_CHECK(row[i] == i + 1);
    KIT_CHECK(row[8] == 6 && row[9] == 11 && row[10] == 10);
    for (uint32_t n = 0; n <= 16; n++)
        for (uint32_t room = n; room <= 16; room++) {
            for (uint32_t i = 0; i < 17; i++)
                row[i] = i < n ? n - i : 100 - i;
            plain_sort_part_(row, n, room);
            for (uint32_t i = 0; i < n; i++)
                KIT_CHECK(row[i] == i + 1);
            for (uint32_t i = room; i < 17; i++)
                KIT_CHECK(row[i] == 100 - i);
        }
}

static void pointers(void)
{
    enum { N = 1000 };
    static const uint32_t *row[N];
    for (size_t i = 0; i < N; i++)
        row[i] = &items[i * 7 % N];
    pointer_sort(row, N);
    KIT_CHECK(pointer_sort_run(row, N) == N);
    for (size_t i = 0; i < N; i++)
        KIT_CHECK(row[i] == &items[i]);
}

static void wide_items(void)
{
    enum { N = 2000 };
    static wide row[N];
    kit_random random = { 15 };
    for (size_t i = 0; i < N; i++) {
        row[i].key = kit_below(&random, N / 2);
        kit_stamp(row[i].rest, sizeof row[i].rest, row[i].key);
    }
    wide_sort(row, N);
    KIT_CHECK(wide_sort_run(row, N) == N);
    for (size_t i = 0; i < N; i++)
        KIT_CHECK(kit_stamped(row[i].rest, sizeof row[i].rest, row[i].key));
    double halves[] = { 2.5, -1.5, 0, 1e9, -1e9 };
    double_sort(halves, KIT_COUNT(halves));
    KIT_CHECK(double_sort_run(halves, KIT_COUNT(halves)) == KIT_COUNT(halves));
}

static const kit_case cases[] = {
    { "every_small_size", every_small_size },
    { "large", large },
    { "in_order_is_linear", in_order_is_linear },
    { "against_an_adversary", against_an_adversary },
    { "heapsort_by_itself", heapsort_by_itself },
    { "networks", networks },
    { "parts_of_an_array", parts_of_an_array },
    { "pointers", pointers },
    { "wide_items", wide_items },
};

int main(void)
{
    return kit_main("sort", cases, KIT_COUNT(cases));
}
