//! A day in the life of the gateway, as a process with everything logged: no secret is in a line of the log, a row of the
//! database that is no place for it, or an answer that is not the one that gives it out; and nobody writes lines of their own
//! into the log.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};
use stackmotion::client::{Client, Pace};
use stackmotion::store::{Store, Value};

use crate::api::sessions::Login;
use crate::motion::bench::{Bench, plan};
use crate::support::database;
use crate::support::raw_http::{RawRequest, RawResponse, escape, escape_pairs};

const PASSWORD: &str = "the-right-PASSWORD-1";
const WRONG: &str = "a-wrong-PASSWORD-2";
const POOL_PASSWORD: &str = "the-shares-PASSWORD-3";
const PIN: &str = "918273";
const FORGED: &str = "a-line-of-mine";
const DEADLINE: Duration = Duration::from_secs(60);

struct Gateway(Child);

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Rows that may be read by whoever reads logs: events, jobs, alerts and the journal.
async fn told(store: &Store) -> String {
    let mut all = String::new();
    for table in ["event", "async_job", "alert", "motion_job", "motion_migration", "motion_disk"] {
        let columns =
            format!("SELECT group_concat('quote(\"' || name || '\")', '||'',''||') FROM pragma_table_info('{table}')");
        let columns: String = store.db().row(&columns, vec![]).await.unwrap().unwrap().at(0).unwrap();
        for row in store.db().rows(&format!("SELECT {columns} FROM \"{table}\""), vec![]).await.unwrap() {
            all.push_str(&format!("{table}: {}\n", row.at::<String>(0).unwrap()));
        }
    }
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_is_told_and_no_log_line_forged() {
    let database = database::sqlite().await;
    let url = database.url.clone();
    let bench = Bench::start(&plan(231), database).await;
    let digest = STANDARD.encode(Sha256::digest(format!("{PASSWORD}salt")));
    let hash = format!("{}:{digest}", STANDARD.encode("salt"));
    for (sql, value) in [
        ("UPDATE user SET password = ? WHERE username = 'admin'", hash.clone()),
        ("UPDATE user SET key_for_2fa = ?, user_2fa_provider = 'staticpin' WHERE username = 'admin'", PIN.to_owned()),
        ("UPDATE storage_pool SET path = path || ?", format!("?user=shareuser&password={POOL_PASSWORD}&domain=d")),
        (
            "INSERT INTO storage_pool_details (pool_id, name, value, display) SELECT id, 'password', ?, 1 FROM storage_pool",
            POOL_PASSWORD.to_owned(),
        ),
    ] {
        bench.store.db().run(sql, vec![Value::Text(value)]).await.unwrap();
    }
    let keys = bench.store.db().row("SELECT api_key, secret_key FROM api_keypair", vec![]).await.unwrap().unwrap();
    let (key, secret): (String, String) = (keys.at(0).unwrap(), keys.at(1).unwrap());

    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let mut process = Command::new(env!("CARGO_BIN_EXE_stackmotion"))
        .args(["serve", "--port", "0", "--log-level", "trace", "--database-url", &url])
        .args(["--set", "motion.poll_ms=50", "--set", "http.drain_s=1", "--data-dir"])
        .arg(folder.path())
        .stdout(Stdio::piped())
        .stderr(std::fs::File::create(&log).unwrap())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let gateway = Gateway(process);
    let address = line.trim().strip_prefix("http://").unwrap().strip_suffix("/client/api").unwrap().parse().unwrap();
    let client = |secret: &str| Client::new(line.trim(), &key, secret).unwrap();
    let mut answers: Vec<RawResponse> = Vec::new();

    // Signed calls, good and bad; a job that succeeds and one that fails.
    let good = client(&secret);
    let mut texts = Vec::new();
    for command in ["listVolumes", "listStoragePools", "listHosts", "listVirtualMachines", "listApis", "listZones"] {
        texts.push(good.call(command, &[("listall", "true")]).await.unwrap().to_string());
    }
    let _ = client("not-the-secret").call("listZones", &[]).await.unwrap_err();
    let (volume, pool) = (bench.disk("ROOT-shared").uuid.clone(), bench.estate.pool("c1-p2").unwrap().uuid.clone());
    let pace = Pace { first: Duration::from_millis(50), longest: Duration::from_millis(200) };
    for live in ["true", "true", "false"] {
        let params = [("volumeid", volume.as_str()), ("storageid", &pool), ("livemigrate", live)];
        if let Ok(told) = good.call("migrateVolume", &params).await {
            let id = told["jobid"].as_str().unwrap().to_owned();
            let ended = tokio::time::timeout(DEADLINE, good.wait(&id, pace, |_| {})).await.expect("the job ends");
            texts.push(format!("{ended:?}"));
        }
    }
    // Logins, wrong and right, with lines of one's own in every text.
    let forged = escape(&format!("x\r\n2026-01-01T00:00:00Z ERROR {FORGED}\u{1b}[31m"));
    for body in [
        format!("command=login&username=admin&password={WRONG}&response=json"),
        format!("command=login&username={forged}&password={WRONG}&domain={forged}"),
        format!("command={forged}&apikey={forged}&signature={forged}&sessionkey={forged}"),
        format!("command=listZones&apikey={key}&signature={forged}&{forged}={forged}"),
    ] {
        answers.push(RawRequest::form("/client/api", body).send(address).await);
    }
    let body = format!("command=login&username=admin&password={PASSWORD}&response=json");
    let opened = RawRequest::form("/client/api", body).send(address).await;
    assert_eq!(opened.status, 200, "{}", opened.body);
    let login = Login::of(&opened);
    for call in ["listZones", "listVolumes", "listStoragePools", "validateUserTwoFactorAuthenticationCode", "nothing"] {
        let pairs = [("command", call), ("sessionkey", &login.key), ("codefor2fa", PIN), ("response", "json")];
        let mut request = RawRequest::get(format!("/client/api?{}", escape_pairs(&pairs)));
        request.headers.push(login.cookies());
        answers.push(request.send(address).await);
    }
    let rows = told(&bench.store).await;
    drop(gateway);

    let log = std::fs::read_to_string(&log).unwrap();
    assert!(log.contains("TRACE") && log.contains("a login failed") && log.lines().count() > 100, "nothing was logged");
    assert!(rows.contains("event: ") && rows.contains("async_job: "), "nothing was told");
    let answers: String = answers.iter().map(|answer| format!("{answer:?}\n")).chain(texts).collect();
    let bare_id = login.id.split('.').next().unwrap();
    for (what, secret) in [
        ("a password", PASSWORD),
        ("a wrong password", WRONG),
        ("a password as an agent is given it", POOL_PASSWORD),
        ("a second factor", PIN),
        ("the hash of a password", &digest),
        ("a secret key", &secret),
        ("the key of a session", &login.key),
        ("the id of a session", bare_id),
    ] {
        for (place, text) in [("the log", &log), ("the database", &rows), ("an answer", &answers)] {
            let found = text.lines().find(|line| line.contains(secret));
            assert!(found.is_none(), "{what} is in {place}: {found:?}");
        }
    }
    let forged: Vec<_> = log.lines().filter(|line| line.contains(FORGED) && line.starts_with("2026-01-01")).collect();
    assert!(forged.is_empty(), "{forged:?}");
    assert!(!log.contains('\u{1b}') || !log.contains(&format!("{FORGED}\u{1b}")), "an escape sequence in the log");
}
