//! Migrations as lines of a table: one for each, with columns for a spreadsheet.

use bytes::Bytes;

use super::{MotionDiskView, MotionView, motions};
use crate::api::csv::{Cell, write_line};
use crate::model::Timestamp;
use crate::store::{Store, StoreError};

/// Between the values of several disks in one cell, in the order of the disks.
const BETWEEN_DISKS: &str = "; ";

/// A column: its name in the first line, and where its values come from. Times are ISO 8601 in UTC.
type Column = (&'static str, fn(&MotionView) -> Cell);

const COLUMNS: &[Column] = &[
    ("id", |motion| motion.progress.0.id.as_str().into()),
    ("jobid", |motion| motion.job_id.clone().into()),
    ("kind", |motion| motion.kind.as_str().into()),
    ("outcome", |motion| motion.progress.0.outcome.clone().into()),
    ("created", |motion| motion.created.map(Timestamp::iso).into()),
    ("started", |motion| motion.started.map(Timestamp::iso).into()),
    ("completed", |motion| motion.completed.map(Timestamp::iso).into()),
    ("duration_seconds", |motion| motion.duration.into()),
    ("bytes_total", |motion| motion.progress.0.bytes_total.into()),
    ("bytes_done", |motion| motion.progress.0.bytes_done.into()),
    ("bytes_per_second", |motion| motion.progress.0.rate.into()),
    ("virtualmachineid", |motion| motion.vm_id.clone().into()),
    ("virtualmachinename", |motion| motion.vm_name.clone().into()),
    ("instancename", |motion| motion.instance_name.clone().into()),
    ("sourcehostid", |motion| motion.source_host_id.clone().into()),
    ("sourcehostname", |motion| motion.source_host_name.clone().into()),
    ("hostid", |motion| motion.host_id.clone().into()),
    ("hostname", |motion| motion.host_name.clone().into()),
    ("volumeids", |motion| of_disks(motion, |disk| &disk.volume_id)),
    ("volumenames", |motion| of_disks(motion, |disk| &disk.volume_name)),
    ("sourcestorages", |motion| of_disks(motion, |disk| &disk.source_name)),
    ("storages", |motion| of_disks(motion, |disk| &disk.target_name)),
    ("foundstorages", |motion| of_disks(motion, |disk| &disk.found_name)),
    ("reason", |motion| motion.progress.0.reason.clone().into()),
    ("verified", |motion| motion.progress.0.verified.clone().into()),
];

fn of_disks(motion: &MotionView, field: fn(&MotionDiskView) -> &Option<String>) -> Cell {
    let values: Vec<&str> = motion.disks.iter().map(|disk| field(disk).as_deref().unwrap_or_default()).collect();
    if values.is_empty() { Cell::Empty } else { values.join(BETWEEN_DISKS).into() }
}

/// The lines of motions with these internal ids, in UTF-8, after the line with the names if that is wanted.
///
/// # Errors
/// See [`crate::store::Db::rows`].
pub async fn history_lines(store: &Store, ids: &[i64], with_names: bool) -> Result<Bytes, StoreError> {
    let mut out = Vec::new();
    if with_names {
        write_line(&COLUMNS.iter().map(|(name, _)| (*name).into()).collect::<Vec<_>>(), &mut out);
    }
    for motion in motions(store, ids).await? {
        write_line(&COLUMNS.iter().map(|(_, value)| value(&motion)).collect::<Vec<_>>(), &mut out);
    }
    Ok(out.into())
}
