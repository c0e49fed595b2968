//! Secrets in CloudStack's own database: read as CloudStack has them, never sealed with a key of ours, and never written where
//! CloudStack encrypts them.

use super::cloud::{Cloud, differences};
use super::motions::submit;
use super::recorded::rows;
use super::trouble::end_of;
use crate::import::support::V2;
use crate::motion_golden::replay::Gateway;

const REGISTER: &[(&str, &str)] = &[("command", "registerUserKeys"), ("id", "")];

/// Asks for a new pair for the user with the number 3, and gives the job's end.
async fn register(cloud: &Cloud, gateway: &Gateway) -> (serde_json::Value, String) {
    let user = cloud.snapshot().await["user"]["3"]["uuid"].clone();
    let call: Vec<_> = REGISTER.iter().map(|&(name, value)| (name, if name == "id" { &user } else { value })).collect();
    let job = submit(gateway, &call).await;
    end_of(gateway, &job).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plain_secrets_are_read_and_written_plain() {
    let cloud = Cloud::recorded().await;
    let before = cloud.snapshot().await;
    let gateway = Gateway::attached(&cloud.0.url(), rows(), &[]).await;
    let (status, text) = register(&cloud, &gateway).await;
    assert_eq!(status, 1, "{text}");
    let after = cloud.snapshot().await;
    let new = super::cloud::new_rows(&before, &after, "api_keypair");
    assert_eq!(new.iter().map(|row| row["secret_key"].len()).collect::<Vec<_>>(), [86], "{new:?}");
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn encrypted_secrets_are_read_with_cloudstacks_key_and_none_is_written() {
    for with_key in [true, false] {
        let cloud = Cloud::recorded().await;
        // The administrator's secret reads `hunter2`; without the key, only that of another user is encrypted.
        let sql = if with_key {
            format!("UPDATE api_keypair SET secret_key = '{V2}' WHERE api_key = 'key-admin'")
        } else {
            "UPDATE api_keypair SET secret_key = CONCAT(REPEAT('aB+/', 37), 'abc=') WHERE id = 3".to_owned()
        };
        cloud.0.sql(&sql).await;
        let before = cloud.snapshot().await;
        let set: &[&str] = if with_key { &["cloudstack.db_key=password"] } else { &[] };
        let gateway = Gateway::attached(&cloud.0.url(), rows(), set).await;
        if with_key {
            let credential = gateway.store().credential_by_api_key("key-admin").await.unwrap().unwrap();
            assert_eq!(credential.secret.unwrap().expose(), "hunter2");
            cloud.0.sql("UPDATE api_keypair SET secret_key = 'secret-admin' WHERE api_key = 'key-admin'").await;
        }
        let (status, text) = register(&cloud, &gateway).await;
        assert_eq!(status, 2, "{text}");
        assert!(text.contains("only a management server writes them"), "{text}");
        gateway.stop().await;
        cloud.0.sql(&sql).await;
        let changed = differences(&before, &cloud.snapshot().await);
        assert!(
            changed.iter().all(|one| one.starts_with("async_job: new") || one.starts_with("event: new")),
            "{changed:?}"
        );
    }
}
