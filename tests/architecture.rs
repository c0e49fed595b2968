//! The rooms and their arrows, as `docs/architecture.md` draws them, read off the sources.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Rooms by level: a room imports only from lower levels, and from itself.
const LEVELS: &[&[&str]] = &[
    &["model", "telemetry"],
    &["api", "store"],
    &["auth", "jobs", "motion"],
    &["drift", "estate", "evacuation"],
    &["views", "hypervisors", "upstream"],
    &["feed"],
    &["commands"],
    &["dispatch"],
    &["http", "settings"],
    &["app"],
    &["client", "agent", "import", "secrets"],
    &["demo"],
    &["bench"],
];

/// Third-party crates that only some rooms may know.
const CRATES: &[(&str, &[&str])] = &[
    ("sqlx", &["store"]),
    ("actix_web", &["http", "agent", "app", "bench"]),
    ("reqwest", &["hypervisors", "client", "demo"]),
    ("hyper_util", &["hypervisors", "upstream"]),
    ("hyper_rustls", &["upstream"]),
    ("http_body_util", &["upstream"]),
    ("hmac", &["auth"]),
    ("sha1", &["auth"]),
    ("pbkdf2", &["auth"]),
    ("clap", &["settings", "client", "agent", "demo", "import", "secrets", "bench"]),
    ("rcgen", &["agent"]),
];

/// The longest file, tests at its end not counted.
const LONGEST_FILE: usize = 500;

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("the sources can be read") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Every source file with its room and its text, the tests at its end cut off.
fn files() -> Vec<(String, PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    sources(&root, &mut paths);
    paths
        .into_iter()
        .filter_map(|path| {
            let inside = path.strip_prefix(&root).ok()?;
            let first = inside.components().next()?.as_os_str().to_str()?;
            let room = first.trim_end_matches(".rs").to_owned();
            let text = fs::read_to_string(&path).ok()?;
            let text = text.split("\n#[cfg(test)]\nmod tests {").next().unwrap_or_default().to_owned();
            Some((room, inside.to_owned(), text))
        })
        .filter(|(room, _, _)| room != "main" && room != "lib")
        .collect()
}

fn level(room: &str) -> usize {
    LEVELS.iter().position(|rooms| rooms.contains(&room)).unwrap_or_else(|| panic!("{room} is in no level"))
}

/// The rooms that a text names as `crate::room`.
fn rooms_named(text: &str) -> Vec<String> {
    let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    let mut rooms = Vec::new();
    for line in code {
        for (at, _) in line.match_indices("crate::") {
            let rest = &line[at + "crate::".len()..];
            let name: String = rest.chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect();
            if LEVELS.iter().any(|level| level.contains(&name.as_str())) {
                rooms.push(name);
            }
        }
    }
    rooms
}

#[test]
fn arrows_point_inwards() {
    let mut wrong = BTreeMap::new();
    for (room, path, text) in files() {
        for other in rooms_named(&text) {
            if other == room || level(&other) < level(&room) {
                continue;
            }
            wrong.insert(format!("{} -> {other}", path.display()), ());
        }
    }
    assert!(wrong.is_empty(), "these arrows point outwards or sideways:\n{:#?}", wrong.keys());
}

#[test]
fn crates_stay_in_their_rooms() {
    let mut wrong = Vec::new();
    for (room, path, text) in files() {
        for (name, rooms) in CRATES {
            let used = text.lines().filter(|line| !line.trim_start().starts_with("//")).any(|line| {
                line.contains(&format!("{name}::")) || line.trim_start().starts_with(&format!("use {name}"))
            });
            if used && !rooms.contains(&room.as_str()) {
                wrong.push(format!("{} uses {name}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_file_says_what_it_is_and_is_not_too_long() {
    let mut wrong = Vec::new();
    for (_, path, text) in files() {
        if !text.starts_with("//!") {
            wrong.push(format!("{} has no heading comment", path.display()));
        }
        let lines = text.lines().count();
        if lines > LONGEST_FILE {
            wrong.push(format!("{} has {lines} lines: which noun is missing?", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn states_are_set_in_one_place() {
    let offenders: Vec<_> = files()
        .into_iter()
        .filter(|(_, path, text)| {
            let sets =
                ["UPDATE volumes SET state", "UPDATE vm_instance SET state"].iter().any(|sql| text.contains(sql));
            sets && path != Path::new("store/changes.rs")
        })
        .map(|(_, path, _)| path)
        .collect();
    assert!(offenders.is_empty(), "states are changed outside store/changes.rs: {offenders:?}");
}
