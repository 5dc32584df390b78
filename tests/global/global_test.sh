#!/bin/sh
# global_test.sh: what the linker says about the global allocator and about builds that do not match; the dummy's end.
# CC: a list of compilers, separated by spaces; gcc and clang if not set. Prints TAP.
# Nothing from a build folder is used: the few sources are compiled here.
cd "$(dirname "$0")/../.." || exit 1
suite=global
. tests/kit/tap.sh
flags="-std=c11 -D_GNU_SOURCE -Iinclude -Isrc -I. -Isrc/base/gnu -Iports/user"
global=ka_no_global_allocator_write_KA_GLOBAL_ALLOCATOR_in_one_c_file

# refused NAME TEXT SOURCES...: the link fails and the linker's words have TEXT.
refused()
{
    name=$1 text=$2
    shift 2
    if $cc $flags $level "$@" "$work/libka.a" -o "$work/program" > "$work/words" 2>&1; then
        echo "it links" > "$work/words"
        result "$name" 1
    else
        grep -q -e "$text" "$work/words"
        result "$name" $?
    fi
}

# works NAME SOURCES...: the program links and exits with 0.
works()
{
    name=$1
    shift
    $cc $flags $level "$@" "$work/libka.a" -o "$work/program" > "$work/words" 2>&1 &&
        "$work/program" >> "$work/words" 2>&1
    result "$name" $?
}

cat > "$work/use.c" << 'END'
#include <ka/alloc.h>
#include <ka/global.h>
int main(void)
{
    int *number = ka_zalloc_type(ka_global(), int);
    int wrong = number == NULL || *number != 0;
    if (number != NULL)
        ka_free_type(ka_global(), int, number);
    return wrong;
}
END
cat > "$work/idle.c" << 'END'
#include <ka/alloc.h>
#include <ka/dummy.h>
#include <ka/global.h>
int main(void) { return ka_alloc(ka_dummy, 4, 4, 0) != NULL; }
END
cat > "$work/heap.c" << 'END'
#include <stdlib.h>
#include <ka/alloc.h>
#include <ka/global.h>
static void *heap_alloc(ka_allocator *self, size_t size, size_t align, ka_flags flags)
{
    (void)self, (void)align, (void)flags;
    return calloc(1, size);
}
static void heap_free(ka_allocator *self, void *block, size_t size, size_t align)
{
    (void)self, (void)size, (void)align;
    free(block);
}
static const ka_allocator_ops heap_ops = { .name = "heap", .alloc = heap_alloc, .free = heap_free };
static struct { ka_allocator allocator; } heaps[2] = { { { &heap_ops } }, { { &heap_ops } } };
int chosen = 1; /* the expression needs not be constant */
KA_GLOBAL_ALLOCATOR(&heaps[chosen].allocator);
END
cat > "$work/second.c" << 'END'
#include <ka/dummy.h>
#include <ka/global.h>
KA_GLOBAL_ALLOCATOR(ka_dummy);
END
cat > "$work/free.c" << 'END'
#include <ka/alloc.h>
#include <ka/dummy.h>
int main(void)
{
    int number = 0;
    ka_free(ka_dummy, NULL, 4, 4); /* does nothing */
    ka_free_type(ka_dummy, int, &number);
    return 0;
}
END
cat > "$work/region.c" << 'END'
#include <ka/region.h>
static ka_region region;
int main(void)
{
    ka_region_init(&region);
    return 0;
}
END

for build in $(for cc in ${CC:-gcc clang}; do echo "$cc:-O0 $cc:-O2"; done); do
    cc=${build%%:*} level=${build##*:}
    rm -f "$work"/*.o "$work/libka.a"
    for source in src/base/*.c src/engine/region*.c ports/user/port.c; do
        $cc $flags $level -c "$source" -o "$work/$(echo "$source" | tr / _).o" 2> "$work/words" || cat "$work/words" >&2
    done
    ar rc "$work/libka.a" "$work"/*.o
    for name in heap second; do
        $cc $flags $level -c "$work/$name.c" -o "$work/$name.obj"
    done

    refused "$cc $level: none, and used: the missing name says what to write" "undefined reference to .$global" \
        "$work/use.c"
    works "$cc $level: none, and not used" "$work/idle.c"
    works "$cc $level: one" "$work/use.c" "$work/heap.obj"
    works "$cc $level: one, not used" "$work/idle.c" "$work/heap.obj"
    refused "$cc $level: two" "multiple definition of .$global" "$work/use.c" "$work/heap.obj" "$work/second.obj"

    $cc $flags $level "$work/free.c" "$work/libka.a" -o "$work/program" > "$work/words" 2>&1
    (ulimit -c 0; "$work/program"; exit $?) > "$work/words" 2>&1
    [ $? -eq 134 ] && grep -q "^panic: free should never be called on the dummy allocator (" "$work/words"
    result "$cc $level: a free on the dummy ends the program" $?

    # A build's choices are part of the name.
    works "$cc $level: a program and a library of one configuration" "$work/region.c"
    for choice in KA_CFG_REGION_RANGES=4 KA_CFG_DEBUG=1 KA_CFG_SLOW=1; do
        missing=$(echo "#include <ka/region.h>
@ka_region_init" | $cc $flags -D$choice -E -x c - | sed -n 's/^@//p')
        refused "$cc $level: -D$choice against a library without: $missing" "undefined reference to .$missing'" \
            -D$choice "$work/region.c"
    done
done

# The library's own name says what was chosen, as the missing ones above do.
nm -g "$work/libka.a" 2> /dev/null | grep -q 'T ka_region_init__ranges8_debug0_slow0$'
result "the library's own name says its configuration" $?

plan
