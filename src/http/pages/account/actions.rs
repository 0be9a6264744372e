//! What the buttons of the account page do. Each form comes from our own pages and carries the session's token.

use axum::extract::{Extension, State};
use axum::http::{HeaderValue, header};
use axum::response::IntoResponse;

use super::{Done, shown};
use crate::app::App;
use crate::email::{EMAIL_LIMIT, Email};
use crate::error::Refused;
use crate::http::cookie;
use crate::http::guard::SignedIn;
use crate::http::own_form::OwnForm;
use crate::http::pages::see_other;
use crate::http::problem::HandlerResult;
use crate::http::rates::Costly;
use crate::http::request::ClientAddress;
use crate::http::state::{AppState, Pool};
use crate::id;
use crate::language::refusal::PersonRefusal;
use crate::usecase::mail::{self, MailChoice};
use crate::usecase::users::{
    self, NAME_LIMIT, UserPatch, account, codes, erase, export, oidc, password, second_factor, sessions,
};

pub(crate) async fn rename(State(state): State<AppState>, OwnForm { signed_in, form }: OwnForm) -> HandlerResult {
    let name = form.text("name", NAME_LIMIT)?;
    if name.is_empty() {
        return Err(PersonRefusal::NameLength { most: NAME_LIMIT }.into());
    }
    let id = signed_in.member.user.id;
    let rename = move |app: &App| users::put(app, &id, UserPatch { name: Some(Some(&name)), ..UserPatch::default() });
    state.run(Pool::Db, rename).await?;
    Ok(see_other(&Done::Name.path())?)
}

/// Sends a letter to a new address, which becomes the user's when the link in it is followed in this browser. It wants a
/// fresh sign-in, because the address lets its reader in.
pub(crate) async fn change_address(
    State(state): State<AppState>,
    Extension(client): Extension<ClientAddress>,
    OwnForm { signed_in, form }: OwnForm,
) -> HandlerResult {
    let email = Email::parse(&form.text("address", EMAIL_LIMIT)?).ok_or(PersonRefusal::NoAddress)?;
    let SignedIn { member, session, language, .. } = signed_in;
    state.charge(Costly::Letter, Some(member.user.account), client).await?;
    let mark = id::secret("")?;
    let known_by = mark.clone();
    let ask = move |app: &App| {
        second_factor::require_fresh_proof(app, &session)?;
        codes::ask_address(app, &member.user, &email, (&known_by, language))
    };
    state.run(Pool::Db, ask).await?;
    let mut response = see_other(&Done::AddressAsked.path())?;
    response.headers_mut().insert(header::SET_COOKIE, cookie::set_mark(state.config(), Some(&mark))?);
    Ok(response)
}

/// Remembers which letters the user wants: those whose box is ticked.
pub(crate) async fn choose_mail(State(state): State<AppState>, OwnForm { signed_in, form }: OwnForm) -> HandlerResult {
    let account = signed_in.member.user.account;
    let choose = move |app: &App| {
        for MailChoice { kind, is_wanted } in mail::choices(app, account)? {
            let is_ticked = form.text(kind.as_str(), 10)? == "yes";
            if is_ticked != is_wanted {
                mail::choose(app, account, kind, is_ticked)?;
            }
        }
        Ok(())
    };
    state.run(Pool::Db, choose).await?;
    Ok(see_other(&Done::Mail.path())?)
}

/// Sets a password: with the old one, or, where there is none, after a fresh sign-in. Every other browser is signed out.
pub(crate) async fn set_password(
    State(state): State<AppState>,
    Extension(client): Extension<ClientAddress>,
    OwnForm { signed_in, form }: OwnForm,
) -> HandlerResult {
    let (old, new) = (form.password("old")?, form.password("new")?);
    let SignedIn { member, session, .. } = signed_in;
    let user = member.user;
    state.charge(Costly::Password, Some(user.account), client).await?;
    let set = move |app: &App| {
        second_factor::require_proof(app, &session)?;
        match password::is_set(app, user.account)? {
            true if password::is_current(app, user.account, &old)? => {}
            true => {
                return Err(PersonRefusal::OldPasswordWrong.into());
            }
            false => sessions::require_fresh(app, &session)?,
        }
        password::set(app, &user.id, &new, Some(session.number))
    };
    state.run(Pool::Passwords, set).await?;
    Ok(see_other(&Done::Password.path())?)
}

