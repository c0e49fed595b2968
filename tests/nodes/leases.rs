//! Who may write what: leases by the database's clock, claims with epochs, locks of jobs.

use std::time::Duration;

use stackmotion::args;
use stackmotion::model::JobStatus;
use stackmotion::store::{Claim, NewJob, Server, Standing, Store, StoreError, Submission};

use crate::support::database;

const LEASE: Duration = Duration::from_secs(600);

pub async fn server(store: &Store, name: &str) -> Server {
    store.server_register(name, "1", "127.0.0.1", LEASE).await.expect("a server")
}

/// A job that the server has accepted.
pub async fn job(store: &Store, server: &Server) -> i64 {
    accepted(store, server).await.job_id
}

/// The claim with which the server has accepted a job.
async fn accepted(store: &Store, server: &Server) -> Claim {
    let new = NewJob {
        uuid: uuid::Uuid::new_v4().to_string(),
        command: "migrateVolume".to_owned(),
        class: "x.MigrateVolumeCmd".to_owned(),
        parameters: "{}".to_owned(),
        user_id: 2,
        account_id: 2,
        instance: None,
        request_id: "req".to_owned(),
        submission: Submission::default(),
    };
    let mut tx = store.begin().await.expect("a transaction");
    let claim = tx.job_insert(&new, 1, server).await.expect("a job");
    tx.commit().await.expect("a commit");
    claim
}

