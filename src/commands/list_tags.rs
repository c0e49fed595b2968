//! `listTags` (`contract/entities.md 5.5`).

use super::filters;
use super::{Ctx, SyncCommand};
use crate::api::{ApiError, OwnerScope, Page, Reply};
use crate::store::{ResourceKind, TagListFilter};
use crate::views::{self, TagView};

crate::command! {
    /// Lists what people wrote on things.
    pub struct ListTags {
        /// Only tags on things of this kind: `Volume`, `UserVm`, `Host`, `StoragePool`, `Cluster`, `Zone` or
        /// `Project`.
        resource_type "resourcetype": Option<String>,
        /// Only tags on the thing with this id.
        resource_id "resourceid": Option<String>,
        /// Only tags with this key.
        key: Option<String>,
        /// Only tags with this value.
        value: Option<String>,
        /// Only tags for this customer.
        customer: Option<String>,
        /// Whose tags.
        owner: OwnerScope,
        /// Page and search word.
        page: Page,
    }
    name "listTags", since "4.0.0", kind Sync, http Get, response [TagView],
    roles [Admin, ResourceAdmin, DomainAdmin, User],
    java "org.apache.cloudstack.api.command.user.tag.ListTagsCmd"
}

/// The kinds of things that carry tags here.
const KINDS: [ResourceKind; 8] = [
    ResourceKind::Volume,
    ResourceKind::VirtualMachine,
    ResourceKind::Host,
    ResourceKind::StoragePool,
    ResourceKind::Cluster,
    ResourceKind::Zone,
    ResourceKind::Project,
    ResourceKind::Template,
];

impl SyncCommand for ListTags {
    async fn run(self, ctx: &Ctx) -> Result<Reply, ApiError> {
        let window = filters::window(&self.page, None);
        let kind = match self.resource_type.as_deref().filter(|word| !word.is_empty()) {
            None => None,
            Some(word) => {
                let known = KINDS.iter().find(|kind| {
                    [kind.tag_word(), kind.job_word()].iter().any(|known| known.eq_ignore_ascii_case(word))
                });
                // Other kinds of things carry no tags here.
                let Some(kind) = known else { return Ok(Reply::list::<TagView>(0, [])) };
                Some(kind.tag_word())
            }
        };
        let filter = TagListFilter {
            owners: filters::owners(ctx, &self.owner, self.resource_id.is_some()).await?,
            kind,
            resource: self.resource_id,
            key: self.key,
            value: self.value,
            customer: self.customer,
            keyword: self.page.keyword,
        };
        let (count, rows) = ctx.store.tags_page(&filter, window).await?;
        Ok(Reply::list(count, views::tag_list(&rows)?))
    }
}
