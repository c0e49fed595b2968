//! What is not known: rows that somebody else has changed, disks that are where nobody sent them, agents that cannot tell, and
//! what a person states in the end. No row stays on its way, nothing is claimed that was not seen, and nobody needs SQL.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use stackmotion::agent::faults::{Fault, FaultRule};
use stackmotion::agent::state::Disk;
use stackmotion::args;
use stackmotion::motion::{Found, Motion, Patience, Probe, Statement, Step};

use super::bench::{Bench, patience, plan, wait_for};
use super::crash::{What, run_as};
use super::places::{PACE, Way, count, phases};
use crate::support::database;
use crate::support::gateway::{Ambush, Gateway};

const KINDS: [What; 4] = [What::Volume, What::VmWithVolumes, What::Vm, What::Cold];

/// Runs a statement when a step begins.
pub fn meddling(bench: &Bench, at: Step, sql: &'static str) -> Arc<Motion> {
    let db = bench.store.db().clone();
    let probe: Probe = Arc::new(move |step, before| -> BoxFuture<'static, ()> {
        let db = db.clone();
        Box::pin(async move {
            if (step, before) == (at, true) {
                db.run(sql, vec![]).await.expect("the statement of somebody else");
            }
        })
    });
    bench.another_motion(Some(probe))
}

/// A process that dies when a step begins.
pub async fn dies_at(bench: &Bench, at: Step, what: What) {
    dies_as(bench, at, what, 1).await;
}

/// The same, with its motion as this job.
async fn dies_as(bench: &Bench, at: Step, what: What, job_id: i64) {
    let reached = Arc::new(tokio::sync::Notify::new());
    let told = Arc::clone(&reached);
    let probe: Probe = Arc::new(move |step, before| -> BoxFuture<'static, ()> {
        if (step, before) == (at, true) {
            told.notify_one();
            return Box::pin(std::future::pending());
        }
        Box::pin(std::future::ready(()))
    });
    let motion = bench.another_motion(Some(probe));
    tokio::select! {
        () = reached.notified() => {}
        result = run_as(bench, &motion, what, job_id) => panic!("{what:?} never came to {at:?}: {result:?}"),
    }
}

async fn motion_id(bench: &Bench) -> i64 {
    bench.store.motions_of_job(1).await.expect("the journal").pop().expect("a motion").id
}

fn says(found: Found) -> Statement {
    Statement { found, by: "admin".to_owned(), note: Some("looked myself".to_owned()) }
}

pub fn impatient(bench: &Bench) -> Motion {
    bench.motion_with(Patience { unreachable: std::time::Duration::from_millis(100).into(), ..patience() })
}

/// A row that was written at the very end is not written over; everything else waits with it, and follows when the hosts are
/// asked again.
#[tokio::test(flavor = "multi_thread")]
async fn rows_that_somebody_changed_are_settled_when_the_hosts_are_asked_again() {
    for what in KINDS {
        for (kind, database) in database::each().await {
            let case = format!("{kind}, {what:?}");
            let bench = Bench::start(&plan(200), database).await;
            let sql = match what {
                What::Vm => "UPDATE vm_instance SET update_count = update_count + 1",
                _ => "UPDATE volumes SET update_count = update_count + 1",
            };
            let motion = meddling(&bench, Step::Settle, sql);
            let text = run_as(&bench, &motion, what, 1).await.expect_err(&case);
            assert!(text.contains("changed by somebody else"), "{case}: {text}");
            assert_eq!(bench.outcome(1).await.as_deref(), Some("unknown"), "{case}");
            let again = run_as(&bench, &bench.motion, what, 2).await.expect_err(&case);
            let words = [
                "is not known yet",
                "the Migrating state",
                "not in Running state",
                "VM is not Running",
                "must be in ready state",
            ];
            let is_told = words.iter().any(|words| again.contains(words));
            assert!(is_told, "{case}: nothing moves while that is so: {again}");
            bench.motion.ask_again().await.expect("the hosts answer");
            assert_eq!(Way::of(what).seen(&bench).await, Way::of(what).to, "{case}");
            assert_eq!(bench.outcome(1).await.as_deref(), Some("done"), "{case}");
            bench.check(&case).await;
            bench.world.stop().await;
        }
    }
}

