//! An attempt to sign in, which is kept by the browser and by nobody else: a cookie with one secret, from which `state`,
//! `nonce` and PKCE's verifier follow. So an answer of the provider's is good in the browser that asked alone, and nothing has
//! to be stored or removed. A cookie that somebody makes by themselves signs in nobody but themselves.

use data_encoding::BASE64URL_NOPAD;
use subtle::ConstantTimeEq;

use crate::clock::Timestamp;
use crate::error::{Fault, Result};
use crate::id;

/// How long an attempt may take.
pub const ATTEMPT_SECONDS: i64 = 600;
/// Characters of an invitation's secret.
const INVITE_LIMIT: usize = 100;

/// What the person wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Purpose {
    SignIn,
    /// To make an account by this invitation, or to sign in where there is one.
    Invite(String),
    /// To connect the provider with the account that is signed in.
    Connect(i64),
}

/// One attempt.
#[derive(Clone, PartialEq, Eq)]
pub struct Attempt {
    secret: String,
    begun_at: Timestamp,
    pub purpose: Purpose,
}

impl Attempt {
    /// A new one. An invitation that cannot be one is left out.
    pub fn begin(purpose: Purpose, now: Timestamp) -> Result<Attempt, Fault> {
        let purpose = match purpose {
            Purpose::Invite(invite) if !is_invite(&invite) => Purpose::SignIn,
            purpose => purpose,
        };
        Ok(Attempt { secret: id::secret("")?, begun_at: now, purpose })
    }

    /// The attempt of a cookie; `None` where there is none that could be ours.
    pub fn read(cookie: &str) -> Option<Attempt> {
        let mut parts = cookie.splitn(3, '.');
        let (secret, begun_at, purpose) = (parts.next()?, parts.next()?, parts.next()?);
        let is_secret = secret.len() == 52 && secret.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let purpose = match purpose.split_once('-') {
            None if purpose == "s" => Purpose::SignIn,
            Some(("i", invite)) if is_invite(invite) => Purpose::Invite(invite.to_owned()),
            Some(("c", account)) => Purpose::Connect(account.parse().ok()?),
            _ => return None,
        };
        let begun_at = Timestamp::from_millis(begun_at.parse().ok()?);
        is_secret.then(|| Attempt { secret: secret.to_owned(), begun_at, purpose })
    }

    /// The cookie's value.
    pub fn cookie(&self) -> String {
        format!("{}.{}", self.secret, self.terms())
    }

    /// Whether it may still be answered.
    pub fn is_open(&self, now: Timestamp) -> bool {
        (self.begun_at..self.begun_at.plus_seconds(ATTEMPT_SECONDS)).contains(&now)
    }

    /// Comes back with the provider's answer.
    pub fn state(&self) -> String {
        self.derived("state")
    }

    /// Whether this came back.
    pub fn is_state(&self, given: &str) -> bool {
        self.state().as_bytes().ct_eq(given.as_bytes()).into()
    }

    /// Comes back in the token.
    pub fn nonce(&self) -> String {
        self.derived("nonce")
    }

    /// RFC 7636, section 4.1.
    pub fn verifier(&self) -> String {
        format!("{}{}", self.derived("verifier"), self.derived("verifier, second half"))
    }

    /// RFC 7636, section 4.2, by S256.
    pub fn challenge(&self) -> String {
        BASE64URL_NOPAD.encode(&id::digest(self.verifier().as_bytes()))
    }

    /// What follows from the secret, for this time and this purpose alone.
    fn derived(&self, what: &str) -> String {
        id::hex(&id::keyed_code(self.secret.as_bytes(), &format!("{what} {}", self.terms())))
    }

    fn terms(&self) -> String {
        let purpose = match &self.purpose {
            Purpose::SignIn => "s".to_owned(),
            Purpose::Invite(invite) => format!("i-{invite}"),
            Purpose::Connect(account) => format!("c-{account}"),
        };
        format!("{}.{purpose}", self.begun_at.millis())
    }
}

fn is_invite(text: &str) -> bool {
    (1..=INVITE_LIMIT).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: Timestamp = Timestamp::from_millis(1_795_500_000_000);

    #[test]
    fn an_attempt_is_what_its_cookie_says_for_ten_minutes() {
        for purpose in [Purpose::SignIn, Purpose::Invite("abc234".into()), Purpose::Connect(7)] {
            let attempt = Attempt::begin(purpose.clone(), NOON).unwrap();
            let read = Attempt::read(&attempt.cookie()).unwrap();
            assert!(read == attempt && read.purpose == purpose && read.is_state(&attempt.state()));
            for (seconds, is_open) in [(-1, false), (0, true), (599, true), (600, false)] {
                assert_eq!(read.is_open(NOON.plus_seconds(seconds)), is_open, "{seconds}");
            }
        }
        let attempt = Attempt::begin(Purpose::SignIn, NOON).unwrap();
        let later = attempt.cookie().replace(&NOON.millis().to_string(), &(NOON.millis() + 1).to_string());
        assert!(!Attempt::read(&later).unwrap().is_state(&attempt.state()), "the time is bound to the state");
        let other = attempt.cookie().replace(".s", ".c-1");
        assert!(!Attempt::read(&other).unwrap().is_state(&attempt.state()), "and so is the purpose");
        assert!(!Attempt::begin(Purpose::SignIn, NOON).unwrap().is_state(&attempt.state()), "another browser");
        assert_eq!(Attempt::begin(Purpose::Invite("a;b".into()), NOON).unwrap().purpose, Purpose::SignIn);
        for text in ["", "a.b.c", &attempt.cookie()[1..], &format!("{}x", attempt.cookie()), "..s"] {
            assert!(Attempt::read(text).is_none(), "{text}");
        }
        let parts = [attempt.state(), attempt.nonce(), attempt.verifier(), attempt.challenge()];
        assert_eq!(parts.map(|part| part.len()), [32, 32, 64, 43]);
    }
}
