//! The ledger: every file that a motion may make or leave behind, and what became of it.
//!
//! The files are written down with the motion, before anything is sent. When its end is known, the hosts are asked for each
//! file that is not the disk itself: it is gone, or it is left and listed until somebody removes it. A file whose host does not
//! answer stays open, and is asked for again.

use std::sync::{Mutex, PoisonError};

use super::clean;
use super::hypervisor::{DiskRef, HostRef, Hypervisor, MotionState, PoolRef, VmDisk, same_folder};
use super::order::{Kind, Order, OrderDisk, host_ref, pool_ref, port};
use super::refusal::Refusal;
use super::saga::Motion;
use super::settle;
use super::verdict::{Outcome, Verdict, sentence};
use crate::model::{Timestamp, signed};
use crate::store::{FileRole, FileState, MotionFileRow, MotionRow, NewMotionFile, Row, Store, StoreError};

/// How many motions with open files are looked at in one go.
const AT_ONCE: i64 = 100;

/// The motion with open files that was looked at last, by when it was last heard of and its number. The next look goes on behind it,
/// or begins with the oldest where there is none.
#[derive(Debug, Default)]
pub(super) struct Bookmark(Mutex<Option<(Timestamp, i64)>>);

impl Bookmark {
    fn get(&self) -> Option<(Timestamp, i64)> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, last: Option<(Timestamp, i64)>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = last;
    }
}

/// The files of an order that are to be written down with it.
pub(super) fn files_of(order: &Order) -> Vec<NewMotionFile> {
    let target_host = order.target.as_ref().map_or(order.source.id, |host| host.id);
    let both = |disk: &OrderDisk| {
        let source = NewMotionFile {
            volume_id: disk.volume.id,
            role: FileRole::Source,
            host_id: order.source.id,
            pool_id: disk.source.id,
            stem: disk.volume.path.clone().unwrap_or_default(),
        };
        let target = NewMotionFile {
            role: FileRole::Target,
            host_id: target_host,
            pool_id: disk.target.id,
            stem: disk.stem.clone(),
            ..source.clone()
        };
        [source, target]
    };
    order.disks.iter().filter(|disk| disk.moves()).flat_map(both).collect()
}

/// Finds out what became of the files of a motion whose end is known.
///
/// # Errors
/// When the database fails. A host that does not answer leaves its files open.
pub(super) async fn close(
    store: &Store,
    order: &Order,
    verdict: &Verdict,
    hypervisor: &dyn Hypervisor,
) -> Result<(), StoreError> {
    if verdict.outcome == Outcome::Unknown {
        return Ok(());
    }
    for row in store.motion_files(order.id).await? {
        let mut disks = order.disks.iter().zip(&verdict.disks_moved);
        let Some((disk, moved)) = disks.find(|(disk, _)| disk.volume.id == row.file.volume_id) else { continue };
        if row.state != FileState::Expected {
            continue;
        }
        let is_target = row.file.role == FileRole::Target;
        if is_target == *moved {
            store.motion_file_note(row.id, FileState::Owned, None, "It is the disk.").await?;
            continue;
        }
        let (pool, host) = if is_target {
            (pool_ref(&disk.target), order.target_ref().unwrap_or_else(|| order.source_ref()))
        } else {
            (pool_ref(&disk.source), order.source_ref())
        };
        let found = Found::look(hypervisor, &host, &pool, &row.file.stem).await;
        // A host that is still cleaning up after itself has not left anything yet, and one that does not stop what was given up
        // may still make the file.
        let is_there = matches!(found, Found::There(..));
        let may_come = is_target && matches!(found, Found::Away(_));
        if (is_there || may_come) && is_at_work(order, hypervisor).await {
            continue;
        }
        let (state, bytes, note) = match found {
            Found::Away(text) => (FileState::Gone, None, text),
            Found::There(bytes, text) => (FileState::Left, Some(bytes), text),
            Found::CannotTell(text) if is_target => (FileState::Possible, None, text),
            // See `clean`: without proof of the copy the original was not deleted.
            Found::CannotTell(text) if order.kind == Kind::ColdVolume => {
                let kept = "It is the original of a copy that its host cannot show to be whole, and was kept. When the disk has \
                    been used from its copy, delete the file on the host.";
                (FileState::Left, None, format!("{text} {kept}"))
            }
            Found::CannotTell(text) => (FileState::Unseen, None, text),
            Found::NoAnswer(text) => {
                tracing::info!(motion = %order.uuid, stem = %row.file.stem, reason = %text, "a file will be asked for again");
                continue;
            }
        };
        store.motion_file_note(row.id, state, bytes, &note).await?;
    }
    Ok(())
}

