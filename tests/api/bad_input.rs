//! Bad input for every command that is served: the answer is one of CloudStack's refusals, nothing breaks, and nothing
//! changes. Commands and parameters come from their declarations, so a new command is covered by itself.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::Value as Json;
use stackmotion::api::{CommandSpec, Kind, ParamSpec, ParamType, Shape, flatten};
use stackmotion::commands::{Action, COMMANDS};

use crate::support::raw_http::{RawRequest, RawResponse, escape_pairs};
use crate::support::world::{World, signed};

/// Commands whose refusals are 530 in CloudStack too (`contract/entities.md 2.3 to 2.5`).
const SAYS_NO_WITH_530: [&str; 7] =
    ["addCluster", "addHost", "createStoragePool", "deleteCluster", "deleteHost", "deleteStoragePool", "updateHost"];
const UNKNOWN: &str = "00000000-0000-4000-8000-000000000000";
/// Far beyond what any answer takes; only a hang reaches it.
const DEADLINE: Duration = Duration::from_secs(60);
/// Queries that are longer go into a form, as a request line has a limit.
const LONGEST_QUERY: usize = 6000;
const MAX_BODY_BYTES: usize = 1 << 20;

type Pairs = Vec<(String, String)>;

/// A gateway, and what its database held at the start.
struct Bad {
    world: World,
    before: String,
}

impl Bad {
    async fn start() -> Self {
        let world = World::start().await;
        // The thing that some calls have to name, and that no estate of the tests has.
        let project = "INSERT INTO projects (id, uuid, name, project_account_id, domain_id, state) \
            VALUES (1, '0000000a-0000-4000-8000-0000000000aa', 'p', 2, 1, 'Active')";
        world.store.db().run(project, vec![]).await.unwrap();
        let before = dump(&world).await;
        Self { world, before }
    }

    async fn send(&self, request: &RawRequest) -> RawResponse {
        let answer = tokio::time::timeout(DEADLINE, request.send(self.world.address)).await;
        answer.unwrap_or_else(|_| panic!("no answer to {} {:.300}", request.method, request.target))
    }

    /// Signs and sends; the answer must be well formed, whatever it says.
    async fn call(&self, spec: &CommandSpec, pairs: &Pairs) -> RawResponse {
        let text = escape_pairs(&signed("admin", pairs));
        let request = if text.len() > LONGEST_QUERY {
            RawRequest::form("/client/api", text)
        } else {
            RawRequest::get(format!("/client/api?{text}"))
        };
        let jobs = self.jobs();
        let answer = self.send(&request).await;
        let told = format!("{} with {:.300}: {:.300}", spec.name, format!("{pairs:?}"), answer.body);
        assert_answer(spec, &answer, &told);
        let accepted = usize::from(answer.status == 200 && spec.kind == Kind::Async);
        assert_eq!(self.jobs() - jobs, accepted, "a job for each that was accepted and no other: {told}");
        answer
    }

    /// The same, and the refusal must be this one.
    async fn refused(&self, spec: &CommandSpec, pairs: &Pairs, status: u16, part: &str) {
        let answer = self.call(spec, pairs).await;
        let told = format!("{} with {:.300}: {:.300}", spec.name, format!("{pairs:?}"), answer.body);
        assert_eq!(answer.status, status, "{told}");
        let text = error_text(&answer);
        assert!(text.contains(part), "{part:?} is not in the answer to {told}");
    }

    fn jobs(&self) -> usize {
        self.world.jobs.drafts.lock().unwrap().len()
    }

    /// The gateway still works, and the database is as it was.
    async fn unharmed(&self, what: &str) {
        let good = self.world.get("admin", &[("command", "listZones"), ("response", "json")]).await;
        assert_eq!(good.status, 200, "after {what}: {}", good.body);
        assert!(dump(&self.world).await == self.before, "{what} changed the database");
    }
}

