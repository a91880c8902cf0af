//! Items in private bytes: one after another, and the values in them (SPEC "Items", "Values").
//!
//! Recursion ends at [`MAX_VALUE_DEPTH`]; memory is a small multiple of the bytes an item takes.

use otlp_mmap_format::{ItemHeader, MAX_VALUE_DEPTH, U32, ValueType};

use crate::bytes::{align8, len, size, view};
use crate::dictionary::Resolver;
use crate::model::{KeyValue, Text, Value};
use crate::{Report, Rule};

/// Bytes before an inline key: its length and zero.
const INLINE_KEY_PREFIX: usize = 8;

/// An item with its payload.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Item<'a> {
    /// `ValueType` or `ItemTag`.
    pub(crate) tag: u8,
    /// The value was cut.
    pub(crate) truncated: bool,
    /// Dictionary reference of key or name; 0: inline or none.
    pub(crate) reference: u32,
    /// What follows the item's header.
    pub(crate) payload: &'a [u8],
    /// Offset of the item from the start of the file; of what holds it, if its bytes are not contiguous.
    pub(crate) offset: u64,
}

/// Items one after another.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Items<'a> {
    bytes: &'a [u8],
    at: usize,
    origin: u64,
}

impl<'a> Items<'a> {
    /// The items in `bytes`, which stand at `origin` in the file.
    pub(crate) fn new(bytes: &'a [u8], origin: u64) -> Self {
        Self { bytes, at: 0, origin }
    }

    /// The next item; one that does not fit is a fault and ends the list.
    pub(crate) fn next(&mut self, report: &mut Report) -> Option<Item<'a>> {
        if self.at >= self.bytes.len() {
            return None;
        }
        let offset = self.origin.saturating_add(size(self.at));
        let item = self.item_at(offset);
        if item.is_none() {
            let rest = self.bytes.len() - self.at;
            report.fault(offset, Rule::ItemLength, || format!("no whole item in the last {rest} bytes"));
            self.at = self.bytes.len();
        }
        item
    }

    fn item_at(&mut self, offset: u64) -> Option<Item<'a>> {
        let header: ItemHeader = view(self.bytes, self.at)?;
        let length = len(u64::from(header.length()));
        let end = self.at.checked_add(length)?;
        let payload = self.bytes.get(self.at.checked_add(ItemHeader::SIZE)?..end)?;
        self.at = align8(end)?;
        let (tag, truncated, reference) = (header.tag(), header.is_truncated(), header.reference.get());
        Some(Item { tag, truncated, reference, payload, offset })
    }
}

impl<'a> Item<'a> {
    /// The item's payload behind its first `count` bytes, padded to 8.
    pub(crate) fn rest(&self, count: usize) -> Items<'a> {
        let start = align8(count).unwrap_or(usize::MAX);
        let header = size(ItemHeader::SIZE);
        let bytes = self.payload.get(start..).unwrap_or_default();
        Items::new(bytes, self.offset.saturating_add(header).saturating_add(size(start)))
    }

    /// Adds a fault of this item.
    pub(crate) fn fault(&self, report: &mut Report, rule: Rule, detail: impl FnOnce() -> String) {
        report.fault(self.offset, rule, detail);
    }
}