/// A job that is about to say that nobody knows must not be wrong when it says so.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_asks_about_a_motion_before_its_job_has_said_that_it_is_not_known() {
    for (kind, database) in database::each().await {
        let bench = Bench::start(&plan(250), database).await;
        let job_id = bench.job().await;
        let sql = "UPDATE volumes SET state = 'Ready', update_count = update_count + 1 WHERE state = 'Migrating'";
        let motion = meddling(&bench, Step::Settle, sql);
        let text = run_as(&bench, &motion, What::Volume, job_id).await.expect_err(kind);
        assert!(text.contains("not known"), "{kind}: {text}");
        bench.motion.ask_again().await.expect("the database");
        assert_eq!(bench.outcome(job_id).await.as_deref(), Some("unknown"), "{kind}: the job has not ended");
        bench.end_job(job_id).await;
        bench.motion.ask_again().await.expect("the hosts answer");
        assert_eq!(bench.outcome(job_id).await.as_deref(), Some("done"), "{kind}");
        bench.check(kind).await;
        bench.world.stop().await;
    }
}

/// A machine that somebody has called running while it moved, at either end: there is no way on from there, and still an end.
#[tokio::test(flavor = "multi_thread")]
async fn a_machine_that_was_called_running_meanwhile_is_settled() {
    let meant = |what| if what == What::Vm { "c1-h2" } else { "c2-h1" };
    for (what, host) in
        [What::VmWithVolumes, What::Vm].into_iter().flat_map(|what| [(what, "c1-h1"), (what, meant(what))])
    {
        for (kind, database) in database::each().await {
            let case = format!("{kind}, {what:?}, called running on {host}");
            let bench = Bench::start(&plan(201), database).await;
            dies_at(&bench, Step::Judge, what).await;
            let sql =
                "UPDATE vm_instance SET state = 'Running', host_id = ?, update_count = update_count + 1 WHERE id = ?";
            let args = args![bench.host_id(host), bench.vm_id("shared")];
            bench.store.db().run(sql, args).await.expect("a row");
            let text = run_as(&bench, &bench.motion, what, 1).await.expect_err(&case);
            assert!(text.contains("not known"), "{case}: {text}");
            assert_eq!(phases(&bench).await, ["settled"], "{case}: nobody waits for it for ever");
            bench.motion.ask_again().await.expect("the hosts answer");
            assert_eq!(Way::of(what).seen(&bench).await, Way::of(what).to, "{case}");
            bench.check(&case).await;
            bench.world.stop().await;
        }
    }
}

/// A copy does not become the disk when somebody has taken the original back: it is thrown away, and its pool is not charged.
#[tokio::test(flavor = "multi_thread")]
async fn an_original_that_was_taken_back_stays_the_disk() {
    for (kind, database) in database::each().await {
        let bench = Bench::start(&plan(213), database).await;
        let sql = "UPDATE volumes SET state = 'Ready', update_count = update_count + 1 WHERE state = 'Migrating'";
        let motion = meddling(&bench, Step::Settle, sql);
        let text = run_as(&bench, &motion, What::Cold, 1).await.expect_err(kind);
        assert!(text.contains("changed by somebody else"), "{kind}: {text}");
        bench.motion.ask_again().await.expect("the hosts answer");
        assert_eq!(bench.outcome(1).await.as_deref(), Some("not-done"), "{kind}");
        assert_eq!(Way::of(What::Cold).seen(&bench).await, ["c1-p1"], "{kind}");
        bench.check(kind).await;
        bench.world.stop().await;
    }
}

