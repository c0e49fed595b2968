//! The pair `resourcetype` and `resourceid`, by which jobs and events are found through the thing they are
//! about (`contract/api-protocol.md 7.2, 7.5`, `contract/entities.md 1.17`).

use super::Ctx;
use crate::api::{ApiError, contains_uuid};
use crate::model::entity::EntityKind;
use crate::views;

/// A kind of thing, by its word in any letter case.
#[derive(Clone, Copy, Debug)]
pub(super) struct ResourceType {
    /// The word in the tables.
    pub(super) word: &'static str,
    entity: Option<EntityKind>,
}

impl ResourceType {
    /// Reads the word.
    ///
    /// # Errors
    /// 431/4350 for a word that CloudStack does not know.
    pub(super) fn parse(word: &str) -> Result<Self, ApiError> {
        let known = views::resource_kind(word);
        let (word, entity) = known.ok_or_else(|| ApiError::invalid_parameter("Invalid resourcetype"))?;
        Ok(Self { word, entity })
    }

    /// Whether things of this kind have a table here. Jobs and events that another control plane on the database has written
    /// may be about others too, but then nobody knows which of them has an id.
    pub(super) const fn is_kept(self) -> bool {
        self.entity.is_some()
    }

    /// The internal number of a thing of this kind; `None` when there never was one, and when nobody here knows.
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
