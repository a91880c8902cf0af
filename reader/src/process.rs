//! This machine and its processes, as far as they explain a recording (SPEC "Locks and liveness").

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::sync::OnceLock;

use nix::sys::signal::kill;
use nix::unistd::Pid;

use crate::Header;

/// Fields of `/proc/<pid>/stat` between the process's name and its start time.
const FIELDS_BEFORE_START: usize = 19;

/// The boot id of this machine, which no running process sees change.
pub(crate) fn this_boot() -> Option<[u8; 16]> {
    static BOOT: OnceLock<Option<[u8; 16]>> = OnceLock::new();
    *BOOT.get_or_init(read_boot_id)
}

fn read_boot_id() -> Option<[u8; 16]> {
    let text = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let id = u128::from_str_radix(&text.trim().replace('-', ""), 16).ok()?;
    Some(id.to_be_bytes())
}

/// Whether the process that wrote `header` is known to be gone. It can only be looked up in this machine's present
/// boot and in the reader's own pid namespace; its lock may outlive it in a child.
pub(crate) fn is_gone(header: &Header) -> bool {
    let namespace = fs::metadata("/proc/self/ns/pid").map(|metadata| metadata.ino()).ok();
    let here = header.boot_id.is_some() && header.boot_id == this_boot();
    if !here || header.pid_namespace == 0 || namespace != Some(header.pid_namespace) {
        return false;
    }
    let Ok(pid) = i32::try_from(header.pid) else { return false };
    if pid == 0 {
        return false;
    }
    if kill(Pid::from_raw(pid), None) == Err(nix::Error::ESRCH) {
        return true;
    }
    let started = start_ticks(pid).filter(|_| proc_is_own());
    header.process_start_ticks != 0 && started.is_some_and(|started| started != header.process_start_ticks)
}

/// Whether `/proc` shows the reader's own pid namespace: it has one pid there. Else a pid in it is another process's.
fn proc_is_own() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let pids = status.lines().find_map(|line| line.strip_prefix("NSpid:"));
    pids.is_some_and(|pids| pids.split_whitespace().count() == 1)
}

/// When a process started, in clock ticks since boot.
fn start_ticks(pid: i32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name stands in parentheses and may hold any character, parentheses included.
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_whitespace().nth(FIELDS_BEFORE_START)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::start_ticks;

    #[test]
    fn the_start_of_this_process_is_known_and_that_of_none_is_not() {
        let own = i32::try_from(std::process::id()).unwrap();
        assert!(start_ticks(own).unwrap() >= start_ticks(1).unwrap_or(0));
        assert_eq!(start_ticks(i32::MAX), None);
    }
}
