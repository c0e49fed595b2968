//! `listApis`: the commands that the caller may use (`contract/api-protocol.md 8.1`).

use super::{COMMANDS, Ctx, SyncCommand};
use crate::api::{ApiError, CommandSpec, FieldSpec, Kind, Node, ParamSpec, Reply, Shape, printed};
use crate::auth::{InProject, may_call};
use crate::model::signed;

crate::command! {
    /// Lists the commands that the caller may use, with their parameters and what they answer.
    pub struct ListApis {
        /// Only the command with exactly this name.
        name: Option<String>,
        /// Only what the caller's role inside this project lets through as well.
        project "projectid": Option<String> [hidden(true)],
    }
    name "listApis", since "4.1.0", kind Sync, http Get, response [ApiView],
    roles [Admin, ResourceAdmin, DomainAdmin, User],
    java "org.apache.cloudstack.api.command.user.discovery.ListApisCmd"
}

crate::response! {
    /// A command of this API.
    pub struct ApiView as "api" {
        /// The name of the command.
        name: String,
        /// What it does.
        description: String,
        /// The version that brought it.
        since: Option<String>,
        /// Whether it answers with a job.
        is_async "isasync": bool,
        /// Other commands that answer with the same kind of object, separated by commas.
        related: Option<String>,
        /// Its parameters.
        params: Vec<ApiParamView>,
        /// The fields of its answer.
        response: Vec<Node>,
        /// The HTTP method it is meant for.
        http_request_type "httprequesttype": String,
    }
}

crate::response! {
    /// A parameter of a command.
    pub struct ApiParamView as "params" {
        /// The name of the parameter.
        name: String,
        /// What it means.
        description: String,
        /// The kind of value.
        kind "type": String,
        /// The longest text it takes.
        length: i64,
        /// Whether the command is refused without it.
        required: bool,
        /// The version that brought it.
        since: Option<String>,
        /// Commands that answer with what the id names, separated by commas.
        related: Option<String>,
    }
}

/// What is shown in a session of somebody who has to change the password first. Other calls are not refused: the web
/// interface makes its menus from this list, and that is all that CloudStack does about it (`contract/api-protocol.md 8.1`).
const BEFORE_NEW_PASSWORD: [&str; 4] = ["login", "logout", "updateUser", "listApis"];

impl SyncCommand for ListApis {
    async fn run(self, ctx: &Ctx) -> Result<Reply, ApiError> {
        let all = COMMANDS.iter().map(|entry| entry.spec);
        let lets = |spec: &CommandSpec| may_call(&ctx.caller, spec) && ctx.caller.key_lets(spec.name);
        let mut allowed: Vec<_> = all.clone().filter(|spec| lets(spec)).collect();
        let is_session = ctx.caller.key.is_none();
        if is_session && ctx.store.must_change_password(ctx.caller.user_id).await? {
            allowed.retain(|spec| BEFORE_NEW_PASSWORD.contains(&spec.name));
        }
        if let Some(project) = self.project.as_deref().filter(|_| ctx.caller.is_bound_in_projects()) {
            let found = InProject::read(&ctx.store, project, ctx.caller.account_id, ctx.caller.user_id).await?;
            // Who does not belong to it does not get here.
            allowed.retain(|spec| found.as_ref().is_none_or(|found| found.standing.lets(spec.name)));
        }
        let shown = Shown { allowed: &allowed, hides_roots: is_session && !ctx.caller.is_root_admin() };
        let views = match self.name.as_deref().filter(|name| is_session || !name.is_empty()) {
            None => shown.views(&allowed),
            Some(name) => match allowed.iter().find(|spec| spec.name == name) {
                Some(spec) => shown.views(&[*spec]),
                // CloudStack answers with everything when the name is not for this caller's key. In a session it says that there is no
                // such command, except to who has to change the password first.
                None if all.clone().any(|spec| spec.name == name && (!is_session || lets(spec))) => {
                    shown.views(&allowed)
                }
                None => {
                    return Err(ApiError::command_failed(
                        "Api Discovery plugin was unable to find an api by that name or process any apis",
                    ));
                }
            },
        };
        Ok(Reply::all(views))
    }
}

/// What of the commands is shown.
struct Shown<'a> {
    /// Those that the caller may use.
    allowed: &'a [&'static CommandSpec],
    /// Whether parameters that only root admins may give are left out: so it is in the sessions of others, and not where a key
    /// signs (`contract/api-protocol.md` 8.1).
    hides_roots: bool,
}

impl Shown<'_> {
    fn views(&self, wanted: &[&'static CommandSpec]) -> Vec<ApiView> {
        wanted.iter().map(|spec| self.view(spec)).collect()
    }

    fn view(&self, spec: &CommandSpec) -> ApiView {
        let is_plain = spec.shape == Shape::Bare && spec.response.object == "success";
        let params = spec.all_params().filter(|param| !(param.hidden || self.hides_roots && param.root_only));
        ApiView {
            name: spec.name.to_owned(),
            description: spec.description.to_owned(),
            since: spec.since.map(str::to_owned),
            is_async: spec.kind == Kind::Async,
            related: (!is_plain).then(|| related(spec.response.object, Some(spec.name), self.allowed)),
            params: params.map(|param| param_view(param, self.allowed)).collect(),
            response: response_fields(spec.response.fields),
            http_request_type: spec.http.word().to_owned(),
        }
    }
}

fn param_view(param: &ParamSpec, allowed: &[&'static CommandSpec]) -> ApiParamView {
    ApiParamView {
        name: param.name.to_owned(),
        description: param.description.to_owned(),
        kind: param.kind.word().to_owned(),
        length: signed(param.max_length),
        required: param.required,
        since: param.since.map(str::to_owned),
        related: param.entity.map(|entity| related(entity.object_name(), None, allowed)),
    }
}

/// The commands that answer with this kind of object.
fn related(object: &str, without: Option<&str>, allowed: &[&'static CommandSpec]) -> String {
    let names: Vec<_> = allowed
        .iter()
        .filter(|spec| spec.response.object.eq_ignore_ascii_case(object) && Some(spec.name) != without)
        .map(|spec| spec.name)
        .collect();
    names.join(",")
}

/// The fields of an answer. Every object may carry a job, and CloudStack ends the list with two empty objects, which
/// clients know to skip.
fn response_fields(fields: &'static [FieldSpec]) -> Vec<Node> {
    let mut nodes: Vec<_> = printed(fields).map(field_node).collect();
    for (name, description, kind) in [
        ("jobid", "The id of the newest job that works on the object.", "string"),
        ("jobstatus", "The state of that job: 0 while it runs.", "integer"),
    ] {
        if !printed(fields).any(|field| field.name == name) {
            nodes.push(described(name, description, kind, None));
        }
    }
    nodes.extend([Node::Object(Vec::new()), Node::Object(Vec::new())]);
    nodes
}

fn field_node(field: &FieldSpec) -> Node {
    let members = field.nested.map(|nested| printed(nested.fields).map(field_node).collect());
    described(field.name, field.description, field.kind, members)
}

fn described(name: &'static str, description: &'static str, kind: &'static str, members: Option<Vec<Node>>) -> Node {
    let mut fields: Vec<(_, Node)> =
        vec![("name".into(), name.into()), ("description".into(), description.into()), ("type".into(), kind.into())];
    if let Some(members) = members {
        fields.push(("response".into(), Node::List(members)));
    }
    Node::Object(fields)
}
