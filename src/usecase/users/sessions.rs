//! Browsers that are signed in. Each sign-in begins a session and ends the one that was open in the browser; a session ends
//! when its owner ends it, when it is not used for a while, and in any case after a month.

use std::net::IpAddr;

use crate::app::App;
use crate::clock::{DAY_SECONDS, Timestamp};
use crate::error::Result;
use crate::id;
use crate::language::refusal::PersonRefusal;
use crate::store::sessions::{self, NewSession, Session, SignInMethod};
use crate::store::users::User;
use crate::store::{Tx, codes, operators};
use crate::usecase::audit::{self, Trail};

/// How long a browser stays signed in at most.
pub const SESSION_SECONDS: i64 = 30 * DAY_SECONDS;
/// After so long without use a session ends.
pub const IDLE_SECONDS: i64 = 7 * DAY_SECONDS;
/// The same of an operator, whose pages show everybody's money.
pub const OPERATOR_SESSION_SECONDS: i64 = 12 * 3600;
pub const OPERATOR_IDLE_SECONDS: i64 = 3600;
/// So long after signing in, a person may do what wants a fresh sign-in.
pub const FRESH_SECONDS: i64 = 600;
/// Characters of a browser's own description that are kept.
const AGENT_LIMIT: usize = 300;

/// The browser in which somebody signs in.
#[derive(Clone, Debug, Default)]
pub struct Browser {
    /// The cookie of the session that is open in it.
    pub former: Option<String>,
    /// What it says that it is.
    pub agent: Option<String>,
    /// A cookie by which it is known again while nobody is signed in.
    pub mark: Option<String>,
}

/// A session that is about to begin, with its secret. A transaction stores it.
#[derive(Clone)]
pub(crate) struct Opening {
    cookie: String,
    former: Option<[u8; 32]>,
    session: NewSession,
}

impl Opening {
    pub(crate) fn prepare(app: &App, browser: &Browser, method: SignInMethod) -> Result<Opening> {
        let cookie = id::secret("")?;
        let now = app.clock.now();
        let agent = browser.agent.as_deref().map(|agent| agent.chars().take(AGENT_LIMIT).collect());
        let session = NewSession {
            hash: id::secret_hash(&cookie),
            account: 0,
            method,
            // Behind a proxy that does not say it, there is none that its owner could recognise.
            address: app.actor().address().filter(|words| words.parse::<IpAddr>().is_ok()).map(str::to_owned),
            agent,
            created_at: now,
            idle_seconds: IDLE_SECONDS,
            expires_at: now.plus_seconds(SESSION_SECONDS),
            // Its authenticator has verified its owner.
            second_factor_at: (method == SignInMethod::Passkey).then_some(now),
        };
        Ok(Opening { cookie, former: browser.former.as_deref().map(id::secret_hash), session })
    }

    /// The same, of somebody who proved a second factor as well.
    pub(crate) fn with_second_factor(mut self) -> Opening {
        self.session.second_factor_at = Some(self.session.created_at);
        self
    }

    /// Signs the user in, and ends the session that was open in the browser, also if it is another user's.
    pub(crate) fn begin(&self, tx: &mut dyn Tx, trail: &mut Trail, user: &User) -> Result<()> {
        trail.is_done_by_user(&user.id);
        trail.add(tx, "signed_in", &user.id, self.session.method.as_str().to_owned())?;
        if let Some(former) = &self.former {
            sessions::end(tx, former, self.session.created_at)?;
        }
        let mut session = NewSession { account: user.account, ..self.session.clone() };
        if operators::is_one(tx, user.account)? {
            session.idle_seconds = OPERATOR_IDLE_SECONDS;
            session.expires_at = session.created_at.plus_seconds(OPERATOR_SESSION_SECONDS);
        }
        sessions::add(tx, &session)
    }

    /// The cookie of the session that has begun, which is logged.
    pub(crate) fn cookie(self, user_id: &str) -> String {
        tracing::info!(event = "signed_in", user_id, method = self.session.method.as_str());
        self.cookie
    }
}

/// The open session with this cookie.
pub fn find(app: &App, cookie: &str) -> Result<Option<Session>> {
    let (hash, now) = (id::secret_hash(cookie), app.clock.now());
    app.store.read(|tx| sessions::find(tx, &hash, now))
}

