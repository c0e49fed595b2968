//! Disk images: VHDX and VHD files, read and written at virtual offsets.
//!
//! The simulator needs real images, for `qemu-img` and Hyper-V to read, whose inside a guest can write
//! to while the file is being copied. So a format here is a map from virtual offsets to file offsets
//! ([`BlockMap`]); [`Image`] does the reading and writing on top of it.

mod vhd;
mod vhdx;

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use thiserror::Error;
use uuid::Uuid;

/// Blocks of this many bytes are hashed or passed over as a whole by [`Image::content_hash`].
const HASH_BLOCK_BYTES: usize = 64 * 1024;

/// Why an image could not be made, opened or used.
#[derive(Debug, Error)]
pub enum ImageError {
    /// The file system refused.
    #[error("cannot {action} the disk image {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the file system said.
        source: io::Error,
    },
    /// The file is no image of a known format, or only a part of one.
    #[error("{} is no whole disk image: {reason}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// An access beyond the end of the disk.
    #[error("offset {offset} lies beyond the disk's {virtual_bytes} bytes in {}", path.display())]
    Beyond {
        /// The file.
        path: PathBuf,
        /// Where the access began.
        offset: u64,
        /// Size of the disk.
        virtual_bytes: u64,
    },
}

/// Formats that can be created.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ImageFormat {
    /// VHDX that grows.
    #[default]
    Vhdx,
    /// VHD that grows.
    VhdDynamic,
    /// VHD of full size.
    VhdFixed,
}

impl ImageFormat {
    /// Extension of the file, without a dot.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Vhdx => "vhdx",
            Self::VhdDynamic | Self::VhdFixed => "vhd",
        }
    }
}

/// A piece of the disk that is in one piece in the file, or nowhere in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Span {
    /// Where it begins in the file; `None` reads as zeros.
    file_offset: Option<u64>,
    /// How many bytes it has from the offset asked for.
    bytes: u64,
}

/// Where the file keeps each byte of the disk.
trait BlockMap: Send {
    /// Size of the disk.
    fn virtual_bytes(&self) -> u64;
    /// Id of the disk, the same in all its copies.
    fn identity(&self) -> Uuid;
    /// The piece that begins at `offset`, which lies on the disk.
    fn span(&self, offset: u64) -> Span;
    /// Makes room in the file for the block that holds `offset`.
    fn allocate(&mut self, file: &File, offset: u64) -> io::Result<()>;
    /// Length that the file must have to hold every block that it says it holds.
    fn needed_bytes(&self) -> u64;
}

/// A piece of the file that was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    /// Where it begins in the file.
    pub file_offset: u64,
    /// Where it begins in the data that was given.
    pub from: usize,
    /// Its length.
    pub bytes: usize,
}

/// An open disk image.
pub struct Image {
    file: File,
    path: PathBuf,
    map: Box<dyn BlockMap>,
}

