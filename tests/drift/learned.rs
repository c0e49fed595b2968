//! The eleventh demand at the end of `contract/hyperv-e2e.md`: an alert or event for every failed move and for every silent
//! correction of `host_id`.

use std::time::Duration;

use stackmotion::agent::faults::{Fault, FaultRule};
use stackmotion::model::HYPERV;
use stackmotion::motion::{Motion, Patience};

use super::{Behind as _, plan};
use crate::motion::bench::{Bench, ROOT, patience};
use crate::support::database;

/// A machine arrives, and nobody hears of it: its host has died. When the host tells later, the row follows, and that is told.
#[tokio::test(flavor = "multi_thread")]
async fn demand_11_no_correction_of_a_host_is_silent() {
    for (kind, database) in database::each().await {
        let bench = Bench::start(&plan(133), database).await;
        let request =
            stackmotion::motion::PlainRequest { vm_id: bench.vm_id("web"), host_id: Some(bench.host_id("c1-h2")) };
        let away = bench.fault(FaultRule::on("CheckVirtualMachineCommand", Fault::HttpStatus { status: 500 }));
        bench.fault(FaultRule::on("MigrateCommand", Fault::RestartAndForget { after: true }).nth(1));
        let impatient = Patience { unreachable: Duration::from_millis(1).into(), ..patience() };
        let motion = Motion::new(bench.store.clone(), impatient)
            .with_hypervisor(HYPERV, std::sync::Arc::clone(&bench.hyperv) as _);
        let refusal = motion.migrate_vm(1, &ROOT, request).await.expect_err(kind);
        assert!(refusal.text.contains("not known"), "{kind}: {}", refusal.text);
        assert_eq!(bench.host_of("web").await, "c1-h1", "{kind}");

        bench.world.world().faults.remove(Some(away));
        motion.ask_again().await.expect("the database answers");
        assert_eq!(bench.host_of("web").await, "c1-h2", "{kind}");
        let alerts = "SELECT COUNT(*) FROM alert WHERE subject LIKE '%is known now'";
        assert_eq!(bench.count(alerts).await, 1, "{kind}");
        let events = "SELECT COUNT(*) FROM event WHERE type = 'VM.MIGRATE' AND level = 'WARN'";
        assert_eq!(bench.count(events).await, 1, "{kind}");
        motion.ask_again().await.expect("the database answers");
        assert_eq!(bench.count(alerts).await, 1, "{kind}: it is told once");
        bench.check(kind).await;
        bench.world.stop().await;
    }
}
