//! Every recorded case is replayed by some test, or left out for a reason (`tests/golden/README.md`). Those with real agents
//! are accounted for in `tests/motion_golden/left_out.rs`.

use std::collections::{BTreeMap, BTreeSet};

use crate::api::golden as api;
use crate::lists::golden as lists;
use crate::motion_golden::cases as motion;
use crate::support::golden;

/// Why a case is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Why {
    /// It calls a command that is not served.
    NotServed,
    /// Its answer is that of the container that CloudStack runs in, not its own.
    Container,
    /// Its answer cannot be ours.
    Other(&'static str),
}

/// All that are left out, but for those that are answered in another way on purpose ([`api::ON_PURPOSE`]).
const LEFT_OUT: &[(&str, Why)] = &[
    ("activateProject-no-id", Why::NotServed),
    (
        "alerts-after-failed-migrations",
        Why::Other(
            "alerts of a whole lab's life: of routers and lost machines, which nobody raises here. Those of an emptied host and of \
             moves that failed have tests of their own (maintenance::host, motion::vm)",
        ),
    ),
    ("cors-origin", Why::Container),
    ("deleteProject-no-id", Why::NotServed),
    ("gzip", Why::Container),
    ("gzip-error", Why::Container),
    (
        "hm-prepare-while-preparing",
        Why::Other("a host of another hypervisor; the words are those of tests/maintenance/host.rs"),
    ),
    ("ids-hm-cancel", Why::Other("the words are those of tests/maintenance/refused.rs")),
    ("ids-msv-both", Why::NotServed),
    ("ids-msv-host", Why::NotServed),
    ("ids-msv-storage", Why::NotServed),
    ("ids-psm-enable", Why::Other("the words are those of tests/maintenance/refused.rs")),
    ("job-success-kind", Why::NotServed),
    (
        "listApis-all-json",
        Why::Other("all commands of CloudStack; `api::list_apis` compares those that are served here"),
    ),
    (
        "listApis-migrateVolume-json-as-alice",
        Why::Other("the same for a user: a name that is not for her gives the whole list"),
    ),
    ("listDbMetrics-json", Why::NotServed),
    ("listDbMetrics-xml", Why::NotServed),
    ("listImageStores-json", Why::Other("the recorded server has an image store; here there is none")),
    ("listImageStores-xml", Why::Other("the recorded server has an image store; here there is none")),
    ("method-head", Why::Container),
    ("method-put", Why::Container),
    ("method-trace", Why::Container),
    ("msv-router", Why::NotServed),
    ("msv-to-host", Why::NotServed),
    ("msv-user-vm", Why::NotServed),
    ("psm-cancel", Why::Other("tests/maintenance/pool.rs does the same with a pool that was emptied")),
    ("psm-cancel-when-up", Why::Other("the words are those of tests/maintenance/pool.rs")),
    ("psm-cancel-with-vms", Why::Other("there machines had been stopped and are started again; here none is stopped")),
    ("psm-enable-with-vms", Why::Other("there the machines are stopped; here their disks move")),
    ("psm-second-of-cluster", Why::Other("tests/maintenance/pool.rs does the same with a pool that machines use")),
    ("updateProject-no-id", Why::NotServed),
];

/// The recorded cases by name, with the commands that they call.
fn recorded() -> BTreeMap<String, Vec<String>> {
    let mut all = BTreeMap::new();
    for line in golden::text("recorded.tsv").lines() {
        let [_, name, commands] = line.split('\t').collect::<Vec<_>>()[..] else { panic!("{line}") };
        let commands = commands.split_whitespace().map(str::to_owned).collect();
        assert!(all.insert(name.to_owned(), commands).is_none(), "{name} was recorded twice");
    }
    all
}

/// The names of all cases that some test replays.
fn replayed() -> BTreeSet<String> {
    let mut all = lists::replayed();
    for area in ["auth", "params", "lists", "jobs"] {
        all.extend(api::replayed(area));
    }
    // `tests/api/sessions.rs` and `tests/motion_golden` replay whatever is in these files.
    all.extend(golden::cases("session").into_iter().map(|case| case.name));
    for case in motion::all() {
        all.extend(case.includes);
        all.insert(case.name);
    }
    all
}

#[test]
fn every_case_is_replayed_or_left_out_for_a_reason_that_holds() {
    let (recorded, replayed) = (recorded(), replayed());
    assert_eq!(recorded.len(), 641);
    let on_purpose: BTreeSet<_> = api::ON_PURPOSE.iter().map(|(name, _)| *name).collect();
    let left_out: BTreeMap<_, _> = LEFT_OUT.iter().copied().collect();
    assert_eq!(left_out.len(), LEFT_OUT.len(), "a case is left out twice");
    let unheard_of: Vec<_> = replayed
        .iter()
        .map(String::as_str)
        .chain(on_purpose.iter().chain(left_out.keys()).copied())
        .filter(|name| !recorded.contains_key(*name))
        .collect();
    assert!(unheard_of.is_empty(), "never recorded: {unheard_of:?}");
    let told = |name: &str| replayed.contains(name) || on_purpose.contains(name) || left_out.contains_key(name);
    let forgotten: Vec<_> = recorded.keys().filter(|name| !told(name)).collect();
    assert!(forgotten.is_empty(), "neither replayed nor left out: {forgotten:#?}");
    let of_container: BTreeSet<_> = ["auth", "session", "params", "lists", "jobs"]
        .into_iter()
        .flat_map(golden::cases)
        .filter(|case| case.container_sensitive)
        .map(|case| case.name)
        .collect();
    for (name, why) in LEFT_OUT {
        assert!(!replayed.contains(*name) && !on_purpose.contains(name), "{name} is replayed, or differs on purpose");
        let served = recorded[*name].iter().all(|command| api::is_known(command));
        let holds = match why {
            Why::NotServed => !served,
            Why::Container => of_container.contains(*name),
            Why::Other(reason) => served && !reason.is_empty(),
        };
        assert!(holds, "{name} is left out because of {why:?}, which is not so: {:?}", recorded[*name]);
    }
}
