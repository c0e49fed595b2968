//! What the lists' parameters have in common: pages, owners, tags, and ids of things that do not exist here
//! (`contract/api-protocol.md 6`).

use std::future::ready;

use super::Ctx;
use crate::api::{
    AccountScope, ApiError, Arg, Id, Input, OwnerScope, Page, ParamSpec, ParamType, Rows, Value, contains_uuid,
};
use crate::auth::{AccountType, Caller, ProjectStanding};
use crate::model::text::Dump;
use crate::store::{Owners, ProjectMember, Projects, TagFilter, Viewer, Window};

/// The hypervisors that CloudStack knows, as it spells them (`contract/entities.md 4.1`).
const HYPERVISORS: &[&str] = &[
    "None",
    "XenServer",
    "KVM",
    "VMware",
    "Hyperv",
    "VirtualBox",
    "Parralels",
    "BareMetal",
    "Simulator",
    "Ovm",
    "Ovm3",
    "LXC",
    "Custom",
    "External",
    "Any",
];

/// A hypervisor by its name in any letter case.
pub(super) fn hypervisor(word: &str) -> Option<&'static str> {
    HYPERVISORS.iter().find(|known| known.eq_ignore_ascii_case(word)).copied()
}

/// The state that offerings are to be in: `Active` without a word, none for `all`.
pub(super) fn offering_state(word: Option<String>) -> Option<String> {
    let word = word.filter(|word| !word.is_empty()).unwrap_or_else(|| "Active".to_owned());
    (!word.eq_ignore_ascii_case("all")).then_some(word)
}

/// The part of a list that is wanted.
pub(super) fn window(page: &Page, count_only: Option<bool>) -> Window {
    Window { offset: page.offset, limit: page.limit, count_only: count_only.unwrap_or_default() }
}

/// The tags to look for. Rows without key and value match any tag.
pub(super) fn tags(rows: Option<&Rows>) -> Vec<TagFilter> {
    let text = |value: Option<&str>| value.map(str::to_owned);
    rows.map_or_else(Vec::new, |rows| rows.0.iter().map(|row| (text(row.get("key")), text(row.get("value")))).collect())
}

/// A word that is one of these: another one would match nothing, and nobody would know why.
///
/// # Errors
/// 431 with the words that there are.
pub(super) fn one_of(name: &str, given: Option<String>, known: &[&str]) -> Result<Option<String>, ApiError> {
    match given {
        Some(word) if !known.contains(&word.as_str()) => {
            Err(ApiError::invalid_parameter(format!("{word} is no {name}: say one of {}", known.join(", "))))
        }
        given => Ok(given),
    }
}

/// The number of a kind of alert, which is sent as a text.
///
/// # Errors
/// 431 for a text that is no number.
pub(super) fn alert_kind(word: Option<String>) -> Result<Option<i64>, ApiError> {
    let number = |word: String| {
        let wrong = || ApiError::invalid_parameter(format!("type is the number of a kind of alert, not {word}"));
        word.parse::<i64>().map_err(|_| wrong())
    };
    word.map(number).transpose()
}

/// The internal numbers of ids that are given by commas, each once.
pub(super) fn numbers<E>(ids: &[Id<E>]) -> Vec<i64> {
    let mut numbers: Vec<i64> = ids.iter().map(Id::number).collect();
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}

/// The ids that a list is narrowed to, from `id` and `ids`.
///
/// # Errors
/// 431/4350 when both are given.
pub(super) fn ids<E>(id: Option<Id<E>>, ids: Option<&[Id<E>]>) -> Result<Option<Vec<i64>>, ApiError> {
    match (id, ids) {
        (Some(_), Some(_)) => Err(ApiError::invalid_parameter("Specify either id or ids but not both parameters")),
        (Some(id), None) => Ok(Some(vec![id.number()])),
        (None, Some([])) => Ok(None),
        (None, Some(ids)) => Ok(Some(ids.iter().map(Id::number).collect())),
        (None, None) => Ok(None),
    }
}

