//! VHD: a footer at the end, and for images that grow a copy of it, a header and a block table at the
//! beginning. Numbers are big-endian.
//!
//! Source: Microsoft's Virtual Hard Disk Image Format Specification 1.0.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use uuid::Uuid;

use super::{BlockMap, Span, Trouble, bytes_at, part};

const SECTOR_BYTES: u64 = 512;
const FOOTER_BYTES: usize = 512;
const HEADER_BYTES: usize = 1024;
const COOKIE: &[u8; 8] = b"conectix";
const HEADER_COOKIE: &[u8; 8] = b"cxsparse";
const BLOCK_BYTES: u64 = 2 << 20;
const TABLE_OFFSET: u64 = (FOOTER_BYTES + HEADER_BYTES) as u64;
const UNUSED: u32 = u32::MAX;
const FIXED: u32 = 2;
const DYNAMIC: u32 = 3;

/// An open VHD.
pub(super) struct Vhd {
    virtual_bytes: u64,
    identity: Uuid,
    footer: [u8; FOOTER_BYTES],
    /// Absent for an image of full size.
    table: Option<Table>,
}

/// Where the blocks of a growing image are.
struct Table {
    offset: u64,
    block_bytes: u64,
    /// Sector at which a block's bitmap begins; its data follow.
    sectors: Vec<u32>,
}

impl Table {
    /// Length of the bitmap before each block, in whole sectors.
    fn bitmap_bytes(&self) -> u64 {
        (self.block_bytes / SECTOR_BYTES / 8).next_multiple_of(SECTOR_BYTES)
    }
}

/// Writes an empty image of full size; the file system keeps it as a hole.
pub(super) fn create_fixed(file: &File, virtual_bytes: u64, identity: Uuid) -> io::Result<()> {
    file.write_all_at(&footer(virtual_bytes, identity, FIXED), virtual_bytes)
}

/// Writes an empty image that grows.
pub(super) fn create_dynamic(file: &File, virtual_bytes: u64, identity: Uuid) -> io::Result<()> {
    let footer = footer(virtual_bytes, identity, DYNAMIC);
    let entries = virtual_bytes.div_ceil(BLOCK_BYTES);
    let mut header = [0; HEADER_BYTES];
    header[..8].copy_from_slice(HEADER_COOKIE);
    header[8..16].fill(0xff);
    header[16..24].copy_from_slice(&TABLE_OFFSET.to_be_bytes());
    header[24..28].copy_from_slice(&0x0001_0000u32.to_be_bytes());
    header[28..32].copy_from_slice(&(entries as u32).to_be_bytes());
    header[32..36].copy_from_slice(&(BLOCK_BYTES as u32).to_be_bytes());
    seal(&mut header, 36);
    let table = vec![0xff; (entries as usize * 4).next_multiple_of(SECTOR_BYTES as usize)];
    file.write_all_at(&footer, 0)?;
    file.write_all_at(&header, FOOTER_BYTES as u64)?;
    file.write_all_at(&table, TABLE_OFFSET)?;
    file.write_all_at(&footer, TABLE_OFFSET + table.len() as u64)
}

fn footer(virtual_bytes: u64, identity: Uuid, kind: u32) -> [u8; FOOTER_BYTES] {
    let mut footer = [0; FOOTER_BYTES];
    let data_offset = match kind {
        DYNAMIC => FOOTER_BYTES as u64,
        _ => u64::MAX,
    };
    footer[..8].copy_from_slice(COOKIE);
    footer[8..12].copy_from_slice(&2u32.to_be_bytes());
    footer[12..16].copy_from_slice(&0x0001_0000u32.to_be_bytes());
    footer[16..24].copy_from_slice(&data_offset.to_be_bytes());
    // Readers take the size from the geometry unless the creator is Windows.
    footer[28..32].copy_from_slice(b"win ");
    footer[32..36].copy_from_slice(&0x0006_0002u32.to_be_bytes());
    footer[36..40].copy_from_slice(b"Wi2k");
    footer[40..48].copy_from_slice(&virtual_bytes.to_be_bytes());
    footer[48..56].copy_from_slice(&virtual_bytes.to_be_bytes());
    footer[56..60].copy_from_slice(&geometry(virtual_bytes / SECTOR_BYTES));
    footer[60..64].copy_from_slice(&kind.to_be_bytes());
    footer[68..84].copy_from_slice(identity.as_bytes());
    seal(&mut footer, 64);
    footer
}

/// Cylinders, heads and sectors of a disk, by the computation in the specification's appendix.
fn geometry(sectors: u64) -> [u8; 4] {
    let sectors = sectors.min(65_535 * 16 * 255);
    let (per_track, heads, tracks) = if sectors >= 65_535 * 16 * 63 {
        (255, 16, sectors / 255)
    } else {
        let tracks = sectors / 17;
        let heads = tracks.div_ceil(1024).max(4);
        if tracks < heads * 1024 && heads <= 16 {
            (17, heads, tracks)
        } else if sectors / 31 < 16 * 1024 {
            (31, 16, sectors / 31)
        } else {
            (63, 16, sectors / 63)
        }
    };
    let cylinders = (tracks / heads) as u16;
    let [high, low] = cylinders.to_be_bytes();
    [high, low, heads as u8, per_track as u8]
}

