//! What is bounded in all and for each client: connections, requests under way, and the bytes of bodies. One client cannot
//! take what the others need, and all clients together cannot take more than the machine has.

use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

/// A client, as bounds count it: an IPv4 address, or an IPv6 network of 64 bits, because one line gets at least that many
/// (RFC 6177).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct ClientKey(IpAddr);

impl ClientKey {
    pub(super) fn of(address: IpAddr) -> ClientKey {
        match address.to_canonical() {
            IpAddr::V6(address) => {
                let network = u128::from(address) & !u128::from(u64::MAX);
                ClientKey(IpAddr::V6(Ipv6Addr::from(network)))
            }
            v4 => ClientKey(v4),
        }
    }
}

impl fmt::Display for ClientKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How much there is of something, and how much of it is taken.
pub(super) struct Shares {
    in_all: usize,
    for_each: usize,
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    in_all: usize,
    by_client: HashMap<ClientKey, usize>,
}

/// There is nothing left, for this client or for anybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Exhaustion;

impl fmt::Display for Exhaustion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("there is nothing left to take")
    }
}

impl std::error::Error for Exhaustion {}

/// What one connection or request has taken. It goes back when this is dropped.
pub(super) struct Share {
    shares: Arc<Shares>,
    client: Option<ClientKey>,
    amount: usize,
}

impl Shares {
    pub(super) fn new(in_all: usize, for_each: usize) -> Arc<Shares> {
        Arc::new(Shares { in_all, for_each, taken: Mutex::default() })
    }

    /// Takes `amount` for a client. For one of whom nothing is known, only the bound of all holds: many may be behind a
    /// proxy that does not name them.
    pub(super) fn take(self: &Arc<Shares>, client: Option<ClientKey>, amount: usize) -> Result<Share, Exhaustion> {
        let mut share = Share { shares: Arc::clone(self), client, amount: 0 };
        share.grow(amount)?;
        Ok(share)
    }

    /// Whether less than a quarter is left.
    pub(super) fn is_scarce(&self) -> bool {
        let taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner).in_all;
        taken > self.in_all / 4 * 3
    }
}

impl Share {
    /// Takes more of the same.
    pub(super) fn grow(&mut self, more: usize) -> Result<(), Exhaustion> {
        let mut taken = self.shares.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let in_all = taken.in_all.saturating_add(more);
        if in_all > self.shares.in_all {
            return Err(Exhaustion);
        }
        if let Some(client) = self.client.filter(|_| more > 0) {
            let own = taken.by_client.get(&client).copied().unwrap_or(0).saturating_add(more);
            if own > self.shares.for_each {
                return Err(Exhaustion);
            }
            taken.by_client.insert(client, own);
        }
        taken.in_all = in_all;
        self.amount = self.amount.saturating_add(more);
        Ok(())
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut taken = self.shares.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.in_all = taken.in_all.saturating_sub(self.amount);
        if let Some(client) = self.client.filter(|_| self.amount > 0) {
            let left = taken.by_client.get(&client).copied().unwrap_or(0).saturating_sub(self.amount);
            match left {
                0 => taken.by_client.remove(&client),
                left => taken.by_client.insert(client, left),
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(text: &str) -> Option<ClientKey> {
        Some(ClientKey::of(text.parse().unwrap()))
    }

    #[test]
    fn a_client_takes_its_share_and_no_more_and_gives_it_back() {
        let shares = Shares::new(10, 4);
        let mut first = shares.take(client("192.0.2.1"), 3).unwrap();
        assert!(first.grow(1).is_ok() && first.grow(1).is_err(), "four for each");
        assert!(shares.take(client("192.0.2.1"), 1).is_err());
        let second = shares.take(client("192.0.2.2"), 4).unwrap();
        assert!(shares.is_scarce());
        let unknown = shares.take(None, 2).unwrap();
        assert!(shares.take(client("192.0.2.3"), 1).is_err() && shares.take(None, 1).is_err(), "ten in all");
        drop((first, unknown));
        assert!(!shares.is_scarce());
        assert!(shares.take(client("192.0.2.1"), 4).is_ok() && shares.take(client("192.0.2.2"), 1).is_err());
        drop(second);
        let taken = shares.taken.lock().unwrap();
        assert!(taken.in_all == 0 && taken.by_client.is_empty(), "nothing is remembered of clients who have gone");
    }

    #[test]
    fn a_client_is_an_address_or_a_network_of_64_bits() {
        for (one, other, is_same) in [
            ("192.0.2.1", "192.0.2.1", true),
            ("192.0.2.1", "192.0.2.2", false),
            ("::ffff:192.0.2.1", "192.0.2.1", true),
            ("2001:db8::1", "2001:db8::ffff:2", true),
            ("2001:db8::1", "2001:db8:0:1::1", false),
        ] {
            assert_eq!(client(one) == client(other), is_same, "{one} {other}");
        }
    }
}
