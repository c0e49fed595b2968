//! `createStoragePool` (`contract/entities.md 2.5`, `contract/hyperv-wire.md` 6.3).

use super::estate_words::{pairs, said};
use super::{Ctx, SyncCommand, filters};
use crate::api::{ApiError, Id, Reply, Rows};
use crate::estate::address::Url;
use crate::estate::{NewPool, PoolSource};
use crate::model::entity::{ClusterRef, PodRef, ZoneRef};
use crate::model::{HYPERV, Scope, Secret, is_secret_name};
use crate::store::Cluster;
use crate::views::{self, StoragePoolView};

crate::command! {
    /// Adds a primary storage pool: an SMB share that the hosts of a cluster or a zone reach, or a folder of one host.
    pub struct CreateStoragePool {
        /// Its cluster; needed for scope `CLUSTER`.
        cluster_id "clusterid": Option<Id<ClusterRef>>,
        /// For a share its `user`, `password` and `domain`, as `details[0].user=...`. They are kept; agents reach shares with
        /// an account of their own.
        details: Option<Rows>,
        /// Its name.
        name: String [java("storagePoolName")],
        /// The pod of its cluster.
        pod_id "podid": Option<Id<PodRef>>,
        /// Its tags, separated by commas.
        tags: Option<String>,
        /// Where it is: `cifs://server/share`, or `filesystem://host-address/D:/folder` for a folder of one host.
        url: String [length(2048)],
        /// Its zone.
        zone_id "zoneid": Id<ZoneRef>,
        /// `DefaultPrimary`.
        provider: Option<String> [java("storageProviderName")],
        /// `CLUSTER`, which it is without a word, `ZONE`, or `HOST` for a folder of one host.
        scope: Option<String>,
        /// Whether each disk is a thing of its own at the storage system. None can be here.
        managed: Option<bool>,
        /// The most operations per second that it is meant for.
        capacity_iops "capacityiops": Option<i64>,
        /// Its size in bytes. Not looked at: hosts tell it.
        capacity_bytes "capacitybytes": Option<i64>,
        /// The hypervisor of a pool of the whole zone: `Hyperv`.
        hypervisor: Option<String>,
        /// Whether the tag is a rule.
        is_tag_a_rule "istagarule": Option<bool>,
    }
    name "createStoragePool", kind Sync, http Post, response StoragePoolView, roles [Admin],
    java "org.apache.cloudstack.api.command.admin.storage.CreateStoragePoolCmd"
}

/// Where a pool is, what kind of place that is, and what else is kept about it.
type Source = (Url, PoolSource, Vec<(String, String)>);

impl SyncCommand for CreateStoragePool {
    async fn run(self, ctx: &Ctx) -> Result<Reply, ApiError> {
        ctx.estate.is_ours()?;
        // Whatever goes wrong in this command is a 530 (`contract/entities.md 2.5`).
        let new = self.checked(ctx).await.map_err(as_failure)?;
        let id = ctx.estate.add_pool(&new).await?;
        let views = views::storage_pools(&ctx.store, &ctx.caller, &[id]).await?;
        let view = views.into_iter().next().map(in_short);
        Ok(Reply::one(view.ok_or_else(|| ApiError::command_failed("Failed to add storage pool"))?))
    }
}

/// A pool as it is answered by the commands that change one: without what its storage can do.
pub(super) fn in_short(view: StoragePoolView) -> StoragePoolView {
    StoragePoolView { storage_capabilities: None, ..view }
}

fn as_failure(error: ApiError) -> ApiError {
    let failure = ApiError::command_failed(error.text);
    match error.cause {
        Some(cause) => failure.caused_by(cause),
        None => failure,
    }
}

/// The beginning of texts of the part that knows storage.
fn not_added(text: &str) -> ApiError {
    ApiError::command_failed(format!("Failed to add data store: {text}"))
}

impl CreateStoragePool {
    async fn checked(&self, ctx: &Ctx) -> Result<NewPool, ApiError> {
        let fail = |text: String| Err(ApiError::command_failed(text));
        if let Some(provider) = said(self.provider.as_ref()).filter(|name| !name.eq_ignore_ascii_case("DefaultPrimary"))
        {
            return fail(format!(
                "invalid storage provider name: {provider}; DefaultPrimary is the one that is served here"
            ));
        }
        let scope = self.scope()?;
        let zone = super::estate_words::zone(ctx, self.zone_id.number(), "unable to find zone by id").await?;
        if scope == Scope::Cluster && self.cluster_id.is_none() {
            return fail("cluster id can't be null, if scope is cluster".to_owned());
        }
        if scope == Scope::Zone {
            self.check_hypervisor()?;
        }
        let cluster = self.cluster(ctx, zone.id).await?;
        let (tags, tag_is_rule) = self.tags();
        let (url, source, details) = self.source(scope)?;
        Ok(NewPool {
            name: self.name.clone(),
            zone,
            cluster,
            scope,
            url,
            source,
            capacity_iops: self.capacity_iops,
            tags,
            tag_is_rule,
            details,
        })
    }

