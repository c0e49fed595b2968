//! How many requests may be with the upstream at a time.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use crate::auth::cidr::neighbourhood;

/// Places for requests. One address, or one network of IPv6, gets at most half of them, so that nobody alone keeps all others out.
#[derive(Debug)]
pub(super) struct Slots {
    most: usize,
    taken: Mutex<HashMap<IpAddr, usize>>,
}

/// A place that is taken until this is dropped.
#[derive(Debug)]
pub(super) struct Slot {
    slots: Arc<Slots>,
    address: IpAddr,
}

impl Slots {
    /// So many places, at least one.
    pub(super) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most: most.max(1), taken: Mutex::default() })
    }

    /// A place for a request of this address, if one is free.
    pub(super) fn take(self: &Arc<Self>, address: IpAddr) -> Option<Slot> {
        let address = neighbourhood(address);
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let all: usize = taken.values().sum();
        let own = taken.get(&address).copied().unwrap_or_default();
        if all >= self.most || own >= self.most.div_ceil(2) {
            return None;
        }
        taken.insert(address, own + 1);
        Some(Slot { slots: Arc::clone(self), address })
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut taken = self.slots.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = taken.get_mut(&self.address) {
            *own -= 1;
            if *own == 0 {
                taken.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_gets_half_and_a_place_comes_back() {
        let slots = Slots::new(3);
        let (a, b) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        let first = slots.take(a).unwrap();
        let _second = slots.take(a).unwrap();
        assert!(slots.take(a).is_none(), "two of three are half, rounded up");
        let _third = slots.take(b).unwrap();
        assert!(slots.take(b).is_none(), "all are taken");
        drop(first);
        assert!(slots.take(b).is_some());
    }

    #[test]
    fn a_network_of_ipv6_is_one_address() {
        let slots = Slots::new(2);
        let of = |text: &str| slots.take(text.parse().unwrap());
        let first = of("2001:db8:0:1::1").unwrap();
        assert!(of("2001:db8:0:1::2").is_none());
        assert!(of("2001:db8:0:2::1").is_some());
        drop(first);
        assert!(of("2001:db8:0:1::2").is_some());
    }
}
