//! What a request says of the host that it is for, in the `Host` header.

use std::net::Ipv6Addr;

use axum::extract::Request;
use axum::http::{HeaderValue, Version, header};

use crate::error::Refused;

/// The refusal of a request of HTTP/1.1 that names no host, and of any request whose `Host` is no host with or without a port
/// (RFC 9112, section 3.2). A proxy may have judged by another reading of it than ours.
pub(super) fn refusal(request: &Request) -> Option<Refused> {
    let what = match request.headers().get(header::HOST).map(HeaderValue::to_str) {
        None if request.version() == Version::HTTP_11 => "There is no Host header",
        None => return None,
        Some(Ok(text)) if is_host(text) => return None,
        Some(_) => "The Host header names no host",
    };
    Some(Refused::InvalidRequest(format!("{what}: one such as till.example.org or 127.0.0.1:8080 was expected.")))
}

/// `uri-host [ ":" port ]` (RFC 9110, section 7.2). An empty host is none (section 4.2.1).
fn is_host(text: &str) -> bool {
    let (is_named, port) = match text.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((address, "")) => (address.parse::<Ipv6Addr>().is_ok(), Some("")),
            Some((address, rest)) => (address.parse::<Ipv6Addr>().is_ok(), rest.strip_prefix(':')),
            None => return false,
        },
        None => match text.split_once(':') {
            Some((name, port)) => (is_name(name), Some(port)),
            None => (is_name(text), Some("")),
        },
    };
    is_named && port.is_some_and(is_port)
}

/// What RFC 3986, section 3.2.2 lets a name have, but for the comma, which would make two hosts of one.
fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+;=".contains(&byte))
}

fn is_port(text: &str) -> bool {
    text.is_empty() || text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u16>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::is_host;

    #[test]
    fn a_host_is_a_name_or_an_address_with_or_without_a_port() {
        for good in ["t", "till.example.org", "till_backend:80", "127.0.0.1:8080", "[::1]", "[2001:db8::7]:443", "x:"] {
            assert!(is_host(good), "{good}");
        }
        for bad in [
            "",
            ":80",
            "a, b",
            "a,b",
            "user@127.0.0.1",
            "evil.com/x",
            "[::1",
            "[::1]80",
            "[x]",
            "::1",
            "x:99999",
            "x:+80",
            "x:80:80",
            "a b",
            "a?b",
            "a#b",
            "a\\b",
            "ä",
        ] {
            assert!(!is_host(bad), "{bad}");
        }
    }
}
