//! Who may enter: callers of the service API by token and scope, browsers by session cookie.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};

use super::problem::Problem;
use super::proxy_user::ProxyUser;
use super::rates::Costly;
use super::request::ClientAddress;
use super::state::{AppState, Pool};
use super::{caller, cookie, reader_language};
use crate::actor::Actor;
use crate::error::{Error, Refused, Result};
use crate::id;
use crate::language::Language;
use crate::store::CacheKey;
use crate::store::sessions::{Session, SignInMethod};
use crate::usecase::users::sessions::OpenSession;
use crate::usecase::users::tokens::{self, Authentication, Scope};
use crate::usecase::users::{self, UserSnapshot};
use crate::usecase::users::{operators, proxy, sessions};

/// A caller of the service API with a valid token.
pub(super) struct Bearer(Arc<Authentication>);

impl Bearer {
    /// Refuses a token without this scope.
    pub(super) fn require(&self, scope: Scope) -> Result<()> {
        if self.0.caller.may(scope) {
            return Ok(());
        }
        let detail =
            format!("This token lacks the scope {:?}. Make one that has it: till token create.", scope.as_str());
        Err(Refused::Forbidden(detail).into())
    }

    /// The same for a call about one user, which a token of that user's own may make too.
    pub(super) fn require_for(&self, scope: Scope, user: &str) -> Result<()> {
        match self.0.caller.owner() {
            Some(owner) if owner == user => Ok(()),
            Some(owner) => {
                let detail = format!("This token is for the user {owner:?} alone.");
                Err(Refused::Forbidden(detail).into())
            }
            None => self.require(scope),
        }
    }
}

impl FromRequestParts<AppState> for Bearer {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> std::result::Result<Bearer, Problem> {
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
        let hash = id::secret_hash(secret);
        let store = &state.app().store;
        let read_at = store.read_version();
        let cached = state.tokens().get(&hash, |(read_at, _)| store.is_current(CacheKey::Tokens, *read_at));
        let token = match cached {
            Some((_, token)) => token,
            None => {
                let secret = secret.to_owned();
                let token = Arc::new(state.read_one(move |tx, _| tokens::authenticate(tx, &secret)).await?);
                state.tokens().put(hash, (read_at, Arc::clone(&token)));
                token
            }
        };
        if token.is_to_be_remembered(state.app().clock.now()) {
            tokens::remember_use(state.app(), &token.caller);
        }
        caller::is(Actor::token(&token.caller.token));
        Ok(Bearer(token))
    }
}

/// A browser, signed in or not, with what is stored about who is.
pub(super) struct Visitor {
    pub signed_in: Option<SignedIn>,
    /// What the account chose, else the browser's.
    pub language: Language,
}

impl Visitor {
    /// Nobody who is known.
    pub(super) fn anonymous(language: Language) -> Visitor {
        Visitor { signed_in: None, language }
    }
}

/// A browser that is signed in.
pub(super) struct SignedIn {
    pub member: UserSnapshot,
    /// Whether they may open the operator's pages.
    pub is_operator: bool,
    pub session: Session,
    /// The value of the session cookie.
    pub cookie: String,
    /// What the account chose, else the browser's.
    pub language: Language,
}

impl FromRequestParts<AppState> for Visitor {
    type Rejection = Problem;

    /// Somebody whom a proxy names and who may not come in sees what everybody sees.
    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> std::result::Result<Visitor, Problem> {
        match visitor(parts, state).await {
            Err(Error::Refused(_)) => {
                Ok(Visitor::anonymous(reader_language::of_browser(&parts.headers, state.config())))
            }
            visitor => Ok(visitor?),
        }
    }
}

/// A browser at a page of a person's own: it says to somebody whom a proxy names why they may not come in.
pub(super) struct OwnVisitor(pub Visitor);

impl FromRequestParts<AppState> for OwnVisitor {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> std::result::Result<OwnVisitor, Problem> {
        Ok(OwnVisitor(visitor(parts, state).await?))
    }
}

async fn visitor(parts: &Parts, state: &AppState) -> Result<Visitor> {
    let language = reader_language::of_browser(&parts.headers, state.config());
    let Some(cookie) = session_cookie(parts, state, language).await? else {
        return Ok(Visitor::anonymous(language));
    };
    let visitor = visitor_of(state, cookie, language).await?;
    let Some(signed_in) = visitor.signed_in.as_ref().filter(|found| is_good_here(found.session.method, parts)) else {
        return Ok(Visitor::anonymous(language));
    };
    caller::is(Actor::user(&signed_in.member.user.id));
    Ok(visitor)
}

/// The session of a browser that is signed in, where nothing of its user has to be read: for pages that are kept.
pub(super) struct Holder {
    pub session: OpenSession,
    /// The value of the session cookie.
    pub cookie: String,
    /// What the browser chose or asks for; the account may have chosen another.
    pub language: Language,
}

