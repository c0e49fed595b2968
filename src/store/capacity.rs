//! Room for VMs on hosts and for disks in pools: `op_host_capacity`.

use super::guards::oldest_unsettled;
use super::{Row, Store, StoreError, Tx};
use crate::args;
use crate::model::{CapacityKind, ServiceOffering, Timestamp};

/// What motions that are not over will bring into a pool.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Incoming {
    /// How many motions.
    pub motions: i64,
    /// Bytes of disks. Copies have rows in the pool already and are not among them.
    pub bytes: i64,
}

impl Incoming {
    fn question() -> String {
        format!(
            "SELECT COUNT(DISTINCT m.id), CAST(COALESCE(SUM(CASE WHEN d.copy_volume_id IS NULL THEN v.size END), 0) AS SIGNED) \
             FROM motion_disk d JOIN motion_migration m ON m.id = d.migration_id LEFT JOIN volumes v ON v.id = d.volume_id \
             WHERE d.target_pool_id = ? AND d.migration_id >= {} AND d.source_pool_id <> d.target_pool_id \
             AND m.phase <> 'settled'",
            oldest_unsettled()
        )
    }

    fn read(row: Option<Row>) -> Result<Self, StoreError> {
        row.map_or(Ok(Self::default()), |row| Ok(Self { motions: row.at(0)?, bytes: row.at(1)? }))
    }
}

/// The bytes of the disks in a pool.
const ALLOCATED: &str = "SELECT CAST(COALESCE(SUM(size), 0) AS SIGNED) FROM volumes \
    WHERE pool_id = ? AND removed IS NULL AND state <> 'Destroy'";

/// What is left on a host.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct HostRoom {
    /// MHz.
    pub cpu_mhz: f64,
    /// Bytes of memory.
    pub memory_bytes: f64,
}

impl Store {
    /// What is left on a host, with its cluster's overcommit counted in; `None` for a host that is not accounted for.
    ///
    /// # Errors
    /// See [`super::Db::rows`]; the same holds for all functions of this file.
    pub async fn host_room(&self, host_id: i64) -> Result<Option<HostRoom>, StoreError> {
        let sql = "SELECT capacity_type, used_capacity + reserved_capacity, total_capacity FROM op_host_capacity \
            WHERE host_id = ? AND capacity_type IN (0, 1)";
        let rows = self.db().rows(sql, args![host_id]).await?;
        if rows.is_empty() {
            return Ok(None);
        }
        let ratios = Overcommit::read(&self.db().rows(OVERCOMMIT, args![host_id]).await?)?;
        let mut room = HostRoom::default();
        for row in rows {
            let (kind, taken, total): (i64, f64, f64) = (row.at(0)?, row.at(1)?, row.at(2)?);
            if kind == CapacityKind::Memory as i64 {
                room.memory_bytes = total * ratios.memory - taken;
            } else {
                room.cpu_mhz = total * ratios.cpu - taken;
            }
        }
        Ok(Some(room))
    }

    /// Bytes of a pool that are promised to the disks in it, whether or not they are written yet.
    ///
    /// # Errors
    /// See [`Store::host_room`].
    pub async fn pool_allocated_bytes(&self, pool_id: i64) -> Result<i64, StoreError> {
        self.db().row(ALLOCATED, args![pool_id]).await?.map_or(Ok(0), |row| row.at(0))
    }

    /// What is on its way to a pool.
    ///
    /// # Errors
    /// See [`Store::host_room`].
    pub async fn pool_incoming(&self, pool_id: i64) -> Result<Incoming, StoreError> {
        Incoming::read(self.db().row(&Incoming::question(), args![pool_id]).await?)
    }

    /// What is used of a host's or pool's capacity of one kind, as its row says; `None` when it has no such row.
    ///
    /// # Errors
    /// See [`Store::host_room`].
    pub async fn capacity_used(&self, kind: CapacityKind, owner_id: i64) -> Result<Option<i64>, StoreError> {
        let sql = "SELECT used_capacity FROM op_host_capacity WHERE host_id = ? AND capacity_type = ?";
        self.db().row(sql, args![owner_id, kind as i64]).await?.map(|row| row.at(0)).transpose()
    }
}

