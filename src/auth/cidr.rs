//! Whether an address lies in one of the networks an account may call from.

use std::net::IpAddr;

/// Whether `address` is in any of the networks (`10.0.0.0/8`, `::/0`, or a single address).
///
/// What cannot be read matches nothing: a typing error must not open the door.
pub fn allowed<'a>(networks: impl IntoIterator<Item = &'a str>, address: IpAddr) -> bool {
    networks.into_iter().any(|network| contains(network.trim(), address.to_canonical()))
}

fn contains(network: &str, address: IpAddr) -> bool {
    let (base, bits) = match network.split_once('/') {
        Some((base, bits)) => (base, bits.parse::<u32>().ok()),
        None => (network, Some(128)),
    };
    let (Ok(base), Some(bits)) = (base.parse::<IpAddr>(), bits) else {
        return false;
    };
    let (base, address, width) = match (base, address) {
        (IpAddr::V4(base), IpAddr::V4(address)) => (u128::from(u32::from(base)), u128::from(u32::from(address)), 32),
        (IpAddr::V6(base), IpAddr::V6(address)) => (u128::from(base), u128::from(address), 128),
        _ => return false,
    };
    let ignored = width - bits.min(width);
    ignored == 128 || (base >> ignored) == (address >> ignored)
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
        assert!(!is_in("nonsense,10.0.0.0/x,", "10.0.0.1"));
    }

    #[test]
    fn an_ipv6_network_is_one_neighbour() {
        let of = |text: &str| neighbourhood(text.parse().unwrap()).to_string();
        assert_eq!(of("10.0.0.1"), "10.0.0.1");
        assert_eq!(of("::ffff:10.0.0.1"), "10.0.0.1");
        assert_eq!(of("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
    }
}
