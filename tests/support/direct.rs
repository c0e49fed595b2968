//! A gateway that is asked without a network, on a fresh database with accounts of all default roles in several domains.

use std::net::IpAddr;
use std::sync::Arc;

use futures_util::TryStreamExt as _;
use serde_json::Value as Json;
use stackmotion::auth::signature;
use stackmotion::commands::Policy;
use stackmotion::dispatch::{Gateway, Outgoing, RawRequest, Verb};
use stackmotion::model::Secret;
use stackmotion::motion::{Motion, Patience};
use stackmotion::store::{KeyPair, NewAccount, NewKey, NewUser, Store};

use super::world::NotedJobs;

/// The domain below the root, and two beside each other below it.
pub const ENG: i64 = 2;
pub const OPS: i64 = 3;
pub const LAB: i64 = 4;

/// The public id of one of these domains.
pub fn domain_uuid(id: i64) -> String {
    format!("00000000-0000-4000-b000-{id:012}")
}

/// A gateway, its database, and what was submitted.
pub struct Direct {
    pub store: Store,
    pub jobs: Arc<NotedJobs>,
    gateway: Gateway,
}

/// A user with a key pair.
#[derive(Clone, Debug)]
pub struct Person {
    pub name: String,
    pub account_id: i64,
    pub account_uuid: String,
    pub user_id: i64,
    pub user_uuid: String,
    pub api_key: String,
    pub secret: String,
}

/// What came back.
pub struct Answered {
    pub status: u16,
    pub body: String,
}

impl Answered {
    /// What stands inside the envelope of an answer in JSON.
    pub fn inside(&self) -> Json {
        let body: Json = serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body));
        body.as_object().expect("an envelope").values().next().expect("its inside").clone()
    }
}

impl Direct {
    /// One on an empty database: the roles, the administrator, and three domains: `/eng/`, `/ops/` and `/eng/lab/`.
    pub async fn start(store: &Store) -> Self {
        store.bootstrap().await.expect("roles and an administrator");
        for (id, parent, name, path, level) in
            [(ENG, 1, "eng", "/eng/", 1), (OPS, 1, "ops", "/ops/", 1), (LAB, ENG, "lab", "/eng/lab/", 2)]
        {
            let sql = format!(
                "INSERT INTO domain (id, parent, name, uuid, owner, path, level, state) VALUES \
                 ({id}, {parent}, '{name}', '{}', 2, '{path}', {level}, 'Active')",
                domain_uuid(id)
            );
            store.db().run(&sql, vec![]).await.expect("a domain");
        }
        let jobs = Arc::new(NotedJobs::default());
        let motion = Arc::new(Motion::new(store.clone(), Patience::default()));
        let gateway = Gateway::new(motion, jobs.clone(), Policy::default());
        Self { store: store.clone(), jobs, gateway }
    }

    /// An account with one user and a key pair.
    pub async fn person(&self, name: &str, kind: i64, role_id: i64, domain_id: i64) -> Person {
        let account = NewAccount {
            uuid: uuid::Uuid::new_v4().to_string(),
            name: name.to_owned(),
            kind,
            role_id,
            domain_id,
            network_domain: None,
            details: Default::default(),
        };
        let mut tx = self.store.begin().await.expect("a transaction");
        let account_id = tx.account_insert(&account).await.expect("an account");
        tx.commit().await.expect("an account");
        self.colleague(name, account_id).await
    }

    /// A further user of an account, with a key pair.
    pub async fn colleague(&self, name: &str, account_id: i64) -> Person {
        let user = NewUser {
            uuid: uuid::Uuid::new_v4().to_string(),
            username: name.to_owned(),
            password: Secret::new("!".to_owned()),
            first_name: name.to_owned(),
            last_name: "Test".to_owned(),
            email: format!("{name}@example.test"),
            timezone: None,
            change_password: false,
        };
        let mut tx = self.store.begin().await.expect("a transaction");
        let user_id = tx.user_insert(account_id, &user).await.expect("a user");
        tx.commit().await.expect("a user");
        let made = self.store.user_by_id(user_id).await.expect("users").expect("the user");
        let mut person = Person {
            name: name.to_owned(),
            account_id,
            account_uuid: made.account.uuid,
            user_id,
            user_uuid: user.uuid,
            api_key: String::new(),
            secret: String::new(),
        };
        (person.api_key, person.secret) = self.key(&person, |_| {}).await;
        person
    }

    /// A further key pair of a user, changed before it is written.
    pub async fn key(&self, person: &Person, change: impl FnOnce(&mut NewKey)) -> (String, String) {
        let user = self.store.user_by_id(person.user_id).await.expect("users").expect("the user");
        let pair = KeyPair::random();
        let mut new = NewKey {
            uuid: uuid::Uuid::new_v4().to_string(),
            name: None,
            description: None,
            starts: None,
            ends: None,
            rules: Vec::new(),
        };
        change(&mut new);
        let mut tx = self.store.begin().await.expect("a transaction");
        let secret = self.store.seal_api_secret(&new.uuid, &pair.secret_key).expect("a secret");
        tx.key_insert(&user, &pair.api_key, &secret, &new).await.expect("a key pair");
        tx.commit().await.expect("a key pair");
        (pair.api_key, pair.secret_key.expose().to_owned())
    }

    /// Signs a call as a user and asks, from an address.
    pub async fn call_from(&self, peer: &str, person: &Person, pairs: &[(&str, &str)]) -> Answered {
        let mut pairs: Vec<(String, String)> =
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        pairs.push(("apiKey".to_owned(), person.api_key.clone()));
        let text = signature::string_to_sign(pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        pairs.push(("signature".to_owned(), signature::sign(&person.secret, &text)));
        let request = RawRequest {
            pairs,
            cookies: Vec::new(),
            session_in_path: None,
            is_encrypted: false,
            is_cross_site: false,
            resume_after: None,
            original: None,
            verb: Verb::Post,
            peer: peer.parse::<IpAddr>().expect("an address"),
            request_id: "test".into(),
        };
        match self.gateway.answer(request).await {
            Outgoing::Own(answer) => {
                Answered { status: answer.status, body: String::from_utf8(answer.body.into()).expect("text") }
            }
            Outgoing::List(_, pieces) => {
                let pieces: Vec<_> = pieces.try_collect().await.expect("the whole answer");
                Answered { status: 200, body: String::from_utf8(pieces.concat()).expect("text") }
            }
            // Nobody takes it.
            Outgoing::Flow(_) => Answered { status: 200, body: String::new() },
            Outgoing::Passed(_) => panic!("there is no upstream"),
        }
    }

    /// The same from this machine, in JSON.
    pub async fn call(&self, person: &Person, command: &str, args: &[(&str, &str)]) -> Answered {
        let mut pairs = vec![("command", command), ("response", "json")];
        pairs.extend(args);
        self.call_from("127.0.0.1", person, &pairs).await
    }
}
