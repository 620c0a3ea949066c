# shellcheck shell=bash disable=SC2154 # read by scripts/bench.sh
# Directories with a configuration, and databases with rows in them. Each is on `sqlite` or on `postgres`.

# Moves a directory away: ext4 is slow at making files for minutes after as many were removed.
put_aside() {
    mkdir -p "$dir/aside"
    [ ! -e "$dir/$1" ] || mv "$dir/$1" "$(mktemp -d -p "$dir/aside")"
}

# A fresh directory with a configuration, and the tables in its database: kind, name, number of banks, further keys; the ETLs come from stdin.
fresh_world() {
    local kind=$1 name=$2 banks=$3 keys=${4-} url=sqlite://var/etl-orch.db
    put_aside "$name"
    mkdir "$dir/$name"
    if [ "$kind" = postgres ]; then
        url="postgres://postgres@localhost/$name?host=$dir/socket"
        psql -d postgres -c "DROP DATABASE IF EXISTS $name" -c "CREATE DATABASE $name" 2>/dev/null
        psql -d "$name" -f scripts/bench/tables.sql
    fi
    seq "$banks" | awk '{ printf "B%04d-CA: {id: %d, name: \"Bank %d\"}\n", $1, $1, $1 }' >"$dir/$name/monitored_institutions.yaml"
    { printf 'database: {url: "%s"%s}\nstate_dir: var\nreports: {by: orchestrator}\n%s\n' "$url" "${durability:+, durability: $durability}" "$keys"; cat; } \
        >"$dir/$name/etl-orch.yaml"
    etl_orch "$name" init >/dev/null
}

etl_orch() {
    local name=$1
    shift
    "$binary" "$@" --config "$dir/$name/etl-orch.yaml"
}

# Runs the SQL of stdin in the database of a world: kind, name.
sql() {
    if [ "$1" = postgres ]; then psql -d "$2"; else sqlite3 "$dir/$2/var/etl-orch.db"; fi
}

# Lets the database look at what it has, as it does by itself in time.
settle() {
    if [ "$1" = postgres ]; then psql -d "$2" -c 'VACUUM ANALYZE'; fi
}

drop() {
    [ "$1" != postgres ] || psql -d postgres -c "DROP DATABASE $2"
    rm -rf "${dir:?}/$2"
}

# SQL that fills the availability table, four periods a year: kind, banks, first and last year.
availability() {
    local tags="'[\"transcripts\"]'"
    [ "$1" = sqlite ] || tags="ARRAY['transcripts']"
    cat <<SQL
INSERT INTO aegis_data_availability (bank_id, bank_name, bank_symbol, fiscal_year, quarter, database_names)
WITH RECURSIVE b(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM b WHERE n < $2),
    y(n) AS (SELECT $3 UNION ALL SELECT n + 1 FROM y WHERE n < $4),
    q(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM q WHERE n < 4)
SELECT b.n, 'Bank ' || b.n, 'B' || substr('000' || b.n, length('' || b.n)) || '-CA', y.n, 'Q' || q.n, $tags FROM b, y, q;
SQL
}

# SQL that makes all reports of the two ETLs.
reports() {
    local type
    for type in Summary Themes; do
        cat <<SQL
INSERT INTO aegis_reports (bank_id, fiscal_year, quarter, report_type, report_name, report_description, bank_name, bank_symbol)
SELECT bank_id, fiscal_year, quarter, '$type', '$type', '', bank_name, bank_symbol FROM aegis_data_availability;
SQL
    done
}

# The configuration of these ETLs, which run this command: command, types of reports.
etls() {
    local type command=$1
    shift
    echo "etls:"
    for type; do
        printf '  %s:\n    report_type: %s\n    requires: [transcripts]\n    command: [%s]\n    output: "reports/{period}/{bank_symbol}_{etl}.md"\n' \
            "${type,,}" "$type" "$command"
    done
}
