//! `GET /account`: what a person may see and change of their own account. `actions` has what its buttons do.

pub(in crate::http) mod actions;
mod browsers;
pub(in crate::http) mod factors;

use askama::Template;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;

use super::owner::Owner;
use super::shell::Shell;
use super::words::Moment;
use super::{html, see_other};
use crate::app::App;
use crate::catalog::MailKind;
use crate::error::Result;
use crate::http::guard::SignedIn;
use crate::http::problem::HandlerResult;
use crate::http::state::{AppState, Pool};
use crate::language::Language;
use crate::oidc::is_same_issuer;
use crate::store::access::Token;
use crate::store::identities::Identity;
use crate::store::passkeys::Passkey;
use crate::store::sessions::Session;
use crate::usecase::mail::{self, MailChoice};
use crate::usecase::users::account;
use crate::usecase::users::oidc;
use crate::usecase::users::passkeys;
use crate::usecase::users::password::{PASSWORD_LEAST, PASSWORD_MOST};
use crate::usecase::users::second_factor;
use crate::usecase::users::sessions;

#[derive(Clone, Debug, Template)]
#[template(path = "account.html")]
pub(super) struct AccountPage {
    pub shell: Shell,
    pub done: Option<Done>,
    pub id: String,
    /// As the user wrote it.
    pub name: String,
    /// The verified address.
    pub address: Option<String>,
    pub has_password: bool,
    /// Whether the user signed in so lately that nothing more is asked.
    pub is_fresh: bool,
    /// Whether the user has a second factor, which must be proved first.
    pub wants_proof: bool,
    pub sessions: Vec<SessionRow>,
    pub tokens: Vec<TokenRow>,
    /// The secret of a token that was made just now.
    pub new_token: Option<String>,
    pub has_subscription: bool,
    /// Providers of OpenID Connect by which the user signs in.
    pub connections: Vec<ConnectionRow>,
    /// The provider that may be connected.
    pub provider: Option<String>,
    /// Whether letters are sent, so that an address can be proved.
    pub has_mail: bool,
    pub letters: Vec<LetterRow>,
    pub passkeys: Vec<PasskeyRow>,
    /// Whether browsers have passkeys for this site.
    pub offers_passkeys: bool,
    /// Whether codes of an app are asked for.
    pub has_second_factor: bool,
}

/// A kind of letter that the user may refuse.
#[derive(Clone, Debug)]
pub(super) struct LetterRow {
    pub word: &'static str,
    /// For people to read.
    pub label: &'static str,
    pub is_wanted: bool,
}

impl AccountPage {
    fn password_least(&self) -> usize {
        PASSWORD_LEAST
    }

    fn password_most(&self) -> usize {
        PASSWORD_MOST
    }
}

/// What the button did that leads to the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Done {
    Name,
    /// A letter goes to the address that was typed.
    AddressAsked,
    Address,
    Mail,
    Password,
    Session,
    OtherSessions,
    Token,
    Connected,
    Disconnected,
    PasskeyAdded,
    PasskeyRenamed,
    PasskeyRemoved,
    /// And nothing is left by which the user signs in by themselves.
    LastPasskeyRemoved,
    SecondFactorSet,
    SecondFactorRemoved,
}

