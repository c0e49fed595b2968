//! Limits and counts of resources, as accounts, domains and projects show them (`contract/entities.md 1.14`).
//!
//! Three fields for each kind: the limit and what is left of it as texts, what there is as a number. CloudStack shows them in
//! two groups that the objects have in orders of their own.

use std::collections::HashMap;

use crate::api::java_double;
use crate::store::ResourceUse;

crate::response! {
    /// Limits and counts of machines and what belongs to them.
    pub struct MachineLimitsView as "limits", Default {
        /// The most machines, or `Unlimited`.
        vm_limit "vmlimit": Option<String>,
        /// How many machines there are.
        vm_total "vmtotal": Option<i64>,
        /// How many machines there may be more, or `Unlimited`.
        vm_available "vmavailable": Option<String>,
        /// The most public addresses, or `Unlimited`.
        ip_limit "iplimit": Option<String>,
        /// How many public addresses there are.
        ip_total "iptotal": Option<i64>,
        /// How many public addresses there may be more, or `Unlimited`.
        ip_available "ipavailable": Option<String>,
        /// The most disks, or `Unlimited`.
        volume_limit "volumelimit": Option<String>,
        /// How many disks there are.
        volume_total "volumetotal": Option<i64>,
        /// How many disks there may be more, or `Unlimited`.
        volume_available "volumeavailable": Option<String>,
        /// The most snapshots of disks, or `Unlimited`.
        snapshot_limit "snapshotlimit": Option<String>,
        /// How many snapshots of disks there are.
        snapshot_total "snapshottotal": Option<i64>,
        /// How many snapshots of disks there may be more, or `Unlimited`.
        snapshot_available "snapshotavailable": Option<String>,
        /// The most backups, or `Unlimited`.
        backup_limit "backuplimit": Option<String>,
        /// How many backups there are.
        backup_total "backuptotal": Option<i64>,
        /// How many backups there may be more, or `Unlimited`.
        backup_available "backupavailable": Option<String>,
        /// The most GiB of backups, or `Unlimited`.
        backup_storage_limit "backupstoragelimit": Option<String>,
        /// How many GiB of backups there are.
        backup_storage_total "backupstoragetotal": Option<i64>,
        /// How many GiB of backups there may be more, or `Unlimited`.
        backup_storage_available "backupstorageavailable": Option<String>,
        /// The most templates, or `Unlimited`.
        template_limit "templatelimit": Option<String>,
        /// How many templates there are.
        template_total "templatetotal": Option<i64>,
        /// How many templates there may be more, or `Unlimited`.
        template_available "templateavailable": Option<String>,
    }
}

crate::response! {
    /// Limits and counts of networks, processors, memory and storage.
    pub struct StorageLimitsView as "limits", Default {
        /// The most networks, or `Unlimited`.
        network_limit "networklimit": Option<String>,
        /// How many networks there are.
        network_total "networktotal": Option<i64>,
        /// How many networks there may be more, or `Unlimited`.
        network_available "networkavailable": Option<String>,
        /// The most VPCs, or `Unlimited`.
        vpc_limit "vpclimit": Option<String>,
        /// How many VPCs there are.
        vpc_total "vpctotal": Option<i64>,
        /// How many VPCs there may be more, or `Unlimited`.
        vpc_available "vpcavailable": Option<String>,
        /// The most processors, or `Unlimited`.
        cpu_limit "cpulimit": Option<String>,
        /// How many processors there are.
        cpu_total "cputotal": Option<i64>,
        /// How many processors there may be more, or `Unlimited`.
        cpu_available "cpuavailable": Option<String>,
        /// The most MiB of memory, or `Unlimited`.
        memory_limit "memorylimit": Option<String>,
        /// How many MiB of memory there are.
        memory_total "memorytotal": Option<i64>,
        /// How many MiB of memory there may be more, or `Unlimited`.
        memory_available "memoryavailable": Option<String>,
        /// The most graphics processors, or `Unlimited`.
        gpu_limit "gpulimit": Option<String>,
        /// How many graphics processors there are.
        gpu_total "gputotal": Option<i64>,
        /// How many graphics processors there may be more, or `Unlimited`.
        gpu_available "gpuavailable": Option<String>,
        /// The most GiB of disks, or `Unlimited`.
        primary_storage_limit "primarystoragelimit": Option<String>,
        /// How many GiB of disks there are.
        primary_storage_total "primarystoragetotal": Option<i64>,
        /// How many GiB of disks there may be more, or `Unlimited`.
        primary_storage_available "primarystorageavailable": Option<String>,
        /// The most GiB of images, or `Unlimited`.
        secondary_storage_limit "secondarystoragelimit": Option<String>,
        /// How many GiB of images there are.
        secondary_storage_total "secondarystoragetotal": f64,
        /// How many GiB of images there may be more, or `Unlimited`.
        secondary_storage_available "secondarystorageavailable": Option<String>,
        /// The most buckets, or `Unlimited`.
        bucket_limit "bucketlimit": Option<String>,
        /// How many buckets there are.
        bucket_total "buckettotal": Option<i64>,
        /// How many buckets there may be more, or `Unlimited`.
        bucket_available "bucketavailable": Option<String>,
        /// The most GiB of objects, or `Unlimited`.
        object_storage_limit "objectstoragelimit": Option<String>,
        /// How many GiB of objects there are.
        object_storage_total "objectstoragetotal": Option<i64>,
        /// How many GiB of objects there may be more, or `Unlimited`.
        object_storage_available "objectstorageavailable": Option<String>,
    }
}

