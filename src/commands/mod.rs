//! What the gateway can do. One file per command, one line in [`COMMANDS`].
//!
//! A command declares itself with [`crate::command!`] and implements [`SyncCommand`] or [`AsyncCommand`].

use std::collections::HashMap;
use std::future::Future;
use std::ops::Deref;
use std::sync::{Arc, LazyLock};

use crate::api::{ApiError, Args, Command, Ids, Input, Node, Reply, openapi};
use crate::auth::Caller;
use crate::auth::limit::CallCounter;
use crate::estate::Estate;
use crate::feed::Feed;
use crate::jobs::Place;
use crate::model::SYSTEM_USER;
use crate::model::entity::EntityKind;
use crate::motion::{Motion, Mover};
use crate::store::{Store, transact};

pub mod add_cluster;
pub mod add_host;
pub mod adopt_host;
pub mod archive_alerts;
pub mod archive_events;
mod audit;
pub mod cancel_host_maintenance;
pub mod cancel_migration;
pub mod cancel_storage_maintenance;
pub mod cloudian_is_enabled;
pub mod create_account;
pub mod create_disk_offering;
pub mod create_pod;
pub mod create_service_offering;
pub mod create_storage_pool;
pub mod create_user;
pub mod create_zone;
pub mod delete_alerts;
pub mod delete_cluster;
pub mod delete_events;
pub mod delete_host;
pub mod delete_storage_pool;
pub mod delete_user_keys;
pub mod disable_account;
pub mod disable_user;
mod draft;
pub mod empty_lists;
pub mod enable_account;
pub mod enable_storage_maintenance;
pub mod enable_user;
mod entry;
mod estate_words;
mod failure;
pub mod filters;
pub mod find_hosts_for_migration;
pub mod find_storage_pools_for_migration;
pub mod get_api_limit;
pub mod get_user_keys;
mod job_answers;
mod job_resource;
mod key_pairs;
pub mod list_accounts;
pub mod list_alerts;
pub mod list_apis;
pub mod list_async_jobs;
pub mod list_capabilities;
pub mod list_capacity;
pub mod list_clusters;
pub mod list_clusters_metrics;
pub mod list_configurations;
pub mod list_disk_offerings;
pub mod list_domain_children;
pub mod list_domains;
pub mod list_drift;
pub mod list_event_types;
pub mod list_events;
pub mod list_hosts;
pub mod list_hosts_metrics;
pub mod list_hypervisor_capabilities;
pub mod list_hypervisors;
pub mod list_infrastructure;
pub mod list_management_servers;
pub mod list_management_servers_metrics;
pub mod list_migration_history;
pub mod list_migration_leftovers;
pub mod list_migrations;
pub mod list_os_categories;
pub mod list_os_types;
pub mod list_pods;
pub mod list_project_role_permissions;
pub mod list_project_roles;
pub mod list_projects;
pub mod list_role_permissions;
pub mod list_roles;
pub mod list_routers;
pub mod list_service_offerings;
pub mod list_storage_pools;
pub mod list_storage_pools_metrics;
pub mod list_storage_providers;
pub mod list_system_vms;
pub mod list_tags;
pub mod list_templates;
pub mod list_user_key_rules;
pub mod list_user_keys;
pub mod list_users;
pub mod list_virtual_machines;
pub mod list_virtual_machines_metrics;
pub mod list_volumes;
pub mod list_volumes_metrics;
pub mod list_zones;
pub mod list_zones_metrics;
pub mod login;
pub mod logout;
mod long;
pub mod migrate_virtual_machine;
pub mod migrate_virtual_machine_with_volume;
pub mod migrate_volume;
pub mod named_account;
mod passwords;
mod policy;
pub mod prepare_host_for_maintenance;
mod privilege;
mod put_away;
pub mod query_async_job_result;
pub mod ready_for_shutdown;
pub mod reconnect_host;
pub mod register_user_keys;
pub mod remove_migration_leftover;
pub mod reset_api_limit;
pub mod resolve_drift;
pub mod resolve_migration;
pub mod stream_events;
pub mod update_host;
pub mod update_hypervisor_capabilities;
pub mod update_storage_pool;
pub mod update_user;
pub mod update_zone;
pub mod validate_second_factor;

