//! The tracer: starts a scenario's process, steps through its calls and looks at its recording after each instruction.

use crate::step::call::{Call, Outcome, Step};
use crate::step::look::Entry;
use crate::step::markers::Markers;
use crate::step::oracle::Oracle;
use crate::step::process::FORBIDDEN;
use crate::step::scenario::Scenario;
use crate::step::watched::{Delivered, Mirror, Watched};
use crate::step::world::World;
use nix::sys::ptrace::{self, Options};
use nix::sys::signal::{Signal as Kill, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use otlp_mmap_format::EntryKind;
use otlp_mmap_reader::Directory;
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What came of a scenario.
#[derive(Clone, Debug, Default)]
pub(crate) struct Figures {
    /// Calls that were stepped through.
    pub(crate) calls: u64,
    /// Instructions within those calls, each of them looked at.
    pub(crate) instructions: u64,
    /// Different contents of the file that were read as a dead one and live.
    pub(crate) states: u64,
    pub(crate) violation: Option<String>,
}

/// Why a scenario could not be run.
#[derive(Debug)]
pub(crate) enum Failure {
    /// This process may not trace its child.
    Forbidden,
    /// The recording breaks a promise, or the process does not do what the scenario says.
    Violation(String),
}

impl From<String> for Failure {
    fn from(violation: String) -> Self {
        Self::Violation(violation)
    }
}

/// What the traced process did when it was resumed.
enum Event {
    Instruction,
    /// It stopped itself before its next call.
    Ready,
    /// It forked; from now on the child is traced.
    Forked,
}

/// A scenario under way.
pub(crate) struct Tracer<'a> {
    scenario: &'a Scenario,
    traced: Pid,
    /// Processes that were started and not waited for to their end: only these are killed.
    processes: Vec<Pid>,
    markers: Markers,
    directory: Directory,
    path: PathBuf,
    watched: Option<Watched>,
    /// The file of a process that forked: its child must not touch it.
    parent: Option<Mirror>,
    oracle: Oracle,
    /// The worlds of the present call, and the one that was seen last.
    worlds: Vec<World>,
    at: usize,
    entries: Vec<Entry>,
    interned: HashSet<String>,
    figures: Figures,
    /// Instructions that may still be stepped.
    budget: u64,
}

impl Drop for Tracer<'_> {
    fn drop(&mut self) {
        for process in &self.processes {
            let _ = kill(*process, Kill::SIGKILL);
            let _ = waitpid(*process, Some(WaitPidFlag::__WALL));
        }
    }
}

impl<'a> Tracer<'a> {
    /// Starts the process of a scenario: `program` with the arguments of [`crate::step::play`].
    pub(crate) fn start(program: &Path, scenario: &'a Scenario, place: &Path) -> Result<Self, Failure> {
        let failed = |error: std::io::Error| Failure::Violation(format!("{}: {error}", place.display()));
        let path = place.join("recordings");
        std::fs::create_dir(&path).map_err(failed)?;
        let markers = Markers::create(&place.join("markers")).map_err(failed)?;
        let child = Command::new(program).args(["play", scenario.name]).arg(place).spawn().map_err(failed)?;
        let traced = Pid::from_raw(child.id().cast_signed());
        let directory = Directory::open(&path).map_err(|error| error.to_string())?;
        let mut run = Self {
            scenario,
            traced,
            processes: vec![traced],
            markers,
            directory,
            path,
            watched: None,
            parent: None,
            oracle: Oracle::default(),
            worlds: Vec::new(),
            at: 0,
            entries: Vec::new(),
            interned: HashSet::new(),
            figures: Figures::default(),
            budget: u64::MAX,
        };
        match run.wait()? {
            Event::Ready => {}
            _ => return Err("the process did not stop before its first call".to_owned().into()),
        }
        let options = Options::PTRACE_O_EXITKILL | Options::PTRACE_O_TRACEFORK;
        ptrace::setoptions(traced, options).map_err(|error| format!("PTRACE_SETOPTIONS: {error}"))?;
        Ok(run)
    }

    /// What came of it so far.
    pub(crate) fn figures(&self) -> Figures {
        let watched = self.watched.as_ref().map_or(0, |watched| watched.states);
        Figures { states: self.figures.states + watched, ..self.figures.clone() }
    }

