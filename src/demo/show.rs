//! What the demonstration prints, and its report for programs.

use std::io::IsTerminal as _;
use std::path::Path;

use indicatif::HumanBytes;
use serde_json::{Map, Value, json};

use super::estate::{Estate, EstatePoolKind};
use super::folder::{self, Folder, FolderError, Memory};
use super::play::Played;
use crate::agent::RunningWorld;

/// Who listens where, and with which keys.
pub(super) fn headline(estate: &Estate, world: &RunningWorld, folder: &Folder, memory: &Memory) {
    for cluster in &estate.clusters {
        let hosts = estate.hosts.iter().filter(|host| host.cluster_id == cluster.id);
        let hosts: Vec<String> = hosts.map(|host| format!("{} {}", host.plan.name, host.plan.ip)).collect();
        println!("Cluster {}   hosts  {}  (agents on port {})", cluster.name, hosts.join(", "), world.port());
        let pools = estate.pools.iter().filter(|pool| pool.cluster_id == cluster.id);
        let pools: Vec<String> = pools
            .map(|pool| match &pool.kind {
                EstatePoolKind::Smb { .. } => format!("{} {}", pool.name, pool.unc_or_folder()),
                EstatePoolKind::Local { .. } => pool.name.clone(),
            })
            .collect();
        println!("             pools  {}", pools.join(", "));
    }
    println!("Gateway      {}", folder::url(memory.port));
    println!("API key      {}", memory.api_key);
    println!("Secret key   {}", memory.secret_key);
    let fate = if folder.is_temporary() { "removed at the end; --data-dir DIR keeps it" } else { "kept" };
    println!("Data         {}  ({fate})", folder.path().display());
    if let Some(control) = world.control() {
        println!("Faults       http://{control}/sim/world  (look at the hosts, and play them misfortune)");
    }
}

/// What came of a case.
pub(super) fn outcome(played: &Played) {
    if let Some(failure) = &played.failure {
        println!("  {} {failure}", mark(false));
    } else {
        println!(
            "     moved {} in {:.1} s, {}/s; looked at afterwards:",
            HumanBytes(played.bytes),
            played.seconds,
            HumanBytes(played.rate())
        );
    }
    for check in &played.checks {
        println!("  {} {}", mark(check.ok), check.text);
    }
    println!();
}

fn mark(ok: bool) -> &'static str {
    match (std::io::stdout().is_terminal(), ok) {
        (true, true) => "\x1b[32m✓\x1b[0m ",
        (true, false) => "\x1b[31m✗\x1b[0m ",
        (false, true) => "ok",
        (false, false) => "NO",
    }
}

/// The summary.
pub(super) fn table(all: &[Played]) {
    println!("{:<28} {:<36} {:>10} {:>5} {:>11}  proofs", "case", "job", "bytes", "s", "rate");
    for played in all {
        let good = played.checks.iter().filter(|check| check.ok).count();
        let verdict = if played.ok() { "ok" } else { "FAILED" };
        println!(
            "{:<28} {:<36} {:>10} {:>5.1} {:>11}  {verdict} {good}/{}",
            played.name,
            if played.job_id.is_empty() { "none" } else { &played.job_id },
            HumanBytes(played.bytes).to_string(),
            played.seconds,
            format!("{}/s", HumanBytes(played.rate())),
            played.checks.len()
        );
    }
    println!();
}

/// Commands to play with, for somebody who has another terminal.
pub(super) fn examples(estate: &Estate, folder: &Folder) {
    let shell = folder.shell_file();
    println!("Try, in another terminal:");
    println!("  source {}", shell.display());
    println!("  stackmotion call listVirtualMachines");
    println!("  stackmotion call listVolumes");
    if let (Ok(disk), Ok(one), Ok(other)) = (estate.disk("ROOT-files"), estate.pool("c2-p2"), estate.pool("c2-p1")) {
        println!(
            "  stackmotion call migrateVolume volumeid={} storageid={} livemigrate=true --wait",
            disk.uuid, one.uuid
        );
        println!("    (and back with storageid={})", other.uuid);
    }
    if let Ok(vm) = estate.vm("files") {
        println!("  stackmotion call findHostsForMigration virtualmachineid={}", vm.uuid);
        println!("  cs listVirtualMachines                                   (Python: pip install cs)");
        println!("  cmk -c {} list virtualmachines id={}", folder.cmk_file().display(), vm.uuid);
    }
}

/// How to serve the data again without the demonstration.
pub(super) fn serve_hint(serve: &[String]) {
    println!("The gateway of the demonstration has stopped, the hosts stay. Serve its data with:");
    println!("  stackmotion {}", serve.join(" "));
}

/// Writes the report for programs.
pub(super) fn report(
    file: &Path,
    memory: &Memory,
    serve: &[String],
    pools: (&Estate, &RunningWorld),
    all: &[Played],
) -> Result<(), FolderError> {
    let (estate, world) = pools;
    let mut pool_dirs = Map::new();
    for pool in &estate.pools {
        // Every host sees a share, so any address does for one.
        let ip = pool.host_ip().unwrap_or_default();
        if let Some(found) = world.pools.find(ip, &pool.unc_or_folder()) {
            pool_dirs.insert(pool.uuid.clone(), json!(found.folder));
        }
    }
    let case = |played: &Played| {
        json!({
            "name": played.name,
            "ok": played.ok(),
            "jobid": played.job_id,
            "bytes": played.bytes,
            "seconds": (played.seconds * 1000.0).round() / 1000.0,
        })
    };
    let report: Value = json!({
        "url": folder::url(memory.port),
        "apikey": memory.api_key,
        "secretkey": memory.secret_key,
        "serve": serve,
        "pools": world.folder().join("pools"),
        "pool_dirs": pool_dirs,
        "cases": all.iter().map(case).collect::<Vec<_>>(),
    });
    folder::write_private(file, format!("{report:#}\n").as_bytes())
}
