//! The listener and the routes (`contract/api-protocol.md 1.1 and 1.2`).

use std::fs::File;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::{Method, StatusCode, header};
use actix_web::{App, HttpRequest, HttpResponse, web};
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::TcpSocket;

use super::{answer, onward, params};
use crate::commands;
use crate::dispatch::{Gateway, RawRequest, Verb};
use crate::telemetry;

const API_PATH: &str = "/client/api";
const MAX_REQUEST_LINE: usize = 8192;
const MAX_HEADERS: usize = 8192;
const MAX_BODY_BYTES: usize = 1_048_576;
/// Connections that may wait to be accepted.
const BACKLOG: u32 = 4096;
const KEEP_ALIVE: Duration = Duration::from_secs(30);
/// A client that needs longer to send its form is cut off.
const BODY_DEADLINE: Duration = Duration::from_secs(30);

/// Says whether the gateway can work, for `GET /healthz`.
pub trait Probe: Send + Sync {
    /// `Ok` when the database answers, else a word why not.
    fn check(&self) -> BoxFuture<'_, Result<(), String>>;
}

/// Certificate and key of an HTTPS listener, both PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate, followed by those that vouch for it.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// A bound socket, with TLS or without.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    tls: Option<rustls::ServerConfig>,
}

/// The server could not start or broke down.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The address is taken or not ours.
    #[error("cannot listen on {address}; is another process there, or is the address not this machine's?")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// Why.
        #[source]
        cause: io::Error,
    },
    /// Certificate or key cannot be used.
    #[error("cannot use {path} for HTTPS: {reason}")]
    Tls {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The server stopped because of an error.
    #[error("the HTTP server stopped")]
    Run(#[from] io::Error),
}

impl Listener {
    /// Binds a socket; port 0 takes any free one. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// When the address cannot be bound or the TLS files cannot be used.
    pub fn bind(address: SocketAddr, tls: Option<&TlsFiles>) -> Result<Self, HttpError> {
        let socket = listen(address).map_err(|cause| HttpError::Bind { address, cause })?;
        Ok(Self { socket, tls: tls.map(tls_config).transpose()? })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn address(&self) -> Result<SocketAddr, HttpError> {
        Ok(self.socket.local_addr()?)
    }
}

/// Listens with a queue that holds a burst of clients; the standard library's is too short for thousands that poll.
fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)?.into_std()
}

fn tls_config(files: &TlsFiles) -> Result<rustls::ServerConfig, HttpError> {
    let unusable = |path: &PathBuf, reason: String| HttpError::Tls { path: path.clone(), reason };
    // Opening first tells "missing" from "not PEM".
    for path in [&files.certificate, &files.key] {
        File::open(path).map_err(|cause| unusable(path, cause.to_string()))?;
    }
    let chain = CertificateDer::pem_file_iter(&files.certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|cause| unusable(&files.certificate, cause.to_string()))?;
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|cause| unusable(&files.key, cause.to_string()))?;
    rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
        .map_err(|cause| unusable(&files.certificate, cause.to_string()))
}

/// The running server.
pub struct HttpServer {
    server: actix_web::dev::Server,
}

struct Shared {
    gateway: Gateway,
    probe: Arc<dyn Probe>,
}

impl HttpServer {
    /// Prepares the server; it answers once [`HttpServer::run`] is awaited.
    ///
    /// # Errors
    /// When a socket cannot be used.
    pub fn start(
        listeners: Vec<Listener>,
        gateway: Gateway,
        probe: Arc<dyn Probe>,
        workers: usize,
        drain: Duration,
    ) -> Result<Self, HttpError> {
        let shared = web::Data::new(Shared { gateway, probe });
        let mut server =
            actix_web::HttpServer::new(move || App::new().app_data(shared.clone()).default_service(web::to(route)))
                .workers(workers)
                .keep_alive(KEEP_ALIVE)
                .shutdown_timeout(drain.as_secs())
                .disable_signals();
        for listener in listeners {
            server = match listener.tls {
                Some(config) => server.listen_rustls_0_23(listener.socket, config)?,
                None => server.listen(listener.socket)?,
            };
        }
        Ok(Self { server: server.run() })
    }

