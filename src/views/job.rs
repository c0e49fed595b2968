//! The object `asyncjobs`, which `queryAsyncJobResult` prints bare (`contract/api-protocol.md 7.3`).

use super::key::NewKeyView;
use super::row::domain_path;
use crate::api::{Node, Response};
use crate::auth::{Caller, Rule};
use crate::model::Timestamp;
use crate::store::{JobRow, MotionRow};

crate::response! {
    /// How far a motion is. CloudStack does not have this.
    pub struct MigrationView as "migration" {
        /// The id of the motion.
        id: String,
        /// `marked` before the host was told, `sent` while it works, `reconciling` while the hosts are asked what is true of it,
        /// `settled` at the end.
        phase: String,
        /// `done`, `not-done`, `partly` or `unknown`, at the end.
        outcome: Option<String>,
        /// How the disks or the machine are moved.
        strategy: String,
        /// Bytes to move.
        bytes_total "bytestotal": i64,
        /// Bytes moved.
        bytes_done "bytesdone": i64,
        /// The one as a share of the other, 0 to 100.
        percent: i64,
        /// Bytes moved in each second: of late while it goes on, on average when it was done.
        rate "bytespersecond": Option<i64>,
        /// Seconds that it will take if it goes on at this rate; none while that cannot be said.
        eta "etaseconds": Option<i64>,
        /// Who says how far it is: `host`, or `growth` when it was seen from the size of the target's files.
        progress_source "progresssource": Option<String>,
        /// What the host says that it does.
        host_phase "hostphase": Option<String>,
        /// When it was last seen to be further.
        changed "lastchange": Option<Timestamp>,
        /// After how many seconds of standing still it is stopped. Nothing else ends it by the clock.
        stall_s "stallseconds": Option<i64>,
        /// Where that limit came from: `default`, or where the setting `motion.stall_s` stands.
        stall_origin "stallorigin": Option<String>,
        /// For how many seconds hosts that do not answer are asked what became of it, before that is called unknown.
        unreachable_s "unreachableseconds": Option<i64>,
        /// Where that limit came from: `default`, or where the setting `motion.unreachable_s` stands.
        unreachable_origin "unreachableorigin": Option<String>,
        /// How far the wish that it stop has come: `wanted`, `asked`, `refused` or `ended`.
        cancel_state "cancelstate": Option<String>,
        /// What the host said to that wish.
        cancel_answer "cancelanswer": Option<String>,
        /// What was looked at afterwards to be sure where everything is.
        verified: Option<String>,
        /// Why it was not done, or what is not known.
        reason: Option<String>,
        /// What a person can do about an outcome that is unknown, with the commands.
        advice: Option<String>,
        /// When it was last heard of.
        updated: Timestamp,
    }
}

crate::response! {
    /// A background job.
    pub struct JobView as "asyncjobs" {
        /// The account that asked for it.
        account_id "accountid": String,
        /// The name of that account.
        account: String,
        /// The domain of that account.
        domain_id "domainid": String,
        /// The path of that domain, as `ROOT/a`.
        domain_path "domainpath": String,
        /// The user who asked for it.
        user_id "userid": String,
        /// The command, by CloudStack's name of its class.
        cmd: String,
        /// How far it is, 0 to 100.
        progress "jobprocstatus": i64,
        /// 0, or the code of the error it ended with.
        result_code "jobresultcode": i64,
        /// `object` as soon as there is a result.
        result_type "jobresulttype": Option<&'static str>,
        /// What came of it: an object, or an error with `errorcode` and `errortext`.
        result "jobresult": Option<Node>,
        /// The kind of thing it is about.
        instance_type "jobinstancetype": Option<String>,
        /// The thing it is about, while that has the id it had.
        instance_id "jobinstanceid": Option<String>,
        /// The server that runs it.
        management_server_id "managementserverid": Option<String>,
        /// The name of that server.
        management_server_name "managementservername": Option<String>,
        /// When it was accepted.
        created: Option<Timestamp>,
        /// When it ended.
        completed: Option<Timestamp>,
        /// How far the motion is that it carries out; absent for jobs that move nothing. CloudStack does not have this.
        migration: Option<MigrationView>,
        /// Its id.
        job_id "jobid": String,
        /// 0 while it runs, 1 when it succeeded, 2 when it failed.
        job_status "jobstatus": i64,
    }
}

/// A job, with the newest motion that it carries out, as `caller` may see it.
#[must_use]
pub fn job(row: JobRow, motion: Option<&MotionRow>, caller: &Caller) -> JobView {
    let is_own = row.user_uuid == caller.user_uuid;
    let result = row.result.as_deref().and_then(|stored| job_result(stored, caller));
    let result = result.map(|node| keys_kept(node, caller, is_own));
    let (management_server_id, management_server_name) = row.server.unzip();
    JobView {
        account_id: row.account_uuid,
        account: row.account,
        domain_id: row.domain_uuid,
        domain_path: domain_path(&row.domain_path),
        user_id: row.user_uuid,
        cmd: row.class,
        progress: row.percent,
        result_code: row.result_code,
        result_type: result.as_ref().map(|_| "object"),
        result,
        instance_type: row.instance_type,
        instance_id: row.instance_uuid,
        management_server_id,
        management_server_name,
        created: row.created,
        completed: row.completed,
        migration: motion.map(migration),
        job_id: row.uuid,
        job_status: row.status,
    }
}

