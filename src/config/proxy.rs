//! A proxy in front of till that names its user in a header: `SPRITE_PROXY_AUTH_HEADER` and `SPRITE_PROXY_AUTH_SECRET`. Every
//! process of this machine is a trusted proxy where nothing else is said, and could name anybody: so the operator names the
//! network of the proxy by hand, gives the proxy a secret that it sends along, or lets it in by a Unix socket alone.

use super::fault::ConfigFault;
use super::sources::Reader;
use crate::config::Need;
use crate::secret::Secret;

const HEADER: &str = "SPRITE_PROXY_AUTH_HEADER";
const SECRET: &str = "SPRITE_PROXY_AUTH_SECRET";
/// Headers that mean something else.
const OTHERS: [&str; 8] =
    ["authorization", "cookie", "host", "origin", "x-forwarded-for", "user-agent", "accept", "x-till-proxy-secret"];

/// How a proxy says who is signed in.
#[derive(Clone, Debug)]
pub struct ProxyAuth {
    /// The header's name in lower case.
    pub header: String,
    /// What the proxy sends in `X-Till-Proxy-Secret`.
    pub secret: Option<Secret>,
}

pub(super) fn read(reader: &mut Reader<'_>, need: Need) -> Option<ProxyAuth> {
    let header = reader.value(HEADER, header_name);
    let secret = reader.value(SECRET, proxy_secret);
    if reader.is_set(SECRET) && !reader.is_set(HEADER) {
        let problem = format!("it is not set, but {SECRET} is; expected both or neither");
        reader.faults.push(ConfigFault::missing(HEADER, problem));
    }
    let is_open = !reader.is_set(SECRET) && !reader.is_set("SPRITE_TRUSTED_PROXIES") && !reader.has_only_unix_sockets();
    if need == Need::Serve && reader.is_set(HEADER) && is_open {
        let problem = format!(
            "every process of this machine could name any user: expected {SECRET}, which the proxy sends as \
             X-Till-Proxy-Secret, SPRITE_TRUSTED_PROXIES with the addresses of the proxy alone, or a Unix socket as the only one"
        );
        reader.faults.push(ConfigFault::bare(HEADER, problem));
    }
    Some(ProxyAuth { header: header?, secret })
}

/// A field name (RFC 9110, section 5.1).
fn header_name(text: &str) -> Result<String, String> {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    let lower = text.to_ascii_lowercase();
    let is_name = (1..=100).contains(&text.len()) && text.bytes().all(is_token) && !OTHERS.contains(&lower.as_str());
    if is_name { Ok(lower) } else { Err("expected the name of an HTTP header, such as Remote-Email".to_owned()) }
}

fn proxy_secret(text: &str) -> Result<Secret, String> {
    let is_secret = (16..=200).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    if is_secret {
        Ok(Secret::new(text))
    } else {
        Err("expected 16 to 200 letters, digits and signs without spaces".into())
    }
}
