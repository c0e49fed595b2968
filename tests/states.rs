//! The state machines: their whole matrices against the golden files, and what the database lets happen against both.

use std::path::Path;

use stackmotion::args;
use stackmotion::demo::{Estate, seed};
use stackmotion::model::states::drawings;
use stackmotion::model::{
    HostEvent, HostState, JobStatus, Machine, MotionEvent, MotionState, PoolEvent, PoolState, Scope, Transition,
    VmEvent, VmState, VolumeEvent, VolumeState,
};
use stackmotion::store::{Absence, NewMotion, PoolRows, Store, StoreError, VmPlace};

use crate::motion::bench::plan;
use crate::nodes::leases::{job, server};
use crate::support::database;

/// Set to make the golden files anew.
const UPDATE: &str = "UPDATE_GOLDEN";

#[test]
fn the_matrices_are_the_golden_ones() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/states");
    let mut files = Vec::new();
    for drawing in drawings() {
        let file = folder.join(format!("{}.tsv", drawing.name));
        if std::env::var_os(UPDATE).is_some() {
            std::fs::create_dir_all(&folder).expect("a folder");
            std::fs::write(&file, &drawing.matrix).expect("a file");
        }
        let golden = std::fs::read_to_string(&file).unwrap_or_default();
        assert!(
            golden == drawing.matrix,
            "{} is another matrix now; if that is meant, run the test with {UPDATE}=1. Now:\n{}",
            file.display(),
            drawing.matrix
        );
        files.push(file);
    }
    for entry in std::fs::read_dir(&folder).expect("the golden files") {
        let path = entry.expect("a file").path();
        assert!(files.contains(&path), "{} belongs to no state machine", path.display());
    }
}

/// A step can only be had from the machine, and only the one that the matrix has.
#[test]
fn steps_are_those_of_the_matrix() {
    for &state in VolumeState::ALL {
        for &event in VolumeEvent::ALL {
            let step = state.on(event).ok();
            assert_eq!(step.map(|step: Transition<VolumeState>| (step.from(), step.to())), {
                state.next(event).map(|next| (state, next))
            });
        }
    }
}

async fn seeded(store: &Store) -> Estate {
    let estate = Estate::new(&plan(96)).expect("a sound plan");
    store.bootstrap().await.expect("accounts");
    seed(store, &estate, 1).await.expect("an inventory");
    estate
}

async fn word(store: &Store, sql: &str, id: i64) -> String {
    store.db().row(sql, args![id]).await.expect("the database").expect("a row").at(0).expect("a word")
}

/// What stands in the database after `event` has been tried in `state`.
fn expected<S: Machine>(state: S, event: S::Event) -> &'static str {
    state.next(event).unwrap_or(state).as_str()
}

#[tokio::test]
async fn hosts_change_in_the_database_as_the_matrix_says() {
    for (kind, database) in database::each().await {
        let store = &database.store;
        let id = seeded(store).await.hosts.first().expect("a host").id;
        for &state in HostState::ALL {
            for &event in HostEvent::ALL {
                store
                    .db()
                    .run("UPDATE host SET status = ?, removed = NULL WHERE id = ?", args![state.as_str(), id])
                    .await
                    .expect("a row");
                match event {
                    HostEvent::Answers => store.host_up(id, 1).await.expect("the database"),
                    HostEvent::FallsSilent => {
                        store.host_away(id, Absence::Silent, "no answer").await.expect("the database");
                    }
                    HostEvent::StrangerAnswers => {
                        store.host_away(id, Absence::Stranger, "who is this").await.expect("the database");
                    }
                    HostEvent::Remove => {
                        let mut tx = store.begin().await.expect("a transaction");
                        tx.host_remove(id, "127.96.0.1").await.expect("the database");
                        tx.commit().await.expect("a commit");
                    }
                }
                let now = word(store, "SELECT status FROM host WHERE id = ?", id).await;
                assert_eq!(now, expected(state, event), "{kind}: {state} + {event}");
            }
        }
    }
}