    /// Goes through all calls; steps through those that `choose` names among the stepped ones, for `budget`
    /// instructions in all.
    pub(crate) fn run(&mut self, choose: impl Fn(usize) -> bool, budget: u64) -> Result<(), Failure> {
        self.budget = budget;
        for (number, step) in self.scenario.steps().enumerate() {
            self.worlds = self.oracle.worlds(number, step);
            self.at = 0;
            let stepped = self.scenario.is_stepped(number) && choose(number);
            let before = self.figures.instructions;
            self.call(step, stepped).map_err(|failure| match failure {
                Failure::Violation(what) => {
                    let at = self.figures.instructions - before;
                    let call: String = format!("{:?}", step.call).chars().take(200).collect();
                    Failure::Violation(format!("call {number}, instruction {at}: {what}\n  {call}"))
                }
                forbidden @ Failure::Forbidden => forbidden,
            })?;
        }
        self.kill()
    }

    fn call(&mut self, step: &Step, stepped: bool) -> Result<(), Failure> {
        if matches!(step.call, Call::Acknowledge) {
            self.acknowledge(Delivered::All)?;
        }
        let (_, returned_before) = self.markers.calls();
        let first = self.figures.instructions;
        let entries = self.watched.as_ref().map_or(0, |watched| watched.seen.entries);
        let mut acknowledged_after = step.acknowledged_after.map(|after| after + first);
        let stepped = stepped && first < self.budget;
        self.figures.calls += u64::from(stepped);
        loop {
            let in_budget = self.figures.instructions < self.budget;
            match self.resume((stepped && in_budget) || acknowledged_after.is_some())? {
                Event::Ready => break,
                Event::Forked => self.leave_parent(),
                Event::Instruction => {
                    let (begun, returned) = self.markers.calls();
                    self.figures.instructions += u64::from(begun > returned);
                    self.look(returned > returned_before)?;
                    if let (Call::Close, Some(watched)) = (&step.call, &self.watched) {
                        watched.check_liveness()?;
                    }
                    if acknowledged_after.is_some_and(|after| after <= self.figures.instructions) {
                        acknowledged_after = None;
                        if begun == returned {
                            return Err("the call did not wait for the exporter".to_owned().into());
                        }
                        self.acknowledge(Delivered::Oldest)?;
                    }
                }
            }
        }
        self.look(true)?;
        self.returned(step, entries)
    }

    /// After a call has returned: its result, its file, its entry in the dictionary.
    fn returned(&mut self, step: &Step, entries_before: u64) -> Result<(), Failure> {
        let (outcome, reference) = self.markers.result();
        let outcome = Outcome::from_number(outcome);
        if outcome != step.outcome {
            return Err(format!("ended {outcome:?}, expected {:?}", step.outcome).into());
        }
        let Some(watched) = &self.watched else {
            return if matches!(step.call, Call::Fork) { Ok(()) } else { Err("no file".to_owned().into()) };
        };
        let kind = match &step.call {
            Call::Intern(_) => EntryKind::String,
            Call::Resource(_) => EntryKind::Resource,
            Call::Scope(..) => EntryKind::Scope,
            Call::Stream(..) => EntryKind::MetricStream,
            _ => return Ok(()),
        };
        if outcome != Outcome::Done {
            return Ok(());
        }
        let text = if let Call::Intern(text) = &step.call { Some(text.clone()) } else { None };
        if let Some(text) = &text {
            let (new, found) = (self.interned.insert(text.clone()), watched.seen.entries - entries_before);
            if found != u64::from(new) {
                return Err(format!("{found} new entries for a string (new: {new})").into());
            }
        }
        let entry = Entry { reference, kind, text };
        watched.holds(&entry)?;
        self.entries.push(entry);
        Ok(())
    }

    /// Looks at the file as it is now. `returned`: only the last world of the call is legal.
    fn look(&mut self, returned: bool) -> Result<(), Failure> {
        if let Some(parent) = &mut self.parent
            && parent.take_over()
        {
            return Err("a forked child changed its parent's file".to_owned().into());
        }
        let changed = match &mut self.watched {
            Some(watched) => watched.look(&self.entries)?,
            None => self.look_for_file()?,
        };
        let last = self.worlds.len() - 1;
        if changed || (returned && self.at != last) {
            if returned {
                self.at = last;
            }
            self.find_world()?;
        }
        Ok(())
    }

