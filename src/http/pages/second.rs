//! `/login/second`: asks for a second factor. Of somebody whose password was right and whose account wants a code, before
//! their session begins; and of somebody who is signed in and goes on to a page that wants one, such as an operator's.

use askama::Template;
use axum::body::Body;
use axum::extract::{Extension, RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};

use super::login::{entered, form_pair};
use super::shell::Shell;
use super::{html, query_field, see_other, to_sign_in};
use crate::app::App;
use crate::error::Result;
use crate::http::csrf::check_own_form;
use crate::http::fields::Form;
use crate::http::guard::{SignedIn, Visitor};
use crate::http::problem::HandlerResult;
use crate::http::rates::Costly;
use crate::http::request::ClientAddress;
use crate::http::state::{AppState, Pool};
use crate::http::{cookie, reader_language};
use crate::usecase::users::second_factor::{self, CodeEnd};
use crate::usecase::users::steps::AwaitedCode;
use crate::usecase::users::{passkeys, sign_in};

/// Characters of what somebody types as a code.
pub(super) const CODE_LIMIT: usize = 20;

#[derive(Debug, Template)]
#[template(path = "second.html")]
pub(super) struct SecondPage {
    pub shell: Shell,
    pub state: SecondState,
    /// Where it leads on to.
    pub return_to: String,
    /// Bound to the form's cookie.
    pub form_csrf: String,
    /// Whether the code that was typed was wrong.
    pub is_wrong: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SecondState {
    /// The password was right; the code completes the sign-in.
    SignIn,
    /// Of somebody who is signed in: by a code, by a passkey.
    Session { has_code: bool, has_passkey: bool },
}

/// Asks for the second factor. Who has nothing to prove is sent to the sign-in page.
pub(crate) async fn show(
    State(state): State<AppState>,
    visitor: Visitor,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> HandlerResult {
    let return_to = query_field(query.as_deref(), "return_to").and_then(|path| own_path(&path));
    page(&state, &headers, &visitor, return_to, StatusCode::OK).await
}

/// Takes a code.
pub(crate) async fn prove(
    State(state): State<AppState>,
    visitor: Visitor,
    Extension(client): Extension<ClientAddress>,
    headers: HeaderMap,
    body: Body,
) -> HandlerResult {
    let form = Form::read(body).await?;
    let (code, return_to) = (form.text("code", CODE_LIMIT)?, own_path(&form.text("return_to", sign_in::URL_LIMIT)?));
    let is_proved = match form.text("step", 10)?.as_str() {
        "sign_in" => {
            let form_cookie = cookie::form_of(&headers, state.config());
            check_own_form(state.config(), &headers, form_cookie.as_deref(), form.fields())?;
            match complete(&state, &headers, form_cookie.unwrap_or_default(), code, client).await? {
                CodeEnd::SignedIn(session) => return Ok(entered(state.config(), &session, return_to.as_deref())?),
                CodeEnd::Over => return Ok(see_other("/login")?),
                CodeEnd::Wrong => false,
            }
        }
        _ => {
            let signed_in = visitor.signed_in.as_ref();
            let cookie = signed_in.map(|signed_in| signed_in.cookie.as_str());
            check_own_form(state.config(), &headers, cookie, form.fields())?;
            match signed_in {
                Some(signed_in) => prove_in(&state, signed_in, code, client).await?,
                None => false,
            }
        }
    };
    if is_proved {
        return Ok(see_other(return_to.as_deref().unwrap_or("/dashboard"))?);
    }
    page(&state, &headers, &visitor, return_to, StatusCode::UNAUTHORIZED).await
}

/// Completes a sign-in by a password.
async fn complete(
    state: &AppState,
    headers: &HeaderMap,
    form_cookie: String,
    code: String,
    client: ClientAddress,
) -> Result<CodeEnd> {
    let Some(awaited) = awaited(state, &form_cookie).await? else { return Ok(CodeEnd::Over) };
    state.charge(Costly::Code, Some(awaited.account), client).await?;
    let browser = cookie::browser_of(headers, state.config());
    state.run(Pool::Db, move |app| second_factor::sign_in(app, &form_cookie, &code, &browser)).await
}

async fn awaited(state: &AppState, form_cookie: &str) -> Result<Option<AwaitedCode>> {
    let form_cookie = form_cookie.to_owned();
    state.run(Pool::Db, move |app| second_factor::awaited(app, &form_cookie)).await
}

async fn prove_in(state: &AppState, signed_in: &SignedIn, code: String, client: ClientAddress) -> Result<bool> {
    let (user, session) = (signed_in.member.user.clone(), signed_in.session.clone());
    state.charge(Costly::Code, Some(user.account), client).await?;
    state.run(Pool::Db, move |app| second_factor::prove(app, &user, &session, &code)).await
}

/// The page as it stands for this browser.
async fn page(
    state: &AppState,
    headers: &HeaderMap,
    visitor: &Visitor,
    return_to: Option<String>,
    status: StatusCode,
) -> HandlerResult {
    let (form_cookie, form_csrf) = form_pair(state.config(), headers)?;
    let (second, shell) = if awaited(state, &form_cookie).await?.is_some() {
        let language = reader_language::of_browser(headers, state.config());
        (SecondState::SignIn, Shell::anonymous(state.app(), language.second_title(), language))
    } else if let Some(signed_in) = &visitor.signed_in {
        let account = signed_in.member.user.account;
        let has = move |app: &App| {
            let has_passkey = passkeys::are_offered(app) && !passkeys::list(app, account)?.is_empty();
            Ok(SecondState::Session { has_code: second_factor::is_set(app, account)?, has_passkey })
        };
        let shell = Shell::signed_in(state.app(), signed_in.language.second_title(), signed_in)?;
        (state.run(Pool::Db, has).await?, shell)
    } else {
        return to_sign_in(headers);
    };
    let is_wrong = status != StatusCode::OK;
    let return_to = return_to.unwrap_or_default();
    let mut response = html(status, &SecondPage { shell, state: second, return_to, form_csrf, is_wrong })?;
    response.headers_mut().insert(header::SET_COOKIE, cookie::set_form(state.config(), Some(&form_cookie))?);
    Ok(response)
}

/// A path of ours, to which a form may lead on.
pub(super) fn own_path(path: &str) -> Option<String> {
    let is_plain =
        path.len() <= sign_in::URL_LIMIT && path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    (path.starts_with('/') && !path.starts_with("//") && is_plain).then(|| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::own_path;

    #[test]
    fn a_form_leads_on_to_our_own_pages_alone() {
        for good in ["/admin", "/admin?user=a%20b", "/"] {
            assert_eq!(own_path(good).as_deref(), Some(good));
        }
        for bad in ["", "admin", "//evil.example", "/\\evil.example", "https://evil.example", "/a\r\nb", "/ä", "/a b"]
        {
            assert_eq!(own_path(bad), None, "{bad:?}");
        }
    }
}