#[tokio::test]
async fn pools_change_in_the_database_as_the_matrix_says() {
    for (kind, database) in database::each().await {
        let store = &database.store;
        let id = seeded(store).await.pools.first().expect("a pool").id;
        for &state in PoolState::ALL {
            for event in [PoolEvent::Remove, PoolEvent::HostRemoved, PoolEvent::Reached] {
                let sql = "UPDATE storage_pool SET status = ?, removed = NULL WHERE id = ?";
                store.db().run(sql, args![state.as_str(), id]).await.expect("a row");
                let mut tx = store.begin().await.expect("a transaction");
                let done = match event {
                    PoolEvent::Reached => tx.pool_ready(id, &pool_rows(), (1, 0), 1.0).await,
                    why => tx.pool_remove(id, why).await,
                };
                let allowed = state.next(event).is_some();
                match done {
                    Ok(()) => assert!(allowed, "{kind}: {state} + {event} was let through"),
                    Err(StoreError::Conflict { .. }) => assert!(!allowed, "{kind}: {state} + {event} was refused"),
                    Err(error) => panic!("{kind}: {state} + {event}: {error}"),
                }
                tx.commit().await.expect("a commit");
                let now = word(store, "SELECT status FROM storage_pool WHERE id = ?", id).await;
                assert_eq!(now, expected(state, event), "{kind}: {state} + {event}");
            }
        }
    }
}

#[tokio::test]
async fn motions_change_in_the_database_as_the_matrix_says() {
    for (kind, database) in database::each().await {
        let store = &database.store;
        let new = NewMotion {
            uuid: "m".to_owned(),
            job_id: 1,
            kind: "live-vm".to_owned(),
            strategy: "none".to_owned(),
            vm: None,
            source_host_id: 1,
            target_host_id: None,
            bytes_total: 0,
            stall_s: 600,
            stall_origin: "default".to_owned(),
            unreachable_s: 300,
            unreachable_origin: "default".to_owned(),
            disks: Vec::new(),
        };
        let mut tx = store.begin().await.expect("a transaction");
        let id = tx.motion_insert(&new).await.expect("a motion");
        tx.commit().await.expect("a commit");
        for &state in MotionState::ALL {
            for &event in MotionEvent::ALL {
                let (phase, outcome) = state.words();
                let sql = "UPDATE motion_migration SET phase = ?, outcome = ? WHERE id = ?";
                store.db().run(sql, args![phase, outcome, id]).await.expect("a row");
                let done = match event {
                    MotionEvent::Announce => store.motion_sent(id, &[]).await,
                    event => {
                        let to = MotionState::ALL.iter().find(|to| Some(event) == settles(**to)).expect("an end");
                        let mut tx = store.begin().await.expect("a transaction");
                        let done = tx.motion_settle(id, to.words().1.expect("an outcome"), None, "seen").await;
                        tx.commit().await.expect("a commit");
                        done
                    }
                };
                assert_eq!(done.is_ok(), state.next(event).is_some(), "{kind}: {state} + {event}: {done:?}");
                let sql =
                    "SELECT CASE WHEN outcome IS NULL THEN phase ELSE outcome END FROM motion_migration WHERE id = ?";
                let (phase, outcome) = state.next(event).unwrap_or(state).words();
                assert_eq!(word(store, sql, id).await, outcome.unwrap_or(phase), "{kind}: {state} + {event}");
            }
        }
    }
}

/// Whether the row was found to be another one than it was when it was read.
fn is_conflict<T: std::fmt::Debug>(done: &Result<T, StoreError>) -> bool {
    matches!(done, Err(StoreError::Conflict { .. }))
}

/// A legal step is written; an illegal one cannot even be made; and a legal one that comes too late changes nothing.
#[tokio::test]
async fn volumes_change_in_the_database_as_the_matrix_says() {
    let sql = "SELECT state FROM volumes WHERE id = ?";
    for (kind, database) in database::each().await {
        let store = &database.store;
        let id = seeded(store).await.disks.first().expect("a disk").id;
        let set = async |state: VolumeState| {
            let sql = "UPDATE volumes SET state = ?, removed = NULL WHERE id = ?";
            store.db().run(sql, args![state.as_str(), id]).await.expect("a row");
        };
        for &state in VolumeState::ALL {
            for &event in VolumeEvent::ALL {
                let case = format!("{kind}: {state} + {event}");
                set(state).await;
                let row = store.volume_by_id(id).await.expect("the database").expect("the volume");
                assert_eq!(row.state, state, "{case}");
                if let Ok(step) = state.on(event) {
                    let mut tx = store.begin().await.expect("a transaction");
                    let changed = tx.volume_transition(&row, step).await.expect("the database");
                    assert_eq!(changed.state, step.to(), "{case}");
                    // As the row was read it is not there any more.
                    let late = tx.volume_transition(&row, step).await;
                    assert!(is_conflict(&late), "{case}, again: {late:?}");
                    tx.commit().await.expect("a commit");
                }
                assert_eq!(word(store, sql, id).await, expected(state, event), "{case}");
            }
        }
    }
}

