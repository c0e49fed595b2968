//! The pair `resourcetype` and `resourceid`, by which jobs are found through the thing they are about
//! (`contract/api-protocol.md 7.2, 7.5`).

use super::Ctx;
use crate::api::{ApiError, contains_uuid};
use crate::model::entity::EntityKind;

/// CloudStack's words for kinds of things, with the table that knows their ids where there is one here.
const KINDS: &[(&str, Option<EntityKind>)] = &[
    ("VirtualMachine", Some(EntityKind::Vm)),
    ("Volume", Some(EntityKind::Volume)),
    ("StoragePool", Some(EntityKind::StoragePool)),
    ("Host", Some(EntityKind::Host)),
    ("Cluster", Some(EntityKind::Cluster)),
    ("Pod", Some(EntityKind::Pod)),
    ("Zone", Some(EntityKind::Zone)),
    ("Snapshot", Some(EntityKind::Snapshot)),
    ("Template", Some(EntityKind::Template)),
    ("Iso", Some(EntityKind::Template)),
    ("SystemVm", Some(EntityKind::Vm)),
    ("DomainRouter", Some(EntityKind::Vm)),
    ("Account", Some(EntityKind::Account)),
    ("User", Some(EntityKind::User)),
    ("Domain", Some(EntityKind::Domain)),
    ("Network", None),
    ("DiskOffering", Some(EntityKind::DiskOffering)),
    ("ServiceOffering", Some(EntityKind::ServiceOffering)),
    ("ManagementServer", Some(EntityKind::ManagementServer)),
    ("Project", Some(EntityKind::Project)),
    ("Role", Some(EntityKind::Role)),
];

/// A kind of thing, by its word in any letter case.
#[derive(Clone, Copy, Debug)]
pub(super) struct ResourceType {
    /// The word in the table of jobs.
    pub(super) word: &'static str,
    entity: Option<EntityKind>,
}

impl ResourceType {
    /// Reads the word.
    ///
    /// # Errors
    /// 431/4350 for a word that CloudStack does not know.
    pub(super) fn parse(word: &str) -> Result<Self, ApiError> {
        let known = KINDS.iter().find(|(known, _)| known.eq_ignore_ascii_case(word));
        let (word, entity) = *known.ok_or_else(|| ApiError::invalid_parameter("Invalid resourcetype"))?;
        Ok(Self { word, entity })
    }

    /// The internal number of a thing of this kind; `None` when there never was one.
    ///
    /// # Errors
    /// 431/9999 when the id has not the form of one, 530 when the database does not answer.
    pub(super) async fn number(self, ctx: &Ctx, command: &str, uuid: &str) -> Result<Option<i64>, ApiError> {
        if !contains_uuid(uuid) {
            return Err(ApiError::bad_parameter(format!(
                "Unable to execute API command {command} due to invalid value. Invalid value provided for API arg: \
                 resourceid"
            )));
        }
        match self.entity {
            Some(entity) => Ok(ctx.store.internal_id(entity, uuid).await?),
            None => Ok(None),
        }
    }
}
