#!/bin/sh
# Writes the themes of the questions and answers of one earnings call: what was asked, by whom, and how
# management answered.
#
#   key_themes.sh --transcript FILE --bank NAME --period 2025Q2 --output FILE
#
# The report itself is written by lib/key_themes.awk; options, exit codes and the safe writing of the
# output are shared with call_summary.sh, in lib/report.sh.
set -eu
exec sh "$(dirname -- "$0")/lib/report.sh" key_themes "$@"
