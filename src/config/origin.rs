//! Origins: scheme, host and port, compared as the URL standard compares them. Only this file decides whether two URLs have
//! the same origin, so that a `return_url` cannot mean one thing here and another in a browser.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use url::{Host, Url};

/// What no URL may have unencoded: RFC 3986, section 2. The URL standard leaves some of them as they are written.
const NOT_IN_URLS: &AsciiSet =
    &CONTROLS.add(b' ').add(b'"').add(b'<').add(b'>').add(b'\\').add(b'^').add(b'`').add(b'{').add(b'|').add(b'}');

/// A normalised `http` or `https` origin: lower-case or punycode host, no default port, no path.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Origin {
    text: String,
    host: Host,
    https: bool,
}

impl Origin {
    /// Parses a configured origin, which may end in `/` and have no further path. The error says what was expected.
    pub fn parse(text: &str) -> Result<Origin, String> {
        const EXPECTED: &str = "expected an origin such as https://pay.example.com";
        let url = Url::parse(text).map_err(|cause| format!("{EXPECTED} ({cause})"))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(format!("{EXPECTED}, without user name and password"));
        }
        if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
            return Err(format!("{EXPECTED}, without path, query or fragment"));
        }
        Origin::of_url(&url).ok_or_else(|| EXPECTED.to_owned())
    }

    /// The plain-HTTP origin of a listen address.
    pub fn of_address(address: SocketAddr) -> Origin {
        let host = match address {
            SocketAddr::V4(v4) => Host::Ipv4(*v4.ip()),
            SocketAddr::V6(v6) => Host::Ipv6(*v6.ip()),
        };
        let text = url::Origin::Tuple("http".to_owned(), host.clone(), address.port()).ascii_serialization();
        Origin { text, host, https: false }
    }

    /// The origin as browsers send it in `Origin`: `https://pay.example.com`.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The host's name, if browsers trust the origin (Secure Contexts, section 3.1) and the host is no bare address: over TLS, or
    /// on this machine under the name `localhost`.
    pub fn secure_domain(&self) -> Option<&str> {
        match &self.host {
            Host::Domain(name) if self.https || self.is_loopback() => Some(name),
            _ => None,
        }
    }

    /// Whether it is reached over TLS.
    pub fn is_https(&self) -> bool {
        self.https
    }

    /// Whether it is this machine: `localhost` and below, 127.0.0.0/8, `[::1]`.
    pub fn is_loopback(&self) -> bool {
        match &self.host {
            Host::Domain(name) => name == "localhost" || name.ends_with(".localhost"),
            Host::Ipv4(address) => address.is_loopback(),
            Host::Ipv6(address) => address.is_loopback(),
        }
    }

    /// The address of a program on this machine that the origin names: plain HTTP, a loopback host and a port. Without a port
    /// there is mostly another program in front.
    pub fn loopback_address(&self) -> Option<SocketAddr> {
        if self.https || !self.is_loopback() {
            return None;
        }
        let port = Url::parse(&self.text).ok()?.port()?;
        Some(match &self.host {
            Host::Domain(_) => SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
            Host::Ipv4(address) => SocketAddr::from((*address, port)),
            Host::Ipv6(address) => SocketAddr::from((*address, port)),
        })
    }

    /// The host without the port.
    pub fn host(&self) -> String {
        self.host.to_string()
    }

    /// Whether this URL belongs to this origin. See [`origin_of`] for URLs that belong to none.
    pub fn allows(&self, url: &str) -> bool {
        origin_of(url).as_ref() == Some(self)
    }

    fn of_url(url: &Url) -> Option<Origin> {
        // Other schemes define origins differently: a blob: URL takes one from inside its path.
        if !matches!(url.scheme(), "http" | "https") {
            return None;
        }
        let host = url.host()?.to_owned();
        Some(Origin { text: url.origin().ascii_serialization(), host, https: url.scheme() == "https" })
    }
}

/// The origin of an absolute `http` or `https` URL. `None` for any other text, and for URLs that parsers could read
/// differently: with a user name or password, white space, control characters or a backslash.
pub fn origin_of(url: &str) -> Option<Origin> {
    if url.chars().any(|letter| letter.is_control() || letter.is_whitespace() || letter == '\\') {
        return None;
    }
    let url = Url::parse(url).ok()?;
    if !url.username().is_empty() || url.password().is_some() {
        return None;
    }
    Origin::of_url(&url)
}

/// The same URL as headers and Stripe take it: in ASCII, the host in punycode, the rest percent-encoded. What is encoded
/// already stays as it was written. `None` when the text is no URL.
pub fn in_ascii(url: &str) -> Option<String> {
    let read = Url::parse(url).ok()?;
    let after_scheme = url.get(read.scheme().len()..).unwrap_or_default();
    // The URL standard also reads `https:host` and `https:///host`, which RFC 3986 does not.
    let is_plain = url.is_ascii() && after_scheme.starts_with("://") && !after_scheme.starts_with(":///");
    let written = if is_plain { url } else { read.as_str() };
    Some(utf8_percent_encode(written, NOT_IN_URLS).to_string())
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Origin({})", self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loopback_origin_with_a_port_names_an_address_to_listen_on() {
        for (url, address) in [
            ("http://localhost:81", Some("127.0.0.1:81")),
            ("http://127.0.0.2:81", Some("127.0.0.2:81")),
            ("http://[::1]:81", Some("[::1]:81")),
            ("http://127.0.0.1:80", None),
            ("https://127.0.0.1:81", None),
            ("http://pay.example.com:81", None),
        ] {
            let named = origin_of(url).unwrap().loopback_address().map(|address| address.to_string());
            assert_eq!(named.as_deref(), address, "{url}");
        }
    }
}
