//! The ledger: every file that a motion may make is written down before, what is left is listed, and it is removed only when
//! nobody needs it.

use stackmotion::agent::faults::{Fault, FaultRule};
use stackmotion::args;
use stackmotion::store::{FileState, LeftoverFilter, Value};

use super::bench::{Bench, plan};
use super::crash::{What, run_as};
use crate::support::database;

async fn listed(bench: &Bench) -> Vec<stackmotion::views::LeftoverView> {
    let (count, ids) =
        bench.store.leftovers_page(&LeftoverFilter::default(), Default::default()).await.expect("a list");
    let views = stackmotion::views::leftovers(&bench.store, &ids).await.expect("a list");
    assert_eq!(views.len() as i64, count);
    views
}

async fn states(bench: &Bench) -> Vec<(String, String)> {
    let rows = bench.store.db().rows("SELECT role, state FROM motion_file ORDER BY id", vec![]).await.expect("a list");
    rows.iter().map(|row| (row.at(0).expect("a role"), row.at(1).expect("a state"))).collect()
}

fn pair(role: &str, state: FileState) -> (String, String) {
    (role.to_owned(), state.word().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_moved_leaves_nothing() {
    for (kind, database) in database::each().await {
        let bench = Bench::start(&plan(112), database).await;
        assert!(run_as(&bench, &bench.motion, What::Volume, 1).await.is_ok());
        assert_eq!(states(&bench).await, [pair("source", FileState::Gone), pair("target", FileState::Owned)], "{kind}");
        assert!(run_as(&bench, &bench.motion, What::Cold, 2).await.is_ok());
        assert_eq!(
            states(&bench).await[2..],
            [pair("source", FileState::Gone), pair("target", FileState::Owned)],
            "{kind}"
        );
        assert!(listed(&bench).await.is_empty());
        bench.world.stop().await;
    }
}

/// The agent dies half-way and later refuses to delete: the half copy is listed, and removed when it lets.
#[tokio::test(flavor = "multi_thread")]
async fn a_half_copy_that_stays_is_listed_and_can_be_removed() {
    for (kind, database) in database::each().await {
        let bench = Bench::start(&plan(113), database).await;
        bench.fault(FaultRule::on("MigrateVolumeCommand", Fault::DieAt { fraction: 0.5 }));
        bench.fault(FaultRule::on("DeleteCommand", Fault::Refuse { details: "in use".to_owned() }));
        assert!(run_as(&bench, &bench.motion, What::Volume, 1).await.is_err());
        let left = listed(&bench).await;
        let [file] = left.as_slice() else { panic!("{kind}: {left:?}") };
        assert_eq!(
            (file.state.as_str(), file.role.as_str(), file.is_safe),
            ("left", "target", true),
            "{kind}: {file:?}"
        );
        assert_eq!(file.storage.as_deref(), Some("c1-p2"));
        assert!(file.bytes.is_some_and(|bytes| bytes > 0) && file.folder.starts_with("\\\\"), "{file:?}");
        let id = bench.store.internal_id(stackmotion::model::entity::EntityKind::MotionFile, &file.id).await;
        let id = id.expect("the database").expect("a file");
        let refused = bench.motion.remove_leftover(id).await.expect_err("the agent refuses").text;
        assert!(refused.contains("was not removed: ") && refused.contains("in use"), "{refused}");
        assert_eq!(listed(&bench).await.len(), 1, "{kind}: it is still there");
        bench.world.world().faults.remove(None);
        let done = bench.motion.remove_leftover(id).await.expect("it is removed");
        assert!(done.starts_with("It was removed."), "{done}");
        assert!(listed(&bench).await.is_empty());
        let again = bench.motion.remove_leftover(id).await.expect_err("it is gone").text;
        assert!(again.contains("no leftover"), "{again}");
        bench.check(kind).await;
        bench.world.stop().await;
    }
}

/// A live move keeps the file's name, so what is half there may be another gateway's next attempt.
#[tokio::test(flavor = "multi_thread")]
async fn a_half_copy_is_not_touched_while_another_gateway_moves_the_disk() {
    for (kind, database) in database::each().await {
        let bench = Bench::start(&plan(13), database).await;
        bench.fault(FaultRule::on("MigrateVolumeCommand", Fault::DieAt { fraction: 0.5 }));
        bench.fault(FaultRule::on("DeleteCommand", Fault::Refuse { details: "in use".to_owned() }));
        assert!(run_as(&bench, &bench.motion, What::Volume, 1).await.is_err());
        bench.world.world().faults.remove(None);
        // As if the host had not answered then, and the next job's motion were under way elsewhere.
        let run = async |sql: &str| bench.store.db().run(sql, vec![]).await.expect("the database");
        run("UPDATE motion_file SET state = 'expected' WHERE state = 'left'").await;
        run("INSERT INTO motion_migration (uuid, job_id, kind, strategy, phase, vm_id, vm_name, source_host_id, created, updated) \
             SELECT 'elsewhere', 2, kind, strategy, 'sent', vm_id, vm_name, source_host_id, created, updated FROM motion_migration \
             WHERE job_id = 1")
        .await;
        bench.motion.close_ledger().await.expect("the database");
        assert_eq!(states(&bench).await[1], pair("target", FileState::Expected), "{kind}: looked at another time");
        let disk = bench.disk("DATA-shared");
        let file = bench.file(&disk.uuid, bench.pool_id("c1-p2"), disk);
        assert!(file.exists(), "{kind}: {}", file.display());

        run("DELETE FROM motion_migration WHERE uuid = 'elsewhere'").await;
        bench.motion.close_ledger().await.expect("the database");
        assert_eq!(states(&bench).await[1], pair("target", FileState::Gone), "{kind}");
        assert!(!file.exists(), "{kind}: {}", file.display());
        bench.world.stop().await;
    }
}

/// A file that became a disk meanwhile is not removed, whatever the list said before: neither when the database says so, nor
/// when only the host does.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_in_use_is_not_removed() {
    let bench = Bench::start(&plan(114), database::sqlite().await).await;
    bench.fault(FaultRule::on("MigrateVolumeCommand", Fault::DieAt { fraction: 0.5 }));
    bench.fault(FaultRule::on("DeleteCommand", Fault::Refuse { details: "in use".to_owned() }));
    assert!(run_as(&bench, &bench.motion, What::Volume, 1).await.is_err());
    let id = bench.store.db().row("SELECT id FROM motion_file WHERE state = 'left'", vec![]).await;
    let id: i64 = id.expect("the database").expect("a file").at(0).expect("an id");
    bench.world.world().faults.remove(None);
    // The next move takes the half copy away and puts the disk there.
    assert!(run_as(&bench, &bench.motion, What::Volume, 2).await.is_ok());
    let refused = bench.motion.remove_leftover(id).await.expect_err("it is a disk").text;
    assert!(refused.contains("is the disk of volume"), "{refused}");
    let sql = "UPDATE volumes SET pool_id = ? WHERE uuid = ?";
    let (pool, uuid) = (bench.pool_id("c1-p1"), bench.disk("DATA-shared").uuid.clone());
    bench.store.db().run(sql, stackmotion::args![pool, &uuid]).await.expect("a wrong row");
    let refused = bench.motion.remove_leftover(id).await.expect_err("the host knows better").text;
    assert!(refused.contains("lists it as a disk of"), "{refused}");
    let sql = "UPDATE volumes SET pool_id = ? WHERE uuid = ?";
    bench.store.db().run(sql, stackmotion::args![bench.pool_id("c1-p2"), &uuid]).await.expect("the right row");
    bench.check("in use").await;
    bench.world.stop().await;
}

/// What a stock agent cannot tell is not claimed, and not removed.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_stock_agent_may_have_left_is_said_to_be_possible() {
    let mut plan = plan(115);
    for host in plan.clusters.iter_mut().flat_map(|cluster| &mut cluster.hosts) {
        host.plain = true;
    }
    let bench = Bench::start(&plan, database::sqlite().await).await;
    bench.fault(FaultRule::on("MigrateVolumeCommand", Fault::FailAt { fraction: 0.5, description: None }));
    assert!(run_as(&bench, &bench.motion, What::Volume, 1).await.is_err());
    assert_eq!(states(&bench).await, [pair("source", FileState::Owned), pair("target", FileState::Possible)]);
    let left = listed(&bench).await;
    assert_eq!(left.len(), 1);
    let id = bench.store.db().row("SELECT id FROM motion_file WHERE state = 'possible'", vec![]).await;
    let id: i64 = id.expect("the database").expect("a file").at(0).expect("an id");
    let refused = bench.motion.remove_leftover(id).await.expect_err("nobody can tell").text;
    assert!(refused.contains("cannot be shown") && refused.contains("Look at"), "{refused}");
    bench.world.stop().await;
}

