//! The listener and the routes (`contract/api-protocol.md 1.1 and 1.2`).

use std::borrow::Cow;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix_http::HttpService;
use actix_service::{ServiceFactoryExt as _, fn_service, map_config};
use actix_web::dev::{AppConfig, Server};
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::http::{ConnectionType, Method, StatusCode};
use actix_web::{App, HttpRequest, HttpResponse, web};
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::gate::{self, FormRoom, Gate, Limits};
use super::line::{Line, Pace, Track, Tracked, Wire};
use super::tls::{Certificates, TlsFiles};
use super::ui::Ui;
use super::{answer, onward, origin, params};
use crate::auth::proxies::Proxies;
use crate::commands;
use crate::dispatch::{Gateway, RawRequest, Verb};
use crate::telemetry;

const API_PATH: &str = "/client/api";
/// Request line and headers together.
const LONGEST_HEAD: usize = 8192;
const MAX_BODY_BYTES: usize = 1_048_576;
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// Connections that may wait to be accepted.
const BACKLOG: u32 = 4096;
/// What is said of a form that is not read.
const OTHER_CHARSET: &str =
    "The form names a charset other than UTF-8. Nothing was done. Send it in UTF-8, or name no charset.";
/// How much later than the line the library's own clocks run out.
const BEHIND_THE_LINE: Duration = Duration::from_secs(5);

/// How long somebody is waited for who is turned away.
const FAREWELL: Duration = Duration::from_secs(1);

/// Says whether the gateway can work, for `GET /healthz`.
pub trait Probe: Send + Sync {
    /// `Ok` when the database answers, else a word why not.
    fn check(&self) -> BoxFuture<'_, Result<(), String>>;
}

/// A bound socket, with TLS or without.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    certificates: Option<Arc<Certificates>>,
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
        Ok(Self { socket, certificates: tls.map(Certificates::load).transpose()? })
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

/// What the operator decides about the server.
#[derive(Debug, Clone)]
pub struct Options {
    /// Threads that answer.
    pub workers: usize,
    /// How long requests may run on after the stop.
    pub drain: Duration,
    /// How much clients may use.
    pub limits: Limits,
    /// The web UI, if there is one.
    pub ui: Option<Ui>,
    /// The proxies that say where a request comes from.
    pub proxies: Proxies,
}

/// The running server.
pub struct HttpServer {
    server: actix_web::dev::Server,
    certificates: Vec<Arc<Certificates>>,
}

struct Shared {
    gateway: Gateway,
    probe: Arc<dyn Probe>,
    gate: Arc<Gate>,
    ui: Option<Ui>,
    proxies: Arc<Proxies>,
}

impl HttpServer {
    /// Prepares the server; it answers once [`HttpServer::run`] is awaited. Raises the process's limit of open files.
    ///
    /// # Errors
    /// When a socket cannot be used.
    pub fn start(
        listeners: Vec<Listener>,
        gateway: Gateway,
        probe: Arc<dyn Probe>,
        options: Options,
    ) -> Result<Self, HttpError> {
        let mut limits = options.limits;
        limits.connections = gate::files_for(limits.connections);
        let gate = Gate::new(limits);
        let proxies = Arc::new(options.proxies);
        let shared = Shared { gateway, probe, gate: Arc::clone(&gate), ui: options.ui, proxies: Arc::clone(&proxies) };
        let shared = web::Data::new(shared);
        // The gate turns away whom there is no place for; the library would let them wait unseen.
        let mut server = Server::build()
            .workers(options.workers)
            .max_concurrent_connections(limits.connections.saturating_add(options.workers))
            .shutdown_timeout(options.drain.as_secs())
            .disable_signals();
        let stopping = server.graceful_shutdown_signal();
        let mut certificates = Vec::new();
        for listener in listeners {
            let tls = match &listener.certificates {
                Some(watched) => Some(TlsAcceptor::from(Arc::new(watched.server_config()?))),
                None => None,
            };
            certificates.extend(listener.certificates);
            let (shared, gate, stopping) = (shared.clone(), Arc::clone(&gate), stopping.clone());
            let proxies = Arc::clone(&proxies);
            server = server.listen("http", listener.socket, move || {
                let (gate, tls, stopping) = (Arc::clone(&gate), tls.clone(), stopping.clone());
                let proxies = Arc::clone(&proxies);
                let app = App::new().app_data(shared.clone()).default_service(web::to(serve));
                let http = HttpService::<Line, _, _>::build()
                    // Quiet clients and slow heads are the line's matter, which tells the two apart.
                    .keep_alive(limits.keep_alive + BEHIND_THE_LINE)
                    .client_request_timeout(Duration::ZERO)
                    .client_disconnect_timeout(BEHIND_THE_LINE)
                    .graceful_shutdown_signal(move || {
                        let stopping = stopping.clone();
                        async move { stopping.notified().await }
                    })
                    .on_connect_ext(|line: &Line, data| {
                        data.insert(Rc::clone(line.track()));
                    })
                    .h1(map_config(app, |()| AppConfig::default()));
                fn_service(move |socket: TcpStream| admit(socket, Arc::clone(&gate), Arc::clone(&proxies), tls.clone()))
                    .and_then(http.map_err(|_| Gone).map_init_err(|_| ()))
            })?;
        }
        Ok(Self { server: server.run(), certificates })
    }

