//! Copying an image so that holes stay holes, a guest may write meanwhile, and the copy can be slowed
//! down, interrupted and watched.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::{Duration, Instant};

use rustix::fs::SeekFrom;
use rustix::io::Errno;

use super::faults::Mishaps;
use super::guest::Gate;
use super::host::{Host, Process};
use super::motion::{Interruption, Motion};
use super::world::World;

/// As much as `cp` takes at once. The page cache keeps a write in one piece if it can, and for larger pieces some kernels look for
/// memory several times as long as the copy takes.
const LARGEST_CHUNK_BYTES: u64 = 256 << 10;
const SMALLEST_CHUNK_BYTES: u64 = 64 << 10;
/// After how much of a copy the disk is made to write what there is, while more is copied. Else nearly all of it is written in
/// the end, with nothing to do meanwhile.
const WRITTEN_BEHIND_BYTES: u64 = 64 << 20;
/// How long a throttled copy sleeps before it looks whether anything has changed.
const NAP: Duration = Duration::from_millis(20);

/// Everything that a copy has to mind.
pub struct Course<'a> {
    /// For the world's throttle.
    pub world: &'a World,
    /// For the host's throttle.
    pub host: &'a Host,
    /// The agent process that the copy dies with.
    pub process: &'a Process,
    /// Progress, cancelling, its own throttle.
    pub motion: &'a Motion,
    /// What is to go wrong.
    pub mishaps: &'a Mishaps,
}

impl Course<'_> {
    /// Lets happen what is due, and says whether to go on.
    ///
    /// # Errors
    /// The interruption.
    pub fn go_on(&self) -> Result<(), Interruption> {
        if !self.process.is_alive() {
            return Err(Interruption::Killed);
        }
        if self.motion.is_cancelled() {
            return Err(Interruption::Cancelled);
        }
        self.mishaps.happen(self.motion, self.process)
    }

    /// Bytes per second, the narrowest scope first; `None` without a limit.
    fn limit(&self) -> Option<u64> {
        let limit = self.motion.throttle().or_else(|| self.host.throttle());
        Some(limit.unwrap_or_else(|| self.world.throttle())).filter(|limit| *limit > 0)
    }

    /// Waits until `bytes` more may be copied.
    fn slow_down(&self, bytes: u64) -> Result<(), Interruption> {
        let begun = Instant::now();
        // The limit is read anew each time: it can be changed while a copy runs.
        while let Some(limit) = self.limit() {
            let due = Duration::from_secs_f64(bytes as f64 / limit as f64);
            let Some(rest) = due.checked_sub(begun.elapsed()) else {
                break;
            };
            std::thread::sleep(rest.min(NAP));
            self.go_on()?;
        }
        Ok(())
    }
}

/// A copy that has begun: its target exists.
#[derive(Debug)]
pub struct Copy<'a> {
    source: File,
    target: File,
    path: &'a Path,
    gate: Option<(&'a Gate, &'a str)>,
}

/// Bytes of a file that are not holes.
///
/// # Errors
/// What the file system says.
pub fn data_bytes(path: &Path) -> io::Result<u64> {
    let file = File::open(path)?;
    let mut bytes = 0;
    let mut at = 0;
    while let Some((begin, end)) = next_data(&file, at)? {
        bytes += end - begin;
        at = end;
    }
    Ok(bytes)
}

