//! A management server and the gateway that change the same rows at the same time. CloudStack's statements are
//! `contract/migration.md` 3.1 and 3.2: the row as it was read, or nothing. A trigger writes down every change and who made it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use sqlx::{Connection as _, MySqlConnection, Row as _};
use stackmotion::model::{VmEvent, VolumeEvent};
use stackmotion::store::{Store, StoreError, Tx, VmPlace, VolumePlace};

use super::cloud::Cloud;
use super::motions::{MOVE, submit};
use super::recorded::rows;
use super::trouble::end_of;
use crate::motion_golden::replay::Gateway;

const ROUNDS: u32 = 10_000;
/// How many motions of the whole gateway are to get through beside the other writer, and how many to run into it.
const ENOUGH: usize = 5;
const TOO_MANY: usize = 400;
const WAIT: Duration = Duration::from_secs(5);
/// The pools between which the disk goes to and fro.
const POOLS: [&str; 2] = ["cd4f936d-dc6c-3f36-b597-1341e5a41f2b", "8d059fce-e354-3a49-a091-82d3147ed778"];
/// The disk and the machine that both want.
const VOLUME: i64 = 166;
const MACHINE: i64 = 6;

/// Writes down every change of a state, who made it, and in which order.
const WATCH: &str = "CREATE TABLE motion_test_log (n BIGINT AUTO_INCREMENT PRIMARY KEY, what VARCHAR(16), who VARCHAR(64), \
     was VARCHAR(32), was_count BIGINT, now VARCHAR(32), now_count BIGINT); \
     CREATE TRIGGER watch_volume AFTER UPDATE ON volumes FOR EACH ROW INSERT INTO motion_test_log \
     VALUES (NULL, CONCAT('volume ', NEW.id), SUBSTRING_INDEX(USER(), '@', 1), OLD.state, OLD.update_count, NEW.state, \
     NEW.update_count); \
     CREATE TRIGGER watch_vm AFTER UPDATE ON vm_instance FOR EACH ROW INSERT INTO motion_test_log \
     VALUES (NULL, CONCAT('machine ', NEW.id), SUBSTRING_INDEX(USER(), '@', 1), OLD.state, OLD.update_count, NEW.state, \
     NEW.update_count);";

/// How a writer fared.
#[derive(Debug, Default)]
struct Score {
    won: u32,
    lost: u32,
    /// The other had it.
    away: u32,
}

impl Score {
    fn rounds(&self) -> u32 {
        self.won + self.lost + self.away
    }
}

/// What CloudStack does with a row that is at rest in `calm`: it takes it to `busy`, works, and takes it back.
struct Server {
    connection: MySqlConnection,
    table: &'static str,
    id: i64,
    calm: &'static str,
    busy: &'static str,
}

impl Server {
    async fn on(url: &str, (table, id): (&'static str, i64), (calm, busy): (&'static str, &'static str)) -> Self {
        let connection = MySqlConnection::connect(url).await.expect("a connection");
        Self { connection, table, id, calm, busy }
    }

    /// The state, if the row is as it was read.
    async fn set(&mut self, from: &str, count: i64, to: &str) -> bool {
        let time = if self.table == "volumes" { "updated" } else { "update_time" };
        let sql = format!(
            "UPDATE {} SET state = '{to}', update_count = update_count + 1, {time} = UTC_TIMESTAMP() \
             WHERE id = {} AND state = '{from}' AND update_count = {count}",
            self.table, self.id
        );
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut self.connection).await.expect("an answer").rows_affected()
            == 1
    }

    async fn round(&mut self, score: &mut Score) {
        let sql = format!("SELECT state, CAST(update_count AS SIGNED) FROM {} WHERE id = {}", self.table, self.id);
        let row = sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).fetch_one(&mut self.connection).await.expect("the row");
        let (state, count): (String, i64) = (row.get(0), row.get(1));
        if state != self.calm {
            score.away += 1;
            return;
        }
        let (calm, busy) = (self.calm, self.busy);
        if !self.set(calm, count, busy).await {
            score.lost += 1;
            return;
        }
        assert!(self.set(busy, count + 1, calm).await, "what the server had taken was changed by another");
        score.won += 1;
    }
}