impl Resolver<'_> {
    /// The item as an attribute or map entry; `None` if its tag is not that of a value.
    pub(crate) fn key_value(&mut self, item: &Item<'_>, depth: usize) -> Option<KeyValue> {
        let kind = ValueType::from_code(item.tag)?;
        if item.reference != 0 {
            let key = self.text(item.reference, item.offset);
            return Some(KeyValue { key, value: self.value(kind, item, depth), truncated: item.truncated });
        }
        let key_length = view::<U32>(item.payload, 0).map(|length| len(u64::from(length.get())));
        let end = key_length.and_then(|length| length.checked_add(INLINE_KEY_PREFIX));
        let key = end.and_then(|end| item.payload.get(INLINE_KEY_PREFIX..end));
        let Some((key, end)) = key.zip(end) else {
            item.fault(self.report, Rule::ItemPayload, || "the inline key does not fit".to_owned());
            return None;
        };
        let key = self.utf8(key, item.offset);
        // An Empty value may end with its key; then there is no padding either.
        let payload = align8(end).and_then(|start| item.payload.get(start..)).unwrap_or_default();
        let value = self.value(kind, &Item { payload, ..*item }, depth);
        Some(KeyValue { key, value, truncated: item.truncated })
    }

    /// The item as a value without a key; `None` if its tag is not that of a value.
    pub(crate) fn keyless(&mut self, item: &Item<'_>, depth: usize) -> Option<Value> {
        let kind = ValueType::from_code(item.tag)?;
        Some(self.value(kind, item, depth))
    }

    /// The attributes among `items`, in order, repeated keys and all.
    fn entries(&mut self, mut items: Items<'_>, depth: usize) -> Vec<KeyValue> {
        let mut entries = Vec::new();
        while let Some(item) = items.next(self.report) {
            entries.extend(self.key_value(&item, depth));
        }
        entries
    }

    fn elements(&mut self, mut items: Items<'_>, depth: usize) -> Vec<Value> {
        let mut elements = Vec::new();
        while let Some(item) = items.next(self.report) {
            elements.extend(self.keyless(&item, depth));
        }
        elements
    }

    /// The value in the payload of `item`; what does not fit its type is a fault and an empty value.
    fn value(&mut self, kind: ValueType, item: &Item<'_>, depth: usize) -> Value {
        if depth > MAX_VALUE_DEPTH {
            let detail = || format!("a value nests deeper than {MAX_VALUE_DEPTH}");
            item.fault(self.report, Rule::ValueDepth, detail);
            return Value::Empty;
        }
        let value = match kind {
            ValueType::Empty => Some(Value::Empty),
            ValueType::String => Some(Value::String(self.utf8_string(item.payload, item.offset))),
            ValueType::Bool => scalar(item.payload).map(|[byte]: [u8; 1]| Value::Bool(byte != 0)),
            ValueType::Int => scalar(item.payload).map(|bytes| Value::Int(i64::from_le_bytes(bytes))),
            ValueType::Double => scalar(item.payload).map(|bytes| Value::Double(f64::from_le_bytes(bytes))),
            ValueType::Bytes => Some(Value::Bytes(item.payload.to_vec())),
            ValueType::Array => Some(Value::Array(self.elements(item.rest(0), depth + 1))),
            ValueType::Map => Some(Value::Map(self.entries(item.rest(0), depth + 1))),
        };
        value.unwrap_or_else(|| {
            let found = item.payload.len();
            item.fault(self.report, Rule::ItemPayload, || {
                format!("{found} bytes do not make a {}", kind.name())
            });
            Value::Empty
        })
    }

    /// Text that an item names by reference or holds.
    pub(crate) fn item_text(&mut self, item: &Item<'_>) -> Text {
        if item.reference != 0 {
            return self.text(item.reference, item.offset);
        }
        self.utf8(item.payload, item.offset)
    }

    /// Text; bytes that are not UTF-8 are a fault and become U+FFFD.
    pub(crate) fn utf8(&mut self, bytes: &[u8], offset: u64) -> Text {
        match std::str::from_utf8(bytes) {
            Ok(text) => text.into(),
            Err(_) => self.utf8_string(bytes, offset).into(),
        }
    }

    fn utf8_string(&mut self, bytes: &[u8], offset: u64) -> String {
        if let Ok(text) = std::str::from_utf8(bytes) {
            return text.to_owned();
        }
        let length = bytes.len();
        self.report.fault(offset, Rule::Utf8, || format!("{length} bytes of text are not UTF-8"));
        String::from_utf8_lossy(bytes).into_owned()
    }
}

/// The payload of a value of fixed size.
fn scalar<const N: usize>(payload: &[u8]) -> Option<[u8; N]> {
    payload.try_into().ok()
}
