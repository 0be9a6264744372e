//! Sign-in by OpenID Connect: the authorization code flow with `state`, `nonce` and PKCE (OpenID Connect Core 1.0; RFC 7636;
//! RFC 9700, section 2.1.1). Here is what a provider is and what it says about a person. Whose account that is, `usecase`
//! decides. `attempt` is what a browser keeps meanwhile, `provider` what a provider says about itself, `client` the
//! conversation with it, `token` and `keys` what makes its answer credible. The verifier stands on `ring`, which TLS brings.

pub mod attempt;
pub mod client;
mod keys;
pub mod provider;
mod token;

use crate::secret::Secret;

/// What the provider vouches for about a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    /// As the provider spells itself.
    pub issuer: String,
    /// Who it is at the provider, for ever.
    pub subject: String,
    pub email: Option<String>,
    /// Whether the provider knows that the address is theirs.
    pub is_email_verified: bool,
    pub name: Option<String>,
    /// Whether they proved more than one factor, as a verified token says.
    pub has_second_factor: bool,
}

/// The person whom the provider sent back.
#[derive(Clone, Debug)]
pub struct Arrival {
    pub claims: Claims,
    /// With which the provider says more about them.
    access_token: Option<Secret>,
}

/// Why nobody can be signed in by the provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OidcFault {
    /// It does not answer, or says that it cannot now.
    Away(String),
    /// What it answered cannot be used or believed.
    Unusable(String),
    /// By our clock, its answer is too old or of the future.
    Clock(String),
    /// The code was used before, or is too old.
    CodeSpent,
}

impl OidcFault {
    /// What was wrong, for the operator.
    pub fn detail(&self) -> &str {
        match self {
            OidcFault::Away(detail) | OidcFault::Unusable(detail) | OidcFault::Clock(detail) => detail,
            OidcFault::CodeSpent => "the provider says that the code was used before, or is too old",
        }
    }
}

/// Whether two spellings are of one issuer: a slash at the end is all that may differ.
pub fn is_same_issuer(one: &str, other: &str) -> bool {
    one.trim_end_matches('/') == other.trim_end_matches('/')
}
