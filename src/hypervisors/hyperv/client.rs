//! Sends commands to agents: one connection, one request, one answer (`contract/hyperv-wire.md` 1). Only with agents that mark
//! their answers are connections shared ([`kept`]).
//!
//! The one thing that this module must get right is what a failure means. A command that never went out had no effect
//! and may be believed to have failed; a command that went out and whose answer is missing may have been carried out.
//! So no command is ever sent twice, and [`ClientError::effect`] says which of the two it was.

mod failure;
mod kept;

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use reqwest::header::{CONTENT_TYPE, HeaderValue};
use reqwest::{Client, RequestBuilder, Response, StatusCode};
use uuid::Uuid;

pub use failure::ClientError;

use self::kept::KeptConnections;
use super::pin::{PinError, PinLayer, PinPolicy};
use super::tls::{Backend, ConnectFailure, TlsChoice, causes, classify, openssl_connector, rustls_config};
use super::wire::extension::MARK_HEADER;
use super::wire::{Answer, Command, DEFAULT_PORT, decode, encode, path_of};
use crate::motion::hypervisor::HostRef;

/// Largest answer that is read, in bytes. Real ones have kilobytes; this only keeps memory safe.
const ANSWER_LIMIT_BYTES: usize = 16 * 1024 * 1024;

/// How to talk to agents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientSettings {
    /// Port of agents whose host names none.
    pub port: u16,
    /// How long connecting may take, handshake included.
    pub connect_timeout: Duration,
    /// How long the answer to a question may take. Commands that move, copy, start, stop, create or delete have no
    /// such limit: a late answer is no failure.
    pub question_timeout: Duration,
    /// After how much silence the network is probed while an answer is waited for. A peer that is gone without a word
    /// is noticed after about twice that time.
    pub keepalive: Duration,
    /// TLS backends that may be used.
    pub tls: TlsChoice,
}

impl Default for ClientSettings {
    fn default() -> Self {
        Self {
            port: DEFAULT_PORT,
            connect_timeout: Duration::from_secs(5),
            question_timeout: Duration::from_secs(60),
            keepalive: Duration::from_secs(30),
            tls: TlsChoice::Auto,
        }
    }
}

/// Talks to agents.
pub struct AgentClient {
    settings: ClientSettings,
    pins: Arc<PinPolicy>,
    /// An HTTP client for each address, since the check of its certificate is part of it.
    clients: Mutex<HashMap<(String, Backend), Client>>,
    /// Addresses that rustls could not shake hands with and OpenSSL could.
    needs_openssl: Mutex<HashSet<String>>,
    kept: KeptConnections,
}

/// A request on its way.
struct Request<'a> {
    id: Uuid,
    address: &'a str,
    class: &'static str,
    body: Vec<u8>,
}

/// A request that is over, for the log.
struct Sent<'a> {
    request: Uuid,
    host: &'a str,
    class: &'static str,
    millis: u128,
}

/// Writes down how a request ended. Questions are many and their refusals are answers too, so only work and trouble
/// are loud.
fn log(sent: &Sent<'_>, error: Option<&ClientError>) {
    let Sent { request, host, class, millis } = sent;
    let outcome = error.map_or("done", ClientError::outcome);
    match error {
        None if is_question(class) => tracing::debug!(%request, host, class, millis, outcome, "the agent answered"),
        None => tracing::info!(%request, host, class, millis, outcome, "the agent answered"),
        Some(error @ (ClientError::UnknownEndpoint { .. } | ClientError::Refused { question: true, .. })) => {
            tracing::info!(%request, host, class, millis, outcome, %error, "the agent said no");
        }
        Some(error) => tracing::warn!(%request, host, class, millis, outcome, %error, "the command failed"),
    }
}

/// `ip:port`; an IPv6 literal is put in brackets.
fn address_at(ip: &str, port: u16) -> String {
    if ip.contains(':') { format!("[{ip}]:{port}") } else { format!("{ip}:{port}") }
}

