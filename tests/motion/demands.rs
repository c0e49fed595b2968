//! What a better system must do: the eleven demands at the end of `contract/hyperv-e2e.md`, a test for each, named after it.

use std::time::Duration;

use stackmotion::agent::faults::{Fault, FaultRule};
use stackmotion::args;
use stackmotion::client::Pace;
use stackmotion::demo::{DiskPlan, Plan, VmPlan};
use stackmotion::motion::candidates;
use stackmotion::motion::{Patience, PlainRequest, StorageRequest, VolumeRequest};

use super::bench::{Bench, LONG, MIB, ROOT, patience, plan, wait_for};
use super::crash::{What, run_as};
use crate::support::database;
use crate::support::gateway::{Ambush, Gateway};

const VOLUME: &str = "MigrateVolumeCommand";
const PACE: Pace = Pace { first: Duration::from_millis(20), longest: Duration::from_millis(100) };

/// Shows something on an estate of its own on every database.
async fn on_each(plan: Plan, shown: impl AsyncFn(&Bench)) {
    for (kind, database) in database::each().await {
        // Printed when the test fails.
        println!("on {kind}:");
        let bench = Bench::start(&plan, database).await;
        shown(&bench).await;
        bench.world.stop().await;
    }
}

async fn count(bench: &Bench, sql: &str) -> i64 {
    bench.store.db().row(sql, vec![]).await.expect("the database").expect("a row").at(0).expect("a number")
}

/// How often hosts were sent a command.
fn sent(bench: &Bench, class: &str) -> u64 {
    let of = |host: &std::sync::Arc<stackmotion::agent::host::Host>| {
        let counts = host.counts();
        counts.iter().filter(|(name, _)| name.ends_with(class)).map(|(_, number)| number).sum::<u64>()
    };
    bench.world.hosts().map(of).sum()
}

async fn file_in(bench: &Bench, pool: &str) -> std::path::PathBuf {
    let disk = bench.disk("DATA-shared");
    bench.file(&disk.uuid, bench.pool_id(pool), disk)
}

