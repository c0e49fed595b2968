//! Databases of older versions: 4.18 has keys in the user's row, no `api_keypair`, and fewer columns.

use std::time::Duration;

use serde_json::Value as Json;
use stackmotion::store::Store;

use super::cloud::Cloud;
use super::motions::{MOVE, submit};
use super::recorded::rows;
use crate::motion_golden::replay::Gateway;

/// Takes a database of 4.23 back to 4.18: the upgrade scripts of the versions between, undone.
pub const BACK: &str = "
    SET FOREIGN_KEY_CHECKS = 0;
    ALTER TABLE user ADD COLUMN api_key varchar(255) UNIQUE, ADD COLUMN secret_key varchar(255), DROP COLUMN api_key_access;
    UPDATE user u JOIN api_keypair k ON k.user_id = u.id SET u.api_key = k.api_key, u.secret_key = k.secret_key;
    DROP TABLE api_keypair_permissions, api_keypair;
    RENAME TABLE vm_instance_details TO user_vm_details;
    ALTER TABLE account DROP COLUMN api_key_access;
    ALTER TABLE roles DROP COLUMN public_role, DROP COLUMN state;
    ALTER TABLE storage_pool_tags DROP COLUMN is_tag_a_rule;
    ALTER TABLE host_tags DROP COLUMN is_tag_a_rule, DROP COLUMN is_implicit;
    ALTER TABLE resource_limit DROP COLUMN tag;
    ALTER TABLE resource_count DROP COLUMN tag;
    ALTER TABLE cluster DROP COLUMN arch, DROP COLUMN storage_access_groups;
    ALTER TABLE host DROP COLUMN arch, DROP COLUMN storage_access_groups, DROP COLUMN last_mgmt_server_id;
    ALTER TABLE host_pod_ref DROP COLUMN storage_access_groups;
    ALTER TABLE data_center DROP COLUMN storage_access_groups;
    ALTER TABLE storage_pool DROP COLUMN used_iops;
    ALTER TABLE vm_template DROP COLUMN arch, DROP COLUMN for_cks, DROP COLUMN extension_id;
    ALTER TABLE vm_instance DROP COLUMN delete_protection;
    ALTER TABLE volumes DROP COLUMN delete_protection, DROP COLUMN last_id, DROP COLUMN kms_key_id, DROP COLUMN kms_wrapped_key_id;
    ALTER TABLE guest_os DROP COLUMN display;
    ALTER TABLE guest_os_category DROP COLUMN featured, DROP COLUMN sort_key, DROP COLUMN created, DROP COLUMN removed;
    ALTER TABLE service_offering DROP COLUMN vgpu_profile_id, DROP COLUMN gpu_count, DROP COLUMN gpu_display;
    ALTER TABLE nics DROP COLUMN enabled;
    ALTER TABLE networks DROP COLUMN keep_mac_address_on_public_nic;
    UPDATE version SET version = '4.18.0.0' WHERE version = '4.23.0.0';
";

/// Calls that read every table that an older version has in another form.
const LISTS: &[&str] = &[
    "listZones",
    "listPods",
    "listClusters",
    "listHosts",
    "listStoragePools",
    "listVirtualMachines",
    "listVolumes",
    "listUsers",
    "listAccounts",
    "listDomainChildren",
    "listDomains",
    "listRoles",
    "listUserKeys",
    "listOsTypes",
    "listServiceOfferings",
    "listDiskOfferings",
    "listEvents",
    "listAlerts",
    "listCapacity",
    "listHypervisorCapabilities",
    "listProjects",
    "listInfrastructure",
];

async fn list(gateway: &Gateway, command: &str) -> Json {
    let pairs = [("command", command), ("response", "json"), ("listall", "true"), ("details", "all")];
    let pairs: Vec<_> = pairs
        .iter()
        .filter(|(name, _)| *name != "details" || command == "listVirtualMachines")
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let answer = gateway.send("GET", "admin", &pairs).await;
    assert_eq!(answer.status, 200, "{command}: {}", answer.body);
    serde_json::from_str(&answer.body).expect("JSON")
}

