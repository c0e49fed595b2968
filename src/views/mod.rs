//! What clients see: the objects in answers, and how rows become them.
//!
//! One function per noun takes many internal ids and gives the views in the order of the ids; ids without a row are left
//! out. It asks the database a fixed number of questions, however many ids there are. The same functions serve lists and
//! the results of jobs. What a caller who is not root admin may not see is left out here.

mod account;
mod capabilities;
mod catalog;
mod cluster;
mod configuration;
mod domain;
mod drift;
mod event;
mod figures;
mod history;
mod host;
mod job;
mod key;
mod leftover;
mod limits;
mod management_server;
mod motion;
mod nic;
mod offering;
mod pod;
mod project;
mod project_role;
mod role;
mod row;
mod storage_pool;
mod system;
mod tag;
mod template;
mod user;
mod virtual_machine;
mod virtual_machine_view;
mod volume;
mod words;
mod zone;

pub use account::{AccountView, accounts};
pub use capabilities::{CapabilitiesChangedView, CapabilitiesView, capabilities, capabilities_changed};
pub use catalog::{CapacityView, OsCategoryView, OsTypeView, capacities, os_categories, os_types};
pub use cluster::{ClusterView, clusters};
pub use configuration::{ConfigurationView, configuration, setting_groups, setting_subgroups};
pub use domain::{DomainView, domains};
pub use drift::{DriftView, drifts};
pub use event::{AlertView, EventView, alerts, events, resource_kind};
pub use figures::{
    ClusterFiguresView, DiskFiguresView, HostFiguresView, MachineFiguresView, PoolFiguresView, ZoneFiguresView,
    cluster_figures, disk_figures, host_figures, machine_figures, pool_figures, zone_figures,
};
pub use history::history_lines;
pub use host::{HostView, hosts, hosts_with};
pub use job::{JobView, MigrationView, job, job_result, migration};
pub use key::{KeyView, NewKeyView, keys, new_key, permissions_of_key};
pub use leftover::{LeftoverView, leftovers};
pub use limits::{MachineLimitsView, StorageLimitsView};
pub use management_server::{
    ManagementServerMetricsView, ManagementServerView, ReadyForShutdownView, management_servers, ready_for_shutdown,
};
pub use motion::{MotionDiskView, MotionView, motions};
pub use nic::NicView;
pub use offering::{DiskOfferingView, ServiceOfferingView, disk_offerings, service_offerings};
pub use pod::{IpRangeView, PodView, pods};
pub use project::{ProjectOwnerView, ProjectView, projects};
pub use project_role::{ProjectRolePermissionView, ProjectRoleView, project_role_permissions, project_roles};
pub use role::{KeyPermissionView, RolePermissionView, RoleView, role_permissions, roles};
pub use storage_pool::{StoragePoolView, path_without_secrets, storage_pools};
pub use system::{RouterView, SystemVmView, routers, system_vms};
pub use tag::{TagView, tag_list};
pub use template::{TemplateView, templates};
pub use user::{UserView, users};
pub use virtual_machine::{virtual_machines, virtual_machines_with};
pub use virtual_machine_view::VirtualMachineView;
pub use volume::{VolumeView, volumes};
pub use words::{HOST_DETAILS, OWNER_DETAILS, VIRTUAL_MACHINE_DETAILS, Words, WordsError};
pub use zone::{ZoneView, zones};