/// The answer to the deletion of what is superfluous may be lost, or somebody deletes it by hand: row and charge go all the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_gone_leaves_no_row_and_no_charge() {
    for (kind, database) in database::each().await {
        let bench = Bench::start(&plan(214), database).await;
        bench.fault(FaultRule::on("DeleteCommand", Fault::DropAfter).nth(1));
        assert_eq!(run_as(&bench, &bench.motion, What::Cold, 1).await, Ok(()), "{kind}");
        let expunging = "SELECT COUNT(*) FROM volumes WHERE state = 'Expunging'";
        assert_eq!(count(&bench, expunging, vec![]).await, 0, "{kind}");
        bench.check(kind).await;
        bench.world.stop().await;
    }
    let bench = Bench::start(&plan(214), database::sqlite().await).await;
    bench.fault(FaultRule::on("DeleteCommand", Fault::Refuse { details: "in use".to_owned() }));
    assert_eq!(run_as(&bench, &bench.motion, What::Cold, 1).await, Ok(()));
    bench.world.world().faults.remove(None);
    let stem = &bench.disk("ROOT-off").uuid;
    std::fs::remove_file(bench.file(stem, bench.pool_id("c1-p1"), bench.disk("ROOT-off"))).expect("by hand");
    let id = count(&bench, "SELECT id FROM motion_file WHERE state = 'left'", vec![]).await;
    let told = bench.motion.remove_leftover(id).await.expect("it is gone");
    assert!(told.starts_with("It was gone already."), "{told}");
    assert_eq!(count(&bench, "SELECT COUNT(*) FROM volumes WHERE state = 'Expunging'", vec![]).await, 0);
    bench.check("by hand").await;
    bench.world.stop().await;
}

/// A motion whose job has ended is ended by whoever looks after all; one that cannot be read any more is called unknown.
#[tokio::test(flavor = "multi_thread")]
async fn motions_that_nobody_ends_are_ended() {
    for (kind, database) in database::each().await {
        let bench = Bench::start(&plan(202), database).await;
        dies_at(&bench, Step::Judge, What::Volume).await;
        bench.motion.take_up_orphans().await.expect("the hosts answer");
        assert_eq!(Way::of(What::Volume).seen(&bench).await, ["c1-p2"], "{kind}");
        assert_eq!(bench.outcome(1).await.as_deref(), Some("done"), "{kind}");
        bench.check(kind).await;
        bench.world.stop().await;
    }
    let bench = Bench::start(&plan(202), database::sqlite().await).await;
    dies_at(&bench, Step::Send, What::Volume).await;
    bench.store.db().run("UPDATE motion_migration SET kind = 'of another time'", vec![]).await.expect("a row");
    bench.motion.take_up_orphans().await.expect("the database answers");
    assert_eq!(bench.outcome(1).await.as_deref(), Some("unknown"));
    let told = "SELECT COUNT(*) FROM alert WHERE subject LIKE 'Migration % cannot be gone on with'";
    assert_eq!(count(&bench, told, vec![]).await, 1);
    bench.motion.resolve(5, motion_id(&bench).await, &says(Found::Source)).await.expect("it is closed");
    assert_eq!(bench.outcome(1).await.as_deref(), Some("not-done"));
    // What it may have made is listed, although nobody can be asked for it any more.
    bench.motion.close_ledger().await.expect("the database answers");
    let left = count(&bench, "SELECT id FROM motion_file WHERE state = 'possible' AND role = 'target'", vec![]).await;
    assert_eq!(
        count(&bench, "SELECT COUNT(*) FROM motion_file WHERE state NOT IN ('possible', 'owned')", vec![]).await,
        0
    );
    let gone = bench.motion.forget_leftover(left, "admin").await.expect("a person looked");
    assert!(gone.starts_with("admin stated that it is gone."), "{gone}");
    bench.world.stop().await;
}

/// One that goes on for days does not keep the others waiting.
#[tokio::test(flavor = "multi_thread")]
async fn motions_that_nobody_ends_are_ended_side_by_side() {
    for (kind, database) in database::each().await {
        let bench = Bench::start(&plan(226), database).await;
        let stands = bench.fault(FaultRule::on("MigrateVolumeCommand", Fault::Stall { fraction: 0.5 }));
        tokio::select! {
            () = bench.struck(stands) => {}
            result = run_as(&bench, &bench.motion, What::Volume, 1) => panic!("{kind}: it is over: {result:?}"),
        }
        dies_as(&bench, Step::Judge, What::Cold, 2).await;
        let release = async {
            wait_for("the second to be ended", async || phases(&bench).await == ["sent", "settled"]).await;
            // The next round leaves the first one alone.
            bench.motion.take_up_orphans().await.expect("the database answers");
            assert_eq!(phases(&bench).await, ["sent", "settled"], "{kind}");
            bench.world.world().faults.release(Some(stands));
        };
        let (ended, ()) = tokio::join!(bench.motion.take_up_orphans(), release);
        ended.expect("the hosts answer");
        for job_id in [1, 2] {
            assert_eq!(bench.outcome(job_id).await.as_deref(), Some("done"), "{kind}: job {job_id}");
        }
        bench.check(kind).await;
        bench.world.stop().await;
    }
}

