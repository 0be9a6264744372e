//! Who may come in: bearer tokens with their scopes, browsers with their cookie, and the checks that keep another site's
//! page from pressing our buttons.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::Rim;
use super::cors::allowed_origin;
use super::error::Problem;
use super::request::wants_json;
use crate::config::Config;
use crate::error::{Refused, Result};
use crate::id;
use crate::store::CacheKey;
use crate::usecase::users::sign_in;
use crate::usecase::users::tokens::{self, Authentication, Scope};
use crate::usecase::users::{self, UserSnapshot};

/// A caller of the service API whose token is good.
pub(super) struct Bearer(Arc<Authentication>);

impl Bearer {
    /// Refuses a token that does not reach this far.
    pub(super) fn must(&self, scope: Scope) -> Result<()> {
        if self.0.caller.may(scope) {
            return Ok(());
        }
        let detail =
            format!("This token lacks the scope {:?}. Make one that has it: till token create.", scope.as_str());
        Err(Refused::Forbidden(detail).into())
    }
}

impl FromRequestParts<Rim> for Bearer {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, rim: &Rim) -> std::result::Result<Bearer, Problem> {
        let value = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let secret = value.and_then(|value| {
            let (scheme, secret) = value.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| secret.trim())
        });
        let secret = secret.ok_or_else(|| {
            Refused::Unauthenticated(
                "A token is needed: Authorization: Bearer till_… Make one: till token create.".into(),
            )
        })?;
        let (hash, store) = (id::secret_hash(secret), &rim.app.store);
        let stamp = store.read_version();
        let known = match rim.callers.get(&hash, |(read_at, _)| store.is_current(CacheKey::Tokens, *read_at)) {
            Some((_, known)) => known,
            None => {
                let secret = secret.to_owned();
                let known = Arc::new(rim.look(move |tx, _| tokens::authenticate(tx, &secret)).await?);
                rim.callers.put(hash, (stamp, Arc::clone(&known)));
                known
            }
        };
        if known.is_to_be_remembered(rim.app.clock.now()) {
            tokens::remember_use(&rim.app, &known.caller);
        }
        Ok(Bearer(known))
    }
}

/// A browser, signed in or not.
pub(super) struct Visitor {
    /// The user and the cookie's value.
    pub user: Option<(UserSnapshot, String)>,
}

impl FromRequestParts<Rim> for Visitor {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, rim: &Rim) -> std::result::Result<Visitor, Problem> {
        let Some(cookie) = cookie_of(&parts.headers, &rim.app.config) else { return Ok(Visitor { user: None }) };
        let user = rim
            .books(move |app| {
                let Some(account) = sign_in::session_account(app, &cookie)? else { return Ok(None) };
                Ok(Some((users::show_account(app, account)?, cookie)))
            })
            .await?;
        Ok(Visitor { user })
    }
}

/// A browser that is signed in.
pub(super) struct SignedIn {
    pub member: UserSnapshot,
    pub cookie: String,
}

impl FromRequestParts<Rim> for SignedIn {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, rim: &Rim) -> std::result::Result<SignedIn, Problem> {
        let visitor = Visitor::from_request_parts(parts, rim).await?;
        let (member, cookie) = visitor.user.ok_or_else(|| {
            Refused::Unauthenticated(
                "You are not signed in here. Open the sign-in link of the app that you use.".into(),
            )
        })?;
        Ok(SignedIn { member, cookie })
    }
}

/// The cookie's name: bound to the host and to https where we are on it (RFC 6265bis, "Cookie Name Prefixes").
pub(super) fn cookie_name(config: &Config) -> &'static str {
    if config.base_url.is_https() { "__Host-till" } else { "till" }
}

fn cookie_of(headers: &HeaderMap, config: &Config) -> Option<String> {
    let name = cookie_name(config);
    let values = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = values.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(found, _)| *found == name).map(|(_, value)| value.to_owned()).filter(|value| value.len() <= 100)
}

/// The header that signs a browser in, or, with no value, out.
pub(super) fn set_cookie(config: &Config, value: Option<&str>) -> Result<HeaderValue> {
    let secure = if config.base_url.is_https() { "; Secure" } else { "" };
    let (value, age) = value.map_or(("", 0), |value| (value, sign_in::SESSION_SECONDS));
    let text = format!("{}={value}; Path=/; Max-Age={age}; HttpOnly; SameSite=Lax{secure}", cookie_name(config));
    HeaderValue::from_str(&text).map_err(|cause| crate::error::Fault::new("cannot write the cookie", cause).into())
}

/// The token that our own forms carry: an authentication code under the cookie, hidden behind random bytes that differ
/// each time, so that the compressed size of a page tells nothing of it.
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
    let mut code = [0u8; 16];
    if let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(cookie.as_bytes()) {
        mac.update(b"till form");
        code.copy_from_slice(&mac.finalize().into_bytes()[..16]);
    }
    code
}

/// Refuses a button pressed by another site's page: a browser names the origin, which must be ours or the operator's;
/// our own form carries its token. A program that reads JSON sends no form and needs none.
pub(super) fn check_press(
    config: &Config,
    path: &str,
    headers: &HeaderMap,
    cookie: &str,
    fields: &[(String, String)],
) -> Result<()> {
    let from_elsewhere = match headers.get(header::ORIGIN).map(HeaderValue::as_bytes) {
        // A browser hides the origin after some redirects; the form's token then decides alone.
        None | Some(b"null") => {
            headers.get("sec-fetch-site").is_some_and(|site| site != "same-origin" && site != "none")
        }
        Some(_) => allowed_origin(config, headers).is_none(),
    };
    let token = fields.iter().find(|(name, _)| name == "csrf").map(|(_, value)| value.as_str());
    let is_our_form = token.is_some_and(|token| is_form_token(cookie, token));
    let is_program = wants_json(path, headers) && headers.get(header::ORIGIN).is_none_or(|origin| origin != "null");
    if !from_elsewhere && (is_our_form || is_program) {
        return Ok(());
    }
    Err(Refused::Forbidden("This form did not come from this site, or is too old. Load the page again.".into()).into())
}

/// Headers of an answer that a browser may show: no sniffing, no framing, no referrer, and pages that load nothing but our
/// own files (Content Security Policy Level 3). `form-action` also governs where a form is redirected to, and a checkout
/// page may live under the seller's own domain.
pub(super) fn add_headers(headers: &mut HeaderMap) {
    const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; \
        base-uri 'none'; frame-ancestors 'none'; form-action 'self' https: http://127.0.0.1:* http://localhost:*";
    headers.reserve(8);
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    add_headers_for_programs(headers);
}

/// Headers of an answer to a program that came with a token, or to Stripe: it is never taken for something else, nor kept
/// where nobody said that it may be. The others are about pages.
pub(super) fn add_headers_for_programs(headers: &mut HeaderMap) {
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
}
