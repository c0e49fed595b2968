//! Licences, sources and known advisories of everything that is linked in, read off the lock file, without a network if all of it
//! has been downloaded.

use std::process::{Command, Output};

use serde_json::Value as Json;

/// Licences that may be linked into an Apache-2.0 program and shipped as a binary.
const ALLOWED: &[&str] = &[
    "MIT",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "Zlib",
    "0BSD",
    "CC0-1.0",
    "MIT-0",
    "Unlicense",
    "Unicode-3.0",
    "CDLA-Permissive-2.0",
];

/// A release: major, minor, patch.
type Release = (u64, u64, u64);

/// Releases with a published advisory: the crate, the first release without it (none: no release is good), the advisory.
///
/// The advisory database itself cannot be read without a network, so this is what was known when it was last looked at,
/// for crates that are in the tree or are often brought into one like it.
const ADVISORIES: &[(&str, Option<Release>, &str)] = &[
    ("backoff", None, "RUSTSEC-2025-0012: unmaintained"),
    ("crossbeam-channel", Some((0, 5, 15)), "RUSTSEC-2025-0024: double free on drop"),
    ("h2", Some((0, 4, 4)), "RUSTSEC-2024-0332: a flood of CONTINUATION frames"),
    ("idna", Some((1, 0, 0)), "RUSTSEC-2024-0421: accepts labels that mean nothing"),
    ("instant", None, "RUSTSEC-2024-0384: unmaintained"),
    ("openssl", Some((0, 10, 72)), "RUSTSEC-2025-0022: use after free"),
    ("paste", None, "RUSTSEC-2024-0436: unmaintained"),
    ("ring", Some((0, 17, 12)), "RUSTSEC-2025-0009: panic on overflow checks"),
    ("rsa", None, "RUSTSEC-2023-0071: key recovery by timing"),
    ("rustls", Some((0, 23, 18)), "RUSTSEC-2024-0399: panic in the acceptor"),
    ("rustls-pemfile", None, "RUSTSEC-2025-0134: unmaintained"),
    ("sqlx", Some((0, 8, 1)), "RUSTSEC-2024-0363: lengths of protocol messages overflow"),
    ("tokio", Some((1, 44, 2)), "RUSTSEC-2025-0023: unsound broadcast channel"),
    ("tracing-subscriber", Some((0, 3, 20)), "RUSTSEC-2025-0055: escape sequences in logs"),
];

fn metadata(more: &[&str]) -> Output {
    Command::new(env!("CARGO"))
        .args(["metadata", "--locked", "--format-version", "1"])
        .args(["--manifest-path", concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")])
        .args(more)
        .output()
        .expect("cargo runs")
}

fn packages() -> Vec<Json> {
    // A build downloads what its own platform needs; the lock file names what others do as well.
    let mut output = metadata(&["--offline"]);
    if !output.status.success() {
        output = metadata(&[]);
    }
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut metadata: Json = serde_json::from_slice(&output.stdout).expect("cargo's metadata is JSON");
    match metadata["packages"].take() {
        Json::Array(packages) => packages,
        other => panic!("no packages in cargo's metadata: {other}"),
    }
}

/// Whether an SPDX expression leaves us a licence that is allowed. `/` is an old way to write OR.
fn allows(expression: &str) -> bool {
    let text = expression.replace('/', " OR ");
    let flat = text.replace(['(', ')'], " ");
    // No licence in the tree nests deeper than "(A OR B) AND C", where every part of the AND has to be allowed.
    flat.split(" AND ").all(|part| part.split(" OR ").any(|licence| ALLOWED.contains(&licence.trim())))
}

#[test]
fn licences_are_allowed() {
    let refused: Vec<String> = packages()
        .iter()
        .filter(|package| !package["license"].as_str().is_some_and(allows))
        .map(|package| format!("{} {}: {}", package["name"], package["version"], package["license"]))
        .collect();
    assert!(refused.is_empty(), "licences that are not allowed: {refused:#?}");
}

#[test]
fn sources_are_the_registry() {
    let elsewhere: Vec<String> = packages()
        .iter()
        .filter(|package| package["name"] != "stackmotion")
        .filter(|package| !package["source"].as_str().is_some_and(|source| source.starts_with("registry+")))
        .map(|package| format!("{} from {}", package["name"], package["source"]))
        .collect();
    assert!(elsewhere.is_empty(), "crates from elsewhere than a registry: {elsewhere:#?}");
}

fn number(version: &str) -> Release {
    let core = version.split(['-', '+']).next().unwrap_or_default();
    let mut parts = core.split('.').map(|part| part.parse().unwrap_or_default());
    let mut next = || parts.next().unwrap_or_default();
    (next(), next(), next())
}

#[test]
fn no_release_with_a_known_advisory() {
    let mut found = Vec::new();
    for package in packages() {
        let (name, version) =
            (package["name"].as_str().unwrap_or_default(), package["version"].as_str().unwrap_or_default());
        for (bad, fixed, advisory) in ADVISORIES {
            if name == *bad && fixed.is_none_or(|fixed| number(version) < fixed) {
                found.push(format!("{name} {version}: {advisory}"));
            }
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn expressions_are_read_as_meant() {
    assert!(allows("MIT OR Apache-2.0"));
    assert!(allows("MIT/Apache-2.0"));
    assert!(allows("(MIT OR Apache-2.0) AND Unicode-3.0"));
    assert!(allows("GPL-3.0 OR MIT"));
    assert!(!allows("GPL-3.0-or-later"));
    assert!(!allows("MIT AND GPL-2.0"));
}
