//! What clients send, byte for byte as it was recorded with the real ones (`contract/clients.md` 1 to 9): request lines,
//! headers, order and spelling of everything. Ids, keys, times and signatures are ours, the rest is theirs. No recording
//! says which secret it was signed with, so the recorded signatures themselves prove nothing and are made anew.

use std::collections::BTreeMap;

use stackmotion::auth::signature;
use stackmotion::model::Timestamp;

use crate::support::raw_http::exchange;
use crate::support::world::World;

const VM: &str = "cca7d3d3-cb3a-4e34-9b04-a31b32bf8cf5";
const HOST: &str = "11d831c1-8261-40b0-878c-2a57c192fa7f";
const VOLUMES: [&str; 2] = ["e2db7137-ad2d-43d0-9a4d-9701f66b6805", "21eb1602-9508-4c14-9ce6-755da5da6bed"];
const POOL: &str = "42fe8163-9b62-33bc-8fba-022ce7967d6d";

/// How a client spells the things that differ from call to call.
#[derive(Clone, Copy)]
struct Spelling {
    /// What comes after date and time in `expires`.
    zone: &'static str,
    /// Characters of `expires` and of the signature that the client does not escape.
    bare: &'static str,
}

const PLUS_ZONE: Spelling = Spelling { zone: "+0000", bare: "" };
const Z_ZONE: Spelling = Spelling { zone: "Z", bare: "" };
const BARE: Spelling = Spelling { zone: "+0000", bare: ":/" };

/// A request of a client. Words in braces are filled in.
struct Recorded {
    client: &'static str,
    spelling: Spelling,
    line: &'static str,
    headers: &'static [&'static str],
    /// A form, or nothing.
    body: &'static str,
}

const GO: &[&str] = &["Host: {address}", "User-Agent: Go-http-client/1.1", "Accept-Encoding: gzip"];
const GO_FORM: &[&str] = &[
    "Host: {address}",
    "User-Agent: Go-http-client/1.1",
    "Content-Length: {length}",
    "Content-Type: application/x-www-form-urlencoded",
    "Accept-Encoding: gzip",
];
const URLLIB: &[&str] = &["Host: {address}", "Accept-Encoding: identity", "User-Agent: python-urllib3/2.8.0"];
const URLLIB_FORM: &[&str] = &[
    "Host: {address}",
    "Accept-Encoding: identity",
    "Content-Length: {length}",
    "Content-Type: application/x-www-form-urlencoded",
    "User-Agent: python-urllib3/2.8.0",
];
// Two blanks at the end of the agent's name are no mistake of ours.
const LIBCLOUD: &[&str] = &[
    "Host: {address}",
    "User-Agent: libcloud/3.9.1 (CloudStack) ",
    "Accept-Encoding: gzip,deflate",
    "Accept: */*",
    "Connection: keep-alive",
];
const LIBCLOUD_POST: &[&str] = &[
    "Host: {address}",
    "User-Agent: libcloud/3.9.1 (CloudStack) ",
    "Accept-Encoding: gzip,deflate",
    "Accept: */*",
    "Connection: keep-alive",
    "Content-Length: 0",
];
const REQUESTS: &[&str] = &[
    "Host: {address}",
    "User-Agent: python-requests/2.34.2",
    "Accept-Encoding: gzip, deflate",
    "Accept: */*",
    "Connection: keep-alive",
];
const JAVA: &[&str] = &[
    "Host: {address}",
    "Connection: Keep-Alive",
    "User-Agent: Apache-HttpClient/4.5.2 (Java/17.0.15)",
    "Accept-Encoding: gzip,deflate",
];
const LEGACY: &[&str] = &["Host: {address}", "Accept-Encoding: identity", "Connection: close"];

