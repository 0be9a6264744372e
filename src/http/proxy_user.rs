//! Whom a proxy in front of till names in its header. Exactly one line with one value counts, from a proxy that is trusted, with
//! its secret where one is set; anything else is refused, because a client may have written it.

use axum::http::HeaderMap;

use super::request::Peer;
use crate::config::Config;
use crate::error::{Refused, Result};

/// Where the proxy's secret is sent.
const SECRET_HEADER: &str = "x-till-proxy-secret";
/// The longest name, in bytes.
const NAME_LIMIT: usize = 255;

/// The user whom the proxy names, for the handlers.
#[derive(Clone, Debug)]
pub(super) struct ProxyUser(pub String);

/// The user whom the proxy at `peer` names; `None` where it names nobody.
pub(super) fn named(config: &Config, headers: &HeaderMap, peer: Option<Peer>) -> Result<Option<ProxyUser>> {
    let Some(auth) = &config.proxy_auth else { return Ok(None) };
    let refused = |why: &str| {
        let detail = format!("The header {} {why}. Nothing was done.", auth.header);
        Err(Refused::InvalidRequest(detail).into())
    };
    let mut values = headers.get_all(&auth.header).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return refused("is there twice: one line from the proxy was expected");
    }
    if !peer.is_some_and(|peer| peer.is_trusted(config)) {
        return refused("came from an address that is no proxy of ours");
    }
    if let Some(secret) = &auth.secret {
        let mut given = headers.get_all(SECRET_HEADER).iter();
        let is_ours = match (given.next(), given.next()) {
            (Some(given), None) => {
                bool::from(subtle::ConstantTimeEq::ct_eq(given.as_bytes(), secret.reveal().as_bytes()))
            }
            _ => false,
        };
        if !is_ours {
            return refused("came without the proxy's secret");
        }
    }
    match value.to_str().map(str::trim) {
        Ok("") => Ok(None),
        Ok(name) if name.len() <= NAME_LIMIT && !name.contains([',', '\t']) => Ok(Some(ProxyUser(name.to_owned()))),
        _ => refused("holds more than one plain name of at most 255 characters"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Need, Sources, load};
    use axum::http::HeaderValue;

    #[test]
    fn one_line_with_one_name_from_the_proxy_with_its_secret_counts() {
        const SECRET: &str = "a-secret-of-the-proxy";
        let variables = [
            ("SPRITE_PROXY_AUTH_HEADER", "Remote-Email"),
            ("SPRITE_PROXY_AUTH_SECRET", SECRET),
            ("SPRITE_TRUSTED_PROXIES", "10.0.0.1/32"),
        ];
        let config = load(&Sources::from_variables(variables), Need::Nothing).unwrap().config;
        for (names, secrets, peer, expected) in [
            (&["ada@example.org"][..], &[SECRET][..], "10.0.0.1", Ok(Some("ada@example.org"))),
            (&[" ada "], &[SECRET], "10.0.0.1", Ok(Some("ada"))),
            (&[], &[], "203.0.113.9", Ok(None)),
            (&[""], &[SECRET], "10.0.0.1", Ok(None)),
            (&["ada"], &[SECRET], "a Unix socket", Ok(Some("ada"))),
            (&["ada"], &[], "a Unix socket", Err(())),
            (&["ada"], &[SECRET], "10.0.0.2", Err(())),
            (&["ada"], &[], "10.0.0.1", Err(())),
            (&["ada"], &["another-secret-of-it"], "10.0.0.1", Err(())),
            (&["ada"], &[SECRET, SECRET], "10.0.0.1", Err(())),
            (&["ada", "eve"], &[SECRET], "10.0.0.1", Err(())),
            (&["ada", "ada"], &[SECRET], "10.0.0.1", Err(())),
            (&["ada, eve"], &[SECRET], "10.0.0.1", Err(())),
            (&["ada\teve"], &[SECRET], "10.0.0.1", Err(())),
        ] {
            let mut headers = HeaderMap::new();
            for name in names {
                headers.append("remote-email", HeaderValue::from_str(name).unwrap());
            }
            for secret in secrets {
                headers.append(SECRET_HEADER, HeaderValue::from_str(secret).unwrap());
            }
            let peer = peer.parse().map_or(Peer::Local, Peer::Network);
            let found = named(&config, &headers, Some(peer));
            let found = found.map(|user| user.map(|ProxyUser(name)| name)).map_err(drop);
            assert_eq!(found, expected.map(|name| name.map(str::to_owned)), "{names:?} {secrets:?} {peer:?}");
        }
        let mut odd = HeaderMap::new();
        odd.insert("remote-email", HeaderValue::from_bytes(b"ad\xc3\xa4").unwrap());
        odd.insert(SECRET_HEADER, HeaderValue::from_static(SECRET));
        assert!(named(&config, &odd, Some(Peer::Local)).is_err());
    }
}
