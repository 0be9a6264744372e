//! People whom a provider of OpenID Connect vouches for. A pair of issuer and subject is one account's for ever. An address
//! that the provider names joins nothing: where it is known here, its owner connects the two from their account.

use crate::app::App;
use crate::config::OidcConfig;
use crate::email::Email;
use crate::error::{Error, Refused, Result};
use crate::id;
use crate::language::Language;
use crate::language::refusal::PersonRefusal;
use crate::ledger::Kind;
use crate::oidc::attempt::{Attempt, Purpose};
use crate::oidc::client::Oidc;
use crate::oidc::{Claims, OidcFault, is_same_issuer};
use crate::store::Tx;
use crate::store::identities::{self, Identity};
use crate::store::passkeys;
use crate::store::sessions::{Session, SignInMethod};
use crate::store::users::{self, User};
use crate::usecase::audit::{self, Trail};
use crate::usecase::log_events;
use crate::usecase::mail;
use crate::usecase::users::admission::{Admission, NotAdmitted};
use crate::usecase::users::new_account::NewAccount;
use crate::usecase::users::second_factor;
use crate::usecase::users::sessions::{Browser, Opening};
use crate::usecase::users::steps::{self, Offer};

/// What a proxy's identities have as their issuer.
const PROXY: &str = "proxy";
/// Identities of one account.
const IDENTITIES_LIMIT: usize = 20;

/// Why nobody was signed in, for the person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignInFailure {
    /// The provider does not answer.
    Away,
    /// The provider's answer cannot be used, or not be believed.
    Unusable,
    Clock,
    /// Begun in another browser, finished, or too long ago.
    Stale,
    /// The person, or the provider, said no.
    Declined,
    /// The address has an account here.
    KnownAddress,
    SignUpClosed,
    Uninvited,
    /// The invitation is for another address.
    InvitedElsewhere,
    /// What is to be connected wants a session, which has ended.
    SignedOut,
}

impl From<NotAdmitted> for SignInFailure {
    fn from(reason: NotAdmitted) -> SignInFailure {
        match reason {
            NotAdmitted::Closed => SignInFailure::SignUpClosed,
            NotAdmitted::Uninvited => SignInFailure::Uninvited,
            NotAdmitted::InvitedElsewhere => SignInFailure::InvitedElsewhere,
        }
    }
}

/// How a sign-in ended.
#[derive(Clone, Debug)]
pub enum SignInEnd {
    /// The cookie of the session that began.
    SignedIn(String),
    /// What may be connected with the account that is signed in, once the person says so.
    Offer(Claims),
    Failed(SignInFailure),
}

/// The provider's answer, as the browser brings it.
#[derive(Clone, Debug, Default)]
pub struct ProviderAnswer {
    pub code: Option<String>,
    pub error: Option<String>,
    /// Who says that it answers (RFC 9207).
    pub issuer: Option<String>,
}

/// The provider's name, where there is one.
pub fn provider_name(app: &App) -> Option<&str> {
    app.config.oidc.as_ref().map(|provider| provider.name.as_str())
}

/// The attempt, and where the browser goes with it.
pub fn begin(app: &App, purpose: Purpose) -> Result<std::result::Result<(Attempt, String), SignInFailure>> {
    let (_, client) = configured(app)?;
    let now = app.clock.now();
    let attempt = Attempt::begin(purpose, now)?;
    Ok(match client.authorization_url(&attempt, now) {
        Ok(url) => Ok((attempt, url)),
        Err(fault) => Err(failure(&fault)),
    })
}

/// Takes the provider's answer to an attempt of this browser. `signed_in` is who is signed in in it.
pub fn arrive(
    app: &App,
    attempt: &Attempt,
    answer: &ProviderAnswer,
    (browser, language): (&Browser, Language),
    signed_in: Option<i64>,
) -> Result<SignInEnd> {
    let now = app.clock.now();
    let (_, client) = configured(app)?;
    if !attempt.is_open(now) {
        return Ok(SignInEnd::Failed(SignInFailure::Stale));
    }
    if let Some(error) = &answer.error {
        return Ok(SignInEnd::Failed(refusal(error)));
    }
    let Some(code) = &answer.code else {
        let fault = OidcFault::Unusable("it sent the person back with neither a code nor an error".to_owned());
        return Ok(SignInEnd::Failed(failure(&fault)));
    };
    let arrived = client.provider(now).and_then(|provider| {
        if !provider.sent(answer.issuer.as_deref()) {
            return Err(OidcFault::Unusable("the answer names another issuer (iss)".to_owned()));
        }
        client.redeem(code, attempt, now)
    });
    let arrival = match arrived {
        Ok(arrival) => arrival,
        Err(fault) => return Ok(SignInEnd::Failed(failure(&fault))),
    };
    if let Purpose::Connect(account) = attempt.purpose {
        let Some(cookie) = browser.former.as_deref().filter(|_| signed_in == Some(account)) else {
            return Ok(SignInEnd::Failed(SignInFailure::SignedOut));
        };
        let Claims { issuer, subject, .. } = arrival.claims.clone();
        steps::begin(app, cookie, &Offer { issuer, subject })?;
        return Ok(SignInEnd::Offer(arrival.claims));
    }
    if let Some(cookie) = enter_known(app, &arrival.claims, browser)? {
        return Ok(SignInEnd::SignedIn(cookie));
    }
    match client.complete(arrival, now) {
        Ok(claims) => make_account(app, claims, &attempt.purpose, (browser, language)),
        Err(fault) => Ok(SignInEnd::Failed(failure(&fault))),
    }
}

