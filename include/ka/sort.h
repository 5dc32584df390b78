/* ka/sort.h: sorting arrays in place.
 *
 * KA_SORT(name, T, compare), at file scope without a semicolon, makes
 *
 *   void name(T *items, size_t n)                  sorts them. Not stable: equal items may change places
 *   size_t name_run(T const *items, size_t n)      how many items at the front are in order: n if all are. O(result)
 *
 *   compare    `int compare(T const *, T const *)`: under 0, 0 or over 0, a total order; or KA_COMPARE_NUMBERS
 *
 * Cost: at most O(n log n) compares and moves, whatever the order and the compare; O(n) if all are in order already or
 * equal. Under 1 KiB of stack, no recursion, no memory: any context. T is moved by copying its bytes; large items are
 * best sorted by pointers or boxes. ka/vec.h sorts by it (KA_VEC_ORDER).
 *
 * It is a quicksort whose inner loop has no branch that depends on an outcome: each item is swapped to the border of
 * the smaller ones, and the border moves by the outcome, 0 or 1. Pivots are medians of 3 or of 9. Items equal to the
 * pivot before a part are put aside at once, so that few different keys cost little. Each partition is paid from a
 * budget of 2 n log2 n items; if it is used up, a heapsort sorts the part at hand, and what comes after. The larger
 * part waits, so 16 waiting parts are enough for a million items; what would be the 17th is short, and sorted by heap.
 * After Lomuto's partition as Alexandrescu showed it without branches, and Peters' pattern-defeating quicksort.
 *
 * Small parts of numbers (KA_COMPARE_NUMBERS) go through a sorting network of 8 or 16 items, which has no branches at
 * all; it is about 2 KiB of code for a type. A part has fewer items than that, and needs no padding: what lies behind
 * it in the array is not under any of its items, so a network over both leaves each part's items where the part was.
 *
 *      part       | pivot | next part                the part's three are the least of the eight, and the pivot is
 *      [ 3  1  2 ]   4    [ 9  5  7  8 ] ...         the next: only the order within the parts has changed
 *      [ 1  2  3     4      5  7  8  9 ]
 *
 * The networks are the shortest known (Batcher, 19 exchanges; Green, 60; Knuth, volume 3, 5.3.4), here in the order of
 * Dobbelaere's list. Rust's ipnsort sorts small parts by networks, too, but by ones of their size.
 */
#ifndef KA_SORT_H
#define KA_SORT_H

#include <ka/owner.h>

#define KA_SORT(name, T, compare)        \
    KA_COMPARE_FITS_(name, T, compare)   \
    KA_SORT_RUN_(name, T, compare)       \
    KA_SORT_SMALL_(name, T, compare)     \
    KA_SORT_NETWORK_(name, T, compare)   \
    KA_SORT_HEAP_(name, T, compare)      \
    KA_SORT_PARTITION_(name, T, compare) \
    KA_SORT_QUICK_(name, T, compare)

/* ---- private ---- */

/* Parts of up to KA_SORT_SMALL_MAX_ items are sorted by a network, or inserted one by one. */
#define KA_SORT_SMALL_MAX_ 16
#define KA_SORT_DEPTH_     16

/* 1 if compares cost nothing, so that networks pay: for KA_COMPARE_NUMBERS. */
/* clang-format off */
#if defined(__cplusplus)
#define KA_SORT_OF_NUMBERS_(compare) 0
#else
#define KA_SORT_OF_NUMBERS_(compare) \
    _Generic(&(compare), int (*)(const struct ka_nothing_ *, const struct ka_nothing_ *): 1, default: 0)
#endif
/* clang-format on */

#define KA_SORT_RUN_(name, T, compare)                                   \
    KA_OWNER_RESULT_ size_t name##_run(T const *items_, size_t n_)       \
    {                                                                    \
        size_t at_ = n_ != 0;                                            \
        while (at_ < n_ && compare(&items_[at_ - 1], &items_[at_]) <= 0) \
            at_++;                                                       \
        return at_;                                                      \
    }

#define KA_SORT_SMALL_(name, T, compare)                                \
    KA_OWNER_CALL_ void name##_small_(T *items_, size_t n_)             \
    {                                                                   \
        for (size_t i_ = 1; i_ < n_; i_++) {                            \
            if (compare(&items_[i_ - 1], &items_[i_]) <= 0)             \
                continue;                                               \
            T item_ = items_[i_];                                       \
            size_t at_ = i_;                                            \
            do                                                          \
                items_[at_] = items_[at_ - 1];                          \
            while (--at_ > 0 && compare(&items_[at_ - 1], &item_) > 0); \
            items_[at_] = item_;                                        \
        }                                                               \
    }

