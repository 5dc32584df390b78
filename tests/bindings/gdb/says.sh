# says.sh: for scripts that run gdb and look for words in what it says; after tests/kit/tap.sh.

# gdb_says COMMAND_FILE ARGUMENTS...: what gdb says is in $work/words. It loads the scripts of programs in $work.
gdb_says()
{
    file=$1
    shift
    LC_ALL=C.UTF-8 timeout 120 gdb -nx -q -batch -iex "set auto-load safe-path $work" -x "$file" "$@" >"$work/words" \
        2>&1 </dev/null || true
}

# shows NAME TEXT: the words have the text.
shows()
{
    status=0
    grep -qF -e "$2" "$work/words" || status=$?
    [ "$status" -eq 0 ] || echo "# not shown: $2"
    result "$1" "$status"
}
