//! `createServiceOffering` (`contract/entities.md 2.6, 3.16`).

use super::audit::{Deed, watched};
use super::create_disk_offering::{DiskRates, cache_mode, is_local, provisioning_type, storage_tags};
use super::estate_words::{pairs, restrictions, said};
use super::{Ctx, InstanceType, SyncCommand};
use crate::api::{ApiError, Id, Reply, Rows};
use crate::model::entity::{DiskOfferingRef, DomainRef, ZoneRef};
use crate::store::{NewDiskOffering, NewServiceOffering, transact};
use crate::views::{self, ServiceOfferingView};

crate::command! {
    /// Makes an offering for machines, with a hidden one for their root disks.
    pub struct CreateServiceOffering {
        /// `none`, `writeback` or `writethrough`.
        cache_mode "cachemode": Option<String> [since("4.14")],
        /// How many processors. Not for an offering whose size is chosen with the machine.
        cpu_number "cpunumber": Option<i32>,
        /// Their speed in MHz.
        cpu_speed "cpuspeed": Option<i32>,
        /// Whether processors and memory are chosen with the machine.
        customized: Option<bool> [since("4.13")],
        /// How machines are placed.
        deployment_planner "deploymentplanner": Option<String>,
        /// The disk offering for root disks; a hidden one is made without it.
        disk_offering_id "diskofferingid": Option<Id<DiskOfferingRef>> [since("4.17")],
        /// Whether the disk offering stays with it.
        disk_offering_strictness "diskofferingstrictness": Option<bool> [since("4.17")],
        /// A text about it; its name without one.
        display_text "displaytext": Option<String> [length(4096)],
        /// The domains that it is for; all of them without any.
        domain_ids "domainid": Option<Vec<Id<DomainRef>>>,
        /// Whether processors and memory may be changed while a machine runs; they may without a word.
        dynamic_scaling_enabled "dynamicscalingenabled": Option<bool> [since("4.16")],
        /// Whether root disks are encrypted. Hyper-V hosts cannot.
        encrypt_root "encryptroot": Option<bool> [since("4.18")],
        /// The tag that a host must have.
        host_tag "hosttags": Option<String>,
        /// Whether it is for system machines.
        is_system "issystem": Option<bool>,
        /// Whether the root disk is made anew at each start.
        is_volatile "isvolatile": Option<bool>,
        /// Whether a machine never gets more processor than promised.
        limit_cpu_use "limitcpuuse": Option<bool>,
        /// The most processors that may be chosen.
        max_cpu_number "maxcpunumber": Option<i32> [since("4.13")],
        /// The most memory that may be chosen, MiB.
        max_memory "maxmemory": Option<i32> [since("4.13")],
        /// Memory in MiB.
        memory: Option<i32>,
        /// The least processors that may be chosen.
        min_cpu_number "mincpunumber": Option<i32> [since("4.13")],
        /// The least memory that may be chosen, MiB.
        min_memory "minmemory": Option<i32> [since("4.13")],
        /// Its name.
        name: String [java("serviceOfferingName")],
        /// Mbit/s of machines' networks.
        network_rate "networkrate": Option<i32>,
        /// Whether a machine is started elsewhere when its host fails.
        offer_ha "offerha": Option<bool>,
        /// `thin`, which it is without a word, `sparse` or `fat`.
        provisioning_type "provisioningtype": Option<String>,
        /// How fast root disks are.
        rates: DiskRates,
        /// The size of root disks in GiB; that of the template without it.
        root_disk_size "rootdisksize": Option<i64> [since("4.15")],
        /// What else is kept about it, as `serviceofferingdetails[0].key=...` and `[0].value=...`.
        details "serviceofferingdetails": Option<Rows>,
        /// `shared`, which it is without a word, or `local`.
        storage_type "storagetype": Option<String>,
        /// The kind of system machine: `domainrouter`, `consoleproxy` or `secondarystoragevm`.
        system_vm_type "systemvmtype": Option<String>,
        /// Tags that a pool must have, separated by commas.
        tags: Option<String> [length(4096)],
        /// The zones that it is for; all of them without any.
        zone_ids "zoneid": Option<Vec<Id<ZoneRef>>> [since("4.13")],
    }
    name "createServiceOffering", kind Sync, http Post, response ServiceOfferingView, roles [Admin],
    java "org.apache.cloudstack.api.command.admin.offering.CreateServiceOfferingCmd"
}

