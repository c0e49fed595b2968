//! What has to hold: when a job speaks, and when nothing moves any more.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use stackmotion::args;
use stackmotion::model::{VmState, VolumeState};
use stackmotion::motion::{Kind, Outcome};
use stackmotion::store::{MotionRow, Store};

use super::ground::Ground;
use super::points::Sim;
use super::world::World;

const NOT_KNOWN: &str = "not known";

/// What a job says is so, at the moment in which it says it: nothing else may have moved its things before it ends.
pub async fn claims(store: &Store, sim: &Arc<Sim>, (number, job_id): (usize, i64), result: &Result<(), String>) {
    let motions = store.motions_of_job(job_id).await.expect("the journal");
    let mut all_done = true;
    let mut in_doubt = false;
    for row in &motions {
        let outcome = row.outcome.as_deref().and_then(Outcome::parse);
        let Some(outcome) = outcome.filter(|_| row.phase == "settled") else {
            sim.state().find(format!("job {number} ends, and its motion is {}", row.phase));
            continue;
        };
        // The disk of a stopped machine is taken up once more after a motion that was not done.
        all_done = outcome == Outcome::Done;
        in_doubt |= outcome == Outcome::Unknown;
        let contradictions = contradictions(store, sim, row, outcome).await;
        let mut state = sim.state();
        state.tally.count("motions", outcome.word());
        for text in contradictions {
            state.find(format!("job {number} says of a motion that it is {}, and {text}", outcome.word()));
        }
    }
    let mut state = sim.state();
    match result {
        Ok(()) if !all_done => state.find(format!("job {number} succeeds, and not all of it was done")),
        Err(text) if all_done && !motions.is_empty() => {
            state.find(format!("job {number} fails, and all is done: {text}"))
        }
        Err(text)
            if in_doubt != text.contains(NOT_KNOWN) && !(motions.is_empty() && text.contains("is not known yet")) =>
        {
            state.find(format!("job {number} does not say whether the outcome is known: {text}"));
        }
        Err(_) | Ok(()) => {}
    }
}

/// Where the world contradicts what the journal says of a motion.
async fn contradictions(store: &Store, sim: &Arc<Sim>, row: &MotionRow, outcome: Outcome) -> Vec<String> {
    let kind = Kind::parse(&row.kind).expect("a kind");
    if outcome == Outcome::Unknown {
        return Vec::new();
    }
    let disks = store.motion_disks(row.id).await.expect("the journal");
    let places: BTreeMap<i64, Option<i64>> =
        store.motion_disk_places(row.id).await.expect("the journal").into_iter().collect();
    let state = sim.state();
    let world = &state.world;
    let mut wrong = Vec::new();
    if kind.moves_vm() {
        let said = if outcome == Outcome::NotDone { Some(row.source_host_id) } else { row.target_host_id };
        let machine = world.machines.iter().find(|machine| Some(machine.id) == row.vm_id).expect("a machine");
        if Some(world.hosts[machine.host].id) != said {
            wrong.push(format!("{} is on {}", machine.name, world.hosts[machine.host].name));
        }
    }
    for disk in disks {
        let pool = match outcome {
            Outcome::Done => disk.target_pool_id,
            Outcome::NotDone => disk.source_pool_id,
            _ => places[&disk.volume_id].expect("a place of a disk that is known"),
        };
        let place = (pool, disk.stem.clone());
        if world.lied.iter().any(|(_, stem)| *stem == disk.stem) {
            continue;
        }
        if kind == Kind::ColdVolume {
            let is_there = world.file(place.0, &place.1).is_some_and(|file| file.is_complete);
            if outcome == Outcome::Done && !is_there {
                wrong.push(format!("there is no copy {} in pool {}", place.1, place.0));
            }
            continue;
        }
        let machine = world.machines.iter().find(|machine| Some(machine.id) == row.vm_id).expect("a machine");
        if !machine.disks.contains(&place) {
            wrong.push(format!(
                "{} has not its disk {} in pool {}: {:?}",
                machine.name, place.1, place.0, machine.disks
            ));
        }
    }
    wrong
}

