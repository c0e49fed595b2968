//! Every recorded motion, submitted through HTTP to the whole gateway and followed to its end, and every recorded question
//! about jobs: answers, states of the job, events and changed rows are those of CloudStack, except for what
//! `docs/api-compat.md` tells.

pub mod agent;
pub mod cases;
mod compare;
pub mod documented;
pub mod estate;
mod jobs;
mod left_out;
pub mod replay;

use std::collections::BTreeMap;

use crate::support::database;

/// The least number of cases: a file that lost some must not go unnoticed.
const AT_LEAST: usize = 131;

/// Differences in a few words, with the cases that have them and both sides of each.
pub type Differences = BTreeMap<String, BTreeMap<String, String>>;

/// Plays cases and adds what differed.
pub async fn replay(gateway: &replay::Gateway, cases: &[cases::Case], found: &mut Differences) {
    for case in cases {
        for (difference, detail) in gateway.replay(case).await {
            found.entry(difference).or_default().insert(case.name.clone(), detail);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn recorded_motions() {
    let cases = cases::all();
    assert!(cases.len() >= AT_LEAST, "only {} cases", cases.len());
    let real = cases::real_agents();
    for (kind, database) in database::each().await {
        let mut gateway = replay::Gateway::start(&database).await;
        let mut found = Differences::new();
        replay(&gateway, &cases, &mut found).await;
        for (case, (difference, detail)) in jobs::replay(&gateway).await {
            found.entry(difference).or_default().insert(case, detail);
        }
        gateway.enlarge(&real.rows).await;
        replay(&gateway, &real.cases, &mut found).await;
        gateway.stop().await;
        documented::check(kind, &found);
    }
}
