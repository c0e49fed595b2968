//! A gateway finds by itself what differs, shows it, and resolves it in a job.

use std::path::Path;
use std::time::Duration;

use stackmotion::app::App;
use stackmotion::client::{Client, ClientError, Pace};
use stackmotion::settings::{Effective, Settings, SettingsArgs, Sources};

use super::{Behind as _, plan};
use crate::motion::bench::{Bench, wait_for};
use crate::support::database;

const PACE: Pace = Pace { first: Duration::from_millis(20), longest: Duration::from_millis(200) };

async fn gateway(bench: &Bench, url: String, folder: &Path) -> (App, Client) {
    let set = ["motion.poll_ms=30", "http.drain_s=1", "drift.interval_s=1"].map(str::to_owned);
    let flags = SettingsArgs {
        data_dir: Some(folder.display().to_string()),
        port: Some("0".to_owned()),
        database_url: Some(url),
        set: set.to_vec(),
        ..SettingsArgs::default()
    };
    let effective = Effective::load(&Sources { env: Vec::new(), flags }).expect("settings");
    let app = App::start(&Settings::from_effective(&effective).expect("settings")).await.expect("a gateway");
    let client = bench.client(&format!("http://{}/client/api", app.address));
    (app, client)
}

fn refused(answer: Result<serde_json::Value, ClientError>) -> (i64, String) {
    match answer {
        Err(ClientError::Api { code, text, .. }) => (code, text),
        other => panic!("not refused: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_found_listed_and_resolved() {
    for (kind, database) in database::each().await {
        let (folder, url) = (tempfile::tempdir().expect("a folder"), database.url.clone());
        let bench = Bench::start(&plan(132), database).await;
        let (app, client) = gateway(&bench, url, folder.path()).await;
        bench.carry("web", "c1-h1", "c1-h2");
        let open = [("resolved", "false")];
        wait_for("a finding", async || client.call("listDrift", &open).await.expect("a list")["count"] == 1).await;
        let found = client.call("listDrift", &open).await.expect("a list")["drift"][0].clone();
        let id = found["id"].as_str().expect("an id");
        for (name, value, count) in [
            ("id", id, 1),
            ("kind", "vm-elsewhere", 1),
            ("kind", "disk-size", 0),
            ("virtualmachineid", bench.estate.vm("web").expect("a VM").uuid.as_str(), 1),
            ("virtualmachineid", bench.estate.vm("own").expect("a VM").uuid.as_str(), 0),
            ("volumeid", bench.disk("ROOT-web").uuid.as_str(), 0),
            ("hostid", bench.estate.host("c1-h2").expect("a host").uuid.as_str(), 1),
            ("hostid", bench.estate.host("c2-h2").expect("a host").uuid.as_str(), 0),
            ("resolved", "true", 0),
            ("keyword", "c1-h2", 1),
            ("keyword", "nothing of it", 0),
        ] {
            let listed = client.call("listDrift", &[(name, value)]).await.expect("a list");
            assert_eq!(listed["count"].as_i64().unwrap_or_default(), count, "{kind}: {name}={value}: {listed}");
        }
        assert_eq!(refused(client.call("listDrift", &[("kind", "odd")]).await).0, 431, "{kind}");
        assert_eq!(refused(client.call("resolveDrift", &[("id", id), ("action", "shrug")]).await).0, 431, "{kind}");
        assert_eq!(refused(client.call("resolveDrift", &[("id", "x"), ("action", "accept")]).await).0, 431, "{kind}");

        let job = client.call("resolveDrift", &[("id", id), ("action", "accept"), ("note", "by hand")]).await;
        let job = job.expect("a job")["jobid"].as_str().expect("an id").to_owned();
        let end = client.wait(&job, PACE, |_| {}).await.expect("it is so");
        let resolved = &end["drift"];
        assert_eq!(
            (&resolved["resolution"], &resolved["note"]),
            (&"accepted".into(), &"by hand".into()),
            "{kind}: {end}"
        );
        assert_eq!(bench.host_of("web").await, "c1-h2", "{kind}");
        let sql = "SELECT COUNT(*) FROM event WHERE type = 'DRIFT.RESOLVE' AND state = 'Completed' AND level = 'INFO'";
        assert_eq!(bench.count(sql).await, 1, "{kind}");
        app.stop().await;
        bench.check(kind).await;
        bench.world.stop().await;
    }
}