    /// A handle that stops the server: `handle().stop(true)` lets running requests end.
    pub fn handle(&self) -> actix_web::dev::ServerHandle {
        self.server.handle()
    }

    /// Answers until stopped. Certificates that are replaced meanwhile are shown to new connections.
    ///
    /// # Errors
    /// When the server breaks down.
    pub async fn run(self) -> Result<(), HttpError> {
        let watching = futures_util::future::join_all(self.certificates.into_iter().map(Certificates::watch));
        tokio::select! {
            ended = self.server => Ok(ended?),
            () = async { watching.await; std::future::pending().await } => Ok(()),
        }
    }
}

/// A connection that came to nothing: full house, no TLS, a client that left. Its client's matter, and no line in the log.
#[derive(Debug)]
struct Gone;

/// Gives a new connection its place, and TLS where the listener speaks it.
async fn admit(
    socket: TcpStream,
    gate: Arc<Gate>,
    proxies: Arc<Proxies>,
    tls: Option<TlsAcceptor>,
) -> Result<(Line, Option<SocketAddr>), Gone> {
    let address = socket.peer_addr().map_err(|_| Gone)?.ip();
    // Answers are small and written whole; waiting for more to send only makes them late.
    let _ = socket.set_nodelay(true);
    let Some(seat) = gate.seat(address, proxies.trusts(address)) else {
        tracing::debug!(peer = %address, "turned away: too many connections");
        if tls.is_none() && tokio::time::timeout(FAREWELL, socket.writable()).await.is_ok() {
            let _ = socket.try_write(answer::FULL_HOUSE.as_bytes());
        }
        return Err(Gone);
    };
    let wire = match tls {
        None => Wire::Plain(socket),
        Some(acceptor) => {
            let shaken = tokio::time::timeout(gate.patience(gate.limits.head_time), acceptor.accept(socket)).await;
            Wire::Tls(Box::new(shaken.map_err(|_| Gone)?.map_err(|_| Gone)?))
        }
    };
    let line = Line::new(wire, seat);
    let peer = line.peer();
    Ok((line, Some(peer)))
}

/// Answers a request and lets its connection know how far it is.
async fn serve(request: HttpRequest, body: web::Payload, shared: web::Data<Shared>) -> HttpResponse<Tracked> {
    let Some(track) = request.conn_data::<Rc<Track>>().map(Rc::clone) else {
        unreachable!("every connection is a line, which brings its track")
    };
    let length = request.headers().get(header::CONTENT_LENGTH).map(HeaderValue::as_bytes);
    let is_chunked = request.headers().contains_key(header::TRANSFER_ENCODING);
    track.begin(is_chunked || length.is_some_and(|length| length != b"0"));
    let mut response = route(request, body, shared).await;
    if track.has_unread_body() {
        response.head_mut().set_connection_type(ConnectionType::Close);
    }
    response.map_body(|_, body| Tracked::new(body, track))
}

async fn route(request: HttpRequest, body: web::Payload, shared: web::Data<Shared>) -> HttpResponse {
    let target_bytes = request.uri().path_and_query().map_or(0, |text| text.as_str().len());
    if target_bytes > LONGEST_HEAD {
        return answer::page(StatusCode::URI_TOO_LONG, "URI Too Long");
    }
    let header_bytes: usize = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    if target_bytes + header_bytes > LONGEST_HEAD {
        return answer::page(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "Request Header Fields Too Large");
    }
    let path = without_path_parameters(request.path());
    if path == API_PATH {
        return api(&request, body, None, &shared).await;
    }
    match path.strip_prefix(API_PATH).and_then(|rest| rest.strip_prefix('/')) {
        Some(rest) => api(&request, body, Some(rest), &shared).await,
        None if path == "/healthz" => health(&shared).await,
        None if shared.ui.is_some() => match &shared.ui {
            Some(ui) => ui.answer(&request, &path).await,
            None => answer::page(StatusCode::NOT_FOUND, "Not Found"),
        },
        None => answer::page(StatusCode::NOT_FOUND, "Not Found"),
    }
}

