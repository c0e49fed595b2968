//! What stops an import, and that it says so before anything is written.

use std::process::Command;

use stackmotion::store::SourceError;

use super::support::{Target, number, source, sql_at};
use crate::support::database;

use stackmotion::import::ImportError;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_stops_it_is_said_before_anything_is_written() {
    let source = source().await;
    let target = Target::new(database::sqlite().await);
    let refused = async |url: &str| target.import(url, None).await.unwrap_err();
    let name = source.url.rsplit('/').next().unwrap();

    assert!(matches!(refused("sqlite://x").await, ImportError::Source(SourceError::Url)));
    let nobody = refused("mysql://root@127.0.0.1:1/cloud").await;
    assert!(matches!(nobody, ImportError::Source(SourceError::Unreachable(_))), "{nobody:?}");
    let unknown = refused(&source.url.replace(name, "nothing")).await;
    assert!(matches!(unknown, ImportError::Source(SourceError::NoDatabase(_))), "{unknown:?}");
    let password = refused(&source.url.replace("root@", "root:wrong@")).await;
    assert!(matches!(password, ImportError::Source(SourceError::Refused(_))), "{password:?}");

    let reader = format!("reader_{name}");
    sql_at(&source, &format!("CREATE USER '{reader}'@'%' IDENTIFIED BY 'pw'")).await;
    for table in ["version", "async_job", "vm_instance", "volumes"] {
        sql_at(&source, &format!("GRANT SELECT ON {name}.{table} TO '{reader}'@'%'")).await;
    }
    let right = refused(&source.url.replace("root@", &format!("{reader}:pw@"))).await;
    assert!(matches!(right, ImportError::Source(SourceError::NoRight { table: "data_center" })), "{right:?}");
    assert!(right.to_string().contains("data_center") && !right.to_string().contains("pw"), "{right}");

    for (there, back, word) in [
        (
            "UPDATE version SET version = '4.20.1.0' WHERE id = 2",
            "UPDATE version SET version = '4.23.0.0' WHERE id = 2",
            "4.20.1.0",
        ),
        (
            "UPDATE version SET step = 'Upgrade' WHERE id = 2",
            "UPDATE version SET step = 'Complete' WHERE id = 2",
            "upgrade",
        ),
        (
            "UPDATE volumes SET state = 'Migrating' WHERE removed IS NULL LIMIT 1",
            "UPDATE volumes SET state = 'Ready' WHERE state = 'Migrating'",
            "being moved",
        ),
        (
            "ALTER TABLE volumes RENAME COLUMN folder TO folder_",
            "ALTER TABLE volumes RENAME COLUMN folder_ TO folder",
            "volumes",
        ),
        ("RENAME TABLE nics TO nics_", "RENAME TABLE nics_ TO nics", "no table nics"),
    ] {
        sql_at(&source, there).await;
        let text = refused(&source.url).await.to_string();
        assert!(text.contains(word), "{there}: {text}");
        sql_at(&source, back).await;
    }
    for table in ["data_center", "account", "volumes", "motion_import"] {
        assert_eq!(number(&target.database, &format!("SELECT COUNT(*) FROM {table}")).await, 0, "{table}");
    }

    let occupied = Target::new(database::sqlite().await);
    occupied.database.store.bootstrap().await.unwrap();
    let error = occupied.import(&source.url, None).await.unwrap_err();
    assert!(matches!(error, ImportError::Occupied), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_reports_and_a_gateway_goes_on_from_there() {
    let source = source().await;
    let folder = tempfile::tempdir().unwrap();
    let run = |url: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stackmotion"));
        command.args(["import", url, "--data-dir"]).arg(folder.path().join("data")).output().unwrap()
    };
    let output = run(&source.url);
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{told}{}", String::from_utf8_lossy(&output.stderr));
    assert!(told.contains("volumes: ") && told.contains("Not taken: "), "{told}");
    assert!(!told.contains("secret-admin"), "{told}");
    let url = format!("sqlite://{}", folder.path().join("data/stackmotion.db").display());
    let app = crate::secrets::support::start(&url, &folder.path().join("data")).await.unwrap();
    assert!(app.first_key.is_none(), "an imported installation has accounts");
    let credential = app.store.credential_by_api_key("key-admin").await.unwrap().unwrap();
    assert_eq!(credential.secret.unwrap().expose(), "secret-admin");
    app.stop().await;

    let output = run("mysql://root:a-wrong-one@127.0.0.1:1/cloud");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && told.contains("does not answer") && !told.contains("a-wrong-one"), "{told}");
}
