# The common part of the ETLs and collectors of the chaos tests. It is sourced with `$gap` set, and with `$file`, a file name for it.
#
# It appends a line to the file `marks` for each event, in a single write: `start`, `end`, and `overlap` when a process of an
# earlier start of the same gap is still alive. The kernel tells that: a process that works on a gap holds a lock on the gap's
# file, by a descriptor that its children inherit, until the last of them is dead.
#
# Its behaviour is random, and depends on the seed, the gap, the fence and the attempt alone.
run=$ETL_ORCH_RUN_ID
identity="$ETL_ORCH_JOB_ID $ETL_ORCH_ATTEMPT $ETL_ORCH_FENCE"
unset LD_PRELOAD

mark() {
    echo "$1 $gap $identity $run" >>marks
}

# Takes a lock. Exit code 99 means that it is held; any other failure is a `flock` that was killed.
lock() {
    flock -n -E 99 "$@" || { [ $? -ne 99 ] || mark overlap; }
}

exec 9>>"locks/$file"
lock 9
# A daemon may outlive its attempt, but not its run. Among runs at the same time, one may leave a daemon while another one
# collects the next windows.
for daemon in daemons/"$file".*; do
    case $daemon$CHAOS_TOGETHER in
        *'.*' | *".$run" | *.yes) ;;
        *) lock "$daemon" rm "$daemon" ;;
    esac
done
mark start

die=$(echo "$CHAOS_SEED $gap $ETL_ORCH_FENCE $ETL_ORCH_ATTEMPT" | cksum)
die=${die%% *}
pause=$((die % 40))
case $((die / 64 % 12)) in
    0) # leaves a child behind, in its own process group
        sleep 1000 &
        ;;
    1) # leaves a daemon behind, that has forked twice into a session of its own
        setsid sh -c '(flock -n 8; exec sleep 1000) 8>>"$0" 9>&- >/dev/null 2>&1 &' "daemons/$file.$run"
        ;;
    5) # leaves one without the environment by which it could be known
        env -i PATH="$PATH" setsid sh -c '(flock -n 8; exec sleep 1000) 8>>"$0" 9>&- >/dev/null 2>&1 &' "daemons/$file.$run"
        ;;
    2) # ignores SIGTERM
        trap '' TERM
        pause=$((100 + pause))
        ;;
    3) # fails, but never in the last attempt
        [ "$ETL_ORCH_ATTEMPT" -ge 3 ] || exit 75
        ;;
    4) # prints a lot
        seq 2000
        ;;
esac
sleep "0.$(printf %03d "$pause")"