const GIB: i64 = 1 << 30;
/// The least memory of a machine, MiB.
const LEAST_MEMORY_MIB: i32 = 32;

/// Processors, their MHz and MiB of memory.
type Size = (Option<i64>, Option<i64>, Option<i64>);

impl SyncCommand for CreateServiceOffering {
    async fn run(self, ctx: &Ctx) -> Result<Reply, ApiError> {
        ctx.estate.is_ours()?;
        let deed = Deed::new("SERVICE.OFFERING.CREATE", "creating service offering");
        let made = watched(ctx, std::slice::from_ref(&deed), self.make(ctx, &deed).await).await?;
        let views = views::service_offerings(&ctx.store, &[made]).await?;
        let failed = || ApiError::command_failed("Failed to create service offering");
        Ok(Reply::one(views.into_iter().next().ok_or_else(failed)?))
    }
}

impl CreateServiceOffering {
    async fn make(&self, ctx: &Ctx, deed: &Deed) -> Result<i64, ApiError> {
        let customized = self.customized == Some(true);
        let size = self.size(customized)?;
        let restrictions = restrictions(ctx, self.domain_ids.as_ref(), self.zone_ids.as_ref()).await?;
        let offering = NewServiceOffering {
            uuid: uuid::Uuid::new_v4().to_string(),
            name: self.name.clone(),
            display_text: said(self.display_text.as_ref()).unwrap_or_else(|| self.name.clone()),
            size,
            customized,
            host_tag: said(self.host_tag.as_ref()),
            offer_ha: self.offer_ha == Some(true),
            limit_cpu_use: self.limit_cpu_use == Some(true),
            is_volatile: self.is_volatile == Some(true),
            dynamic_scaling: self.dynamic_scaling_enabled != Some(false),
            disk_offering_strictness: self.disk_offering_strictness == Some(true),
            system_vm_type: self.system_vm_type(ctx)?,
            deployment_planner: said(self.deployment_planner.as_ref()),
            network_rate: self.network_rate.map(i64::from),
            details: self.details(customized)?,
            restrictions,
        };
        if offering.network_rate.is_some_and(|rate| rate < 0) {
            return refuse(&format!(
                "Failed to create service offering {}: specify the network rate value more than 0",
                self.name
            ));
        }
        let hidden = self.disk_offering(ctx).await?;
        let id = transact!(ctx.store, ApiError, |tx| {
            let disk_offering_id = match &hidden {
                Ok(known) => *known,
                Err(new) => tx.disk_offering_insert(new).await?,
            };
            let id = tx.service_offering_insert(&offering, disk_offering_id).await?;
            let deed = Deed::new(deed.kind, format!("{}. Service offering ID: {}", deed.text, offering.uuid));
            deed.done(tx, ctx, (InstanceType::ServiceOffering, id)).await?;
            Ok(id)
        })?;
        Ok(id)
    }

    fn size(&self, customized: bool) -> Result<Size, ApiError> {
        if customized {
            if self.cpu_number.is_some() || self.memory.is_some() {
                return refuse("For creating a custom compute offering cpu and memory all should be null");
            }
            return Ok((None, self.cpu_speed.map(i64::from), None));
        }
        let lacking =
            |what: &str| refuse(&format!("Failed to create service offering {}: specify the {what}", self.name));
        let Some(cpus) = self.cpu_number.filter(|cpus| *cpus > 0) else {
            return lacking("cpu number value between 1 and 2147483647");
        };
        let Some(speed_mhz) = self.cpu_speed.filter(|speed| *speed >= 0) else {
            return lacking("cpu speed value between 0 and 2147483647");
        };
        let Some(memory_mib) = self.memory.filter(|memory| *memory >= LEAST_MEMORY_MIB) else {
            return lacking(&format!("memory value between {LEAST_MEMORY_MIB} and 2147483647 MB"));
        };
        Ok((Some(cpus.into()), Some(speed_mhz.into()), Some(memory_mib.into())))
    }

