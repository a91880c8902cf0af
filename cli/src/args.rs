//! The arguments. This module only parses; what they mean together is checked where they are used.

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use crate::filter::FIELDS;
use crate::inspect::{Palette, Screen, Size};
use crate::record::Signal;

/// Read otlp-mmap recordings: what a process traced, logged and measured, live or after its crash
#[derive(Debug, Parser)]
#[command(name = "otlp-mmap", version, max_term_width = 100)]
#[command(after_help = "Exit codes: 0 done; 1 the answer is no (verify found damage, nothing matched under \
    --exit-code); 2 wrong usage, or something could not be read or written.")]
pub(crate) struct Args {
    /// When to colour
    #[arg(
        long,
        global = true,
        help = "When to colour; auto: on a terminal, unless NO_COLOR is set", value_enum, default_value_t = Color::Auto, value_name = "WHEN")]
    pub(crate) color: Color,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Look at recordings in the terminal, live or after a crash
    ///
    /// Traces with their waterfalls, metrics, events, and the state of the files: fill, losses, damage. `?` shows the
    /// keys, `q` quits. With --once it prints one screen and exits.
    #[command(after_long_help = filter_help())]
    Inspect(Inspect),
    /// Print every record, then exit
    ///
    /// Files are taken one after another. Of each, spans (those in flight too, marked), events and measurements
    /// come in the order of their times, then the metrics with their values.
    #[command(after_long_help = filter_help())]
    Dump(Dump),
    /// Print the last records, and follow
    ///
    /// The records of all files come in the order of their times. Without --signal these are spans as they end,
    /// events and measurements; with --signal metrics, a metric is printed when its value has changed. Missed
    /// records, damage and the end of a writer are told on stderr.
    #[command(after_long_help = filter_help())]
    Tail(Tail),
    /// Show what a recording is, how full it is and what it lost
    Stat(Stat),
    /// Check the structure of recordings
    ///
    /// Prints each fault with its offset and the rule that is broken, and how much is readable in spite of it.
    /// The exit code is 1 if there is damage. A record that a killed writer had not finished is none.
    Verify(Verify),
    /// Print the completions for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Print the manual page, or that of a command
    Man {
        /// The command
        command: Option<String>,
    },
}

const PATHS: &str = "Recordings, or directories of *.otlpmm files [default: $OTLP_MMAP_DIRECTORY, or \
    /var/tmp/otlp-mmap-UID]";
const PATHS_TO_FOLLOW: &str = "Recordings, or directories of *.otlpmm files; new files in a directory are followed too \
    [default: $OTLP_MMAP_DIRECTORY, or /var/tmp/otlp-mmap-UID]";