/// Keeps what was taken; none when the other was faster, and nothing is changed then.
async fn kept<T>(tx: Tx, taken: Result<T, StoreError>, score: &mut Score) -> Result<Option<T>, StoreError> {
    match taken {
        Ok(taken) => tx.commit().await.map(|()| Some(taken)),
        Err(StoreError::Conflict { .. }) => {
            tx.roll_back().await;
            score.lost += 1;
            Ok(None)
        }
        Err(other) => Err(other),
    }
}

/// The same by the gateway's own statements, with the place of the disk in the end.
async fn volume_round(store: &Store, score: &mut Score) -> Result<(), StoreError> {
    let volume = store.volume_by_id(VOLUME).await?.expect("the disk");
    let Ok(begin) = volume.state.on(VolumeEvent::MigrationRequested) else {
        score.away += 1;
        return Ok(());
    };
    let mut tx = store.begin().await?;
    let taken = tx.volume_transition(&volume, begin).await;
    let Some(moving) = kept(tx, taken, score).await? else { return Ok(()) };
    let mut tx = store.begin().await?;
    let end = moving.state.on(VolumeEvent::OperationSucceeded).expect("it moves");
    let ready = tx.volume_transition(&moving, end).await?;
    let pool_id = if volume.pool_id == Some(1) { 5 } else { 1 };
    let place = VolumePlace {
        pool_id,
        pool_type: "NetworkFilesystem".to_owned(),
        pod_id: Some(1),
        folder: "/export/ps2".to_owned(),
        path: volume.path.clone().unwrap_or_default(),
    };
    tx.volume_place(&ready, &place).await?;
    tx.commit().await?;
    score.won += 1;
    Ok(())
}

async fn machine_round(store: &Store, score: &mut Score) -> Result<(), StoreError> {
    let vm = store.vm_by_id(MACHINE).await?.expect("the machine");
    let is_free = vm.state.as_str() == "Running";
    let Some(begin) = vm.state.on(VmEvent::MigrationRequested).ok().filter(|_| is_free) else {
        score.away += 1;
        return Ok(());
    };
    let mut tx = store.begin().await?;
    let here = VmPlace { host_id: vm.host_id, last_host_id: vm.host_id, pod_id: vm.pod_id };
    let taken = tx.vm_transition(&vm, begin, here).await;
    let Some(moving) = kept(tx, taken, score).await? else { return Ok(()) };
    let mut tx = store.begin().await?;
    let end = moving.state.on(VmEvent::OperationSucceeded).expect("it moves");
    let host_id = if vm.host_id == Some(1) { 2 } else { 1 };
    let there = VmPlace { host_id: Some(host_id), last_host_id: vm.host_id, pod_id: vm.pod_id };
    tx.vm_transition(&moving, end, there).await?;
    tx.commit().await?;
    score.won += 1;
    Ok(())
}

/// Fails unless every change began where the one before it ended, and whoever took a row gave it back.
async fn check_log(cloud: &Cloud, what: &str, table: &str, calm: &str) {
    let (_, id) = what.split_once(' ').expect("a kind and an id");
    let sql =
        format!("SELECT who, was, was_count, now, now_count FROM motion_test_log WHERE what = '{what}' ORDER BY n");
    let log = cloud.0.sql(&sql).await;
    let mut holder: Option<String> = None;
    let mut last: Option<(String, i64)> = None;
    for line in log.lines().skip(1) {
        let [who, was, was_count, now, now_count] = line.split('\t').collect::<Vec<_>>()[..] else { panic!("{line}") };
        let (was_count, now_count): (i64, i64) =
            (was_count.parse().expect("a number"), now_count.parse().expect("a number"));
        if let Some((state, count)) = &last {
            assert_eq!((was, was_count), (state.as_str(), *count), "{what}: a change is missing before {line}");
        }
        last = Some((now.to_owned(), now_count));
        if was == now && was_count == now_count {
            continue; // its place, by whoever has just given it back
        }
        assert_eq!(now_count, was_count + 1, "{what}: {line}");
        match &holder {
            None => assert!(was == calm && now != calm, "{what}: {line}"),
            Some(holder) => assert!(holder == who && now == calm, "{what}: {holder} had it: {line}"),
        }
        holder = if holder.is_none() { Some(who.to_owned()) } else { None };
    }
    assert_eq!(holder, None, "{what}: nobody keeps it");
    let row = cloud.0.sql(&format!("SELECT state, update_count FROM {table} WHERE id = {id}")).await;
    let (state, count) = last.expect("changes");
    assert_eq!(
        row.lines().nth(1),
        Some(format!("{state}\t{count}").as_str()),
        "{what}: the row is as it was left last"
    );
}

