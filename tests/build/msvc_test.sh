#!/bin/sh
# The library and the Windows port, compiled by clang in MSVC mode for x64 and ARM64, with what clang-cl's /W4 turns on and
# more. TAP, one line a file and machine. It proves the dialect, not Microsoft's compiler: <intrin.h> is clang's, so is the
# front end, and <ntddk.h> is the shim of the tests.
set -eu
cd "$(dirname "$0")/../.."
count=0
failed=0
warnings="-Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wundef -Wstrict-prototypes -Wmissing-prototypes -Wcomma
    -Wno-language-extension-token -Werror" # the extension is __int64

# check TARGET FILE FOLDER...: with these folders on the include path too
check()
{
    target=$1 file=$2
    shift 2
    count=$((count + 1))
    # shellcheck disable=SC2086
    if errors=$(clang --target="$target" -std=c11 -ffreestanding -fms-extensions -fms-compatibility $warnings \
        -Iinclude -Isrc -I. -Isrc/base/msvc "$@" -fsyntax-only "$file" 2>&1); then
        echo "ok $count - $target: $file"
    else
        echo "not ok $count - $target: $file"
        printf '%s\n' "$errors" | sed 's/^/# /'
        failed=1
    fi
}

for target in x86_64-pc-windows-msvc aarch64-pc-windows-msvc; do
    for file in src/*/*.c ports/windows/*.c; do
        check $target "$file" -Iports/windows -isystem tests/windows/shim
    done
done
echo "1..$count"
exit $failed
