/* workload.h: the work that every collection does, in C and C++. The including file defines, for each map, a type with
 *   NAME_make, NAME_insert(map, key, value), NAME_find(map, key) -> value, NAME_erase(map, key), NAME_end
 * and calls WORKLOAD(kind, label, NAME, TYPE); for rows and queues see ROWS below.
 *
 * A program runs one of these at one size, so that none finds the memory as another has left it: the one whose number
 * is its argument. Without an argument it lists them: number<TAB>kind<TAB>entries.
 *
 * The keys are the numbers of splitmix64, put in in one order, then found in another, then erased in a third. The
 * smallest time of REPEATS counts for each phase of each map, and they are added up. One line for each phase:
 *   map<TAB>library<TAB>operation<TAB>entries<TAB>nanoseconds for each operation
 */
#ifndef WORKLOAD_H
#define WORKLOAD_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static inline uint64_t workload_random(uint64_t *state)
{
    uint64_t x = *state += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

/* The program's argument, or -1. */
static int workload_wanted;

#define WORKLOADS(argc, argv) workload_wanted = (argc) > 1 ? atoi((argv)[1]) : -1

/* Whether this is the one to be run. */
static inline int workload_asked(const char *kind, size_t n)
{
    static int number;
    if (workload_wanted < 0)
        printf("%d\t%s\t%zu\n", number, kind, n);
    return number++ == workload_wanted;
}

/* Nanoseconds. Small maps by the clock, as reading the process's time takes as long as ten operations; large ones by
 * the time of the process, so that it does not matter who else uses the machine. */
static inline double workload_now(size_t n)
{
    struct timespec now;
    clock_gettime(n < 1000 ? CLOCK_MONOTONIC : CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/* Keys for `rounds` maps of n: each map has its own, and all are made before one is made again, so that a processor
 * cannot learn an order. */
static inline uint64_t *workload_keys(size_t n, size_t rounds, unsigned order)
{
    uint64_t *keys = (uint64_t *)malloc(n * rounds * sizeof *keys), state = 1, shuffle = order;
    for (size_t r = 0; r < rounds; r++) {
        uint64_t *round = keys + r * n;
        for (size_t i = 0; i < n; i++)
            round[i] = workload_random(&state);
        for (size_t i = n - 1; order != 0 && i > 0; i--) {
            size_t j = workload_random(&shuffle) % (i + 1);
            uint64_t swapped = round[i];
            round[i] = round[j];
            round[j] = swapped;
        }
    }
    return keys;
}

#define REPEATS 3
#define TOTAL   1000000 /* operations of each kind, over all maps of a size */

#define WORKLOAD(kind, library, NAME, TYPE)                                                     \
    for (size_t n = 100; n <= TOTAL; n *= 100) {                                                \
        if (!workload_asked(kind, n))                                                           \
            continue;                                                                           \
        static const char *const operations[] = { "insert", "find", "erase" };                  \
        static double best[TOTAL / 100][3];                                                     \
        size_t rounds = TOTAL / n;                                                              \
        uint64_t *in = workload_keys(n, rounds, 0), *look = workload_keys(n, rounds, 1);        \
        uint64_t *out = workload_keys(n, rounds, 2), sum = 0;                                   \
        double all[3] = { 0, 0, 0 };                                                            \
        for (size_t r = 0; r < REPEATS * rounds; r++) {                                         \
            size_t from = r % rounds * n, to = from + n;                                        \
            TYPE map;                                                                           \
            NAME##_make(&map);                                                                  \
            double times[4] = { workload_now(n), 0, 0, 0 };                                     \
            for (size_t i = from; i < to; i++)                                                  \
                NAME##_insert(&map, in[i], i);                                                  \
            times[1] = workload_now(n);                                                         \
            for (size_t i = from; i < to; i++)                                                  \
                sum += NAME##_find(&map, look[i]);                                              \
            times[2] = workload_now(n);                                                         \
            for (size_t i = from; i < to; i++)                                                  \
                NAME##_erase(&map, out[i]);                                                     \
            times[3] = workload_now(n);                                                         \
            NAME##_end(&map);                                                                   \
            for (int i = 0; i < 3; i++) {                                                       \
                double *least = &best[r % rounds][i], took = times[i + 1] - times[i];           \
                *least = r < rounds || took < *least ? took : *least;                           \
            }                                                                                   \
        }                                                                                       \
        if (sum != (uint64_t)REPEATS * (TOTAL / 2) * (TOTAL - 1)) {                             \
            fprintf(stderr, "%s: wrong sum\n", library);                                        \
            return 1;                                                                           \
        }                                                                                       \
        for (int i = 0; i < 3; i++) {                                                           \
            for (size_t r = 0; r < rounds; r++)                                                 \
                all[i] += best[r][i];                                                           \
            printf("%s\t%s\t%s\t%zu\t%.2f\n", kind, library, operations[i], n, all[i] / TOTAL); \
        }                                                                                       \
        fflush(stdout);                                                                         \
        free(in);                                                                               \
        free(look);                                                                             \
        free(out);                                                                              \
    }

/* Rows: a type with NAME_make, NAME_push(row, value), NAME_second(row), NAME_at(row, i) -> value, NAME_end. All random
 * numbers are pushed into an empty row; then comes the second phase, named by the caller, which must leave them in
 * order: it sorts, or it pops the least, or greatest, one after another into a row that NAME_at reads. */
#define ROWS(kind, library, second, NAME, TYPE)                                                                   \
    for (size_t n = 100; n <= TOTAL; n *= 100) {                                                                  \
        if (!workload_asked(kind, n))                                                                             \
            continue;                                                                                             \
        static double best[TOTAL / 100][2];                                                                       \
        size_t rounds = TOTAL / n;                                                                                \
        uint64_t *in = workload_keys(n, rounds, 0);                                                               \
        double all[2] = { 0, 0 };                                                                                 \
        for (size_t r = 0; r < REPEATS * rounds; r++) {                                                           \
            size_t from = r % rounds * n, to = from + n;                                                          \
            TYPE row;                                                                                             \
            NAME##_make(&row);                                                                                    \
            double times[3] = { workload_now(n), 0, 0 };                                                          \
            for (size_t i = from; i < to; i++)                                                                    \
                NAME##_push(&row, in[i]);                                                                         \
            times[1] = workload_now(n);                                                                           \
            NAME##_second(&row);                                                                                  \
            times[2] = workload_now(n);                                                                           \
            for (size_t i = 1; i < n; i++)                                                                        \
                if (NAME##_at(&row, i - 1) > NAME##_at(&row, i)) {                                                \
                    fprintf(stderr, "%s: wrong order\n", library);                                                \
                    return 1;                                                                                     \
                }                                                                                                 \
            NAME##_end(&row);                                                                                     \
            for (int i = 0; i < 2; i++) {                                                                         \
                double *least = &best[r % rounds][i], took = times[i + 1] - times[i];                             \
                *least = r < rounds || took < *least ? took : *least;                                             \
            }                                                                                                     \
        }                                                                                                         \
        for (int i = 0; i < 2; i++) {                                                                             \
            for (size_t r = 0; r < rounds; r++)                                                                   \
                all[i] += best[r][i];                                                                             \
            printf("%s\t%s\t%s\t%zu\t%.2f\n", kind, library, i == 0 ? "push" : second, n, all[i] / TOTAL);        \
        }                                                                                                         \
        fflush(stdout);                                                                                           \
        free(in);                                                                                                 \
    }

/* Where a queue's second phase puts what it pops. */
static uint64_t workload_popped[TOTAL];

#endif
