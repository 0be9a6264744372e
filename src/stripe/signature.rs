//! Whether a webhook's body was signed by Stripe: a pure function of header, body, secrets and time.
//!
//! The rules are those of Stripe's page "Check the webhook signatures". A body is parsed only after it was verified, so
//! nothing here parses it.

use std::fmt;

use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::{Choice, ConstantTimeEq};

use crate::clock::Timestamp;
use crate::secret::Secret;

/// How far a signature's time may be from ours, before or after, in seconds. Exactly this distance is still accepted.
pub const TOLERANCE_SECONDS: i64 = 300;

/// The longest `Stripe-Signature` header that is read, in bytes: enough for about fifty signatures.
pub const HEADER_LIMIT: usize = 4096;

/// A body that Stripe signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verification {
    /// When Stripe signed it. Each delivery has its own signature.
    pub signed_at: Timestamp,
    /// How far that is ahead of our clock, in seconds; zero if it is not. One of the two clocks is wrong, and probably
    /// not Stripe's.
    pub ahead_seconds: i64,
}

/// Why a body is not accepted as Stripe's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignatureFault {
    /// There is no `Stripe-Signature` header.
    Missing,
    /// The header is longer than [`HEADER_LIMIT`].
    TooLong,
    /// The header is not printable ASCII.
    NotAscii,
    /// `t=` is missing, or is not a whole number of seconds.
    TimeUnreadable,
    /// There are two `t=`: one of them was added.
    TimeRepeated,
    /// No `v1=` matches the body under any of the secrets.
    Mismatch,
    /// The signature is right, but older than [`TOLERANCE_SECONDS`]: a replay, or a wrong clock.
    Stale {
        /// By our clock.
        age_seconds: i64,
    },
    /// The signature is right, but more than [`TOLERANCE_SECONDS`] ahead of our clock. Who has the secret could sign such
    /// bodies today, to be sent after the secret was changed. Stripe's own libraries accept them.
    Ahead {
        /// Of our clock.
        ahead_seconds: i64,
    },
}

impl fmt::Display for SignatureFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SignatureFault::Missing => f.write_str("The header Stripe-Signature is missing: this is not from Stripe."),
            SignatureFault::TooLong => write!(f, "The header Stripe-Signature is longer than {HEADER_LIMIT} bytes."),
            SignatureFault::NotAscii => f.write_str("The header Stripe-Signature holds bytes that are not ASCII text."),
            SignatureFault::TimeUnreadable => {
                f.write_str("The header Stripe-Signature has no readable time (t= and whole seconds).")
            }
            SignatureFault::TimeRepeated => f.write_str("The header Stripe-Signature names two times (t=)."),
            SignatureFault::Mismatch => f.write_str(
                "No signature in Stripe-Signature fits this body. Compare the configured signing secret (whsec_…) with \
                 the one that Stripe shows for this webhook endpoint.",
            ),
            SignatureFault::Stale { age_seconds } => write!(
                f,
                "The signature is right, but by this server's clock it was made {age_seconds} s ago, and \
                 {TOLERANCE_SECONDS} s are allowed. Check this server's clock."
            ),
            SignatureFault::Ahead { ahead_seconds } => write!(
                f,
                "The signature is right, but its time is {ahead_seconds} s ahead of this server's clock, and \
                 {TOLERANCE_SECONDS} s are allowed. Check this server's clock."
            ),
        }
    }
}

impl std::error::Error for SignatureFault {}

/// Checks that `body` was signed under one of `secrets`, and neither too long before `now` nor too long after.
///
/// `header` is the value of `Stripe-Signature`; `body` is the bytes as received. A secret is used whole, with its
/// `whsec_`. Any `v1` that matches under any secret passes, since Stripe signs under both while a secret is rolled.
/// `v0` and other schemes are ignored, and so is a `v1` that is not 64 lower-case hexadecimal digits.
pub fn verify(
    header: Option<&[u8]>,
    body: &[u8],
    secrets: &[Secret],
    now: Timestamp,
) -> Result<Verification, SignatureFault> {
    let header = read_header(header)?;
    if !fits(&header, body, secrets) {
        return Err(SignatureFault::Mismatch);
    }
    let ahead_seconds = check_time(&header, now)?;

    Ok(Verification { signed_at: Timestamp::from_seconds(header.seconds), ahead_seconds })
}

/// Checks what the header alone says: that it can be read, has a `v1`, and is of about now. So a body that cannot be accepted
/// need not be read. That the signature is right is for [`verify`] to say.
pub fn check_header(header: Option<&[u8]>, now: Timestamp) -> Result<(), SignatureFault> {
    let header = read_header(header)?;
    if header.signatures.is_empty() {
        return Err(SignatureFault::Mismatch);
    }
    check_time(&header, now).map(drop)
}

