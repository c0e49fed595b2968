//! Where a request comes from when there are proxies between its client and the gateway (`contract/api-protocol.md 0`, row 1).
//!
//! Each proxy writes the address that it was asked from behind those that it found. So the last one is true if the gateway's own
//! connection comes from a proxy that is trusted, the one before it if the last one is such a proxy too, and so on: what is to
//! the left of the first address that is no trusted proxy may be anybody's invention, and is not read.

use std::net::{IpAddr, SocketAddr};

use http::HeaderName;

use super::cidr::Network;

/// The proxies that are believed, and the header that they write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proxies {
    trusted: Vec<Network>,
    header: HeaderName,
}

impl Default for Proxies {
    fn default() -> Self {
        Self { trusted: Vec::new(), header: HeaderName::from_static("x-forwarded-for") }
    }
}

impl Proxies {
    /// Those in the networks of a list with commas, with the name of their header.
    ///
    /// # Errors
    /// What is wrong with the networks, or with the name, as the end of a sentence.
    pub fn read(networks: &str, header: &str) -> Result<Self, BadProxies> {
        let named = networks.split(',').map(str::trim).filter(|text| !text.is_empty());
        let trusted = named
            .map(|text| match Network::read(text) {
                Some(network) if network.is_everywhere() => Err(BadProxies::Everybody),
                Some(network) => Ok(network),
                None => Err(BadProxies::Network),
            })
            .collect::<Result<_, _>>()?;
        let header = HeaderName::from_bytes(header.trim().as_bytes()).map_err(|_| BadProxies::Header)?;
        Ok(Self { trusted, header })
    }

    /// Whether this is the address of a proxy that is believed.
    pub fn trusts(&self, address: IpAddr) -> bool {
        self.trusted.iter().any(|network| network.contains(address))
    }

    /// The name of the header that they write.
    pub fn header(&self) -> &str {
        self.header.as_str()
    }

    /// The address of the client of a request that came from `peer` with these lines of the header, which are one list in their
    /// order. Where a proxy has written what is no address, the client is taken for that proxy.
    pub fn client<'a>(&self, peer: IpAddr, lines: impl IntoIterator<Item = &'a [u8]>) -> IpAddr {
        let mut client = peer;
        if !self.trusts(client) {
            return client;
        }
        let lines: Vec<_> = lines.into_iter().collect();
        for line in lines.iter().rev() {
            for hop in line.rsplit(|byte| *byte == b',') {
                let Some(address) = address(hop) else { return client };
                client = address;
                if !self.trusts(client) {
                    return client;
                }
            }
        }
        client
    }
}

/// An address as proxies write it, some with the port.
fn address(hop: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(hop).ok()?.trim();
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    let address = bare.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|place| place.ip()))?;
    Some(address.to_canonical())
}

