# shellcheck shell=bash disable=SC2034,SC2154 # read by scripts/bench.sh
# The programs and the server that are measured.

find_server() {
    bin=$(find /usr/lib/postgresql -path '*/bin/initdb' -printf '%h\n' 2>/dev/null | sort -V | tail -n 1)
    [ -n "$bin" ] || bin=$(dirname "$(command -v initdb || echo .)")
}

install_programs() {
    local program missing= sudo=
    for program in parallel sqlite3 strip gnuplot; do
        command -v $program >/dev/null || missing="$missing $program"
    done
    missing=${missing/strip/binutils}
    missing=${missing/gnuplot/gnuplot-nox}
    find_server
    [ -x "$bin/initdb" ] || missing="$missing postgresql"
    [ -n "$missing" ] || return 0
    command -v apt-get >/dev/null || fail "install these first:$missing"
    [ "$(id -u)" = 0 ] || sudo=sudo
    $sudo apt-get update -q >&2
    # shellcheck disable=SC2086 # a list of packages
    DEBIAN_FRONTEND=noninteractive $sudo apt-get install -q -y --no-install-recommends $missing >&2
    find_server
}

# ETL_ORCH_BENCH_PROFILE=dev tries the scripts themselves.
build() {
    local profile=${ETL_ORCH_BENCH_PROFILE-dist}
    local built=$PWD/target/${profile/dev/debug}
    cargo build --profile "$profile" --locked >&2
    cargo build --profile "$profile" --locked --package bench >&2
    binary=$built/etl-orch
    floor=$built/floor
    measure=$built/measure
}

# The server refuses root.
server() {
    if [ "$(id -u)" = 0 ]; then runuser -u postgres -- "$@"; else "$@"; fi
}

start_server() {
    mkdir "$dir/pg" "$dir/socket"
    chmod 711 "$dir"
    [ "$(id -u)" != 0 ] || chown postgres "$dir/pg" "$dir/socket"
    server "$bin/initdb" -D "$dir/pg" -U postgres -A trust -E UTF8 --locale=C >/dev/null
    server "$bin/pg_ctl" -D "$dir/pg" -l "$dir/pg/log" -w start \
        -o "-k $dir/socket -c listen_addresses='' -c shared_buffers=512MB -c max_wal_size=4GB" >/dev/null
    psql_command=("$bin/psql" -h "$dir/socket" -U postgres -XqAt -v ON_ERROR_STOP=1)
}

psql() { "${psql_command[@]}" "$@"; }

describe_machine() {
    local processor
    processor=$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)
    echo "$(nproc) cores (${processor:-$(uname -m)}), Linux $(uname -r | cut -d- -f1), $(stat -f -c %T "$dir")," \
        "$("$bin/postgres" --version | sed 's/^postgres (PostgreSQL) /PostgreSQL /; s/ (.*//'), SQLite $(sqlite3 --version | cut -d' ' -f1)," \
        "${ETL_ORCH_BENCH_PROFILE:+a $ETL_ORCH_BENCH_PROFILE build of }$("$binary" --version | head -n 1)"
}
