//! Where a notification may go. The operator chooses an endpoint's URL, but not what its name resolves to. It must not
//! lead into our own network (the cloud's metadata service, a database next to us), so addresses that are not public are
//! refused unless the operator allows their network. A URL is checked when it is added, and each address again when it
//! is connected to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use url::{Host, Url};

/// Of an endpoint's URL, in characters.
pub const URL_LIMIT: usize = 2000;

const fn v4(a: u8, b: u8, c: u8, prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, 0), prefix)
}

const fn v6(a: u16, b: u16, c: u16, prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0), prefix)
}

/// IANA's "IPv4 Special-Purpose Address Registry", and multicast (RFC 5771).
const NOT_PUBLIC_V4: [Ipv4Net; 15] = [
    v4(0, 0, 0, 8),
    v4(10, 0, 0, 8),
    v4(100, 64, 0, 10),
    v4(127, 0, 0, 8),
    v4(169, 254, 0, 16),
    v4(172, 16, 0, 12),
    v4(192, 0, 0, 24),
    v4(192, 0, 2, 24),
    v4(192, 88, 99, 24),
    v4(192, 168, 0, 16),
    v4(198, 18, 0, 15),
    v4(198, 51, 100, 24),
    v4(203, 0, 113, 24),
    v4(224, 0, 0, 4),
    v4(240, 0, 0, 4),
];

/// The only part of IPv6 that is assigned for the public internet; the rest is local to a link or a site, or unassigned.
const GLOBAL_V6: Ipv6Net = v6(0x2000, 0, 0, 3);
/// Parts of it that are not public: protocol assignments (Teredo among them), documentation.
const NOT_PUBLIC_V6: [Ipv6Net; 3] = [v6(0x2001, 0, 0, 23), v6(0x2001, 0xdb8, 0, 32), v6(0x3fff, 0, 0, 20)];
/// NAT64 (RFC 6052): the last four bytes are the IPv4 address that is reached.
const NAT64: Ipv6Net = v6(0x64, 0xff9b, 0, 96);
/// 6to4 (RFC 3056): bytes three to six are the IPv4 address that is reached.
const SIX_TO_FOUR: Ipv6Net = v6(0x2002, 0, 0, 16);

/// Whether an address is on the public internet. An IPv6 address that carries an IPv4 address is judged by that one.
pub fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => NOT_PUBLIC_V4.iter().all(|network| !network.contains(&address)),
        IpAddr::V6(address) => {
            let [.., a, b, c, d] = address.octets();
            let [_, _, e, f, g, h, ..] = address.octets();
            if NAT64.contains(&address) {
                return is_public(Ipv4Addr::new(a, b, c, d).into());
            }
            if SIX_TO_FOUR.contains(&address) {
                return is_public(Ipv4Addr::new(e, f, g, h).into());
            }
            GLOBAL_V6.contains(&address) && NOT_PUBLIC_V6.iter().all(|network| !network.contains(&address))
        }
    }
}

/// Networks of the operator's own that notifications may go to.
#[derive(Clone, Debug, Default)]
pub struct Networks(Vec<IpNet>);

impl Networks {
    /// These, besides the public internet.
    pub fn new(allowed: Vec<IpNet>) -> Networks {
        Networks(allowed)
    }

    /// Whether a notification may go to this address. Without TLS it may only cross a network that the operator named.
    pub fn may_reach(&self, address: IpAddr, secure: bool) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address)) || (secure && is_public(address))
    }

    /// An endpoint's URL in its normal form, or what is wrong with it.
    pub fn check_url(&self, text: &str) -> Result<String, String> {
        let expected = "expected a URL such as https://app.example.com/till";
        let url = Url::parse(text).map_err(|cause| format!("{expected} ({cause})"))?;
        let secure = match url.scheme() {
            "https" => true,
            "http" if !self.0.is_empty() => false,
            "http" => return Err(format!("{expected}; plain http is for networks of SPRITE_HOOK_PRIVATE_NETWORKS")),
            _ => return Err(expected.to_owned()),
        };
        if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
            return Err(format!("{expected}, without user name, password and fragment"));
        }
        if url.as_str().len() > URL_LIMIT {
            return Err(format!("expected at most {URL_LIMIT} characters"));
        }
        let address = match url.host() {
            Some(Host::Ipv4(address)) => Some(IpAddr::V4(address)),
            Some(Host::Ipv6(address)) => Some(IpAddr::V6(address)),
            // RFC 6761, section 6.3: this name is always this machine.
            Some(Host::Domain(name)) if name == "localhost" || name.ends_with(".localhost") => {
                Some(IpAddr::V4(Ipv4Addr::LOCALHOST))
            }
            Some(Host::Domain(_)) => None,
            None => return Err(expected.to_owned()),
        };
        match address {
            Some(address) if !self.may_reach(address, secure) => Err(refused(&[address], secure)),
            _ => Ok(url.into()),
        }
    }
}