/// As a checkpoint or somebody at the host does it.
fn change_disk(bench: &Bench, disk: &str, change: impl Fn(&mut Disk)) {
    let file = bench.disk(disk).file_name();
    let name = bench.estate.vm("shared").expect("a VM").instance_name.clone();
    let changed = bench.world.world().change(|state| {
        let host = state.find(&name).expect("the machine").0.to_owned();
        let vm = state.vm_mut(&host, &name).expect("the machine");
        change(vm.disks.iter_mut().find(|disk| disk.file == file).expect("the disk"));
    });
    changed.expect("the world is saved");
}

fn with_checkpoint(disk: &mut Disk) {
    disk.file = format!("child-{}", disk.file);
}

fn elsewhere(disk: &mut Disk) {
    disk.folder = r"\\fs9\elsewhere".to_owned();
}

/// What is not where the database says is not sent anywhere.
#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_is_astray_is_not_moved() {
    for what in [What::Volume, What::VmWithVolumes] {
        for words in ["checkpoints", "resolveDrift"] {
            let case = format!("{what:?}, {words}");
            let bench = Bench::start(&plan(203), database::sqlite().await).await;
            change_disk(&bench, "DATA-shared", if words == "checkpoints" { with_checkpoint } else { elsewhere });
            let text = run_as(&bench, &bench.motion, what, 1).await.expect_err(&case);
            assert!(text.contains(words) && text.contains("Nothing was moved"), "{case}: {text}");
            let sent = bench.world.hosts().flat_map(|host| host.counts().into_keys());
            assert!(!sent.into_iter().any(|class| class.contains(".Migrate")), "{case}: nothing was sent");
            assert_eq!(Way::of(what).seen(&bench).await, Way::of(what).from, "{case}");
            bench.world.stop().await;
        }
    }
}

/// A disk that its host lists in neither pool is in neither: it is not said to be in the old one.
#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_went_elsewhere_is_said_to_be_nowhere() {
    for what in [What::Volume, What::VmWithVolumes] {
        let bench = Bench::start(&plan(204), database::sqlite().await).await;
        dies_at(&bench, Step::Judge, what).await;
        change_disk(&bench, "DATA-shared", elsewhere);
        let text = run_as(&bench, &bench.motion, what, 1).await.expect_err("it is not where it was to go");
        assert!(text.contains("not known") && text.contains("resolveMigration id="), "{what:?}: {text}");
        assert_eq!(bench.outcome(1).await.as_deref(), Some("unknown"), "{what:?}");
        let found = count(&bench, "SELECT COUNT(*) FROM motion_disk WHERE found_pool_id IS NOT NULL", vec![]).await;
        assert_eq!(found, 0, "{what:?}: no pool is named");
        bench.world.stop().await;
    }
}

fn stock(net: u8) -> stackmotion::demo::Plan {
    let mut plan = plan(net);
    for host in plan.clusters.iter_mut().flat_map(|cluster| &mut cluster.hosts) {
        host.plain = true;
    }
    plan
}