#[derive(Debug, clap::Args)]
pub(crate) struct Inspect {
    /// Recordings, or directories of them
    #[arg(value_name = "PATH", help = PATHS_TO_FOLLOW, default_values_os_t = [default_directory()], hide_default_value = true)]
    pub(crate) paths: Vec<PathBuf>,
    /// Begin with this filter, such as 'duration > 50ms and status = error' (--help has the grammar)
    #[arg(long = "where", value_name = "EXPR")]
    pub(crate) filter: Option<String>,
    /// Print one screen as text: traces, metrics, events, file, operations, waterfall (of the first trace) or
    /// `waterfall=TRACE_ID`
    #[arg(long, value_name = "VIEW")]
    pub(crate) once: Option<Screen>,
    /// Columns and rows of the screen that --once prints
    #[arg(long, value_name = "WxH", default_value = "80x24", requires = "once")]
    pub(crate) size: Size,
    /// Colours [default: dark; without colours: mono]
    #[arg(long, value_enum)]
    pub(crate) theme: Option<Palette>,
    /// Draw with ASCII characters alone
    #[arg(long)]
    pub(crate) ascii: bool,
    /// Begin with the mouse on
    #[arg(long)]
    pub(crate) mouse: bool,
    /// For tests: panic after so many screens
    #[arg(long, hide = true)]
    pub(crate) panic_after_draws: Option<u64>,
    /// For tests: panic in the thread that reads, instead of its so-manieth snapshot
    #[arg(long, hide = true)]
    pub(crate) panic_after_snapshots: Option<u64>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Dump {
    /// Recordings, or directories of them
    #[arg(value_name = "PATH", help = PATHS, default_values_os_t = [default_directory()], hide_default_value = true)]
    pub(crate) paths: Vec<PathBuf>,
    /// How to print [default: text; with --output-dir: otlp-jsonl]
    #[arg(long, value_enum)]
    pub(crate) format: Option<Format>,
    /// Write to FILE, which is replaced. The OTLP formats need one --signal for it
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Write traces.jsonl, metrics.jsonl and logs.jsonl in DIR, which are replaced
    #[arg(long, value_name = "DIR", conflicts_with = "output")]
    pub(crate) output_dir: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) select: Select,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people: one line for each record, indented lines for the events and links of a span; a time of 0 is
    /// `unknown`
    Text,
    /// For scripts: one flat JSON object a line for each record; what is unknown, such as a time of 0, is null
    Jsonl,
    /// For the Collector: lines of OTLP JSON, each of one signal and under 512 KiB
    OtlpJsonl,
    /// One OTLP JSON document for each signal; with --signal, also if it is empty
    OtlpJson,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Tail {
    /// Recordings, or directories of them
    #[arg(value_name = "PATH", help = PATHS_TO_FOLLOW, default_values_os_t = [default_directory()], hide_default_value = true)]
    pub(crate) paths: Vec<PathBuf>,
    /// How many records to begin with; `all` for every one
    #[arg(short = 'n', long, default_value = "10", value_name = "N", value_parser = parse_lines)]
    pub(crate) lines: usize,
    /// Go on with new records
    #[arg(short, long)]
    pub(crate) follow: bool,
    /// Follow until every writer has closed its recording or died
    #[arg(long)]
    pub(crate) until_closed: bool,
    /// How to print
    #[arg(long, value_enum, default_value_t = TailFormat::Text)]
    pub(crate) format: TailFormat,
    #[command(flatten)]
    pub(crate) select: Select,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum TailFormat {
    /// For people: one line for each record, indented lines for the events and links of a span; a time of 0 is
    /// `unknown`
    Text,
    /// For scripts: one flat JSON object a line for each record; what is unknown, such as a time of 0, is null
    Jsonl,
    /// For the Collector: lines of OTLP JSON, each of one signal and under 512 KiB
    OtlpJsonl,
}

impl From<TailFormat> for Format {
    fn from(format: TailFormat) -> Self {
        match format {
            TailFormat::Text => Self::Text,
            TailFormat::Jsonl => Self::Jsonl,
            TailFormat::OtlpJsonl => Self::OtlpJsonl,
        }
    }
}

#[derive(Debug, clap::Args)]
pub(crate) struct Select {
    /// Only records that pass this filter, such as 'duration > 50ms and status = error' (--help has the grammar)
    #[arg(long = "where", value_name = "EXPR")]
    pub(crate) filter: Option<String>,
    /// Only this signal; may be given more than once
    #[arg(long = "signal", value_enum, value_name = "SIGNAL", value_delimiter = ',')]
    pub(crate) signals: Vec<Signal>,
    /// Only what ends or happens at this time or later: RFC 3339, or back from now as in -5m. What has no time is
    /// left out, here and with --until
    #[arg(short = 'S', long, value_name = "TIME", allow_hyphen_values = true)]
    pub(crate) since: Option<String>,
    /// Only what begins or happens at this time or earlier
    #[arg(short = 'U', long, value_name = "TIME", allow_hyphen_values = true)]
    pub(crate) until: Option<String>,
    /// Exit with 1 if nothing matched
    #[arg(long)]
    pub(crate) exit_code: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Stat {
    /// Recordings, or directories of them
    #[arg(value_name = "PATH", help = PATHS, default_values_os_t = [default_directory()], hide_default_value = true)]
    pub(crate) paths: Vec<PathBuf>,
    /// How to print
    #[arg(long, value_enum, default_value_t = ReportFormat::Text)]
    pub(crate) format: ReportFormat,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Verify {
    /// Recordings, or directories of them
    #[arg(value_name = "PATH", help = PATHS, default_values_os_t = [default_directory()], hide_default_value = true)]
    pub(crate) paths: Vec<PathBuf>,
    /// How to print
    #[arg(long, value_enum, default_value_t = ReportFormat::Text)]
    pub(crate) format: ReportFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReportFormat {
    /// For people
    Text,
    /// For scripts: one JSON object a line for each recording
    #[value(alias = "json")]
    Jsonl,
}

/// Where the Python SDK records unless it is told otherwise.
fn default_directory() -> PathBuf {
    let configured = std::env::var_os("OTLP_MMAP_DIRECTORY").filter(|directory| !directory.is_empty());
    configured.map_or_else(|| format!("/var/tmp/otlp-mmap-{}", nix::unistd::geteuid()).into(), PathBuf::from)
}

fn parse_lines(text: &str) -> Result<usize, String> {
    if text == "all" {
        return Ok(usize::MAX);
    }
    text.parse().map_err(|_| "a number, or all".to_owned())
}

/// The filter's grammar for people.
fn filter_help() -> String {
    let mut help = "Filter:
  KEY OPERATOR VALUE, has(KEY), and, or, not, ( )
  operators: = != < <= > >=, =~ and !~ for regular expressions
  values: bare or in quotes; durations with a unit, times in RFC 3339

Keys:
"
    .to_owned();
    help.extend(FIELDS.map(|(name, meaning)| format!("  {name:<16}{meaning}\n")));
    help += "  any other       an attribute of the record, its scope or its resource: http.route
  resource.KEY    an attribute of the resource
  scope.KEY       an attribute of the scope
  attr(\"KEY\"), resource(\"KEY\"), scope(\"KEY\")
                  the same for any key

Bytes compare as their hexadecimal digits: ff00. Null, NaN and maps equal nothing; has(KEY) finds them.
A record that lacks the key passes no comparison, != and !~ included.";
    help
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definition_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn times_may_begin_with_a_hyphen() {
        let args = Args::try_parse_from(["otlp-mmap", "dump", "-S", "-5m", "-U=-1m", "x"]).unwrap();
        let Command::Dump(dump) = args.command else { panic!() };
        assert_eq!(dump.select.since.as_deref(), Some("-5m"));
        assert_eq!(dump.select.until.as_deref(), Some("-1m"));
    }

    #[test]
    fn a_size_is_of_a_screen_that_is_printed() {
        let parse = |args: &[&str]| Args::try_parse_from([&["otlp-mmap", "inspect"], args].concat());
        assert!(parse(&["--once", "waterfall", "--size", "40x10", "a", "b"]).is_ok());
        assert!(parse(&["--size", "40x10"]).is_err());
        assert!(parse(&["--once", "everything"]).is_err());
        assert!(parse(&[]).is_ok());
    }

    #[test]
    fn f_is_follow_and_o_is_output() {
        let args = Args::try_parse_from(["otlp-mmap", "tail", "-fn", "all", "x"]).unwrap();
        let Command::Tail(tail) = args.command else { panic!() };
        assert!(tail.follow && tail.lines == usize::MAX);
        assert!(Args::try_parse_from(["otlp-mmap", "dump", "-f", "jsonl", "x"]).is_err());
        assert!(Args::try_parse_from(["otlp-mmap", "dump", "-o", "a", "--output-dir", "b", "x"]).is_err());
    }
}
