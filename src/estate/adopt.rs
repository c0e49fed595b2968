//! Machines that were there before the gateway: found on a host, judged, and given their rows.
//!
//! Only what a host proves is written: which disks a machine has, in which pools they are, that each is one whole image that
//! no other row claims. Everything else is a reason, and the machine is left alone.

use super::{AdoptedDisk, Estate, EstateRefusal, KnownHost, ReportedVm};
use crate::model::{DiskOffering, Host, Pool, Scope, ServiceOffering};
use crate::motion::hypervisor::{AgentError, same_folder};
use crate::motion::pool_ref;
use crate::store::{AdoptedVm, AdoptedVolume, KnownVm, NewEvent, StoreError, Tx, transact};

/// Whose the machines become and what they are offered.
#[derive(Clone, Debug)]
pub struct Offer {
    /// Owner: account, and its domain.
    pub owner: (i64, i64),
    /// Who adopts: user, account, domain; for rows and events.
    pub adopter: (i64, i64, i64),
    /// The offering of the machines.
    pub service: ServiceOffering,
    /// That offering's disk offering: for the first disk of each.
    pub root: DiskOffering,
    /// The offering of all further disks.
    pub data: Option<DiskOffering>,
    /// Only machines with these names; all of them without any.
    pub names: Option<Vec<String>>,
}

/// What is to become of a machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// It has no row and everything about it is proven: it can be adopted.
    Fit,
    /// It was given its rows just now; the machine's public id.
    Adopted(String),
    /// It has a row that says what the host says; its public id.
    Known(String),
    /// It is left alone, for this reason.
    Refused(String),
}

/// A machine and its disks, judged.
#[derive(Clone, Debug)]
pub struct Adoption {
    /// Its name in Hyper-V.
    pub name: String,
    /// Its state in Hyper-V's words.
    pub state: String,
    /// What is to become of it.
    pub judgement: Judgement,
    /// Its disks as far as they are proven: pool, stem, format and size.
    pub disks: Vec<(Pool, AdoptedVolume)>,
}

/// Why a machine is left alone.
type Reason = String;

impl Estate {
    /// Judges the machines of a host, and with `apply` gives those that are fit their rows: for each all of them or none. What
    /// was adopted before is known the next time.
    ///
    /// # Errors
    /// [`EstateRefusal`] when the host does not answer; nothing is written then.
    pub async fn adopt(&self, host: &Host, offer: &Offer, apply: bool) -> Result<Vec<Adoption>, EstateRefusal> {
        let known = self.known_host(host).await?;
        let silent = |error: AgentError| {
            let text = format!("The host {} does not tell of its machines: {error}", host.dump());
            EstateRefusal::command(text).because(error)
        };
        let report = self.agents.report(&known).await.map_err(silent)?;
        let pools = self.pools_in_reach(host).await?;
        let wanted = |name: &String| offer.names.as_ref().is_none_or(|names| names.contains(name));
        let mut judged = Vec::new();
        for vm in report.vms.into_iter().filter(|vm| wanted(&vm.name)) {
            let mut disks = Vec::new();
            let judgement = match self.judge(&known, &vm, &pools, offer, &mut disks).await {
                Ok(Some(row)) => Judgement::Known(row.uuid),
                Ok(None) if apply => self.write(host, &vm, offer, &disks).await?,
                Ok(None) => Judgement::Fit,
                Err(Unfit::Because(reason)) => Judgement::Refused(reason),
                Err(Unfit::Failed(refusal)) => return Err(refusal),
            };
            judged.push(Adoption { name: vm.name, state: vm.state, judgement, disks });
        }
        for name in offer.names.iter().flatten() {
            if judged.iter().all(|vm| vm.name != *name) {
                let judgement = Judgement::Refused("the host has no machine of this name".to_owned());
                judged.push(Adoption { name: name.clone(), state: String::new(), judgement, disks: Vec::new() });
            }
        }
        Ok(judged)
    }

    /// The pools that a host reaches and that can be used.
    async fn pools_in_reach(&self, host: &Host) -> Result<Vec<Pool>, EstateRefusal> {
        let mut pools = self.store.pools_connected(host.id).await?;
        pools.retain(|pool| pool.status == "Up");
        Ok(pools)
    }

