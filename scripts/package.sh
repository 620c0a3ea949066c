#!/bin/sh
# Builds a package for Debian and its relatives, target/package/etl-orch_VERSION_ARCHITECTURE.deb, and says where it is.
# Build on the oldest release that it is for: the package needs the C library of the host that it is built on, or a later one.
#
#   scripts/package.sh            builds the program first, as small and fast as it gets (about six minutes)
#   scripts/package.sh PROGRAM    packs this program; options after it are those of cargo-deb
#
# It needs cargo-deb: cargo install cargo-deb --locked
set -eu
cd "$(dirname "$0")/.."
PATH=$PWD/target/tools/bin:$PATH
program=${1:-}
[ $# = 0 ] || shift
if [ -z "$program" ]; then
    cargo build --locked --profile dist
    program=target/dist/etl-orch
fi
parts=target/package/parts
rm -rf target/package
mkdir -p "$parts"
install -s "$program" "$parts/etl-orch"
"$parts/etl-orch" man --share "$parts/share" >/dev/null
gzip -9n "$parts"/share/man/man*/*
cargo-deb --no-build --no-strip --offline --output target/package/ "$@"
