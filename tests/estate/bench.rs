//! A gateway on an empty database, and simulated hosts that it does not know yet.

use serde_json::{Value as Json, json};
use stackmotion::agent::spec::WorldSpec;
use stackmotion::agent::{RunningWorld, World};
use stackmotion::app::App;
use stackmotion::client::{Client, ClientError, Pace};
use stackmotion::settings::{Effective, Settings, SettingsArgs, Sources};
use stackmotion::store::{Store, Value};
use tempfile::TempDir;

use crate::support::database::Database;

pub const PACE: Pace =
    Pace { first: std::time::Duration::from_millis(20), longest: std::time::Duration::from_millis(200) };

/// Size of every pool.
const POOL_BYTES: u64 = 64 << 30;

/// A gateway and what stands around it.
pub struct Bench {
    pub world: RunningWorld,
    pub app: App,
    pub client: Client,
    pub store: Store,
    _database: Database,
    _folder: TempDir,
}

/// A refusal as clients see it.
#[derive(Debug, PartialEq, Eq)]
pub struct Refused {
    pub code: i64,
    pub text: String,
}

impl Bench {
    /// Hosts at `127.<net>.0.2` to `.4` that see the shares `\\fs1\pool1` and `\\fs1\pool2`.
    pub async fn start(net: u8, database: Database) -> Self {
        Self::start_with(database, &world(net), &["agent.ping_interval_s=3600"]).await
    }

    /// Hosts of this world, and these settings.
    pub async fn start_with(database: Database, spec: &WorldSpec, set: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let world = World::start(spec, &folder.path().join("world")).await.expect("a world");
        let port = format!("agent.port={}", world.port());
        let set = [port.as_str(), "motion.poll_ms=20", "http.drain_s=1"].into_iter().chain(set.iter().copied());
        let flags = SettingsArgs {
            port: Some("0".to_owned()),
            data_dir: Some(folder.path().join("data").display().to_string()),
            database_url: Some(database.url.clone()),
            set: set.map(str::to_owned).collect(),
            ..SettingsArgs::default()
        };
        let effective = Effective::load(&Sources { env: Vec::new(), flags }).expect("settings");
        let app = App::start(&Settings::from_effective(&effective).expect("settings")).await.expect("a gateway");
        let store = database.store.clone();
        let keys = app.first_key.as_ref().expect("a key of the administrator");
        let url = format!("http://{}/client/api", app.address);
        let client = Client::new(url, &keys.api_key, keys.secret_key.expose()).expect("a client");
        Self { world, app, client, store, _database: database, _folder: folder }
    }

    pub async fn stop(self) {
        self.app.stop().await;
        self.world.stop().await;
    }

    /// What stands inside the envelope of the answer.
    pub async fn call(&self, command: &str, params: &[(&str, &str)]) -> Result<Json, Refused> {
        match self.client.call(command, params).await {
            Ok(answer) => Ok(answer),
            Err(ClientError::Api { code, text, .. }) => Err(Refused { code, text }),
            Err(other) => panic!("{command}: {other}"),
        }
    }

    /// The same for a call that works.
    pub async fn done(&self, command: &str, params: &[(&str, &str)]) -> Json {
        self.call(command, params).await.unwrap_or_else(|refused| panic!("{command} {params:?}: {refused:?}"))
    }

    /// The refusal of a call that does not work.
    pub async fn refused(&self, command: &str, params: &[(&str, &str)]) -> Refused {
        match self.call(command, params).await {
            Err(refused) => refused,
            Ok(answer) => panic!("{command} {params:?} was not refused: {answer}"),
        }
    }

    /// A number that a query gives.
    pub async fn count(&self, sql: &str) -> i64 {
        self.store.db().row(sql, vec![]).await.expect("the database").expect("a row").at(0).expect("a number")
    }

