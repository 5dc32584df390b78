#!/bin/sh
# programs_test.sh: real programs that are hard on memory run to their end on this library's heap, by LD_PRELOAD: parts of
# Python's own tests, redis under its benchmark and its client, compilers and a linker that work on several threads.
# What is not installed is skipped. KA_MALLOC_LIBRARY: the library to test; without it, the one that was built. TAP.
cd "$(dirname "$0")/../.." || exit 1
suite=programs
. tests/kit/tap.sh

library=${KA_MALLOC_LIBRARY:-$(pwd)/build/host/libka-malloc.so}
if [ ! -f "$library" ]; then
    skip "programs" "$library is not built"
    plan
    exit
fi

# on_heap COMMAND...: misuse is reported on standard error, with this word.
on_heap()
{
    LD_PRELOAD=$library timeout 120 "$@"
}
reported()
{
    grep -q "^malloc: \|^heap: \|panic" "$work/words"
}

# ---- Python's own tests ----

python="python3 -m test --fail-env-changed"
for parts in "test_list test_dict test_set test_bytes test_array test_deque test_memoryview test_sort" \
    "test_gc test_weakref test_thread test_threading_local test_queue test_re test_json test_mmap"; do
    name="python3's $parts"
    if ! python3 -c 'import test.test_list, test.test_gc' 2> /dev/null; then
        skip "$name" "libpython3.11-testsuite is not installed"
        continue
    fi
    # shellcheck disable=SC2086
    (cd "$work" && PYTHONMALLOC=malloc on_heap $python $parts > words 2>&1)
    [ $? -eq 0 ] && grep -q "^Result: SUCCESS\|^Tests result: SUCCESS\|== Tests result: SUCCESS" "$work/words" && ! reported
    result "$name" $?
done

# ---- redis ----

redis()
{
    socket=$work/redis.sock
    LD_PRELOAD=$library redis-server --port 0 --unixsocket "$socket" --dir "$work" --save '' --appendonly no \
        --daemonize no > "$work/words" 2>&1 &
    server=$!
    for _ in $(seq 240); do
        [ -S "$socket" ] || ! kill -0 "$server" 2> /dev/null && break
        sleep 0.5
    done
    on_heap redis-benchmark -s "$socket" -q -n 20000 -d 200 -r 5000 -t set,get,lpush,lpop,sadd,zadd,hset >> "$work/words" 2>&1
    status=$?
    # A fork of the server writes everything down; the rest by the client.
    [ "$(on_heap redis-cli -s "$socket" save 2>> "$work/words")" = OK ] && [ -s "$work/dump.rdb" ] || status=1
    on_heap redis-cli -s "$socket" bgsave >> "$work/words" 2>&1
    on_heap redis-cli -s "$socket" eval 'local t = {} for i = 1, 100000 do t[i] = tostring(i) end return #table.concat(t)' 0 \
        > "$work/found" 2>> "$work/words"
    [ "$(cat "$work/found")" = 488895 ] || status=1
    on_heap redis-cli -s "$socket" shutdown nosave >> "$work/words" 2>&1
    wait $server || status=1
    return $status
}
if command -v redis-server > /dev/null && command -v redis-benchmark > /dev/null; then
    redis && ! reported
    result "redis under its benchmark and its client" $?
else
    skip "redis under its benchmark and its client" "redis is not installed"
fi

# ---- several threads ----

mkdir "$work/objects"
for file in src/base/*.c src/engine/*.c; do
    cc -std=c11 -O1 -g -Iinclude -Isrc -I. -Isrc/base/gnu -c "$file" -o "$work/objects/$(basename "$file").o" || break
done
if command -v ld.lld > /dev/null; then
    ld.lld --threads=1 -r -o "$work/expected" "$work"/objects/*.o > "$work/words" 2>&1 &&
        on_heap ld.lld --threads=8 -r -o "$work/found" "$work"/objects/*.o >> "$work/words" 2>&1 &&
        cmp "$work/expected" "$work/found" >> "$work/words" 2>&1 && ! reported
    result "ld.lld on 8 threads" $?
else
    skip "ld.lld on 8 threads" "it is not installed"
fi
if command -v rustc > /dev/null && rustc --version > /dev/null 2>&1; then
    cat > "$work/many.rs" << 'END'
use std::collections::{BTreeMap, HashMap};
pub fn words(text: &str) -> BTreeMap<String, usize> {
    let mut all: HashMap<String, usize> = HashMap::new();
    for word in text.split_whitespace() { *all.entry(word.to_lowercase()).or_insert(0) += 1; }
    all.into_iter().collect()
}
fn main() {
    let lines: Vec<String> = (0..2000).map(|i| format!("a{} b{} c", i % 7, i % 11)).collect();
    let threads: Vec<_> = lines.chunks(500).map(|c| c.join(" ")).map(|t| std::thread::spawn(move || words(&t).len())).collect();
    println!("{}", threads.into_iter().map(|t| t.join().unwrap()).sum::<usize>());
}
END
    on_heap rustc -O -C codegen-units=8 "$work/many.rs" -o "$work/many" > "$work/words" 2>&1 &&
        [ "$(on_heap "$work/many" 2>> "$work/words")" = 76 ] && ! reported
    result "rustc on several threads, and what it makes" $?
else
    skip "rustc on several threads, and what it makes" "it is not installed"
fi

plan
