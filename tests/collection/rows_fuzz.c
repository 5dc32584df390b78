/* rows_fuzz.c: bytes become operations on a vec (and a slice made of it), a deque, a list, a priority queue and a
 * string, each beside a plain row of numbers; after each operation all is compared and checked. And the bytes are
 * sorted.
 *
 * The input: one byte, whose lowest two bits are the share of requests that are refused; then two bytes for each step:
 * what is done, and where, with what, or how often. Items count themselves, so that none is dropped twice or never.
 */
#include <ka/deque.h>
#include <ka/failing.h>
#include <ka/list.h>
#include <ka/priority_queue.h>
#include <ka/slice.h>
#include <ka/string.h>
#include <ka/vec.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kit.h"
#include "kit_malloc.h"

enum { ROW_MAX = 300, MORE = 20 };

typedef struct item {
    int number;
    ka_list_node link;
} item;

static long live;
static bool may_fail;
static ka_allocator *heap;

static void must(bool holds, const char *words)
{
    if (!holds) {
        fprintf(stderr, "rows_fuzz: %s\n", words);
        abort();
    }
}
#define MUST(holds)  must((holds), #holds)
#define SOUND(check) must((check) == NULL, (check))

/* Whether a call succeeded; only where requests are refused it may not. */
static bool served(bool ok)
{
    must(ok || may_fail, "a call failed, but no request was refused");
    return ok;
}

static item make(unsigned number)
{
    item made = { (int)number, { NULL, NULL } };
    live++;
    return made;
}

static void item_drop(item *gone)
{
    gone->number = -1;
    live--;
}

static bool item_clone(item *out, item const *from)
{
    *out = make((unsigned)from->number);
    return true;
}

static int item_compare(item const *a, item const *b)
{
    return KA_COMPARE_NUMBERS(&a->number, &b->number);
}

KA_VEC(item_vec, item, item_drop)
KA_VEC_ORDER(item_vec, item, item_compare)
KA_VEC_CLONE(item_vec, item, item_clone)
KA_SLICE(item_slice, item, item_drop)
KA_SLICE_VEC(item_slice, item_vec)
KA_SLICE_CLONE(item_slice, item, item_clone)
KA_DEQUE(item_deque, item, item_drop)
KA_DEQUE_CLONE(item_deque, item, item_clone)
KA_LIST(item_list, item, link, item_drop)
KA_LIST_CLONE(item_list, item, link, item_clone)
KA_PRIORITY_QUEUE(item_queue, item, item_compare, item_drop)
KA_PRIORITY_QUEUE_CLONE(item_queue, item, item_clone)
KA_SORT(byte_sort, uint8_t, KA_COMPARE_NUMBERS)
KA_SORT(item_sort, item, item_compare)

/* ---- the model ---- */

static int row[ROW_MAX + 2 * MORE];
static size_t len;

static void row_insert(size_t at, int number)
{
    memmove(row + at + 1, row + at, (len++ - at) * sizeof *row);
    row[at] = number;
}

static int row_remove(size_t at)
{
    int number = row[at];
    memmove(row + at, row + at + 1, (--len - at) * sizeof *row);
    return number;
}

static int by_number(const void *a, const void *b)
{
    return KA_COMPARE_NUMBERS((const int *)a, (const int *)b);
}

/* A place in the row, its end with `and_end`; and an item out of a collection, which must be what the row had there. */
static size_t place(unsigned with, bool and_end)
{
    return and_end ? with % (len + 1) : with % len;
}

static void left(item out, size_t at)
{
    must(out.number == row_remove(at), "another item than was put in");
    item_drop(&out);
}

/* ---- vec and slice ---- */

