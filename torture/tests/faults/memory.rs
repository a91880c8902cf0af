//! The OOM killer, in a control group of little memory.

use crate::support::{Child, Recorder, Shared, isolated, listing, numbers, read, skip};
use otlp_mmap_reader::Liveness;
use std::path::{Path, PathBuf};

/// Memory that the group may use, and how much the child tries to take.
const LIMIT: usize = 32 << 20;
const TAKEN: usize = 512 << 20;

/// A control group below this process's own, removed when it is dropped.
struct Group {
    path: PathBuf,
    /// The file that counts the kills of the OOM killer.
    events: &'static str,
}

impl Group {
    /// Makes one; an error says why this machine has none.
    fn create() -> Result<Self, String> {
        let own = own_group()?;
        let path = own.join(format!("otlp-mmap-fault-{}", std::process::id()));
        std::fs::create_dir(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        let mut group = Self { path, events: "memory.events" };
        let limit = LIMIT.to_string();
        if group.has("memory.max") {
            group.set("memory.max", &limit)?;
            if group.has("memory.swap.max") {
                group.set("memory.swap.max", "0")?;
            }
        } else if group.has("memory.limit_in_bytes") {
            group.events = "memory.oom_control";
            group.set("memory.limit_in_bytes", &limit)?;
            if group.has("memory.memsw.limit_in_bytes") {
                group.set("memory.memsw.limit_in_bytes", &limit)?;
            }
        } else {
            return Err(format!("{}: no control of memory is given to it", group.path.display()));
        }
        Ok(group)
    }

    fn has(&self, file: &str) -> bool {
        self.path.join(file).exists()
    }

    fn set(&self, file: &str, value: &str) -> Result<(), String> {
        let path = self.path.join(file);
        std::fs::write(&path, value).map_err(|error| format!("{}: {error}", path.display()))
    }

    /// How often the OOM killer came.
    fn kills(&self) -> u64 {
        let text = std::fs::read_to_string(self.path.join(self.events)).unwrap();
        let count = text.lines().find_map(|line| line.strip_prefix("oom_kill "));
        count.unwrap_or_else(|| panic!("{text}")).parse().unwrap()
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir(&self.path);
    }
}

/// Where this process's control group of memory is mounted, by the first or the second version.
fn own_group() -> Result<PathBuf, String> {
    let text = |path: &str| std::fs::read_to_string(path).map_err(|error| format!("{path}: {error}"));
    let (groups, mounts) = (text("/proc/self/cgroup")?, text("/proc/self/mountinfo")?);
    let path_of = |wanted: &dyn Fn(&str) -> bool| {
        groups.lines().find_map(|line| {
            let (controllers, path) = line.split_once(':')?.1.split_once(':')?;
            wanted(controllers).then_some(path)
        })
    };
    // After " - ": the type of the file system, its source, its options. Before it, fifth, where it is mounted.
    let mounted_at = |kind: &str, option: &str| {
        mounts.lines().find_map(|line| {
            let (place, what) = line.split_once(" - ")?;
            let is_it = what.split(' ').next() == Some(kind) && what.contains(option);
            is_it.then(|| place.split(' ').nth(4)).flatten()
        })
    };
    let first = path_of(&|controllers| controllers.split(',').any(|one| one == "memory"));
    let (path, at) = match first {
        Some(path) => (Some(path), mounted_at("cgroup", "memory")),
        None => (path_of(&|controllers| controllers.is_empty()), mounted_at("cgroup2", "")),
    };
    match (path, at) {
        (Some(path), Some(at)) => Ok(Path::new(at).join(path.trim_start_matches('/'))),
        _ => Err("no control groups are mounted".to_owned()),
    }
}

/// Records and takes memory until it is killed.
fn take_memory(directory: &Path, group: &Group, returned: Shared) {
    group.set("cgroup.procs", "0").unwrap();
    let recorder = Recorder::new(directory);
    let mut taken = Vec::new();
    for number in 0..TAKEN / PIECE {
        recorder.record(number as u64).unwrap();
        returned.add(0);
        // Not zeros, which would take no memory.
        taken.push(std::hint::black_box(vec![1_u8; PIECE]));
    }
}

/// Bytes that are taken at once.
const PIECE: usize = 64 << 10;

#[test]
fn the_oom_killer_takes_nothing_that_was_recorded() {
    isolated("memory::the_oom_killer_takes_nothing_that_was_recorded", || {
        let group = match Group::create() {
            Ok(group) => group,
            Err(reason) => return skip(format!("no control group: {reason}")),
        };
        let directory = tempfile::tempdir().unwrap();
        let returned = Shared::new();
        let child = Child::fork(|| take_memory(directory.path(), &group, returned));
        assert_eq!(child.killed_by(), libc::SIGKILL);
        assert_eq!(group.kills(), 1, "it was not the OOM killer");
        let (recording, snapshot) = read(&listing(directory.path())[0]);
        assert_eq!(recording.liveness(), Liveness::Dead);
        let (found, returned) = (numbers(&snapshot), returned.get(0));
        assert!(returned > 100, "{returned} calls returned");
        assert!(found.iter().copied().eq(0..found.len() as u64));
        assert!((returned..=returned + 1).contains(&(found.len() as u64)), "{} of {returned}", found.len());
    });
}