/// Bytes of a GiB. CloudStack shows storage in GiB and keeps it in bytes.
const GIB: i64 = 1 << 30;

/// Kinds of resources that are kept in bytes.
const IN_BYTES: [&str; 4] = ["primary_storage", "secondary_storage", "backup_storage", "object_storage"];

/// The limits of an account for which nothing is set: CloudStack's word, the end of the setting's name, its default. Storage
/// in GiB, memory in MiB.
const DEFAULTS: [(&str, &str, i64); 17] = [
    ("user_vm", "user.vms", 20),
    ("public_ip", "public.ips", 20),
    ("volume", "volumes", 20),
    ("snapshot", "snapshots", 20),
    ("template", "templates", 20),
    ("project", "projects", 10),
    ("network", "networks", 20),
    ("vpc", "vpcs", 20),
    ("cpu", "cpus", 40),
    ("memory", "memory", 40960),
    ("primary_storage", "primary.storage", 200),
    ("secondary_storage", "secondary.storage", 400),
    ("backup", "backups", 20),
    ("backup_storage", "backup.storage", 400),
    ("bucket", "buckets", 20),
    ("object_storage", "object.storage", 400),
    ("gpu", "gpus", 20),
];

/// The names of the settings with the limits of accounts (`account`) or projects (`project`).
pub(super) fn settings(owner: &str) -> Vec<String> {
    DEFAULTS.iter().map(|(_, end, _)| format!("max.{owner}.{end}")).collect()
}

/// What an owner may have of everything.
pub(super) enum Limits<'a> {
    /// As much as it likes: administrators.
    Unlimited,
    /// What is set for it, else no limit: domains.
    Own,
    /// What is set for it, else what these settings of this kind of owner say: accounts and projects.
    Settings(&'a str, &'a HashMap<String, String>),
}

/// Limit, count and rest of one kind of resource.
struct Line {
    /// None is no limit.
    limit: Option<i64>,
    total: i64,
}

impl Line {
    fn limit(&self) -> String {
        self.limit.map_or_else(unlimited, |limit| limit.to_string())
    }

    fn available(&self) -> String {
        self.limit.map_or_else(unlimited, |limit| (limit - self.total).to_string())
    }
}

fn unlimited() -> String {
    "Unlimited".to_owned()
}

