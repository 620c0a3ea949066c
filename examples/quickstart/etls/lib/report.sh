#!/bin/sh
# Shared by the programs one folder up: reads the options, checks the files, runs the awk program of the
# report and puts the output in place.
#
#   report.sh REPORT [options]      REPORT is call_summary or key_themes
#
# Nothing but a finished report ever stands under the name given by --output: it is written to
# "<output>.part", checked to be whole, and renamed.
set -eu
LC_ALL=C
export LC_ALL

EX_USAGE=64     # wrong options: the same for every bank, so trying again is no use
EX_DATAERR=65   # the transcript is malformed: trying again is no use until the file changes
EX_NOINPUT=66   # there is no transcript yet: not a failure, look again later
EX_CANTCREAT=73 # the report cannot be written: may pass

report=$1
shift

die() {
    code=$1
    shift
    printf '%s: %s\n' "$report" "$*" >&2
    exit "$code"
}

usage() {
    cat <<USAGE
usage: $report.sh --transcript FILE --bank NAME --period PERIOD --output FILE

  --transcript FILE  the transcript, as plain text
  --bank NAME        the name of the bank, for the heading
  --period PERIOD    the fiscal period, such as 2025Q2; the transcript must not name another
  --output FILE      where to write the report (Markdown); replaced when it exists
  --help             this text

exit codes: 0 written; 64 wrong options; 65 malformed transcript; 66 no transcript yet;
73 the report cannot be written
USAGE
}

transcript='' bank='' period='' output=''
while [ $# -gt 0 ]; do
    option=$1
    shift
    case $option in
        --help | -h)
            usage
            exit 0
            ;;
        --transcript=* | --bank=* | --period=* | --output=*)
            value=${option#*=}
            option=${option%%=*}
            ;;
        --transcript | --bank | --period | --output)
            [ $# -gt 0 ] || die $EX_USAGE "$option needs a value; see --help"
            value=$1
            shift
            ;;
        *) die $EX_USAGE "unknown option '$option'; see --help" ;;
    esac
    [ -n "$value" ] || die $EX_USAGE "$option is empty; see --help"
    case $option in
        --transcript) transcript=$value ;;
        --bank) bank=$value ;;
        --period) period=$value ;;
        --output) output=$value ;;
    esac
done
[ -n "$transcript" ] || die $EX_USAGE "--transcript is missing; see --help"
[ -n "$bank" ] || die $EX_USAGE "--bank is missing; see --help"
[ -n "$period" ] || die $EX_USAGE "--period is missing; see --help"
[ -n "$output" ] || die $EX_USAGE "--output is missing; see --help"
case $bank in
    *[[:cntrl:]]*) die $EX_USAGE "--bank has control characters in it" ;;
esac
case $period in
    [0-9][0-9][0-9][0-9]Q[1-4]) ;;
    [0-9][0-9][0-9][0-9][\ -]Q[1-4]) period=${period%%[ -]*}${period#*[ -]} ;;
    *) die $EX_USAGE "--period '$period' is not a fiscal period such as 2025Q2" ;;
esac
[ "$transcript" != "$output" ] || die $EX_USAGE "--output names the transcript itself"

[ -e "$transcript" ] || die $EX_NOINPUT "no transcript at $transcript"
[ -f "$transcript" ] || die $EX_NOINPUT "$transcript is not a file"
[ -r "$transcript" ] || die $EX_NOINPUT "$transcript cannot be read"
[ -s "$transcript" ] || die $EX_NOINPUT "$transcript is empty; is it still being written?"
[ ! -d "$output" ] || die $EX_CANTCREAT "--output $output is a directory"

lib=$(dirname -- "$0")
part=$output.part

clean_up() { rm -f -- "$part"; }
trap clean_up EXIT
trap 'clean_up; trap - EXIT; exit 129' HUP
trap 'clean_up; trap - EXIT; exit 130' INT
trap 'clean_up; trap - EXIT; exit 143' TERM

(: >"$part") 2>/dev/null || die $EX_CANTCREAT "cannot write $part"

# Names go through the environment: awk would read backslashes in -v values as escapes.
# File descriptor 3 is the line of progress; standard output of awk is the report.
status=0
REPORT_BANK=$bank REPORT_PERIOD=$period REPORT_SOURCE=${transcript##*/} \
    awk -f "$lib/transcript.awk" -f "$lib/$report.awk" <"$transcript" 3>&1 >"$part" || status=$?
case $status in
    0) ;;
    65) exit $EX_DATAERR ;;
    *) die $EX_CANTCREAT "awk ended with $status; no report written" ;;
esac

# A full disk does not make every awk fail: the last line tells whether the report is whole.
case $(tail -n 1 -- "$part") in
    "*Made by $report from "*) ;;
    *) die $EX_CANTCREAT "the report was cut short (is the disk full?)" ;;
esac
mv -f -- "$part" "$output" || die $EX_CANTCREAT "cannot rename $part to $output"
