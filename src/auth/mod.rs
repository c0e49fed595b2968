//! Who calls, and what the caller may do.

mod caller;
pub mod cidr;
pub mod dialect;
pub mod distrust;
mod known;
pub mod limit;
pub mod password;
mod project;
pub mod proxies;
pub mod redact;
mod roles;
pub mod session;
pub mod signature;
mod spelling;
pub mod two_factor;

pub use caller::{AccountType, Caller, CallingKey, Credential, Credentials, KnownUser};
pub use known::{Known, Stamp};
pub use project::{InProject, ProjectStanding};
pub use roles::{Rule, Verdict, may_call, nothing_denied, role_may_call, within};
