//! A gateway that answers on a free port, on a database with the recorded rows.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::future::BoxFuture;
use serde_json::Value as Json;
use sha2::{Digest as _, Sha256};
use stackmotion::api::ApiError;
use stackmotion::auth::proxies::Proxies;
use stackmotion::auth::signature;
use stackmotion::commands::{JobDesk, JobDraft, Policy};
use stackmotion::dispatch::Gateway;
use stackmotion::http::{HttpServer, Limits, Listener, Options, Probe, TlsFiles, Ui};
use stackmotion::motion::{Motion, Patience};
use stackmotion::store::{Store, Submission, Value};
use stackmotion::upstream::{HttpUpstream, UpstreamSettings};

use super::raw_http::{RawRequest, RawResponse, escape_pairs};

const TABLES: &str = concat!(
    include_str!("../../migrations/0001_cloudstack_tables.sql"),
    include_str!("../../migrations/0005_accounts.sql")
);
const INVENTORY: &str = include_str!("../golden/inventory.json");
const ROWS: &str = include_str!("../golden/rows.json");

/// Accepts every job and remembers it.
#[derive(Default)]
pub struct NotedJobs {
    pub drafts: Mutex<Vec<JobDraft>>,
}

impl JobDesk for NotedJobs {
    fn earlier<'a>(&'a self, _: i64, _: &'a Submission) -> BoxFuture<'a, Result<Option<String>, ApiError>> {
        Box::pin(async { Ok(None) })
    }

    fn submit<'a>(&'a self, draft: JobDraft) -> BoxFuture<'a, Result<String, ApiError>> {
        let id =
            draft.submission.custom_id.clone().unwrap_or_else(|| "00000000-0000-4000-8000-000000000001".to_owned());
        self.drafts.lock().unwrap().push(draft);
        Box::pin(async move { Ok(id) })
    }
}

/// Asks the database for a row.
pub struct DatabaseProbe(pub Store);

impl Probe for DatabaseProbe {
    fn check(&self) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(
            async move { self.0.db().row("SELECT 1", vec![]).await.map(|_| ()).map_err(|error| error.to_string()) },
        )
    }
}

/// A running gateway. It stops when the test's runtime ends.
pub struct World {
    pub address: SocketAddr,
    pub store: Store,
    /// What was submitted.
    pub jobs: Arc<NotedJobs>,
}

impl World {
    /// Starts one with the recorded rows and keys `key-<user>` and `secret-<user>` for every user.
    pub async fn start() -> Self {
        Self::with(Policy::default()).await
    }

    /// The same with other decisions of the operator.
    pub async fn with(policy: Policy) -> Self {
        Self::with_tls(policy, None).await
    }

    /// The same, behind TLS when files are given.
    pub async fn with_tls(policy: Policy, tls: Option<&TlsFiles>) -> Self {
        Self::with_everything(policy, tls, Limits::default(), None).await
    }

    /// The same with limits of their own, and a web UI when there is one.
    pub async fn with_everything(policy: Policy, tls: Option<&TlsFiles>, limits: Limits, ui: Option<Ui>) -> Self {
        Self::made(policy, tls, Options { limits, ui, ..options() }, |_| None).await
    }

    /// The same, with proxies in front of it that are believed.
    pub async fn behind_proxies(policy: Policy, proxies: Proxies) -> Self {
        Self::made(policy, None, Options { proxies, ..options() }, |_| None).await
    }

    /// One that passes on what it does not serve; `upstream` is told where the gateway itself listens.
    pub async fn behind(upstream: impl FnOnce(SocketAddr) -> UpstreamSettings) -> Self {
        Self::between(Proxies::default(), upstream).await
    }

    /// The same, with proxies in front of it that are believed.
    pub async fn between(proxies: Proxies, upstream: impl FnOnce(SocketAddr) -> UpstreamSettings) -> Self {
        Self::made(Policy::default(), None, Options { proxies, ..options() }, |address| Some(upstream(address))).await
    }

