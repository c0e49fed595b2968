//! HTTPS: which versions, and certificates that are replaced while the gateway runs.

use std::time::Duration;

use stackmotion::client::Client;
use stackmotion::commands::Policy;
use stackmotion::http::TlsFiles;

use crate::support::world::World;

/// Far longer than the gateway takes to look at its files again.
const DEADLINE: Duration = Duration::from_secs(60);

fn write(files: &TlsFiles) -> String {
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    std::fs::write(&files.certificate, made.cert.pem()).unwrap();
    std::fs::write(&files.key, made.signing_key.serialize_pem()).unwrap();
    made.cert.pem()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replaced_certificate_is_shown_to_new_connections() {
    let folder = tempfile::tempdir().unwrap();
    let files = TlsFiles { certificate: folder.path().join("cert.pem"), key: folder.path().join("key.pem") };
    let first = write(&files);
    let world = World::with_tls(Policy::default(), Some(&files)).await;
    let url = format!("https://{}/client/api", world.address);
    let trusting = |pem: &str| Client::trusting(pem.as_bytes(), url.clone(), "key-admin", "secret-admin").unwrap();
    let works = async |client: &Client| client.call("listApis", &[("name", "listApis")]).await.is_ok();
    let old = trusting(&first);
    assert!(works(&old).await);
    let second = write(&files);
    let shown = async {
        while !works(&trusting(&second)).await {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    tokio::time::timeout(DEADLINE, shown).await.expect("the new certificate is never shown");
    assert!(!works(&trusting(&first)).await, "the old one is shown no more");
    assert!(works(&old).await, "connections that were open stay so");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_older_than_tls_1_2_is_spoken() {
    use openssl::ssl::{SslConnector, SslMethod, SslVerifyMode, SslVersion};
    let folder = tempfile::tempdir().unwrap();
    let files = TlsFiles { certificate: folder.path().join("cert.pem"), key: folder.path().join("key.pem") };
    write(&files);
    let world = World::with_tls(Policy::default(), Some(&files)).await;
    for (version, speaks) in [(SslVersion::TLS1_1, false), (SslVersion::TLS1_2, true), (SslVersion::TLS1_3, true)] {
        let address = world.address;
        let connected = tokio::task::spawn_blocking(move || {
            let mut builder = SslConnector::builder(SslMethod::tls()).unwrap();
            builder.set_verify(SslVerifyMode::NONE);
            // The system's own policy would refuse the old versions before the gateway could.
            builder.set_security_level(0);
            builder.set_min_proto_version(Some(version)).unwrap();
            builder.set_max_proto_version(Some(version)).unwrap();
            let stream = std::net::TcpStream::connect(address).unwrap();
            builder.build().connect("localhost", stream).is_ok()
        });
        assert_eq!(connected.await.unwrap(), speaks, "{version:?}");
    }
}
