//! What goes out: headers of API answers, and the pages a servlet container would send (`contract/api-protocol.md 1.1, 1.2, 1.6`).

use std::io::{self, Write as _};

use actix_web::body::BodyStream;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::{HttpResponse, HttpResponseBuilder};
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use futures_util::{Stream, TryStreamExt as _, stream};

use super::onward;
use crate::api::{BoxError, Flow, Format, Pieces};
use crate::dispatch::{Answer, Outgoing};
use crate::telemetry;

/// The lines of the content policy as CloudStack sends them: six headers instead of one.
const CONTENT_POLICY: [&str; 6] =
    ["1", "default-src=none", "script-src=self", "connect-src=self", "img-src=self", "style-src=self"];

const X_DESCRIPTION: HeaderName = HeaderName::from_static("x-description");
const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The most bytes of a description: what CloudStack's container has room for in all headers together, and what many clients
/// and proxies take (`contract/api-protocol.md 1.1`). The whole text is in the body.
const LONGEST_DESCRIPTION: usize = 8192;

/// The numbers of all statuses, from 100 on, in three digits each.
static NUMBERS: [u8; 2700] = numbers();

/// What the container says whenever it sets a cookie.
const NOT_TO_BE_KEPT: &str = "Thu, 01 Jan 1970 00:00:00 GMT";

/// Whole answers to clients whose head never becomes a request, as bytes (`contract/api-protocol.md 1.1`).
pub const URI_TOO_LONG: &str = concat!(
    "HTTP/1.1 414 URI Too Long\r\nContent-Type: text/html;charset=iso-8859-1\r\nContent-Length: 55\r\n",
    "Connection: close\r\n\r\n<h1>Bad Message 414</h1><pre>reason: URI Too Long</pre>"
);
/// The same for headers.
pub const HEADERS_TOO_LARGE: &str = concat!(
    "HTTP/1.1 431 Request Header Fields Too Large\r\nContent-Type: text/html;charset=iso-8859-1\r\n",
    "Content-Length: 74\r\nConnection: close\r\n\r\n",
    "<h1>Bad Message 431</h1><pre>reason: Request Header Fields Too Large</pre>"
);
/// The same for a head that does not arrive.
pub const REQUEST_TIMEOUT: &str = "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
/// The same for a connection that there is no place for.
pub const FULL_HOUSE: &str =
    "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nRetry-After: 5\r\nConnection: close\r\n\r\n";

/// Turns whatever goes back to the client into a response. What comes from the upstream is packed as the upstream packed it.
pub fn outgoing(outgoing: Outgoing, request_id: &str, takes_gzip: bool) -> HttpResponse {
    match outgoing {
        Outgoing::Own(answer) => api(answer, request_id, takes_gzip),
        Outgoing::Flow(flow) => flowing(flow, request_id),
        Outgoing::List(format, pieces) => listing(format, pieces, request_id, takes_gzip),
        Outgoing::Passed(passed) => onward::response(passed, request_id),
    }
}

/// Turns an answer of the API into a response, packed if its client can unpack it (`contract/api-protocol.md 1.6`).
///
/// An answer that sets cookies is never packed: it holds a session's key beside texts that the caller chose, and the length
/// of both packed together would tell of the key.
pub fn api(mut answer: Answer, request_id: &str, takes_gzip: bool) -> HttpResponse {
    let is_packed = takes_gzip && answer.status == 200 && answer.cookies.is_empty() && !answer.body.is_empty();
    if is_packed {
        answer.body = packed(&answer.body).into();
    }
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = HttpResponse::build(status);
    if let Some(reason) = own_reason(status) {
        response.reason(reason);
    }
    response.insert_header((header::CONTENT_TYPE, HeaderValue::from_static(answer.format.content_type())));
    if let Some(description) = answer.description.as_deref().and_then(header_text) {
        response.insert_header((X_DESCRIPTION, description));
    }
    for cookie in answer.cookies.iter().filter_map(|cookie| HeaderValue::from_str(cookie).ok()) {
        response.append_header((header::SET_COOKIE, cookie));
        response.insert_header((header::EXPIRES, HeaderValue::from_static(NOT_TO_BE_KEPT)));
    }
    guard(&mut response, request_id);
    if answer.status == 200 {
        response.insert_header((header::VARY, HeaderValue::from_static("Accept-Encoding, User-Agent")));
    }
    if is_packed {
        response.insert_header((header::CONTENT_ENCODING, HeaderValue::from_static("gzip")));
    }
    response.body(answer.body)
}