/// Lets a lease end, as time does.
async fn let_lease_end(store: &Store, server: &Server) {
    let sql = "UPDATE motion_node SET lease_until = 1 WHERE id = ?";
    store.db().run(sql, args![server.id]).await.expect("the lease");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_belongs_to_who_is_alive() {
    for (kind, database) in database::each().await {
        let store = &database.store;
        let (one, other) = (server(store, "one").await, server(store, "other").await);
        let id = job(store, &one).await;
        assert_eq!(store.job_claim(id, &other).await.unwrap(), None, "{kind}: the first has it");
        assert_eq!(store.jobs_unfinished(&other).await.unwrap(), [0; 0], "{kind}");
        assert_eq!(store.jobs_unfinished(&one).await.unwrap(), [id], "{kind}");
        let first = store.job_claim(id, &one).await.unwrap().expect("a claim");

        let_lease_end(store, &one).await;
        assert_eq!(store.job_claim(id, &one).await.unwrap(), None, "{kind}: who is not alive claims nothing");
        assert_eq!(store.jobs_unfinished(&other).await.unwrap(), [id], "{kind}");
        let second = store.job_claim(id, &other).await.unwrap().expect("a claim");
        assert!(second.epoch > first.epoch, "{kind}: {first:?} {second:?}");

        // The first comes back, and finds that it may write nothing for this job any more.
        let leads = Standing::Alive { leads: one.id < other.id };
        assert_eq!(store.server_beat(&one, LEASE).await.unwrap(), leads, "{kind}");
        let refused = store.under(first).begin().await;
        assert!(matches!(refused, Err(StoreError::Superseded { job_id }) if job_id == id), "{kind}: {refused:?}");
        assert_eq!(store.job_claim(id, &one).await.unwrap(), None, "{kind}: the other has it");
        let mut tx = store.under(second).begin().await.expect("the latest claim writes");
        assert!(tx.job_finish(id, JobStatus::Succeeded, 0, "x").await.unwrap(), "{kind}");
        tx.commit().await.unwrap();
        assert_eq!(store.job_claim(id, &other).await.unwrap(), None, "{kind}: it has ended");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_who_is_alive_accepts_a_job_for_itself() {
    for (kind, database) in database::each().await {
        let store = &database.store;
        let one = server(store, "one").await;
        let may_write = async |claim| match store.under(claim).begin().await {
            Ok(tx) => {
                tx.roll_back().await;
                true
            }
            Err(StoreError::Superseded { .. }) => false,
            Err(error) => panic!("{kind}: {error}"),
        };
        let claim = accepted(store, &one).await;
        assert!(may_write(claim).await, "{kind}: nobody has to claim it");
        let executing = async || {
            let sql = "SELECT job_executing_msid FROM async_job WHERE id = ?";
            let row = store.db().row(sql, args![claim.job_id]).await.expect("the database").expect("the job");
            row.at::<Option<i64>>(0).expect("a number")
        };
        assert_eq!(executing().await, None, "{kind}: it waits for a worker");
        let mut tx = store.under(claim).begin().await.expect("the claim writes");
        tx.job_begin(claim.job_id).await.expect("it begins");
        tx.commit().await.expect("a commit");
        assert_eq!(executing().await, Some(one.id), "{kind}");

        let_lease_end(store, &one).await;
        let lapsed = accepted(store, &one).await;
        assert!(!may_write(lapsed).await, "{kind}: its lease has ended");
        // Another process takes the name.
        let next = server(store, "one").await;
        let replaced = accepted(store, &one).await;
        assert!(!may_write(replaced).await, "{kind}: it has been replaced");
        for left in [lapsed, replaced] {
            let claim = store.job_claim(left.job_id, &next).await.expect("the database").expect("a claim");
            assert!(may_write(claim).await, "{kind}: who is alive takes it up");
            assert!(!may_write(left).await, "{kind}: and nobody else has it then");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_waits_for_a_write_of_the_one_before_and_never_overtakes_it() {
    for (kind, database) in database::each().await {
        let store = database.store.clone();
        let (one, other) = (server(&store, "one").await, server(&store, "other").await);
        let id = job(&store, &one).await;
        let first = store.job_claim(id, &one).await.unwrap().expect("a claim");
        let_lease_end(&store, &one).await;

        let mut writing = store.under(first).begin().await.expect("not superseded yet");
        let claiming = tokio::spawn({
            let (store, other) = (store.clone(), other.clone());
            async move { store.job_claim(id, &other).await }
        });
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert!(!claiming.is_finished(), "{kind}: the claim has to wait");
        assert!(writing.job_finish(id, JobStatus::Failed, 530, "x").await.unwrap(), "{kind}");
        writing.commit().await.unwrap();
        assert_eq!(claiming.await.unwrap().unwrap(), None, "{kind}: the job has ended meanwhile");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_latest_of_a_name_replaces_the_ones_before() {
    for (kind, database) in database::each().await {
        let store = &database.store;
        let old = server(store, "same").await;
        let id = job(store, &old).await;
        let new = server(store, "same").await;
        assert_eq!((new.id, &new.uuid), (old.id, &old.uuid), "{kind}: it is the same server");
        assert_eq!(store.server_beat(&old, LEASE).await.unwrap(), Standing::Replaced, "{kind}");
        assert_eq!(store.job_claim(id, &old).await.unwrap(), None, "{kind}");
        assert!(store.job_claim(id, &new).await.unwrap().is_some(), "{kind}: its jobs are the new one's at once");
        store.server_leave(&old).await.unwrap();
        assert_eq!(store.server_beat(&new, LEASE).await.unwrap(), Standing::Alive { leads: true }, "{kind}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_those_alive_leads_and_the_dead_are_shown_as_down() {
    for (kind, database) in database::each().await {
        let store = &database.store;
        let mut servers = Vec::new();
        for name in ["a", "b", "c"] {
            servers.push(server(store, name).await);
        }
        servers.sort_by_key(|server| server.id);
        while let [first, others @ ..] = servers.as_slice() {
            assert_eq!(store.server_beat(first, LEASE).await.unwrap(), Standing::Alive { leads: true }, "{kind}");
            for other in others {
                assert_eq!(store.server_beat(other, LEASE).await.unwrap(), Standing::Alive { leads: false }, "{kind}");
            }
            let_lease_end(store, first).await;
            if let Some(other) = others.first() {
                store.server_beat(other, LEASE).await.unwrap();
                let sql = "SELECT state FROM mshost WHERE msid = ?";
                let row = store.db().row(sql, args![first.id]).await.unwrap().expect("a row");
                assert_eq!(row.at::<String>(0).unwrap(), "Down", "{kind}");
            }
            servers.remove(0);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_is_held_until_its_job_has_ended() {
    for (kind, database) in database::each().await {
        let store = &database.store;
        let one = server(store, "one").await;
        let (first, second) = (job(store, &one).await, job(store, &one).await);
        assert!(store.lock_take("vm:1", first).await.unwrap(), "{kind}");
        assert!(store.lock_take("vm:1", first).await.unwrap(), "{kind}: it is its own");
        assert!(!store.lock_take("vm:1", second).await.unwrap(), "{kind}");
        assert!(store.lock_take("vm:2", second).await.unwrap(), "{kind}: another VM");
        let mut tx = store.begin().await.unwrap();
        tx.job_finish(first, JobStatus::Succeeded, 0, "x").await.unwrap();
        tx.commit().await.unwrap();
        assert!(store.lock_take("vm:1", second).await.unwrap(), "{kind}");
        let left = store.db().row("SELECT COUNT(*) FROM motion_lock", vec![]).await.unwrap().expect("a count");
        assert_eq!(left.at::<i64>(0).unwrap(), 2, "{kind}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_that_want_a_lock_at_once_one_gets_it() {
    for (kind, database) in database::each().await {
        let store = &database.store;
        let one = server(store, "one").await;
        for round in 0..5 {
            let mut asking = tokio::task::JoinSet::new();
            for _ in 0..8 {
                let id = job(store, &one).await;
                let store = store.clone();
                asking.spawn(async move { store.lock_take(&format!("vm:{round}"), id).await.expect("an answer") });
            }
            let got = asking.join_all().await.into_iter().filter(|got| *got).count();
            assert_eq!(got, 1, "{kind}, round {round}");
        }
    }
}
