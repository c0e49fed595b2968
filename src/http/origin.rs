//! Whether a page of another site has caused a request, as browsers tell it. Other clients say nothing of it.

use actix_web::HttpRequest;
use actix_web::http::Method;
use actix_web::http::header::{self, HeaderName, HeaderValue};

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Whether a browser says that a page of another site has caused the request.
///
/// `Sec-Fetch-Site` says it best, but over plain HTTP browsers do not send it. There a POST has an `Origin`, which names another host
/// than the one that is asked; where the browser says that both are one, a proxy has changed the name of the host.
pub fn is_cross_site(request: &HttpRequest) -> bool {
    let site = request.headers().get(SEC_FETCH_SITE).map(HeaderValue::as_bytes).unwrap_or_default();
    let says = |word: &str| site.eq_ignore_ascii_case(word.as_bytes());
    if says("cross-site") {
        return true;
    }
    if says("same-origin") || says("none") || *request.method() != Method::POST {
        return false;
    }
    names_own_host(request) == Some(false)
}

/// Whether the `Origin` of a request names the host that is asked; none where there is no `Origin`.
pub fn names_own_host(request: &HttpRequest) -> Option<bool> {
    let origin = request.headers().get(header::ORIGIN)?;
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    Some(origin.to_str().is_ok_and(|origin| is_from(origin, host)))
}

/// Whether an `Origin` names this host, whatever the port: cookies do not ask for it, and proxies change it. `null`, which is all that
/// is told of some pages, names none.
fn is_from(origin: &str, host: &str) -> bool {
    origin.split_once("://").is_some_and(|(_, authority)| name_of(authority).eq_ignore_ascii_case(name_of(host)))
}

/// A host without its port.
fn name_of(authority: &str) -> &str {
    let end = match authority.find(']') {
        Some(bracket) => bracket + 1,
        None => authority.find(':').unwrap_or(authority.len()),
    };
    &authority[..end]
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn hosts_are_compared_without_their_ports() {
        for (origin, host) in [
            ("http://gw", "gw"),
            ("https://GW:8443", "gw"),
            ("http://gw", "gw:8080"),
            ("http://10.0.0.1:8080", "10.0.0.1:9000"),
            ("http://[fd00::1]:8080", "[fd00::1]"),
        ] {
            assert!(is_from(origin, host), "{origin} {host}");
        }
        for (origin, host) in [
            ("http://evil.example", "gw"),
            ("http://gw.evil.example", "gw"),
            ("http://[fd00::2]", "[fd00::1]"),
            ("http://gw", ""),
            ("null", "null"),
            ("gw", "gw"),
            ("", ""),
        ] {
            assert!(!is_from(origin, host), "{origin} {host}");
        }
    }

    #[test]
    fn what_browsers_say() {
        let foreign = "http://evil.example";
        for (method, site, origin, is_foreign) in [
            (Method::GET, None, None, false),
            (Method::POST, None, None, false),
            (Method::GET, Some("Cross-Site"), None, true),
            (Method::POST, Some("cross-site"), Some("http://gw"), true),
            (Method::POST, None, Some(foreign), true),
            (Method::POST, None, Some("null"), true),
            (Method::POST, Some("same-site"), Some(foreign), true),
            (Method::POST, Some("same-site"), Some("http://gw:81"), false),
            // A proxy before the gateway has changed the name of the host.
            (Method::POST, Some("same-origin"), Some("https://cloud.example"), false),
            (Method::GET, None, Some(foreign), false),
            (Method::POST, None, Some("http://gw:8080"), false),
        ] {
            let mut request = TestRequest::default().method(method.clone()).insert_header(("Host", "gw:8080"));
            if let Some(site) = site {
                request = request.insert_header(("Sec-Fetch-Site", site));
            }
            if let Some(origin) = origin {
                request = request.insert_header(("Origin", origin));
            }
            assert_eq!(is_cross_site(&request.to_http_request()), is_foreign, "{method} {site:?} {origin:?}");
        }
    }
}
