//! Templates: the filters of `listTemplates` and the wide rows.

use super::{Condition, Window, below};
use crate::store::{Row, Store, StoreError, Value};

/// What `listTemplates` can be narrowed to.
#[derive(Clone, Debug, Default)]
pub struct TemplateFilter {
    /// Only those of this account.
    pub account_id: Option<i64>,
    /// Only those in the domain with this path and below it.
    pub domain_tree: Option<String>,
    /// Also those that are for everybody, whosesoever they are.
    pub with_public: bool,
    /// Only these.
    pub ids: Option<Vec<i64>>,
    /// With exactly this name.
    pub name: Option<String>,
    /// A word in name.
    pub keyword: Option<String>,
    /// For this hypervisor.
    pub hypervisor: Option<String>,
    /// For processors of this kind.
    pub arch: Option<String>,
    /// With the operating system with this internal id.
    pub os_id: Option<i64>,
    /// Only those that admins put in front.
    pub featured: bool,
    /// Only those for everybody.
    pub public: bool,
    /// True to leave out those of system machines.
    pub hide_system: bool,
}

const TEMPLATE: &str = "SELECT t.id, t.uuid, t.name, t.display_text, t.public, t.created, t.enable_password, t.format, \
    t.featured, t.cross_zones, t.type, t.hypervisor_type, t.extractable, t.checksum, t.bits, t.enable_sshkey, \
    t.dynamically_scalable, t.direct_download, t.deploy_as_is, t.for_cks, t.hvm, t.size, t.arch, g.uuid AS os_uuid, \
    g.display_name AS os_name, a.account_name, a.type AS account_type, j.uuid AS project_uuid, j.name AS project_name, \
    d.uuid AS domain_uuid, d.name AS domain_name, d.path AS domain_path FROM vm_template t \
    LEFT JOIN guest_os g ON g.id = t.guest_os_id LEFT JOIN account a ON a.id = t.account_id \
    LEFT JOIN projects j ON j.project_account_id = t.account_id LEFT JOIN domain d ON d.id = a.domain_id \
    WHERE t.id IN ({ids})";

impl Store {
    /// The ids of a page of templates in their own order, and how many match in all. Images of drives are none.
    ///
    /// # Errors
    /// See [`crate::store::Db::rows`]; the same holds for all functions of this file.
    pub async fn templates_page(&self, filter: &TemplateFilter, window: Window) -> Result<(i64, Vec<i64>), StoreError> {
        let mut condition = Condition::living();
        condition.and("t.format <> 'ISO' AND t.state = 'Active'", []);
        condition.one_of("t.id", filter.ids.as_deref());
        condition.equal("t.name", filter.name.as_ref());
        condition.contains(&["t.name"], filter.keyword.as_deref());
        condition.equal("t.hypervisor_type", filter.hypervisor.as_ref());
        condition.equal("t.arch", filter.arch.as_ref());
        condition.equal("t.guest_os_id", filter.os_id);
        if filter.featured {
            condition.and("t.featured = 1", []);
        }
        if filter.public {
            condition.and("t.public = 1", []);
        }
        if filter.hide_system {
            condition.and("t.type NOT IN ('SYSTEM', 'ROUTING', 'PERHOST')", []);
        }
        // Templates of hypervisors that no cluster has were never fetched.
        condition.and("t.hypervisor_type IN (SELECT hypervisor_type FROM cluster WHERE removed IS NULL)", []);
        let public = if filter.with_public { "t.public = 1 OR " } else { "" };
        if let Some(id) = filter.account_id {
            condition.and(&format!("({public}t.account_id = ?)"), [Value::from(id)]);
        } else if let Some(path) = &filter.domain_tree {
            let text = format!(
                "({public}t.account_id IN (SELECT a.id FROM account a JOIN domain d ON d.id = a.domain_id WHERE {}))",
                below("d.path")
            );
            condition.and(&text, [Value::from(path)]);
        }
        self.page("vm_template t", &condition, "t.sort_key, t.id", window).await
    }

    /// Everything the view of a template needs, for these ids, in their order.
    ///
    /// # Errors
    /// See [`Store::templates_page`].
    pub async fn template_rows(&self, ids: &[i64]) -> Result<Vec<Row>, StoreError> {
        self.wide_rows(TEMPLATE, ids).await
    }
}