#[tokio::test]
async fn machines_change_in_the_database_as_the_matrix_says() {
    let sql = "SELECT state FROM vm_instance WHERE id = ?";
    for (kind, database) in database::each().await {
        let store = &database.store;
        let id = seeded(store).await.vms.first().expect("a VM").id;
        for &state in VmState::ALL {
            for &event in VmEvent::ALL {
                let case = format!("{kind}: {state} + {event}");
                let set = "UPDATE vm_instance SET state = ?, removed = NULL WHERE id = ?";
                store.db().run(set, args![state.as_str(), id]).await.expect("a row");
                let row = store.vm_by_id(id).await.expect("the database").expect("the VM");
                assert_eq!(row.state, state, "{case}");
                if let Ok(step) = state.on(event) {
                    let place = VmPlace { host_id: row.host_id, last_host_id: row.last_host_id, pod_id: row.pod_id };
                    let mut tx = store.begin().await.expect("a transaction");
                    let changed = tx.vm_transition(&row, step, place).await.expect("the database");
                    assert_eq!(changed.state, step.to(), "{case}");
                    let late = tx.vm_transition(&row, step, place).await;
                    assert!(is_conflict(&late), "{case}, again: {late:?}");
                    tx.commit().await.expect("a commit");
                }
                assert_eq!(word(store, sql, id).await, expected(state, event), "{case}");
            }
        }
    }
}

#[tokio::test]
async fn jobs_change_in_the_database_as_the_matrix_says() {
    let sql = "SELECT job_status FROM async_job WHERE id = ?";
    for (kind, database) in database::each().await {
        let store = &database.store;
        let server = server(store, "one").await;
        let id = job(store, &server).await;
        for &state in JobStatus::ALL {
            for &to in JobStatus::ALL {
                let event = to.event();
                let case = format!("{kind}: {state} + {event}");
                let set = "UPDATE async_job SET job_status = ? WHERE id = ?";
                store.db().run(set, args![state.number(), id]).await.expect("a row");
                let done = if to == JobStatus::InProgress {
                    store.job_claim(id, &server).await.expect("the database").is_some()
                } else {
                    let mut tx = store.begin().await.expect("a transaction");
                    let done = tx.job_finish(id, to, 0, "").await.expect("the database");
                    tx.commit().await.expect("a commit");
                    done
                };
                assert_eq!(done, state.next(event).is_some(), "{case}");
                let row = store.db().row(sql, args![id]).await.expect("the database").expect("the job");
                assert_eq!(row.at::<i64>(0).expect("a number"), state.next(event).unwrap_or(state).number(), "{case}");
            }
        }
    }
}

fn settles(state: MotionState) -> Option<MotionEvent> {
    state.words().1.and_then(MotionEvent::settling)
}

#[test]
fn the_numbers_of_jobs_are_cloudstacks() {
    let numbers: Vec<i64> = JobStatus::ALL.iter().map(|status| status.number()).collect();
    assert_eq!(numbers, [0, 1, 2, 3]);
    for &status in JobStatus::ALL {
        assert_eq!(JobStatus::InProgress.next(status.event()), Some(status));
    }
}

fn pool_rows() -> PoolRows {
    PoolRows {
        uuid: "p".to_owned(),
        name: "p".to_owned(),
        kind: "SMB",
        host_address: "fs1".to_owned(),
        port: 445,
        path: "/p".to_owned(),
        scope: Scope::Cluster,
        place: (1, Some(1), Some(1)),
        capacity_bytes: 0,
        used_bytes: 0,
        capacity_iops: None,
        tags: Vec::new(),
        tag_is_rule: false,
        details: Vec::new(),
        password: None,
    }
}
