//! Which of two errors wins, and what is read from whom: parameters of a command are converted before inherited ones, rules of pages
//! are looked at last, and what only root admins may ask for is ignored from others (`contract/api-protocol.md` 5.2, 6.1, 7.2, 8.1).

use serde_json::Value as Json;

use stackmotion::store::Rule;

use crate::support::database;
use crate::support::direct::{Direct, ENG, Person};

/// An id that nothing has.
const NOBODY: &str = "11111111-2222-4333-8444-555555555555";

type Args<'a> = &'a [(&'a str, &'a str)];

#[tokio::test]
async fn the_first_parameter_that_does_not_fit_is_named() {
    let database = database::sqlite().await;
    let direct = Direct::start(&database.store).await;
    let admin = direct.person("boss", 1, 1, 1).await;
    let by_id = |name: &str| format!("Invalid parameter {name} value={NOBODY}");
    let no_page = "\"page\" parameter is required when \"pagesize\" is specified".to_owned();
    let no_id = "Invalid value provided for API arg: resourceid".to_owned();
    let cases: [(&str, Args<'_>, String); 12] = [
        ("listVolumes", &[("page", "1"), ("id", NOBODY)], by_id("id")),
        ("listHosts", &[("pagesize", "10"), ("clusterid", NOBODY)], by_id("clusterid")),
        ("listUsers", &[("domainid", NOBODY), ("id", NOBODY)], by_id("id")),
        ("listVirtualMachines", &[("domainid", NOBODY), ("zoneid", NOBODY)], by_id("zoneid")),
        ("listVolumes", &[("domainid", NOBODY), ("projectid", NOBODY)], by_id("projectid")),
        ("listEvents", &[("page", "1"), ("domainid", NOBODY)], by_id("domainid")),
        ("listZones", &[("pagesize", "501")], no_page.clone()),
        ("listZones", &[("pagesize", "501"), ("page", "1")], "Page size can't exceed".to_owned()),
        ("queryAsyncJobResult", &[("resourceid", "abc")], no_id.clone()),
        ("queryAsyncJobResult", &[("resourcetype", "Ship"), ("resourceid", "abc")], no_id.clone()),
        ("listAsyncJobs", &[("resourceid", "abc")], no_id),
        ("listAsyncJobs", &[("resourceid", NOBODY)], "resourceid parameter must be used with".to_owned()),
    ];
    for (command, args, text) in cases {
        let answer = direct.call(&admin, command, args).await;
        assert_eq!(answer.status, 431, "{command} {args:?}: {}", answer.body);
        let told = answer.inside()["errortext"].as_str().expect("a text").to_owned();
        assert!(told.contains(&text), "{command} {args:?}: {told}");
    }
    for name in ["[a[0].x", "tags[0][1].key", "tags[0]"] {
        let answer = direct.call(&admin, "listZones", &[(name, "1")]).await;
        assert_eq!(answer.status, 430, "{name}: {}", answer.body);
    }
    assert_eq!(direct.call(&admin, "listZones", &[("[a.x", "1")]).await.status, 200, "an ordinary name");
}

#[tokio::test]
async fn what_only_root_admins_may_ask_for_is_ignored_from_others() {
    let database = database::sqlite().await;
    let direct = Direct::start(&database.store).await;
    let admin = direct.person("boss", 1, 1, 1).await;
    let user = direct.person("plain", 0, 4, ENG).await;
    for (command, name) in [
        ("listVirtualMachines", "hostid"),
        ("listVirtualMachines", "podid"),
        ("listVirtualMachines", "clusterid"),
        ("listVirtualMachines", "storageid"),
        ("listVolumes", "clusterid"),
        ("listVolumes", "storageid"),
    ] {
        let refused = direct.call(&admin, command, &[(name, NOBODY)]).await;
        assert_eq!(refused.status, 431, "{command} {name}: {}", refused.body);
        let answer = direct.call(&user, command, &[(name, NOBODY)]).await;
        assert_eq!(answer.status, 200, "{command} {name}: {}", answer.body);
    }
}

#[tokio::test]
async fn a_pair_with_rules_is_shown_what_it_may_call() {
    let database = database::sqlite().await;
    let direct = Direct::start(&database.store).await;
    let user = direct.person("plain", 0, 4, ENG).await;
    let rules = ["listZones", "listApis", "migrateVolume"];
    let rules = rules.map(|name| (Rule { pattern: name.to_owned(), allow: true }, None));
    let (api_key, secret) = direct.key(&user, |key| key.rules = rules.to_vec()).await;
    let narrow = Person { api_key, secret, ..user.clone() };
    let names = async |person: &Person, args: Args<'_>| {
        let inside = direct.call(person, "listApis", args).await.inside();
        let listed: Vec<Json> = inside["api"].as_array().cloned().unwrap_or_default();
        listed.iter().map(|one| one["name"].as_str().expect("a name").to_owned()).collect::<Vec<_>>()
    };
    assert!(names(&user, &[]).await.len() > 20);
    let mut shown = names(&narrow, &[]).await;
    shown.sort();
    assert_eq!(shown, ["listApis", "listZones"], "its role lets it move no volumes");
    assert_eq!(names(&narrow, &[("name", "listZones")]).await, ["listZones"]);
    assert_eq!(
        names(&narrow, &[("name", "listVolumes")]).await.len(),
        2,
        "everything, for a name that is not for the key"
    );
}