/// A stock agent that says it has copied a disk is believed, but the original is not deleted for it.
#[tokio::test(flavor = "multi_thread")]
async fn an_original_is_kept_when_its_copy_cannot_be_shown() {
    let mut plan = plan(146);
    for host in plan.clusters.iter_mut().flat_map(|cluster| &mut cluster.hosts) {
        host.plain = true;
    }
    let bench = Bench::start(&plan, database::sqlite().await).await;
    let disk = bench.disk("ROOT-off");
    let original = bench.file(&disk.uuid, bench.pool_id("c1-p1"), disk);
    assert!(original.exists());
    run_as(&bench, &bench.motion, What::Cold, 1).await.expect("it is copied");
    assert_eq!(bench.pool_of("ROOT-off").await, "c1-p2");
    assert!(original.exists(), "nobody has shown that it is superfluous");
    assert_eq!(states(&bench).await, [pair("source", FileState::Left), pair("target", FileState::Owned)]);
    let sql = "SELECT COUNT(*) FROM volumes WHERE state = 'Expunging'";
    let spare: i64 = bench.store.db().row(sql, vec![]).await.unwrap().unwrap().at(0).unwrap();
    assert_eq!((listed(&bench).await.len(), spare), (1, 0), "it is listed, and no row stands for it");
    bench.world.stop().await;
}

