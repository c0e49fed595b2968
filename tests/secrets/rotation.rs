//! A new key for all secrets: while gateways work, interrupted wherever, and when something does not open.

use std::path::Path;
use std::pin::pin;
use std::sync::Arc;

use stackmotion::store::{Store, Value, Vault, forget_lost};

use super::support::{WORD, fill, held};
use crate::support::database::{self, Database};

/// More than a batch has.
const ROWS: i64 = 520;

async fn sealed(database: &Database, file: &Path, rows: i64) -> Vault {
    fill(&database.store, rows).await;
    let vault = Vault::of_database(database.store.db(), file).await.unwrap();
    vault.seal_plain(database.store.db(), |_| ()).await.unwrap();
    vault
}

/// All secrets open, with the keys that the file has now.
async fn all_open(store: &Store, file: &Path) {
    let reports = Vault::read(file).unwrap().check(store.db()).await.unwrap();
    for report in &reports {
        assert_eq!((report.plain, report.lost()), (0, 0), "{report:?}");
    }
    assert!(reports.iter().all(|report| !report.sealed.is_empty()), "{reports:?}");
}

#[tokio::test]
async fn a_rotation_moves_every_secret_to_the_new_key() {
    for (name, database) in database::each().await {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("secrets.key");
        let vault = sealed(&database, &file, ROWS).await;
        let old = vault.key_ids();
        let gateway = database.store.clone().with_vault(Arc::new(Vault::read(&file).unwrap()));
        let mut told = 0;
        let rotated = vault.rotate(database.store.db(), |_| told += 1).await.unwrap();
        assert_eq!((rotated.resumed, &rotated.removed, &rotated.kept), (false, &old, &Vec::new()), "{name}");
        assert_eq!(
            rotated.changed,
            held(&database.store).await.iter().filter(|(_, text)| text.contains("sm1:")).count() as u64
        );
        assert!(told > 10, "{name}: told of {told} places");
        let now = Vault::read(&file).unwrap();
        assert_eq!(now.key_ids().join(" "), rotated.key, "{name}");
        assert!(held(&database.store).await.iter().all(|(_, text)| !text.contains(&old[0])), "{name}");
        all_open(&database.store, &file).await;
        // A gateway that knew the old key only.
        let credential = gateway.credential_by_api_key("key-7").await.unwrap().unwrap();
        assert_eq!(credential.secret.unwrap().expose(), format!("{WORD}-api-7"), "{name}");
        assert!(!vault.rotate(database.store.db(), |_| ()).await.unwrap().resumed, "{name}: and again");
        all_open(&database.store, &file).await;
    }
}

#[tokio::test]
async fn an_interrupted_rotation_loses_nothing_and_is_ended_by_the_next() {
    let database = database::sqlite().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secrets.key");
    sealed(&database, &file, 30).await;
    let (mut polls, mut interrupted, mut resumed) = (1, 0, 0);
    loop {
        // It is dropped after so many steps, as a process that is killed would end.
        let ended = {
            let vault = Vault::read(&file).unwrap();
            let mut rotation = pin!(vault.rotate(database.store.db(), |_| ()));
            let mut left = polls;
            std::future::poll_fn(|context| {
                use std::task::Poll;
                if left == 0 {
                    return Poll::Ready(None);
                }
                left -= 1;
                rotation.as_mut().poll(context).map(Some)
            })
            .await
        };
        all_open(&database.store, &file).await;
        match ended {
            None => interrupted += 1,
            Some(done) => {
                assert_eq!(Vault::read(&file).unwrap().key_ids().len(), 1, "an ended rotation leaves one key");
                if done.unwrap().resumed {
                    resumed += 1;
                } else if resumed > 0 {
                    break;
                } else {
                    // How many steps it takes is the scheduler's: this time none was met by its successor.
                    polls = 0;
                }
            }
        }
        polls += 1;
        assert!(polls < 2_000, "it never ends");
    }
    assert!(interrupted > 20, "it was interrupted at {interrupted} steps only");
}

#[tokio::test]
async fn a_key_that_a_broken_secret_names_is_kept() {
    let database = database::sqlite().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secrets.key");
    let vault = sealed(&database, &file, 2).await;
    let old = vault.key_ids();
    let sql = "UPDATE api_keypair SET secret_key = (SELECT k.secret_key FROM api_keypair k WHERE k.api_key = 'key-2') \
        WHERE api_key = 'key-1'";
    database.store.db().run(sql, vec![]).await.unwrap();
    let rotated = vault.rotate(database.store.db(), |_| ()).await.unwrap();
    assert_eq!((rotated.kept, rotated.removed), (old.clone(), Vec::new()));
    let reports = vault.check(database.store.db()).await.unwrap();
    let report = reports.iter().find(|report| report.place == "api_keypair.secret_key").unwrap();
    assert_eq!((report.broken, report.rows.as_slice()), (1, &["uuid-1".to_owned()][..]));
    // Set again, it is sealed, and the next rotation removes the key.
    let sql = "UPDATE api_keypair SET secret_key = 'new' WHERE api_key = 'key-1'";
    database.store.db().run(sql, vec![]).await.unwrap();
    let rotated = vault.rotate(database.store.db(), |_| ()).await.unwrap();
    assert_eq!((rotated.resumed, rotated.removed), (true, old));
    all_open(&database.store, &file).await;
}

#[tokio::test]
async fn what_is_given_up_is_empty_and_the_rest_is_not() {
    for (name, database) in database::each().await {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("secrets.key");
        sealed(&database, &file, 2).await;
        std::fs::remove_file(&file).unwrap();
        // One was set again, in the clear, and is sealed with a key of another file.
        let sql = "UPDATE api_keypair SET secret_key = 'again' WHERE api_key = 'key-1'";
        database.store.db().run(sql, vec![]).await.unwrap();
        Vault::create(&file).unwrap().seal_plain(database.store.db(), |_| ()).await.unwrap();
        let emptied = forget_lost(database.store.db(), &file, |_| ()).await.unwrap();
        assert!(emptied > 10, "{name}: {emptied}");
        all_but_lost(&database.store, &file, name).await;
        let texts = held(&database.store).await;
        assert!(texts.iter().any(|(_, text)| text == "/share?user=u&password=&domain=d"), "{name}: {texts:?}");
        assert!(texts.iter().filter(|(_, text)| text == "shown").count() >= 12, "{name}");
    }
}

async fn all_but_lost(store: &Store, file: &Path, name: &str) {
    let vault = Arc::new(Vault::of_database(store.db(), file).await.unwrap());
    let store = store.clone().with_vault(vault);
    let secret = async |key: &str| store.credential_by_api_key(key).await.unwrap().unwrap().secret;
    assert_eq!(secret("key-1").await.unwrap().expose(), "again", "{name}");
    assert!(secret("key-2").await.is_none(), "{name}: an empty secret is none");
    let row = store.db().row("SELECT COUNT(*) FROM user WHERE key_for_2fa = ''", Vec::<Value>::new()).await.unwrap();
    assert_eq!(row.unwrap().at::<i64>(0).unwrap(), 2, "{name}");
}
