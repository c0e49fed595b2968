//! Certificates and suites.

use std::collections::BTreeMap;
use std::sync::Arc;

use stackmotion::hypervisors::hyperv::wire::host::ReadyCommand;
use stackmotion::hypervisors::hyperv::{
    AgentClient, ClientSettings, Fingerprint, MemoryPins, PinPolicy, Pins, TlsChoice,
};
use stackmotion::motion::hypervisor::{Effect, HostRef};

use super::server::{Reply, Server, client, host_at, modern, old};

const READY: &str = r#"[{"com.cloud.agent.api.ReadyAnswer":{"result":true,"details":null,"contextMap":{}}}]"#;

async fn ask(client: &AgentClient, host: &HostRef) -> Result<(), (String, Effect)> {
    let answer = client.send(host, &ReadyCommand::default()).await;
    answer.map(|_| ()).map_err(|error| (error.outcome().to_owned(), error.effect()))
}

fn choosing(tls: TlsChoice) -> ClientSettings {
    ClientSettings { tls, ..ClientSettings::default() }
}

#[tokio::test]
async fn both_backends_speak_with_a_modern_host() {
    for tls in [TlsChoice::Auto, TlsChoice::Rustls, TlsChoice::OpenSsl] {
        let server = Server::start(modern(), |_| Reply::ok(READY));
        let client = client(choosing(tls));
        assert_eq!(ask(&client, &server.host()).await, Ok(()), "{tls:?}");
        assert_eq!(ask(&client, &server.host()).await, Ok(()), "{tls:?}");
        assert_eq!(server.connections(), 2, "{tls:?}");
    }
}

#[tokio::test]
async fn hosts_with_old_suites_need_openssl_and_auto_finds_that_out_once() {
    for suites in ["AES128-SHA", "AES256-GCM-SHA384", "ECDHE-RSA-AES128-SHA", "ECDHE-RSA-AES256-SHA384"] {
        let server = Server::start(old(suites), |_| Reply::ok(READY));
        let plain = ask(&client(choosing(TlsChoice::Rustls)), &server.host()).await;
        assert_eq!(plain, Err(("handshake".to_owned(), Effect::None)), "{suites}");
        assert!(server.seen().is_empty(), "{suites}");
        assert_eq!(ask(&client(choosing(TlsChoice::OpenSsl)), &server.host()).await, Ok(()), "{suites}");

        let client = client(choosing(TlsChoice::Auto));
        let before = server.connections();
        assert_eq!(ask(&client, &server.host()).await, Ok(()), "{suites}");
        assert_eq!(server.connections() - before, 2, "{suites}: a failed and a good handshake");
        assert_eq!(ask(&client, &server.host()).await, Ok(()), "{suites}");
        assert_eq!(server.connections() - before, 3, "{suites}: it is remembered");
    }
}

#[tokio::test]
async fn a_host_without_a_certificate_is_told_from_one_that_is_down() {
    // What a port without a bound certificate does: the connection is taken, the handshake dropped.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let host = host_at("127.0.0.1", listener.local_addr().unwrap().port());
    let dropping = std::thread::spawn(move || (0..2).for_each(|_| drop(listener.accept())));
    let refused = ask(&client(choosing(TlsChoice::Auto)), &host).await;
    assert_eq!(refused, Err(("handshake".to_owned(), Effect::None)));
    dropping.join().unwrap();
}

#[tokio::test]
async fn another_certificate_at_a_known_address_is_refused_before_anything_is_sent() {
    for (tls, make) in [
        (TlsChoice::Rustls, modern as fn() -> super::server::Tls),
        (TlsChoice::OpenSsl, || old("AES128-SHA")),
        (TlsChoice::Auto, || old("AES128-SHA")),
    ] {
        let client = client(choosing(tls));
        let first = Server::start(make(), |_| Reply::ok(READY));
        let host = first.host();
        assert_eq!(ask(&client, &host).await, Ok(()), "{tls:?}");
        // A second server with its own certificate; the kept fingerprint is moved to its address.
        let second = Server::start(make(), |_| Reply::ok(READY));
        let kept = Arc::new(MemoryPins::default());
        let stale = Fingerprint::of(b"the certificate before");
        kept.store(&client.address_of(&second.host()), stale).await.unwrap();
        let pinned = AgentClient::new(choosing(tls), PinPolicy::first_use(kept));
        let error = pinned.send(&second.host(), &ReadyCommand::default()).await.unwrap_err();
        assert_eq!((error.outcome(), error.effect()), ("certificate", Effect::None), "{tls:?}: {error}");
        assert!(error.to_string().contains(&stale.to_string()), "{error}");
        assert!(second.seen().is_empty(), "{tls:?}");
    }
}

#[tokio::test]
async fn a_fingerprint_in_the_settings_is_enough_and_the_only_thing_that_counts() {
    let server = Server::start(modern(), |_| Reply::ok(READY));
    let host = server.host();
    let kept = Arc::new(MemoryPins::default());
    let address = client(ClientSettings::default()).address_of(&host);
    let strict = |fixed: BTreeMap<String, Fingerprint>| {
        let pins = PinPolicy { fixed, trust_first_use: false, kept: kept.clone() };
        AgentClient::new(ClientSettings::default(), pins)
    };
    let error = strict(BTreeMap::new()).send(&host, &ReadyCommand::default()).await.unwrap_err();
    assert_eq!((error.outcome(), error.effect()), ("certificate", Effect::None));
    // The text shows what the agent showed, so that it can be put into the settings.
    let text = error.to_string();
    let shown = text.split("it shows ").nth(1).unwrap().split(": compare").next().unwrap();
    let fixed = BTreeMap::from([(address, shown.parse().unwrap())]);
    assert_eq!(ask(&strict(fixed), &host).await, Ok(()));
    assert_eq!(server.seen().len(), 1);
}
