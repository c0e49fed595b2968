//! `listCapabilities`: what the installation offers (`contract/api-protocol.md 8.2`).

use std::collections::HashMap;

use super::filters::Domain;
use super::{Ctx, SyncCommand};
use crate::api::{ApiError, Id, Reply};
use crate::model::entity::DomainRef;
use crate::model::signed;

crate::command! {
    /// Tells what this installation offers and how it is set up, so that a client can adapt to it.
    pub struct ListCapabilities {
        /// The domain whose settings count. Without it the caller's own.
        domain_id "domainid": Option<Id<DomainRef>> [since("4.23.0")],
    }
    name "listCapabilities", kind Sync, http Get, response CapabilityView,
    roles [Admin, ResourceAdmin, DomainAdmin, User],
    java "org.apache.cloudstack.api.command.user.config.ListCapabilitiesCmd"
}

crate::response! {
    /// What this installation offers.
    pub struct CapabilityView as "capability" {
        /// Whether any zone has security groups.
        security_groups_enabled "securitygroupsenabled": bool,
        /// Whether rights are decided by roles in the database.
        dynamic_roles_enabled "dynamicrolesenabled": bool,
        /// The CloudStack version whose API is spoken.
        cloudstack_version "cloudstackversion": Option<String>,
        /// Whether users may publish templates.
        user_public_template_enabled "userpublictemplateenabled": bool,
        /// The kind of network that offers elastic load balancing, or `false`.
        support_elb "supportELB": Option<String>,
        /// Whether people must be invited into a project.
        project_invite_required "projectinviterequired": Option<bool>,
        /// Whether users may make projects.
        allow_user_create_projects "allowusercreateprojects": Option<bool>,
        /// The smallest disk of free choice, in GiB.
        custom_disk_offering_min_size "customdiskofferingminsize": Option<i64>,
        /// The largest disk of free choice, in GiB.
        custom_disk_offering_max_size "customdiskofferingmaxsize": Option<i64>,
        /// Whether secondary storage spans regions.
        region_secondary_enabled "regionsecondaryenabled": bool,
        /// The length of the window in which calls are counted, in seconds; only where they are.
        api_limit_interval "apilimitinterval": Option<i64>,
        /// Whether KVM disks can be snapshotted.
        kvm_snapshot_enabled "kvmsnapshotenabled": bool,
        /// Whether the size of snapshot chains is shown.
        snapshot_show_chain_size "snapshotshowchainsize": bool,
        /// How many calls an account may make in that window; only where they are counted.
        api_limit_max "apilimitmax": Option<i64>,
        /// Whether the caller sees destroyed machines.
        allow_user_view_destroyed_vm "allowuserviewdestroyedvm": bool,
        /// Whether the caller may expunge and recover machines.
        allow_user_expunge_recover_vm "allowuserexpungerecovervm": bool,
        /// Whether the caller may expunge and recover volumes.
        allow_user_expunge_recover_volume "allowuserexpungerecovervolume": bool,
        /// Whether users see all accounts of their domain.
        allow_user_view_all_domain_accounts "allowuserviewalldomainaccounts": bool,
        /// Whether the caller may stop machines by force.
        allow_user_force_stop_vm "allowuserforcestopvm": bool,
        /// Whether Kubernetes clusters are served.
        kubernetes_service_enabled "kubernetesserviceenabled": bool,
        /// Whether experimental features of Kubernetes clusters are on.
        kubernetes_experimental_enabled "kubernetesclusterexperimentalfeaturesenabled": bool,
        /// What the hypervisor type "Custom" is called.
        custom_hypervisor_display_name "customhypervisordisplayname": Option<String>,
        /// How many entries a page of the web UI has.
        default_ui_page_size "defaultuipagesize": Option<i64>,
        /// How long statistics of machines are kept, in minutes.
        instances_stats_retention_time "instancesstatsretentiontime": Option<i64>,
        /// Whether statistics are kept for user machines only.
        instances_stats_user_only "instancesstatsuseronly": Option<bool>,
        /// Whether statistics of disks are kept.
        disks_stats_retention_enabled "instancesdisksstatsretentionenabled": Option<bool>,
        /// How long statistics of disks are kept, in minutes.
        disks_stats_retention_time "instancesdisksstatsretentiontime": Option<i64>,
        /// The fewest processors of a machine that serves a shared file system.
        shared_fs_min_cpu_count "sharedfsvmmincpucount": Option<i64>,
        /// The least memory of a machine that serves a shared file system, in MiB.
        shared_fs_min_ram_size "sharedfsvmminramsize": Option<i64>,
        /// Whether machines can be leased for a time.
        instance_lease_enabled "instanceleaseenabled": Option<bool>,
        /// Whether running machines can be resized.
        dynamic_scaling_enabled "dynamicscalingenabled": Option<bool>,
        /// Whether machines take additional settings.
        additional_config_enabled "additionalconfigenabled": Option<bool>,
    }
}

/// The setting that a domain may have of its own.
const VIEW_ALL_ACCOUNTS: &str = "allow.user.view.all.domain.accounts";

