//! Where webhooks may go. Anybody who reaches the stand-in can make an endpoint in it. On this machine alone that is its
//! owner; on a network it would make the stand-in a relay that posts from here to any address. There it delivers only to the
//! endpoint that it was started with, to this machine, and to private networks.

use std::net::{IpAddr, SocketAddr};

use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

/// Which addresses webhooks may go to.
#[derive(Clone, Debug)]
pub enum Reach {
    Anywhere,
    /// This machine, private networks, and the host and port of the owner's endpoint.
    Near {
        endpoint: Option<Uri>,
    },
}

impl Reach {
    /// The careful choice for a stand-in that listens here, and was started with this endpoint.
    pub fn of(listen: SocketAddr, endpoint: Option<&str>) -> Reach {
        if listen.ip().to_canonical().is_loopback() {
            return Reach::Anywhere;
        }
        Reach::Near { endpoint: endpoint.and_then(|url| url.parse().ok()) }
    }

    fn allows(&self, uri: &Uri, address: IpAddr) -> bool {
        match self {
            Reach::Anywhere => true,
            Reach::Near { endpoint } => {
                let same = |endpoint: &Uri| endpoint.authority() == uri.authority() && uri.authority().is_some();
                is_near(address) || endpoint.as_ref().is_some_and(same)
            }
        }
    }
}

/// This machine, or a private network (RFC 1918, RFC 4193). Addresses of a link are not among them: a cloud's metadata is
/// there.
fn is_near(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => address.is_loopback() || address.is_private(),
        IpAddr::V6(address) => address.is_loopback() || address.is_unique_local(),
    }
}

/// Passes on only addresses that may be connected to.
#[derive(Debug)]
pub struct NearResolver {
    pub reach: Reach,
    pub names: DefaultResolver,
}

impl Resolver for NearResolver {
    fn resolve(&self, uri: &Uri, config: &Config, timeout: NextTimeout) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let found = self.names.resolve(uri, config, timeout)?;
        let mut allowed = self.empty();
        for address in found.iter().filter(|address| self.reach.allows(uri, address.ip())) {
            allowed.push(*address);
        }
        if allowed.is_empty() {
            let why = "a stand-in that others can reach sends webhooks to private addresses alone, unless it is started with \
                       --deliver-anywhere";
            return Err(ureq::Error::Other(why.into()));
        }
        Ok(allowed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stand_in_on_a_network_is_no_relay() {
        for (listen, endpoint, url, address, expected) in [
            ("127.0.0.1:1", None, "https://a.example/", "8.8.8.8", true),
            ("[::1]:1", None, "https://a.example/", "8.8.8.8", true),
            ("0.0.0.0:1", None, "https://a.example/", "8.8.8.8", false),
            ("[::]:1", None, "https://a.example/", "2606:4700::1111", false),
            ("192.168.1.5:1", None, "https://a.example/", "::ffff:8.8.8.8", false),
            ("0.0.0.0:1", None, "https://a.example/", "169.254.169.254", false),
            ("0.0.0.0:1", None, "https://a.example/", "fe80::1", false),
            ("0.0.0.0:1", None, "http://a.example/", "127.0.0.1", true),
            ("0.0.0.0:1", None, "http://a.example/", "10.1.2.3", true),
            ("0.0.0.0:1", None, "http://a.example/", "192.168.1.9", true),
            ("0.0.0.0:1", None, "http://a.example/", "fd00::1", true),
            ("0.0.0.0:1", Some("https://pay.example/billing/webhook"), "https://pay.example/x", "8.8.8.8", true),
            ("0.0.0.0:1", Some("https://pay.example/billing/webhook"), "https://pay.example:81/x", "8.8.8.8", false),
            ("0.0.0.0:1", Some("https://pay.example/billing/webhook"), "https://a.example/", "8.8.8.8", false),
        ] {
            let reach = Reach::of(listen.parse().unwrap(), endpoint);
            let found = reach.allows(&url.parse().unwrap(), address.parse().unwrap());
            assert_eq!(found, expected, "{listen} {endpoint:?} {url} {address}");
        }
    }
}
