//! The look at the hosts: where the VM is, where its disks are, and whether they are at work.

use futures_util::future::join;
use tokio::sync::OnceCell;

use super::hypervisor::{
    Answer, FileFact, HostRef, Hypervisor, MotionState, MotionStatus, VmDisk, VmPresence, same_folder,
};
use super::order::{Kind, Order, OrderDisk, disk_ref, pool_ref};
use super::verdict::{Look, Outcome, Said, Verdict};
use crate::store::DiskFacts;

/// What the hosts show of an order before anything is sent.
#[derive(Debug)]
pub(super) struct Before {
    /// Everything is where the order wants it: an earlier attempt that was given up has been finished by its host. To send it
    /// again would fail, or move twice.
    pub is_there: bool,
    /// Why a disk that is to be moved cannot be: it is not where the database says.
    pub astray: Option<String>,
    /// The disks, by volume: by it they are known again afterwards. What an agent cannot tell is left out.
    pub facts: Vec<(i64, DiskFacts)>,
}

/// Looks at the hosts before anything is sent.
pub(super) async fn before(order: &Order, hypervisor: &dyn Hypervisor) -> Before {
    // Nothing was sent: what nobody has seen has not come there by this motion.
    let said = Said::No(String::new());
    let asked = Asked { state_before: Some(Ok(None)), ..Asked::new(hypervisor, order, &said) };
    let is_there = async {
        let look = match order.kind {
            Kind::LiveVolume => asked.live_volume().await,
            Kind::LiveVm | Kind::LiveVmWithStorage => asked.live_vm().await,
            Kind::ColdVolume => return false,
        };
        matches!(look, Look::Over(verdict) if verdict.outcome == Outcome::Done)
    };
    let (is_there, facts) = join(is_there, asked.facts()).await;
    Before { is_there, astray: asked.astray().await, facts }
}

/// Letters of a disk's identity that the journal holds (`motion_disk.identity`). The ids of images have 36.
const IDENTITY_LETTERS: usize = 64;

fn seen(identity: Option<String>, size_bytes: u64) -> DiskFacts {
    // As much as the journal holds: what is compared later has been there meanwhile.
    let identity = identity.map(|text| text.chars().take(IDENTITY_LETTERS).collect());
    DiskFacts { identity, size_bytes: i64::try_from(size_bytes).unwrap_or(i64::MAX) }
}

/// Why what lies at a disk's target is not that disk; an empty reason never is one. Only what was seen both before and after
/// is compared.
fn difference(before: &DiskFacts, after: &DiskFacts) -> Option<String> {
    if before.size_bytes > 0 && after.size_bytes > 0 && before.size_bytes != after.size_bytes {
        return Some(format!("it has {} bytes inside and had {}", after.size_bytes, before.size_bytes));
    }
    match (&before.identity, &after.identity) {
        (Some(before), Some(after)) if !before.eq_ignore_ascii_case(after) => {
            Some(format!("its identity is {after} and was {before}"))
        }
        _ => None,
    }
}

/// What may be said of a disk that was found at its target and does not differ from what it was.
fn sameness(disk: &OrderDisk) -> &'static str {
    match disk.before.as_ref().map(|before| before.identity.is_some()) {
        Some(true) => " Identity and size are what they were.",
        Some(false) => " The size is what it was; the agent tells no identity.",
        None => " What it was before was not seen, so identity and size were not compared.",
    }
}

/// One look at the hosts of an order.
pub async fn look(hypervisor: &dyn Hypervisor, order: &Order, said: &Said) -> Look {
    let mut asked = Asked::new(hypervisor, order, said);
    if !said.is_definite() {
        // Asked before the places are: what ends between the two questions has not ended where it was seen.
        let status = asked.ask_status().await;
        if let Ok(Some(MotionStatus { end: Some(Err(error)), .. })) = &status {
            asked.words = Some(error.text.clone());
        }
        asked.state_before = Some(status.map(|status| status.map(|status| status.state)));
    }
    match order.kind {
        Kind::LiveVolume => asked.live_volume().await,
        Kind::LiveVm | Kind::LiveVmWithStorage => asked.live_vm().await,
        Kind::ColdVolume => asked.cold_volume().await,
    }
}

struct Asked<'a> {
    hypervisor: &'a dyn Hypervisor,
    order: &'a Order,
    said: &'a Said,
    source: HostRef,
    /// How far the motion was before anybody was asked where things are, unless the agent has said that it is over.
    state_before: Option<Result<Option<MotionState>, String>>,
    /// With which words it failed, where the agent told them only when it was asked.
    words: Option<String>,
    /// The disks of the VM on the source, asked for once.
    here: OnceCell<Answer<Option<Vec<VmDisk>>>>,
}

