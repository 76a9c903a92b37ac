//! The real server, supervisor and clients, on a network, a clock and a scheduler controlled by a
//! seed.
//!
//! All decisions are made by the product's own code: the sessions, the server's
//! [core](crate::server) with its pending connections, turns and calls, the client's rules for
//! probing, reconnecting and retrying, the supervisor's schedule. Only the environment is
//! simulated: bytes that arrive in pieces of any size, or never; processes that die at any moment;
//! tasks; and time, none of which really passes.
//!
//! `SEED=n cargo test -p bgpy simulation` runs one seed and prints what happened; `SEEDS=n` runs
//! that many.

mod ledger;
mod lineage;
#[path = "../../../bgpy-proto/tests/random/mod.rs"]
mod random;
pub(crate) mod wire;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use self::world::World;
use crate::clock;
use crate::server::simulated::Idle;

/// Seeds that every test run plays.
const SEEDS: u64 = 1000;

/// Totals over all seeds, so that a simulation in which nothing happens fails.
#[derive(Debug, Default)]
struct Sums {
    seeds: AtomicU64,
    answered: AtomicU64,
    perhaps: AtomicU64,
    surely_not: AtomicU64,
    crashes: AtomicU64,
    cuts: AtomicU64,
}

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}={text} is not a number")))
}

#[test]
fn whatever_happens_calls_are_answered_rightly_or_not_at_all() {
    if let Some(seed) = number("SEED") {
        play(seed, &Idle::new(), &Sums::default());
        return;
    }
    let seeds = number("SEEDS").unwrap_or(SEEDS);
    let (sums, next) = (Sums::default(), AtomicU64::new(0));
    let workers = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        let work = || {
            let idle = Idle::new();
            while let Some(seed) =
                Some(next.fetch_add(1, Ordering::Relaxed)).filter(|it| *it < seeds)
            {
                play(seed, &idle, &sums);
            }
        };
        let workers: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        workers.into_iter().for_each(|worker| worker.join().expect("every seed plays well"));
    });
    println!("{sums:?}");
    let of = |sum: &AtomicU64| sum.load(Ordering::Relaxed);
    assert!(of(&sums.answered) > 5 * seeds, "{sums:?}");
    assert!(of(&sums.perhaps) > seeds && of(&sums.surely_not) > seeds / 2, "{sums:?}");
    assert!(of(&sums.crashes) > seeds / 2 && of(&sums.cuts) > seeds / 4, "{sums:?}");
}

/// Runs one seed; a seed that fails is run again with a trace.
fn play(seed: u64, idle: &Idle, sums: &Sums) {
    let run = |is_traced: bool| {
        let mut world = World::new(seed, idle, is_traced);
        let outcome = catch_unwind(AssertUnwindSafe(|| world.run()));
        clock::simulated::set(None);
        (world, outcome)
    };
    let (world, outcome) = run(false);
    if outcome.is_err() {
        drop(world);
        let (world, _) = run(true);
        panic!("seed {seed} fails; what happened last:\n{}", world.trace());
    }
    let add = |sum: &AtomicU64, count: usize| {
        sum.fetch_add(count as u64, Ordering::Relaxed);
    };
    add(&sums.seeds, 1);
    add(&sums.answered, world.ledger.answered);
    add(&sums.perhaps, world.ledger.perhaps);
    add(&sums.surely_not, world.ledger.surely_not);
    add(&sums.crashes, world.crashes);
    add(&sums.cuts, world.cuts);
}
