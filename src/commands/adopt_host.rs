//! `adoptHost`: an addition to CloudStack's API. Gives machines that were on a host before the gateway their rows.

use super::estate_words::trimmed;
use super::filters::Domain;
use super::{Ctx, SyncCommand};
use crate::api::{ApiError, Id, Reply};
use crate::estate::{Adoption, Judgement, Offer};
use crate::model::entity::{DiskOfferingRef, DomainRef, HostRef, ServiceOfferingRef};
use crate::model::{DiskOffering, Pool, ServiceOffering, signed};
use crate::store::AdoptedVolume;

crate::command! {
    /// Judges the machines that a Hyper-V host has, and with `apply` gives those that are proven their rows, so that they can be
    /// listed and moved. A machine is left alone, with a reason, when its disks are not proven. Nothing on the host is
    /// changed, and what was adopted before is known the next time.
    pub struct AdoptHost {
        /// The host.
        id: Id<HostRef>,
        /// The offering that the machines get. It has to have as many processors as they do.
        service_offering_id "serviceofferingid": Id<ServiceOfferingRef>,
        /// The offering that their data disks get.
        disk_offering_id "diskofferingid": Option<Id<DiskOfferingRef>>,
        /// The account that they become; the caller's without it.
        account: Option<String> [java("accountName")],
        /// The domain of the account; the caller's without it.
        domain_id "domainid": Option<Id<DomainRef>>,
        /// Only machines with these names, separated by commas.
        names: Option<Vec<String>>,
        /// `true` writes the rows; without it nothing is written.
        apply: Option<bool>,
    }
    name "adoptHost", kind Sync, http Post, response [AdoptionView], roles [Admin],
    java "org.stackmotion.api.command.AdoptHostCmd"
}

crate::response! {
    /// A disk of a machine that was judged.
    pub struct AdoptedDiskView as "disk" {
        /// The file without folder and ending.
        stem "path": String,
        /// The pool that it is in.
        pool_id "storageid": String,
        /// The name of that pool.
        pool_name "storage": String,
        /// `VHDX` or `VHD`.
        format: &'static str,
        /// Bytes that the machine sees.
        size_bytes "size": i64,
    }
}

crate::response! {
    /// A machine that was judged.
    pub struct AdoptionView as "adoption" {
        /// Its name in Hyper-V.
        name: String,
        /// Its state in Hyper-V.
        state: String,
        /// `fit`: it can be adopted. `adopted`: it was, just now. `known`: it has a row. `refused`: it is left alone.
        outcome: &'static str,
        /// Why it is left alone.
        reason: Option<String>,
        /// The id of its row.
        id "virtualmachineid": Option<String>,
        /// Its disks, as far as they are proven.
        disks "disk": Vec<AdoptedDiskView>,
    }
}

impl SyncCommand for AdoptHost {
    async fn run(self, ctx: &Ctx) -> Result<Reply, ApiError> {
        ctx.estate.is_ours()?;
        let id = self.id.number();
        let unknown = || ApiError::invalid_parameter(format!("Host with id {id} doesn't exist"));
        let host = ctx.store.host_by_id(id).await?.filter(|host| !host.removed).ok_or_else(unknown)?;
        if !host.is_hyperv() {
            return Err(ApiError::invalid_parameter(format!("{} is no Hyper-V host", host.dump())));
        }
        if host.status != "Up" {
            return Err(ApiError::invalid_parameter(format!(
                "{} is {}, so it cannot be asked what it has; reconnect it first",
                host.dump(),
                host.status
            )));
        }
        let offer = self.offer(ctx).await?;
        let judged = ctx.estate.adopt(&host, &offer, self.apply == Some(true)).await?;
        let count = signed(judged.len());
        Ok(Reply::list(count, judged.into_iter().map(view)))
    }
}

impl AdoptHost {
    async fn offer(&self, ctx: &Ctx) -> Result<Offer, ApiError> {
        let caller = &ctx.caller;
        let domain = Domain::open(ctx, self.domain_id.map_or(caller.domain_id, |id| id.number())).await?;
        let account_id = match &self.account {
            Some(name) => {
                let unknown = || {
                    ApiError::invalid_parameter(format!("could not find account {name} in domain {}", domain.dump()))
                };
                ctx.store.account_by_name(name, domain.id).await?.ok_or_else(unknown)?
            }
            None => caller.account_id,
        };
        let owner = (account_id, ctx.store.account_domain(account_id).await?);
        let (service, root) = self.machines_offering(ctx).await?;
        let data = match self.disk_offering_id {
            Some(id) => {
                let found = ctx.store.disk_offering_by_id(id.number()).await?.filter(|offering| !offering.removed);
                Some(found.ok_or_else(|| ApiError::invalid_parameter("Please specify a valid disk offering id"))?)
            }
            None => None,
        };
        let names = self.names.as_deref().map(trimmed).filter(|names| !names.is_empty());
        let adopter = (caller.user_id, caller.account_id, caller.domain_id);
        Ok(Offer { owner, adopter, service, root, data, names })
    }

    /// The offering of machines and the disk offering that belongs to it.
    async fn machines_offering(&self, ctx: &Ctx) -> Result<(ServiceOffering, DiskOffering), ApiError> {
        let id = self.service_offering_id.number();
        let invalid = || ApiError::invalid_parameter("Please specify a valid service offering id");
        let root_id = ctx.store.disk_offering_of_service(id).await?.ok_or_else(invalid)?;
        let service = ctx.store.service_offering_by_id(id).await?.ok_or_else(invalid)?;
        if service.cpus == 0 {
            return Err(ApiError::invalid_parameter(
                "Machines cannot be adopted with an offering whose size is chosen with the machine: agents do not tell memory",
            ));
        }
        let root = ctx.store.disk_offering_by_id(root_id).await?.ok_or_else(invalid)?;
        Ok((service, root))
    }
}

fn view(adoption: Adoption) -> AdoptionView {
    let (outcome, reason, id) = match adoption.judgement {
        Judgement::Fit => ("fit", None, None),
        Judgement::Adopted(id) => ("adopted", None, Some(id)),
        Judgement::Known(id) => ("known", None, Some(id)),
        Judgement::Refused(reason) => ("refused", Some(reason), None),
    };
    let disk = |(pool, volume): (Pool, AdoptedVolume)| AdoptedDiskView {
        stem: volume.stem,
        pool_id: pool.uuid,
        pool_name: pool.name,
        format: volume.format,
        size_bytes: volume.size_bytes,
    };
    let disks = adoption.disks.into_iter().map(disk).collect();
    AdoptionView { name: adoption.name, state: adoption.state, outcome, reason, id, disks }
}