/// Why proxies cannot be trusted so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadProxies {
    /// What is written is no network.
    #[error("networks or addresses with commas between them are needed, such as 10.0.0.5,192.168.7.0/24")]
    Network,
    /// Everybody would be believed.
    #[error("a network of all addresses lets every client write where it comes from; name the proxies")]
    Everybody,
    /// The name is none.
    #[error("the name of a header is needed, such as X-Forwarded-For")]
    Header,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The client of a request from `peer` with these lines of the header.
    fn client(peer: &str, lines: &[&[u8]]) -> String {
        let proxies = Proxies::read("10.0.0.0/24, 2001:db8::/64,192.168.0.9", "X-Forwarded-For").unwrap();
        proxies.client(peer.parse().unwrap(), lines.iter().copied()).to_string()
    }

    #[test]
    fn a_stranger_is_not_believed() {
        assert_eq!(client("203.0.113.7", &[b"127.0.0.1"]), "203.0.113.7");
        assert_eq!(client("203.0.113.7", &[b"10.0.0.1"]), "203.0.113.7");
        assert_eq!(client("::ffff:203.0.113.7", &[b"10.0.0.1"]), "::ffff:203.0.113.7");
        let peer = "10.0.0.1".parse().unwrap();
        assert_eq!(
            Proxies::default().client(peer, [&b"127.0.0.1"[..]]),
            peer,
            "nobody is trusted unless somebody is named"
        );
    }

    #[test]
    fn the_last_address_that_is_no_proxy_is_the_client() {
        assert_eq!(client("10.0.0.1", &[b"203.0.113.7"]), "203.0.113.7");
        assert_eq!(client("::ffff:10.0.0.1", &[b"203.0.113.7"]), "203.0.113.7");
        assert_eq!(
            client("10.0.0.1", &[b"127.0.0.1, 203.0.113.7"]),
            "203.0.113.7",
            "the first one is the client's invention"
        );
        assert_eq!(client("10.0.0.1", &[b"127.0.0.1,203.0.113.7 ,10.0.0.2,\t192.168.0.9"]), "203.0.113.7");
        assert_eq!(client("10.0.0.1", &[b"203.0.113.7", b"10.0.0.2"]), "203.0.113.7", "several headers");
        assert_eq!(
            client("10.0.0.1", &[b"10.0.0.3", b"203.0.113.7"]),
            "203.0.113.7",
            "of which the last is the nearest"
        );
        assert_eq!(client("10.0.0.1", &[b"10.0.0.3, 10.0.0.2"]), "10.0.0.3", "a proxy that calls itself");
        assert_eq!(client("10.0.0.1", &[]), "10.0.0.1", "a proxy that says nothing");
    }

    #[test]
    fn addresses_have_many_spellings() {
        assert_eq!(client("10.0.0.1", &[b"203.0.113.7:55123"]), "203.0.113.7");
        assert_eq!(client("2001:db8::1", &[b"2001:db8:1::9"]), "2001:db8:1::9");
        assert_eq!(client("2001:db8::1", &[b"[2001:db8:1::9]"]), "2001:db8:1::9");
        assert_eq!(client("2001:db8::1", &[b"[2001:db8:1::9]:443"]), "2001:db8:1::9");
        assert_eq!(client("2001:db8::1", &[b"203.0.113.7, [2001:db8::2]:443"]), "203.0.113.7");
        assert_eq!(client("10.0.0.1", &[b"::ffff:203.0.113.7"]), "203.0.113.7");
    }

    #[test]
    fn behind_what_is_no_address_nothing_is_read() {
        for garbage in
            ["", " ", "unknown", "localhost", "10.0.0", "10.0.0.300", "_hidden", "1.2.3.4.5", "\u{ff}", "[::1", "::1]"]
        {
            let line = format!("127.0.0.1, {garbage}");
            assert_eq!(client("10.0.0.1", &[line.as_bytes()]), "10.0.0.1", "{garbage:?}");
            let line = format!("127.0.0.1, {garbage}, 10.0.0.2");
            assert_eq!(client("10.0.0.1", &[line.as_bytes()]), "10.0.0.2", "{garbage:?}");
        }
    }

    #[test]
    fn what_would_trust_everybody_is_refused() {
        let refused = |networks: &str| Proxies::read(networks, "X-Real-IP").unwrap_err();
        assert_eq!(refused("0.0.0.0/0"), BadProxies::Everybody);
        assert_eq!(refused("10.0.0.1,::/0"), BadProxies::Everybody);
        assert_eq!(refused("balancer"), BadProxies::Network);
        assert_eq!(refused("10.0.0.0/33"), BadProxies::Network);
        assert_eq!(Proxies::read("10.0.0.1", "X Real"), Err(BadProxies::Header));
        assert_eq!(Proxies::read("", ""), Err(BadProxies::Header));
        assert_eq!(Proxies::read(" ", "X-Forwarded-For"), Ok(Proxies::default()));
    }

    proptest! {
        #[test]
        fn no_list_makes_a_client_of_what_its_proxy_did_not_write(invented in "[0-9a-f.:,\\[\\] ]{0,60}") {
            let line = format!("{invented}, 203.0.113.7");
            prop_assert_eq!(client("10.0.0.1", &[line.as_bytes()]), "203.0.113.7");
        }
    }
}