impl Done {
    const ALL: [(Done, &'static str); 16] = [
        (Done::Name, "name"),
        (Done::AddressAsked, "asked"),
        (Done::Address, "address"),
        (Done::Mail, "mail"),
        (Done::Password, "password"),
        (Done::Session, "session"),
        (Done::OtherSessions, "others"),
        (Done::Token, "token"),
        (Done::Connected, "connected"),
        (Done::Disconnected, "disconnected"),
        (Done::PasskeyAdded, "passkey-added"),
        (Done::PasskeyRenamed, "passkey-renamed"),
        (Done::PasskeyRemoved, "passkey-removed"),
        (Done::LastPasskeyRemoved, "last-passkey-removed"),
        (Done::SecondFactorSet, "second-factor-set"),
        (Done::SecondFactorRemoved, "second-factor-removed"),
    ];

    /// The address of the page that says so.
    fn path(self) -> String {
        let word = Done::ALL.iter().find(|(done, _)| *done == self).map_or("", |(_, word)| word);
        format!("/account?done={word}")
    }

    fn of_query(query: &str) -> Option<Done> {
        let word = query.strip_prefix("done=")?;
        Done::ALL.iter().find(|(_, known)| *known == word).map(|(done, _)| *done)
    }
}

impl LetterRow {
    fn of(choice: MailChoice, language: Language) -> LetterRow {
        let MailChoice { kind, is_wanted } = choice;
        let label = match kind {
            MailKind::Welcome => language.account_letter_welcome(),
            MailKind::PlanEnds => language.account_letter_plan_ends(),
            MailKind::UnitsExpire => language.account_letter_units_expire(),
            MailKind::LowBalance => language.account_letter_low_balance(),
            _ => language.account_letter_other(),
        };
        LetterRow { word: kind.as_str(), label, is_wanted }
    }
}

/// A browser in which the user is signed in.
#[derive(Clone, Debug)]
pub(super) struct SessionRow {
    pub number: i64,
    pub is_this: bool,
    /// What the browser says that it is, as people call it.
    pub agent: Option<String>,
    pub address: Option<String>,
    pub since: Moment,
    pub last_used: Moment,
}

impl SessionRow {
    pub(super) fn of(session: &Session, this: i64, language: Language) -> SessionRow {
        SessionRow {
            number: session.number,
            is_this: session.number == this,
            agent: session.agent.as_deref().map(browsers::in_words),
            address: session.address.clone(),
            since: Moment::of(session.created_at, language),
            last_used: Moment::of(session.last_used_at, language),
        }
    }
}

/// A provider of OpenID Connect by which the user signs in.
#[derive(Clone, Debug)]
pub(super) struct ConnectionRow {
    /// What people call it.
    pub name: String,
    pub issuer: String,
    pub subject: String,
    pub since: Moment,
}

impl ConnectionRow {
    fn of(app: &App, identity: Identity, language: Language) -> ConnectionRow {
        let Identity { issuer, subject, created_at } = identity;
        let own = app.config.oidc.as_ref().filter(|provider| is_same_issuer(&provider.issuer, &issuer));
        let name = own.map_or_else(|| issuer.clone(), |provider| provider.name.clone());
        ConnectionRow { name, issuer, subject, since: Moment::of(created_at, language) }
    }
}

/// A passkey of the user's.
#[derive(Clone, Debug)]
pub(super) struct PasskeyRow {
    pub number: i64,
    pub name: String,
    pub since: Moment,
    pub last_used: Option<Moment>,
}

impl PasskeyRow {
    fn of(passkey: Passkey, language: Language) -> PasskeyRow {
        let Passkey { number, name, created_at, last_used_at, .. } = passkey;
        let last_used = last_used_at.map(|at| Moment::of(at, language));
        PasskeyRow { number, name, since: Moment::of(created_at, language), last_used }
    }
}

/// A token of the user's own.
#[derive(Clone, Debug)]
pub(super) struct TokenRow {
    pub id: String,
    pub name: String,
    pub last_used: Option<Moment>,
}

impl TokenRow {
    fn of(token: &Token, language: Language) -> TokenRow {
        let Token { id, name, last_used_at, .. } = token;
        TokenRow { id: id.clone(), name: name.clone(), last_used: last_used_at.map(|at| Moment::of(at, language)) }
    }
}

/// The page of the user who is signed in. Visitors are sent to the sign-in page.
pub(crate) async fn show(
    State(state): State<AppState>,
    Owner(signed_in): Owner,
    RawQuery(query): RawQuery,
) -> HandlerResult {
    let done = Done::of_query(&query.unwrap_or_default());
    Ok(state.run(Pool::Db, move |app| shown(app, &signed_in, done, None)).await?)
}

/// The address of a button of the page, opened like a page.
pub(crate) async fn reopened() -> HandlerResult {
    Ok(see_other("/account")?)
}

fn shown(app: &App, signed_in: &SignedIn, done: Option<Done>, new_token: Option<String>) -> Result<Response> {
    let (user, session, language) = (&signed_in.member.user, &signed_in.session, signed_in.language);
    let view = account::view(app, user.account)?;
    let letters = if mail::is_configured(app) { mail::choices(app, user.account)? } else { vec![] };
    let (connections, is_connected) = oidc::connections(app, user.account)?;
    let provider = oidc::provider_name(app).filter(|_| !is_connected).map(str::to_owned);
    let page = AccountPage {
        connections: connections.into_iter().map(|own| ConnectionRow::of(app, own, language)).collect(),
        provider,
        shell: Shell::signed_in(app, language.account_title(), signed_in)?,
        done,
        id: user.id.clone(),
        name: user.name.clone().unwrap_or_default(),
        address: view.address.map(|address| address.written),
        has_password: view.has_password,
        is_fresh: sessions::is_fresh(app, session),
        wants_proof: second_factor::is_proof_missing(app, session)?,
        sessions: view.sessions.iter().map(|other| SessionRow::of(other, session.number, language)).collect(),
        tokens: view.tokens.iter().map(|token| TokenRow::of(token, language)).collect(),
        new_token,
        has_subscription: view.has_subscription,
        passkeys: passkeys::list(app, user.account)?.into_iter().map(|own| PasskeyRow::of(own, language)).collect(),
        offers_passkeys: passkeys::are_offered(app),
        has_second_factor: second_factor::is_set(app, user.account)?,
        has_mail: mail::is_configured(app),
        letters: letters.into_iter().map(|choice| LetterRow::of(choice, language)).collect(),
    };
    html(StatusCode::OK, &page)
}
