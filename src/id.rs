//! Identifiers and random secrets. Randomness comes from the operating system only.

use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};

use data_encoding::{BASE32_NOPAD, BASE64URL_NOPAD, HEXLOWER};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use crate::clock::Timestamp;
use crate::error::{Fault, Result};

/// The most characters of a user's id.
pub const USER_ID_LIMIT: usize = 128;

/// What a reference begins with if the rest is a user id in base64url without padding (RFC 4648, section 5).
const ENCODED: &str = "till64_";

/// A user's id, which the calling program chooses: 1 to [`USER_ID_LIMIT`] of `A–Z a–z 0–9 . _ : @ -`. It is not of dots
/// alone: libraries fold `.` and `..` away in a URL (RFC 3986, section 5.2.4), so a call would reach another address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserId(String);

impl UserId {
    /// `None` unless the text is a user id.
    pub fn new(text: &str) -> Option<UserId> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._:@-".contains(&byte);
        let is_dots = text.bytes().all(|byte| byte == b'.');
        let is_id = (1..=USER_ID_LIMIT).contains(&text.len()) && text.bytes().all(allowed) && !is_dots;
        is_id.then(|| UserId(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The `client_reference_id` of a payment link or a pricing table that names this user. Stripe drops one with other
    /// characters than letters, digits, `-` and `_` ("Track a payment link"), so such an id is encoded.
    pub fn reference(&self) -> String {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
        if self.0.bytes().all(allowed) && !self.0.starts_with(ENCODED) {
            return self.0.clone();
        }
        format!("{ENCODED}{}", BASE64URL_NOPAD.encode(self.0.as_bytes()))
    }

    /// The user id that a `client_reference_id` means. The text alone decides, and not which users there are: otherwise
    /// a user could take an id that reads like the encoded id of another.
    pub fn of_reference(text: &str) -> Option<UserId> {
        let decoded = text.strip_prefix(ENCODED).and_then(|rest| BASE64URL_NOPAD.decode(rest.as_bytes()).ok());
        let decoded = decoded.and_then(|bytes| String::from_utf8(bytes).ok()).and_then(|text| UserId::new(&text));
        decoded.or_else(|| UserId::new(text))
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// `N` random bytes.
pub fn random_bytes<const N: usize>() -> Result<[u8; N], Fault> {
    let mut bytes = [0u8; N];
    getrandom::fill(&mut bytes).map_err(|cause| Fault::new("the operating system gave no random bytes", cause))?;
    Ok(bytes)
}

/// An id that sorts by the time of its creation: `prefix_` and 26 letters (48 bits of milliseconds, 80 random bits).
pub fn ordered_id(prefix: &str, at: Timestamp) -> Result<String, Fault> {
    let mut bytes = [0u8; 16];
    bytes[..6].copy_from_slice(&at.millis().to_be_bytes()[2..]);
    bytes[6..].copy_from_slice(&random_bytes::<10>()?);
    Ok(format!("{prefix}_{}", BASE32_NOPAD.encode(&bytes).to_ascii_lowercase()))
}

/// A number that sorts by the time at which it is made: the milliseconds and 20 random bits, and more than `last`. So those
/// who write at the same time need not wait to learn each other's. Those of one process and millisecond are in order too.
pub fn ordered_number(at: Timestamp, last: Option<i64>) -> Result<i64, Fault> {
    static NEWEST: AtomicI64 = AtomicI64::new(0);
    let [high, middle, low] = random_bytes()?;
    let number = number_of(at, u32::from_be_bytes([0, high, middle, low]), last);
    let after = |newest: i64| match newest >> CHANCE_BITS == number >> CHANCE_BITS {
        true => number.max(newest.saturating_add(1)),
        false => number,
    };
    let before = NEWEST.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |newest| Some(after(newest)));
    Ok(before.map_or(number, after))
}

/// The random part of a number.
const CHANCE_BITS: u32 = 20;

fn number_of(at: Timestamp, chance: u32, last: Option<i64>) -> i64 {
    let chance = i64::from(chance % (1 << CHANCE_BITS));
    let number = at.millis().max(0).saturating_mul(1 << CHANCE_BITS).saturating_add(chance);
    number.max(last.unwrap_or(0).saturating_add(1))
}

/// A secret for a token, a sign-in link or a session: `prefix` and 256 random bits in 52 letters.
pub fn secret(prefix: &str) -> Result<String, Fault> {
    Ok(format!("{prefix}{}", BASE32_NOPAD.encode(&random_bytes::<32>()?).to_ascii_lowercase()))
}

/// What is stored instead of a secret. Secrets of 256 random bits need no slow hash.
pub fn secret_hash(secret: &str) -> [u8; 32] {
    digest(secret.as_bytes())
}

/// SHA-256.
pub fn digest(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// A code that only who has `key` can make for a text: half of its HMAC-SHA256 (RFC 2104, section 5).
pub fn keyed_code(key: &[u8], text: &str) -> [u8; 16] {
    let mut code = [0; 16];
    // A key may have any length.
    if let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) {
        mac.update(text.as_bytes());
        code.copy_from_slice(&mac.finalize().into_bytes()[..16]);
    }
    code
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    HEXLOWER.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_id_is_1_to_128_of_the_allowed_characters() {
        for good in ["a", "alice@example.org", "A-z_0.9:x", ".a", "a..", "..-", &"x".repeat(128)] {
            assert!(UserId::new(good).is_some(), "{good}");
        }
        for bad in ["", "a b", "ä", "a/b", "a\n", ".", "..", "...", "a%2e", &"x".repeat(129)] {
            assert!(UserId::new(bad).is_none(), "{bad:?}");
        }
    }

    #[test]
    fn a_reference_means_one_user_and_has_only_characters_that_stripe_keeps() {
        let long = ".".repeat(USER_ID_LIMIT - 1) + "x";
        for (id, reference) in [
            ("alice", "alice"),
            ("a-b_C9", "a-b_C9"),
            ("alice@example.org", "till64_YWxpY2VAZXhhbXBsZS5vcmc"),
            ("a:b", "till64_YTpi"),
            ("till64_YTpi", "till64_dGlsbDY0X1lUcGk"),
            (long.as_str(), ""),
        ] {
            let user = UserId::new(id).unwrap();
            let made = user.reference();
            assert!(made == reference || reference.is_empty(), "{id}: {made}");
            let kept = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
            assert!(made.len() <= 200 && made.bytes().all(kept), "{made}");
            assert_eq!(UserId::of_reference(&made), Some(user), "{id}");
        }
        assert_eq!(UserId::of_reference("alice@example.org"), UserId::new("alice@example.org"), "a checkout by API");
        assert_eq!(UserId::of_reference("till64_?"), None);
        assert_eq!(UserId::of_reference("till64_x"), UserId::new("till64_x"), "nothing is encoded so");
    }

    #[test]
    fn ids_sort_by_time_and_secrets_differ() {
        let early = ordered_id("ord", Timestamp::from_millis(1_000)).unwrap();
        let late = ordered_id("ord", Timestamp::from_millis(2_000_000)).unwrap();
        assert!(early < late && early.len() == 30);
        assert_ne!(secret("till_").unwrap(), secret("till_").unwrap());
    }

    #[test]
    fn numbers_sort_by_time_and_after_the_last_whatever_the_clock_says() {
        let at = |millis, chance, last| number_of(Timestamp::from_millis(millis), chance, last);
        assert_eq!((at(0, 0, None), at(-5, 7, None), at(1, 0xff_ffff, None)), (1, 7, (2 << 20) - 1));
        let now = 1_790_000_000_000;
        assert!(at(now, 0, None) > at(now - 1, 0xf_ffff, None));
        assert_eq!(at(now, 5, Some(at(now + 1, 0, None))), at(now + 1, 1, None), "the clock went back");
        assert_eq!(at(i64::MAX, 0xf_ffff, None), i64::MAX);
        let number = ordered_number(Timestamp::from_millis(now), None).unwrap();
        assert_eq!(number >> 20, now);
        let later: Vec<i64> = (0..50).map(|_| ordered_number(Timestamp::from_millis(now), None).unwrap()).collect();
        assert!(later.is_sorted() && later[0] > number, "{later:?}");
    }
}
