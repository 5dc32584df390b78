#!/bin/sh
# Builds the stand-in for ntoskrnl.exe against the Wine that is installed. Usage: build.sh OUT
#   OUT/ntoskrnl.exe                        the stand-in
#   OUT/ntwine.dll, OUT/x86_64-windows/...  a copy of Wine's own, unmodified
set -eu
here=$(cd "$(dirname "$0")" && pwd)
[ $# -eq 1 ] || { echo "usage: $0 OUT" >&2; exit 2; }
out=$1
wine=""
for folder in /usr/lib/*-linux-gnu/wine /usr/lib/wine /usr/lib64/wine /opt/wine*/lib*/wine; do
    [ -f "$folder/x86_64-windows/ntoskrnl.exe" ] && wine=$folder/x86_64-windows/ntoskrnl.exe && break
done
[ -n "$wine" ] || { echo "stand-in: Wine's ntoskrnl.exe is not found" >&2; exit 1; }
mkdir -p "$out/x86_64-windows"
cp "$wine" "$out/ntwine.dll"
cp "$wine" "$out/x86_64-windows/ntwine.dll"

root=$here/../../..
gcc="x86_64-w64-mingw32-gcc -std=gnu11 -O2 -Wall -Wextra -Werror -Wno-cast-function-type -I$root"
for file in ntoskrnl hooks; do
    $gcc -isystem "$here/compat" -I"$here/../shim" -I"$root/include" -I"$root/src" -I"$root/tests" -I"$root/tests/kit" \
        -include "$here/compat/names.h" -c "$here/../shim/$file.c" -o "$out/$file.o"
done
$gcc -c "$here/stand_in.c" -o "$out/stand_in.o"

own=$(sed -n 's/^OWN .*[ *]own_\([A-Za-z0-9]*\)(.*/\1/p' "$here/stand_in.c")
{
    echo "LIBRARY ntoskrnl.exe"
    echo "EXPORTS"
    for name in $own; do echo "$name = own_$name"; done
    x86_64-w64-mingw32-objdump -p "$wine" |
        awk -v own="$own" 'BEGIN { n = split(own, list); for (i = 1; i <= n; i++) ours[list[i]] = 1 }
            /\[Ordinal\/Name Pointer\]/ { table = 1; next }
            table && NF == 0 { exit }
            table && !($NF in ours) { print $NF " = ntwine." $NF }'
} >"$out/ntoskrnl.def"
$gcc -shared -s -Wl,--no-insert-timestamp -o "$out/ntoskrnl.exe" "$out/ntoskrnl.o" "$out/hooks.o" "$out/stand_in.o" "$out/ntoskrnl.def" -static-libgcc
