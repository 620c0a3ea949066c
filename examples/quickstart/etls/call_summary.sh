#!/bin/sh
# Writes a summary of one earnings call: its figures, its guidance and management's points by topic.
#
#   call_summary.sh --transcript FILE --bank NAME --period 2025Q2 --output FILE
#
# The report itself is written by lib/call_summary.awk; options, exit codes and the safe writing of the
# output are shared with key_themes.sh, in lib/report.sh.
set -eu
exec sh "$(dirname -- "$0")/lib/report.sh" call_summary "$@"
