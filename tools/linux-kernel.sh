#!/bin/sh
# Gets one of Debian's kernels without installing it: downloads its package and unpacks vmlinux, which
# QEMU boots faster than bzImage.
# Usage: tools/linux-kernel.sh OUT [RELEASE]    writes OUT/vmlinux (not if it is packed by zstd), OUT/bzImage, OUT/release
#   RELEASE  default: the one that matches the installed linux-headers, and that modules are built for
set -eu
[ $# -ge 1 ] || { echo "usage: $0 OUT [RELEASE]" >&2; exit 2; }
release=${2:-$(find /lib/modules -mindepth 1 -maxdepth 1 -name '*-amd64' ! -name '*-rt-*' ! -name '*-cloud-*' \
    -printf '%f\n' | sort -V | tail -n 1)}
[ -n "$release" ] || { echo "linux-kernel: no linux-headers-amd64 is installed" >&2; exit 1; }
mkdir -p "$1"
cd "$1"
[ -f bzImage ] && [ "$(cat release 2>/dev/null)" = "$release" ] && exit 0

{ apt-get download "linux-image-$release" || { apt-get update && apt-get download "linux-image-$release"; }; } \
    >download.log 2>&1 || { cat download.log >&2; exit 1; }
dpkg-deb --fsys-tarfile "linux-image-${release}_"*.deb | tar -xO "./boot/vmlinuz-$release" >bzImage
rm -f "linux-image-${release}_"*.deb
# The boot protocol: the payload's offset and length are in the header, after the set-up sectors. Debian 12's own is xz.
rm -f vmlinux
python3 - <<'END'
import lzma, struct
image = open("bzImage", "rb").read()
start = (image[0x1F1] + 1) * 512 + struct.unpack_from("<I", image, 0x248)[0]
length = struct.unpack_from("<I", image, 0x24C)[0]
payload = image[start:start + length]
if payload.startswith(b"\xfd7zXZ"):
    open("vmlinux", "wb").write(lzma.LZMADecompressor().decompress(payload))
END
echo "$release" >release