/// Every dialect's call of `migrateVirtualMachineWithVolume` with both disks.
const WITH_MAP: &[Recorded] = &[
    Recorded {
        client: "cmk with keys",
        spelling: PLUS_ZONE,
        line: "GET /client/api?apiKey={key}&command=migrateVirtualMachineWithVolume&hostid={host}&migrateto[0].pool={pool}&migrateto[0].volume={volume0}&migrateto[1].pool={pool}&migrateto[1].volume={volume1}&response=json&virtualmachineid={vm}&signature={signature} HTTP/1.1",
        headers: GO,
        body: "",
    },
    Recorded {
        client: "cmk with keys and a filter, which is sent and signed as well",
        spelling: PLUS_ZONE,
        line: "GET /client/api?apiKey={key}&command=migrateVirtualMachineWithVolume&filter=id%2Cname&hostid={host}&migrateto[0].pool={pool}&migrateto[0].volume={volume0}&migrateto[1].pool={pool}&migrateto[1].volume={volume1}&response=json&virtualmachineid={vm}&signature={signature} HTTP/1.1",
        headers: GO,
        body: "",
    },
    Recorded {
        client: "legacy cloudmonkey",
        spelling: PLUS_ZONE,
        line: "GET /client/api?command=migrateVirtualMachineWithVolume&virtualmachineid={vm}&migrateto%5B1%5D.volume={volume1}&migrateto%5B0%5D.volume={volume0}&signatureversion=3&expires={expires}&migrateto%5B0%5D.pool={pool}&response=json&hostid={host}&migrateto%5B1%5D.pool={pool}&apiKey={key}&signature={signature} HTTP/1.1",
        headers: LEGACY,
        body: "",
    },
    Recorded {
        client: "cs",
        spelling: PLUS_ZONE,
        line: "GET /client/api?virtualmachineid={vm}&hostid={host}&command=migrateVirtualMachineWithVolume&apiKey={key}&response=json&signatureVersion=3&expires={expires}&migrateto%5B0%5D.volume={volume0}&migrateto%5B0%5D.pool={pool}&migrateto%5B1%5D.volume={volume1}&migrateto%5B1%5D.pool={pool}&signature={signature} HTTP/1.1",
        headers: URLLIB,
        body: "",
    },
    Recorded {
        client: "cs without an expiry",
        spelling: PLUS_ZONE,
        line: "GET /client/api?virtualmachineid={vm}&hostid={host}&command=migrateVirtualMachineWithVolume&apiKey={key}&response=json&migrateto%5B0%5D.volume={volume0}&migrateto%5B0%5D.pool={pool}&migrateto%5B1%5D.volume={volume1}&migrateto%5B1%5D.pool={pool}&signature={signature} HTTP/1.1",
        headers: URLLIB,
        body: "",
    },
    Recorded {
        client: "cs with POST",
        spelling: PLUS_ZONE,
        line: "POST /client/api HTTP/1.1",
        headers: URLLIB_FORM,
        body: "virtualmachineid={vm}&hostid={host}&command=migrateVirtualMachineWithVolume&apiKey={key}&response=json&signatureVersion=3&expires={expires}&migrateto%5B0%5D.volume={volume0}&migrateto%5B0%5D.pool={pool}&migrateto%5B1%5D.volume={volume1}&migrateto%5B1%5D.pool={pool}&signature={signature}",
    },
    Recorded {
        client: "cs asyncio",
        spelling: BARE,
        line: "GET /client/api?virtualmachineid={vm}&hostid={host}&command=migrateVirtualMachineWithVolume&apiKey={key}&response=json&signatureVersion=3&expires={expires}&migrateto%5B0%5D.volume={volume0}&migrateto%5B0%5D.pool={pool}&migrateto%5B1%5D.volume={volume1}&migrateto%5B1%5D.pool={pool}&signature={signature} HTTP/1.1",
        headers: &["Host: {address}", "Accept: */*", "Accept-Encoding: gzip, deflate"],
        body: "",
    },
    Recorded {
        client: "libcloud",
        spelling: PLUS_ZONE,
        line: "GET /client/api?virtualmachineid={vm}&hostid={host}&migrateto%5B0%5D.volume={volume0}&migrateto%5B0%5D.pool={pool}&migrateto%5B1%5D.volume={volume1}&migrateto%5B1%5D.pool={pool}&command=migrateVirtualMachineWithVolume&apiKey={key}&response=json&signature={signature} HTTP/1.1",
        headers: LIBCLOUD,
        body: "",
    },
    Recorded {
        client: "libcloud with POST: everything in the query, no body",
        spelling: PLUS_ZONE,
        line: "POST /client/api?virtualmachineid={vm}&hostid={host}&migrateto%5B0%5D.volume={volume0}&migrateto%5B0%5D.pool={pool}&migrateto%5B1%5D.volume={volume1}&migrateto%5B1%5D.pool={pool}&command=migrateVirtualMachineWithVolume&apiKey={key}&response=json&signature={signature} HTTP/1.1",
        headers: LIBCLOUD_POST,
        body: "",
    },
    Recorded {
        client: "cloudstack-go before 2.17.1, or with GET only",
        spelling: Z_ZONE,
        line: "GET /client/api?apiKey={key}&command=migrateVirtualMachineWithVolume&expires={expires}&hostid={host}&migrateto[0].pool={pool}&migrateto[0].volume={volume0}&migrateto[1].pool={pool}&migrateto[1].volume={volume1}&response=json&signatureversion=3&virtualmachineid={vm}&signature={signature} HTTP/1.1",
        headers: GO,
        body: "",
    },
    Recorded {
        client: "cloudstack-go: the signature in the middle",
        spelling: Z_ZONE,
        line: "POST /client/api HTTP/1.1",
        headers: GO_FORM,
        body: "apiKey={key}&command=migrateVirtualMachineWithVolume&expires={expires}&hostid={host}&migrateto%5B0%5D.pool={pool}&migrateto%5B0%5D.volume={volume0}&migrateto%5B1%5D.pool={pool}&migrateto%5B1%5D.volume={volume1}&response=json&signature={signature}&signatureversion=3&virtualmachineid={vm}",
    },
    Recorded {
        client: "Marvin",
        spelling: PLUS_ZONE,
        line: "GET /client/api?hostid={host}&virtualmachineid={vm}&migrateto%5B0%5D.volume={volume0}&migrateto%5B0%5D.pool={pool}&migrateto%5B1%5D.volume={volume1}&migrateto%5B1%5D.pool={pool}&command=migrateVirtualMachineWithVolume&response=json&apiKey={key}&signature={signature} HTTP/1.1",
        headers: REQUESTS,
        body: "",
    },
    Recorded {
        client: "Java",
        spelling: PLUS_ZONE,
        line: "GET /client/api?apiKey={key}&command=migrateVirtualMachineWithVolume&expires={expires}&hostid={host}&migrateto[0].pool={pool}&migrateto[0].volume={volume0}&migrateto[1].pool={pool}&migrateto[1].volume={volume1}&response=json&signatureVersion=3&virtualmachineid={vm}&signature={signature} HTTP/1.1",
        headers: JAVA,
        body: "",
    },
    Recorded {
        client: "a form as the web UI declares it, at the path with a slash",
        spelling: PLUS_ZONE,
        line: "POST /client/api/ HTTP/1.1",
        headers: &[
            "Host: {address}",
            "Accept: application/json, text/plain, */*",
            "Content-Type: application/x-www-form-urlencoded;charset=utf-8",
            "Content-Length: {length}",
        ],
        body: "command=migrateVirtualMachineWithVolume&response=json&hostid={host}&virtualmachineid={vm}&migrateto%5B0%5D.volume={volume0}&migrateto%5B0%5D.pool={pool}&migrateto%5B1%5D.volume={volume1}&migrateto%5B1%5D.pool={pool}&x=a+b%7E*%27%C3%A9&apiKey={key}&signature={signature}",
    },
];

