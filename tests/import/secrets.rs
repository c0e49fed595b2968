//! Secrets that CloudStack encrypted: opened with its key and sealed with ours, or left out and said so.

use super::support::{Target, V1, V2, number, number_there, source, text};
use crate::support::database;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn encrypted_secrets_are_opened_and_sealed_or_left_out() {
    for (name, database) in database::each().await {
        let source = source().await;
        let host = number_there(&source, "SELECT MIN(id) FROM host WHERE removed IS NULL AND type = 'Routing'").await;
        let pool = number_there(&source, "SELECT MIN(id) FROM storage_pool WHERE removed IS NULL").await;
        source
            .0
            .sql(&format!(
                "UPDATE api_keypair SET secret_key = '{V2}' WHERE api_key = 'key-admin'; \
                 REPLACE INTO host_details (host_id, name, value) VALUES ({host}, 'password', '{V1}'); \
                 UPDATE storage_pool SET path = '/s?user=u&password={V2}&domain=d' WHERE id = {pool}"
            ))
            .await;
        let target = Target::new(database);
        let path = format!("SELECT path FROM storage_pool WHERE id = {pool}");
        let detail = format!("SELECT value FROM host_details WHERE host_id = {host} AND name = 'password'");
        for wrong in [None, Some("not the key")] {
            let report = target.import(&source.0.url(), wrong).await.unwrap();
            for table in ["api_keypair", "host_details", "storage_pool"] {
                let left: u64 = report.of(table).unwrap().left.values().sum();
                assert_eq!(left, 1, "{name}: {table}: {}", report.text());
            }
            assert!(report.text().contains("cloudstack.db_key"), "{}", report.text());
            let pairs = "SELECT COUNT(*) FROM api_keypair WHERE api_key = 'key-admin'";
            assert_eq!(number(&target.database, pairs).await, 0, "{name}");
            assert_eq!(text(&target.database, &path).await.unwrap(), "/s?user=u&password=&domain=d", "{name}");
        }
        let report = target.import(&source.0.url(), Some("password")).await.unwrap();
        assert_eq!(report.of("api_keypair").unwrap().added, 1, "{name}: {}", report.text());
        let vault = target.vault().await;
        let reports = vault.check(target.database.store.db()).await.unwrap();
        assert!(reports.iter().all(|report| report.plain == 0 && report.lost() == 0), "{name}: {reports:?}");

        // A run without the key afterwards takes none of it away.
        for key in [Some("password"), None] {
            let report = target.import(&source.0.url(), key).await.unwrap();
            assert!(report.tables.iter().all(|(_, taken)| taken.gone == 0), "{name}: {}", report.text());
            assert_eq!(target.secret("key-admin").await, "hunter2", "{name} {key:?}");
            let path = text(&target.database, &path).await.unwrap();
            assert!(path.starts_with("/s?user=u&password=sm1:") && path.ends_with("&domain=d"), "{name}: {path}");
            assert!(text(&target.database, &detail).await.unwrap().starts_with("sm1:"), "{name}");
        }
    }
}
