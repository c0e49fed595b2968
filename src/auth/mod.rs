//! Who calls, and what the caller may do.

mod caller;
mod roles;

pub use caller::{AccountType, Caller, Credential, Credentials};
pub use roles::{Rule, Verdict, may_call};
