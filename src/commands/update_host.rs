//! `updateHost` (`contract/entities.md 2.4`).

use super::estate_words::{said, trimmed};
use super::{Ctx, SyncCommand};
use crate::api::{ApiError, Id, Reply};
use crate::model::entity::{GuestOsCategoryRef, HostRef};
use crate::model::{Host, Machine as _, ResourceEvent, ResourceState};
use crate::store::{HostChange, transact};
use crate::views::{self, HostView};

crate::command! {
    /// Changes a host.
    pub struct UpdateHost {
        /// The host.
        id: Id<HostRef>,
        /// Its name.
        name: Option<String> [since("4.15")],
        /// The kind of systems it prefers.
        os_category_id "oscategoryid": Option<Id<GuestOsCategoryRef>>,
        /// A rule about systems. It is kept; no machine is placed here by it.
        guest_os_rule "guestosrule": Option<String>,
        /// `Enable` or `Disable`: whether it is to be given work.
        allocation_state "allocationstate": Option<String>,
        /// Its tags; they take the place of those that people gave it before. An empty list takes them all away.
        host_tags "hosttags": Option<Vec<String>>,
        /// Whether the tag is a rule.
        is_tag_a_rule "istagarule": Option<bool>,
        /// A comment. There are none here, so it is refused.
        annotation: Option<String> [since("4.11")],
    }
    name "updateHost", kind Sync, http Post, response HostView, roles [Admin],
    java "org.apache.cloudstack.api.command.admin.host.UpdateHostCmd"
}

/// The row of `host_details` with the kind of systems that a host prefers, and that with the rule about them.
const OS_DETAILS: [&str; 2] = ["guest.os.category.id", "guest.os.rule"];

impl SyncCommand for UpdateHost {
    async fn run(self, ctx: &Ctx) -> Result<Reply, ApiError> {
        ctx.estate.is_ours()?;
        let id = self.id.number();
        let unknown = || ApiError::invalid_parameter(format!("Host with id {id} doesn't exist"));
        let host = ctx.store.host_by_id(id).await?.filter(|host| !host.removed).ok_or_else(unknown)?;
        let failed = |cause: &str| {
            ApiError::command_failed(format!("Failed to update host: {} with id {id}, {cause}", host.dump()))
        };
        let change = self.change(ctx, &host).await.map_err(|error| failed(&error.text))?;
        transact!(ctx.store, ApiError, |tx| {
            tx.host_change(id, &change).await?;
            Ok(())
        })?;
        let views = views::hosts(&ctx.store, &ctx.caller, &[id]).await?;
        Ok(Reply::one(views.into_iter().next().ok_or_else(|| failed("it is gone"))?))
    }
}

impl UpdateHost {
    async fn change(&self, ctx: &Ctx, host: &Host) -> Result<HostChange, ApiError> {
        let refuse = |text: String| Err(ApiError::invalid_parameter(text));
        let name = said(self.name.as_ref());
        if said(self.annotation.as_ref()).is_some() {
            return refuse("comments are not kept here; leave annotation out".to_owned());
        }
        let mut change = HostChange { name, ..HostChange::default() };
        if let Some(word) = said(self.allocation_state.as_ref()) {
            change.resource_state =
                resource_state(&word, &host.resource_state)?.map(|to| (to, host.resource_state.clone()));
        }
        if self.host_tags.is_some() || self.is_tag_a_rule.is_some() {
            let rule = self.is_tag_a_rule == Some(true);
            let tags = match &self.host_tags {
                Some(tags) => trimmed(tags),
                None => ctx.store.host_tags(host.id).await?,
            };
            // A rule is one text, whatever commas it holds.
            let tags = if rule && tags.len() > 1 { vec![tags.join(",")] } else { tags };
            change.tags = Some((tags, rule));
        }
        if let Some(id) = self.os_category_id {
            change.details.push((OS_DETAILS[0], id.number().to_string()));
        }
        if let Some(rule) = &self.guest_os_rule {
            if rule.chars().count() > 255 {
                return refuse("guestosrule has more than 255 characters".to_owned());
            }
            change.details.push((OS_DETAILS[1], rule.clone()));
        }
        Ok(change)
    }
}

/// The resource state after `Enable` or `Disable`; `None` when it is that one already (`contract/migration.md` 7.1).
fn resource_state(word: &str, now: &str) -> Result<Option<&'static str>, ApiError> {
    let said = ResourceEvent::parse(word);
    let Some(event) = said.filter(|event| matches!(event, ResourceEvent::Enable | ResourceEvent::Disable)) else {
        return Err(ApiError::invalid_parameter(format!(
            "Invalid value {word} for parameter allocationstate: say Enable or Disable"
        )));
    };
    match ResourceState::parse(now).and_then(|state| state.next(event)) {
        Some(to) => Ok((to.as_str() != now).then_some(to.as_str())),
        None => Err(ApiError::invalid_parameter(format!("Unable to transition to a new state from {now} via {word}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::resource_state;

    #[test]
    fn words_and_states() {
        assert_eq!(resource_state("Disable", "Enabled").unwrap(), Some("Disabled"));
        assert_eq!(resource_state("enable", "Enabled").unwrap(), None);
        assert!(resource_state("Enable", "Maintenance").is_err());
        assert!(resource_state("Enabled", "Disabled").is_err());
        assert!(resource_state("AdminAskMaintenance", "Enabled").is_err(), "that is another command");
    }
}
