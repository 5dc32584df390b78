#!/bin/sh
# Everything that is not port code, compiled by clang in MSVC mode. TAP, one line a file and machine.
# It proves the dialect, not Microsoft's compiler: <intrin.h> is clang's, and so is the front end.
set -eu
cd "$(dirname "$0")/../.."
count=0
failed=0
for target in x86_64-pc-windows-msvc aarch64-pc-windows-msvc; do
    for file in src/base/*.c src/engine/*.c src/heap/*.c src/layer/*.c src/owner/*.c src/collection/*.c; do
        [ -f "$file" ] || continue
        count=$((count + 1))
        if errors=$(clang --target=$target -std=c11 -ffreestanding -fms-extensions -fms-compatibility -Wall -Wextra \
            -Wconversion -Wshadow -Wundef -Werror -Iinclude -Isrc -I. -Isrc/base/msvc -Iports/template -fsyntax-only \
            "$file" 2>&1); then
            echo "ok $count - $target: $file"
        else
            echo "not ok $count - $target: $file"
            printf '%s\n' "$errors" | sed 's/^/# /'
            failed=1
        fi
    done
done
echo "1..$count"
exit $failed
