//! Items in private bytes: one after another, and the values in them (SPEC "Items", "Values").
//!
//! Recursion ends at [`MAX_VALUE_DEPTH`]; memory is a small multiple of the bytes an item takes.

use otlp_mmap_format::{ItemHeader, ItemTag, MAX_VALUE_DEPTH, U32, ValueType};

use crate::attributes::AttributeList;
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
    /// What follows the item's header; once the key was read, what follows an inline key.
    pub(crate) payload: &'a [u8],
    /// Bytes between the header and the payload: an inline key.
    skipped: usize,
    /// Offset of the item from the start of the file; of the head of the span in flight that holds it.
    pub(crate) offset: u64,
    /// It belongs to a span in flight, whose bytes are spread over blocks: no offset but its head's tells a place.
    scattered: bool,
}

/// Items one after another.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Items<'a> {
    bytes: &'a [u8],
    at: usize,
    origin: u64,
    scattered: bool,
}

impl<'a> Items<'a> {
    /// The items in `bytes`, which stand at `origin` in the file.
    pub(crate) fn new(bytes: &'a [u8], origin: u64) -> Self {
        Self { bytes, at: 0, origin, scattered: false }
    }

    /// The items in `bytes`, which are those of the span in flight whose head stands at `head` in the file.
    pub(crate) fn scattered(bytes: &'a [u8], head: u64) -> Self {
        Self { scattered: true, ..Self::new(bytes, head) }
    }

    /// The next item; one that does not fit is a fault and ends the list.
    pub(crate) fn next(&mut self, report: &mut Report) -> Option<Item<'a>> {
        if self.at >= self.bytes.len() {
            return None;
        }
        let start = if self.scattered { 0 } else { size(self.at) };
        let offset = self.origin.saturating_add(start);
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
        Some(Item { tag, truncated, reference, payload, skipped: 0, offset, scattered: self.scattered })
    }
}

impl<'a> Item<'a> {
    /// The item's payload behind its first `count` bytes, padded to 8.
    pub(crate) fn rest(&self, count: usize) -> Items<'a> {
        let start = align8(count).unwrap_or(usize::MAX);
        let bytes = self.payload.get(start..).unwrap_or_default();
        if self.scattered {
            return Items::scattered(bytes, self.offset);
        }
        let header = size(ItemHeader::SIZE);
        let before = header.saturating_add(size(self.skipped)).saturating_add(size(start));
        Items::new(bytes, self.offset.saturating_add(before))
    }

    /// Adds a fault of this item.
    pub(crate) fn fault(&self, report: &mut Report, rule: Rule, detail: impl FnOnce() -> String) {
        report.fault(self.offset, rule, detail);
    }
}