/// One's complement of the sum of all bytes, with the checksum's own place zeroed.
fn checksum(structure: &[u8], at: usize) -> u32 {
    let sum = |bytes: &[u8]| bytes.iter().map(|byte| u32::from(*byte)).sum::<u32>();
    !(sum(&structure[..at]) + sum(&structure[at + 4..]))
}

fn seal(structure: &mut [u8], at: usize) {
    let checksum = checksum(structure, at);
    structure[at..at + 4].copy_from_slice(&checksum.to_be_bytes());
}

fn is_sealed(structure: &[u8], at: usize) -> bool {
    checksum(structure, at).to_be_bytes() == structure[at..at + 4]
}

/// Reads footer and tables of an image.
pub(super) fn open(file: &File) -> Result<Vhd, Trouble> {
    let length = file.metadata()?.len();
    if length < FOOTER_BYTES as u64 {
        return Err(Trouble::damaged("it is too short"));
    }
    let footer = bytes_at::<FOOTER_BYTES>(file, length - FOOTER_BYTES as u64)?;
    if !footer.starts_with(COOKIE) || !is_sealed(&footer, 64) {
        return Err(Trouble::damaged("it does not end with a footer"));
    }
    let table = match u32::from_be_bytes(part(&footer, 60)) {
        FIXED => None,
        DYNAMIC => Some(table(file, u64::from_be_bytes(part(&footer, 16)))?),
        _ => return Err(Trouble::damaged("it depends on a parent disk")),
    };
    Ok(Vhd {
        virtual_bytes: u64::from_be_bytes(part(&footer, 48)),
        identity: Uuid::from_bytes(part(&footer, 68)),
        footer,
        table,
    })
}

fn table(file: &File, header_offset: u64) -> Result<Table, Trouble> {
    let header = bytes_at::<HEADER_BYTES>(file, header_offset)?;
    if !header.starts_with(HEADER_COOKIE) || !is_sealed(&header, 36) {
        return Err(Trouble::damaged("its header is not valid"));
    }
    let offset = u64::from_be_bytes(part(&header, 16));
    let entries = u32::from_be_bytes(part(&header, 28)) as usize;
    let block_bytes = u64::from(u32::from_be_bytes(part(&header, 32)));
    if block_bytes < SECTOR_BYTES {
        return Err(Trouble::damaged("its block size makes no sense"));
    }
    let mut bytes = vec![0; entries * 4];
    file.read_exact_at(&mut bytes, offset)?;
    let sectors = bytes.chunks_exact(4).map(|entry| u32::from_be_bytes(part(entry, 0))).collect();
    Ok(Table { offset, block_bytes, sectors })
}

impl BlockMap for Vhd {
    fn virtual_bytes(&self) -> u64 {
        self.virtual_bytes
    }

    fn identity(&self) -> Uuid {
        self.identity
    }

    fn span(&self, offset: u64) -> Span {
        let Some(table) = &self.table else {
            return Span { file_offset: Some(offset), bytes: self.virtual_bytes - offset };
        };
        let inside = offset % table.block_bytes;
        let end = (offset - inside + table.block_bytes).min(self.virtual_bytes);
        let sector = table.sectors.get((offset / table.block_bytes) as usize).copied().unwrap_or(UNUSED);
        let data = u64::from(sector) * SECTOR_BYTES + table.bitmap_bytes();
        Span { file_offset: (sector != UNUSED).then_some(data + inside), bytes: end - offset }
    }

    fn allocate(&mut self, file: &File, offset: u64) -> io::Result<()> {
        let Some(table) = &mut self.table else {
            return Ok(());
        };
        let index = (offset / table.block_bytes) as usize;
        // The new block takes the footer's place, and the footer moves behind it.
        let place = file.metadata()?.len() - FOOTER_BYTES as u64;
        let bitmap = vec![0xff; table.bitmap_bytes() as usize];
        let after = place + table.bitmap_bytes() + table.block_bytes;
        file.write_all_at(&self.footer, after)?;
        file.write_all_at(&vec![0; FOOTER_BYTES], place)?;
        file.write_all_at(&bitmap, place)?;
        let sector = (place / SECTOR_BYTES) as u32;
        file.write_all_at(&sector.to_be_bytes(), table.offset + index as u64 * 4)?;
        table.sectors[index] = sector;
        Ok(())
    }

    fn needed_bytes(&self) -> u64 {
        let Some(table) = &self.table else {
            return self.virtual_bytes + FOOTER_BYTES as u64;
        };
        let block = table.bitmap_bytes() + table.block_bytes;
        let blocks = table.sectors.iter().filter(|sector| **sector != UNUSED);
        let end = blocks.map(|sector| u64::from(*sector) * SECTOR_BYTES + block).max();
        end.unwrap_or(table.offset) + FOOTER_BYTES as u64
    }
}
