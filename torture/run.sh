#!/bin/sh
# Runs every crash test whole and writes the table of their figures, with the machine and the commit, to RESULTS.md.
# Arguments go to the program in place of "all": `torture/run.sh kills --count 1000`.
set -eu

cd "$(dirname "$0")/.."
results=torture/RESULTS.md
table=$(mktemp)
trap 'rm -f "$table"' EXIT
status=0
cargo run --release --package otlp-mmap-torture -- "${@:-all}" >"$table" || status=$?

commit=$(git rev-parse --short HEAD 2>/dev/null || echo unknown)
if [ -n "$(git status --porcelain --untracked-files=no 2>/dev/null)" ]; then
    commit="$commit with changes"
fi
{
    echo "# Results of \`make torture\`"
    echo
    echo "| date | kernel | processors | rustc | commit |"
    echo "|---|---|---|---|---|"
    echo "| $(date --utc +%F) | $(uname -srm) | $(nproc) | $(rustc --version | cut -d' ' -f2) | $commit |"
    echo
    cat "$table"
} >"$results"
cat "$results"
exit "$status"
