#!/bin/sh
# Unpacks the headers of Debian's newest kernel of a kind, without installing anything (newer ones would bring a kernel
# image with them), so that modules can be built against them.
# Usage: tools/linux-headers.sh OUT PACKAGE     PACKAGE: such as linux-headers-6.12-rt-amd64 or linux-headers-rt-amd64
#   OUT/RELEASE/build   the folder to build against; RELEASE is printed
set -eu
[ $# -eq 2 ] || { echo "usage: $0 OUT PACKAGE" >&2; exit 2; }
depends() # PACKAGE PATTERN
{
    apt-cache depends "$1" | sed -n 's/.*Depends: //p' | grep -E "$2" | head -n 1
}
apt-cache show "$2" >/dev/null 2>&1 || apt-get update >/dev/null 2>&1 || true
headers=$(depends "$2" '^linux-headers-')
[ -n "$headers" ] || { echo "linux-headers: apt knows no package $2" >&2; exit 1; }
release=${headers#linux-headers-}
mkdir -p "$1/$release"
cd "$1/$release"
echo "$release"
[ -f build/Makefile ] && exit 0

common=$(depends "$headers" '^linux-headers-.*common') kbuild=$(depends "$headers" '^linux-kbuild-')
{ apt-get download "$headers" "$common" "$kbuild" ||
    { apt-get update && apt-get download "$headers" "$common" "$kbuild"; }; } >download.log 2>&1 ||
    { cat download.log >&2; exit 1; }
for package in ./*.deb; do
    dpkg-deb -x "$package" .
done
rm -f ./*.deb
echo "include $(pwd)/usr/src/$common/Makefile" >"usr/src/$headers/Makefile"
rm -f "usr/src/$headers/vmlinux" # else the build wants pahole, for BTF
ln -s "usr/src/$headers" build