static void vec_in(item_vec *vec, unsigned what, unsigned with)
{
    item made = make(with), more[MORE];
    size_t at = place(with, true), n = with % MORE;
    switch (what) {
    case 0:
        if (served(item_vec_push(vec, made)))
            row_insert(len, (int)with);
        else
            item_drop(&made);
        break;
    case 1:
        if (served(item_vec_insert(vec, at, made)))
            row_insert(at, (int)with);
        else
            item_drop(&made);
        break;
    case 2:
        for (size_t i = 0; i < n; i++)
            more[i] = make((unsigned)i);
        bool extended = served(item_vec_extend(vec, more, n));
        for (size_t i = 0; i < n; i++) {
            if (extended)
                row_insert(len, (int)i);
            else
                item_drop(&more[i]);
        }
        item_drop(&made);
        break;
    default:
        item_drop(&made);
        if (served(item_vec_resize(vec, with))) {
            live += with > len ? (long)(with - len) : 0;
            while (len < with)
                row_insert(len, 0);
            len = with;
        }
        break;
    }
}

static void vec_out(item_vec *vec, unsigned what, unsigned with)
{
    item out;
    size_t from = place(with, true), to = from + with % 7 < len ? from + with % 7 : len;
    if (what == 0) {
        bool there = item_vec_pop(vec, &out);
        MUST(there == (len != 0));
        if (there)
            left(out, len - 1);
    } else if (what == 1 && len != 0) {
        left(item_vec_remove(vec, place(with, false)), place(with, false));
    } else if (what == 2 && len != 0) {
        size_t at = place(with, false);
        int last = row[len - 1];
        out = item_vec_swap_remove(vec, at);
        MUST(out.number == row[at]);
        row[at] = last;
        len--;
        item_drop(&out);
    } else if (what == 3) {
        item_vec_truncate(vec, from);
        len = from;
    } else if (what == 4) {
        item_vec_drain drain = item_vec_drain_of(vec, from, to);
        for (unsigned taken = 0; taken < with % 3 && item_vec_drain_next(&drain, &out); taken++, to--)
            left(out, from);
        item_vec_drain_drop(&drain);
        while (to-- > from)
            (void)row_remove(from);
    }
}

static void vec_whole(item_vec *vec, unsigned what, unsigned with)
{
    size_t at = place(with, true), kept = 0;
    item_vec other = { 0 };
    item_slice slice = { 0 };
    switch (what) {
    case 0:
        KA_VEC_RETAIN(item_vec, item, one, vec, (unsigned)one->number % 5 != with % 5);
        for (size_t i = 0; i < len; i++)
            if ((unsigned)row[i] % 5 != with % 5)
                row[kept++] = row[i];
        len = kept;
        break;
    case 1:
        item_vec_sort(vec);
        qsort(row, len, sizeof *row, by_number);
        item key = { (int)with, { NULL, NULL } };
        size_t lower = item_vec_lower_bound(vec, key), upper = item_vec_upper_bound(vec, key);
        MUST((lower == 0 || row[lower - 1] < (int)with) && (lower == len || row[lower] >= (int)with));
        MUST((upper == 0 || row[upper - 1] <= (int)with) && (upper == len || row[upper] > (int)with));
        MUST((item_vec_search(vec, key) != NULL) == (lower != upper) && item_vec_is_sorted(vec));
        break;
    case 2:
        item_vec_dedup(vec);
        for (size_t i = 0; i < len; i++)
            if (kept == 0 || row[kept - 1] != row[i])
                row[kept++] = row[i];
        len = kept;
        break;
    case 3:
        if (served(item_vec_split_off(vec, at, &other)) && !served(item_vec_append(vec, &other)))
            len = at;
        item_vec_drop(&other);
        break;
    case 4:
        (void)served(with % 2 == 0 ? item_vec_shrink(vec) : item_vec_reserve_exact(vec, with, 0));
        break;
    case 5:
        if (served(item_vec_clone(&other, vec, heap))) {
            item_vec_drop(vec);
            *vec = item_vec_take(&other);
        }
        break;
    default: { /* a slice and back, by a clone */
        item_slice copy = { 0 };
        if (!served(item_slice_from_vec(&slice, vec)))
            break;
        SOUND(item_slice_check(&slice));
        bool cloned = served(item_slice_clone(&copy, &slice, heap));
        *vec = item_slice_into_vec(cloned ? &copy : &slice);
        vec->allocator = heap; /* of an empty slice it has none */
        item_slice_drop(&slice);
        break;
    }
    }
}