    /// A text that a query gives.
    pub async fn text(&self, sql: &str) -> Option<String> {
        self.store.db().row(sql, vec![]).await.expect("the database").expect("a row").at(0).expect("a text")
    }

    pub async fn run(&self, sql: &str) {
        self.store.db().run(sql, Vec::<Value>::new()).await.expect("the database");
    }

    /// A zone with local storage, a pod and a cluster; their ids.
    pub async fn place(&self, net: u8) -> [String; 3] {
        let zone = self
            .done(
                "createZone",
                &[
                    ("name", "zone"),
                    ("dns1", "192.0.2.53"),
                    ("internaldns1", "192.0.2.53"),
                    ("networktype", "Basic"),
                    ("localstorageenabled", "true"),
                    ("allocationstate", "Enabled"),
                ],
            )
            .await;
        let zone = id_of(&zone["zone"]);
        let gateway = format!("127.{net}.0.1");
        let pod = self
            .done(
                "createPod",
                &[("zoneid", &zone), ("name", "pod"), ("gateway", &gateway), ("netmask", "255.255.255.0")],
            )
            .await;
        let pod = id_of(&pod["pod"]);
        let cluster = self.cluster(&zone, &pod, "cluster").await;
        [zone, pod, cluster]
    }

    pub async fn cluster(&self, zone: &str, pod: &str, name: &str) -> String {
        let params = [
            ("zoneid", zone),
            ("podid", pod),
            ("clustername", name),
            ("hypervisor", "hyperv"),
            ("clustertype", "CloudManaged"),
        ];
        id_of(&self.done("addCluster", &params).await["cluster"][0])
    }

    /// Adds the host at that address; its answer.
    pub async fn host(&self, place: &[String; 3], ip: &str) -> Result<Json, Refused> {
        let url = format!("http://{ip}");
        let [zone, pod, cluster] = place;
        let params = [
            ("zoneid", zone.as_str()),
            ("podid", pod),
            ("clusterid", cluster),
            ("hypervisor", "Hyperv"),
            ("url", &url),
            ("username", "Administrator"),
            ("password", "word of the host"),
        ];
        Ok(self.call("addHost", &params).await?["host"][0].take())
    }

    /// Adds a share as a pool of the cluster; its answer.
    pub async fn pool(&self, place: &[String; 3], name: &str, url: &str) -> Result<Json, Refused> {
        let [zone, pod, cluster] = place;
        let params = [
            ("zoneid", zone.as_str()),
            ("podid", pod),
            ("clusterid", cluster),
            ("name", name),
            ("url", url),
            ("details[0].user", "hvsvc"),
            ("details[1].password", "word of the share"),
            ("details[2].domain", "EXAMPLE"),
        ];
        Ok(self.call("createStoragePool", &params).await?["storagepool"].take())
    }

    /// Waits for a job and gives its result, or its error.
    pub async fn job(&self, answer: &Json) -> Result<Json, Refused> {
        let job = answer["jobid"].as_str().expect("a job");
        match self.client.wait(job, PACE, |_| {}).await {
            Ok(end) => Ok(json!(end)),
            Err(ClientError::Api { code, text, .. }) => Err(Refused { code, text }),
            Err(other) => panic!("{other}"),
        }
    }
}

pub fn world(net: u8) -> WorldSpec {
    let mut spec = WorldSpec::new().share("\\\\fs1\\pool1").share("\\\\fs1\\pool2");
    for last in 2..5 {
        spec = spec.host(&format!("127.{net}.0.{last}"), &format!("HV{last}"));
    }
    // How full the disk under the test is must not decide what fits.
    for share in &mut spec.shares {
        share.capacity_bytes = Some(POOL_BYTES);
    }
    for host in &mut spec.hosts {
        host.capacity_bytes = Some(POOL_BYTES);
    }
    spec
}

pub fn id_of(object: &Json) -> String {
    object["id"].as_str().unwrap_or_else(|| panic!("no id: {object}")).to_owned()
}
