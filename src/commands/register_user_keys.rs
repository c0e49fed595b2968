//! `registerUserKeys` (`contract/entities.md 2.9`). A job since 4.23.

use super::{AsyncCommand, Ctx, EventDraft, InstanceType, JobCtx, key_pairs, privilege};
use crate::api::{ApiError, Id, Node, Response, Rows};
use crate::model::Timestamp;
use crate::model::entity::UserRef;
use crate::store::{KeyPair, NewKey, Rule, User, transact};
use crate::views::{self, NewKeyView};

crate::command! {
    /// Makes a key pair for a user. The pairs that the user has stay valid.
    pub struct RegisterUserKeys {
        /// The user.
        id: Id<UserRef>,
        /// A name for the pair.
        name: Option<String>,
        /// A text about it.
        description: Option<String> [length(1024)],
        /// Not valid before.
        start_date "startdate": Option<Timestamp>,
        /// Not valid after.
        end_date "enddate": Option<Timestamp>,
        /// What it may be used for, in the order in which the rules are tried, as `rules[0].rule=list*`,
        /// `rules[0].permission=allow` and `rules[0].description=...`. Without any: whatever the role allows.
        rules: Option<Rows>,
    }
    name "registerUserKeys", kind Async, http Post, response NewKeyView, roles [Admin],
    java "org.apache.cloudstack.api.command.admin.user.RegisterUserKeysCmd"
}

/// The longest text about a rule.
const LONGEST_TEXT: usize = 255;

impl AsyncCommand for RegisterUserKeys {
    async fn event(&self, ctx: &Ctx) -> Result<EventDraft, ApiError> {
        self.within_signing_key(ctx)?;
        let id = self.id.number();
        let user = ctx.store.user_by_id(id).await?;
        let uuid = user.as_ref().map_or_else(|| id.to_string(), |user| user.uuid.clone());
        let owner = user.filter(|user| privilege::reach(ctx, &user.account).is_ok());
        Ok(EventDraft {
            event_type: "REGISTER.USER.KEY",
            description: format!("Registering API keypair for user [{uuid}]."),
            owner_account_id: owner.map_or(privilege::SYSTEM, |user| user.account.id),
            resource: Some((InstanceType::User, id)),
        })
    }

    fn instance(&self) -> Option<(InstanceType, i64)> {
        Some((InstanceType::User, self.id.number()))
    }

    async fn run(self, ctx: &JobCtx) -> Result<Node, ApiError> {
        let store = &ctx.ctx.store;
        let gone = || ApiError::command_failed("Failed to register keys for the user");
        let user = key_pairs::user(&ctx.ctx, self.id.number()).await?;
        let id = match store.job_made(ctx.job_id).await? {
            Some(id) => id,
            None => self.make(ctx, &user).await?,
        };
        let view = views::new_key(store, id).await?.ok_or_else(gone)?;
        Ok(Node::wrap(NewKeyView::SPEC.object, view.into_node()))
    }
}

impl RegisterUserKeys {
    async fn make(self, ctx: &JobCtx, user: &User) -> Result<i64, ApiError> {
        let rules = self.rules()?;
        let refuse = |text: &str| Err(ApiError::invalid_parameter(text));
        if self.end_date.is_some_and(|end| end < Timestamp::now()) {
            return refuse("Keypair cannot be created with expired date, please input a date in the future.");
        }
        if let (Some(start), Some(end)) = (self.start_date, self.end_date)
            && end <= start
        {
            return refuse("Please specify an end date that is after the start date.");
        }
        let new = NewKey {
            uuid: uuid::Uuid::new_v4().to_string(),
            name: self.name.filter(|name| !name.is_empty()),
            description: self.description,
            starts: self.start_date,
            ends: self.end_date,
            rules,
        };
        let pair = KeyPair::random();
        let store = &ctx.ctx.store;
        let secret = store.seal_api_secret(&new.uuid, &pair.secret_key)?;
        transact!(store, ApiError, |tx| {
            let id = tx.key_insert(user, &pair.api_key, &secret, &new).await?;
            // A job that is run again after a crash finds what it made.
            tx.job_made(ctx.job_id, id).await?;
            Ok(id)
        })
    }

    /// The rules that were given, each with a text.
    ///
    /// # Errors
    /// 431 for one that is not complete or says nothing sensible.
    fn rules(&self) -> Result<Vec<(Rule, Option<String>)>, ApiError> {
        self.rules.iter().flat_map(|rows| &rows.0).map(read_rule).collect()
    }

    /// A pair that was made to allow little must not make one that allows more.
    fn within_signing_key(&self, ctx: &Ctx) -> Result<(), ApiError> {
        let rule = |(rule, _): (Rule, _)| crate::auth::Rule { pattern: rule.pattern, allow: rule.allow };
        // What cannot be read fails in the job, as in CloudStack.
        let Ok(rules) = self.rules() else { return Ok(()) };
        let rules: Vec<_> = rules.into_iter().map(rule).collect();
        // No pair has the number 0: it is not there yet.
        if ctx.caller.may_see_key(0, &rules) {
            return Ok(());
        }
        Err(ApiError::permission_denied(
            "The key pair that signed the call has rules of its own, and the new one would be allowed more. Give it rules \
             that allow less, or sign with another pair.",
        ))
    }
}

fn read_rule(row: &crate::api::Row) -> Result<(Rule, Option<String>), ApiError> {
    let pattern = row.get("rule").filter(|rule| !rule.is_empty());
    let pattern =
        pattern.ok_or_else(|| ApiError::bad_parameter("Empty rule has been provided in the [rules] parameter."))?;
    let permission = row.get("permission").filter(|word| !word.is_empty()).ok_or_else(|| {
        ApiError::bad_parameter(format!(
            "Rule [{pattern}] has no permission associated with it, please specify if it is either [allow] or [deny]."
        ))
    })?;
    if !pattern.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'*') || pattern.len() > LONGEST_TEXT {
        return Err(ApiError::invalid_parameter(format!(
            "Only API names and wildcards are allowed, invalid rule provided: {pattern}"
        )));
    }
    let allow = match permission.to_ascii_lowercase().as_str() {
        "allow" => true,
        "deny" => false,
        _ => return Err(ApiError::bad_parameter("Values for permission parameter should be: allow or deny")),
    };
    let text = row.get("description").filter(|text| !text.is_empty()).map(str::to_owned);
    if text.as_ref().is_some_and(|text| text.chars().count() > LONGEST_TEXT) {
        return Err(ApiError::bad_parameter("Rule description cannot be longer than 255 characters."));
    }
    Ok((Rule { pattern: pattern.to_owned(), allow }, text))
}
