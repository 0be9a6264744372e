//! What browsers have begun and not finished. It lies in the database, so that any process takes the next request, under a
//! secret that the browser alone has; and sealed with that secret, so that who reads the database or a backup learns nothing.

use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hmac;
use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::error::{Fault, Result};
use crate::id;
use crate::passkey::{AssertionState, CEREMONY_SECONDS, RegistrationState};
use crate::store::steps::{self, StepPurpose};
use crate::totp;

/// Something that a browser has begun.
pub(super) trait Step: Sized {
    const PURPOSE: StepPurpose;
    const SECONDS: i64;

    fn written(&self) -> Result<Vec<u8>, Fault>;

    /// `None` for what another version of this program has written.
    fn read(bytes: &[u8]) -> Option<Self>;
}

/// A sign-in by a password that was right, of an account that wants a second factor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AwaitedCode {
    pub account: i64,
    /// The hash of the password that was right, so that it opens nothing after a new one.
    pub password: String,
}

/// Whom a provider has just vouched for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Offer {
    pub issuer: String,
    pub subject: String,
}

/// The secret of an authenticator app that is not confirmed yet.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Enrolment(pub totp::Secret);

impl Step for RegistrationState {
    const PURPOSE: StepPurpose = StepPurpose::Registration;
    const SECONDS: i64 = CEREMONY_SECONDS;

    fn written(&self) -> Result<Vec<u8>, Fault> {
        RegistrationState::written(self)
    }

    fn read(bytes: &[u8]) -> Option<RegistrationState> {
        RegistrationState::read(bytes)
    }
}

impl Step for AssertionState {
    const PURPOSE: StepPurpose = StepPurpose::Assertion;
    const SECONDS: i64 = CEREMONY_SECONDS;

    fn written(&self) -> Result<Vec<u8>, Fault> {
        AssertionState::written(self)
    }

    fn read(bytes: &[u8]) -> Option<AssertionState> {
        AssertionState::read(bytes)
    }
}

impl Step for AwaitedCode {
    const PURPOSE: StepPurpose = StepPurpose::Code;
    const SECONDS: i64 = CEREMONY_SECONDS;

    fn written(&self) -> Result<Vec<u8>, Fault> {
        json(self)
    }

    fn read(bytes: &[u8]) -> Option<AwaitedCode> {
        serde_json::from_slice(bytes).ok()
    }
}

impl Step for Offer {
    const PURPOSE: StepPurpose = StepPurpose::Offer;
    const SECONDS: i64 = 2 * CEREMONY_SECONDS;

    fn written(&self) -> Result<Vec<u8>, Fault> {
        json(self)
    }

    fn read(bytes: &[u8]) -> Option<Offer> {
        serde_json::from_slice(bytes).ok()
    }
}

impl Step for Enrolment {
    const PURPOSE: StepPurpose = StepPurpose::Enrolment;
    const SECONDS: i64 = 2 * CEREMONY_SECONDS;

    fn written(&self) -> Result<Vec<u8>, Fault> {
        Ok(self.0.to_vec())
    }

    fn read(bytes: &[u8]) -> Option<Enrolment> {
        bytes.try_into().ok().map(Enrolment)
    }
}

/// Keeps a step of the browser that has this secret. One that it had begun before is forgotten.
pub(super) fn begin<T: Step>(app: &App, secret: &str, step: &T) -> Result<()> {
    let hash = id::secret_hash(secret);
    let body = seal(secret, T::PURPOSE, step.written()?)?;
    let expires_at = app.clock.now().plus_seconds(T::SECONDS);
    app.store.write_of_row(&hash, move |tx| steps::keep(tx, &hash, T::PURPOSE, &body, expires_at))
}

/// The step of this browser, which goes on.
pub(super) fn look<T: Step>(app: &App, secret: &str) -> Result<Option<T>> {
    let (hash, now) = (id::secret_hash(secret), app.clock.now());
    let body = app.store.read(|tx| steps::find(tx, &hash, T::PURPOSE, now))?;
    Ok(body.and_then(|body| T::read(&open(secret, T::PURPOSE, body)?)))
}

/// The step of this browser, which is over with that.
pub(super) fn take<T: Step>(app: &App, secret: &str) -> Result<Option<T>> {
    let (hash, now) = (id::secret_hash(secret), app.clock.now());
    let body = app.store.write_of_row(&hash, move |tx| steps::take(tx, &hash, T::PURPOSE, now))?;
    Ok(body.and_then(|body| T::read(&open(secret, T::PURPOSE, body)?)))
}

fn json(step: &impl Serialize) -> Result<Vec<u8>, Fault> {
    serde_json::to_vec(step).map_err(|cause| Fault::new("a step cannot be written", cause))
}

/// A nonce, and what is sealed with it (RFC 8439).
fn seal(secret: &str, purpose: StepPurpose, mut body: Vec<u8>) -> Result<Vec<u8>, Fault> {
    let nonce = id::random_bytes::<NONCE_LEN>()?;
    let cannot = || Fault::bare("a step cannot be sealed");
    let key = key(secret, purpose).ok_or_else(cannot)?;
    let sealed = key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::empty(), &mut body);
    sealed.map_err(|_| cannot())?;
    Ok([&nonce[..], &body].concat())
}

/// What was sealed; `None` if it was not sealed with this secret, for this purpose.
fn open(secret: &str, purpose: StepPurpose, mut body: Vec<u8>) -> Option<Vec<u8>> {
    let nonce = Nonce::try_assume_unique_for_key(body.get(..NONCE_LEN)?).ok()?;
    let opened = key(secret, purpose)?.open_within(nonce, Aad::empty(), &mut body, NONCE_LEN..).ok()?;
    Some(opened.to_vec())
}

/// What is stored of the secret is its hash, from which this key does not follow.
fn key(secret: &str, purpose: StepPurpose) -> Option<LessSafeKey> {
    let from = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let key = hmac::sign(&from, format!("till step {}", purpose.as_str()).as_bytes());
    UnboundKey::new(&CHACHA20_POLY1305, key.as_ref()).ok().map(LessSafeKey::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_sealed_for_its_browser_and_its_purpose() {
        let step = AwaitedCode { account: 7, password: "$argon2id$".to_owned() };
        let sealed = seal("a", StepPurpose::Code, step.written().unwrap()).unwrap();
        assert!(!sealed.windows(6).any(|part| part == b"argon2"));
        let opened = |secret, purpose| open(secret, purpose, sealed.clone());
        assert_eq!(opened("a", StepPurpose::Code).and_then(|bytes| AwaitedCode::read(&bytes)), Some(step));
        assert_eq!((opened("b", StepPurpose::Code), opened("a", StepPurpose::Offer)), (None, None));
        assert_eq!(open("a", StepPurpose::Code, sealed[..11].to_vec()), None);
    }
}