/* o(v, a, b) puts v[a] and v[b] in order. */
/* clang-format off */
#define KA_SORT_NETWORK_8_(o, v) \
    (o(v, 0, 2), o(v, 1, 3), o(v, 4, 6), o(v, 5, 7), o(v, 0, 4), o(v, 1, 5), o(v, 2, 6), o(v, 3, 7), o(v, 0, 1), \
     o(v, 2, 3), o(v, 4, 5), o(v, 6, 7), o(v, 2, 4), o(v, 3, 5), o(v, 1, 4), o(v, 3, 6), o(v, 1, 2), o(v, 3, 4), \
     o(v, 5, 6))
#define KA_SORT_NETWORK_16_(o, v) \
    (o(v, 0, 13), o(v, 1, 12), o(v, 2, 15), o(v, 3, 14), o(v, 4, 8), o(v, 5, 6), o(v, 7, 11), o(v, 9, 10), \
     o(v, 0, 5), o(v, 1, 7), o(v, 2, 9), o(v, 3, 4), o(v, 6, 13), o(v, 8, 14), o(v, 10, 15), o(v, 11, 12), \
     o(v, 0, 1), o(v, 2, 3), o(v, 4, 5), o(v, 6, 8), o(v, 7, 9), o(v, 10, 11), o(v, 12, 13), o(v, 14, 15), \
     o(v, 0, 2), o(v, 1, 3), o(v, 4, 10), o(v, 5, 11), o(v, 6, 7), o(v, 8, 9), o(v, 12, 14), o(v, 13, 15), \
     o(v, 1, 2), o(v, 3, 12), o(v, 4, 6), o(v, 5, 7), o(v, 8, 10), o(v, 9, 11), o(v, 13, 14), o(v, 1, 4), \
     o(v, 2, 6), o(v, 5, 8), o(v, 7, 10), o(v, 9, 13), o(v, 11, 14), o(v, 2, 4), o(v, 3, 6), o(v, 9, 12), \
     o(v, 11, 13), o(v, 3, 5), o(v, 6, 8), o(v, 7, 9), o(v, 10, 12), o(v, 3, 4), o(v, 5, 6), o(v, 7, 8), \
     o(v, 9, 10), o(v, 11, 12), o(v, 6, 7), o(v, 8, 9))
/* clang-format on */

