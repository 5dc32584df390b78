#!/bin/sh
# Gets the Debian kernel that matches the installed linux-headers, without installing it: downloads its package and
# unpacks vmlinux, which QEMU boots directly, and the modules of a RAM disk are built for.
# Usage: tools/linux-kernel.sh OUT    writes OUT/vmlinux and OUT/release
set -eu
[ $# -eq 1 ] || { echo "usage: $0 OUT" >&2; exit 2; }
release=$(find /lib/modules -mindepth 1 -maxdepth 1 -name '*-amd64' ! -name '*-rt-*' ! -name '*-cloud-*' -printf '%f\n' |
    sort -V | tail -n 1)
[ -n "$release" ] || { echo "linux-kernel: no linux-headers-amd64 is installed" >&2; exit 1; }
mkdir -p "$1"
cd "$1"
[ -f vmlinux ] && [ "$(cat release 2>/dev/null)" = "$release" ] && exit 0

{ apt-get download "linux-image-$release" || { apt-get update && apt-get download "linux-image-$release"; }; } \
    >download.log 2>&1 || { cat download.log >&2; exit 1; }
dpkg-deb --fsys-tarfile "linux-image-${release}_"*.deb | tar -xO "./boot/vmlinuz-$release" >bzImage
rm -f "linux-image-${release}_"*.deb
# The boot protocol: the payload's offset and length are in the header, after the set-up sectors. Debian's is xz.
python3 - <<'END'
import lzma, struct
image = open("bzImage", "rb").read()
start = (image[0x1F1] + 1) * 512 + struct.unpack_from("<I", image, 0x248)[0]
length = struct.unpack_from("<I", image, 0x24C)[0]
open("vmlinux", "wb").write(lzma.LZMADecompressor().decompress(image[start:start + length]))
END
echo "$release" >release