/// Both play until each has had its rounds; how they fared.
async fn play<F>(mut server: Server, mut ours: F) -> (Score, Score)
where
    F: AsyncFnMut(&mut Score) -> Result<(), StoreError>,
{
    let turns = [AtomicU32::new(0), AtomicU32::new(0)];
    let goes_on = || turns.iter().any(|turn| turn.load(Ordering::Relaxed) < ROUNDS);
    let theirs = async {
        let mut score = Score::default();
        while goes_on() {
            server.round(&mut score).await;
            turns[0].store(score.rounds(), Ordering::Relaxed);
        }
        score
    };
    let ours = async {
        let mut score = Score::default();
        while goes_on() {
            ours(&mut score).await.expect("the database");
            turns[1].store(score.rounds(), Ordering::Relaxed);
        }
        score
    };
    tokio::join!(theirs, ours)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_writers_of_a_disk_and_of_a_machine() {
    let cloud = Cloud::recorded().await;
    cloud.0.sql(WATCH).await;
    let theirs = cloud.user("theirs", "ALL PRIVILEGES").await;
    let (store, _) = Store::attach(&cloud.user("ours", "ALL PRIVILEGES").await, WAIT).await.expect("attached");
    let (disk, machine) = tokio::join!(
        async {
            let server = Server::on(&theirs, ("volumes", VOLUME), ("Ready", "Snapshotting")).await;
            play(server, async |score| volume_round(&store, score).await).await
        },
        async {
            let server = Server::on(&theirs, ("vm_instance", MACHINE), ("Running", "Stopping")).await;
            play(server, async |score| machine_round(&store, score).await).await
        }
    );
    for (what, (theirs, ours)) in [("disk", &disk), ("machine", &machine)] {
        assert!(theirs.won > 0 && ours.won > 0, "{what}: both have a turn: {theirs:?} {ours:?}");
        assert!(theirs.lost > 0 && ours.lost > 0, "{what}: they get into each other's way: {theirs:?} {ours:?}");
        println!("{what}: the server {theirs:?}, the gateway {ours:?}");
    }
    check_log(&cloud, &format!("volume {VOLUME}"), "volumes", "Ready").await;
    check_log(&cloud, &format!("machine {MACHINE}"), "vm_instance", "Running").await;
    store.db().close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn motions_beside_a_server_that_changes_their_rows() {
    let cloud = Cloud::recorded().await;
    cloud.0.sql(WATCH).await;
    let theirs = cloud.user("theirs", "ALL PRIVILEGES").await;
    let ours = cloud.user("ours", "ALL PRIVILEGES").await;
    let gateway = Gateway::attached(&ours, rows(), &[]).await;
    let over = Arc::new(AtomicU32::new(0));
    let server = tokio::spawn({
        let over = Arc::clone(&over);
        async move {
            let mut server = Server::on(&theirs, ("volumes", VOLUME), ("Ready", "Snapshotting")).await;
            let mut score = Score::default();
            while over.load(Ordering::Acquire) == 0 {
                server.round(&mut score).await;
                // Long enough for a motion to get in between, if it is lucky.
                tokio::time::sleep(Duration::from_millis(u64::from(score.rounds() % 10 * 20))).await;
            }
            score
        }
    });
    let (mut moved, mut refused) = (0, 0);
    while moved < ENOUGH || refused < ENOUGH {
        assert!(moved + refused < TOO_MANY, "{moved} moved, {refused} refused");
        gateway.answer(Ok(()));
        let call = [MOVE[0], MOVE[1], ("storageid", POOLS[moved % 2]), MOVE[3]];
        let job = submit(&gateway, &call).await;
        let (status, text) = end_of(&gateway, &job).await;
        if status == 1 {
            moved += 1;
        } else {
            let expected = ["Volume must be in ready state", "was changed by another operation at the same time"];
            assert!(expected.iter().any(|part| text.contains(part)), "{status} {text}");
            refused += 1;
        }
    }
    over.store(1, Ordering::Release);
    let score = server.await.expect("the server");
    println!("{moved} moved, {refused} refused; the server {score:?}");
    assert!(score.won > 0, "both have a turn: {score:?}");
    gateway.stop().await;
    check_log(&cloud, &format!("volume {VOLUME}"), "volumes", "Ready").await;
}
