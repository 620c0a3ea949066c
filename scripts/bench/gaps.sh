# shellcheck shell=bash disable=SC2154 # read by scripts/bench.sh
# Gaps among many rows, two reports for each, 40 of which are missing, against the same questions in `psql` and `sqlite3`.

# SQL of the anti-joins: kind.
anti_joins() {
    local type has="a.database_names @> ARRAY['transcripts']"
    [ "$1" = postgres ] || has="EXISTS (SELECT 1 FROM json_each(a.database_names) WHERE value = 'transcripts')"
    for type in Summary Themes; do
        echo "SELECT a.bank_id, a.bank_symbol, a.fiscal_year, a.quarter FROM aegis_data_availability a WHERE $has AND NOT EXISTS (
                  SELECT 1 FROM aegis_reports r WHERE r.bank_id = a.bank_id AND r.fiscal_year = a.fiscal_year
                  AND r.quarter = a.quarter AND r.report_type = '$type');"
    done
}

# SQL of the counts that are printed beside the gaps, without what makes them safe with rows of wrong types.
counts() {
    local has="a.database_names @> ARRAY['transcripts']"
    [ "$1" = postgres ] || has="EXISTS (SELECT 1 FROM json_each(a.database_names) WHERE value = 'transcripts')"
    echo "SELECT a.bank_id, a.bank_symbol, a.quarter, min(a.fiscal_year), max(a.fiscal_year), count(DISTINCT a.fiscal_year)
          FROM aegis_data_availability a WHERE $has GROUP BY 1, 2, 3;"
}
for kind in sqlite postgres; do
    anti_joins $kind >"$dir/anti_joins_$kind.sql"
    { anti_joins $kind; counts $kind; } >"$dir/with_counts_$kind.sql"
done

ours() { timed "$binary" --dry-run --config "$dir/gaps_$1/etl-orch.yaml"; }
# Which questions.
psql_asks() { timed "${psql_command[@]}" -d gaps_postgres -f "$dir/$1_postgres.sql" -o "$dir/rows"; }
sqlite3_asks() { timed sqlite3 "$dir/gaps_sqlite/var/etl-orch.db" -cmd ".output $dir/rows" ".read $dir/$1_sqlite.sql"; }

# Banks, first and last year, rounds.
rows() {
    local kind
    for kind in sqlite postgres; do
        etls true Summary Themes | fresh_world $kind gaps_$kind "$1"
        {
            availability $kind "$1" "$2" "$3"
            reports
            echo "DELETE FROM aegis_reports WHERE fiscal_year = $3 AND quarter = 'Q4' AND bank_id <= 20;"
        } | sql $kind gaps_$kind
        settle $kind gaps_$kind
        [ "$(etl_orch gaps_$kind --dry-run | grep -c 'GAPS IDENTIFIED: 40 ')" = 1 ] || fail "the gaps are not those that were made"
    done
    in_turns rows $(($1 * ($3 - $2 + 1) * 4)) "$4" "ours postgres" "psql_asks anti_joins" "psql_asks with_counts" \
        "ours sqlite" "sqlite3_asks anti_joins" "sqlite3_asks with_counts"
    for kind in sqlite postgres; do drop $kind gaps_$kind; done
}
rows 250 2015 2024 5
[ -n "$quick" ] || rows 1000 2000 2024 5
[ -n "$quick" ] || rows 1000 2000 2249 5
[ -z "$large" ] || rows 2500 1900 2899 2
