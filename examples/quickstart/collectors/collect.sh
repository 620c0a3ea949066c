#!/bin/sh
# Collects the disclosures that were filed in a window of time, and merges them into a file by their ids.
#
#   collect.sh --from FILE --start 2025-01-01T00:00:00Z --end 2025-02-01T00:00:00Z --into FILE
#
# A window is from --start up to, but without, --end. The same window may be collected again: what has an id that is there already
# takes its place. Nothing but a whole file ever stands under the name given by --into.
set -eu
LC_ALL=C
export LC_ALL

EX_USAGE=64     # wrong options: trying again is no use
EX_DATAERR=65   # the file is malformed: trying again is no use until it changes
EX_NOINPUT=66   # there is no file yet: not a failure, look again later
EX_CANTCREAT=73 # the result cannot be written: may pass

die() {
    code=$1
    shift
    printf 'collect: %s\n' "$*" >&2
    exit "$code"
}

from='' start='' end='' into=''
while [ $# -gt 0 ]; do
    option=$1
    shift
    [ $# -gt 0 ] || die $EX_USAGE "$option needs a value"
    case $option in
        --from) from=$1 ;;
        --start) start=$1 ;;
        --end) end=$1 ;;
        --into) into=$1 ;;
        *) die $EX_USAGE "unknown option '$option'" ;;
    esac
    shift
done
[ -n "$from" ] && [ -n "$start" ] && [ -n "$end" ] && [ -n "$into" ] || die $EX_USAGE "needs --from, --start, --end and --into"
for time in "$start" "$end"; do
    case $time in
        [0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]T[0-9][0-9]:[0-9][0-9]:[0-9][0-9]Z) ;;
        *) die $EX_USAGE "'$time' is not a time such as 2025-01-01T00:00:00Z" ;;
    esac
done
[ -f "$from" ] || die $EX_NOINPUT "no file at $from"

mkdir -p -- "$(dirname -- "$into")" 2>/dev/null || die $EX_CANTCREAT "cannot make the directory of $into"
[ -e "$into" ] || : 2>/dev/null >"$into" || die $EX_CANTCREAT "cannot write $into"
part=$into.part
trap 'rm -f -- "$part"' EXIT
trap 'exit 143' HUP INT TERM

# Times in this form sort as texts. File descriptor 3 is what is said at the end; standard output is the merged file.
status=0
COLLECT_START=$start COLLECT_END=$end awk -f "$(dirname -- "$0")/merge.awk" "$into" "$from" 3>&1 >"$part" || status=$?
case $status in
    0) ;;
    65) exit $EX_DATAERR ;;
    *) die $EX_CANTCREAT "awk ended with $status; nothing was collected" ;;
esac
# A full disk does not make every awk fail: the last line tells whether the file is whole.
[ "$(tail -n 1 -- "$part")" = "# end" ] || die $EX_CANTCREAT "the result was cut short (is the disk full?)"
mv -f -- "$part" "$into" || die $EX_CANTCREAT "cannot rename $part to $into"