/// An answer without an envelope, as fast as its client takes it. It is never packed: what is packed waits for more.
fn flowing(flow: Flow, request_id: &str) -> HttpResponse {
    let mut response = HttpResponse::Ok();
    response.insert_header((header::CONTENT_TYPE, HeaderValue::from_static(flow.media)));
    response.insert_header((header::CACHE_CONTROL, HeaderValue::from_static("no-store")));
    // Proxies are asked not to wait for more either.
    response.insert_header(("X-Accel-Buffering", "no"));
    if let Some(name) = flow.file_name {
        response.insert_header((header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")));
    }
    guard(&mut response, request_id);
    response.body(BodyStream::new(logged(flow.pieces, request_id)))
}

/// A long list, as [`api`] would answer with it if it were held, but for its length, which is not known before its end.
fn listing(format: Format, pieces: Pieces, request_id: &str, takes_gzip: bool) -> HttpResponse {
    let mut response = HttpResponse::Ok();
    response.insert_header((header::CONTENT_TYPE, HeaderValue::from_static(format.content_type())));
    guard(&mut response, request_id);
    response.insert_header((header::VARY, HeaderValue::from_static("Accept-Encoding, User-Agent")));
    if takes_gzip {
        response.insert_header((header::CONTENT_ENCODING, HeaderValue::from_static("gzip")));
        return response.body(BodyStream::new(logged(packed_pieces(pieces), request_id)));
    }
    response.body(BodyStream::new(logged(pieces, request_id)))
}

/// The pieces, and a line in the log when they break off.
fn logged(pieces: Pieces, request_id: &str) -> impl Stream<Item = Result<Bytes, io::Error>> + use<> {
    let id = request_id.to_owned();
    pieces.map_err(move |cause| {
        tracing::error!(id, cause = %telemetry::chain(&*cause), "an answer was cut short");
        io::Error::other(cause)
    })
}

/// What every answer of the API has.
fn guard(response: &mut HttpResponseBuilder, request_id: &str) {
    response.insert_header((header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")));
    response.insert_header((header::X_XSS_PROTECTION, HeaderValue::from_static("1;mode=block")));
    for line in CONTENT_POLICY {
        response.append_header((header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(line)));
    }
    if let Ok(id) = HeaderValue::from_str(request_id) {
        response.insert_header((X_REQUEST_ID, id));
    }
}

/// The bytes as gzip, quickly rather than tightly: the longest list has megabytes, and others wait for the thread.
fn packed(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 4 + 64), Compression::fast());
    match encoder.write_all(body).and_then(|()| encoder.finish()) {
        Ok(packed) => packed,
        Err(never) => unreachable!("writing into memory does not fail: {never}"),
    }
}

/// The pieces as one gzip. What breaks off has no end, in this form either.
fn packed_pieces(pieces: Pieces) -> Pieces {
    let encoder = GzEncoder::new(Vec::new(), Compression::fast());
    Box::pin(stream::try_unfold(Some((pieces, encoder)), async |state| {
        let Some((mut pieces, mut encoder)) = state else { return Ok::<_, BoxError>(None) };
        while let Some(piece) = pieces.try_next().await? {
            encoder.write_all(&piece)?;
            if !encoder.get_ref().is_empty() {
                let bytes = Bytes::from(std::mem::take(encoder.get_mut()));
                return Ok(Some((bytes, Some((pieces, encoder)))));
            }
        }
        Ok(Some((Bytes::from(encoder.finish()?), None)))
    }))
}

/// Whether an `Accept-Encoding` takes gzip: named or by `*`, and not with a weight of nothing.
pub fn takes_gzip(accepted: &str) -> bool {
    let weight_of = |wanted: &str| {
        accepted.split(',').find_map(|item| {
            let mut parts = item.split(';').map(str::trim);
            parts.next().filter(|name| name.eq_ignore_ascii_case(wanted))?;
            let weight = parts.find_map(|part| part.strip_prefix("q=").or(part.strip_prefix("Q=")));
            Some(weight.map_or(1.0, |weight| weight.trim().parse::<f32>().unwrap_or(0.0)))
        })
    };
    weight_of("gzip").or_else(|| weight_of("*")).is_some_and(|weight| weight > 0.0)
}

const fn numbers() -> [u8; 2700] {
    let mut digits = [b'0'; 2700];
    let mut at = 0;
    while at < 900 {
        let number = at + 100;
        digits[at * 3] += (number / 100) as u8;
        digits[at * 3 + 1] += (number / 10 % 10) as u8;
        digits[at * 3 + 2] += (number % 10) as u8;
        at += 1;
    }
    digits
}

/// The words behind a status that has none in the standard: CloudStack repeats the number (`contract/api-protocol.md 1.6`).
pub fn own_reason(status: StatusCode) -> Option<&'static str> {
    if status.canonical_reason().is_some() {
        return None;
    }
    let start = usize::from(status.as_u16()).checked_sub(100)? * 3;
    std::str::from_utf8(NUMBERS.get(start..start + 3)?).ok()
}

/// A page as the container sends it when a request does not reach the API.
pub fn page(status: StatusCode, reason: &str) -> HttpResponse {
    let number = status.as_u16();
    let mut response: HttpResponseBuilder = HttpResponse::build(status);
    response
        .insert_header((header::CONTENT_TYPE, "text/html;charset=iso-8859-1"))
        .force_close()
        .body(format!("<h1>Bad Message {number}</h1><pre>reason: {reason}</pre>"))
}

/// A status without a body.
pub fn bare(status: StatusCode) -> HttpResponse {
    HttpResponse::build(status).finish()
}

/// A text as it fits into a header: one line, Latin-1, a blank for everything else.
fn header_text(text: &str) -> Option<HeaderValue> {
    let bytes: Vec<u8> = text
        .chars()
        .take(LONGEST_DESCRIPTION)
        .map(|letter| match u32::from(letter) {
            0..=31 | 127 => b' ',
            code => u8::try_from(code).unwrap_or(b' '),
        })
        .collect();
    HeaderValue::from_bytes(&bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_cannot_start_a_new_header() {
        let value = header_text("first\r\nSet-Cookie: x=1 Größe 日").unwrap();
        assert_eq!(value.as_bytes(), b"first  Set-Cookie: x=1 Gr\xf6\xdfe  ");
    }

    #[test]
    fn a_long_description_is_cut_between_letters() {
        let long = "é日".repeat(LONGEST_DESCRIPTION);
        let value = header_text(&long).unwrap();
        assert_eq!(value.as_bytes(), b"\xe9 ".repeat(LONGEST_DESCRIPTION / 2));
        assert_eq!(header_text(&"x".repeat(LONGEST_DESCRIPTION)).unwrap().len(), LONGEST_DESCRIPTION);
    }

    #[test]
    fn who_takes_gzip() {
        for accepted in ["gzip", "br, GZIP;q=0.5", "*", "deflate, gzip ; q=1"] {
            assert!(takes_gzip(accepted), "{accepted}");
        }
        for accepted in ["", "br", "gzip;q=0", "*;q=0", "gzip;q=0, *", "gzipped", "gzip;q=x"] {
            assert!(!takes_gzip(accepted), "{accepted}");
        }
    }

    #[test]
    fn whole_answers_say_their_length() {
        for answer in [URI_TOO_LONG, HEADERS_TOO_LARGE, REQUEST_TIMEOUT, FULL_HOUSE] {
            let (head, body) = answer.split_once("\r\n\r\n").unwrap();
            assert!(head.contains(&format!("Content-Length: {}\r\n", body.len())), "{answer}: {}", body.len());
        }
    }

    #[test]
    fn a_status_without_words_repeats_its_number() {
        let reason = |status: u16| own_reason(StatusCode::from_u16(status).unwrap());
        for (status, words) in [(430, "430"), (432, "432"), (530, "530"), (537, "537"), (599, "599"), (999, "999")] {
            assert_eq!(reason(status), Some(words));
        }
        for status in [100, 200, 401, 429, 431, 503, 511] {
            assert_eq!(reason(status), None, "{status}");
        }
    }

    #[test]
    fn api_headers() {
        let answer = Answer {
            status: 432,
            format: Format::Json,
            body: b"{}".as_slice().into(),
            description: Some("no".into()),
            cookies: vec!["a=1".into(), "b=2".into()],
        };
        let response = api(answer, "1-2", true);
        assert_eq!((response.status().as_u16(), response.head().reason()), (432, "432"));
        let header = |name: &str| {
            response.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
        };
        assert_eq!(header("content-type"), "application/json;charset=utf-8");
        assert_eq!(header("x-description"), "no");
        assert_eq!(header("x-request-id"), "1-2");
        let lines: Vec<_> = response.headers().get_all("content-security-policy").collect();
        assert_eq!(lines, CONTENT_POLICY);
        let cookies: Vec<_> = response.headers().get_all("set-cookie").collect();
        assert_eq!(cookies, ["a=1", "b=2"]);
        assert_eq!(header("expires"), NOT_TO_BE_KEPT);
    }
}
