//! Every recorded request and answer of a real agent is understood by the wire types.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use stackmotion::hypervisors::hyperv::wire::extension::{MotionState, MotionStatusCommand};
use stackmotion::hypervisors::hyperv::wire::host::*;
use stackmotion::hypervisors::hyperv::wire::objects::*;
use stackmotion::hypervisors::hyperv::wire::pools::*;
use stackmotion::hypervisors::hyperv::wire::vms::*;
use stackmotion::hypervisors::hyperv::wire::{
    Answer, Base, Command, PATH_PREFIX, REQUEST_LIMIT_BYTES, WireError, decode, encode,
};

struct Pair {
    class: String,
    request: Value,
    status: Option<u64>,
    answer: String,
}

fn golden() -> BTreeMap<String, Pair> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/agent");
    let read = |name: String| -> Value {
        let text = fs::read_to_string(folder.join(&name)).unwrap();
        serde_json::from_str(&text).unwrap()
    };
    let mut pairs = BTreeMap::new();
    for entry in fs::read_dir(&folder).unwrap() {
        let file = entry.unwrap().file_name().into_string().unwrap();
        let Some(name) = file.strip_suffix(".request.json") else {
            continue;
        };
        let request = read(file.clone());
        let response = read(format!("{name}.response.json"));
        let path = request["path"].as_str().unwrap();
        pairs.insert(
            name.to_owned(),
            Pair {
                class: path.strip_prefix(PATH_PREFIX).unwrap_or("").to_owned(),
                request: request["json"].clone(),
                status: response["status"].as_u64(),
                answer: response["body"].as_str().unwrap_or("").to_owned(),
            },
        );
    }
    pairs
}

