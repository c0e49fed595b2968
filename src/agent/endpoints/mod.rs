//! What the agent answers to each command.
//!
//! A handler reads the body member by member, as the real agent does, so that a missing member shows up
//! as the same error at the same place (`contract/hyperv-wire.md` sections 2 to 4). Answers are written
//! out here and not with the client's types: a misunderstanding must not cancel itself out.

mod copy;
mod extension;
mod migrate;
mod pools;
mod startup;
mod vms;

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::faults::{Mishaps, Strike};
use super::host::{Host, Process};
use super::world::{World, WorldError};
use crate::hypervisors::hyperv::wire::host as host_wire;
use crate::hypervisors::hyperv::wire::objects::{CopyCommand, CreateObjectCommand, DeleteCommand};
use crate::hypervisors::hyperv::wire::vms as vm_wire;
use crate::hypervisors::hyperv::wire::{Answer, Command, PLAIN_ANSWER};

/// What goes back over the connection.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    /// 200 with a JSON body.
    Ok(Value),
    /// Another status with a JSON body.
    Status(u16, Value),
    /// As `Ok`, and once more behind it.
    Twice(Value),
    /// The connection is closed without an answer.
    Close,
}

impl Reply {
    /// The same answer, twice; what is no answer stays what it is.
    #[must_use]
    pub fn twice(self) -> Self {
        match self {
            Self::Ok(value) => Self::Twice(value),
            other => other,
        }
    }
}

/// An exception that the real agent throws, by its message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thrown(pub String);

impl Thrown {
    fn new(message: &str) -> Self {
        Self(message.to_owned())
    }
}

impl From<WorldError> for Thrown {
    fn from(error: WorldError) -> Self {
        Self(error.to_string())
    }
}

/// Message for reading a member of nothing.
const NULL_BINDING: &str = "Cannot perform runtime binding on a null reference";
/// Message for using nothing as an object.
const NULL_REFERENCE: &str = "Object reference not set to an instance of an object";

/// A request on its way through the agent.
#[derive(Debug, Clone)]
pub struct Call {
    /// The world.
    pub world: Arc<World>,
    /// The host that was asked.
    pub host: Arc<Host>,
    /// The agent process that was asked.
    pub process: Arc<Process>,
    /// Class of the command, in its right spelling.
    pub class: &'static str,
    /// Parsed body; null when it was no JSON.
    pub body: Value,
    /// What goes wrong.
    pub strikes: Vec<Strike>,
}

impl Call {
    /// A member of the body; null when it is absent.
    ///
    /// # Errors
    /// An exception when the body is no object.
    fn member(&self, name: &str) -> Result<&Value, Thrown> {
        member(&self.body, name)
    }

    /// A member as text; empty when it is absent.
    fn text(&self, name: &str) -> Result<&str, Thrown> {
        Ok(self.member(name)?.as_str().unwrap_or(""))
    }

    /// Faults that happen on the way of a copy.
    fn mishaps(&self) -> Mishaps {
        Mishaps(self.strikes.clone())
    }

    /// The motion's id in the request's context.
    fn motion_id(&self) -> Option<&str> {
        self.body.pointer("/contextMap/motion")?.as_str()
    }
}

/// A member of a value; null when it is absent.
fn member<'a>(value: &'a Value, name: &str) -> Result<&'a Value, Thrown> {
    match value {
        Value::Object(members) => Ok(members.get(name).unwrap_or(&Value::Null)),
        Value::Null => Err(Thrown::new(NULL_BINDING)),
        Value::Array(_) => {
            Err(Thrown(format!("'Newtonsoft.Json.Linq.JArray' does not contain a definition for '{name}'")))
        }
        _ => Err(Thrown(format!("'Newtonsoft.Json.Linq.JValue' does not contain a definition for '{name}'"))),
    }
}

/// A class-wrapped answer.
fn answer(class: &str, members: Value) -> Reply {
    let mut wrapped = Map::new();
    wrapped.insert(class.to_owned(), members);
    Reply::Ok(Value::Array(vec![Value::Object(wrapped)]))
}

/// An answer that has `result`, `details` and an empty context only.
fn plain(class: &str, result: bool, details: Option<&str>) -> Reply {
    answer(class, json!({"result": result, "details": details, "contextMap": {}}))
}

