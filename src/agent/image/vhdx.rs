//! VHDX: 1 MiB-aligned regions, a block table of 64-bit entries, checksums in CRC-32C.
//!
//! Source: [MS-VHDX]. Written: dynamic images without a parent. Read: dynamic and fixed ones. The log
//! is never used; an image whose log is not empty is refused, since its tables may be stale.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use crc::{CRC_32_ISCSI, Crc, Table};
use uuid::{Uuid, uuid};

use super::{BlockMap, Span, Trouble, bytes_at, part};

/// First bytes of a VHDX file.
pub(super) const MAGIC: &[u8; 8] = b"vhdxfile";

const MIB: u64 = 1 << 20;
/// Sixteen bytes at a time: every look at an image checks 64 KiB.
static CRC32C: Crc<u32, Table<16>> = Crc::<u32, Table<16>>::new(&CRC_32_ISCSI);

const HEADER_OFFSETS: [u64; 2] = [64 << 10, 128 << 10];
const HEADER_BYTES: usize = 4096;
const REGION_TABLE_OFFSETS: [u64; 2] = [192 << 10, 256 << 10];
const TABLE_BYTES: usize = 64 << 10;
const LOG_OFFSET: u64 = MIB;
const BAT_OFFSET: u64 = 2 * MIB;

const BAT_REGION: Uuid = uuid!("2dc27766-f623-4200-9d64-115e9bfd4a08");
const METADATA_REGION: Uuid = uuid!("8b7ca206-4790-4b9a-b8fe-575f050f886e");
const FILE_PARAMETERS: Uuid = uuid!("caa16737-fa36-4d43-b3b6-33f0aa44e76b");
const VIRTUAL_DISK_SIZE: Uuid = uuid!("2fa54224-cd1b-4876-b211-5dbed83bf4b8");
const PAGE_83_DATA: Uuid = uuid!("beca12ab-b2e6-4523-93ef-c309e000c746");
const LOGICAL_SECTOR_SIZE: Uuid = uuid!("8141bf1d-a96f-4709-ba47-f233a8faab5f");
const PHYSICAL_SECTOR_SIZE: Uuid = uuid!("cda348c7-445d-4471-9cc9-e9885251c556");

/// Blocks of this size: small enough that a sparse disk stays sparse.
const BLOCK_BYTES: u64 = 2 * MIB;
const SECTOR_BYTES: u64 = 512;

const STATE_MASK: u64 = 7;
const FULLY_PRESENT: u64 = 6;
const PARTIALLY_PRESENT: u64 = 7;
/// A block's place in the file: the upper 44 bits count MiB.
const OFFSET_MASK: u64 = !(MIB - 1);

/// The block table of an open VHDX.
pub(super) struct Vhdx {
    virtual_bytes: u64,
    identity: Uuid,
    block_bytes: u64,
    chunk_ratio: u64,
    bat_offset: u64,
    bat: Vec<u64>,
}

/// Number of payload blocks and of table entries that a disk needs. After every `chunk_ratio` payload
/// entries comes one for a sector bitmap, which images without a parent leave empty.
fn table_shape(virtual_bytes: u64, block_bytes: u64, chunk_ratio: u64) -> (u64, u64) {
    let blocks = virtual_bytes.div_ceil(block_bytes);
    let bitmaps = blocks.saturating_sub(1) / chunk_ratio;
    (blocks, blocks + bitmaps)
}

/// Writes an empty dynamic image.
pub(super) fn create(file: &File, virtual_bytes: u64, identity: Uuid) -> io::Result<()> {
    let chunk_ratio = (SECTOR_BYTES << 23) / BLOCK_BYTES;
    let (_, entries) = table_shape(virtual_bytes, BLOCK_BYTES, chunk_ratio);
    let bat_bytes = (entries * 8).next_multiple_of(MIB);
    let metadata_offset = BAT_OFFSET + bat_bytes;
    file.set_len(metadata_offset + MIB)?;
    let mut identifier = MAGIC.to_vec();
    identifier.extend("stackmotion".encode_utf16().flat_map(u16::to_le_bytes));
    file.write_all_at(&identifier, 0)?;
    for (number, offset) in HEADER_OFFSETS.into_iter().enumerate() {
        file.write_all_at(&header(number as u64 + 1), offset)?;
    }
    let mut table = vec![0; TABLE_BYTES];
    table[..4].copy_from_slice(b"regi");
    table[8..12].copy_from_slice(&2u32.to_le_bytes());
    let regions = [(BAT_REGION, BAT_OFFSET, bat_bytes as u32), (METADATA_REGION, metadata_offset, MIB as u32)];
    for (entry, (guid, offset, length)) in table[16..].chunks_exact_mut(32).zip(regions) {
        entry[..16].copy_from_slice(&guid.to_bytes_le());
        entry[16..24].copy_from_slice(&offset.to_le_bytes());
        entry[24..28].copy_from_slice(&length.to_le_bytes());
        entry[28..32].copy_from_slice(&1u32.to_le_bytes());
    }
    seal(&mut table);
    for offset in REGION_TABLE_OFFSETS {
        file.write_all_at(&table, offset)?;
    }
    file.write_all_at(&metadata(virtual_bytes, identity), metadata_offset)
}

