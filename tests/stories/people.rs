//! Somebody new comes, gets keys, is shut out and let in again; and what was told of it is put away.

use serde_json::Value as Json;

use super::teller::Teller;
use crate::support::raw_http::{RawRequest, escape_pairs};

const ZONES: [(&str, &str); 1] = [("command", "listZones")];

pub async fn tell(teller: &mut Teller) {
    let user = somebody_new(teller).await;
    let keys = keys_of(teller, &user).await;
    in_and_out(teller, &user, (&keys.0, &keys.1)).await;
    a_session(teller).await;
    capabilities(teller).await;
    what_is_put_away(teller).await;
}

/// An account with a user; the user's id.
async fn somebody_new(teller: &mut Teller) -> String {
    let call = [
        ("command", "createAccount"),
        ("username", "nina"),
        ("password", "a long word of hers"),
        ("firstname", "Nina"),
        ("lastname", "N."),
        ("email", "nina@example.org"),
        ("accounttype", "0"),
    ];
    let made = teller.ask("admin", &call).await;
    let again = teller.ask("admin", &call).await;
    assert!(again["errorcode"].is_number(), "one of a name: {again}");
    made["account"]["user"][0]["id"].as_str().unwrap_or_else(|| panic!("{made}")).to_owned()
}

async fn keys_of(teller: &mut Teller, user: &str) -> (String, String) {
    let end = teller.ask("admin", &[("command", "registerUserKeys"), ("id", user)]).await;
    let keys = match end["jobid"].as_str() {
        Some(job) => {
            let job = job.to_owned();
            teller.gateway.wait_for_job(&job).await;
            teller.ask("admin", &[("command", "queryAsyncJobResult"), ("jobid", &job)]).await["jobresult"]["userkeys"]
                .clone()
        }
        None => end["userkeys"].clone(),
    };
    let text = |field: &str| keys[field].as_str().unwrap_or_else(|| panic!("no {field}: {keys}")).to_owned();
    (text("apikey"), text("secretkey"))
}

async fn in_and_out(teller: &mut Teller, user: &str, keys: (&str, &str)) {
    let zones = teller.ask_with(keys, &ZONES).await;
    assert_eq!(zones["count"], 1, "the new keys are believed: {zones}");
    let volumes = teller.ask_with(keys, &[("command", "listVolumes"), ("listall", "true")]).await;
    assert_eq!(volumes["volume"], Json::Null, "and show nothing of others: {volumes}");
    let end = teller.job("admin", &[("command", "disableUser"), ("id", user)], Ok(())).await;
    assert_eq!(end["jobstatus"], 1, "{end}");
    let shut = teller.ask_with(keys, &ZONES).await;
    assert_eq!(shut["errorcode"], 401, "{shut}");
    teller.ask("admin", &[("command", "enableUser"), ("id", user)]).await;
    let open = teller.ask_with(keys, &ZONES).await;
    assert_eq!(open["count"], 1, "{open}");
}

/// A password, a cookie and a session key in the place of a signature.
async fn a_session(teller: &mut Teller) {
    let form = [("command", "login"), ("username", "alice"), ("password", "password-alice"), ("response", "json")];
    let answer = RawRequest::form("/client/api", escape_pairs(&form)).send(teller.gateway.address()).await;
    let cookies: Vec<_> = answer.all("set-cookie").iter().filter_map(|cookie| cookie.split(';').next()).collect();
    let cookies = cookies.join("; ");
    let login = teller.write("alice login", &answer);
    let key = login["sessionkey"].as_str().unwrap_or_else(|| panic!("{login}"));
    for _ in 0..2 {
        for command in ["listVolumes", "logout"] {
            let query = escape_pairs(&[("command", command), ("sessionkey", key), ("response", "json")]);
            let mut request = RawRequest::get(format!("/client/api?{query}"));
            request.headers.push(("Cookie".to_owned(), cookies.clone()));
            let answer = request.send(teller.gateway.address()).await;
            teller.write(&format!("alice's session {command}"), &answer);
        }
    }
}

async fn capabilities(teller: &mut Teller) {
    let list = [("command", "listHypervisorCapabilities"), ("hypervisor", "Hyperv")];
    let listed = teller.ask("admin", &list).await;
    let id = listed["hypervisorCapabilities"][0]["id"].as_str().unwrap_or_else(|| panic!("{listed}")).to_owned();
    let call = [("command", "updateHypervisorCapabilities"), ("id", id.as_str()), ("maxguestslimit", "77")];
    teller.ask("admin", &call).await;
    let listed = teller.ask("admin", &list).await;
    assert_eq!(listed["hypervisorCapabilities"][0]["maxguestslimit"], 77, "{listed}");
}

async fn what_is_put_away(teller: &mut Teller) {
    let events = [("command", "listEvents"), ("listall", "true"), ("type", "VOLUME.MIGRATE")];
    let there = teller.ask("admin", &events).await;
    assert!(there["count"].as_i64().is_some_and(|count| count > 0), "{there}");
    teller.ask("admin", &[("command", "archiveEvents"), ("type", "VOLUME.MIGRATE")]).await;
    let gone = teller.ask("admin", &events).await;
    assert_eq!(gone["count"], Json::Null, "{gone}");
    teller.ask("admin", &[("command", "deleteEvents"), ("type", "VM.MIGRATE")]).await;
    teller.ask("admin", &[("command", "archiveAlerts"), ("type", "17")]).await;
    teller.ask("admin", &[("command", "deleteAlerts"), ("type", "17")]).await;
}
