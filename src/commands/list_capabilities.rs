//! `listCapabilities`: what the installation offers (`contract/api-protocol.md 8.2`).

use super::{Ctx, SyncCommand};
use crate::api::{ApiError, Id, Reply};
use crate::model::entity::DomainRef;

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
        /// Whether KVM disks can be snapshotted.
        kvm_snapshot_enabled "kvmsnapshotenabled": bool,
        /// Whether the size of snapshot chains is shown.
        snapshot_show_chain_size "snapshotshowchainsize": bool,
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

/// The page size of the web UI that CloudStack ships with.
const UI_PAGE_SIZE: i64 = 20;
/// Statistics are kept for as long as CloudStack's default says.
const STATS_MINUTES: i64 = 720;

impl SyncCommand for ListCapabilities {
    async fn run(self, ctx: &Ctx) -> Result<Reply, ApiError> {
        let is_admin = ctx.caller.is_root_admin();
        Ok(Reply::one(CapabilityView {
            security_groups_enabled: false,
            dynamic_roles_enabled: true,
            cloudstack_version: Some(ctx.policy.cloudstack_version.clone()),
            user_public_template_enabled: true,
            support_elb: Some("false".to_owned()),
            project_invite_required: Some(false),
            allow_user_create_projects: Some(true),
            custom_disk_offering_min_size: Some(1),
            custom_disk_offering_max_size: Some(1024),
            region_secondary_enabled: false,
            kvm_snapshot_enabled: true,
            snapshot_show_chain_size: false,
            allow_user_view_destroyed_vm: is_admin,
            allow_user_expunge_recover_vm: is_admin,
            allow_user_expunge_recover_volume: true,
            allow_user_view_all_domain_accounts: false,
            allow_user_force_stop_vm: true,
            kubernetes_service_enabled: false,
            kubernetes_experimental_enabled: false,
            custom_hypervisor_display_name: Some("Custom".to_owned()),
            default_ui_page_size: Some(UI_PAGE_SIZE),
            instances_stats_retention_time: Some(STATS_MINUTES),
            instances_stats_user_only: Some(false),
            disks_stats_retention_enabled: Some(false),
            disks_stats_retention_time: Some(STATS_MINUTES),
            shared_fs_min_cpu_count: Some(2),
            shared_fs_min_ram_size: Some(1024),
            instance_lease_enabled: Some(false),
            dynamic_scaling_enabled: Some(false),
            additional_config_enabled: Some(false),
        }))
    }
}
