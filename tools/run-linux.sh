#!/bin/sh
# Boots Debian's kernel in QEMU with a RAM disk of busybox and modules, loads them in order, unloads them in the reverse
# order, and powers off; the console goes to standard output.
# Usage: tools/run-linux.sh FOLDER_OF_VMLINUX "kernel command line words" MODULE.ko...
#   CPUS  virtual CPUs (2)   SECONDS_MAX  the machine is killed after so long (300)   MEMORY_MIB  its memory (512)
#   CHECK  a shell script that runs when all are loaded, with busybox as $b
#   QEMU_MORE  more options for QEMU, such as -singlestep
set -eu
[ $# -ge 3 ] || { echo "usage: $0 FOLDER_OF_VMLINUX WORDS MODULE.ko..." >&2; exit 2; }
kernel=$1 words=$2
shift 2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/root/bin" "$work/root/proc" "$work/root/sys" "$work/root/dev"
cp /bin/busybox "$work/root/bin/"
names=""
for module in "$@"; do
    name=$(basename "$module" .ko)
    strip -g -o "$work/root/$name.ko" "$module"
    names="$names $name"
done
cat >"$work/root/init" <<END
#!/bin/busybox sh
b=/bin/busybox
\$b mount -t proc proc /proc
\$b mount -t sysfs sys /sys
\$b mount -t debugfs debugfs /sys/kernel/debug
export b
loaded=""
for name in$names; do
    \$b insmod /\$name.ko && loaded="\$name \$loaded"
done
[ -f /check ] && \$b mount -t devtmpfs dev /dev && \$b sh /check
for name in \$loaded; do
    \$b rmmod \$name
done
\$b echo "the modules are gone"
\$b poweroff -f
END
chmod +x "$work/root/init"
[ -z "${CHECK:-}" ] || cp "$CHECK" "$work/root/check"
(cd "$work/root" && find . | cpio -o -H newc --quiet | gzip -1) >"$work/initrd.gz"
# shellcheck disable=SC2086
timeout -k 5 "${SECONDS_MAX:-300}" qemu-system-x86_64 -M q35 -cpu qemu64 -m "${MEMORY_MIB:-512}" ${QEMU_MORE:-} -smp "${CPUS:-2}" \
    -kernel "$kernel/vmlinux" -initrd "$work/initrd.gz" -nographic -no-reboot -nodefaults -serial stdio -monitor none \
    -append "console=ttyS0 panic=-1 oops=panic loglevel=7 mitigations=off nokaslr $words" </dev/null