/// Members whose default value a sender may leave out.
fn without_defaults(value: &Value) -> Value {
    match value {
        Value::Object(members) => members
            .iter()
            .filter(|(_, member)| {
                !member.is_null()
                    && *member != &json!(false)
                    && *member != &json!(0)
                    && *member != &json!("")
                    && *member != &json!({})
                    && *member != &json!([])
            })
            .map(|(key, member)| (key.clone(), without_defaults(member)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        Value::Array(elements) => elements.iter().map(without_defaults).collect(),
        other => other.clone(),
    }
}

/// Reads the request as a command and writes it again, reads the answer; says what came of it.
fn understand<C: Command + DeserializeOwned>(name: &str, pair: &Pair) -> (bool, Option<String>) {
    let inner = C::WRAPPED_AS.map_or(&pair.request, |class| &pair.request[0][class]);
    // Hand-made requests lack members on purpose; those are not requests of ours.
    if let Ok(command) = serde_json::from_value::<C>(inner.clone()) {
        let written: Value = serde_json::from_slice(&encode(&command).unwrap()).unwrap();
        assert_eq!(
            without_defaults(&written),
            without_defaults(&pair.request),
            "{name}: the request changed on the way"
        );
    } else {
        assert!(
            name.starts_with("missing-")
                || name.starts_with("malformed-")
                || name == "field-case"
                || name == "wrapped-in-array"
                || name == "migrate-with-storage-map-form"
                || name.starts_with("startup-not")
                || name == "get-on-command",
            "{name}: the request is not understood: {}",
            pair.request
        );
    }
    if pair.status != Some(200) {
        return (false, None);
    }
    let answer = decode::<C>(pair.answer.as_bytes()).unwrap_or_else(|error| panic!("{name}: {error}"));
    (answer.outcome().result, answer.outcome().details.clone())
}

type Reader = fn(&str, &Pair) -> (bool, Option<String>);

fn readers() -> BTreeMap<&'static str, Reader> {
    let mut readers: BTreeMap<&'static str, Reader> = BTreeMap::new();
    macro_rules! register {
        ($($command:ty),* $(,)?) => {
            $(readers.insert(<$command>::CLASS, understand::<$command>);)*
        };
    }
    register!(
        ReadyCommand,
        StartupCommand,
        SetupCommand,
        CheckHealthCommand,
        PingRoutingCommand,
        HostVmStateReportCommand,
        GetHostStatsCommand,
        GetVmStatsCommand,
        GetStorageStatsCommand,
        CreateStoragePoolCommand,
        ModifyStoragePoolCommand,
        DeleteStoragePoolCommand,
        CheckVirtualMachineCommand,
        PrepareForMigrationCommand,
        MigrateCommand,
        MigrateVolumeCommand,
        MigrateWithStorageCommand,
        StopCommand,
        StartCommand,
        GetVmConfigCommand,
        CopyCommand,
        DeleteCommand,
        CreateObjectCommand,
    );
    readers
}

#[test]
fn every_recorded_pair_is_understood() {
    let readers = readers();
    let mut read = 0;
    for (name, pair) in golden() {
        let Some(reader) = readers.get(pair.class.as_str()) else {
            // What no gateway sends: other commands, other paths, letter cases.
            assert!(
                [
                    "get",
                    "ping",
                    "command-name-case",
                    "unknown-command",
                    "unknown-controller",
                    "unknown-path",
                    "unsupported-command"
                ]
                .contains(&name.as_str()),
                "no type for {name} ({})",
                pair.class
            );
            continue;
        };
        let (result, details) = reader(&name, &pair);
        if pair.status == Some(200) && !pair.class.ends_with("ReportCommand") && !name.starts_with("startup") {
            let body: Value = serde_json::from_str(&pair.answer).unwrap();
            let members = body[0].as_object().unwrap().values().next().unwrap();
            assert_eq!(json!(result), members["result"], "{name}");
            assert_eq!(details.map_or(Value::Null, Value::from), members["details"], "{name}");
        }
        read += 1;
    }
    assert!(read >= 55, "only {read} pairs were read");
}

#[test]
fn facts_are_read_from_the_recorded_answers() {
    let pairs = golden();
    let startup = decode::<StartupCommand>(pairs["startup"].answer.as_bytes()).unwrap();
    assert_eq!(startup.host.cpus, Some(4));
    assert_eq!(startup.host.memory, Some(17_179_869_184));
    assert_eq!(startup.host.hypervisor_version.as_deref(), Some("6.18"));
    assert_eq!(startup.host.vms["i-2-20-VM"]["state"], "Stopped");
    let pool = startup.local_pool.unwrap().pool_info;
    assert_eq!(pool.pool_type.as_deref(), Some(FILESYSTEM));
    assert!(pool.capacity_bytes.unwrap() > pool.available_bytes.unwrap());

    let report = decode::<HostVmStateReportCommand>(pairs["host-vm-state-report"].answer.as_bytes());
    let names: Vec<_> = report.unwrap().vms.into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["i-2-10-VM", "i-2-30-VM", "i-2-40-VM"]);

    let stats = decode::<GetStorageStatsCommand>(pairs["get-storage-stats-smb"].answer.as_bytes()).unwrap();
    assert_eq!(stats.size_bytes(), Some(270_553_174_016));
    assert_eq!(stats.in_use_bytes(), Some(191_228_399_616));
    let newer = br#"[{"com.cloud.agent.api.GetStorageStatsAnswer":{"result":true,"capacityBytes":7,"usedBytes":5.0}}]"#;
    let newer = decode::<GetStorageStatsCommand>(newer).unwrap();
    assert_eq!((newer.size_bytes(), newer.in_use_bytes()), (Some(7), Some(5)));

    let check = decode::<CheckVirtualMachineCommand>(pairs["check-virtual-machine"].answer.as_bytes());
    assert_eq!(check.unwrap().power(), Some("PowerOn"));
    let newer = br#"[{"com.cloud.agent.api.CheckVirtualMachineAnswer":{"result":true,"state":"PowerOff"}}]"#;
    assert_eq!(decode::<CheckVirtualMachineCommand>(newer).unwrap().power(), Some("PowerOff"));

    let moved = decode::<MigrateWithStorageCommand>(pairs["migrate-with-storage"].answer.as_bytes()).unwrap();
    let ids: Vec<_> = moved.volume_tos.iter().map(|volume| volume.id).collect();
    assert_eq!(ids, [11, 12]);

    let host = decode::<GetHostStatsCommand>(pairs["get-host-stats"].answer.as_bytes()).unwrap();
    assert_eq!(host.host_stats.unwrap().total_memory_kib, 16_777_216.0);
}

