//! `createDiskOffering` (`contract/entities.md 2.6, 3.17`).

use super::audit::{Deed, watched};
use super::estate_words::{restrictions, said, trimmed};
use super::{Ctx, InstanceType, SyncCommand};
use crate::api::{ApiError, Id, Reply};
use crate::model::entity::{DomainRef, ZoneRef};
use crate::store::{NewDiskOffering, transact};
use crate::views::{self, DiskOfferingView};

crate::params! {
    /// How fast disks are, at most.
    pub struct DiskRates {
        /// Bytes read in a second.
        bytes_read_rate "bytesreadrate": Option<i64>,
        /// Bytes read in a second for a while.
        bytes_read_rate_max "bytesreadratemax": Option<i64>,
        /// How many seconds that while is.
        bytes_read_rate_max_length "bytesreadratemaxlength": Option<i64>,
        /// Bytes written in a second.
        bytes_write_rate "byteswriterate": Option<i64>,
        /// Bytes written in a second for a while.
        bytes_write_rate_max "byteswriteratemax": Option<i64>,
        /// How many seconds that while is.
        bytes_write_rate_max_length "byteswriteratemaxlength": Option<i64>,
        /// Reads in a second.
        iops_read_rate "iopsreadrate": Option<i64>,
        /// Reads in a second for a while.
        iops_read_rate_max "iopsreadratemax": Option<i64>,
        /// How many seconds that while is.
        iops_read_rate_max_length "iopsreadratemaxlength": Option<i64>,
        /// Writes in a second.
        iops_write_rate "iopswriterate": Option<i64>,
        /// Writes in a second for a while.
        iops_write_rate_max "iopswriteratemax": Option<i64>,
        /// How many seconds that while is.
        iops_write_rate_max_length "iopswriteratemaxlength": Option<i64>,
        /// The least speed, in operations a second.
        min_iops "miniops": Option<i64>,
        /// The most.
        max_iops "maxiops": Option<i64>,
        /// How much of a pool's space is kept for snapshots, in percent.
        snapshot_reserve "hypervisorsnapshotreserve": Option<i32>,
    }
}

crate::command! {
    /// Makes an offering for data disks.
    pub struct CreateDiskOffering {
        /// `none`, `writeback` or `writethrough`.
        cache_mode "cachemode": Option<String> [since("4.14")],
        /// Whether the size is chosen with the disk.
        customized: Option<bool>,
        /// Whether the speed is chosen with the disk.
        customized_iops "customizediops": Option<bool>,
        /// The size in GiB. Not for one that is chosen with the disk.
        disk_size "disksize": Option<i64>,
        /// Whether a disk keeps the size it was given.
        disk_size_strictness "disksizestrictness": Option<bool> [since("4.17")],
        /// Whether users see it; they do without a word.
        display_offering "displayoffering": Option<bool>,
        /// A text about it; its name without one.
        display_text "displaytext": Option<String> [length(4096)],
        /// The domains that it is for; all of them without any.
        domain_ids "domainid": Option<Vec<Id<DomainRef>>>,
        /// Whether disks are encrypted. Hyper-V hosts cannot.
        encrypt: Option<bool> [since("4.18")],
        /// Its name.
        name: String [java("offeringName")],
        /// `thin`, which it is without a word, `sparse` or `fat`.
        provisioning_type "provisioningtype": Option<String>,
        /// How fast disks are.
        rates: DiskRates,
        /// `shared`, which it is without a word, or `local`.
        storage_type "storagetype": Option<String>,
        /// Tags that a pool must have, separated by commas.
        tags: Option<String> [length(4096)],
        /// The zones that it is for; all of them without any.
        zone_ids "zoneid": Option<Vec<Id<ZoneRef>>> [since("4.13")],
    }
    name "createDiskOffering", kind Sync, http Post, response DiskOfferingView, roles [Admin],
    java "org.apache.cloudstack.api.command.admin.offering.CreateDiskOfferingCmd"
}

const GIB: i64 = 1 << 30;
/// The largest disk of the image formats, GiB.
const LARGEST_GIB: i64 = 64 << 10;

impl SyncCommand for CreateDiskOffering {
    async fn run(self, ctx: &Ctx) -> Result<Reply, ApiError> {
        ctx.estate.is_ours()?;
        let deed = Deed::new("DISK.OFFERING.CREATE", "creating disk offering");
        let made = watched(ctx, std::slice::from_ref(&deed), self.make(ctx, &deed).await).await?;
        let views = views::disk_offerings(&ctx.store, &[made]).await?;
        let failed = || ApiError::command_failed("Failed to create disk offering");
        Ok(Reply::one(views.into_iter().next().ok_or_else(failed)?))
    }
}

impl CreateDiskOffering {
    async fn make(&self, ctx: &Ctx, deed: &Deed) -> Result<i64, ApiError> {
        let offering = self.checked(ctx).await?;
        let deed = Deed::new(deed.kind, format!("{}. Disk offering ID: {}", deed.text, offering.uuid));
        let id = transact!(ctx.store, ApiError, |tx| {
            let id = tx.disk_offering_insert(&offering).await?;
            deed.done(tx, ctx, (InstanceType::DiskOffering, id)).await?;
            Ok(id)
        })?;
        Ok(id)
    }