/// A stock agent cannot tell what became of a motion whose answer was lost. A person can.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_stock_agent_cannot_tell_a_person_states() {
    let cases = [(Fault::DropAfter, Found::Target), (Fault::DropBefore, Found::Source)];
    for (fault, found) in cases {
        for (kind, database) in database::each().await {
            let case = format!("{kind}, {found:?}");
            let bench = Bench::start(&stock(205), database).await;
            let way = Way::of(What::Volume);
            bench.fault(FaultRule::on("MigrateVolumeCommand", fault.clone()).nth(1));
            let text = run_as(&bench, &impatient(&bench), What::Volume, 1).await.expect_err(&case);
            assert!(text.contains("not known") && text.contains("resolveMigration id="), "{case}: {text}");
            bench.motion.ask_again().await.expect("the host answers, and cannot tell");
            assert_eq!(bench.outcome(1).await.as_deref(), Some("unknown"), "{case}");
            let refused = run_as(&bench, &bench.motion, What::Volume, 2).await.expect_err(&case);
            assert!(
                refused.contains("earlier migration") && refused.contains("Get-VMHardDiskDrive"),
                "{case}: {refused}"
            );
            let id = motion_id(&bench).await;
            bench
                .motion
                .resolve(5, id, &says(found))
                .await
                .unwrap_or_else(|refusal| panic!("{case}: {}", refusal.text));
            let (place, end) = if found == Found::Target { (way.to, "done") } else { (way.from, "not-done") };
            assert_eq!(way.seen(&bench).await, place, "{case}");
            let row = bench.store.motion_by_id(id).await.expect("the journal").expect("a motion");
            assert_eq!(row.outcome.as_deref(), Some(end), "{case}");
            let verified = row.verified.unwrap_or_default();
            assert!(verified.starts_with("admin stated") && verified.contains("(looked myself)"), "{case}: {verified}");
            bench.motion.resolve(5, id, &says(found)).await.expect("the job may be run twice");
            let other = if found == Found::Target { Found::Source } else { Found::Target };
            let refused = bench.motion.resolve(6, id, &says(other)).await.expect_err(&case).text;
            assert!(refused.contains("is known"), "{case}: {refused}");
            let way = if found == Found::Target { way.back() } else { way };
            if found == Found::Source {
                assert_eq!(run_as(&bench, &bench.motion, What::Volume, 7).await, Ok(()), "{case}: it moves again");
                assert_eq!(way.seen(&bench).await, way.to, "{case}");
            }
            bench.world.stop().await;
        }
    }
}

/// The hosts come first: a statement that they contradict is refused, and so is one about what is not in doubt.
#[tokio::test(flavor = "multi_thread")]
async fn hosts_that_can_tell_are_not_overruled() {
    let bench = Bench::start(&plan(206), database::sqlite().await).await;
    dies_at(&bench, Step::Judge, What::Volume).await;
    let early = bench.motion.resolve(5, motion_id(&bench).await, &says(Found::Target)).await.expect_err("it is open");
    assert!(early.text.contains("has not ended"), "{}", early.text);
    let silence = bench.fault(FaultRule { command: None, ..FaultRule::on("", Fault::DropBefore) });
    run_as(&bench, &impatient(&bench), What::Volume, 1).await.expect_err("nobody answers");
    assert_eq!(bench.outcome(1).await.as_deref(), Some("unknown"));
    bench.world.world().faults.remove(Some(silence));
    let id = motion_id(&bench).await;
    let refused = bench.motion.resolve(6, id, &says(Found::Source)).await.expect_err("it is at its target").text;
    assert!(refused.contains("show something else") && refused.contains("Nothing was changed"), "{refused}");
    bench.motion.resolve(7, id, &says(Found::Target)).await.expect("the host says so too");
    let verified = bench.store.motion_by_id(id).await.expect("the journal").expect("a motion").verified;
    assert!(verified.is_some_and(|text| text.contains("lists the disk")), "what was seen counts, not what was said");
    bench.check("after all").await;
    bench.world.stop().await;
}

/// The file of a chain below a disk with checkpoints is not removed, and an entry that no agent can close is closed by a person.
#[tokio::test(flavor = "multi_thread")]
async fn leftovers_that_may_be_in_use_stay_and_others_can_be_forgotten() {
    let left = "SELECT id FROM motion_file WHERE state IN ('left', 'possible', 'unseen') ORDER BY id LIMIT 1";
    let bench = Bench::start(&plan(207), database::sqlite().await).await;
    bench.fault(FaultRule::on("MigrateVolumeCommand", Fault::DieAt { fraction: 0.5 }));
    bench.fault(FaultRule::on("DeleteCommand", Fault::Refuse { details: "in use".to_owned() }));
    run_as(&bench, &bench.motion, What::Volume, 1).await.expect_err("its agent died");
    bench.world.world().faults.remove(None);
    let id = count(&bench, left, vec![]).await;
    change_disk(&bench, "DATA-shared", with_checkpoint);
    let refused = bench.motion.remove_leftover(id).await.expect_err("it may be in use").text;
    assert!(refused.contains("no volume in the database"), "{refused}");
    let refused = bench.motion.forget_leftover(id, "admin").await.expect_err("it is there").text;
    assert!(refused.contains("not gone"), "{refused}");
    bench.world.stop().await;

    let bench = Bench::start(&stock(208), database::sqlite().await).await;
    assert_eq!(run_as(&bench, &bench.motion, What::Volume, 1).await, Ok(()));
    let id = count(&bench, left, vec![]).await;
    let refused = bench.motion.remove_leftover(id).await.expect_err("the agent cannot list files").text;
    assert!(refused.contains("isgone=true"), "{refused}");
    let told = bench.motion.forget_leftover(id, "admin").await.expect("a person says so");
    assert!(told.starts_with("admin stated that it is gone."), "{told}");
    assert_eq!(count(&bench, "SELECT COUNT(*) FROM motion_file WHERE state = 'unseen'", vec![]).await, 0);
    bench.world.stop().await;
}

