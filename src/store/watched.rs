//! What agents say of their hosts and pools, written down; and the certificates that they are known by.

use super::guards::{accepting, changing};
use super::{Alert, Store, StoreError, Tx, transact};
use crate::args;
use crate::model::{CapacityKind, HostEvent, HostState, Timestamp};

/// What a host says of itself when it is connected.
#[derive(Clone, Debug)]
pub struct HostReport {
    /// Hypervisor version.
    pub version: Option<String>,
    /// Cores.
    pub cpus: i64,
    /// Sockets.
    pub sockets: Option<i64>,
    /// Speed of a core, MHz.
    pub speed_mhz: i64,
    /// Memory in bytes.
    pub memory_bytes: i64,
    /// Memory kept for the host itself, bytes.
    pub reserved_memory_bytes: i64,
}

/// Load of a host.
#[derive(Clone, Copy, Debug)]
pub struct HostLoadRow {
    /// CPU in use, percent.
    pub cpu_percent: f64,
    /// Memory in bytes.
    pub memory_bytes: i64,
    /// Memory that is free, bytes.
    pub free_memory_bytes: i64,
    /// Bytes received since the host started.
    pub received_bytes: i64,
    /// Bytes sent since the host started.
    pub sent_bytes: i64,
}

/// How a host is away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absence {
    /// It does not answer.
    Silent,
    /// Somebody else answers in its place.
    Stranger,
}

impl Absence {
    fn step(self) -> (HostState, HostEvent) {
        match self {
            Self::Silent => (HostState::Disconnected, HostEvent::FallsSilent),
            Self::Stranger => (HostState::Alert, HostEvent::StrangerAnswers),
        }
    }
}

impl Store {
    /// Notes that a host answered this server just now. A host that has been removed stays removed.
    ///
    /// # Errors
    /// See [`super::Db::rows`]; the same holds for all functions of this file.
    pub async fn host_up(&self, host_id: i64, server_id: i64) -> Result<(), StoreError> {
        // CloudStack keeps milliseconds without their last ten bits (`contract/entities.md` 1.4, lastpinged).
        let ping = (Timestamp::now().unix() * 1000) >> 10;
        // The count grows with changes of the state only (`contract/entities.md` 3.0); MySQL sets columns from left to right.
        let sql = format!(
            "UPDATE host SET update_count = update_count + CASE WHEN status = 'Up' THEN 0 ELSE 1 END, status = 'Up', \
             last_ping = ?, mgmt_server_id = ?, disconnected = NULL WHERE id = ? AND removed IS NULL AND {}",
            accepting::<HostState>("status", HostEvent::Answers)
        );
        self.db().run(&sql, args![ping, server_id, host_id]).await?;
        Ok(())
    }

    /// Notes that a host does not answer, or that somebody else does in its place. When that is news, an alert of type 7
    /// says so (`contract/entities.md` 4.8). A host that has been removed stays removed.
    ///
    /// # Errors
    /// See [`Store::host_up`].
    pub async fn host_away(&self, host_id: i64, absence: Absence, reason: &str) -> Result<(), StoreError> {
        let now = Timestamp::now();
        let (status, event) = absence.step();
        let sql = format!(
            "UPDATE host SET status = ?, disconnected = COALESCE(disconnected, ?), mgmt_server_id = NULL, \
             update_count = update_count + 1 WHERE id = ? AND removed IS NULL AND {}",
            changing::<HostState>("status", event)
        );
        transact!(self, StoreError, |tx| {
            if tx.run(&sql, args![status.as_str(), now, host_id]).await?.rows > 0 {
                tx.host_alert(host_id, status.as_str(), reason).await?;
            }
            Ok(())
        })
    }

    /// Writes what a host says of itself, and the totals of its capacity rows with it.
    ///
    /// # Errors
    /// See [`Store::host_up`].
    pub async fn host_report(&self, host_id: i64, report: &HostReport) -> Result<(), StoreError> {
        let sql = "UPDATE host SET hypervisor_version = COALESCE(?, hypervisor_version), cpus = ?, \
            cpu_sockets = COALESCE(?, cpu_sockets), speed = ?, ram = ?, dom0_memory = ? WHERE id = ?";
        let args = args![
            report.version.as_deref(),
            report.cpus,
            report.sockets,
            report.speed_mhz,
            report.memory_bytes,
            report.reserved_memory_bytes,
            host_id
        ];
        let totals = [
            (CapacityKind::Memory, report.memory_bytes - report.reserved_memory_bytes),
            (CapacityKind::Cpu, report.cpus * report.speed_mhz),
            (CapacityKind::CpuCore, report.cpus),
        ];
        transact!(self, StoreError, |tx| {
            tx.run(sql, args.clone()).await?;
            for (kind, total) in totals {
                let sql = "UPDATE op_host_capacity SET total_capacity = ?, update_time = ? WHERE host_id = ? AND capacity_type = ?";
                tx.run(sql, args![total, Timestamp::now(), host_id, kind as i64]).await?;
            }
            Ok(())
        })
    }

