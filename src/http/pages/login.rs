//! `GET /login`: a link shows whom it signs in, with a button; `POST /login` uses the link up and signs in. Without a link
//! the page says how to get one. Links come from the program that sells the units. `POST /logout` signs out.

use askama::Template;
use axum::body::Body;
use axum::extract::{Extension, RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::Response;

use super::shell::{Person, Shell};
use super::{html, html_with_forms_to, query_field, see_other};
use crate::app::App;
use crate::error::Result;
use crate::http::csrf::{check_csrf, check_sign_in, form_token};
use crate::http::guard::{SignedIn, Visitor};
use crate::http::problem::HandlerResult;
use crate::http::rates::Costly;
use crate::http::request::ClientAddress;
use crate::http::state::{AppState, Pool};
use crate::http::{body, cookie, reader_language};
use crate::id;
use crate::language::Language;
use crate::usecase::users::sign_in;

#[derive(Debug, Template)]
#[template(path = "login.html")]
pub(super) struct LoginPage {
    pub shell: Shell,
    pub state: LoginState,
}

impl LoginPage {
    fn is_confirmation(&self) -> bool {
        matches!(self.state, LoginState::Confirm(_))
    }
}

/// Why somebody sees the sign-in page.
#[derive(Clone, Debug)]
pub(super) enum LoginState {
    /// They are not signed in.
    Ask,
    /// They follow a link, and see whom it signs in before they press the button.
    Confirm(Confirmation),
    /// The link is expired, used, or not one of ours.
    LinkSpent,
    /// They have just signed out.
    SignedOut,
}

/// What the button signs in.
#[derive(Clone, Debug)]
pub(super) struct Confirmation {
    pub person: Person,
    /// The other user who is signed in in this browser, and whose session ends.
    pub replaced: Option<Person>,
    /// The link's secret.
    pub token: String,
    /// Bound to the form's cookie, because there is no session yet.
    pub csrf: String,
}

/// Shows whom a link signs in, or explains. It changes nothing (RFC 9110, section 9.2.1): messengers and mail scanners
/// that look at a link before its owner does must not use it up.
pub(crate) async fn show(
    State(state): State<AppState>,
    method: Method,
    visitor: Visitor,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> HandlerResult {
    let field = |wanted: &str| query_field(query.as_deref(), wanted);
    let Some(token) = field("token").filter(|_| method != Method::HEAD) else {
        let signed_out = field("signed-out").is_some();
        let shell = Shell::anonymous(state.app(), visitor.1.login_title(), visitor.1);
        let state = if signed_out { LoginState::SignedOut } else { LoginState::Ask };
        return Ok(html(StatusCode::OK, &LoginPage { shell, state })?);
    };
    let link = token.clone();
    let Some(owner) = state.run(Pool::Db, move |app| sign_in::owner_of_link(app, &link)).await? else {
        return Ok(link_spent(state.app(), visitor.1)?);
    };
    // Several tabs share the cookie, so that each of their forms can be sent.
    let form_cookie = cookie::form_of(&headers, state.config()).map_or_else(|| id::secret(""), Ok)?;
    let other = visitor.0.as_ref().map(|signed_in| &signed_in.member.user).filter(|user| user.account != owner.account);
    let confirmation = Confirmation {
        person: Person::of(&owner),
        replaced: other.map(Person::of),
        token,
        csrf: form_token(&form_cookie)?,
    };
    let shell = Shell::for_visitor(state.app(), visitor.1.login_title(), &visitor)?;
    // The button leads on to where the app that made the link wants the user to be.
    let origins: Vec<&str> = state.config().return_origins.iter().map(|origin| origin.as_str()).collect();
    let page = LoginPage { shell, state: LoginState::Confirm(confirmation) };
    let mut response = html_with_forms_to(&origins.join(" "), &page)?;
    let headers = response.headers_mut();
    headers.insert(header::SET_COOKIE, cookie::set_form(state.config(), Some(&form_cookie))?);
    // The secret is in the address of this page.
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    Ok(response)
}

/// Uses a link up, ends the session that was open in this browser, and opens one for the link's owner.
pub(crate) async fn sign_in(
    State(state): State<AppState>,
    Extension(client): Extension<ClientAddress>,
    headers: HeaderMap,
    body: Body,
) -> HandlerResult {
    state.charge(Costly::SignIn, None, client)?;
    let fields = body::form(body).await?;
    check_sign_in(state.config(), &headers, cookie::form_of(&headers, state.config()).as_deref(), &fields)?;
    let token = fields.into_iter().find(|(name, _)| name == "token").map(|(_, value)| value).unwrap_or_default();
    let former = cookie::session_of(&headers, state.config());
    let Some(signed_in) = state.run(Pool::Db, move |app| sign_in::redeem(app, &token, former.as_deref())).await? else {
        return Ok(link_spent(state.app(), reader_language::of_browser(&headers, state.config()))?);
    };
    let mut response = see_other(signed_in.return_to.as_deref().unwrap_or("/dashboard"))?;
    let headers = response.headers_mut();
    headers.append(header::SET_COOKIE, cookie::set(state.config(), Some(&signed_in.cookie))?);
    headers.append(header::SET_COOKIE, cookie::set_form(state.config(), None)?);
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
    let headers = response.headers_mut();
    headers.insert(header::SET_COOKIE, cookie::set(state.config(), None)?);
    // Not "cookies": that would also sign them out of the seller's other sites under the same domain.
    headers.insert("clear-site-data", HeaderValue::from_static("\"cache\", \"storage\""));
    Ok(response)
}

fn link_spent(app: &App, language: Language) -> Result<Response> {
    let shell = Shell::anonymous(app, language.login_title(), language);
    html(StatusCode::GONE, &LoginPage { shell, state: LoginState::LinkSpent })
}
