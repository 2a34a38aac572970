//! A simulation of routing: the real plans, walks, effects and states of keys, at providers and between nodes that are
//! simulated, in simulated time. Everything that is by chance follows from a seed, so what fails once fails again.
//!
//! What is simulated is the socket with all behind it (`send/simulated.rs`), and the control plane with the connections
//! to it. What is real: `route/`, `walk`, `course`, `queue`, `telling`, `effect`, how an answer is judged
//! (`shared/src/verdict.rs`), and how states of keys are merged (`shared/src/marks.rs`).
//!
//! - [`judge`]: what is asserted of attempts and requests ([`request`]); [`agree`]: what is of the states of keys.
//! - [`world`] and [`trouble`]: providers, and what is wrong with them. [`fleet`] and [`link`]: nodes, control plane
//!   and their connections.
//! - [`schedule`]: what happens when. [`run`]: makes it happen. [`clock`]: simulated time.
//!
//! `SIMULATION_SEED=17` repeats one seed and prints what happens, `SIMULATION_RUNS=100000` runs more of them than are
//! run otherwise, and `SIMULATION_ALL=1` goes on behind the first that fails.

mod agree;
mod clock;
mod fleet;
mod judge;
mod link;
mod request;
mod run;
mod schedule;
mod trouble;
mod world;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use judge::Counts;
use run::Outcome;

/// How many seeds are run where nobody says how many. Each takes some 20 ms of one core in a build for tests.
const RUNS: u64 = 2_000;

/// The number in the environment variable `name`.
fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
#[expect(clippy::print_stdout, reason = "what happens in a seed is read by who repeats it")]
fn no_schedule_breaks_a_promise_of_routing() {
    if let Some(seed) = number("SIMULATION_SEED") {
        let outcome = run::run(seed, true);
        println!("{}", outcome.notes.join("\n"));
        assert!(outcome.violations.is_empty(), "seed {seed}: {:#?}", outcome.violations);
        return;
    }
    let runs = number("SIMULATION_RUNS").unwrap_or(RUNS);
    let (next, failed) = (AtomicU64::new(0), AtomicBool::new(false));
    let (total, wrong) = (Mutex::new(Counts::default()), Mutex::new(Vec::new()));
    let work = || {
        while !failed.load(Ordering::Relaxed) {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= runs {
                return;
            }
            let Outcome { violations, counts, .. } = run::run(seed, false);
            total.lock().unwrap_or_else(PoisonError::into_inner).add(counts);
            if !violations.is_empty() {
                wrong.lock().unwrap_or_else(PoisonError::into_inner).push((seed, violations));
                failed.store(number("SIMULATION_ALL").is_none(), Ordering::Relaxed);
            }
        }
    };
    let threads = thread::available_parallelism().map_or(1, usize::from).min(8);
    thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(work))));
    let wrong = wrong.into_inner().unwrap_or_else(PoisonError::into_inner);
    let total = total.into_inner().unwrap_or_else(PoisonError::into_inner);
    println!("{total:?}");
    assert!(wrong.is_empty(), "repeat with SIMULATION_SEED={}: {wrong:#?}", wrong[0].0);
    // The assertions are about something.
    let Counts { attempts, rescued, failed, could_serve, at_home, waited, tests, news, .. } = total;
    let happens = [attempts, rescued, failed, could_serve, at_home, waited, tests, news];
    assert!(runs < RUNS || happens.iter().all(|count| *count > 100), "{total:?}");
}

#[test]
fn a_seed_gives_the_same_course_each_time() {
    for seed in [1, 2, 16, 40] {
        let (first, second) = (run::run(seed, true), run::run(seed, true));
        assert_eq!(first.notes, second.notes, "seed {seed}");
        assert!(first.notes.len() > 50);
    }
}