async fn change(bench: &Bench, sql: &str, args: Vec<Value>) {
    bench.store.db().run(sql, args).await.expect("a change");
}

/// More motions of hosts that nobody serves any more than are looked at in one go: the files of others are closed all the same,
/// wherever they stand.
#[tokio::test(flavor = "multi_thread")]
async fn files_that_stay_open_do_not_hide_others() {
    for (kind, database) in database::each().await {
        let bench = Bench::start(&plan(227), database).await;
        assert_eq!(run_as(&bench, &bench.motion, What::Volume, 1).await, Ok(()), "{kind}");
        let own = bench.store.motions_of_job(1).await.expect("the journal").pop().expect("a motion").id;

        let gone = bench.host_id("c2-h2");
        change(&bench, "UPDATE host SET hypervisor_type = 'KVM' WHERE id = ?", args![gone]).await;
        for number in 1..=100_i64 {
            let id = own + number;
            let motion = "INSERT INTO motion_migration (id, uuid, job_id, kind, strategy, phase, outcome, source_host_id, \
                created, updated) VALUES (?, ?, 9, 'live-volume', 'none', 'settled', 'done', ?, '2020-01-01 00:00:00', \
                '2020-01-01 00:00:00')";
            change(&bench, motion, args![id, format!("motion-{number}"), gone]).await;
            let file = "INSERT INTO motion_file (uuid, migration_id, volume_id, role, host_id, pool_id, stem, state, created, \
                updated) VALUES (?, ?, 1, 'source', ?, 1, 'gone', 'expected', '2020-01-01 00:00:00', '2020-01-01 00:00:00')";
            change(&bench, file, args![format!("file-{number}"), id, gone]).await;
        }
        let open = async || {
            let sql = "SELECT COUNT(*) FROM motion_file WHERE state = 'expected' AND migration_id = ?";
            let row = bench.store.db().row(sql, args![own]).await.expect("the database").expect("a row");
            row.at::<i64>(0).expect("a number")
        };
        let look = async || bench.motion.close_ledger().await.expect("the database");

        change(&bench, "UPDATE motion_file SET state = 'expected' WHERE migration_id = ?", args![own]).await;
        look().await;
        assert_eq!(open().await, 2, "{kind}: there are as many older ones as are looked at in one go");
        look().await;
        assert_eq!(open().await, 0, "{kind}: the second look goes on behind them");

        change(&bench, "UPDATE motion_file SET state = 'expected' WHERE migration_id = ?", args![own]).await;
        change(&bench, "UPDATE motion_migration SET updated = '2019-01-01 00:00:00' WHERE id = ?", args![own]).await;
        look().await;
        assert_eq!(open().await, 0, "{kind}: the third one begins anew");
        bench.world.stop().await;
    }
}