/// The address that somebody has written down for an agent: one without a port means this one.
pub fn written_address(text: &str, port: u16) -> String {
    let has_port = text.contains(':') && text.parse::<IpAddr>().is_err();
    if has_port { text.to_owned() } else { address_at(text, port) }
}

impl AgentClient {
    /// A client with these settings that trusts these certificates.
    pub fn new(settings: ClientSettings, pins: PinPolicy) -> Self {
        Self {
            settings,
            pins: Arc::new(pins),
            clients: Mutex::default(),
            needs_openssl: Mutex::default(),
            kept: KeptConnections::default(),
        }
    }

    /// `ip:port` of a host's agent; an IPv6 literal is put in brackets.
    pub fn address_of(&self, host: &HostRef) -> String {
        address_at(&host.ip, host.port.unwrap_or(self.settings.port))
    }

    /// Sends a command to a host's agent and reads the answer. An answer that says no is an error.
    ///
    /// # Errors
    /// [`ClientError`]; its [`effect`](ClientError::effect) says whether the command can have been carried out.
    pub async fn send<C: Command>(&self, host: &HostRef, command: &C) -> Result<C::Answer, ClientError> {
        let (address, id) = (self.address_of(host), Uuid::new_v4());
        let started = Instant::now();
        tracing::debug!(request = %id, host = host.name, address, class = C::CLASS, "asking the agent");
        let answer = self.exchange(id, &address, command).await;
        log(
            &Sent { request: id, host: &host.name, class: C::CLASS, millis: started.elapsed().as_millis() },
            answer.as_ref().err(),
        );
        answer
    }

    async fn exchange<C: Command>(&self, id: Uuid, address: &str, command: &C) -> Result<C::Answer, ClientError> {
        let body = encode(command).map_err(ClientError::Unsendable)?;
        let request = Request { id, address, class: C::CLASS, body };
        let bytes = match self.deliver_kept(&request).await {
            Some(delivered) => delivered?,
            None => self.deliver(&request).await?,
        };
        let answer = decode::<C>(&bytes).map_err(|reason| ClientError::Unusable {
            address: address.to_owned(),
            class: C::CLASS,
            reason,
        })?;
        let outcome = answer.outcome();
        if outcome.result {
            return Ok(answer);
        }
        Err(ClientError::said_no(C::CLASS, is_question(C::CLASS), outcome.details.clone()))
    }

    /// Delivers a request over a kept connection; nothing when there is none for it, or when a question failed on it.
    async fn deliver_kept(&self, request: &Request<'_>) -> Option<Result<Vec<u8>, ClientError>> {
        if kept::is_marked(request.class) {
            return self.ask_kept(request).await.map(Ok);
        }
        if is_question(request.class) {
            return None;
        }
        let client = self.kept.just_used(request.address)?;
        Some(self.command_kept(&client, request).await)
    }

    async fn ask_kept(&self, request: &Request<'_>) -> Option<Vec<u8>> {
        let client = self.kept.get(request.address)?;
        let asking = async {
            let response = post_marked(&client, request).send().await.ok()?;
            let is_answer = response.status() == StatusCode::OK && kept::answers(&response, request.id);
            if is_answer { read_body(response).await.ok() } else { None }
        };
        match tokio::time::timeout(kept::PATIENCE, asking).await {
            Ok(Some(answer)) => {
                self.kept.answered(request.address);
                return Some(answer);
            }
            Ok(None) => self.kept.forget(request.address),
            Err(_) => self.kept.do_without(request.address),
        }
        tracing::debug!(request = %request.id, address = request.address, "no answer over a kept connection: asking anew");
        None
    }

    async fn command_kept(&self, client: &Client, request: &Request<'_>) -> Result<Vec<u8>, ClientError> {
        let sent = post_marked(client, request).send().await;
        let response = sent.map_err(|error| self.undelivered(request, &error))?;
        if !kept::answers(&response, request.id) {
            self.kept.forget(request.address);
            return Err(lost(request, "what came back does not say that it answers this request"));
        }
        self.answer_of(request, response).await
    }

