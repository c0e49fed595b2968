//! The HTTP client that talks to the upstream.
//!
//! It is hyper's and not the one that the agents are talked to with: that one keeps addresses as browsers do, which rewrites
//! quotes and other letters of a query.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{HeaderMap, Method, Request, header};
use http_body_util::{BodyExt as _, Full};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt as _;
use tokio::time::timeout;

use super::body::Body;
use super::slots::{Slot, Slots};
use super::{PassError, Passed, Passing, Target, Upstream, headers};
use crate::model::random;

/// Connections that nobody uses are given up before the management server does so, which is after 30 s
/// (`contract/api-protocol.md 1.1`).
const KEEP_UNUSED: Duration = Duration::from_secs(15);
/// After how much silence on a connection the network is asked whether the other end is still there.
const PROBE_AFTER: Duration = Duration::from_secs(30);

/// How to talk to the upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpstreamSettings {
    /// Where it is.
    pub target: Target,
    /// PEM file with the certificates that vouch for it; the system's without.
    pub ca: Option<PathBuf>,
    /// How long connecting may take.
    pub connect_timeout: Duration,
    /// How long it may be silent: before the answer and between any two bytes of it. There is no limit on the whole.
    pub idle_timeout: Duration,
    /// Requests that may be with it at the same time.
    pub max_requests: usize,
}

/// The client cannot be made.
#[derive(Debug, thiserror::Error)]
#[error("upstream.ca: {0}")]
pub struct TrustError(String);

/// Passes requests to a management server over HTTP or HTTPS.
#[derive(Debug)]
pub struct HttpUpstream {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    settings: UpstreamSettings,
    slots: Arc<Slots>,
    /// By what this gateway recognizes a request that it has passed on. New for each process.
    pseudonym: String,
}

impl HttpUpstream {
    /// A client for this upstream. Nothing is connected yet: a management server that is down now may be up later.
    ///
    /// # Errors
    /// When the certificates that shall vouch for it cannot be read.
    pub fn new(settings: UpstreamSettings) -> Result<Self, TrustError> {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(settings.connect_timeout));
        tcp.set_keepalive(Some(PROBE_AFTER));
        let tls = if settings.target.is_encrypted() { trusting(settings.ca.as_ref())? } else { trusting_nobody()? };
        let connector =
            HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().wrap_connector(tcp);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(KEEP_UNUSED)
            .build(connector);
        let letters: String = random::<8>().iter().map(|byte| format!("{byte:02x}")).collect();
        let slots = Slots::new(settings.max_requests);
        Ok(Self { client, settings, slots, pseudonym: format!("stackmotion-{letters}") })
    }

    async fn send(&self, passing: Passing<'_>, slot: Slot) -> Result<Passed, PassError> {
        let original = passing.original;
        let address = || self.settings.target.address().to_owned();
        let unfit = |cause: http::Error| PassError::NotReached { address: address(), cause: cause.into() };
        let uri = self.settings.target.uri(passing.session_in_path, original.query.as_deref());
        let mut request = Request::builder()
            .method(original.method.clone())
            .uri(uri.map_err(|cause| unfit(cause.into()))?)
            .body(Full::new(original.body.clone()))
            .map_err(unfit)?;
        *request.headers_mut() =
            headers::upwards(&original.headers, passing.peer, &self.pseudonym, passing.is_read_here);
        let idle = self.settings.idle_timeout;
        let answer = match timeout(idle, self.client.request(request)).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(cause)) if cause.is_connect() => {
                return Err(PassError::NotReached { address: address(), cause: cause.into() });
            }
            Ok(Err(cause)) => return Err(PassError::Lost { address: address(), cause: cause.into() }),
            Err(_) => return Err(PassError::Silent { address: address(), silence: idle }),
        };
        let (head, body) = answer.into_parts();
        // An answer to HEAD has a length, but no body that could say it.
        let length = if original.method == Method::HEAD {
            told_length(&head.headers)
        } else {
            http_body::Body::size_hint(&body).exact()
        };
        Ok(Passed {
            status: head.status.as_u16(),
            headers: headers::downwards(&head.headers),
            length,
            body: Body::flowing(body.into_data_stream(), idle, slot),
        })
    }
}

impl Upstream for HttpUpstream {
    fn pass<'a>(&'a self, passing: Passing<'a>) -> BoxFuture<'a, Result<Passed, PassError>> {
        Box::pin(async move {
            if headers::has_passed(&passing.original.headers, &self.pseudonym) {
                return Err(PassError::Loop);
            }
            let slot = self.slots.take(passing.peer).ok_or(PassError::Busy)?;
            self.send(passing, slot).await
        })
    }
}

fn told_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// TLS 1.2 and 1.3, with the certificates of a file or those that the system trusts.
fn trusting(ca: Option<&PathBuf>) -> Result<ClientConfig, TrustError> {
    let failed = |cause: rustls::Error| TrustError(cause.to_string());
    let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(failed)?;
    let Some(path) = ca else {
        return Ok(builder.with_platform_verifier().map_err(failed)?.with_no_client_auth());
    };
    let unusable = |reason: String| TrustError(format!("cannot use {}: {reason}", path.display()));
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(|cause| unusable(cause.to_string()))? {
        let certificate = certificate.map_err(|cause| unusable(cause.to_string()))?;
        roots.add(certificate).map_err(|cause| unusable(cause.to_string()))?;
    }
    if roots.is_empty() {
        return Err(unusable("there is no certificate in it".to_owned()));
    }
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

/// For an upstream without TLS: the connector wants settings all the same, and the system's certificates may be missing.
fn trusting_nobody() -> Result<ClientConfig, TrustError> {
    let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|cause| TrustError(cause.to_string()))?;
    Ok(builder.with_root_certificates(RootCertStore::empty()).with_no_client_auth())
}