/// What decides whether a session is open. It is small, so that many can be kept in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenSession {
    /// By which its owner ends it.
    pub number: i64,
    pub account: i64,
    pub method: SignInMethod,
    /// To the minute.
    pub last_used_at: Timestamp,
    /// After so long without use it ends.
    pub idle_seconds: i64,
    /// When it ends, however much it is used.
    pub expires_at: Timestamp,
}

impl OpenSession {
    /// The open session whose cookie has this hash, in one indexed read.
    pub fn find(tx: &mut dyn Tx, hash: &[u8; 32], now: Timestamp) -> Result<Option<OpenSession>> {
        Ok(sessions::find(tx, hash, now)?.as_ref().map(OpenSession::of))
    }

    fn of(session: &Session) -> OpenSession {
        let Session { number, account, method, last_used_at, idle_seconds, expires_at, .. } = *session;
        OpenSession { number, account, method, last_used_at, idle_seconds, expires_at }
    }

    /// Whether it is still open, if nobody has ended it.
    pub fn is_open(&self, now: Timestamp) -> bool {
        self.expires_at > now && self.last_used_at.plus_seconds(self.idle_seconds) > now
    }

    /// Remembers that it is used, once a minute. A failure signs nobody out.
    pub fn remember_use(&self, app: &App) {
        let (number, now) = (self.number, app.clock.now());
        if self.last_used_at.plus_seconds(60) > now {
            return;
        }
        app.store.write_then(
            move |tx| sessions::used(tx, number, now),
            |result| {
                if let Err(error) = result {
                    tracing::debug!(event = "session_use_not_recorded", error = %error);
                }
            },
        );
    }
}

/// Whether somebody signed in so lately that it is surely them.
pub fn is_fresh(app: &App, session: &Session) -> bool {
    session.created_at.plus_seconds(FRESH_SECONDS) > app.clock.now()
}

/// Refuses what wants a fresh sign-in.
pub fn require_fresh(app: &App, session: &Session) -> Result<()> {
    if is_fresh(app, session) {
        return Ok(());
    }
    let minutes = FRESH_SECONDS / 60;
    Err(PersonRefusal::NotFresh { minutes }.into())
}

/// Remembers that a session is used, see [`OpenSession::remember_use`].
pub fn remember_use(app: &App, session: &Session) {
    OpenSession::of(session).remember_use(app);
}

/// The account's open sessions, those that were used last first.
pub fn list(app: &App, account: i64) -> Result<Vec<Session>> {
    let now = app.clock.now();
    app.store.read(|tx| sessions::open_of(tx, account, now))
}

/// Ends one of the user's sessions.
pub fn end(app: &App, user: &User, number: i64) -> Result<()> {
    let (user, now) = (user.clone(), app.clock.now());
    audit::write(app, move |tx, trail| {
        if sessions::end_one(tx, user.account, number, now)? {
            trail.add(tx, "session_ended", &user.id, number.to_string())?;
        }
        Ok(())
    })
}

/// Ends the user's sessions in other browsers; returns how many.
pub fn end_others(app: &App, user: &User, session: &Session) -> Result<usize> {
    let (user, kept, now) = (user.clone(), session.number, app.clock.now());
    audit::write(app, move |tx, trail| {
        let ended = sessions::end_all(tx, user.account, Some(kept), now)?;
        trail.add(tx, "sessions_ended", &user.id, ended.to_string())?;
        Ok(ended)
    })
}

/// Ends all of a user's sessions, for an operator; returns how many.
pub fn end_of(app: &App, user: &User) -> Result<usize> {
    let (user, now) = (user.clone(), app.clock.now());
    audit::write(app, move |tx, trail| {
        let ended = sessions::end_all(tx, user.account, None, now)?;
        trail.add(tx, "sessions_ended", &user.id, ended.to_string())?;
        Ok(ended)
    })
}

/// Ends every session and code of an account: after a new password, nobody stays or comes in by the old one. The session
/// with the number `but` goes on.
pub(crate) fn end_all(tx: &mut dyn Tx, account: i64, but: Option<i64>, now: Timestamp) -> Result<()> {
    sessions::end_all(tx, account, but, now)?;
    codes::end_all(tx, account, now)
}