/// An answer of a command that does nothing, with the flag that some of them carry.
fn nothing_done(class: &str, details: &str) -> Reply {
    answer(class, json!({"result": true, "details": details, "_reconnect": false, "contextMap": {}}))
}

/// Commands that have a handler, in the order of `contract/hyperv-wire.md` 2.1. Two of the real agent's
/// are left out, legacy ones that no management server sends any more: `CreateCommand` and
/// `PrimaryStorageDownloadCommand`.
const CLASSES: [&str; 36] = [
    host_wire::ReadyCommand::CLASS,
    host_wire::StartupCommand::CLASS,
    host_wire::SetupCommand::CLASS,
    host_wire::CheckHealthCommand::CLASS,
    "com.cloud.agent.api.CheckNetworkCommand",
    "com.cloud.agent.api.CheckOnHostCommand",
    "com.cloud.agent.api.check.CheckSshCommand",
    "com.cloud.agent.api.PingCommand",
    host_wire::PingRoutingCommand::CLASS,
    host_wire::HostVmStateReportCommand::CLASS,
    "com.cloud.agent.api.MaintainCommand",
    host_wire::GetHostStatsCommand::CLASS,
    host_wire::GetVmStatsCommand::CLASS,
    "com.cloud.agent.api.GetStorageStatsCommand",
    "com.cloud.agent.api.CreateStoragePoolCommand",
    "com.cloud.agent.api.ModifyStoragePoolCommand",
    "com.cloud.agent.api.DeleteStoragePoolCommand",
    "com.cloud.agent.api.storage.DestroyCommand",
    CreateObjectCommand::CLASS,
    CopyCommand::CLASS,
    DeleteCommand::CLASS,
    "org.apache.cloudstack.storage.command.AttachCommand",
    "org.apache.cloudstack.storage.command.DettachCommand",
    vm_wire::StartCommand::CLASS,
    vm_wire::StopCommand::CLASS,
    "com.cloud.agent.api.RebootCommand",
    vm_wire::CheckVirtualMachineCommand::CLASS,
    vm_wire::PrepareForMigrationCommand::CLASS,
    vm_wire::MigrateCommand::CLASS,
    vm_wire::MigrateVolumeCommand::CLASS,
    vm_wire::MigrateWithStorageCommand::CLASS,
    "com.cloud.agent.api.GetVncPortCommand",
    vm_wire::GetVmConfigCommand::CLASS,
    "com.cloud.agent.api.ModifyVmNicConfigCommand",
    "com.cloud.agent.api.PlugNicCommand",
    "com.cloud.agent.api.CleanupNetworkRulesCmd",
];

/// The right spelling of a command's class, if the host has a handler for it. Letter case does not
/// matter on the way in.
pub fn known_class(host: &Host, segment: &str) -> Option<&'static str> {
    let mut classes = CLASSES.into_iter().chain(extension::classes_of(&host.spec));
    classes.find(|class| class.eq_ignore_ascii_case(segment))
}

/// Carries a command out.
///
/// # Errors
/// The exception that makes the real agent answer 500.
pub async fn carry_out(call: &Call) -> Result<Reply, Thrown> {
    if call.body.is_null() {
        return Err(Thrown::new(NULL_BINDING));
    }
    let last = call.class.rsplit('.').next().unwrap_or(call.class);
    match last {
        "MigrateCommand" => return migrate::migrate(call).await,
        "MigrateVolumeCommand" => return migrate::migrate_volume(call).await,
        "MigrateWithStorageCommand" => return migrate::migrate_with_storage(call).await,
        "CopyCommand" => return copy::copy(call).await,
        _ => {}
    }
    // The rest look at files and the state only; that is quick, but not for an event loop.
    let call = call.clone();
    let done = tokio::task::spawn_blocking(move || at_once(&call)).await;
    done.unwrap_or_else(|error| Err(Thrown(error.to_string())))
}

