//! Who may open the operator's pages: a signed-in person who is an operator, and proved it with more than a password. What
//! their buttons send comes from our own pages, with a reason.

use axum::body::Body;
use axum::extract::{FromRequest, FromRequestParts, RawPathParams, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, Uri};
use axum::response::{IntoResponse, Response};

use crate::app::App;
use crate::error::{Refused, Result};
use crate::http::fields::Form;
use crate::http::guard::{OwnVisitor, SignedIn, not_signed_in};
use crate::http::pages::{see_other, to_sign_in};
use crate::http::problem::Problem;
use crate::http::request::PathSegment;
use crate::http::state::AppState;
use crate::http::{caller, own_form};
use crate::language::Language;
use crate::language::refusal::PersonRefusal;
use crate::store::sessions::SignInMethod;
use crate::usecase::users::sessions;

/// The longest reason, in characters.
pub(super) const REASON_LIMIT: usize = 300;

/// An operator at one of their pages.
pub(in crate::http) struct Operator(pub SignedIn);

impl FromRequestParts<AppState> for Operator {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> std::result::Result<Operator, Response> {
        let OwnVisitor(visitor) =
            OwnVisitor::from_request_parts(parts, state).await.map_err(IntoResponse::into_response)?;
        let turned_away = |error| Problem::from(error).into_response();
        let Some(signed_in) = visitor.signed_in else {
            // A button's address is not where to go on after the sign-in.
            return Err(match parts.method {
                Method::GET | Method::HEAD => to_sign_in(&parts.headers).map_err(IntoResponse::into_response)?,
                _ => not_signed_in().into_response(),
            });
        };
        if !signed_in.is_operator {
            return Err(turned_away(PersonRefusal::StaffOnly.into()));
        }
        let session = &signed_in.session;
        if session.method == SignInMethod::Password && session.second_factor_at.is_none() {
            return Err(match parts.method {
                Method::GET | Method::HEAD => see_other(&proof_on_the_way_to(&parts.uri)).map_err(turned_away)?,
                _ => {
                    let detail =
                        "An operator who signed in with a password alone proves a second factor first: open /admin.";
                    turned_away(Refused::Forbidden(detail.into()).into())
                }
            });
        }
        Ok(Operator(signed_in))
    }
}

/// Where a second factor is proved, and from there the way on to this page.
fn proof_on_the_way_to(page: &Uri) -> String {
    let page = page.path_and_query().map_or("/admin", |page| page.as_str());
    let page: String = form_urlencoded::byte_serialize(page.as_bytes()).collect();
    format!("/login/second?return_to={}", page.replace("%2F", "/"))
}

impl Operator {
    pub(super) fn language(&self) -> Language {
        self.0.language
    }

    /// Whether they signed in so lately that they may do what cannot be undone.
    pub(super) fn is_fresh(&self, app: &App) -> bool {
        sessions::is_fresh(app, &self.0.session)
    }
}

/// A button of theirs that was pressed.
pub(in crate::http) struct Press {
    pub state: AppState,
    pub operator: Operator,
    /// The id in the address; empty where there is none.
    pub id: String,
    headers: HeaderMap,
    body: Body,
}

impl FromRequest<AppState> for Press {
    type Rejection = Response;

    async fn from_request(request: Request, state: &AppState) -> std::result::Result<Press, Response> {
        let (mut parts, body) = request.into_parts();
        let operator = Operator::from_request_parts(&mut parts, state).await?;
        let parameters = RawPathParams::from_request_parts(&mut parts, state).await;
        let id = match parameters.is_ok_and(|parameters| parameters.iter().next().is_none()) {
            true => String::new(),
            false => {
                let segment = PathSegment::from_request_parts(&mut parts, state).await;
                segment.map_err(IntoResponse::into_response)?.0
            }
        };
        Ok(Press { state: state.clone(), operator, id, headers: parts.headers, body })
    }
}

impl Press {
    /// The form, which says why: the audit names the reason. One that another page has sent is refused.
    pub(super) async fn form(&mut self) -> Result<Form> {
        let body = std::mem::take(&mut self.body);
        let form = own_form::of_session(self.state.config(), &self.headers, &self.operator.0, body).await?;
        let reason = form.text("reason", REASON_LIMIT)?;
        if reason.is_empty() {
            let detail = "The reason is missing: a few words for the audit were expected. Nothing was changed.";
            return Err(Refused::InvalidRequest(detail.into()).into());
        }
        caller::because(&reason);
        Ok(form)
    }

    /// The same of what wants a fresh sign-in.
    pub(super) async fn fresh_form(&mut self) -> Result<Form> {
        sessions::require_fresh(self.state.app(), &self.operator.0.session)?;
        self.form().await
    }
}