    /// A handle that stops the server: `handle().stop(true)` lets running requests end.
    pub fn handle(&self) -> actix_web::dev::ServerHandle {
        self.server.handle()
    }

    /// Answers until stopped.
    ///
    /// # Errors
    /// When the server breaks down.
    pub async fn run(self) -> Result<(), HttpError> {
        Ok(self.server.await?)
    }
}

async fn route(request: HttpRequest, body: web::Payload, shared: web::Data<Shared>) -> HttpResponse {
    if request.uri().path_and_query().is_some_and(|text| text.as_str().len() > MAX_REQUEST_LINE) {
        return answer::page(StatusCode::URI_TOO_LONG, "URI Too Long");
    }
    let header_bytes: usize = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    if header_bytes > MAX_HEADERS {
        return answer::page(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "Request Header Fields Too Large");
    }
    let path = without_path_parameters(request.path());
    if path == API_PATH {
        return api(&request, body, None, &shared).await;
    }
    match path.strip_prefix(API_PATH).and_then(|rest| rest.strip_prefix('/')) {
        Some(rest) => api(&request, body, Some(rest), &shared).await,
        None if path == "/healthz" => health(&shared).await,
        None => answer::page(StatusCode::NOT_FOUND, "Not Found"),
    }
}

/// `/client/api;jsessionid=x/y` without what follows each semicolon.
fn without_path_parameters(path: &str) -> String {
    path.split('/').map(|part| part.split(';').next().unwrap_or_default()).collect::<Vec<_>>().join("/")
}

/// The session id in `/client/api;jsessionid=x`, where clients without cookies put it.
fn session_in_path(path: &str) -> Option<String> {
    let parameters = path.split('/').flat_map(|part| part.split(';').skip(1));
    parameters.filter_map(|parameter| parameter.strip_prefix("jsessionid=")).last().map(str::to_owned)
}

/// Name and value of each cookie, in order.
fn cookies(request: &HttpRequest) -> Vec<(String, String)> {
    let lines = request.headers().get_all(header::COOKIE).filter_map(|line| line.to_str().ok());
    let pairs = lines.flat_map(|line| line.split(';')).filter_map(|item| item.trim().split_once('='));
    pairs.map(|(name, value)| (name.trim().to_owned(), value.trim().trim_matches('"').to_owned())).collect()
}

async fn health(shared: &Shared) -> HttpResponse {
    match shared.probe.check().await {
        Ok(()) => HttpResponse::Ok().content_type("text/plain; charset=utf-8").body("ok\n"),
        Err(reason) => {
            tracing::warn!(reason, "not healthy");
            HttpResponse::ServiceUnavailable()
                .content_type("text/plain; charset=utf-8")
                .body("the database does not answer\n")
        }
    }
}

async fn api(request: &HttpRequest, body: web::Payload, tail: Option<&str>, shared: &Shared) -> HttpResponse {
    let verb = match *request.method() {
        Method::GET | Method::HEAD => Verb::Get,
        Method::POST => Verb::Post,
        Method::PUT | Method::DELETE => return answer::bare(StatusCode::METHOD_NOT_ALLOWED),
        Method::OPTIONS => {
            return HttpResponse::Ok().insert_header((header::ALLOW, "GET, HEAD, POST, TRACE, OPTIONS")).finish();
        }
        Method::TRACE => return answer::bare(StatusCode::FORBIDDEN),
        _ => return answer::bare(StatusCode::NOT_IMPLEMENTED),
    };
    let has_form = verb == Verb::Post && is_form(request);
    let passes_on = shared.gateway.has_upstream();
    // What is no form means nothing here, but the upstream gets it all the same.
    let body = if has_form || passes_on {
        match read_body(body).await {
            Ok(body) => body,
            Err(refusal) => return refusal,
        }
    } else {
        Vec::new()
    };
    let form = if has_form { body.as_slice() } else { &[] };
    let mut pairs = match params::merge(request.query_string().as_bytes(), form) {
        Ok(pairs) => pairs,
        Err(cause) => return answer::page(StatusCode::BAD_REQUEST, &cause.to_string()),
    };
    name_command_by_path(&mut pairs, tail);
    let peer = request.peer_addr().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.ip());
    let request_id = telemetry::next_request_id();
    let raw = RawRequest {
        pairs,
        cookies: cookies(request),
        session_in_path: session_in_path(request.path()),
        verb,
        peer,
        is_encrypted: request.app_config().secure(),
        request_id: Arc::clone(&request_id),
        original: passes_on.then(|| onward::original(request, body.into())),
    };
    answer::outgoing(shared.gateway.answer(raw).await, &request_id)
}