/* `room_`: items from `items_` to the end of the array; those behind the first `n_` are not under them. */
#define KA_SORT_NETWORK_(name, T, compare)                                \
    KA_OWNER_CALL_ void name##_exchange_(T *items_, size_t a_, size_t b_) \
    {                                                                     \
        T left_ = items_[a_];                                             \
        T right_ = items_[b_];                                            \
        bool swap_ = compare(&right_, &left_) < 0;                        \
        items_[a_] = swap_ ? right_ : left_;                              \
        items_[b_] = swap_ ? left_ : right_;                              \
    }                                                                     \
                                                                          \
    KA_OWNER_CALL_ void name##_part_(T *items_, size_t n_, size_t room_)  \
    {                                                                     \
        if (!KA_SORT_OF_NUMBERS_(compare) || room_ < (n_ > 8 ? 16 : 8))   \
            name##_small_(items_, n_);                                    \
        else if (n_ > 8)                                                  \
            KA_SORT_NETWORK_16_(name##_exchange_, items_);                \
        else if (n_ > 1)                                                  \
            KA_SORT_NETWORK_8_(name##_exchange_, items_);                 \
    }

#define KA_SORT_HEAP_(name, T, compare)                                                     \
    KA_OWNER_CALL_ void name##_sift_(T *items_, size_t n_, size_t at_)                      \
    {                                                                                       \
        T item_ = items_[at_];                                                              \
        for (size_t child_; (child_ = 2 * at_ + 1) < n_; at_ = child_) {                    \
            child_ += child_ + 1 < n_ && compare(&items_[child_], &items_[child_ + 1]) < 0; \
            if (compare(&items_[child_], &item_) <= 0)                                      \
                break;                                                                      \
            items_[at_] = items_[child_];                                                   \
        }                                                                                   \
        items_[at_] = item_;                                                                \
    }                                                                                       \
                                                                                            \
    KA_OWNER_CALL_ void name##_heap_(T *items_, size_t n_)                                  \
    {                                                                                       \
        for (size_t at_ = n_ / 2; at_-- > 0;)                                               \
            name##_sift_(items_, n_, at_);                                                  \
        while (n_ > 1) {                                                                    \
            T last_ = items_[--n_];                                                         \
            items_[n_] = items_[0];                                                         \
            items_[0] = last_;                                                              \
            name##_sift_(items_, n_, 0);                                                    \
        }                                                                                   \
    }

/* A partition leaves items[0, m) under the pivot, or not over it, then the pivot, and returns m. */
#define KA_SORT_PARTITION_(name, T, compare)                                                 \
    KA_OWNER_RESULT_ size_t name##_median_(T const *items_, size_t a_, size_t b_, size_t c_) \
    {                                                                                        \
        bool ab_ = compare(&items_[a_], &items_[b_]) < 0;                                    \
        bool bc_ = compare(&items_[b_], &items_[c_]) < 0;                                    \
        bool ac_ = compare(&items_[a_], &items_[c_]) < 0;                                    \
        return ab_ == bc_ ? b_ : ab_ == ac_ ? c_ : a_;                                       \
    }                                                                                        \
                                                                                             \
    KA_OWNER_RESULT_ size_t name##_pivot_(T const *items_, size_t n_)                        \
    {                                                                                        \
        size_t step_ = n_ / 10;                                                              \
        if (n_ < 128)                                                                        \
            return name##_median_(items_, n_ / 4, n_ / 2, n_ - n_ / 4);                      \
        return name##_median_(items_, name##_median_(items_, step_, 2 * step_, 3 * step_),   \
                              name##_median_(items_, 4 * step_, 5 * step_, 6 * step_),       \
                              name##_median_(items_, 7 * step_, 8 * step_, 9 * step_));      \
    }                                                                                        \
                                                                                             \
    KA_SORT_LOMUTO_(name##_under_, T, compare, <)                                            \
    KA_SORT_LOMUTO_(name##_not_over_, T, compare, <=)

#define KA_SORT_LOMUTO_(verb, T, compare, to)                         \
    KA_OWNER_RESULT_ size_t verb(T *items_, size_t n_, size_t pivot_) \
    {                                                                 \
        T middle_ = items_[pivot_];                                   \
        size_t border_ = 1;                                           \
        items_[pivot_] = items_[0];                                   \
        for (size_t i_ = 1; i_ < n_; i_++) {                          \
            T item_ = items_[i_];                                     \
            items_[i_] = items_[border_];                             \
            items_[border_] = item_;                                  \
            border_ += compare(&item_, &middle_) to 0;                \
        }                                                             \
        items_[0] = items_[--border_];                                \
        items_[border_] = middle_;                                    \
        return border_;                                               \
    }

#define KA_SORT_QUICK_(name, T, compare)                                                                      \
    KA_OWNER_CALL_ void name(T *items_, size_t n_)                                                            \
    {                                                                                                         \
        struct {                                                                                              \
            T *items;                                                                                         \
            size_t n;                                                                                         \
        } waits_[KA_SORT_DEPTH_];                                                                             \
        size_t waiting_ = 0, budget_ = ka_sort_budget_(n_);                                                   \
        if (name##_run(items_, n_) == n_)                                                                     \
            return;                                                                                           \
        T *first_ = items_;                                                                                   \
        T *end_ = items_ + n_;                                                                                \
        for (;;) {                                                                                            \
            if (n_ <= KA_SORT_SMALL_MAX_ || n_ > budget_ || waiting_ == KA_SORT_DEPTH_) {                     \
                if (n_ <= KA_SORT_SMALL_MAX_)                                                                 \
                    name##_part_(items_, n_, (size_t)(end_ - items_));                                        \
                else                                                                                          \
                    name##_heap_(items_, n_);                                                                 \
                if (waiting_-- == 0)                                                                          \
                    return;                                                                                   \
                items_ = waits_[waiting_].items;                                                              \
                n_ = waits_[waiting_].n;                                                                      \
                continue;                                                                                     \
            }                                                                                                 \
            budget_ -= n_;                                                                                    \
            size_t pivot_ = name##_pivot_(items_, n_);                                                        \
            bool equal_ = items_ != first_ && compare(items_ - 1, &items_[pivot_]) >= 0;                      \
            size_t left_ = equal_ ? name##_not_over_(items_, n_, pivot_) : name##_under_(items_, n_, pivot_); \
            size_t right_ = n_ - left_ - 1;                                                                   \
            T *behind_ = items_ + left_ + 1;                                                                  \
            if (equal_) { /* all on the left are in place */                                                  \
                items_ = behind_;                                                                             \
                n_ = right_;                                                                                  \
                continue;                                                                                     \
            }                                                                                                 \
            bool swap_ = left_ > right_;                                                                      \
            waits_[waiting_].items = swap_ ? items_ : behind_;                                                \
            waits_[waiting_++].n = swap_ ? left_ : right_;                                                    \
            items_ = swap_ ? behind_ : items_;                                                                \
            n_ = swap_ ? right_ : left_;                                                                      \
        }                                                                                                     \
    }
/* unreached in name, 1 branch: that a seventeenth part waits takes tens of millions of items, or a lucky million */

/* 2 n log2 n, or as much as a size_t holds. */
KA_UNUSED static inline size_t ka_sort_budget_(size_t n)
{
    size_t levels = 2;
    for (size_t left = n; left > 1; left /= 2)
        levels += 2;
    return n <= SIZE_MAX / levels ? n * levels : SIZE_MAX;
}

#endif