/// Carries out a command that takes no time.
fn at_once(call: &Call) -> Result<Reply, Thrown> {
    let last = call.class.rsplit('.').next().unwrap_or(call.class);
    match last {
        "ReadyCommand" => Ok(plain(host_wire::ReadyAnswer::CLASS, true, None)),
        "StartupCommand" => startup::startup(call),
        "SetupCommand" => Ok(nothing_done(host_wire::SetupAnswer::CLASS, "success - NOP")),
        "CheckHealthCommand" => {
            let class = host_wire::CheckHealthAnswer::CLASS;
            Ok(plain(class, true, Some("resource is alive")))
        }
        "CheckNetworkCommand" => Ok(plain("com.cloud.agent.api.CheckNetworkAnswer", true, None)),
        "CheckOnHostCommand" => pools::check_on_host(call),
        "CheckSshCommand" => {
            let class = "com.cloud.agent.api.check.CheckSshAnswer";
            Ok(plain(class, true, Some("NOP, TODO: implement properly")))
        }
        "PingCommand" | "PingRoutingCommand" => {
            let details = format!("success - NOP for {last}");
            Ok(nothing_done(PLAIN_ANSWER, &details))
        }
        "MaintainCommand" => Ok(startup::maintain()),
        "HostVmStateReportCommand" => startup::report(call),
        "GetHostStatsCommand" => Ok(startup::host_stats(call)),
        "GetVmStatsCommand" => startup::vm_stats(call),
        "CleanupNetworkRulesCmd" => {
            let details = "nothing to cleanup in our current implementation";
            Ok(plain(PLAIN_ANSWER, false, Some(details)))
        }
        "GetStorageStatsCommand" => Ok(pools::storage_stats(call)),
        "CreateStoragePoolCommand" => Ok(plain(PLAIN_ANSWER, true, Some("success - NOP"))),
        "ModifyStoragePoolCommand" => pools::modify(call),
        "DeleteStoragePoolCommand" => {
            let details = "Current implementation does not delete local path corresponding to storage pool!";
            Ok(plain(PLAIN_ANSWER, true, Some(details)))
        }
        "CreateObjectCommand" => copy::create(call),
        "DeleteCommand" => copy::delete(call),
        "DestroyCommand" => Ok(copy::destroy(call)),
        "PrepareForMigrationCommand" => {
            let class = vm_wire::PrepareForMigrationAnswer::CLASS;
            Ok(plain(class, true, Some("NOP - success")))
        }
        _ if call.class.starts_with("stackmotion.") => extension::answer_to(call, last),
        _ => vms::answer_to(call, last),
    }
}

/// The answer of a command to which `strike` happens before anything is done, as a failure of its class.
pub fn refusal(call: &Call, details: &str) -> Reply {
    let class = match call.class {
        class if class == vm_wire::MigrateVolumeCommand::CLASS => {
            return migrate::volume_answer(call, Some(details));
        }
        class if class == vm_wire::MigrateWithStorageCommand::CLASS => {
            return migrate::storage_answer(call, Some(details));
        }
        class if class == CopyCommand::CLASS => "org.apache.cloudstack.storage.command.CopyCmdAnswer",
        class if class == DeleteCommand::CLASS => PLAIN_ANSWER,
        class => return plain(&class.replace("Command", "Answer"), false, Some(details)),
    };
    plain(class, false, Some(details))
}

/// What Hyper-V's refusal of a call reads like in the answer to this command.
pub fn wmi_refusal(call: &Call, code: u32) -> Reply {
    migrate::wmi_refusal(call, code)
}

/// The answer that says that a move was made which was not.
pub fn lie(call: &Call) -> Reply {
    match call.class {
        class if class == vm_wire::MigrateVolumeCommand::CLASS => migrate::volume_answer(call, None),
        class if class == vm_wire::MigrateWithStorageCommand::CLASS => migrate::storage_answer(call, None),
        class if class == CopyCommand::CLASS => copy::copied(call),
        class if class == DeleteCommand::CLASS => plain(PLAIN_ANSWER, true, None),
        class => plain(&class.replace("Command", "Answer"), true, None),
    }
}

/// Puts another path where an answer names a volume's.
pub fn with_path(reply: Reply, path: &str) -> Reply {
    let Reply::Ok(mut body) = reply else {
        return reply;
    };
    let members = body.get_mut(0).and_then(Value::as_object_mut).and_then(|wrapped| wrapped.values_mut().next());
    let Some(members) = members else {
        return Reply::Ok(body);
    };
    if let Some(named) = members.get_mut("volumePath") {
        *named = Value::from(path);
    }
    let volumes = members.get_mut("volumeTos").and_then(Value::as_array_mut);
    for volume in volumes.into_iter().flatten() {
        volume["path"] = Value::from(path);
    }
    let data = members.get_mut("newData").and_then(Value::as_object_mut);
    for object in data.into_iter().flat_map(Map::values_mut) {
        object["path"] = Value::from(path);
    }
    Reply::Ok(body)
}