async fn is_at_work(order: &Order, hypervisor: &dyn Hypervisor) -> bool {
    let status = hypervisor.motion_status(&order.source_ref(), &order.uuid).await;
    matches!(status, Ok(Some(status)) if status.state == MotionState::Running)
}

/// What a host says about a file.
enum Found {
    Away(String),
    There(i64, String),
    CannotTell(String),
    NoAnswer(String),
}

impl Found {
    async fn look(hypervisor: &dyn Hypervisor, host: &HostRef, pool: &PoolRef, stem: &str) -> Self {
        let folder = hypervisor.folder(pool);
        match hypervisor.files(host, pool, stem).await {
            Ok(Some(files)) if files.is_empty() => {
                Self::Away(format!("Host {} lists no {stem} in {folder}.", host.name))
            }
            Ok(Some(files)) => {
                let bytes: u64 = files.iter().map(|file| file.allocated_bytes).sum();
                let names: Vec<&str> = files.iter().map(|file| file.file.as_str()).collect();
                let text = format!("Host {} lists {} in {folder}.", host.name, names.join(", "));
                Self::There(i64::try_from(bytes).unwrap_or(i64::MAX), text)
            }
            Ok(None) => Self::CannotTell(format!("The agent of host {} cannot list files.", host.name)),
            Err(error) => Self::NoAnswer(error.text),
        }
    }
}

impl Motion {
    /// Cleans up again after motions of which a file is still open: its host did not answer. Not after too many in one go: the next
    /// one goes on where this one has ended, and begins anew when it has come to the end.
    ///
    /// # Errors
    /// A [`Refusal`] when the database fails. A motion whose rows are gone is logged, and does not keep the others waiting.
    pub async fn close_ledger(&self) -> Result<(), Refusal> {
        let rows = self.store.motions_with_open_files(self.bookmark.get(), AT_ONCE).await?;
        // Hosts that are gone for good keep their files open, and should not hide those of others for ever.
        let is_part = signed(rows.len()) == AT_ONCE;
        self.bookmark.set(rows.last().filter(|_| is_part).map(|row| (row.updated, row.id)));
        for row in rows {
            let closed = async {
                // What moves now, here or through another gateway, is looked at another time.
                let Some(_held) = self.try_hold(&row).await? else { return Ok(()) };
                let volume_id = self.store.motion_volume(row.id).await?;
                if self.store.has_unsettled_motion(row.vm_id, volume_id, row.job_id).await? {
                    return Ok(());
                }
                let order = match Order::from_journal(&self.store, &row).await {
                    Ok(order) => order,
                    Err(Refusal { cause: None, text, .. }) => return self.list_unclaimed(&row, &text).await,
                    Err(problem) => return Err(problem),
                };
                self.tidy_settled(&order, &row).await.map(drop)
            };
            if let Err(refusal) = closed.await {
                tracing::warn!(motion = %row.uuid, reason = %refusal.text, "the files of a motion could not be looked for");
            }
        }
        Ok(())
    }

    /// Lists the files of a motion that speaks of something that is not in the database any more: nobody can ask for them.
    async fn list_unclaimed(&self, motion: &MotionRow, why: &str) -> Result<(), Refusal> {
        for row in self.store.motion_files(motion.id).await? {
            if row.state != FileState::Expected {
                continue;
            }
            let (state, note) = match self.store.volume_of_file(row.file.pool_id, &row.file.stem).await? {
                Some(volume) => (FileState::Owned, format!("It is the disk of volume {volume}.")),
                None => (FileState::Possible, format!("{} Look for the file on the host yourself.", sentence(why))),
            };
            self.store.motion_file_note(row.id, state, None, &note).await?;
        }
        Ok(())
    }