pub use draft::{EventDraft, InstanceType, JobDesk, JobDraft};
pub use entry::{Action, Call, DraftFn, Entry, Prepared};
pub use job_answers::JobAnswers;
pub use policy::{Policy, SessionPolicy};

/// Every command that is served. The order is that of `listApis`.
pub static COMMANDS: &[Entry] = &[
    Entry::sync::<archive_alerts::ArchiveAlerts>(),
    Entry::sync::<archive_events::ArchiveEvents>(),
    Entry::stand_in::<cloudian_is_enabled::CloudianIsEnabled>(),
    Entry::sync::<create_account::CreateAccount>(),
    Entry::sync::<create_user::CreateUser>(),
    Entry::sync::<delete_alerts::DeleteAlerts>(),
    Entry::sync::<delete_events::DeleteEvents>(),
    Entry::job::<delete_user_keys::DeleteUserKeys>(),
    Entry::job::<disable_account::DisableAccount>(),
    Entry::job::<disable_user::DisableUser>(),
    Entry::sync::<enable_account::EnableAccount>(),
    Entry::sync::<enable_user::EnableUser>(),
    Entry::sync::<find_hosts_for_migration::FindHostsForMigration>(),
    Entry::sync::<find_storage_pools_for_migration::FindStoragePoolsForMigration>(),
    Entry::sync::<get_api_limit::GetApiLimit>(),
    Entry::sync::<get_user_keys::GetUserKeys>(),
    Entry::sync::<list_accounts::ListAccounts>(),
    Entry::sync::<list_alerts::ListAlerts>(),
    Entry::sync::<list_events::ListEvents>(),
    Entry::sync::<list_disk_offerings::ListDiskOfferings>(),
    Entry::sync::<list_service_offerings::ListServiceOfferings>(),
    Entry::sync::<list_os_categories::ListOsCategories>(),
    Entry::sync::<list_os_types::ListOsTypes>(),
    Entry::sync::<list_capacity::ListCapacity>(),
    Entry::sync::<list_infrastructure::ListInfrastructure>(),
    Entry::sync::<list_hypervisors::ListHypervisors>(),
    Entry::sync::<list_apis::ListApis>(),
    Entry::sync::<list_async_jobs::ListAsyncJobs>(),
    Entry::sync::<list_capabilities::ListCapabilities>(),
    Entry::sync::<list_clusters_metrics::ListClustersMetrics>(),
    Entry::sync::<list_clusters::ListClusters>(),
    Entry::sync::<list_domain_children::ListDomainChildren>(),
    Entry::sync::<list_domains::ListDomains>(),
    Entry::sync::<list_hosts_metrics::ListHostsMetrics>(),
    Entry::sync::<list_hosts::ListHosts>(),
    Entry::sync::<list_hypervisor_capabilities::ListHypervisorCapabilities>(),
    Entry::sync::<list_pods::ListPods>(),
    Entry::sync::<list_project_role_permissions::ListProjectRolePermissions>(),
    Entry::sync::<list_project_roles::ListProjectRoles>(),
    Entry::sync::<list_projects::ListProjects>(),
    Entry::sync::<list_role_permissions::ListRolePermissions>(),
    Entry::sync::<list_roles::ListRoles>(),
    Entry::sync::<list_storage_pools_metrics::ListStoragePoolsMetrics>(),
    Entry::sync::<list_storage_pools::ListStoragePools>(),
    Entry::sync::<list_user_key_rules::ListUserKeyRules>(),
    Entry::sync::<list_user_keys::ListUserKeys>(),
    Entry::sync::<list_users::ListUsers>(),
    Entry::sync::<list_virtual_machines_metrics::ListVirtualMachinesMetrics>(),
    Entry::sync::<list_virtual_machines::ListVirtualMachines>(),
    Entry::sync::<list_volumes_metrics::ListVolumesMetrics>(),
    Entry::sync::<list_volumes::ListVolumes>(),
    Entry::sync::<list_zones_metrics::ListZonesMetrics>(),
    Entry::sync::<list_zones::ListZones>(),
    Entry::rim::<login::Login>(),
    Entry::rim::<logout::Logout>(),
    Entry::job::<migrate_virtual_machine::MigrateVirtualMachine>(),
    Entry::job::<migrate_virtual_machine_with_volume::MigrateVirtualMachineWithVolume>(),
    Entry::job::<migrate_volume::MigrateVolume>(),
    Entry::sync::<query_async_job_result::QueryAsyncJobResult>(),
    Entry::sync::<reset_api_limit::ResetApiLimit>(),
    Entry::sync::<update_hypervisor_capabilities::UpdateHypervisorCapabilities>(),
    Entry::rim::<validate_second_factor::ValidateSecondFactor>(),
    Entry::job::<register_user_keys::RegisterUserKeys>(),
    Entry::sync::<update_user::UpdateUser>(),
    // What a management server knows more of.
    Entry::stand_in::<list_configurations::ListConfigurations>(),
    Entry::stand_in::<list_event_types::ListEventTypes>(),
    Entry::stand_in::<list_management_servers_metrics::ListManagementServersMetrics>(),
    Entry::stand_in::<list_management_servers::ListManagementServers>(),
    Entry::stand_in::<list_routers::ListRouters>(),
    Entry::stand_in::<list_storage_providers::ListStorageProviders>(),
    Entry::stand_in::<list_system_vms::ListSystemVms>(),
    Entry::stand_in::<list_tags::ListTags>(),
    Entry::stand_in::<list_templates::ListTemplates>(),
    Entry::stand_in::<ready_for_shutdown::ReadyForShutdown>(),
    // The estate: with a management server behind the gateway it is that one's to change.
    Entry::stand_in::<add_cluster::AddCluster>(),
    Entry::stand_in::<add_host::AddHost>(),
    Entry::sync::<adopt_host::AdoptHost>(),
    Entry::sync::<list_migrations::ListMigrations>(),
    Entry::sync::<list_migration_history::ListMigrationHistory>(),
    Entry::sync::<stream_events::StreamEvents>(),
    Entry::sync::<cancel_migration::CancelMigration>(),
    Entry::sync::<list_migration_leftovers::ListMigrationLeftovers>(),
    Entry::sync::<remove_migration_leftover::RemoveMigrationLeftover>(),
    Entry::sync::<list_drift::ListDrift>(),
    Entry::job::<resolve_drift::ResolveDrift>(),
    Entry::job::<resolve_migration::ResolveMigration>(),
    Entry::stand_in::<create_disk_offering::CreateDiskOffering>(),
    Entry::stand_in::<create_pod::CreatePod>(),
    Entry::stand_in::<create_service_offering::CreateServiceOffering>(),
    Entry::stand_in::<create_storage_pool::CreateStoragePool>(),
    Entry::stand_in::<create_zone::CreateZone>(),
    Entry::stand_in::<delete_cluster::DeleteCluster>(),
    Entry::stand_in::<delete_host::DeleteHost>(),
    Entry::stand_in::<delete_storage_pool::DeleteStoragePool>(),
    Entry::stand_in_job::<reconnect_host::ReconnectHost>(),
    Entry::stand_in_job::<prepare_host_for_maintenance::PrepareHostForMaintenance>(),
    Entry::stand_in_job::<cancel_host_maintenance::CancelHostMaintenance>(),
    Entry::stand_in_job::<enable_storage_maintenance::EnableStorageMaintenance>(),
    Entry::stand_in_job::<cancel_storage_maintenance::CancelStorageMaintenance>(),
    Entry::stand_in::<update_host::UpdateHost>(),
    Entry::stand_in::<update_storage_pool::UpdateStoragePool>(),
    Entry::stand_in::<update_zone::UpdateZone>(),
    // Lists of what there is none of here.
    Entry::stand_in::<empty_lists::ListAnnotations>(),
    Entry::stand_in::<empty_lists::ListClusterDrsPlan>(),
    Entry::stand_in::<empty_lists::ListDedicatedClusters>(),
    Entry::stand_in::<empty_lists::ListDedicatedHosts>(),
    Entry::stand_in::<empty_lists::ListDedicatedPods>(),
    Entry::stand_in::<empty_lists::ListDedicatedZones>(),
    Entry::stand_in::<empty_lists::ListGuiThemes>(),
    Entry::stand_in::<empty_lists::ListHsmProfiles>(),
    Entry::stand_in::<empty_lists::ListImageStores>(),
    Entry::stand_in::<empty_lists::ListIpForwardingRules>(),
    Entry::stand_in::<empty_lists::ListIsos>(),
    Entry::stand_in::<empty_lists::ListLdapConfigurations>(),
    Entry::stand_in::<empty_lists::ListNetworks>(),
    Entry::stand_in::<empty_lists::ListNetworkServiceProviders>(),
    Entry::stand_in::<empty_lists::ListOauthProvider>(),
    Entry::stand_in::<empty_lists::ListPortForwardingRules>(),
    Entry::stand_in::<empty_lists::ListPublicIpAddresses>(),
    Entry::stand_in::<empty_lists::ListResourceIcon>(),
    Entry::stand_in::<empty_lists::ListSnapshots>(),
    Entry::stand_in::<empty_lists::ListSshKeyPairs>(),
    Entry::stand_in::<empty_lists::ListVpcs>(),
];

