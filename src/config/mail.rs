//! How mail is sent: `SPRITE_SMTP_URL` and `SPRITE_MAIL_FROM`, which need each other. RFC 8314: TLS from the first byte on
//! port 465, STARTTLS elsewhere; without TLS only on this machine, or where the operator writes `?tls=none`.

use std::borrow::Cow;
use std::net::IpAddr;

use lettre::Address;
use lettre::message::Mailbox;
use url::{Host, Url};

use super::fault::ConfigFault;
use super::sources::Reader;
use crate::secret::Secret;

const SERVER: &str = "SPRITE_SMTP_URL";
const SENDER: &str = "SPRITE_MAIL_FROM";
/// RFC 8314, sections 3.3 and 7.
const TLS_PORT: u16 = 465;
const SUBMISSION_PORT: u16 = 587;
const RELAY_PORT: u16 = 25;
const SENDER_LIMIT: usize = 320;

/// The mail server, and who writes.
#[derive(Clone, Debug)]
pub struct MailConfig {
    pub server: SmtpServer,
    pub from: Mailbox,
}

/// Where mail is handed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SmtpServer {
    /// A name, or an address without brackets.
    pub host: String,
    pub port: u16,
    pub tls: TlsMode,
    /// User name and password.
    pub credentials: Option<(String, Secret)>,
}

/// How the conversation is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsMode {
    /// From the first byte.
    Implicit,
    /// After STARTTLS, which the server must offer.
    StartTls,
    /// Not at all.
    Absent,
}

/// Reads both variables. `shop` is the sender's name where none is given.
pub(super) fn read(reader: &mut Reader<'_>, shop: Option<&str>) -> Option<MailConfig> {
    let server = reader.value(SERVER, smtp_server);
    let from = reader.value(SENDER, sender);
    for (missing, other) in [(SERVER, SENDER), (SENDER, SERVER)] {
        if reader.is_set(other) && !reader.is_set(missing) {
            let problem = format!("it is not set, but {other} is; expected both or neither");
            reader.faults.push(ConfigFault::missing(missing, problem));
        }
    }
    let (server, from) = server.zip(from)?;
    if server.tls == TlsMode::Absent && !is_loopback(&server.host) {
        reader
            .warnings
            .push(format!("{SERVER} says tls=none: letters, links and the password cross the network in clear"));
    }
    let name = from.name.or_else(|| shop.map(str::to_owned));
    Some(MailConfig { server, from: Mailbox::new(name, from.email) })
}

fn smtp_server(text: &str) -> Result<SmtpServer, String> {
    let expected = "expected smtps://user:password@host (TLS, port 465) or smtp://user:password@host (STARTTLS, port 587), \
                    the user name and password percent-encoded";
    let url = Url::parse(text).map_err(|cause| format!("{expected} ({cause})"))?;
    let host = host_of(&url).ok_or_else(|| expected.to_owned())?;
    if !matches!(url.path(), "" | "/") || url.fragment().is_some() {
        return Err(format!("{expected}, without a path"));
    }
    let asked = match url.query() {
        None => None,
        Some("tls=starttls") => Some(TlsMode::StartTls),
        Some("tls=none") => Some(TlsMode::Absent),
        Some(_) => return Err(format!("{expected}; after ? it takes tls=starttls or tls=none")),
    };
    let (port, tls) = match (url.scheme(), url.port()) {
        ("smtps", port) if asked.is_none() => (port.unwrap_or(TLS_PORT), TlsMode::Implicit),
        ("smtps", _) => {
            return Err("smtps:// is TLS from the first byte; write smtp:// to choose with ?tls=".to_owned());
        }
        ("smtp", Some(TLS_PORT)) if asked.is_none() => (TLS_PORT, TlsMode::Implicit),
        ("smtp", port) if is_loopback(&host) => (port.unwrap_or(RELAY_PORT), asked.unwrap_or(TlsMode::Absent)),
        ("smtp", port) => (port.unwrap_or(SUBMISSION_PORT), asked.unwrap_or(TlsMode::StartTls)),
        _ => return Err(expected.to_owned()),
    };
    let decoded = |part: &str| {
        let text = percent_decoded(part).filter(|text| !text.chars().any(char::is_control));
        text.ok_or_else(|| format!("{expected}; what is percent-encoded must be UTF-8 without control characters"))
    };
    let credentials = match (url.username(), url.password()) {
        ("", None) => None,
        (user, Some(password)) if !user.is_empty() => Some((decoded(user)?, Secret::new(decoded(password)?))),
        _ => return Err(format!("{expected}; a user name and a password need each other")),
    };
    Ok(SmtpServer { host, port, tls, credentials })
}

