//! Who moves, and what may be moved by whom.

use super::refusal::Refusal;
use crate::store::Store;

/// The caller, as far as a motion asks.
#[derive(Clone, Debug)]
pub struct Mover {
    /// The caller's account.
    pub account_id: i64,
    /// The caller's domain, `/` or `/a/b/`.
    pub domain_path: String,
    /// True for a root admin.
    pub root_admin: bool,
    /// True for an admin of the domain.
    pub domain_admin: bool,
    /// True where a host is being emptied: only then may machines leave it without their disks.
    pub evacuates: bool,
}

impl Mover {
    /// The caller must be allowed to work on what this account owns.
    ///
    /// # Errors
    /// 530 with CloudStack's text: inside a job a denial is not 531 (`contract/migration.md` 0.1).
    pub async fn must_own(&self, store: &Store, account_id: i64) -> Result<(), Refusal> {
        if self.root_admin || self.account_id == account_id {
            return Ok(());
        }
        if self.domain_admin
            && let Some(path) = store.account_domain_path(account_id).await?
            && path.starts_with(&self.domain_path)
        {
            return Ok(());
        }
        Err(Refusal::failed("Caller does not have permission to operate with provided resource."))
    }

    /// The caller must be a root admin.
    ///
    /// # Errors
    /// 530 with CloudStack's text.
    pub fn must_be_root(&self) -> Result<(), Refusal> {
        if self.root_admin {
            Ok(())
        } else {
            Err(Refusal::failed("No permission to migrate VM, Only Root Admin can migrate a VM!"))
        }
    }
}
