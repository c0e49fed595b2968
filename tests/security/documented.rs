//! `docs/security.md` names a test for every attack; here each of them is looked for.

use std::path::Path;

const PAGE: &str = include_str!("../../docs/security.md");

fn sources(folder: &Path, text: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, text);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            text.push_str(&std::fs::read_to_string(&path).unwrap());
        }
    }
}

/// Attack, what stops it and the tests, of each row of the table.
fn rows() -> Vec<(&'static str, &'static str, Vec<&'static str>)> {
    let table = PAGE.split("\n## Attacks\n").nth(1).unwrap().split("\n## ").next().unwrap();
    let lines = table.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| ---"));
    lines
        .skip(1)
        .map(|line| {
            let cells: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
            assert_eq!(cells.len(), 3, "{line}");
            let tests = cells[2].split('`').skip(1).step_by(2).collect();
            (cells[0], cells[1], tests)
        })
        .collect()
}

/// Whether a function of this name is a test that is run.
fn is_test(lines: &[&str], name: &str) -> bool {
    lines.iter().enumerate().any(|(at, line)| {
        let line = line.trim_start().trim_start_matches("async ");
        let is_named = line.strip_prefix("fn ").and_then(|rest| rest.split('(').next()) == Some(name);
        is_named && is_run(&lines[..at])
    })
}

/// Whether the attributes right before a function make it a test, and none of them leaves it out.
fn is_run(before: &[&str]) -> bool {
    let above = before.iter().rev().map(|line| line.trim_start());
    let attributes: Vec<&str> = above
        .take_while(|line| line.starts_with("#[") || line.starts_with("//"))
        .filter(|line| line.starts_with("#["))
        .collect();
    let begins = |words: &[&str]| attributes.iter().any(|line| words.iter().any(|word| line.starts_with(*word)));
    begins(&["#[test]", "#[tokio::test"]) && !begins(&["#[ignore", "#[cfg"])
}

#[test]
fn what_is_not_run_is_no_test() {
    let text = "
        #[tokio::test(flavor = \"multi_thread\")]
        /// What it shows.
        async fn good() {}
        fn helper() {}
        #[test]
        #[ignore = \"it takes long\"]
        fn asleep() {}
        #[cfg(any())]
        #[test]
        fn left_out() {}
        #[test]
        fn plain() {}
        #[allow(dead_code)]
        async fn forgotten() {}";
    let lines: Vec<&str> = text.lines().collect();
    let tests = ["good", "helper", "asleep", "left_out", "plain", "forgotten", "nobodys"];
    assert_eq!(tests.map(|name| is_test(&lines, name)), [true, false, false, false, true, false, false]);
}

#[test]
fn every_attack_has_a_test_that_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut text = String::new();
    sources(&root.join("tests"), &mut text);
    sources(&root.join("src"), &mut text);
    let lines: Vec<&str> = text.lines().collect();
    let rows = rows();
    assert!(rows.len() >= 25, "the table has {} rows", rows.len());
    for (attack, answer, tests) in rows {
        assert!(!attack.is_empty() && !answer.is_empty() && !tests.is_empty(), "{attack}: {answer}: {tests:?}");
        for test in tests {
            assert!(is_test(&lines, test), "{attack}: there is no test {test}, or it is not run");
        }
    }
}
