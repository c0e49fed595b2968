//! What the operator decides about answers, calls and sessions.

use std::time::Duration;

use crate::auth::limit::Throttle;
use crate::auth::session::{KeyCheck, SameSite};
use crate::feed::FeedLimits;

/// What answers say about the installation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// The CloudStack version that clients are told.
    pub cloudstack_version: String,
    /// Rows of a page when none are asked for, and the most that may be asked for.
    pub default_page_size: i64,
    /// Whether commands that change something need a POST and a bounded `expires` (`contract/api-protocol.md 1.5`).
    pub enforce_post: bool,
    /// How many calls an account may make.
    pub throttle: Throttle,
    /// How people log in and stay so.
    pub session: SessionPolicy,
    /// How many may listen to news.
    pub feed: FeedLimits,
}

/// How people log in and stay so (`contract/api-protocol.md 3`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionPolicy {
    /// A session that is not used for so long has ended.
    pub idle_timeout: Duration,
    /// Where the key of a session has to stand.
    pub key_check: KeyCheck,
    /// What the cookie with the key says about other sites.
    pub same_site: SameSite,
    /// Whether the cookie with the id is for HTTPS only and kept from scripts, also where the gateway itself sees no HTTPS.
    pub secure_cookie: bool,
    /// Failed logins after which a user is disabled; 0 means never.
    pub failed_logins_allowed: i64,
}

impl Default for SessionPolicy {
    fn default() -> Self {
        Self {
            idle_timeout: Duration::from_secs(30 * 60),
            key_check: KeyCheck::default(),
            same_site: SameSite::default(),
            secure_cookie: false,
            failed_logins_allowed: 5,
        }
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            cloudstack_version: "4.23.0.0-SNAPSHOT".to_owned(),
            default_page_size: 500,
            enforce_post: false,
            throttle: Throttle::default(),
            session: SessionPolicy::default(),
            feed: FeedLimits::default(),
        }
    }
}
