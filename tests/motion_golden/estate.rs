//! The recorded estate as it was before a case.

use serde_json::{Map, Value as Json, json};
use stackmotion::store::{Store, Tx};

use super::cases::{Case, Phase};
use crate::lists::support::{seed_in, value};
use crate::support::{golden, world};

/// Tables that a motion fills and that begin empty.
const LOGS: [&str; 8] =
    ["async_job", "event", "alert", "usage_event", "op_it_work", "motion_migration", "motion_disk", "motion_job"];

/// Fills an empty database once.
pub async fn fill(store: &Store) {
    world::seed(store).await;
    take_over(store).await;
}

/// Gives the recorded server's place to the gateway that starts next.
pub async fn take_over(store: &Store) {
    // The gateway takes the recorded server's place, so that its public id is the recorded one.
    let sql = format!("UPDATE mshost SET name = '{NODE}'");
    store.db().run(&sql, vec![]).await.expect("the server's row");
    // The gateway is the recorded server, and shows its ids.
    let sql = "INSERT INTO motion_node (id, uuid, name, epoch, lease_until) SELECT msid, uuid, name, 0, 0 FROM mshost";
    store.db().run(sql, vec![]).await.expect("the gateway's row");
}

/// The name of the gateway.
pub const NODE: &str = "stackmotion";

/// The recorded rows.
pub fn base() -> Map<String, Json> {
    serde_json::from_str(&golden::text("rows.json")).expect("rows")
}

/// Adds rows to the recorded ones, in the place of those with the same id.
pub fn with(mut base: Map<String, Json>, more: &Map<String, Json>) -> Map<String, Json> {
    for (table, rows) in more {
        let known = base.entry(table.clone()).or_insert_with(|| json!([])).as_array_mut().expect("rows");
        let rows = rows.as_array().expect("rows");
        known.retain(|old| rows.iter().all(|row| row["id"] != old["id"]));
        known.extend(rows.iter().cloned());
    }
    base
}

/// Adds the rows to those in the database.
pub async fn add(store: &Store, more: &Map<String, Json>) {
    let mut tx = store.begin().await.expect("a transaction");
    for (table, rows) in more {
        seed_in(&mut tx, table, rows.as_array().expect("rows")).await;
    }
    tx.commit().await.expect("the rows are kept");
}

/// Puts everything that motions change back to what it was before the case.
pub async fn put_back(store: &Store, base: &Map<String, Json>, case: &Case) {
    let mut tx = store.begin().await.expect("a transaction");
    for table in LOGS {
        tx.run(&format!("DELETE FROM `{table}`"), vec![]).await.expect("an empty table");
    }
    for table in [
        "cluster",
        "op_host_capacity",
        "hypervisor_capabilities",
        "configuration",
        "vm_snapshots",
        "vm_instance_details",
    ] {
        tx.run(&format!("DELETE FROM `{table}`"), vec![]).await.expect("an empty table");
        seed_in(&mut tx, table, base[table].as_array().expect("rows")).await;
    }
    for (table, changed) in &case.before {
        tx.run(&format!("DELETE FROM `{table}`"), vec![]).await.expect("an empty table");
        let rows: Vec<Json> = changed.as_array().expect("rows").iter().map(|row| merged(base, table, row)).collect();
        seed_in(&mut tx, table, &rows).await;
    }
    phase(&mut tx, case.phase).await;
    conditions(&mut tx, case).await;
    tx.commit().await.expect("the rows are kept");
}

fn merged(base: &Map<String, Json>, table: &str, changed: &Json) -> Json {
    let known = base[table].as_array().expect("rows").iter().find(|row| row["id"] == changed["id"]);
    let mut row = known.cloned().unwrap_or_else(|| json!({}));
    let fields = row.as_object_mut().expect("columns by name");
    for (name, value) in changed.as_object().expect("columns by name") {
        fields.insert(name.clone(), value.clone());
    }
    row
}

/// What was special about the set-up (`tests/golden/README.md`).
async fn phase(tx: &mut Tx, phase: Phase) {
    match phase {
        Phase::Plain | Phase::Agent => {}
        Phase::Motion => {
            let row = json!({
                "id": 9000, "uuid": "5e5e5e5e-0000-4000-8000-00000000ca9a", "hypervisor_type": "Simulator",
                "hypervisor_version": "4.23.0.0-SNAPSHOT", "max_guests_limit": 50, "security_group_enabled": 1,
                "max_data_volumes_limit": 6, "storage_motion_supported": 1, "vm_snapshot_enabled": 1
            });
            seed_in(tx, "hypervisor_capabilities", &[row]).await;
        }
        Phase::Hyperv | Phase::Xen => {
            let sql = "UPDATE cluster SET hypervisor_type = 'Hyperv'";
            tx.run(sql, vec![]).await.expect("clusters");
            let sql = "UPDATE storage_pool SET hypervisor = 'Hyperv'";
            tx.run(sql, vec![]).await.expect("pools");
        }
    }
    if phase == Phase::Xen {
        let row = json!({
            "id": 9001, "uuid": "5e5e5e5e-0000-4000-8000-00000000ca9b", "hypervisor_type": "Hyperv",
            "hypervisor_version": "10.0", "max_guests_limit": 1024, "security_group_enabled": 0,
            "max_data_volumes_limit": 64, "storage_motion_supported": 1, "vm_snapshot_enabled": 0
        });
        seed_in(tx, "hypervisor_capabilities", &[row]).await;
    }
}

/// What single cases need besides.
async fn conditions(tx: &mut Tx, case: &Case) {
    let mut set = async |name: &str, setting: &str| {
        let sql = "UPDATE configuration SET value = ? WHERE name = ?";
        let done = tx.run(sql, vec![value(&json!(setting)), value(&json!(name))]).await.expect("a setting");
        assert_eq!(done.rows, 1, "there is no setting {name}");
    };
    if case.is_about(&["no-space"]) {
        set("pool.storage.allocated.capacity.disablethreshold", "0.0001").await;
    }
    if case.is_about(&["concurrency-threshold"]) {
        set("concurrent.migrations.per.target.datastore", "1").await;
    }
    let sql = match case.name.as_str() {
        "mv-vm-has-snapshot" => "UPDATE vm_snapshots SET state = 'Ready', removed = NULL WHERE id = 2",
        "mv-sm-off" => "UPDATE hypervisor_capabilities SET storage_motion_supported = 0 WHERE id = 9000",
        _ => "",
    };
    if !sql.is_empty() {
        assert_eq!(tx.run(sql, vec![]).await.expect("a condition").rows, 1);
    }
    if case.name == "mv-concurrency-threshold" {
        let motion = json!({
            "id": 1, "uuid": "00000000-0000-4000-8000-0000000000c2", "job_id": 1, "kind": "cold-volume", "phase": "sent",
            "strategy": "AncientDataMotionStrategy", "created": "2026-11-23 17:22:30", "updated": "2026-11-23 17:22:30"
        });
        seed_in(tx, "motion_migration", &[motion]).await;
        let disk = json!({ "id": 1, "migration_id": 1, "volume_id": 1, "stem": "a", "source_pool_id": 1, "target_pool_id": 2 });
        seed_in(tx, "motion_disk", &[disk]).await;
    }
    if case.name == "listVirtualMachines-during-psm" {
        // The storage's maintenance had stopped these machines.
        let flag = "Message.ReservedCapacityFreed.Flag";
        for vm_id in [3, 10] {
            let detail = json!({ "id": 9000 + vm_id, "vm_id": vm_id, "name": flag, "value": "false", "display": 1 });
            seed_in(tx, "vm_instance_details", &[detail]).await;
        }
    }
}