/// The commands that need a key. The others are those that the rim serves itself, which `sessions.rs` tries, and those that
/// the page for logging in calls.
fn called_by_key() -> impl Iterator<Item = &'static CommandSpec> {
    let needs_key = |spec: &&CommandSpec| !["listGuiThemes", "listOauthProvider"].contains(&spec.name);
    let specs = COMMANDS.iter().filter(|entry| !matches!(entry.action, Action::Rim)).map(|entry| entry.spec);
    // An answer that has no end is read by tests of its own.
    specs.filter(needs_key).filter(|spec| spec.shape != Shape::Streamed)
}

/// Every row of every table but those that served commands change at once: an odd value may be a good one, and what was
/// refused is an event.
async fn dump(world: &World) -> String {
    let db = world.store.db();
    let tables = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT IN ('hypervisor_capabilities', 'event', 'motion_turn', \
        'account', 'account_details', 'resource_count', 'user', 'user_details', 'data_center', 'host', 'host_details', \
        'host_tags', 'storage_pool', 'storage_pool_tags', 'disk_offering', 'disk_offering_details', \
        'service_offering', 'service_offering_details') \
        AND name NOT LIKE 'sqlite_%' AND name NOT LIKE '\\_sqlx%' ESCAPE '\\' ORDER BY name";
    let mut all = String::new();
    for table in db.rows(tables, vec![]).await.unwrap() {
        let table: String = table.at(0).unwrap();
        let quoted =
            format!("SELECT group_concat('quote(\"' || name || '\")', '||'',''||') FROM pragma_table_info('{table}')");
        let columns: String = db.row(&quoted, vec![]).await.unwrap().unwrap().at(0).unwrap();
        let rows = db.rows(&format!("SELECT {columns} FROM \"{table}\" ORDER BY 1"), vec![]).await.unwrap();
        for row in rows {
            writeln!(all, "{table}: {}", row.at::<String>(0).unwrap()).unwrap();
        }
    }
    assert!(["volumes: ", "vm_instance: ", "cluster: "].iter().all(|table| all.contains(table)), "nothing to compare");
    all
}

/// An answer of the API: one envelope; a refusal has a code, a text and no line breaks in headers.
fn assert_answer(spec: &CommandSpec, answer: &RawResponse, told: &str) {
    assert!(matches!(answer.status, 200 | 401 | 430 | 431 | 432 | 530 | 531), "{}: {told}", answer.status);
    assert!(answer.header("content-type").unwrap().starts_with("application/json"), "{told}");
    assert!(answer.header("x-injected").is_none(), "{told}");
    let body: Json = serde_json::from_str(&answer.body).unwrap_or_else(|error| panic!("{error}: {told}"));
    let members = body.as_object().unwrap();
    assert_eq!(members.len(), 1, "{told}");
    let (name, inner) = members.iter().next().unwrap();
    if answer.status == 200 {
        assert_eq!(*name, spec.envelope(), "{told}");
        assert!(spec.kind == Kind::Sync || inner["jobid"].is_string(), "{told}");
        return;
    }
    assert_eq!(inner["errorcode"], answer.status, "{told}");
    let text = inner["errortext"].as_str().unwrap_or_default();
    assert!(!text.is_empty(), "{told}");
    // The only faults that are a matter of input: CloudStack's answer to an unknown name in `listApis`, and what commands
    // about the estate say of themselves.
    let chosen = SAYS_NO_WITH_530.contains(&spec.name) && inner["cserrorcode"] == 9999;
    assert!(answer.status != 530 || chosen || text.starts_with("Api Discovery plugin was unable"), "{told}");
}

fn error_text(answer: &RawResponse) -> String {
    let body: Json = serde_json::from_str(&answer.body).unwrap();
    body.as_object().unwrap().values().next().unwrap()["errortext"].as_str().unwrap_or_default().to_owned()
}