/// The result of a job without the halves of a key pair that it made, unless it is for those who may have them: who
/// submitted the job, with a key pair that is allowed no less. CloudStack gives them to everybody who may see the job.
fn keys_kept(node: Node, caller: &Caller, is_own: bool) -> Node {
    let Some(Node::Object(pair)) = node.field(NewKeyView::SPEC.object) else { return node };
    let text = |node: Option<&Node>| match node {
        Some(Node::Text(text)) => text.to_string(),
        _ => String::new(),
    };
    let rule = |rule: &Node| Rule {
        pattern: text(rule.field("rule")),
        allow: text(rule.field("permission")).eq_ignore_ascii_case("allow"),
    };
    let rules: Vec<Rule> = match pair.iter().find(|(name, _)| name == "permissions").map(|(_, list)| list) {
        Some(Node::List(rules)) => rules.iter().map(rule).collect(),
        _ => Vec::new(),
    };
    // No pair has the number 0: which one it is does not matter here.
    if is_own && caller.may_see_key(0, &rules) {
        return node;
    }
    let shown = pair.iter().filter(|(name, _)| !matches!(&**name, "apikey" | "secretkey")).cloned().collect();
    Node::wrap(NewKeyView::SPEC.object, Node::Object(shown))
}

/// A motion as clients see it.
#[must_use]
pub fn migration(motion: &MotionRow) -> MigrationView {
    let done = motion.outcome.as_deref() == Some("done");
    let is_over = motion.ended.is_some();
    let share = if motion.bytes_total > 0 {
        i64::try_from(i128::from(motion.bytes_done) * 100 / i128::from(motion.bytes_total)).unwrap_or_default()
    } else {
        0
    };
    let seconds = motion.duration_s();
    // What took less than a second has no rate that means anything.
    let average = seconds.filter(|seconds| done && *seconds > 0).map(|seconds| motion.bytes_done / seconds);
    let rate = if is_over { average } else { motion.bytes_per_second };
    let left = (motion.bytes_total - motion.bytes_done).max(0);
    MigrationView {
        id: motion.uuid.clone(),
        phase: motion
            .reconciling
            .filter(|_| !is_over)
            .map_or_else(|| motion.phase.clone(), |_| "reconciling".to_owned()),
        outcome: motion.outcome.clone(),
        strategy: motion.strategy.clone(),
        bytes_total: motion.bytes_total,
        bytes_done: motion.bytes_done,
        percent: if done { 100 } else { share.clamp(0, 100) },
        rate,
        eta: rate.filter(|rate| !is_over && *rate > 0).map(|rate| left.saturating_add(rate - 1) / rate),
        progress_source: motion.progress_source.clone(),
        host_phase: motion.host_phase.clone().filter(|_| !is_over),
        changed: motion.changed,
        stall_s: motion.stall_s,
        stall_origin: motion.stall_origin.clone(),
        unreachable_s: motion.unreachable_s,
        unreachable_origin: motion.unreachable_origin.clone(),
        cancel_state: motion.cancel_state.clone(),
        cancel_answer: motion.cancel_answer.clone(),
        verified: motion.verified.clone(),
        reason: motion.reason.clone(),
        advice: (motion.outcome.as_deref() == Some("unknown")).then(|| crate::motion::advice(&motion.uuid, None)),
        updated: motion.updated,
    }
}

/// Fields of results that only root admins see, by the name of the object (`contract/entities.md 1.24`).
const HIDDEN: [(&str, &[&str]); 4] = [
    ("user", &["apikeyaccess"]),
    ("account", &["apikeyaccess"]),
    ("virtualmachine", &["hostid", "hostname", "instancename", "displayvm", "arch"]),
    (
        "volume",
        &[
            "storagetype",
            "hypervisor",
            "storage",
            "displayvolume",
            "path",
            "storageid",
            "physicalsize",
            "virtualsize",
            "utilization",
            "clusterid",
            "clustername",
            "podid",
            "podname",
        ],
    ),
];

