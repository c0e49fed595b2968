//! A host's listener: TLS, routing, request limit, and the faults around a command.

use std::any::Any;
use std::convert::Infallible;
use std::future::ready;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use actix_tls::accept::rustls_0_23::TlsStream;
use actix_web::dev::{Extensions, Server};
use actix_web::http::header::{CONTENT_TYPE, HeaderName};
use actix_web::http::{Method, StatusCode};
use actix_web::rt::net::TcpStream;
use actix_web::web::{self, Bytes, Data, PayloadConfig};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer};
use futures_util::stream;
use rustix::net::Shutdown;
use serde_json::{Value, json};

use super::endpoints::{self, Call, Reply, Thrown};
use super::faults::{Fault, Strike};
use super::host::Host;
use super::tls::Identity;
use super::world::{World, WorldError};
use crate::hypervisors::hyperv::wire::REQUEST_LIMIT_BYTES;
use crate::hypervisors::hyperv::wire::extension::MARK_HEADER;

/// The media type of every answer.
const JSON: &str = "application/json; charset=utf-8";

/// What a handler needs.
struct Place {
    world: Arc<World>,
    host: Arc<Host>,
}

/// A second handle to a connection's socket, to close it without an answer.
struct Socket(OwnedFd);

/// A host's server, ready to be run.
///
/// # Errors
/// [`WorldError`].
pub fn serve(
    world: &Arc<World>,
    host: &Arc<Host>,
    identity: &Identity,
    listener: TcpListener,
) -> Result<Server, WorldError> {
    let place = Data::new(Place { world: Arc::clone(world), host: Arc::clone(host) });
    let server = HttpServer::new(move || {
        App::new()
            .app_data(place.clone())
            .app_data(PayloadConfig::new(REQUEST_LIMIT_BYTES))
            .default_service(web::to(handle))
    })
    .workers(1)
    .on_connect(keep_socket)
    .disable_signals()
    .shutdown_timeout(0)
    .listen_rustls_0_23(listener, identity.server_config(host.ip())?);
    let server = server.map_err(|source| WorldError::Listen { address: host.ip().to_owned(), source })?;
    Ok(server.run())
}

fn keep_socket(connection: &dyn Any, data: &mut Extensions) {
    let Some(stream) = connection.downcast_ref::<TlsStream<TcpStream>>() else { return };
    // Windows sends answers at once too. Else they wait for the client to have acknowledged the end of the handshake.
    let _ = stream.get_ref().0.set_nodelay(true);
    if let Ok(socket) = rustix::io::dup(stream.get_ref().0) {
        data.insert(Socket(socket));
    }
}

/// Any request.
async fn handle(request: HttpRequest, place: Data<Place>, body: Bytes) -> HttpResponse {
    let path = request.path().to_owned();
    let mut segments = path.trim_matches('/').split('/');
    let (api, controller, class) = (segments.next(), segments.next(), segments.next());
    let is_api = api.is_some_and(|api| api.eq_ignore_ascii_case("api"));
    let (Some(controller), true, None) = (controller, is_api, segments.next()) else {
        return HttpResponse::NotFound().finish();
    };
    if !controller.eq_ignore_ascii_case("HypervResource") {
        let text = format!("No type was found that matches the controller named '{controller}'.");
        return respond(404, &json!(text));
    }
    let is_get = request.method() == Method::GET;
    let Some(segment) = class else {
        let text = "HypervResource controller running, use POST to send JSON encoded RPCs";
        return match is_get {
            true => respond(200, &json!(text)),
            false => wrong_method(request.method()),
        };
    };
    let Some(class) = endpoints::known_class(&place.host, segment) else {
        let text = format!("No action was found on the controller 'HypervResource' that matches the name '{segment}'.");
        place.host.log_request(place.world.next_number(), segment, &body);
        return respond(404, &json!(text));
    };
    if request.method() != Method::POST {
        return wrong_method(request.method());
    }
    let reply = match media_type(&request) {
        // What was read is carried out, also when whoever sent it is gone.
        Ok(()) => {
            let answered = actix_web::rt::spawn(async move { answer(&place, class, &body).await });
            answered.await.unwrap_or(Reply::Close)
        }
        Err(thrown) => crash(&thrown),
    };
    let mut response = send(&request, reply);
    // The same mark goes back, so that the gateway can tell which of its questions this answers.
    if let Some(mark) = request.headers().get(MARK_HEADER) {
        response.headers_mut().insert(HeaderName::from_static(MARK_HEADER), mark.clone());
    }
    response
}

fn wrong_method(method: &Method) -> HttpResponse {
    let text = format!("The requested resource does not support http method '{method}'.");
    respond(405, &json!(text))
}

/// The agent reads JSON only, and goes by what the request says it is.
fn media_type(request: &HttpRequest) -> Result<(), Thrown> {
    let header = request.headers().get(CONTENT_TYPE);
    let text = header.and_then(|value| value.to_str().ok()).unwrap_or("");
    let media = text.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
    if media == "application/json" || media == "text/json" {
        return Ok(());
    }
    Err(Thrown(format!(
        "No MediaTypeFormatter is available to read an object of type 'Object' from content with media type '{media}'."
    )))
}

