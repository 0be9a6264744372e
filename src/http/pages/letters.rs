//! The forms that ask for a letter (`/login/mail`, `/reset`, `/signup`), and the page to which the link in it leads
//! (`/confirm`). Looking at that page changes nothing: scanners of mail open links before people do.

use askama::Template;
use axum::body::Body;
use axum::extract::{Extension, RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::Response;

use super::login::{SECRET_LIMIT, entered, form_pair, without_referrer};
use super::shell::{Person, Shell};
use super::{html, query_field, see_other};
use crate::app::App;
use crate::config::Signup;
use crate::email::{EMAIL_LIMIT, Email};
use crate::error::Result;
use crate::http::audience::prefers_json;
use crate::http::fields::Form;
use crate::http::guard::Visitor;
use crate::http::problem::{HandlerResult, Problem};
use crate::http::rates::Costly;
use crate::http::request::ClientAddress;
use crate::http::state::{AppState, Pool};
use crate::http::{cookie, own_form, reader_language};
use crate::id;
use crate::language::Language;
use crate::language::refusal::PersonRefusal;
use crate::store::codes::CodePurpose;
use crate::usecase::mail;
use crate::usecase::users::admission;
use crate::usecase::users::codes::{self, Asking, CODE_MINUTES, CodeView};
use crate::usecase::users::confirm;
use crate::usecase::users::oidc;
use crate::usecase::users::password::{self, PASSWORD_LEAST, PASSWORD_MOST};

#[derive(Debug, Template)]
#[template(path = "letters.html")]
pub(super) struct LettersPage {
    pub shell: Shell,
    pub state: LettersState,
    /// Bound to the form's cookie; empty where there is no form.
    pub csrf: String,
}

/// How far it has come.
#[derive(Clone, Debug)]
pub(super) enum LettersState {
    SignUp {
        invite: String,
        /// What is given to begin with, such as `5 pictures`.
        welcome: Option<String>,
        /// Whether a letter can be asked for.
        has_mail: bool,
        /// What people call the provider of OpenID Connect.
        provider: Option<String>,
    },
    /// Accounts are made in the app alone.
    SignUpClosed,
    SignUpByInvitation,
    InviteSpent,
    Reset,
    /// A letter is on its way, or there is nobody whom it could be for: that is not said.
    Asked {
        /// The page with the form.
        form: String,
    },
    Confirm {
        code: String,
        person: Option<Person>,
        /// The other user who is signed in in this browser.
        replaced: Option<Person>,
        purpose: CodePurpose,
        address: String,
        is_same_browser: bool,
        has_password: bool,
    },
    /// An address is confirmed in a browser in which its owner is signed in.
    SignInFirst {
        person: Person,
    },
    CodeSpent,
}

impl LettersPage {
    fn minutes(&self) -> i64 {
        CODE_MINUTES
    }

    fn password_least(&self) -> usize {
        PASSWORD_LEAST
    }

    fn password_most(&self) -> usize {
        PASSWORD_MOST
    }
}

/// The page with a form, whose token is bound to a cookie of its own.
fn with_form(state: &AppState, headers: &HeaderMap, shell: Shell, page: LettersState) -> Result<Response> {
    let (form_cookie, csrf) = form_pair(state.config(), headers)?;
    let mut response = html(StatusCode::OK, &LettersPage { shell, state: page, csrf })?;
    response.headers_mut().insert(header::SET_COOKIE, cookie::set_form(state.config(), Some(&form_cookie))?);
    // There may be a secret in the address of this page.
    response.headers_mut().insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    Ok(response)
}

fn plain(app: &App, status: StatusCode, title: &str, language: Language, state: LettersState) -> Result<Response> {
    html(status, &LettersPage { shell: Shell::anonymous(app, title, language), state, csrf: String::new() })
}

/// `GET /signup`, by an invitation or without.
pub(crate) async fn show_sign_up(
    State(state): State<AppState>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> HandlerResult {
    let invite =
        query_field(query.as_deref(), "invite").filter(|invite| invite.len() <= SECRET_LIMIT).unwrap_or_default();
    let (app, language) = (state.app(), reader_language::of_browser(&headers, state.config()));
    let (signup, provider) = (admission::signup_by_any(app), oidc::provider_name(app).map(str::to_owned));
    let asked = invite.clone();
    let is_invited = !invite.is_empty() && state.run(Pool::Db, move |app| admission::is_invited(app, &asked)).await?;
    let (status, page) = match signup {
        Signup::Closed => (StatusCode::OK, LettersState::SignUpClosed),
        Signup::Invite if invite.is_empty() => (StatusCode::OK, LettersState::SignUpByInvitation),
        Signup::Invite if !is_invited && prefers_json(&headers) => return Err(Problem::link_spent()),
        Signup::Invite if !is_invited => (StatusCode::GONE, LettersState::InviteSpent),
        Signup::Open | Signup::Invite => {
            let units = app.catalog.selling.welcome_units;
            let welcome = (units > 0).then(|| app.catalog.unit.count(units, language));
            let shell = Shell::anonymous(app, language.letters_sign_up_title(), language);
            let page = LettersState::SignUp { invite, welcome, has_mail: mail::is_configured(app), provider };
            return Ok(with_form(&state, &headers, shell, page)?);
        }
    };
    Ok(plain(app, status, language.letters_sign_up_title(), language, page)?)
}

/// `GET /reset`.
pub(crate) async fn show_reset(State(state): State<AppState>, headers: HeaderMap) -> HandlerResult {
    require_mail(state.app())?;
    let language = reader_language::of_browser(&headers, state.config());
    let shell = Shell::anonymous(state.app(), language.letters_reset_short(), language);
    Ok(with_form(&state, &headers, shell, LettersState::Reset)?)
}

fn require_mail(app: &App) -> Result<()> {
    if mail::is_configured(app) {
        return Ok(());
    }
    Err(PersonRefusal::NoLetters.into())
}

/// The address in a form. Each address and each client may ask for few letters.
async fn asked(state: &AppState, form: &Form, client: ClientAddress) -> Result<Email> {
    let typed = form.text("address", EMAIL_LIMIT)?;
    let email = Email::parse(&typed).ok_or(PersonRefusal::NoAddress)?;
    state.charge_name(Costly::Letter, email.canonical(), client).await?;
    Ok(email)
}

/// The same answer for every address. The browser is known again when the link in the letter is opened in it.
async fn ask(
    state: &AppState,
    headers: &HeaderMap,
    (email, form): (Email, String),
    pool: Pool,
    asking: Preparation,
) -> HandlerResult {
    let (mark, language) = (id::secret("")?, reader_language::of_browser(headers, state.config()));
    let known_by = mark.clone();
    let work = move |app: &App| {
        let asking = asking(app)?;
        codes::ask(app, &email, asking, (&known_by, language))
    };
    state.run(pool, work).await?;
    let title = language.letters_asked_title();
    let mut response = plain(state.app(), StatusCode::OK, title, language, LettersState::Asked { form })?;
    let headers = response.headers_mut();
    headers.append(header::SET_COOKIE, cookie::set_mark(state.config(), Some(&mark))?);
    headers.append(header::SET_COOKIE, cookie::set_form(state.config(), None)?);
    Ok(response)
}

type Preparation = Box<dyn FnOnce(&App) -> Result<Asking> + Send>;

/// `POST /login/mail`.
pub(crate) async fn ask_sign_in(
    State(state): State<AppState>,
    Extension(client): Extension<ClientAddress>,
    headers: HeaderMap,
    body: Body,
) -> HandlerResult {
    let (form, _) = own_form::of_visitor(state.config(), &headers, body).await?;
    let email = asked(&state, &form, client).await?;
    ask(&state, &headers, (email, "/login".to_owned()), Pool::Db, Box::new(|_| Ok(Asking::SignIn))).await
}

/// `POST /reset`.
pub(crate) async fn ask_reset(
    State(state): State<AppState>,
    Extension(client): Extension<ClientAddress>,
    headers: HeaderMap,
    body: Body,
) -> HandlerResult {
    let (form, _) = own_form::of_visitor(state.config(), &headers, body).await?;
    let email = asked(&state, &form, client).await?;
    ask(&state, &headers, (email, "/reset".to_owned()), Pool::Db, Box::new(|_| Ok(Asking::Reset))).await
}

/// `POST /signup`: nothing is made before the link in the letter is followed. A password may be chosen already.
pub(crate) async fn ask_sign_up(
    State(state): State<AppState>,
    Extension(client): Extension<ClientAddress>,
    headers: HeaderMap,
    body: Body,
) -> HandlerResult {
    let (form, _) = own_form::of_visitor(state.config(), &headers, body).await?;
    let (chosen, invite) = (form.password("password")?, form.text("invite", SECRET_LIMIT)?);
    let invite = Some(invite).filter(|invite| !invite.is_empty());
    let email = asked(&state, &form, client).await?;
    let own = email.canonical().to_owned();
    let form_page = match &invite {
        Some(invite) => form_urlencoded::Serializer::new("/signup?".to_owned()).append_pair("invite", invite).finish(),
        None => "/signup".to_owned(),
    };
    let pool = if chosen.is_empty() { Pool::Db } else { Pool::Passwords };
    let prepare = move |app: &App| {
        let password = match chosen.is_empty() {
            true => None,
            false => {
                password::check(app, &chosen, &[&own])?;
                Some(password::hash(&chosen)?)
            }
        };
        Ok(Asking::SignUp { password, invite })
    };
    ask(&state, &headers, (email, form_page), pool, Box::new(prepare)).await
}

/// `GET /confirm`: what the link in a letter is for, with a button.
pub(crate) async fn show_code(
    State(state): State<AppState>,
    method: Method,
    visitor: Visitor,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> HandlerResult {
    let code = query_field(query.as_deref(), "code").filter(|code| code.len() <= SECRET_LIMIT);
    let language = visitor.language;
    let Some(code) = code else { return spent(state.app(), &headers, language) };
    if method == Method::HEAD {
        let title = language.letters_title();
        return Ok(plain(state.app(), StatusCode::OK, title, language, LettersState::CodeSpent)?);
    }
    let browser = cookie::browser_of(&headers, state.config());
    let asked = code.clone();
    let Some(view) = state.run(Pool::Db, move |app| codes::look(app, &asked, &browser)).await? else {
        return spent(state.app(), &headers, language);
    };
    let page = confirmation(code, view, &visitor);
    Ok(with_form(&state, &headers, Shell::for_visitor(state.app(), language.letters_title(), &visitor)?, page)?)
}

fn confirmation(code: String, view: CodeView, visitor: &Visitor) -> LettersState {
    let CodeView { purpose, user, address, is_same_browser, has_password } = view;
    let here = visitor.signed_in.as_ref().map(|signed_in| &signed_in.member.user);
    let owner = user.as_ref().map(|user| user.account);
    if let (CodePurpose::Address, Some(user)) = (purpose, &user)
        && here.map(|here| here.account) != owner
    {
        return LettersState::SignInFirst { person: Person::of(user) };
    }
    let replaced = here.filter(|here| Some(here.account) != owner).map(Person::of);
    let person = user.as_ref().map(Person::of);
    LettersState::Confirm { code, person, replaced, purpose, address, is_same_browser, has_password }
}

/// `POST /confirm`: uses the code up.
pub(crate) async fn confirm(
    State(state): State<AppState>,
    visitor: Visitor,
    Extension(client): Extension<ClientAddress>,
    headers: HeaderMap,
    body: Body,
) -> HandlerResult {
    state.charge(Costly::SignIn, None, client).await?;
    let (form, _) = own_form::of_visitor(state.config(), &headers, body).await?;
    let (code, new_password) = (form.text("code", SECRET_LIMIT)?, form.password("password")?);
    let browser = cookie::browser_of(&headers, state.config());
    let (language, signed_in) = (visitor.language, visitor.signed_in.map(|signed_in| signed_in.member.user.account));
    let pool = if new_password.is_empty() { Pool::Db } else { Pool::Passwords };
    let confirmed = move |app: &App| confirm::confirm(app, &code, (&browser, language), &new_password, signed_in);
    let Some(confirmed) = state.run(pool, confirmed).await? else { return spent(state.app(), &headers, language) };
    let next = match confirmed.purpose {
        CodePurpose::SignIn | CodePurpose::SignUp => "/dashboard",
        CodePurpose::Reset => "/account?done=password",
        CodePurpose::Address => "/account?done=address",
    };
    let mut response = match &confirmed.cookie {
        Some(session) => entered(state.config(), session, Some(next))?,
        None => see_other(next)?,
    };
    response.headers_mut().append(header::SET_COOKIE, cookie::set_mark(state.config(), None)?);
    Ok(response)
}

fn spent(app: &App, headers: &HeaderMap, language: Language) -> HandlerResult {
    if prefers_json(headers) {
        return Err(Problem::link_spent());
    }
    let page = plain(app, StatusCode::GONE, language.letters_title(), language, LettersState::CodeSpent)?;
    Ok(without_referrer(page))
}