    /// Delivers a request with the backend that suits the host. Only a handshake is ever tried twice.
    async fn deliver(&self, request: &Request<'_>) -> Result<Vec<u8>, ClientError> {
        let first = match self.settings.tls {
            TlsChoice::OpenSsl => return self.deliver_with(Backend::OpenSsl, request).await,
            TlsChoice::Rustls => return self.deliver_with(Backend::Rustls, request).await,
            TlsChoice::Auto if self.known_to_need_openssl(request.address) => {
                return self.deliver_with(Backend::OpenSsl, request).await;
            }
            TlsChoice::Auto => self.deliver_with(Backend::Rustls, request).await,
        };
        let Err(ClientError::Handshake { no_common_suite: true, .. }) = &first else { return first };
        let second = self.deliver_with(Backend::OpenSsl, request).await;
        let connected = !matches!(
            second,
            Err(ClientError::Handshake { .. } | ClientError::Unreachable { .. } | ClientError::NoClient { .. })
        );
        if !connected {
            return first;
        }
        tracing::info!(
            address = request.address,
            "the agent has no TLS suite in common with rustls: using OpenSSL for it"
        );
        self.needs_openssl.lock().unwrap_or_else(PoisonError::into_inner).insert(request.address.to_owned());
        second
    }

    fn known_to_need_openssl(&self, address: &str) -> bool {
        self.needs_openssl.lock().unwrap_or_else(PoisonError::into_inner).contains(address)
    }

    async fn deliver_with(&self, backend: Backend, request: &Request<'_>) -> Result<Vec<u8>, ClientError> {
        let address = request.address;
        let client = self
            .client_for(address, backend)
            .map_err(|reason| ClientError::NoClient { address: address.to_owned(), reason })?;
        let is_marked = kept::is_marked(request.class);
        let mut post = if is_marked { post_marked(&client, request) } else { post(&client, request) };
        if is_question(request.class) {
            post = post.timeout(self.settings.question_timeout);
        }
        let response = post.send().await.map_err(|error| self.undelivered(request, &error))?;
        if kept::answers(&response, request.id) {
            self.kept.keep(address, || self.build(address, backend, kept::QUIET_EACH).ok());
        }
        self.answer_of(request, response).await
    }

    /// The body of an answer, if it is one.
    async fn answer_of(&self, request: &Request<'_>, response: Response) -> Result<Vec<u8>, ClientError> {
        refuse_status(request, response.status())?;
        read_body(response).await.map_err(|error| match error {
            BodyError::Broken(error) => self.undelivered(request, &error),
            BodyError::TooLong => lost(request, &format!("the answer is longer than {ANSWER_LIMIT_BYTES} bytes")),
        })
    }