/// A header with a fresh pair of write ids and no log.
fn header(sequence: u64) -> Vec<u8> {
    let mut header = vec![0; HEADER_BYTES];
    header[..4].copy_from_slice(b"head");
    header[8..16].copy_from_slice(&sequence.to_le_bytes());
    header[16..32].copy_from_slice(&Uuid::new_v4().to_bytes_le());
    header[32..48].copy_from_slice(&Uuid::new_v4().to_bytes_le());
    header[66..68].copy_from_slice(&1u16.to_le_bytes());
    header[68..72].copy_from_slice(&(MIB as u32).to_le_bytes());
    header[72..80].copy_from_slice(&LOG_OFFSET.to_le_bytes());
    seal(&mut header);
    header
}

/// The table of metadata items with the items behind it.
fn metadata(virtual_bytes: u64, identity: Uuid) -> Vec<u8> {
    const REQUIRED: u32 = 4;
    const OF_THE_DISK: u32 = 2;
    let sector = (SECTOR_BYTES as u32).to_le_bytes();
    let parameters = [(BLOCK_BYTES as u32).to_le_bytes(), [0; 4]].concat();
    let items: [(Uuid, Vec<u8>, u32); 5] = [
        (FILE_PARAMETERS, parameters, REQUIRED),
        (VIRTUAL_DISK_SIZE, virtual_bytes.to_le_bytes().to_vec(), REQUIRED | OF_THE_DISK),
        (PAGE_83_DATA, identity.to_bytes_le().to_vec(), REQUIRED | OF_THE_DISK),
        (LOGICAL_SECTOR_SIZE, sector.to_vec(), REQUIRED | OF_THE_DISK),
        (PHYSICAL_SECTOR_SIZE, sector.to_vec(), REQUIRED | OF_THE_DISK),
    ];
    let mut region = vec![0; TABLE_BYTES];
    region[..8].copy_from_slice(b"metadata");
    region[10..12].copy_from_slice(&(items.len() as u16).to_le_bytes());
    for (number, (guid, value, flags)) in items.into_iter().enumerate() {
        let at = region.len() as u32;
        let entry = &mut region[32 * (number + 1)..32 * (number + 2)];
        entry[..16].copy_from_slice(&guid.to_bytes_le());
        entry[16..20].copy_from_slice(&at.to_le_bytes());
        entry[20..24].copy_from_slice(&(value.len() as u32).to_le_bytes());
        entry[24..28].copy_from_slice(&flags.to_le_bytes());
        region.extend(value);
    }
    region
}

/// Writes the checksum of a structure into it. It is computed with its own place zeroed.
fn seal(structure: &mut [u8]) {
    structure[4..8].fill(0);
    let checksum = CRC32C.checksum(structure);
    structure[4..8].copy_from_slice(&checksum.to_le_bytes());
}

/// Whether a structure begins with `magic` and its checksum is right.
fn is_sealed(structure: &[u8], magic: &[u8; 4]) -> bool {
    let mut copy = structure.to_vec();
    seal(&mut copy);
    structure.starts_with(magic) && copy == structure
}

/// Reads the tables of an image. When it is to be written, its header gets new write ids, as the
/// format asks for before the first change.
pub(super) fn open(file: &File, writable: bool) -> Result<Vhdx, Trouble> {
    renew_header(file, writable)?;
    let (bat_offset, metadata_offset) = regions(file)?;
    let facts = facts(file, metadata_offset)?;
    let chunk_ratio = (facts.sector_bytes << 23) / facts.block_bytes;
    if chunk_ratio == 0 {
        return Err(Trouble::damaged("its block size makes no sense"));
    }
    let (_, entries) = table_shape(facts.virtual_bytes, facts.block_bytes, chunk_ratio);
    let mut bytes = vec![0; entries as usize * 8];
    file.read_exact_at(&mut bytes, bat_offset)?;
    let bat: Vec<u64> = bytes.chunks_exact(8).map(|entry| u64::from_le_bytes(part(entry, 0))).collect();
    let is_partial = |entry: &u64| entry & STATE_MASK == PARTIALLY_PRESENT;
    if bat.iter().any(is_partial) {
        return Err(Trouble::damaged("it depends on a parent disk"));
    }
    Ok(Vhdx {
        virtual_bytes: facts.virtual_bytes,
        identity: facts.identity,
        block_bytes: facts.block_bytes,
        chunk_ratio,
        bat_offset,
        bat,
    })
}