/// Ends one session, or all others.
pub(crate) async fn end_sessions(State(state): State<AppState>, OwnForm { signed_in, form }: OwnForm) -> HandlerResult {
    let which = form.text("session", 20)?;
    let SignedIn { member, session, .. } = signed_in;
    if which == "others" {
        state.run(Pool::Db, move |app| sessions::end_others(app, &member.user, &session)).await?;
        return Ok(see_other(&Done::OtherSessions.path())?);
    }
    let number = which.parse().map_err(|_| {
        Refused::InvalidRequest("The field session names no session: one of the page's buttons was expected.".into())
    })?;
    state.run(Pool::Db, move |app| sessions::end(app, &member.user, number)).await?;
    Ok(see_other(&Done::Session.path())?)
}

/// Makes a token of the user's own, and shows it once.
pub(crate) async fn make_token(State(state): State<AppState>, OwnForm { signed_in, form }: OwnForm) -> HandlerResult {
    let name = form.text("name", 100)?;
    let made = move |app: &App| {
        let secret = account::make_token(app, &signed_in.member.user, &name)?;
        shown(app, &signed_in, None, Some(secret))
    };
    Ok(state.run(Pool::Db, made).await?)
}

pub(crate) async fn revoke_token(State(state): State<AppState>, OwnForm { signed_in, form }: OwnForm) -> HandlerResult {
    let token = form.text("token", 100)?;
    state.run(Pool::Db, move |app| account::revoke_token(app, &signed_in.member.user, &token)).await?;
    Ok(see_other(&Done::Token.path())?)
}

/// Connects a provider's identity with the account, as the page offered that the provider led back to.
pub(crate) async fn connect(State(state): State<AppState>, OwnForm { signed_in, .. }: OwnForm) -> HandlerResult {
    let SignedIn { member, session, cookie, .. } = signed_in;
    state.run(Pool::Db, move |app| oidc::connect(app, &member.user, &session, &cookie)).await?;
    Ok(see_other(&Done::Connected.path())?)
}

/// Removes a connection, unless it is the last way in.
pub(crate) async fn disconnect(State(state): State<AppState>, OwnForm { signed_in, form }: OwnForm) -> HandlerResult {
    let (issuer, subject) = (form.text("issuer", 500)?, form.text("subject", 255)?);
    let SignedIn { member, session, .. } = signed_in;
    let remove = move |app: &App| oidc::disconnect(app, &member.user, &session, &issuer, &subject);
    state.run(Pool::Db, remove).await?;
    Ok(see_other(&Done::Disconnected.path())?)
}

/// Everything that is stored about the user, as a file.
pub(crate) async fn data(State(state): State<AppState>, signed_in: SignedIn) -> HandlerResult {
    let id = signed_in.member.user.id;
    let mut text = Vec::new();
    let text = state
        .run(Pool::Db, move |app| {
            export::write(app, &id, Some(export::PAGE_ENTRIES), &mut text)?;
            Ok(text)
        })
        .await?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment; filename=\"account.json\"")),
    ];
    Ok((headers, text).into_response())
}

/// Erases the account. It wants a fresh sign-in, and that the box is ticked.
pub(crate) async fn erase(State(state): State<AppState>, OwnForm { signed_in, form }: OwnForm) -> HandlerResult {
    if form.text("sure", 10)? != "yes" {
        return Err(PersonRefusal::NotTicked.into());
    }
    let SignedIn { member, session, .. } = signed_in;
    let erase = move |app: &App| {
        second_factor::require_fresh_proof(app, &session)?;
        erase::erase(app, &member.user.id)
    };
    state.run(Pool::Db, erase).await?;
    let mut response = see_other("/login?erased")?;
    response.headers_mut().insert(header::SET_COOKIE, cookie::set(state.config(), None)?);
    response.headers_mut().insert("clear-site-data", HeaderValue::from_static("\"cache\", \"storage\""));
    Ok(response)
}
