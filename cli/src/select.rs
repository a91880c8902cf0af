//! Which records a command takes: signals, times, the filter.

use anyhow::{Context, bail};

use crate::args;
use crate::filter::Filter;
use crate::record::{RecordView, Signal};
use crate::time::parse_time;

/// The records that are wanted.
#[derive(Clone, Debug)]
pub(crate) struct Selection {
    signals: Vec<Signal>,
    since: Option<u64>,
    until: Option<u64>,
    filter: Option<Filter>,
}

impl Selection {
    /// Reads what the arguments want. `signals`: those meant if none is named; `now`: what times are relative to.
    pub(crate) fn new(args: &args::Select, signals: &[Signal], now: u64) -> anyhow::Result<Self> {
        let time = |option: &Option<String>, name: &str| {
            let parse = |text: &String| {
                parse_time(text, now).map_err(anyhow::Error::msg).with_context(|| format!("{name} {text}"))
            };
            option.as_ref().map(parse).transpose()
        };
        let since = time(&args.since, "--since")?;
        let until = time(&args.until, "--until")?;
        if since.zip(until).is_some_and(|(since, until)| since > until) {
            bail!("--since is later than --until");
        }
        let filter = match &args.filter {
            Some(text) => Some(Filter::parse(text).map_err(|error| anyhow::Error::msg(error.render(text)))?),
            None => None,
        };
        let signals = if args.signals.is_empty() { signals } else { &args.signals };
        Ok(Self { signals: signals.to_vec(), since, until, filter })
    }

    /// Whether records of this signal may be wanted at all.
    pub(crate) fn has(&self, signal: Signal) -> bool {
        self.signals.contains(&signal)
    }

    /// Whether a record is wanted. A span counts from its start to its end, in flight without end. A time that is
    /// unknown lies in no window.
    pub(crate) fn accepts(&self, record: RecordView<'_>) -> bool {
        self.has(record.signal())
            && self.until.is_none_or(|until| (1..=until).contains(&record.time_unix_nano()))
            && self
                .since
                .is_none_or(|since| record.end_time_unix_nano().is_none_or(|end| end >= since.max(1)))
            && self.filter.as_ref().is_none_or(|filter| filter.matches(&record))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{self, NOON};

    fn selection(
        since: Option<&str>,
        until: Option<&str>,
        filter: Option<&str>,
    ) -> anyhow::Result<Selection> {
        let args = args::Select {
            filter: filter.map(str::to_owned),
            signals: vec![],
            since: since.map(str::to_owned),
            until: until.map(str::to_owned),
            exit_code: false,
        };
        Selection::new(&args, &[Signal::Spans], NOON + 1_000_000_000)
    }

    #[test]
    fn a_span_is_in_every_window_that_it_touches() {
        let (ended, in_flight) = (samples::span(), samples::span_in_flight());
        for (since, until, expected) in [
            (None, None, (true, true)),
            (Some("-1s"), None, (true, true)),
            (Some("-925ms"), None, (true, true)),
            (Some("-924ms"), None, (false, true)),
            (None, Some("-1s"), (true, true)),
            (None, Some("-1001ms"), (false, false)),
        ] {
            let selection = selection(since, until, None).unwrap();
            let found = (
                selection.accepts(RecordView::Span(&ended)),
                selection.accepts(RecordView::Span(&in_flight)),
            );
            assert_eq!(found, expected, "{since:?} {until:?}");
        }
    }

    #[test]
    fn an_unknown_time_is_in_no_window() {
        let mut event = samples::event();
        (event.time_unix_nano, event.observed_time_unix_nano) = (0, 0);
        for (since, until, expected) in [
            (None, None, true),
            (Some("-5m"), None, false),
            (Some("1970-01-01T00:00:00Z"), None, false),
            (None, Some("now"), false),
        ] {
            let mut selection = selection(since, until, None).unwrap();
            selection.signals = vec![Signal::Events];
            assert_eq!(selection.accepts(RecordView::Event(&event)), expected, "{since:?} {until:?}");
        }
    }

    #[test]
    fn signals_and_filter() {
        let (span, event) = (samples::span(), samples::event());
        let selection = selection(None, None, Some("service = checkout")).unwrap();
        assert!(selection.accepts(RecordView::Span(&span)));
        assert!(!selection.accepts(RecordView::Event(&event)));
    }

    #[test]
    fn errors_name_the_option() {
        let message = |result: anyhow::Result<Selection>| format!("{:#}", result.unwrap_err());
        assert!(
            message(selection(Some("soon"), None, None)).starts_with("--since soon: a time is in RFC 3339")
        );
        assert!(message(selection(Some("-1s"), Some("-2s"), None)).contains("later"));
        assert!(message(selection(None, None, Some("status = bad"))).contains("\n           ^^^"));
    }
}