/// Finds the valid header with the higher sequence number; writes a newer one over the other place
/// when the image is to be changed.
fn renew_header(file: &File, writable: bool) -> Result<(), Trouble> {
    let mut best: Option<(u64, usize, [u8; 16])> = None;
    for (number, offset) in HEADER_OFFSETS.into_iter().enumerate() {
        let header = bytes_at::<HEADER_BYTES>(file, offset)?;
        let sequence = u64::from_le_bytes(part(&header, 8));
        let is_newer = best.is_none_or(|(newest, _, _)| sequence > newest);
        if is_sealed(&header, b"head") && is_newer {
            best = Some((sequence, number, part(&header, 48)));
        }
    }
    let (sequence, number, log) = best.ok_or_else(|| Trouble::damaged("no header is valid"))?;
    if log != [0; 16] {
        let reason = "its log has to be replayed first; open it once with Hyper-V or qemu-img check -r all";
        return Err(Trouble::damaged(reason));
    }
    if writable {
        file.write_all_at(&header(sequence + 1), HEADER_OFFSETS[1 - number])?;
    }
    Ok(())
}

/// Offsets of the block table and of the metadata.
fn regions(file: &File) -> Result<(u64, u64), Trouble> {
    let mut tables = REGION_TABLE_OFFSETS.into_iter().map(|offset| {
        let mut table = vec![0; TABLE_BYTES];
        file.read_exact_at(&mut table, offset).map(|()| table)
    });
    let table = tables
        .find_map(|table| table.ok().filter(|table| is_sealed(table, b"regi")))
        .ok_or_else(|| Trouble::damaged("no region table is valid"))?;
    let find = |guid: Uuid| {
        table[16..]
            .chunks_exact(32)
            .find(|entry| entry[..16] == guid.to_bytes_le())
            .map(|entry| u64::from_le_bytes(part(entry, 16)))
            .ok_or_else(|| Trouble::damaged("a region is missing"))
    };
    Ok((find(BAT_REGION)?, find(METADATA_REGION)?))
}

/// What the metadata says of the disk.
struct Facts {
    virtual_bytes: u64,
    identity: Uuid,
    block_bytes: u64,
    sector_bytes: u64,
}

fn facts(file: &File, metadata_offset: u64) -> Result<Facts, Trouble> {
    let table = bytes_at::<TABLE_BYTES>(file, metadata_offset)?;
    if !table.starts_with(b"metadata") {
        return Err(Trouble::damaged("its metadata are missing"));
    }
    let place = |guid: Uuid| {
        table[32..]
            .chunks_exact(32)
            .find(|entry| entry[..16] == guid.to_bytes_le())
            .map(|entry| metadata_offset + u64::from(u32::from_le_bytes(part(entry, 16))))
            .ok_or_else(|| Trouble::damaged("a metadata item is missing"))
    };
    let number =
        |guid: Uuid| -> Result<u64, Trouble> { Ok(u64::from(u32::from_le_bytes(bytes_at(file, place(guid)?)?))) };
    let facts = Facts {
        virtual_bytes: u64::from_le_bytes(bytes_at(file, place(VIRTUAL_DISK_SIZE)?)?),
        identity: Uuid::from_bytes_le(bytes_at(file, place(PAGE_83_DATA)?)?),
        block_bytes: number(FILE_PARAMETERS)?,
        sector_bytes: number(LOGICAL_SECTOR_SIZE)?,
    };
    if facts.block_bytes < MIB || facts.virtual_bytes == 0 {
        return Err(Trouble::damaged("its sizes make no sense"));
    }
    Ok(facts)
}

impl Vhdx {
    /// Index in the table of the payload block that holds `offset`.
    fn entry(&self, offset: u64) -> usize {
        let block = offset / self.block_bytes;
        (block + block / self.chunk_ratio) as usize
    }
}

impl BlockMap for Vhdx {
    fn virtual_bytes(&self) -> u64 {
        self.virtual_bytes
    }

    fn identity(&self) -> Uuid {
        self.identity
    }

    fn span(&self, offset: u64) -> Span {
        let entry = self.bat[self.entry(offset)];
        let inside = offset % self.block_bytes;
        let end = (offset - inside + self.block_bytes).min(self.virtual_bytes);
        let present = entry & STATE_MASK == FULLY_PRESENT;
        Span { file_offset: present.then_some((entry & OFFSET_MASK) + inside), bytes: end - offset }
    }

    fn allocate(&mut self, file: &File, offset: u64) -> io::Result<()> {
        let end = file.metadata()?.len().max(self.needed_bytes());
        let place = end.next_multiple_of(MIB);
        // The block is there before the table says so: a crash in between loses nothing.
        file.set_len(place + self.block_bytes)?;
        let index = self.entry(offset);
        self.bat[index] = place | FULLY_PRESENT;
        file.write_all_at(&self.bat[index].to_le_bytes(), self.bat_offset + index as u64 * 8)
    }

    fn needed_bytes(&self) -> u64 {
        self.bat
            .iter()
            .filter(|entry| *entry & STATE_MASK == FULLY_PRESENT)
            .map(|entry| (entry & OFFSET_MASK) + self.block_bytes)
            .max()
            .unwrap_or(self.bat_offset + MIB)
    }
}
