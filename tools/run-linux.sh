#!/bin/sh
# Boots a Linux kernel in QEMU with a RAM disk of busybox and modules, loads them in order, unloads them in the reverse
# order, and powers off; the console goes to standard output.
# Usage: tools/run-linux.sh FOLDER_OF_KERNEL "kernel command line words" "MODULE.ko [PARAMETER=VALUE...]"...
#   CPUS  virtual CPUs (2)   SECONDS_MAX  the machine is killed after so long (300)   MEMORY_MIB  its memory (512)
#   CHECK  a shell script that runs when all are loaded, with busybox as $b
#   PREPARE  a shell script that runs before the first is loaded
#   QEMU_MORE  more options for QEMU, such as -singlestep
set -eu
[ $# -ge 3 ] || { echo "usage: $0 FOLDER_OF_KERNEL WORDS MODULE.ko..." >&2; exit 2; }
kernel=$1 words=$2
shift 2
mib=${MEMORY_MIB:-512} memory="-m ${MEMORY_MIB:-512}"
[ "${CPUS:-2}" -eq 1 ] || memory="$memory -object memory-backend-ram,id=m0,size=$((mib / 2))M \
    -object memory-backend-ram,id=m1,size=$((mib - mib / 2))M -numa node,nodeid=0,cpus=0,memdev=m0 \
    -numa node,nodeid=1,cpus=1-$((${CPUS:-2} - 1)),memdev=m1"
image=$kernel/vmlinux
[ -f "$image" ] || image=$kernel/bzImage
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/root/bin" "$work/root/proc" "$work/root/sys" "$work/root/dev"
cp /bin/busybox "$work/root/bin/"
loads=""
for module in "$@"; do
    file=${module%% *}
    name=$(basename "$file" .ko)
    strip -g -o "$work/root/$name.ko" "$file"
    loads="$loads
\$b insmod /$name.ko${module#"$file"} && loaded=\"$name \$loaded\""
done
cat >"$work/root/init" <<END
#!/bin/busybox sh
b=/bin/busybox
\$b mount -t proc proc /proc
\$b mount -t sysfs sys /sys
\$b mount -t debugfs debugfs /sys/kernel/debug
\$b mount -t tracefs tracefs /sys/kernel/tracing
export b
[ -f /prepare ] && \$b sh /prepare
loaded=""$loads
[ -f /check ] && \$b mount -t devtmpfs dev /dev && \$b sh /check
for name in \$loaded; do
    \$b rmmod \$name
done
\$b echo "the modules are gone"
\$b poweroff -f
END
chmod +x "$work/root/init"
[ -z "${PREPARE:-}" ] || cp "$PREPARE" "$work/root/prepare"
[ -z "${CHECK:-}" ] || cp "$CHECK" "$work/root/check"
(cd "$work/root" && find . | cpio -o -H newc --quiet | gzip -1) >"$work/initrd.gz"
# shellcheck disable=SC2086
timeout -k 5 "${SECONDS_MAX:-300}" qemu-system-x86_64 -M q35 -cpu qemu64 ${QEMU_MORE:-} \
    -smp "${CPUS:-2},sockets=${CPUS:-2}" $memory -kernel "$image" -initrd "$work/initrd.gz" -nographic -no-reboot -nodefaults -serial stdio -monitor none \
    -append "console=ttyS0 panic=-1 oops=panic loglevel=7 mitigations=off nokaslr no_timer_check $words" </dev/null