/// Takes fields out of everything in an answer.
fn without(answer: &mut Json, names: &[&str]) {
    match answer {
        Json::Object(fields) => {
            fields.retain(|name, _| !names.contains(&name.as_str()));
            fields.values_mut().for_each(|field| without(field, names));
        }
        Json::Array(items) => items.iter_mut().for_each(|item| without(item, names)),
        _ => {}
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_eighteen_is_read_as_if_it_were_four_twenty_three() {
    let (new, old) = (Cloud::recorded().await, Cloud::recorded().await);
    old.0.sql(BACK).await;
    let survey = Store::survey(&old.0.url(), Duration::from_secs(5)).await.expect("a survey");
    assert!(survey.is_attachable(), "{survey}");
    assert!(survey.to_string().contains("4.18.0.0"), "{survey}");
    assert!(survey.absent["4.23"].contains(&"api_keypair".to_owned()), "{survey}");
    assert_eq!(survey.found.iter().find(|found| found.what == "keys").map(|found| found.count), Some(12), "{survey}");
    let tables = old.tables().await;
    let (new, older) =
        (Gateway::attached(&new.0.url(), rows(), &[]).await, Gateway::attached(&old.0.url(), rows(), &[]).await);
    for command in LISTS {
        let (mut expected, mut found) = (list(&new, command).await, list(&older, command).await);
        if *command == "listUserKeys" {
            // The pairs are those of the users, under the users' ids.
            let keys = |answer: &mut Json| {
                let keys = answer["listuserkeysresponse"]["userapikey"].take();
                let mut keys: Vec<String> =
                    keys.as_array().unwrap_or(&Vec::new()).iter().map(|key| key["apikey"].to_string()).collect();
                keys.sort();
                keys
            };
            assert_eq!(keys(&mut expected), keys(&mut found));
            continue;
        }
        // What the old database does not have is not shown, or as every role was then: public.
        without(&mut expected, &["usediops", "ispublic"]);
        without(&mut found, &["ispublic"]);
        assert_eq!(expected, found, "{command}");
    }
    new.stop().await;
    older.stop().await;
    let mut now = old.tables().await;
    now.retain(|table, _| !table.starts_with("motion_"));
    assert_eq!(now, tables, "a table of CloudStack's was changed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn motions_and_keys_in_four_eighteen() {
    let cloud = Cloud::recorded().await;
    cloud.0.sql(BACK).await;
    let gateway = Gateway::attached(&cloud.0.url(), rows(), &[]).await;
    let cold = [
        ("command", "migrateVolume"),
        ("volumeid", "74589b0c-4110-4528-9b34-60b46e8be525"),
        ("storageid", "8f855ff1-bc9b-3ce1-944b-e85882e7b75b"),
    ];
    for call in [MOVE, &cold] {
        gateway.answer(Ok(()));
        let job = submit(&gateway, call).await;
        gateway.wait_for_job(&job).await;
    }
    let row = cloud
        .0
        .sql("SELECT pool_id FROM volumes WHERE id = 166 OR uuid = '74589b0c-4110-4528-9b34-60b46e8be525'")
        .await;
    assert_eq!(row.split_whitespace().collect::<Vec<_>>(), ["pool_id", "5", "2"]);
    // A new pair takes the place of the user's own.
    let before = cloud.snapshot().await;
    let user = before["user"]["3"]["uuid"].clone();
    let register = async |more: &[(&str, &str)]| {
        let mut call = vec![("command", "registerUserKeys"), ("id", user.as_str())];
        call.extend(more);
        let job = submit(&gateway, &call).await;
        gateway.wait_for_job(&job).await;
        let query = [("command", "queryAsyncJobResult"), ("jobid", job.as_str()), ("response", "json")];
        let query = query.map(|(name, value)| (name.to_owned(), value.to_owned()));
        gateway.send("GET", "admin", &query).await.body
    };
    let refused = register(&[("name", "second")]).await;
    assert!(refused.contains("it came with CloudStack 4.23"), "{refused}");
    assert!(cloud.snapshot().await["user"] == before["user"]);
    let answer = register(&[]).await;
    assert!(answer.contains("\"jobstatus\":1"), "{answer}");
    let after = cloud.snapshot().await;
    let (old, new) = (&before["user"]["3"], &after["user"]["3"]);
    for column in ["api_key", "secret_key"] {
        assert_ne!(old[column], new[column]);
        assert_eq!(new[column].len(), 86, "{new:?}");
    }
    assert!(answer.contains(&new["api_key"]) && answer.contains(&new["secret_key"]), "{answer}");
    gateway.stop().await;
}