impl Limits<'_> {
    fn line(&self, word: &str, used: &ResourceUse) -> Line {
        let unit = if IN_BYTES.contains(&word) { GIB } else { 1 };
        let own = used.limits.get(word).map(|limit| if *limit < 0 { -1 } else { limit / unit });
        let limit = match self {
            Self::Unlimited => -1,
            Self::Own => own.unwrap_or(-1),
            Self::Settings(owner, values) => own.unwrap_or_else(|| {
                let known = DEFAULTS.iter().find(|(known, _, _)| *known == word);
                known.map_or(-1, |(_, end, default)| {
                    let set = values.get(&format!("max.{owner}.{end}"));
                    set.and_then(|text| text.trim().parse().ok()).unwrap_or(*default)
                })
            }),
        };
        Line { limit: (limit >= 0).then_some(limit), total: used.counts.get(word).copied().unwrap_or_default() / unit }
    }

    /// The three fields of projects that an owner has.
    pub(super) fn projects(&self, used: &ResourceUse) -> (String, i64, String) {
        let line = self.line("project", used);
        (line.limit(), line.total, line.available())
    }

    /// The group that begins with machines.
    pub(super) fn machines(&self, used: &ResourceUse) -> MachineLimitsView {
        let mut view = MachineLimitsView::default();
        for (word, limit, total, available) in [
            ("user_vm", &mut view.vm_limit, &mut view.vm_total, &mut view.vm_available),
            ("public_ip", &mut view.ip_limit, &mut view.ip_total, &mut view.ip_available),
            ("volume", &mut view.volume_limit, &mut view.volume_total, &mut view.volume_available),
            ("snapshot", &mut view.snapshot_limit, &mut view.snapshot_total, &mut view.snapshot_available),
            ("backup", &mut view.backup_limit, &mut view.backup_total, &mut view.backup_available),
            (
                "backup_storage",
                &mut view.backup_storage_limit,
                &mut view.backup_storage_total,
                &mut view.backup_storage_available,
            ),
            ("template", &mut view.template_limit, &mut view.template_total, &mut view.template_available),
        ] {
            let line = self.line(word, used);
            *limit = Some(line.limit());
            *total = Some(line.total);
            *available = Some(line.available());
        }
        // There are no public addresses here, so none is left of any limit.
        if view.ip_available.as_deref() != Some("Unlimited") {
            view.ip_available = Some("0".to_owned());
        }
        view
    }

    /// The group that begins with networks.
    pub(super) fn storage(&self, used: &ResourceUse) -> StorageLimitsView {
        let mut view = StorageLimitsView::default();
        for (word, limit, total, available) in [
            ("network", &mut view.network_limit, &mut view.network_total, &mut view.network_available),
            ("vpc", &mut view.vpc_limit, &mut view.vpc_total, &mut view.vpc_available),
            ("cpu", &mut view.cpu_limit, &mut view.cpu_total, &mut view.cpu_available),
            ("memory", &mut view.memory_limit, &mut view.memory_total, &mut view.memory_available),
            ("gpu", &mut view.gpu_limit, &mut view.gpu_total, &mut view.gpu_available),
            (
                "primary_storage",
                &mut view.primary_storage_limit,
                &mut view.primary_storage_total,
                &mut view.primary_storage_available,
            ),
            ("bucket", &mut view.bucket_limit, &mut view.bucket_total, &mut view.bucket_available),
            (
                "object_storage",
                &mut view.object_storage_limit,
                &mut view.object_storage_total,
                &mut view.object_storage_available,
            ),
        ] {
            let line = self.line(word, used);
            *limit = Some(line.limit());
            *total = Some(line.total);
            *available = Some(line.available());
        }
        let line = self.line("secondary_storage", used);
        let bytes = used.counts.get("secondary_storage").copied().unwrap_or_default();
        view.secondary_storage_total = bytes as f64 / GIB as f64;
        view.secondary_storage_limit = Some(line.limit());
        let left = |limit: i64| java_double(limit as f64 - view.secondary_storage_total);
        view.secondary_storage_available = Some(line.limit.map_or_else(unlimited, left));
        view
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_limits_come_first_and_storage_is_in_gib() {
        let used = ResourceUse {
            limits: [("user_vm".to_owned(), 3), ("volume".to_owned(), -1), ("primary_storage".to_owned(), 50 * GIB)]
                .into(),
            counts: [("user_vm".to_owned(), 1), ("primary_storage".to_owned(), 7 * GIB + 5)].into(),
        };
        let settings = HashMap::from([("max.account.cpus".to_owned(), "8".to_owned())]);
        let limits = Limits::Settings("account", &settings);
        let (machines, storage) = (limits.machines(&used), limits.storage(&used));
        assert_eq!((machines.vm_limit.as_deref(), machines.vm_available.as_deref()), (Some("3"), Some("2")));
        assert_eq!(machines.volume_limit.as_deref(), Some("Unlimited"));
        assert_eq!(machines.ip_available.as_deref(), Some("0"));
        assert_eq!((storage.cpu_limit.as_deref(), storage.memory_limit.as_deref()), (Some("8"), Some("40960")));
        assert_eq!(
            (storage.primary_storage_total, storage.primary_storage_available.as_deref()),
            (Some(7), Some("43"))
        );
        assert_eq!(storage.secondary_storage_available.as_deref(), Some("400.0"));
        assert_eq!(Limits::Unlimited.machines(&used).vm_limit.as_deref(), Some("Unlimited"));
        assert_eq!(Limits::Own.machines(&used).vm_limit.as_deref(), Some("3"));
        assert_eq!(Limits::Own.projects(&used).0, "Unlimited");
    }
}
