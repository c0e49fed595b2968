//! The object `template`, in the order in which CloudStack prints its fields.

use std::collections::BTreeMap;

use super::row::{Owner, flag, number, text, time};
use super::tag::{TagView, tags};
use crate::model::Timestamp;
use crate::store::{ResourceKind, Row, Store, StoreError};

crate::response! {
    /// An image that machines are made from.
    pub struct TemplateView as "template", Default {
        /// Its id.
        id: Option<String>,
        /// Its name.
        name: Option<String>,
        /// What people are told of it.
        display_text "displaytext": Option<String>,
        /// Whether it is for everybody.
        is_public "ispublic": bool,
        /// When it was made.
        created: Option<Timestamp>,
        /// Whether it can be used.
        is_ready "isready": bool,
        /// Whether its machines get passwords.
        password_enabled "passwordenabled": bool,
        /// The kind of file.
        format: Option<String>,
        /// Whether it stands in front.
        is_featured "isfeatured": bool,
        /// Whether it is in all zones.
        cross_zones "crossZones": bool,
        /// The operating system in it.
        os_type_id "ostypeid": Option<String>,
        /// The name of that.
        os_type_name "ostypename": Option<String>,
        /// The account that owns it, unless a project does.
        account: Option<String>,
        /// Bytes of the disks made from it.
        size: Option<i64>,
        /// The kind of template: `USER`, `SYSTEM`, `BUILTIN` and so on.
        kind "templatetype": Option<String>,
        /// The hypervisor it is for.
        hypervisor: Option<String>,
        /// The name of the owner's domain.
        domain: Option<String>,
        /// The path of that domain.
        domain_path "domainpath": Option<String>,
        /// The owner's domain.
        domain_id "domainid": Option<String>,
        /// The project that owns it.
        project_id "projectid": Option<String>,
        /// The name of that project.
        project: Option<String>,
        /// Whether it can be downloaded.
        is_extractable "isextractable": bool,
        /// The checksum of its file.
        checksum: Option<String>,
        /// Details of it. Not filled here.
        details: BTreeMap<String, String>,
        /// The kind of processors it is for.
        arch: Option<String>,
        /// Bits of its system.
        bits: Option<i64>,
        /// Whether its machines take keys.
        ssh_key_enabled "sshkeyenabled": bool,
        /// Whether its machines may grow while they run.
        is_dynamically_scalable "isdynamicallyscalable": bool,
        /// Whether hosts fetch it themselves.
        direct_download "directdownload": bool,
        /// Whether its own description counts.
        deploy_as_is "deployasis": bool,
        /// Whether it is for Kubernetes.
        for_cks "forcks": bool,
        /// Whether it needs a host that can virtualize wholly.
        requires_hvm "requireshvm": bool,
        /// What people wrote on it.
        tags: Vec<TagView>,
        /// Whether there are comments about it. There are none here.
        has_annotations "hasannotations": bool,
    }
}

/// The templates with these internal ids.
///
/// # Errors
/// See [`crate::store::Db::rows`].
pub async fn templates(store: &Store, ids: &[i64]) -> Result<Vec<TemplateView>, StoreError> {
    let mut tags = tags(store, ResourceKind::Template, ids).await?;
    let with_tags = |row: &Row| {
        let tags = tags.remove(&row.get("id")?).unwrap_or_default();
        Ok(TemplateView { tags, ..template(row)? })
    };
    store.template_rows(ids).await?.iter().map(with_tags).collect()
}

fn template(row: &Row) -> Result<TemplateView, StoreError> {
    let owner = Owner::read(row)?;
    let kind = text(row, "type")?;
    Ok(TemplateView {
        id: text(row, "uuid")?,
        name: text(row, "name")?,
        display_text: text(row, "display_text")?,
        is_public: flag(row, "public")?,
        created: time(row, "created")?,
        // Only templates that are active are listed.
        is_ready: true,
        password_enabled: flag(row, "enable_password")?,
        format: text(row, "format")?,
        is_featured: flag(row, "featured")?,
        cross_zones: flag(row, "cross_zones")?,
        os_type_id: text(row, "os_uuid")?,
        os_type_name: text(row, "os_name")?,
        account: owner.account,
        size: number(row, "size")?,
        is_extractable: kind.as_deref() != Some("SYSTEM") && flag(row, "extractable")?,
        kind,
        hypervisor: text(row, "hypervisor_type")?,
        domain: owner.domain,
        domain_path: owner.domain_path,
        domain_id: owner.domain_id,
        project_id: owner.project_id,
        project: owner.project,
        checksum: text(row, "checksum")?,
        details: BTreeMap::new(),
        arch: text(row, "arch")?,
        bits: number(row, "bits")?,
        ssh_key_enabled: flag(row, "enable_sshkey")?,
        is_dynamically_scalable: flag(row, "dynamically_scalable")?,
        direct_download: flag(row, "direct_download")?,
        deploy_as_is: flag(row, "deploy_as_is")?,
        for_cks: flag(row, "for_cks")?,
        requires_hvm: flag(row, "hvm")?,
        tags: Vec::new(),
        has_annotations: false,
    })
}
