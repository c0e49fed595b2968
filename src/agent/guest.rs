//! Guests that keep writing to their disks while these are moved, and the proof that nothing was lost.
//!
//! A guest writes numbered records into a ring on its disk, and counts in a ledger beside the world how
//! many it has got acknowledged. The content of a record follows from its number, so reading the ring
//! back shows for each slot whether the latest acknowledged record is there.
//!
//! All writes of a guest, every chunk of a copy and the switch go through the VM's [`Gate`]. Under it a
//! write goes to the disk and, where the copy has already been, to the copy. So at the switch both are
//! the same, and for the guest the switch takes no time.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;

use super::image::{Image, ImageError, Written};
use super::state::GuestPlan;

/// Length of a record.
pub const RECORD_BYTES: usize = 512;

const MAGIC: &[u8; 8] = b"SMGUEST1";

/// A copy under way, as far as a guest's writes have to follow it.
#[derive(Debug)]
struct Mirror {
    target: File,
    /// Below this the copy equals its source. Above it the copy has not been yet, and must not be
    /// written to: a half copy has to look like one.
    copied_to: u64,
}

/// A guest at work.
#[derive(Debug)]
pub struct Writer {
    plan: GuestPlan,
    vm: String,
    image: Image,
    ledger: File,
    acknowledged: u64,
}

/// What stands between a VM's disks and all who touch them.
#[derive(Debug, Default)]
pub struct Gate {
    inner: Mutex<Inner>,
    moving: AtomicBool,
}

/// What is behind a [`Gate`].
#[derive(Debug, Default)]
pub struct Inner {
    writer: Option<Writer>,
    mirrors: HashMap<String, Mirror>,
    trouble: Option<String>,
}

impl Gate {
    /// Stops all who touch the disks while the result is held.
    pub fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the VM for a move. False when it is being moved already.
    pub fn begin_move(&self) -> bool {
        !self.moving.swap(true, Ordering::SeqCst)
    }

    /// Gives the VM back.
    pub fn end_move(&self) {
        self.lock().mirrors.clear();
        self.moving.store(false, Ordering::SeqCst);
    }

    /// Whether the VM is being moved.
    pub fn is_moving(&self) -> bool {
        self.moving.load(Ordering::SeqCst)
    }
}

impl Inner {
    /// Lets the guest's writes to a disk follow a copy of it.
    pub fn mirror(&mut self, stem: &str, target: File) {
        let mirror = Mirror { target, copied_to: 0 };
        self.mirrors.insert(stem.to_owned(), mirror);
    }

    /// Notes how far a copy has come.
    pub fn copied(&mut self, stem: &str, copied_to: u64) {
        if let Some(mirror) = self.mirrors.get_mut(stem) {
            mirror.copied_to = copied_to;
        }
    }

    /// Puts a guest to work.
    pub fn employ(&mut self, writer: Writer) {
        self.trouble = None;
        self.writer = Some(writer);
    }

    /// Ends the guest's work.
    pub fn dismiss(&mut self) {
        self.writer = None;
    }

    /// Whether a guest is at work.
    pub fn has_guest(&self) -> bool {
        self.writer.is_some()
    }

    /// Stem of the disk that the guest writes to.
    pub fn guest_disk(&self) -> Option<&str> {
        self.writer.as_ref().map(|writer| writer.plan.stem.as_str())
    }

    /// Lets the guest go on with another file of the same disk.
    ///
    /// # Errors
    /// [`ImageError`]; the guest then stays with the old file.
    pub fn switch_guest(&mut self, file: &Path) -> Result<(), ImageError> {
        if let Some(writer) = &mut self.writer {
            writer.image = Image::open(file, true)?;
        }
        Ok(())
    }

    /// Lets the guest write its next record. False when there is no guest. A guest whose write fails
    /// stops, see [`Self::trouble`].
    pub fn write_next(&mut self) -> bool {
        let Some(writer) = &mut self.writer else {
            return false;
        };
        let mirror = self.mirrors.get(&writer.plan.stem);
        if let Err(error) = writer.write_next(mirror) {
            self.trouble = Some(format!("the guest stopped: {error}"));
            self.writer = None;
        }
        self.writer.is_some()
    }

    /// Why the guest stopped by itself.
    pub fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }
}

/// Writes to the copy what lies below the place where the copy is.
fn follow(mirror: &Mirror, record: &[u8], piece: &Written) -> io::Result<()> {
    let copied = mirror.copied_to.saturating_sub(piece.file_offset);
    let bytes = copied.min(piece.bytes as u64) as usize;
    mirror.target.write_all_at(&record[piece.from..piece.from + bytes], piece.file_offset)
}

