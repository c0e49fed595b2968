//! The rows of a real CloudStack's database (`tests/golden/cloud-rows.json`), for databases that are made of them.

use serde_json::{Map, Value as Json, json};

use crate::support::golden;

/// The recorded rows, and a key pair `key-<user>`, `secret-<user>` for every user.
pub fn rows() -> Map<String, Json> {
    let mut tables: Map<String, Json> = serde_json::from_str(&golden::text("cloud-rows.json")).expect("rows");
    let users = tables["user"].as_array().expect("users").clone();
    let keys = users.iter().map(|user| {
        let (id, name) = (user["id"].as_i64().expect("an id"), user["username"].as_str().expect("a name"));
        json!({
            "id": id, "uuid": format!("00000000-0000-4000-9000-{id:012}"), "name": name, "domain_id": 1,
            "account_id": user["account_id"], "user_id": id, "api_key": format!("key-{name}"),
            "secret_key": format!("secret-{name}"), "created": "2026-11-23 00:00:00"
        })
    });
    tables.insert("api_keypair".to_owned(), keys.collect());
    // The recorded hosts are simulated ones; with this row their disks move while machines run.
    let capability = json!({
        "id": 9000, "uuid": "5e5e5e5e-0000-4000-8000-00000000ca9a", "hypervisor_type": "Simulator",
        "hypervisor_version": "4.23.0.0-SNAPSHOT", "storage_motion_supported": 1
    });
    tables["hypervisor_capabilities"].as_array_mut().expect("rows").push(capability);
    tables
}

/// The same, with hosts, clusters, pools and machines that are called Hyper-V 10.0 and may move disks.
pub fn hyperv_rows() -> Map<String, Json> {
    let mut tables = rows();
    for (table, column) in [
        ("host", "hypervisor_type"),
        ("cluster", "hypervisor_type"),
        ("vm_instance", "hypervisor_type"),
        ("storage_pool", "hypervisor"),
    ] {
        for row in
            tables[table].as_array_mut().expect("rows").iter_mut().filter(|row| row["type"] != "SecondaryStorageVM")
        {
            row[column] = json!("Hyperv");
            if table == "host" {
                row["hypervisor_version"] = json!("10.0");
            }
        }
    }
    let row = tables["hypervisor_capabilities"].as_array_mut().expect("rows").last_mut().expect("a row");
    row["hypervisor_type"] = json!("Hyperv");
    row["hypervisor_version"] = json!("10.0");
    tables
}