    fn system_vm_type(&self, ctx: &Ctx) -> Result<Option<String>, ApiError> {
        let word = said(self.system_vm_type.as_ref());
        match (self.is_system == Some(true), word) {
            (false, _) => Ok(None),
            (true, _) if !ctx.caller.is_root_admin() => {
                refuse("Only a root admin can make an offering for system machines")
            }
            (true, None) => refuse("Please specify the kind of system machine in systemvmtype"),
            (true, Some(word)) => {
                let known = ["domainrouter", "consoleproxy", "secondarystoragevm"];
                match known.iter().find(|known| known.eq_ignore_ascii_case(&word)) {
                    Some(known) => Ok(Some((*known).to_owned())),
                    None => refuse(&format!("Invalid systemVmType. Supported types are: {}", known.join(", "))),
                }
            }
        }
    }

    /// Rows of `service_offering_details`.
    fn details(&self, customized: bool) -> Result<Vec<(String, String)>, ApiError> {
        let bounds = [
            ("mincpunumber", self.min_cpu_number),
            ("maxcpunumber", self.max_cpu_number),
            ("minmemory", self.min_memory),
            ("maxmemory", self.max_memory),
        ];
        if !customized && bounds.iter().any(|(_, bound)| bound.is_some()) {
            return refuse("Bounds of processors and memory are for offerings whose size is chosen with the machine");
        }
        for (least, most) in [(self.min_cpu_number, self.max_cpu_number), (self.min_memory, self.max_memory)] {
            if least.is_some_and(|least| least <= 0) || least.zip(most).is_some_and(|(least, most)| least > most) {
                return refuse("A lower bound has to be above 0 and not above the upper one");
            }
        }
        let mut details: Vec<(String, String)> =
            bounds.iter().filter_map(|(name, bound)| Some(((*name).to_owned(), bound.as_ref()?.to_string()))).collect();
        for row in self.details.iter().flat_map(|rows| &rows.0) {
            let (name, value) = match (row.get("key"), row.get("value")) {
                (Some(name), Some(value)) => (name.to_owned(), value.to_owned()),
                _ => return refuse("serviceofferingdetails needs a key and a value in each row"),
            };
            details.retain(|(known, _)| *known != name);
            details.push((name, value));
        }
        // Only to have their lengths looked at.
        pairs(self.details.as_ref())?;
        Ok(details)
    }

    /// The disk offering for root disks: the number of one that is there, or a new hidden one.
    async fn disk_offering(&self, ctx: &Ctx) -> Result<Result<i64, NewDiskOffering>, ApiError> {
        if let Some(id) = self.disk_offering_id {
            let known = ctx.store.disk_offering_by_id(id.number()).await?.filter(|offering| !offering.removed);
            let unknown = || ApiError::invalid_parameter("Please specify a valid disk offering id");
            return Ok(Ok(known.ok_or_else(unknown)?.id));
        }
        if self.root_disk_size.is_some_and(|gib| !(1..=64 << 10).contains(&gib)) {
            return refuse("Please specify a root disk size between 1 and 65536 GB");
        }
        Ok(Err(NewDiskOffering {
            uuid: uuid::Uuid::new_v4().to_string(),
            name: self.name.clone(),
            display_text: said(self.display_text.as_ref()).unwrap_or_else(|| self.name.clone()),
            size_bytes: self.root_disk_size.unwrap_or_default() * GIB,
            customized: false,
            tags: storage_tags(self.tags.as_ref()),
            local: is_local(self.storage_type.as_ref())?,
            provisioning_type: provisioning_type(self.provisioning_type.as_ref())?,
            display: true,
            size_strictness: false,
            encrypt: self.encrypt_root == Some(true),
            cache_mode: cache_mode(self.cache_mode.as_ref())?,
            customized_iops: None,
            rates: self.rates.columns(false)?,
            compute_only: true,
            restrictions: Default::default(),
        }))
    }
}

fn refuse<T>(text: &str) -> Result<T, ApiError> {
    Err(ApiError::invalid_parameter(text))
}
