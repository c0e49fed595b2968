//! Finished jobs are forgotten when their time has come, and nothing else is.

use stackmotion::args;
use stackmotion::model::{JobStatus, Timestamp};
use stackmotion::store::Store;

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

async fn left(store: &Store) -> Vec<i64> {
    let rows = store.db().rows("SELECT id FROM async_job ORDER BY id", vec![]).await.expect("jobs");
    rows.iter().map(|row| row.at(0).expect("an id")).collect()
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
        let sql = "UPDATE async_job SET created = '2020-01-01 00:00:00' WHERE id = ?";
        store.db().run(sql, args![running]).await.expect("its age");
        // A management server's job is none that a gateway has written down.
        store.db().run("DELETE FROM motion_job WHERE job_id = ?", args![foreign]).await.expect("a row");
        assert!(!store.jobs_forget().await.expect("a look"), "{kind}");
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
        assert!(!store.jobs_forget().await.expect("a look"), "{kind}");
        assert_eq!(left(store).await, [running, foreign], "{kind}");
        let kept = store.db().row("SELECT COUNT(*) FROM motion_job", vec![]).await.expect("a count").expect("a row");
        assert_eq!(kept.at::<i64>(0).expect("a number"), 1, "{kind}: only of the one that is not over");
        // The key of the one that is not over, and of the one that is a management server's now.
        let kept = store.db().rows("SELECT job_id FROM motion_submission ORDER BY job_id", vec![]).await.expect("keys");
        let kept: Vec<i64> = kept.iter().map(|row| row.at(0).expect("an id")).collect();
        assert_eq!(kept, [running, foreign], "{kind}: a job that is forgotten has no key");
    }
}