    /// Writes size and use of a pool, and its row of capacity with them: hosts' folders count what is used and may be promised
    /// several times over, shares count what is promised (`contract/entities.md` 3.27, 4.3).
    ///
    /// # Errors
    /// See [`Store::host_up`].
    pub async fn pool_usage(&self, pool_id: i64, capacity_bytes: i64, used_bytes: i64) -> Result<(), StoreError> {
        let factor = self.overprovisioning().await?;
        let promised = (capacity_bytes as f64 * factor) as i64;
        transact!(self, StoreError, |tx| {
            let now = Timestamp::now();
            let sql = "UPDATE storage_pool SET capacity_bytes = ?, used_bytes = ?, update_time = ? WHERE id = ? AND removed IS NULL";
            tx.run(sql, args![capacity_bytes, used_bytes, now, pool_id]).await?;
            let sql = "UPDATE op_host_capacity SET used_capacity = ?, total_capacity = ?, update_time = ? \
                WHERE host_id = ? AND capacity_type = ?";
            tx.run(sql, args![used_bytes, promised, now, pool_id, CapacityKind::LocalStorage as i64]).await?;
            let sql = "UPDATE op_host_capacity SET total_capacity = ?, update_time = ? WHERE host_id = ? AND capacity_type = ?";
            tx.run(sql, args![capacity_bytes, now, pool_id, CapacityKind::StorageAllocated as i64]).await?;
            Ok(())
        })
    }

    /// Writes the load of a host.
    ///
    /// # Errors
    /// See [`Store::host_up`].
    pub async fn host_load_write(&self, host_id: i64, load: &HostLoadRow) -> Result<(), StoreError> {
        let sql = "INSERT INTO motion_host_load (host_id, cpu_percent, memory_bytes, free_memory_bytes, received_bytes, \
            sent_bytes, updated) VALUES (?, ?, ?, ?, ?, ?, ?)";
        let args = args![
            host_id,
            load.cpu_percent,
            load.memory_bytes,
            load.free_memory_bytes,
            load.received_bytes,
            load.sent_bytes,
            Timestamp::now()
        ];
        transact!(self, StoreError, |tx| {
            tx.run("DELETE FROM motion_host_load WHERE host_id = ?", args![host_id]).await?;
            tx.run(sql, args.clone()).await?;
            Ok(())
        })
    }

    /// The fingerprint kept for an address.
    ///
    /// # Errors
    /// See [`Store::host_up`].
    pub async fn pin(&self, address: &str) -> Result<Option<String>, StoreError> {
        let sql = "SELECT fingerprint FROM motion_pin WHERE address = ?";
        self.db().row(sql, args![address]).await?.map(|row| row.at(0)).transpose()
    }

    /// Keeps a fingerprint for an address unless it has one, and gives the one that is kept.
    ///
    /// # Errors
    /// See [`Store::host_up`].
    pub async fn pin_keep(&self, address: &str, fingerprint: &str) -> Result<String, StoreError> {
        // No transaction: two first uses at once would hold each other up, or be chosen as a deadlock's victim.
        let sql = "INSERT INTO motion_pin (address, fingerprint, created) VALUES (?, ?, ?)";
        match self.db().run(sql, args![address, fingerprint, Timestamp::now()]).await {
            Ok(_) => Ok(fingerprint.to_owned()),
            Err(error) if error.is_duplicate() => {
                Ok(self.pin(address).await?.unwrap_or_else(|| fingerprint.to_owned()))
            }
            Err(error) => Err(error),
        }
    }
}

impl Tx {
    /// Writes that a host is lost.
    async fn host_alert(&mut self, host_id: i64, status: &str, reason: &str) -> Result<(), StoreError> {
        let sql = "SELECT h.name, h.uuid, h.data_center_id, h.pod_id, h.cluster_id, z.name, p.name FROM host h \
            LEFT JOIN data_center z ON z.id = h.data_center_id LEFT JOIN host_pod_ref p ON p.id = h.pod_id WHERE h.id = ?";
        let Some(row) = self.row(sql, args![host_id]).await? else { return Ok(()) };
        let word = |at| Ok::<_, StoreError>(row.at::<Option<String>>(at)?.unwrap_or_default());
        let what = if status == "Alert" { "in alert state" } else { "disconnected" };
        let subject = format!(
            "Host {what}, name: {} (id:{}), availability zone: {}, pod: {}",
            word(0)?,
            word(1)?,
            word(5)?,
            word(6)?
        );
        let (kind, name) = Alert::HOST;
        let alert = Alert {
            kind,
            name,
            zone_id: row.at(2)?,
            pod_id: row.at(3)?,
            cluster_id: row.at(4)?,
            content: format!("{subject}: {reason}"),
            subject,
        };
        self.alert_insert(&alert).await
    }
}
