//! `POST /language`: the switch at the foot of each page. The choice is kept in this browser, and with the account of a user
//! who is signed in, so that mails are in the same language.

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, header};

use super::see_other;
use crate::config::Config;
use crate::error::Refused;
use crate::http::body;
use crate::http::cookie;
use crate::http::csrf::{check_csrf, check_origin};
use crate::http::guard::Visitor;
use crate::http::problem::HandlerResult;
use crate::http::state::{AppState, Pool};
use crate::language::Language;
use crate::usecase::users;

pub(crate) async fn choose(
    State(state): State<AppState>,
    visitor: Visitor,
    headers: HeaderMap,
    body: Body,
) -> HandlerResult {
    let fields = body::form(body).await?;
    match &visitor.signed_in {
        Some(signed_in) => check_csrf(state.config(), &headers, &signed_in.cookie, &fields)?,
        // A visitor has no session whose token the form could carry, and nothing that another site could change for the worse.
        None => check_origin(state.config(), &headers)?,
    }
    let wanted = fields.iter().find(|(name, _)| name == "language").map(|(_, tag)| tag.as_str()).unwrap_or_default();
    let language = Language::of_tag(wanted).ok_or_else(|| {
        let known: Vec<&str> = Language::ALL.into_iter().map(Language::tag).collect();
        Refused::InvalidRequest(format!("language is {wanted:?}: one of {} was expected.", known.join(", ")))
    })?;
    if let Some(signed_in) = visitor.signed_in.filter(|signed_in| signed_in.member.user.locale != Some(language)) {
        let user = signed_in.member.user;
        state.run(Pool::Db, move |app| users::set_locale(app, &user, language)).await?;
    }
    let mut response = see_other(&page_before(&headers, state.config()))?;
    response.headers_mut().insert(header::SET_COOKIE, cookie::set_language(state.config(), language.tag())?);
    Ok(response)
}

/// The page of ours on which the switch was pressed, if the browser names it.
fn page_before(headers: &HeaderMap, config: &Config) -> String {
    let referrer = headers.get(header::REFERER).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let rest = referrer.strip_prefix(config.base_url.as_str()).filter(|rest| rest.starts_with('/'));
    // Two slashes would name another host.
    rest.filter(|path| !path.starts_with("//") && !path.contains('\\')).unwrap_or("/").to_owned()
}
