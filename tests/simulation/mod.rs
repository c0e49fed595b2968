//! Thousands of courses of events, each drawn from a seed: clients that submit and cancel, gateways that are killed or stand
//! still and are taken over, agents that die, forget, lie, stall and answer late or not at all. After each of them an oracle
//! looks whether everything is where the database says, and whether every job has told the truth.
//!
//! `SIMULATION_SEED=7 cargo test --test all -- simulation::seeds` goes through one and prints it; `SIMULATION_SEEDS=100000` goes
//! through so many.

mod course;
mod dice;
mod ground;
mod host;
mod jobs;
mod oracle;
mod points;
mod tally;
mod tasks;
mod world;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use course::{Defect, Ending, printed, run};
use ground::Ground;
use tally::Tally;

/// How many seeds are gone through when nothing else is asked for.
const SEEDS: u64 = 1000;
/// How many failures are printed before it gives up.
const FAILURES: usize = 3;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

fn on_ground<T>(then: impl AsyncFnOnce(Ground) -> T) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async { then(Ground::new().await).await })
}

fn failure(seed: u64, ending: &Ending) -> String {
    format!("seed {seed}:\n  {}\n{}", ending.findings.join("\n  "), printed(&ending.trace))
}

#[test]
fn seeds() {
    let one = number("SIMULATION_SEED");
    let last = one.map_or_else(|| number("SIMULATION_SEEDS").unwrap_or(SEEDS), |seed| seed + 1);
    let next = AtomicU64::new(one.unwrap_or(0));
    let has_failed = AtomicBool::new(false);
    let begun = Instant::now();
    let work = || {
        on_ground(async |ground| {
            let (mut tally, mut failures, mut steps) = (Tally::default(), Vec::new(), 0);
            while !has_failed.load(Ordering::SeqCst) {
                let seed = next.fetch_add(1, Ordering::SeqCst);
                if seed >= last {
                    break;
                }
                let ending = run(&ground, seed, None).await;
                if !ending.findings.is_empty() {
                    failures.push(failure(seed, &ending));
                    has_failed.store(failures.len() >= FAILURES, Ordering::SeqCst);
                } else if one.is_some() {
                    println!("{}", printed(&ending.trace));
                }
                steps += ending.steps;
                tally.add(ending.tally);
            }
            (tally, failures, steps)
        })
    };
    let (mut tally, mut failures, mut steps) = (Tally::default(), Vec::new(), 0);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        for thread in threads {
            let (counted, failed, stepped) = thread.join().expect("no panic");
            tally.add(counted);
            failures.extend(failed);
            steps += stepped;
        }
    });
    println!("{tally}\nsteps: {steps}, in {:.1?}", begun.elapsed());
    assert!(failures.is_empty(), "{} seeds failed:\n{}", failures.len(), failures.join("\n"));
}

/// The text without public ids: motions and copies get new ones each time.
fn without_ids(text: &str) -> String {
    let is_of_id = |letter: char| letter.is_ascii_hexdigit() || letter == '-';
    text.split(|letter| !is_of_id(letter)).filter(|word| word.len() != 36).collect::<Vec<_>>().join(" ")
}

/// A failure that cannot be seen again is of no use.
#[test]
fn a_seed_gives_the_same_course_of_events_again() {
    on_ground(async |ground| {
        for seed in 0..8 {
            let (first, second) = (run(&ground, seed, None).await, run(&ground, seed, None).await);
            let same = |one: &String, other: &String| without_ids(one) == without_ids(other);
            let differ = first.trace.iter().zip(&second.trace).position(|(one, other)| !same(one, other));
            assert_eq!(differ, None, "seed {seed}: {:?}", differ.map(|at| (&first.trace[at], &second.trace[at])));
            assert_eq!(first.trace.len(), second.trace.len(), "seed {seed}");
        }
    });
}

/// An oracle that never objects shows nothing.
#[test]
fn a_planted_defect_is_found() {
    let found = |defect: Defect, seeds: std::ops::Range<u64>| {
        on_ground(async |ground| {
            for seed in seeds {
                let ending = run(&ground, seed, Some(defect)).await;
                if !ending.findings.is_empty() {
                    return true;
                }
            }
            false
        })
    };
    for defect in [
        Defect::DiskMoves,
        Defect::MachineMoves,
        Defect::RowIsEdited,
        Defect::FileIsLost,
        Defect::FileTurnsUp,
        Defect::ChargeIsWrong,
        Defect::RowStays,
    ] {
        assert!(found(defect, 1000..1003), "{defect:?} was not found");
    }
    assert!(found(Defect::HostsForge, 1000..1020), "hosts that forge were not found");
}
