//! The objects `event` and `alert` (`contract/entities.md 1.17, 1.19`).

use std::collections::HashMap;

use super::row::{Owner, flag, number, text, time};
use crate::model::Timestamp;
use crate::model::entity::EntityKind;
use crate::store::{Row, Store, StoreError};

crate::response! {
    /// Something that happened.
    pub struct EventView as "event" {
        /// Its id.
        id: Option<String>,
        /// Who caused it.
        username: Option<String>,
        /// What it was, such as `VOLUME.MIGRATE`.
        kind "type": Option<String>,
        /// `INFO`, `WARN` or `ERROR`.
        level: Option<String>,
        /// What it was, in a sentence.
        description: Option<String>,
        /// The account that it belongs to.
        account: Option<String>,
        /// The id of the project that it belongs to.
        project_id "projectid": Option<String>,
        /// The name of the project.
        project: Option<String>,
        /// The id of the account's domain.
        domain_id "domainid": Option<String>,
        /// The name of the domain.
        domain: Option<String>,
        /// The path of the domain.
        domain_path "domainpath": Option<String>,
        /// The id of the thing that it is about.
        resource_id "resourceid": Option<String>,
        /// What that thing is.
        resource_type "resourcetype": Option<String>,
        /// The name of the thing.
        resource_name "resourcename": Option<String>,
        /// When it happened.
        created: Option<Timestamp>,
        /// `Scheduled`, `Started` or `Completed`.
        state: Option<String>,
        /// The event that began the chain.
        parent_id "parentid": Option<String>,
        /// Whether it was put away; only when it was.
        archived: Option<bool>,
    }
}

crate::response! {
    /// Something that wants attention.
    pub struct AlertView as "alert" {
        /// Its id.
        id: Option<String>,
        /// The number of its type.
        kind "type": Option<i64>,
        /// The name of its type, such as `ALERT.STORAGE`.
        name: Option<String>,
        /// What it says.
        description: Option<String>,
        /// When it was sent last.
        sent: Option<Timestamp>,
    }
}

/// The words for kinds of things that jobs and events are about, and what they are here (`contract/api-protocol.md 7.2`,
/// `contract/entities.md 4.8`). Things of a kind without a table here are another control plane's: lists can be narrowed to the
/// word, and nothing more is known of them.
const KINDS: &[(&str, Option<EntityKind>)] = &[
    ("VirtualMachine", Some(EntityKind::Vm)),
    ("SystemVm", Some(EntityKind::Vm)),
    ("DomainRouter", Some(EntityKind::Vm)),
    ("ConsoleProxy", Some(EntityKind::Vm)),
    ("InternalLbVm", Some(EntityKind::Vm)),
    ("Volume", Some(EntityKind::Volume)),
    ("StoragePool", Some(EntityKind::StoragePool)),
    ("Host", Some(EntityKind::Host)),
    ("Cluster", Some(EntityKind::Cluster)),
    ("Pod", Some(EntityKind::Pod)),
    ("Zone", Some(EntityKind::Zone)),
    ("Snapshot", Some(EntityKind::Snapshot)),
    ("Template", Some(EntityKind::Template)),
    ("Iso", Some(EntityKind::Template)),
    ("DiskOffering", Some(EntityKind::DiskOffering)),
    ("ServiceOffering", Some(EntityKind::ServiceOffering)),
    ("ManagementServer", Some(EntityKind::ManagementServer)),
    ("Network", Some(EntityKind::Network)),
    ("Account", Some(EntityKind::Account)),
    ("User", Some(EntityKind::User)),
    ("Domain", Some(EntityKind::Domain)),
    ("Project", Some(EntityKind::Project)),
    ("Role", Some(EntityKind::Role)),
    ("AffinityGroup", Some(EntityKind::AffinityGroup)),
    ("GuestOs", Some(EntityKind::GuestOs)),
    ("GuestOsCategory", Some(EntityKind::GuestOsCategory)),
    ("None", None),
    ("AutoScalePolicy", None),
    ("AutoScaleVmGroup", None),
    ("AutoScaleVmProfile", None),
    ("Backup", None),
    ("BackupOffering", None),
    ("Bucket", None),
    ("Condition", None),
    ("Counter", None),
    ("DedicatedGuestVlanRange", None),
    ("Extension", None),
    ("ExtensionCustomAction", None),
    ("FirewallRule", None),
    ("GlobalLoadBalancerRule", None),
    ("GuestOsMapping", None),
    ("HsmProfile", None),
    ("ImageStore", None),
    ("IpAddress", None),
    ("KmsKey", None),
    ("KubernetesCluster", None),
    ("KubernetesSupportedVersion", None),
    ("LoadBalancerRule", None),
    ("NetworkAcl", None),
    ("NetworkAclItem", None),
    ("NetworkOffering", None),
    ("ObjectStore", None),
    ("PhysicalNetwork", None),
    ("PhysicalNetworkServiceProvider", None),
    ("PortableIpAddress", None),
    ("PrivateGateway", None),
    ("QuotaTariff", None),
    ("SecurityGroup", None),
    ("SharedFS", None),
    ("StaticRoute", None),
    ("TrafficType", None),
    ("VmSnapshot", None),
    ("Vpc", None),
    ("VpcOffering", None),
    ("VpnCustomerGateway", None),
];