static BY_NAME: LazyLock<HashMap<&'static str, Registered>> = LazyLock::new(|| {
    COMMANDS
        .iter()
        .map(|entry| {
            let envelope = entry.spec.envelope();
            let lower = envelope.trim_end_matches("response").to_owned();
            (entry.spec.name, Registered { entry, lower, envelope })
        })
        .collect()
});

/// The command with exactly this name: letter case matters, as in CloudStack.
pub fn find(name: &str) -> Option<&'static Registered> {
    BY_NAME.get(name)
}

/// A command with the names that every answer of it needs.
#[derive(Debug)]
pub struct Registered {
    /// Declaration and code.
    pub entry: &'static Entry,
    /// The name for error texts: that of the envelope without its last word (`contract/migration.md` 0.1).
    pub lower: String,
    /// The name of the envelope.
    pub envelope: String,
}

/// What all commands work with.
#[derive(Clone)]
pub struct Means {
    /// The database.
    pub store: Store,
    /// Moves things.
    pub motion: Arc<Motion>,
    /// Adds hosts and pools and takes them away.
    pub estate: Arc<Estate>,
    /// Looks ids up.
    pub ids: Arc<dyn Ids>,
    /// What the operator decided.
    pub policy: Arc<Policy>,
    /// How many calls accounts have made.
    pub calls: Arc<CallCounter>,
    /// Tells news.
    pub feed: Arc<Feed>,
    /// What was answered about jobs.
    pub answers: Arc<JobAnswers>,
}