/// Calls of `migrateVolume`.
const ONE_VOLUME: &[Recorded] = &[
    Recorded {
        client: "cmk with keys",
        spelling: PLUS_ZONE,
        line: "GET /client/api?apiKey={key}&command=migrateVolume&livemigrate=true&response=json&storageid={pool}&volumeid={volume0}&signature={signature} HTTP/1.1",
        headers: GO,
        body: "",
    },
    Recorded {
        client: "libcloud with POST: everything in the query, no body",
        spelling: PLUS_ZONE,
        line: "POST /client/api?volumeid={volume0}&storageid={pool}&livemigrate=true&command=migrateVolume&apiKey={key}&response=json&signature={signature} HTTP/1.1",
        headers: LIBCLOUD_POST,
        body: "",
    },
    Recorded {
        client: "cloudstack-go",
        spelling: Z_ZONE,
        line: "POST /client/api HTTP/1.1",
        headers: GO_FORM,
        body: "apiKey={key}&command=migrateVolume&expires={expires}&livemigrate=true&response=json&signature={signature}&signatureversion=3&storageid={pool}&volumeid={volume0}",
    },
];

/// Lists.
const LISTS: &[Recorded] = &[
    Recorded {
        client: "cs asyncio",
        spelling: BARE,
        line: "GET /client/api?command=listVolumes&apiKey={key}&response=json&signatureVersion=3&expires={expires}&id={volume0}&signature={signature} HTTP/1.1",
        headers: &["Host: {address}", "Accept: */*"],
        body: "",
    },
    Recorded {
        client: "cloudstack-go",
        spelling: Z_ZONE,
        line: "GET /client/api?apiKey={key}&command=listVolumes&expires={expires}&id={volume0}&response=json&signatureversion=3&signature={signature} HTTP/1.1",
        headers: GO,
        body: "",
    },
    Recorded {
        client: "a query as the web UI spells it: bare signs, names in mixed letters",
        spelling: PLUS_ZONE,
        line: "GET /client/api/?id={volume0}&listAll=true&x=a+b%2Bc,d[0]:%C3%A9~*'()&page=1&pagesize=10&command=listVolumes&response=json&apiKey={key}&signature={signature} HTTP/1.1",
        headers: &["Host: {address}", "Accept: application/json, text/plain, */*"],
        body: "",
    },
];