    fn scope(&self) -> Result<Scope, ApiError> {
        let Some(word) = said(self.scope.as_ref()) else { return Ok(Scope::Cluster) };
        match word.to_ascii_uppercase().as_str() {
            "CLUSTER" => Ok(Scope::Cluster),
            "ZONE" => Ok(Scope::Zone),
            "HOST" => Ok(Scope::Host),
            _ => Err(ApiError::command_failed(format!("invalid scope for pool {word}"))),
        }
    }

    fn check_hypervisor(&self) -> Result<(), ApiError> {
        let Some(word) = said(self.hypervisor.as_ref()) else {
            return Err(ApiError::command_failed(
                "Missing parameter hypervisor. Hypervisor type is required to create zone wide primary storage.",
            ));
        };
        match filters::hypervisor(&word) {
            Some(known) if known == HYPERV => Ok(()),
            _ => Err(ApiError::command_failed(format!(
                "Zone wide storage pool is not supported for hypervisor type {word}"
            ))),
        }
    }

    async fn cluster(&self, ctx: &Ctx, zone_id: i64) -> Result<Option<Cluster>, ApiError> {
        let Some(id) = self.cluster_id else { return Ok(None) };
        let Some(pod_id) = self.pod_id else {
            return Err(ApiError::command_failed("Cluster id requires pod id"));
        };
        let missing = || ApiError::command_failed(format!("unable to find cluster by id {}", id.number()));
        let cluster = ctx.store.cluster_by_id(id.number()).await?.ok_or_else(missing)?;
        if cluster.pod_id != pod_id.number() || cluster.zone_id != zone_id {
            return Err(ApiError::command_failed(format!(
                "The cluster {} is not in the given pod and zone",
                cluster.dump()
            )));
        }
        if cluster.hypervisor != HYPERV {
            return Err(not_added(&format!(
                "{} does not support the storage pools that are served here",
                cluster.hypervisor
            )));
        }
        Ok(Some(cluster))
    }

    fn tags(&self) -> (Vec<String>, bool) {
        let Some(text) = said(self.tags.as_ref()) else { return (Vec::new(), false) };
        if self.is_tag_a_rule == Some(true) {
            return (vec![text], true);
        }
        let words: Vec<String> = text.split(',').map(str::to_owned).collect();
        (super::estate_words::trimmed(&words), false)
    }

    /// Where the disks are, and what of the details is none of a share's own.
    fn source(&self, scope: Scope) -> Result<Source, ApiError> {
        if self.managed == Some(true) {
            return Err(not_added("storage that manages disks itself is not served here"));
        }
        let url = Url::parse(&self.url).ok_or_else(|| {
            not_added(&format!("Unable to find the server and path of {}; say cifs://hostname/path", shown(&self.url)))
        })?;
        let mut details = pairs(self.details.as_ref())?;
        let mut take = |name: &str| {
            let at = details.iter().position(|(known, _)| known.eq_ignore_ascii_case(name))?;
            Some(details.remove(at).1).filter(|value| !value.is_empty())
        };
        let source = match (url.scheme.as_str(), scope) {
            ("cifs" | "smb", Scope::Cluster | Scope::Zone) => {
                if url.path.trim_matches('/').is_empty() {
                    return Err(not_added(
                        "cifs URI missing host and/or path. Make sure it's of the format cifs://hostname/path",
                    ));
                }
                let (user, password, domain) = (take("user"), take("password"), take("domain"));
                let (Some(user), Some(password)) = (user, password) else {
                    return Err(not_added("Missing cifs user and password details. Add them as details parameter."));
                };
                PoolSource::Share { user, password: Secret::new(password), domain }
            }
            ("filesystem", Scope::Host) => PoolSource::Folder,
            ("cifs" | "smb" | "filesystem", _) => {
                return Err(not_added(
                    "a share (cifs://) serves a cluster or a zone, a folder (filesystem://) one host: scope and url do not fit",
                ));
            }
            (scheme, _) => {
                return Err(not_added(&format!(
                    "{scheme}:// is no place that Hyper-V hosts reach; say cifs://hostname/path"
                )));
            }
        };
        if let Some((name, _)) = details.iter().find(|(name, _)| is_secret_name(name)) {
            return Err(not_added(&format!("the detail {name} is a secret that nothing here uses; leave it out")));
        }
        Ok((url, source, details))
    }
}

/// A URL for a text: without what may be a secret.
fn shown(url: &str) -> &str {
    url.split('?').next().unwrap_or_default()
}