/// Signs in whose identity is known.
fn enter_known(app: &App, claims: &Claims, browser: &Browser) -> Result<Option<String>> {
    let opening = opening(app, browser, claims)?;
    let (session, claims) = (opening.clone(), claims.clone());
    let user_id = audit::write(app, move |tx, trail| {
        let Some(account) = owner_of(tx, &claims.issuer, &claims.subject)? else { return Ok(None) };
        let user = users::by_account(tx, account)?;
        session.begin(tx, trail, &user)?;
        Ok(Some(user.id))
    })?;
    Ok(user_id.map(|id| opening.cookie(&id)))
}

/// The session of somebody whom the provider vouches for, who may have proved two factors there.
fn opening(app: &App, browser: &Browser, claims: &Claims) -> Result<Opening> {
    let opening = Opening::prepare(app, browser, SignInMethod::Oidc)?;
    Ok(if claims.has_second_factor { opening.with_second_factor() } else { opening })
}

/// Makes an account for somebody whose identity is not known, where they may have one.
fn make_account(
    app: &App,
    claims: Claims,
    purpose: &Purpose,
    (browser, language): (&Browser, Language),
) -> Result<SignInEnd> {
    let opening = opening(app, browser, &claims)?;
    let (account, session) = (NewAccount::prepare(app, language)?, opening.clone());
    let (signup, now) = (app.config.signup, app.clock.now());
    let invite = match purpose {
        Purpose::Invite(invite) => Some(id::secret_hash(invite)),
        _ => None,
    };
    let made = audit::write(app, move |tx, trail| {
        let email = claims.email.as_deref().and_then(Email::parse);
        let verified = email.as_ref().filter(|_| claims.is_email_verified);
        // Of an address that may be another's, nothing says whether it has an account: anybody types one at a provider.
        if let Some(email) = verified
            && identities::by_address(tx, email.canonical())?.is_some()
        {
            return Ok(Err(SignInFailure::KnownAddress));
        }
        if let Err(reason) = (Admission { signup, invite: invite.as_ref(), address: verified }).enter(tx, now)? {
            return Ok(Err(reason.into()));
        }
        let name = claims.name.as_deref();
        let (user, units) = account.make(tx, trail, name, (email.as_ref(), verified.is_some()), Some("oidc"))?;
        if !identities::add_identity(tx, &claims.issuer, &claims.subject, user.account, now)? {
            // The same person came twice at once; the other one has made the account.
            let detail = "You were signed in at the same moment elsewhere. Sign in again.".to_owned();
            return Err(Refused::Unavailable { retry_after: 1, detail }.into());
        }
        session.begin(tx, trail, &user)?;
        Ok(Ok((user.id, units)))
    })?;
    Ok(match made {
        Ok((user_id, units)) => {
            if let Some(units) = units {
                log_events::credited(app, Kind::Grant, units);
            }
            SignInEnd::SignedIn(opening.cookie(&user_id))
        }
        Err(failure) => SignInEnd::Failed(failure),
    })
}

/// Connects the identity that was offered to this session with its user, who has signed in just now and has said so. Nothing
/// that the browser sends names it: else its user could take somebody's identity before they come.
pub fn connect(app: &App, user: &User, session: &Session, cookie: &str) -> Result<()> {
    second_factor::require_fresh_proof(app, session)?;
    let (user, now) = (user.clone(), app.clock.now());
    let Offer { issuer, subject } = steps::take(app, cookie)?.ok_or(PersonRefusal::OfferSpent)?;
    audit::write(app, move |tx, trail| {
        match owner_of(tx, &issuer, &subject)? {
            Some(owner) if owner == user.account => return Ok(()),
            Some(_) => return Err(of_another().into()),
            None => {}
        }
        if identities::identities_of(tx, user.account)?.len() >= IDENTITIES_LIMIT {
            return Err(PersonRefusal::TooMany(IDENTITIES_LIMIT).into());
        }
        if !identities::add_identity(tx, &issuer, &subject, user.account, now)? {
            return Err(of_another().into());
        }
        trail.add(tx, "identity_tied", &user.id, "oidc".to_owned())
    })
}