impl std::fmt::Debug for Image {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Image").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Image {
    /// Creates an empty image.
    ///
    /// `virtual_bytes` must be a multiple of 512. `identity` becomes the disk's own id.
    ///
    /// # Errors
    /// [`ImageError::Io`], also when the file exists.
    pub fn create(path: &Path, format: ImageFormat, virtual_bytes: u64, identity: Uuid) -> Result<Self, ImageError> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .open(path)
            .map_err(|source| io_error("create", path, source))?;
        match format {
            ImageFormat::Vhdx => vhdx::create(&file, virtual_bytes, identity),
            ImageFormat::VhdDynamic => vhd::create_dynamic(&file, virtual_bytes, identity),
            ImageFormat::VhdFixed => vhd::create_fixed(&file, virtual_bytes, identity),
        }
        .map_err(|source| io_error("create", path, source))?;
        Self::open(path, true)
    }

    /// Opens an image of any known format.
    ///
    /// # Errors
    /// [`ImageError::Io`] or [`ImageError::Damaged`].
    pub fn open(path: &Path, writable: bool) -> Result<Self, ImageError> {
        let file = OpenOptions::new()
            .read(true)
            .write(writable)
            .open(path)
            .map_err(|source| io_error("open", path, source))?;
        let mut magic = [0; 8];
        let read = file.read_at(&mut magic, 0).map_err(|source| io_error("read", path, source))?;
        let map: Result<Box<dyn BlockMap>, Trouble> = if read == 8 && &magic == vhdx::MAGIC {
            vhdx::open(&file, writable).map(|map| Box::new(map) as Box<dyn BlockMap>)
        } else {
            vhd::open(&file).map(|map| Box::new(map) as Box<dyn BlockMap>)
        };
        let map = map.map_err(|trouble| trouble.at(path))?;
        Ok(Self { file, path: path.to_owned(), map })
    }

    /// Size of the disk as a guest sees it.
    pub fn virtual_bytes(&self) -> u64 {
        self.map.virtual_bytes()
    }

    /// Id of the disk, the same in all its copies.
    pub fn identity(&self) -> String {
        self.map.identity().to_string()
    }

    /// Whether every block that the image claims to hold lies within the file. False for a copy that
    /// was broken off.
    ///
    /// # Errors
    /// [`ImageError::Io`].
    pub fn is_whole(&self) -> Result<bool, ImageError> {
        let metadata = self.file.metadata().map_err(|source| io_error("look at", &self.path, source))?;
        Ok(metadata.len() >= self.map.needed_bytes())
    }

    /// Fills `buffer` from the disk at `offset`.
    ///
    /// # Errors
    /// [`ImageError::Beyond`] or [`ImageError::Io`].
    pub fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<(), ImageError> {
        self.check(offset, buffer.len())?;
        let mut done = 0;
        while done < buffer.len() {
            let span = self.map.span(offset + done as u64);
            let bytes = (buffer.len() - done).min(span.bytes as usize);
            let part = &mut buffer[done..done + bytes];
            match span.file_offset {
                None => part.fill(0),
                Some(at) => self.file.read_exact_at(part, at).map_err(|source| io_error("read", &self.path, source))?,
            }
            done += bytes;
        }
        Ok(())
    }

    /// Writes `data` to the disk at `offset` and says which pieces of the file that were. Room is
    /// made where the file has none yet.
    ///
    /// # Errors
    /// [`ImageError::Beyond`] or [`ImageError::Io`].
    pub fn write_at(&mut self, data: &[u8], offset: u64) -> Result<Vec<Written>, ImageError> {
        self.check(offset, data.len())?;
        let mut pieces = Vec::with_capacity(1);
        let mut from = 0;
        while from < data.len() {
            let at = offset + from as u64;
            let span = self.map.span(at);
            let Some(file_offset) = span.file_offset else {
                self.map.allocate(&self.file, at).map_err(|source| io_error("grow", &self.path, source))?;
                continue;
            };
            let bytes = (data.len() - from).min(span.bytes as usize);
            self.file
                .write_all_at(&data[from..from + bytes], file_offset)
                .map_err(|source| io_error("write to", &self.path, source))?;
            pieces.push(Written { file_offset, from, bytes });
            from += bytes;
        }
        Ok(pieces)
    }

    /// Makes room in the file for `bytes` bytes at `offset`, so that later writes there change no
    /// block table.
    ///
    /// # Errors
    /// [`ImageError::Beyond`] or [`ImageError::Io`].
    pub fn preallocate(&mut self, offset: u64, bytes: usize) -> Result<(), ImageError> {
        self.check(offset, bytes)?;
        let mut at = offset;
        while at < offset + bytes as u64 {
            let span = self.map.span(at);
            if span.file_offset.is_none() {
                self.map.allocate(&self.file, at).map_err(|source| io_error("grow", &self.path, source))?;
            }
            at += span.bytes;
        }
        Ok(())
    }

    /// SHA-256 over what a guest would read: the disk's size and every block of 64 KiB that is not
    /// all zeros, with its place. Does not depend on format or allocation. 64 hexadecimal digits.
    ///
    /// # Errors
    /// [`ImageError::Io`].
    pub fn content_hash(&self) -> Result<String, ImageError> {
        let size = self.virtual_bytes();
        let mut hash = Sha256::new();
        hash.update(size.to_le_bytes());
        let mut buffer = vec![0; HASH_BLOCK_BYTES];
        let mut offset = 0;
        while offset < size {
            let span = self.map.span(offset);
            if span.file_offset.is_none() && span.bytes >= HASH_BLOCK_BYTES as u64 {
                // Both ends stay on the grid of hash blocks.
                offset += span.bytes - span.bytes % HASH_BLOCK_BYTES as u64;
                continue;
            }
            let bytes = (size - offset).min(HASH_BLOCK_BYTES as u64) as usize;
            let block = &mut buffer[..bytes];
            self.read_at(block, offset)?;
            if block.iter().any(|byte| *byte != 0) {
                hash.update(offset.to_le_bytes());
                hash.update(&*block);
            }
            offset += bytes as u64;
        }
        Ok(hex(&hash.finalize()))
    }

    /// Refuses an access that leaves the disk.
    fn check(&self, offset: u64, bytes: usize) -> Result<(), ImageError> {
        let virtual_bytes = self.virtual_bytes();
        let end = offset.checked_add(bytes as u64);
        if end.is_none_or(|end| end > virtual_bytes) {
            return Err(ImageError::Beyond { path: self.path.clone(), offset, virtual_bytes });
        }
        Ok(())
    }
}

/// Bytes that a file takes up on its file system, holes not counted.
///
/// # Errors
/// What the file system says.
pub fn allocated_bytes(path: &Path) -> io::Result<u64> {
    Ok(std::fs::metadata(path)?.blocks() * 512)
}

/// Lower-case hexadecimal digits of bytes.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What goes wrong below [`Image`], where the path is not known.
enum Trouble {
    Io(io::Error),
    Damaged(String),
}

impl Trouble {
    fn damaged(reason: impl Into<String>) -> Self {
        Self::Damaged(reason.into())
    }

    fn at(self, path: &Path) -> ImageError {
        match self {
            // A file that ends too early is damaged, whatever was being read.
            Self::Io(source) if source.kind() != io::ErrorKind::UnexpectedEof => io_error("read", path, source),
            Self::Io(_) => Self::damaged("it ends too early").at(path),
            Self::Damaged(reason) => ImageError::Damaged { path: path.to_owned(), reason },
        }
    }
}

impl From<io::Error> for Trouble {
    fn from(source: io::Error) -> Self {
        Self::Io(source)
    }
}

fn io_error(action: &'static str, path: &Path, source: io::Error) -> ImageError {
    ImageError::Io { action, path: path.to_owned(), source }
}

/// Reads `N` bytes of a file at an offset.
fn bytes_at<const N: usize>(file: &File, offset: u64) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    file.read_exact_at(&mut bytes, offset)?;
    Ok(bytes)
}

/// Copies `N` bytes out of a longer slice; the caller has checked the length.
fn part<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut part = [0; N];
    part.copy_from_slice(&bytes[at..at + N]);
    part
}
