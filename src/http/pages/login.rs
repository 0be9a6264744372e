//! `GET /login`: a link signs in; without one the page says how to get one. There is no form, because links come from
//! the program that sells the units. `POST /logout` signs out.

use askama::Template;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, Method, StatusCode, header};

use super::shell::Shell;
use super::{html, see_other};
use crate::http::csrf::check_csrf;
use crate::http::guard::SignedIn;
use crate::http::problem::HandlerResult;
use crate::http::state::{AppState, Pool};
use crate::http::{body, cookie};
use crate::usecase::users::sign_in;

#[derive(Debug, Template)]
#[template(path = "login.html")]
pub(super) struct LoginPage {
    pub shell: Shell,
    pub state: LoginState,
}

/// Why somebody sees the sign-in page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LoginState {
    /// They are not signed in.
    Ask,
    /// The link is expired, used, or not one of ours.
    LinkSpent,
    /// They have just signed out.
    SignedOut,
}

/// Follows a sign-in link, or explains. `HEAD` is safe (RFC 9110, section 9.2.1): messengers and scanners that look at a
/// link before its owner does must not use it up.
pub(crate) async fn show(State(state): State<AppState>, method: Method, RawQuery(query): RawQuery) -> HandlerResult {
    let fields: Vec<(String, String)> =
        form_urlencoded::parse(query.unwrap_or_default().as_bytes()).into_owned().collect();
    let token = fields.iter().find(|(name, _)| name == "token").cloned();
    let Some((_, token)) = token.filter(|_| method != Method::HEAD) else {
        let signed_out = fields.iter().any(|(name, _)| name == "signed-out");
        let state = if signed_out { LoginState::SignedOut } else { LoginState::Ask };
        return Ok(html(StatusCode::OK, &LoginPage { shell: Shell::anonymous("Sign in"), state })?);
    };
    let Some(signed_in) = state.run(Pool::Db, move |app| sign_in::redeem(app, &token)).await? else {
        let page = LoginPage { shell: Shell::anonymous("Sign in"), state: LoginState::LinkSpent };
        return Ok(html(StatusCode::GONE, &page)?);
    };
    let mut response = see_other(signed_in.return_to.as_deref().unwrap_or("/dashboard"))?;
    response.headers_mut().insert(header::SET_COOKIE, cookie::set(state.config(), Some(&signed_in.cookie))?);
    Ok(response)
}

pub(crate) async fn sign_out(
    State(state): State<AppState>,
    signed_in: SignedIn,
    headers: HeaderMap,
    body: Body,
) -> HandlerResult {
    let fields = body::form(body).await?;
    check_csrf(state.config(), &headers, &signed_in.cookie, &fields)?;
    let cookie = signed_in.cookie;
    state.run(Pool::Db, move |app| sign_in::sign_out(app, &cookie)).await?;
    let mut response = see_other("/login?signed-out")?;
    response.headers_mut().insert(header::SET_COOKIE, cookie::set(state.config(), None)?);
    Ok(response)
}
