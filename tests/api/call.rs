//! `stackmotion call` as a process: output, exit codes, waiting, leaving a job alone.

use std::net::SocketAddr;
use std::process::{Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::support::world::World;
use serde_json::Value as Json;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::process::Command;

const JOB: &str = "22a50bd4-e8e3-4d32-be05-58fa5fd1d5d4";
const DEADLINE: Duration = Duration::from_secs(60);

/// A process of ours that sees nothing of the tester's own configuration.
fn stackmotion(arguments: &[&str], environment: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stackmotion"));
    command.args(arguments).env_clear().env("HOME", "/nonexistent").envs(environment.iter().copied());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command
}

async fn run(arguments: &[&str], environment: &[(&str, &str)]) -> (i32, Json, String) {
    let Output { status, stdout, stderr } =
        tokio::time::timeout(DEADLINE, stackmotion(arguments, environment).output()).await.unwrap().unwrap();
    let output = serde_json::from_slice(&stdout).unwrap_or(Json::Null);
    (status.code().unwrap(), output, String::from_utf8(stderr).unwrap())
}

/// A gateway of canned answers: `migrateVolume` gives a job, which runs for `pending` polls and then ends with `end`.
async fn canned(pending: usize, end: &'static str) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let polls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&polls);
    tokio::spawn(async move {
        let mut is_cancelled = false;
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 8192];
            let read = stream.read(&mut request).await.unwrap();
            let request = String::from_utf8_lossy(&request[..read]).into_owned();
            let body = if request.contains("cancelMigration") {
                is_cancelled = true;
                r#"{"cancelmigrationresponse":{"success":true,"state":"asked","displaytext":"The host has been told."}}"#.to_owned()
            } else if request.contains("queryAsyncJobResult") {
                let poll = counted.fetch_add(1, Ordering::SeqCst);
                let is_over = is_cancelled || poll >= pending;
                let fields = if is_over { end } else { r#""jobstatus":0,"jobresultcode":0"# };
                format!(r#"{{"queryasyncjobresultresponse":{{"jobid":"{JOB}","jobprocstatus":0,{fields}}}}}"#)
            } else {
                assert!(request.starts_with("POST "), "{request}");
                format!(r#"{{"migratevolumeresponse":{{"jobid":"{JOB}"}}}}"#)
            };
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
                body.len()
            );
            stream.write_all((head + &body).as_bytes()).await.unwrap();
        }
    });
    (address, polls)
}

fn access(url: &str) -> [(&'static str, &str); 3] {
    [("STACKMOTION_URL", url), ("STACKMOTION_APIKEY", "key-admin"), ("STACKMOTION_SECRETKEY", "secret-admin")]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exit_codes() {
    let world = World::start().await;
    let url = format!("http://{}/client/api", world.address);
    let (code, output, _) = run(&["call", "listApis", "name=listApis"], &access(&url)).await;
    assert_eq!((code, &output["count"]), (0, &1.into()));
    let (code, output, errors) = run(&["call", "listApis", "name=nope"], &access(&url)).await;
    assert_eq!((code, &output["errorcode"]), (1, &530.into()));
    assert!(errors.contains("(530, 9999) Api Discovery plugin"), "{errors}");
    assert_eq!(run(&["call", "listApis", "name"], &access(&url)).await.0, 2);
    assert_eq!(run(&["call", "listApis"], &[]).await.0, 2);
    assert_eq!(run(&["call", "listApis", "--profile", "nowhere"], &access(&url)).await.0, 2);
    let (code, _, errors) = run(&["call", "listApis"], &access("http://127.0.0.1:1/client/api")).await;
    assert_eq!(code, 3);
    assert!(!errors.contains("secret-admin") && !errors.contains("signature"), "{errors}");
    let not_the_api = format!("http://{}/elsewhere", world.address);
    assert_eq!(run(&["call", "listApis"], &access(&not_the_api)).await.0, 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn profiles_of_cloudmonkey_are_read() {
    let world = World::start().await;
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir(home.path().join(".cmk")).unwrap();
    let profile = format!(
        "profile = lab\n[lab]\nurl = http://{}/client/api\napikey = key-alice\nsecretkey = secret-alice\n",
        world.address
    );
    std::fs::write(home.path().join(".cmk/config"), profile).unwrap();
    let (code, output, errors) = run(&["call", "listCapabilities"], &[("HOME", home.path().to_str().unwrap())]).await;
    assert_eq!(code, 0, "{errors}");
    assert_eq!(output["capability"]["allowuserviewdestroyedvm"], false, "alice is no administrator");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_are_waited_for() {
    let (address, polls) = canned(1, r#""jobstatus":1,"jobresultcode":0,"jobresult":{"volume":{"id":"v"}}"#).await;
    let url = format!("http://{address}/client/api");
    let (code, output, errors) = run(&["call", "migrateVolume", "volumeid=v", "--wait"], &access(&url)).await;
    assert_eq!((code, &output["volume"]["id"]), (0, &"v".into()), "{errors}");
    assert_eq!(polls.load(Ordering::SeqCst), 2);
    let (code, output, _) = run(&["call", "migrateVolume", "volumeid=v"], &access(&url)).await;
    assert_eq!((code, &output["jobid"]), (0, &JOB.into()));
    assert_eq!(polls.load(Ordering::SeqCst), 2, "nobody asked to wait");

    let (address, _) =
        canned(0, r#""jobstatus":2,"jobresultcode":431,"jobresult":{"errorcode":431,"errortext":"no such pool"}"#)
            .await;
    let (code, output, errors) =
        run(&["call", "migrateVolume", "--wait"], &access(&format!("http://{address}/"))).await;
    assert_eq!((code, &output["errortext"]), (1, &"no such pool".into()));
    assert!(errors.contains("(431) no such pool"), "{errors}");
}

/// Waits until the process has asked for its job, and interrupts it.
async fn interrupt(child: &tokio::process::Child, polls: &AtomicUsize) {
    let is_waiting = async {
        while polls.load(Ordering::SeqCst) == 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(DEADLINE, is_waiting).await.expect("the job is asked for");
    let interrupted = Command::new("kill").args(["-INT", &child.id().unwrap().to_string()]).status().await.unwrap();
    assert!(interrupted.success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ctrl_c_leaves_the_job_running() {
    let (address, polls) = canned(usize::MAX, "").await;
    let url = format!("http://{address}/client/api");
    let child = stackmotion(&["call", "migrateVolume", "--wait"], &access(&url)).spawn().unwrap();
    interrupt(&child, &polls).await;
    let output = tokio::time::timeout(DEADLINE, child.wait_with_output()).await.unwrap().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(errors.contains(&format!("stackmotion call queryAsyncJobResult jobid={JOB} --wait")), "{errors}");
    assert_eq!(serde_json::from_slice::<Json>(&output.stdout).unwrap()["jobid"], JOB);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_ctrl_c_cancels_the_job_and_waits_for_its_end() {
    let end = r#""jobstatus":2,"jobresultcode":530,"jobresult":{"errorcode":530,"errortext":"Cancelled at the request of admin."}"#;
    let (address, polls) = canned(usize::MAX, end).await;
    let url = format!("http://{address}/client/api");
    let mut child = stackmotion(&["call", "migrateVolume", "--wait"], &access(&url)).spawn().unwrap();
    interrupt(&child, &polls).await;
    let mut errors = tokio::io::BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    tokio::time::timeout(DEADLINE, errors.read_line(&mut line)).await.unwrap().unwrap();
    assert!(line.starts_with("left running; Ctrl-C again"), "{line}");
    interrupt(&child, &polls).await;
    let mut rest = String::new();
    tokio::time::timeout(DEADLINE, errors.read_to_string(&mut rest)).await.unwrap().unwrap();
    let output = tokio::time::timeout(DEADLINE, child.wait_with_output()).await.unwrap().unwrap();
    assert_eq!(output.status.code(), Some(1), "the job has failed: {rest}");
    assert!(rest.contains("The host has been told.") && rest.contains("Cancelled at the request of admin."), "{rest}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_configuration_is_printed_with_origins() {
    let output =
        stackmotion(&["config", "--set", "jobs.workers=8"], &[("STACKMOTION_DATABASE_URL", "mysql://u:topsecret@h/d")])
            .output()
            .await
            .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("jobs.workers = 8  # flag --set"), "{text}");
    assert!(text.contains("database.url = \"mysql://u:***@h/d\"  # environment STACKMOTION_DATABASE_URL"), "{text}");
    assert!(!text.contains("topsecret"));
    let refused = stackmotion(&["config", "--set", "job.worker=8"], &[]).output().await.unwrap();
    assert_eq!(refused.status.code(), Some(2));
}