static void vec_step(item_vec *vec, unsigned what, unsigned with)
{
    if (what % 16 < 4 && len < ROW_MAX)
        vec_in(vec, what % 4, with);
    else if (what % 16 < 9)
        vec_out(vec, what % 16 - 4, with);
    else
        vec_whole(vec, what % 16 - 9, with);
    SOUND(item_vec_check(vec));
    MUST(item_vec_len(vec) == len && live == (long)len);
    for (size_t i = 0; i < len; i++)
        MUST(item_vec_at(vec, i)->number == row[i]);
}

/* ---- deque ---- */

static void deque_in(item_deque *deque, unsigned what, unsigned with)
{
    item made = make(with);
    size_t at = what == 0 ? 0 : what == 1 ? len : place(with, true);
    bool in = what == 0   ? item_deque_push_front(deque, made)
              : what == 1 ? item_deque_push_back(deque, made)
              : what == 2 ? item_deque_insert(deque, at, made)
                          : item_deque_extend(deque, &made, 1);
    if (served(in))
        row_insert(what == 3 ? len : at, (int)with);
    else
        item_drop(&made);
}

static void deque_step(item_deque *deque, unsigned what, unsigned with)
{
    item out;
    item_deque copy = { 0 };
    if (what % 16 < 7 && len < ROW_MAX) {
        deque_in(deque, what % 4, with);
    } else if (what % 16 < 9) {
        bool there = item_deque_pop_front(deque, &out);
        MUST(there == (len != 0));
        if (there)
            left(out, 0);
    } else if (what % 16 == 9) {
        bool there = item_deque_pop_back(deque, &out);
        MUST(there == (len != 0));
        if (there)
            left(out, len - 1);
    } else if (what % 16 == 10 && len != 0) {
        left(item_deque_remove(deque, place(with, false)), place(with, false));
    } else if (what % 16 == 11) {
        len = place(with, true);
        item_deque_truncate(deque, len);
    } else if (what % 16 == 12) {
        MUST((item_deque_make_contiguous(deque) != NULL) == (len != 0));
    } else if (what % 16 == 13) {
        (void)served(with % 2 == 0 ? item_deque_shrink(deque) : item_deque_reserve(deque, with));
    } else if (what % 16 == 14 && served(item_deque_clone(&copy, deque, heap))) {
        item_deque_drop(deque);
        *deque = item_deque_take(&copy);
    }
    SOUND(item_deque_check(deque));
    MUST(item_deque_len(deque) == len && live == (long)len);
    for (size_t i = 0; i < len; i++)
        MUST(item_deque_at(deque, i)->number == row[i]);
}

/* ---- list ---- */

static item *list_nth(const item_list *list, size_t at)
{
    item *it = item_list_first(list);
    while (at-- > 0)
        it = item_list_next(it);
    return it;
}

/* One that was unlinked is linked again elsewhere, or freed. */
static void list_again(item_list *list, item *it, unsigned with)
{
    size_t at = place(with, true);
    if (with % 3 == 0) {
        item_drop(it);
        ka_free_type(heap, item, it);
        return;
    }
    row_insert(at, it->number);
    if (at + 1 == len)
        item_list_push_back(list, it);
    else
        item_list_insert_before(list, list_nth(list, at), it);
}

static void list_change(item_list *list, unsigned what, unsigned with)
{
    size_t at = place(with, false);
    item *it = what == 0 ? item_list_pop_front(list) : what == 1 ? item_list_pop_back(list) : list_nth(list, at);
    at = what == 0 ? 0 : what == 1 ? len - 1 : at;
    int number = row_remove(at);
    MUST(it->number == number);
    if (what == 2)
        item_list_remove(list, it);
    if (what <= 2) {
        list_again(list, it, with);
    } else if (what == 3) {
        item_list_drop_item(list, it);
    } else if (what == 4) {
        item_list_move_front(list, it);
        row_insert(0, number);
    } else {
        item_list_move_back(list, it);
        row_insert(len, number);
    }
}

