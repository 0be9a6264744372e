//! `GET /login`: a link signs in; without one the page says how to get one. `POST /logout` signs out.

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, Method, StatusCode, header};

use super::super::Rim;
use super::super::body;
use super::super::error::Answer;
use super::super::guard::{SignedIn, check_press, set_cookie};
use super::view::{LoginPage, LoginState};
use super::{html, see_other, shell};
use crate::usecase::users::sign_in;

/// Follows a sign-in link, or explains. `HEAD` is safe (RFC 9110, section 9.2.1): whoever looks at a link before its
/// owner does, as messengers and scanners do, does not use it up.
pub(crate) async fn show(State(rim): State<Rim>, method: Method, RawQuery(query): RawQuery) -> Answer {
    let fields: Vec<(String, String)> =
        form_urlencoded::parse(query.unwrap_or_default().as_bytes()).into_owned().collect();
    let token = fields.iter().find(|(name, _)| name == "token").cloned();
    let Some((_, token)) = token.filter(|_| method != Method::HEAD) else {
        let signed_out = fields.iter().any(|(name, _)| name == "signed-out");
        let state = if signed_out { LoginState::SignedOut } else { LoginState::Ask };
        return Ok(html(StatusCode::OK, &LoginPage { shell: shell("Sign in", None)?, state })?);
    };
    let Some(signed_in) = rim.books(move |app| sign_in::redeem(app, &token)).await? else {
        let page = LoginPage { shell: shell("Sign in", None)?, state: LoginState::LinkSpent };
        return Ok(html(StatusCode::GONE, &page)?);
    };
    let mut response = see_other(signed_in.return_to.as_deref().unwrap_or("/dashboard"))?;
    response.headers_mut().insert(header::SET_COOKIE, set_cookie(&rim.app.config, Some(&signed_in.cookie))?);
    Ok(response)
}

/// Ends the browser's session.
pub(crate) async fn sign_out(State(rim): State<Rim>, signed_in: SignedIn, headers: HeaderMap, body: Body) -> Answer {
    let fields = body::form(body).await?;
    check_press(&rim.app.config, "/logout", &headers, &signed_in.cookie, &fields)?;
    let cookie = signed_in.cookie;
    rim.books(move |app| sign_in::sign_out(app, &cookie)).await?;
    let mut response = see_other("/login?signed-out")?;
    response.headers_mut().insert(header::SET_COOKIE, set_cookie(&rim.app.config, None)?);
    Ok(response)
}
