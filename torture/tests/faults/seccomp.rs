//! System calls that the kernel refuses, or stops, for one thread: filters (seccomp).

use crate::support::last_error;
use std::io;
use std::mem::offset_of;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

fn instruction(code: u32, jf: u8, k: u32) -> libc::sock_filter {
    libc::sock_filter { code: u16::try_from(code).unwrap(), jt: 0, jf, k }
}

/// Loads a word of what the kernel tells of a system call.
fn load(offset: usize) -> libc::sock_filter {
    instruction(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, u32::try_from(offset).unwrap())
}

/// Goes on if the test says so, else past the next `otherwise` instructions.
fn test(test: u32, k: u32, otherwise: u8) -> libc::sock_filter {
    instruction(libc::BPF_JMP | test | libc::BPF_K, otherwise, k)
}

fn result(action: u32) -> libc::sock_filter {
    instruction(libc::BPF_RET | libc::BPF_K, 0, action)
}

/// Sets a filter for this thread until it ends; with a flag for it, a descriptor of the filter.
fn set(program: &mut [libc::sock_filter], flags: libc::c_ulong) -> io::Result<libc::c_long> {
    let filter = libc::sock_fprog { len: program.len().try_into().unwrap(), filter: program.as_mut_ptr() };
    // SAFETY: plain numbers; the kernel copies the program, which lives through the call.
    let done = unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, flags, &raw const filter)
    };
    if done >= 0 { Ok(done) } else { Err(last_error()) }
}

/// Has the kernel refuse `O_TMPFILE` to this thread, as a file system does that does not know it.
pub(crate) fn refuse_unnamed_files() {
    // The flag alone, without that of a directory.
    let flag = (libc::O_TMPFILE & !libc::O_DIRECTORY).cast_unsigned();
    let flags = offset_of!(libc::seccomp_data, args) + 2 * size_of::<u64>();
    let mut program = [
        load(offset_of!(libc::seccomp_data, nr)),
        test(libc::BPF_JEQ, u32::try_from(libc::SYS_openat).unwrap(), 3),
        load(flags),
        test(libc::BPF_JSET, flag, 1),
        result(libc::SECCOMP_RET_ERRNO | libc::EOPNOTSUPP.cast_unsigned()),
        result(libc::SECCOMP_RET_ALLOW),
    ];
    set(&mut program, 0).unwrap();
}

/// Stops a thread at its system calls of one number until another thread lets them go on.
pub(crate) struct Gate(OwnedFd);

impl Gate {
    /// A gate for this thread, until it ends.
    pub(crate) fn new(number: libc::c_long) -> io::Result<Self> {
        let mut program = [
            load(offset_of!(libc::seccomp_data, nr)),
            test(libc::BPF_JEQ, u32::try_from(number).unwrap(), 1),
            result(libc::SECCOMP_RET_USER_NOTIF),
            result(libc::SECCOMP_RET_ALLOW),
        ];
        let descriptor = set(&mut program, libc::SECCOMP_FILTER_FLAG_NEW_LISTENER)?;
        // SAFETY: the kernel has just made this descriptor, for nobody else.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(i32::try_from(descriptor).unwrap()) }))
    }

    /// Waits until the thread stands at the gate; gives the call's number among those of the gate.
    pub(crate) fn wait(&self) -> u64 {
        // SAFETY: the structure is plain numbers, for which zero is a value.
        let mut stopped: libc::seccomp_notif = unsafe { std::mem::zeroed() };
        // SAFETY: `stopped` lives through the call, which fills it in.
        let told =
            unsafe { libc::ioctl(self.0.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_RECV, &raw mut stopped) };
        assert_eq!(told, 0, "{}", last_error());
        stopped.id
    }

    /// Lets a call go on.
    pub(crate) fn let_go(&self, id: u64) {
        let flags = u32::try_from(libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE).unwrap();
        let mut answer = libc::seccomp_notif_resp { id, val: 0, error: 0, flags };
        // SAFETY: `answer` lives through the call.
        let done =
            unsafe { libc::ioctl(self.0.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_SEND, &raw mut answer) };
        assert_eq!(done, 0, "{}", last_error());
    }
}
