//! What tests of commands share: a database seeded from rows in JSON, and calls as a named user.
//!
//! Rows look like `{"table": [{"column": value, ...}, ...], ...}`. Columns that a table does not have are an error, so
//! that a misspelled one is found.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::Value as Json;
use stackmotion::api::{ApiError, Args, Envelope, Format, Reply, RoleType};
use stackmotion::auth::{AccountType, Caller, Rule};
use stackmotion::commands::{Action, Call, Ctx, Means, Policy, find};
use stackmotion::motion::{Motion, Patience};
use stackmotion::store::{Store, Tx, Value};

/// The text of a file below `tests/golden`.
pub fn golden(path: &str) -> String {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(path);
    fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// The JSON in a file below `tests/golden`.
pub fn golden_json(path: &str) -> Json {
    serde_json::from_str(&golden(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Empties the tables that `tables` names, those with rows of their own from the start included, and writes the rows.
pub async fn reset(store: &Store, tables: &Json) {
    for table in tables.as_object().expect("tables by name").keys() {
        store.db().run(&format!("DELETE FROM `{table}`"), Vec::new()).await.expect("an empty table");
    }
    seed(store, tables).await;
}

/// Writes rows; a row with the id of another takes its place.
pub async fn seed(store: &Store, tables: &Json) {
    let mut tx = store.begin().await.expect("a transaction");
    for (table, rows) in tables.as_object().expect("tables by name") {
        seed_in(&mut tx, table, rows.as_array().expect("rows")).await;
    }
    tx.commit().await.expect("the rows are kept");
}

/// Writes rows into one table.
pub async fn seed_in(tx: &mut Tx, table: &str, rows: &[Json]) {
    for row in rows {
        let row = row.as_object().expect("columns by name");
        let columns: Vec<String> = row.keys().map(|column| format!("`{column}`")).collect();
        let marks = vec!["?"; columns.len()].join(", ");
        let sql = format!("REPLACE INTO `{table}` ({}) VALUES ({marks})", columns.join(", "));
        let args = row.values().map(value).collect();
        tx.run(&sql, args).await.unwrap_or_else(|error| panic!("{table} {row:?}: {error:?}"));
    }
}

/// A value of JSON as one of a column.
pub fn value(json: &Json) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Bool(value) => Value::from(*value),
        Json::Number(number) => number.as_i64().map_or_else(|| number.as_f64().into(), Value::Int),
        Json::String(text) => Value::from(text.as_str()),
        other => panic!("{other} is no value of a column"),
    }
}

/// The caller that a user of the seeded database is.
pub async fn caller(store: &Store, username: &str) -> Caller {
    let row = store.db().row("SELECT id FROM user WHERE username = ?", vec![username.into()]).await.expect("users");
    let id: i64 = row.unwrap_or_else(|| panic!("no user {username}")).at(0).expect("an id");
    let identity = store.identity_by_user(id).await.expect("users").expect("the user");
    let rules = store.rules_of_role(identity.role_id).await.expect("rules");
    Caller {
        user_id: identity.user_id,
        user_uuid: identity.user_uuid,
        username: identity.username,
        account_id: identity.account_id,
        account_uuid: identity.account_uuid,
        account_name: identity.account,
        account_type: AccountType::from_number(identity.account_type),
        domain_id: identity.domain_id,
        domain_path: identity.domain_path,
        role_id: identity.role_id,
        role_type: RoleType::parse(&identity.role_type),
        rules: rules.into_iter().map(|rule| Rule { pattern: rule.pattern, allow: rule.allow }).collect(),
        key: None,
    }
}

/// What a command answered.
pub struct Answer {
    /// The status on the wire.
    pub status: u16,
    /// The body on the wire.
    pub body: String,
}

/// What commands work with when a user calls them.
async fn ctx(store: &Store, username: &str, command: &'static str) -> Ctx {
    let motion = Arc::new(Motion::new(store.clone(), Patience::default()));
    let means = Means {
        estate: Arc::new(stackmotion::estate::Estate::without_agents(store.clone())),
        motion,
        store: store.clone(),
        ids: Arc::new(store.clone()),
        policy: Arc::new(Policy::default()),
        calls: Arc::default(),
        feed: Arc::new(stackmotion::feed::Feed::new(store.clone(), Default::default())),
        answers: Arc::default(),
    };
    Ctx {
        means: Arc::new(means),
        command,
        caller: Arc::new(caller(store, username).await),
        resume_after: None,
        request_id: "test".into(),
    }
}

/// What a command that answers at once says to a user, before it is printed.
pub async fn reply(store: &Store, username: &str, command: &str, args: &[(&str, &str)]) -> Reply {
    let known = find(command).unwrap_or_else(|| panic!("{command} is not served"));
    let ctx = ctx(store, username, known.entry.spec.name).await;
    let args: Vec<_> = args.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    run(&ctx, known.entry.action, &args).await.expect("an answer")
}

/// Calls a command that answers at once, as a user, with parameters as a client sends them.
pub async fn call(store: &Store, username: &str, command: &str, args: &[(String, String)]) -> Answer {
    let known = find(command).unwrap_or_else(|| panic!("{command} is not served"));
    let ctx = ctx(store, username, known.entry.spec.name).await;
    let format = args.iter().find(|(name, _)| name.eq_ignore_ascii_case("response"));
    let envelope = Envelope {
        name: &known.envelope,
        format: Format::asked(format.map(|(_, word)| word.as_str())),
        version: Some("4.23.0.0-SNAPSHOT"),
    };
    let (status, body) = match run(&ctx, known.entry.action, args).await {
        Ok(reply) => (200, envelope.reply(&reply)),
        Err(error) => {
            let error = error.seen_by(ctx.caller.is_root_admin());
            (error.code.number(), envelope.error(&error))
        }
    };
    Answer { status, body: String::from_utf8(body.into()).expect("text") }
}

async fn run(ctx: &Ctx, action: Action, args: &[(String, String)]) -> Result<Reply, ApiError> {
    let args = Args::unpack(args.iter().map(|(name, value)| (name.as_str(), value.as_str())))?;
    let Action::Sync(run) = action else { panic!("the command submits a job") };
    run(Call { args: &args, ctx }).await
}
