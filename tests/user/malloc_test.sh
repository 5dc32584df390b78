#!/bin/sh
# malloc_test.sh: programs that know nothing of this library run on its heap by LD_PRELOAD: the promises of the C and
# C++ names (malloc/facts.c, facts.cc), and real programs, whose output must be what it is without. Prints TAP.
# KA_MALLOC_LIBRARY: the library to test; without it, it is compiled here from the sources.
cd "$(dirname "$0")/../.." || exit 1
suite=malloc
. tests/kit/tap.sh

library=$KA_MALLOC_LIBRARY
if [ -z "$library" ]; then
    library=$work/libka-malloc.so
    : > "$work/words"
    # shellcheck disable=SC2046
    ${CC:-gcc} -std=c11 -O2 -D_GNU_SOURCE -Iinclude -Isrc -I. -Isrc/base/gnu -Iports/user -shared -fPIC -pthread \
        -fvisibility=hidden -fno-builtin-malloc -ftls-model=initial-exec src/base/*.c src/engine/*.c src/heap/*.c \
        ports/user/*.c -o "$library" -ldl > "$work/words" 2>&1
    result "the library compiles" $?
fi

# on_heap COMMAND...: runs it on the heap; a report of misuse, or any other word on standard error, counts as failure.
on_heap()
{
    LD_PRELOAD=$library timeout 60 "$@" 2> "$work/errors"
    status=$?
    if [ -s "$work/errors" ]; then
        cat "$work/errors" > "$work/words"
        return 1
    fi
    return $status
}

# same NAME COMMAND...: standard output is the same with and without.
same()
{
    name=$1
    shift
    if ! command -v "$1" > /dev/null; then
        skip "$name" "$1 is not installed"
        return
    fi
    "$@" > "$work/expected" 2> "$work/words" < "$work/input"
    expected=$?
    on_heap "$@" > "$work/found" < "$work/input"
    found=$?
    cmp "$work/expected" "$work/found" >> "$work/words" 2>&1
    different=$?
    [ $found -eq $expected ] && [ $different -eq 0 ] && [ -s "$work/expected" ]
    result "$name" $?
}

for level in -O0 -O2; do
    ${CC:-gcc} -std=c11 -D_GNU_SOURCE $level -fno-builtin -pthread -Wno-deprecated-declarations \
        tests/user/malloc/facts.c -o "$work/facts" > "$work/words" 2>&1 && on_heap "$work/facts" > "$work/words"
    result "the C library's names, $level" $?
done
if command -v "${CXX:-g++}" > /dev/null; then
    ${CXX:-g++} -std=c++17 -O1 -fno-builtin -pthread tests/user/malloc/facts.cc -o "$work/facts" > "$work/words" 2>&1 &&
        on_heap "$work/facts" > "$work/words"
    result "C++'s operators and containers" $?
else
    skip "C++'s operators and containers" "no C++ compiler"
fi

# Text to chew on.
for round in 1 2 3 4 5 6 7 8; do
    cat src/*/*.c include/ka/*.h
    echo "$round"
done > "$work/input"

cat > "$work/stress.py" << 'END'
import hashlib, json, random, threading, zlib
random.seed(5)
def work(seed, out):
    r = random.Random(seed)
    d = {}
    for i in range(20000):
        d[r.randrange(5000)] = [str(i) * r.randrange(1, 30), bytes(r.randrange(3000)), {i: [i] * r.randrange(20)}]
    out[seed] = hashlib.sha256(json.dumps({k: v[0] for k, v in sorted(d.items())}).encode()).hexdigest()
out = {}
threads = [threading.Thread(target=work, args=(s, out)) for s in range(3)]
for t in threads: t.start()
for t in threads: t.join()
text = ''.join(chr(97 + random.randrange(26)) for _ in range(300000))
print(sorted(out.items()), len(zlib.compress(text.encode() * 4)), sum(map(len, sorted(text.split('e')))))
END
same "python3" python3 "$work/stress.py"
PYTHONMALLOC=malloc
export PYTHONMALLOC
same "python3 with every object from malloc" python3 "$work/stress.py"
unset PYTHONMALLOC
same "perl" perl -e 'my %h; while (<STDIN>) { $h{$_}++ for split /\W+/; push @l, [split //]; }
    print "$_ $h{$_}\n" for sort { $h{$b} <=> $h{$a} || $a cmp $b } keys %h; print scalar(@l), "\n";'
same "sort" sort -k2
same "sort with threads" sort --parallel=4 -S 40M -u
same "awk" awk '{ for (i = 1; i <= NF; i++) n[$i]++ } END { for (w in n) if (n[w] > 50) print n[w], w | "sort" }'
same "xz" xz -T2 -3 -c
same "gcc" "${CC:-gcc}" -std=c11 -O2 -Iinclude -Isrc -I. -Isrc/base/gnu -S -o - src/engine/slab.c
same "g++" "${CXX:-g++}" -std=c++17 -S -o - tests/user/malloc/facts.cc
same "git" git -c safe.directory='*' log --stat
if command -v sqlite3 > /dev/null; then
    cat > "$work/query.sql" << 'END'
create table t(a integer primary key, b text, c real);
with recursive n(i) as (select 1 union all select i + 1 from n where i < 60000)
insert into t select i, printf('%d-%s', i * 7919 % 60000, hex(i * i)), i / 3.0 from n;
create index u on t(b);
select count(*), sum(c), min(b), max(b) from t;
select substr(b, 1, 2) as p, count(*), group_concat(a) from t group by p order by p limit 40;
delete from t where a % 3 = 0;
vacuum;
select count(*), max(b) from t;
END
    cp "$work/query.sql" "$work/input"
fi
same "sqlite3" sqlite3 :memory:

plan