impl Resolver<'_> {
    /// Adds the item to `list` if it is an attribute. One whose key is lost counts as dropped; a tag that has no
    /// business here is a fault; an unknown one is skipped.
    pub(crate) fn add_attribute(&mut self, item: &Item<'_>, list: &mut AttributeList, depth: usize) {
        let Some(kind) = ValueType::from_code(item.tag) else {
            self.misplaced(item);
            return;
        };
        if item.reference != 0 {
            match self.key(item.reference, item.offset) {
                Some(key) => {
                    let value = self.value(kind, item, depth);
                    list.set(KeyValue { key, value, truncated: item.truncated }, item.reference);
                }
                None => list.drop_one(),
            }
        } else if let Some((key, payload)) = self.inline_key(item) {
            let skipped = item.payload.len().saturating_sub(payload.len());
            let value = self.value(kind, &Item { payload, skipped, ..*item }, depth);
            list.set(KeyValue { key, value, truncated: item.truncated }, 0);
        }
    }

    /// The attributes in `items`, and nothing else.
    pub(crate) fn attributes(&mut self, mut items: Items<'_>, depth: usize) -> AttributeList {
        let mut list = AttributeList::default();
        while let Some(item) = items.next(self.report) {
            self.add_attribute(&item, &mut list, depth);
        }
        list
    }

    /// The item as a value without a key; one of an unknown type is empty.
    pub(crate) fn keyless(&mut self, item: &Item<'_>, depth: usize) -> Value {
        let Some(kind) = ValueType::from_code(item.tag) else {
            self.misplaced(item);
            return Value::Empty;
        };
        if item.reference != 0 {
            let reference = item.reference;
            let detail = || format!("a value without a key has the key {reference}");
            item.fault(self.report, Rule::ItemPayload, detail);
        }
        self.value(kind, item, depth)
    }

    /// An item that is no value where one belongs: a fault if its tag is known.
    fn misplaced(&mut self, item: &Item<'_>) {
        if let Some(tag) = ItemTag::from_code(item.tag) {
            let detail = || format!("an item {} where none belongs", tag.name());
            item.fault(self.report, Rule::ItemPayload, detail);
        }
    }

    /// A key that stands in the payload, and the payload behind it.
    fn inline_key<'i>(&mut self, item: &Item<'i>) -> Option<(Text, &'i [u8])> {
        let key_length = view::<U32>(item.payload, 0).map(|length| len(u64::from(length.get())));
        let end = key_length.and_then(|length| length.checked_add(INLINE_KEY_PREFIX));
        let key = end.and_then(|end| item.payload.get(INLINE_KEY_PREFIX..end));
        let Some((key, end)) = key.zip(end) else {
            item.fault(self.report, Rule::ItemLength, || "the inline key does not fit".to_owned());
            return None;
        };
        // An empty value may end with its key; then there is no padding either.
        let payload = align8(end).and_then(|start| item.payload.get(start..)).unwrap_or_default();
        Some((self.utf8(key, item.offset), payload))
    }

    fn elements(&mut self, mut items: Items<'_>, depth: usize) -> Vec<Value> {
        let mut elements = Vec::new();
        while let Some(item) = items.next(self.report) {
            elements.push(self.keyless(&item, depth));
        }
        elements
    }

    /// The value in the payload of `item`; what does not fit its type is a fault and an empty value.
    fn value(&mut self, kind: ValueType, item: &Item<'_>, depth: usize) -> Value {
        let value = match kind {
            ValueType::Empty => item.payload.is_empty().then_some(Value::Empty),
            ValueType::String => Some(Value::String(self.utf8_string(item.payload, item.offset))),
            ValueType::Bool => self.bool(item),
            ValueType::Int => scalar(item.payload).map(|bytes| Value::Int(i64::from_le_bytes(bytes))),
            ValueType::Double => scalar(item.payload).map(|bytes| Value::Double(f64::from_le_bytes(bytes))),
            ValueType::Bytes => Some(Value::Bytes(item.payload.to_vec())),
            ValueType::Array => {
                let items = self.within_depth(item, depth);
                Some(Value::Array(self.elements(items, depth + 1)))
            }
            ValueType::Map => {
                let items = self.within_depth(item, depth);
                Some(Value::Map(self.attributes(items, depth + 1).into_vec()))
            }
        };
        value.unwrap_or_else(|| {
            let found = item.payload.len();
            item.fault(self.report, Rule::ItemPayload, || {
                format!("{found} bytes do not make a {}", kind.name())
            });
            Value::Empty
        })
    }

    /// The items in an array or map, which has none at the greatest depth.
    fn within_depth<'i>(&mut self, item: &Item<'i>, depth: usize) -> Items<'i> {
        if depth < MAX_VALUE_DEPTH || item.payload.is_empty() {
            return item.rest(0);
        }
        let detail = || format!("a value nests deeper than {MAX_VALUE_DEPTH}");
        item.fault(self.report, Rule::ValueDepth, detail);
        Items::new(&[], item.offset)
    }

    fn bool(&mut self, item: &Item<'_>) -> Option<Value> {
        let [byte] = scalar(item.payload)?;
        if byte > 1 {
            item.fault(self.report, Rule::ItemPayload, || format!("byte {byte} for a Bool"));
        }
        Some(Value::Bool(byte != 0))
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

/// The start of a payload as a value of fixed size; what stands behind it is ignored.
fn scalar<const N: usize>(payload: &[u8]) -> Option<[u8; N]> {
    payload.first_chunk().copied()
}
