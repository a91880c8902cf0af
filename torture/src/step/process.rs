//! What the traced process asks of the kernel for itself.

use nix::sys::ptrace;
use nix::sys::signal::{Signal, raise};

/// Exit code of a process that may not be traced.
pub(crate) const FORBIDDEN: i32 = 77;

/// Has the parent trace this process; leaves with [`FORBIDDEN`] if the system does not allow it.
pub(crate) fn be_traced() {
    match ptrace::traceme() {
        Ok(()) => {}
        Err(nix::Error::EPERM) => std::process::exit(FORBIDDEN),
        Err(error) => panic!("PTRACE_TRACEME: {error}"),
    }
}

/// Stops until the tracer goes on.
pub(crate) fn stop() {
    raise(Signal::SIGSTOP).expect("a process can stop itself");
}

/// Forks; the child returns, the parent waits to be killed.
pub(crate) fn go_on_in_child() {
    // SAFETY: this process has one thread, so that the child may do anything.
    let forked = unsafe { nix::unistd::fork() };
    if forked.expect("fork").is_parent() {
        loop {
            nix::unistd::pause();
        }
    }
}

/// From here on no file can be opened without a name: as on a file system that has no `O_TMPFILE`.
pub(crate) fn forbid_unnamed_files() {
    let flag = libc::O_TMPFILE.cast_unsigned();
    let flags = std::mem::offset_of!(libc::seccomp_data, args) + 2 * size_of::<u64>();
    let number = std::mem::offset_of!(libc::seccomp_data, nr);
    let openat = u32::try_from(libc::SYS_openat).unwrap_or(0);
    let errno = libc::EOPNOTSUPP.cast_unsigned();
    let mut program = [
        instruction(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, offset(number)),
        instruction(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 4, openat),
        instruction(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, offset(flags)),
        instruction(libc::BPF_ALU | libc::BPF_AND | libc::BPF_K, 0, flag),
        instruction(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 1, flag),
        instruction(libc::BPF_RET | libc::BPF_K, 0, libc::SECCOMP_RET_ERRNO | errno),
        instruction(libc::BPF_RET | libc::BPF_K, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let length = u16::try_from(program.len()).unwrap_or(0);
    let filter = libc::sock_fprog { len: length, filter: program.as_mut_ptr() };
    // SAFETY: plain numbers; the kernel copies the program, which lives through the call.
    let set = unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
            && libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const filter) == 0
    };
    assert!(set, "seccomp: {}", std::io::Error::last_os_error());
}

/// An instruction of a filter; a comparison that fails skips `otherwise` instructions.
fn instruction(code: u32, otherwise: u8, k: u32) -> libc::sock_filter {
    libc::sock_filter { code: u16::try_from(code).unwrap_or(0), jt: 0, jf: otherwise, k }
}

/// The low half of a word of `seccomp_data`: it is little-endian here.
fn offset(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(0)
}
