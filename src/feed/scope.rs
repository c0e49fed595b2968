//! What a listener is told: what the lists of jobs and events would show.

use super::poll::{EventNews, News};
use crate::store::NewsFilter;

/// A job that somebody listens to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OneJob {
    /// Its internal number.
    pub id: i64,
    /// The event that announced it.
    pub start_event_id: i64,
}

/// What a listener is told (`contract/api-protocol.md 6.2`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// Only what is this account's.
    pub account_id: Option<i64>,
    /// Only what is in the domain with this path or, when the flag is set, below it.
    pub domain: Option<(String, bool)>,
    /// Whether events are told that only root admins see.
    pub sees_internal: bool,
    /// Only this job and its events.
    pub job: Option<OneJob>,
}

impl Scope {
    /// Whether the listener is told this.
    #[must_use]
    pub fn covers(&self, news: &News) -> bool {
        match news {
            News::Job(job) => {
                self.job.is_none_or(|one| one.id == job.row.id) && self.owns(job.row.account_id, &job.row.domain_path)
            }
            News::Event(EventNews { mark: event, .. }) => {
                let is_of_job =
                    |one: OneJob| one.start_event_id > 0 && [event.id, event.start_id].contains(&one.start_event_id);
                self.job.is_none_or(is_of_job)
                    && (self.sees_internal || !event.is_internal)
                    // What belongs to a project is told nobody who does not ask for its account.
                    && (self.account_id.is_some() || !event.is_of_project)
                    && self.owns(event.account_id, &event.domain_path)
            }
        }
    }

    /// The same, as the database is asked for it.
    #[must_use]
    pub fn filter(&self) -> NewsFilter {
        NewsFilter {
            account_id: self.account_id,
            domain: self.domain.clone(),
            hide_internal: !self.sees_internal,
            chain: self.job.map(|job| job.start_event_id),
        }
    }

    fn owns(&self, account_id: i64, domain_path: &str) -> bool {
        let in_domain = match &self.domain {
            None => true,
            Some((path, true)) => domain_path.starts_with(path.as_str()),
            Some((path, false)) => domain_path == path,
        };
        in_domain && self.account_id.is_none_or(|own| own == account_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Timestamp;
    use crate::store::EventMark;

    #[test]
    fn events_are_told_to_whom_the_list_would_show_them() {
        let event = |id: i64, start_id: i64, is_internal: bool, is_of_project: bool| {
            let mark = EventMark {
                id,
                start_id,
                account_id: 3,
                domain_path: "/eng/lab/".to_owned(),
                is_of_project,
                is_internal,
                created: Timestamp::now(),
            };
            News::Event(EventNews { mark, json: String::new() })
        };
        let scope = |account_id: Option<i64>, domain: Option<(&str, bool)>| Scope {
            account_id,
            domain: domain.map(|(path, below)| (path.to_owned(), below)),
            sees_internal: false,
            job: None,
        };
        let plain = event(7, 0, false, false);
        assert!(scope(None, None).covers(&plain) && scope(Some(3), None).covers(&plain));
        assert!(!scope(Some(4), None).covers(&plain));
        assert!(scope(None, Some(("/eng/", true))).covers(&plain));
        assert!(!scope(None, Some(("/eng/", false))).covers(&plain));
        assert!(!scope(None, Some(("/ops/", true))).covers(&plain));
        assert!(!scope(None, None).covers(&event(7, 0, true, false)));
        assert!(Scope { sees_internal: true, ..scope(None, None) }.covers(&event(7, 0, true, false)));
        assert!(!scope(None, None).covers(&event(7, 0, false, true)));
        let of = |start_event_id: i64| Scope { job: Some(OneJob { id: 1, start_event_id }), ..scope(None, None) };
        assert!(of(7).covers(&plain) && of(7).covers(&event(8, 7, false, false)));
        assert!(!of(6).covers(&plain) && !of(0).covers(&plain), "a job without an event has none of others");
    }
}
