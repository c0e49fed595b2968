//! Keys, users and members of projects that were looked up a moment ago.
//!
//! A client that polls shows the same key again and again. What the database says about it is used for [`FRESH`], by the others
//! while one asks again for as long once more. What this gateway writes about users, accounts, roles, keys, domains and projects
//! is seen by the next call; what somebody else writes to the same database, within a second.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;

use super::caller::{Credential, Credentials, KnownUser};
use super::project::InProject;
use crate::api::BoxError;
use crate::store::{Kept, Look};

/// For how long an answer of the database is used.
const FRESH: Duration = Duration::from_millis(500);
/// How many keys, users and members of projects are remembered, of each.
const MOST: usize = 16_384;

/// A number that is another one as soon as anything that lets callers in or keeps them out was written here.
pub type Stamp = Arc<dyn Fn() -> u64 + Send + Sync>;

/// Remembers what is known of keys, users and members of projects, for a moment.
pub struct Known<C> {
    asked: C,
    stamp: Stamp,
    fresh: Duration,
    keys: Kept<String, Arc<Credential>>,
    users: Kept<i64, KnownUser>,
    members: Kept<(String, i64, i64), Arc<InProject>>,
}

impl<C: Credentials> Known<C> {
    /// Remembers what `asked` says, while `stamp` stays the same.
    pub fn new(asked: C, stamp: Stamp) -> Self {
        Self { asked, stamp, fresh: FRESH, keys: Kept::new(MOST), users: Kept::new(MOST), members: Kept::new(MOST) }
    }
}

impl<C: Credentials> Credentials for Known<C> {
    fn known_user(&self, user_id: i64) -> BoxFuture<'_, Result<Option<KnownUser>, BoxError>> {
        Box::pin(async move {
            let reading = match self.users.look(&user_id, (self.stamp)()) {
                Look::Known(user) => return Ok(Some(user)),
                Look::Read(reading) => reading,
            };
            let user = self.asked.known_user(user_id).await?;
            if let Some(user) = &user {
                reading.keep(user.clone(), self.fresh);
            }
            Ok(user)
        })
    }

    fn credential_by_api_key<'a>(
        &'a self,
        api_key: &'a str,
    ) -> BoxFuture<'a, Result<Option<Arc<Credential>>, BoxError>> {
        Box::pin(async move {
            let reading = match self.keys.look(api_key, (self.stamp)()) {
                Look::Known(credential) => return Ok(Some(credential)),
                Look::Read(reading) => reading,
            };
            // A key that nobody has is never remembered: there are too many of them.
            let credential = self.asked.credential_by_api_key(api_key).await?;
            if let Some(credential) = &credential {
                reading.keep(Arc::clone(credential), self.fresh);
            }
            Ok(credential)
        })
    }

    fn in_project<'a>(
        &'a self,
        project: &'a str,
        account_id: i64,
        user_id: i64,
    ) -> BoxFuture<'a, Result<Option<Arc<InProject>>, BoxError>> {
        Box::pin(async move {
            let reading = match self.members.look(&(project.to_owned(), account_id, user_id), (self.stamp)()) {
                Look::Known(known) => return Ok(Some(known)),
                Look::Read(reading) => reading,
            };
            // Nor is a project that there is not.
            let known = self.asked.in_project(project, account_id, user_id).await?;
            if let Some(known) = &known {
                reading.keep(Arc::clone(known), self.fresh);
            }
            Ok(known)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;
    use crate::auth::{Caller, ProjectStanding};

    #[derive(Default)]
    struct Counted(Arc<AtomicU64>);

    impl Credentials for Counted {
        fn known_user(&self, _: i64) -> BoxFuture<'_, Result<Option<KnownUser>, BoxError>> {
            self.0.fetch_add(1, Ordering::SeqCst);
            let user = KnownUser { caller: Arc::new(Caller::nobody()), enabled: true, allowed_cidrs: Vec::new() };
            Box::pin(async move { Ok(Some(user)) })
        }

        fn credential_by_api_key<'a>(
            &'a self,
            api_key: &'a str,
        ) -> BoxFuture<'a, Result<Option<Arc<Credential>>, BoxError>> {
            self.0.fetch_add(1, Ordering::SeqCst);
            let credential = Credential {
                secret: None,
                caller: Arc::new(Caller::nobody()),
                enabled: true,
                key_access: true,
                allowed_cidrs: Vec::new(),
                valid_from: None,
                valid_until: None,
            };
            Box::pin(async move { Ok((api_key != "unheard of").then(|| Arc::new(credential))) })
        }

        fn in_project<'a>(
            &'a self,
            project: &'a str,
            _: i64,
            _: i64,
        ) -> BoxFuture<'a, Result<Option<Arc<InProject>>, BoxError>> {
            self.0.fetch_add(1, Ordering::SeqCst);
            let known = InProject { uuid: project.to_owned(), standing: ProjectStanding::Stranger };
            Box::pin(async move { Ok((project != "unheard of").then(|| Arc::new(known))) })
        }
    }

    #[tokio::test]
    async fn the_database_is_asked_again_once_something_was_written() {
        let (asked, writes) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let stamp = { Arc::clone(&writes) };
        let mut known = Known::new(Counted(Arc::clone(&asked)), Arc::new(move || stamp.load(Ordering::SeqCst)));
        known.fresh = Duration::from_secs(3600);
        for _ in 0..5 {
            assert!(known.credential_by_api_key("key").await.unwrap().is_some());
            assert!(known.known_user(2).await.unwrap().is_some());
            assert!(known.in_project("project", 2, 3).await.unwrap().is_some());
        }
        assert_eq!(asked.load(Ordering::SeqCst), 3);
        known.in_project("project", 2, 4).await.unwrap();
        assert_eq!(asked.load(Ordering::SeqCst), 4, "another user of the account");
        writes.fetch_add(1, Ordering::SeqCst);
        known.credential_by_api_key("key").await.unwrap();
        known.in_project("project", 2, 3).await.unwrap();
        assert_eq!(asked.load(Ordering::SeqCst), 6);
    }

    #[tokio::test]
    async fn strangers_are_not_remembered() {
        let asked = Arc::new(AtomicU64::new(0));
        let known = Known::new(Counted(Arc::clone(&asked)), Arc::new(|| 0));
        for _ in 0..2 {
            assert!(known.credential_by_api_key("unheard of").await.unwrap().is_none());
            assert!(known.in_project("unheard of", 2, 3).await.unwrap().is_none());
        }
        assert_eq!(asked.load(Ordering::SeqCst), 4);
    }
}
