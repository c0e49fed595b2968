//! The gateway is killed while a host or pool is being emptied; the next one goes on from the state alone.

use stackmotion::client::Client;

use super::{PACE, gateway, is_moving, plan, wait_for_host};
use crate::motion::bench::Bench;
use crate::support::database;

async fn begin(client: &Client, command: &str, id: &str) -> String {
    let job = client.call(command, &[("id", id)]).await.expect("a job");
    job["jobid"].as_str().expect("an id").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_is_emptied_by_the_next_gateway() {
    for (kind, database) in database::each().await {
        let (folder, url) = (tempfile::tempdir().expect("a folder"), database.url.clone());
        let bench = Bench::start(&plan(246), database).await;
        bench.world.world().set_throttle(1 << 20);
        let first = gateway(&bench, folder.path(), &url).await;
        let id = bench.estate.host("c1-h1").expect("a host").uuid.clone();
        begin(&first.client, "prepareHostForMaintenance", &id).await;
        is_moving(&bench).await;
        drop(first);
        bench.world.world().set_throttle(0);
        let second = gateway(&bench, folder.path(), &url).await;
        wait_for_host(&second, &id, "Maintenance").await;
        for vm in ["web", "own", "both"] {
            assert_eq!(bench.host_of(vm).await, "c1-h2", "{kind}: {vm}");
        }
        bench.check(kind).await;
        bench.world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pool_is_emptied_by_the_next_gateway_and_its_job_ends() {
    for (kind, database) in database::each().await {
        let (folder, url) = (tempfile::tempdir().expect("a folder"), database.url.clone());
        let bench = Bench::start(&plan(247), database).await;
        bench.world.world().set_throttle(1 << 20);
        let first = gateway(&bench, folder.path(), &url).await;
        let id = bench.estate.pool("c1-p1").expect("a pool").uuid.clone();
        let job = begin(&first.client, "enableStorageMaintenance", &id).await;
        is_moving(&bench).await;
        drop(first);
        bench.world.world().set_throttle(0);
        let second = gateway(&bench, folder.path(), &url).await;
        let end = second.client.wait(&job, PACE, |_| {}).await.expect(kind);
        assert_eq!(end["storagepool"]["state"], "Maintenance", "{kind}: the job that was promised");
        assert_eq!(bench.pool_of("ROOT-web").await, "c1-p2", "{kind}");
        bench.check(kind).await;
        bench.world.stop().await;
    }
}
