//! What a start does with secrets, and what it does without their key.

use stackmotion::app::StartError;
use stackmotion::store::{API_SECRET, Store, StoreError, Value, Vault, VaultError};

use super::support::{WORD, fill, held, start, vault_error};
use crate::support::database;

const ROWS: i64 = 3;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stolen_database_tells_no_secret() {
    for (name, database) in database::each().await {
        fill(&database.store, ROWS).await;
        let before = held(&database.store).await;
        let folder = tempfile::tempdir().unwrap();
        let app = start(&database.url, folder.path()).await.unwrap();

        let after = held(&database.store).await;
        assert_eq!(after.len(), before.len(), "{name}");
        for (place, text) in &after {
            assert!(!text.contains(WORD), "{name}: {place} tells {text}");
        }
        let sealed = |texts: &[(String, String)]| texts.iter().filter(|(_, text)| text.contains("sm1:")).count();
        let secrets = before.iter().filter(|(_, text)| text.contains(WORD)).count();
        // Beside those, the first key of the administrator.
        assert_eq!((sealed(&before), sealed(&after)), (0, secrets + 1), "{name}");
        // What is no secret stays as it was, and a path stays a path around its password.
        let shown = |texts: &[(String, String)]| texts.iter().filter(|(_, text)| text == "shown").count();
        assert_eq!(shown(&after), shown(&before), "{name}");
        assert!(
            after
                .iter()
                .any(|(_, text)| text.starts_with("/share?user=u&password=sm1:") && text.ends_with("&domain=d"))
        );

        // The gateway itself can use what it has to.
        for row in 1..=ROWS {
            let credential = app.store.credential_by_api_key(&format!("key-{row}")).await.unwrap().unwrap();
            assert_eq!(credential.secret.unwrap().expose(), format!("{WORD}-api-{row}"), "{name}");
        }
        assert_eq!(app.store.setting("secret.hidden").await.unwrap().unwrap(), format!("{WORD}-secret.hidden"));
        app.stop().await;

        // A second start changes nothing.
        start(&database.url, folder.path()).await.unwrap().stop().await;
        assert_eq!(held(&database.store).await, after, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_its_key_file_a_gateway_does_not_start_and_changes_nothing() {
    for (name, database) in database::each().await {
        fill(&database.store, ROWS).await;
        let folder = tempfile::tempdir().unwrap();
        start(&database.url, folder.path()).await.unwrap().stop().await;
        let before = held(&database.store).await;
        let (file, kept) = (folder.path().join("secrets.key"), folder.path().join("kept"));
        std::fs::rename(&file, &kept).unwrap();

        let missing = vault_error(start(&database.url, folder.path()).await);
        assert!(matches!(missing, VaultError::Missing { .. }), "{name}: {missing}");
        let text = missing.to_string();
        for word in ["secrets.key", "api_keypair.secret_key", "Nothing was changed", "secrets.key_file", "forget"] {
            assert!(text.contains(word), "{name}: {text}");
        }
        assert!(!file.exists(), "{name}: no key was made");

        Vault::create(&file).unwrap();
        let others = std::fs::read_to_string(&file).unwrap();
        let wrong = vault_error(start(&database.url, folder.path()).await);
        assert!(matches!(wrong, VaultError::Unknown { .. }), "{name}: {wrong}");
        assert_eq!(std::fs::read_to_string(&file).unwrap(), others, "{name}: the wrong file stays as it is");
        assert_eq!(held(&database.store).await, before, "{name}");

        std::fs::rename(&kept, &file).unwrap();
        start(&database.url, folder.path()).await.unwrap().stop().await;
        assert_eq!(held(&database.store).await, before, "{name}");
    }
}

/// A key that only the database has is nobody's, and no other is made.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_key_is_told_before_it_is_good() {
    for (name, database) in database::each().await {
        let folder = tempfile::tempdir().unwrap();
        let in_the_way = folder.path().join(format!("admin.key.{}", std::process::id()));
        std::fs::create_dir(&in_the_way).unwrap();
        let refused = start(&database.url, folder.path()).await.unwrap_err();
        assert!(matches!(refused, StartError::DataFolder { .. }), "{name}: {refused}");
        assert!(database.store.is_new().await.unwrap(), "{name}");
        std::fs::remove_dir(&in_the_way).unwrap();
        let app = start(&database.url, folder.path()).await.unwrap();
        let key = app.first_key.clone().unwrap();
        let told = std::fs::read_to_string(folder.path().join("admin.key")).unwrap();
        assert!(!in_the_way.exists(), "{name}");
        assert_eq!(told, format!("apikey = {}\nsecretkey = {}\n", key.api_key, key.secret_key.expose()), "{name}");
        assert!(app.store.credential_by_api_key(&key.api_key).await.unwrap().is_some(), "{name}");
        app.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tables_that_are_neither_old_nor_new_are_called_that() {
    for (name, database) in database::each().await {
        let db = database.store.db();
        // As a gateway leaves them on MySQL that is killed before the change is over.
        db.run("DELETE FROM _sqlx_migrations WHERE version > 24", vec![]).await.unwrap();
        db.run("UPDATE _sqlx_migrations SET success = 0 WHERE version = 24", vec![]).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let refused = start(&database.url, folder.path()).await.unwrap_err();
        assert!(matches!(refused, StartError::Store(StoreError::HalfChanged { version: 24 })), "{name}: {refused:?}");
        // What docs/operating.md says.
        db.run("DROP TABLE motion_turn", vec![]).await.unwrap();
        db.run("DELETE FROM _sqlx_migrations WHERE success = 0", vec![]).await.unwrap();
        start(&database.url, folder.path()).await.unwrap().stop().await;
    }
}

#[tokio::test]
async fn a_secret_that_was_copied_to_another_row_lets_nobody_in() {
    for (name, database) in database::each().await {
        fill(&database.store, ROWS).await;
        let folder = tempfile::tempdir().unwrap();
        let vault = Vault::of_database(database.store.db(), &folder.path().join("k")).await.unwrap();
        assert!(vault.seal_plain(database.store.db(), |_| ()).await.unwrap() > 0);
        let store = database.store.clone().with_vault(vault.into());
        let row = store.db().row("SELECT secret_key FROM api_keypair WHERE api_key = 'key-1'", vec![]).await.unwrap();
        let copied = row.unwrap().at::<String>(0).unwrap();
        let sql = "UPDATE api_keypair SET secret_key = ? WHERE api_key = 'key-2'";
        store.db().run(sql, vec![Value::Text(copied)]).await.unwrap();
        let refused = store.credential_by_api_key("key-2").await.unwrap_err();
        assert!(matches!(refused, StoreError::Vault(VaultError::NotOpened { .. })), "{name}: {refused}");
        assert!(store.credential_by_api_key("key-1").await.unwrap().is_some(), "{name}");
    }
}

#[tokio::test]
async fn long_secrets_have_room() {
    for (name, database) in database::each().await {
        database.store.bootstrap().await.unwrap();
        let long = "x".repeat(255);
        let sql = "UPDATE api_keypair SET secret_key = ?";
        database.store.db().run(sql, vec![Value::Text(long.clone())]).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let vault = Vault::of_database(database.store.db(), &folder.path().join("k")).await.unwrap();
        vault.seal_plain(database.store.db(), |_| ()).await.unwrap();
        let rows = database.store.db().rows("SELECT uuid, secret_key FROM api_keypair", vec![]).await.unwrap();
        let (uuid, text): (String, String) = (rows[0].at(0).unwrap(), rows[0].at(1).unwrap());
        assert_eq!(vault.open(&API_SECRET, &uuid, &text).unwrap().expose(), long, "{name}");
    }
}

#[tokio::test]
async fn a_store_without_the_key_gives_no_sealed_text_for_a_secret() {
    let database = database::sqlite().await;
    fill(&database.store, 1).await;
    let folder = tempfile::tempdir().unwrap();
    let vault = Vault::of_database(database.store.db(), &folder.path().join("k")).await.unwrap();
    vault.seal_plain(database.store.db(), |_| ()).await.unwrap();
    let bare = Store::open(&database.url).await.unwrap();
    let refused = bare.credential_by_api_key("key-1").await.unwrap_err();
    assert!(matches!(refused, StoreError::Vault(VaultError::Closed { .. })), "{refused}");
}