    /// [`Motion::tidy`] for a motion that has been settled; gives its verdict.
    pub(super) async fn tidy_settled(&self, order: &Order, row: &MotionRow) -> Result<Verdict, Refusal> {
        let verdict = settle::read_back(&self.store, order, row).await?;
        self.tidy(order, &verdict, self.hypervisor(order)?.as_ref()).await?;
        Ok(verdict)
    }

    /// Deletes what is superfluous, and writes down what is left.
    pub(super) async fn tidy(
        &self,
        order: &Order,
        verdict: &Verdict,
        hypervisor: &dyn Hypervisor,
    ) -> Result<(), Refusal> {
        clean::clean(&self.store, order, verdict, hypervisor).await?;
        Ok(close(&self.store, order, verdict, hypervisor).await?)
    }

    /// Removes a file that a motion left behind, when database and hosts show that nobody needs it. Gives what was done.
    ///
    /// # Errors
    /// A [`Refusal`] that says why it is not safe, or what the host said; the file is as it was.
    pub async fn remove_leftover(&self, file_id: i64) -> Result<String, Refusal> {
        let (row, motion) = self.leftover(file_id).await?;
        let _held = self.hold(&motion).await?;
        self.must_be_superfluous(file_id).await?;
        let order = Order::from_journal(&self.store, &motion).await?;
        let hypervisor = self.hypervisor(&order)?;
        let verdict = settle::read_back(&self.store, &order, &motion).await?;
        let place = self.place_of(&row).await?;
        let before = Found::look(hypervisor.as_ref(), &place.0, &place.1, &row.file.stem).await;
        match before {
            Found::Away(text) => {
                self.store.motion_file_note(row.id, FileState::Gone, None, &text).await?;
                self.forget_rows_of(&order, &row, &verdict).await?;
                return Ok(format!("It was gone already. {text}"));
            }
            Found::There(..) => {}
            Found::CannotTell(text) | Found::NoAnswer(text) => {
                return Err(Refusal::failed(format!(
                    "The file was not removed: it cannot be shown that nobody uses it. {text} Look at {}\\{} on the host \
                     yourself, delete it there if nobody needs it, and call this again with isgone=true.",
                    hypervisor.folder(&place.1),
                    row.file.stem
                )));
            }
        }
        self.must_be_unused(&order, &row, &place.1, hypervisor.as_ref()).await?;
        let mut disks = order.disks.iter().filter(|disk| disk.volume.id == row.file.volume_id);
        let disk = disks.next().ok_or_else(no_file)?;
        let file = DiskRef { stem: row.file.stem.clone(), pool: place.1.clone(), ..disk.target_file(&disk.volume) };
        // Hosts were asked meanwhile: another gateway may have begun something with this very name.
        self.must_be_superfluous(file_id).await?;
        let deleted = hypervisor.delete_volume(&place.0, &file).await;
        deleted.map_err(|error| Refusal::failed(format!("The file was not removed: {}", error.text)))?;
        match Found::look(hypervisor.as_ref(), &place.0, &place.1, &row.file.stem).await {
            Found::Away(text) => {
                self.store.motion_file_note(row.id, FileState::Removed, None, &text).await?;
                // What was kept only because of the file, such as the row of a copy, can go too.
                clean::clean(&self.store, &order, &verdict, hypervisor.as_ref()).await?;
                Ok(format!("It was removed. {text}"))
            }
            Found::There(_, text) | Found::CannotTell(text) | Found::NoAnswer(text) => {
                Err(Refusal::failed(format!("The host was told to remove the file, but that is not shown: {text}")))
            }
        }
    }

