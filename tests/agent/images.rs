//! Images made here are whole to `qemu-img`, and images made by `qemu-img` are read and written here.

use std::fs;
use std::path::Path;
use std::process::Command;

use stackmotion::agent::image::{Image, ImageError, ImageFormat};
use uuid::Uuid;

const MIB: u64 = 1 << 20;

fn qemu_img(arguments: &[&str]) -> String {
    let output = Command::new("qemu-img")
        .args(arguments)
        .output()
        .expect("qemu-img could not be started: install qemu-utils, this test compares against it");
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "qemu-img {arguments:?}: {text}");
    text
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Bytes that depend on their place.
fn pattern(bytes: usize, salt: u64) -> Vec<u8> {
    (0..bytes as u64).map(|at| ((at * 31 + salt * 7919) % 251) as u8).collect()
}

/// Places with data, one of them across two blocks, one at the very end.
fn patches(virtual_bytes: u64) -> Vec<(u64, Vec<u8>)> {
    vec![
        (0, pattern(4096, 1)),
        (4 * MIB - 1000, pattern(3000, 2)),
        (17 * MIB + 512, pattern(2 * MIB as usize + 77, 3)),
        (virtual_bytes - 512, pattern(512, 4)),
    ]
}

fn raw_with(path: &Path, virtual_bytes: u64) {
    use std::os::unix::fs::FileExt;
    let file = fs::File::create(path).unwrap();
    file.set_len(virtual_bytes).unwrap();
    for (offset, data) in patches(virtual_bytes) {
        file.write_all_at(&data, offset).unwrap();
    }
}

#[test]
fn qemu_reads_what_is_made_here() {
    let folder = tempfile::tempdir().unwrap();
    for (format, name, qemu) in [
        (ImageFormat::Vhdx, "a.vhdx", "vhdx"),
        (ImageFormat::VhdDynamic, "b.vhd", "vpc"),
        (ImageFormat::VhdFixed, "c.vhd", "vpc"),
    ] {
        let virtual_bytes = 40 * MIB;
        let path = folder.path().join(name);
        let raw = folder.path().join(format!("{name}.raw"));
        let identity = Uuid::new_v4();
        let mut image = Image::create(&path, format, virtual_bytes, identity).unwrap();
        assert_eq!(image.virtual_bytes(), virtual_bytes);
        assert_eq!(image.identity(), identity.to_string());
        let empty = image.content_hash().unwrap();
        for (offset, data) in patches(virtual_bytes) {
            let pieces = image.write_at(&data, offset).unwrap();
            assert_eq!(pieces.iter().map(|piece| piece.bytes).sum::<usize>(), data.len());
            let mut back = vec![0; data.len()];
            image.read_at(&mut back, offset).unwrap();
            assert_eq!(back, data);
        }
        assert!(image.is_whole().unwrap());
        assert_ne!(image.content_hash().unwrap(), empty);
        drop(image);
        raw_with(&raw, virtual_bytes);
        if qemu == "vhdx" {
            qemu_img(&["check", "-f", qemu, text(&path)]);
        }
        qemu_img(&["compare", "-f", qemu, "-F", "raw", text(&path), text(&raw)]);
    }
}

#[test]
fn images_of_qemu_are_read_and_written() {
    let folder = tempfile::tempdir().unwrap();
    let virtual_bytes = 40 * MIB;
    let raw = folder.path().join("raw");
    raw_with(&raw, virtual_bytes);
    let mut hashes = Vec::new();
    for (name, qemu, options) in [
        ("a.vhdx", "vhdx", "subformat=dynamic"),
        ("b.vhdx", "vhdx", "subformat=fixed"),
        ("c.vhdx", "vhdx", "block_size=1048576"),
        ("d.vhd", "vpc", "subformat=dynamic,force_size=on"),
        ("e.vhd", "vpc", "subformat=fixed,force_size=on"),
    ] {
        let path = folder.path().join(name);
        qemu_img(&["convert", "-f", "raw", "-O", qemu, "-o", options, text(&raw), text(&path)]);
        let mut image = Image::open(&path, true).unwrap();
        assert_eq!(image.virtual_bytes(), virtual_bytes, "{name}");
        for (offset, data) in patches(virtual_bytes) {
            let mut back = vec![0; data.len()];
            image.read_at(&mut back, offset).unwrap();
            assert!(back == data, "{name}: other bytes at {offset}");
        }
        hashes.push(image.content_hash().unwrap());
        // One write into a block that is there, one into a block that is not.
        image.write_at(&pattern(1000, 9), 100).unwrap();
        image.write_at(&pattern(1000, 8), 30 * MIB).unwrap();
        assert!(image.is_whole().unwrap());
        drop(image);
        if qemu == "vhdx" {
            qemu_img(&["check", "-f", qemu, text(&path)]);
        }
        let changed = folder.path().join("changed");
        fs::copy(&raw, &changed).unwrap();
        use std::os::unix::fs::FileExt;
        let file = fs::OpenOptions::new().write(true).open(&changed).unwrap();
        file.write_all_at(&pattern(1000, 9), 100).unwrap();
        file.write_all_at(&pattern(1000, 8), 30 * MIB).unwrap();
        qemu_img(&["compare", "-f", qemu, "-F", "raw", text(&path), text(&changed)]);
    }
    hashes.dedup();
    assert_eq!(hashes.len(), 1, "the content hash depends on the format");
}

#[test]
fn a_half_copy_is_seen_as_one() {
    let folder = tempfile::tempdir().unwrap();
    for (format, name) in
        [(ImageFormat::Vhdx, "a.vhdx"), (ImageFormat::VhdDynamic, "b.vhd"), (ImageFormat::VhdFixed, "c.vhd")]
    {
        let path = folder.path().join(name);
        let mut image = Image::create(&path, format, 16 * MIB, Uuid::new_v4()).unwrap();
        for offset in [0, 5 * MIB, 10 * MIB] {
            image.write_at(&pattern(9000, offset), offset).unwrap();
        }
        drop(image);
        let length = fs::metadata(&path).unwrap().len();
        for cut in [length - 512, length / 2, 100, 0] {
            let half = folder.path().join("half");
            fs::copy(&path, &half).unwrap();
            fs::OpenOptions::new().write(true).open(&half).unwrap().set_len(cut).unwrap();
            let whole = match Image::open(&half, false) {
                Ok(image) => image.is_whole().unwrap(),
                Err(ImageError::Damaged { .. }) => false,
                Err(error) => panic!("{name} cut at {cut}: {error}"),
            };
            assert!(!whole, "{name} cut at {cut} of {length} passes for whole");
        }
    }
}

#[test]
fn nothing_is_written_beyond_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.vhdx");
    let mut image = Image::create(&path, ImageFormat::Vhdx, 4 * MIB, Uuid::new_v4()).unwrap();
    assert!(matches!(image.write_at(&[1; 2], 4 * MIB - 1), Err(ImageError::Beyond { .. })));
    assert!(matches!(image.read_at(&mut [0; 1], u64::MAX), Err(ImageError::Beyond { .. })));
    assert!(Image::create(&path, ImageFormat::Vhdx, MIB, Uuid::new_v4()).is_err());
}
