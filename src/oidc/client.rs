//! The conversation with the provider: its description, its keys, the code for a token, and what else it says about a
//! person. Every answer is bounded in time and size, no redirect is followed, and one request at a time asks for what all
//! share. It blocks, so it must not run on a thread of the asynchronous server.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use data_encoding::BASE64;
use serde::Deserialize;
use ureq::http::Response;
use ureq::{Agent, Body};
use url::Url;

use super::attempt::Attempt;
use super::keys::KeySet;
use super::provider::{ClientProof, Provider};
use super::token::{self, Expectation, TokenFault};
use super::{Arrival, Claims, OidcFault};
use crate::clock::Timestamp;
use crate::config::OidcConfig;
use crate::secret::Secret;
use crate::tls;

/// The longest that one answer may take.
const PATIENCE: Duration = Duration::from_secs(8);
const CONNECT_PATIENCE: Duration = Duration::from_secs(4);
/// The longest answer that is read, in bytes.
const BODY_LIMIT: u64 = 256 * 1024;
/// For how long a description and keys are taken without asking again.
const KEPT_SECONDS: i64 = 3600;
/// Keys are asked for again because one is unknown at most once in this time.
const KEYS_PAUSE_SECONDS: i64 = 60;
/// What we ask to know. A person's name and address are for the account; none is needed.
const SCOPE: &str = "openid email profile";

/// A provider, as its client.
pub struct Oidc {
    config: OidcConfig,
    /// Where the provider sends people back to.
    redirect_uri: String,
    agent: Agent,
    provider: Mutex<Option<Snapshot<Provider>>>,
    keys: Mutex<Option<Snapshot<KeySet>>>,
    /// When keys were last asked for because one was unknown.
    unknown_key_at: Mutex<Option<Timestamp>>,
}

/// What was fetched, and when.
struct Snapshot<T> {
    value: Arc<T>,
    at: Timestamp,
}

impl<T> Snapshot<T> {
    fn younger_than(&self, seconds: i64, now: Timestamp) -> bool {
        (self.at..self.at.plus_seconds(seconds)).contains(&now)
    }
}

impl Oidc {
    /// Prepares the client; nothing is sent yet.
    pub fn new(config: OidcConfig, redirect_uri: String) -> Oidc {
        let is_secure = config.issuer.starts_with("https://");
        let client = tls::json_client(is_secure, CONNECT_PATIENCE).timeout_global(Some(PATIENCE));
        let agent = client.build().new_agent();
        Oidc {
            config,
            redirect_uri,
            agent,
            provider: Mutex::default(),
            keys: Mutex::default(),
            unknown_key_at: Mutex::default(),
        }
    }

    /// Where the provider sends people back to; it must be registered there.
    pub fn redirect_uri(&self) -> &str {
        &self.redirect_uri
    }

    /// What the provider says about itself, asked for once an hour.
    pub fn provider(&self, now: Timestamp) -> Result<Arc<Provider>, OidcFault> {
        let mut kept = self.provider.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = kept.as_ref().filter(|known| known.younger_than(KEPT_SECONDS, now)) {
            return Ok(Arc::clone(&known.value));
        }
        let body = self.get("its description", &Provider::address_of(&self.config.issuer), None)?;
        let value = Arc::new(Provider::read(&body, &self.config.issuer).map_err(OidcFault::Unusable)?);
        *kept = Some(Snapshot { value: Arc::clone(&value), at: now });
        Ok(value)
    }

    /// Asks for the description and the keys now; how many keys there are.
    pub fn look(&self, now: Timestamp) -> Result<(Arc<Provider>, usize), OidcFault> {
        let provider = self.provider(now)?;
        let keys = self.keys(&provider, now, false)?;
        Ok((provider, keys.len()))
    }

