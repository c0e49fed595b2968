//! Disk files outside of VMs: create, copy, delete (`contract/hyperv-wire.md` 2.21 and 2.22).

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use uuid::Uuid;

use super::migrate::in_motion;
use super::{Call, NULL_BINDING, Reply, Thrown, answer, member, plain};
use crate::agent::copy::{Copy, Course, data_bytes};
use crate::agent::image::{Image, ImageFormat};
use crate::agent::motion::Interruption;
use crate::agent::moves::MoveError;
use crate::agent::pools::{Pool, inside};
use crate::hypervisors::hyperv::wire::objects::{CopyCmdAnswer, CreateObjectAnswer};
use crate::hypervisors::hyperv::wire::{Answer, PLAIN_ANSWER, naming};

const VOLUME: &str = "org.apache.cloudstack.storage.to.VolumeObjectTO";
const TEMPLATE: &str = "org.apache.cloudstack.storage.to.TemplateObjectTO";
const PRIMARY: &str = "org.apache.cloudstack.storage.to.PrimaryDataStoreTO";
const SECONDARY: &str = "com.cloud.agent.api.to.NfsTO";

/// A volume or template of a request.
struct Object<'a> {
    members: &'a Value,
    is_volume: bool,
    store: Store,
}

/// Where an object lies.
struct Store {
    /// The folder as the host names it.
    name: String,
    /// The real folder; absent when the host cannot reach it.
    folder: Option<PathBuf>,
    /// The pool that the folder is, if it is one.
    pool: Option<Pool>,
    is_primary: bool,
}

impl<'a> Object<'a> {
    /// Reads a class-wrapped object.
    fn read(call: &Call, wrapped: &'a Value) -> Result<Self, Thrown> {
        let (members, is_volume, store) = if let Some(volume) = wrapped.get(VOLUME) {
            (volume, true, member(volume, "dataStore")?)
        } else if let Some(template) = wrapped.get(TEMPLATE) {
            (template, false, member(template, "imageDataStore")?)
        } else {
            return Err(Thrown::new(NULL_BINDING));
        };
        Ok(Self { members, is_volume, store: Store::read(call, store)? })
    }

    fn text(&self, name: &str) -> &'a str {
        self.members.get(name).and_then(Value::as_str).unwrap_or("")
    }

    /// Path, or the uuid when there is none.
    fn stem(&self) -> &'a str {
        Some(self.text("path")).filter(|path| !path.is_empty()).unwrap_or(self.text("uuid"))
    }

    /// The name of its file, with an extension. Without a format the only file of that stem is meant.
    fn file_name(&self) -> String {
        let format = self.text("format");
        if !format.is_empty() {
            return naming::file_name(self.stem(), format);
        }
        let with = |extension: &str| naming::file_name(self.stem(), extension);
        let candidates = ["vhdx", "vhd"].map(with);
        let exists = |name: &&String| self.store.file(name).is_some_and(|file| file.exists());
        let found = candidates.iter().find(exists).cloned();
        found.unwrap_or_else(|| self.stem().to_owned())
    }
}

impl Store {
    fn read(call: &Call, wrapped: &Value) -> Result<Self, Thrown> {
        let own_drive = call.world.folder().join("hosts").join(call.host.ip()).join("drive");
        if let Some(primary) = wrapped.get(PRIMARY) {
            let text = |name: &str| primary.get(name).and_then(Value::as_str).unwrap_or("");
            let name = match text("poolType") {
                "Filesystem" => text("path").to_owned(),
                _ => naming::smb_unc(text("host"), text("path")),
            };
            return Ok(Self::of(call, name, true));
        }
        let url = member(member(wrapped, SECONDARY)?, "_url")?.as_str().unwrap_or("");
        if let Some(rest) = url.strip_prefix("cifs://") {
            let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
            return Ok(Self::of(call, naming::smb_unc(host, &format!("/{path}")), false));
        }
        // The real agent makes no share of an nfs URL and ends up on its own drive.
        Ok(Self { name: String::new(), folder: Some(own_drive), pool: None, is_primary: false })
    }

    fn of(call: &Call, name: String, is_primary: bool) -> Self {
        let pool = call.world.pools.find(call.host.ip(), &name).cloned();
        Self { folder: pool.as_ref().map(|pool| pool.folder.clone()), name, pool, is_primary }
    }

    /// The real file of a name in it.
    fn file(&self, name: &str) -> Option<PathBuf> {
        inside(self.folder.as_deref()?, name)
    }
}

/// What the agent echoes of a volume: ids are left out, its own view of the place is added.
fn echo(object: &Object<'_>, path: &Value, format: &str) -> Value {
    let file = match path.as_str().filter(|path| !path.is_empty()) {
        Some(path) => naming::file_name(path, format),
        None => naming::file_name(object.text("uuid"), format),
    };
    let get = |name: &str| object.members.get(name).cloned().unwrap_or(Value::Null);
    json!({VOLUME: {
        "dataStore": get("dataStore"),
        "format": format,
        "name": get("name"),
        "path": path,
        "uuid": get("uuid"),
        "size": get("size"),
        "FullFileName": naming::join(&object.store.name, &file),
    }})
}

