#!/bin/sh
# Builds a small kernel with every check that Debian's has not, from Debian's linux-source: KASAN, kmemleak, lockdep,
# sleep-in-atomic, failslab, KUnit. About ten minutes on two cores, 3 GiB of disk.
# Usage: tools/linux-debug-kernel.sh OUT    writes OUT/bzImage, OUT/release and OUT/tree, which modules are built against
#   SOURCE  Debian's package of the source (linux-source-6.1)
set -eu
[ $# -eq 1 ] || { echo "usage: $0 OUT" >&2; exit 2; }
source=${SOURCE:-linux-source-6.1}
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
cd "$1"
[ -f bzImage ] && [ -f release ] && cmp -s config.asked "$here/linux-debug.config" && exit 0

if [ ! -f tree/Makefile ]; then
    { apt-get download "$source" || { apt-get update && apt-get download "$source"; }; } >download.log 2>&1 ||
        { cat download.log >&2; exit 1; }
    rm -rf tree && mkdir tree
    dpkg-deb --fsys-tarfile "${source}_"*.deb | tar -xO "./usr/src/$source.tar.xz" |
        tar -xJ -C tree --strip-components=1
    rm -f "${source}_"*.deb
fi
cp "$here/linux-debug.config" config.asked
rm -f bzImage release
make -s -C tree KCONFIG_ALLCONFIG="$(pwd)/config.asked" allnoconfig
# An option that this kernel does not know, or that another one keeps out, is an error: the checks would be missing.
while read -r line; do
    case $line in
    CONFIG_*) grep -qxF "$line" tree/.config || { echo "linux-debug-kernel: no $line in this kernel" >&2; exit 1; } ;;
    esac
done <config.asked
make -s -C tree -j "${JOBS:-$(nproc)}" bzImage modules
cp tree/arch/x86/boot/bzImage bzImage
make -s -C tree kernelrelease >release
