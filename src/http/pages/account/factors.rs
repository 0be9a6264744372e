//! What the buttons for passkeys and for codes of an authenticator app do. A passkey is made by the page's script, which asks
//! first (`begin`) and then sends the form with the authenticator's answer.

use askama::Template;
use axum::extract::{Extension, State};
use axum::http::StatusCode;
use axum::response::Response;

use super::Done;
use crate::app::App;
use crate::error::{Refused, Result};
use crate::http::guard::SignedIn;
use crate::http::own_form::OwnForm;
use crate::http::pages::passkeys::asked;
use crate::http::pages::second::CODE_LIMIT;
use crate::http::pages::shell::Shell;
use crate::http::pages::{html, see_other};
use crate::http::problem::HandlerResult;
use crate::http::rates::Costly;
use crate::http::request::ClientAddress;
use crate::http::state::{AppState, Pool};
use crate::language::refusal::PersonRefusal;
use crate::passkey::ANSWER_LIMIT;
use crate::totp::{self, Secret};
use crate::usecase::users::passkeys::{self, PASSKEY_NAME_LIMIT};
use crate::usecase::users::second_factor;

/// Shows the secret of an authenticator app, until a code of it is typed.
#[derive(Debug, Template)]
#[template(path = "codes.html")]
pub(in crate::http::pages) struct CodesPage {
    pub shell: Shell,
    /// As people type it.
    pub letters: String,
    pub uri: String,
    /// The dark squares of the QR code, and how many squares a side has.
    pub squares: String,
    pub side: usize,
    pub is_wrong: bool,
}

/// Says what the browser's authenticator is asked.
pub(crate) async fn begin_passkey(
    State(state): State<AppState>,
    Extension(client): Extension<ClientAddress>,
    OwnForm { signed_in, .. }: OwnForm,
) -> HandlerResult {
    let SignedIn { member, session, cookie, .. } = signed_in;
    state.charge(Costly::SignIn, Some(member.user.account), client).await?;
    let begin = move |app: &App| passkeys::begin_adding(app, &member.user, &session, &cookie);
    Ok(asked(state.run(Pool::Db, begin).await?))
}

pub(crate) async fn add_passkey(State(state): State<AppState>, OwnForm { signed_in, form }: OwnForm) -> HandlerResult {
    let (name, answer) = (form.text("name", PASSKEY_NAME_LIMIT)?, form.text("answer", ANSWER_LIMIT)?);
    let SignedIn { member, session, cookie, .. } = signed_in;
    let add = move |app: &App| passkeys::add(app, &member.user, &session, &cookie, (&name, &answer));
    state.run(Pool::Db, add).await?;
    Ok(see_other(&Done::PasskeyAdded.path())?)
}

pub(crate) async fn rename_passkey(
    State(state): State<AppState>,
    OwnForm { signed_in, form }: OwnForm,
) -> HandlerResult {
    let (number, name) = (number_of(&form.text("passkey", 20)?)?, form.text("name", PASSKEY_NAME_LIMIT)?);
    let SignedIn { member, session, .. } = signed_in;
    state.run(Pool::Db, move |app| passkeys::rename(app, &member.user, &session, number, &name)).await?;
    Ok(see_other(&Done::PasskeyRenamed.path())?)
}

pub(crate) async fn remove_passkey(
    State(state): State<AppState>,
    OwnForm { signed_in, form }: OwnForm,
) -> HandlerResult {
    let number = number_of(&form.text("passkey", 20)?)?;
    let SignedIn { member, session, .. } = signed_in;
    let has_others = state.run(Pool::Db, move |app| passkeys::remove(app, &member.user, &session, number)).await?;
    let done = if has_others { Done::PasskeyRemoved } else { Done::LastPasskeyRemoved };
    Ok(see_other(&done.path())?)
}

/// Shows a secret for the user's app.
pub(crate) async fn begin_codes(State(state): State<AppState>, OwnForm { signed_in, .. }: OwnForm) -> HandlerResult {
    let begin = move |app: &App| {
        let secret = second_factor::begin(app, &signed_in.member.user, &signed_in.session, &signed_in.cookie)?;
        codes_page(app, &signed_in, &secret, StatusCode::OK)
    };
    Ok(state.run(Pool::Db, begin).await?)
}

/// Takes the first code of the user's app.
pub(crate) async fn confirm_codes(
    State(state): State<AppState>,
    Extension(client): Extension<ClientAddress>,
    OwnForm { signed_in, form }: OwnForm,
) -> HandlerResult {
    let code = form.text("code", CODE_LIMIT)?;
    state.charge(Costly::Code, Some(signed_in.member.user.account), client).await?;
    let confirm = move |app: &App| {
        let SignedIn { member, session, cookie, .. } = &signed_in;
        match second_factor::confirm(app, &member.user, session, (cookie, &code))? {
            None => see_other(&Done::SecondFactorSet.path()),
            Some(secret) => codes_page(app, &signed_in, &secret, StatusCode::BAD_REQUEST),
        }
    };
    Ok(state.run(Pool::Db, confirm).await?)
}

pub(crate) async fn remove_codes(
    State(state): State<AppState>,
    Extension(client): Extension<ClientAddress>,
    OwnForm { signed_in, form }: OwnForm,
) -> HandlerResult {
    let code = form.text("code", CODE_LIMIT)?;
    state.charge(Costly::Code, Some(signed_in.member.user.account), client).await?;
    let remove = move |app: &App| second_factor::remove(app, &signed_in.member.user, &signed_in.session, &code);
    if !state.run(Pool::Db, remove).await? {
        return Err(PersonRefusal::CodeWrong.into());
    }
    Ok(see_other(&Done::SecondFactorRemoved.path())?)
}

fn codes_page(app: &App, signed_in: &SignedIn, secret: &Secret, status: StatusCode) -> Result<Response> {
    let (user, language) = (&signed_in.member.user, signed_in.language);
    let shell = Shell::signed_in(app, language.codes_title(), signed_in)?;
    let uri = totp::uri(secret, &shell.site.name, user.email.as_deref().unwrap_or(&user.id));
    let (squares, side) = totp::qr_path(&uri)?;
    let is_wrong = status != StatusCode::OK;
    html(status, &CodesPage { shell, letters: totp::in_letters(secret), uri, squares, side, is_wrong })
}

fn number_of(text: &str) -> Result<i64> {
    text.parse().map_err(|_| {
        Refused::InvalidRequest("The field passkey names no passkey: one of the page's buttons was expected.".into())
            .into()
    })
}
