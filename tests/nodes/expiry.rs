//! Finished jobs are forgotten when their time has come, and nothing else is.

use stackmotion::args;
use stackmotion::model::{JobStatus, Timestamp};
use stackmotion::store::{Store, Value};

use super::leases::{job, server};
use crate::support::database;

/// A job that ended so many minutes ago.
async fn ended(store: &Store, id: i64, minutes: i64) {
    let mut tx = store.begin().await.expect("a transaction");
    assert!(tx.job_finish(id, JobStatus::Succeeded, 0, "null/null/{}").await.expect("an end"));
    tx.commit().await.expect("a commit");
    let then = Timestamp::from_unix(Timestamp::now().unix() - minutes * 60).expect("a time");
    store.db().run("UPDATE async_job SET removed = ? WHERE id = ?", args![then, id]).await.expect("its end");
}

/// The numbers that a statement asks for.
async fn numbers(store: &Store, sql: &str) -> Vec<i64> {
    let rows = store.db().rows(sql, vec![]).await.expect("numbers");
    rows.iter().map(|row| row.at(0).expect("a number")).collect()
}

async fn left(store: &Store) -> Vec<i64> {
    numbers(store, "SELECT id FROM async_job ORDER BY id").await
}

/// Lets a job have been accepted long ago.
async fn let_age(store: &Store, id: i64) {
    change(store, "UPDATE async_job SET created = '2020-01-01 00:00:00' WHERE id = ?", args![id]).await;
}

async fn change(store: &Store, sql: &str, args: Vec<Value>) {
    store.db().run(sql, args).await.expect("a change");
}

/// Forgets what is to be forgotten, looking at so many at once. Gives how often it was looked.
async fn forget(store: &Store, at_once: i64) -> usize {
    let (mut looks, mut next) = (0, Some(0));
    while let Some(after) = next {
        next = store.jobs_forget(after, at_once).await.expect("a look");
        looks += 1;
    }
    looks
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_are_forgotten_when_they_have_been_over_for_long() {
    for (kind, database) in database::each().await {
        let store = &database.store;
        let server = server(store, "one").await;
        let mut ids = Vec::new();
        for _ in 0..5 {
            ids.push(job(store, &server).await);
        }
        let &[old, young, running, foreign, last] = ids.as_slice() else { panic!("{ids:?}") };
        ended(store, old, 1441).await;
        ended(store, young, 1439).await;
        ended(store, foreign, 5000).await;
        ended(store, last, 61).await;
        let_age(store, running).await;
        // A management server's job is none that a gateway has written down.
        store.db().run("DELETE FROM motion_job WHERE job_id = ?", args![foreign]).await.expect("a row");
        assert_eq!(forget(store, 1000).await, 1, "{kind}");
        assert_eq!(left(store).await, [young, running, foreign, last], "{kind}");

        // As the operator has set it.
        store
            .db()
            .run("DELETE FROM configuration WHERE name = 'job.expire.minutes'", vec![])
            .await
            .expect("the setting");
        let sql = "INSERT INTO configuration (category, instance, component, name, value) \
            VALUES ('Advanced', 'DEFAULT', 'AsyncJobManager', 'job.expire.minutes', '60')";
        store.db().run(sql, vec![]).await.expect("the setting");
        assert_eq!(forget(store, 1000).await, 1, "{kind}");
        assert_eq!(left(store).await, [running, foreign], "{kind}");
        let kept = store.db().row("SELECT COUNT(*) FROM motion_job", vec![]).await.expect("a count").expect("a row");
        assert_eq!(kept.at::<i64>(0).expect("a number"), 1, "{kind}: only of the one that is not over");
        // The key of the one that is not over, and of the one that is a management server's now.
        let kept = store.db().rows("SELECT job_id FROM motion_submission ORDER BY job_id", vec![]).await.expect("keys");
        let kept: Vec<i64> = kept.iter().map(|row| row.at(0).expect("an id")).collect();
        assert_eq!(kept, [running, foreign], "{kind}: a job that is forgotten has no key");
    }
}

/// Copies that take days are no reason to remember everything that came after them, and what is young is not looked through.
#[tokio::test(flavor = "multi_thread")]
async fn jobs_that_go_on_do_not_keep_others_from_being_forgotten() {
    for (kind, database) in database::each().await {
        let store = &database.store;
        let server = server(store, "one").await;
        let mut ids = Vec::new();
        for _ in 0..12 {
            ids.push(job(store, &server).await);
        }
        let (old, young) = ids.split_at(6);
        for id in old {
            let_age(store, *id).await;
        }
        // Five that run, and one that was over long ago.
        ended(store, old[5], 1441).await;
        assert_eq!(forget(store, 2).await, 4, "{kind}: three looks at old ones, one at young ones");
        assert_eq!(left(store).await, [&old[..5], young].concat(), "{kind}");
    }
}

/// A management server deletes the rows of jobs that it takes for its own; what is ours of them goes then, but for those of which
/// something is still to be ended.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_left_of_jobs_that_somebody_else_has_forgotten_goes() {
    for (kind, database) in database::each().await {
        let store = &database.store;
        let server = server(store, "one").await;
        let mut ids = Vec::new();
        for _ in 0..6 {
            ids.push(job(store, &server).await);
        }
        let &[_, moving, moved, stopped, cancelled, known] = ids.as_slice() else { panic!("{ids:?}") };
        let sql = "INSERT INTO motion_migration (uuid, job_id, kind, strategy, phase, outcome, created, updated) \
            VALUES (?, ?, 'live-volume', 'none', ?, ?, '2020-01-01 00:00:00', '2020-01-01 00:00:00')";
        change(store, sql, args!["moving", moving, "sent", None::<String>]).await;
        change(store, sql, args!["moved", moved, "settled", "done"]).await;
        change(store, "INSERT INTO motion_stopped_vm (vm_id, job_id) VALUES (7, ?)", args![stopped]).await;
        let mut tx = store.begin().await.expect("a transaction");
        assert!(tx.cancel_wish(cancelled, None, "a test").await.expect("a wish"), "{kind}");
        tx.commit().await.expect("a commit");
        change(store, "DELETE FROM async_job WHERE id <> ?", args![known]).await;

        // Looked at in parts: what stays does not hide what is behind it.
        forget(store, 1).await;
        assert_eq!(left(store).await, [known], "{kind}");
        let kept = [moving, stopped, known];
        assert_eq!(numbers(store, "SELECT job_id FROM motion_job ORDER BY job_id").await, kept, "{kind}");
        assert_eq!(numbers(store, "SELECT job_id FROM motion_submission ORDER BY job_id").await, kept, "{kind}");
        assert_eq!(numbers(store, "SELECT job_id FROM motion_cancel").await, [0; 0], "{kind}");
        assert_eq!(numbers(store, "SELECT COUNT(*) FROM motion_migration").await, [2], "{kind}: the history stays");

        // When it is over, nothing keeps it any more.
        change(store, "UPDATE motion_migration SET phase = 'settled', outcome = 'done'", vec![]).await;
        change(store, "DELETE FROM motion_stopped_vm", vec![]).await;
        forget(store, 1).await;
        assert_eq!(numbers(store, "SELECT job_id FROM motion_job").await, [known], "{kind}");
    }
}
