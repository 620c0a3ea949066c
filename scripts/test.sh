#!/bin/sh
# Checks everything: format, lints, tests, documentation. Installs on Debian and Ubuntu what the tests need beyond Rust;
# elsewhere it names what is missing. Real parts: a PostgreSQL server, a cron daemon, systemd's own checkers.
set -eu
cd "$(dirname "$0")/.."

# A program that the tests start, and the package that has it.
needs() {
    [ -n "$(find_program "$1")" ] || missing="$missing $2"
}

find_program() {
    command -v "$1" || for directory in /usr/sbin /sbin /usr/lib/postgresql/*/bin; do
        [ -x "$directory/$1" ] && echo "$directory/$1" && break
    done
}

missing=
needs cc gcc
needs initdb postgresql
needs psql postgresql-client
needs pgbouncer pgbouncer
needs cron cron
needs systemd-analyze systemd
needs script bsdutils
needs sqlite3 sqlite3
needs jq jq
needs git git
needs man man-db
needs mandoc mandoc
needs python3 python3
needs bash bash
needs zsh zsh
needs fish fish
needs dash dash
needs mawk mawk
needs busybox busybox
needs faketime faketime
needs openssl openssl
needs promtool prometheus
needs strace strace
needs chromium chromium
needs chromedriver chromium-driver
needs unshare util-linux
needs adduser adduser
needs pgrep procps
[ "$(id -u)" = 0 ] || needs newuidmap uidmap
/usr/bin/python3 -c "import aiosmtpd" 2>/dev/null || missing="$missing python3-aiosmtpd"
if [ -n "$missing" ]; then
    command -v apt-get >/dev/null || { echo "scripts/test.sh: install these first:$missing" >&2; exit 1; }
    sudo=
    [ "$(id -u)" = 0 ] || sudo=sudo
    $sudo apt-get update -q
    # shellcheck disable=SC2086 # a list of packages
    DEBIAN_FRONTEND=noninteractive $sudo apt-get install -q -y --no-install-recommends $missing
fi

# OpenTelemetry's own decoder and OpenLineage's own classes, for the tests of what is sent to them. Without them the tests have only their
# own readers.
receivers="opentelemetry-proto==1.45.2 openlineage-python==1.54.0"
if [ "$(cat target/otlp/packages 2>/dev/null)" != "$receivers" ]; then
    rm -rf target/otlp
    # shellcheck disable=SC2086 # a list of packages
    { python3 -m venv target/otlp && target/otlp/bin/pip install -q $receivers && echo "$receivers" >target/otlp/packages; } ||
        { echo "scripts/test.sh: goes on without the packages $receivers" >&2 && rm -rf target/otlp; }
fi

# What packs, and the schemas of Kubernetes.
PATH=$PWD/target/tools/bin:$PATH
command -v cargo-deb >/dev/null || cargo install cargo-deb --version 3.8.0 --locked --debug --no-default-features --root target/tools
if [ ! -x target/kubernetes/bin/kubernetes-validate ]; then
    python3 -m venv target/kubernetes
    target/kubernetes/bin/pip install -q kubernetes-validate==1.31.0
fi

step() {
    echo "== $*" >&2
    "$@"
}

step cargo fmt --all --check
step cargo clippy --locked --all-targets -- --deny warnings
step cargo clippy --locked --package bench -- --deny warnings
RUSTDOCFLAGS="--deny warnings --allow missing_docs" step cargo doc --locked --no-deps --document-private-items
step cargo test --locked