/// What a word for a kind of thing means, in any letter case, with the word as CloudStack spells it. `None` for what it means
/// says that things of this kind have no table here.
#[must_use]
pub fn resource_kind(word: &str) -> Option<(&'static str, Option<EntityKind>)> {
    KINDS.iter().find(|(known, _)| known.eq_ignore_ascii_case(word)).copied()
}

/// Public id and name of the things that a page of events is about.
type Things = HashMap<(EntityKind, i64), (Option<String>, Option<String>)>;

/// The events with these internal ids.
///
/// # Errors
/// See [`crate::store::Db::rows`].
pub async fn events(store: &Store, ids: &[i64]) -> Result<Vec<EventView>, StoreError> {
    let rows = store.event_rows(ids).await?;
    let things = things(store, &rows).await?;
    rows.iter().map(|row| event(row, &things)).collect()
}

fn thing(row: &Row) -> Result<Option<(EntityKind, i64)>, StoreError> {
    let kind = text(row, "resource_type")?.and_then(|word| resource_kind(&word)?.1);
    Ok(kind.zip(number(row, "resource_id")?))
}

/// One question for each kind of thing on the page.
async fn things(store: &Store, rows: &[Row]) -> Result<Things, StoreError> {
    let mut wanted: HashMap<EntityKind, Vec<i64>> = HashMap::new();
    for row in rows {
        if let Some((kind, id)) = thing(row)? {
            wanted.entry(kind).or_default().push(id);
        }
    }
    let mut things = Things::new();
    for (kind, mut ids) in wanted {
        ids.sort_unstable();
        ids.dedup();
        things.extend(store.names_of(kind, &ids).await?.into_iter().map(|(id, names)| ((kind, id), names)));
    }
    Ok(things)
}

fn event(row: &Row, things: &Things) -> Result<EventView, StoreError> {
    let owner = Owner::read(row)?;
    let about = thing(row)?.and_then(|thing| things.get(&thing));
    let (resource_id, resource_name) = about.cloned().unwrap_or_default();
    Ok(EventView {
        id: text(row, "uuid")?,
        username: text(row, "username")?,
        kind: text(row, "type")?,
        level: text(row, "level")?,
        description: text(row, "description")?,
        account: owner.account,
        project_id: owner.project_id,
        project: owner.project,
        domain_id: owner.domain_id,
        domain: owner.domain,
        domain_path: owner.domain_path,
        resource_id,
        resource_type: text(row, "resource_type")?,
        resource_name,
        created: time(row, "created")?,
        state: text(row, "state")?,
        parent_id: text(row, "start_uuid")?,
        archived: flag(row, "archived")?.then_some(true),
    })
}

/// The alerts with these internal ids.
///
/// # Errors
/// See [`events`].
pub async fn alerts(store: &Store, ids: &[i64]) -> Result<Vec<AlertView>, StoreError> {
    let view = |row: &Row| {
        Ok(AlertView {
            id: text(row, "uuid")?,
            kind: number(row, "type")?,
            name: text(row, "name")?,
            description: text(row, "subject")?,
            sent: time(row, "last_sent")?,
        })
    };
    store.alert_rows(ids).await?.iter().map(view).collect()
}
