//! Which tables are taken over, and which of their rows (`contract/entities.md 3.29`).

/// A table that is taken over.
#[derive(Clone, Copy, Debug)]
pub struct TakenTable {
    /// Its name.
    pub name: &'static str,
    /// Which of its rows.
    pub(super) rows: &'static str,
}

const fn all(name: &'static str) -> TakenTable {
    TakenTable { name, rows: "1 = 1" }
}

const fn living(name: &'static str) -> TakenTable {
    some(name, "removed IS NULL")
}

const fn some(name: &'static str, rows: &'static str) -> TakenTable {
    TakenTable { name, rows }
}

const OF_HOSTS: &str = "host_id IN (SELECT id FROM host WHERE removed IS NULL AND type = 'Routing')";
const OF_POOLS: &str = "pool_id IN (SELECT id FROM storage_pool WHERE removed IS NULL)";

/// All of them, each after those that it points to.
pub static TAKEN: [TakenTable; 46] = [
    living("data_center"),
    living("host_pod_ref"),
    living("cluster"),
    some("cluster_details", "cluster_id IN (SELECT id FROM cluster WHERE removed IS NULL)"),
    some("host", "removed IS NULL AND type = 'Routing'"),
    some("host_details", OF_HOSTS),
    some("host_tags", OF_HOSTS),
    living("storage_pool"),
    some("storage_pool_details", OF_POOLS),
    some("storage_pool_tags", OF_POOLS),
    some("storage_pool_host_ref", OF_POOLS),
    some(
        "disk_offering",
        "removed IS NULL OR id IN (SELECT disk_offering_id FROM volumes WHERE removed IS NULL) OR id IN \
         (SELECT disk_offering_id FROM service_offering)",
    ),
    some(
        "service_offering",
        "removed IS NULL OR id IN (SELECT service_offering_id FROM vm_instance WHERE removed IS NULL)",
    ),
    all("service_offering_details"),
    all("disk_offering_details"),
    living("domain"),
    all("domain_details"),
    living("account"),
    all("account_details"),
    living("user"),
    all("user_details"),
    living("roles"),
    all("role_permissions"),
    some("api_keypair", "removed IS NULL AND user_id IN (SELECT id FROM user WHERE removed IS NULL)"),
    all("api_keypair_permissions"),
    living("projects"),
    living("project_role"),
    some("project_role_permissions", "project_role_id IN (SELECT id FROM project_role WHERE removed IS NULL)"),
    all("project_account"),
    all("guest_os_category"),
    all("guest_os"),
    living("networks"),
    some("vm_template", "removed IS NULL OR id IN (SELECT vm_template_id FROM vm_instance WHERE removed IS NULL)"),
    living("vm_instance"),
    some("user_vm", "id IN (SELECT id FROM vm_instance WHERE removed IS NULL)"),
    some("vm_instance_details", "vm_id IN (SELECT id FROM vm_instance WHERE removed IS NULL)"),
    some("nics", "removed IS NULL AND instance_id IN (SELECT id FROM vm_instance WHERE removed IS NULL)"),
    some("volumes", "removed IS NULL AND state <> 'Expunged'"),
    living("snapshots"),
    living("vm_snapshots"),
    all("affinity_group"),
    all("affinity_group_vm_map"),
    all("resource_limit"),
    all("resource_count"),
    all("resource_tags"),
    all("op_host_capacity"),
];

/// Columns that tell what a management server sees at the moment. What this gateway sees itself is not overwritten, and a
/// row in which nothing else is different has not changed.
pub(super) const SEEN: [(&str, &[&str]); 3] = [
    (
        "host",
        &[
            "status",
            "mgmt_server_id",
            "last_mgmt_server_id",
            "last_ping",
            "disconnected",
            "update_count",
            "lastUpdated",
        ],
    ),
    ("vm_instance", &["power_state", "power_state_update_time", "power_state_update_count", "power_host"]),
    ("op_host_capacity", &["update_time"]),
];