/// What a command works with: what all have, and what belongs to the call. It is made for every call, so it shares the former.
#[derive(Clone)]
pub struct Ctx {
    /// What all have.
    pub means: Arc<Means>,
    /// The name of the command.
    pub command: &'static str,
    /// Who calls.
    pub caller: Arc<Caller>,
    /// The last piece of news that the client has been told, where it says so.
    pub resume_after: Option<String>,
    /// The id that ties log lines of one request, its job and its calls to agents together.
    pub request_id: Arc<str>,
}

impl Deref for Ctx {
    type Target = Means;

    fn deref(&self) -> &Means {
        &self.means
    }
}

impl Ctx {
    /// What the parameters of a command are decoded from. `lower` is its name in lower case.
    pub fn input<'a>(&'a self, lower: &'a str, args: &'a Args<'a>) -> Input<'a> {
        let default_page_size = self.policy.default_page_size;
        Input { command: lower, args, ids: &*self.ids, is_root: self.caller.is_root_admin(), default_page_size }
    }

    /// The public id of a thing, for texts; `null` when it has none or does not exist.
    ///
    /// # Errors
    /// 530 when the database fails.
    pub async fn public_id(&self, entity: EntityKind, id: i64) -> Result<String, ApiError> {
        let uuid = self.store.public_id(entity, id).await?;
        Ok(uuid.unwrap_or_else(|| "null".to_owned()))
    }
}

/// What a job works with.
#[derive(Clone)]
pub struct JobCtx {
    /// The same as for the call that submitted it.
    pub ctx: Ctx,
    /// The internal number of the job.
    pub job_id: i64,
    /// The internal number of the event that announced the job.
    pub start_event_id: i64,
    /// Its place among those that run at the same time.
    pub place: Place,
}

impl JobCtx {
    /// Writes that the work has begun, with the event that says so; its fellow that says how it ended follows by itself.
    ///
    /// `description` is CloudStack's, with a small letter: `migrating volume` (`contract/migration.md` 1.4).
    ///
    /// True when an earlier life of the job had begun it already.
    ///
    /// # Errors
    /// 530 when the database fails; nothing was begun then.
    pub async fn begin(&self, description: &str) -> Result<bool, ApiError> {
        let written = async {
            transact!(self.ctx.store, ApiError, |tx| {
                tx.job_begin(self.job_id).await?;
                Ok(tx.event_begin(self.start_event_id, self.ctx.caller.account_id, description).await?)
            })
        };
        // It is over when the work begins, which may take days and should not take its room as well.
        Box::pin(written).await
    }