/// A call with everything that is required, and nothing wrong with it.
async fn good_call(world: &World, spec: &CommandSpec) -> Pairs {
    let mut pairs: Pairs = vec![("command".into(), spec.name.into()), ("response".into(), "json".into())];
    for param in flatten(spec.params).filter(|param| param.required) {
        let value = match (param.entity, param.kind) {
            (Some(entity), _) => {
                // The gateway's own tables have no such column.
                let alive = if entity.table().starts_with("motion_") { "" } else { "AND removed IS NULL" };
                let sql = format!("SELECT uuid FROM {} WHERE uuid IS NOT NULL {alive}", entity.table());
                match world.store.db().row(&sql, vec![]).await.unwrap() {
                    Some(row) => row.at::<String>(0).unwrap(),
                    None => UNKNOWN.to_owned(),
                }
            }
            (None, ParamType::Integer | ParamType::Long) => "1".to_owned(),
            (None, ParamType::Date) => "2026-11-23".to_owned(),
            (None, _) => "x".to_owned(),
        };
        pairs.push((param.name.to_owned(), value));
    }
    pairs
}

/// The call with another value for a parameter; `None` leaves it out.
fn with(good: &Pairs, name: &str, value: Option<&str>) -> Pairs {
    let mut pairs: Pairs = good.iter().filter(|(known, _)| known != name).cloned().collect();
    pairs.extend(value.map(|value| (name.to_owned(), value.to_owned())));
    pairs
}

/// Values that are wrong for this kind of parameter, with a part of the text that refuses them.
fn wrong_values(param: &ParamSpec) -> Vec<(String, String)> {
    let refuse = |values: &[&str], part: &dyn Fn(&str) -> String| {
        values.iter().map(|value| ((*value).to_owned(), part(value))).collect::<Vec<_>>()
    };
    let name = param.name;
    let unknown = |value: &str| format!("Invalid parameter {name} value={value} due to incorrect long value format");
    match param.kind {
        ParamType::Uuid => refuse(&[UNKNOWN, "ffffffff-FFFF-ffff-ffff-ffffffffffff' OR '1'='1"], &unknown),
        ParamType::List if param.entity.is_some() => refuse(&[UNKNOWN], &unknown),
        ParamType::Integer | ParamType::Long => {
            let values = ["abc", "1.5", "1e3", "0x10", "99999999999999999999", "-99999999999999999999", "1 2", "١"];
            refuse(&values, &|value| format!("due to invalid value {value} for parameter {name}"))
        }
        ParamType::Date => refuse(&["yesterday", "2026-13-45", "2026-02-30T99:00:00+0000", "0"], &|value| {
            format!("Unable to parse date {value}")
        }),
        ParamType::Map => refuse(&["x", "[0].volume", "{}"], &|value| format!("invalid value {value} for")),
        ParamType::String if param.like_id => {
            let long = "x".repeat(param.max_length + 1);
            refuse(&["abc", "", &long], &|_| format!("Invalid value provided for API arg: {name}"))
        }
        ParamType::String => {
            let long = "x".repeat(param.max_length + 1);
            refuse(&[&long], &|_| format!("Value greater than max allowed length {}", param.max_length))
        }
        ParamType::Boolean | ParamType::List => Vec::new(),
    }
}