    async fn checked(&self, ctx: &Ctx) -> Result<NewDiskOffering, ApiError> {
        let customized = self.customized == Some(true);
        let size_bytes = match (customized, self.disk_size) {
            (false, None) => return refuse("Disksize is required for a non-customized disk offering"),
            (true, Some(_)) => return refuse("Disksize is not allowed for a customized disk offering"),
            (true, None) => 0,
            (false, Some(gib)) if (1..=LARGEST_GIB).contains(&gib) => gib * GIB,
            (false, Some(_)) => {
                return refuse(&format!("Please specify a valid Disk Offering Size between 1 and {LARGEST_GIB} GB"));
            }
        };
        Ok(NewDiskOffering {
            uuid: uuid::Uuid::new_v4().to_string(),
            name: self.name.clone(),
            display_text: said(self.display_text.as_ref()).unwrap_or_else(|| self.name.clone()),
            size_bytes,
            customized,
            tags: storage_tags(self.tags.as_ref()),
            local: is_local(self.storage_type.as_ref())?,
            provisioning_type: provisioning_type(self.provisioning_type.as_ref())?,
            display: self.display_offering != Some(false),
            size_strictness: self.disk_size_strictness == Some(true),
            encrypt: self.encrypt == Some(true),
            cache_mode: cache_mode(self.cache_mode.as_ref())?,
            customized_iops: self.customized_iops,
            rates: self.rates.columns(self.customized_iops == Some(true))?,
            compute_only: false,
            restrictions: restrictions(ctx, self.domain_ids.as_ref(), self.zone_ids.as_ref()).await?,
        })
    }
}

fn refuse<T>(text: &str) -> Result<T, ApiError> {
    Err(ApiError::invalid_parameter(text))
}

/// Tags of storage as their column holds them.
pub(super) fn storage_tags(text: Option<&String>) -> Option<String> {
    let words: Vec<String> = text.iter().flat_map(|text| text.split(',')).map(str::to_owned).collect();
    Some(trimmed(&words).join(",")).filter(|text| !text.is_empty())
}

/// Whether disks are in hosts' own folders.
///
/// # Errors
/// 431 for a word that is neither `local` nor `shared`.
pub(super) fn is_local(word: Option<&String>) -> Result<bool, ApiError> {
    match said(word).as_deref().map(str::to_ascii_lowercase).as_deref() {
        None | Some("shared") => Ok(false),
        Some("local") => Ok(true),
        Some(_) => refuse(&format!(
            "Invalid storage type {} specified, valid types are: 'local' and 'shared'",
            word.map_or("", String::as_str)
        )),
    }
}

/// How space is given to a disk.
///
/// # Errors
/// 431 for an unknown word.
pub(super) fn provisioning_type(word: Option<&String>) -> Result<&'static str, ApiError> {
    let Some(word) = said(word) else { return Ok("thin") };
    let known = ["thin", "sparse", "fat"].into_iter().find(|known| known.eq_ignore_ascii_case(&word));
    known.ok_or_else(|| {
        ApiError::invalid_parameter(format!("Invalid provisioning type {word}: say thin, sparse or fat"))
    })
}

/// How the hypervisor caches.
///
/// # Errors
/// 431 for an unknown word.
pub(super) fn cache_mode(word: Option<&String>) -> Result<Option<&'static str>, ApiError> {
    let Some(word) = said(word) else { return Ok(None) };
    let known = ["none", "writeback", "writethrough", "hypervisor_default"];
    let found = known.into_iter().find(|known| known.eq_ignore_ascii_case(&word));
    found.map(Some).ok_or_else(|| {
        ApiError::invalid_parameter(format!(
            "Invalid cache mode ({word}). Please specify one of the valid cache modes: {}",
            known.join(", ")
        ))
    })
}

impl DiskRates {
    /// Columns with their values.
    ///
    /// # Errors
    /// 431 for what is below 0 and for speeds that contradict each other.
    pub(super) fn columns(&self, chosen_with_disk: bool) -> Result<Vec<(&'static str, i64)>, ApiError> {
        if chosen_with_disk && (self.min_iops.is_some() || self.max_iops.is_some()) {
            return refuse("miniops and maxiops are not allowed where the speed is chosen with the disk");
        }
        let (least, most) = (self.min_iops.unwrap_or_default(), self.max_iops.unwrap_or(i64::MAX));
        if least > most {
            return refuse("The min Iops must be less than or equal to the max Iops.");
        }
        let all = [
            ("bytes_read_rate", self.bytes_read_rate),
            ("bytes_read_rate_max", self.bytes_read_rate_max),
            ("bytes_read_rate_max_length", self.bytes_read_rate_max_length),
            ("bytes_write_rate", self.bytes_write_rate),
            ("bytes_write_rate_max", self.bytes_write_rate_max),
            ("bytes_write_rate_max_length", self.bytes_write_rate_max_length),
            ("iops_read_rate", self.iops_read_rate),
            ("iops_read_rate_max", self.iops_read_rate_max),
            ("iops_read_rate_max_length", self.iops_read_rate_max_length),
            ("iops_write_rate", self.iops_write_rate),
            ("iops_write_rate_max", self.iops_write_rate_max),
            ("iops_write_rate_max_length", self.iops_write_rate_max_length),
            ("min_iops", self.min_iops),
            ("max_iops", self.max_iops),
            ("hv_ss_reserve", self.snapshot_reserve.map(i64::from)),
        ];
        let given: Vec<_> = all.into_iter().filter_map(|(column, rate)| Some((column, rate?))).collect();
        match given.iter().find(|(_, rate)| *rate < 0) {
            Some((column, rate)) => refuse(&format!("{} cannot be {rate}", column.replace('_', ""))),
            None => Ok(given),
        }
    }
}