    /// Writes that the work has begun, where CloudStack writes no event of it.
    ///
    /// # Errors
    /// See [`JobCtx::begin`].
    pub async fn take_up(&self) -> Result<(), ApiError> {
        let written = async { transact!(self.ctx.store, ApiError, |tx| { Ok(tx.job_begin(self.job_id).await?) }) };
        Box::pin(written).await
    }

    /// Who moves, as the room `motion` asks.
    #[must_use]
    pub fn mover(&self) -> Mover {
        let caller = &self.ctx.caller;
        Mover {
            account_id: caller.account_id,
            domain_path: caller.domain_path.clone(),
            root_admin: caller.is_root_admin(),
            domain_admin: caller.is_domain_admin(),
            evacuates: caller.user_id == SYSTEM_USER,
        }
    }
}

/// A command that answers at once.
pub trait SyncCommand: Command {
    /// Does it.
    fn run(self, ctx: &Ctx) -> impl Future<Output = Result<Reply, ApiError>> + Send;
}

/// A command that is done by a job.
pub trait AsyncCommand: Command {
    /// Whether a call that asks for what an unfinished job of the same account does gets that job, where it names no id of its
    /// own: what is moved twice at the same time can only fail the second time.
    const JOINS_EQUAL: bool = false;

    /// What the event log says when the job is accepted.
    fn event(&self, ctx: &Ctx) -> impl Future<Output = Result<EventDraft, ApiError>> + Send;

    /// The thing that the job works on, shown as `jobinstancetype` and `jobinstanceid`.
    fn instance(&self) -> Option<(InstanceType, i64)>;

    /// Does it, inside the job. The node becomes `jobresult`.
    fn run(self, ctx: &JobCtx) -> impl Future<Output = Result<Node, ApiError>> + Send;
}

/// The OpenAPI document of everything that is served, as it lies in `openapi/stackmotion.json`.
pub fn openapi() -> String {
    let specs: Vec<_> = COMMANDS.iter().map(|entry| entry.spec).collect();
    openapi::text(&specs, env!("CARGO_PKG_VERSION"))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::api::{Http, Kind, Shape, printed};

    #[test]
    fn names_are_unique_and_declarations_agree_with_them() {
        assert_eq!(BY_NAME.len(), COMMANDS.len());
        for entry in COMMANDS {
            let spec = entry.spec;
            let reads = ["list", "find", "query", "get"].iter().any(|verb| spec.name.starts_with(verb))
                || ["cloudianIsEnabled", "readyForShutdown", "streamEvents"].contains(&spec.name);
            assert_eq!(spec.http == Http::Get, reads, "{}", spec.name);
            assert_eq!(spec.kind == Kind::Async, matches!(entry.action, Action::Async { .. }), "{}", spec.name);
            let is_one = ["listCapabilities", "listInfrastructure"].contains(&spec.name);
            // Commands that add one thing answer with a list of it, and an addition of ours does so too (`contract/entities.md 0.2`).
            let adds = ["addCluster", "addHost", "adoptHost"].contains(&spec.name);
            let is_list = (["list", "find"].iter().any(|verb| spec.name.starts_with(verb)) && !is_one) || adds;
            assert_eq!(spec.shape == Shape::List, is_list, "{}: write `response [View]` for a list", spec.name);
            assert!(!spec.roles.is_empty(), "{}", spec.name);
        }
    }

    #[test]
    fn everything_is_described() {
        for entry in COMMANDS {
            let spec = entry.spec;
            assert!(!spec.description.is_empty(), "{}", spec.name);
            let mut seen = HashSet::new();
            for param in spec.all_params() {
                assert!(!param.description.is_empty(), "{} {}", spec.name, param.name);
                assert!(seen.insert(param.name), "{} has {} twice", spec.name, param.name);
                assert_eq!(param.name, param.name.to_lowercase(), "{}: names are matched in lower case", spec.name);
            }
            for field in printed(spec.response.fields) {
                assert!(!field.description.is_empty(), "{} {}", spec.name, field.name);
            }
        }
    }
}
