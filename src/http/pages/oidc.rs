//! Sign-in by OpenID Connect. `GET /login/oidc` sends the browser to the provider, with a cookie by which it is known again;
//! nothing is stored. `GET /login/oidc/callback` is where the provider sends it back to: the one address that signs in without
//! a press here, because the person pressed at the provider, in this browser, within the last ten minutes. To connect the
//! provider with an account, it shows who came, and a button.

use askama::Template;
use axum::extract::{Extension, RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::Response;

use super::login::entered;
use super::shell::Shell;
use super::{html, query_field, see_other};
use crate::app::App;
use crate::error::Result;
use crate::http::cookie;
use crate::http::guard::Visitor;
use crate::http::problem::HandlerResult;
use crate::http::rates::Costly;
use crate::http::request::ClientAddress;
use crate::http::state::{AppState, Pool};
use crate::language::refusal::PersonRefusal;
use crate::oidc::Claims;
use crate::oidc::attempt::{ATTEMPT_SECONDS, Attempt, Purpose};
use crate::usecase::users::oidc::{self, ProviderAnswer, SignInEnd, SignInFailure};
use crate::usecase::users::second_factor;

/// Of a code, in bytes.
const CODE_LIMIT: usize = 4096;

#[derive(Debug, Template)]
#[template(path = "oidc.html")]
pub(super) struct OidcPage {
    pub shell: Shell,
    /// What people call the provider.
    pub provider: String,
    pub state: OidcState,
}

#[derive(Clone, Debug)]
pub(super) enum OidcState {
    Failed(SignInFailure),
    /// A press connects this person there with the account.
    Offer(String),
}

impl OidcPage {
    fn minutes(&self) -> i64 {
        ATTEMPT_SECONDS / 60
    }
}

/// Sends the browser to the provider. With `connect`, for the account that is signed in; with `invite`, by an invitation.
/// Another site that sends a browser here brings it to the page with the button.
pub(crate) async fn begin(
    State(state): State<AppState>,
    visitor: Visitor,
    method: Method,
    Extension(client): Extension<ClientAddress>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> HandlerResult {
    let site = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
    let is_elsewhere = site.is_some_and(|site| site != b"same-origin" && site != b"none");
    if oidc::provider_name(state.app()).is_some() && (is_elsewhere || method == Method::HEAD) {
        return Ok(see_other("/login")?);
    }
    state.charge(Costly::SignIn, None, client).await?;
    let query = query.as_deref();
    let purpose = match (query_field(query, "connect"), query_field(query, "invite")) {
        (Some(_), _) => {
            let Some(signed_in) = &visitor.signed_in else { return Ok(see_other("/login")?) };
            let session = signed_in.session.clone();
            state.run(Pool::Db, move |app| second_factor::require_fresh_proof(app, &session)).await?;
            Purpose::Connect(signed_in.member.user.account)
        }
        (None, Some(invite)) => Purpose::Invite(invite),
        (None, None) => Purpose::SignIn,
    };
    match state.run(Pool::Provider, move |app| oidc::begin(app, purpose)).await? {
        Ok((attempt, url)) => {
            let mut response = see_other(&url)?;
            let cookie = cookie::set_attempt(state.config(), Some(&attempt.cookie()))?;
            response.headers_mut().insert(header::SET_COOKIE, cookie);
            Ok(response)
        }
        Err(failure) => Ok(failed(&state, &visitor, failure)?),
    }
}

/// Takes what the provider sent the browser back with. The attempt ends here, however it ends.
pub(crate) async fn callback(
    State(state): State<AppState>,
    visitor: Visitor,
    method: Method,
    Extension(client): Extension<ClientAddress>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> HandlerResult {
    if oidc::provider_name(state.app()).is_none() || method == Method::HEAD {
        return Err(PersonRefusal::NoSuchWay.into());
    }
    state.charge(Costly::SignIn, None, client).await?;
    let field = |name: &str| query_field(query.as_deref(), name).filter(|text| text.len() <= CODE_LIMIT);
    let attempt = cookie::attempt_of(&headers, state.config()).and_then(|text| Attempt::read(&text));
    let given = field("state").unwrap_or_default();
    let Some(attempt) = attempt.filter(|attempt| attempt.is_state(&given)) else {
        return Ok(failed(&state, &visitor, SignInFailure::Stale)?);
    };
    let answer = ProviderAnswer { code: field("code"), error: field("error"), issuer: field("iss") };
    let (browser, language) = (cookie::browser_of(&headers, state.config()), visitor.language);
    let account = visitor.signed_in.as_ref().map(|signed_in| signed_in.member.user.account);
    let arrive = move |app: &App| oidc::arrive(app, &attempt, &answer, (&browser, language), account);
    let mut response = match state.run(Pool::Provider, arrive).await? {
        SignInEnd::SignedIn(session) => entered(state.config(), &session, None)?,
        SignInEnd::Offer(claims) => offer(&state, &visitor, claims)?,
        SignInEnd::Failed(failure) => failed(&state, &visitor, failure)?,
    };
    end_attempt(&state, &mut response)?;
    Ok(response)
}

fn failed(state: &AppState, visitor: &Visitor, failure: SignInFailure) -> Result<Response> {
    use SignInFailure::*;
    let status = match failure {
        Away | Unusable | Clock => StatusCode::BAD_GATEWAY,
        Stale => StatusCode::BAD_REQUEST,
        Declined | SignUpClosed | Uninvited | InvitedElsewhere | SignedOut => StatusCode::FORBIDDEN,
        KnownAddress => StatusCode::CONFLICT,
    };
    page(state, visitor, status, OidcState::Failed(failure))
}

fn offer(state: &AppState, visitor: &Visitor, claims: Claims) -> Result<Response> {
    let Claims { subject, email, name, .. } = claims;
    page(state, visitor, StatusCode::OK, OidcState::Offer(email.or(name).unwrap_or(subject)))
}

fn page(state: &AppState, visitor: &Visitor, status: StatusCode, page: OidcState) -> Result<Response> {
    let (app, language) = (state.app(), visitor.language);
    let provider = oidc::provider_name(app).unwrap_or_default().to_owned();
    let shell = Shell::for_visitor(app, language.login_title(), visitor)?;
    let mut response = html(status, &OidcPage { shell, provider, state: page })?;
    // There may be a code in the address of this page.
    response.headers_mut().insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    Ok(response)
}

fn end_attempt(state: &AppState, response: &mut Response) -> Result<()> {
    response.headers_mut().append(header::SET_COOKIE, cookie::set_attempt(state.config(), None)?);
    Ok(())
}