    async fn made(
        policy: Policy,
        tls: Option<&TlsFiles>,
        options: Options,
        upstream: impl FnOnce(SocketAddr) -> Option<UpstreamSettings>,
    ) -> Self {
        let store = Store::open("sqlite::memory:").await.unwrap();
        seed(&store).await;
        let jobs = Arc::new(NotedJobs::default());
        let listener = Listener::bind("127.0.0.1:0".parse().unwrap(), tls).unwrap();
        let address = listener.address().unwrap();
        let gateway = Gateway::new(Arc::new(Motion::new(store.clone(), Patience::default())), jobs.clone(), policy);
        let server = store.db().row("SELECT uuid FROM mshost", vec![]).await.unwrap().unwrap();
        let mut gateway = gateway.of_server(&server.at::<String>(0).unwrap());
        if let Some(settings) = upstream(address) {
            gateway = gateway.with_upstream(Arc::new(HttpUpstream::new(settings).unwrap()));
        }
        let probe = Arc::new(DatabaseProbe(store.clone()));
        let server = HttpServer::start(vec![listener], gateway, probe, options).unwrap();
        tokio::spawn(server.run());
        Self { address, store, jobs }
    }

    /// Signs the pairs as `user` and sends them with GET.
    pub async fn get(&self, user: &str, pairs: &[(&str, &str)]) -> RawResponse {
        RawRequest::get(format!("/client/api?{}", escape_pairs(&signed(user, pairs)))).send(self.address).await
    }
}

/// How gateways of tests listen.
fn options() -> Options {
    Options {
        workers: 1,
        drain: Duration::from_secs(1),
        limits: Limits::default(),
        ui: None,
        proxies: Proxies::default(),
    }
}

/// How a test talks to an upstream on this address.
pub fn upstream_at(address: SocketAddr) -> UpstreamSettings {
    UpstreamSettings {
        target: format!("http://{address}/client/api").parse().unwrap(),
        ca: None,
        connect_timeout: Duration::from_secs(10),
        idle_timeout: Duration::from_secs(60),
        max_requests: 16,
    }
}

/// The pairs with key and signature of `user`.
pub fn signed<N: AsRef<str>, V: AsRef<str>>(user: &str, pairs: &[(N, V)]) -> Vec<(String, String)> {
    signed_with((&format!("key-{user}"), &format!("secret-{user}")), pairs)
}

