//! The demonstration as a newcomer runs it: the real binary, its report, and a second gateway on its data.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

const BINARY: &str = env!("CARGO_BIN_EXE_stackmotion");
/// Far beyond what anything here takes; only a hang reaches it.
const DEADLINE: Duration = Duration::from_secs(60);

/// A process that ends with the test, whatever happens.
struct Running(Child);

impl Running {
    fn start(args: &[&str]) -> Self {
        Self(Command::new(BINARY).args(args).stdout(Stdio::null()).spawn().unwrap())
    }

    /// Asks it to end and waits.
    fn stop(mut self) -> bool {
        let told = Command::new("sh").arg("-c").arg(format!("kill -TERM {}", self.0.id())).status().unwrap();
        assert!(told.success());
        self.0.wait().unwrap().success()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Waits until `look` finds something.
fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begun.elapsed() < DEADLINE, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn read_report(file: &Path) -> Option<Value> {
    Some(serde_json::from_slice(&std::fs::read(file).ok()?).unwrap())
}

/// `stackmotion call` against the gateway of a report.
fn call(report: &Value, args: &[&str]) -> Output {
    let text = |name: &str| report[name].as_str().unwrap();
    Command::new(BINARY)
        .arg("call")
        .args(args)
        .env("STACKMOTION_URL", text("url"))
        .env("STACKMOTION_APIKEY", text("apikey"))
        .env("STACKMOTION_SECRETKEY", text("secretkey"))
        .output()
        .unwrap()
}

fn answer(output: &Output) -> Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Where a volume lies by its pool and path: as whoever reads the report finds it.
fn file_of(report: &Value, volume: &Value) -> PathBuf {
    let folder = report["pool_dirs"][volume["storageid"].as_str().unwrap()].as_str().unwrap();
    let stem = volume["path"].as_str().unwrap();
    let files = ["vhdx", "vhd"].map(|extension| Path::new(folder).join(format!("{stem}.{extension}")));
    files.into_iter().find(|file| file.exists()).unwrap_or_else(|| panic!("no file {stem} in {folder}"))
}

fn qemu_img(args: &[&str]) -> Output {
    Command::new("qemu-img").args(args).output().unwrap()
}

/// `qemu-img check` where it knows the format; it cannot check VHD, which `info` has to read then.
fn check_image(file: &Path) {
    let action = if file.extension().unwrap() == "vhdx" { "check" } else { "info" };
    let output = qemu_img(&[action, file.to_str().unwrap()]);
    assert!(output.status.success(), "{action} {}: {output:?}", file.display());
}

fn all_cases_are_proved(report: &Value) {
    let cases = report["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 3);
    for case in cases {
        assert_eq!(case["ok"], true, "{case}");
        assert_eq!(case["jobid"].as_str().unwrap().len(), 36);
        assert!(case["bytes"].as_u64().unwrap() > 0 && case["seconds"].as_f64().unwrap() > 0.0);
    }
}

#[test]
fn the_demonstration_proves_its_cases_and_goes_on_at_a_second_start() {
    let folder = tempfile::tempdir().unwrap();
    let (data, file) = (folder.path().join("demo"), folder.path().join("report.json"));
    let args = ["demo", "--exit", "--data-dir", data.to_str().unwrap(), "--report", file.to_str().unwrap()];
    let first = Command::new(BINARY).args(args).output().unwrap();
    assert!(first.status.success(), "{first:?}");
    let report = read_report(&file).unwrap();
    all_cases_are_proved(&report);
    let pools = Path::new(report["pools"].as_str().unwrap());
    let folders: BTreeMap<String, PathBuf> = serde_json::from_value(report["pool_dirs"].clone()).unwrap();
    assert_eq!(folders.len(), 2 * (3 + 2));
    let images =
        || folders.values().flat_map(|folder| std::fs::read_dir(folder).unwrap()).map(|file| file.unwrap().path());
    assert!(images().all(|image| image.starts_with(pools)));
    let is_disk =
        |image: &PathBuf| image.extension().is_some_and(|extension| extension == "vhdx" || extension == "vhd");
    let disks: Vec<PathBuf> = images().filter(is_disk).collect();
    assert_eq!(disks.len(), 8, "{disks:?}");
    disks.iter().for_each(|disk| check_image(disk));

    std::fs::remove_file(&file).unwrap();
    let second = Command::new(BINARY).args(args).output().unwrap();
    assert!(second.status.success(), "{second:?}");
    assert!(String::from_utf8_lossy(&second.stdout).contains("Going on with the demonstration in"));
    let again = read_report(&file).unwrap();
    all_cases_are_proved(&again);
    assert_eq!((&report["apikey"], &report["serve"]), (&again["apikey"], &again["serve"]));
}

#[test]
fn a_folder_with_something_else_in_it_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("precious"), "x").unwrap();
    let output = Command::new(BINARY).args(["demo", "--exit", "--data-dir"]).arg(folder.path()).output().unwrap();
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("nothing was touched"), "{output:?}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn another_gateway_serves_the_data_and_migrates_again() {
    let folder = tempfile::tempdir().unwrap();
    let (data, file) = (folder.path().join("demo"), folder.path().join("report.json"));
    let hosts = Running::start(&[
        "demo",
        "--hosts-only",
        "--data-dir",
        data.to_str().unwrap(),
        "--report",
        file.to_str().unwrap(),
    ]);
    let report = until("the report", || read_report(&file));
    all_cases_are_proved(&report);
    assert_eq!(call(&report, &["listZones"]).status.code(), Some(3), "the gateway of the demonstration has stopped");

    let serve: Vec<&str> = report["serve"].as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect();
    let gateway = Running::start(&serve);
    // Exit code 3 says that there was no answer: it is not listening yet.
    until("the gateway", || (call(&report, &["listZones"]).status.code() != Some(3)).then_some(()));
    // This VM's disk has no guest that writes to it, so it can be compared as a whole.
    let volumes = answer(&call(&report, &["listVolumes", "listall=true"]));
    let volumes = volumes["volume"].as_array().unwrap();
    let volume = volumes.iter().find(|volume| volume["name"] == "ROOT-build").unwrap();
    let old = file_of(&report, volume);
    let copy = folder.path().join("before.vhdx");
    std::fs::copy(&old, &copy).unwrap();

    let (vm, id) = (volume["virtualmachineid"].as_str().unwrap(), volume["id"].as_str().unwrap());
    let hosts_of = answer(&call(&report, &["listHosts", "name=c1-h2"]));
    let pools = answer(&call(&report, &["listStoragePools", "name=c1-h2-local"]));
    let (target, pool) = (hosts_of["host"][0]["id"].as_str().unwrap(), pools["storagepool"][0]["id"].as_str().unwrap());
    let moved = answer(&call(
        &report,
        &[
            "migrateVirtualMachineWithVolume",
            &format!("virtualmachineid={vm}"),
            &format!("hostid={target}"),
            &format!("migrateto[0].volume={id}"),
            &format!("migrateto[0].pool={pool}"),
            "--wait",
        ],
    ));
    assert_eq!(moved["virtualmachine"]["hostid"], target, "{moved}");

    let now = answer(&call(&report, &["listVolumes", &format!("id={id}")]));
    let new = file_of(&report, &now["volume"][0]);
    assert_eq!(
        (now["volume"][0]["storageid"].as_str(), now["volume"][0]["state"].as_str()),
        (Some(pool), Some("Ready"))
    );
    assert!(!old.exists() && new != old);
    check_image(&new);
    let compared = qemu_img(&["compare", copy.to_str().unwrap(), new.to_str().unwrap()]);
    assert!(compared.status.success(), "{compared:?}");
    assert!(gateway.stop(), "the gateway ends well");
    assert!(hosts.stop(), "the demonstration ends well");
}

/// The gateway's process is killed while a VM with its disks is on its way, several times. Another process takes the job
/// up: the same job id ends well, and everything is where the database says.
#[test]
fn a_gateway_killed_in_the_middle_of_a_motion_is_followed_by_one_that_ends_it() {
    let folder = tempfile::tempdir().unwrap();
    let (data, file) = (folder.path().join("demo"), folder.path().join("report.json"));
    let (data, report) = (data.to_str().unwrap(), file.to_str().unwrap());
    let hosts = Running::start(&["demo", "--hosts-only", "--data-dir", data, "--report", report]);
    let report = until("the report", || read_report(&file));
    let serve: Vec<&str> = report["serve"].as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect();
    let serving = || {
        let gateway = Running::start(&serve);
        until("the gateway", || (call(&report, &["listZones"]).status.code() != Some(3)).then_some(()));
        gateway
    };
    let one = |args: &[&str], list: &str| answer(&call(&report, args))[list][0].clone();
    let mut gateway = serving();
    let volume = one(&["listVolumes", "listall=true", "name=ROOT-build"], "volume");
    let (vm, id) = (volume["virtualmachineid"].as_str().unwrap(), volume["id"].as_str().unwrap());
    for (round, name) in ["c1-h2", "c2-h1", "c1-h3"].into_iter().enumerate() {
        let host = one(&["listHosts", &format!("name={name}")], "host");
        let pool = one(&["listStoragePools", &format!("name={name}-local")], "storagepool");
        let (host, pool) = (host["id"].as_str().unwrap(), pool["id"].as_str().unwrap());
        let submitted = answer(&call(
            &report,
            &[
                "migrateVirtualMachineWithVolume",
                &format!("virtualmachineid={vm}"),
                &format!("hostid={host}"),
                &format!("migrateto[0].volume={id}"),
                &format!("migrateto[0].pool={pool}"),
            ],
        ));
        let job = format!("jobid={}", submitted["jobid"].as_str().unwrap());
        // Each round kills a little later, with more and more of the disk copied. That something is copied is the sign that
        // the host has the command: a kill before that rightly ends in "not done".
        until("the motion to be under way", || {
            let asked = answer(&call(&report, &["queryAsyncJobResult", &job]));
            let percent = asked["jobprocstatus"].as_i64().unwrap();
            let copied = asked["migration"]["bytesdone"].as_i64().unwrap_or_default();
            (copied > 0 && percent >= 20 * round as i64 || asked["jobstatus"] != 0).then_some(())
        });
        drop(gateway);
        gateway = serving();
        let ended = until("the job to end", || {
            let asked = answer(&call(&report, &["queryAsyncJobResult", &job]));
            (asked["jobstatus"] != 0).then_some(asked)
        });
        assert_eq!(ended["jobstatus"], 1, "{ended}");
        assert_eq!(ended["jobresult"]["virtualmachine"]["hostid"], host, "{ended}");
        let now = one(&["listVolumes", &format!("id={id}")], "volume");
        assert_eq!((now["storageid"].as_str(), now["state"].as_str()), (Some(pool), Some("Ready")), "{now}");
        check_image(&file_of(&report, &now));
    }
    assert!(gateway.stop(), "the gateway ends well");
    assert!(hosts.stop(), "the hosts end well");
}
