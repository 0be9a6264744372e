//! A shop whose provider of OpenID Connect answers whatever a test says.

use std::collections::BTreeMap;

use data_encoding::BASE64URL_NOPAD;
use ring::hmac;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use serde_json::{Value, json};
use till::clock::Clock;

use crate::harness::oidc_provider::ScriptedProvider;
use crate::harness::{Answer, Client, Shop};

/// Where the provider sends people back to.
pub const CALLBACK: &str = "/login/oidc/callback";

/// A key of the scripted provider's.
pub struct Signer(EcdsaKeyPair);

impl Signer {
    pub fn new() -> Signer {
        let random = SystemRandom::new();
        let key = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        Signer(EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, key.as_ref(), &random).unwrap())
    }

    pub fn jwk(&self, id: &str) -> Value {
        let point = &self.0.public_key().as_ref()[1..];
        let text = |bytes: &[u8]| BASE64URL_NOPAD.encode(bytes);
        json!({"kty": "EC", "crv": "P-256", "kid": id, "use": "sig", "x": text(&point[..32]), "y": text(&point[32..])})
    }

    pub fn token(&self, header: &Value, claims: &Value) -> String {
        let text = |value: &Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
        let message = format!("{}.{}", text(header), text(claims));
        let signature = match header["alg"].as_str().unwrap() {
            "none" => vec![],
            // The public key as a shared secret, as a verifier would that believes the header.
            "HS256" => {
                let key = hmac::Key::new(hmac::HMAC_SHA256, self.0.public_key().as_ref());
                hmac::sign(&key, message.as_bytes()).as_ref().to_vec()
            }
            _ => self.0.sign(&SystemRandom::new(), message.as_bytes()).unwrap().as_ref().to_vec(),
        };
        format!("{message}.{}", BASE64URL_NOPAD.encode(&signature))
    }
}

/// A shop whose provider is the scripted one.
pub struct Scene {
    pub provider: ScriptedProvider,
    pub signer: Signer,
    pub shop: Shop,
}

impl Scene {
    pub fn open(more: &[(&str, &str)]) -> Scene {
        let (provider, signer) = (ScriptedProvider::start(), Signer::new());
        let issuer = format!("{}/", provider.url);
        let own = [
            ("SPRITE_OIDC_ISSUER", issuer.as_str()),
            ("SPRITE_OIDC_CLIENT_ID", "till"),
            ("SPRITE_OIDC_CLIENT_SECRET", "s3cret+/"),
            ("SPRITE_OIDC_NAME", "Example ID"),
        ];
        let shop = Shop::open_with(&[&own[..], more].concat());
        let scene = Scene { provider, signer, shop };
        scene.show_keys();
        scene
    }

    pub fn show_keys(&self) {
        self.provider.set("/jwks", "200 OK", &json!({"keys": [self.signer.jwk("k1")]}).to_string());
    }

    /// What a right token says, with these fields changed.
    pub fn claims(&self, asked: &BTreeMap<String, String>, changes: &Value) -> Value {
        let now = Clock::System.now().seconds();
        let mut claims = json!({"iss": self.provider.url, "sub": "ada", "aud": "till", "iat": now, "exp": now + 300,
            "nonce": asked["nonce"], "email": "ada@example.org", "email_verified": true, "name": "Ada"});
        claims.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        claims
    }

    pub fn give(&self, token: &str) {
        self.provider.set("/token", "200 OK", &json!({"id_token": token, "token_type": "Bearer"}).to_string());
    }

    /// Begins, has the provider give a right token with these fields changed, and comes back.
    pub fn sign_in(&self, browser: &Client, path: &str, changes: &Value) -> Answer {
        let asked = begin(browser, path);
        self.give(&self.signer.token(&json!({"alg": "ES256", "kid": "k1"}), &self.claims(&asked, changes)));
        browser.get(&format!("{CALLBACK}?code=c&state={}", asked["state"]))
    }
}

/// Where the browser is sent, as the fields of the query.
pub fn begin(browser: &Client, path: &str) -> BTreeMap<String, String> {
    let sent = browser.get(path).must(303);
    let (_, query) = sent.header("location").split_once('?').unwrap();
    form_urlencoded::parse(query.as_bytes()).into_owned().collect()
}

pub fn id_of(browser: &Client) -> String {
    browser.get("/v1/me").must(200).json()["id"].as_str().unwrap().to_owned()
}
