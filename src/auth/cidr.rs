//! Networks, and whether an address lies in one of them.

use std::net::IpAddr;

/// A network, such as `10.0.0.0/8` or `::/0`, or a single address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    base: IpAddr,
    bits: u32,
}

impl Network {
    /// Reads one; `None` for what is none.
    pub fn read(text: &str) -> Option<Self> {
        let (base, bits) = match text.split_once('/') {
            Some((base, bits)) => (base, Some(bits.parse().ok()?)),
            None => (text, None),
        };
        let base: IpAddr = base.parse().ok()?;
        let width = if base.is_ipv4() { 32 } else { 128 };
        let bits = bits.unwrap_or(width);
        (bits <= width).then_some(Self { base, bits })
    }

    /// Whether an address lies in it. An IPv4 address in IPv6's form is that IPv4 address.
    pub fn contains(&self, address: IpAddr) -> bool {
        let (base, address, width) = match (self.base, address.to_canonical()) {
            (IpAddr::V4(base), IpAddr::V4(address)) => {
                (u128::from(u32::from(base)), u128::from(u32::from(address)), 32)
            }
            (IpAddr::V6(base), IpAddr::V6(address)) => (u128::from(base), u128::from(address), 128),
            _ => return false,
        };
        let ignored = width - self.bits;
        ignored == 128 || (base >> ignored) == (address >> ignored)
    }

    /// Whether every address of its kind lies in it.
    pub const fn is_everywhere(&self) -> bool {
        self.bits == 0
    }
}

/// Whether `address` is in any of the networks.
///
/// What cannot be read matches nothing: a typing error must not open the door.
pub fn allowed<'a>(networks: impl IntoIterator<Item = &'a str>, address: IpAddr) -> bool {
    networks.into_iter().any(|network| Network::read(network.trim()).is_some_and(|network| network.contains(address)))
}

/// Whom an address stands for when something is held against it: of IPv6 the first half, for everybody has the second half
/// to choose from.
pub fn neighbourhood(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6((u128::from(address) & !u128::from(u64::MAX)).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks() {
        let is_in = |networks: &str, address: &str| allowed(networks.split(','), address.parse().unwrap());
        assert!(is_in("0.0.0.0/0,::/0", "1.2.3.4"));
        assert!(is_in("0.0.0.0/0,::/0", "fe80::1"));
        assert!(is_in("10.0.0.0/8, 192.168.1.0/24", "192.168.1.200"));
        assert!(!is_in("10.0.0.0/8, 192.168.1.0/24", "192.168.2.1"));
        assert!(is_in("127.0.0.1", "127.0.0.1"));
        assert!(is_in("127.0.0.1", "::ffff:127.0.0.1"), "an IPv4 caller on an IPv6 socket is the same caller");
        assert!(!is_in("127.0.0.1", "127.0.0.2"));
        assert!(!is_in("0.0.0.0/0", "fe80::1"));
        assert!(!is_in("nonsense,10.0.0.0/x,10.0.0.0/33,10.0.0.0/-1,", "10.0.0.1"));
        assert!(Network::read("::/0").unwrap().is_everywhere() && !Network::read("0.0.0.0").unwrap().is_everywhere());
    }

    #[test]
    fn an_ipv6_network_is_one_neighbour() {
        let of = |text: &str| neighbourhood(text.parse().unwrap()).to_string();
        assert_eq!(of("10.0.0.1"), "10.0.0.1");
        assert_eq!(of("::ffff:10.0.0.1"), "10.0.0.1");
        assert_eq!(of("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
    }
}