impl Recorded {
    /// The bytes, signed by `admin`.
    fn bytes(&self, address: &str) -> Vec<u8> {
        let expiry = Timestamp::from_unix(Timestamp::now().unix() + 600).unwrap().wire();
        let expiry = expiry.replace("+0000", self.spelling.zone);
        let mut values = BTreeMap::from([
            ("key", "key-admin".to_owned()),
            ("vm", VM.to_owned()),
            ("host", HOST.to_owned()),
            ("volume0", VOLUMES[0].to_owned()),
            ("volume1", VOLUMES[1].to_owned()),
            ("pool", POOL.to_owned()),
            ("expires", self.escape(&expiry)),
            ("address", address.to_owned()),
        ]);
        let unsigned = fill(if self.body.is_empty() { self.query() } else { self.body }, &values);
        let pairs: Vec<_> = unsigned.split('&').map(|item| item.split_once('=').unwrap()).collect();
        let pairs: Vec<_> = pairs.iter().map(|(name, value)| (decoded(name), decoded(value))).collect();
        let text = signature::string_to_sign(pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        values.insert("signature", self.escape(&signature::sign("secret-admin", &text)));
        let body = fill(self.body, &values);
        values.insert("length", body.len().to_string());
        let mut lines = vec![fill(self.line, &values)];
        lines.extend(self.headers.iter().map(|header| fill(header, &values)));
        format!("{}\r\n\r\n{body}", lines.join("\r\n")).into_bytes()
    }

    fn query(&self) -> &str {
        self.line.split([' ', '?']).nth(2).unwrap()
    }

    fn escape(&self, text: &str) -> String {
        let escaped = |sign: char| match sign {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '-' => sign.to_string(),
            _ if self.spelling.bare.contains(sign) => sign.to_string(),
            _ => format!("%{:02X}", u32::from(sign)),
        };
        text.chars().map(escaped).collect()
    }
}

/// Puts values for the words in braces.
fn fill(text: &str, values: &BTreeMap<&str, String>) -> String {
    let mut text = text.to_owned();
    for (name, value) in values {
        text = text.replace(&format!("{{{name}}}"), value);
    }
    text
}

/// What a form means; written anew so that the gateway's own reading is not compared with itself.
fn decoded(text: &str) -> String {
    let mut pieces = text.split('%');
    let mut bytes = pieces.next().unwrap().replace('+', " ").into_bytes();
    for piece in pieces {
        bytes.push(u8::from_str_radix(&piece[..2], 16).unwrap());
        bytes.extend(piece[2..].replace('+', " ").bytes());
    }
    String::from_utf8(bytes).unwrap()
}

/// Sends them all; each has to give a job with these parameters.
async fn submit_all(requests: &[Recorded], command: &str, expected: &[(&str, &str)]) {
    let world = World::start().await;
    for (at, request) in requests.iter().enumerate() {
        let client = request.client;
        let answer = exchange(world.address, &request.bytes(&world.address.to_string())).await;
        assert_eq!(answer.status, 200, "{client}: {}", answer.body);
        assert!(answer.header("content-type").unwrap().starts_with("application/json"), "{client}");
        let body: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!(body.as_object().unwrap().len(), 1, "{client}: {body}");
        let job = &body[format!("{}response", command.to_lowercase())]["jobid"];
        assert!(job.as_str().is_some_and(|id| id.len() == 36), "{client}: {body}");
        let drafts = world.jobs.drafts.lock().unwrap();
        assert_eq!((drafts.len(), drafts[at].command), (at + 1, command), "{client}");
        let params: BTreeMap<_, _> = drafts[at].params.iter().map(|(name, value)| (&**name, &**value)).collect();
        for (name, value) in expected {
            assert_eq!(params.get(name), Some(value), "{client}: {name} in {params:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_client_submits_a_migration_with_a_map() {
    let expected = [
        ("virtualmachineid", VM),
        ("hostid", HOST),
        ("migrateto[0].volume", VOLUMES[0]),
        ("migrateto[0].pool", POOL),
        ("migrateto[1].volume", VOLUMES[1]),
        ("migrateto[1].pool", POOL),
    ];
    submit_all(WITH_MAP, "migrateVirtualMachineWithVolume", &expected).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_client_submits_a_migration_of_a_volume() {
    let expected = [("volumeid", VOLUMES[0]), ("storageid", POOL), ("livemigrate", "true")];
    submit_all(ONE_VOLUME, "migrateVolume", &expected).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_client_lists() {
    let world = World::start().await;
    for request in LISTS {
        let answer = exchange(world.address, &request.bytes(&world.address.to_string())).await;
        assert_eq!(answer.status, 200, "{}: {}", request.client, answer.body);
        let body: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!(body["listvolumesresponse"]["count"], 1, "{}", request.client);
        assert_eq!(body["listvolumesresponse"]["volume"][0]["id"], VOLUMES[0], "{}", request.client);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_changed_byte_of_a_value_is_refused() {
    let world = World::start().await;
    for request in WITH_MAP.iter().chain(ONE_VOLUME).chain(LISTS) {
        let text = String::from_utf8(request.bytes(&world.address.to_string())).unwrap();
        // Same length: another volume, which exists as well.
        let changed = text.replace(VOLUMES[0], "7441f7ce-518a-483f-8090-bf92aaccbd2d");
        assert_ne!(text, changed, "{}", request.client);
        let answer = exchange(world.address, changed.as_bytes()).await;
        assert_eq!(answer.status, 401, "{}: {}", request.client, answer.body);
        let body: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
        let error = body.as_object().unwrap().values().next().unwrap();
        assert_eq!(error["errorcode"], 401, "{}: {body}", request.client);
        assert!(error["errortext"].is_string(), "{}: {body}", request.client);
    }
    assert!(world.jobs.drafts.lock().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_login_that_cmk_tries_after_a_refusal_is_refused() {
    // cmk breaks down when this succeeds, and when it gets something that is no answer of the API.
    let world = World::start().await;
    let body = "command=login&domain=%2F&password=password&response=json&username=admin";
    let head = format!(
        "POST /client/api HTTP/1.1\r\nHost: {}\r\nUser-Agent: Go-http-client/1.1\r\nContent-Length: {}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nAccept-Encoding: gzip\r\n\r\n",
        world.address,
        body.len()
    );
    let answer = exchange(world.address, format!("{head}{body}").as_bytes()).await;
    assert_ne!(answer.status, 200);
    let body: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
    let (name, error) = body.as_object().unwrap().iter().next().unwrap();
    assert!(name.ends_with("response"), "{body}");
    assert!(error["errorcode"].is_i64() && error["errortext"].is_string(), "{body}");
    assert!(!answer.all("set-cookie").iter().any(|cookie| cookie.starts_with("sessionkey")));
}
