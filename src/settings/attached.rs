//! What the settings in an attached database of CloudStack say about calls and sessions, where the operator says nothing.

use std::collections::HashMap;

use super::load::Origin;
use super::typed::{Reader, Settings};
use crate::commands::Policy;

/// Settings of CloudStack and those of ours that mean the same (`contract/api-protocol.md 1.5, 3.3 to 3.5, 6.1 and 9.5`).
pub const SAME_AS_IN_CLOUDSTACK: [(&str, &str); 9] = [
    ("api.sessionkey.check.locations", "session.key_check"),
    ("api.sessionkey.cookie.samesite", "session.same_site"),
    ("api.throttling.enabled", "api.throttle.enabled"),
    ("api.throttling.interval", "api.throttle.interval_s"),
    ("api.throttling.max", "api.throttle.max"),
    ("default.page.size", "api.default_page_size"),
    ("enable.secure.session.cookie", "session.secure_cookie"),
    ("enforce.post.requests.and.timestamps", "api.enforce_post"),
    ("incorrect.login.attempts.allowed", "login.failures_allowed"),
];

impl Settings {
    /// What is decided about answers, calls and sessions on a database of CloudStack's with these settings. What the operator
    /// has said wins. A value that does not fit is logged and leaves the default.
    pub fn policy_with(&self, cloudstack: &HashMap<String, String>) -> Policy {
        let mut effective = self.effective.clone();
        for (theirs, ours) in SAME_AS_IN_CLOUDSTACK {
            let Some(value) = cloudstack.get(theirs).map(|value| value.trim()).filter(|value| !value.is_empty()) else {
                continue;
            };
            if *effective.get(ours).1 != Origin::Default {
                tracing::info!(
                    setting = ours,
                    database = theirs,
                    "the operator's setting is gone by, not the database's"
                );
                continue;
            }
            // Spelled in any letter case there.
            let word = ["true", "false"].into_iter().find(|word| word.eq_ignore_ascii_case(value));
            let value = word.unwrap_or(value).to_owned();
            match effective.lay(ours, value.clone(), Origin::Database(theirs)) {
                Ok(()) => {
                    tracing::info!(setting = ours, database = theirs, value, "a setting of the database is gone by")
                }
                Err(error) => {
                    tracing::warn!(cause = %crate::telemetry::chain(&error), "a setting of the database is not gone by");
                }
            }
        }
        Reader(&effective).policy()
    }
}

#[cfg(test)]
mod tests {
    use super::super::load::{Effective, SettingsArgs, Sources};
    use super::*;
    use crate::auth::session::{KeyCheck, SameSite};

    fn policy(set: &[&str], database: &[(&str, &str)]) -> Policy {
        let flags =
            SettingsArgs { set: set.iter().map(|text| (*text).to_owned()).collect(), ..SettingsArgs::default() };
        let effective = Effective::load(&Sources { env: Vec::new(), flags }).unwrap();
        let database = database.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Settings::from_effective(&effective).unwrap().policy_with(&database)
    }

    #[test]
    fn every_setting_of_the_database_counts() {
        assert_eq!(policy(&[], &[]), Policy::default());
        let set = policy(
            &[],
            &[
                ("api.sessionkey.check.locations", "ParameterOnly"),
                ("api.sessionkey.cookie.samesite", "Strict"),
                ("api.throttling.enabled", "TRUE"),
                ("api.throttling.interval", " 7 "),
                ("api.throttling.max", "9"),
                ("default.page.size", "50"),
                ("enable.secure.session.cookie", "true"),
                ("enforce.post.requests.and.timestamps", "true"),
                ("incorrect.login.attempts.allowed", "2"),
                ("something.else", "1"),
            ],
        );
        assert_eq!((set.session.key_check, set.session.same_site), (KeyCheck::ParameterOnly, SameSite::Strict));
        assert!(set.throttle.enabled && set.session.secure_cookie && set.enforce_post);
        assert_eq!((set.throttle.interval.as_secs(), set.throttle.max), (7, 9));
        assert_eq!((set.default_page_size, set.session.failed_logins_allowed), (50, 2));
    }

    #[test]
    fn the_operator_wins_and_what_does_not_fit_is_left() {
        let database = [("default.page.size", "50"), ("api.throttling.max", "many"), ("api.throttling.interval", "")];
        let set = policy(&["api.default_page_size=500"], &database);
        assert_eq!(set, Policy::default(), "a value that is the default's was said all the same");
    }
}
