//! Encoder: attributes and texts as items, straight into the bytes of a record (SPEC "Items").
//!
//! Bytes come from the caller's values and go to a scratch buffer, from there to the mapping. The encoder holds
//! every value to a cap, so that what does not fit is cut while it is encoded; [`crate::fit`] finds the cap.
//! No allocation in the steady state: the scratch buffer keeps its capacity.

use crate::dictionary::{Dictionary, MAX_INTERNED};
use crate::error::Error;
use crate::telemetry::{Key, KeyValue, StringRef, Text, Value};
use otlp_mmap_format::{EntryKind, ITEM_TRUNCATED, ItemHeader, ItemTag, MAX_VALUE_DEPTH, ValueType};
use zerocopy::IntoBytes;

/// Encodes attributes into a record. Handed to [`crate::Attributes::encode`].
pub struct Encoder<'a> {
    pub(crate) bytes: &'a mut Vec<u8>,
    dictionary: &'a Dictionary,
    /// Most bytes one value may take.
    cap: usize,
    /// Length of `bytes` from which on no further item is begun.
    limit: usize,
    depth: usize,
    /// Whether the innermost container is an array.
    keyless: bool,
    /// Attributes left out because `limit` was reached.
    pub(crate) dropped: u32,
    /// A value was cut, or something was left out.
    pub(crate) truncated: bool,
    /// Keys that stand inline because the dictionary has no room.
    pub(crate) inlined: u32,
}

/// An item that has begun; `Encoder::finish` writes its header.
pub(crate) struct Begun {
    start: usize,
    tag: u8,
    reference: u32,
    cut: bool,
}

impl<'a> Encoder<'a> {
    pub(crate) fn new(bytes: &'a mut Vec<u8>, dictionary: &'a Dictionary, cap: usize, limit: usize) -> Self {
        Self {
            bytes,
            dictionary,
            cap,
            limit,
            depth: 0,
            keyless: false,
            dropped: 0,
            truncated: false,
            inlined: 0,
        }
    }

    /// An attribute of any type. Errors: an empty key; a key where none belongs, or none where one does.
    #[inline]
    pub fn value(&mut self, key: Key<'_>, value: &Value<'_>) -> Result<(), Error> {
        match *value {
            Value::Empty => self.empty(key),
            Value::String(text) => self.string(key, text),
            Value::Bool(flag) => self.bool(key, flag),
            Value::Int(number) => self.int(key, number),
            Value::Double(number) => self.double(key, number),
            Value::Bytes(bytes) => self.bytes(key, bytes),
            Value::Array(elements) => self.array(key, |encoder| {
                elements.iter().try_for_each(|element| encoder.value(Key::None, element))
            }),
            Value::Map(entries) => self.map(key, |encoder| {
                entries.iter().try_for_each(|KeyValue { key, value }| encoder.value(Key::Str(key), value))
            }),
        }
    }

    /// An attribute without a value (OTLP: an `AnyValue` with nothing set).
    pub fn empty(&mut self, key: Key<'_>) -> Result<(), Error> {
        self.scalar(key, ValueType::Empty, &[])
    }

    /// A text; cut at a character boundary if it is too long.
    #[inline]
    pub fn string(&mut self, key: Key<'_>, text: &str) -> Result<(), Error> {
        let kept = text.floor_char_boundary(self.cap);
        self.sized(key, ValueType::String, &text.as_bytes()[..kept], kept < text.len())
    }

    /// A boolean.
    #[inline]
    pub fn bool(&mut self, key: Key<'_>, flag: bool) -> Result<(), Error> {
        self.scalar(key, ValueType::Bool, &[u8::from(flag)])
    }

    /// A signed 64-bit integer.
    #[inline]
    pub fn int(&mut self, key: Key<'_>, number: i64) -> Result<(), Error> {
        self.scalar(key, ValueType::Int, &number.to_le_bytes())
    }

    /// A double, NaN and infinities included.
    #[inline]
    pub fn double(&mut self, key: Key<'_>, number: f64) -> Result<(), Error> {
        self.scalar(key, ValueType::Double, &number.to_le_bytes())
    }

    /// Bytes; cut if there are too many.
    pub fn bytes(&mut self, key: Key<'_>, bytes: &[u8]) -> Result<(), Error> {
        let kept = bytes.len().min(self.cap);
        self.sized(key, ValueType::Bytes, &bytes[..kept], kept < bytes.len())
    }

