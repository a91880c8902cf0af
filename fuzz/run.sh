#!/bin/sh
# Runs fuzz targets:
#
#   fuzz/run.sh [-j JOBS] [-o FILE] SECONDS [TARGET...]   each for so many seconds, JOBS at a time (1); without a
#                                                         TARGET all of them
#   fuzz/run.sh [-j JOBS] [-o FILE] -t                    the table alone, from the logs there are
#
# Installs cargo-fuzz into fuzz/.tools if it is not there, builds all targets at once, puts the seeds into the corpus,
# runs, and prints a table; with -o it goes into FILE too. Fails if a target found something; what it found is in
# fuzz/artifacts. FUZZ_DIR is where logs, corpus and artifacts are, if not in fuzz; FUZZ_BIN where the targets are, if
# they are not to be built.
set -eu

cd "$(dirname "$0")"
all="open scan follow dictionary attributes cells damage differential filter operations"
version=0.13.1
data=${FUZZ_DIR:-$PWD}
host=$(rustc -vV | sed -n 's/^host: //p')
built=${FUZZ_BIN:+yes}
bin=${FUZZ_BIN:-$PWD/target/$host/release}

build() {
    if [ "$(.tools/bin/cargo-fuzz --version 2>/dev/null)" != "cargo-fuzz $version" ]; then
        cargo install --locked --debug --root .tools --version "$version" cargo-fuzz
    fi
    # Sanitizers and coverage are unstable options of the compiler; this has the stable one take them.
    (cd .. && PATH=$PWD/fuzz/.tools/bin:$PATH RUSTC_BOOTSTRAP=1 cargo fuzz build)
}

# Runs $1 for $2 seconds.
run_one() {
    target=$1 log=$data/logs/$1.log
    case $target in
    open) options="-max_len=1048576" ;;
    scan | dictionary | attributes | cells) options="-max_len=16384 -len_control=0" ;;
    filter) options="-max_len=1024 -dict=$PWD/filter.dict" ;;
    # Every call counts from the start: lengths need not grow slowly.
    *) options="-max_len=4096 -len_control=0" ;;
    esac
    mkdir -p "$data/logs" "$data/corpus/$target" "$data/artifacts/$target"
    # Without the records of who allocated what, inputs run half as long. Give ASAN_OPTIONS to have them.
    export ASAN_OPTIONS="${ASAN_OPTIONS:-malloc_context_size=0:quarantine_size_mb=4:detect_stack_use_after_return=0}"
    ASAN_OPTIONS=$ASAN_OPTIONS:detect_odr_violation=0
    status=0
    began=$(date +%s)
    # shellcheck disable=SC2086 # each option is a word
    "$bin/$target" "$data/corpus/$target" -artifact_prefix="$data/artifacts/$target/" -max_total_time="$2" \
        -timeout=30 -print_final_stats=1 $options >>"$log" 2>&1 || status=$?
    echo "run: $(($(date +%s) - began)) s, status $status" >>"$log"
    if [ "$status" != 0 ]; then
        echo "== $target found something:"
        grep -v '^#\|NEW_FUNC\|^stat::' "$log" | tail -n 40
        return 1
    fi
}

# A log may be of several runs of its target, one after another.
table() {
    echo "| target | seconds | executions | a second | coverage (edges) | features | corpus | findings |"
    echo "|---|--:|--:|--:|--:|--:|--:|--:|"
    for target in $all; do
        [ ! -e "$data/logs/$target.log" ] || awk -v target="$target" '
            /^run: / { seconds += $2; if ($5 != 0) findings++ }
            /^#[0-9]/ { running = substr($1, 2) }
            /^stat::number_of_executed_units:/ { executions += $2; running = 0 }
            /cov: / {
                for (i = 1; i < NF; i++) {
                    if ($i == "cov:" && $(i + 1) > edges) edges = $(i + 1)
                    if ($i == "ft:" && $(i + 1) > features) features = $(i + 1)
                    if ($i == "corp:") { split($(i + 1), corpus, "/"); inputs = corpus[1] }
                }
            }
            END {
                rate = seconds ? executions / seconds : 0
                executions += running # of a run that has not ended
                printf "| `%s` | %d | %d | %.1f | %d | %d | %d | %d |\n",
                    target, seconds, executions, rate, edges, features, inputs, findings
            }' "$data/logs/$target.log"
    done
}

results() {
    echo "# A run of the fuzz targets"
    echo
    kernel="$(uname -s) $(uname -r | cut -d- -f1) $(uname -m)"
    echo "$(date -u +%Y-%m-%d), $(rustc --version), $kernel, $(nproc) cores, $jobs targets at a time;"
    echo "AddressSanitizer. Seeds: the golden recordings (\`filter\`: its dictionary)."
    echo
    table
}

end() {
    table
    [ -z "$output" ] || results >"$output"
}

jobs=1 output=
while getopts j:o:tx: option; do
    case $option in
    j) jobs=$OPTARG ;;
    o) output=$OPTARG ;;
    t) end && exit ;;
    x) run_one "$OPTARG" "$FUZZ_SECONDS" && exit ;; # one target, for this script itself
    *) exit 2 ;;
    esac
done
shift $((OPTIND - 1))
FUZZ_SECONDS=${1:?usage: fuzz/run.sh [-j JOBS] [-o FILE] SECONDS [TARGET...]}
export FUZZ_SECONDS FUZZ_DIR="$data" FUZZ_BIN="$bin"
shift
# shellcheck disable=SC2086 # each target is a word
[ $# -gt 0 ] || set -- $all

[ -n "$built" ] || build
cargo run --quiet --example seeds -- "$data/corpus"
for target; do
    rm -f "$data/logs/$target.log"
done
status=0
printf '%s\n' "$@" | xargs -P "$jobs" -I TARGET ./run.sh -x TARGET || status=1
echo
end
exit "$status"
