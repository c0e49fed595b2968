//! What is passed on: requests as they came, and answers of the upstream as they come.

use actix_web::body::{BodyStream, SizedStream};
use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::{HttpRequest, HttpResponse};
use bytes::Bytes;
use futures_util::{Stream, stream};
use http::{HeaderMap, Method};

use super::answer::own_reason;
use super::origin;
use crate::telemetry;
use crate::upstream::{Body, Broken, Original, Passed};

/// The request as it came, without the header in which proxies say where it comes from. The library of the listener and that of the
/// client have types of their own for the same things.
///
/// An `Origin` that names this host is left out: behind the gateway the host is another, and it would look like another site.
///
/// A command that only the path names, `by_path`, is named in the query: of the path nothing is passed on, and what was understood
/// here has to be what is asked there.
pub fn original(request: &HttpRequest, body: Bytes, by_path: Option<&str>, of_proxies: &str) -> Original {
    let mut headers = HeaderMap::with_capacity(request.headers().len());
    let has_own_origin = origin::names_own_host(request) == Some(true);
    let is_dropped = |name: &str| name == of_proxies || (has_own_origin && name == "origin");
    for (name, value) in request.headers().iter().filter(|(name, _)| !is_dropped(name.as_str())) {
        let name = http::HeaderName::from_bytes(name.as_str().as_bytes());
        if let (Ok(name), Ok(value)) = (name, http::HeaderValue::from_bytes(value.as_bytes())) {
            headers.append(name, value);
        }
    }
    Original {
        method: Method::from_bytes(request.method().as_str().as_bytes()).unwrap_or(Method::GET),
        query: named(request.uri().query(), by_path),
        headers,
        body,
    }
}

/// A query with the command that the path has named.
fn named(query: Option<&str>, by_path: Option<&str>) -> Option<String> {
    match (query, by_path) {
        (query, None) => query.map(str::to_owned),
        (None | Some(""), Some(name)) => Some(format!("command={name}")),
        (Some(query), Some(name)) => Some(format!("{query}&command={name}")),
    }
}

/// The answer of the upstream: status, headers and body unchanged, the body as fast as the client takes it. The words behind the
/// status are those of the standard, or the number: that is what CloudStack says, and words that were just read cannot be said by
/// the library of the listener.
pub fn response(passed: Passed, request_id: &str) -> HttpResponse {
    let Ok(status) = StatusCode::from_u16(passed.status) else { return HttpResponse::BadGateway().finish() };
    let mut response = HttpResponse::build(status);
    if let Some(reason) = own_reason(status) {
        response.reason(reason);
    }
    for (name, value) in &passed.headers {
        let name = HeaderName::from_bytes(name.as_str().as_bytes());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(value.as_bytes())) {
            response.append_header((name, value));
        }
    }
    let pieces = pieces(passed.body, request_id.to_owned());
    match passed.length {
        // A body that ends early is noticed by the length; the connection is closed then.
        Some(length) => response.body(SizedStream::new(length, pieces)),
        // Here by the missing end of the last piece.
        None => response.body(BodyStream::new(pieces)),
    }
}

fn pieces(body: Body, request_id: String) -> impl Stream<Item = Result<Bytes, Broken>> {
    stream::unfold((body, request_id), async |(mut body, request_id)| {
        let piece = body.next().await?;
        if let Err(broken) = &piece {
            tracing::warn!(id = request_id, cause = %telemetry::chain(broken), "an answer of the upstream was cut short");
        }
        Some((piece, (body, request_id)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_of_the_path_is_named_in_the_query() {
        for (query, by_path, wanted) in [
            (None, None, None),
            (Some("a=%7e&&"), None, Some("a=%7e&&")),
            (None, Some("x"), Some("command=x")),
            (Some(""), Some("x"), Some("command=x")),
            (Some("a=%7e"), Some("x"), Some("a=%7e&command=x")),
        ] {
            assert_eq!(named(query, by_path).as_deref(), wanted, "{query:?} {by_path:?}");
        }
    }
}
