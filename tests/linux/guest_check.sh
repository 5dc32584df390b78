# guest_check.sh: run inside the guest by busybox, with all modules loaded. It prints TAP lines without numbers.

result() # STATUS NAME
{
    if [ "$1" -eq 0 ]; then
        $b echo "TAP ok - $2"
    else
        $b echo "TAP not ok - $2"
    fi
}

# What is written to the example's device is read back.
ring()
{
    exec 3<>/dev/ka_ring || return 1
    $b echo first >&3
    $b echo second packet >&3
    [ "$($b dd bs=4096 count=1 <&3 2>/dev/null)" = first ] || return 1
    [ "$($b dd bs=4096 count=1 <&3 2>/dev/null)" = "second packet" ] || return 1
    $b echo third, which close drops >&3
    exec 3>&-
}

ring
result $? "guest: the example device gives back what it got"
$b echo "the checks in the guest are over"
