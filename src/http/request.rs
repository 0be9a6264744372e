//! What is read from a request before its handler runs: the client's address and the variable part of the path.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use axum::extract::{FromRequestParts, Path};
use axum::http::HeaderMap;
use axum::http::request::Parts;

use super::problem::Problem;
use super::shares::ClientKey;
use crate::config::Config;
use crate::error::Refused;

/// The other end of the connection.
#[derive(Clone, Copy, Debug)]
pub(super) enum Peer {
    Network(IpAddr),
    /// A process of this machine that the Unix socket's mode lets in: the reverse proxy.
    Local,
}

impl Peer {
    /// Its address, if it has one.
    pub(super) fn address(self) -> Option<IpAddr> {
        match self {
            Peer::Network(address) => Some(address.to_canonical()),
            Peer::Local => None,
        }
    }

    /// Whether it is a proxy whose header counts.
    pub(super) fn is_trusted(self, config: &Config) -> bool {
        self.address().is_none_or(|address| is_trusted(address, config))
    }

    /// Whether it is a process of this machine.
    pub(super) fn is_on_this_machine(self) -> bool {
        self.address().is_none_or(|address| address.is_loopback())
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.address() {
            Some(address) => address.fmt(f),
            None => f.write_str("the Unix socket"),
        }
    }
}

/// The client's address: the other end of the connection, or, when that is a trusted proxy, the last address in
/// `X-Forwarded-For` that is not a trusted proxy. `None` is a client of whom nothing is known: a trusted proxy sent no
/// header, or one that cannot be read. Such a client must not count as local.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ClientAddress(pub Option<IpAddr>);

impl ClientAddress {
    /// How bounds count the client; `None` if nothing is known of it.
    pub(super) fn key(self) -> Option<ClientKey> {
        self.0.map(ClientKey::of)
    }
}

impl fmt::Display for ClientAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(address) => address.fmt(f),
            None => f.write_str("unknown"),
        }
    }
}

/// The variable part of a path. One that does not decode to UTF-8 is refused like any other invalid input; an empty one
/// names nothing.
pub(super) struct PathSegment(pub String);

impl<S: Send + Sync> FromRequestParts<S> for PathSegment {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<PathSegment, Problem> {
        let Ok(Path(text)) = Path::<String>::from_request_parts(parts, state).await else {
            let detail = "The path holds bytes that are no UTF-8: percent-encoded UTF-8 was expected.";
            return Err(Refused::InvalidRequest(detail.into()).into());
        };
        if text.is_empty() {
            return Err(Refused::NotFound(format!("There is nothing at {}.", parts.uri.path())).into());
        }
        Ok(PathSegment(text))
    }
}

/// Whether this is the address of a proxy whose header counts.
fn is_trusted(address: IpAddr, config: &Config) -> bool {
    let address = address.to_canonical();
    config.trusted_proxies.iter().any(|network| network.contains(&address))
}

/// The address of the client: see [`ClientAddress`].
pub(super) fn client_address(peer: Peer, headers: &HeaderMap, config: &Config) -> ClientAddress {
    if !peer.is_trusted(config) {
        return ClientAddress(peer.address());
    }
    let values = headers.get_all("x-forwarded-for").iter().map(|value| value.to_str().unwrap_or("unreadable"));
    let items = values.flat_map(|value| value.split(',')).map(str::trim).filter(|item| !item.is_empty());
    // What stands to the left of an unreadable item may be forged by the client.
    let named: Vec<Option<IpAddr>> = items.map(forwarded).collect();
    let nearest = named.iter().rev().find(|address| !address.is_some_and(|address| is_trusted(address, config)));
    ClientAddress(nearest.or(named.first()).copied().flatten())
}

/// An address as proxies write it: alone, in brackets, or with a port.
fn forwarded(item: &str) -> Option<IpAddr> {
    let bare = item.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(item);
    let address = bare.parse().ok().or_else(|| Some(item.parse::<SocketAddr>().ok()?.ip()))?;
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Need, Sources, load};

    #[test]
    fn only_a_trusted_proxy_names_the_client() {
        let loaded =
            load(&Sources::from_variables([("SPRITE_TRUSTED_PROXIES", "127.0.0.1/32,10.0.0.0/8")]), Need::Nothing);
        let config = loaded.unwrap().config;
        for (peer, forwarded, client) in [
            ("127.0.0.1", "", "unknown"),
            ("10.1.2.3", "", "unknown"),
            ("::ffff:127.0.0.1", "", "unknown"),
            ("127.0.0.1", " , ", "unknown"),
            ("203.0.113.9", "", "203.0.113.9"),
            ("127.0.0.1", "203.0.113.7", "203.0.113.7"),
            ("127.0.0.1", "198.51.100.1, 203.0.113.7, 10.1.2.3", "203.0.113.7"),
            ("203.0.113.9", "198.51.100.1", "203.0.113.9"),
            ("127.0.0.1", "nonsense", "unknown"),
            ("127.0.0.1", "127.0.0.1, unknown", "unknown"),
            ("127.0.0.1", "203.0.113.7, unknown, 10.1.2.3", "unknown"),
            ("127.0.0.1", "127.0.0.1, 203.0.113.7:4711", "203.0.113.7"),
            ("127.0.0.1", "127.0.0.1, [2001:db8::7]:4711", "2001:db8::7"),
            ("127.0.0.1", "[2001:db8::7], , 10.1.2.3,", "2001:db8::7"),
            ("127.0.0.1", "10.1.2.3", "10.1.2.3"),
            ("::ffff:127.0.0.1", "203.0.113.7", "203.0.113.7"),
            ("a Unix socket", "198.51.100.1, 203.0.113.7, 10.1.2.3", "203.0.113.7"),
            ("a Unix socket", "", "unknown"),
        ] {
            let mut headers = HeaderMap::new();
            if !forwarded.is_empty() {
                headers.insert("x-forwarded-for", forwarded.parse().unwrap());
            }
            let peer = peer.parse().map_or(Peer::Local, Peer::Network);
            let found = client_address(peer, &headers, &config);
            assert_eq!(found.to_string(), client, "{peer:?} forwarding {forwarded:?}");
        }
    }
}