/// `/client/api/listHosts` without a `command` means `command=listHosts`, signature included. An addition of ours, so
/// that each command has a path of its own in OpenAPI.
pub fn name_command_by_path(pairs: &mut Vec<(String, String)>, tail: Option<&str>) {
    let Some(command) = tail.and_then(commands::find) else {
        return;
    };
    if !pairs.iter().any(|(name, _)| name == "command") {
        pairs.push(("command".to_owned(), command.entry.spec.name.to_owned()));
    }
}

fn is_form(request: &HttpRequest) -> bool {
    let content_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    content_type
        .and_then(|text| text.split(';').next())
        .is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/x-www-form-urlencoded"))
}

async fn read_body(mut body: web::Payload) -> Result<Vec<u8>, HttpResponse> {
    let read = async {
        let mut whole = Vec::new();
        while let Some(chunk) = body.next().await {
            let chunk = chunk.map_err(|_| answer::page(StatusCode::BAD_REQUEST, "the body broke off"))?;
            if whole.len() + chunk.len() > MAX_BODY_BYTES {
                return Err(answer::page(StatusCode::BAD_REQUEST, "the body is larger than 1 MiB"));
            }
            whole.extend_from_slice(&chunk);
        }
        Ok(whole)
    };
    match tokio::time::timeout(BODY_DEADLINE, read).await {
        Ok(whole) => whole,
        Err(_) => Err(answer::page(StatusCode::REQUEST_TIMEOUT, "the body did not arrive in time")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_parameters_do_not_disturb() {
        assert_eq!(without_path_parameters("/client/api;jsessionid=a"), "/client/api");
        assert_eq!(without_path_parameters("/client;x/api/;y"), "/client/api/");
    }

    #[test]
    fn a_session_in_the_path() {
        assert_eq!(session_in_path("/client/api;jsessionid=node0a.node0").as_deref(), Some("node0a.node0"));
        assert_eq!(session_in_path("/client;x=1/api;jsessionid=a/;y").as_deref(), Some("a"));
        assert_eq!(session_in_path("/client/api"), None);
    }

    #[test]
    fn cookies_are_taken_apart() {
        let request = actix_web::test::TestRequest::default()
            .insert_header(("Cookie", "JSESSIONID=node0a.node0; sessionkey=\"k=\"; flag"))
            .to_http_request();
        let found = cookies(&request);
        assert_eq!(found, [("JSESSIONID".into(), "node0a.node0".into()), ("sessionkey".to_owned(), "k=".to_owned())]);
    }

    #[test]
    fn a_path_names_a_command_only_where_none_is_named() {
        let mut pairs = vec![];
        name_command_by_path(&mut pairs, Some("listCapabilities"));
        assert_eq!(pairs, [("command".to_owned(), "listCapabilities".to_owned())]);
        let mut pairs = vec![("command".to_owned(), "x".to_owned())];
        name_command_by_path(&mut pairs, Some("listCapabilities"));
        assert_eq!(pairs.len(), 1);
        let mut pairs = vec![];
        name_command_by_path(&mut pairs, Some("deeper/still"));
        assert!(pairs.is_empty());
    }
}