/// What must not be once nothing moves any more.
pub async fn check(ground: &Ground, sim: &Arc<Sim>, moment: &str) {
    let world = sim.state().world.clone();
    let mut wrong = Vec::new();
    still_moving(&ground.store, &mut wrong).await;
    let in_doubt = unknown(&ground.store, &world, &mut wrong).await;
    machines(ground, &world, &mut wrong).await;
    let owned = volumes(ground, &world, &in_doubt, &mut wrong).await;
    files(&ground.store, &world, &owned, &mut wrong).await;
    capacity(ground, &mut wrong).await;
    let mut state = sim.state();
    for text in wrong {
        state.find(format!("{moment}: {text}"));
    }
}

async fn still_moving(store: &Store, wrong: &mut Vec<String>) {
    for sql in [
        "SELECT name, state FROM volumes WHERE state IN ('Migrating', 'Creating', 'Allocated')",
        "SELECT name, state FROM vm_instance WHERE state NOT IN ('Running', 'Stopped')",
        "SELECT uuid, phase FROM motion_migration WHERE phase <> 'settled'",
        "SELECT uuid, CAST(job_status AS CHAR) FROM async_job WHERE job_status = 0",
        "SELECT CAST(vm_id AS CHAR), 'is marked as being moved while it is stopped' FROM motion_stopped_vm",
        "SELECT name, 'is locked' FROM motion_lock",
    ] {
        for row in store.db().rows(sql, vec![]).await.expect("the database") {
            let (name, state): (String, String) = (row.at(0).expect("a name"), row.at(1).expect("a state"));
            wrong.push(format!("{name} is still {state}"));
        }
    }
}

/// The volumes of motions whose outcome is not known: there are some only where an agent cannot tell.
async fn unknown(store: &Store, world: &World, wrong: &mut Vec<String>) -> BTreeSet<i64> {
    let mut in_doubt = BTreeSet::new();
    for row in store.motions_unknown().await.expect("the journal") {
        let is_stock = |id: i64| world.hosts.iter().any(|host| host.id == id && host.is_stock);
        if !is_stock(row.source_host_id) && !row.target_host_id.is_some_and(is_stock) {
            wrong.push(format!("the outcome of a motion stays unknown although its agents can tell: {:?}", row.reason));
        }
        in_doubt.extend(store.motion_disks(row.id).await.expect("the journal").iter().map(|disk| disk.volume_id));
    }
    in_doubt
}

async fn machines(ground: &Ground, world: &World, wrong: &mut Vec<String>) {
    for machine in &world.machines {
        let row = ground.store.vm_by_id(machine.id).await.expect("the database").expect("a machine");
        let host = world.hosts[machine.host].id;
        let (state, place) = if machine.is_running { (VmState::Running, Some(host)) } else { (VmState::Stopped, None) };
        if row.state != state || row.host_id != place {
            let (name, on) = (&machine.name, &world.hosts[machine.host].name);
            wrong.push(format!("{name} is {state} on {on}, and its row says {} on {:?}", row.state, row.host_id));
        }
    }
}