static void list_step(item_list *list, unsigned what, unsigned with)
{
    item_list copy = { 0 };
    if (what % 16 < 7 && len < ROW_MAX) {
        bool front = what % 2 == 0;
        item *made = front ? item_list_push_front_new(list) : item_list_push_back_new(list);
        if (served(made != NULL)) {
            made->number = (int)with;
            live++;
            row_insert(front ? 0 : len, (int)with);
        }
    } else if (what % 16 < 13 && len != 0) {
        list_change(list, what % 6, with);
    } else if (what % 16 == 13 && served(item_list_clone(&copy, list, heap))) {
        if (2 * len <= ROW_MAX && with % 2 == 0) { /* before its own copy */
            item_list_splice(list, item_list_first(list), &copy);
            memcpy(row + len, row, len * sizeof *row);
            len *= 2;
        }
        item_list_drop(&copy);
    }
    SOUND(item_list_check(list));
    MUST(item_list_len(list) == len && live == (long)len);
    size_t at = 0;
    KA_LIST_EACH (item_list, item, it, list)
        MUST(it->number == row[at++]);
    MUST(at == len);
}

/* ---- priority queue: the row is in the order of leaving, and handles go with it ---- */

static item_queue_handle handles[ROW_MAX + 2 * MORE];

/* Behind those that are equal, as it comes later; or, for one that was there, before those that came later. */
static size_t queue_place(int number, uint64_t serial)
{
    size_t at = 0;
    while (at < len && (row[at] < number || (row[at] == number && handles[at].serial < serial)))
        at++;
    return at;
}

static void queue_insert(int number, item_queue_handle handle)
{
    size_t at = queue_place(number, handle.serial);
    memmove(handles + at + 1, handles + at, (len - at) * sizeof *handles);
    handles[at] = handle;
    row_insert(at, number);
}

static item_queue_handle queue_forget(size_t at)
{
    item_queue_handle handle = handles[at];
    memmove(handles + at, handles + at + 1, (len - at - 1) * sizeof *handles);
    (void)row_remove(at);
    return handle;
}

static void queue_change(item_queue *queue, unsigned what, unsigned with)
{
    size_t at = what == 0 ? 0 : place(with * 7, false);
    int number = row[at];
    item_queue_handle handle = queue_forget(at);
    item out = { -1, { NULL, NULL } }, made = { (int)with, { NULL, NULL } };
    MUST(item_queue_get(queue, handle)->number == number);
    if (what == 0 || what == 1) {
        MUST(what == 0 ? item_queue_pop(queue, &out) : item_queue_remove(queue, handle, &out));
        MUST(out.number == number && !item_queue_erase(queue, handle) && item_queue_get(queue, handle) == NULL);
        item_drop(&out);
        return;
    }
    if (what == 2) {
        item_queue_get(queue, handle)->number = (int)with;
        MUST(item_queue_update(queue, handle));
    } else {
        live++;
        MUST(item_queue_replace(queue, handle, made));
    }
    queue_insert((int)with, handle);
}

static void queue_step(item_queue *queue, unsigned what, unsigned with)
{
    item_queue copy = { 0 };
    if (what % 16 < 7 && len < ROW_MAX) {
        item made = make(with);
        item_queue_handle handle;
        if (served(item_queue_push_handle(queue, made, &handle)))
            queue_insert((int)with, handle);
        else
            item_drop(&made);
    } else if (what % 16 < 13 && len != 0) {
        queue_change(queue, what % 4, with);
    } else if (what % 16 == 13) {
        (void)served(with % 2 == 0 ? item_queue_shrink(queue) : item_queue_reserve(queue, with));
    } else if (what % 16 == 14 && served(item_queue_clone(&copy, queue, heap))) {
        item_queue_drop(queue);
        *queue = item_queue_take(&copy);
    }
    SOUND(item_queue_check(queue));
    MUST(item_queue_len(queue) == len && live == (long)len);
    MUST(len == 0 ? item_queue_peek(queue) == NULL : item_queue_peek(queue) == item_queue_get(queue, handles[0]));
    for (size_t i = 0; i < len; i++)
        MUST(item_queue_get(queue, handles[i])->number == row[i]);
}

/* ---- string: the row is in bytes ---- */

static char text[ROW_MAX + 2 * MORE];

