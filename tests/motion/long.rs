//! Agents that say more than there is room for: the job ends all the same, and says what fits.

use stackmotion::agent::faults::{Fault, FaultRule};

use super::bench::{Bench, plan};
use super::crash::What;
use super::places::{PACE, Way, count, start};
use crate::support::database;
use crate::support::gateway::Ambush;

#[tokio::test(flavor = "multi_thread")]
async fn a_job_ends_whatever_its_agent_has_to_say() {
    for (kind, database) in database::each().await {
        let (folder, url) = (tempfile::tempdir().expect("a folder"), database.url.clone());
        let bench = Bench::start(&plan(221), database).await;
        let gateway = start(&bench, folder.path(), &url, Ambush::None).await;
        // A letter that takes six bytes in JSON, so that no column would hold it.
        let details = format!("Not today.{}", "\u{1}".repeat(200_000));
        bench.fault(FaultRule::on("MigrateVolumeCommand", Fault::Refuse { details }));
        let job = uuid::Uuid::new_v4().to_string();
        let (command, params) = Way::of(What::Volume).call(&bench, &job);
        let params: Vec<_> = params.iter().map(|(name, value)| (*name, value.as_str())).collect();
        gateway.client.call(command, &params).await.expect("a job");
        let failed = gateway.client.wait(&job, PACE, |_| {}).await.expect_err(kind).to_string();
        assert!(failed.contains("Not today.") && failed.contains('\u{2026}'), "{kind}: {failed}");
        assert_eq!(Way::of(What::Volume).seen(&bench).await, ["c1-p1"], "{kind}");
        // The alert has room for what was verified as well.
        let told = "SELECT COUNT(*) FROM alert WHERE content LIKE '%Not today.%lists the disk%'";
        assert_eq!(count(&bench, told, vec![]).await, 1, "{kind}");
        drop(gateway);
        bench.check(kind).await;
        bench.world.stop().await;
    }
}
