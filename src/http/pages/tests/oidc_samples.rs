//! The page of a sign-in by OpenID Connect in its variants, for the tests beside this file.

use super::samples::{self, HOSTILE};
use crate::http::pages::oidc::{OidcPage, OidcState};
use crate::usecase::users::oidc::SignInFailure;

/// Each end of a sign-in at a provider that is a page, by a name.
pub fn oidc() -> Vec<(String, OidcPage)> {
    use SignInFailure::*;
    let failures =
        [Away, Unusable, Clock, Stale, Declined, KnownAddress, SignUpClosed, Uninvited, InvitedElsewhere, SignedOut];
    let failures = failures.map(|failure| (format!("{failure:?}"), OidcState::Failed(failure)));
    let states = failures.into_iter().chain([("Offer".to_owned(), OidcState::Offer(HOSTILE.to_owned()))]);
    states
        .map(|(name, state)| (name, OidcPage { shell: samples::shell("Sign in"), provider: HOSTILE.to_owned(), state }))
        .collect()
}
