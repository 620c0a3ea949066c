#!/bin/sh
# The ETL of the chaos tests: sh etl.sh ETL BANK_KEY PERIOD OUTPUT-OR-BANK_ID
etl=$1 bank=$2 period=$3 output=$4
gap=$bank/$period/$etl
file=$bank.$period.$etl
. ./child.sh
[ ! -e "broken/$file" ] || exit 75

case $etl in
    call_summary)
        echo "$gap $identity" >"$output" || exit 75
        ;;
    key_themes)
        . ./sql.sh
        sql "INSERT INTO aegis_reports (report_name, report_description, report_type, bank_id, bank_name, bank_symbol, fiscal_year, quarter,
                markdown_content) VALUES ('Name', 'Description', 'Key Themes', $output, 'Bank', '${bank%-*}', ${period%Q*}, 'Q${period#*Q}',
                '$gap $identity') ON CONFLICT (bank_id, fiscal_year, quarter, report_type) DO UPDATE
                SET markdown_content = excluded.markdown_content" || exit 75
        ;;
esac
mark end
