//! Addresses, networks and the URLs of hosts and pools, as administrators type them.

use std::net::Ipv4Addr;

/// An IPv4 network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    /// The first address.
    pub first: Ipv4Addr,
    /// Length of the prefix, 0 to 32.
    pub bits: u8,
}

/// The mask with a prefix of this length.
fn mask(bits: u8) -> u32 {
    u32::MAX.checked_shl(u32::from(32 - bits.min(32))).unwrap_or_default()
}

/// The length of the prefix of a mask such as `255.255.255.0`; `None` for what is no mask.
pub fn prefix_of(netmask: &str) -> Option<u8> {
    let number = u32::from(netmask.parse::<Ipv4Addr>().ok()?);
    let bits = u8::try_from(number.leading_ones()).ok()?;
    (mask(bits) == number).then_some(bits)
}

impl Network {
    /// The network that an address with this mask is in; `None` when either is none.
    pub fn around(address: &str, netmask: &str) -> Option<Self> {
        let (address, bits) = (address.parse::<Ipv4Addr>().ok()?, prefix_of(netmask)?);
        Some(Self { first: Ipv4Addr::from(u32::from(address) & mask(bits)), bits })
    }

    /// Reads `10.0.0.0/24`. Bits behind the prefix have to be 0 in nothing: CloudStack takes `10.0.0.1/24` as well.
    pub fn parse(text: &str) -> Option<Self> {
        let (address, bits) = text.split_once('/')?;
        let address = address.parse::<Ipv4Addr>().ok()?;
        let bits = bits.parse().ok().filter(|bits| *bits <= 32)?;
        Some(Self { first: Ipv4Addr::from(u32::from(address) & mask(bits)), bits })
    }

    /// Whether an address is in it; an IPv6 address never is.
    pub fn has(&self, address: &str) -> bool {
        let inside =
            |address: Ipv4Addr| u32::from(address) & mask(self.bits) == u32::from(self.first) & mask(self.bits);
        address.parse().is_ok_and(inside)
    }

    /// Whether two networks have an address in common.
    pub fn overlaps(&self, other: &Self) -> bool {
        let bits = self.bits.min(other.bits);
        u32::from(self.first) & mask(bits) == u32::from(other.first) & mask(bits)
    }
}

/// The parts of `scheme://server/path`. What follows `?` or `#` is cut off; a port and a user are taken off the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    /// In lower case.
    pub scheme: String,
    /// Name or address literal, without brackets.
    pub server: String,
    /// With its first slash; empty when there is none.
    pub path: String,
    /// Whether something followed `?`.
    pub has_query: bool,
}

impl Url {
    /// Reads a URL; `None` for a text without a scheme or a server.
    pub fn parse(text: &str) -> Option<Self> {
        let (scheme, rest) = text.trim().split_once("://")?;
        let known =
            !scheme.is_empty() && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
        let end = rest.find(['?', '#']).unwrap_or(rest.len());
        let (place, query) = rest.split_at(end);
        let (server, path) = place.split_at(place.find('/').unwrap_or(place.len()));
        let server = server.rsplit('@').next().unwrap_or(server);
        let server = match server.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((literal, _)) => literal,
            None => server.split(':').next().unwrap_or(server),
        };
        let sound = |letter: char| !letter.is_control() && !letter.is_whitespace() && !"\\\"'<>|".contains(letter);
        if !known || server.is_empty() || !server.chars().all(sound) {
            return None;
        }
        Some(Self {
            scheme: scheme.to_ascii_lowercase(),
            server: server.to_owned(),
            path: path.to_owned(),
            has_query: query.starts_with('?'),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_hold_their_addresses() {
        let pod = Network::around("127.0.0.1", "255.255.255.0").unwrap();
        assert_eq!(pod, Network::parse("127.0.0.0/24").unwrap());
        assert!(pod.has("127.0.0.4") && !pod.has("127.0.1.4") && !pod.has("::1"));
        assert_eq!(prefix_of("255.0.0.0"), Some(8));
        assert_eq!(prefix_of("255.0.255.0"), None);
        assert_eq!(prefix_of("0.0.0.0"), Some(0));
        assert!(Network::parse("10.0.0.0/8").unwrap().overlaps(&Network::parse("10.1.0.0/16").unwrap()));
        assert!(!Network::parse("10.0.0.0/16").unwrap().overlaps(&Network::parse("10.1.0.0/16").unwrap()));
        for bad in ["10.0.0.0", "10.0.0/8", "10.0.0.0/33", "x/8", ""] {
            assert_eq!(Network::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn urls_are_taken_apart() {
        let url = Url::parse("CIFS://10.1.1.10/primary1?user=u&password=p").unwrap();
        assert_eq!((url.scheme.as_str(), url.server.as_str(), url.path.as_str()), ("cifs", "10.1.1.10", "/primary1"));
        assert!(url.has_query);
        assert_eq!(Url::parse("http://[::1]:8250/x").unwrap().server, "::1");
        assert_eq!(Url::parse("http://user:word@host.example:80").unwrap().server, "host.example");
        for bad in ["192.0.2.21", "://host", "http://", "http:///share", "http://a b/", "ht tp://a"] {
            assert_eq!(Url::parse(bad), None, "{bad}");
        }
    }
}