/// The same with a key pair.
pub fn signed_with<N: AsRef<str>, V: AsRef<str>>(
    (key, secret): (&str, &str),
    pairs: &[(N, V)],
) -> Vec<(String, String)> {
    let mut all: Vec<(String, String)> =
        pairs.iter().map(|(name, value)| (name.as_ref().to_owned(), value.as_ref().to_owned())).collect();
    all.push(("apiKey".to_owned(), key.to_owned()));
    let text = signature::string_to_sign(all.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    all.push(("signature".to_owned(), signature::sign(secret, &text)));
    all
}

/// The stored form of the password `password-<user>`: salted SHA-256, which costs no time.
pub fn stored_password(user: &str) -> String {
    let digest = Sha256::digest(format!("password-{user}salt"));
    format!("{}:{}", STANDARD.encode("salt"), STANDARD.encode(digest))
}

/// Puts rows in the place of all that their tables had. Columns that are none of ours are left out.
pub async fn put(store: &Store, tables: &serde_json::Map<String, Json>) {
    for (table, rows) in tables {
        let columns = columns_of(table);
        store.db().run(&format!("DELETE FROM `{table}`"), vec![]).await.unwrap();
        for row in rows.as_array().unwrap() {
            insert(store, table, &columns, row.as_object().unwrap()).await;
        }
    }
}

/// Puts the recorded rows into a fresh database, and a key pair and a password for every user.
pub async fn seed(store: &Store) {
    let tables: serde_json::Map<String, Json> = serde_json::from_str(ROWS).unwrap();
    put(store, &tables).await;
    align(store).await;
    for row in tables["user"].as_array().unwrap() {
        let id = row["id"].as_i64().unwrap();
        let name = row["username"].as_str().unwrap();
        let sql = "INSERT INTO api_keypair (uuid, name, domain_id, account_id, user_id, api_key, secret_key, created) \
                   VALUES (?, ?, 1, ?, ?, ?, ?, '2026-11-23 00:00:00')";
        let args = vec![
            Value::Text(format!("00000000-0000-4000-9000-{id:012}")),
            Value::Text(name.to_owned()),
            Value::Int(row["account_id"].as_i64().unwrap()),
            Value::Int(id),
            Value::Text(format!("key-{name}")),
            Value::Text(format!("secret-{name}")),
        ];
        store.db().run(sql, args).await.unwrap();
        let sql = "UPDATE user SET password = ? WHERE id = ?";
        store.db().run(sql, vec![Value::Text(stored_password(name)), Value::Int(id)]).await.unwrap();
    }
}

/// The events and alerts that the recorded answers tell of, as rows.
const EVENTS: &str = include_str!("../golden/events.json");

/// Puts the recorded events and alerts into a database.
pub async fn seed_events(store: &Store) {
    let tables: serde_json::Map<String, Json> = serde_json::from_str(EVENTS).unwrap();
    for (table, rows) in &tables {
        let columns = columns_of(table);
        for row in rows.as_array().unwrap() {
            insert(store, table, &columns, row.as_object().unwrap()).await;
        }
    }
}

/// Takes the rows, which were read later, back to the moment at which the lists were recorded.
async fn align(store: &Store) {
    let inventory: Json = serde_json::from_str(INVENTORY).unwrap();
    for (table, keys) in [
        ("volumes", &["id"][..]),
        ("vm_instance", &["id"]),
        ("host", &["id"]),
        ("storage_pool", &["id"]),
        ("op_host_capacity", &["host_id", "capacity_type"]),
    ] {
        let columns = columns_of(table);
        let rows = inventory["db"][table].as_array().unwrap();
        if keys == ["id"] {
            let ids: Vec<_> = rows.iter().map(|row| row["id"].to_string()).collect();
            let sql = format!("DELETE FROM `{table}` WHERE id NOT IN ({})", ids.join(", "));
            store.db().run(&sql, vec![]).await.unwrap();
        }
        if table == "volumes" {
            // A cold copy takes the public id of the old row, so ids must be free before they are put back.
            store.db().run("UPDATE volumes SET uuid = NULL", vec![]).await.unwrap();
        }
        for row in rows {
            let row = row.as_object().unwrap();
            let changed: Vec<_> = row
                .iter()
                .filter(|(name, _)| columns.contains(&name.as_str()) && !keys.contains(&name.as_str()))
                .collect();
            let set: Vec<_> = changed.iter().map(|(name, _)| format!("`{name}` = ?")).collect();
            let which: Vec<_> = keys.iter().map(|key| format!("`{key}` = ?")).collect();
            let sql = format!("UPDATE `{table}` SET {} WHERE {}", set.join(", "), which.join(" AND "));
            let mut args: Vec<_> = changed.iter().map(|(_, value)| argument(value)).collect();
            args.extend(keys.iter().map(|key| argument(&row[*key])));
            store.db().run(&sql, args).await.unwrap();
        }
    }
}

async fn insert(store: &Store, table: &str, columns: &[&str], row: &serde_json::Map<String, Json>) {
    let known: Vec<_> = row.iter().filter(|(name, _)| columns.contains(&name.as_str())).collect();
    let names: Vec<_> = known.iter().map(|(name, _)| format!("`{name}`")).collect();
    let marks = vec!["?"; known.len()].join(", ");
    let sql = format!("INSERT INTO `{table}` ({}) VALUES ({marks})", names.join(", "));
    let args = known.iter().map(|(_, value)| argument(value)).collect();
    store.db().run(&sql, args).await.unwrap_or_else(|error| panic!("{table}: {error:?} {row:?}"));
}

fn argument(value: &Json) -> Value {
    match value {
        Json::Null => Value::Null,
        Json::Bool(value) => Value::Int(i64::from(*value)),
        Json::Number(number) => match number.as_i64() {
            Some(number) => Value::Int(number),
            None => Value::Real(number.as_f64().unwrap()),
        },
        Json::String(text) => Value::Text(text.clone()),
        other => Value::Text(other.to_string()),
    }
}

/// The columns of a table, read from the migration that makes it.
fn columns_of(table: &str) -> Vec<&'static str> {
    let start = TABLES.find(&format!("CREATE TABLE `{table}` (")).unwrap_or_else(|| panic!("no table {table}"));
    let body = &TABLES[start..];
    let body = &body[..body.find("\n);").unwrap()];
    body.lines().skip(1).filter_map(|line| line.trim().strip_prefix('`')?.split('`').next()).collect()
}