/// The host of a URL whose scheme the URL standard does not know: its host may be percent-encoded or an address.
fn host_of(url: &Url) -> Option<String> {
    let text = percent_decoded(url.host_str()?)?;
    match Host::parse(&text).ok()? {
        Host::Domain(name) => Some(name),
        Host::Ipv4(address) => Some(address.to_string()),
        Host::Ipv6(address) => Some(address.to_string()),
    }
}

fn is_loopback(host: &str) -> bool {
    match host.parse::<IpAddr>() {
        Ok(address) => address.is_loopback(),
        Err(_) => host == "localhost" || host.ends_with(".localhost"),
    }
}

fn percent_decoded(text: &str) -> Option<String> {
    percent_encoding::percent_decode_str(text).decode_utf8().ok().map(Cow::into_owned)
}

/// An address, or a name and an address in angle brackets.
fn sender(text: &str) -> Result<Mailbox, String> {
    let expected = || "expected a sender, such as billing@example.com or Pictures <billing@example.com>".to_owned();
    let (name, address) = match text.rsplit_once('<') {
        Some((name, rest)) => (Some(name.trim().trim_matches('"')), rest.strip_suffix('>').ok_or_else(expected)?),
        None => (None, text),
    };
    let name = name.filter(|name| !name.is_empty()).map(str::to_owned);
    let address: Address = address.trim().parse().map_err(|_| expected())?;
    if text.len() > SENDER_LIMIT || name.as_deref().is_some_and(|name| name.contains(['<', '>', '@'])) {
        return Err(expected());
    }
    Ok(Mailbox::new(name, address))
}

#[cfg(test)]
mod tests {
    use super::TlsMode::{Absent, Implicit, StartTls};
    use super::*;

    #[test]
    fn the_url_says_where_and_how() {
        for (text, host, port, tls) in [
            ("smtps://mail.example.com", "mail.example.com", 465, Implicit),
            ("smtps://mail.example.com:2465/", "mail.example.com", 2465, Implicit),
            ("smtp://mail.example.com", "mail.example.com", 587, StartTls),
            ("smtp://mail.example.com:25", "mail.example.com", 25, StartTls),
            ("smtp://mail.example.com:465", "mail.example.com", 465, Implicit),
            ("smtp://mail.example.com?tls=none", "mail.example.com", 587, Absent),
            ("smtp://localhost", "localhost", 25, Absent),
            ("smtp://127.0.0.1:1025", "127.0.0.1", 1025, Absent),
            ("smtp://[::1]:1025", "::1", 1025, Absent),
            ("smtp://localhost:587?tls=starttls", "localhost", 587, StartTls),
            ("smtps://localhost", "localhost", 465, Implicit),
            ("smtps://MAIL.b%C3%BCcher.example", "mail.xn--bcher-kva.example", 465, Implicit),
        ] {
            let server = smtp_server(text).unwrap_or_else(|problem| panic!("{text}: {problem}"));
            assert_eq!((server.host.as_str(), server.port, server.tls), (host, port, tls), "{text}");
            assert_eq!(server.credentials, None);
        }
        let (user, password) =
            smtp_server("smtps://me%40x.example:a+b%2F%25=&c@m.example").unwrap().credentials.unwrap();
        assert_eq!((user.as_str(), password.reveal()), ("me@x.example", "a+b/%=&c"));
        for text in [
            "mail.example.com",
            "https://mail.example.com",
            "smtps://",
            "smtps://user@mail.example.com",
            "smtps://:password@mail.example.com",
            "smtps://u:p%0d%0aQUIT@mail.example.com",
            "smtps://u:%ff@mail.example.com",
            "smtps://mail.example.com/ehlo",
            "smtps://mail.example.com?tls=none",
            "smtp://mail.example.com?tls=maybe",
            "smtp://mail example.com",
            "smtp://mail.example.com:99999",
        ] {
            let problem = smtp_server(text).unwrap_err();
            assert!(problem.contains("smtp"), "{text}: {problem}");
        }
    }

    #[test]
    fn a_sender_is_an_address_with_or_without_a_name() {
        for (text, name, address) in [
            ("billing@example.com", None, "billing@example.com"),
            ("Pictures <billing@example.com>", Some("Pictures"), "billing@example.com"),
            ("\"Fox, Söhne & Co.\" <billing@example.com>", Some("Fox, Söhne & Co."), "billing@example.com"),
            ("<billing@example.com>", None, "billing@example.com"),
        ] {
            let sender = sender(text).unwrap();
            assert_eq!((sender.name.as_deref(), sender.email.to_string().as_str()), (name, address), "{text}");
        }
        for text in ["", "nobody", "a@", "@b", "A <a@b.example", "a@b.example, c@d.example", "A <B> <a@b.example>"] {
            assert!(sender(text).is_err(), "{text}");
        }
    }
}
