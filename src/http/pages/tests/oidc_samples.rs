//! The page of a sign-in by OpenID Connect in its variants, for the tests beside this file.

use super::samples::{self, HOSTILE};
use crate::http::pages::oidc::{Offer, OidcPage, OidcState};
use crate::usecase::users::oidc::SignInFailure;

/// Each end of a sign-in at a provider that is a page, by a name.
pub fn oidc() -> Vec<(String, OidcPage)> {
    use SignInFailure::*;
    let offer = Offer {
        issuer: "https://id.example".to_owned(),
        subject: HOSTILE.to_owned(),
        who: HOSTILE.to_owned(),
        until: 1,
        seal: "seal".to_owned(),
    };
    let failures =
        [Away, Unusable, Clock, Stale, Declined, KnownAddress, SignUpClosed, Uninvited, InvitedElsewhere, SignedOut];
    let failures = failures.map(|failure| (format!("{failure:?}"), OidcState::Failed(failure)));
    let states = failures.into_iter().chain([("Offer".to_owned(), OidcState::Offer(offer))]);
    states
        .map(|(name, state)| (name, OidcPage { shell: samples::shell("Sign in"), provider: HOSTILE.to_owned(), state }))
        .collect()
}
