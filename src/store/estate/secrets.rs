//! Passwords of hosts and pools: the one place where their columns are written.
//!
//! No agent is ever told them (`contract/hyperv-wire.md` 6.1, 6.3); they are kept for whoever takes the estate over.

use super::columns;
use crate::model::Secret;
use crate::store::vault::{HOST_PASSWORD, POOL_USER};
use crate::store::{StoreError, Tx};

impl Tx {
    /// Writes the password of a host (`host_details`).
    pub(super) async fn host_password_write(&mut self, host_id: i64, password: &Secret) -> Result<(), StoreError> {
        let sealed = self.keeper.seal(&HOST_PASSWORD, &format!("{host_id}\0password"), password)?;
        let row = columns! { "host_id": host_id, "name": "password", "value": sealed.text() };
        self.row_insert("host_details", row).await
    }

    /// Writes the password of a share (`storage_pool.user_info`). CloudStack has it in the path and once more in the
    /// table of details; here it stands once, in the column that is made for it.
    pub(super) async fn pool_password_write(&mut self, pool_id: i64, password: &Secret) -> Result<(), StoreError> {
        let sealed = self.keeper.seal(&POOL_USER, &pool_id.to_string(), password)?;
        self.row_change("storage_pool", pool_id, columns! { "user_info": sealed.text() }).await
    }
}
