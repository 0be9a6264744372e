//! The session cookie: its name, how it is read and how it is set.

use axum::http::{HeaderMap, HeaderValue, header};

use crate::config::Config;
use crate::error::{Fault, Result};
use crate::usecase::users::sign_in;

/// The name of the session cookie. Under https it is bound to the host (RFC 6265bis, "Cookie Name Prefixes").
pub(super) fn name(config: &Config) -> &'static str {
    if config.base_url.is_https() { "__Host-till" } else { "till" }
}

/// The value of the session cookie, if the request has one of plausible length.
pub(super) fn session_of(headers: &HeaderMap, config: &Config) -> Option<String> {
    let name = name(config);
    let values = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = values.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(found, _)| *found == name).map(|(_, value)| value.to_owned()).filter(|value| value.len() <= 100)
}

/// A `Set-Cookie` header that signs a browser in, or out when `value` is `None`.
pub(super) fn set(config: &Config, value: Option<&str>) -> Result<HeaderValue> {
    let secure = if config.base_url.is_https() { "; Secure" } else { "" };
    let (value, age) = value.map_or(("", 0), |value| (value, sign_in::SESSION_SECONDS));
    let text = format!("{}={value}; Path=/; Max-Age={age}; HttpOnly; SameSite=Lax{secure}", name(config));
    HeaderValue::from_str(&text).map_err(|cause| Fault::new("cannot write the cookie", cause).into())
}
