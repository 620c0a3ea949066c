//! The signal mask and the dispositions that this process works with. Both are inherited: a parent that blocks or ignores a signal hands
//! that down, and children would get it too.

use std::ffi::c_int;

use nix::sys::signal::{SigHandler, SigSet, Signal, signal};

/// The signals that keep their effect.
const LEFT_ALONE: [Signal; 11] = [
    // They cannot be set.
    Signal::SIGKILL,
    Signal::SIGSTOP,
    // The standard library has set these: it ignores SIGPIPE, and tells of a stack that overflowed.
    Signal::SIGPIPE,
    Signal::SIGSEGV,
    Signal::SIGBUS,
    // That these are ignored is somebody's wish: `nohup`, or a shell that started a job in the background.
    Signal::SIGHUP,
    Signal::SIGINT,
    Signal::SIGQUIT,
    Signal::SIGTSTP,
    Signal::SIGTTIN,
    Signal::SIGTTOU,
];

/// Unblocks every signal, and gives those that a parent made us ignore their default effect again. A write beyond `ulimit -f` fails with
/// an error instead of ending the process. To be called first, while there is one thread: threads and children inherit what is set here.
pub(crate) fn start_afresh() {
    for each in Signal::iterator() {
        let disposition = match each {
            each if LEFT_ALONE.contains(&each) => continue,
            // Children start with the default for a signal that has a handler. They would inherit that it is ignored.
            Signal::SIGXFSZ => SigHandler::Handler(do_nothing),
            _ => SigHandler::SigDfl,
        };
        // SAFETY: the only handler that is installed does nothing, which is allowed at any moment.
        // It fails for no signal of this list; if it did, the signal would keep the effect that the parent chose.
        let _ = unsafe { signal(each, disposition) };
    }
    // It fails only for a mask that is no address.
    let _ = SigSet::empty().thread_set_mask();
}

extern "C" fn do_nothing(_: c_int) {}
