//! `GET /login`: a link shows whom it signs in, with a button; `POST /login` uses the link up and signs in. Without a link
//! the page has the forms of the ways that there are, and says how to get a link, which comes from the program that sells the
//! units. `POST /login/password` signs in by a password, `POST /logout` signs out, and `GET /logout` shows its button.

use askama::Template;
use axum::body::Body;
use axum::extract::{Extension, RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::Response;

use super::shell::{Person, Shell};
use super::{html, html_with_forms_to, query_field, see_other, to_sign_in};
use crate::app::App;
use crate::config::{Config, Signup};
use crate::email::{EMAIL_LIMIT, Email};
use crate::error::Result;
use crate::http::audience::prefers_json;
use crate::http::csrf::{check_csrf, form_token};
use crate::http::guard::{Visitor, not_signed_in};
use crate::http::problem::{HandlerResult, Problem};
use crate::http::proxy_user::ProxyUser;
use crate::http::rates::Costly;
use crate::http::request::ClientAddress;
use crate::http::state::{AppState, Pool};
use crate::http::{body, cookie, own_form, reader_language};
use crate::id;
use crate::language::Language;
use crate::usecase::mail;
use crate::usecase::users::password::{self, PasswordEnd};
use crate::usecase::users::{admission, oidc, passkeys, sign_in};

/// Characters of a secret in a link.
pub(super) const SECRET_LIMIT: usize = 100;

#[derive(Debug, Template)]
#[template(path = "login.html")]
pub(super) struct LoginPage {
    pub shell: Shell,
    pub state: LoginState,
}

impl LoginPage {
    /// Whether the page says how to get a link from the app: where no letters are sent it is the only way for somebody who
    /// has no password yet, whatever others have.
    fn has_steps(&self) -> bool {
        match &self.state {
            LoginState::Ask(forms) | LoginState::SignedOut(forms) => !forms.has_mail,
            LoginState::Confirm(_) | LoginState::Erased | LoginState::SignOut(_) => false,
            LoginState::LinkSpent => true,
        }
    }

    /// Whether the steps stand below another way to sign in.
    fn has_steps_besides(&self) -> bool {
        match &self.state {
            LoginState::Ask(forms) | LoginState::SignedOut(forms) => self.has_steps() && forms.has_any(),
            _ => false,
        }
    }
}

/// Why somebody sees the sign-in page.
#[derive(Clone, Debug)]
pub(super) enum LoginState {
    /// They are not signed in.
    Ask(SignInForms),
    /// They follow a link, and see whom it signs in before they press the button.
    Confirm(Confirmation),
    /// The link is expired, used, or not one of ours.
    LinkSpent,
    /// They are signed in, and may sign out.
    SignOut(Person),
    /// They have just signed out.
    SignedOut(SignInForms),
    /// Their account was erased just now.
    Erased,
}

/// The ways to sign in that the page offers.
#[derive(Clone, Debug, Default)]
pub(super) struct SignInForms {
    /// Bound to the form's cookie.
    pub csrf: String,
    /// By a letter with a link.
    pub has_mail: bool,
    /// By an address, or the account's id, and a password.
    pub has_password: bool,
    /// What people call the provider of OpenID Connect.
    pub provider: Option<String>,
    /// Whether the visitor may make an account.
    pub has_sign_up: bool,
    /// What was typed, after an attempt that failed.
    pub typed: String,
    /// Whether an attempt failed.
    pub is_wrong: bool,
    /// By a passkey, where somebody has one.
    pub has_passkey: bool,
    /// Whether an attempt by a passkey failed.
    pub is_passkey_wrong: bool,
    /// Whether a proxy in front names the visitor, so that going on signs them in again.
    pub is_named: bool,
}

impl SignInForms {
    /// Whether there is any.
    fn has_any(&self) -> bool {
        self.has_mail || self.has_password || self.provider.is_some()
    }

    /// Whether accounts can have an address that is verified, by which a password is asked for.
    fn takes_addresses(&self) -> bool {
        self.has_mail || self.provider.is_some()
    }
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
    proxy_user: Option<Extension<ProxyUser>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> HandlerResult {
    let field = |wanted: &str| query_field(query.as_deref(), wanted);
    let Some(token) = field("token").filter(|_| method != Method::HEAD) else {
        if field("erased").is_some() {
            let shell = Shell::anonymous(state.app(), visitor.language.login_erased_title(), visitor.language);
            return Ok(html(StatusCode::OK, &LoginPage { shell, state: LoginState::Erased })?);
        }
        let page = match field("signed-out") {
            Some(_) => LoginState::SignedOut,
            None => LoginState::Ask,
        };
        let forms = SignInForms { is_named: proxy_user.is_some(), ..SignInForms::default() };
        return with_forms(&state, &headers, StatusCode::OK, forms, page).await;
    };
    let link = token.clone();
    let Some(owner) = state.run(Pool::Db, move |app| sign_in::owner_of_link(app, &link)).await? else {
        return link_spent(state.app(), &headers, visitor.language);
    };
    let (form_cookie, csrf) = form_pair(state.config(), &headers)?;
    let other =
        visitor.signed_in.as_ref().map(|signed_in| &signed_in.member.user).filter(|user| user.account != owner.account);
    let confirmation = Confirmation { person: Person::of(&owner), replaced: other.map(Person::of), token, csrf };
    let shell = Shell::for_visitor(state.app(), visitor.language.login_title(), &visitor)?;
    // The button leads on to where the app that made the link wants the user to be.
    let origins: Vec<&str> = state.config().return_origins.iter().map(|origin| origin.as_str()).collect();
    let page = LoginPage { shell, state: LoginState::Confirm(confirmation) };
    let mut response = html_with_forms_to(&origins.join(" "), &page)?;
    let headers = response.headers_mut();
    headers.insert(header::SET_COOKIE, cookie::set_form(state.config(), Some(&form_cookie))?);
    Ok(without_referrer(response))
}

/// Uses a link up, ends the session that was open in this browser, and opens one for the link's owner.
pub(crate) async fn sign_in(
    State(state): State<AppState>,
    Extension(client): Extension<ClientAddress>,
    headers: HeaderMap,
    body: Body,
) -> HandlerResult {
    state.charge(Costly::SignIn, None, client).await?;
    let (form, _) = own_form::of_visitor(state.config(), &headers, body).await?;
    let token = form.text("token", SECRET_LIMIT)?;
    let browser = cookie::browser_of(&headers, state.config());
    let Some(signed_in) = state.run(Pool::Db, move |app| sign_in::redeem(app, &token, &browser)).await? else {
        return link_spent(state.app(), &headers, reader_language::of_browser(&headers, state.config()));
    };
    Ok(entered(state.config(), &signed_in.cookie, signed_in.return_to.as_deref())?)
}

/// Signs in by an address, or a user's id, and a password.
pub(crate) async fn by_password(
    State(state): State<AppState>,
    Extension(client): Extension<ClientAddress>,
    headers: HeaderMap,
    body: Body,
) -> HandlerResult {
    let (form, form_cookie) = own_form::of_visitor(state.config(), &headers, body).await?;
    let (name, typed_password) = (form.text("address", EMAIL_LIMIT)?, form.password("password")?);
    charge_password(&state, &name, client).await?;
    let (browser, typed) = (cookie::browser_of(&headers, state.config()), name.clone());
    let signed_in = move |app: &App| password::sign_in(app, (&name, &typed_password), &form_cookie, &browser);
    match state.run(Pool::Passwords, signed_in).await? {
        Some(PasswordEnd::SignedIn(session)) => Ok(entered(state.config(), &session, None)?),
        Some(PasswordEnd::CodeAwaited) => Ok(see_other("/login/second")?),
        None => {
            let forms = SignInForms { typed, is_wrong: true, ..SignInForms::default() };
            with_forms(&state, &headers, StatusCode::UNAUTHORIZED, forms, LoginState::Ask).await
        }
    }
}

/// Charges a try to whom it is about: the account, however it is named, or else the name that was typed.
async fn charge_password(state: &AppState, name: &str, client: ClientAddress) -> Result<()> {
    let typed = name.to_owned();
    match state.run(Pool::Db, move |app| password::account_named(app, &typed)).await? {
        Some(account) => state.charge(Costly::Password, Some(account), client).await,
        None => {
            let email = Email::parse(name);
            let name = email.as_ref().map_or(name, Email::canonical);
            state.charge_name(Costly::Password, name, client).await
        }
    }
}

/// The way on for a browser that is signed in now: its session's cookie, and no form's any more.
pub(super) fn entered(config: &Config, session: &str, return_to: Option<&str>) -> Result<Response> {
    let mut response = see_other(return_to.unwrap_or("/dashboard"))?;
    let headers = response.headers_mut();
    headers.append(header::SET_COOKIE, cookie::set(config, Some(session))?);
    headers.append(header::SET_COOKIE, cookie::set_form(config, None)?);
    Ok(response)
}

/// The page with the ways to sign in that there are.
pub(super) async fn with_forms(
    state: &AppState,
    headers: &HeaderMap,
    status: StatusCode,
    forms: SignInForms,
    page: impl FnOnce(SignInForms) -> LoginState,
) -> HandlerResult {
    let (form_cookie, csrf) = form_pair(state.config(), headers)?;
    let app = state.app();
    let in_use = |app: &App| Ok((password::is_in_use(app)?, passkeys::are_in_use(app)?));
    let (has_password, has_passkey) = state.run(Pool::Db, in_use).await?;
    let forms = SignInForms {
        csrf,
        has_mail: mail::is_configured(app),
        has_password,
        has_passkey,
        provider: oidc::provider_name(app).map(str::to_owned),
        has_sign_up: admission::signup(app) == Signup::Open,
        ..forms
    };
    let has_any = forms.has_any() || forms.has_passkey;
    let language = reader_language::of_browser(headers, state.config());
    let shell = Shell::anonymous(state.app(), language.login_title(), language);
    let mut response = html(status, &LoginPage { shell, state: page(forms) })?;
    if has_any {
        response.headers_mut().insert(header::SET_COOKIE, cookie::set_form(state.config(), Some(&form_cookie))?);
    }
    Ok(response)
}

/// The cookie that a form without a session is bound to, and the form's token. Several tabs share the cookie, so that each of
/// their forms can be sent.
pub(super) fn form_pair(config: &Config, headers: &HeaderMap) -> Result<(String, String)> {
    let form_cookie = cookie::form_of(headers, config).map_or_else(|| id::secret(""), Ok)?;
    let csrf = form_token(&form_cookie)?;
    Ok((form_cookie, csrf))
}

/// The address of a form of the page, opened like a page.
pub(crate) async fn reopened() -> HandlerResult {
    Ok(see_other("/login")?)
}

/// Shows the button that signs out: looking at it changes nothing.
pub(crate) async fn show_sign_out(
    State(state): State<AppState>,
    visitor: Visitor,
    headers: HeaderMap,
) -> HandlerResult {
    let Some(signed_in) = &visitor.signed_in else { return to_sign_in(&headers) };
    let shell = Shell::signed_in(state.app(), visitor.language.login_sign_out_title(), signed_in)?;
    let state = LoginState::SignOut(Person::of(&signed_in.member.user));
    Ok(html(StatusCode::OK, &LoginPage { shell, state })?)
}

/// Signs out. In a tab whose session has ended already there is nothing left to do. No cookie is taken
/// away then, because another site's page may have sent it without the cookie that there is.
pub(crate) async fn sign_out(
    State(state): State<AppState>,
    visitor: Visitor,
    headers: HeaderMap,
    body: Body,
) -> HandlerResult {
    let Some(signed_in) = visitor.signed_in else {
        if prefers_json(&headers) {
            return Err(not_signed_in());
        }
        return Ok(see_other("/login?signed-out")?);
    };
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

/// A page with a secret in its address, also one that is spent: no link on it says where the browser came from.
pub(super) fn without_referrer(mut page: Response) -> Response {
    page.headers_mut().insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    page
}

fn link_spent(app: &App, headers: &HeaderMap, language: Language) -> HandlerResult {
    if prefers_json(headers) {
        return Err(Problem::link_spent());
    }
    let shell = Shell::anonymous(app, language.login_title(), language);
    Ok(without_referrer(html(StatusCode::GONE, &LoginPage { shell, state: LoginState::LinkSpent })?))
}
