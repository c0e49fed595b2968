//! `listStorageProviders`.

use super::{Ctx, SyncCommand};
use crate::api::{ApiError, Page, Reply};

crate::command! {
    /// Lists the makers of storage that pools can be of. There is one here, which mounts shares and uses disks of hosts.
    pub struct ListStorageProviders {
        /// The kind of storage: `primary`, `image` or `object`. Only primary storage has a maker here.
        kind "type": String,
        /// Has no effect: there is at most one.
        page: Page,
    }
    name "listStorageProviders", kind Sync, http Get, response [StorageProviderView],
    roles [Admin, ResourceAdmin],
    java "org.apache.cloudstack.api.command.admin.storage.ListStorageProvidersCmd"
}

crate::response! {
    /// A maker of storage.
    pub struct StorageProviderView as "dataStoreProvider" {
        /// Its name.
        name: &'static str,
        /// The kind of storage: `PRIMARY`.
        kind "type": &'static str,
    }
}

impl SyncCommand for ListStorageProviders {
    async fn run(self, _: &Ctx) -> Result<Reply, ApiError> {
        let mut all = Vec::new();
        match self.kind.to_ascii_lowercase().as_str() {
            "primary" => all.push(StorageProviderView { name: "DefaultPrimary", kind: "PRIMARY" }),
            "image" | "object" => {}
            _ => {
                let text = format!("Type {} is none of [primary, image, object]", self.kind);
                return Err(ApiError::invalid_parameter(text));
            }
        }
        Ok(Reply::all(all))
    }
}
