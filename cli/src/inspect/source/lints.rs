//! What looks wrong in what was recorded.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use otlp_mmap_reader::model::{KeyValue, Text};

use super::file::File;
use super::intern::{FastHash, SpanKey};
use super::state::Asked;
use super::traces::{NO_SPAN, sorted};
use crate::escape::Printable;
use crate::inspect::model::{FileId, Lint, LintRule, SpanRow};
use crate::record::hex;
use crate::text::ValueText;

/// Values of an attribute from which on they are many.
const MANY_VALUES: usize = 100;
/// OTLP `SpanKind` numbers whose parent may be of another service: server and consumer.
const REMOTE_PARENT: [u32; 2] = [2, 5];

/// All of them, the worst rule first.
pub(super) fn lints(asked: &Asked<'_>) -> Vec<Lint> {
    let mut lints: Vec<_> = asked.files().flat_map(of_file).collect();
    lints.extend(orphans(asked.files.iter().flat_map(|file| file.spans.rows().chain(&file.in_flight))));
    sorted(lints, false, |lint| lint.rule, |lint| (lint.file, lint.detail.clone()))
}

fn of_file(file: &File) -> Vec<Lint> {
    let mut lints = Vec::new();
    let of_file = |rule, count: usize, detail: String| Lint {
        rule,
        detail: format!("{}: {detail}", Printable(&file.name)),
        count,
        trace: None,
        file: Some(file.id),
    };
    for losses in file.losses.iter().flat_map(|losses| &losses.signals) {
        let lost = usize::try_from(losses.lost()).unwrap_or(usize::MAX);
        if lost > 0 {
            let name = losses.signal.name().to_lowercase();
            lints.push(of_file(LintRule::Losses, lost, format!("{lost} {name} lost")));
        }
    }
    if let Some(first) = file.faults.first() {
        let count = usize::try_from(file.fault_count).unwrap_or(usize::MAX);
        lints.push(of_file(LintRule::Damage, count, Printable(&first.to_string()).to_string()));
    }
    let steps = file.spans.clock_steps() + file.events.clock_steps() + file.measurements.clock_steps();
    if steps > 0 {
        let detail = "the clock went back by more than a second".to_owned();
        lints.push(of_file(LintRule::ClockStep, steps, detail));
    }
    lints.extend(backward(file.id, file.spans.rows()));
    let series = file
        .series
        .series
        .iter()
        .map(|entry| (Arc::clone(&entry.series.stream.name), entry.series.attributes.as_slice()));
    lints.extend(many_values(file.id, series));
    lints
}

/// Spans that end before they start.
pub(super) fn backward<'a>(file: FileId, spans: impl Iterator<Item = &'a Arc<SpanRow>>) -> Option<Lint> {
    let mut found = spans.filter(|span| span.end.is_some_and(|end| end < span.start));
    let first = found.next()?;
    Some(Lint {
        rule: LintRule::EndBeforeStart,
        detail: format!("{} ends before it starts", Printable(&first.name)),
        count: found.count() + 1,
        trace: Some(first.trace_id),
        file: Some(file),
    })
}

/// Spans whose parent is in none of the files though it is of their service, by service.
pub(super) fn orphans<'a>(spans: impl Iterator<Item = &'a Arc<SpanRow>> + Clone) -> Vec<Lint> {
    let known: HashSet<SpanKey, FastHash> = spans.clone().map(|span| (span.trace_id, span.span_id)).collect();
    let mut by_service: HashMap<Text, Lint> = HashMap::new();
    let has_local_parent =
        |span: &&Arc<SpanRow>| span.parent_span_id != NO_SPAN && !REMOTE_PARENT.contains(&span.kind);
    for span in spans.filter(has_local_parent) {
        if known.contains(&(span.trace_id, span.parent_span_id)) {
            continue;
        }
        let lint = by_service.entry(Arc::clone(&span.service)).or_insert_with(|| Lint {
            rule: LintRule::OrphanParent,
            detail: format!(
                "{}: the parent {} of {} is not there",
                Printable(&span.service),
                hex(&span.parent_span_id),
                Printable(&span.name)
            ),
            count: 0,
            trace: Some(span.trace_id),
            file: None,
        });
        lint.count += 1;
    }
    by_service.into_values().collect()
}

/// Attributes of metrics with many values.
pub(super) fn many_values<'a>(
    file: FileId,
    series: impl Iterator<Item = (Text, &'a [KeyValue])>,
) -> Vec<Lint> {
    let mut values: HashMap<(Text, Text), HashSet<String>> = HashMap::new();
    for (metric, attributes) in series {
        for attribute in attributes {
            let key = (Arc::clone(&metric), Arc::clone(&attribute.key));
            values.entry(key).or_default().insert(ValueText(&attribute.value).to_string());
        }
    }
    let many = values.into_iter().filter(|(_, values)| values.len() >= MANY_VALUES);
    let lint = |((metric, key), values): ((Text, Text), HashSet<String>)| Lint {
        rule: LintRule::HighCardinality,
        detail: format!("{} of {} has {} values", Printable(&key), Printable(&metric), values.len()),
        count: values.len(),
        trace: None,
        file: Some(file),
    };
    many.map(lint).collect()
}
