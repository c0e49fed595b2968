//! What is taken the first time, and what a second time changes.

use stackmotion::store::TAKEN;

use super::support::{Target, number, source, sql_at, text};
use crate::support::database;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_is_taken_once() {
    let source = source().await;
    for (name, database) in database::each().await {
        let target = Target::new(database);
        let report = target.import(&source.url, None).await.unwrap();
        assert!(
            report.tables.iter().all(|(_, taken)| taken.as_ref().is_some_and(|taken| taken.kept.is_empty())),
            "{name}"
        );
        for (table, filter) in [
            ("volumes", "removed IS NULL AND state <> 'Expunged'"),
            ("vm_instance", "removed IS NULL AND type = 'User'"),
            ("host", "removed IS NULL AND type = 'Routing'"),
            ("storage_pool", "removed IS NULL"),
            ("role_permissions", "1 = 1"),
            ("guest_os", "1 = 1"),
        ] {
            let there = number(&source, &format!("SELECT COUNT(*) FROM {table} WHERE {filter}")).await;
            assert!(there > 0, "{table}");
            assert_eq!(
                number(&target.database, &format!("SELECT COUNT(*) FROM {table}")).await,
                there,
                "{name}: {table}"
            );
            assert_eq!(report.of(table).unwrap().added, there as u64, "{name}: {table}");
        }
        let named = "SELECT name FROM volumes WHERE state = 'Ready' ORDER BY id DESC LIMIT 1";
        assert_eq!(text(&target.database, named).await, text(&source, named).await, "{name}");

        // Keys work, and are not in the clear.
        let store = target.database.store.clone().with_vault(target.vault().await.into());
        let credential = store.credential_by_api_key("key-admin").await.unwrap().unwrap();
        assert_eq!(credential.secret.unwrap().expose(), "secret-admin", "{name}");
        let raw =
            text(&target.database, "SELECT secret_key FROM api_keypair WHERE api_key = 'key-admin'").await.unwrap();
        assert!(raw.starts_with("sm1:"), "{name}");

        let again = target.import(&source.url, None).await.unwrap();
        for (table, taken) in &again.tables {
            let taken = taken.as_ref().unwrap();
            assert_eq!((taken.added, taken.updated, taken.gone, taken.kept.len()), (0, 0, 0, 0), "{name}: {table}");
        }
        assert!(again.text().contains("volumes: 0 new, 0 changed"), "{}", again.text());
    }
    assert_eq!(TAKEN.len(), 44);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_moved_here_stays() {
    for (name, database) in database::each().await {
        let source = source().await;
        let target = Target::new(database);
        target.import(&source.url, None).await.unwrap();
        let ids = "SELECT id FROM volumes WHERE removed IS NULL AND state = 'Ready' ORDER BY id LIMIT 1 OFFSET ";
        let moved = number(&source, &format!("{ids}0")).await;
        let (changed, gone) = (number(&source, &format!("{ids}1")).await, number(&source, &format!("{ids}2")).await);
        let copied = number(&source, &format!("{ids}3")).await;
        let uuid = text(&source, &format!("SELECT uuid FROM volumes WHERE id = {copied}")).await.unwrap();
        for sql in [
            "INSERT INTO motion_migration (id, uuid, job_id, kind, strategy, phase, outcome, created, updated) VALUES \
             (1, 'm', 1, 'volume', 's', 'settled', 'done', '2026-01-01 00:00:00', '2026-01-01 00:00:00')"
                .to_owned(),
            format!(
                "INSERT INTO motion_disk (migration_id, volume_id, stem, source_pool_id, target_pool_id) VALUES (1, {moved}, 's', 1, 2)"
            ),
            format!("UPDATE volumes SET name = 'moved here' WHERE id = {moved}"),
            "INSERT INTO api_keypair (id, uuid, name, domain_id, account_id, user_id, api_key, secret_key, created) VALUES \
             (5000, 'mine', 'n', 1, 2, 2, 'key-mine', 's', '2026-01-01 00:00:00')"
                .to_owned(),
            "UPDATE host SET status = 'Alert'".to_owned(),
        ] {
            sql_at(&target.database, &sql).await;
        }
        for sql in [
            format!("UPDATE volumes SET name = 'changed there' WHERE id IN ({moved}, {changed})"),
            format!("UPDATE volumes SET state = 'Expunged', removed = '2026-03-01 00:00:00' WHERE id = {gone}"),
            // As a cold copy leaves it: the public id goes to a new row, the old one is removed.
            format!("UPDATE volumes SET uuid = NULL, state = 'Expunged', removed = '2026-03-01 00:00:00' WHERE id = {copied}"),
            format!(
                "INSERT INTO volumes (id, uuid, name, state, account_id, domain_id, data_center_id, volume_type, disk_offering_id, \
                 update_count, size) VALUES (7000, '{uuid}', 'copy', 'Ready', 2, 1, 1, 'DATADISK', 1, 2, 1)"
            ),
            "INSERT INTO api_keypair (id, uuid, name, domain_id, account_id, user_id, api_key, secret_key, created) VALUES \
             (5000, 'theirs', 'n', 1, 2, 2, 'key-theirs', 's', '2026-01-01 00:00:00')"
                .to_owned(),
            "UPDATE host SET last_ping = last_ping + 60".to_owned(),
            "UPDATE api_keypair SET secret_key = 'another' WHERE api_key = 'key-admin'".to_owned(),
        ] {
            assert!(sql_at(&source, &sql).await > 0, "{sql}");
        }
        let report = target.import(&source.url, None).await.unwrap();
        let volumes = report.of("volumes").unwrap();
        assert_eq!((volumes.added, volumes.updated, volumes.gone), (1, 1, 2), "{name}: {}", report.text());
        assert_eq!(volumes.kept, [(moved, "moved here since the last import")], "{name}");
        let name_of =
            async |id: i64| text(&target.database, &format!("SELECT name FROM volumes WHERE id = {id}")).await;
        assert_eq!(name_of(moved).await.as_deref(), Some("moved here"), "{name}");
        assert_eq!(name_of(changed).await.as_deref(), Some("changed there"), "{name}");
        let holder = format!("SELECT id FROM volumes WHERE uuid = '{uuid}' AND removed IS NULL");
        assert_eq!(number(&target.database, &holder).await, 7000, "{name}");
        let removed = format!("SELECT COUNT(*) FROM volumes WHERE id IN ({gone}, {copied}) AND removed IS NOT NULL");
        assert_eq!(number(&target.database, &removed).await, 2, "{name}");

        // What the gateway sees itself, and what was made here, is not the source's.
        assert_eq!(number(&target.database, "SELECT COUNT(*) FROM host WHERE status <> 'Alert'").await, 0, "{name}");
        assert_eq!(report.of("api_keypair").unwrap().kept, [(5000, "a row with this id was made here")], "{name}");
        assert!(report.text().contains("kept as it is here, id 5000"), "{}", report.text());
        let store = target.database.store.clone().with_vault(target.vault().await.into());
        let secret = store.credential_by_api_key("key-admin").await.unwrap().unwrap().secret.unwrap();
        assert_eq!(secret.expose(), "another", "{name}: a secret that alone was changed");
    }
}
