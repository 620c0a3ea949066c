# shellcheck shell=bash disable=SC2154 # read by scripts/bench.sh
# The program itself: its size, and how long it takes to start.

strip -o "$dir/stripped" "$binary"
result bytes stripped 1 "$(stat -c %s "$dir/stripped")" 0 0

ours() { timed "$binary" --version; }
true_program() { timed /bin/true; }
in_turns start 1 50 ours true_program