/// Creates an empty dynamic VHDX.
pub(super) fn create(call: &Call) -> Result<Reply, Thrown> {
    let class = CreateObjectAnswer::CLASS;
    let failed = |text: &str| answer(class, json!({"result": false, "details": text, "data": null, "contextMap": {}}));
    let on_exception = |text: &str| failed(&format!("{} failed on exception, {text}", call.class));
    let object = match call.member("data").and_then(|data| Object::read(call, data)) {
        Ok(object) => object,
        Err(thrown) => return Ok(on_exception(&thrown.0)),
    };
    let Some(size) = object.members.get("size").and_then(Value::as_u64) else {
        return Ok(on_exception("Cannot convert null to 'ulong' because it is a non-nullable value type"));
    };
    let uuid = object.text("uuid");
    let Some(path) = object.store.file(&format!("{uuid}.vhdx")) else {
        return Ok(failed(&format!("Failed to create disk with name {uuid}")));
    };
    match Image::create(&path, ImageFormat::Vhdx, size.next_multiple_of(512), Uuid::new_v4()) {
        Ok(_) => Ok(answer(
            class,
            json!({
                "result": true,
                "details": null,
                "data": echo(&object, &json!(uuid), "VHDX"),
                "contextMap": {},
            }),
        )),
        Err(_) => Ok(failed(&format!("Failed to create disk with name {uuid}"))),
    }
}

/// Deletes the file of a volume. A missing file is a success.
pub(super) fn delete(call: &Call) -> Result<Reply, Thrown> {
    let failed = |text: &str| {
        // The real agent names the wrong class here.
        let details = format!("com.cloud.agent.api.storage.DestroyCommand failed due to {text}");
        plain(PLAIN_ANSWER, false, Some(&details))
    };
    let object = match call.member("data").and_then(|data| Object::read(call, data)) {
        Ok(object) if object.is_volume => object,
        Ok(_) => return Ok(failed(NULL_BINDING)),
        Err(thrown) => return Ok(failed(&thrown.0)),
    };
    let name = object.file_name();
    let Some(path) = object.store.file(&name).filter(|path| path.exists()) else {
        return Ok(plain(PLAIN_ANSWER, true, None));
    };
    if call.world.user_of(&path).is_some() || call.world.pools.is_in_flight(&path) {
        let name = naming::join(&object.store.name, &name);
        return Ok(failed(&in_use(&name)));
    }
    Ok(match fs::remove_file(&path) {
        Ok(()) => plain(PLAIN_ANSWER, true, None),
        Err(error) => failed(&error.to_string()),
    })
}

/// Deletes a file by its full name.
pub(super) fn destroy(call: &Call) -> Reply {
    let failed = |text: &str| {
        let details = format!("{} failed due to {text}", call.class);
        plain(PLAIN_ANSWER, false, Some(&details))
    };
    let Some(volume) = call.body.get("volume").filter(|volume| volume.is_object()) else {
        return failed(&format!("No 'volume' details in {} {}", call.class, call.body));
    };
    let path = volume.get("path").and_then(Value::as_str).unwrap_or("");
    if path.is_empty() {
        let text = format!("No valid path in DestroyCommand in {} {}", call.class, call.body);
        return failed(&text);
    }
    let (folder, name) = (naming::folder_of(path), naming::base_name(path));
    let file = call.world.pools.file(call.host.ip(), folder, name);
    let Some(file) = file.filter(|file| file.exists()) else {
        return plain(PLAIN_ANSWER, true, None);
    };
    if call.world.user_of(&file).is_some() {
        return failed(&in_use(path));
    }
    match fs::remove_file(&file) {
        Ok(()) => plain(PLAIN_ANSWER, true, None),
        Err(error) => failed(&error.to_string()),
    }
}

fn in_use(name: &str) -> String {
    format!("The process cannot access the file '{name}' because it is being used by another process.")
}

/// A copy with everything looked up.
struct Order {
    source: PathBuf,
    target: PathBuf,
    pool: Option<Pool>,
    new_data: Value,
}

