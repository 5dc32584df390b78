#!/bin/sh
# The README's example, and that of docs/collections.md, compile as they stand and do what they say. TAP.
set -eu
cd "$(dirname "$0")/../.."
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
sed -n '/^```c$/,/^```$/p' README.md | sed '1d;$d' >"$dir/readme.c"
cat >>"$dir/readme.c" <<'END'
#include <stdio.h>
int main(void)
{
    bool few = receive(500), many = receive(100000);
    ka_stats stats = ka_get_stats(&heap.allocator);
    return few && !many && stats.live == 0 && ka_check(&heap.allocator) == NULL ? 0 : 1;
}
END
sed -n '/^```c$/,/^```$/p' docs/collections.md | sed '1d;$d' >"$dir/collections.c"
cat >>"$dir/collections.c" <<'END'
static _Alignas(16) uint8_t memory[8 * 1024];
static ka_region heap;
int main(void)
{
    ka_region_init(&heap);
    if (!ka_region_claim(&heap, memory, sizeof memory))
        return 1;
    struct scheduler all = { job_queue_in(&heap.allocator), done_list_in(&heap.allocator) };
    job_queue_handle handle, first = { 0, 0 };
    unsigned n = 0;
    while (scheduler_add(&all, &heap.allocator, n * 7 % 10, "a job with a name", &handle))
        if (n++ == 0)
            first = handle;
    bool erased = job_queue_erase(&all.waiting, first);
    scheduler_run(&all, 4);
    bool done = n > 20 && erased && done_list_len(&all.done) > n / 3 && done_list_first(&all.done)->due == 0;
    scheduler_drop(&all);
    return done && ka_get_stats(&heap.allocator).live == 0 && ka_check(&heap.allocator) == NULL ? 0 : 1;
}
END
number=0
failed=0
for file in readme collections; do for cc in gcc clang; do
    number=$((number + 1))
    if $cc -std=c11 -D_GNU_SOURCE -Wall -Wextra -Werror -Iinclude -Isrc -I. -Isrc/base/gnu -Iports/user "$dir/$file.c" \
        src/base/*.c src/engine/*.c src/heap/*.c src/layer/*.c src/owner/*.c src/collection/*.c ports/user/port.c ports/user/pages.c \
        ports/user/threads.c ports/user/cells.c -pthread -o "$dir/$file" >"$dir/log" 2>&1 && "$dir/$file"; then
        echo "ok $number - the example of $file, by $cc"
    else
        sed 's/^/# /' "$dir/log"
        failed=1
        echo "not ok $number - the example of $file, by $cc"
    fi
done; done
echo "1..$number"
exit $failed