/// A browser, signed in or not, of whose user nothing is read: the session is mostly found in memory.
pub(super) struct PageVisitor {
    pub holder: Option<Holder>,
}

impl FromRequestParts<AppState> for PageVisitor {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> std::result::Result<PageVisitor, Problem> {
        let language = reader_language::of_browser(&parts.headers, state.config());
        let Some(cookie) = session_cookie(parts, state, language).await? else {
            return Ok(PageVisitor { holder: None });
        };
        let session = open_session(state, &cookie).await?;
        let holder = session.filter(|session| is_good_here(session.method, parts)).map(|session| {
            session.remember_use(state.app());
            Holder { session, cookie, language }
        });
        Ok(PageVisitor { holder })
    }
}

/// The open session with this cookie, from memory if it is known there. Only sessions that are open are kept.
async fn open_session(state: &AppState, cookie: &str) -> Result<Option<OpenSession>> {
    let (hash, now) = (id::secret_hash(cookie), state.app().clock.now());
    let store = &state.app().store;
    let read_at = store.read_version();
    let kept = state.sessions().get(&hash, |(read_at, session)| {
        session.is_open(now) && store.is_current(CacheKey::Session(session.number), *read_at)
    });
    if let Some((_, session)) = kept {
        return Ok(Some(session));
    }
    let found = state.read_one(move |tx, _| OpenSession::find(tx, &hash, now)).await?;
    if let Some(session) = found {
        state.sessions().put(hash, (read_at, session));
    }
    Ok(found)
}

/// The session cookie of the browser, or of the person whom a proxy names.
async fn session_cookie(parts: &Parts, state: &AppState, language: Language) -> Result<Option<String>> {
    let Some(ProxyUser(name)) = parts.extensions.get::<ProxyUser>().cloned() else {
        return Ok(cookie::session_of(&parts.headers, state.config()));
    };
    if says_farewell(parts) {
        return Ok(None);
    }
    let client = parts.extensions.get::<ClientAddress>().copied().unwrap_or(ClientAddress(None));
    session_of_named(state, &parts.headers, (name, language), client).await.map(Some)
}

/// Whether it is the page that says that somebody has signed out, or is erased: it begins nothing, although the proxy goes on to
/// name them.
fn says_farewell(parts: &Parts) -> bool {
    let query = parts.uri.query().unwrap_or_default().as_bytes();
    let mut fields = form_urlencoded::parse(query);
    parts.uri.path() == "/login" && fields.any(|(name, _)| name == "signed-out" || name == "erased")
}

/// A session that the proxy began is good behind the proxy alone.
fn is_good_here(method: SignInMethod, parts: &Parts) -> bool {
    method != SignInMethod::Proxy || parts.extensions.get::<ProxyUser>().is_some()
}

/// The cookie of the named person's session in this browser; one begins where there is none, or another's.
async fn session_of_named(
    state: &AppState,
    headers: &HeaderMap,
    (name, language): (String, Language),
    client: ClientAddress,
) -> Result<String> {
    let browser = cookie::browser_of(headers, state.config());
    let (asked, known) = (name.clone(), browser.clone());
    if state.run(Pool::Db, move |app| proxy::is_in(app, &asked, &known)).await?
        && let Some(cookie) = browser.former
    {
        return Ok(cookie);
    }
    state.charge_name(Costly::SignIn, &name, client).await?;
    let cookie = state.run(Pool::Db, move |app| proxy::enter(app, &name, (&browser, language))).await?;
    caller::has_begun(&cookie);
    Ok(cookie)
}

/// The browser with this session cookie, which asks for this language.
pub(super) async fn visitor_of(state: &AppState, cookie: String, language: Language) -> Result<Visitor> {
    let signed_in = state.run(Pool::Db, move |app| {
        let Some(session) = sessions::find(app, &cookie)? else { return Ok(None) };
        let member = users::show_account(app, session.account)?;
        sessions::remember_use(app, &session);
        let is_operator = operators::is_one(app, session.account)?;
        let language = member.user.locale.unwrap_or(language);
        Ok(Some(SignedIn { member, is_operator, session, cookie, language }))
    });
    let signed_in = signed_in.await?;
    let language = signed_in.as_ref().map_or(language, |signed_in| signed_in.language);
    Ok(Visitor { signed_in, language })
}

impl FromRequestParts<AppState> for SignedIn {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> std::result::Result<SignedIn, Problem> {
        visitor(parts, state).await?.signed_in.ok_or_else(not_signed_in)
    }
}

/// The refusal of a browser without a session.
pub(super) fn not_signed_in() -> Problem {
    let detail = "You are not signed in here. Sign in, then try again.";
    Refused::Unauthenticated(detail.into()).into()
}