impl Writer {
    /// Writes the next record, to the copy as well, and counts it.
    fn write_next(&mut self, mirror: Option<&Mirror>) -> Result<(), ImageError> {
        let number = self.acknowledged + 1;
        let record = record(&self.vm, number);
        let place = slot(number, self.plan.slots) * RECORD_BYTES as u64;
        let pieces = self.image.write_at(&record, self.plan.region_offset + place)?;
        let mut followed = mirror.into_iter().flat_map(|mirror| pieces.iter().map(move |piece| (mirror, piece)));
        followed
            .try_for_each(|(mirror, piece)| follow(mirror, &record, piece))
            .and_then(|()| self.ledger.write_all_at(&number.to_le_bytes(), 0))
            .map_err(|source| ImageError::Io {
                action: "mirror or count a write to",
                path: PathBuf::from(&self.plan.stem),
                source,
            })?;
        self.acknowledged = number;
        Ok(())
    }

    /// A guest that goes on where its ledger says, in the image at `file`.
    ///
    /// # Errors
    /// [`ImageError`].
    pub fn open(vm: &str, plan: &GuestPlan, file: &Path, ledger: &Path) -> Result<Self, ImageError> {
        let mut image = Image::open(file, true)?;
        // No write may change the block table later: copies follow the data only.
        image.preallocate(plan.region_offset, plan.slots as usize * RECORD_BYTES)?;
        let acknowledged = acknowledged(ledger)?;
        let opened = OpenOptions::new().create(true).truncate(false).write(true).open(ledger);
        let ledger = opened.map_err(|source| ledger_error(ledger, source))?;
        Ok(Self { plan: plan.clone(), vm: vm.to_owned(), image, ledger, acknowledged })
    }
}

/// How many records a ledger says were acknowledged; 0 when there is none.
///
/// # Errors
/// [`ImageError::Io`].
pub fn acknowledged(ledger: &Path) -> Result<u64, ImageError> {
    match fs::read(ledger) {
        Ok(bytes) => Ok(bytes.first_chunk::<8>().map_or(0, |number| u64::from_le_bytes(*number))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
        Err(source) => Err(ledger_error(ledger, source)),
    }
}

fn ledger_error(path: &Path, source: io::Error) -> ImageError {
    ImageError::Io { action: "use the ledger of", path: path.to_owned(), source }
}

/// Place in the ring of a record; records count from 1.
fn slot(number: u64, slots: u64) -> u64 {
    (number - 1) % slots
}

/// The content of a record: a mark, its number, and bytes that follow from the VM's name and it.
fn record(vm: &str, number: u64) -> [u8; RECORD_BYTES] {
    let mut record = [0; RECORD_BYTES];
    record[..8].copy_from_slice(MAGIC);
    record[8..16].copy_from_slice(&number.to_le_bytes());
    let seed = vm.bytes().fold(number, |seed, byte| seed.wrapping_mul(0x0100_0000_01b3) ^ u64::from(byte));
    fill(&mut record[16..], seed);
    record
}

/// Fills bytes with a sequence that follows from a seed (SplitMix64).
pub fn fill(bytes: &mut [u8], mut seed: u64) {
    for chunk in bytes.chunks_mut(8) {
        seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = seed;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        chunk.copy_from_slice(&mixed.to_le_bytes()[..chunk.len()]);
    }
}

/// What a guest's disk says of its writes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Proof {
    /// Whether every acknowledged write is there, in order, and nothing else.
    pub ok: bool,
    /// Writes that were acknowledged to the guest.
    pub acknowledged: u64,
    /// Slots of the ring that were compared.
    pub slots_checked: u64,
    /// What is wrong, at most ten lines.
    pub problems: Vec<String>,
}

/// Reads a guest's ring back from an image and compares it with the ledger. The caller holds the gate.
///
/// One record more than was acknowledged may be there: a kill came between write and ledger.
///
/// # Errors
/// [`ImageError`].
pub fn prove(vm: &str, plan: &GuestPlan, file: &Path, ledger: &Path) -> Result<Proof, ImageError> {
    let acknowledged = acknowledged(ledger)?;
    let image = Image::open(file, false)?;
    let mut proof = Proof { ok: true, acknowledged, ..Proof::default() };
    for place in 0..plan.slots {
        // The latest number not above `acknowledged` that belongs to this slot.
        let latest = match acknowledged.checked_sub(place + 1) {
            None => 0,
            Some(beyond) => place + 1 + beyond / plan.slots * plan.slots,
        };
        let mut found = [0; RECORD_BYTES];
        image.read_at(&mut found, plan.region_offset + place * RECORD_BYTES as u64)?;
        proof.slots_checked += 1;
        let unacknowledged = slot(acknowledged + 1, plan.slots) == place && found == record(vm, acknowledged + 1);
        // A slot never written to may hold anything.
        if latest == 0 || unacknowledged || found == record(vm, latest) {
            continue;
        }
        proof.ok = false;
        if proof.problems.len() < 10 {
            proof.problems.push(describe(place, latest, &found));
        }
    }
    Ok(proof)
}

fn describe(place: u64, wanted: u64, found: &[u8; RECORD_BYTES]) -> String {
    let mut number = [0; 8];
    number.copy_from_slice(&found[8..16]);
    if found.starts_with(MAGIC) {
        let number = u64::from_le_bytes(number);
        format!("slot {place} should hold record {wanted}, but holds record {number}")
    } else {
        format!("slot {place} should hold record {wanted}, but holds no record")
    }
}