/// As an operator sees and does it.
#[tokio::test(flavor = "multi_thread")]
async fn an_outcome_that_is_unknown_is_shown_and_resolved_over_the_api() {
    for (kind, database) in database::each().await {
        let (folder, url) = (tempfile::tempdir().expect("a folder"), database.url.clone());
        let bench = Bench::start(&stock(212), database).await;
        let settings = ["motion.unreachable_s=2", "motion.poll_ms=20"];
        let gateway = Gateway::start(&bench, folder.path(), &url, &settings, Ambush::None).await;
        bench.fault(FaultRule::on("MigrateVolumeCommand", Fault::DropAfter).nth(1));
        let job = uuid::Uuid::new_v4().to_string();
        let (command, params) = Way::of(What::Volume).call(&bench, &job);
        let params: Vec<_> = params.iter().map(|(name, value)| (*name, value.as_str())).collect();
        gateway.client.call(command, &params).await.expect("a job");
        wait_for("the phase in between", async || {
            let seen = gateway.client.call("queryAsyncJobResult", &[("jobid", &job)]).await.expect("the job");
            assert_eq!(seen["jobstatus"], 0, "{kind}: {seen}");
            seen["migration"]["phase"] == "reconciling"
        })
        .await;
        let failed = gateway.client.wait(&job, PACE, |_| {}).await.expect_err(kind).to_string();
        assert!(failed.contains("not known") && failed.contains("resolveMigration id="), "{kind}: {failed}");
        let unknown = async || gateway.client.call("listMigrations", &[("outcome", "unknown")]).await.expect("a list");
        let listed = unknown().await;
        let motion = &listed["migration"][0];
        let id = motion["id"].as_str().unwrap_or_else(|| panic!("{kind}: {listed}"));
        assert!(motion["advice"].as_str().is_some_and(|text| text.contains(id)), "{kind}: {listed}");
        assert_eq!(motion["unreachableseconds"], 2, "{kind}: {listed}");
        assert_ne!(motion["unreachableorigin"], "default", "{kind}: {listed}");
        assert_eq!(motion["stallorigin"], "default", "{kind}: {listed}");
        for wrong in [[("id", id), ("found", "nowhere")], [("id", "x"), ("found", "source")]] {
            let refused = gateway.client.call("resolveMigration", &wrong).await.expect_err(kind).to_string();
            assert!(refused.contains("431"), "{kind}: {refused}");
        }
        let said = [("id", id), ("found", "target"), ("note", "seen on the host")];
        let job = gateway.client.call("resolveMigration", &said).await.expect("a job");
        let job = job["jobid"].as_str().expect("an id");
        let end = gateway.client.wait(job, PACE, |_| {}).await.unwrap_or_else(|error| panic!("{kind}: {error}"));
        assert_eq!(end["migration"]["outcome"], "done", "{kind}: {end}");
        let verified = end["migration"]["verified"].as_str().unwrap_or_default();
        assert!(
            verified.starts_with("admin stated that everything is at its target (seen on the host)."),
            "{verified}"
        );
        assert_eq!(unknown().await["count"].as_i64().unwrap_or_default(), 0, "{kind}");
        let told = gateway.client.call("listEvents", &[("type", "MIGRATION.RESOLVE")]).await.expect("events");
        assert_eq!(told["event"][0]["resourcename"], "shared", "{kind}: {told}");
        assert_eq!(Way::of(What::Volume).seen(&bench).await, ["c1-p2"], "{kind}");
        drop(gateway);
        bench.check(kind).await;
        bench.world.stop().await;
    }
}
