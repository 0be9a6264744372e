//! Signing in by a passkey. `POST /login/passkey/begin` says, to the script of the page with the button, what the browser's
//! authenticator is asked; `POST /login/passkey` is the form with its answer. The page is `login`'s, or the one that asks for
//! a second factor.

use axum::body::Body;
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::login::{LoginState, SignInForms, entered, with_forms};
use super::second::own_path;
use crate::app::App;
use crate::http::problem::HandlerResult;
use crate::http::rates::Costly;
use crate::http::request::ClientAddress;
use crate::http::state::{AppState, Pool};
use crate::http::{cookie, own_form};
use crate::passkey::ANSWER_LIMIT;
use crate::usecase::users::passkeys;

/// Says what the authenticator is asked.
pub(crate) async fn begin(
    State(state): State<AppState>,
    Extension(client): Extension<ClientAddress>,
    headers: HeaderMap,
    body: Body,
) -> HandlerResult {
    let (_, form_cookie) = own_form::of_visitor(state.config(), &headers, body).await?;
    state.charge(Costly::SignIn, None, client).await?;
    Ok(asked(state.run(Pool::Db, move |app| passkeys::begin_sign_in(app, &form_cookie)).await?))
}

/// Signs in whose authenticator has answered.
pub(crate) async fn sign_in(
    State(state): State<AppState>,
    Extension(client): Extension<ClientAddress>,
    headers: HeaderMap,
    body: Body,
) -> HandlerResult {
    let (form, form_cookie) = own_form::of_visitor(state.config(), &headers, body).await?;
    state.charge(Costly::SignIn, None, client).await?;
    let answer = form.text("answer", ANSWER_LIMIT)?;
    let return_to = own_path(&form.text("return_to", ANSWER_LIMIT)?);
    let browser = cookie::browser_of(&headers, state.config());
    let signed_in = move |app: &App| passkeys::sign_in(app, &form_cookie, &answer, &browser);
    match state.run(Pool::Db, signed_in).await? {
        Some(session) => Ok(entered(state.config(), &session, return_to.as_deref())?),
        None => {
            let forms = SignInForms { is_passkey_wrong: true, ..SignInForms::default() };
            with_forms(&state, &headers, StatusCode::UNAUTHORIZED, forms, LoginState::Ask).await
        }
    }
}

/// What an authenticator is asked, for the script of the page.
pub(super) fn asked(json: String) -> Response {
    ([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], json).into_response()
}
