//! What must be found of spans and events.

use std::sync::Arc;

use otlp_mmap_reader::model::{Event, KeyValue, Position, Scope, Span, SpanEvent, SpanLink, Text, Value};
use otlp_mmap_writer::{ScopeRef, SpanRef};

use super::room::{Content, Fit};
use super::values::{are_cut, are_distinct, fold, is_cut};

/// A span as it was given to the writer.
#[derive(Clone, Debug)]
pub(super) struct GivenSpan {
    pub(super) handle: SpanRef,
    pub(super) scope: ScopeRef,
    /// Whether it can be ended by its ids.
    pub(super) by_ids: bool,
    pub(super) content: Content,
    /// What must be read if nothing was cut; attributes, those of events and links too, are not folded yet.
    pub(super) span: Span,
    /// Every name and every status it had.
    pub(super) names: Vec<Text>,
    pub(super) statuses: Vec<(u32, Text)>,
}

/// An event as it was given to the writer.
#[derive(Clone, Debug)]
pub(super) struct GivenEvent {
    pub(super) fit: Fit,
    /// As in [`GivenSpan`].
    pub(super) event: Event,
    pub(super) body: Option<Value>,
}

pub(super) const NOWHERE: Position = Position { segment: 0, sequence: 0, offset: 0 };

impl GivenSpan {
    /// Compares with a SPAN record.
    pub(super) fn check(&self, found: &Span) {
        let fit = self.content.fit();
        assert!(fit.allows(found.truncated), "{fit:?}, but truncated is {}: {found:?}", found.truncated);
        if found.truncated {
            self.check_cut(found);
        } else {
            assert_eq!(*found, self.whole(found.position));
        }
    }

    /// Compares with the same span in flight.
    pub(super) fn check_in_flight(&self, found: &Span) {
        let expected = self.whole(found.position);
        if !found.spilled && self.content.fit() == Fit::Whole {
            assert_eq!(*found, expected);
        }
        assert_eq!(
            (found.span_id, found.start_time_unix_nano),
            (expected.span_id, expected.start_time_unix_nano)
        );
        assert_eq!(found.scope, expected.scope);
    }

    fn whole(&self, position: Position) -> Span {
        let mut span = Span { position, ..self.span.clone() };
        span.attributes = fold(&span.attributes);
        span.events.iter_mut().for_each(|event| event.attributes = fold(&event.attributes));
        span.links.iter_mut().for_each(|link| link.attributes = fold(&link.attributes));
        span
    }

    fn check_cut(&self, found: &Span) {
        let given = &self.span;
        // What cannot be cut.
        let rest = Span {
            position: given.position,
            name: Arc::clone(&given.name),
            trace_state: Arc::clone(&given.trace_state),
            attributes: given.attributes.clone(),
            dropped_attributes_count: given.dropped_attributes_count,
            events: given.events.clone(),
            dropped_events_count: given.dropped_events_count,
            links: given.links.clone(),
            dropped_links_count: given.dropped_links_count,
            status_code: given.status_code,
            status_message: Arc::clone(&given.status_message),
            truncated: false,
            ..found.clone()
        };
        assert_eq!(rest, *given);
        assert!(self.names.iter().any(|name| name.starts_with(&*found.name)), "name {:?}", found.name);
        assert!(given.trace_state.starts_with(&*found.trace_state));
        let is_it = |(code, message): &(u32, Text)| {
            *code == found.status_code && message.starts_with(&*found.status_message)
        };
        let none = found.status_code == 0 && found.status_message.is_empty();
        assert!(
            none || self.statuses.iter().any(is_it),
            "status {} {:?}",
            found.status_code,
            found.status_message
        );
        check_cut_attributes(
            (&found.attributes, found.dropped_attributes_count),
            (&given.attributes, given.dropped_attributes_count),
        );
        self.check_cut_events(found);
        self.check_cut_links(found);
    }

