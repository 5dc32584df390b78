# guest_prepare.sh: run inside the guest before the modules are loaded. Where the kernel can fail allocations, it shall
# fail those that may sleep, too, and keep its stacks to itself.
for attribute in failslab fail_page_alloc; do
    folder=/sys/kernel/debug/$attribute
    [ -d $folder ] || continue
    $b echo N >$folder/ignore-gfp-wait
    $b echo 0 >$folder/verbose
done
if [ -d /sys/kernel/debug/fail_page_alloc ]; then
    $b echo N >/sys/kernel/debug/fail_page_alloc/ignore-gfp-highmem
    $b echo 0 >/sys/kernel/debug/fail_page_alloc/min-order
fi
