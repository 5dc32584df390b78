#!/bin/sh
# code_size_test.sh: what one more type of vec costs a program: the bytes of code of the functions that programs use,
# compiled by gcc -Os as functions of their own. At most 400. Prints TAP.
# CC   the compiler; gcc if not set
cd "$(dirname "$0")/../.." || exit 1
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
used='in reserve push insert extend pop remove len at get truncate shrink take drop'

cat > "$work/vec.c" << 'END'
#include <ka/owner.h>
#undef KA_OWNER_CALL_ /* every function is emitted */
#undef KA_OWNER_RESULT_
#define KA_OWNER_CALL_
#define KA_OWNER_RESULT_
#include <ka/vec.h>
struct packet;
void packet_drop(struct packet **packet);
KA_VEC(packet_vec, struct packet *, packet_drop)
END
if ! ${CC:-gcc} -std=c11 -Os -ffreestanding -Iinclude -c "$work/vec.c" -o "$work/vec.o"; then
    echo 'not ok 1 - code size: it compiles'
    echo 1..1
    exit 1
fi

nm -S -t d "$work/vec.o" | awk -v used="$used" '
    $3 ~ /^[Tt]$/ { size[$4] = $2 + 0; all += $2; functions++ }
    END {
        n = split(used, names, " ")
        for (i = 1; i <= n; i++) {
            if (!(("packet_vec_" names[i]) in size)) { print "not ok 1 - code size: no function " names[i]; bad = 1; break }
            sum += size["packet_vec_" names[i]]
        }
        if (!bad) {
            printf "# %d bytes in %d functions that programs use, %d in all %d\n", sum, n, all, functions
            bad = sum > 400
            print (bad ? "not ok" : "ok") " 1 - code size: a type of vec takes at most 400 bytes"
        }
        print "1..1"
        exit bad
    }'
