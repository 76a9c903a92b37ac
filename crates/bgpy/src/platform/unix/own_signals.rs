//! Handlers of SIGTERM and SIGINT that act in the process that installed them, and in none that it
//! forks.
//!
//! Python's fork hooks give a child of `os.fork` the handlers from before the server. A child that
//! code in C has forked runs no such hooks, so each handler stands behind a guard, which knows its
//! process.

use std::cell::UnsafeCell;
use std::ffi::c_int;
use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicI32, AtomicPtr, AtomicU32, AtomicUsize, Ordering};

/// A signal that servers handle.
struct Guarded {
    signal: c_int,
    /// How many servers of this process handle it: one may run in a task of another.
    servers: AtomicU32,
    /// The process whose servers these are.
    pid: AtomicI32,
    /// The address of the handler behind the guard.
    handler: AtomicUsize,
    /// What the signal did before the first of them.
    before: UnsafeCell<MaybeUninit<libc::sigaction>>,
}

// SAFETY: `before` is written only while no server handles the signal, by the one thread that may
// install handlers, and is read only in forked children.
unsafe impl Sync for Guarded {}

static GUARDED: [Guarded; 2] = [Guarded::new(libc::SIGTERM), Guarded::new(libc::SIGINT)];

/// The descriptor to which the handlers write, or -1.
static WAKE_UP: AtomicI32 = AtomicI32::new(-1);

/// Called in a child that was forked without hooks: a `fn()`, or null.
static IN_CHILD: AtomicPtr<()> = AtomicPtr::new(std::ptr::null_mut());

/// What SIGTERM and SIGINT do before a server handles them.
pub struct SignalsBefore([Option<libc::sigaction>; 2]);

impl SignalsBefore {
    /// To be called before the handlers are installed.
    pub fn look() -> Self {
        Self([0, 1].map(|index: usize| action(GUARDED[index].signal)))
    }

    /// Guards the handlers that are installed by now. They write to `wake_up`, and so do other
    /// handlers of this process; in a child that was forked without hooks, `in_child` is called,
    /// which may do only what a signal handler may.
    pub fn guard(self, wake_up: i32, in_child: fn()) {
        WAKE_UP.store(wake_up, Ordering::SeqCst);
        IN_CHILD.store(in_child as *mut (), Ordering::SeqCst);
        for (it, before) in GUARDED.iter().zip(self.0) {
            let Some(before) = before else { continue };
            if !it.is_here() {
                it.servers.store(0, Ordering::SeqCst);
            }
            if it.servers.fetch_add(1, Ordering::SeqCst) == 0 {
                // SAFETY: the guard is not installed yet, so nobody reads it.
                unsafe { (*it.before.get()).write(before) };
                it.pid.store(own_pid(), Ordering::SeqCst);
            }
            it.guard();
        }
    }
}

/// Notes that one server handles the signals no more. The handlers from before it are in place
/// again, and write to `wake_up`.
pub(crate) fn release_signals(wake_up: i32) {
    WAKE_UP.store(wake_up, Ordering::SeqCst);
    for it in &GUARDED {
        if it.is_here() && it.servers.fetch_sub(1, Ordering::SeqCst) > 1 {
            // They are those of the server around it.
            it.guard();
        }
    }
}

/// In a child that was forked without hooks: lets the signals do what they did before the servers.
/// Handlers that were installed since stay.
pub(super) fn restore_signals() {
    for it in &GUARDED {
        let is_guarded = action(it.signal).is_some_and(|now| now.sa_sigaction == guard_address());
        if is_guarded && !it.is_here() {
            it.restore();
        }
    }
    let in_child = IN_CHILD.load(Ordering::SeqCst);
    if !in_child.is_null() {
        // SAFETY: only `fn()` is stored there.
        let in_child = unsafe { std::mem::transmute::<*mut (), fn()>(in_child) };
        in_child();
    }
}

/// The descriptor to which handlers of this process write, or -1.
pub(super) fn wake_up_descriptor() -> i32 {
    WAKE_UP.load(Ordering::SeqCst)
}

impl Guarded {
    const fn new(signal: c_int) -> Self {
        Self {
            signal,
            servers: AtomicU32::new(0),
            pid: AtomicI32::new(0),
            handler: AtomicUsize::new(0),
            before: UnsafeCell::new(MaybeUninit::uninit()),
        }
    }

    /// Whether this process has servers that handle it.
    fn is_here(&self) -> bool {
        self.servers.load(Ordering::SeqCst) > 0 && self.pid.load(Ordering::SeqCst) == own_pid()
    }

    /// Puts the guard before the handler that is installed now.
    fn guard(&self) {
        let Some(mut action) = action(self.signal) else { return };
        let is_function = ![libc::SIG_DFL, libc::SIG_IGN].contains(&action.sa_sigaction);
        if is_function && action.sa_sigaction != guard_address() {
            self.handler.store(action.sa_sigaction, Ordering::SeqCst);
            action.sa_sigaction = guard_address();
            set(self.signal, &action);
        }
    }

    /// Lets the signal do what it did before the servers.
    fn restore(&self) {
        if self.servers.load(Ordering::SeqCst) > 0 {
            // SAFETY: it was written before the number of servers was raised.
            set(self.signal, unsafe { (*self.before.get()).assume_init_ref() });
        }
    }
}

/// Runs the handler in the process that installed it. In any other one, the signal does what it did
/// before.
extern "C" fn guarded(signal: c_int) {
    let Some(it) = GUARDED.iter().find(|it| it.signal == signal) else { return };
    if it.is_here() {
        let handler = it.handler.load(Ordering::SeqCst);
        // SAFETY: it was installed as the handler of a signal, without SA_SIGINFO as Python does.
        let handler = unsafe { std::mem::transmute::<usize, extern "C" fn(c_int)>(handler) };
        handler(signal);
        return;
    }
    it.restore();
    // SAFETY: the signal is blocked until this handler returns, and then does what it did before.
    unsafe { libc::raise(signal) };
}

fn guard_address() -> usize {
    guarded as *const () as usize
}

fn own_pid() -> i32 {
    // SAFETY: it has no preconditions, and may be called by a signal handler.
    unsafe { libc::getpid() }
}

fn action(signal: c_int) -> Option<libc::sigaction> {
    // SAFETY: nothing is changed, and the action is initialized before it is read.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        (libc::sigaction(signal, std::ptr::null(), &raw mut action) == 0).then_some(action)
    }
}

fn set(signal: c_int, action: &libc::sigaction) {
    // SAFETY: the action came from the system, but for the address of a handler that may run at any
    // time. It fails only for invalid arguments.
    unsafe { libc::sigaction(signal, action, std::ptr::null_mut()) };
}
