#!/bin/sh
# The README's example compiles as it stands and does what it says. TAP.
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
number=0
failed=0
for cc in gcc clang; do
    number=$((number + 1))
    if $cc -std=c11 -D_GNU_SOURCE -Wall -Wextra -Werror -Iinclude -Isrc -I. -Isrc/base/gnu -Iports/user "$dir/readme.c" \
        src/base/*.c src/engine/*.c src/heap/*.c src/layer/*.c src/owner/*.c ports/user/port.c ports/user/pages.c \
        ports/user/threads.c -pthread -o "$dir/readme" >"$dir/log" 2>&1 && "$dir/readme"; then
        echo "ok $number - the README's example, by $cc"
    else
        sed 's/^/# /' "$dir/log"
        failed=1
        echo "not ok $number - the README's example, by $cc"
    fi
done
echo "1..$number"
exit $failed
