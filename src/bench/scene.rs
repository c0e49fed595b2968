//! What is measured on: a data folder with an estate of its own, simulated hosts for it, and gateways.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use super::BenchError;
use super::load::Signer;
use super::process::Process;
use crate::agent::{RunningWorld, World};
use crate::client::{Client, Pace};
use crate::demo::{Estate, Plan, seed};
use crate::store::Store;

/// A folder, an estate in it, and its hosts.
pub(super) struct Scene {
    folder: TempDir,
    /// The URL of its database.
    pub database: String,
    /// The estate.
    pub estate: Estate,
    /// Its hosts.
    pub world: RunningWorld,
    /// The key pair of the administrator.
    pub signer: Signer,
}

impl Scene {
    /// Makes the disks, starts the hosts and fills the database.
    pub async fn set(plan: &Plan) -> Result<Self, BenchError> {
        Self::set_on(plan, None).await
    }

    /// The same on a database of its own, or on an empty one that there is.
    pub async fn set_on(plan: &Plan, database: Option<String>) -> Result<Self, BenchError> {
        let folder = temporary_folder()?;
        let estate = Estate::new(plan)?;
        let world = World::start(&estate.world_spec(), &folder.path().join("hosts")).await?;
        let database = database.unwrap_or_else(|| database_url(folder.path()));
        let signer = fill(&database, &estate, world.port()).await?;
        Ok(Self { folder, database, estate, world, signer })
    }

    /// Where everything is.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// A gateway on it.
    pub async fn gateway(&self, set: &[&str]) -> Result<Process, BenchError> {
        self.gateway_at(&self.database, set).await
    }

    /// A gateway on it that comes to the database by another way.
    pub async fn gateway_at(&self, database: &str, set: &[&str]) -> Result<Process, BenchError> {
        Process::gateway(&self.path().display().to_string(), database, set).await
    }

    /// Its database, while no gateway of this scene has sealed its secrets.
    pub async fn store(&self) -> Result<Store, BenchError> {
        Ok(Store::open(&self.database).await?)
    }

    /// A client of a gateway.
    pub fn client(&self, gateway: &Process) -> Result<Client, BenchError> {
        self.signer.client(&gateway.address)
    }

    /// Begins to move a volume and gives the job.
    pub async fn begin(&self, client: &Client, disk: &str, pool: &str) -> Result<String, BenchError> {
        let (volume, pool) = (&self.estate.disk(disk)?.uuid, &self.estate.pool(pool)?.uuid);
        let params = [("volumeid", volume.as_str()), ("storageid", pool.as_str()), ("livemigrate", "true")];
        job_of(&client.call("migrateVolume", &params).await?)
    }

    /// Moves a volume.
    pub async fn migrate(&self, client: &Client, disk: &str, pool: &str) -> Result<String, BenchError> {
        let job = self.begin(client, disk, pool).await?;
        // What happens until the host has the command is measured without polls beside it.
        tokio::time::sleep(Duration::from_millis(50)).await;
        let pace = Pace { first: Duration::from_millis(50), longest: Duration::from_millis(200) };
        client.wait(&job, pace, |_| ()).await?;
        Ok(job)
    }

    /// Ends the hosts; the folder goes with it.
    pub async fn end(self) {
        self.world.stop().await;
    }
}

/// The job that a submission was answered with.
pub(super) fn job_of(answer: &Value) -> Result<String, BenchError> {
    let job = answer.get("jobid").and_then(Value::as_str);
    job.map(str::to_owned).ok_or_else(|| BenchError::Unexpected(format!("an answer without a job: {answer}")))
}

/// A folder that goes away with what is measured in it.
pub(super) fn temporary_folder() -> Result<TempDir, BenchError> {
    let folder = tempfile::Builder::new().prefix("stackmotion-bench-").tempdir();
    folder.map_err(BenchError::io("a temporary folder"))
}

/// The database of a data folder, as a gateway finds it.
pub(super) fn database_url(folder: &Path) -> String {
    format!("sqlite://{}/stackmotion.db", folder.display())
}

/// Brings an estate into a new database, and gives the keys of its administrator.
pub(super) async fn fill(database: &str, estate: &Estate, port: u16) -> Result<Signer, BenchError> {
    let store = Store::open(database).await?;
    let signer = Signer::of(&store).await?;
    seed(&store, estate, port).await?;
    store.db().close().await;
    Ok(signer)
}
