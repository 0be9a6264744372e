//! Our cookies: the session, the one that a sign-in form is bound to while there is no session yet, and the one by which a
//! browser that asked for a letter, or went to a provider of OpenID Connect, is known again. Their names, how they are read and how they are set.

use axum::http::{HeaderMap, HeaderValue, header};

use crate::config::Config;
use crate::error::{Fault, Result};
use crate::oidc::attempt::ATTEMPT_SECONDS;
use crate::usecase::users::sessions::{Browser, SESSION_SECONDS};

/// How long a sign-in form can be sent: longer than a sign-in link lives.
const FORM_SECONDS: i64 = 600;
/// How long a browser that asked for a letter is known again: as long as the code in it works.
const MARK_SECONDS: i64 = 600;

/// A year.
const LANGUAGE_SECONDS: i64 = 365 * 86_400;

/// The name of the session cookie. Under https it is bound to the host (RFC 6265bis, "Cookie Name Prefixes").
pub(super) fn name(config: &Config) -> &'static str {
    if config.base_url.is_https() { "__Host-till" } else { "till" }
}

/// The name of the cookie that a sign-in form's token is bound to.
fn form_name(config: &Config) -> &'static str {
    if config.base_url.is_https() { "__Host-till-form" } else { "till-form" }
}

/// The name of the cookie of a browser that asked for a letter.
fn mark_name(config: &Config) -> &'static str {
    if config.base_url.is_https() { "__Host-till-asked" } else { "till-asked" }
}

/// The name of the cookie of an attempt to sign in by OpenID Connect.
fn attempt_name(config: &Config) -> &'static str {
    if config.base_url.is_https() { "__Host-till-oidc" } else { "till-oidc" }
}

/// The attempt to sign in by OpenID Connect that this browser has begun.
pub(super) fn attempt_of(headers: &HeaderMap, config: &Config) -> Option<String> {
    value_within(headers, attempt_name(config), 250)
}

/// A `Set-Cookie` header of an attempt to sign in by OpenID Connect, or one that ends it when `value` is `None`.
pub(super) fn set_attempt(config: &Config, value: Option<&str>) -> Result<HeaderValue> {
    written(config, attempt_name(config), value.map(|value| (value, ATTEMPT_SECONDS)))
}

/// The browser that sends a request: what it is signed in with, and what it says that it is.
pub(super) fn browser_of(headers: &HeaderMap, config: &Config) -> Browser {
    let agent = headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok()).map(str::to_owned);
    Browser { former: session_of(headers, config), agent, mark: value_of(headers, mark_name(config)) }
}

/// The value of the session cookie, if the request has one of plausible length.
pub(super) fn session_of(headers: &HeaderMap, config: &Config) -> Option<String> {
    value_of(headers, name(config))
}

/// The value of the cookie that a sign-in form's token is bound to, if the request has one of plausible length.
pub(super) fn form_of(headers: &HeaderMap, config: &Config) -> Option<String> {
    value_of(headers, form_name(config))
}

/// The name of the cookie with the language that a browser chose. It is no secret, and nothing depends on it.
fn language_name(config: &Config) -> &'static str {
    if config.base_url.is_https() { "__Host-till-language" } else { "till-language" }
}

/// The tag of the language that the browser chose, if it has chosen one.
pub(super) fn language_of(headers: &HeaderMap, config: &Config) -> Option<String> {
    value_of(headers, language_name(config))
}

/// A `Set-Cookie` header that keeps the language with this tag.
pub(super) fn set_language(config: &Config, tag: &str) -> Result<HeaderValue> {
    written(config, language_name(config), Some((tag, LANGUAGE_SECONDS)))
}

fn value_of(headers: &HeaderMap, name: &str) -> Option<String> {
    value_within(headers, name, 100)
}

fn value_within(headers: &HeaderMap, name: &str, limit: usize) -> Option<String> {
    let values = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = values.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs
        .find(|(found, _)| *found == name)
        .map(|(_, value)| value.to_owned())
        .filter(|value| (1..=limit).contains(&value.len()))
}

/// A `Set-Cookie` header that signs a browser in, or out when `value` is `None`.
pub(super) fn set(config: &Config, value: Option<&str>) -> Result<HeaderValue> {
    written(config, name(config), value.map(|value| (value, SESSION_SECONDS)))
}

/// Whether an answer signs a browser in or out already.
pub(super) fn is_set(config: &Config, headers: &HeaderMap) -> bool {
    let begins = format!("{}=", name(config));
    headers.get_all(header::SET_COOKIE).iter().any(|cookie| cookie.as_bytes().starts_with(begins.as_bytes()))
}

/// A `Set-Cookie` header of a sign-in form, or one that removes it when `value` is `None`.
pub(super) fn set_form(config: &Config, value: Option<&str>) -> Result<HeaderValue> {
    written(config, form_name(config), value.map(|value| (value, FORM_SECONDS)))
}

/// A `Set-Cookie` header of a browser that asks for a letter, or one that removes it when `value` is `None`.
pub(super) fn set_mark(config: &Config, value: Option<&str>) -> Result<HeaderValue> {
    written(config, mark_name(config), value.map(|value| (value, MARK_SECONDS)))
}

fn written(config: &Config, name: &str, value: Option<(&str, i64)>) -> Result<HeaderValue> {
    let secure = if config.base_url.is_https() { "; Secure" } else { "" };
    let (value, age) = value.unwrap_or(("", 0));
    let text = format!("{name}={value}; Path=/; Max-Age={age}; HttpOnly; SameSite=Lax{secure}");
    HeaderValue::from_str(&text).map_err(|cause| Fault::new("cannot write the cookie", cause).into())
}