/// `/client/api;jsessionid=x/y` without what follows each semicolon.
fn without_path_parameters(path: &str) -> Cow<'_, str> {
    if !path.contains(';') {
        return Cow::Borrowed(path);
    }
    Cow::Owned(path.split('/').map(|part| part.split(';').next().unwrap_or_default()).collect::<Vec<_>>().join("/"))
}

/// The session id in `/client/api;jsessionid=x`, where clients without cookies put it.
fn session_in_path(path: &str) -> Option<String> {
    let parameters = path.split('/').flat_map(|part| part.split(';').skip(1));
    parameters.filter_map(|parameter| parameter.strip_prefix("jsessionid=")).last().map(str::to_owned)
}

/// Name and value of each cookie, in order. All programs under one host name get the cookies of all, so one that is not visible
/// ASCII may be another's: it is left out, and the others count.
fn cookies(request: &HttpRequest) -> Vec<(String, String)> {
    let lines = request.headers().get_all(header::COOKIE).map(HeaderValue::as_bytes);
    let items = lines.flat_map(|line| line.split(|byte| *byte == b';')).filter_map(visible);
    let pairs = items.filter_map(|item| item.trim().split_once('='));
    pairs.map(|(name, value)| (name.trim().to_owned(), value.trim().trim_matches('"').to_owned())).collect()
}

/// A part of a header, where it is visible ASCII.
fn visible(part: &[u8]) -> Option<&str> {
    let is_visible = part.iter().all(|byte| matches!(byte, b'\t' | b' '..=b'~'));
    std::str::from_utf8(part).ok().filter(|_| is_visible)
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
    let mut room = shared.gate.form_room();
    // What is no form means nothing here, but the upstream gets it all the same.
    let body = if has_form || passes_on {
        match read_body(request, body, &mut room).await {
            Ok(body) => body,
            Err(refusal) => return refusal,
        }
    } else {
        Vec::new()
    };
    let is_readable = !has_form || content_types(request).all(|kind| params::reads_as_utf8(&kind, &body));
    let form = if has_form && is_readable { body.as_slice() } else { &[] };
    let mut pairs = match params::merge(request.query_string().as_bytes(), form) {
        Ok(pairs) => pairs,
        Err(cause) => return answer::page(StatusCode::BAD_REQUEST, &cause.to_string()),
    };
    let by_path = name_command_by_path(&mut pairs, tail);
    let Some(track) = request.conn_data::<Rc<Track>>() else {
        unreachable!("every connection is a line, which brings its track")
    };
    let request_id = telemetry::next_request_id();
    if !is_readable {
        return answer::outgoing(shared.gateway.unreadable(&pairs, OTHER_CHARSET), &request_id, false);
    }
    let raw = RawRequest {
        pairs,
        cookies: cookies(request),
        session_in_path: session_in_path(request.path()),
        verb,
        peer: client_address(request, track.address, &shared.proxies),
        is_encrypted: track.is_encrypted,
        is_cross_site: origin::is_cross_site(request),
        resume_after: header_text(request, LAST_EVENT_ID),
        request_id: Arc::clone(&request_id),
        original: passes_on.then(|| onward::original(request, body.into(), by_path, shared.proxies.header())),
    };
    let Some(_turn) = shared.gate.turn().await else {
        return answer::page(StatusCode::SERVICE_UNAVAILABLE, "too many requests are worked on; try again");
    };
    let accepted: Vec<&str> =
        request.headers().get_all(header::ACCEPT_ENCODING).filter_map(|line| line.to_str().ok()).collect();
    let takes_gzip = !accepted.is_empty() && answer::takes_gzip(&accepted.join(","));
    answer::outgoing(shared.gateway.answer(raw).await, &request_id, takes_gzip)
}

