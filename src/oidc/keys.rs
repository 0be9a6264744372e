//! A provider's public keys (RFC 7517), and the signatures that they verify (RFC 7518, section 3; RFC 8037). The algorithms
//! are a list: what is not in it is refused, `none` and every one with a shared secret (HS256) among them. A key verifies
//! only by the algorithms of its kind, so that a public key is never taken for a secret.

use data_encoding::BASE64URL_NOPAD;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384,
    RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512,
    RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm,
};
use serde::Deserialize;

/// Keys that are read of a set, and tried for a token that names none.
const KEYS_LIMIT: usize = 50;

/// How a token is signed.
#[derive(Clone, Copy)]
pub(super) struct Algorithm {
    name: &'static str,
    method: Method,
}

#[derive(Clone, Copy)]
enum Method {
    Rsa(&'static RsaParameters),
    /// With the curve's name and the bytes of one coordinate.
    Curve(&'static dyn VerificationAlgorithm, &'static str, usize),
    Ed25519,
}

const ALGORITHMS: [Algorithm; 10] = [
    Algorithm { name: "RS256", method: Method::Rsa(&RSA_PKCS1_2048_8192_SHA256) },
    Algorithm { name: "RS384", method: Method::Rsa(&RSA_PKCS1_2048_8192_SHA384) },
    Algorithm { name: "RS512", method: Method::Rsa(&RSA_PKCS1_2048_8192_SHA512) },
    Algorithm { name: "PS256", method: Method::Rsa(&RSA_PSS_2048_8192_SHA256) },
    Algorithm { name: "PS384", method: Method::Rsa(&RSA_PSS_2048_8192_SHA384) },
    Algorithm { name: "PS512", method: Method::Rsa(&RSA_PSS_2048_8192_SHA512) },
    Algorithm { name: "ES256", method: Method::Curve(&ECDSA_P256_SHA256_FIXED, "P-256", 32) },
    Algorithm { name: "ES384", method: Method::Curve(&ECDSA_P384_SHA384_FIXED, "P-384", 48) },
    Algorithm { name: "EdDSA", method: Method::Ed25519 },
    // RFC 9864.
    Algorithm { name: "Ed25519", method: Method::Ed25519 },
];

impl Algorithm {
    pub(super) fn of_name(name: &str) -> Option<Algorithm> {
        ALGORITHMS.into_iter().find(|algorithm| algorithm.name == name)
    }

    /// The names that are taken, for people.
    pub(super) fn names() -> String {
        ALGORITHMS.map(|algorithm| algorithm.name).join(", ")
    }
}

/// Why a signature was not verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SignatureFault {
    /// There is no such key: there may be new ones.
    UnknownKey,
    Wrong,
}

/// The keys of a provider that can sign.
#[derive(Clone, Debug, Default)]
pub(super) struct KeySet(Vec<Key>);

/// RFC 7517, section 4. What is not for signatures, or of another kind, is left out.
#[derive(Clone, Debug, Deserialize)]
struct Key {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

#[derive(Deserialize)]
struct Document {
    keys: Vec<serde_json::Value>,
}

impl KeySet {
    pub(super) fn read(body: &[u8]) -> Result<KeySet, String> {
        let document: Document = serde_json::from_slice(body).map_err(|cause| cause.to_string())?;
        // RFC 7517, section 5: a key that cannot be read is passed over.
        let keys = document.keys.into_iter().take(KEYS_LIMIT);
        let keys = keys.filter_map(|key| serde_json::from_value::<Key>(key).ok());
        let keys: Vec<Key> = keys.filter(|key| ALGORITHMS.iter().any(|algorithm| key.is_for(*algorithm))).collect();
        if keys.is_empty() {
            return Err(format!("none of its keys is for one of {}", Algorithm::names()));
        }
        Ok(KeySet(keys))
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Verifies a signature by the key with this id, or by any key of the algorithm where the token names none.
    pub(super) fn verify(
        &self,
        algorithm: Algorithm,
        id: Option<&str>,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), SignatureFault> {
        let mut fitting = self.0.iter().filter(|key| id.is_none() || key.kid.as_deref() == id).peekable();
        if fitting.peek().is_none() {
            return Err(SignatureFault::UnknownKey);
        }
        let is_verified =
            fitting.any(|key| key.is_for(algorithm) && key.verify(algorithm, message, signature).is_some());
        match is_verified {
            true => Ok(()),
            // Of a token that names no key, nobody knows whether its key is known.
            false if id.is_none() => Err(SignatureFault::UnknownKey),
            false => Err(SignatureFault::Wrong),
        }
    }
}

impl Key {
    fn is_for(&self, algorithm: Algorithm) -> bool {
        let (kind, curve) = match algorithm.method {
            Method::Rsa(_) => ("RSA", None),
            Method::Curve(_, curve, _) => ("EC", Some(curve)),
            Method::Ed25519 => ("OKP", Some("Ed25519")),
        };
        self.kty == kind
            && (curve.is_none() || self.crv.as_deref() == curve)
            && self.alg.as_deref().is_none_or(|name| name == algorithm.name)
            && self.usage.as_deref().is_none_or(|usage| usage == "sig")
            && self.key_ops.as_ref().is_none_or(|uses| uses.iter().any(|usage| usage == "verify"))
    }

    fn verify(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> Option<()> {
        let field = |text: &Option<String>| BASE64URL_NOPAD.decode(text.as_deref()?.as_bytes()).ok();
        match algorithm.method {
            Method::Rsa(parameters) => {
                let number = |text| Some(field(text)?.into_iter().skip_while(|byte| *byte == 0).collect::<Vec<u8>>());
                let key = RsaPublicKeyComponents { n: number(&self.n)?, e: number(&self.e)? };
                key.verify(parameters, message, signature).ok()
            }
            Method::Curve(parameters, _, size) => {
                let (x, y) = (field(&self.x)?, field(&self.y)?);
                if x.len() != size || y.len() != size {
                    return None;
                }
                // SEC 1, section 2.3.3: an uncompressed point.
                let point = [&[4][..], &x, &y].concat();
                UnparsedPublicKey::new(parameters, point).verify(message, signature).ok()
            }
            Method::Ed25519 => UnparsedPublicKey::new(&ED25519, field(&self.x)?).verify(message, signature).ok(),
        }
    }
}
