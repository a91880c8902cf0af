//! Clocks, identities and randomness of this process, for the header (SPEC "Header").

use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::time::{SystemTime, UNIX_EPOCH};

/// Realtime clock, unix nanoseconds.
pub(crate) fn realtime_nanos() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// Monotonic clock, nanoseconds.
pub(crate) fn monotonic_nanos() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` lives through the call, which fills it in; CLOCK_MONOTONIC exists on every Linux.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
    time.tv_sec.cast_unsigned() * 1_000_000_000 + time.tv_nsec.cast_unsigned()
}

/// Random bytes from the kernel; from clocks and addresses where it gives none.
pub(crate) fn random_bytes() -> [u8; 16] {
    let mut bytes = [0; 16];
    let filled = std::fs::File::open("/dev/urandom").and_then(|mut source| source.read_exact(&mut bytes));
    if filled.is_err() {
        let word = u128::from(realtime_nanos()) << 64
            | u128::from(monotonic_nanos()) ^ u128::from(std::process::id()) << 40;
        bytes = word.to_le_bytes();
    }
    bytes
}

/// A random UUID: version 4, RFC 9562.
pub(crate) fn random_uuid() -> [u8; 16] {
    let mut id = random_bytes();
    id[6] = id[6] & 0x0f | 0x40;
    id[8] = id[8] & 0x3f | 0x80;
    id
}

/// A random number.
pub(crate) fn random_u64() -> u64 {
    let bytes = random_bytes();
    u64::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3], bytes[4], bytes[5], bytes[6], bytes[7]])
}

/// Who writes a recording, and since when.
pub(crate) struct Origin {
    pub(crate) boot_id: [u8; 16],
    pub(crate) process_start_ticks: u64,
    pub(crate) pid_namespace: u64,
    pub(crate) realtime_nanos: u64,
    pub(crate) monotonic_nanos: u64,
}

impl Origin {
    /// This process, now. Needs a free descriptor, or parts of it stay unknown.
    pub(crate) fn read() -> Self {
        Self {
            boot_id: boot_id(),
            process_start_ticks: process_start_ticks(),
            pid_namespace: pid_namespace(),
            realtime_nanos: realtime_nanos(),
            monotonic_nanos: monotonic_nanos(),
        }
    }
}

/// Identity of the running kernel, or zero.
fn boot_id() -> [u8; 16] {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let hex: String = text.chars().filter(char::is_ascii_hexdigit).collect();
    u128::from_str_radix(&hex, 16).unwrap_or(0).to_be_bytes()
}

/// Start of this process in clock ticks since boot: field 22 of `/proc/self/stat`, or 0.
fn process_start_ticks() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The second field is the program's name in parentheses and may contain anything.
    let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    after_name.split_ascii_whitespace().nth(19).and_then(|field| field.parse().ok()).unwrap_or(0)
}

/// Inode of this process's pid namespace, or 0.
fn pid_namespace() -> u64 {
    std::fs::metadata("/proc/self/ns/pid").map_or(0, |metadata| metadata.ino())
}
