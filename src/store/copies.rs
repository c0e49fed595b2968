//! The second row of a cold move, and the exchange of public ids at its end (`contract/migration.md` 3.5).

use super::{ResourceKind, Store, StoreError, Tx, VolumePlace};
use crate::args;
use crate::model::{Timestamp, Volume};

/// The columns of a copy's row, and where each comes from: a value that is given, or the original's column.
const COPIED: [(&str, &str); 36] = [
    ("account_id", "account_id"),
    ("domain_id", "domain_id"),
    ("pool_id", "?"),
    ("last_pool_id", "pool_id"),
    ("instance_id", "NULL"),
    ("device_id", "device_id"),
    ("name", "name"),
    ("uuid", "?"),
    ("size", "size"),
    ("folder", "?"),
    ("path", "NULL"),
    ("pod_id", "?"),
    ("data_center_id", "data_center_id"),
    ("iscsi_name", "iscsi_name"),
    ("volume_type", "volume_type"),
    ("pool_type", "?"),
    ("disk_offering_id", "disk_offering_id"),
    ("template_id", "template_id"),
    ("recreatable", "recreatable"),
    ("created", "?"),
    ("attached", "attached"),
    ("updated", "?"),
    ("state", "'Allocated'"),
    ("update_count", "0"),
    ("display_volume", "display_volume"),
    ("format", "format"),
    ("min_iops", "min_iops"),
    ("max_iops", "max_iops"),
    ("hv_ss_reserve", "hv_ss_reserve"),
    ("provisioning_type", "provisioning_type"),
    ("passphrase_id", "passphrase_id"),
    ("encrypt_format", "encrypt_format"),
    ("delete_protection", "delete_protection"),
    ("last_id", "id"),
    ("kms_key_id", "kms_key_id"),
    ("kms_wrapped_key_id", "kms_wrapped_key_id"),
];

impl Store {
    /// The row that a volume has since a cold move, by the number of the one that it had before; none of a row that is its
    /// volume's still.
    ///
    /// # Errors
    /// See [`super::Db::rows`].
    pub async fn volume_since_copy(&self, id: i64) -> Result<Option<i64>, StoreError> {
        let sql = "SELECT d.copy_volume_id FROM motion_disk d JOIN volumes v ON v.id = d.volume_id \
            WHERE d.volume_id = ? AND v.uuid IS NULL AND d.copy_volume_id IS NOT NULL ORDER BY d.id DESC LIMIT 1";
        self.db().row(sql, args![id]).await?.map(|row| row.at(0)).transpose()
    }
}

impl Tx {
    /// Writes the row of the copy: everything of the original but its place, its VM and its public id.
    ///
    /// `place.path` is the file that will be made; the row shows no path until it is there.
    ///
    /// # Errors
    /// See [`super::Db::rows`]; the same holds for all functions of this file.
    pub async fn volume_copy_insert(
        &mut self,
        original: &Volume,
        uuid: &str,
        place: &VolumePlace,
    ) -> Result<i64, StoreError> {
        // What an older CloudStack has no column for is left out (`Schema::has`).
        let copied: Vec<(&str, &str)> =
            COPIED.into_iter().filter(|(column, _)| self.schema().has("volumes", column)).collect();
        let columns = copied.iter().map(|(column, _)| *column).collect::<Vec<_>>().join(", ");
        let values = copied.iter().map(|(_, value)| *value).collect::<Vec<_>>().join(", ");
        let sql = format!("INSERT INTO volumes ({columns}) SELECT {values} FROM volumes WHERE id = ?");
        let now = Timestamp::now();
        let args = args![place.pool_id, uuid, &place.folder, place.pod_id, &place.pool_type, now, now, original.id];
        Ok(self.run(&sql, args).await?.id)
    }

    /// Gives the copy the original's public id and VM, and takes both from the original.
    ///
    /// # Errors
    /// See [`Tx::volume_copy_insert`].
    pub async fn volume_exchange(&mut self, original: &Volume, copy_id: i64, path: &str) -> Result<(), StoreError> {
        // The public id is unique: it has to be let go before it can be given.
        let release = "UPDATE volumes SET uuid = NULL, instance_id = NULL, device_id = NULL, attached = NULL, \
            volume_type = 'DATADISK' WHERE id = ?";
        self.exactly_one(release, args![original.id], || format!("volume {}", original.name)).await?;
        let give = "UPDATE volumes SET uuid = ?, instance_id = ?, path = ? WHERE id = ?";
        let args = args![original.uuid.clone(), original.vm_id, path, copy_id];
        self.exactly_one(give, args, || format!("copy of volume {}", original.name)).await?;
        let tables = ["volume_details", "snapshots"];
        for table in tables {
            let sql = format!("UPDATE {table} SET volume_id = ? WHERE volume_id = ?");
            self.run(&sql, args![copy_id, original.id]).await?;
        }
        let tags = "UPDATE resource_tags SET resource_id = ? WHERE resource_type = ? AND resource_id = ?";
        self.run(tags, args![copy_id, ResourceKind::Volume.tag_word(), original.id]).await?;
        Ok(())
    }

    /// Notes when a row was removed.
    ///
    /// # Errors
    /// See [`Tx::volume_copy_insert`].
    pub async fn volume_removed(&mut self, volume_id: i64) -> Result<(), StoreError> {
        self.run("UPDATE volumes SET removed = ? WHERE id = ?", args![Timestamp::now(), volume_id]).await?;
        Ok(())
    }

    /// The volume with the internal id, as this transaction sees it.
    ///
    /// # Errors
    /// See [`Tx::volume_copy_insert`].
    pub async fn volume_in(&mut self, id: i64) -> Result<Option<Volume>, StoreError> {
        let sql = format!("{} WHERE id = ?", super::inventory::VOLUME);
        self.row(&sql, args![id]).await?.as_ref().map(super::inventory::volume).transpose()
    }
}
