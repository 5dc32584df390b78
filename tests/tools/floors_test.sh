#!/bin/sh
# floors_test.sh: tools/floors passes this tree, and finds each kind of violation that is planted in a copy. Prints TAP.
cd "$(dirname "$0")/../.." || exit 1
project=$(pwd)
suite=floors
. tests/kit/tap.sh

# A small tree of its own, so that a planted file can be the only thing wrong.
fresh()
{
    rm -rf "$work/tree"
    mkdir -p "$work/tree/include/ka" "$work/tree/ports/user" "$work/tree/tests/engine"
    for folder in base/gnu engine heap layer owner collection; do
        mkdir -p "$work/tree/src/$folder"
    done
    cd "$work/tree" || exit 1
    for noun in types region heap locked owner box; do
        : > "include/ka/$noun.h"
    done
    echo '#include <ka/box.h>' > include/ka.h
    echo '#include "base/bits.h"' > ports/user/ka_port.h
    echo '#include <ka_intrinsics.h>' > src/base/bits.h
    echo '#include <stdint.h>' > src/base/gnu/ka_intrinsics.h
    printf '#include <ka/region.h>\n#include "base/bits.h"\n' > src/engine/region_range.h
    echo '#include "engine/region_range.h"' > src/engine/region.c
    printf '#include <ka/locked.h>\n#include <ka_port.h>\n' > src/layer/locked.c
    echo '#include <ka/owner.h>' > include/ka/box.h
    echo '#include <ka.h>' > tests/engine/region_test.c
}

# finds NAME FILE LINES EXPECTED: a file with these lines gives exactly this output, and status 1.
finds()
{
    fresh
    printf "$3" > "$2"
    "$project/tools/floors" . > "$work/words" 2>&1
    status=$?
    printf '%s\n' "$4" > "$work/expected"
    [ $status -eq 1 ] && cmp -s "$work/words" "$work/expected"
    result "$1" $?
}

# passes NAME FILE LINES
passes()
{
    fresh
    printf "$3" > "$2"
    "$project/tools/floors" . > "$work/words" 2>&1
    result "$1" $?
}

"$project/tools/floors" > "$work/words" 2>&1
result "this tree is clean" $?

passes "a small tree is clean" src/base/bits.h '#include <ka_intrinsics.h>\n'
passes "a heap uses engines and the port" src/heap/heap.c '#include <ka_port.h>\n#include "engine/region_range.h"\n'
passes "a test uses everything" tests/engine/region_test.c \
    '#include <string.h>\n#include <ka.h>\n#include "engine/region.c"\n'
passes "commented includes do not count" src/engine/region.c '// #include "layer/locked.h"\n/* #include <ka.h> */\n'

fresh
: > src/layer/locked.h
printf '\n\n#include "layer/locked.h"\n' > src/engine/region.c
"$project/tools/floors" . > "$work/words"
[ $? -eq 1 ] && [ "$(cat "$work/words")" = "src/engine/region.c:3: floor 2 includes floor 4: \"layer/locked.h\"" ]
result "a climb, at its line" $?

finds "an engine that includes the port" src/engine/region.c '#include <ka_port.h>\n' \
    'src/engine/region.c:1: floor 2 includes floor 1: <ka_port.h> (an engine uses base and its own noun)'
finds "an engine that includes another" src/engine/slab.c '#include "engine/region_range.h"\n' \
    'src/engine/slab.c:1: floor 2 includes floor 2: "engine/region_range.h" (an engine uses base and its own noun)'
finds "a layer that includes an engine" src/layer/locked.c '#include <ka/region.h>\n' \
    'src/layer/locked.c:1: floor 4 includes floor 2: <ka/region.h> (a layer uses base, the port and the interface)'
finds "an owner that includes a layer" src/owner/bytes.c '#include <ka/owner.h>\n#include <ka/locked.h>\n' \
    'src/owner/bytes.c:2: floor 5 includes floor 4: <ka/locked.h> (an owner uses base and the interface)'
finds "base that includes an engine" src/base/bits.h '#  include "../engine/region_range.h"\n' \
    'src/base/bits.h:1: floor 0 includes floor 2: "../engine/region_range.h"
src/engine/region_range.h:2: circle: src/base/bits.h -> src/engine/region_range.h -> src/base/bits.h'
finds "everything public, in the library" src/layer/locked.c '#include <ka.h>\n' \
    'src/layer/locked.c:1: floor 4 includes floor 7: <ka.h>'
finds "a public header that includes a private one" include/ka/region.h '#include "base/bits.h"\n' \
    'include/ka/region.h:1: a public header includes a private one: "base/bits.h"'
finds "a header of the system in the library" src/engine/region.c '#include <string.h>\n' \
    'src/engine/region.c:1: floor 2 includes a header of the system: <string.h>'
finds "an unknown header" src/layer/locked.c '#include <ka/lockd.h>\n' \
    'src/layer/locked.c:1: unknown header: <ka/lockd.h>'
finds "an unknown private header" src/layer/locked.c '#include "base/bit.h"\n' \
    'src/layer/locked.c:1: unknown header: "base/bit.h"'
finds "a public header of no known noun" include/ka/treasure.h '\n' \
    'include/ka/treasure.h:1: unknown file: tools/floors does not know its floor'
fresh
mkdir src/attic
: > src/attic/old.c
"$project/tools/floors" . > "$work/words"
[ $? -eq 1 ] && [ "$(cat "$work/words")" = 'src/attic/old.c:1: unknown file: tools/floors does not know its floor' ]
result "a folder of no known floor" $?
finds "a circle" include/ka/owner.h '#include <ka/box.h>\n' \
    'include/ka/owner.h:1: circle: include/ka/box.h -> include/ka/owner.h -> include/ka/box.h'
finds "a file that includes itself" src/engine/region_range.h '#include "region_range.h"\n' \
    'src/engine/region_range.h:1: circle: src/engine/region_range.h -> src/engine/region_range.h'

"$project/tools/floors" "$work/nowhere" > "$work/words" 2>&1
[ $? -eq 1 ] && grep -q '^usage: ' "$work/words"
result "a folder that is no project" $?

# The same in a copy of the real tree.
mkdir "$work/copy"
cp -r "$project/include" "$project/src" "$project/ports" "$project/tests" "$project/tools" "$project/bindings" "$project/examples" "$work/copy"
echo '#include <ka/locked.h>' >> "$work/copy/src/engine/region.c"
line=$(wc -l < "$work/copy/src/engine/region.c")
"$work/copy/tools/floors" > "$work/words" 2>&1
[ $? -eq 1 ] && [ "$(cat "$work/words")" = "src/engine/region.c:$line: floor 2 includes floor 4: <ka/locked.h>" ]
result "a climb in a copy of this tree" $?

plan
