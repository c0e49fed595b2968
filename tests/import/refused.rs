//! What stops an import: it says so, writes nothing before it is sure, and nothing half.

use std::process::{Command, Output};

use stackmotion::import::ImportError;
use stackmotion::store::{SourceError, Store, StoreError};

use super::support::{Target, number, source};
use crate::attach::cloud::Cloud;
use crate::attach::trouble::Line;
use crate::support::database;

/// What an import says that is refused.
async fn words(target: &Target, url: &str) -> String {
    let error = target.import(url, None).await.unwrap_err();
    stackmotion::telemetry::chain(&error)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_stops_it_is_said_before_anything_is_written() {
    let source = source().await;
    let target = Target::new(database::sqlite().await);
    let reader = source.user("reader", "SELECT").await;
    let name = &source.0.name;
    for (url, word) in [
        ("sqlite://x".to_owned(), "mysql://user:password@host:3306/cloud"),
        ("mysql://root@127.0.0.1:1/cloud".to_owned(), "the server does not answer"),
        (source.0.url().replace(name, "nothing"), "there is no such database"),
        (reader.replace(":word@", ":wrong@"), "refused the user or the password"),
        (reader.replace(&format!("/{name}"), "/mysql"), "may not use this database"),
    ] {
        let said = words(&target, &url).await;
        assert!(
            said.contains(word) && said.contains("nothing was imported") && !said.contains("wrong"),
            "{url}: {said}"
        );
    }
    for (there, back, word) in [
        (
            "UPDATE version SET version = '4.17.2.0' WHERE id = 2",
            "UPDATE version SET version = '4.23.0.0' WHERE id = 2",
            "4.17.2.0 is not known",
        ),
        (
            "UPDATE version SET step = 'Upgrade' WHERE id = 2",
            "UPDATE version SET step = 'Complete' WHERE id = 2",
            "is not over",
        ),
        (
            "ALTER TABLE volumes RENAME COLUMN folder TO folder_",
            "ALTER TABLE volumes RENAME COLUMN folder_ TO folder",
            "no column folder",
        ),
        ("RENAME TABLE nics TO nics_", "RENAME TABLE nics_ TO nics", "the table nics is not there"),
    ] {
        source.0.sql(there).await;
        let said = words(&target, &source.0.url()).await;
        assert!(said.contains(word), "{there}: {said}");
        source.0.sql(back).await;
    }
    for table in ["data_center", "account", "volumes", "motion_import"] {
        assert_eq!(number(&target.database, &format!("SELECT COUNT(*) FROM {table}")).await, 0, "{table}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_that_may_not_be_read_is_named() {
    let source = source().await;
    let target = Target::new(database::sqlite().await);
    let url = source.user("some", "USAGE").await;
    let tables = source.tables().await;
    let mut sql = String::new();
    for table in tables.keys().filter(|table| *table != "data_center") {
        sql.push_str(&format!("GRANT SELECT ON `{0}`.`{table}` TO 'some{0}'@'%';", source.0.name));
    }
    // Its columns are seen with a right on one of them only.
    sql.push_str(&format!("GRANT INSERT ON `{0}`.`data_center` TO 'some{0}'@'%';", source.0.name));
    source.0.sql(&sql).await;
    let said = words(&target, &url).await;
    assert!(said.contains("the user may not SELECT on data_center; GRANT SELECT ON"), "{said}");
    assert!(!said.contains("INSERT") && !said.contains(":word"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_target_that_is_somebodys_stays_as_it_is() {
    let source = source().await;
    let occupied = Target::new(database::sqlite().await);
    occupied.database.store.bootstrap().await.unwrap();
    let error = occupied.import(&source.0.url(), None).await.unwrap_err();
    assert!(matches!(error, ImportError::Occupied), "{error}");

    // CloudStack's own database is no database of ours, whether a gateway is attached to it or not.
    let cloud = Cloud::recorded().await;
    for attached in [false, true] {
        if attached {
            Store::attach(&cloud.0.url(), std::time::Duration::from_secs(5)).await.unwrap();
        }
        let (tables, rows) = (cloud.tables().await, cloud.snapshot().await);
        assert!(matches!(Store::open(&cloud.0.url()).await, Err(StoreError::NotOurs)));
        for option in ["--database-url", "--attach"] {
            let folder = tempfile::tempdir().unwrap();
            let output =
                command(&source.0.url(), &[option, &cloud.0.url(), "--data-dir", &folder.path().display().to_string()]);
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(!output.status.success() && said.contains("database.attach"), "{option}: {said}");
        }
        assert_eq!(cloud.tables().await, tables);
        assert!(cloud.snapshot().await == rows, "rows were changed");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_that_goes_away_leaves_whole_pages_and_the_next_run_takes_the_rest() {
    let source = source().await;
    let whole = Target::new(database::sqlite().await);
    let expected = whole.import(&source.0.url(), None).await.unwrap();
    for (name, database) in database::each().await {
        let target = Target::new(database);
        let line = Line::to(source.0.port).await;
        let url = source.0.url().replace(&format!(":{}/", source.0.port), &format!(":{}/", line.port));
        let cut = |table: &str, _: u64| {
            if table == "user" {
                tokio::task::block_in_place(|| line.cut());
            }
        };
        let error = target.import_and_tell(&url, None, cut).await.unwrap_err();
        assert!(matches!(error, ImportError::Source(SourceError::Lost(_))), "{name}: {error:?}");
        assert!(error.to_string().contains("run the import again"), "{name}: {error}");
        assert!(number(&target.database, "SELECT COUNT(*) FROM user").await > 0, "{name}");
        assert_eq!(number(&target.database, "SELECT COUNT(*) FROM volumes").await, 0, "{name}");
        // Nothing of ours is put into what waits for its second half.
        assert!(target.database.store.bootstrap().await.unwrap().is_none(), "{name}");

        let report = target.import(&source.0.url(), None).await.unwrap();
        for (table, taken) in &report.tables {
            assert_eq!(taken.added + taken.same, expected.of(table).unwrap().added, "{name}: {table}");
            assert_eq!((taken.updated, taken.gone, taken.kept.len()), (0, 0, 0), "{name}: {table}");
        }
        assert_eq!(target.secret("key-admin").await, "secret-admin", "{name}");
    }
}

/// Runs the command to its end.
fn command(url: &str, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stackmotion"));
    command.arg("import").arg(url).args(args).env_remove("STACKMOTION_CONFIG").output().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_reports_and_a_gateway_goes_on_from_there() {
    let source = source().await;
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data").display().to_string();
    let output = command(&source.0.url(), &["--data-dir", &data]);
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{told}{}", String::from_utf8_lossy(&output.stderr));
    assert!(told.contains("volumes: ") && told.contains("Not taken: "), "{told}");
    assert!(!told.contains("secret-admin"), "{told}");
    let url = format!("sqlite://{data}/stackmotion.db");
    let app = crate::secrets::support::start(&url, std::path::Path::new(&data)).await.unwrap();
    assert!(app.first_key.is_none(), "an imported installation has accounts");
    let credential = app.store.credential_by_api_key("key-admin").await.unwrap().unwrap();
    assert_eq!(credential.secret.unwrap().expose(), "secret-admin");
    app.stop().await;

    let output = command("mysql://root:a-wrong-one@127.0.0.1:1/cloud", &["--data-dir", &data]);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && told.contains("does not answer") && !told.contains("a-wrong-one"), "{told}");
}