#[test]
fn bodies_are_ascii_and_small_enough() {
    let command =
        CheckVirtualMachineCommand { vm_name: "i-2-é-\u{1F680}\u{7f}-VM".to_owned(), base: Base::for_motion("m-1") };
    let body = encode(&command).unwrap();
    assert!(body.is_ascii());
    let text = String::from_utf8(body.clone()).unwrap();
    assert!(text.contains(r"i-2-\u00e9-\ud83d\ude80\u007f-VM"), "{text}");
    assert!(text.contains(r#""contextMap":{"motion":"m-1"}"#), "{text}");
    let back: CheckVirtualMachineCommand = serde_json::from_slice(&body).unwrap();
    assert_eq!(back, command);

    let large = CheckVirtualMachineCommand { vm_name: "x".repeat(REQUEST_LIMIT_BYTES), base: Base::default() };
    assert!(matches!(encode(&large), Err(WireError::TooLarge { .. })));
}

#[test]
fn migrate_says_the_target_under_both_names() {
    let body = encode(&MigrateCommand::new("i-2-5-VM", "192.0.2.22", Base::default())).unwrap();
    let body: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(body["destIp"], "192.0.2.22");
    assert_eq!(body["destinationIp"], "192.0.2.22");
    assert_eq!(body["hostGuid"], "06b68ab4-7e77-35a4-a40d-11944bc46d1c-HypervResource");
}

#[test]
fn odd_answers_are_typed_errors() {
    let read = |body: &str| decode::<MigrateVolumeCommand>(body.as_bytes());
    assert!(matches!(read("[]"), Err(WireError::Empty)));
    assert!(matches!(read(""), Err(WireError::NotJson { .. })));
    assert!(matches!(read("null"), Err(WireError::Shape { .. })));
    assert!(matches!(read(r#"{"result":true}"#), Err(WireError::Shape { .. })));
    assert!(matches!(read("[{}]"), Err(WireError::Shape { .. })));
    assert!(matches!(
        read(r#"[{"com.cloud.agent.api.MigrateAnswer":{"result":true}}]"#),
        Err(WireError::WrongClass { .. })
    ));
    // A plain answer is a refusal of any command, but never a success of one.
    let refused = read(r#"[{"com.cloud.agent.api.Answer":{"result":false,"details":"no"}}]"#).unwrap();
    assert_eq!(refused.outcome.details.as_deref(), Some("no"));
    assert!(matches!(read(r#"[{"com.cloud.agent.api.Answer":{"result":true}}]"#), Err(WireError::WrongClass { .. })));
    let nulls = r#"[{"com.cloud.agent.api.storage.MigrateVolumeAnswer":
        {"result":null,"details":null,"volumePath":null,"contextMap":null,"new":[1]}},{"x":1}]"#;
    assert!(!read(nulls).unwrap().outcome.result);
}

#[test]
fn additions_of_ours_are_read_with_gaps() {
    let body =
        br#"[{"stackmotion.MotionStatusAnswer":{"result":true,"known":true,"state":"running","bytesTotal":10}}]"#;
    let status = decode::<MotionStatusCommand>(body).unwrap();
    assert_eq!(status.state, Some(MotionState::Running));
    assert_eq!((status.bytes_total, status.bytes_done), (Some(10), None));
}
