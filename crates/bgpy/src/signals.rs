//! Signals that wait while a thread forks.

/// Has signals to this thread wait until [`unblock`]. To be called once before each fork.
pub fn block() {
    crate::platform::block_signals();
}

/// Lets signals come again, as before [`block`], on the thread that has called it, or in the child that it
/// has forked. Does nothing on any other thread.
pub fn unblock() {
    crate::platform::unblock_signals();
}