/// Parses a body as leniently as the agent: what stands before a missing closing brace counts.
fn parse(body: &[u8]) -> Value {
    let text = match std::str::from_utf8(body) {
        Ok(text) => text.to_owned(),
        // The management server sends Latin-1, in which each byte is its own character.
        Err(_) => body.iter().map(|byte| char::from(*byte)).collect(),
    };
    serde_json::from_str(&text).or_else(|_| serde_json::from_str(&format!("{text}}}"))).unwrap_or(Value::Null)
}

/// Answers a command, with the misfortune that strikes it.
async fn answer(place: &Place, class: &'static str, body: &[u8]) -> Reply {
    let number = place.world.next_number();
    place.host.log_request(number, class, body);
    let body = parse(body);
    let strikes = place.world.faults.strike(place.host.ip(), class, &body);
    let call = Call {
        world: Arc::clone(&place.world),
        host: Arc::clone(&place.host),
        process: place.host.process(),
        class,
        body,
        strikes,
    };
    let reply = match before(&call).await {
        Some(reply) => reply,
        None => after(&call, carry_out(&call).await).await,
    };
    // A dead process answers nothing.
    let reply = if call.process.is_alive() { reply } else { Reply::Close };
    match &reply {
        Reply::Ok(value) => place.host.log_answer(number, 200, &value.to_string()),
        Reply::Status(status, value) => place.host.log_answer(number, *status, &value.to_string()),
        Reply::Twice(value) => place.host.log_answer(number, 200, &value.to_string()),
        Reply::Close => {}
    }
    reply
}

async fn carry_out(call: &Call) -> Reply {
    if call.strikes.iter().any(|strike| strike.fault == Fault::LieAboutVm) {
        return endpoints::lie(call);
    }
    endpoints::carry_out(call).await.unwrap_or_else(|thrown| crash(&thrown))
}

/// Misfortune that strikes before anything is done.
async fn before(call: &Call) -> Option<Reply> {
    for strike in &call.strikes {
        if let Fault::StartLate { ms } = &strike.fault {
            wait(strike, *ms).await;
        }
    }
    call.strikes.iter().find_map(|strike| match &strike.fault {
        Fault::Refuse { details } => Some(endpoints::refusal(call, details)),
        Fault::WmiReturn { code } => Some(endpoints::wmi_refusal(call, *code)),
        Fault::HttpStatus { status } => Some(Reply::Status(*status, json!({"Message": "An error has occurred."}))),
        Fault::DropBefore => Some(Reply::Close),
        Fault::RestartAndForget { after: false } => {
            call.process.kill();
            Some(Reply::Close)
        }
        _ => None,
    })
}

/// Misfortune that strikes when all is done.
async fn after(call: &Call, mut reply: Reply) -> Reply {
    for strike in &call.strikes {
        match &strike.fault {
            Fault::AnswerLate { ms } => wait(strike, *ms).await,
            Fault::DropAfter => reply = Reply::Close,
            Fault::AnswerTwice => reply = reply.twice(),
            Fault::WrongPath { path } => reply = endpoints::with_path(reply, path),
            Fault::RestartAndForget { after: true } => {
                call.process.kill();
                reply = Reply::Close;
            }
            _ => {}
        }
    }
    reply
}

async fn wait(strike: &Strike, ms: Option<u64>) {
    match ms {
        Some(ms) => {
            // Releasing the fault ends the wait early.
            let pause = Duration::from_millis(ms);
            let _ = tokio::time::timeout(pause, strike.wait_released()).await;
        }
        None => strike.wait_released().await,
    }
}

/// What a crash of a handler looks like from outside.
fn crash(thrown: &Thrown) -> Reply {
    Reply::Status(500, json!({"ExceptionType": "System.Exception", "Message": thrown.0, "StackTrace": ""}))
}

fn send(request: &HttpRequest, reply: Reply) -> HttpResponse {
    match reply {
        Reply::Ok(value) => respond(200, &value),
        Reply::Status(status, value) => respond(status, &value),
        Reply::Twice(value) => respond_twice(&value),
        Reply::Close => {
            if let Some(Socket(socket)) = request.conn_data::<Socket>() {
                // The client may have closed it already, which is what is wanted.
                let _ = rustix::net::shutdown(socket, Shutdown::Both);
            }
            HttpResponse::ServiceUnavailable().force_close().finish()
        }
    }
}

fn respond(status: u16, body: &Value) -> HttpResponse {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = HttpResponse::build(status);
    response.insert_header((CONTENT_TYPE, JSON));
    response.body(body.to_string())
}

/// The answer, and behind it the whole of it once more, of which nobody has been told.
fn respond_twice(body: &Value) -> HttpResponse {
    let body = body.to_string();
    let head = format!("HTTP/1.1 200 OK\r\ncontent-type: {JSON}\r\ncontent-length: {}\r\n\r\n", body.len());
    let bytes = Bytes::from(format!("{body}{head}{body}"));
    let mut response = HttpResponse::Ok();
    response.insert_header((CONTENT_TYPE, JSON));
    // The length is that of the first; a stream is not held to it.
    response.no_chunking(body.len() as u64);
    response.streaming(stream::once(ready(Ok::<_, Infallible>(bytes))))
}