/// Says that whom this issuer calls by this subject is the user, because the operator knows it.
pub fn tie(app: &App, user_id: &str, issuer: &str, subject: &str) -> Result<()> {
    let is_plain = |text: &str, most: usize| {
        (1..=most).contains(&text.len()) && !text.chars().any(|letter| letter.is_control() || letter == ' ')
    };
    if !issuer.starts_with("http") || !is_plain(issuer, 500) || !is_plain(subject, 255) {
        let detail = "The issuer's URL and the subject (sub) were expected as the provider's token has them.";
        return Err(Refused::InvalidRequest(detail.into()).into());
    }
    let (user_id, issuer, subject) = (user_id.to_owned(), issuer.to_owned(), subject.to_owned());
    let now = app.clock.now();
    audit::write(app, move |tx, trail| {
        let user = users::by_id(tx, &user_id)?;
        match owner_of(tx, &issuer, &subject)? {
            Some(owner) if owner == user.account => return Ok(()),
            None if identities::add_identity(tx, &issuer, &subject, user.account, now)? => {}
            _ => return Err(of_another().into()),
        }
        trail.add(tx, "identity_tied", &user.id, "oidc".to_owned())
    })
}

/// Removes one of the user's identities, unless nothing else would let them in.
pub fn disconnect(app: &App, user: &User, session: &Session, issuer: &str, subject: &str) -> Result<()> {
    second_factor::require_fresh_proof(app, session)?;
    let (user, config) = (user.clone(), app.config.clone());
    let (issuer, subject, has_mail) = (issuer.to_owned(), subject.to_owned(), mail::is_configured(app));
    let has_passkeys = app.passkeys.is_some();
    audit::write(app, move |tx, trail: &mut Trail| {
        let own = identities::identities_of(tx, user.account)?;
        let is_it = |identity: &Identity| identity.issuer == issuer && identity.subject == subject;
        if issuer == PROXY || !own.iter().any(is_it) {
            return Err(PersonRefusal::Gone.into());
        }
        let is_usable = |identity: &Identity| match &config.oidc {
            _ if identity.issuer == PROXY => config.proxy_auth.is_some(),
            Some(provider) => is_same_issuer(&provider.issuer, &identity.issuer),
            None => false,
        };
        let has_other = own.iter().any(|identity| !is_it(identity) && is_usable(identity));
        let has_address = has_mail && identities::address_of(tx, user.account)?.is_some();
        let has_passkey = has_passkeys && !passkeys::of_account(tx, user.account)?.is_empty();
        if !has_other && !has_address && !has_passkey && identities::password_of(tx, user.account)?.is_none() {
            return Err(PersonRefusal::LastWayIn.into());
        }
        identities::remove_identity(tx, user.account, &issuer, &subject)?;
        trail.add(tx, "identity_untied", &user.id, "oidc".to_owned())
    })
}

/// The account's connections with providers, and whether one is with the provider that is configured.
pub fn connections(app: &App, account: i64) -> Result<(Vec<Identity>, bool)> {
    let mut own = app.store.read(|tx| identities::identities_of(tx, account))?;
    own.retain(|identity| identity.issuer != PROXY);
    let provider = app.config.oidc.as_ref();
    let is_connected =
        provider.is_some_and(|provider| own.iter().any(|own| is_same_issuer(&own.issuer, &provider.issuer)));
    Ok((own, is_connected))
}

/// Whose the identity is, also where the provider has begun or ceased to write a slash at the end of its name.
fn owner_of(tx: &mut dyn Tx, issuer: &str, subject: &str) -> Result<Option<i64>> {
    let bare = issuer.trim_end_matches('/');
    for spelling in [issuer, bare, &format!("{bare}/")] {
        if let Some(account) = identities::by_identity(tx, spelling, subject)? {
            return Ok(Some(account));
        }
    }
    Ok(None)
}

fn of_another() -> PersonRefusal {
    PersonRefusal::ConnectedElsewhere
}

fn configured(app: &App) -> Result<(&OidcConfig, &Oidc)> {
    app.config.oidc.as_ref().zip(app.oidc.as_ref()).ok_or_else(|| Error::from(PersonRefusal::NoSuchWay))
}

/// What the provider says instead of a code (RFC 6749, section 4.1.2.1; OpenID Connect Core 1.0, section 3.1.2.6).
fn refusal(error: &str) -> SignInFailure {
    match error {
        "access_denied"
        | "login_required"
        | "consent_required"
        | "interaction_required"
        | "account_selection_required" => SignInFailure::Declined,
        "server_error" | "temporarily_unavailable" => {
            failure(&OidcFault::Away(format!("it sent the person back with {error}")))
        }
        _ => {
            let code: String = error.chars().filter(|letter| letter.is_ascii_lowercase() || *letter == '_').collect();
            let code = code.get(..60).unwrap_or(&code);
            failure(&OidcFault::Unusable(format!("it sent the person back with {code:?}")))
        }
    }
}

/// Says it in the log, for the operator.
fn failure(fault: &OidcFault) -> SignInFailure {
    let (kind, failure) = match fault {
        OidcFault::Away(_) => ("away", SignInFailure::Away),
        OidcFault::Unusable(_) => ("unusable", SignInFailure::Unusable),
        OidcFault::Clock(_) => ("clock", SignInFailure::Clock),
        OidcFault::CodeSpent => ("code_spent", SignInFailure::Stale),
    };
    tracing::warn!(event = "oidc_failed", kind, detail = fault.detail());
    failure
}
