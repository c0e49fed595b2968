//! The differences that `docs/api-compat.md` tells about motions, held against those that were found.

use std::collections::{BTreeMap, BTreeSet};

/// For every difference the cases that show it; none means that any may.
fn table() -> BTreeMap<String, Option<BTreeSet<String>>> {
    let document = include_str!("../../docs/api-compat.md");
    let section = document.split("## Differences in motions").nth(1).expect("the section");
    let section = section.split("\n## ").next().unwrap_or_default();
    let mut table: BTreeMap<String, Option<BTreeSet<String>>> = BTreeMap::new();
    for row in section.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = row.split(" | ").collect();
        let [names, cases, _] = cells.as_slice() else { panic!("three cells are wanted: {row}") };
        let quoted = |cell: &str| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>();
        for name in quoted(names) {
            let cases: BTreeSet<_> = quoted(cases).into_iter().collect();
            match table.entry(name).or_insert_with(|| Some(BTreeSet::new())) {
                Some(known) if !cases.is_empty() => known.extend(cases),
                any => *any = None,
            }
        }
    }
    table
}

/// The differences that are not told.
pub fn untold(found: &BTreeMap<String, BTreeMap<String, String>>) -> Vec<String> {
    let table = table();
    let mut wrong = Vec::new();
    for (difference, cases) in found {
        for (case, detail) in cases {
            let told = table.get(difference).is_some_and(|told| told.as_ref().is_none_or(|told| told.contains(case)));
            if !told {
                wrong.push(format!("{case} has the difference `{difference}`, which is not told: {detail}"));
            }
        }
    }
    wrong
}

/// Fails for a difference that is not told, and for one that is told and not found.
pub fn check(kind: &str, found: &BTreeMap<String, BTreeMap<String, String>>) {
    let table = table();
    let mut wrong = untold(found);
    for (difference, cases) in &table {
        let shown = found.get(difference);
        if shown.is_none() {
            wrong.push(format!("`{difference}` is told and no case has it"));
        }
        for case in cases.iter().flatten() {
            if shown.is_none_or(|shown| !shown.contains_key(case)) {
                wrong.push(format!("`{difference}` is told of {case}, which does not have it"));
            }
        }
    }
    assert!(wrong.is_empty(), "{kind}: {} lines of docs/api-compat.md are wrong:\n{}", wrong.len(), wrong.join("\n"));
}
