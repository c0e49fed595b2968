//! `resolveDrift`: an administrator decides about something that database and hosts do not agree about.

use super::{AsyncCommand, Ctx, EventDraft, InstanceType, JobCtx, filters};
use crate::api::{ApiError, Node, Response};
use crate::drift::{Drift, Manner, Resolver};
use crate::model::HYPERV;
use crate::store::DriftRow;
use crate::views::{self, DriftView};

crate::command! {
    /// Resolves a finding of `listDrift`. `accept`: the hosts are asked once more, and when they still say so the database
    /// follows them, in one transaction. `dismiss`: it is closed as it is, and not raised again while it looks the same.
    /// It is a job, as CloudStack's commands are that ask a host: the answer may take as long as the host does, it works under
    /// the lock that migrations of the machine take, and its events say who decided.
    pub struct ResolveDrift {
        /// The finding.
        id: String,
        /// `accept` or `dismiss`.
        action: String,
        /// What is to be remembered about it.
        note: Option<String> [length(1024)],
    }
    name "resolveDrift", kind Async, http Post, response DriftView, roles [Admin],
    java "org.stackmotion.api.command.ResolveDriftCmd"
}

/// What is decided.
#[derive(Clone, Copy)]
enum Action {
    Accept,
    Dismiss,
}

impl ResolveDrift {
    fn action(&self) -> Result<Action, ApiError> {
        match self.action.to_ascii_lowercase().as_str() {
            "accept" => Ok(Action::Accept),
            "dismiss" => Ok(Action::Dismiss),
            other => Err(ApiError::invalid_parameter(format!("{other} is no action: say accept or dismiss"))),
        }
    }

    async fn finding(&self, ctx: &Ctx) -> Result<DriftRow, ApiError> {
        let row = ctx.store.drift_by_uuid(&self.id).await?;
        row.ok_or_else(|| ApiError::invalid_parameter(format!("There is no finding {}; see listDrift", self.id)))
    }
}

impl AsyncCommand for ResolveDrift {
    async fn event(&self, ctx: &Ctx) -> Result<EventDraft, ApiError> {
        filters::root_admins_only(ctx)?;
        self.action()?;
        let row = self.finding(ctx).await?;
        let resource = match row.volume_id {
            Some(id) => (InstanceType::Volume, id),
            None => (InstanceType::VirtualMachine, row.vm_id.unwrap_or_default()),
        };
        Ok(EventDraft {
            event_type: "DRIFT.RESOLVE",
            description: format!("resolving drift {} ({}): {}", row.uuid, row.kind, self.action.to_ascii_lowercase()),
            owner_account_id: super::privilege::SYSTEM,
            resource: Some(resource),
        })
    }

    fn instance(&self) -> Option<(InstanceType, i64)> {
        None
    }

    async fn run(self, ctx: &JobCtx) -> Result<Node, ApiError> {
        ctx.begin("resolving drift").await?;
        let row = self.finding(&ctx.ctx).await?;
        let unserved = || ApiError::command_failed("No agent client serves Hyper-V here, so no host can be asked");
        let hypervisor = ctx.ctx.motion.client(HYPERV).ok_or_else(unserved)?;
        let drift = Drift::new(ctx.ctx.store.clone(), hypervisor, Manner::default());
        let by = Resolver { user_id: ctx.ctx.caller.user_id, job_id: ctx.job_id };
        match self.action()? {
            Action::Accept => drift.accept(&row.uuid, by, self.note.as_deref()).await?,
            Action::Dismiss => drift.dismiss(&row.uuid, by, self.note.as_deref()).await?,
        }
        let views = views::drifts(&ctx.ctx.store, &[row.id]).await?;
        let failed = || ApiError::command_failed("The finding was resolved and is gone from the list");
        Ok(Node::wrap(DriftView::SPEC.object, views.into_iter().next().ok_or_else(failed)?.into_node()))
    }
}
