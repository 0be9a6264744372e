//! Codes of an authenticator app (RFC 6238): six digits of an HMAC-SHA-1 over the number of the half minute, which is what
//! every such app makes. A code of the half minute before or after is taken too. The HMAC is `ring`'s, which TLS brings.

use data_encoding::BASE32_NOPAD;
use fast_qr::QRBuilder;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use ring::hmac;
use subtle::ConstantTimeEq;

use crate::clock::Timestamp;
use crate::error::{Fault, Result};
use crate::id;

/// RFC 4226, section 4: 160 bits are advised.
pub const SECRET_BYTES: usize = 20;
/// Digits of a code.
pub const DIGITS: usize = 6;
const STEP_SECONDS: i64 = 30;

/// The key that an app and till share.
pub type Secret = [u8; SECRET_BYTES];

/// A secret for somebody.
pub fn secret() -> Result<Secret, Fault> {
    id::random_bytes()
}

/// The half minute in which `code` is one of the secret's: of now, the one before or the next, and after `last`, because a
/// code works once. White space in the code does not matter.
pub fn step_of(secret: &Secret, code: &str, last: i64, now: Timestamp) -> Option<i64> {
    let digits: String = code.chars().filter(|letter| !letter.is_whitespace()).collect();
    let current = now.seconds().div_euclid(STEP_SECONDS);
    let mut found = None;
    for step in [current - 1, current, current + 1] {
        // Each is compared, so that the time says nothing.
        let fits = bool::from(code_of(secret, step).as_bytes().ct_eq(digits.as_bytes()));
        if fits && step > last {
            found = Some(step);
        }
    }
    found
}

/// The code of a half minute (RFC 4226, section 5.3).
fn code_of(secret: &Secret, step: i64) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret);
    let code = hmac::sign(&key, &step.to_be_bytes());
    let code = code.as_ref();
    let offset = usize::from(code.last().copied().unwrap_or_default() & 0x0f);
    let four = code.get(offset..offset + 4).and_then(|four| <[u8; 4]>::try_from(four).ok()).unwrap_or_default();
    let number = u32::from_be_bytes(four) & 0x7fff_ffff;
    format!("{:0DIGITS$}", number % 1_000_000)
}

/// The secret as people type it: groups of four letters.
pub fn in_letters(secret: &Secret) -> String {
    let letters = BASE32_NOPAD.encode(secret);
    let groups: Vec<&str> = (0..letters.len()).step_by(4).filter_map(|from| letters.get(from..from + 4)).collect();
    groups.join(" ")
}

/// The address by which an app learns the secret ("Key URI Format" of Google Authenticator).
pub fn uri(secret: &Secret, shop: &str, person: &str) -> String {
    // A colon parts the two, so neither may have one.
    let plain = |text: &str| utf8_percent_encode(&text.replace(':', " "), NON_ALPHANUMERIC).to_string();
    let (shop, person, secret) = (plain(shop), plain(person), BASE32_NOPAD.encode(secret));
    format!("otpauth://totp/{shop}:{person}?secret={secret}&issuer={shop}")
}

/// The dark squares of a QR code as the path of an SVG, and how many squares a side has, with the four that must be free
/// around it (ISO/IEC 18004).
pub fn qr_path(text: &str) -> Result<(String, usize), Fault> {
    const MARGIN: usize = 4;
    let code = QRBuilder::new(text).build().map_err(|_| Fault::bare("a QR code has no room for its text"))?;
    let mut path = String::new();
    for row in 0..code.size {
        let mut column = 0;
        while column < code.size {
            let length = code[row][column..].iter().take_while(|square| square.value()).count();
            if length > 0 {
                path.push_str(&format!("M{} {}h{length}v1h-{length}z", column + MARGIN, row + MARGIN));
            }
            column += length.max(1);
        }
    }
    Ok((path, code.size + 2 * MARGIN))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6238, appendix B, of which the last six digits are ours.
    const RFC_SECRET: &Secret = b"12345678901234567890";

    #[test]
    fn codes_are_those_of_the_rfc() {
        for (seconds, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            assert_eq!(code_of(RFC_SECRET, seconds / 30), code);
        }
    }

    #[test]
    fn a_code_is_good_for_a_minute_and_a_half_and_once() {
        let at = Timestamp::from_seconds;
        let step = 1_111_111_109 / 30;
        for (seconds, last, expected) in [
            (1_111_111_109, 0, Some(step)),
            (1_111_111_109 + 30, 0, Some(step)),
            (1_111_111_109 - 30, 0, Some(step)),
            (1_111_111_109 + 60, 0, None),
            (1_111_111_109 - 60, 0, None),
            (1_111_111_109, step, None),
            (1_111_111_109, step + 1, None),
            (1_111_111_109, step - 1, Some(step)),
        ] {
            assert_eq!(step_of(RFC_SECRET, "081804", last, at(seconds)), expected, "{seconds}, {last}");
        }
        for code in ["", "081805", "81804", "0818040", "abcdef", "٠٨١٨٠٤"] {
            assert_eq!(step_of(RFC_SECRET, code, 0, at(1_111_111_109)), None, "{code}");
        }
        assert_eq!(step_of(RFC_SECRET, " 081 804", 0, at(1_111_111_109)), Some(step));
    }

    #[test]
    fn an_app_learns_the_secret_from_its_address() {
        assert_eq!(in_letters(RFC_SECRET), "GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ");
        assert_eq!(
            uri(RFC_SECRET, "A: shop", "ada@example.org"),
            "otpauth://totp/A%20%20shop:ada%40example%2Eorg?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=A%20%20shop"
        );
        let (path, side) = qr_path(&uri(RFC_SECRET, "A shop", "ada@example.org")).unwrap();
        assert!(path.starts_with("M4 4h7v1h-7z") && path.ends_with('z'), "the first corner's square begins: {path}");
        assert!((29..80).contains(&side), "{side}");
    }
}
