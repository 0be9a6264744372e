//! Stripe's side of a webhook: the signature, made as Stripe's page "Check the webhook signatures" says, and not by the
//! code under test.

use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use till::clock::{Clock, Timestamp};

/// The header `Stripe-Signature` for this body, signed at that time.
pub fn signature(secret: &str, body: &[u8], at: Timestamp) -> String {
    let seconds = at.seconds();
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(format!("{seconds}.").as_bytes());
    mac.update(body);
    format!("t={seconds},v1={}", HEXLOWER.encode(&mac.finalize().into_bytes()))
}

/// The time now, as webhooks carry it.
pub fn now() -> Timestamp {
    Clock::System.now()
}