/// Why none of these addresses may be connected to.
pub(super) fn refused(addresses: &[IpAddr], secure: bool) -> String {
    let found: Vec<String> = addresses.iter().take(4).map(ToString::to_string).collect();
    let found = found.join(", ");
    match secure || addresses.iter().all(|address| !is_public(*address)) {
        true => format!("{found} is no public address; its network has to be in SPRITE_HOOK_PRIVATE_NETWORKS"),
        false => format!("{found} is a public address, and plain http is for SPRITE_HOOK_PRIVATE_NETWORKS: use https"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn networks(allowed: &[&str]) -> Networks {
        Networks::new(allowed.iter().map(|network| network.parse().unwrap()).collect())
    }

    #[test]
    fn only_public_addresses_are_public() {
        let public = [
            "8.8.8.8",
            "1.1.1.1",
            "100.63.255.255",
            "100.128.0.0",
            "172.15.0.1",
            "172.32.0.1",
            "192.0.1.1",
            "198.17.0.1",
            "198.20.0.1",
            "223.255.255.255",
            "2606:4700::1111",
            "2a00::1",
            "2002:808:808::1",
            "::ffff:8.8.8.8",
            "64:ff9b::8.8.8.8",
            "3fff:1000::1",
        ];
        let others = [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "127.0.0.1",
            "127.255.0.9",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.1.1.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::127.0.0.1",
            "64:ff9b::10.1.2.3",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::1",
            "2002:a00:1::1",
            "3fff::1",
            "5f00::1",
            "fc00::1",
            "fd12::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ];
        for (addresses, expected) in [(&public[..], true), (&others[..], false)] {
            for address in addresses {
                assert_eq!(is_public(address.parse().unwrap()), expected, "{address}");
            }
        }
    }

    #[test]
    fn a_network_that_is_named_may_be_reached_and_crossed_in_clear() {
        let some = networks(&["127.0.0.0/8", "fd00::/8"]);
        for (address, secure, expected) in [
            ("127.0.0.1", true, true),
            ("127.0.0.1", false, true),
            ("::ffff:127.0.0.1", false, true),
            ("fd00::1", false, true),
            ("10.0.0.1", true, false),
            ("8.8.8.8", true, true),
            ("8.8.8.8", false, false),
        ] {
            assert_eq!(some.may_reach(address.parse().unwrap(), secure), expected, "{address} {secure}");
        }
    }

    #[test]
    fn a_url_is_judged_when_it_is_added() {
        let none = networks(&[]);
        let some = networks(&["127.0.0.0/8"]);
        for (networks, url, expected) in [
            (&none, "https://app.example.com/till?a=b", "https://app.example.com/till?a=b"),
            (&none, "https://APP.example.com", "https://app.example.com/"),
            (&none, "https://8.8.8.8:9000/x", "https://8.8.8.8:9000/x"),
            (&none, "http://app.example.com/", "plain http"),
            (&none, "https://127.0.0.1/", "no public address"),
            (&none, "https://127.1/", "no public address"),
            (&none, "https://2130706433/", "no public address"),
            (&none, "https://0x7f.1/", "no public address"),
            (&none, "https://localhost:8080/", "no public address"),
            (&none, "https://a.localhost/", "no public address"),
            (&none, "https://[::1]/", "no public address"),
            (&none, "https://[::ffff:10.0.0.1]/", "no public address"),
            (&none, "https://169.254.169.254/latest", "no public address"),
            (&none, "https://a:b@app.example.com/", "without user name"),
            (&none, "https://app.example.com/#x", "without user name"),
            (&none, "ftp://app.example.com/", "expected a URL"),
            (&none, "app.example.com", "expected a URL"),
            (&some, "http://127.0.0.1:9/", "http://127.0.0.1:9/"),
            (&some, "http://localhost:9/", "http://localhost:9/"),
            (&some, "http://app.internal/", "http://app.internal/"),
            (&some, "http://8.8.8.8/", "use https"),
            (&some, "http://10.0.0.1/", "no public address"),
        ] {
            let said = networks.check_url(url).unwrap_or_else(|problem| problem);
            let is_url = expected.starts_with("http");
            assert!(if is_url { said == expected } else { said.contains(expected) }, "{url}: {said}");
        }
        assert!(none.check_url(&format!("https://a.example/{}", "x".repeat(URL_LIMIT))).is_err());
    }
}