    /// The row of a machine that has one; `None` for one that is fit. Disks that are proven are put into `disks`.
    async fn judge(
        &self,
        known: &KnownHost,
        vm: &ReportedVm,
        pools: &[Pool],
        offer: &Offer,
        disks: &mut Vec<(Pool, AdoptedVolume)>,
    ) -> Result<Option<KnownVm>, Unfit> {
        let because = |reason: &str| Err(Unfit::Because(reason.to_owned()));
        if let Some(row) = self.store.vm_by_instance_name(&vm.name).await? {
            if row.host_id.is_none_or(|id| id == known.host.id) || row.state == "Migrating" {
                return Ok(Some(row));
            }
            return because(
                "a machine of this name has a row that says that it is on another host; one of the two is wrong",
            );
        }
        if !["Running", "Stopped"].contains(&vm.state.as_str()) {
            return Err(Unfit::Because(format!("it is {}; look again when it runs or is off", vm.state)));
        }
        let odd = |letter: char| letter.is_control() || "'\"\\/".contains(letter);
        if vm.name.is_empty() || vm.name.chars().count() > 255 || vm.name.chars().any(odd) {
            return because("agents cannot find a machine with such a name: rename it without quotes and slashes");
        }
        let told = match &vm.disks {
            Ok(disks) if disks.is_empty() => return because("the host tells of no disk of it"),
            Ok(disks) => disks,
            Err(reason) => return Err(Unfit::Because(reason.clone())),
        };
        if let Some(cpus) = vm.cpus.filter(|cpus| *cpus != offer.service.cpus) {
            return Err(Unfit::Because(format!(
                "it has {cpus} processors and the service offering {}; name an offering that fits",
                offer.service.cpus
            )));
        }
        for (place, disk) in told.iter().enumerate() {
            if disk.stem.is_empty() || told.iter().filter(|other| other.stem == disk.stem).count() > 1 {
                return Err(Unfit::Because(format!(
                    "two of its disks, or one without a name, are called {:?}",
                    disk.stem
                )));
            }
            let pool = self.pool_with(known, pools, disk)?;
            if let Some(owner) = self.store.volume_of_file(pool.id, &disk.stem).await? {
                return Err(Unfit::Because(claimed(&disk.stem, &owner)));
            }
            let offering = if place == 0 { Some(&offer.root) } else { offer.data.as_ref() };
            disks.push((pool.clone(), self.prove(known, pool, disk, offering).await?));
        }
        Ok(None)
    }

