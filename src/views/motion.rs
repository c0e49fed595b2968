//! The object `migration` as `listMigrations` shows it: a motion with everything that it is about. CloudStack has no such list.

use super::row::{number, text};
use super::{MigrationView, migration};
use crate::api::Group;
use crate::model::Timestamp;
use crate::store::{MotionRow, Row, Store, StoreError};

crate::response! {
    /// A disk of a motion.
    pub struct MotionDiskView as "disk" {
        /// The disk.
        volume_id "volumeid": Option<String>,
        /// Its name.
        volume_name "volumename": Option<String>,
        /// Its size in bytes.
        size: Option<i64>,
        /// The file's name at the target, without folder and extension.
        path: Option<String>,
        /// The pool that it was in.
        source_id "sourcestorageid": Option<String>,
        /// The name of that pool.
        source_name "sourcestorage": Option<String>,
        /// The pool that it was to go to.
        target_id "storageid": Option<String>,
        /// The name of that pool.
        target_name "storage": Option<String>,
        /// The pool that it was found in when the motion was over; none while nobody knows.
        found_id "foundstorageid": Option<String>,
        /// The name of that pool.
        found_name "foundstorage": Option<String>,
    }
}

crate::response! {
    /// What is being moved, or was.
    pub struct MotionView as "migration" {
        /// How far it is, and how it ended.
        progress: Group<MigrationView>,
        /// What kind of move it is.
        kind: String,
        /// The job that it belongs to.
        job_id "jobid": Option<String>,
        /// The machine.
        vm_id "virtualmachineid": Option<String>,
        /// The machine's name.
        vm_name "virtualmachinename": Option<String>,
        /// The machine's name at the hypervisor.
        instance_name "instancename": Option<String>,
        /// The host that was told to move.
        source_host_id "sourcehostid": Option<String>,
        /// The name of that host.
        source_host_name "sourcehostname": Option<String>,
        /// The host that receives the machine.
        host_id "hostid": Option<String>,
        /// The name of that host.
        host_name "hostname": Option<String>,
        /// The disks.
        disks "disk": Vec<MotionDiskView>,
        /// When it was written down.
        created: Option<Timestamp>,
        /// When the host was told.
        started: Option<Timestamp>,
        /// When it was settled.
        completed: Option<Timestamp>,
        /// Seconds between the last two.
        duration: Option<i64>,
    }
}

/// Motions with these internal ids. Only admins may call what shows them.
///
/// # Errors
/// See [`crate::store::Db::rows`].
pub async fn motions(store: &Store, ids: &[i64]) -> Result<Vec<MotionView>, StoreError> {
    let rows = store.motion_rows(ids).await?;
    let mut disks = store.motion_disk_rows(ids).await?;
    rows.iter()
        .map(|row| {
            let disks = disks.remove(&row.get("id")?).unwrap_or_default();
            motion(row, disks.iter().map(disk).collect::<Result<_, _>>()?)
        })
        .collect()
}

fn motion(row: &Row, disks: Vec<MotionDiskView>) -> Result<MotionView, StoreError> {
    let told = MotionRow::read(row)?;
    let instance_name = text(row, "instance_name")?;
    let progress = migration(&told);
    let advice = progress.advice.map(|_| crate::motion::advice(&told.uuid, instance_name.as_deref()));
    Ok(MotionView {
        kind: told.kind.clone(),
        job_id: text(row, "job_uuid")?,
        vm_id: text(row, "vm_uuid")?,
        vm_name: text(row, "vm_name")?,
        instance_name,
        source_host_id: text(row, "source_host_uuid")?,
        source_host_name: text(row, "source_host_name")?,
        host_id: text(row, "target_host_uuid")?,
        host_name: text(row, "target_host_name")?,
        disks,
        created: Some(told.created),
        started: told.sent,
        completed: told.ended,
        duration: told.duration_s(),
        progress: Group(MigrationView { advice, ..progress }),
    })
}

fn disk(row: &Row) -> Result<MotionDiskView, StoreError> {
    Ok(MotionDiskView {
        volume_id: text(row, "volume_uuid")?,
        volume_name: text(row, "volume_name")?,
        size: number(row, "size")?,
        path: text(row, "stem")?,
        source_id: text(row, "source_pool_uuid")?,
        source_name: text(row, "source_pool_name")?,
        target_id: text(row, "target_pool_uuid")?,
        target_name: text(row, "target_pool_name")?,
        found_id: text(row, "found_pool_uuid")?,
        found_name: text(row, "found_pool_name")?,
    })
}
