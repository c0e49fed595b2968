//! `cloudianIsEnabled`: the web interface asks at every start (`contract/api-protocol.md 8.3`).

use super::{Ctx, SyncCommand};
use crate::api::{ApiError, Reply};

crate::command! {
    /// Tells whether object storage of Cloudian is connected: it never is here.
    pub struct CloudianIsEnabled {}
    name "cloudianIsEnabled", since "4.11.0", kind Sync, http Get, response CloudianView,
    roles [Admin, ResourceAdmin, DomainAdmin, User],
    java "org.apache.cloudstack.cloudian.api.CloudianIsEnabledCmd"
}

crate::response! {
    /// Whether object storage of Cloudian is connected.
    pub struct CloudianView as "cloudianisenabled" {
        /// Whether it is.
        enabled: bool,
    }
}

impl SyncCommand for CloudianIsEnabled {
    async fn run(self, _: &Ctx) -> Result<Reply, ApiError> {
        Ok(Reply::one(CloudianView { enabled: false }))
    }
}