/// How many seconds the signature is ahead of us, unless it is too far from now.
fn check_time(header: &Header<'_>, now: Timestamp) -> Result<i64, SignatureFault> {
    let age_seconds = now.seconds().saturating_sub(header.seconds);
    let ahead_seconds = age_seconds.saturating_neg().max(0);
    if age_seconds > TOLERANCE_SECONDS {
        return Err(SignatureFault::Stale { age_seconds });
    }
    if ahead_seconds > TOLERANCE_SECONDS {
        return Err(SignatureFault::Ahead { ahead_seconds });
    }
    Ok(ahead_seconds)
}

/// The header that Stripe would send with this body: for a probe of our own webhook.
pub fn header(secret: &Secret, body: &[u8], now: Timestamp) -> Option<String> {
    let time = now.seconds().to_string();
    let signature = signature(secret, &time, body)?;
    Some(format!("t={time},v1={}", HEXLOWER.encode(&signature)))
}

struct Header<'a> {
    /// As it was written, because that is what was signed.
    time: &'a str,
    seconds: i64,
    signatures: Vec<[u8; 32]>,
}

fn read_header(header: Option<&[u8]>) -> Result<Header<'_>, SignatureFault> {
    let bytes = header.ok_or(SignatureFault::Missing)?;
    if bytes.len() > HEADER_LIMIT {
        return Err(SignatureFault::TooLong);
    }
    if !bytes.iter().all(|byte| (b' '..=b'~').contains(byte)) {
        return Err(SignatureFault::NotAscii);
    }
    let text = std::str::from_utf8(bytes).map_err(|_| SignatureFault::NotAscii)?;

    let mut time = None;
    let mut signatures = Vec::new();
    for (key, value) in text.split(',').filter_map(|part| part.split_once('=')) {
        match key {
            "t" if time.is_some() => return Err(SignatureFault::TimeRepeated),
            "t" => time = Some(value),
            "v1" => signatures.extend(signature_bytes(value)),
            _ => {}
        }
    }
    let time = time.ok_or(SignatureFault::TimeUnreadable)?;
    let digits_only = !time.is_empty() && time.bytes().all(|byte| byte.is_ascii_digit());
    let seconds = time.parse().ok().filter(|_| digits_only).ok_or(SignatureFault::TimeUnreadable)?;
    Ok(Header { time, seconds, signatures })
}

fn signature_bytes(hex: &str) -> Option<[u8; 32]> {
    HEXLOWER.decode(hex.as_bytes()).ok()?.try_into().ok()
}

/// Compares every signature under every secret, in a time that does not depend on where they differ.
fn fits(header: &Header<'_>, body: &[u8], secrets: &[Secret]) -> bool {
    let mut found = Choice::from(0);
    // An empty secret would let anybody sign.
    for secret in secrets.iter().filter(|secret| !secret.reveal().is_empty()) {
        let Some(expected) = signature(secret, header.time, body) else { continue };
        for given in &header.signatures {
            found |= expected.as_slice().ct_eq(given.as_slice());
        }
    }
    found.into()
}