impl<'a> Asked<'a> {
    fn new(hypervisor: &'a dyn Hypervisor, order: &'a Order, said: &'a Said) -> Self {
        Self {
            hypervisor,
            order,
            said,
            source: order.source_ref(),
            state_before: None,
            words: None,
            here: OnceCell::new(),
        }
    }

    /// The disks that the source lists of a VM.
    async fn disks_here(&self, vm: &str) -> &Answer<Option<Vec<VmDisk>>> {
        self.here.get_or_init(|| self.hypervisor.vm_disks(&self.source, vm)).await
    }

    /// See [`Before::facts`].
    async fn facts(&self) -> Vec<(i64, DiskFacts)> {
        let mut facts = Vec::new();
        if self.order.kind == Kind::ColdVolume {
            for disk in &self.order.disks {
                let here = disk_ref(&disk.volume, &disk.source);
                if let Ok(Some(files)) = self.hypervisor.files(&self.source, &here.pool, &here.stem).await
                    && let Some(file) = files.first()
                {
                    facts.push((disk.volume.id, seen(file.identity.clone(), file.size_bytes)));
                }
            }
            return facts;
        }
        let Some(vm) = self.order.vm.as_ref().filter(|_| !self.order.disks.is_empty()) else { return facts };
        let Ok(Some(listed)) = self.disks_here(&vm.instance_name).await else { return facts };
        for disk in &self.order.disks {
            let stem = disk.volume.path.as_deref();
            if let Some(found) = listed.iter().find(|found| Some(found.stem.as_str()) == stem) {
                facts.push((disk.volume.id, seen(found.identity.clone(), found.size_bytes)));
            }
        }
        facts
    }

    fn over(&self, outcome: Outcome, vm_moved: bool, disks_moved: Vec<bool>, verified: String) -> Look {
        Look::Over(self.verdict(outcome, vm_moved, disks_moved, verified))
    }

    fn verdict(&self, outcome: Outcome, vm_moved: bool, disks_moved: Vec<bool>, verified: String) -> Verdict {
        let reason = || self.words.clone().or_else(|| self.said.reason());
        let reason = if outcome == Outcome::Done { None } else { reason() };
        Verdict { outcome, vm_moved, disks_moved, verified, reason }
    }

    /// How far the motion was when the places were looked at, or earlier. `None` when the agent cannot tell.
    async fn state(&self) -> Result<Option<MotionState>, String> {
        match &self.state_before {
            Some(state) => state.clone(),
            None => Ok(self.ask_status().await?.map(|status| status.state)),
        }
    }

    async fn ask_status(&self) -> Result<Option<MotionStatus>, String> {
        self.hypervisor.motion_status(&self.source, &self.order.uuid).await.map_err(|error| error.text)
    }

    /// See [`Before::astray`].
    async fn astray(&self) -> Option<String> {
        if !matches!(self.order.kind, Kind::LiveVolume | Kind::LiveVmWithStorage) {
            return None;
        }
        let vm = self.order.vm.as_ref()?;
        let Ok(Some(listed)) = self.disks_here(&vm.instance_name).await else { return None };
        let (host, name) = (&self.source.name, &vm.instance_name);
        self.order.disks.iter().filter(|disk| disk.moves()).find_map(|disk| match self.place(disk, listed) {
            Place::Missing if listed.is_empty() => None,
            Place::Missing => Some(format!(
                "Host {host} lists no disk {} of {name}, but {}. That is how a disk with checkpoints looks, and one that was \
                 exchanged by hand. Merge the checkpoints (Get-VMSnapshot -VMName {name} | Remove-VMSnapshot) or look at \
                 listDrift, and try again. Nothing was moved.",
                disk.stem,
                listed.iter().map(|found| found.stem.as_str()).collect::<Vec<_>>().join(", ")
            )),
            Place::Elsewhere(folder) => Some(format!(
                "Host {host} lists the disk {} of {name} in {folder}, and the database says that it is in pool {}. See listDrift, \
                 and resolveDrift with action=accept to believe the host. Nothing was moved.",
                disk.stem, disk.source.name
            )),
            Place::Target(_) | Place::Source(_) | Place::Another(..) => None,
        })
    }