/// What is set about the use of keys, as the lists of users and accounts are narrowed to it: `Some(None)` is nothing. Only
/// root admins may ask.
///
/// # Errors
/// 431 for a word that says none of it.
pub(super) fn key_access(ctx: &Ctx, word: Option<&str>) -> Result<Option<Option<bool>>, ApiError> {
    let Some(word) = word.filter(|_| ctx.caller.is_root_admin()) else { return Ok(None) };
    parse_key_access(word).map(Some)
}

/// Reads `Enabled`, `Disabled` or `Inherit` (nothing is set) in any letter case.
///
/// # Errors
/// 431 for another word.
pub(super) fn parse_key_access(word: &str) -> Result<Option<bool>, ApiError> {
    match word.to_ascii_lowercase().as_str() {
        "enabled" => Ok(Some(true)),
        "disabled" => Ok(Some(false)),
        "inherit" => Ok(None),
        _ => Err(ApiError::invalid_parameter("ApiKeyAccess value can only be Enabled/Disabled/Inherit")),
    }
}

/// Whose entries the caller gets to see (`contract/api-protocol.md 6.2`). `by_id` says that one entry is asked for by id.
///
/// # Errors
/// 431 for an account or project that does not exist, 531 for a domain or account that is none of the caller's.
pub(super) async fn owners(ctx: &Ctx, scope: &OwnerScope, by_id: bool) -> Result<Owners, ApiError> {
    let caller = &ctx.caller;
    let list_all = scope.list_all.unwrap_or_default();
    let mut owners = Owners::default();
    let domain = domain(ctx, scope).await?;
    if let Some(name) = &scope.account {
        if scope.project_id.is_some() {
            return Err(ApiError::invalid_parameter("Account and projectId can't be specified together"));
        }
        owners.accounts = Some(vec![account(ctx, name, domain.as_ref()).await?]);
    }
    let is_ordinary = !caller.is_root_admin() && !caller.is_domain_admin();
    if let Some(project) = scope.project_id {
        projects(ctx, project.number(), list_all, &mut owners).await?;
    } else {
        if !by_id {
            owners.projects = Projects::Skipped;
        }
        if owners.accounts.is_none() {
            let own_only = is_ordinary || (domain.is_none() && !list_all && !by_id);
            if own_only {
                owners.accounts = Some(vec![caller.account_id]);
            } else if domain.is_none() && !caller.is_root_admin() {
                owners.domain_tree = Some(caller.domain_path.clone());
            }
        }
    }
    if let Some(domain) = domain {
        if scope.is_recursive.unwrap_or_default() {
            owners.domain_tree = Some(domain.path);
        } else if scope.account.is_none() {
            owners.domain_id = Some(domain.id);
        }
    }
    Ok(owners)
}

/// Whose jobs are shown: an account's, and those of a domain by its path, with the domains below it where the flag is set.
///
/// # Errors
/// As [`owners`].
pub(super) async fn account_scope(
    ctx: &Ctx,
    scope: AccountScope,
) -> Result<(Option<i64>, Option<(String, bool)>), ApiError> {
    let owners = owners(ctx, &scope.into(), false).await?;
    let mut domain = owners.domain_tree.map(|path| (path, true));
    if let Some(id) = owners.domain_id {
        domain = ctx.store.domain_by_id(id).await?.map(|(_, path, _)| (path, false));
    }
    Ok((owners.accounts.and_then(|accounts| accounts.first().copied()), domain))
}

/// Who looks at offerings that are kept for some domains.
pub(super) fn viewer(caller: &Caller) -> Option<Viewer> {
    let viewer = || Viewer { path: caller.domain_path.clone(), with_below: caller.is_domain_admin() };
    (!caller.is_root_admin()).then(viewer)
}

