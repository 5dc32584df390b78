# ring_check.sh: run inside the guest by busybox, with examples/linux loaded: what is written to the device is read back.
exec 3<>/dev/ka_ring || exit 1
$b echo first >&3
$b echo second packet >&3
[ "$($b dd bs=4096 count=1 <&3 2>/dev/null)" = first ] || exit 1
[ "$($b dd bs=4096 count=1 <&3 2>/dev/null)" = "second packet" ] || exit 1
$b echo third, which close drops >&3
exec 3>&-
$b echo "the ring gave back what it got"
