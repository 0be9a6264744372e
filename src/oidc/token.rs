//! The ID token (OpenID Connect Core 1.0, sections 2 and 3.1.3.7): a signature by a key of the provider's, and what it says
//! about who it is from, for whom, when, and in answer to what. Nothing of it is believed before all of that was checked.

use data_encoding::BASE64URL_NOPAD;
use serde::Deserialize;
use serde_json::{Number, Value};
use subtle::ConstantTimeEq;

use super::keys::{Algorithm, KeySet, SignatureFault};
use super::{Claims, is_same_issuer};
use crate::clock::Timestamp;
use crate::plain_text::is_hidden;

/// How far the provider's clock may be from ours.
pub(super) const LEEWAY_SECONDS: i64 = 60;
/// How long ago a token may have been made: as long as an attempt to sign in may take.
const AGE_SECONDS: i64 = 600;
/// The longest token, in bytes.
const TOKEN_LIMIT: usize = 64 * 1024;
/// OpenID Connect Core 1.0, section 2.
const SUBJECT_LIMIT: usize = 255;
/// Of an address and of a name, in characters.
const TEXT_LIMIT: usize = 254;

/// What a token must say.
pub(super) struct Expectation<'a> {
    pub issuer: &'a str,
    pub client_id: &'a str,
    pub nonce: &'a str,
    pub now: Timestamp,
}

/// Why a token is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum TokenFault {
    UnknownKey,
    Clock(String),
    Unusable(String),
}

/// RFC 7515, section 4.1.
#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    /// Extensions that a reader must understand; we know none.
    crit: Option<Value>,
}

