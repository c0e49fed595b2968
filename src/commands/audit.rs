//! Events of commands that answer at once: one for each that was done or failed (`contract/entities.md 2`, column Event types).

use super::{Ctx, InstanceType};
use crate::api::ApiError;
use crate::store::{NewEvent, StoreError, Tx, transact};

/// What an event says.
#[derive(Clone, Debug)]
pub(super) struct Deed {
    /// The type, such as `USER.CREATE`.
    pub(super) kind: &'static str,
    /// What was done, with a small letter: `creating User. UserName: ...`.
    pub(super) text: String,
}

impl Deed {
    pub(super) fn new(kind: &'static str, text: impl Into<String>) -> Self {
        Self { kind, text: text.into() }
    }

    async fn write(
        &self,
        tx: &mut Tx,
        ctx: &Ctx,
        (level, begin): (&'static str, &str),
        subject: Option<(InstanceType, i64)>,
    ) -> Result<(), StoreError> {
        let caller = &ctx.caller;
        let event = NewEvent {
            kind: self.kind.to_owned(),
            state: "Completed",
            level,
            description: format!("{begin} {}", self.text),
            user_id: caller.user_id,
            account_id: caller.account_id,
            domain_id: caller.domain_id,
            resource: subject.map(|(kind, id)| (kind.word().to_owned(), id)),
            start_id: 0,
        };
        tx.event_insert(&event).await.map(|_| ())
    }

    /// Writes that it was done, into the transaction that does it.
    ///
    /// # Errors
    /// See [`Tx::event_insert`].
    pub(super) async fn done(&self, tx: &mut Tx, ctx: &Ctx, subject: (InstanceType, i64)) -> Result<(), StoreError> {
        self.write(tx, ctx, ("INFO", "Successfully completed"), Some(subject)).await
    }
}

/// Passes the outcome of a command on, and writes down when it failed. The outcome counts even if that cannot be written.
pub(super) async fn watched<T>(ctx: &Ctx, deeds: &[Deed], outcome: Result<T, ApiError>) -> Result<T, ApiError> {
    if outcome.is_err()
        && let Err(error) = write_failure(ctx, deeds).await
    {
        tracing::warn!(cause = %crate::telemetry::chain(&error), "the event of a failed command could not be written");
    }
    outcome
}

async fn write_failure(ctx: &Ctx, deeds: &[Deed]) -> Result<(), StoreError> {
    transact!(ctx.store, StoreError, |tx| {
        for deed in deeds {
            deed.write(tx, ctx, ("ERROR", "Error while"), None).await?;
        }
        Ok(())
    })
}
