//! Which headers go on, and which are only for the next hop (RFC 9110 7.6).

use std::net::IpAddr;

use http::header::{self, HeaderMap, HeaderName, HeaderValue};

/// Headers about one connection, which end with it (RFC 9110 7.6.1).
const OF_ONE_HOP: [&str; 10] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-authentication-info",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// What else does not go up: the HTTP library writes the first three for the new connection (the body has come whole, so
/// there is nothing to expect), and the others claim to know where a request comes from. CloudStack believes the first
/// address that it finds in them (`contract/api-protocol.md 0`, row 1), so a client that is let through with its own could
/// pretend to be anywhere.
const NOT_UPWARDS: [&str; 9] = [
    "host",
    "content-length",
    "expect",
    "x-forwarded-for",
    "http_client_ip",
    "http_x_forwarded_for",
    "forwarded",
    "x-real-ip",
    "via",
];

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The headers that go on, in the order they came.
fn end_to_end(headers: &HeaderMap) -> impl Iterator<Item = (&HeaderName, &HeaderValue)> {
    // A sender may name further headers that are for the next hop only.
    let named: Vec<String> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|name| name.trim().to_ascii_lowercase())
        .collect();
    headers.iter().filter(move |(name, _)| {
        !OF_ONE_HOP.contains(&name.as_str()) && !named.iter().any(|known| known == name.as_str())
    })
}

/// Whether a request has passed the gateway with this pseudonym before.
pub(super) fn has_passed(headers: &HeaderMap, pseudonym: &str) -> bool {
    let lines = headers.get_all(header::VIA).iter().filter_map(|value| value.to_str().ok());
    lines.flat_map(|line| line.split(',')).any(|hop| hop.split_whitespace().nth(1) == Some(pseudonym))
}

/// The headers of a request for the upstream. `is_read_here` asks for an answer that is not compressed.
pub(super) fn upwards(headers: &HeaderMap, peer: IpAddr, pseudonym: &str, is_read_here: bool) -> HeaderMap {
    let mut onward = HeaderMap::with_capacity(headers.len() + 2);
    for (name, value) in end_to_end(headers) {
        let is_coding = is_read_here && name == header::ACCEPT_ENCODING;
        if !is_coding && !NOT_UPWARDS.contains(&name.as_str()) {
            onward.append(name.clone(), value.clone());
        }
    }
    for value in headers.get_all(header::VIA) {
        onward.append(header::VIA, value.clone());
    }
    let mut tell = |name: HeaderName, text: String| {
        if let Ok(value) = HeaderValue::from_str(&text) {
            onward.append(name, value);
        }
    };
    tell(header::VIA, format!("1.1 {pseudonym}"));
    // An IPv4 client on a socket for both is told as what it is.
    tell(FORWARDED_FOR, peer.to_canonical().to_string());
    onward
}

/// The headers of an answer for the client. The length is told with the body.
pub(super) fn downwards(headers: &HeaderMap) -> HeaderMap {
    let mut onward = HeaderMap::with_capacity(headers.len());
    for (name, value) in end_to_end(headers).filter(|(name, _)| *name != header::CONTENT_LENGTH) {
        onward.append(name.clone(), value.clone());
    }
    onward
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in pairs {
            map.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        map
    }

    #[test]
    fn what_is_for_one_hop_stays_behind() {
        let came = map(&[
            ("host", "gateway"),
            ("connection", "close, X-Secret"),
            ("x-secret", "1"),
            ("keep-alive", "5"),
            ("te", "trailers"),
            ("cookie", "a=1"),
            ("accept-encoding", "gzip"),
            ("cookie", "b=2"),
            ("x-forwarded-for", "127.0.0.1"),
            ("http_client_ip", "127.0.0.1"),
            ("via", "1.0 other"),
        ]);
        let onward = upwards(&came, IpAddr::from([10, 0, 0, 9]), "me", false);
        let wanted = map(&[
            ("cookie", "a=1"),
            ("cookie", "b=2"),
            ("accept-encoding", "gzip"),
            ("via", "1.0 other"),
            ("via", "1.1 me"),
            ("x-forwarded-for", "10.0.0.9"),
        ]);
        assert_eq!(onward, wanted);
        assert!(!upwards(&came, IpAddr::from([10, 0, 0, 9]), "me", true).contains_key("accept-encoding"));
    }

    #[test]
    fn a_request_that_was_here_before() {
        assert!(has_passed(&map(&[("via", "1.1 a, 1.1 me (x)")]), "me"));
        assert!(has_passed(&map(&[("via", "1.1 a"), ("via", "1.1 me")]), "me"));
        assert!(!has_passed(&map(&[("via", "1.1 mean")]), "me"));
    }

    #[test]
    fn answers_keep_their_cookies_apart() {
        let came =
            map(&[("set-cookie", "a=1"), ("content-length", "3"), ("set-cookie", "b=2"), ("connection", "close")]);
        assert_eq!(downwards(&came), map(&[("set-cookie", "a=1"), ("set-cookie", "b=2")]));
    }
}