/// The next stretch of data at or after an offset.
fn next_data(file: &File, at: u64) -> io::Result<Option<(u64, u64)>> {
    match rustix::fs::seek(file, SeekFrom::Data(at)) {
        Ok(begin) => {
            let end = rustix::fs::seek(file, SeekFrom::Hole(begin))?;
            Ok(Some((begin, end)))
        }
        Err(Errno::NXIO) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

impl<'a> Copy<'a> {
    /// Opens the source and creates the target, which must not exist. For a disk that a VM has, `gate`
    /// is the VM's gate and the disk's stem.
    ///
    /// # Errors
    /// A job error; nothing was created.
    pub fn begin(source: &Path, path: &'a Path, gate: Option<(&'a Gate, &'a str)>) -> Result<Self, Interruption> {
        let source = File::open(source).map_err(|error| failed(source, &error))?;
        let target = OpenOptions::new().write(true).create_new(true).open(path);
        let target = target.map_err(|error| failed(path, &error))?;
        Ok(Self { source, target, path, gate })
    }

    /// Copies. The target grows from front to back, so a half copy can be told from a whole one, and is on the disk in the end,
    /// as the source will be removed.
    ///
    /// # Errors
    /// The interruption; the target is then left as far as it came.
    pub fn run(&self, course: &Course<'_>) -> Result<(), Interruption> {
        if let Some((gate, stem)) = self.gate {
            let followed = self.target.try_clone();
            let followed = followed.map_err(|error| failed(self.path, &error))?;
            gate.lock().mirror(stem, followed);
        }
        let written = std::thread::scope(|scope| {
            let (more, due) = sync_channel(1);
            let writer = scope.spawn(move || due.into_iter().try_for_each(|()| self.target.sync_data()));
            let copied = self.pieces(course, more);
            let written = writer.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            copied.map(|()| written)
        })?;
        // A file says only once that something could not be written.
        written.and_then(|()| self.target.sync_all()).map_err(|error| failed(self.path, &error))
    }

    /// Copies piece after piece, and says each time when there is `more` for the disk to write.
    fn pieces(&self, course: &Course<'_>, more: SyncSender<()>) -> Result<(), Interruption> {
        let sixteenth = course.motion.total_bytes() / 16;
        let chunk = sixteenth.clamp(SMALLEST_CHUNK_BYTES, LARGEST_CHUNK_BYTES);
        let mut buffer = vec![0; chunk as usize];
        let (mut at, mut unwritten) = (0, 0);
        course.go_on()?;
        while let Some(copied) = self.chunk(at, &mut buffer)? {
            at = copied.to;
            course.motion.advance(copied.bytes);
            unwritten += copied.bytes;
            // Who still writes the last has this to do next.
            if unwritten >= WRITTEN_BEHIND_BYTES && more.try_send(()).is_ok() {
                unwritten = 0;
            }
            course.slow_down(copied.bytes)?;
            course.go_on()?;
        }
        Ok(())
    }

    /// Copies the next stretch of data, at most a buffer full. `None` at the end.
    fn chunk(&self, at: u64, buffer: &mut [u8]) -> Result<Option<Copied>, Interruption> {
        // Reading and writing in one go under the gate: else a guest's write between the two would
        // be overwritten by what was there before it.
        let mut gate = self.gate.map(|(gate, stem)| (gate.lock(), stem));
        let mut step = || -> io::Result<Option<Copied>> {
            let Some((begin, end)) = next_data(&self.source, at)? else {
                self.target.set_len(self.source.metadata()?.len())?;
                return Ok(None);
            };
            let bytes = (end - begin).min(buffer.len() as u64) as usize;
            self.source.read_exact_at(&mut buffer[..bytes], begin)?;
            self.target.write_all_at(&buffer[..bytes], begin)?;
            Ok(Some(Copied { to: begin + bytes as u64, bytes: bytes as u64 }))
        };
        let copied = step().map_err(|error| failed(self.path, &error))?;
        if let Some((inner, stem)) = &mut gate {
            inner.copied(stem, copied.as_ref().map_or(u64::MAX, |copied| copied.to));
        }
        Ok(copied)
    }
}

/// A stretch that was copied.
struct Copied {
    to: u64,
    bytes: u64,
}

/// The job error that a file system error makes.
fn failed(path: &Path, error: &io::Error) -> Interruption {
    let file: PathBuf = path.file_name().map(PathBuf::from).unwrap_or_default();
    let reason = match error.kind() {
        io::ErrorKind::StorageFull => "There is not enough space on the disk. (0x80070070)".to_owned(),
        io::ErrorKind::AlreadyExists => "The file exists. (0x80070050)".to_owned(),
        io::ErrorKind::NotFound => "The system cannot find the file specified. (0x80070002)".to_owned(),
        _ => error.to_string(),
    };
    Interruption::job(&format!("Failed to copy disk '{}': {reason}.", file.display()))
}
