//! The parameter `details`: which groups of fields a list shows (`contract/api-protocol.md 6.2`).

/// The groups of `listHosts`.
pub const HOST_DETAILS: &[&str] = &["all", "capacity", "core", "events", "stats", "min"];
/// The groups of `listVirtualMachines`.
pub const VIRTUAL_MACHINE_DETAILS: &[&str] = &[
    "all", "group", "nics", "stats", "secgrp", "tmpl", "servoff", "diskoff", "backoff", "iso", "volume", "min",
    "affgrp", "vnfnics",
];

/// The groups of `listAccounts`, `listDomains` and `listProjects`.
pub const OWNER_DETAILS: &[&str] = &["all", "resource", "min"];

/// The groups that were asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Words(Vec<&'static str>);

/// A group was asked for that does not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("The details parameter contains a non permitted value. The allowed values are [{}]", .allowed.join(", "))]
pub struct WordsError {
    /// The groups that exist.
    pub allowed: &'static [&'static str],
}

impl Words {
    /// All groups.
    #[must_use]
    pub fn all() -> Self {
        Self(vec!["all"])
    }

    /// No group: what is always shown.
    #[must_use]
    pub fn least() -> Self {
        Self(vec!["min"])
    }

    /// Reads the parameter; when it is absent or empty, all groups are meant.
    ///
    /// # Errors
    /// [`WordsError`] for a group that does not exist. Letter case matters.
    pub fn parse(given: Option<&[String]>, allowed: &'static [&'static str]) -> Result<Self, WordsError> {
        let given = given.unwrap_or_default();
        if given.is_empty() {
            return Ok(Self::all());
        }
        let find = |word: &String| allowed.iter().find(|known| *known == word).copied().ok_or(WordsError { allowed });
        given.iter().map(find).collect::<Result<_, _>>().map(Self)
    }

    /// Whether this very group was named.
    #[must_use]
    pub fn names(&self, word: &str) -> bool {
        self.0.contains(&word)
    }

    /// Whether one of these groups, or all, were asked for.
    #[must_use]
    pub fn wants(&self, words: &[&str]) -> bool {
        self.0.iter().any(|named| *named == "all" || words.contains(named))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_read_and_unknown_ones_refused() {
        let given = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let words = Words::parse(Some(&given(&["min", "stats"])), HOST_DETAILS).unwrap();
        assert!(words.wants(&["stats"]) && !words.wants(&["capacity"]) && words.names("min"));
        assert_eq!(Words::parse(None, HOST_DETAILS).unwrap(), Words::all());
        let error = Words::parse(Some(&given(&["min", "All"])), HOST_DETAILS).unwrap_err();
        assert_eq!(
            error.to_string(),
            "The details parameter contains a non permitted value. The allowed values are [all, capacity, core, events, \
             stats, min]"
        );
    }
}
