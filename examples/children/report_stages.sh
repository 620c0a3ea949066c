#!/bin/sh
# An example child: it tells etl-orch the stages of its work, and what they came to.
#
#   report_stages.sh OUTPUT
#
# It prints messages in the shape of the Airbyte protocol, one JSON object per line, on standard output. Everything else that
# it prints is a log line. Copy the functions; names must not contain double quotes or backslashes, or be escaped as in JSON.
set -eu
output=$1

trace() { printf '{"type":"TRACE","trace":%s}\n' "$1"; }

# stage NAME STARTED | RUNNING | COMPLETE | INCOMPLETE
stage() {
    trace '{"type":"STREAM_STATUS","stream_status":{"stream_descriptor":{"name":"'"$1"'"},"status":"'"$2"'"}}'
}

# expect NAME RECORDS: how many there may be in all
expect() { trace '{"type":"ESTIMATE","estimate":{"type":"STREAM","name":"'"$1"'","row_estimate":'"$2"'}}'; }

# count NAME READ WRITTEN REJECTED [COUNTS]: more by so many since the last time; COUNTS like '"phones checked":594'
count() {
    printf '{"type":"STATE","state":{"type":"STREAM","stream":{"stream_descriptor":{"name":"%s"}},' "$1"
    printf '"sourceStats":{"recordCount":%d},' "$2"
    printf '"destinationStats":{"recordCount":%d,"rejectedRecordCount":%d,"additionalStats":{%s}}}}\n' "$3" "$4" "${5-}"
}

# metric NAME VALUE: more by so much, of the job as a whole
metric() { trace '{"type":"ANALYTICS","analytics":{"type":"'"$1"'","value":"'"$2"'"}}'; }

# log DEBUG | INFO | WARN | ERROR | FATAL MESSAGE
log() { printf '{"type":"LOG","log":{"level":"%s","message":"%s"}}\n' "$1" "$2"; }

# error config_error | transient_error | system_error MESSAGE: the attempt has failed, whatever its exit code
error() { trace '{"type":"ERROR","error":{"failure_type":"'"$1"'","message":"'"$2"'"}}'; }

[ -n "$output" ] || { error config_error "OUTPUT is empty"; exit 1; }

stage "Snowflake Query" STARTED
count "Snowflake Query" 245 245 0
stage "Snowflake Query" COMPLETE

stage "DNC Check" STARTED
expect "DNC Check" 245
for batch in 100 100 45; do
    count "DNC Check" "$batch" $((batch - 5)) 5 "\"phones checked\":$((batch * 3)),\"in DNC\":5"
done
log WARN "15 records are on the list"
stage "DNC Check" COMPLETE

stage "Results Upload" STARTED
metric tokens 48113
metric llm_cost_usd 1.92
echo "230 records" >"$output"
count "Results Upload" 230 230 0
stage "Results Upload" COMPLETE
echo "done"