/// Refuses a thing of this owner unless the caller may look at it.
///
/// # Errors
/// 531 when it is none of the caller's.
pub(super) async fn may_look(ctx: &Ctx, account_id: i64, domain_id: i64) -> Result<(), ApiError> {
    let caller = &ctx.caller;
    if caller.is_root_admin() || account_id == caller.account_id {
        return Ok(());
    }
    let below = caller.is_domain_admin()
        && ctx.store.domain_by_id(domain_id).await?.is_some_and(|(_, path, _)| path.starts_with(&caller.domain_path));
    if below { Ok(()) } else { Err(not_yours()) }
}

/// Refuses whoever is no root admin. Additions of ours that show or change what belongs to all accounts know no owners, and a
/// role of somebody's own may allow them to anybody.
///
/// # Errors
/// 531 for others than root admins.
pub(super) fn root_admins_only(ctx: &Ctx) -> Result<(), ApiError> {
    if ctx.caller.is_root_admin() {
        return Ok(());
    }
    Err(ApiError::permission_denied(format!(
        "{} is about what belongs to all accounts: only root admins may call it",
        ctx.command
    )))
}

/// Everything that the caller may change: root admins all, admins of a domain what is in and below it, others their own.
pub(super) fn reach(caller: &Caller) -> Owners {
    if caller.is_root_admin() {
        return Owners::default();
    }
    if caller.is_domain_admin() {
        return Owners { domain_tree: Some(caller.domain_path.clone()), ..Owners::default() };
    }
    Owners { accounts: Some(vec![caller.account_id]), ..Owners::default() }
}

/// A domain.
pub(super) struct Domain {
    pub(super) id: i64,
    pub(super) name: String,
    pub(super) path: String,
    uuid: String,
}

impl Domain {
    /// The form that error texts use.
    pub(super) fn dump(&self) -> String {
        Dump::new("Domain")
            .number("id", Some(self.id))
            .text("name", Some(&self.name))
            .text("path", Some(&self.path))
            .text("uuid", Some(&self.uuid))
            .end()
    }

    /// A living domain.
    ///
    /// # Errors
    /// 431 when there is none.
    pub(super) async fn read(ctx: &Ctx, id: i64) -> Result<Self, ApiError> {
        let found = ctx.store.domain_by_id(id).await?;
        let (name, path, uuid) =
            found.ok_or_else(|| ApiError::invalid_parameter(format!("Domain id={id} doesn't exist")))?;
        Ok(Self { id, name, path, uuid })
    }

    /// A living domain that the caller may look and work into.
    ///
    /// # Errors
    /// 431 when there is none, 531 when it is none of the caller's.
    pub(super) async fn open(ctx: &Ctx, id: i64) -> Result<Self, ApiError> {
        let domain = Self::read(ctx, id).await?;
        let caller = &ctx.caller;
        let allowed = match caller.account_type {
            AccountType::Admin => true,
            AccountType::DomainAdmin | AccountType::ResourceDomainAdmin => domain.path.starts_with(&caller.domain_path),
            _ => domain.id == caller.domain_id,
        };
        if allowed {
            return Ok(domain);
        }
        Err(ApiError::permission_denied(format!(
            "Account Account [{}] does not have permission to operate within domain id={}",
            caller.account_dump(),
            domain.uuid
        )))
    }
}

async fn domain(ctx: &Ctx, scope: &OwnerScope) -> Result<Option<Domain>, ApiError> {
    match scope.domain_id {
        Some(id) => Domain::open(ctx, id.number()).await.map(Some),
        None => Ok(None),
    }
}