/// Reads a copy request.
///
/// # Errors
/// The text that the agent answers.
fn read_order(call: &Call) -> Result<Order, String> {
    let on_exception = |text: &str| format!("{} failed on exception, {text}", call.class);
    let read = |name: &str| {
        let wrapped = call.member(name)?;
        Object::read(call, wrapped)
    };
    let source = read("srcTO").map_err(|thrown| on_exception(&thrown.0))?;
    let target = read("destTO").map_err(|thrown| on_exception(&thrown.0))?;
    if !target.is_volume || !source.is_volume && !source.store.is_primary {
        return Err("Data store combination not supported".to_owned());
    }
    let source_name = source.file_name();
    let shown = naming::join(&source.store.name, &source_name);
    let file = source.store.file(&source_name).filter(|file| file.exists());
    let file = file.ok_or_else(|| format!("Local template file missing from {shown}"))?;
    if call.world.user_of(&file).is_some() {
        return Err(on_exception(&in_use(&shown)));
    }
    let format = [&target, &source]
        .map(|object| object.text("format"))
        .into_iter()
        .find(|format| !format.is_empty())
        .unwrap_or("VHDX");
    let uuid = target.text("uuid");
    let path = if !source.is_volume {
        json!(uuid)
    } else if source.store.is_primary {
        // Meant for a staging folder; from primary to primary it names no file that anybody looks for.
        json!(format!("{}/{uuid}.{}", target.text("path"), format.to_lowercase()))
    } else {
        target.members.get("path").cloned().unwrap_or(Value::Null)
    };
    // In primary storage the file has the name that was asked for, whatever path is answered afterwards.
    let answered = path.as_str().filter(|path| !path.is_empty());
    let name = match answered {
        Some(path) if !target.store.is_primary => path,
        _ => target.stem(),
    };
    let name = naming::file_name(name, format);
    let place = target.store.file(&name);
    let no_place = || on_exception(&format!("Could not find a part of the path '{}'.", target.store.name));
    let place = place.ok_or_else(no_place)?;
    if call.world.user_of(&place).is_some() || call.world.pools.is_in_flight(&place) {
        return Err(on_exception(&in_use(&naming::join(&target.store.name, &name))));
    }
    Ok(Order { source: file, target: place, pool: target.store.pool.clone(), new_data: echo(&target, &path, format) })
}

/// The answer of a copy that worked, or is said to have.
pub(super) fn copied(call: &Call) -> Reply {
    let new_data = read_order(call).map_or(Value::Null, |order| order.new_data);
    answer(CopyCmdAnswer::CLASS, json!({"result": true, "details": null, "newData": new_data, "contextMap": {}}))
}

fn not_copied(details: &str) -> Reply {
    answer(CopyCmdAnswer::CLASS, json!({"result": false, "details": details, "newData": null, "contextMap": {}}))
}

/// Copies a volume or template that no running VM has.
pub(super) async fn copy(call: &Call) -> Result<Reply, Thrown> {
    let order = match read_order(call) {
        Ok(order) => order,
        Err(details) => return Ok(not_copied(&details)),
    };
    let reply = answer(
        CopyCmdAnswer::CLASS,
        json!({"result": true, "details": null, "newData": &order.new_data, "contextMap": {}}),
    );
    let outcome = in_motion(call, move |course| Ok(copy_file(course, &order)?)).await;
    Ok(match outcome {
        Ok(()) => reply,
        Err(MoveError::Interrupted(Interruption::Killed)) => Reply::Close,
        Err(MoveError::Interrupted(Interruption::Job { description, .. })) => {
            let text = description.trim_start_matches("Migration did not succeed. ");
            not_copied(&format!("{} failed on exception, {text}", call.class))
        }
        Err(error) => not_copied(&format!("{} failed on exception, {error}", call.class)),
    })
}

/// Copies a file; what was begun is removed again unless the agent died.
fn copy_file(course: &Course<'_>, order: &Order) -> Result<(), Interruption> {
    let trouble = |error: std::io::Error| Interruption::job(&error.to_string());
    if let Some(folder) = order.target.parent() {
        fs::create_dir_all(folder).map_err(trouble)?;
    }
    // A file of that name is deleted first, whatever it is.
    if order.target.exists() {
        fs::remove_file(&order.target).map_err(trouble)?;
    }
    let bytes = data_bytes(&order.source).map_err(trouble)?;
    course.motion.expect(bytes);
    course.motion.enter("copy");
    let pools = &course.world.pools;
    if let Some(pool) = &order.pool
        && !pools.reserve(pool, &order.target, bytes).map_err(trouble)?
    {
        return Err(Interruption::job("There is not enough space on the disk. (0x80070070)."));
    }
    let outcome = begin_and_run(course, &order.source, &order.target);
    pools.release(&order.target);
    outcome
}

fn begin_and_run(course: &Course<'_>, source: &Path, target: &Path) -> Result<(), Interruption> {
    let copy = Copy::begin(source, target, None)?;
    let outcome = copy.run(course).and_then(|()| course.go_on()).and_then(|()| course.motion.commit());
    if matches!(&outcome, Err(interruption) if *interruption != Interruption::Killed)
        && let Err(error) = fs::remove_file(target)
    {
        tracing::warn!(target = %target.display(), %error, "a broken-off copy cannot be removed");
    }
    if outcome.is_ok() {
        course.mishaps.happen_after_switch(course.process);
    }
    outcome
}
