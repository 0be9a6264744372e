//! Signing in: a link that works once opens a session, which a browser's cookie carries. Looking at a link changes
//! nothing, because previews of messengers and scanners of mail open links before their owners do.

use crate::app::App;
use crate::clock::{DAY_SECONDS, Timestamp};
use crate::config::{in_ascii, origin_of};
use crate::error::{Refused, Result};
use crate::id;
use crate::store::sessions::SignInMethod;
use crate::store::users::User;
use crate::store::{self, access, attempts, codes, operators, users};
use crate::usecase::audit;
use crate::usecase::users::sessions::{self, Browser, Opening};

const LINK_SECONDS: i64 = 300;
/// The longest URL that is accepted, in bytes.
pub const URL_LIMIT: usize = 2000;
/// The longest URL that is sent, in ASCII, where a letter may take twelve characters. Stripe takes texts of this length.
const ASCII_LIMIT: usize = 5000;

/// A link that signs a user in, once.
#[derive(Clone, Debug)]
pub struct LoginLink {
    /// It works once.
    pub url: String,
    pub expires_at: Timestamp,
}

/// Creates a link that signs the user in and leads on to `return_to`, or to the dashboard.
pub fn make_link(app: &App, id: &str, return_to: Option<&str>) -> Result<LoginLink> {
    make(app, id, return_to, true)
}

/// The same for a program that may not do all that an operator may: refused where the user is an operator.
pub fn make_buyers_link(app: &App, id: &str, return_to: Option<&str>) -> Result<LoginLink> {
    make(app, id, return_to, false)
}

fn make(app: &App, id: &str, return_to: Option<&str>, may_be_operators: bool) -> Result<LoginLink> {
    let return_to = return_to.map(|url| allowed_url(app, "return_to", url)).transpose()?;
    let secret = id::secret("")?;
    let hash = id::secret_hash(&secret);
    let now = app.clock.now();
    let user_id = id.to_owned();
    let expires_at = now.plus_seconds(LINK_SECONDS);
    audit::write(app, move |tx, trail| {
        let user = users::by_id(tx, &user_id)?;
        if !may_be_operators && operators::is_one(tx, user.account)? {
            let detail =
                "This user is an operator, whom only a token with the scope admin signs in, or till user sign-in.";
            return Err(Refused::Forbidden(detail.into()).into());
        }
        trail.add(tx, "login_link_made", &user.id, None)?;
        access::add_login_link(tx, &hash, user.account, return_to.as_deref(), now, expires_at)
    })?;
    Ok(LoginLink { url: app.url(&format!("/login?token={secret}")), expires_at })
}

/// A browser that has just signed in.
#[derive(Clone, Debug)]
pub struct NewSession {
    /// The cookie's value.
    pub cookie: String,
    /// Where the browser goes on to.
    pub return_to: Option<String>,
}

/// The user whom a link would sign in; `None` when the link is unknown, used or too old.
pub fn owner_of_link(app: &App, link: &str) -> Result<Option<User>> {
    let link = id::secret_hash(link);
    let now = app.clock.now();
    app.store.read(|tx| {
        let account = access::login_link_account(tx, &link, now)?;
        account.map(|account| users::by_account(tx, account)).transpose()
    })
}

/// Uses up a link and signs its owner in; `None` when the link is unknown, used or too old.
pub fn redeem(app: &App, link: &str, browser: &Browser) -> Result<Option<NewSession>> {
    let link = id::secret_hash(link);
    let opening = Opening::prepare(app, browser, SignInMethod::Link)?;
    let now = app.clock.now();
    let session = opening.clone();
    let used = audit::write(app, move |tx, trail| {
        let Some((account, return_to)) = access::use_login_link(tx, &link, now)? else { return Ok(None) };
        let user = users::by_account(tx, account)?;
        session.begin(tx, trail, &user)?;
        Ok(Some((user.id, return_to)))
    })?;
    Ok(used.map(|(user_id, return_to)| NewSession { cookie: opening.cookie(&user_id), return_to }))
}

/// Signs a browser out.
pub fn sign_out(app: &App, cookie: &str) -> Result<()> {
    let hash = id::secret_hash(cookie);
    let (open, now) = (sessions::find(app, cookie)?, app.clock.now());
    audit::write(app, move |tx, trail| {
        if let Some(session) = &open {
            let user = users::by_account(tx, session.account)?;
            trail.is_done_by_user(&user.id);
            trail.add(tx, "signed_out", &user.id, None)?;
        }
        store::sessions::end(tx, &hash, now)
    })
}

/// Removes links, codes, invitations and sessions that ended more than a day ago, and steps and buckets that nobody can use any
/// more; none while the clock is implausible.
pub fn remove_ended(app: &App) -> Result<usize> {
    if !app.clock.is_plausible() {
        return Ok(0);
    }
    let now = app.clock.now();
    let before = now.plus_seconds(-DAY_SECONDS);
    app.store.write(move |tx| {
        let links = access::remove_ended_links(tx, before)?;
        let short = store::steps::remove_ended(tx, now)? + attempts::remove_full(tx, now)?;
        Ok(links + short + codes::remove_ended(tx, before)? + store::sessions::remove_ended(tx, before)?)
    })
}

/// The URL, absolute and in ASCII, if it is on one of the allowed origins. A path is taken to be on our own.
pub fn allowed_url(app: &App, field: &str, url: &str) -> Result<String> {
    let own_path = url.starts_with('/') && !url.starts_with("//") && !url.contains('\\');
    let absolute = if own_path { app.url(url) } else { url.to_owned() };
    let plain = url.len() <= URL_LIMIT && !url.chars().any(|c| c.is_control() || c.is_whitespace());
    let origin = origin_of(&absolute).filter(|_| plain);
    let is_allowed =
        origin.is_some_and(|origin| origin == app.config.base_url || app.config.return_origins.contains(&origin));
    if let Some(url) = in_ascii(&absolute).filter(|_| is_allowed) {
        if url.len() <= ASCII_LIMIT {
            return Ok(url);
        }
        let length = url.len();
        return Err(Refused::ReturnUrlNotAllowed(format!(
            "{field} has {length} characters when it is percent-encoded, and at most {ASCII_LIMIT} were expected. \
             Shorten it."
        ))
        .into());
    }
    let allowed: Vec<&str> = app.config.return_origins.iter().map(|origin| origin.as_str()).collect();
    Err(Refused::ReturnUrlNotAllowed(format!(
        "{field} must be an absolute URL on one of the allowed origins ({}). The operator adds origins with \
         SPRITE_RETURN_ORIGINS.",
        allowed.join(", ")
    ))
    .into())
}
