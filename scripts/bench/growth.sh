# shellcheck shell=bash disable=SC2154 # read by scripts/bench.sh
# By how many bytes the database grows with 1,000 jobs, without the reports themselves.

# How large the tables of etl-orch are, with their indexes: kind.
size() {
    if [ "$1" = postgres ]; then
        echo "SELECT sum(pg_total_relation_size(oid)) FROM pg_class WHERE relkind = 'r' AND relnamespace = 'etl_orch'::regnamespace"
    else
        echo "SELECT sum(pgsize) FROM dbstat s JOIN sqlite_master m ON m.name = s.name WHERE m.tbl_name NOT LIKE 'aegis%'"
    fi | sql "$1" "growth_$1"
}

echo "a small file" >"$dir/small"
for kind in sqlite postgres; do
    etls "cp, \"$dir/small\", \"{output}\"" Summary | fresh_world $kind growth_$kind 25 "run: {max_jobs: 1000}"
    availability $kind 25 2015 2024 | sql $kind growth_$kind
    before=$(size $kind)
    etl_orch growth_$kind -q >"$dir/out"
    result bytes $kind 1000 $(($(size $kind) - before)) 0 0
done
