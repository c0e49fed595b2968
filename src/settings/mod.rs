//! What the operator decides: defaults, then a TOML file, then the environment, then flags.
//!
//! One table ([`table::SETTINGS`]) says what there is. Names that are not in it are refused wherever they stand, so
//! that a typing error is not taken for a decision. Every value remembers where it came from.

mod attached;
mod docs;
mod load;
mod table;
mod typed;

pub use attached::SAME_AS_IN_CLOUDSTACK;
pub use docs::markdown;
pub use load::{Effective, Origin, SettingsArgs, SettingsError, Sources};
pub use table::{Kind, SETTINGS, Setting};
pub use typed::{
    AgentSettings, AttachSettings, CloudKeySettings, DriftSettings, HttpSettings, HttpsSettings, LogSettings,
    MaintenanceSettings, Settings,
};
