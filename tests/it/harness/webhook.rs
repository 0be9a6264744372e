//! Stripe's side of a webhook: the signature, made as Stripe's page "Check the webhook signatures" says, and not by the
//! code under test.

use std::sync::atomic::{AtomicU32, Ordering};

use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use till::clock::{Clock, Timestamp};

static MADE: AtomicU32 = AtomicU32::new(0);

/// The header `Stripe-Signature` for this body, signed at that time.
pub fn signature(secret: &str, body: &[u8], at: Timestamp) -> String {
    let seconds = at.seconds();
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(format!("{seconds}.").as_bytes());
    mac.update(body);
    format!("t={seconds},v1={}", HEXLOWER.encode(&mac.finalize().into_bytes()))
}

/// An event of test mode about this object, with an id of its own.
pub fn event(kind: &str, object: &Value) -> Value {
    let number = MADE.fetch_add(1, Ordering::Relaxed);
    json!({
        "id": format!("evt_story_{number}"), "object": "event", "type": kind, "created": now().seconds(),
        "api_version": "2026-05-27.dahlia", "livemode": false, "pending_webhooks": 1, "data": { "object": object },
    })
}

/// The time now, as webhooks carry it.
pub fn now() -> Timestamp {
    Clock::System.now()
}
