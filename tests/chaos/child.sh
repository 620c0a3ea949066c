# What everything that the runs of the chaos tests start has in common: sourced with `$gap` set, and `$file`, a name of it that
# can be a file's.
#
# It tells of itself in the file `marks`, one line for each event, in one write that appends: `start` and `end`, and
# `overlap` when something of an earlier start of the same gap is still alive. The kernel knows that best: whoever works
# on a gap holds a lock on the gap's file, by a descriptor that its children inherit, until the last of them is dead.
#
# How it behaves is thrown with a die that depends on the seed, the gap, the fence and the attempt alone.
run=$ETL_ORCH_RUN_ID
identity="$ETL_ORCH_JOB_ID $ETL_ORCH_ATTEMPT $ETL_ORCH_FENCE"
unset LD_PRELOAD

mark() {
    echo "$1 $gap $identity $run" >>marks
}

# Takes a lock. Held by somebody is something else than a `flock` that did not live long enough to tell.
lock() {
    flock -n -E 99 "$@" || { [ $? -ne 99 ] || mark overlap; }
}

exec 9>>"locks/$file"
lock 9
# A daemon has left its attempt, but must not be there in the next run. Of runs that are together one may leave it while
# another collects what comes next.
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
    2) # does not want to be stopped
        trap '' TERM
        pause=$((100 + pause))
        ;;
    3) # fails for now, but never uses up its attempts
        [ "$ETL_ORCH_ATTEMPT" -ge 3 ] || exit 75
        ;;
    4) # talks a lot
        seq 2000
        ;;
esac
sleep "0.$(printf %03d "$pause")"