#[tokio::test(flavor = "multi_thread")]
async fn demand_01_written_down_before_and_asked_after_before_a_row_is_put_back() {
    on_each(plan(120), async |bench: &Bench| {
        let id = bench.fault(FaultRule::on(VOLUME, Fault::Stall { fraction: 0.5 }));
        tokio::select! {
            result = run_as(bench, &bench.motion, What::Volume, 1) => panic!("it is over: {result:?}"),
            () = bench.struck(id) => {}
        }
        assert_eq!(count(bench, "SELECT COUNT(*) FROM motion_migration WHERE phase = 'sent'").await, 1);
        assert_eq!(count(bench, "SELECT COUNT(*) FROM motion_file WHERE state = 'expected'").await, 2);
        // The gateway is gone; the host goes on and ends.
        bench.world.world().faults.release(Some(id));
        let target = file_in(bench, "c1-p2").await;
        let source = file_in(bench, "c1-p1").await;
        wait_for("the host to end", async || target.exists() && !source.exists()).await;
        assert_eq!(bench.pool_of("DATA-shared").await, "c1-p1", "no row was put anywhere meanwhile");
        run_as(bench, &bench.another_motion(None), What::Volume, 1).await.expect("the host says that it is done");
        assert_eq!(bench.pool_of("DATA-shared").await, "c1-p2");
        bench.check("demand 1").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn demand_02_one_verdict_in_job_events_journal_alert_and_row_with_the_agents_own_text() {
    for (kind, database) in database::each().await {
        let (folder, url) = (tempfile::tempdir().expect("a folder"), database.url.clone());
        let bench = Bench::start(&plan(121), database).await;
        bench.fault(FaultRule::on(VOLUME, Fault::Refuse { details: "the dog ate it".to_owned() }));
        let gateway = Gateway::start(&bench, folder.path(), &url, &["motion.poll_ms=20"], Ambush::None).await;
        let pool = bench.estate.pool("c1-p2").expect("a pool").uuid.clone();
        let volume = bench.disk("DATA-shared").uuid.clone();
        let params = [("volumeid", volume.as_str()), ("storageid", &pool), ("livemigrate", "true")];
        let job = gateway.client.call("migrateVolume", &params).await.expect("a job");
        let job = job["jobid"].as_str().expect("an id").to_owned();
        let end = tokio::time::timeout(LONG, gateway.client.wait(&job, PACE, |_| {})).await.expect("an end");
        let text = end.expect_err(kind).to_string();
        assert!(text.contains("the dog ate it"), "{kind}: {text}");
        // The job, as it is asked for and as it stands in the database.
        let seen = gateway.client.call("queryAsyncJobResult", &[("jobid", &job)]).await.expect("the job");
        assert_eq!((&seen["jobstatus"], &seen["jobresultcode"]), (&2.into(), &530.into()), "{kind}: {seen}");
        let said = seen["jobresult"]["errortext"].as_str().expect("a text");
        assert!(said.contains("the dog ate it"), "{kind}: {seen}");
        assert_eq!(seen["migration"]["outcome"], "not-done", "{kind}: {seen}");
        assert!(
            seen["migration"]["reason"].as_str().is_some_and(|why| why.contains("the dog ate it")),
            "{kind}: {seen}"
        );
        let failed = "SELECT COUNT(*) FROM async_job WHERE job_status = 2 AND job_result_code = 530 AND removed IS NOT NULL \
            AND job_result LIKE '%the dog ate it%'";
        assert_eq!(count(&bench, failed).await, 1, "{kind}");
        // The events: begun once, and ended once, with an error.
        let told = "SELECT state, level FROM event WHERE type = 'VOLUME.MIGRATE' ORDER BY id";
        let rows = bench.store.db().rows(told, vec![]).await.expect("the database");
        let told: Vec<(String, String)> = rows.iter().map(|row| (row.at(0).unwrap(), row.at(1).unwrap())).collect();
        let wanted = [("Scheduled", "INFO"), ("Started", "INFO"), ("Completed", "ERROR")];
        assert_eq!(told, wanted.map(|(state, level)| (state.to_owned(), level.to_owned())), "{kind}");
        let listed = gateway.client.call("listEvents", &[("type", "VOLUME.MIGRATE")]).await.expect("events");
        assert_eq!(listed["count"], 3, "{kind}: {listed}");
        // Journal, alert and row.
        let told =
            "SELECT COUNT(*) FROM motion_migration WHERE outcome = 'not-done' AND reason LIKE '%the dog ate it%'";
        assert_eq!(count(&bench, told).await, 1, "{kind}");
        assert_eq!(
            count(&bench, "SELECT COUNT(*) FROM alert WHERE content LIKE '%the dog ate it%'").await,
            1,
            "{kind}"
        );
        assert_eq!(count(&bench, "SELECT COUNT(*) FROM volumes WHERE state = 'Migrating'").await, 0, "{kind}");
        assert_eq!(bench.pool_of("DATA-shared").await, "c1-p1", "{kind}");
        bench.check("demand 2").await;
        drop(gateway);
        bench.world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn demand_03_a_dead_connection_is_unknown_and_half_copies_are_removed_or_named() {
    on_each(plan(122), async |bench: &Bench| {
        bench.fault(FaultRule::on(VOLUME, Fault::DieAt { fraction: 0.5 }).nth(1));
        run_as(bench, &bench.motion, What::Volume, 1).await.expect_err("the agent died");
        assert!(!file_in(bench, "c1-p2").await.exists(), "the half copy was shown to be one, and removed");
        bench.check("demand 3, half a copy").await;
        // A whole file of that name may be anything: nothing is begun.
        let target = file_in(bench, "c1-p2").await;
        std::fs::copy(file_in(bench, "c1-p1").await, &target).expect("a file in the way");
        let before = sent(bench, VOLUME);
        let text = run_as(bench, &bench.motion, What::Volume, 2).await.expect_err("a file is in the way");
        assert!(text.contains("is already in") && text.contains("Nothing was moved."), "{text}");
        assert_eq!(sent(bench, VOLUME), before, "nothing was sent");
        std::fs::remove_file(&target).expect("the file");
        bench.check("demand 3").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn demand_04_the_retry_of_a_finished_move_succeeds_by_check_without_a_second_move() {
    on_each(plan(123), async |bench: &Bench| {
        run_as(bench, &bench.motion, What::Volume, 1).await.expect("it moves");
        let before = sent(bench, VOLUME);
        // The row is put back by somebody who did not ask, as a management server does after its time-out.
        let pool = bench.pool_id("c1-p1");
        let uuid = bench.disk("DATA-shared").uuid.clone();
        bench.store.db().run("UPDATE volumes SET pool_id = ? WHERE uuid = ?", args![pool, &uuid]).await.expect("a row");
        run_as(bench, &bench.motion, What::Volume, 2).await.expect("it is there already");
        assert_eq!(sent(bench, VOLUME), before, "nothing was sent a second time");
        assert_eq!(bench.pool_of("DATA-shared").await, "c1-p2");
        // The same for a machine.
        run_as(bench, &bench.motion, What::Vm, 3).await.expect("it moves");
        let before = sent(bench, "MigrateCommand");
        let host = bench.host_id("c1-h1");
        let vm = bench.vm_id("shared");
        bench.store.db().run("UPDATE vm_instance SET host_id = ? WHERE id = ?", args![host, vm]).await.expect("a row");
        run_as(bench, &bench.motion, What::Vm, 4).await.expect("it is there already");
        assert_eq!(sent(bench, "MigrateCommand"), before, "nothing was sent a second time");
        assert_eq!(bench.host_of("shared").await, "c1-h2");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn demand_05_both_names_of_the_target_are_sent_and_both_spellings_read() {
    on_each(plan(124), async |bench: &Bench| {
        run_as(bench, &bench.motion, What::Vm, 1).await.expect("a strict agent reads destIp");
        let requests: Vec<_> = bench.world.hosts().flat_map(|host| host.requests()).collect();
        let migrate = requests.iter().find(|one| one.class.ends_with(".MigrateCommand")).expect("the command");
        let body: serde_json::Value = serde_json::from_str(&migrate.body).expect("JSON");
        let target = &bench.estate.host("c1-h2").expect("a host").plan.ip;
        assert_eq!((&body["destIp"], &body["destinationIp"]), (&target.as_str().into(), &target.as_str().into()));
        use stackmotion::hypervisors::hyperv::wire::pools::GetStorageStatsAnswer;
        for names in [r#""capacity":7,"used":3"#, r#""capacityBytes":7,"usedBytes":3"#] {
            let answer: GetStorageStatsAnswer =
                serde_json::from_str(&format!("{{\"result\":true,{names}}}")).expect("an answer");
            assert_eq!((answer.size_bytes(), answer.in_use_bytes()), (Some(7), Some(3)), "{names}");
        }
        bench.check("demand 5").await;
    })
    .await;
}

/// The recorded obstacle is a DATA disk in the local pool: for its machine, the management server finds no destination.
#[tokio::test(flavor = "multi_thread")]
async fn demand_06_a_host_under_evacuation_can_be_emptied_with_its_disks() {
    let mixed = VmPlan::new("mixed", "c1-h1")
        .disk(DiskPlan::shared("ROOT-mixed", "c1-p1", 16 * MIB, 4 * MIB))
        .disk(DiskPlan::local("DATA-mixed", 16 * MIB, 4 * MIB));
    on_each(plan(125).vm(mixed), async |bench: &Bench| {
        let host = bench.host_id("c1-h1");
        let sql = "UPDATE host SET resource_state = 'PrepareForMaintenance' WHERE id = ?";
        bench.store.db().run(sql, args![host]).await.expect("a row");
        let target = bench.estate.host("c1-h2").expect("a host");
        let local = bench.estate.pools.iter().find(|pool| pool.host_ip() == Some(target.plan.ip.as_str()));
        let local = local.expect("its local pool");
        let shared = bench.estate.pool("c1-p2").expect("a pool");
        let machines = [
            ("mixed", vec![("ROOT-mixed", shared), ("DATA-mixed", local)]),
            ("local", vec![("ROOT-local", local)]),
            ("shared", vec![("ROOT-shared", shared), ("DATA-shared", shared)]),
        ];
        for (job_id, (vm, disks)) in (1..).zip(machines) {
            let map = disks.iter().map(|(disk, pool)| (bench.disk(disk).uuid.clone(), Some(pool.uuid.clone())));
            let request = StorageRequest { vm_id: bench.vm_id(vm), host_id: Some(target.id), map: map.collect() };
            let moved = bench.motion.migrate_vm_with_volumes(job_id, &ROOT, &request).await;
            moved.unwrap_or_else(|refusal| panic!("{vm}: {}", refusal.text));
            assert_eq!(bench.host_of(vm).await, "c1-h2");
            for (disk, pool) in disks {
                assert_eq!(bench.pool_of(disk).await, pool.name, "{disk}");
            }
        }
        assert_eq!(count(bench, &format!("SELECT COUNT(*) FROM vm_instance WHERE host_id = {host}")).await, 0, "empty");
        let state = bench.store.db().row("SELECT resource_state FROM host WHERE id = ?", args![host]).await;
        let state: String = state.expect("the database").expect("a host").at(0).expect("a state");
        assert_eq!(state, "PrepareForMaintenance", "the host's state is nobody's to change meanwhile");
        bench.check("demand 6").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn demand_07_no_stop_goes_to_a_host_whatever_happens() {
    on_each(plan(126), async |bench: &Bench| {
        let faults = [
            Fault::Refuse { details: "no".to_owned() },
            Fault::FailAt { fraction: 0.5, description: None },
            Fault::DieAt { fraction: 0.5 },
            Fault::DropBefore,
            Fault::RestartAndForget { after: false },
            Fault::LieAboutVm,
        ];
        for (job_id, fault) in (1..).zip(faults) {
            let id = bench.fault(FaultRule::on("MigrateWithStorageCommand", fault.clone()));
            let moved = run_as(bench, &bench.motion, What::VmWithVolumes, job_id).await;
            assert!(moved.is_err(), "{fault:?}");
            bench.world.world().faults.remove(Some(id));
        }
        assert_eq!(sent(bench, "StopCommand"), 0, "the agent deletes the machine on it");
        bench.check("demand 7").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn demand_08_a_cold_move_ends_with_a_path_that_names_the_file_and_nothing_spare() {
    on_each(plan(127), async |bench: &Bench| {
        run_as(bench, &bench.motion, What::Cold, 1).await.expect("it moves");
        let volume =
            bench.store.volume_by_uuid(&bench.disk("ROOT-off").uuid).await.expect("the database").expect("the volume");
        let path = volume.path.expect("a path");
        assert!(bench.file(&path, volume.pool_id.expect("a pool"), bench.disk("ROOT-off")).exists(), "{path}");
        assert_eq!(count(bench, "SELECT COUNT(*) FROM volumes WHERE state = 'Expunging'").await, 0, "no spare row");
        // No staging copy either: the check counts every file in every pool.
        bench.check("demand 8").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn demand_09_late_answers_are_applied_and_cancelled_work_is_cancelled_at_the_host() {
    on_each(plan(128), async |bench: &Bench| {
        let id = bench.fault(FaultRule::on("MigrateWithStorageCommand", Fault::Stall { fraction: 0.5 }));
        let job_id = bench.job().await;
        let cancel = async {
            bench.struck(id).await;
            bench.wish(&bench.motion, job_id).await;
        };
        let (moved, ()) = tokio::join!(run_as(bench, &bench.motion, What::VmWithVolumes, job_id), cancel);
        moved.expect_err("it was cancelled");
        assert_eq!(sent(bench, "CancelMotionCommand"), 1);
        let running =
            bench.world.hosts().flat_map(|host| host.process().motions()).filter(|motion| motion.phase != "end");
        assert_eq!(running.count(), 0, "nothing goes on behind the gateway's back");
        bench.check("demand 9, cancelled").await;
        bench.end_job(job_id).await;
        bench.world.world().faults.remove(None);
        bench.fault(FaultRule::on(VOLUME, Fault::AnswerLate { ms: Some(600) }).nth(1));
        run_as(bench, &bench.motion, What::Volume, 2).await.expect("the late answer counts");
        assert_eq!(bench.pool_of("DATA-shared").await, "c1-p2");
        bench.check("demand 9, late").await;
    })
    .await;
}

/// Tries every pool that is listed for a disk, and moves it back: which of them took it, as each was said to do.
async fn pools_keep_their_word(bench: &Bench, disk: &str, live: bool, job_id: &mut i64) -> Vec<bool> {
    let row = async || {
        let row = bench.store.volume_by_uuid(&bench.disk(disk).uuid).await;
        row.expect("the database").expect("the volume")
    };
    let home = row().await.pool_id.expect("a pool");
    let mut taken = Vec::new();
    for candidate in candidates::pools_for_volume(&bench.store, row().await.id, None).await.expect("candidates") {
        // A cold move gives the volume another row.
        let to = async |pool_id| VolumeRequest { volume_id: row().await.id, pool_id, live, new_offering_id: None };
        *job_id += 1;
        let moved = bench.motion.migrate_volume(*job_id, &ROOT, &to(candidate.pool.id).await).await;
        assert_eq!(moved.is_ok(), candidate.suitable, "{disk} to {}: {moved:?}", candidate.pool.name);
        taken.push(candidate.suitable);
        if candidate.suitable {
            assert_eq!(row().await.pool_id, Some(candidate.pool.id), "{disk}");
            *job_id += 1;
            bench.motion.migrate_volume(*job_id, &ROOT, &to(home).await).await.expect("back");
        }
    }
    taken
}

#[tokio::test(flavor = "multi_thread")]
async fn demand_10_what_is_called_suitable_is_taken_and_what_is_not_is_refused() {
    on_each(plan(129), async |bench: &Bench| {
        let vm_id = bench.vm_id("shared");
        let hosts = candidates::hosts(&bench.store, vm_id, None).await.expect("candidates");
        assert!(hosts.iter().any(|one| one.suitable) && hosts.iter().any(|one| one.requires_storage_motion));
        let mut job_id = 0;
        for candidate in hosts {
            job_id += 1;
            let host_id = Some(candidate.host.id);
            let moved = if candidate.requires_storage_motion {
                let request = StorageRequest { vm_id, host_id, map: Vec::new() };
                bench.motion.migrate_vm_with_volumes(job_id, &ROOT, &request).await
            } else {
                bench.motion.migrate_vm(job_id, &ROOT, PlainRequest { vm_id, host_id }).await
            };
            assert_eq!(moved.is_ok(), candidate.suitable, "{}: {moved:?}", candidate.host.name);
            if moved.is_ok() {
                // Back, so that the next one is asked about what was listed.
                job_id += 1;
                let back = bench.host_id("c1-h1");
                if candidate.requires_storage_motion {
                    let pool = bench.estate.pool("c1-p1").expect("a pool").uuid.clone();
                    let map =
                        ["ROOT-shared", "DATA-shared"].map(|disk| (bench.disk(disk).uuid.clone(), Some(pool.clone())));
                    let request = StorageRequest { vm_id, host_id: Some(back), map: map.to_vec() };
                    bench.motion.migrate_vm_with_volumes(job_id, &ROOT, &request).await.expect("back");
                } else {
                    let request = PlainRequest { vm_id, host_id: Some(back) };
                    bench.motion.migrate_vm(job_id, &ROOT, request).await.expect("back");
                }
            }
        }
        // A disk of a running machine in shared storage, one in the host's local pool, and one that no machine uses.
        let detach = "UPDATE volumes SET instance_id = NULL, device_id = NULL WHERE uuid = ?";
        bench.store.db().run(detach, args![&bench.disk("ROOT-off").uuid]).await.expect("a row");
        for (disk, live, has_a_place) in
            [("DATA-shared", true, true), ("ROOT-local", true, false), ("ROOT-off", false, true)]
        {
            let taken = pools_keep_their_word(bench, disk, live, &mut job_id).await;
            println!("{disk}: {taken:?}");
            assert_eq!(taken.contains(&true), has_a_place, "{disk}: {taken:?}");
            assert!(taken.contains(&false), "{disk}: nothing is called unsuitable");
        }
        bench.check("demand 10").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn demand_11_every_failed_move_and_every_correction_is_told() {
    on_each(plan(130), async |bench: &Bench| {
        let alerts = async || count(bench, "SELECT COUNT(*) FROM alert").await;
        for job_id in 1..=3 {
            let id = bench.fault(FaultRule::on(VOLUME, Fault::Refuse { details: "no".to_owned() }));
            run_as(bench, &bench.motion, What::Volume, job_id).await.expect_err("refused");
            bench.world.world().faults.remove(Some(id));
            assert_eq!(alerts().await, job_id, "CloudStack swallows all but the first");
        }
        // One whose outcome cannot be heard, and is learned later.
        let away = bench.fault(FaultRule::on("VmDisksCommand", Fault::HttpStatus { status: 500 }));
        bench.fault(FaultRule::on(VOLUME, Fault::RestartAndForget { after: true }).nth(1));
        let impatient = Patience { unreachable: Duration::from_millis(1).into(), ..patience() };
        let motion = bench.motion_with(impatient);
        let text = run_as(bench, &motion, What::Volume, 4).await.expect_err("nobody can tell");
        assert!(text.contains("is not known"), "{text}");
        assert_eq!(alerts().await, 4, "unknown is told");
        bench.world.world().faults.remove(Some(away));
        motion.ask_again().await.expect("the database answers");
        assert_eq!(alerts().await, 5, "and so is what was learned later");
        assert_eq!(bench.pool_of("DATA-shared").await, "c1-p2");
        bench.check("demand 11").await;
    })
    .await;
}
