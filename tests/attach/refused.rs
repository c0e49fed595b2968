//! Databases that cannot be attached: what is said, and that nothing was written.

use std::time::Duration;

use stackmotion::store::{Store, StoreError, Survey};

use super::cloud::Cloud;
use super::unreached::words;

const WAIT: Duration = Duration::from_secs(1);

/// What stops the gateway; nothing of the database is changed by finding out.
async fn stopped(cloud: &Cloud, url: &str) -> Survey {
    let (tables, rows) = (cloud.tables().await, cloud.snapshot().await);
    let survey = Store::survey(url, WAIT).await.expect("a survey");
    let Err(StoreError::NotAttachable(refused)) = Store::attach(url, WAIT).await else { panic!("attached: {survey}") };
    assert_eq!(survey.obstacles, refused.obstacles);
    assert!(!survey.is_attachable());
    assert_eq!(cloud.tables().await, tables);
    assert!(cloud.snapshot().await == rows, "rows were changed");
    survey
}

/// The only thing that stops, and what to do.
fn only(survey: &Survey) -> (&str, &str) {
    let [obstacle] = &survey.obstacles[..] else { panic!("{survey}") };
    (&obstacle.what, &obstacle.remedy)
}

#[tokio::test]
async fn a_wrong_password_user_or_name() {
    let cloud = Cloud::recorded().await;
    let url = cloud.user("right", "ALL PRIVILEGES").await;
    let said = words(&url.replace(":word@", ":wrong@")).await;
    assert!(said.contains("the server refused the user or the password; check both in the URL"), "{said}");
    assert!(!said.contains(":wrong"), "{said}");
    let said = words(&cloud.0.url().replace(&cloud.0.name, "nosuch")).await;
    assert!(said.contains("there is no such database"), "{said}");
    let said = words(&url.replace(&format!("/{}", cloud.0.name), "/mysql")).await;
    assert!(said.contains("may not use this database"), "{said}");
}

#[tokio::test]
async fn a_user_who_may_only_read() {
    let cloud = Cloud::recorded().await;
    let url = cloud.user("reader", "SELECT").await;
    let survey = stopped(&cloud, &url).await;
    let text = survey.to_string();
    assert!(text.contains("the user may not INSERT on account, account_details"), "{text}");
    assert!(text.contains("the user may not UPDATE on account, account_details"), "{text}");
    assert!(text.contains("ALTER, CREATE, DELETE, INDEX, INSERT, UPDATE tables of stackmotion's own"), "{text}");
    let grant = format!("INDEX ON `{}`.* TO 'reader{0}'@'%';", cloud.0.name);
    assert!(text.split_whitespace().collect::<Vec<_>>().join(" ").contains(&grant), "{text}");
    // It can read, so it is told what is there.
    assert!(text.contains("1 zones, 4 hosts, 5 pools"), "{text}");
}

#[tokio::test]
async fn a_user_who_lacks_one_table() {
    let cloud = Cloud::recorded().await;
    let name = &cloud.0.name;
    let url = cloud.user("most", "CREATE, ALTER, INDEX, DELETE").await;
    let tables = cloud.tables().await;
    let mut grants = String::new();
    for table in tables.keys().filter(|table| *table != "volumes") {
        grants.push_str(&format!("GRANT SELECT, INSERT, UPDATE ON {name}.`{table}` TO 'most{name}'@'%';\n"));
    }
    grants.push_str(&format!("GRANT SELECT ON {name}.volumes TO 'most{name}'@'%';"));
    cloud.0.sql(&grants).await;
    let survey = stopped(&cloud, &url).await;
    let whats: Vec<&str> = survey.obstacles.iter().map(|obstacle| obstacle.what.as_str()).collect();
    assert!(whats.contains(&"the user may not INSERT on volumes"), "{survey}");
    assert!(whats.contains(&"the user may not UPDATE on volumes"), "{survey}");
}

#[tokio::test]
async fn tables_and_columns_that_are_missing() {
    let cloud = Cloud::recorded().await;
    cloud.0.sql("DROP TABLE alert; ALTER TABLE volumes DROP COLUMN folder, DROP COLUMN path;").await;
    let survey = stopped(&cloud, &cloud.0.url()).await;
    let whats: Vec<&str> = survey.obstacles.iter().map(|obstacle| obstacle.what.as_str()).collect();
    assert_eq!(
        whats,
        [
            "the table alert is not there, or the user has no right on it",
            "the table volumes has no column folder, path"
        ]
    );
}

#[tokio::test]
async fn a_column_that_nobody_knows_and_every_row_needs() {
    let cloud = Cloud::recorded().await;
    cloud.0.sql("ALTER TABLE event ADD COLUMN origin varchar(10) NOT NULL, ADD COLUMN note varchar(10) NOT NULL DEFAULT '';").await;
    let survey = stopped(&cloud, &cloud.0.url()).await;
    assert_eq!(only(&survey).0, "the table event demands a value for origin, which is unknown here");
}

#[tokio::test]
async fn versions_that_are_not_known_or_not_there() {
    let cloud = Cloud::recorded().await;
    for (sql, what) in [
        (
            "UPDATE version SET step = 'Upgrade' WHERE version = '4.23.0.0'",
            "CloudStack's upgrade to 4.23.0.0 is not over (step Upgrade)",
        ),
        (
            "UPDATE version SET step = 'Complete', version = '4.24.0.0' WHERE version = '4.23.0.0'",
            "CloudStack 4.24.0.0 is not known here; 4.18 to 4.23 are",
        ),
        (
            "UPDATE version SET version = '4.17.2.0' WHERE version = '4.24.0.0'",
            "CloudStack 4.17.2.0 is not known here; 4.18 to 4.23 are",
        ),
    ] {
        cloud.0.sql(sql).await;
        assert_eq!(only(&stopped(&cloud, &cloud.0.url()).await).0, what);
    }
    cloud.0.sql("DROP TABLE version").await;
    let survey = stopped(&cloud, &cloud.0.url()).await;
    assert!(only(&survey).0.contains("not the database of a CloudStack"), "{survey}");
}

#[tokio::test]
async fn a_database_that_is_empty_or_our_own() {
    let bare = crate::support::database::bare().await;
    let survey = Store::survey(&bare.url(), WAIT).await.expect("a survey");
    assert!(only(&survey).0.contains("no table that this user may see"), "{survey}");
    Store::open(&bare.url()).await.expect("a database of our own").db().close().await;
    let survey = Store::survey(&bare.url(), WAIT).await.expect("a survey");
    assert!(only(&survey).0.contains("stackmotion's own"), "{survey}");
}

#[tokio::test]
async fn a_table_that_is_locked() {
    let cloud = Cloud::recorded().await;
    let holder = super::trouble::hold(&cloud, "LOCK TABLES volumes WRITE").await;
    let survey = Store::survey(&cloud.0.url(), WAIT).await.expect("a survey");
    // Tables that the locked one points to are held with it.
    let (what, remedy) = only(&survey);
    assert!(what.starts_with("somebody holds a lock on ") && what.contains("volumes"), "{survey}");
    assert!(remedy.contains("PROCESSLIST"), "{survey}");
    assert!(matches!(Store::attach(&cloud.0.url(), WAIT).await, Err(StoreError::NotAttachable(_))));
    assert!(!cloud.0.sql("SHOW TABLES").await.contains("motion_"), "tables were made");
    drop(holder);
}
