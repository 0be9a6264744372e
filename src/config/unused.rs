//! Variables of features that this version does not have. They are checked, so that a mistake in one shows before a version
//! that uses it is installed, and their values go nowhere. A feature that begins to use its variable moves it out of here.

use url::Url;

use super::sources::Reader;
use super::{ConfigFault, origin_of};

const OIDC: [&str; 4] =
    ["SPRITE_OIDC_ISSUER", "SPRITE_OIDC_CLIENT_ID", "SPRITE_OIDC_CLIENT_SECRET", "SPRITE_OIDC_NAME"];
const MAIL: [&str; 2] = ["SPRITE_SMTP_URL", "SPRITE_MAIL_FROM"];

/// Each variable that is set earns a warning.
pub const NOT_USED_YET: &[&str] = &[
    "SPRITE_SIGNUP",
    "SPRITE_PROXY_AUTH_HEADER",
    "SPRITE_OIDC_ISSUER",
    "SPRITE_OIDC_CLIENT_ID",
    "SPRITE_OIDC_CLIENT_SECRET",
    "SPRITE_OIDC_NAME",
    "SPRITE_SMTP_URL",
    "SPRITE_MAIL_FROM",
];

/// Checks the variables of [`NOT_USED_YET`], in that order.
pub(super) fn check(reader: &mut Reader<'_>) {
    for name in NOT_USED_YET {
        reader.value(name, |text| check_value(name, text));
        // What must be set together is checked after the last of its variables.
        if *name == OIDC[3] {
            for needed in &OIDC[..2] {
                let other = OIDC.into_iter().find(|name| reader.is_set(name));
                require_both(reader, needed, other);
            }
        }
        if *name == MAIL[1] {
            for (needed, other) in [(MAIL[0], MAIL[1]), (MAIL[1], MAIL[0])] {
                let other = Some(other).filter(|name| reader.is_set(name));
                require_both(reader, needed, other);
            }
        }
    }
}

fn check_value(name: &str, text: &str) -> Result<(), String> {
    let (is_sound, expected) = match name {
        "SPRITE_SIGNUP" => (["open", "closed", "invite"].contains(&text), "expected open, closed or invite"),
        "SPRITE_PROXY_AUTH_HEADER" => {
            (is_header_name(text), "expected the name of an HTTP header, such as Remote-Email")
        }
        "SPRITE_OIDC_ISSUER" => return check_issuer(text),
        "SPRITE_OIDC_CLIENT_SECRET" => (text.chars().count() <= 1000, "expected at most 1000 characters"),
        "SPRITE_SMTP_URL" => return check_smtp_url(text),
        "SPRITE_MAIL_FROM" => {
            (is_sender(text), "expected a sender, such as billing@example.com or Pictures <billing@example.com>")
        }
        _ => (text.chars().count() <= 200, "expected at most 200 characters"),
    };
    if is_sound { Ok(()) } else { Err(expected.to_owned()) }
}

fn require_both(reader: &mut Reader<'_>, needed: &str, other: Option<&str>) {
    if let Some(other) = other.filter(|_| !reader.is_set(needed)) {
        let problem = format!("it is not set, but {other} is; expected both or neither");
        reader.faults.push(ConfigFault::missing(needed, problem));
    }
}

/// A field name (RFC 9110, section 5.1).
fn is_header_name(text: &str) -> bool {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    (1..=100).contains(&text.len()) && text.bytes().all(is_token)
}

/// OpenID Connect Discovery 1.0, section 3: an https URL without query and fragment.
fn check_issuer(text: &str) -> Result<(), String> {
    let expected = "expected the issuer's URL, such as https://id.example.com";
    let url = Url::parse(text).map_err(|cause| format!("{expected} ({cause})"))?;
    let origin = origin_of(text).ok_or_else(|| expected.to_owned())?;
    if url.query().is_some() || url.fragment().is_some() {
        return Err(format!("{expected}, without query and fragment"));
    }
    if !origin.is_https() && !origin.is_loopback() {
        return Err(format!("{expected}; plain http is taken for this machine's own addresses only"));
    }
    Ok(())
}

/// RFC 8314: submission over TLS from the first byte; without TLS a password would cross the network in clear.
fn check_smtp_url(text: &str) -> Result<(), String> {
    let expected = "expected smtps://user:password@host, the user name and password percent-encoded";
    let url = Url::parse(text).map_err(|cause| format!("{expected} ({cause})"))?;
    let host = url.host_str().filter(|host| !host.is_empty()).ok_or_else(|| expected.to_owned())?;
    let is_loopback = matches!(host, "localhost" | "127.0.0.1" | "[::1]");
    match url.scheme() {
        "smtps" => Ok(()),
        "smtp" if is_loopback => Ok(()),
        "smtp" => Err(format!("{expected}; plain smtp:// is taken for this machine's own addresses only")),
        _ => Err(expected.to_owned()),
    }
}

/// An address, or a name and an address in angle brackets.
fn is_sender(text: &str) -> bool {
    let address = match text.split_once('<') {
        Some((_, rest)) => rest.strip_suffix('>').unwrap_or_default(),
        None => text,
    };
    let is_plain = |part: &str| !part.is_empty() && !part.contains(['@', '<', '>', ',', ' ']);
    text.len() <= 320 && address.split_once('@').is_some_and(|(local, domain)| is_plain(local) && is_plain(domain))
}
