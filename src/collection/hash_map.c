/* collection/hash_map.c: the untyped core of hash maps and sets. It moves bytes and never calls anything but the
 * allocator: what calls the user's hash and equal is in the typed skin (ka/hash_map.h).
 *
 * A row of slots, each with 32 bits of hash and an entry. The upper bits of the hash say where an entry is at home; it
 * lies there or, if others do, behind them: linear probing, but with all entries in the order of their hashes.
 *
 *      home     0     1     2     3     4     5     6     7  | tail ...  last
 *      stored   .    e61   d90   d1f   c02    .    31a    .  |  .    .    .        descending; 0 is an empty slot
 *                           2     2     3                                          (the homes of what is displaced)
 *
 * What the order gives:
 * - a search goes on while hashes are greater than its own and ends at the first that is less; an empty slot, 0, is
 *   less than all: one compare for each slot, for keys that are there and for keys that are not;
 * - only entries with the very same 32 bits are compared by the user's function;
 * - removing moves the entries behind it that are not at home one down: no tombstones, and a table never ages;
 * - growing and shrinking is one pass over the slots, from front to back on both sides, and hashes nothing again.
 *
 * A processor cannot guess how far from home an entry lies, and in a table that its cache holds a wrong guess costs
 * more than all else. So there a search compares the first four slots at once and adds up how many are greater: of a
 * full table one entry of fourteen lies farther from home, of one that is filled to five eighths one of eighty. In the
 * same way an insert moves the usual one or two slots, and a removal one, without asking whether there are any. In a
 * table of more than 1 MiB guessing wins: the next line is on its way while the first one is waited for. Slots of more
 * than 64 bytes are moved by loops.
 *
 * Nothing wraps around: entries that do not find room at the end go to a tail, and the last slot of all stays empty, so
 * that searches need no bound. If the tail is full before three quarters of the homes are, it is doubled and the
 * homes stay as they are: hashes that all agree cost time, not more memory than the entries need.
 *
 * Entries of one table in their order of hashes crowd the front of another one with the same key while that is smaller;
 * so each table has a key of its own from the first block on (base/hash.c).
 *
 * Shortcomings: 4 bytes of hash for each slot; the tables grow by doubling, 37 to 75 % full, small ones from 19 %;
 * large values are moved when others are put in before them. Ideas: ordered hash tables by Amble and Knuth (1974),
 * Robin Hood hashing by Celis (1986), removal by shifting in Knuth's volume 3, 6.4.
 */
#include <ka/hash_map.h>

#include "base/math.h"

/* A tail has the four slots that a search looks at from the last home. */
enum { TABLE_LEAST_BITS = 3, TABLE_MOST_BITS = 31, TABLE_TAIL_LEAST = 4, TABLE_TAIL_MOST = 128 };

static uint32_t table_stored(const void *slots, size_t at, size_t size)
{
    return *(const uint32_t *)(const void *)((const char *)slots + at * size);
}

/* How many entries a table with so many homes takes: three quarters. */
static size_t table_limit(size_t homes)
{
    return homes - homes / 4;
}

void *ka_table_plan_(const ka_table_ *table, ka_table_ *planned, size_t need, size_t tail, size_t size, size_t align,
                     ka_flags flags)
{
    unsigned bits = TABLE_LEAST_BITS;
    while (bits < TABLE_MOST_BITS && table_limit((size_t)1 << bits) < need)
        bits++;
    size_t homes = (size_t)1 << bits;
    if (table->allocator == NULL || table_limit(homes) < need)
        return NULL;
    if (tail == 0)
        tail = ka_min(TABLE_TAIL_LEAST + homes / 8, TABLE_TAIL_MOST);
    void *slots = ka_alloc_items(table->allocator, size, align, homes + tail, flags | KA_ZERO);
    if (slots == NULL)
        return NULL;
    *planned = *table;
    planned->limit = table_limit(homes);
    planned->count = homes + tail;
    planned->shift = 32 - bits;
    if (table->count == 0)
        planned->key = ka_hash_new_key();
    return slots;
}

void *ka_table_like_(const ka_table_ *table, size_t size, size_t align)
{
    if (table->allocator == NULL)
        return NULL;
    return ka_alloc_items(table->allocator, size, align, table->count, KA_ZERO);
}

const char *ka_table_check_(const ka_table_ *table, const void *slots, size_t size)
{
    if (table->count == 0)
        return slots == NULL && table->len == 0 && table->limit == 0 ? NULL : "hash map: entries without a block";
    if (table->len > table->limit)
        return "hash map: more entries than it may hold";
    if (table_stored(slots, table->count - 1, size) != 0)
        return "hash map: the last slot is not empty";
    size_t len = 0;
    uint32_t before = 0;
    for (size_t at = 0; at < table->count; at++) {
        uint32_t stored = table_stored(slots, at, size);
        if (stored != 0) {
            size_t home = ka_table_home_(table->shift, stored);
            if (home > at)
                return "hash map: an entry lies before its home";
            if (home < at && before < stored)
                return "hash map: an entry cannot be found from its home";
            len++;
        }
        before = stored;
    }
    return len == table->len ? NULL : "hash map: the slots hold another number of entries than the map";
}
