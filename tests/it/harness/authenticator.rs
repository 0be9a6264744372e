//! An authenticator in software (Web Authentication Level 3, sections 6 and 7): it answers what a page's script is asked, as a
//! browser would send it, and can be told to lie.

use std::cell::{Cell, RefCell};

use data_encoding::BASE64URL_NOPAD;
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};
use till::id;

/// One passkey, and the device that keeps it.
pub struct Authenticator {
    key: Ed25519KeyPair,
    id: [u8; 20],
    handle: RefCell<String>,
    /// How often it has signed.
    pub counter: Cell<u32>,
}

/// What an answer says; a test changes some of it.
pub struct Said {
    pub origin: String,
    pub rp_id: String,
    pub challenge: String,
    pub kind: &'static str,
    /// Present, verified.
    pub flags: u8,
    pub handle: String,
    /// Of the signature.
    pub is_tampered: bool,
}

const PRESENT_AND_VERIFIED: u8 = 0x05;
const HAS_KEY: u8 = 0x40;

impl Authenticator {
    /// A new one.
    pub fn new() -> Authenticator {
        let key = Ed25519KeyPair::from_seed_unchecked(&id::random_bytes::<32>().unwrap()).unwrap();
        let (handle, counter) = (RefCell::default(), Cell::new(0));
        Authenticator { key, id: id::random_bytes().unwrap(), handle, counter }
    }

    /// Makes the passkey that a page at this origin asks for.
    pub fn make(&self, asked: &Value, origin: &str) -> String {
        self.make_but(asked, origin, |_| {})
    }

    /// The same, with a lie.
    pub fn make_but(&self, asked: &Value, origin: &str, lie: impl FnOnce(&mut Said)) -> String {
        asked["user"]["id"].as_str().unwrap().clone_into(&mut self.handle.borrow_mut());
        let mut said = self.said(asked, &asked["rp"]["id"], origin, "webauthn.create");
        lie(&mut said);
        let mut about = self.about(&said.rp_id, said.flags | HAS_KEY);
        about.extend([0; 16]);
        about.extend([0, 20]);
        about.extend(self.id);
        // A COSE key (RFC 9053, section 7.2): an octet pair, EdDSA, Ed25519, x.
        about.extend([0xa4, 0x01, 0x01, 0x03, 0x27, 0x20, 0x06, 0x21, 0x58, 0x20]);
        about.extend(self.key.public_key().as_ref());
        // CBOR (RFC 8949): {"fmt": "none", "attStmt": {}, "authData": …}.
        let mut attestation = b"\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData\x58".to_vec();
        attestation.push(u8::try_from(about.len()).unwrap());
        attestation.extend(about);
        self.answer(json!({"clientDataJSON": client_data(&said), "attestationObject": encoded(&attestation),
            "transports": ["internal"]}))
    }

    /// Signs in at a page of this origin.
    pub fn sign(&self, asked: &Value, origin: &str) -> String {
        self.sign_but(asked, origin, |_| {})
    }

    /// The same, with a lie.
    pub fn sign_but(&self, asked: &Value, origin: &str, lie: impl FnOnce(&mut Said)) -> String {
        self.counter.set(self.counter.get() + 1);
        let mut said = self.said(asked, &asked["rpId"], origin, "webauthn.get");
        lie(&mut said);
        let (client_data, about) = (client_data(&said), self.about(&said.rp_id, said.flags));
        let digest = id::digest(&BASE64URL_NOPAD.decode(client_data.as_bytes()).unwrap());
        let mut signature = self.key.sign(&[about.as_slice(), &digest].concat()).as_ref().to_vec();
        signature[9] ^= u8::from(said.is_tampered);
        self.answer(json!({"clientDataJSON": client_data, "authenticatorData": encoded(&about),
            "signature": encoded(&signature), "userHandle": said.handle}))
    }

    fn said(&self, asked: &Value, rp_id: &Value, origin: &str, kind: &'static str) -> Said {
        Said {
            origin: origin.to_owned(),
            rp_id: rp_id.as_str().unwrap().to_owned(),
            challenge: asked["challenge"].as_str().unwrap().to_owned(),
            kind,
            flags: PRESENT_AND_VERIFIED,
            handle: self.handle.borrow().clone(),
            is_tampered: false,
        }
    }

    /// The authenticator's part of what is signed.
    fn about(&self, rp_id: &str, flags: u8) -> Vec<u8> {
        [id::digest(rp_id.as_bytes()).as_slice(), &[flags], &self.counter.get().to_be_bytes()].concat()
    }

    fn answer(&self, response: Value) -> String {
        let id = encoded(&self.id);
        json!({"id": id, "rawId": id, "type": "public-key", "clientExtensionResults": {}, "response": response})
            .to_string()
    }
}

fn client_data(said: &Said) -> String {
    let Said { origin, challenge, kind, .. } = said;
    encoded(
        json!({"type": kind, "challenge": challenge, "origin": origin, "crossOrigin": false}).to_string().as_bytes(),
    )
}

fn encoded(bytes: &[u8]) -> String {
    BASE64URL_NOPAD.encode(bytes)
}
