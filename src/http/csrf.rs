//! Protection against forms that another site's page sends with our user's cookie (cross-site request forgery).

use axum::http::{HeaderMap, HeaderValue, header};

use super::audience::prefers_json;
use super::cors::allowed_origin;
use crate::config::Config;
use crate::error::{Refused, Result};
use crate::id;
use crate::language::refusal::PersonRefusal;

/// The token that our own forms carry: an authentication code keyed with the cookie, masked with random bytes that differ
/// each time. Without the mask, the compressed size of a page could reveal it (the BREACH attack).
pub(super) fn form_token(cookie: &str) -> Result<String> {
    let pad = id::random_bytes::<16>()?;
    let hidden: Vec<u8> = form_code(cookie).iter().zip(pad).map(|(code, pad)| code ^ pad).collect();
    Ok(format!("{}{}", id::hex(&pad), id::hex(&hidden)))
}

fn is_form_token(cookie: &str, token: &str) -> bool {
    let bytes = data_encoding::HEXLOWER.decode(token.as_bytes()).unwrap_or_default();
    let Some((pad, hidden)) = bytes.split_at_checked(16).filter(|(_, hidden)| hidden.len() == 16) else { return false };
    let code: Vec<u8> = hidden.iter().zip(pad).map(|(hidden, pad)| hidden ^ pad).collect();
    subtle::ConstantTimeEq::ct_eq(code.as_slice(), form_code(cookie).as_slice()).into()
}

fn form_code(cookie: &str) -> [u8; 16] {
    id::keyed_code(cookie.as_bytes(), "till form")
}

/// Refuses a form that another site's page has sent. The origin that the browser names must be ours or one that the
/// operator allows, and the form must carry its token. A program that reads JSON sends no form and needs no token.
pub(super) fn check_csrf(
    config: &Config,
    headers: &HeaderMap,
    cookie: &str,
    fields: &[(String, String)],
) -> Result<()> {
    let token = fields.iter().find(|(name, _)| name == "csrf").map(|(_, value)| value.as_str());
    let is_our_form = token.is_some_and(|token| is_form_token(cookie, token));
    let is_program = prefers_json(headers) && headers.get(header::ORIGIN).is_none_or(|origin| origin != "null");
    if !is_cross_site(config, headers) && (is_our_form || is_program) {
        return Ok(());
    }
    Err(not_ours().into())
}

/// Refuses a form of another site's page that a visitor without a session sends.
pub(super) fn check_origin(config: &Config, headers: &HeaderMap) -> Result<()> {
    if is_cross_site(config, headers) { Err(not_ours().into()) } else { Ok(()) }
}

fn is_cross_site(config: &Config, headers: &HeaderMap) -> bool {
    match headers.get(header::ORIGIN).map(HeaderValue::as_bytes) {
        // A browser hides the origin after some redirects. Then a form's token decides alone.
        None | Some(b"null") => {
            headers.get("sec-fetch-site").is_some_and(|site| site != "same-origin" && site != "none")
        }
        Some(_) => allowed_origin(config, headers).is_none(),
    }
}

/// Refuses a sign-in form, or one of the account, that another site's page has sent: such a site could sign a buyer in as
/// somebody else, whose units the buyer then pays for. Other origins that the operator allows are refused as well. The form's
/// token is bound to `cookie`: where there is no session yet, to a cookie of its own. A browser that names neither an origin nor
/// `Sec-Fetch-Site` is refused; one that hides the origin, as ours do on a page without a referrer, is judged by the token.
pub(super) fn check_own_form(
    config: &Config,
    headers: &HeaderMap,
    cookie: Option<&str>,
    fields: &[(String, String)],
) -> Result<()> {
    let origin = headers.get(header::ORIGIN).map(HeaderValue::as_bytes);
    let site = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
    let is_own_site = match (origin, site) {
        (None, None) => false,
        (None | Some(b"null"), site) => site.is_none_or(|site| site == b"same-origin"),
        (Some(_), _) => allowed_origin(config, headers).is_some_and(|origin| origin == config.base_url),
    };
    let token = fields.iter().find(|(name, _)| name == "csrf").map(|(_, value)| value.as_str());
    let is_our_form = cookie.zip(token).is_some_and(|(cookie, token)| is_form_token(cookie, token));
    if is_own_site && is_our_form { Ok(()) } else { Err(not_ours().into()) }
}

fn not_ours() -> Refused {
    PersonRefusal::FormNotOurs.into()
}
