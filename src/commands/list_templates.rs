//! `listTemplates`: what pages about machines ask (`contract/ui.md 1`, Instances).

use super::filters;
use super::{Ctx, SyncCommand};
use crate::api::{ApiError, Id, OwnerScope, Page, Reply};
use crate::model::entity::{GuestOsRef, TemplateRef, ZoneRef};
use crate::store::TemplateFilter;
use crate::views::{self, TemplateView};

crate::command! {
    /// Lists images that machines are made from, for the hypervisors that there are clusters of.
    pub struct ListTemplates {
        /// Which: `featured`, `self`, `selfexecutable`, `sharedexecutable`, `executable`, `community`, or for root admins
        /// `all`.
        filter "templatefilter": String,
        /// Only this template.
        id: Option<Id<TemplateRef>>,
        /// Only these templates. Not together with `id`.
        ids: Option<Vec<Id<TemplateRef>>> [since("4.9")],
        /// Only templates with exactly this name.
        name: Option<String> [java("templateName")],
        /// Only templates for this hypervisor.
        hypervisor: Option<String>,
        /// Has no effect: it is not known which zone has which template.
        zone_id "zoneid": Option<Id<ZoneRef>>,
        /// Only templates for processors of this kind.
        arch: Option<String> [since("4.20")],
        /// Only templates with this operating system.
        os_type_id "ostypeid": Option<Id<GuestOsRef>> [since("4.20")],
        /// Also pictures. There are none here.
        show_icon "showicon": Option<bool>,
        /// Only one entry for each template, which is how it is anyway.
        show_unique "showunique": Option<bool> [since("4.13.2")],
        /// Also templates that were removed. Has no effect here.
        show_removed "showremoved": Option<bool>,
        /// Groups of fields to show. Has no effect here.
        details: Option<Vec<String>> [since("4.15")],
        /// Whose templates.
        owner: OwnerScope,
        /// Page and search word.
        page: Page,
    }
    name "listTemplates", kind Sync, http Get, response [TemplateView],
    roles [Admin, ResourceAdmin, DomainAdmin, User],
    java "org.apache.cloudstack.api.command.user.template.ListTemplatesCmd"
    admin "org.apache.cloudstack.api.command.admin.template.ListTemplatesCmdByAdmin"
}

/// The words that `templatefilter` takes.
const FILTERS: &[&str] = &["featured", "self", "selfexecutable", "sharedexecutable", "executable", "community", "all"];

impl SyncCommand for ListTemplates {
    async fn run(self, ctx: &Ctx) -> Result<Reply, ApiError> {
        let window = filters::window(&self.page, None);
        let filter = self.filter(ctx)?;
        let (count, ids) = ctx.store.templates_page(&filter, window).await?;
        Ok(Reply::list(count, views::templates(&ctx.store, &ids).await?))
    }
}

impl ListTemplates {
    fn filter(self, ctx: &Ctx) -> Result<TemplateFilter, ApiError> {
        let caller = &ctx.caller;
        let word = self.filter.to_ascii_lowercase();
        if !FILTERS.contains(&word.as_str()) {
            let text = format!("The templatefilter {} is none of [{}]", self.filter, FILTERS.join(", "));
            return Err(ApiError::invalid_parameter(text));
        }
        let is_root = caller.is_root_admin();
        if word == "all" && !is_root {
            return Err(ApiError::invalid_parameter("Filter all can be specified by root admins only"));
        }
        let mut filter = TemplateFilter {
            ids: filters::ids(self.id, self.ids.as_deref())?,
            name: self.name,
            keyword: self.page.keyword,
            hypervisor: self.hypervisor,
            arch: self.arch,
            os_id: self.os_type_id.map(|id| id.number()),
            hide_system: !is_root || word != "all",
            ..TemplateFilter::default()
        };
        match word.as_str() {
            "featured" => (filter.featured, filter.public) = (true, true),
            "community" => filter.public = true,
            "self" | "selfexecutable" | "sharedexecutable" => filter.account_id = Some(caller.account_id),
            _ if is_root => {}
            _ => {
                filter.with_public = true;
                if caller.is_domain_admin() {
                    filter.domain_tree = Some(caller.domain_path.clone());
                } else {
                    filter.account_id = Some(caller.account_id);
                }
            }
        }
        Ok(filter)
    }
}