async fn account(ctx: &Ctx, name: &str, domain: Option<&Domain>) -> Result<i64, ApiError> {
    let domain_id = domain.map_or(ctx.caller.domain_id, |domain| domain.id);
    let Some(id) = ctx.store.account_by_name(name, domain_id).await? else {
        let dump = match domain {
            Some(domain) => domain.dump(),
            None => Domain::read(ctx, domain_id).await?.dump(),
        };
        return Err(ApiError::invalid_parameter(format!("could not find account {name} in domain {dump}")));
    };
    // Domains were checked already, so an account in one of them is an admin's to look at, and one's own is everybody's.
    let caller = &ctx.caller;
    let is_admin = caller.is_root_admin() || caller.is_domain_admin();
    if is_admin || id == caller.account_id {
        return Ok(id);
    }
    Err(not_yours())
}

/// 531: the thing is none of the caller's.
pub(super) fn not_yours() -> ApiError {
    ApiError::permission_denied("Caller does not have permission to operate with provided resource.")
}

/// What belongs to projects is seen by their members, by root admins, and by admins of the domain.
async fn projects(ctx: &Ctx, project: i64, list_all: bool, owners: &mut Owners) -> Result<(), ApiError> {
    let caller = &ctx.caller;
    if project == -1 {
        if !caller.is_root_admin() {
            let mut accounts = accounts_of_projects(ctx).await?;
            accounts.extend(list_all.then_some(caller.account_id));
            owners.accounts = Some(accounts);
        } else if !list_all {
            owners.projects = Projects::Only;
        }
        return Ok(());
    }
    owners.accounts = Some(vec![project_account(ctx, project).await?]);
    Ok(())
}

/// The accounts behind all projects that the caller belongs to. Who may not ask this about one of them, as its role there says,
/// is not told it with all of them together either.
async fn accounts_of_projects(ctx: &Ctx) -> Result<Vec<i64>, ApiError> {
    let caller = &ctx.caller;
    if !caller.is_bound_in_projects() {
        return Ok(ctx.store.accounts_of_own_projects(caller.account_id, caller.user_id).await?);
    }
    let own = ctx.store.own_projects(caller.account_id, caller.user_id).await?;
    let lets = |member: ProjectMember| ProjectStanding::from(member).lets(ctx.command);
    Ok(own.into_iter().filter_map(|(account_id, member)| lets(member).then_some(account_id)).collect())
}

/// The account behind a project that the caller may look into.
///
/// # Errors
/// 431 when there is none, 531 when it is none of the caller's.
pub(super) async fn project_account(ctx: &Ctx, project: i64) -> Result<i64, ApiError> {
    let caller = &ctx.caller;
    let found = ctx.store.project_account(project).await?;
    let (account_id, path) = found.ok_or_else(|| ApiError::invalid_parameter("Unable to find project by id"))?;
    let in_reach = caller.is_domain_admin() && path.starts_with(&caller.domain_path);
    if !caller.is_root_admin()
        && !in_reach
        && !ctx.store.accounts_of_own_projects(caller.account_id, caller.user_id).await?.contains(&account_id)
    {
        return Err(not_yours());
    }
    Ok(account_id)
}

/// The id of a kind of thing that does not exist here, such as a VPC. No such id is ever found.
#[derive(Clone, Copy, Debug)]
pub struct NowhereId;

impl Value for NowhereId {
    const KIND: ParamType = ParamType::Uuid;

    fn convert<'a>(
        input: &'a Input<'a>,
        spec: &'static ParamSpec,
        arg: &'a Arg<'a>,
    ) -> impl Future<Output = Result<Option<Self>, ApiError>> + Send + 'a {
        let raw = match arg {
            Arg::Text(text) => text,
            Arg::Rows(_) => "",
        };
        ready(match raw {
            "-1" => Ok(Some(Self)),
            // As for ids of things that do exist: newer parameters ignore what cannot be an id.
            _ if spec.since.is_some() && !raw.is_empty() && !contains_uuid(raw) => Ok(None),
            _ => Err(input.invalid(&format!(
                "Invalid parameter {} value={raw} due to incorrect long value format, or entity does not exist or due to \
                 incorrect parameter annotation for the field in api cmd class.",
                spec.name
            ))),
        })
    }
}
