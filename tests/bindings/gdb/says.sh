# says.sh: for scripts that run gdb and look for words in what it says. `work` is their folder.
count=0
failures=0

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
    count=$((count + 1))
    if grep -qF -e "$2" "$work/words"; then
        echo "ok $count - gdb: $1"
    else
        failures=$((failures + 1))
        echo "# not shown: $2"
        sed 's/^/#   /' "$work/words" | head -n 60
        echo "not ok $count - gdb: $1"
    fi
}
