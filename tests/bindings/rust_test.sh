#!/bin/sh
# rust_test.sh: the Rust crate over the user port: contracts of both traits, the documents' examples, a whole program.
# cargo and rustc are the first on the PATH, Debian's or newer; no crate but ours is used. Prints TAP.
set -eu
cd "$(dirname "$0")/../.."
PATH=$PATH:${HOME:-/root}/.cargo/bin
if ! command -v cargo >/dev/null; then
    echo "Bail out! no cargo"
    exit 1
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

flags="-std=c11 -D_GNU_SOURCE -O2 -Wall -Wextra -Werror -Iinclude -Isrc -I. -Isrc/base/gnu -Iports/user -pthread -fPIC"
mkdir "$work/objects"
for source in src/base/*.c src/engine/*.c src/heap/*.c src/layer/*.c ports/user/port.c ports/user/pages.c \
    ports/user/threads.c ports/user/cells.c bindings/rust/tests/support.c; do
    # shellcheck disable=SC2086
    gcc $flags -c "$source" -o "$work/objects/$(echo "$source" | tr / _).o"
done
ar rcs "$work/libka.a" "$work"/objects/*.o

# The Allocator trait is unstable: this lets a stable compiler use it.
cp -r bindings docs "$work/"
export KA_LIB_DIR="$work" CARGO_TARGET_DIR="$work/target" RUSTC_BOOTSTRAP=1
status=0
(cd "$work/bindings/rust" && cargo test --offline --release --features allocator_api) >"$work/log" 2>&1 || status=$?
echo "# $(rustc --version)"
awk '
    /^     Running |^   Doc-tests / { suite = $1 == "Running" ? $2 : "documents"; sub(/^tests\//, "", suite) }
    /^test .* \.\.\. / {
        name = $0; sub(/^test /, "", name); sub(/ \.\.\. .*$/, "", name); result = $NF
        printf "%sok %d - rust: %s: %s%s\n", result == "FAILED" ? "not " : "", ++count, suite, name,
            result == "ignored" ? " # SKIP not compiled" : ""
    }
    END { printf "1..%d\n", count }' "$work/log"
[ "$status" -eq 0 ] || sed 's/^/# /' "$work/log"
exit "$status"