    /// Takes a file from the list that a person says is not there any more. Nothing is deleted; a host that lists the file is
    /// believed instead. Gives what was done.
    ///
    /// # Errors
    /// A [`Refusal`] when there is no such entry, or the host lists the file.
    pub async fn forget_leftover(&self, file_id: i64, by: &str) -> Result<String, Refusal> {
        let (row, motion) = self.leftover(file_id).await?;
        let _held = self.hold(&motion).await?;
        self.must_be_superfluous(file_id).await?;
        let order = match Order::from_journal(&self.store, &motion).await {
            Ok(order) => order,
            // See `list_unclaimed`: there is nobody to be asked, and no row that was kept because of the file.
            Err(Refusal { cause: None, text, .. }) => {
                let note = format!("{by} stated that it is gone. {}", sentence(&text));
                self.store.motion_file_note(row.id, FileState::Gone, None, &note).await?;
                return Ok(note);
            }
            Err(problem) => return Err(problem),
        };
        let (host, pool) = self.place_of(&row).await?;
        let seen = match Found::look(self.hypervisor(&order)?.as_ref(), &host, &pool, &row.file.stem).await {
            Found::There(_, text) => {
                return Err(Refusal::failed(format!("The file is not gone: {text} Nothing was changed.")));
            }
            Found::Away(text) | Found::CannotTell(text) | Found::NoAnswer(text) => text,
        };
        let note = format!("{by} stated that it is gone. {seen}");
        self.store.motion_file_note(row.id, FileState::Gone, None, &note).await?;
        let verdict = settle::read_back(&self.store, &order, &motion).await?;
        self.forget_rows_of(&order, &row, &verdict).await?;
        Ok(note)
    }

    /// Ends what was kept only because of a file that is gone, such as the row of a copy.
    async fn forget_rows_of(&self, order: &Order, row: &MotionFileRow, verdict: &Verdict) -> Result<(), Refusal> {
        for (disk, moved) in order.disks.iter().zip(&verdict.disks_moved) {
            if disk.volume.id == row.file.volume_id {
                clean::forget_row(&self.store, disk, *moved).await?;
            }
        }
        Ok(())
    }

    async fn leftover(&self, file_id: i64) -> Result<(MotionFileRow, MotionRow), Refusal> {
        let row = self.store.motion_file_by_id(file_id).await?.ok_or_else(no_file)?;
        let motion = self.store.motion_by_id(row.migration_id).await?.ok_or_else(no_file)?;
        Ok((row, motion))
    }

    /// Refuses what the database says that somebody needs.
    async fn must_be_superfluous(&self, file_id: i64) -> Result<(), Refusal> {
        let facts = self.store.leftover_rows(&[file_id]).await?;
        match is_superfluous(facts.first().ok_or_else(no_file)?)? {
            (true, _) => Ok(()),
            (false, reason) => Err(Refusal::failed(format!("The file was not removed. {reason}"))),
        }
    }

    /// The host and the pool of a file.
    async fn place_of(&self, row: &MotionFileRow) -> Result<(HostRef, PoolRef), Refusal> {
        let missing = |what: &str| Refusal::failed(format!("The {what} of the file does not exist any more"));
        let host = self.store.host_by_id(row.file.host_id).await?.ok_or_else(|| missing("host"))?;
        let pool = self.store.pool_by_id(row.file.pool_id).await?.ok_or_else(|| missing("pool"))?;
        Ok((host_ref(&host, port(&self.store, Some(&host)).await?), pool_ref(&pool)))
    }

