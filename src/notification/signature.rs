//! The signature of a notification, by the Standard Webhooks specification: `v1,` and the base64 of HMAC-SHA256 over
//! `id.timestamp.body`; one for each valid secret, separated by spaces. Pure, except for the randomness of a new secret.

use data_encoding::BASE64;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::clock::Timestamp;
use crate::error::Fault;
use crate::id;
use crate::secret::Secret;

const PREFIX: &str = "whsec_";

/// A new secret: `whsec_` and 32 random bytes in base64 (the specification wants 24 to 64).
pub fn new_secret() -> Result<Secret, Fault> {
    Ok(Secret::new(format!("{PREFIX}{}", BASE64.encode(&id::random_bytes::<32>()?))))
}

/// The header `webhook-signature` of a notification that is sent at `at`. A fault when a secret is not in the form that
/// [`new_secret`] gives it.
pub fn header(secrets: &[Secret], id: &str, at: Timestamp, body: &[u8]) -> Result<String, Fault> {
    let signatures: Result<Vec<String>, Fault> = secrets.iter().map(|secret| sign(secret, id, at, body)).collect();
    Ok(signatures?.join(" "))
}

fn sign(secret: &Secret, id: &str, at: Timestamp, body: &[u8]) -> Result<String, Fault> {
    let key = secret.reveal().strip_prefix(PREFIX).and_then(|key| BASE64.decode(key.as_bytes()).ok());
    // An empty key would let anybody sign.
    let key = key.filter(|key| !key.is_empty());
    let key = key.ok_or_else(|| Fault::bare("a webhook endpoint's secret is not whsec_ and base64"))?;
    let mut mac = Hmac::<Sha256>::new_from_slice(&key)
        .map_err(|cause| Fault::new("a webhook endpoint's secret cannot be a key", cause))?;
    mac.update(id.as_bytes());
    mac.update(format!(".{}.", at.seconds()).as_bytes());
    mac.update(body);
    Ok(format!("v1,{}", BASE64.encode(&mac.finalize().into_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification's own libraries.
    #[test]
    fn a_signature_is_the_one_that_the_specification_gives() {
        let secret = Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let at = Timestamp::from_millis(1_614_265_330_999);
        let (id, body) = ("msg_p5jXN8AQM9LWM0D4loKWxJek", br#"{"test": 2432232314}"#);
        let expected = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        assert_eq!(header(std::slice::from_ref(&secret), id, at, body).unwrap(), expected);

        let another = new_secret().unwrap();
        assert_eq!(BASE64.decode(another.reveal().strip_prefix(PREFIX).unwrap().as_bytes()).unwrap().len(), 32);
        let both = header(&[another.clone(), secret], id, at, body).unwrap();
        assert!(both.starts_with("v1,") && both.ends_with(&format!(" {expected}")), "{both}");
        assert_ne!(another, new_secret().unwrap());
        for bad in ["whsec_", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_?"] {
            assert!(header(&[Secret::new(bad)], id, at, body).is_err(), "{bad}");
        }
    }
}
