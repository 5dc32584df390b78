#!/bin/sh
# Puts the source tree of the Linux module together, as DKMS wants it, and builds it.
# Usage: tools/linux-module.sh OUT [KERNEL_BUILD_FOLDER...]
#   OUT/kernel-alloc-VERSION   the tree: copy it to /usr/src for DKMS
#   OUT/RELEASE                what is built for each kernel; none given: only the tree
#   OUT/RELEASE-tests          and so on: the module of each folder that KA_LINUX_EXTRA names ("tests/linux bench/linux")
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
[ $# -ge 1 ] || { echo "usage: $0 OUT [KERNEL_BUILD_FOLDER...]" >&2; exit 2; }
out=$1
shift
version=$(sed -n 's/^PACKAGE_VERSION="\(.*\)"/\1/p' "$here/ports/linux/dkms.conf")
tree=$out/kernel-alloc-$version
rm -rf "$tree"
mkdir -p "$tree/ports"
cp -r "$here/src" "$here/include" "$here/LICENSE" "$tree/"
cp -r "$here/ports/linux" "$here/ports/contract.h" "$tree/ports/"
rm -rf "$tree/src/base/msvc"
mv "$tree/ports/linux/Kbuild" "$tree/ports/linux/dkms.conf" "$tree/"

# Exported: what the public headers declare and some source defines; the formatter, for tests and tools.
names=$(mktemp)
trap 'rm -f "$names"' EXIT
cat "$tree"/include/ka/*.h "$tree"/src/base/format.h | grep -oE '\bka_[a-z0-9_]+' | sort -u >"$names"
{
    echo '/* exports.c: made by tools/linux-module.sh from the public headers. */'
    echo '#include <linux/export.h>'
    echo '#include <linux/module.h>'
    echo
    echo '#include <ka.h>'
    echo '#include <ka/linux.h>'
    echo
    echo '#include "base/format.h"'
    echo
    cat "$tree"/src/*/*.c "$tree"/ports/linux/*.c |
        sed -nE 's/^(KA_NOINLINE )?[a-z][A-Za-z0-9_ *]*[ *](ka_[a-z0-9_]+)(\(.*|( = .*)?;)$/\2/p' | sort -u |
        comm -12 - "$names" | sed 's/.*/EXPORT_SYMBOL_GPL(&);/'
} >"$tree/ports/linux/exports.c"

for kernel in "$@"; do
    release=$(sed -n 's/.*UTS_RELEASE "\(.*\)"/\1/p' "$kernel/include/generated/utsrelease.h")
    cp -r "$tree" "$out/$release.tmp"
    rm -rf "${out:?}/$release"
    mv "$out/$release.tmp" "$out/$release"
    built=$(cd "$out/$release" && pwd)
    make -s -C "$kernel" M="$built" modules
    for folder in ${KA_LINUX_EXTRA:-}; do # a folder with a Kbuild file, such as tests/linux
        extra=$built-${folder%%/*}
        rm -rf "$extra"
        cp -r "$tree" "$extra"
        cp -r "$here/tests" "$extra/"
        mkdir -p "$extra/$folder"
        cp "$here/$folder"/* "$extra/$folder/"
        mv "$extra/$folder/Kbuild" "$extra/"
        make -s -C "$kernel" M="$extra" KBUILD_EXTRA_SYMBOLS="$built/Module.symvers" modules
    done
done
