//! What goes out: headers of API answers, and the pages a servlet container would send (`contract/api-protocol.md 1.1, 1.2, 1.6`).

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpResponse, HttpResponseBuilder};

use super::onward;
use crate::dispatch::{Answer, Outgoing};

/// The lines of the content policy as CloudStack sends them: six headers instead of one.
const CONTENT_POLICY: [&str; 6] =
    ["1", "default-src=none", "script-src=self", "connect-src=self", "img-src=self", "style-src=self"];

/// What the container says whenever it sets a cookie.
const NOT_TO_BE_KEPT: &str = "Thu, 01 Jan 1970 00:00:00 GMT";

/// Turns whatever goes back to the client into a response.
pub fn outgoing(outgoing: Outgoing, request_id: &str) -> HttpResponse {
    match outgoing {
        Outgoing::Own(answer) => api(answer, request_id),
        Outgoing::Passed(passed) => onward::response(passed, request_id),
    }
}

/// Turns an answer of the API into a response.
pub fn api(answer: Answer, request_id: &str) -> HttpResponse {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = HttpResponse::build(status);
    response.insert_header((header::CONTENT_TYPE, HeaderValue::from_static(answer.format.content_type())));
    if let Some(description) = answer.description.as_deref().and_then(header_text) {
        response.insert_header(("X-Description", description));
    }
    for cookie in answer.cookies.iter().filter_map(|cookie| HeaderValue::from_str(cookie).ok()) {
        response.append_header((header::SET_COOKIE, cookie));
        response.insert_header((header::EXPIRES, HeaderValue::from_static(NOT_TO_BE_KEPT)));
    }
    response.insert_header(("X-Content-Type-Options", "nosniff"));
    response.insert_header(("X-XSS-Protection", "1;mode=block"));
    for line in CONTENT_POLICY {
        response.append_header(("content-security-policy", line));
    }
    response.insert_header(("X-Request-Id", request_id.to_owned()));
    response.body(answer.body)
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
    use crate::api::Format;

    #[test]
    fn a_description_cannot_start_a_new_header() {
        let value = header_text("first\r\nSet-Cookie: x=1 Größe 日").unwrap();
        assert_eq!(value.as_bytes(), b"first  Set-Cookie: x=1 Gr\xf6\xdfe  ");
    }

    #[test]
    fn api_headers() {
        let answer = Answer {
            status: 432,
            format: Format::Json,
            body: b"{}".to_vec(),
            description: Some("no".into()),
            cookies: vec!["a=1".into(), "b=2".into()],
        };
        let response = api(answer, "1-2");
        assert_eq!(response.status().as_u16(), 432);
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
