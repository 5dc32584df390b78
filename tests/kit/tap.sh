# tap.sh: what test scripts share. Set `suite` first, the word before each point's name; then `. tests/kit/tap.sh`.
# `work` is a folder of the script's own, gone at its end; what commands say belongs into "$work/words".
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
count=0
failures=0

# result NAME STATUS: a point. If it failed, the first words are shown.
result()
{
    count=$((count + 1))
    if [ "$2" -eq 0 ]; then
        echo "ok $count - $suite: $1"
    else
        failures=$((failures + 1))
        echo "not ok $count - $suite: $1"
        [ ! -f "$work/words" ] || head -n 60 "$work/words" | sed 's/^/# /'
    fi
}

skip() # NAME WHY
{
    count=$((count + 1))
    echo "ok $count - $suite: $1 # SKIP $2"
}

# The last thing in a script.
plan()
{
    echo "1..$count"
    [ "$failures" -eq 0 ]
}