impl Tx {
    /// Charges a host with what a VM needs; false (and nothing changed) when the host has not that much left.
    ///
    /// A host without capacity rows is not accounted for and takes everything.
    ///
    /// # Errors
    /// See [`Tx::volume_transition`].
    pub async fn host_charge(&mut self, host_id: i64, offering: &ServiceOffering) -> Result<bool, StoreError> {
        let needs = needs(offering);
        // Added before it is looked at: the rows are held from here on, and nobody else is let onto what is left.
        self.host_add(host_id, needs, 1).await?;
        let ratios = Overcommit::read(&self.rows(OVERCOMMIT, args![host_id]).await?)?;
        for (kind, _) in needs {
            let sql = "SELECT used_capacity, reserved_capacity, total_capacity FROM op_host_capacity \
                WHERE host_id = ? AND capacity_type = ?";
            if let Some(row) = self.row(sql, args![host_id, kind as i64]).await? {
                let (used, reserved, total): (i64, i64, i64) = (row.at(0)?, row.at(1)?, row.at(2)?);
                let total = total as f64 * ratios.of(kind);
                if (used + reserved) as f64 > total {
                    self.host_add(host_id, needs, -1).await?;
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// Gives back what a VM needed on a host.
    ///
    /// # Errors
    /// See [`Tx::volume_transition`].
    pub async fn host_release(&mut self, host_id: i64, offering: &ServiceOffering) -> Result<(), StoreError> {
        self.host_add(host_id, needs(offering), -1).await
    }

    /// Charges the host that a VM is on with what the VM needs, whatever is left there.
    ///
    /// # Errors
    /// See [`Tx::volume_transition`].
    pub async fn host_occupy(&mut self, host_id: i64, offering: &ServiceOffering) -> Result<(), StoreError> {
        self.host_add(host_id, needs(offering), 1).await
    }

    /// As [`Tx::host_occupy`], and gives it back on the host that the VM was thought to be on.
    ///
    /// # Errors
    /// See [`Tx::volume_transition`].
    pub async fn host_shift(&mut self, source: i64, target: i64, offering: &ServiceOffering) -> Result<(), StoreError> {
        self.host_release(source, offering).await?;
        self.host_occupy(target, offering).await
    }

    async fn host_add(&mut self, host_id: i64, needs: [(CapacityKind, i64); 3], sign: i64) -> Result<(), StoreError> {
        for (kind, amount) in needs {
            self.capacity_add(host_id, kind, sign * amount).await?;
        }
        Ok(())
    }

    pub(super) async fn capacity_add(
        &mut self,
        owner_id: i64,
        kind: CapacityKind,
        change: i64,
    ) -> Result<(), StoreError> {
        // Never below nothing: a recount by the other control plane may have taken the VM or disk out already.
        let sql = "UPDATE op_host_capacity SET used_capacity = CASE WHEN used_capacity + ? < 0 THEN 0 \
            ELSE used_capacity + ? END, update_time = ? WHERE host_id = ? AND capacity_type = ?";
        self.run(sql, args![change, change, Timestamp::now(), owner_id, kind as i64]).await?;
        Ok(())
    }

    /// [`Store::pool_allocated_bytes`], as this transaction sees it.
    ///
    /// # Errors
    /// See [`Tx::volume_transition`].
    pub async fn pool_allocated_bytes(&mut self, pool_id: i64) -> Result<i64, StoreError> {
        self.row(ALLOCATED, args![pool_id]).await?.map_or(Ok(0), |row| row.at(0))
    }

    /// [`Store::pool_incoming`], as this transaction sees it.
    ///
    /// # Errors
    /// See [`Tx::volume_transition`].
    pub async fn pool_incoming(&mut self, pool_id: i64) -> Result<Incoming, StoreError> {
        Incoming::read(self.row(&Incoming::question(), args![pool_id]).await?)
    }

    /// Moves the promised bytes of a volume from the capacity row of one pool to that of another.
    ///
    /// # Errors
    /// See [`Tx::volume_transition`].
    pub async fn pool_shift(&mut self, source: i64, target: i64, bytes: i64) -> Result<(), StoreError> {
        self.pool_release(source, bytes).await?;
        self.pool_charge(target, bytes).await
    }

    /// Promises bytes of a pool to a volume.
    ///
    /// # Errors
    /// See [`Tx::volume_transition`].
    pub async fn pool_charge(&mut self, pool_id: i64, bytes: i64) -> Result<(), StoreError> {
        // The row of a pool carries the pool's id in host_id (`contract/entities.md` 3.27).
        self.capacity_add(pool_id, CapacityKind::StorageAllocated, bytes).await
    }

    /// Takes a promise of [`Tx::pool_charge`] back.
    ///
    /// # Errors
    /// See [`Tx::volume_transition`].
    pub async fn pool_release(&mut self, pool_id: i64, bytes: i64) -> Result<(), StoreError> {
        self.pool_charge(pool_id, -bytes).await
    }
}

/// The overcommit ratios of a host's cluster.
const OVERCOMMIT: &str = "SELECT d.name, d.value FROM cluster_details d JOIN host h ON h.cluster_id = d.cluster_id \
    WHERE h.id = ? AND d.name IN ('cpuOvercommitRatio', 'memoryOvercommitRatio')";

struct Overcommit {
    cpu: f64,
    memory: f64,
}

impl Overcommit {
    fn read(rows: &[Row]) -> Result<Self, StoreError> {
        let mut ratios = Self { cpu: 1.0, memory: 1.0 };
        for row in rows {
            let value = row.get::<f64>("value").unwrap_or(1.0);
            if row.get::<String>("name")? == "cpuOvercommitRatio" { ratios.cpu = value } else { ratios.memory = value }
        }
        Ok(ratios)
    }

    fn of(&self, kind: CapacityKind) -> f64 {
        match kind {
            CapacityKind::Cpu => self.cpu,
            CapacityKind::Memory => self.memory,
            _ => f64::INFINITY,
        }
    }
}

fn needs(offering: &ServiceOffering) -> [(CapacityKind, i64); 3] {
    [
        (CapacityKind::Cpu, offering.cpus * offering.speed_mhz),
        (CapacityKind::Memory, offering.memory_mib * 1024 * 1024),
        (CapacityKind::CpuCore, offering.cpus),
    ]
}
