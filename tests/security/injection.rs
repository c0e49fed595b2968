//! Texts that want to be more than texts: SQL, XML, headers.

use stackmotion::api::{ParamType, Shape, flatten};
use stackmotion::commands::{Action, COMMANDS};

use crate::api::sessions::{call, login};
use crate::support::raw_http::{RawRequest, RawResponse};
use crate::support::world::World;

/// A text that nothing is called by.
const UNMATCHED: &str = "zzunmatchedzz";
const SQL: [&str; 12] = [
    "zz' OR 1=1 --",
    "zz' OR '1'='1",
    "zz\" OR 1=1 --",
    "zz`) OR 1=1 #",
    "zz\\' OR 1=1 -- x",
    "zz\\",
    "zz'",
    "zz'; DROP TABLE volumes; --",
    "zz' UNION SELECT password FROM user --",
    "zz/**/OR/**/1=1",
    "zz') OR (1=1",
    "zz?",
];

/// An answer with the text that was asked for taken out of it, as it stands in JSON.
fn without(answer: &RawResponse, text: &str) -> (u16, String) {
    let quoted = serde_json::to_string(text).unwrap();
    (answer.status, answer.body.replace(quoted.trim_matches('"'), "TEXT"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_filter_of_a_list_is_a_piece_of_sql() {
    let world = World::start().await;
    let (mut tried, mut maps) = (0, 0);
    let mut specs: Vec<_> =
        COMMANDS.iter().filter(|entry| matches!(entry.action, Action::Sync(_))).map(|entry| entry.spec).collect();
    // An answer that has no end is not compared. Its filters are those of `listAsyncJobs`.
    specs.retain(|spec| spec.shape != Shape::Streamed);
    // What changes something comes last: it leaves events, which lists would show.
    specs.sort_by_key(|spec| !spec.name.starts_with("list"));
    for spec in specs {
        for param in flatten(spec.params) {
            // What was changed with one text is shown with the next, also in refusals.
            let changes = !spec.name.starts_with("list");
            let names: Vec<String> = match param.kind {
                ParamType::String | ParamType::List | ParamType::Uuid | ParamType::Date => vec![param.name.to_owned()],
                // Maps of lists are tags: both halves are looked for.
                ParamType::Map if !changes => ["key", "value"].map(|half| format!("{}[0].{half}", param.name)).into(),
                _ => continue,
            };
            for name in &names {
                let ask = async |text: &str| {
                    let mut pairs =
                        vec![("command", spec.name), ("response", "json"), ("listall", "true"), (name.as_str(), text)];
                    pairs.extend(
                        flatten(spec.params)
                            .filter(|other| other.required && other.name != param.name)
                            .map(|other| (other.name, "1")),
                    );
                    world.get("admin", &pairs).await
                };
                let wanted = without(&ask(UNMATCHED).await, UNMATCHED);
                maps += usize::from(param.kind == ParamType::Map);
                // A text that is too long is refused for that, which is another answer.
                for text in SQL.into_iter().filter(|text| text.len() <= param.max_length) {
                    let answer = ask(text).await;
                    tried += 1;
                    let (status, body) = without(&answer, text);
                    assert_eq!(status, wanted.0, "{} {name} {text}: {}", spec.name, answer.body);
                    assert!(changes || body == wanted.1, "{} {name} {text}: {body}", spec.name);
                }
            }
        }
    }
    assert!(tried > 500 && maps >= 4, "{tried} {maps}");
    let left = world.store.db().row("SELECT COUNT(*) FROM volumes", vec![]).await.unwrap().unwrap();
    assert!(left.at::<i64>(0).unwrap() > 10);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_credential_is_a_piece_of_sql() {
    let world = World::start().await;
    for text in SQL {
        let key = crate::support::raw_http::escape(text);
        let target = format!("/client/api?command=listZones&response=json&apikey={key}&signature={key}");
        assert_eq!(RawRequest::get(target).send(world.address).await.status, 401, "{text}");
        let mut request = RawRequest::get("/client/api?command=listZones&response=json");
        request.headers.push(("Cookie".into(), format!("JSESSIONID={text}")));
        assert_eq!(request.send(world.address).await.status, 401, "{text}");
        let body = format!("command=login&response=json&username={key}&password={key}&domain={key}");
        assert_eq!(RawRequest::form("/client/api", body).send(world.address).await.status, 531, "{text}");
    }
}

/// Every element of a document has one of these names or is closed by one: no text has become markup.
fn assert_no_markup(answer: &RawResponse, told: &str) {
    assert!(answer.header("content-type").is_some_and(|kind| kind.starts_with("text/xml")), "{told}");
    for sign in ["<evil", "</evil", "<!DOCTYPE", "<![CDATA[", "<?evil"] {
        assert!(!answer.body.contains(sign), "{told}: {}", answer.body);
    }
    // Each `&` begins one of the five entities.
    for (at, _) in answer.body.match_indices('&') {
        let rest = &answer.body[at..];
        let is_entity = ["&lt;", "&gt;", "&amp;", "&quot;", "&apos;"].iter().any(|entity| rest.starts_with(entity));
        assert!(is_entity, "{told}: {rest:.40}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_text_becomes_markup_in_xml() {
    let world = World::start().await;
    let evil =
        "</name><evil a=\"1\">&x;</evil><![CDATA[<!DOCTYPE e [<!ENTITY x SYSTEM \"file:///etc/passwd\">]>]]><?evil?>";
    // In rows.
    for table in ["volumes", "host", "storage_pool"] {
        let sql = format!("UPDATE {table} SET name = ?");
        world.store.db().run(&sql, vec![stackmotion::store::Value::Text(evil.to_owned())]).await.unwrap();
    }
    for command in ["listVolumes", "listHosts", "listStoragePools"] {
        let answer = world.get("admin", &[("command", command), ("listall", "true")]).await;
        assert_eq!(answer.status, 200);
        assert!(answer.body.contains("&lt;evil a=&quot;1&quot;&gt;"), "{command}: {}", answer.body);
        assert_no_markup(&answer, command);
    }
    // In names that somebody chose, and in what is remembered of an account in the result of a job.
    for (details, owner, table) in [
        ("vm_instance_details", "vm_id", "vm_instance"),
        ("storage_pool_details", "pool_id", "storage_pool"),
        ("host_details", "host_id", "host"),
        ("account_details", "account_id", "account"),
    ] {
        let sql = format!("INSERT INTO {details} ({owner}, name, value) SELECT id, ?, ? FROM {table}");
        let evil = || stackmotion::store::Value::Text(evil.to_owned());
        world.store.db().run(&sql, vec![evil(), evil()]).await.unwrap();
    }
    let quoted = serde_json::to_string(evil).unwrap();
    let result = format!("x.AccountResponse/account/{{\"name\":{quoted},\"accountdetails\":{{{quoted}:{quoted}}}}}");
    let id = "00000000-0000-4000-8000-00000000000e";
    let sql = "INSERT INTO async_job (uuid, user_id, account_id, job_cmd, job_status, job_dispatcher, created, last_updated, \
        job_result_code, job_process_status, related, job_result) VALUES (?, 2, 2, 'x.Cmd', 1, 'ApiAsyncJobDispatcher', \
        '2026-11-23 00:00:00', '2026-11-23 00:00:00', 0, 0, '', ?)";
    world.store.db().run(sql, vec![id.into(), result.into()]).await.unwrap();
    for (command, is_shown) in [
        ("listVirtualMachines", true),
        ("listAccounts", true),
        ("listStoragePools", false),
        ("listHosts", false),
        ("queryAsyncJobResult", true),
    ] {
        let answer = world.get("admin", &[("command", command), ("listall", "true"), ("jobid", id)]).await;
        assert_eq!(answer.status, 200, "{command}: {}", answer.body);
        let is_there = answer.body.contains("&lt;evil a=&quot;1&quot;&gt;&amp;x;&lt;/evil&gt;");
        assert!(is_there || !is_shown, "{command}: {}", answer.body);
        assert_no_markup(&answer, command);
    }
    // In what a caller sends and is told again.
    for (name, value) in [("id", evil), (evil, "x"), ("name\u{1}", evil), ("customjobid", evil), ("details", evil)] {
        let answer = world.get("admin", &[("command", "listVolumes"), (name, value)]).await;
        assert_no_markup(&answer, name);
    }
    for target in ["command", "Command"] {
        let escaped = crate::support::raw_http::escape(evil);
        let answer = RawRequest::get(format!("/client/api?{target}={escaped}")).send(world.address).await;
        assert_no_markup(&answer, target);
    }
    let body = format!("command=login&username={}&password=x", crate::support::raw_http::escape(evil));
    assert_no_markup(&RawRequest::form("/client/api", body).send(world.address).await, "login");
    let admin = login(&world, "admin").await;
    let answer = call(&world, &admin, &[("command", evil)]).await;
    assert_eq!(answer.status, 432, "{}", answer.body);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_text_becomes_a_header() {
    let world = World::start().await;
    for value in
        ["x\r\nX-Injected: 1", "x\nX-Injected: 1", "x\r\n\r\n<html>", "x\u{85}X-Injected: 1", "x\u{2028}X-Injected: 1"]
    {
        for (command, name) in [("listVolumes", "id"), ("migrateVolume", "volumeid"), ("listApis", "name")] {
            let answer = world.get("admin", &[("command", command), ("response", "json"), (name, value)]).await;
            assert!(matches!(answer.status, 431 | 530), "{value:?}: {}", answer.body);
            assert!(answer.header("x-injected").is_none() && !answer.body.starts_with("<html>"), "{value:?}");
            assert_eq!(answer.all("x-description").len(), 1, "{value:?}");
        }
    }
    // Names of cookies come back when somebody logs out.
    let alice = login(&world, "alice").await;
    let mut request = RawRequest::get("/client/api?command=logout&response=json");
    let (name, value) = alice.cookies();
    request.headers.push((name, format!("{value}; evil,name=1; \"q\"=2; a b=3; good=4")));
    let answer = request.send(world.address).await;
    assert_eq!(answer.status, 200);
    let cookies = answer.all("set-cookie");
    assert!(cookies.iter().any(|cookie| cookie.starts_with("good=;")), "{cookies:?}");
    assert!(!cookies.iter().any(|cookie| cookie.contains("evil") || cookie.contains("a b")), "{cookies:?}");
}