    /// An array; `elements` encodes its values with [`Key::None`]. Deeper than 32 levels: left empty.
    pub fn array(
        &mut self,
        key: Key<'_>,
        elements: impl FnOnce(&mut Encoder<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.container(key, ValueType::Array, elements)
    }

    /// A map; `entries` encodes its attributes. Deeper than 32 levels: left empty.
    pub fn map(
        &mut self,
        key: Key<'_>,
        entries: impl FnOnce(&mut Encoder<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.container(key, ValueType::Map, entries)
    }

    #[inline]
    fn scalar(&mut self, key: Key<'_>, value_type: ValueType, payload: &[u8]) -> Result<(), Error> {
        self.sized(key, value_type, payload, false)
    }

    #[inline]
    fn sized(&mut self, key: Key<'_>, value_type: ValueType, payload: &[u8], cut: bool) -> Result<(), Error> {
        if let Some(reference) = self.reference(key) {
            self.put(value_type, reference, payload, cut);
        } else if let Some(mut begun) = self.begin_value(key, value_type, payload.len())? {
            begun.cut = cut;
            self.bytes.extend_from_slice(payload);
            self.finish(&begun);
        }
        Ok(())
    }

    /// The reference of a key that needs no more than that; `None` for one that stands inline or is wrong.
    #[inline]
    fn reference(&self, key: Key<'_>) -> Option<u32> {
        match key {
            Key::Str(key) if !self.keyless && !key.is_empty() => self.dictionary.intern(key),
            Key::None if self.keyless => Some(0),
            _ => None,
        }
    }

    /// Appends a whole item, or counts it as left out if it has no room.
    #[inline]
    fn put(&mut self, value_type: ValueType, reference: u32, payload: &[u8], cut: bool) {
        let length = ItemHeader::SIZE + payload.len();
        let padding = length.next_multiple_of(8) - length;
        if self.bytes.len() + length + padding > self.limit {
            self.dropped += 1;
            self.truncated = true;
            return;
        }
        let tag = if cut { value_type.code() | ITEM_TRUNCATED } else { value_type.code() };
        self.truncated |= cut;
        // Caps and limits keep every item under 2^24 bytes (`MAX_ITEM_SIZE`).
        let header = ItemHeader::new(tag, u32::try_from(length).unwrap_or(u32::MAX), reference);
        self.bytes.reserve(length + padding);
        self.bytes.extend_from_slice(header.as_bytes());
        self.bytes.extend_from_slice(payload);
        self.bytes.extend_from_slice(&[0; 8][..padding]);
    }

    fn container(
        &mut self,
        key: Key<'_>,
        value_type: ValueType,
        content: impl FnOnce(&mut Encoder<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let Some(mut begun) = self.begin_value(key, value_type, 0)? else { return Ok(()) };
        if self.depth + 1 >= MAX_VALUE_DEPTH {
            begun.cut = true;
        } else {
            // Twice the cap: a value that was cut to the cap has room in it, with its key and its neighbours.
            let limit = self.limit.min(self.bytes.len().saturating_add(self.cap.saturating_mul(2)));
            let mut inner = Encoder {
                bytes: &mut *self.bytes,
                depth: self.depth + 1,
                keyless: value_type == ValueType::Array,
                limit,
                ..*self
            };
            inner.dropped = 0;
            inner.truncated = false;
            let result = content(&mut inner);
            begun.cut = inner.truncated;
            self.inlined = inner.inlined;
            if let Err(error) = result {
                // The caller may go on without it.
                self.bytes.truncate(begun.start);
                return Err(error);
            }
        }
        self.finish(&begun);
        Ok(())
    }

    /// Begins a value under its key, or counts it as left out if it has no room.
    #[inline]
    fn begin_value(
        &mut self,
        key: Key<'_>,
        value_type: ValueType,
        payload: usize,
    ) -> Result<Option<Begun>, Error> {
        let (reference, inline) = self.key(key)?;
        let needed = ItemHeader::SIZE + inline.map_or(0, |key| 8 + key.len().next_multiple_of(8)) + payload;
        if self.bytes.len() + needed.next_multiple_of(8) > self.limit {
            self.dropped += 1;
            self.truncated = true;
            return Ok(None);
        }
        let begun = self.begin(value_type.code(), reference);
        if let Some(key) = inline {
            // The length fits: keys are cut to MAX_INLINE_KEY.
            let length = u32::try_from(key.len()).unwrap_or(0);
            self.bytes.extend_from_slice(&u64::from(length).to_le_bytes());
            self.bytes.extend_from_slice(key.as_bytes());
            self.pad();
        }
        Ok(Some(begun))
    }

    /// A key as a reference, or inline if the dictionary has no room for it.
    #[inline]
    fn key<'k>(&mut self, key: Key<'k>) -> Result<(u32, Option<&'k str>), Error> {
        match key {
            Key::None if self.keyless => Ok((0, None)),
            Key::Str(key) if !self.keyless && !key.is_empty() => {
                if let Some(reference) = self.dictionary.intern(key) {
                    return Ok((reference, None));
                }
                self.inlined += u32::from(key.len() <= MAX_INTERNED);
                let kept = key.floor_char_boundary(self.cap.max(MAX_INLINE_KEY));
                self.truncated |= kept < key.len();
                Ok((0, Some(&key[..kept])))
            }
            Key::Ref(reference) if !self.keyless => Ok((self.text_ref("attributes", reference)?, None)),
            Key::None => Err(Error::invalid("attributes", "a value without a key")),
            Key::Str("") if !self.keyless => Err(Error::invalid("attributes", "an empty key")),
            Key::Str(_) | Key::Ref(_) => Err(Error::invalid("attributes", "a key inside an array")),
        }
    }

    fn text_ref(&self, argument: &'static str, StringRef(reference): StringRef) -> Result<u32, Error> {
        self.dictionary.check(argument, reference, EntryKind::String)?;
        Ok(reference)
    }

    /// Begins an item; its payload follows, then `finish`.
    #[inline]
    pub(crate) fn begin(&mut self, tag: u8, reference: u32) -> Begun {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&[0; ItemHeader::SIZE]);
        Begun { start, tag, reference, cut: false }
    }

    /// Writes the header of an item whose payload is complete, and the padding behind it.
    #[inline]
    pub(crate) fn finish(&mut self, begun: &Begun) {
        // Caps and limits keep every item under 2^24 bytes (`MAX_ITEM_SIZE`).
        let length = u32::try_from(self.bytes.len() - begun.start).unwrap_or(u32::MAX);
        let tag = if begun.cut { begun.tag | ITEM_TRUNCATED } else { begun.tag };
        self.truncated |= begun.cut;
        let header = ItemHeader::new(tag, length, begun.reference);
        self.bytes[begun.start..begun.start + ItemHeader::SIZE].copy_from_slice(header.as_bytes());
        self.pad();
    }

    /// Fills up to the next multiple of 8 with zeros.
    #[inline]
    pub(crate) fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(8), 0);
    }

    /// An item whose payload is one text, inline.
    pub(crate) fn text(&mut self, tag: ItemTag, text: &str) {
        let mut begun = self.begin(tag.code(), 0);
        self.inline_text(&mut begun, text);
        self.finish(&begun);
    }

    /// Appends a text to an item's payload, cut to the cap; returns the bytes it took.
    pub(crate) fn inline_text(&mut self, begun: &mut Begun, text: &str) -> u32 {
        let kept = text.floor_char_boundary(self.cap);
        begun.cut |= kept < text.len();
        self.bytes.extend_from_slice(&text.as_bytes()[..kept]);
        u32::try_from(kept).unwrap_or(u32::MAX)
    }

    /// The reference of a text (0 where it is inline) and the inline text.
    pub(crate) fn text_parts<'t>(
        &self,
        argument: &'static str,
        text: Text<'t>,
    ) -> Result<(u32, &'t str), Error> {
        match text {
            Text::Str(text) => Ok((0, text)),
            Text::Ref(reference) => Ok((self.text_ref(argument, reference)?, "")),
        }
    }

    /// Encodes one value without a key, as an event's body has it.
    pub(crate) fn body(&mut self, body: &dyn crate::AnyValue) -> Result<(), Error> {
        let begun = self.begin(ItemTag::Body.code(), 0);
        let outer = std::mem::replace(&mut self.keyless, true);
        let result = body.encode_value(Key::None, self);
        self.keyless = outer;
        if self.bytes.len() == begun.start + ItemHeader::SIZE {
            // Left out for want of room (already marked as cut): the body is there, and empty.
            self.bytes.extend_from_slice(ItemHeader::new(ValueType::Empty.code(), 8, 0).as_bytes());
        }
        self.finish(&begun);
        result
    }

    /// Overwrites the payload's start of an item that has begun.
    pub(crate) fn patch(&mut self, begun: &Begun, bytes: &[u8]) {
        let at = begun.start + ItemHeader::SIZE;
        self.bytes[at..at + bytes.len()].copy_from_slice(bytes);
    }
}

/// Length to which an inline key may be cut when its record does not fit, in bytes.
const MAX_INLINE_KEY: usize = 1024;