    /// A file with a name must be whole from its first instruction on; what has no name yet is not seen.
    fn look_for_file(&mut self) -> Result<bool, String> {
        let changes = self.directory.refresh().map_err(|error| error.to_string())?;
        if let Some(fault) = changes.faults.first() {
            return Err(format!("{}: {}", fault.path.display(), fault.error));
        }
        let mut new = changes.new.into_iter();
        let Some(recording) = new.next() else { return Ok(false) };
        if new.next().is_some() {
            return Err("two new files".to_owned());
        }
        let watched = Watched::open(recording)?;
        self.entries.iter().try_for_each(|entry| watched.holds(entry))?;
        self.watched = Some(watched);
        Ok(true)
    }

    /// The world that explains what a reader sees: the one it saw last, or one after it.
    fn find_world(&mut self) -> Result<(), String> {
        let Some(watched) = &self.watched else {
            return Ok(());
        };
        let mut differences = Vec::new();
        for (number, world) in self.worlds.iter().enumerate().skip(self.at) {
            match world.explains(&watched.seen) {
                Ok(()) => {
                    self.at = number;
                    return Ok(());
                }
                Err(difference) => differences.push(difference),
            }
        }
        differences.dedup();
        Err(differences.join("\n  or "))
    }

    fn acknowledge(&mut self, what: Delivered) -> Result<(), Failure> {
        let watched = self.watched.as_mut().ok_or_else(|| "nothing to acknowledge".to_owned())?;
        watched.acknowledge(what)?;
        watched.look(&self.entries)?;
        Ok(self.find_world()?)
    }

    /// From now on the child's file is watched, which does not exist yet.
    fn leave_parent(&mut self) {
        if let Some(watched) = self.watched.take() {
            self.figures.states += watched.states;
            self.parent = Some(watched.mirror);
        }
        self.at = self.worlds.len() - 1;
    }

    /// Kills the process in earnest, and compares.
    fn kill(&mut self) -> Result<(), Failure> {
        kill(self.traced, Kill::SIGKILL).map_err(|error| format!("kill: {error}"))?;
        let died = waitpid(self.traced, Some(WaitPidFlag::__WALL));
        self.processes.retain(|process| *process != self.traced);
        if !matches!(died, Ok(WaitStatus::Signaled(_, Kill::SIGKILL, _))) {
            return Err(format!("killed, the process went on: {died:?}").into());
        }
        let files = std::fs::read_dir(&self.path).map_err(|error| error.to_string())?.count();
        let expected = 1 + usize::from(self.parent.is_some());
        if files != expected {
            return Err(format!("{files} files in the directory, expected {expected}").into());
        }
        let watched = self.watched.as_mut().ok_or_else(|| "no file".to_owned())?;
        Ok(watched.bury()?)
    }

    /// Lets the process go on for an instruction, or up to its next call.
    fn resume(&mut self, step: bool) -> Result<Event, Failure> {
        let resumed = if step { ptrace::step(self.traced, None) } else { ptrace::cont(self.traced, None) };
        resumed.map_err(|error| format!("PTRACE_SINGLESTEP: {error}"))?;
        self.wait()
    }

    fn wait(&mut self) -> Result<Event, Failure> {
        let status =
            waitpid(self.traced, Some(WaitPidFlag::__WALL)).map_err(|error| format!("waitpid: {error}"))?;
        match status {
            WaitStatus::Stopped(_, Kill::SIGTRAP) => Ok(Event::Instruction),
            WaitStatus::Stopped(_, Kill::SIGSTOP) => Ok(Event::Ready),
            WaitStatus::Exited(process, code) => {
                self.processes.retain(|one| *one != process);
                if code == FORBIDDEN {
                    return Err(Failure::Forbidden);
                }
                Err(format!("the process ended early, with code {code}").into())
            }
            WaitStatus::PtraceEvent(parent, _, _) => {
                let child =
                    ptrace::getevent(parent).map_err(|error| format!("PTRACE_GETEVENTMSG: {error}"))?;
                self.traced = Pid::from_raw(i32::try_from(child).unwrap_or(0));
                self.processes.push(self.traced);
                // It is stopped before its first instruction; its parent stays stopped.
                waitpid(self.traced, Some(WaitPidFlag::__WALL))
                    .map_err(|error| format!("waitpid: {error}"))?;
                Ok(Event::Forked)
            }
            WaitStatus::Signaled(process, signal, _) => {
                self.processes.retain(|one| *one != process);
                Err(format!("the process was killed by {signal}").into())
            }
            other => Err(format!("the process stopped early: {other:?}").into()),
        }
    }
}
