#!/bin/sh
# The collector of the chaos tests: sh collect.sh SOURCE START END
#
# It writes into the file `collected` when it begins to collect, and when it has collected.
source=$1 start=$2 end=$3
gap=source:$source
file=source.$source
echo "begin $source $start $end $ETL_ORCH_FENCE $ETL_ORCH_JOB_ID" >>collected
. ./child.sh

echo "end $source $start $end $ETL_ORCH_FENCE $ETL_ORCH_JOB_ID" >>collected
mark end
echo "collected 3 records"
