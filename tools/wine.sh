#!/bin/sh
# Runs a Windows program under Wine, with a server of its own, in a prefix that is made on first use; no display.
# What drivers print by DbgPrint goes to standard error. Everything of that prefix is ended afterwards.
# Usage: tools/wine.sh PREFIX PROGRAM.exe ARGUMENT...
#   SECONDS_MAX  the program is ended after so long (300)
#   NTOSKRNL     a folder with ntoskrnl.exe and ntwine.dll, which stand for Wine's own (tests/windows/ntoskrnl)
set -eu
[ $# -ge 2 ] || { echo "usage: $0 PREFIX PROGRAM.exe ARGUMENT..." >&2; exit 2; }
mkdir -p "$1"
WINEPREFIX=$(cd "$1" && pwd)
shift
export WINEPREFIX WINEARCH=win64 WINEDEBUG=-all,warn+debugstr,err+ntoskrnl WINEDLLOVERRIDES="mscoree,mshtml=d"
unset DISPLAY WAYLAND_DISPLAY

end()
{
    timeout -k 5 20 wineserver -k || true
    timeout -k 5 20 wineserver -w || true
}
trap end EXIT
trap 'exit 143' INT TERM
end
if [ ! -f "$WINEPREFIX/made" ]; then
    find "$WINEPREFIX" -mindepth 1 -delete
    if ! timeout -k 5 180 wineboot -i >"$WINEPREFIX/log" 2>&1; then
        cat "$WINEPREFIX/log" >&2
        echo "wine: the prefix could not be made" >&2
        exit 3
    fi
    timeout -k 5 60 wineserver -w
    # How long the service control manager waits for a driver's process: 10 s are too few on a busy machine.
    printf '\n[System\\\\CurrentControlSet\\\\Control]\n"ServicesPipeTimeout"="120000"\n' >>"$WINEPREFIX/system.reg"
    touch "$WINEPREFIX/made"
fi
system=$WINEPREFIX/drive_c/windows/system32
kernel=b
if [ -n "${NTOSKRNL:-}" ]; then
    kernel=n
    cp "$NTOSKRNL/ntoskrnl.exe" "$NTOSKRNL/ntwine.dll" "$system/"
    WINEDLLPATH=$(cd "$NTOSKRNL" && pwd)
    export WINEDLLPATH
fi
export WINEDLLOVERRIDES="$WINEDLLOVERRIDES;ntoskrnl.exe=$kernel"
timeout -k 5 "${SECONDS_MAX:-300}" wine "$@"
