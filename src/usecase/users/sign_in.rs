//! Signing in: a link that works once leads to a session in a browser's cookie.

use crate::app::App;
use crate::clock::Timestamp;
use crate::config::{in_ascii, origin_of};
use crate::error::{Refused, Result};
use crate::id;
use crate::store::{access, users};

/// How long a sign-in link works.
const LINK_SECONDS: i64 = 300;
/// How long a browser stays signed in.
pub const SESSION_SECONDS: i64 = 30 * 86_400;
/// The longest URL that is taken.
pub const URL_LIMIT: usize = 2000;

/// A sign-in link.
#[derive(Clone, Debug)]
pub struct LoginLink {
    /// Works once.
    pub url: String,
    /// Until then.
    pub expires_at: Timestamp,
}

/// Makes a link that signs the user in to the dashboard, or leads on to `return_to`.
pub fn make_link(app: &App, id: &str, return_to: Option<&str>) -> Result<LoginLink> {
    let return_to = return_to.map(|url| allowed_url(app, "return_to", url)).transpose()?;
    let secret = id::secret("")?;
    let hash = id::secret_hash(&secret);
    let now = app.clock.now();
    let (id, expires_at) = (id.to_owned(), now.plus_seconds(LINK_SECONDS));
    app.store.write(move |tx| {
        let user = users::by_id(tx, &id)?;
        access::add_login_link(tx, &hash, user.account, return_to.as_deref(), now, expires_at)
    })?;
    Ok(LoginLink { url: app.url(&format!("/login?token={secret}")), expires_at })
}

/// A browser that has just signed in.
#[derive(Clone, Debug)]
pub struct NewSession {
    /// The cookie's value.
    pub cookie: String,
    /// Where to go on.
    pub return_to: Option<String>,
}

/// Uses a link up and opens a session; `None` when the link is unknown, used or too old.
pub fn redeem(app: &App, link: &str) -> Result<Option<NewSession>> {
    let cookie = id::secret("")?;
    let (link, session, now) = (id::secret_hash(link), id::secret_hash(&cookie), app.clock.now());
    let used = app.store.write(move |tx| {
        let Some((account, return_to)) = access::use_login_link(tx, &link, now)? else { return Ok(None) };
        access::add_session(tx, &session, account, now, now.plus_seconds(SESSION_SECONDS))?;
        Ok(Some((account, return_to)))
    })?;
    Ok(used.map(|(account, return_to)| {
        tracing::info!(event = "signed_in", account);
        NewSession { cookie, return_to }
    }))
}

/// The account that a browser's cookie is signed in to.
pub fn session_account(app: &App, cookie: &str) -> Result<Option<i64>> {
    let (hash, now) = (id::secret_hash(cookie), app.clock.now());
    app.store.read(|tx| access::session_account(tx, &hash, now))
}

/// Signs a browser out.
pub fn sign_out(app: &App, cookie: &str) -> Result<()> {
    let (hash, now) = (id::secret_hash(cookie), app.clock.now());
    app.store.write(move |tx| access::end_session(tx, &hash, now))
}

/// Removes links and sessions that ended more than a day ago.
pub fn remove_ended(app: &App) -> Result<usize> {
    let before = app.clock.now().plus_seconds(-86_400);
    app.store.write(move |tx| access::remove_ended(tx, before))
}

/// An absolute URL in ASCII on one of the allowed origins: as given, or our own origin before a path.
pub fn allowed_url(app: &App, field: &str, url: &str) -> Result<String> {
    let own_path = url.starts_with('/') && !url.starts_with("//") && !url.contains('\\');
    let absolute = if own_path { app.url(url) } else { url.to_owned() };
    let plain = url.len() <= URL_LIMIT && !url.chars().any(|c| c.is_control() || c.is_whitespace());
    let origin = origin_of(&absolute).filter(|_| plain);
    let is_allowed =
        origin.is_some_and(|origin| origin == app.config.base_url || app.config.return_origins.contains(&origin));
    if let Some(url) = in_ascii(&absolute).filter(|_| is_allowed) {
        return Ok(url);
    }
    let allowed: Vec<&str> = app.config.return_origins.iter().map(|origin| origin.as_str()).collect();
    Err(Refused::ReturnUrlNotAllowed(format!(
        "{field} must be an absolute URL on one of the allowed origins ({}). The operator adds origins with \
         SPRITE_RETURN_ORIGINS.",
        allowed.join(", ")
    ))
    .into())
}
