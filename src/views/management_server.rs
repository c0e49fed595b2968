//! The objects `managementserver` and `readyforshutdown` (`contract/entities.md 1.22`).

use super::row::{number, text};
use crate::api::Group;
use crate::model::{Timestamp, signed};
use crate::store::{Row, Store, StoreError};

/// Numbers of runs above this are milliseconds: in seconds it is the year 5138.
const MOST_SECONDS: i64 = 100_000_000_000;

crate::response! {
    /// A server that works on this database.
    pub struct ManagementServerView as "managementserver" {
        /// Its id.
        id: Option<String>,
        /// Its name.
        name: Option<String>,
        /// `Up`, or what else it is doing.
        state: Option<String>,
        /// The version of CloudStack that it speaks.
        version: Option<String>,
        /// When it was last started.
        last_start "lastserverstart": Option<Timestamp>,
        /// Its address.
        service_ip "serviceip": Option<String>,
        /// Its address.
        ip_address "ipaddress": Option<String>,
        /// Hosts that it talked to before it was stopped. Always empty here.
        last_agents "lastagents": Vec<String>,
        /// Hosts that it talks to.
        agents: Vec<String>,
        /// How many these are.
        agents_count "agentscount": i64,
        /// Jobs that it has not ended.
        pending_jobs "pendingjobscount": i64,
    }
}

crate::response! {
    /// A server that works on this database, with measurements.
    pub struct ManagementServerMetricsView as "managementserver" {
        /// Hosts that it talks to.
        agent_count "agentcount": i64,
        /// What the plain list shows of it.
        plain: Group<ManagementServerView>,
    }
}

crate::response! {
    /// Whether a server can be stopped without anything being lost.
    pub struct ReadyForShutdownView as "readyforshutdown" {
        /// The server.
        id "managementserverid": Option<String>,
        /// `Up`, or what else it is doing.
        state: Option<String>,
        /// Whether somebody wants it to rest.
        maintenance_initiated "maintenanceinitiated": bool,
        /// Whether somebody wants it to stop.
        shutdown_triggered "shutdowntriggered": bool,
        /// Whether it could stop: it has no unfinished job.
        is_ready "readyforshutdown": bool,
        /// Jobs that it has not ended.
        pending_jobs "pendingjobscount": i64,
        /// How many hosts it talks to.
        agents_count "agentscount": i64,
        /// These hosts.
        agents: Vec<String>,
    }
}

/// Servers, from the rows of [`Store::servers`].
///
/// # Errors
/// See [`crate::store::Db::rows`].
pub async fn management_servers(store: &Store, rows: &[Row]) -> Result<Vec<ManagementServerView>, StoreError> {
    let mut agents = store.agents_of_servers().await?;
    rows.iter().map(|row| management_server(row, agents.remove(&row.get("msid")?).unwrap_or_default())).collect()
}

/// Whether a server can be stopped, from a row of [`Store::servers`] or [`Store::gateway`].
///
/// # Errors
/// See [`crate::store::Db::rows`].
pub async fn ready_for_shutdown(store: &Store, row: &Row) -> Result<ReadyForShutdownView, StoreError> {
    let msid: i64 = row.get("msid")?;
    let agents = store.agents_of_servers().await?.remove(&msid).unwrap_or_default();
    let pending_jobs = number(row, "jobs")?.unwrap_or_default();
    Ok(ReadyForShutdownView {
        id: text(row, "uuid")?,
        state: text(row, "state")?,
        maintenance_initiated: false,
        shutdown_triggered: false,
        is_ready: pending_jobs == 0,
        pending_jobs,
        agents_count: signed(agents.len()),
        agents,
    })
}

fn management_server(row: &Row, agents: Vec<String>) -> Result<ManagementServerView, StoreError> {
    // The number of a run is the time of its start: seconds here, milliseconds in CloudStack.
    let run = number(row, "runid")?.unwrap_or_default();
    let started = if run > MOST_SECONDS { run / 1000 } else { run };
    Ok(ManagementServerView {
        id: text(row, "uuid")?,
        name: text(row, "name")?,
        state: text(row, "state")?,
        version: text(row, "version")?,
        last_start: Timestamp::from_unix(started).filter(|_| started > 0),
        service_ip: text(row, "service_ip")?,
        ip_address: text(row, "service_ip")?,
        last_agents: Vec::new(),
        agents_count: signed(agents.len()),
        agents,
        pending_jobs: number(row, "jobs")?.unwrap_or_default(),
    })
}