    async fn live_volume(&self) -> Look {
        let (Some(vm), Some(disk)) = (&self.order.vm, self.order.disks.first()) else { return Look::CannotTell };
        let disks = match self.disks_here(&vm.instance_name).await {
            Ok(Some(disks)) => disks,
            Ok(None) => return self.cannot_tell(&vm.instance_name).await,
            Err(_) => return self.vm_is_gone(&vm.instance_name).await,
        };
        let host = &self.source.name;
        match self.place(disk, disks) {
            Place::Target(folder) => {
                let same = sameness(disk);
                let text =
                    format!("Host {host} lists the disk {} of {} in {folder}.{same}", disk.stem, vm.instance_name);
                self.over(Outcome::Done, false, vec![true], text)
            }
            Place::Elsewhere(folder) => {
                let text = format!(
                    "Host {host} lists the disk {} of {} in {folder}, which is neither its old nor its new pool.",
                    disk.stem, vm.instance_name
                );
                self.over(Outcome::Unknown, false, vec![false], text)
            }
            Place::Another(folder, why) => {
                let text = format!(
                    "Host {host} lists a disk {} of {} in {folder}, but not the one that was moved: {why}.",
                    disk.stem, vm.instance_name
                );
                self.over(Outcome::Unknown, false, vec![false], text)
            }
            Place::Source(folder) => {
                let text =
                    format!("Host {host} lists the disk {} of {} in {folder}, as before.", disk.stem, vm.instance_name);
                self.not_yet(Outcome::NotDone, text, vec![false]).await
            }
            Place::Missing => {
                let text = format!("Host {host} lists no disk {} of {}.", disk.stem, vm.instance_name);
                // What was refused has not moved, whatever else has become of the disk.
                let was_refused = matches!(self.said, Said::No(_));
                let outcome = if was_refused { Outcome::NotDone } else { Outcome::Unknown };
                self.not_yet(outcome, text, vec![false]).await
            }
        }
    }

    /// It has not been seen to have moved: it goes on, or it is over with this outcome.
    async fn not_yet(&self, outcome: Outcome, verified: String, disks_moved: Vec<bool>) -> Look {
        match self.state().await {
            Ok(Some(MotionState::Running)) => Look::Running,
            Ok(Some(MotionState::Unknown)) if !self.said.is_definite() => {
                Look::Unheard(self.verdict(outcome, false, disks_moved, verified))
            }
            Ok(Some(_)) => self.over(outcome, false, disks_moved, verified),
            Ok(None) if self.said.is_definite() => self.over(outcome, false, disks_moved, verified),
            Ok(None) => Look::CannotTell,
            Err(text) => Look::Unreachable(text),
        }
    }

    /// A stock agent at least says whether the VM is there.
    async fn cannot_tell(&self, vm: &str) -> Look {
        match self.hypervisor.vm_presence(&self.source, vm).await {
            Ok(_) => Look::CannotTell,
            Err(error) => Look::Unreachable(error.text),
        }
    }

    async fn vm_is_gone(&self, vm: &str) -> Look {
        match self.hypervisor.vm_presence(&self.source, vm).await {
            Ok(VmPresence::Absent) => {
                let text = format!("Host {} does not know {vm} any more; its disks were not seen.", self.source.name);
                self.over(Outcome::Unknown, false, vec![false], text)
            }
            Ok(_) => Look::Unreachable(format!("host {} does not say which disks {vm} has", self.source.name)),
            Err(error) => Look::Unreachable(error.text),
        }
    }

    async fn live_vm(&self) -> Look {
        let (Some(vm), Some(target)) = (&self.order.vm, self.order.target_ref()) else { return Look::CannotTell };
        let name = &vm.instance_name;
        // The source first: a VM that moves between the two questions is then on both, and never on none.
        let here = match self.hypervisor.vm_presence(&self.source, name).await {
            Ok(presence) => presence != VmPresence::Absent,
            Err(error) => return Look::Unreachable(error.text),
        };
        let there = match self.hypervisor.vm_presence(&target, name).await {
            Ok(presence) => presence != VmPresence::Absent,
            Err(error) => return Look::Unreachable(error.text),
        };
        let stay = vec![false; self.order.disks.len()];
        match (here, there) {
            (false, true) => self.arrived(name, &target).await,
            (true, false) => {
                let text = format!("Host {} has {name}, host {} has not.", self.source.name, target.name);
                self.not_yet(Outcome::NotDone, text, stay).await
            }
            _ => match self.state().await {
                Ok(Some(MotionState::Running)) => Look::Running,
                // It may have moved between the two questions, and nobody has said that it does not move any more.
                Ok(None) if !self.said.is_definite() => Look::CannotTell,
                Ok(_) => {
                    let where_is = if here { "both hosts have it" } else { "neither host has it" };
                    let text = format!("{name}: {where_is} ({} and {}).", self.source.name, target.name);
                    self.over(Outcome::Unknown, false, stay, text)
                }
                Err(text) => Look::Unreachable(text),
            },
        }
    }

