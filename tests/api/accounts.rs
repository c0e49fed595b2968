//! Accounts and keys in a running gateway, with the jobs that some of their commands are: a key works, is kept out, and
//! works again; secrets stay where they belong.

use std::time::{Duration, Instant};

use serde_json::Value as Json;
use stackmotion::app::App;
use stackmotion::auth::signature;
use stackmotion::settings::{Effective, Settings, SettingsArgs, Sources};
use stackmotion::store::Store;
use tempfile::TempDir;

use crate::support::database::{self, Database};
use crate::support::raw_http::{RawRequest, escape_pairs};

const PASSWORD: &str = "c4rls pa55word";
/// How long a job may take that should be over at once.
const LIMIT: Duration = Duration::from_secs(60);

/// Both halves of a key pair.
type Keys = (String, String);

struct Gateway {
    app: App,
    admin: Keys,
    _folder: TempDir,
}

impl Gateway {
    async fn start(database: &Database) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let flags = SettingsArgs {
            port: Some("0".to_owned()),
            data_dir: Some(folder.path().display().to_string()),
            database_url: Some(database.url.clone()),
            ..SettingsArgs::default()
        };
        let effective = Effective::load(&Sources { env: Vec::new(), flags }).expect("settings");
        let app = App::start(&Settings::from_effective(&effective).expect("settings")).await.expect("a gateway");
        let key = app.first_key.clone().expect("the key of a fresh database");
        Self { app, admin: (key.api_key, key.secret_key.expose().to_owned()), _folder: folder }
    }

    /// The status, and what stands inside the envelope.
    async fn call(&self, keys: &Keys, command: &str, args: &[(&str, &str)]) -> (u16, Json) {
        let mut pairs = vec![("command", command), ("response", "json"), ("apiKey", keys.0.as_str())];
        pairs.extend(args);
        let given = signature::sign(&keys.1, &signature::string_to_sign(pairs.iter().copied()));
        pairs.push(("signature", &given));
        let answer = RawRequest::form("/client/api", escape_pairs(&pairs)).send(self.app.address).await;
        let body: Json = serde_json::from_str(&answer.body).unwrap_or_else(|error| panic!("{error}: {}", answer.body));
        (answer.status, body.as_object().expect("an envelope").values().next().expect("its inside").clone())
    }

    /// The same for a command that is a job: its final answer.
    async fn job(&self, command: &str, args: &[(&str, &str)]) -> Json {
        self.job_of(&self.admin, command, args).await
    }

    async fn job_of(&self, keys: &Keys, command: &str, args: &[(&str, &str)]) -> Json {
        let (status, accepted) = self.call(keys, command, args).await;
        assert_eq!(status, 200, "{command}: {accepted}");
        let id = accepted["jobid"].as_str().expect("a job").to_owned();
        let deadline = Instant::now() + LIMIT;
        loop {
            let (_, job) = self.call(keys, "queryAsyncJobResult", &[("jobid", &id)]).await;
            if job["jobstatus"] != 0 {
                return job;
            }
            assert!(Instant::now() < deadline, "{command}: the job does not end");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// A new user in an account of this type: the id, and a pair of keys.
    async fn person(&self, username: &str, account_type: &str) -> (String, Keys) {
        let email = format!("{username}@example.test");
        let new = [
            ("accounttype", account_type),
            ("email", &email),
            ("firstname", username),
            ("lastname", "Test"),
            ("username", username),
            ("password", PASSWORD),
        ];
        let (_, made) = self.call(&self.admin, "createAccount", &new).await;
        let user = made["account"]["user"][0]["id"].as_str().expect("an id").to_owned();
        let keys = keys_of(&self.job("registerUserKeys", &[("id", &user)]).await);
        (user, keys)
    }

    async fn lets_in(&self, keys: &Keys) -> bool {
        let (status, inside) = self.call(keys, "listUsers", &[]).await;
        assert!(matches!(status, 200 | 401), "{status} {inside}");
        status == 200
    }
}

/// The events of a type in their order: state and text.
async fn events(store: &Store, kind: &str) -> Vec<(String, String)> {
    let sql = "SELECT state, description FROM event WHERE type = ? ORDER BY id";
    let rows = store.db().rows(sql, vec![kind.into()]).await.expect("events");
    rows.iter().map(|row| (row.at(0).expect("a state"), row.at(1).expect("a text"))).collect()
}

fn keys_of(job: &Json) -> Keys {
    let pair = &job["jobresult"]["userkeys"];
    let half = |name: &str| pair[name].as_str().unwrap_or_else(|| panic!("no {name}: {job}")).to_owned();
    (half("apikey"), half("secretkey"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_life_of_an_account() {
    for (kind, database) in database::each().await {
        let gateway = Gateway::start(&database).await;
        let store = &database.store;
        let new = [
            ("accounttype", "0"),
            ("email", "carl@example.test"),
            ("firstname", "Carl"),
            ("lastname", "Test"),
            ("username", "carl"),
            ("password", PASSWORD),
        ];
        let (status, made) = gateway.call(&gateway.admin, "createAccount", &new).await;
        assert_eq!(status, 200, "{kind}: {made}");
        let account = made["account"]["id"].as_str().expect("an id").to_owned();
        let user = made["account"]["user"][0]["id"].as_str().expect("an id").to_owned();
        let id = ("id", user.as_str());

        let registered = gateway.job("registerUserKeys", &[id, ("name", "first"), ("description", "of Carl")]).await;
        assert_eq!(registered["jobinstancetype"], "User", "{kind}: {registered}");
        assert_eq!(registered["jobinstanceid"], user.as_str(), "{kind}: {registered}");
        let pair = &registered["jobresult"]["userkeys"];
        for (field, value) in [
            ("name", "first"),
            ("description", "of Carl"),
            ("username", "carl"),
            ("accounttype", "NORMAL"),
            ("state", "ENABLED"),
            ("domainpath", "ROOT"),
        ] {
            assert_eq!(pair[field], value, "{kind} {field}: {pair}");
        }
        let keys = keys_of(&registered);
        assert!(gateway.lets_in(&keys).await, "{kind}: the new key works");
        let (_, seen) = gateway.call(&keys, "listUsers", &[("listall", "true")]).await;
        assert_eq!((seen["count"].as_i64(), seen["user"][0]["username"].as_str()), (Some(1), Some("carl")), "{kind}");

        let disabled = gateway.job("disableUser", &[id]).await;
        let user_then = &disabled["jobresult"]["user"];
        assert_eq!(user_then["state"], "disabled", "{kind}: {disabled}");
        // The job still ran when its result was made.
        assert_eq!(user_then["jobid"], disabled["jobid"], "{kind}: {disabled}");
        assert_eq!(user_then["jobstatus"], 0, "{kind}: {disabled}");
        assert!(!gateway.lets_in(&keys).await, "{kind}: disabled");
        let (_, enabled) = gateway.call(&gateway.admin, "enableUser", &[id]).await;
        assert_eq!(enabled["user"]["state"], "enabled", "{kind}: {enabled}");
        assert!(enabled["user"].get("jobid").is_none(), "{kind}: {enabled}");
        assert!(gateway.lets_in(&keys).await, "{kind}: enabled again");

        for (lock, state) in [("true", "locked"), ("false", "disabled")] {
            let out = gateway.job("disableAccount", &[("id", &account), ("lock", lock)]).await;
            assert_eq!(out["jobresult"]["account"]["state"], state, "{kind}: {out}");
            assert_eq!(out["jobresult"]["account"]["jobid"], out["jobid"], "{kind}: {out}");
            assert!(!gateway.lets_in(&keys).await, "{kind}: {state}");
            let (_, back) = gateway.call(&gateway.admin, "enableAccount", &[("id", &account)]).await;
            assert_eq!(back["account"]["state"], "enabled", "{kind}: {back}");
            assert!(gateway.lets_in(&keys).await, "{kind}: enabled after {state}");
        }

        let pair_id = pair["id"].as_str().expect("an id");
        let deleted = gateway.job("deleteUserKeys", &[("keypairid", pair_id)]).await;
        assert_eq!(deleted["jobresult"]["success"], true, "{kind}: {deleted}");
        assert!(!gateway.lets_in(&keys).await, "{kind}: the pair is gone");
        let again = gateway.job("deleteUserKeys", &[("keypairid", pair_id)]).await;
        assert_eq!(again["jobresultcode"], 431, "{kind}: {again}");

        told(store, kind, &user).await;
        nothing_secret_is_written_down(store, kind, &keys).await;
        gateway.app.stop().await;
    }
}

/// The events are CloudStack's.
async fn told(store: &Store, kind: &str, user: &str) {
    let text = |state: &str, text: String| (state.to_owned(), text);
    assert_eq!(
        events(store, "USER.DISABLE").await,
        [
            text("Scheduled", format!("disabling user: {user}")),
            text("Started", format!("Disabling User. User ID: {user}")),
            text("Completed", format!("Successfully completed disabling User. User ID: {user}")),
        ],
        "{kind}"
    );
    assert_eq!(
        events(store, "REGISTER.USER.KEY").await[0],
        text("Scheduled", format!("Registering API keypair for user [{user}].")),
        "{kind}"
    );
    assert_eq!(
        events(store, "USER.ENABLE").await,
        [text("Completed", format!("Successfully completed enabling User. UserId: {user}"))],
        "{kind}"
    );
    assert_eq!(events(store, "ACCOUNT.DISABLE").await.len(), 6, "{kind}");
    assert_eq!(events(store, "ACCOUNT.ENABLE").await.len(), 2, "{kind}");
    let deletions = events(store, "DELETE.USER.KEY").await;
    assert_eq!(deletions.last().expect("events").1, "Error while deleting API keypair", "{kind}: {deletions:?}");
}

/// Neither the password nor a half of the key stands in events or in what jobs were asked for.
async fn nothing_secret_is_written_down(store: &Store, kind: &str, keys: &Keys) {
    for secret in [PASSWORD, &keys.0, &keys.1] {
        for (table, column) in [
            ("event", "description"),
            ("async_job", "job_cmd_info"),
            ("motion_job", "parameters"),
            ("user", "password"),
        ] {
            let sql = format!("SELECT COUNT(*) FROM {table} WHERE {column} LIKE ?");
            let row = store.db().row(&sql, vec![format!("%{secret}%").into()]).await.expect("rows").expect("a count");
            assert_eq!(row.at::<i64>(0).expect("a number"), 0, "{kind} {table}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pairs_that_cannot_be_are_refused_by_their_job() {
    let database = database::sqlite().await;
    let gateway = Gateway::start(&database).await;
    let (_, users) = gateway.call(&gateway.admin, "listUsers", &[]).await;
    let id = ("id", users["user"][0]["id"].as_str().expect("an id"));
    let rule = ("rules[0].rule", "listZones");
    let allow = ("rules[0].permission", "allow");
    let long = "x".repeat(256);
    let cases: [(&[(&str, &str)], &str); 8] = [
        (
            &[("enddate", "2020-01-01")],
            "Keypair cannot be created with expired date, please input a date in the future.",
        ),
        (
            &[("startdate", "2999-02-01"), ("enddate", "2999-01-01")],
            "Please specify an end date that is after the start date.",
        ),
        (&[allow], "Empty rule has been provided in the [rules] parameter."),
        (&[("rules[0].rule", ""), allow], "Empty rule has been provided in the [rules] parameter."),
        (&[rule], "Rule [listZones] has no permission associated with it"),
        (&[rule, ("rules[0].permission", "perhaps")], "should be: allow or deny"),
        (&[("rules[0].rule", "list Zones; x"), allow], "Only API names and wildcards are allowed"),
        (&[rule, allow, ("rules[0].description", &long)], "Rule description cannot be longer than 255 characters."),
    ];
    for (args, text) in cases {
        let pairs: Vec<_> = [id].into_iter().chain(args.iter().copied()).collect();
        let job = gateway.job("registerUserKeys", &pairs).await;
        assert_eq!((job["jobstatus"].as_i64(), job["jobresultcode"].as_i64()), (Some(2), Some(431)), "{args:?}: {job}");
        assert!(job["jobresult"]["errortext"].as_str().is_some_and(|told| told.contains(text)), "{args:?}: {job}");
    }
    let (_, keys) = gateway.call(&gateway.admin, "listUserKeys", &[]).await;
    assert_eq!(keys["count"], 1, "nothing was made: {keys}");
    let pairs = [id, rule, allow, ("rules[0].description", "zones"), ("startdate", "2999-01-01")];
    let job = gateway.job("registerUserKeys", &pairs).await;
    let permissions = &job["jobresult"]["userkeys"]["permissions"];
    let expected = serde_json::json!([{"rule": "listZones", "permission": "allow", "description": "zones"}]);
    assert_eq!(*permissions, expected, "{job}");
    assert!(!gateway.lets_in(&keys_of(&job)).await, "not yet valid");
    gateway.app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_admin_of_a_domain_does_not_touch_who_stands_above() {
    let database = database::sqlite().await;
    let gateway = Gateway::start(&database).await;
    let (_, dora) = gateway.person("dora", "2").await;
    let (_, admins) = gateway.call(&gateway.admin, "listAccounts", &[("name", "admin")]).await;
    let (account, domain) = (&admins["account"][0]["id"], &admins["account"][0]["domainid"]);
    let (account, domain) = (account.as_str().expect("an id"), domain.as_str().expect("an id"));

    let (_, users) = gateway.call(&gateway.admin, "listUsers", &[("username", "admin")]).await;
    let user = ("id", users["user"][0]["id"].as_str().expect("an id"));
    let (_, pairs) = gateway.call(&gateway.admin, "listUserKeys", &[("userid", user.1)]).await;
    let pair = ("keypairid", pairs["userapikey"][0]["id"].as_str().unwrap_or_else(|| panic!("no id: {pairs}")));
    let lock = ("lock", "false");
    for (command, args, code) in [
        ("disableAccount", &[("id", account), lock][..], 530),
        ("disableAccount", &[("account", "admin"), ("domainid", domain), lock], 530),
        // A domain alone names no account.
        ("disableAccount", &[("domainid", domain), lock], 431),
        ("disableUser", &[user], 530),
        ("registerUserKeys", &[user], 530),
        ("deleteUserKeys", &[pair], 530),
    ] {
        let job = gateway.job_of(&dora, command, args).await;
        assert_eq!(
            (job["jobstatus"].as_i64(), job["jobresultcode"].as_i64()),
            (Some(2), Some(code)),
            "{command} {args:?}: {job}"
        );
    }
    assert!(gateway.lets_in(&gateway.admin).await);
    gateway.app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_with_the_id_of_a_pair_does_not_give_the_pair_away() {
    let database = database::sqlite().await;
    let gateway = Gateway::start(&database).await;
    let (user, mallory) = gateway.person("mallory", "0").await;
    let user = user.as_str();
    let (_, users) = gateway.call(&gateway.admin, "listUsers", &[("username", "admin")]).await;
    let admin = users["user"][0]["id"].as_str().expect("an id");
    let victim = gateway.job("registerUserKeys", &[("id", admin), ("name", "second")]).await;
    let secret = victim["jobresult"]["userkeys"]["secretkey"].as_str().expect("a secret key").to_owned();
    let (_, pairs) = gateway.call(&gateway.admin, "listUserKeys", &[("userid", admin)]).await;
    let ids: Vec<&str> =
        pairs["userapikey"].as_array().expect("pairs").iter().filter_map(|it| it["id"].as_str()).collect();
    assert_eq!(ids.len(), 2, "{pairs}");
    let jobs = [victim["jobid"].as_str().expect("an id"), admin];
    assert!(!ids.contains(&jobs[0]), "a pair has an id of its own: {pairs}");
    for id in ids.into_iter().chain(jobs) {
        for whose in [user, admin] {
            let args = [("id", whose), ("customjobid", id)];
            let (status, accepted) = gateway.call(&mallory, "registerUserKeys", &args).await;
            let told = match accepted["jobid"].as_str() {
                Some(_) => gateway.job_of(&mallory, "registerUserKeys", &[("id", whose)]).await.to_string(),
                None => accepted.to_string(),
            };
            let (_, job) = gateway.call(&mallory, "queryAsyncJobResult", &[("jobid", id)]).await;
            assert!(
                !told.contains(&secret) && !job.to_string().contains(&secret),
                "{status} {id} {whose}: {told} {job}"
            );
        }
    }
    gateway.app.stop().await;
}