    fn check_cut_events(&self, found: &Span) {
        let given = &self.span;
        let left_out = found.dropped_events_count - given.dropped_events_count;
        assert_eq!(found.events.len() + number(left_out), given.events.len(), "events");
        let mut all = given.events.iter();
        for event in &found.events {
            let one = all.find(|one| one.time_unix_nano == event.time_unix_nano).expect("a given event");
            check_cut_event(event, one);
        }
    }

    fn check_cut_links(&self, found: &Span) {
        let given = &self.span;
        let left_out = found.dropped_links_count - given.dropped_links_count;
        assert_eq!(found.links.len() + number(left_out), given.links.len(), "links");
        let mut all = given.links.iter();
        for link in &found.links {
            let one = all.find(|one| one.span_id == link.span_id).expect("a given link");
            check_cut_link(link, one);
        }
    }
}

fn check_cut_event(found: &SpanEvent, given: &SpanEvent) {
    assert!(given.name.starts_with(&*found.name));
    check_cut_attributes(
        (&found.attributes, found.dropped_attributes_count),
        (&given.attributes, given.dropped_attributes_count),
    );
}

fn check_cut_link(found: &SpanLink, given: &SpanLink) {
    assert_eq!((found.trace_id, found.flags), (given.trace_id, given.flags));
    assert!(given.trace_state.starts_with(&*found.trace_state));
    check_cut_attributes(
        (&found.attributes, found.dropped_attributes_count),
        (&given.attributes, given.dropped_attributes_count),
    );
}

/// Attributes with the number of those left out: what is missing was counted.
fn check_cut_attributes(found: (&[KeyValue], u32), given: (&[KeyValue], u32)) {
    assert!(are_cut(found.0, given.0), "found {:?}, given {:?}", found.0, given.0);
    let left_out = number(found.1.checked_sub(given.1).expect("no fewer than were given"));
    if are_distinct(given.0) {
        assert_eq!(found.0.len() + left_out, given.0.len(), "attributes: {found:?}, given {given:?}");
    } else {
        assert!(left_out <= given.0.len());
    }
}

impl GivenEvent {
    /// Compares with an EVENT record.
    pub(super) fn check(&self, found: &Event) {
        assert!(self.fit.allows(found.truncated), "{:?}, but truncated is {}", self.fit, found.truncated);
        let given = &self.event;
        let mut expected = Event { position: found.position, ..given.clone() };
        expected.attributes = fold(&given.attributes);
        if !found.truncated {
            assert_eq!(*found, expected);
            return;
        }
        let body = match (&found.body, &self.body) {
            // Left out for want of room.
            (Some(Value::Empty), Some(_)) => true,
            (Some(found), Some(given)) => is_cut(found, given),
            (found, given) => found.is_none() && given.is_none(),
        };
        assert!(body, "body {:?}, given {:?}", found.body, self.body);
        assert!(given.event_name.starts_with(&*found.event_name));
        assert!(given.severity_text.starts_with(&*found.severity_text));
        check_cut_attributes(
            (&found.attributes, found.dropped_attributes_count),
            (&given.attributes, given.dropped_attributes_count),
        );
        expected.event_name = Arc::clone(&found.event_name);
        expected.severity_text = Arc::clone(&found.severity_text);
        expected.body.clone_from(&found.body);
        expected.attributes.clone_from(&found.attributes);
        expected.dropped_attributes_count = found.dropped_attributes_count;
        expected.truncated = true;
        assert_eq!(*found, expected);
    }
}

/// A span without anything.
pub(super) fn empty_span(scope: Arc<Scope>) -> Span {
    Span {
        position: NOWHERE,
        scope,
        trace_id: [0; 16],
        span_id: [0; 8],
        parent_span_id: [0; 8],
        trace_state: Text::default(),
        flags: 0,
        name: Text::default(),
        kind: 0,
        start_time_unix_nano: 0,
        end_time_unix_nano: None,
        attributes: Vec::new(),
        dropped_attributes_count: 0,
        events: Vec::new(),
        dropped_events_count: 0,
        links: Vec::new(),
        dropped_links_count: 0,
        status_code: 0,
        status_message: Text::default(),
        truncated: false,
        spilled: false,
    }
}

fn number(count: u32) -> usize {
    usize::try_from(count).expect("a count")
}
