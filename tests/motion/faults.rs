//! Every fault that the simulated agent can play, for both commands, on every database: afterwards nothing is on its way,
//! and database and hosts agree about where everything is.

use stackmotion::agent::faults::{Fault, FaultRule};

use super::bench::{Bench, ROOT, plan};
use crate::support::database;

const VOLUME: &str = "MigrateVolumeCommand";
const WITH_STORAGE: &str = "MigrateWithStorageCommand";

/// Where everything has to be afterwards.
#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    /// At its target; the job says so.
    Moved,
    /// Where it was; the job failed, and its text has these words.
    Stayed(&'static str),
    /// At its target although the job failed: the text has these words.
    Partly(&'static str),
}

struct Case {
    name: &'static str,
    fault: fn(&Bench) -> Fault,
    /// True when the fault holds until it is released.
    release: bool,
    volume: End,
    vm: End,
}

const CASES: &[Case] = &[
    Case {
        name: "refuse",
        fault: |_| Fault::Refuse { details: "not today".to_owned() },
        release: false,
        volume: End::Stayed("not today"),
        vm: End::Stayed("not today"),
    },
    Case {
        name: "wmi return code",
        fault: |_| Fault::WmiReturn { code: 32774 },
        release: false,
        volume: End::Stayed("SystemInUse"),
        vm: End::Stayed("SystemInUse"),
    },
    Case {
        name: "http 500",
        fault: |_| Fault::HttpStatus { status: 500 },
        release: false,
        volume: End::Stayed("500"),
        vm: End::Stayed("500"),
    },
    Case {
        name: "fail half-way",
        fault: |_| Fault::FailAt { fraction: 0.5, description: None },
        release: false,
        volume: End::Stayed("Hyper-V Job failed"),
        vm: End::Stayed("Hyper-V Job failed"),
    },
    Case {
        name: "agent dies half-way",
        fault: |_| Fault::DieAt { fraction: 0.5 },
        release: false,
        volume: End::Stayed("Failed to migrate volume"),
        vm: End::Stayed("Failed to migrate VM"),
    },
    Case {
        name: "stall",
        fault: |_| Fault::Stall { fraction: 0.5 },
        release: true,
        volume: End::Moved,
        vm: End::Moved,
    },
    Case {
        name: "answer late",
        fault: |_| Fault::AnswerLate { ms: None },
        release: false,
        volume: End::Moved,
        vm: End::Moved,
    },
    Case {
        name: "connection dropped before the effect",
        fault: |_| Fault::DropBefore,
        release: false,
        volume: End::Stayed("Failed to migrate volume"),
        vm: End::Stayed("Failed to migrate VM"),
    },
    Case {
        name: "connection dropped after the effect",
        fault: |_| Fault::DropAfter,
        release: false,
        volume: End::Moved,
        vm: End::Moved,
    },
    Case {
        name: "wrong path in the answer",
        fault: |_| Fault::WrongPath { path: "elsewhere".to_owned() },
        release: false,
        volume: End::Moved,
        vm: End::Moved,
    },
    Case {
        name: "a disk is silently skipped",
        fault: |bench| Fault::SkipDisk { stem: bench.disk("DATA-shared").uuid.clone() },
        release: false,
        volume: End::Stayed("reported success"),
        vm: End::Partly("DATA-shared"),
    },
    Case {
        name: "a lie",
        fault: |_| Fault::LieAboutVm,
        release: false,
        volume: End::Stayed("reported success"),
        vm: End::Stayed("reported success"),
    },
    Case {
        name: "restart and forget, before",
        fault: |_| Fault::RestartAndForget { after: false },
        release: false,
        volume: End::Stayed("Failed to migrate volume"),
        vm: End::Stayed("Failed to migrate VM"),
    },
    Case {
        name: "restart and forget, after",
        fault: |_| Fault::RestartAndForget { after: true },
        release: false,
        volume: End::Moved,
        vm: End::Moved,
    },
];

/// Releases a fault once it has struck.
async fn release(bench: &Bench, id: u64) {
    bench.struck(id).await;
    bench.world.world().faults.release(Some(id));
}

/// Runs the motion, and lets go of the fault in between where the case says so.
async fn run_under<T>(case: &Case, run: impl Future<Output = T>, bench: &Bench, id: u64) -> T {
    if case.release { tokio::join!(run, release(bench, id)).0 } else { run.await }
}

fn judge(case: &str, end: End, result: &Result<(), String>) {
    match (end, result) {
        (End::Moved, Ok(())) => {}
        (End::Stayed(words) | End::Partly(words), Err(text)) if text.contains(words) => {}
        _ => panic!("{case}: expected {end:?}, got {result:?}"),
    }
}

async fn volume_case(case: &Case, net: u8, kind: &str, database: database::Database) {
    let name = format!("{kind}, migrateVolume, {}", case.name);
    let bench = Bench::start(&plan(net), database).await;
    let id = bench.fault(FaultRule::on(VOLUME, (case.fault)(&bench)));
    let request = bench.volume_request();
    let run = bench.motion.migrate_volume(1, &ROOT, &request);
    let result = run_under(case, run, &bench, id).await;
    let result = result.map(|_| ()).map_err(|refusal| refusal.text);
    judge(&name, case.volume, &result);
    let pool = if case.volume == End::Moved { "c1-p2" } else { "c1-p1" };
    assert_eq!(bench.pool_of("DATA-shared").await, pool, "{name}");
    bench.world.world().faults.remove(None);
    bench.check(&name).await;
    bench.world.stop().await;
}

async fn vm_case(case: &Case, net: u8, kind: &str, database: database::Database) {
    let name = format!("{kind}, migrateVirtualMachineWithVolume, {}", case.name);
    let bench = Bench::start(&plan(net), database).await;
    let id = bench.fault(FaultRule::on(WITH_STORAGE, (case.fault)(&bench)));
    let request = bench.vm_request();
    let run = bench.motion.migrate_vm_with_volumes(1, &ROOT, &request);
    let result = run_under(case, run, &bench, id).await;
    let result = result.map_err(|refusal| refusal.text);
    judge(&name, case.vm, &result);
    let (host, root) = match case.vm {
        End::Stayed(_) => ("c1-h1", "c1-p1"),
        _ => ("c2-h1", "c2-p1"),
    };
    let data = if case.vm == End::Moved { "c2-p1" } else { "c1-p1" };
    assert_eq!(bench.host_of("shared").await, host, "{name}");
    assert_eq!(bench.pool_of("ROOT-shared").await, root, "{name}");
    assert_eq!(bench.pool_of("DATA-shared").await, data, "{name}");
    bench.world.world().faults.remove(None);
    bench.check(&name).await;
    bench.world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn migrate_volume_under_every_fault() {
    for case in CASES {
        for (kind, database) in database::each().await {
            volume_case(case, 61, kind, database).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn migrate_virtual_machine_with_volume_under_every_fault() {
    for case in CASES {
        for (kind, database) in database::each().await {
            vm_case(case, 62, kind, database).await;
        }
    }
}
