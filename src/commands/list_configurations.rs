//! `listConfigurations` (`contract/entities.md 1.21`).

use super::filters::{self, NowhereId};
use super::{Ctx, SyncCommand};
use crate::api::{ApiError, Id, Page, Reply};
use crate::model::entity::{AccountRef, ClusterRef, DomainRef, ManagementServerRef, StoragePoolRef, ZoneRef};
use crate::model::signed;
use crate::store::{SettingFilter, SettingScope};
use crate::views::{self, ConfigurationView};

crate::command! {
    /// Lists settings. Root admins see those of the whole installation; for others the list is empty.
    pub struct ListConfigurations {
        /// Only settings of this category.
        category: Option<String>,
        /// Only settings with this in their name.
        name: Option<String> [java("configName")],
        /// Only settings that a zone may have for itself, with the values of this one.
        zone_id "zoneid": Option<Id<ZoneRef>>,
        /// The same for a cluster.
        cluster_id "clusterid": Option<Id<ClusterRef>>,
        /// The same for a pool.
        storage_id "storageid": Option<Id<StoragePoolRef>>,
        /// The same for an account.
        account_id "accountid": Option<Id<AccountRef>>,
        /// The same for a domain.
        domain_id "domainid": Option<Id<DomainRef>>,
        /// The same for a store of images. There are none here.
        image_store_id "imagestoreuuid": Option<NowhereId>,
        /// The same for a server.
        management_server_id "managementserverid": Option<Id<ManagementServerRef>> [since("4.23.0")],
        /// Only settings of this group.
        group: Option<String> [java("groupName"), since("4.18.0")],
        /// Only settings of this group inside a group.
        subgroup: Option<String> [java("subGroupName"), since("4.18.0")],
        /// Only settings that depend on this one.
        parent: Option<String> [java("parentName"), since("4.18.0")],
        /// Page and search word.
        page: Page,
    }
    name "listConfigurations", kind Sync, http Get, response [ConfigurationView],
    roles [Admin, DomainAdmin],
    java "org.apache.cloudstack.api.command.admin.config.ListCfgsByCmd"
}

impl SyncCommand for ListConfigurations {
    async fn run(self, ctx: &Ctx) -> Result<Reply, ApiError> {
        let scope = self.scope()?;
        if !ctx.caller.is_root_admin() {
            return Ok(Reply::list::<ConfigurationView>(0, []));
        }
        let mut window = filters::window(&self.page, None);
        let named = |text: Option<String>| text.filter(|text| !text.is_empty());
        let group = named(self.group);
        // A group is shown whole unless a page is asked for, and its count is that of what is shown (`contract/entities.md` 1.21).
        let counts_shown = group.is_some();
        if counts_shown && !self.page.is_chosen {
            window.limit = None;
        }
        let filter = SettingFilter {
            category: named(self.category),
            name: named(self.name),
            keyword: self.page.keyword,
            groups: group.map(|name| views::setting_groups(&name)),
            subgroups: named(self.subgroup).map(|name| views::setting_subgroups(&name)),
            parent: named(self.parent),
            scope,
        };
        let (count, rows) = ctx.store.configurations_page(&filter, window).await?;
        let scope = scope.map(|(scope, _)| scope);
        let views = rows.iter().map(|row| views::configuration(row, scope)).collect::<Result<Vec<_>, _>>()?;
        Ok(Reply::list(if counts_shown { signed(views.len()) } else { count }, views))
    }
}

impl ListConfigurations {
    /// The thing whose values are to be shown.
    fn scope(&self) -> Result<Option<(SettingScope, i64)>, ApiError> {
        let mut given = [
            self.zone_id.map(|id| (SettingScope::Zone, id.number())),
            self.cluster_id.map(|id| (SettingScope::Cluster, id.number())),
            self.storage_id.map(|id| (SettingScope::StoragePool, id.number())),
            self.account_id.map(|id| (SettingScope::Account, id.number())),
            self.domain_id.map(|id| (SettingScope::Domain, id.number())),
            self.management_server_id.map(|id| (SettingScope::ManagementServer, id.number())),
        ]
        .into_iter()
        .flatten();
        let first = given.next();
        if given.next().is_some() {
            return Err(ApiError::invalid_parameter(
                "cannot handle multiple IDs, provide only one ID corresponding to the scope",
            ));
        }
        Ok(first)
    }
}