/// Values for any parameter. Whether they are refused depends on its kind; they must never do harm.
fn odd_values() -> Vec<String> {
    let fixed = [
        "",
        " ",
        "0",
        "-1",
        "-2",
        "00",
        "+1",
        "2147483648",
        "-9223372036854775808",
        "9223372036854775807",
        "1.0",
        "NaN",
        "true",
        "TRUE",
        "yes",
        "null",
        "undefined",
        "'",
        "\"",
        "`",
        "\\",
        "' OR '1'='1",
        "'; DROP TABLE volumes; --",
        "%",
        "%%%",
        "_",
        "%25",
        "%00",
        "\\u0000",
        "<x>&amp;]]>",
        "{{7*7}}",
        "${x}",
        "[0]",
        "]",
        "{",
        "[[[[",
        ",",
        ",,,",
        "a,b,,c",
        "-",
        "*",
        "../../etc/passwd",
        "\\\\server\\share",
        "é日😀",
        "\u{202e}",
        "\u{feff}",
        "ß\u{301}",
        "2026-11-23",
        "2026-11-23T10:00:00+0000",
        "9999-12-31",
        "listZones",
        "1 UNION SELECT secret_key FROM api_keypair",
        "line\nbreak",
        "X\nX-Injected: 1",
    ];
    let mut values: Vec<String> = fixed.iter().map(|value| (*value).to_owned()).collect();
    values.extend(["x".repeat(256), "x".repeat(20_000), "é".repeat(3000), "[".repeat(3000), ",".repeat(3000)]);
    values.extend([vec![UNKNOWN; 200].join(","), format!("{UNKNOWN}{UNKNOWN}"), "9".repeat(5000)]);
    values
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_values_are_refused_by_name() {
    let bad = Bad::start().await;
    for spec in called_by_key() {
        let good = good_call(&bad.world, spec).await;
        for param in flatten(spec.params) {
            let name = param.name;
            if param.required {
                bad.refused(spec, &with(&good, name, None), 431, &format!("missing parameter {name}")).await;
                let empty = format!("Invalid value provided for API arg: {name}");
                bad.refused(spec, &with(&good, name, Some("")), 431, &empty).await;
            }
            for (value, part) in wrong_values(param) {
                bad.refused(spec, &with(&good, name, Some(&value)), 431, &part).await;
            }
        }
        bad.unharmed(spec.name).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn characters_that_cannot_be_seen_are_refused() {
    let bad = Bad::start().await;
    for spec in called_by_key() {
        let good = good_call(&bad.world, spec).await;
        let names = flatten(spec.params).map(|param| param.name).chain(["unheardof", "migrateto[0].volume"]);
        for name in names {
            for sign in ['\0', '\u{1}', '\t', '\u{b}', '\u{1b}', '\u{7f}'] {
                let value = format!("a{sign}b");
                let text = format!("illegal ASCII non-printable characters for parameter {name}");
                bad.refused(spec, &with(&good, name, Some(&value)), 431, &text).await;
            }
        }
        bad.unharmed(spec.name).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn odd_values_do_no_harm() {
    let bad = Bad::start().await;
    let values = odd_values();
    for spec in called_by_key() {
        let good = good_call(&bad.world, spec).await;
        // Each value meets each command; parameters share them out, as they share their kinds.
        for (at, param) in flatten(spec.params).enumerate() {
            for value in values.iter().skip(at % 3).step_by(3) {
                bad.call(spec, &with(&good, param.name, Some(value))).await;
            }
        }
        bad.unharmed(spec.name).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_that_are_no_names() {
    let bad = Bad::start().await;
    for spec in called_by_key() {
        let good = good_call(&bad.world, spec).await;
        for param in flatten(spec.params).map(|param| param.name) {
            // Brackets that do not hold a 32-bit number and are not followed by one field.
            for after in
                ["[0", "[0]", "[].a", "[x].a", "[0]a", "[0][1].a", "[0].a]", "[2147483648].a", "[1.5].a", "[ 1].a"]
            {
                let name = format!("{param}{after}");
                let mut pairs = good.clone();
                pairs.push((name.clone(), "x".to_owned()));
                bad.refused(spec, &pairs, 430, &format!("Unable to decode parameter {name}")).await;
            }
            // Well-formed rows where text is expected, and far-off rows where rows are.
            for after in ["[0].a", "[-2147483648].volume", "[2147483647].volume", "[0].", "[7].a.b", "[+3].pool"] {
                let mut pairs = good.clone();
                pairs.push((format!("{param}{after}"), UNKNOWN.to_owned()));
                bad.call(spec, &pairs).await;
            }
        }
        for name in [
            "",
            " ",
            "[",
            "]",
            "[[[[",
            ".",
            "=",
            "&",
            "\0",
            "é日😀",
            "%",
            "command ",
            &"n".repeat(100_000),
            &"[".repeat(9000),
        ] {
            let mut pairs = good.clone();
            pairs.push((name.to_owned(), "x".to_owned()));
            bad.call(spec, &pairs).await;
        }
        bad.unharmed(spec.name).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_requests() {
    let bad = Bad::start().await;
    for (at, spec) in called_by_key().enumerate() {
        let good = good_call(&bad.world, spec).await;
        let form = |padding: usize, salt: usize| {
            let pairs = with(&with(&good, "padding", Some(&"x".repeat(padding))), "salt", Some(&salt.to_string()));
            escape_pairs(&signed("admin", &pairs))
        };
        // The signature's own escapes vary in length, so an attempt misses the size by a few bytes. It is looked for once; to look
        // for it again with each command would be most of the work.
        let missed_by = if at == 0 { 0 } else { 32 };
        let fitting = |bytes: usize| {
            let padding = bytes - form(0, 100).len() - missed_by / 2;
            let is_found = |form: &String| (bytes - missed_by..=bytes).contains(&form.len());
            let found = (101..1000).map(|salt| form(padding, salt)).find(is_found);
            found.unwrap_or_else(|| panic!("{}: no form of {bytes} bytes", spec.name))
        };
        let largest = bad.send(&RawRequest::form("/client/api", fitting(MAX_BODY_BYTES))).await;
        assert_answer(spec, &largest, &format!("{} with 1 MiB: {:.300}", spec.name, largest.body));
        assert_ne!(largest.status, 401, "{}: the signature covers it all", spec.name);
        let larger = bad.send(&RawRequest::form("/client/api", form(MAX_BODY_BYTES, 100))).await;
        assert_page(&larger, 400, spec.name);
        let numbered = |count: usize| {
            let mut pairs = good.clone();
            pairs.extend((0..count).map(|number| (format!("n{number}"), "x".to_owned())));
            RawRequest::form("/client/api", escape_pairs(&signed("admin", &pairs)))
        };
        let many = bad.send(&numbered(1000)).await;
        assert_answer(spec, &many, &format!("{} with 1000 names: {:.300}", spec.name, many.body));
        assert_page(&bad.send(&numbered(10_000)).await, 400, spec.name);
        bad.unharmed(spec.name).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn broken_encodings() {
    let bad = Bad::start().await;
    for spec in called_by_key() {
        let good = good_call(&bad.world, spec).await;
        let text = escape_pairs(&signed("admin", &good));
        for broken in ["x=%", "x=%4", "x=%zz", "%=x", "%4=x", "x=%%41", "x=%-1", "x=%+1", "x=%u0041"] {
            let query = bad.send(&RawRequest::get(format!("/client/api?{text}&{broken}"))).await;
            assert_page(&query, 400, broken);
            let form = bad.send(&RawRequest::form("/client/api", format!("{text}&{broken}"))).await;
            assert_page(&form, 400, broken);
        }
        // These can be read, so the signature of the rest does not fit them.
        for unreadable in
            ["x=%ff%fe", "%c3=x", "x=%ed%a0%80", "x=%f4%90%80%80", "x=%00", "%00=%00", "=", "&&&x", "x==="]
        {
            for request in [
                RawRequest::get(format!("/client/api?{text}&{unreadable}")),
                RawRequest::form("/client/api", format!("{text}&{unreadable}")),
            ] {
                let answer = bad.send(&request).await;
                assert_answer(spec, &answer, &format!("{} with {unreadable}: {}", spec.name, answer.body));
                assert_eq!(answer.status, 401, "{unreadable}");
            }
        }
        let raw = [text.as_bytes(), b"&x=\xff\xfe\x00\x80"].concat();
        let answer = bad.send(&RawRequest::form("/client/api", raw)).await;
        assert_eq!(answer.status, 401, "{}", answer.body);
        bad.unharmed(spec.name).await;
    }
}

fn assert_page(answer: &RawResponse, status: u16, told: &str) {
    assert_eq!(answer.status, status, "{told:.300}: {:.300}", answer.body);
    assert!(answer.header("content-type").is_some_and(|kind| kind.starts_with("text/html")), "{told:.300}");
}

/// Numbers that follow from a seed (splitmix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.roll() % limit as u64) as usize
    }

    fn of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }

    fn text(&mut self) -> String {
        let bytes: Vec<u8> = (0..self.below(24)).map(|_| self.roll() as u8).collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

fn from_environment(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name} is no number")))
}

/// `STACKMOTION_TEST_SEED` and `STACKMOTION_TEST_ROUNDS` choose other and more of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_calls_do_no_harm() {
    let seed = from_environment("STACKMOTION_TEST_SEED", 20_261_125);
    let rounds = from_environment("STACKMOTION_TEST_ROUNDS", 1500);
    println!("seed {seed}");
    let bad = Bad::start().await;
    let mut dice = Dice(seed);
    let values: Vec<String> = odd_values().into_iter().filter(|value| value.len() < 1000).collect();
    let names: Vec<&str> = called_by_key().flat_map(|spec| flatten(spec.params)).map(|param| param.name).collect();
    let specs: Vec<_> = called_by_key().collect();
    for _ in 0..rounds {
        let spec = *dice.of(&specs);
        let mut pairs = good_call(&bad.world, spec).await;
        for _ in 0..dice.below(5) {
            let mut name = (*dice.of(&names)).to_owned();
            match dice.below(8) {
                0 => name = dice.text(),
                1 => name.push_str(&format!("[{}].{}", dice.roll() as i32, dice.of(&["volume", "pool", "x", ""]))),
                2 => name.make_ascii_uppercase(),
                _ => {}
            }
            let value = if dice.below(3) == 0 { dice.text() } else { dice.of(&values).clone() };
            if !name.eq_ignore_ascii_case("response") && !name.eq_ignore_ascii_case("signature") {
                pairs.retain(|(known, _)| *known != name);
                pairs.push((name, value));
            }
        }
        bad.call(spec, &pairs).await;
    }
    bad.unharmed(&format!("the calls of seed {seed}")).await;
}

/// Whole requests with bytes that were changed, dropped, doubled: the gateway may close, but must not hang or die.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_bytes_do_no_harm() {
    let seed = from_environment("STACKMOTION_TEST_SEED", 20_261_125);
    let rounds = from_environment("STACKMOTION_TEST_ROUNDS", 1500);
    println!("seed {seed}");
    let bad = Bad::start().await;
    let mut dice = Dice(seed);
    let specs: Vec<_> = called_by_key().collect();
    for _ in 0..rounds {
        let spec = *dice.of(&specs);
        let good = good_call(&bad.world, spec).await;
        let text = escape_pairs(&signed("admin", &good));
        let head = "HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded";
        let mut bytes = if dice.below(2) == 0 {
            format!("GET /client/api?{text} {head}\r\n\r\n").into_bytes()
        } else {
            format!("POST /client/api {head}\r\nContent-Length: {}\r\n\r\n{text}", text.len()).into_bytes()
        };
        for _ in 0..=dice.below(4) {
            let at = dice.below(bytes.len());
            match dice.below(4) {
                0 => bytes[at] = dice.roll() as u8,
                1 => bytes.truncate(at + 1),
                2 => bytes.insert(at, dice.roll() as u8),
                _ => bytes.extend_from_within(at..),
            }
        }
        let answered = crate::support::raw_http::send_and_hang_up(bad.world.address, &bytes);
        let answered = tokio::time::timeout(DEADLINE, answered).await;
        let answer = answered.unwrap_or_else(|_| panic!("seed {seed}: hangs on {:?}", String::from_utf8_lossy(&bytes)));
        let status = String::from_utf8_lossy(&answer).split(' ').nth(1).and_then(|text| text.parse::<u16>().ok());
        assert!(status != Some(500), "seed {seed}: {:?}", String::from_utf8_lossy(&bytes));
    }
    bad.unharmed(&format!("the bytes of seed {seed}")).await;
}