#[derive(Deserialize)]
struct Payload {
    iss: String,
    sub: String,
    aud: Audience,
    azp: Option<String>,
    exp: Number,
    iat: Number,
    nbf: Option<Number>,
    nonce: Option<String>,
    /// How the person was recognised (RFC 8176). Some providers write one text.
    amr: Option<Value>,
    #[serde(flatten)]
    person: Person,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

/// What a token or the provider's answer about a person may say besides. Some providers write booleans as texts.
#[derive(Deserialize)]
struct Person {
    email: Option<Value>,
    email_verified: Option<Value>,
    name: Option<Value>,
}

/// Checks everything that the token says, its signature first.
pub(super) fn verify(token: &str, keys: &KeySet, expected: &Expectation<'_>) -> Result<Claims, TokenFault> {
    let payload = payload(token, keys)?;
    let unusable = |what: &str| Err(TokenFault::Unusable(what.to_owned()));
    if !is_same_issuer(&payload.iss, expected.issuer) {
        return unusable("its token is of another issuer");
    }
    let audience = match &payload.aud {
        Audience::One(one) => std::slice::from_ref(one),
        Audience::Several(several) => several,
    };
    if !audience.iter().any(|one| one == expected.client_id) {
        return unusable("its token is for another client (aud)");
    }
    match payload.azp.as_deref() {
        Some(party) if party != expected.client_id => return unusable("its token was given to another client (azp)"),
        None if audience.len() > 1 => return unusable("its token is for several clients, and names none (azp)"),
        _ => {}
    }
    check_times(&payload, expected.now)?;
    let nonce = payload.nonce.as_deref().unwrap_or_default();
    if !bool::from(nonce.as_bytes().ct_eq(expected.nonce.as_bytes())) {
        return unusable("its token answers another sign-in (nonce)");
    }
    let is_subject = (1..=SUBJECT_LIMIT).contains(&payload.sub.len()) && !payload.sub.chars().any(char::is_control);
    if !is_subject {
        return unusable("its token names nobody (sub)");
    }
    let has_second_factor = payload.amr.as_ref().is_some_and(has_several_factors);
    Ok(Claims { has_second_factor, ..claims(expected.issuer, payload.sub, &payload.person) })
}

/// What the provider's UserInfo answer says about the subject of a token (OpenID Connect Core 1.0, section 5.3.2).
pub(super) fn user_info(body: &[u8], of_token: &Claims) -> Result<Claims, String> {
    #[derive(Deserialize)]
    struct Answer {
        sub: String,
        #[serde(flatten)]
        person: Person,
    }
    let answer: Answer =
        serde_json::from_slice(body).map_err(|cause| format!("its answer about the person: {cause}"))?;
    if answer.sub != of_token.subject {
        return Err("its answer about the person is about somebody else (sub)".to_owned());
    }
    let more = claims(&of_token.issuer, answer.sub, &answer.person);
    let name = of_token.name.clone().or(more.name.clone());
    // That answer is not signed, so the token alone says how the person was recognised.
    Ok(Claims { name, has_second_factor: of_token.has_second_factor, ..more })
}

/// What a token whose signature is good says.
fn payload(token: &str, keys: &KeySet) -> Result<Payload, TokenFault> {
    let unusable = |what: String| TokenFault::Unusable(what);
    let malformed = || unusable("its token is malformed".to_owned());
    if token.len() > TOKEN_LIMIT {
        return Err(unusable(format!("its token has more than {TOKEN_LIMIT} bytes")));
    }
    let (message, signature) = token.rsplit_once('.').ok_or_else(malformed)?;
    let (header, payload) = message.split_once('.').ok_or_else(malformed)?;
    let bytes = |part: &str| BASE64URL_NOPAD.decode(part.as_bytes()).map_err(|_| malformed());
    let header: Header = serde_json::from_slice(&bytes(header)?).map_err(|_| malformed())?;
    let Some(algorithm) = Algorithm::of_name(&header.alg) else {
        let name: String = header.alg.chars().filter(char::is_ascii_alphanumeric).take(20).collect();
        return Err(unusable(format!("its token is signed by {name}, which is none of {}", Algorithm::names())));
    };
    if header.crit.is_some() {
        return Err(unusable("its token has extensions that are unknown here (crit)".to_owned()));
    }
    keys.verify(algorithm, header.kid.as_deref(), message.as_bytes(), &bytes(signature)?).map_err(
        |fault| match fault {
            SignatureFault::UnknownKey => TokenFault::UnknownKey,
            SignatureFault::Wrong => unusable("its token's signature is wrong".to_owned()),
        },
    )?;
    serde_json::from_slice(&bytes(payload)?).map_err(|cause| unusable(format!("its token cannot be read: {cause}")))
}

/// RFC 8176, section 2: the one word that says so by itself. The names of levels (`acr`) are each provider's own.
fn has_several_factors(methods: &Value) -> bool {
    let several = methods.as_array().into_iter().flatten();
    several.chain([methods]).any(|method| method == "mfa")
}

fn check_times(payload: &Payload, now: Timestamp) -> Result<(), TokenFault> {
    let now = now.seconds();
    // RFC 7519, section 2: a date may have a fraction.
    let seconds = |number: &Number| number.to_string().split('.').next().and_then(|whole| whole.parse::<i64>().ok());
    let unreadable = || TokenFault::Unusable("its token has a date that is none".to_owned());
    let expires = seconds(&payload.exp).ok_or_else(unreadable)?;
    let made = seconds(&payload.iat).ok_or_else(unreadable)?;
    let begins = payload.nbf.as_ref().map_or(Some(made), seconds).ok_or_else(unreadable)?;
    let clock = |what: String| Err(TokenFault::Clock(what));
    if expires.saturating_add(LEEWAY_SECONDS) <= now {
        return clock(format!("its token ended {} s ago by our clock (exp)", now.saturating_sub(expires)));
    }
    if made.max(begins) > now + LEEWAY_SECONDS {
        let ahead = made.max(begins).saturating_sub(now);
        return clock(format!("its token is {ahead} s ahead of our clock (iat, nbf)"));
    }
    if made < now - AGE_SECONDS - LEEWAY_SECONDS {
        return clock(format!("its token was made {} s ago by our clock (iat)", now.saturating_sub(made)));
    }
    Ok(())
}

fn claims(issuer: &str, subject: String, person: &Person) -> Claims {
    let text = |value: &Option<Value>| {
        let text = value.as_ref()?.as_str()?.trim();
        let is_plain = !text.is_empty() && text.chars().count() <= TEXT_LIMIT && !text.chars().any(char::is_control);
        is_plain.then(|| text.to_owned())
    };
    // What nobody sees makes a name look like another's. Without it, it is the person's all the same.
    let name = text(&person.name).map(|name| name.chars().filter(|letter| !is_hidden(*letter)).collect::<String>());
    let name = name.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty());
    let verified = person.email_verified.as_ref();
    Claims {
        issuer: issuer.to_owned(),
        subject,
        email: text(&person.email),
        is_email_verified: verified.is_some_and(|value| value == &Value::Bool(true) || value == "true"),
        name,
        has_second_factor: false,
    }
}
