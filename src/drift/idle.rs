//! A look at what does not run: machines that are stopped, and disks without a machine.
//!
//! No power report speaks of either. A machine that was started with Hyper-V's own tools, or that CloudStack called stopped and
//! that never was, writes to disks which everybody takes for free; a file that was moved, renamed or deleted is missed when
//! it is needed.

use std::collections::BTreeSet;

use super::disks::Disks;
use super::look::{Look, Seen, Subject, of_machine};
use super::{Drift, Kind};
use crate::model::{Host, Pool, Volume};
use crate::motion::hypervisor::{FileFact, VmPresence};
use crate::motion::pool_ref;
use crate::store::{NewDrift, StoreError};

impl Drift {
    /// Looks at what does not run.
    pub(super) async fn idle(&self, subject: Subject) -> Result<Look, StoreError> {
        let (mut at, mut findings, mut told_disks) = (Vec::new(), Vec::new(), BTreeSet::new());
        let mut teller = None;
        if let (Some(vm), Some(host)) = (&subject.vm, subject.host.as_ref().filter(|host| is_asked(host)))
            && let Ok(presence) = self.presence(host, &vm.instance_name).await?
        {
            teller = Some(host.clone());
            if presence == VmPresence::Running {
                let name = &vm.instance_name;
                let (says, is) = (format!("{name} is {}.", vm.state), format!("Host {} runs {name}.", host.name));
                let mark = format!("host {}", host.id);
                let finding = of_machine(Kind::VmRunning, mark, vm, host, says, is);
                findings.push(NewDrift { found_host_id: Some(host.id), ..finding });
            }
            at.push((host.clone(), presence));
        }
        let told_place = !at.is_empty();
        for volume in subject.volumes.iter().filter(|volume| Subject::compares(volume)) {
            if let Some((host, finding)) = self.file(&subject, volume).await? {
                told_disks.insert(volume.id);
                findings.extend(finding);
                teller.get_or_insert(host);
            }
        }
        let Some(teller) = teller else {
            return Ok(Look::NotNow("no host that is up tells of it".to_owned()));
        };
        Ok(Look::Seen(Box::new(Seen { subject, at, teller, told_place, told_disks, findings })))
    }

    /// Looks for the file of a disk. Gives the host that told, and what differs; none when no host tells.
    async fn file(&self, subject: &Subject, volume: &Volume) -> Result<Option<(Host, Option<NewDrift>)>, StoreError> {
        let Some(pool) = subject.pool(volume) else { return Ok(None) };
        let stem = volume.path.as_deref().unwrap_or_default();
        for host_id in self.store.hosts_of_pool(pool.id).await? {
            let Some(host) = self.store.host_by_id(host_id).await?.filter(is_asked) else { continue };
            // Who does not tell, or does not answer, has said nothing; another host may.
            let Some(files) = self.files(&host, pool, stem).await? else { continue };
            let mut others = Vec::new();
            if files.is_empty() {
                for other in self.reached(&host).await?.into_iter().filter(|other| other.id != pool.id) {
                    match self.files(&host, &other, stem).await? {
                        Some(files) if files.iter().any(|file| file.complete) => others.push(other),
                        _ => {}
                    }
                }
            }
            let folder = |pool: &Pool| self.hypervisor.folder(&pool_ref(pool));
            let finding = Disks { subject, host: &host, folder: &folder }.filed(volume, &files, &others);
            return Ok(Some((host, finding)));
        }
        Ok(None)
    }

    /// The files of that name in a pool; none when the host cannot tell or does not answer.
    async fn files(&self, host: &Host, pool: &Pool, stem: &str) -> Result<Option<Vec<FileFact>>, StoreError> {
        Ok(self.hypervisor.files(&self.reference(host).await?, &pool_ref(pool), stem).await.ok().flatten())
    }
}

/// Whether a host is worth a question.
fn is_asked(host: &Host) -> bool {
    !host.removed && host.is_hyperv() && host.status == "Up"
}