    /// Where the browser goes to sign in (OpenID Connect Core 1.0, section 3.1.2.1).
    pub fn authorization_url(&self, attempt: &Attempt, now: Timestamp) -> Result<String, OidcFault> {
        let provider = self.provider(now)?;
        let mut url = Url::parse(&provider.authorization_endpoint)
            .map_err(|cause| OidcFault::Unusable(format!("its authorization_endpoint is no URL: {cause}")))?;
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.config.client_id)
            .append_pair("redirect_uri", &self.redirect_uri)
            .append_pair("scope", SCOPE)
            .append_pair("state", &attempt.state())
            .append_pair("nonce", &attempt.nonce())
            .append_pair("code_challenge", &attempt.challenge())
            .append_pair("code_challenge_method", "S256");
        Ok(url.into())
    }

    /// Exchanges a code for a token, and checks the token.
    pub fn redeem(&self, code: &str, attempt: &Attempt, now: Timestamp) -> Result<Arrival, OidcFault> {
        let provider = self.provider(now)?;
        let TokenAnswer { id_token, access_token } = self.exchange(&provider, code, attempt)?;
        let nonce = attempt.nonce();
        let expected = Expectation { issuer: &provider.issuer, client_id: &self.config.client_id, nonce: &nonce, now };
        let mut claims = token::verify(&id_token, &*self.keys(&provider, now, false)?, &expected);
        if claims == Err(TokenFault::UnknownKey) {
            claims = token::verify(&id_token, &*self.keys(&provider, now, true)?, &expected);
        }
        let claims = claims.map_err(|fault| match fault {
            TokenFault::UnknownKey => OidcFault::Unusable("its token is signed by none of its keys".to_owned()),
            TokenFault::Clock(what) => OidcFault::Clock(what),
            TokenFault::Unusable(what) => OidcFault::Unusable(what),
        })?;
        Ok(Arrival { claims, access_token: access_token.map(Secret::new) })
    }

    /// All that the provider says about the person: some providers keep the address out of the token.
    pub fn complete(&self, arrival: Arrival, now: Timestamp) -> Result<Claims, OidcFault> {
        let provider = self.provider(now)?;
        let Arrival { claims, access_token } = arrival;
        let (None, Some(endpoint), Some(token)) = (&claims.email, &provider.userinfo_endpoint, access_token) else {
            return Ok(claims);
        };
        let body = self.get("its answer about the person", endpoint, Some(&token))?;
        token::user_info(&body, &claims).map_err(OidcFault::Unusable)
    }

    /// The provider's keys, asked for once an hour, and again for one that is unknown, but not all the time: anybody can
    /// write the name of a key into a token.
    fn keys(&self, provider: &Provider, now: Timestamp, is_one_unknown: bool) -> Result<Arc<KeySet>, OidcFault> {
        let mut kept = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        // A key that came after the hourly question is asked for at once: only the same question again waits.
        let is_good = |known: &&Snapshot<KeySet>| match is_one_unknown {
            true => !self.may_ask_for_unknown(now),
            false => known.younger_than(KEPT_SECONDS, now),
        };
        if let Some(known) = kept.as_ref().filter(is_good) {
            return Ok(Arc::clone(&known.value));
        }
        let body = self.get("its key set", &provider.jwks_uri, None)?;
        let value = KeySet::read(&body).map_err(|what| OidcFault::Unusable(format!("its key set: {what}")))?;
        let value = Arc::new(value);
        *kept = Some(Snapshot { value: Arc::clone(&value), at: now });
        Ok(value)
    }

    /// Whether a key that is unknown may be asked for; it is asked for with that.
    fn may_ask_for_unknown(&self, now: Timestamp) -> bool {
        let mut asked_at = self.unknown_key_at.lock().unwrap_or_else(PoisonError::into_inner);
        if asked_at.is_some_and(|at| (at..at.plus_seconds(KEYS_PAUSE_SECONDS)).contains(&now)) {
            return false;
        }
        *asked_at = Some(now);
        true
    }

    /// RFC 6749, section 4.1.3.
    fn exchange(&self, provider: &Provider, code: &str, attempt: &Attempt) -> Result<TokenAnswer, OidcFault> {
        let OidcConfig { client_id, client_secret, .. } = &self.config;
        let secret = client_secret.as_ref().map(Secret::reveal);
        let proof = provider.client_proof(secret.is_some());
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("grant_type", "authorization_code")
            .append_pair("code", code)
            .append_pair("redirect_uri", &self.redirect_uri)
            .append_pair("code_verifier", &attempt.verifier());
        let mut request = self.agent.post(&provider.token_endpoint);
        request = request.header("Content-Type", "application/x-www-form-urlencoded");
        match (proof, secret) {
            (ClientProof::Basic, Some(secret)) => {
                // RFC 6749, section 2.3.1: both are encoded as in a form first.
                let encoded = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
                let pair = format!("{}:{}", encoded(client_id), encoded(secret));
                request = request.header("Authorization", format!("Basic {}", BASE64.encode(pair.as_bytes())));
            }
            (ClientProof::Post, Some(secret)) => {
                form.append_pair("client_id", client_id).append_pair("client_secret", secret);
            }
            _ => {
                form.append_pair("client_id", client_id);
            }
        }
        let what = "its answer with the token";
        let mut answer = request.send(form.finish()).map_err(|cause| away(what, &cause))?;
        if let 400..=499 = answer.status().as_u16() {
            return Err(token_refusal(&read(what, &mut answer)?));
        }
        let body = checked(what, answer)?;
        serde_json::from_slice(&body).map_err(|cause| OidcFault::Unusable(format!("{what} cannot be read: {cause}")))
    }

    fn get(&self, what: &str, url: &str, token: Option<&Secret>) -> Result<Vec<u8>, OidcFault> {
        let request = self.agent.get(url);
        let request = match token {
            Some(token) => request.header("Authorization", format!("Bearer {}", token.reveal())),
            None => request,
        };
        checked(what, request.call().map_err(|cause| away(what, &cause))?)
    }
}

