//! The seeds of the fuzzer, played through what must hold for any bytes.

use std::fs;
use std::path::Path;

#[path = "../fuzz/properties.rs"]
mod properties;
use crate::lists::xml;

/// Plays every seed of a target; a failure names the file.
fn play(target: &str, holds: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/seeds").join(target);
    let mut played = 0;
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        println!("{}", path.display());
        holds(&fs::read(&path).unwrap());
        played += 1;
    }
    assert!(played >= 8, "only {played} seeds for {target}");
}

#[test]
fn queries() {
    play("query", properties::query);
}

#[test]
fn signed_texts() {
    play("signing", properties::signing);
}

#[test]
fn maps() {
    play("maps", properties::maps);
}

#[test]
fn documents() {
    play("documents", properties::documents);
}

#[test]
fn answers_of_agents() {
    play("agent", properties::agent);
}
