//! The pages of the person who is signed in.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};

use super::to_sign_in;
use crate::http::guard::{OwnVisitor, SignedIn};
use crate::http::state::AppState;

/// The person whose page it is. Visitors are sent to the sign-in page.
pub(crate) struct Owner(pub SignedIn);

impl FromRequestParts<AppState> for Owner {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Owner, Response> {
        let OwnVisitor(visitor) =
            OwnVisitor::from_request_parts(parts, state).await.map_err(IntoResponse::into_response)?;
        match visitor.signed_in {
            Some(signed_in) => Ok(Owner(signed_in)),
            None => Err(to_sign_in(&parts.headers).into_response()),
        }
    }
}