    /// The one pool whose folder a disk is in.
    fn pool_with<'a>(&self, known: &KnownHost, pools: &'a [Pool], disk: &AdoptedDisk) -> Result<&'a Pool, Unfit> {
        let holds =
            |pool: &&Pool| same_folder(&self.agents.folder(&pool_ref(pool)), &disk.folder) && is_for(pool, known);
        let mut holding = pools.iter().filter(holds);
        match (holding.next(), holding.next()) {
            (Some(pool), None) => Ok(pool),
            _ => Err(Unfit::Because(format!(
                "its disk {} is in the folder {}, which is not the folder of one pool that the host reaches; add that with \
                 createStoragePool",
                disk.stem, disk.folder
            ))),
        }
    }

    /// A disk as its row will say it.
    async fn prove(
        &self,
        known: &KnownHost,
        pool: &Pool,
        disk: &AdoptedDisk,
        offering: Option<&DiskOffering>,
    ) -> Result<AdoptedVolume, Unfit> {
        let stem = &disk.stem;
        let because = |text: String| Err(Unfit::Because(text));
        let Some(offering) = offering else {
            return because(format!("its disk {stem} needs a disk offering: name one for data disks"));
        };
        if offering.local != pool.is_local() {
            let word = |local: bool| if local { "local" } else { "shared" };
            return because(format!(
                "its disk {stem} is in the {} pool {}, and its offering is for {} storage",
                word(pool.is_local()),
                pool.name,
                word(offering.local)
            ));
        }
        let files = match self.agents.disk_files(&known.host, &pool_ref(pool), stem).await {
            Ok(Some(files)) => files,
            Ok(None) => return because(format!("the agent cannot tell whether the file of its disk {stem} is whole")),
            Err(error) => return because(format!("the file of its disk {stem} could not be looked at: {error}")),
        };
        let [(file, complete)] = files.as_slice() else {
            return because(format!(
                "the pool {} has {} files for its disk {stem}, where there has to be one",
                pool.name,
                files.len()
            ));
        };
        let format = match file.rsplit('.').next().map(str::to_ascii_lowercase).as_deref() {
            Some("vhdx") => "VHDX",
            Some("vhd") => "VHD",
            _ => {
                return because(format!(
                    "its disk {file} is neither a VHDX nor a VHD; one that stands on another cannot move"
                ));
            }
        };
        let size_bytes = i64::try_from(disk.size_bytes).unwrap_or_default();
        if !complete || size_bytes == 0 {
            return because(format!("the file {file} is no whole image"));
        }
        Ok(AdoptedVolume {
            pool: (pool.id, pool.kind.clone(), pool.bare_path().to_owned()),
            pod_id: pool.pod_id,
            stem: stem.clone(),
            format,
            size_bytes,
            disk_offering_id: offering.id,
        })
    }

    /// Writes the rows of a machine, after a last look at what may have changed.
    async fn write(
        &self,
        host: &Host,
        vm: &ReportedVm,
        offer: &Offer,
        disks: &[(Pool, AdoptedVolume)],
    ) -> Result<Judgement, EstateRefusal> {
        let row = AdoptedVm {
            uuid: uuid::Uuid::new_v4().to_string(),
            name: vm.name.clone(),
            running: vm.state == "Running",
            host_id: host.id,
            place: (host.zone_id, host.pod_id.unwrap_or_default()),
            owner: (offer.owner.0, offer.owner.1, offer.adopter.0),
            service_offering_id: offer.service.id,
            guest_os_id: self.store.any_guest_os().await?.unwrap_or_default(),
        };
        let volumes: Vec<AdoptedVolume> = disks.iter().map(|(_, volume)| volume.clone()).collect();
        transact!(self.store, EstateRefusal, |tx| {
            tx.estate_hold().await?;
            if let Some(reason) = changed(tx, vm, disks).await? {
                return Ok(Judgement::Refused(reason));
            }
            if row.running && !tx.host_charge(host.id, &offer.service).await? {
                return Ok(Judgement::Refused(
                    "the host has not as much left as the service offering promises; name a smaller one".to_owned(),
                ));
            }
            let id = tx.vm_adopt(&row, &volumes).await?;
            tx.event_insert(&event(&row, id, offer)).await?;
            Ok(Judgement::Adopted(row.uuid.clone()))
        })
    }
}

/// What speaks against a machine in the rows as they are now.
async fn changed(
    tx: &mut Tx,
    vm: &ReportedVm,
    disks: &[(Pool, AdoptedVolume)],
) -> Result<Option<Reason>, EstateRefusal> {
    if tx.instance_name_taken(&vm.name).await? {
        return Ok(Some("a machine of this name was given a row meanwhile".to_owned()));
    }
    for (pool, volume) in disks {
        if let Some(owner) = tx.volume_of_file(pool.id, &volume.stem).await? {
            return Ok(Some(claimed(&volume.stem, &owner)));
        }
    }
    Ok(None)
}

fn claimed(stem: &str, owner: &str) -> Reason {
    format!("the file of its disk {stem} is that of the volume {owner} already")
}

fn event(vm: &AdoptedVm, id: i64, offer: &Offer) -> NewEvent {
    let (user_id, account_id, domain_id) = offer.adopter;
    NewEvent {
        kind: "VM.IMPORT".to_owned(),
        state: "Completed",
        level: "INFO",
        description: format!("Successfully completed importing VM. Instance Name: {}", vm.name),
        user_id,
        account_id,
        domain_id,
        resource: Some(("VirtualMachine".to_owned(), id)),
        start_id: 0,
    }
}

/// Whether a pool with that folder is this host's: every host has a `D:` of its own.
fn is_for(pool: &Pool, known: &KnownHost) -> bool {
    pool.scope != Scope::Host || pool.host_address == known.host.ip
}

/// Why a machine is left alone, or why nothing can be said at all.
enum Unfit {
    Because(Reason),
    Failed(EstateRefusal),
}

impl From<StoreError> for Unfit {
    fn from(error: StoreError) -> Self {
        Self::Failed(error.into())
    }
}
