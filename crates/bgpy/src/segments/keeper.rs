//! Gives the memory of idle segments back. A thread of its own does it, which lives as long as there
//! are segments: clients have no other thread, and a peer that died tells nobody.

use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use super::pool::Pool;
use super::process::process;
use crate::platform;
use crate::sync::lock;

/// A segment that was not used for so long is given back, at the latest after twice the time.
const IDLE: Duration = Duration::from_secs(5);

/// Sees to it that the segments of a connection are looked after.
pub(super) fn watch(pool: &Arc<Mutex<Pool>>) {
    let is_watched = std::mem::replace(&mut lock(pool).is_watched, true);
    if is_watched {
        return;
    }
    let mut process = process();
    process.pools.push(Arc::downgrade(pool));
    let here = Some(platform::fork_generation());
    if process.keeper != here {
        let thread = thread::Builder::new().name("bgpy-segments".into()).stack_size(128 << 10);
        // Without the thread the segments live as long as their connection.
        process.keeper = thread.spawn(look_after).ok().and(here);
    }
}

fn look_after() {
    loop {
        thread::sleep(IDLE);
        let mut pools = std::mem::take(&mut process().pools);
        pools.retain(|pool| pool.upgrade().is_some_and(|pool| lock(&pool).give_back()));
        let mut process = process();
        process.pools.append(&mut pools);
        if process.pools.is_empty() {
            process.keeper = None;
            return;
        }
    }
}
