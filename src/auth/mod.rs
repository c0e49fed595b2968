//! Who calls, and what the caller may do.

mod caller;
pub mod cidr;
pub mod password;
mod roles;
pub mod signature;

pub use caller::{AccountType, Caller, CallingKey, Credential, Credentials};
pub use roles::{Rule, Verdict, may_call, role_may_call, within};