/// Where a request comes from, `peer` being where its connection comes from.
fn client_address(request: &HttpRequest, peer: IpAddr, proxies: &Proxies) -> IpAddr {
    // Their header is looked for only when the connection is one of theirs.
    let lines = std::iter::once_with(|| request.headers().get_all(proxies.header())).flatten();
    proxies.client(peer, lines.map(HeaderValue::as_bytes))
}

/// The value of a header, if it is text.
fn header_text(request: &HttpRequest, name: HeaderName) -> Option<String> {
    request.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
}

/// `/client/api/listHosts` without a `command` means `command=listHosts`, signature included. An addition of ours, so
/// that each command has a path of its own in OpenAPI. Gives the name that was added.
pub fn name_command_by_path(pairs: &mut Vec<(String, String)>, tail: Option<&str>) -> Option<&'static str> {
    let command = tail.and_then(commands::find)?;
    if pairs.iter().any(|(name, _)| name == "command") {
        return None;
    }
    let name = command.entry.spec.name;
    pairs.push(("command".to_owned(), name.to_owned()));
    Some(name)
}

/// The content types of a request; the first one counts. Bytes that are no text do not hide what stands before them.
fn content_types(request: &HttpRequest) -> impl Iterator<Item = Cow<'_, str>> {
    request.headers().get_all(header::CONTENT_TYPE).map(|value| String::from_utf8_lossy(value.as_bytes()))
}

fn is_form(request: &HttpRequest) -> bool {
    content_types(request).next().is_some_and(|text| {
        let kind = text.split(';').next().unwrap_or_default();
        kind.trim().eq_ignore_ascii_case("application/x-www-form-urlencoded")
    })
}

/// The bytes of a body. What is said to be too large is refused before the first of them.
async fn read_body(
    request: &HttpRequest,
    mut body: web::Payload,
    room: &mut FormRoom<'_>,
) -> Result<Vec<u8>, HttpResponse> {
    let too_large = || answer::page(StatusCode::BAD_REQUEST, "the body is larger than 1 MiB");
    let length = request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    if length.and_then(|text| text.trim().parse::<u64>().ok()).is_some_and(|length| length > MAX_BODY_BYTES as u64) {
        return Err(too_large());
    }
    let mut form = Vec::new();
    let mut pace = Pace::start();
    loop {
        let chunk = match tokio::time::timeout_at(pace.deadline(room.gate()), body.next()).await {
            Err(_) => return Err(answer::page(StatusCode::REQUEST_TIMEOUT, "the body did not arrive in time")),
            Ok(None) => break,
            Ok(Some(chunk)) => chunk.map_err(|_| answer::page(StatusCode::BAD_REQUEST, "the body broke off"))?,
        };
        if form.len() + chunk.len() > MAX_BODY_BYTES {
            return Err(too_large());
        }
        if !room.grow_to(form.len() + chunk.len()) {
            return Err(answer::page(
                StatusCode::SERVICE_UNAVAILABLE,
                "too many large forms at the same time; try again",
            ));
        }
        pace.moved(chunk.len());
        form.extend_from_slice(&chunk);
    }
    if let Some(track) = request.conn_data::<Rc<Track>>() {
        track.body_was_read();
    }
    Ok(form)
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
    fn a_cookie_that_is_no_text_is_left_out_alone() {
        let line = |bytes: &[u8]| (header::COOKIE, HeaderValue::from_bytes(bytes).unwrap());
        let request = actix_web::test::TestRequest::default()
            .append_header(line(b"theme=gr\xfcn; JSESSIONID=node0a.node0; n\xc3\xa4me=x; sessionkey=k"))
            .append_header(line("last=größe".as_bytes()))
            .append_header(line(b"more=m"))
            .to_http_request();
        let found: Vec<String> = cookies(&request).into_iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(found, ["JSESSIONID=node0a.node0", "sessionkey=k", "more=m"]);
    }

    #[test]
    fn a_path_names_a_command_only_where_none_is_named() {
        let mut pairs = vec![];
        assert_eq!(name_command_by_path(&mut pairs, Some("listCapabilities")), Some("listCapabilities"));
        assert_eq!(pairs, [("command".to_owned(), "listCapabilities".to_owned())]);
        let mut pairs = vec![("command".to_owned(), "x".to_owned())];
        assert_eq!(name_command_by_path(&mut pairs, Some("listCapabilities")), None);
        assert_eq!(pairs.len(), 1);
        let mut pairs = vec![];
        assert_eq!(name_command_by_path(&mut pairs, Some("deeper/still")), None);
        assert!(pairs.is_empty());
    }
}
