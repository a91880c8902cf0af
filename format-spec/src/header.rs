//! Header page: what the file is, who writes it and where its sections are (SPEC "Header").
//!
//! The first 2,048 bytes are written once before the file has a name and never change; a CRC32C covers them.
//! The second 2,048 bytes hold the few words that change while the writer lives.

use crate::{U16, U32, U64};

/// First eight bytes of every recording: a high byte, three letters, and line ends that text-mode transfer breaks.
pub const MAGIC: [u8; 8] = *b"\x89OTM\r\n\x1a\n";
/// Value of [`Header::byte_order`] when it is read as little-endian, the only order there is.
pub const BYTE_ORDER: u32 = 0x0a0b_0c0d;
/// Major version this crate describes; another one is refused.
pub const VERSION_MAJOR: u16 = 1;
/// Minor version this crate describes; a higher one is read, its additions ignored.
pub const VERSION_MINOR: u16 = 0;
/// Size of the header, and the alignment of every section, in bytes.
pub const PAGE_SIZE: usize = 4096;
/// Size of the header page in bytes.
pub const HEADER_SIZE: usize = PAGE_SIZE;
/// Where the section table starts, in bytes from the start of the file.
pub const SECTIONS_OFFSET: usize = 1024;
/// How many entries the section table has room for.
pub const MAX_SECTIONS: usize = 24;
/// Where the CRC32C of bytes `0..HEADER_CRC_OFFSET` stands.
pub const HEADER_CRC_OFFSET: usize = 2044;
/// Where [`HeaderState`] starts.
pub const STATE_OFFSET: usize = 2048;
/// The byte on which the writer holds an exclusive open-file-description lock while it lives.
pub const WRITER_LOCK_BYTE: u64 = 2048;
/// The byte on which the exporter, at most one, holds an exclusive open-file-description lock.
pub const EXPORTER_LOCK_BYTE: u64 = 2049;
/// The line that `head -c 200 FILE` shows, padded with spaces to 112 bytes; it starts and ends with a newline.
pub const BANNER: [u8; 112] = banner(
    b"\notlp-mmap recording, format 1 (OpenTelemetry spans, events, metrics). Read it: otlp-mmap dump FILE",
);

const fn banner(text: &[u8]) -> [u8; 112] {
    let mut line = [b' '; 112];
    let mut at = 0;
    while at < text.len() {
        line[at] = text[at];
        at += 1;
    }
    line[111] = b'\n';
    line
}

on_disk! {
    /// The immutable identity of a recording (SPEC "Header"). Written by the writer before the file is named.
    pub struct Header [264] {
        /// `MAGIC`.
        pub magic: [u8; 8],
        /// `BYTE_ORDER`; any other value: a foreign file, refused.
        pub byte_order: U32,
        /// Major version: another one is refused.
        pub version_major: U16,
        /// Minor version: a higher one adds only what may be ignored.
        pub version_minor: U16,
        /// One line of ASCII that explains the file to a person.
        pub banner: [u8; 112],
        /// Features a reader may ignore if it does not know them; none in version 1.
        pub compat_flags: U64,
        /// Features a reader must know or refuse the file; none in version 1.
        pub incompat_flags: U64,
        /// Size of the whole file in bytes.
        pub file_size: U64,
        /// Random identity of the file; its first 8 bytes key every record check.
        pub file_id: [u8; 16],
        /// `/proc/sys/kernel/random/boot_id` of the writer as 16 bytes; zero where unknown.
        pub boot_id: [u8; 16],
        /// The writer's process id in its own pid namespace.
        pub pid: U32,
        /// Number of section table entries in use.
        pub section_count: U32,
        /// The writer's start time: field 22 of `/proc/self/stat`, in clock ticks since boot; 0 where unknown.
        pub process_start_ticks: U64,
        /// Inode of `/proc/self/ns/pid` of the writer; 0 where unknown.
        pub pid_namespace: U64,
        /// Realtime clock at creation, unix nanoseconds.
        pub created_realtime_nanos: U64,
        /// Monotonic clock at creation, nanoseconds; read together with the realtime clock.
        pub created_monotonic_nanos: U64,
        /// Size of every segment in bytes, a multiple of 4,096.
        pub segment_size: U32,
        /// `OverflowPolicy`.
        pub overflow_policy: U32,
        /// Longest wait of the policy `Block` in milliseconds; 0 under other policies.
        pub block_timeout_millis: U32,
        /// Most series a metric stream may have, its overflow series included.
        pub cardinality_limit: U32,
        /// 1: records carry a CRC32C; 0: their `crc` field is 0 and unused.
        pub record_crc: U32,
        /// Zero.
        pub reserved: U32,
        /// `file_id` of the parent's recording if this file was opened by a forked child; zero otherwise.
        pub parent_file_id: [u8; 16],
    }
}

on_disk! {
    /// One entry of the section table (SPEC "Section table").
    pub struct SectionEntry [32] {
        /// `SectionKind`; an unknown kind is skipped.
        pub kind: U32,
        /// `Signal` for segment tables and segments; 0 for the others.
        pub signal: U32,
        /// Start of the section in bytes from the start of the file, a multiple of 4,096.
        pub offset: U64,
        /// Length of the section in bytes.
        pub length: U64,
        /// Size of one entry in bytes (of one segment for `Segments`); 0 for sections without fixed entries.
        pub entry_size: U32,
        /// Number of entries; 0 for sections without fixed entries.
        pub entry_count: U32,
    }
}

on_disk! {
    /// The words of the header page that change (SPEC "File state"), at `STATE_OFFSET`.
    pub struct HeaderState [24] {
        /// `FileState`. SYNC CLOSE.
        pub state: U64,
        /// Realtime clock when the writer closed the file, unix nanoseconds; valid once `state` is `Closed`.
        pub closed_realtime_nanos: U64,
        /// Bytes of the file the writer has had allocated by the file system; informative.
        pub backed_bytes: U64,
    }
}

codes! {
    /// What the writer says of itself (SPEC "File state").
    pub enum FileState: u64 {
        /// Recording, or killed while it was: the writer's lock tells which.
        Open = 1,
        /// Closed by the writer; nothing changes any more but acknowledgements, the counters of calls that are
        /// refused (`Closed`, `Invalid`), and, by a call already under way, `backed_bytes` and the sum that it was
        /// adding to.
        Closed = 2,
    }
}

codes! {
    /// Kinds of sections (SPEC "Section table").
    pub enum SectionKind: u32 {
        /// Loss counters.
        Counters = 1,
        /// One `SegmentEntry` for each segment of a signal.
        SegmentTable = 2,
        /// The segments of a signal.
        Segments = 3,
        /// Blocks of spans in flight.
        ActiveSpans = 4,
        /// Metric series.
        MetricCells = 5,
        /// Strings and definitions.
        Dictionary = 6,
    }
}

codes! {
    /// The three kinds of telemetry with a pool of segments each.
    pub enum Signal: u32 {
        /// Ended spans.
        Spans = 1,
        /// Events: OTLP log records.
        Events = 2,
        /// Exemplars and raw measurements.
        Measurements = 3,
    }
}

codes! {
    /// What happens when every segment of a pool is in use (SPEC "Overflow").
    pub enum OverflowPolicy: u32 {
        /// The oldest sealed segment is recycled.
        OverwriteOldest = 1,
        /// Only acknowledged segments are reused; otherwise the new record is discarded.
        DiscardNewest = 2,
        /// As `DiscardNewest`, after waiting for the exporter at most `block_timeout_millis`.
        Block = 3,
    }
}
