//! Gives back memory that is kept for reuse and lies idle. A thread of its own does it, which lives
//! as long as there is some: clients have no other thread, and a peer that died tells nobody.

use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use crate::platform;
use crate::sync::{lock, try_lock};

/// What was not used for so long is given back, at the latest after twice the time.
const IDLE: Duration = Duration::from_secs(5);

static KEEPER: Mutex<Keeper> = Mutex::new(Keeper { kept: Vec::new(), runs_in: None });

struct Keeper {
    kept: Vec<Box<dyn FnMut() -> bool + Send>>,
    /// The fork generation of the process whose thread looks after them.
    runs_in: Option<u32>,
}

/// Calls `give_back` every few seconds until there is nothing left, which it says by `false`.
/// Returns whether it will be called, which fails where the system gives no thread.
pub(crate) fn watch(give_back: impl FnMut() -> bool + Send + 'static) -> bool {
    // A child that was forked at the wrong moment finds the lock taken for ever.
    let Some(mut keeper) = try_lock(&KEEPER) else { return false };
    let here = Some(platform::fork_generation());
    if keeper.runs_in != here {
        let thread = thread::Builder::new().name("bgpy-keeper".into()).stack_size(128 << 10);
        if thread.spawn(look_after).is_err() {
            return false;
        }
        keeper.runs_in = here;
    }
    keeper.kept.push(Box::new(give_back));
    true
}

fn look_after() {
    loop {
        thread::sleep(IDLE);
        let mut kept = std::mem::take(&mut lock(&KEEPER).kept);
        kept.retain_mut(|give_back| give_back());
        let mut keeper = lock(&KEEPER);
        keeper.kept.append(&mut kept);
        if keeper.kept.is_empty() {
            keeper.runs_in = None;
            break;
        }
    }
    platform::trim_heap();
}