/// The settings of CloudStack that the answer shows, with what it ships with: the answer of a database without a row.
const SHOWN: &[(&str, &str)] = &[
    ("allow.public.user.templates", "true"),
    ("allow.user.create.projects", "true"),
    ("allow.user.expunge.recover.vm", "false"),
    ("allow.user.expunge.recover.volume", "true"),
    ("allow.user.force.stop.vm", "true"),
    (VIEW_ALL_ACCOUNTS, "false"),
    ("allow.user.view.destroyed.vm", "false"),
    ("custom.diskoffering.size.max", "1024"),
    ("custom.diskoffering.size.min", "1"),
    ("default.ui.page.size", "20"),
    ("enable.additional.vm.configuration", "false"),
    ("enable.dynamic.scale.vm", "false"),
    ("expose.cloudstack.version.api.list.capabilities", "true"),
    ("hypervisor.custom.display.name", "Custom"),
    ("instance.lease.enabled", "false"),
    ("kvm.snapshot.enabled", "false"),
    ("project.invite.required", "false"),
    ("sharedfsvm.min.cpu.count", "2"),
    ("sharedfsvm.min.ram.size", "1024"),
    ("snapshot.show.chain.size", "false"),
    ("vm.disk.stats.max.retention.time", "720"),
    ("vm.disk.stats.retention.enabled", "false"),
    ("vm.stats.max.retention.time", "720"),
    ("vm.stats.user.vm.only", "false"),
];

/// The values of the settings in [`SHOWN`].
struct Shown(HashMap<String, String>);

impl Shown {
    fn text(&self, name: &str) -> &str {
        let shipped = || SHOWN.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| *value);
        self.0.get(name).map_or_else(shipped, String::as_str)
    }

    fn switch(&self, name: &str) -> bool {
        self.text(name).trim().eq_ignore_ascii_case("true")
    }

    fn number(&self, name: &str) -> Option<i64> {
        self.text(name).trim().parse().ok()
    }
}

impl SyncCommand for ListCapabilities {
    async fn run(self, ctx: &Ctx) -> Result<Reply, ApiError> {
        let domain_id = match self.domain_id {
            Some(id) => Domain::open(ctx, id.number()).await?.id,
            None => ctx.caller.domain_id,
        };
        let names: Vec<_> = SHOWN.iter().map(|(name, _)| *name).collect();
        let mut shown = Shown(ctx.store.settings(&names).await?);
        shown.0.extend(ctx.store.settings_of_domain(domain_id, &[VIEW_ALL_ACCOUNTS]).await?);
        let security_groups_enabled = ctx.store.security_groups_in_use().await?;
        let is_admin = ctx.caller.is_root_admin() || ctx.caller.is_domain_admin();
        let throttle = Some(ctx.policy.throttle).filter(|throttle| throttle.enabled);
        let shows_version = shown.switch("expose.cloudstack.version.api.list.capabilities");
        Ok(Reply::one(CapabilityView {
            security_groups_enabled,
            dynamic_roles_enabled: true,
            cloudstack_version: shows_version.then(|| ctx.policy.cloudstack_version.clone()),
            user_public_template_enabled: shown.switch("allow.public.user.templates"),
            support_elb: Some("false".to_owned()),
            project_invite_required: Some(shown.switch("project.invite.required")),
            allow_user_create_projects: Some(shown.switch("allow.user.create.projects")),
            custom_disk_offering_min_size: shown.number("custom.diskoffering.size.min"),
            custom_disk_offering_max_size: shown.number("custom.diskoffering.size.max"),
            region_secondary_enabled: false,
            api_limit_interval: throttle.map(|throttle| signed(throttle.interval.as_secs())),
            kvm_snapshot_enabled: shown.switch("kvm.snapshot.enabled"),
            snapshot_show_chain_size: shown.switch("snapshot.show.chain.size"),
            api_limit_max: throttle.map(|throttle| throttle.max.into()),
            allow_user_view_destroyed_vm: is_admin || shown.switch("allow.user.view.destroyed.vm"),
            allow_user_expunge_recover_vm: is_admin || shown.switch("allow.user.expunge.recover.vm"),
            allow_user_expunge_recover_volume: is_admin || shown.switch("allow.user.expunge.recover.volume"),
            allow_user_view_all_domain_accounts: shown.switch(VIEW_ALL_ACCOUNTS),
            allow_user_force_stop_vm: is_admin || shown.switch("allow.user.force.stop.vm"),
            kubernetes_service_enabled: false,
            kubernetes_experimental_enabled: false,
            custom_hypervisor_display_name: Some(shown.text("hypervisor.custom.display.name").to_owned()),
            default_ui_page_size: shown.number("default.ui.page.size"),
            instances_stats_retention_time: shown.number("vm.stats.max.retention.time"),
            instances_stats_user_only: Some(shown.switch("vm.stats.user.vm.only")),
            disks_stats_retention_enabled: Some(shown.switch("vm.disk.stats.retention.enabled")),
            disks_stats_retention_time: shown.number("vm.disk.stats.max.retention.time"),
            shared_fs_min_cpu_count: shown.number("sharedfsvm.min.cpu.count"),
            shared_fs_min_ram_size: shown.number("sharedfsvm.min.ram.size"),
            instance_lease_enabled: Some(shown.switch("instance.lease.enabled")),
            dynamic_scaling_enabled: Some(shown.switch("enable.dynamic.scale.vm")),
            additional_config_enabled: Some(shown.switch("enable.additional.vm.configuration")),
        }))
    }
}