    /// Makes sure that the disk is another file than this one: its machine lists it elsewhere, or, where none runs, the file that
    /// the database names is there and whole.
    async fn must_be_unused(
        &self,
        order: &Order,
        row: &MotionFileRow,
        pool: &PoolRef,
        hypervisor: &dyn Hypervisor,
    ) -> Result<(), Refusal> {
        let unsure = |text: &str| {
            Refusal::failed(format!("The file was not removed: it cannot be shown that nobody uses it. {text}"))
        };
        let gone = || Refusal::failed("The file was not removed: its volume does not exist any more, so ask its host");
        let disk = order.disks.iter().find(|disk| disk.volume.id == row.file.volume_id).ok_or_else(gone)?;
        // After a cold move the copy is the disk.
        let volume = disk.copy.as_ref().filter(|_| row.file.role == FileRole::Source).unwrap_or(&disk.volume);
        let stem = volume.path.clone().unwrap_or_default();
        let running = order.vm.as_ref().and_then(|vm| Some((vm, vm.host_id?)));
        let Some((vm, host_id)) = running else {
            let Some(pool_id) = volume.pool_id else { return Err(unsure("The volume has no pool.")) };
            let Some(at) = self.store.pool_by_id(pool_id).await? else {
                return Err(unsure("The volume's pool is gone."));
            };
            let files = hypervisor.files(&order.source_ref(), &pool_ref(&at), &stem).await;
            return match files {
                Ok(Some(files)) if files.iter().any(|file| file.complete) => Ok(()),
                Ok(Some(_)) => Err(unsure(&format!("The disk {stem} is not seen in pool {}.", at.name))),
                Ok(None) => Err(unsure("The agent cannot list files.")),
                Err(error) => Err(unsure(&error.text)),
            };
        };
        let Some(host) = self.store.host_by_id(host_id).await? else {
            return Err(unsure("The machine's host is gone."));
        };
        let host = host_ref(&host, port(&self.store, Some(&host)).await?);
        let listed = match hypervisor.vm_disks(&host, &vm.instance_name).await {
            Ok(Some(listed)) => listed,
            Ok(None) => return Err(unsure(&format!("The agent of host {} cannot list its disks.", host.name))),
            Err(error) => return Err(unsure(&error.text)),
        };
        let folder = hypervisor.folder(pool);
        let is_this =
            |disk: &VmDisk| disk.stem.eq_ignore_ascii_case(&row.file.stem) && same_folder(&disk.folder, &folder);
        if listed.iter().any(is_this) {
            return Err(Refusal::failed(format!(
                "The file was not removed: host {} lists it as a disk of {}.",
                host.name, vm.instance_name
            )));
        }
        // A disk with checkpoints is listed under another name, and uses the files of the chain below it.
        let known = self.store.volumes_of_vm(vm.id).await?;
        let is_known = |disk: &VmDisk| {
            known.iter().any(|volume| volume.path.as_deref().is_some_and(|path| path.eq_ignore_ascii_case(&disk.stem)))
        };
        match listed.iter().find(|disk| !is_known(disk)) {
            Some(strange) => Err(unsure(&format!(
                "Host {} lists {} as a disk of {}, which is no volume in the database: it may use other files below it.",
                host.name, strange.stem, vm.instance_name
            ))),
            None if listed.is_empty() => {
                Err(unsure(&format!("Host {} lists no disk of {}.", host.name, vm.instance_name)))
            }
            None => Ok(()),
        }
    }
}

fn no_file() -> Refusal {
    Refusal::parameter("There is no such file in the ledger")
}

/// Whether the database says that nobody needs a file, and why or why not. The hosts have to be asked as well before it is removed.
///
/// # Errors
/// For a row that [`Store::leftover_rows`] has not made.
pub fn is_superfluous(row: &Row) -> Result<(bool, String), StoreError> {
    let state: String = row.get("state")?;
    let may_be_there = FileState::parse(&state)
        .is_some_and(|it| matches!(it, FileState::Left | FileState::Possible | FileState::Unseen));
    if !may_be_there {
        return Ok((false, format!("It is {state}, and no leftover.")));
    }
    if let Some(volume) = row.get::<Option<String>>("used_by")? {
        return Ok((false, format!("The database says that it is the disk of volume {volume}.")));
    }
    if let Some(motion) = row.get::<Option<String>>("under_way")? {
        return Ok((false, format!("Migration {motion} of this volume is under way.")));
    }
    if let Some(motion) = row.get::<Option<String>>("in_doubt")? {
        return Ok((false, format!("It is not known what became of migration {motion} of this volume.")));
    }
    let text = "No volume has this file and no migration of its volume is under way. The hosts are asked before it is removed.";
    Ok((true, text.to_owned()))
}