/// Every volume is where its row says. Gives the places of all that are.
async fn volumes(
    ground: &Ground,
    world: &World,
    in_doubt: &BTreeSet<i64>,
    wrong: &mut Vec<String>,
) -> BTreeSet<(i64, String)> {
    let mut owned = BTreeSet::new();
    for disk in &ground.estate.disks {
        let row = ground.store.volume_by_uuid(&disk.uuid).await.expect("the database").expect("a volume");
        let name = &row.name;
        if row.state != VolumeState::Ready {
            wrong.push(format!("{name} is {}", row.state));
        }
        let place = (row.pool_id.unwrap_or_default(), row.path.clone().unwrap_or_default());
        let machine = world.machines.iter().find(|machine| machine.id == disk.vm_id).expect("a machine");
        let is_believed = in_doubt.contains(&row.id) || world.lied.iter().any(|(_, stem)| *stem == disk.uuid);
        if is_believed {
            // Whatever the row says, the disk itself is not lost.
            owned.extend(machine.disks.iter().filter(|(_, stem)| *stem == disk.uuid).cloned());
            owned.insert(place);
        } else {
            if machine.is_running && !machine.disks.contains(&place) {
                wrong.push(format!("the row of {name} says {place:?}, and {} has {:?}", machine.name, machine.disks));
            }
            let pool = ground.store.pool_by_id(place.0).await.expect("the database").expect("a pool");
            let sql = "SELECT folder FROM volumes WHERE id = ?";
            let folder = ground.store.db().row(sql, args![row.id]).await.expect("the database").expect("a volume");
            let folder: Option<String> = folder.at(0).expect("a folder");
            if folder.as_deref() != Some(pool.bare_path()) {
                wrong.push(format!("the row of {name} says folder {folder:?} of pool {}", pool.name));
            }
            owned.insert(place.clone());
            is_whole(world, &place, &disk.uuid, wrong);
        }
        for place in machine.disks.iter().filter(|(_, stem)| machine.is_running && *stem == disk.uuid) {
            is_whole(world, place, &disk.uuid, wrong);
        }
    }
    owned
}

fn is_whole(world: &World, place: &(i64, String), identity: &str, wrong: &mut Vec<String>) {
    match world.file(place.0, &place.1) {
        Some(file) if file.is_complete && file.identity == identity => {}
        found => wrong.push(format!("the disk {identity} should be at {place:?}: {found:?}")),
    }
}

/// Every file that is not a disk is in the ledger as what may lie about.
async fn files(store: &Store, world: &World, owned: &BTreeSet<(i64, String)>, wrong: &mut Vec<String>) {
    let sql = "SELECT f.pool_id, f.stem, f.state, m.outcome FROM motion_file f JOIN motion_migration m ON m.id = f.migration_id";
    let mut listed: BTreeMap<(i64, String), Vec<String>> = BTreeMap::new();
    for row in store.db().rows(sql, vec![]).await.expect("the ledger") {
        let place = (row.at(0).expect("a pool"), row.at(1).expect("a stem"));
        let (state, outcome): (String, Option<String>) = (row.at(2).expect("a state"), row.at(3).expect("an outcome"));
        let is_doubtful = outcome.as_deref() == Some(Outcome::Unknown.word());
        if state == "expected" && !is_doubtful {
            wrong.push(format!("nobody knows what became of the file {place:?}"));
        }
        if ["left", "possible", "unseen"].contains(&state.as_str()) || is_doubtful {
            listed.entry(place).or_default().push(state);
        }
    }
    for file in &world.files {
        let place = (file.pool, file.stem.clone());
        if !owned.contains(&place) && !listed.contains_key(&place) {
            wrong.push(format!("a file that nobody owns is not in the ledger: {file:?}"));
        }
    }
}

async fn capacity(ground: &Ground, wrong: &mut Vec<String>) {
    let used = async |id: i64, kind: i64| -> i64 {
        let sql = "SELECT used_capacity FROM op_host_capacity WHERE host_id = ? AND capacity_type = ?";
        let row = ground.store.db().row(sql, args![id, kind]).await.expect("the database").expect("a capacity row");
        row.at(0).expect("a number")
    };
    let sql = "SELECT COALESCE(SUM(o.ram_size), 0) FROM vm_instance v JOIN service_offering o ON o.id = v.service_offering_id \
        WHERE v.state = 'Running' AND v.host_id = ?";
    for host in &ground.estate.hosts {
        let row = ground.store.db().row(sql, args![host.id]).await.expect("the database").expect("a sum");
        let needed = row.at::<i64>(0).expect("a sum") << 20;
        let charged = used(host.id, 0).await;
        if charged != needed {
            wrong.push(format!("{} is charged with {charged} bytes of memory and has {needed}", host.plan.name));
        }
    }
    for pool in &ground.estate.pools {
        let promised = ground.store.pool_allocated_bytes(pool.id).await.expect("a sum");
        let charged = used(pool.id, 3).await;
        if charged != promised {
            wrong.push(format!("{} is charged with {charged} bytes and has promised {promised}", pool.name));
        }
    }
}