    /// The HTTP client for an address, made at its first use.
    fn client_for(&self, address: &str, backend: Backend) -> Result<Client, String> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (address.to_owned(), backend);
        if let Some(client) = clients.get(&key) {
            return Ok(client.clone());
        }
        let client = self.build(address, backend, 0)?;
        clients.insert(key, client.clone());
        Ok(client)
    }

    /// A client that keeps so many quiet connections. None is the rule: a connection that was used before may be closed by the
    /// agent while a request is on its way, and then nobody can tell whether it arrived. A fresh one for each fails before or
    /// after sending.
    fn build(&self, address: &str, backend: Backend, quiet: usize) -> Result<Client, String> {
        let builder = Client::builder();
        let builder = match backend {
            Backend::Rustls => builder.tls_backend_preconfigured(rustls_config().map_err(|error| error.to_string())?),
            Backend::OpenSsl => {
                builder.tls_backend_preconfigured(openssl_connector().map_err(|error| error.to_string())?)
            }
        };
        builder
            .https_only(true)
            .http1_only()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .pool_max_idle_per_host(quiet)
            .pool_idle_timeout(kept::QUIET)
            .connect_timeout(self.settings.connect_timeout)
            .tcp_keepalive(self.settings.keepalive)
            .tcp_keepalive_interval(self.settings.keepalive / 4)
            .tcp_keepalive_retries(4)
            .tls_info(true)
            .connector_layer(PinLayer { policy: self.pins.clone(), address: address.into() })
            .user_agent(concat!("stackmotion/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| error.to_string())
    }

    /// What it means that no answer, or half of one, came.
    fn undelivered(&self, request: &Request<'_>, error: &reqwest::Error) -> ClientError {
        let (address, class) = (request.address.to_owned(), request.class);
        if let Some(pin) = causes(error).find_map(|cause| cause.downcast_ref::<PinError>()) {
            return ClientError::Pin(pin.clone());
        }
        let reason = innermost(error);
        if error.is_builder() {
            return ClientError::NoClient { address, reason };
        }
        if error.is_connect() {
            return match classify(error) {
                ConnectFailure::Network if error.is_timeout() => {
                    ClientError::Unreachable { address, reason: "no connection in time".to_owned() }
                }
                ConnectFailure::Network => ClientError::Unreachable { address, reason },
                failure => ClientError::Handshake {
                    address,
                    no_common_suite: failure == ConnectFailure::NoCommonSuite,
                    reason,
                },
            };
        }
        if error.is_timeout() {
            return ClientError::Late { address, class, seconds: self.settings.question_timeout.as_secs() };
        }
        ClientError::Lost { address, class, reason }
    }
}

/// A request as HTTP has it.
fn post(client: &Client, request: &Request<'_>) -> RequestBuilder {
    let url = format!("https://{}{}", request.address, path_of(request.class));
    client.post(url).header(CONTENT_TYPE, HeaderValue::from_static("application/json")).body(request.body.clone())
}

/// A request with its mark.
fn post_marked(client: &Client, request: &Request<'_>) -> RequestBuilder {
    post(client, request).header(MARK_HEADER, request.id.to_string())
}

/// A request that may have been carried out and whose answer is not known.
fn lost(request: &Request<'_>, reason: &str) -> ClientError {
    ClientError::Lost { address: request.address.to_owned(), class: request.class, reason: reason.to_owned() }
}

/// Whether a command only asks, or does something that is done at once and may be done again.
fn is_question(class: &str) -> bool {
    let name = class.rsplit('.').next().unwrap_or(class);
    let works = ["Migrate", "Copy", "Start", "Stop", "Reboot", "CreateObject", "Delete", "Destroy"];
    name == "StartupCommand"
        || name == "DeleteStoragePoolCommand"
        || !works.iter().any(|beginning| name.starts_with(beginning))
}

/// Only 200 is an answer (`contract/hyperv-wire.md` 1.3).
fn refuse_status(request: &Request<'_>, status: StatusCode) -> Result<(), ClientError> {
    let (address, class) = (request.address.to_owned(), request.class);
    match status.as_u16() {
        200 => Ok(()),
        404 | 405 => Err(ClientError::UnknownEndpoint { address, class }),
        400 | 413 => {
            Err(ClientError::TooLarge { address, class, size_bytes: request.body.len(), status: status.as_u16() })
        }
        500 => Err(ClientError::Crashed { address, class }),
        other => Err(ClientError::Status { address, class, status: other }),
    }
}

/// Why the body of an answer was not read.
enum BodyError {
    Broken(reqwest::Error),
    TooLong,
}

async fn read_body(mut response: Response) -> Result<Vec<u8>, BodyError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(BodyError::Broken)? {
        if body.len() + chunk.len() > ANSWER_LIMIT_BYTES {
            return Err(BodyError::TooLong);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// The words of the error at the root of all, which says most.
fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    causes(error).last().map_or_else(|| error.to_string(), ToString::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_alone_means_the_usual_port() {
        for (written, address) in [
            ("192.0.2.21", "192.0.2.21:8250"),
            ("192.0.2.21:9000", "192.0.2.21:9000"),
            ("fd00::1", "[fd00::1]:8250"),
            ("[fd00::1]:9000", "[fd00::1]:9000"),
            ("hv01", "hv01:8250"),
            ("hv01:9000", "hv01:9000"),
        ] {
            assert_eq!(written_address(written, 8250), address);
        }
    }
}
