//! A database with a secret in every place that has any, and a gateway's start on it.

use std::path::Path;

use stackmotion::app::{App, StartError};
use stackmotion::settings::{Effective, Settings, SettingsArgs, Sources};
use stackmotion::store::{PLACES, Store, StoreError, Value, VaultError};

/// What none of the places may show; each place has a secret that begins with it.
pub const WORD: &str = "hunter2";

/// Fills every place with `rows` secrets.
pub async fn fill(store: &Store, rows: i64) {
    store.bootstrap().await.unwrap();
    let mut tx = store.begin().await.unwrap();
    let mut run = async |sql: &str, args: Vec<Value>| tx.run(sql, args).await.unwrap();
    let text = |place: &str, row: i64| Value::Text(format!("{WORD}-{place}-{row}"));
    for (name, category) in [("secret.hidden", "Hidden"), ("secret.secure", "Secure"), ("no.secret", "Advanced")] {
        let sql = "INSERT INTO configuration (category, instance, name, value) VALUES (?, 'DEFAULT', ?, ?)";
        let value = if category == "Advanced" { "shown".to_owned() } else { format!("{WORD}-{name}") };
        run(sql, vec![category.into(), name.into(), value.into()]).await;
    }
    for row in 1..=rows {
        let id = Value::Int(row);
        let sql = "INSERT INTO api_keypair (uuid, name, domain_id, account_id, user_id, api_key, secret_key, created) \
            VALUES (?, 'n', 1, 2, 2, ?, ?, '2026-01-01 00:00:00')";
        let key = Value::Text(format!("key-{row}"));
        run(sql, vec![Value::Text(format!("uuid-{row}")), key, text("api", row)]).await;
        let sql = "INSERT INTO user (id, uuid, username, password, account_id, created, key_for_2fa) \
            VALUES (?, ?, ?, '!', 2, '2026-01-01 00:00:00', ?)";
        let (user, name) = (Value::Int(100 + row), Value::Text(format!("user-{row}")));
        run(sql, vec![user, name.clone(), name, text("2fa", row)]).await;
        for (table, owner) in [
            ("host_details", "host_id"),
            ("cluster_details", "cluster_id"),
            ("storage_pool_details", "pool_id"),
            ("vm_instance_details", "vm_id"),
        ] {
            for (name, value) in [("password", text(table, row)), ("username", "shown".into())] {
                let sql = format!("INSERT INTO {table} ({owner}, name, value) VALUES (?, ?, ?)");
                run(&sql, vec![id.clone(), name.into(), value]).await;
            }
        }
        for (table, owner) in [("account_details", "account_id"), ("domain_details", "domain_id")] {
            for (name, value) in [("secret.secure", text(table, row)), ("no.secret", "shown".into())] {
                let sql = format!("INSERT INTO {table} ({owner}, name, value) VALUES (?, ?, ?)");
                run(&sql, vec![id.clone(), name.into(), value]).await;
            }
        }
        let sql = "INSERT INTO storage_pool (id, uuid, pool_type, port, data_center_id, host_address, user_info, path) \
            VALUES (?, ?, 'SMB', 445, 1, 'filer', ?, ?)";
        let path = format!("/share?user=u&password={WORD}%21-{row}&domain=d");
        run(sql, vec![id.clone(), Value::Text(format!("pool-{row}")), text("user_info", row), path.into()]).await;
        let sql = "INSERT INTO vm_instance (id, uuid, name, instance_name, state, guest_os_id, data_center_id, vnc_password, \
            created, type, vm_type, account_id, domain_id, service_offering_id) \
            VALUES (?, ?, 'vm', 'vm', 'Stopped', 1, 1, ?, '2026-01-01 00:00:00', 'User', 'User', 2, 1, 1)";
        run(sql, vec![id, Value::Text(format!("vm-{row}")), text("vnc", row)]).await;
    }
    tx.commit().await.unwrap();
}

/// What stands in every place, `table.column` and the text; also what is no secret, beside them.
pub async fn held(store: &Store) -> Vec<(String, String)> {
    let mut all = Vec::new();
    for place in PLACES {
        let name = place.name();
        let (table, column) = name.split_once('.').unwrap();
        let rows = store.db().rows(&format!("SELECT `{column}` FROM `{table}`"), vec![]).await.unwrap();
        let texts = rows.iter().filter_map(|row| row.at::<Option<String>>(0).unwrap());
        all.extend(texts.map(|text| (name.clone(), text)));
    }
    all.sort();
    all
}

/// A gateway on the database, with everything else in a folder.
pub async fn start(url: &str, folder: &Path) -> Result<App, StartError> {
    let flags = SettingsArgs {
        port: Some("0".to_owned()),
        data_dir: Some(folder.display().to_string()),
        database_url: Some(url.to_owned()),
        ..SettingsArgs::default()
    };
    let effective = Effective::load(&Sources { env: Vec::new(), flags }).unwrap();
    App::start(&Settings::from_effective(&effective).unwrap()).await
}

/// What a start says when the key file does not fit.
pub fn vault_error(result: Result<App, StartError>) -> VaultError {
    match result {
        Err(StartError::Store(StoreError::Vault(error))) => error,
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("it started"),
    }
}