static void string_step(ka_string *string, unsigned what, unsigned with)
{
    char added[4];
    size_t n = ka_utf8_put(added, with * 211), at = place(with, true), to = at + (len - at) / 2;
    ka_str point = ka_str_of(added, n);
    ka_str before = ka_str_of(text, len);
    if (what % 8 < 4 && len < ROW_MAX) {
        char byte = (char)what;
        bool raw = what % 8 == 3;
        at = what % 8 == 2 ? at : len;
        bool fits = !string->utf8 || (raw ? with < 0x80 : ka_utf8_boundary(before, at));
        byte = raw ? (char)with : byte;
        bool in = what % 8 == 0   ? ka_string_append_point(string, with * 211)
                  : what % 8 == 1 ? ka_string_append(string, point)
                  : raw           ? ka_string_append_byte(string, byte)
                                  : ka_string_insert(string, at, point);
        must(in ? fits : may_fail || !fits || n == 0, "a string took text that does not fit, or refused what does");
        if (in) {
            n = raw ? 1 : n;
            memmove(text + at + n, text + at, len - at);
            memcpy(text + at, raw ? &byte : added, n);
            len += n;
        }
    } else if (what % 8 == 4) {
        bool fits = !string->utf8 || ka_utf8_boundary(before, at);
        MUST(ka_string_truncate(string, at) == fits);
        len = fits ? at : len;
    } else if (what % 8 == 5) {
        bool fits = !string->utf8 || (ka_utf8_boundary(before, at) && ka_utf8_boundary(before, to));
        MUST(ka_string_remove(string, at, to) == fits);
        if (fits) {
            memmove(text + at, text + to, len - to);
            len -= to - at;
        }
    } else if (what % 8 == 6) {
        (void)served(with % 2 == 0 ? ka_string_shrink(string) : ka_string_reserve(string, with));
    } else if (len < ROW_MAX && served(ka_string_append_format(string, "<%u>", with))) {
        len += (size_t)snprintf(text + len, MORE, "<%u>", with);
    }
    SOUND(ka_string_check(string));
    MUST(ka_string_len(string) == len && memcmp(ka_string_text(string), text, len) == 0);
    MUST(ka_string_text(string)[len] == 0 && (!string->utf8 || ka_utf8_valid(ka_string_view(string))));
}

/* ---- all ---- */

static void sorted(const uint8_t *data, size_t size)
{
    static uint8_t bytes[4096];
    static item items[4096];
    size_t counts[256] = { 0 }, n = size < sizeof bytes ? size : sizeof bytes;
    for (size_t i = 0; i < n; i++) {
        bytes[i] = data[i];
        items[i].number = data[i];
        counts[data[i]]++;
    }
    byte_sort(bytes, n);
    item_sort(items, n);
    MUST(byte_sort_run(bytes, n) == n && item_sort_run(items, n) == n);
    for (size_t i = 0; i < n; i++)
        MUST(items[i].number == bytes[i] && counts[bytes[i]]-- != 0);
}

#define RUN(type, made, step, drop)                                \
    do {                                                           \
        kit_malloc memory;                                         \
        ka_failing failing;                                        \
        kit_malloc_init(&memory);                                  \
        ka_failing_init(&failing, &memory.allocator);              \
        ka_failing_set_chance(&failing, (data[0] & 3u) * 8192, 1); \
        heap = &failing.allocator;                                 \
        live = 0;                                                  \
        len = 0;                                                   \
        type it = made;                                            \
        for (size_t i = 1; i + 1 < size; i += 2)                   \
            step(&it, data[i], data[i + 1]);                       \
        drop(&it);                                                 \
        MUST(live == 0 && kit_malloc_clean(&memory));              \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    may_fail = (data[0] & 3u) != 0;
    RUN(item_vec, item_vec_in(heap), vec_step, item_vec_drop);
    RUN(item_deque, item_deque_in(heap), deque_step, item_deque_drop);
    RUN(item_list, item_list_in(heap), list_step, item_list_drop);
    RUN(item_queue, item_queue_in(heap), queue_step, item_queue_drop);
    RUN(ka_string, ka_string_in(heap), string_step, ka_string_drop);
    RUN(ka_string, ka_string_utf8_in(heap), string_step, ka_string_drop);
    sorted(data, size);
    return 0;
}