    /// The VM is on the target; where are its disks?
    async fn arrived(&self, name: &str, target: &HostRef) -> Look {
        let seen = format!("Host {} has {name}, host {} has not.", target.name, self.source.name);
        let listed = match self.hypervisor.vm_disks(target, name).await {
            Ok(listed) => listed,
            Err(error) => return Look::Unreachable(error.text),
        };
        let stay = || vec![false; self.order.disks.len()];
        let Some(listed) = listed else {
            let text = format!("{seen} The agent cannot tell where the disks are.");
            // It came there in another way than by this motion, which was refused.
            if matches!(self.said, Said::No(_)) && self.order.disks.iter().any(OrderDisk::moves) {
                return self.over(Outcome::Unknown, true, stay(), text);
            }
            return self.over(Outcome::Done, true, vec![true; self.order.disks.len()], text);
        };
        let mut moved = Vec::with_capacity(self.order.disks.len());
        let mut left = Vec::new();
        for disk in &self.order.disks {
            match self.place(disk, &listed) {
                Place::Target(_) => moved.push(true),
                place @ Place::Source(_) => {
                    left.push(format!("{} {}", disk.volume.name, place.words()));
                    moved.push(false);
                }
                Place::Another(folder, why) => {
                    let text = format!(
                        "{seen} It lists a disk {} in {folder}, but not the one that was moved: {why}.",
                        disk.stem
                    );
                    return self.over(Outcome::Unknown, true, stay(), text);
                }
                place @ (Place::Elsewhere(_) | Place::Missing) => {
                    let text = format!(
                        "{seen} The disk {} {} is in neither its old nor its new pool.",
                        disk.volume.name,
                        place.words()
                    );
                    return self.over(Outcome::Unknown, true, stay(), text);
                }
            }
        }
        if left.is_empty() {
            let known =
                self.order.disks.iter().all(|disk| disk.before.as_ref().is_some_and(|it| it.identity.is_some()));
            let same = if known { " Identities and sizes are what they were." } else { "" };
            let text = format!("{seen} It lists all {} disks in their new pools.{same}", self.order.disks.len());
            return self.over(Outcome::Done, true, moved, text);
        }
        self.over(Outcome::Partly, true, moved, format!("{seen} Not moved: {}.", left.join(", ")))
    }

    async fn cold_volume(&self) -> Look {
        let Some(disk) = self.order.disks.first() else { return Look::CannotTell };
        // A copy may be whole while its host is still at work, and be taken back yet. Only the host knows whether it is.
        match &self.state_before {
            Some(Ok(Some(MotionState::Running))) => return Look::Running,
            Some(Err(text)) => return Look::Unreachable(text.clone()),
            _ => {}
        }
        let pool = pool_ref(&disk.target);
        let files = match self.hypervisor.files(&self.source, &pool, &disk.stem).await {
            Ok(Some(files)) => files,
            Ok(None) => return Look::CannotTell,
            Err(error) => return Look::Unreachable(error.text),
        };
        match files.iter().find(|file| file.complete) {
            Some(file) if self.same_disk(disk, file).await => {
                let text = format!(
                    "Host {} lists the copy {} in {}, complete, {} bytes inside.",
                    self.source.name,
                    file.file,
                    self.hypervisor.folder(&pool),
                    file.size_bytes
                );
                self.over(Outcome::Done, false, vec![true], text)
            }
            _ => {
                let text = format!("Host {} lists no complete copy in {}.", self.source.name, disk.target.name);
                self.not_yet(Outcome::NotDone, text, vec![false]).await
            }
        }
    }

    /// True when the copy is the same inside as the original, which is still there.
    async fn same_disk(&self, disk: &OrderDisk, copy: &FileFact) -> bool {
        let here = disk_ref(&disk.volume, &disk.source);
        let facts = |file: &FileFact| seen(file.identity.clone(), file.size_bytes);
        match self.hypervisor.files(&self.source, &here.pool, &here.stem).await {
            Ok(Some(files)) => files.first().is_some_and(|file| difference(&facts(file), &facts(copy)).is_none()),
            _ => false,
        }
    }

    fn place(&self, disk: &OrderDisk, listed: &[VmDisk]) -> Place {
        let Some(found) = listed.iter().find(|found| found.stem == disk.stem) else { return Place::Missing };
        let same = |pool| same_folder(&found.folder, &self.hypervisor.folder(&pool_ref(pool)));
        if same(&disk.target) {
            let after = seen(found.identity.clone(), found.size_bytes);
            match disk.before.as_ref().and_then(|before| difference(before, &after)) {
                Some(why) => Place::Another(found.folder.clone(), why),
                None => Place::Target(found.folder.clone()),
            }
        } else if same(&disk.source) {
            Place::Source(found.folder.clone())
        } else {
            Place::Elsewhere(found.folder.clone())
        }
    }
}

/// Where a disk was found.
enum Place {
    Target(String),
    Source(String),
    Elsewhere(String),
    /// In the target's folder and under the disk's name, but it is another disk, for this reason.
    Another(String, String),
    Missing,
}

impl Place {
    fn words(&self) -> String {
        match self {
            Self::Target(folder) | Self::Source(folder) | Self::Elsewhere(folder) | Self::Another(folder, _) => {
                format!("(in {folder})")
            }
            Self::Missing => "(not a disk of the VM)".to_owned(),
        }
    }
}
