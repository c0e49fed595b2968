//! Images made by qemu-img with real content, of every kind that Hyper-V has: after a move qemu-img says that they are
//! sound and identical to what they were.

use std::fs::{self, File};
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use std::process::Command;

use stackmotion::agent::image::ImageFormat;
use stackmotion::demo::{DiskPlan, Estate, Plan, VmPlan};
use stackmotion::motion::{StorageRequest, VolumeRequest};

use super::bench::{Bench, MIB, ROOT};
use crate::support::database;

const SIZE: u64 = 24 * MIB;
/// Name of the disk, its format here, and the words that make qemu-img write it.
const KINDS: [(&str, ImageFormat, &[&str]); 4] = [
    ("vhdx-dynamic", ImageFormat::Vhdx, &["-O", "vhdx", "-o", "subformat=dynamic"]),
    ("vhdx-fixed", ImageFormat::Vhdx, &["-O", "vhdx", "-o", "subformat=fixed"]),
    ("vhd-dynamic", ImageFormat::VhdDynamic, &["-O", "vpc", "-o", "subformat=dynamic,force_size=on"]),
    ("vhd-fixed", ImageFormat::VhdFixed, &["-O", "vpc", "-o", "subformat=fixed,force_size=on"]),
];

fn qemu_img(args: &[&str]) -> String {
    let output = Command::new("qemu-img").args(args).output().expect("qemu-img is missing: install qemu-utils");
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "qemu-img {args:?}: {text}");
    text
}

/// A raw disk with text at some places and holes between them.
fn raw(path: &Path) {
    let mut file = File::create(path).expect("a file");
    file.set_len(SIZE).expect("its size");
    for (number, at) in [0, MIB + 512, 7 * MIB, 12 * MIB + 4096, SIZE - 512].into_iter().enumerate() {
        file.seek(SeekFrom::Start(at)).expect("a place");
        let piece: Vec<u8> = (0..512_u32).map(|byte| (byte.wrapping_mul(number as u32 * 7 + 3) % 251) as u8).collect();
        let times = if at == SIZE - 512 { 1 } else { 1500 };
        for _ in 0..times {
            file.write_all(&piece).expect("written");
        }
    }
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a plain name")
}

/// Lays the images into the pool, and a copy of each aside.
fn make(estate: &Estate, folder: &Path) {
    let pool = folder.join("pools/fs1-pool1");
    let aside = folder.join("aside");
    fs::create_dir_all(&pool).expect("a folder");
    fs::create_dir_all(&aside).expect("a folder");
    let source = aside.join("raw");
    raw(&source);
    for (name, _, words) in KINDS {
        let disk = estate.disk(name).expect("a disk");
        let file = pool.join(disk.file_name());
        let args = [&["convert", "-f", "raw"], words, &[text(&source), text(&file)]].concat();
        qemu_img(&args);
        fs::copy(&file, aside.join(name)).expect("a copy");
    }
}

fn check(bench: &Bench, pool: &str) {
    for (name, format, _) in KINDS {
        let disk = bench.disk(name);
        let file = bench.file(&disk.uuid, bench.pool_id(pool), disk);
        let before = bench.world.world().folder().join("aside").join(name);
        let kind = if format == ImageFormat::Vhdx { "vhdx" } else { "vpc" };
        qemu_img(&["compare", "-f", kind, "-F", kind, text(&before), text(&file)]);
        if format == ImageFormat::Vhdx {
            qemu_img(&["check", "-f", kind, text(&file)]);
        } else {
            // qemu-img cannot check a VHD; reading all of it is what it can do.
            qemu_img(&["compare", "-f", kind, "-F", "raw", text(&file), text(&before.with_file_name("raw"))]);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn images_of_every_kind_are_identical_after_their_moves() {
    let mut vm = VmPlan::new("qemu", "c1-h1");
    for (name, format, _) in KINDS {
        let mut disk = DiskPlan::shared(name, "c1-p1", SIZE, 0);
        disk.format = format;
        vm = vm.disk(disk);
    }
    let plan = Plan::regular(70, 2, 2, 2).vm(vm);
    let bench = Bench::start_with(&plan, database::sqlite().await, make).await;
    check(&bench, "c1-p1");

    for (job, (name, ..)) in (1_i64..).zip(KINDS) {
        let (volume_id, pool_id) = (bench.disk(name).id, bench.pool_id("c1-p2"));
        let request = VolumeRequest { volume_id, pool_id, live: true, new_offering_id: None };
        bench.motion.migrate_volume(job, &ROOT, &request).await.expect("the volume moves");
    }
    check(&bench, "c1-p2");

    let pool = bench.estate.pool("c2-p1").expect("a pool").uuid.clone();
    let map = KINDS.iter().map(|(name, ..)| (bench.disk(name).uuid.clone(), Some(pool.clone()))).collect();
    let request = StorageRequest { vm_id: bench.vm_id("qemu"), host_id: Some(bench.host_id("c2-h2")), map };
    bench.motion.migrate_vm_with_volumes(9, &ROOT, &request).await.expect("the VM moves with its disks");
    check(&bench, "c2-p1");
    bench.check("qemu").await;
    bench.world.stop().await;
}