/// HMAC-SHA256 of `time.body` under the whole secret.
fn signature(secret: &Secret, time: &str, body: &[u8]) -> Option<[u8; 32]> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.reveal().as_bytes()).ok()?;
    mac.update(time.as_bytes());
    mac.update(b".");
    mac.update(body);
    Some(mac.finalize().into_bytes().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_790_000_000;
    const BODY: &[u8] = br#"{"id":"evt_1"}"#;

    fn sign(body: &[u8], secret: &str, time: &str) -> String {
        HEXLOWER.encode(&signature(&Secret::new(secret), time, body).unwrap())
    }

    fn good(at: i64) -> String {
        format!("t={at},v1={}", sign(BODY, "whsec_new", &at.to_string()))
    }

    fn check(header: Option<&[u8]>, body: &[u8]) -> Result<Verification, SignatureFault> {
        let secrets = [Secret::new("whsec_old"), Secret::new(""), Secret::new("whsec_new")];
        verify(header, body, &secrets, Timestamp::from_millis(NOW * 1000 + 999))
    }

    /// The value is from `printf 1790000000.x | openssl dgst -sha256 -hmac whsec_k`.
    #[test]
    fn the_signature_is_hmac_sha256_over_time_dot_body() {
        let expected = "c4b844466752e928c2e525c26d31ccdf7e92301f0a49f358ec02e51fbfa4c885";
        assert_eq!(sign(b"x", "whsec_k", "1790000000"), expected);
    }

    #[test]
    fn any_v1_under_any_secret_passes_and_all_else_is_ignored() {
        let v1 = sign(BODY, "whsec_new", "1790000000");
        let old = sign(BODY, "whsec_old", "1790000000");
        let wrong = "ab".repeat(32);
        let empty = sign(BODY, "", "1790000000");
        let passes = [
            format!("t={NOW},v1={v1}"),
            format!("t={NOW},v1={old}"),
            format!("v1={v1},t={NOW}"),
            format!("t={NOW},v1={wrong},v1={v1},v0={wrong}"),
            format!("t={NOW},v1=zz,v1=,v1,nonsense,v2=x,v1={v1}"),
        ];
        for header in passes {
            let verified = check(Some(header.as_bytes()), BODY);
            assert_eq!(
                verified,
                Ok(Verification { signed_at: Timestamp::from_seconds(NOW), ahead_seconds: 0 }),
                "{header}"
            );
        }
        let mismatches = [
            format!("t={NOW}"),
            format!("t={NOW},v0={v1}"),
            format!("t={NOW},v1={wrong}"),
            format!("t={NOW},v1={empty}"),
            format!("t={NOW},v1={}", v1.to_uppercase()),
            format!("t={NOW},v1={}", &v1[..62]),
            format!("t={},v1={v1}", NOW - 1),
            format!("t={},v1={wrong}", NOW - 9999),
        ];
        for header in mismatches {
            assert_eq!(check(Some(header.as_bytes()), BODY), Err(SignatureFault::Mismatch), "{header}");
        }
        assert_eq!(check(Some(good(NOW).as_bytes()), b"{\"id\":\"evt_2\"}"), Err(SignatureFault::Mismatch));
        assert_eq!(
            verify(Some(good(NOW).as_bytes()), BODY, &[], Timestamp::from_seconds(NOW)),
            Err(SignatureFault::Mismatch)
        );
    }

    #[test]
    fn a_signature_is_accepted_within_300_seconds_of_our_clock_either_way() {
        for (at, ahead_seconds) in [(NOW, 0), (NOW - 300, 0), (NOW + 1, 1), (NOW + 300, 300)] {
            let verified = check(Some(good(at).as_bytes()), BODY);
            assert_eq!(verified, Ok(Verification { signed_at: Timestamp::from_seconds(at), ahead_seconds }), "{at}");
        }
        for age_seconds in [301, 1_000_000] {
            let verified = check(Some(good(NOW - age_seconds).as_bytes()), BODY);
            assert_eq!(verified, Err(SignatureFault::Stale { age_seconds }));
        }
        for ahead_seconds in [301, 9999, i64::MAX - NOW] {
            let verified = check(Some(good(NOW + ahead_seconds).as_bytes()), BODY);
            assert_eq!(verified, Err(SignatureFault::Ahead { ahead_seconds }));
        }
        assert!(SignatureFault::Stale { age_seconds: 301 }.to_string().contains("clock"));
        assert!(SignatureFault::Ahead { ahead_seconds: 301 }.to_string().contains("clock"));
    }

    #[test]
    fn a_header_is_checked_without_its_body() {
        let now = Timestamp::from_seconds(NOW);
        let check = |header: &str| check_header(Some(header.as_bytes()), now);
        let digits = "0".repeat(64);
        for at in [NOW, NOW - 300, NOW + 300] {
            assert_eq!(check(&format!("t={at},v1={digits}")), Ok(()));
        }
        assert_eq!(check(&format!("t={},v1={digits}", NOW - 301)), Err(SignatureFault::Stale { age_seconds: 301 }));
        assert_eq!(check(&format!("t={},v1={digits}", NOW + 301)), Err(SignatureFault::Ahead { ahead_seconds: 301 }));
        assert_eq!(check(&format!("t={NOW},v1=00,v0={digits}")), Err(SignatureFault::Mismatch));
        assert_eq!(check_header(None, now), Err(SignatureFault::Missing));
        assert_eq!(check("v1=00"), Err(SignatureFault::TimeUnreadable));
    }

    #[test]
    fn a_header_that_is_not_one_is_refused() {
        let twice = format!("t={NOW},{}", good(NOW));
        let long = format!("{},v1={}", good(NOW), "a".repeat(HEADER_LIMIT));
        let odd = format!("{},v9=ä", good(NOW));
        let rows: [(Option<&[u8]>, SignatureFault); 11] = [
            (None, SignatureFault::Missing),
            (Some(b""), SignatureFault::TimeUnreadable),
            (Some(b"v1=00"), SignatureFault::TimeUnreadable),
            (Some(b"t=,v1=00"), SignatureFault::TimeUnreadable),
            (Some(b"t=-1,v1=00"), SignatureFault::TimeUnreadable),
            (Some(b"t=+1,v1=00"), SignatureFault::TimeUnreadable),
            (Some(b"t=99999999999999999999,v1=00"), SignatureFault::TimeUnreadable),
            (Some(twice.as_bytes()), SignatureFault::TimeRepeated),
            (Some(long.as_bytes()), SignatureFault::TooLong),
            (Some(odd.as_bytes()), SignatureFault::NotAscii),
            (Some(b"t=1\xff,v1=00"), SignatureFault::NotAscii),
        ];
        for (header, fault) in rows {
            assert_eq!(check(header, BODY), Err(fault), "{header:?}");
        }
    }
}
