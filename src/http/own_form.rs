//! A form that our own page has sent: of a session, or, where there is none yet, bound to a cookie of its own.

use axum::body::Body;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::HeaderMap;

use super::cookie;
use super::csrf::check_own_form;
use super::fields::Form;
use super::guard::SignedIn;
use super::problem::Problem;
use super::state::AppState;
use crate::config::Config;
use crate::error::{Refused, Result};

/// A form of a session, with the user who sent it. One that another site's page has sent is refused.
pub(super) struct OwnForm {
    pub signed_in: SignedIn,
    pub form: Form,
}

impl FromRequest<AppState> for OwnForm {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &AppState) -> std::result::Result<OwnForm, Problem> {
        let (mut parts, body) = request.into_parts();
        let signed_in = SignedIn::from_request_parts(&mut parts, state).await?;
        let form = of_session(state.config(), &parts.headers, &signed_in, body).await?;
        Ok(OwnForm { signed_in, form })
    }
}

/// Reads a form of this session.
pub(super) async fn of_session(config: &Config, headers: &HeaderMap, signed_in: &SignedIn, body: Body) -> Result<Form> {
    let form = Form::read(body).await?;
    check_own_form(config, headers, Some(&signed_in.cookie), form.fields())?;
    Ok(form)
}

/// Reads a form without a session, with the cookie that it is bound to.
pub(super) async fn of_visitor(config: &Config, headers: &HeaderMap, body: Body) -> Result<(Form, String)> {
    let form = Form::read(body).await?;
    let form_cookie = cookie::form_of(headers, config);
    check_own_form(config, headers, form_cookie.as_deref(), form.fields())?;
    let form_cookie = form_cookie.ok_or_else(|| Refused::Forbidden("The form's cookie is missing.".into()))?;
    Ok((form, form_cookie))
}