/// The result of a job from the form in which it is stored: `<class>/<object>/<JSON>` or `<class>/<JSON>`.
///
/// `None` for plain text: that is what a server leaves behind that died, and clients never get to see it.
#[must_use]
pub fn job_result(stored: &str, caller: &Caller) -> Option<Node> {
    let open = stored.find('{')?;
    let (head, json) = stored.split_at(open);
    let mut head = head.strip_suffix('/')?.splitn(2, '/');
    let class = head.next()?;
    let object = head.next().filter(|name| *name != "null");
    let mut value: serde_json::Value = serde_json::from_str(json).ok()?;
    let fields = value.as_object_mut()?;
    if let (Some(name), false) = (object, caller.full_view()) {
        let hidden = HIDDEN.iter().find(|(known, _)| *known == name).map_or([].as_slice(), |(_, fields)| fields);
        fields.retain(|field, _| !hidden.contains(&field.as_str()));
    }
    let says_success = class.ends_with("SuccessResponse");
    if says_success && let Some(text) = fields.shift_remove("displaytext") {
        // Inside a job the word about a success has another name (`contract/api-protocol.md 7.3`).
        fields.insert("details".to_owned(), text);
    }
    if class.ends_with("ExceptionResponse") {
        fields.retain(|field, _| matches!(field.as_str(), "errorcode" | "errortext"));
    }
    let flat = class.ends_with("ExceptionResponse") || says_success;
    let node = with_maps(Node::from_json(&value));
    Some(match object {
        _ if flat => node,
        Some(name) => Node::wrap(name.to_owned(), node),
        None => Node::wrap("null", node),
    })
}

/// Fields whose names are free; in XML CloudStack prints them on one line.
const MAPS: [&str; 4] = ["accountdetails", "details", "resourcedetails", "vnfdetails"];

fn with_maps(node: Node) -> Node {
    let Node::Object(fields) = node else { return node };
    let free = |(name, value): (crate::api::Name, Node)| match value {
        Node::Object(inner) if MAPS.contains(&&*name) => (name, Node::Map(inner)),
        other => (name, other),
    };
    Node::Object(fields.into_iter().map(free).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::RoleType;
    use crate::auth::{AccountType, CallingKey};

    fn caller(account_type: AccountType) -> Caller {
        Caller {
            user_id: 2,
            user_uuid: "u".to_owned(),
            username: "n".to_owned(),
            account_id: 2,
            account_uuid: "a".to_owned(),
            account_name: "n".to_owned(),
            account_type,
            domain_id: 1,
            domain_path: "/".to_owned(),
            role_id: 1,
            role_type: Some(RoleType::User),
            rules: Vec::new(),
            key: None,
        }
    }

    #[test]
    fn results_are_read_back_from_their_stored_form() {
        let admin = caller(AccountType::Admin);
        for (stored, shown) in [
            (r#"a.VolumeResponse/volume/{"id":"1","path":"p"}"#, r#"{"volume":{"id":"1","path":"p"}}"#),
            (r#"a.SuccessResponse/null/{"success":true}"#, r#"{"success":true}"#),
            (r#"a.SuccessResponse/{"success":true}"#, r#"{"success":true}"#),
            (
                r#"a.SuccessResponse/null/{"success":true,"displaytext":"{done}"}"#,
                r#"{"success":true,"details":"{done}"}"#,
            ),
            (r#"a.OtherResponse/null/{"x":1}"#, r#"{"null":{"x":1}}"#),
            (
                r#"a.ExceptionResponse/null/{"uuidList":[],"errorcode":530,"errortext":"a/b {c}"}"#,
                r#"{"errorcode":530,"errortext":"a/b {c}"}"#,
            ),
        ] {
            assert_eq!(job_result(stored, &admin).unwrap().to_json(), shown);
        }
        for plain in ["job cancelled because of management server restart or shutdown", "", "a.B/c/{broken", "{}"] {
            assert!(job_result(plain, &admin).is_none(), "{plain}");
        }
    }

    #[test]
    fn keys_are_for_who_asked_for_them() {
        let stored = r#"a.ApiKeyPairResponse/userkeys/{"name":"n","apikey":"k","secretkey":"s","permissions":[{"rule":"list*","permission":"allow"}]}"#;
        let shows = |caller: &Caller, is_own: bool| {
            let json = keys_kept(job_result(stored, caller).unwrap(), caller, is_own).to_json();
            assert!(json.contains(r#""name":"n""#) && json.contains("list*"), "{json}");
            json.contains(r#""apikey":"k","secretkey":"s""#)
        };
        let mut admin = caller(AccountType::Admin);
        assert!(shows(&admin, true) && !shows(&admin, false));
        let key = |pattern: &str| CallingKey { id: 7, rules: vec![Rule { pattern: pattern.to_owned(), allow: true }] };
        admin.key = Some(key("list*"));
        assert!(shows(&admin, true), "as wide as the pair that signs");
        admin.key = Some(key("listZones"));
        assert!(!shows(&admin, true), "wider than the pair that signs");
    }

    #[test]
    fn results_are_shown_as_the_reader_may_see_them() {
        let stored = r#"a.VolumeResponse/volume/{"id":"1","path":"p","size":5}"#;
        let node = job_result(stored, &caller(AccountType::Normal)).unwrap();
        assert_eq!(node.to_json(), r#"{"volume":{"id":"1","size":5}}"#);
    }
}
