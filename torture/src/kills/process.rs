//! Forked processes: started without exec, stopped, killed and reaped by their ids.
//!
//! Only a process with one thread forks here ([`is_single_threaded`]), so a child may use everything it inherits.
//! Each child leads a process group of its own, in which are also the children that it forks itself.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Seconds after which a child that nobody killed ends by itself.
const ALARM_SECONDS: u32 = 120;

/// A forked child and its process group.
#[derive(Debug)]
pub(super) struct Child {
    pid: libc::pid_t,
}

/// How a child ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// By this signal.
    Signal(i32),
    /// By itself, with this code.
    Exit(i32),
}

/// Whether this process has one thread, so that it may fork and go on in the child.
pub(super) fn is_single_threaded() -> bool {
    std::fs::read_dir("/proc/self/task").is_ok_and(|tasks| tasks.count() == 1)
}

/// Makes this process the parent of those whose own parent dies below it.
pub(super) fn adopt_orphans() -> io::Result<()> {
    // SAFETY: sets an attribute of this process; the arguments are plain numbers.
    checked(unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) }).map(drop)
}

/// Has this process end soon if nobody kills it, and give way to the one that kills it: else its threads would take
/// the processor from their killer, and all kills would come late.
pub(super) fn become_victim() {
    // SAFETY: sets a timer and the priority of this process.
    unsafe {
        libc::alarm(ALARM_SECONDS);
        libc::nice(5);
    }
}

/// Has a panic of any thread end the process, so that it does not go unnoticed until the kill.
pub(super) fn abort_on_panic() {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        report(panic);
        std::process::abort();
    }));
}

/// Forks within a process of many threads. `work` must use nothing that another thread may hold locked.
pub(super) fn fork_beside_threads(work: impl FnOnce()) -> io::Result<()> {
    // SAFETY: the child runs `work` alone, which the caller vouches for, and leaves without any clean-up; malloc
    // is usable in it, which glibc sees to.
    if checked(unsafe { libc::fork() })? == 0 {
        // SAFETY: sets a timer of the child, which does not inherit its parent's.
        unsafe { libc::alarm(ALARM_SECONDS) };
        leave(work);
    }
    Ok(())
}

/// Runs `work` and ends this process without any clean-up.
fn leave(work: impl FnOnce()) -> ! {
    let done = catch_unwind(AssertUnwindSafe(work)).is_ok();
    // SAFETY: ends the process at once.
    unsafe { libc::_exit(if done { 0 } else { 101 }) }
}

impl Child {
    /// Forks a child that does `work`, then ends. It is killed when this process dies.
    pub(super) fn start(work: impl FnOnce()) -> io::Result<Self> {
        // SAFETY: the parent.
        let parent = unsafe { libc::getpid() };
        // SAFETY: this process has one thread, so no lock is held by another one in the child.
        let pid = checked(unsafe { libc::fork() })?;
        if pid == 0 {
            // SAFETY: these set attributes of the child itself; the arguments are plain numbers.
            let orphaned = unsafe {
                libc::setpgid(0, 0);
                libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL, 0, 0, 0);
                libc::getppid() != parent
            };
            leave(|| {
                if !orphaned {
                    work();
                }
            });
        }
        // SAFETY: a child of this process. It does the same, so it does not matter who is first.
        unsafe { libc::setpgid(pid, pid) };
        Ok(Self { pid })
    }

    /// Kills the child alone.
    pub(super) fn kill(&self) {
        // SAFETY: a child that is not reaped yet, so the id is still its own.
        unsafe { libc::kill(self.pid, libc::SIGKILL) };
    }

    /// Kills the child, if it lives, and all that it forked.
    pub(super) fn kill_group(&self) {
        // SAFETY: the group of a child of this process. An empty group is an error that does not matter.
        unsafe { libc::kill(-self.pid, libc::SIGKILL) };
    }

    /// Stops every thread of the child; `false`: it had ended.
    pub(super) fn stop(&self) -> bool {
        // SAFETY: a child that is not reaped yet.
        unsafe { libc::kill(self.pid, libc::SIGSTOP) };
        let (_, status) = wait_for(self.pid, libc::WUNTRACED);
        libc::WIFSTOPPED(status)
    }

    /// Lets a stopped child go on.
    pub(super) fn resume(&self) {
        // SAFETY: a child that is not reaped yet.
        unsafe { libc::kill(self.pid, libc::SIGCONT) };
    }

    /// Whether the child has ended; it is not reaped.
    pub(super) fn has_ended(&self) -> bool {
        // SAFETY: `siginfo_t` is plain numbers, for which zero is a value.
        let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
        let flags = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
        // SAFETY: `info` lives through the call.
        let result = unsafe { libc::waitid(libc::P_PID, self.pid.cast_unsigned(), &raw mut info, flags) };
        // SAFETY: `waitid` filled in the fields of a child's status, or left zeros.
        result == 0 && unsafe { info.si_pid() } != 0
    }

    /// Reaps the child.
    pub(super) fn wait(&self) -> Ended {
        let (_, status) = wait_for(self.pid, 0);
        if libc::WIFSIGNALED(status) {
            Ended::Signal(libc::WTERMSIG(status))
        } else {
            Ended::Exit(libc::WEXITSTATUS(status))
        }
    }

    /// Reaps the child, if it has ended; `None`: it has not.
    pub(super) fn try_wait(&self) -> Option<Ended> {
        self.has_ended().then(|| self.wait())
    }

    /// Reaps all that the child forked, which this process has adopted; every one must have been killed.
    pub(super) fn reap_group(&self) {
        while wait_for(-self.pid, 0).0 > 0 {}
    }
}

fn wait_for(pid: libc::pid_t, flags: i32) -> (libc::pid_t, i32) {
    loop {
        let mut status = 0;
        // SAFETY: `status` lives through the call.
        let found = unsafe { libc::waitpid(pid, &raw mut status, flags) };
        if found >= 0 || io::Error::last_os_error().kind() != io::ErrorKind::Interrupted {
            return (found, status);
        }
    }
}

fn checked(result: i32) -> io::Result<i32> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}
