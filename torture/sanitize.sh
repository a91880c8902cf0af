#!/bin/sh
# Runs tests under a sanitizer of the compiler: torture/sanitize.sh address|thread
#
# address: every test of writer and reader, reads and writes out of bounds, after free, and leaks.
# thread:  torture/src/bin/race.rs, where the head of that file says why not the tests; first with a planted race, which
#          must be reported.
#
# Sanitizers are unstable options; RUSTC_BOOTSTRAP has the stable compiler take them. Each has its own directory under
# target, since everything is built for it.
set -eu

cd "$(dirname "$0")/.."
sanitizer=${1:?usage: torture/sanitize.sh address|thread}
host=$(rustc -vV | sed -n 's/^host: //p')
export RUSTC_BOOTSTRAP=1
export CARGO_TARGET_DIR="$PWD/target/sanitize-$sanitizer"
export RUSTFLAGS="-Zsanitizer=$sanitizer"

case $sanitizer in
address)
    # Tests that kill, fork or count allocations leak by design in the processes that they end.
    export ASAN_OPTIONS="detect_leaks=0:malloc_context_size=4:quarantine_size_mb=16"
    # What it notes of each 8 bytes takes an address space of terabytes.
    export OTLP_MMAP_SPARSE_NO_MEMORY_LIMIT=1
    # Frames are several times as large.
    export RUST_MIN_STACK=33554432
    cargo test --target "$host" -p otlp-mmap-writer -p otlp-mmap-reader --lib --tests
    ;;
thread)
    # The standard library is as it comes, without instrumentation.
    export RUSTFLAGS="$RUSTFLAGS -Cunsafe-allow-abi-mismatch=sanitizer"
    # What OnceLock does to publish its value happens inside of it.
    suppressions=$CARGO_TARGET_DIR/suppressions
    mkdir -p "$CARGO_TARGET_DIR"
    echo "race:std::sync::once_lock::OnceLock" >"$suppressions"
    export TSAN_OPTIONS="suppressions=$suppressions:halt_on_error=1"
    cargo build --target "$host" -p otlp-mmap-torture --bin race
    race=$CARGO_TARGET_DIR/$host/debug/race
    if "$race" --plant >"$CARGO_TARGET_DIR/planted" 2>&1; then
        echo "a planted race was not reported: the sanitizer sees nothing" >&2
        exit 1
    fi
    grep -q "WARNING: ThreadSanitizer: data race" "$CARGO_TARGET_DIR/planted"
    echo "a planted race is reported; now without"
    "$race"
    ;;
*)
    echo "unknown sanitizer $sanitizer" >&2
    exit 2
    ;;
esac
