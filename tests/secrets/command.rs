//! `stackmotion secrets`, as a process.

use std::path::Path;
use std::process::{Command, Output};

use super::support::{WORD, fill, held, start};
use crate::support::database::{self, Database};

fn secrets(database: &Database, folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_stackmotion"))
        .arg("secrets")
        .args(args)
        .arg("--data-dir")
        .arg(folder)
        .args(["--database-url", &database.url])
        .output()
        .unwrap()
}

fn texts(output: &Output) -> (String, String) {
    (String::from_utf8_lossy(&output.stdout).into_owned(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn the_settings_of_an_attached_gateway_name_no_database_with_sealed_secrets() {
    let folder = tempfile::tempdir().unwrap();
    let refused = Command::new(env!("CARGO_BIN_EXE_stackmotion"))
        .args(["secrets", "rotate", "--set", "database.attach=mysql://127.0.0.1:1/cloud", "--data-dir"])
        .arg(folder.path())
        .output()
        .unwrap();
    let (told, error) = texts(&refused);
    assert!(
        !refused.status.success() && error.contains("database.attach names a CloudStack database"),
        "{told}{error}"
    );
    assert!(std::fs::read_dir(folder.path()).unwrap().next().is_none(), "nothing was made");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_are_looked_at_changed_and_given_up() {
    let database = database::sqlite().await;
    fill(&database.store, 2).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secrets.key");
    let run = |args: &[&str]| secrets(&database, folder.path(), args);

    let (told, _) = texts(&run(&["check"]));
    assert!(told.contains("nothing is sealed yet") && !file.exists(), "{told}");
    start(&database.url, folder.path()).await.unwrap().stop().await;
    let checked = run(&["check"]);
    let (told, _) = texts(&checked);
    assert!(checked.status.success() && told.contains("api_keypair.secret_key: 3 sealed with "), "{told}");

    let before = std::fs::read_to_string(&file).unwrap();
    let rotated = run(&["rotate"]);
    let (told, error) = texts(&rotated);
    assert!(rotated.status.success() && told.contains("Removed from"), "{told}{error}");
    assert_ne!(std::fs::read_to_string(&file).unwrap(), before);
    start(&database.url, folder.path()).await.unwrap().stop().await;

    std::fs::remove_file(&file).unwrap();
    for command in ["check", "rotate"] {
        let refused = run(&[command]);
        let (_, error) = texts(&refused);
        assert!(
            !refused.status.success() && error.contains("is missing") && error.contains("secrets forget"),
            "{error}"
        );
        assert!(!file.exists());
    }
    let stay = held(&database.store).await;
    assert!(run(&["forget"]).status.success());
    assert_eq!(held(&database.store).await, stay, "nothing is given up without --yes");
    let given_up = run(&["forget", "--yes"]);
    let (told, error) = texts(&given_up);
    assert!(given_up.status.success() && told.contains("emptied"), "{told}{error}");
    start(&database.url, folder.path()).await.unwrap().stop().await;
    let (told, error) = texts(&run(&["check"]));
    for text in [&told, &error] {
        assert!(!text.contains(WORD) && !text.contains("sm1:"), "{text}");
    }
}
