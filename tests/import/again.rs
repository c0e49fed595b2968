//! What is taken the first time, and what a second time changes.

use stackmotion::import::Report;
use stackmotion::store::TAKEN;

use super::support::{Target, number, number_there, run, source, text, there};
use crate::attach::cloud::Cloud;
use crate::attach::older::BACK;
use crate::support::database;

/// Makes sure that a run found everything as it was.
fn changed_nothing(report: &Report, name: &str) {
    for (table, taken) in &report.tables {
        assert_eq!((taken.added, taken.updated, taken.gone, taken.kept.len()), (0, 0, 0, 0), "{name}: {table}");
    }
    assert_eq!(report.tables.len(), TAKEN.len(), "{name}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_is_taken_once_and_the_source_is_only_read() {
    let source = source().await;
    let before = source.snapshot().await;
    let reader = source.user("reader", "SELECT").await;
    for (name, database) in database::each().await {
        let target = Target::new(database);
        let report = target.import(&reader, None).await.unwrap();
        assert!(report.tables.iter().all(|(_, taken)| taken.kept.is_empty() && taken.left.is_empty()), "{name}");
        for (table, filter) in [
            ("volumes", "removed IS NULL AND state <> 'Expunged'"),
            ("vm_instance", "removed IS NULL"),
            ("host", "removed IS NULL AND type = 'Routing'"),
            ("storage_pool", "removed IS NULL"),
            ("role_permissions", "1 = 1"),
            ("guest_os", "1 = 1"),
        ] {
            let count = number_there(&source, &format!("SELECT COUNT(*) FROM {table} WHERE {filter}")).await;
            assert!(count > 0, "{table}");
            let here = number(&target.database, &format!("SELECT COUNT(*) FROM {table}")).await;
            assert_eq!((here, report.of(table).unwrap().added), (count, count as u64), "{name}: {table}");
        }
        let named = "SELECT name FROM volumes WHERE state = 'Ready' ORDER BY id DESC LIMIT 1";
        assert_eq!(text(&target.database, named).await, there(&source, named).await, "{name}");

        // Keys work, and are not in the clear.
        assert_eq!(target.secret("key-admin").await, "secret-admin", "{name}");
        let raw = text(&target.database, "SELECT secret_key FROM api_keypair WHERE api_key = 'key-admin'").await;
        assert!(raw.unwrap().starts_with("sm1:"), "{name}");

        let again = target.import(&reader, None).await.unwrap();
        changed_nothing(&again, name);
        assert!(again.text().contains("volumes: 0 new, 0 changed"), "{}", again.text());
    }
    assert!(source.snapshot().await == before, "the source was written");
    assert!(!source.tables().await.keys().any(|table| table.starts_with("motion_")), "a table was made at the source");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_eighteen_is_taken_as_if_it_were_four_twenty_three() {
    let (new, old) = (source().await, source().await);
    old.0.sql(BACK).await;
    let (of_new, of_old) = (Target::new(database::sqlite().await), Target::new(database::sqlite().await));
    let expected = of_new.import(&new.0.url(), None).await.unwrap();
    let report = of_old.import(&old.0.url(), None).await.unwrap();
    for (table, taken) in &report.tables {
        // What no column was there for cannot have come: only the counts are the same.
        assert_eq!(taken.added, expected.of(table).unwrap().added, "{table}");
    }
    assert_eq!(of_old.secret("key-admin").await, "secret-admin");
    changed_nothing(&of_old.import(&old.0.url(), None).await.unwrap(), "4.18");
}

/// What a target and a source look like after a while: rows that were moved, made and changed at either.
struct Story {
    moved: i64,
    changed: i64,
    gone: i64,
    copied: i64,
    uuid: String,
}

impl Story {
    async fn of(source: &Cloud) -> Self {
        let id = async |at: u8| {
            let sql = format!(
                "SELECT id FROM volumes WHERE removed IS NULL AND state = 'Ready' ORDER BY id LIMIT 1 OFFSET {at}"
            );
            number_there(source, &sql).await
        };
        let copied = id(3).await;
        let uuid = there(source, &format!("SELECT uuid FROM volumes WHERE id = {copied}")).await.unwrap();
        Self { moved: id(0).await, changed: id(1).await, gone: id(2).await, copied, uuid }
    }

    async fn happen_here(&self, target: &Target) {
        for sql in [
            "INSERT INTO motion_migration (id, uuid, job_id, kind, strategy, phase, outcome, created, updated) VALUES \
             (1, 'm', 1, 'volume', 's', 'settled', 'done', '2026-01-01 00:00:00', '2026-01-01 00:00:00')"
                .to_owned(),
            format!(
                "INSERT INTO motion_disk (migration_id, volume_id, stem, source_pool_id, target_pool_id) VALUES \
                 (1, {}, 's', 1, 2)",
                self.moved
            ),
            format!("UPDATE volumes SET name = 'moved here' WHERE id = {}", self.moved),
            "INSERT INTO api_keypair (id, uuid, name, domain_id, account_id, user_id, api_key, secret_key, created) VALUES \
             (5000, 'mine', 'n', 1, 2, 2, 'key-mine', 's', '2026-01-01 00:00:00')"
                .to_owned(),
            "UPDATE host SET status = 'Alert'".to_owned(),
        ] {
            run(&target.database, &sql).await;
        }
    }

    async fn happen_there(&self, source: &Cloud) {
        let Self { moved, changed, gone, copied, uuid } = self;
        let sql = format!(
            "UPDATE volumes SET name = 'changed there' WHERE id IN ({moved}, {changed}); \
             UPDATE volumes SET state = 'Expunged', removed = '2026-03-01 00:00:00' WHERE id = {gone}; \
             UPDATE volumes SET uuid = NULL, state = 'Expunged', removed = '2026-03-01 00:00:00' WHERE id = {copied}; \
             INSERT INTO volumes (id, uuid, name, state, account_id, domain_id, data_center_id, volume_type, \
             disk_offering_id, update_count, size) VALUES (7000, '{uuid}', 'copy', 'Ready', 2, 1, 1, 'DATADISK', 1, 2, 1); \
             INSERT INTO api_keypair (id, uuid, name, domain_id, account_id, user_id, api_key, secret_key, created) VALUES \
             (5000, 'theirs', 'n', 1, 2, 2, 'key-theirs', 's', '2026-01-01 00:00:00'); \
             UPDATE host SET last_ping = last_ping + 60; \
             UPDATE api_keypair SET secret_key = 'another' WHERE api_key = 'key-admin';"
        );
        source.0.sql(&sql).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_moved_here_stays_and_the_rest_follows() {
    for (name, database) in database::each().await {
        let source = source().await;
        let target = Target::new(database);
        target.import(&source.0.url(), None).await.unwrap();
        let story = Story::of(&source).await;
        story.happen_here(&target).await;
        story.happen_there(&source).await;
        let report = target.import(&source.0.url(), None).await.unwrap();
        let volumes = report.of("volumes").unwrap();
        assert_eq!((volumes.added, volumes.updated, volumes.gone), (1, 1, 2), "{name}: {}", report.text());
        assert_eq!(volumes.kept, [(story.moved, "moved here since the last import")], "{name}");
        let Story { moved, changed, gone, copied, uuid } = &story;
        let name_of =
            async |id: &i64| text(&target.database, &format!("SELECT name FROM volumes WHERE id = {id}")).await;
        assert_eq!(name_of(moved).await.as_deref(), Some("moved here"), "{name}");
        assert_eq!(name_of(changed).await.as_deref(), Some("changed there"), "{name}");
        // As a cold copy leaves it: the public id goes to a new row, the old one is removed.
        let holder = format!("SELECT id FROM volumes WHERE uuid = '{uuid}' AND removed IS NULL");
        assert_eq!(number(&target.database, &holder).await, 7000, "{name}");
        let removed = format!("SELECT COUNT(*) FROM volumes WHERE id IN ({gone}, {copied}) AND removed IS NOT NULL");
        assert_eq!(number(&target.database, &removed).await, 2, "{name}");

        // What the gateway sees itself, and what was made here, is not the source's.
        assert_eq!(number(&target.database, "SELECT COUNT(*) FROM host WHERE status <> 'Alert'").await, 0, "{name}");
        assert_eq!(report.of("api_keypair").unwrap().kept, [(5000, "a row with this id was made here")], "{name}");
        assert!(report.text().contains("kept as it is here, id 5000"), "{}", report.text());
        assert_eq!(target.secret("key-admin").await, "another", "{name}: a secret that alone was changed");

        // What was removed here stays removed; what an import removed comes back with the source.
        run(&target.database, &format!("UPDATE volumes SET removed = '2026-03-02 00:00:00' WHERE id = {changed}"))
            .await;
        source
            .0
            .sql(&format!(
                "UPDATE volumes SET name = 'once more' WHERE id = {changed}; \
                 UPDATE volumes SET state = 'Ready', removed = NULL WHERE id = {gone}"
            ))
            .await;
        let report = target.import(&source.0.url(), None).await.unwrap();
        let volumes = report.of("volumes").unwrap();
        assert!(volumes.kept.contains(&(*changed, "removed here")), "{name}: {}", report.text());
        let back = format!("SELECT COUNT(*) FROM volumes WHERE id = {gone} AND removed IS NULL");
        assert_eq!(number(&target.database, &back).await, 1, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_something_here_stands_on_is_not_removed() {
    let source = source().await;
    let target = Target::new(database::sqlite().await);
    target.import(&source.0.url(), None).await.unwrap();
    let vm = number(&target.database, "SELECT MIN(id) FROM vm_instance WHERE host_id IS NOT NULL").await;
    let host = number(&target.database, &format!("SELECT host_id FROM vm_instance WHERE id = {vm}")).await;
    let details = format!("SELECT COUNT(*) FROM host_details WHERE host_id = {host}");
    let before = number(&target.database, &details).await;
    let sql = format!(
        "INSERT INTO motion_migration (id, uuid, job_id, kind, strategy, phase, outcome, vm_id, created, updated) VALUES \
         (1, 'm', 1, 'vm', 's', 'sent', NULL, {vm}, '2026-01-01 00:00:00', '2026-01-01 00:00:00')"
    );
    run(&target.database, &sql).await;
    // The host and everything on it is gone at the source, and so is another host with nothing on it here.
    source
        .0
        .sql(&format!(
            "UPDATE host SET removed = '2026-03-01 00:00:00' WHERE id = {host}; \
             UPDATE vm_instance SET host_id = NULL, removed = '2026-03-01 00:00:00' WHERE host_id = {host}"
        ))
        .await;
    let report = target.import(&source.0.url(), None).await.unwrap();
    assert!(
        report.of("vm_instance").unwrap().kept.contains(&(vm, "moved here since the last import")),
        "{}",
        report.text()
    );
    let why = "gone at the source, but something that stays here is on it";
    assert_eq!(report.of("host").unwrap().kept, [(host, why)], "{}", report.text());
    assert_eq!(number(&target.database, &details).await, before);

    run(&target.database, "UPDATE motion_migration SET phase = 'settled', outcome = 'not-done'").await;
    let report = target.import(&source.0.url(), None).await.unwrap();
    assert_eq!(
        (report.of("host").unwrap().gone, number(&target.database, &details).await),
        (1, 0),
        "{}",
        report.text()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_being_moved_at_the_source_is_left_until_it_is_over() {
    for (name, database) in database::each().await {
        let source = source().await;
        let vm =
            number_there(&source, "SELECT MIN(instance_id) FROM volumes WHERE removed IS NULL AND state = 'Ready'")
                .await;
        let disks = number_there(
            &source,
            &format!(
                "SELECT COUNT(*) FROM volumes WHERE instance_id = {vm} AND removed IS NULL AND state <> 'Expunged'"
            ),
        )
        .await;
        let alone = number_there(
            &source,
            &format!("SELECT MIN(id) FROM volumes WHERE removed IS NULL AND state = 'Ready' AND COALESCE(instance_id, 0) <> {vm}"),
        )
        .await;
        let begin = format!(
            "UPDATE vm_instance SET state = 'Migrating' WHERE id = {vm}; UPDATE volumes SET state = 'Migrating' WHERE id = {alone}"
        );
        let end = format!(
            "UPDATE vm_instance SET state = 'Running' WHERE id = {vm}; \
             UPDATE volumes SET state = 'Ready', pool_id = 2 WHERE id = {alone}"
        );
        source.0.sql(&begin).await;
        let target = Target::new(database);
        let report = target.import(&source.0.url(), None).await.unwrap();
        let left = |report: &Report, table: &str| report.of(table).unwrap().left.values().sum::<u64>();
        assert_eq!(left(&report, "vm_instance"), 1, "{name}: {}", report.text());
        assert_eq!(left(&report, "volumes"), disks as u64 + 1, "{name}: {}", report.text());
        assert!(report.text().contains("it is being moved at the source"), "{}", report.text());
        let half = format!(
            "SELECT (SELECT COUNT(*) FROM vm_instance WHERE id = {vm}) + (SELECT COUNT(*) FROM user_vm WHERE id = {vm}) + \
             (SELECT COUNT(*) FROM nics WHERE instance_id = {vm}) + \
             (SELECT COUNT(*) FROM volumes WHERE instance_id = {vm} OR id = {alone})"
        );
        assert_eq!(number(&target.database, &half).await, 0, "{name}: a machine was taken half-way");

        source.0.sql(&end).await;
        let report = target.import(&source.0.url(), None).await.unwrap();
        assert_eq!(report.of("volumes").unwrap().added, disks as u64 + 1, "{name}: {}", report.text());
        // On the way once more, what is here stays as it is, and is not gone.
        source.0.sql(&begin).await;
        changed_nothing(&target.import(&source.0.url(), None).await.unwrap(), name);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn roles_inside_projects_are_taken_with_their_rules() {
    let source = source().await;
    source
        .0
        .sql(
            "INSERT INTO projects (id, name, uuid, project_account_id, domain_id, state) \
             VALUES (70, 'p', '00000000-0000-4000-9000-000000000070', 2, 1, 'Active'); \
             INSERT INTO project_role (id, uuid, name, project_id, removed) VALUES \
             (71, '00000000-0000-4000-9000-000000000071', 'reader', 70, NULL), \
             (72, '00000000-0000-4000-9000-000000000072', NULL, 70, '2026-11-23 18:00:00'); \
             INSERT INTO project_role_permissions (id, uuid, project_id, project_role_id, rule, permission, sort_order) VALUES \
             (73, '00000000-0000-4000-9000-000000000073', 70, 71, 'list*', 'ALLOW', 0), \
             (74, '00000000-0000-4000-9000-000000000074', 70, 71, '*', 'DENY', 1), \
             (75, '00000000-0000-4000-9000-000000000075', 70, 72, '*', 'DENY', 0); \
             INSERT INTO project_account (id, account_id, account_role, project_account_id, project_id, project_role_id) \
             VALUES (76, 2, 'Regular', 2, 70, 71);",
        )
        .await;
    let reader = source.user("reader", "SELECT").await;
    let taken = "SELECT rule FROM project_role_permissions q JOIN project_role r ON r.id = q.project_role_id \
        JOIN project_account m ON m.project_role_id = r.id WHERE r.project_id = 70 ORDER BY q.sort_order LIMIT 1";
    let mut targets = Vec::new();
    for (name, database) in database::each().await {
        let target = Target::new(database);
        let report = target.import(&reader, None).await.unwrap();
        let added = |table| report.of(table).unwrap().added;
        assert_eq!((added("project_role"), added("project_role_permissions")), (1, 2), "{name}");
        assert_eq!(text(&target.database, taken).await.as_deref(), Some("list*"), "{name}");
        targets.push((name, target));
    }
    source
        .0
        .sql(
            "DELETE FROM project_role_permissions WHERE id = 73; \
             UPDATE project_role_permissions SET rule = 'get*' WHERE id = 74",
        )
        .await;
    for (name, target) in targets {
        let report = target.import(&reader, None).await.unwrap();
        let rules = report.of("project_role_permissions").unwrap();
        assert_eq!((rules.added, rules.updated, rules.gone), (0, 1, 1), "{name}");
        assert_eq!(text(&target.database, taken).await.as_deref(), Some("get*"), "{name}");
    }
}
