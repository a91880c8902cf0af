#!/bin/sh
# Runs fuzz targets, each for so many seconds: fuzz/run.sh SECONDS [TARGET...]. Without a target: all of them.
# Installs cargo-fuzz into fuzz/.tools if it is not there. Fails if a target found something; what it found is in
# fuzz/artifacts.
set -eu

cd "$(dirname "$0")/.."
seconds=${1:?usage: fuzz/run.sh SECONDS [TARGET...]}
shift
[ $# -gt 0 ] || set -- open damage differential filter operations

version=0.13.1
tools=$PWD/fuzz/.tools
if [ "$("$tools/bin/cargo-fuzz" --version 2>/dev/null)" != "cargo-fuzz $version" ]; then
    cargo install --locked --root "$tools" --version "$version" cargo-fuzz
fi
PATH=$tools/bin:$PATH
# Sanitizers and coverage are unstable options of the compiler; this has the stable one take them.
export RUSTC_BOOTSTRAP=1

# Without the records of who allocated what, inputs run half as long. Give ASAN_OPTIONS to have them.
export ASAN_OPTIONS="${ASAN_OPTIONS:-malloc_context_size=0:quarantine_size_mb=4:detect_stack_use_after_return=0}"

# The golden recordings are seeds.
mkdir -p fuzz/corpus/open
for golden in format-spec/golden/*.otlpmm; do
    [ ! -e "$golden" ] || cp "$golden" fuzz/corpus/open/
done

for target; do
    cargo fuzz build "$target"
done

failed=0
for target; do
    echo "== $target: $seconds s"
    case $target in
    open) options="-max_len=1048576" ;;
    filter) options="-max_len=1024 -dict=$PWD/fuzz/filter.dict" ;;
    # Every call counts from the start: lengths need not grow slowly.
    *) options="-max_len=4096 -len_control=0" ;;
    esac
    # shellcheck disable=SC2086 # each option is a word
    cargo fuzz run "$target" -- -max_total_time="$seconds" -timeout=20 -print_final_stats=1 $options || failed=1
done
exit "$failed"
