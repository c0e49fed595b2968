//! Who calls, and what the caller may do.

mod caller;
pub mod cidr;
pub mod distrust;
pub mod limit;
pub mod password;
mod roles;
pub mod session;
pub mod signature;
pub mod two_factor;

pub use caller::{AccountType, Caller, Credential, Credentials, KnownUser};
pub use roles::{Rule, Verdict, may_call};