#[derive(Deserialize)]
struct TokenAnswer {
    id_token: String,
    access_token: Option<String>,
}

/// The body of an answer that is a success.
fn checked(what: &str, mut answer: Response<Body>) -> Result<Vec<u8>, OidcFault> {
    match answer.status().as_u16() {
        200 => read(what, &mut answer),
        status @ 300..=399 => {
            Err(OidcFault::Unusable(format!("{what} is a redirect ({status}), which is not followed")))
        }
        status @ (429 | 500..) => Err(OidcFault::Away(format!("{what} is {status}"))),
        status => Err(OidcFault::Unusable(format!("{what} is {status}"))),
    }
}

fn read(what: &str, answer: &mut Response<Body>) -> Result<Vec<u8>, OidcFault> {
    answer.body_mut().with_config().limit(BODY_LIMIT).read_to_vec().map_err(|cause| match cause {
        ureq::Error::BodyExceedsLimit(limit) => OidcFault::Unusable(format!("{what} has more than {limit} bytes")),
        cause => away(what, &cause),
    })
}

fn away(what: &str, cause: &ureq::Error) -> OidcFault {
    OidcFault::Away(format!("{what} did not come: {cause}"))
}

/// RFC 6749, section 5.2.
fn token_refusal(body: &[u8]) -> OidcFault {
    #[derive(Deserialize)]
    struct Refusal {
        error: String,
    }
    let error = serde_json::from_slice::<Refusal>(body).map_or_else(|_| String::new(), |refusal| refusal.error);
    match error.as_str() {
        "invalid_grant" => OidcFault::CodeSpent,
        "invalid_client" | "unauthorized_client" => OidcFault::Unusable(
            "it does not know us: compare SPRITE_OIDC_CLIENT_ID and SPRITE_OIDC_CLIENT_SECRET with what is registered there"
                .to_owned(),
        ),
        _ => {
            let code: String = error.chars().filter(|letter| letter.is_ascii_lowercase() || *letter == '_').collect();
            OidcFault::Unusable(format!("it gave no token ({})", code.get(..60).unwrap_or(&code)))
        }
    }
}
