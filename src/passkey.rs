//! Passkeys (Web Authentication Level 3): what the browser is asked, and whether its authenticator's answer is believed. The
//! ceremonies are `webauthn_rp`'s; here is how we use them: a passkey is kept by its authenticator, which verifies its owner
//! each time, no attestation is asked for, and a counter that does not rise is refused. Whose a passkey is, `usecase` decides.

use std::fmt::Display;

use webauthn_rp::bin::{Decode, Encode};
use webauthn_rp::request::auth::AuthenticationVerificationOptions;
use webauthn_rp::request::register::{
    CredProtect, PublicKeyCredentialUserEntity, RegistrationVerificationOptions, UserHandle16, Username,
};
use webauthn_rp::request::{AsciiDomain, PublicKeyCredentialDescriptor, RpId};
use webauthn_rp::response::auth::DiscoverableAuthentication16;
use webauthn_rp::response::auth::error::AuthCeremonyErr;
use webauthn_rp::response::register::{CompressedPubKey, DynamicState, StaticState};
use webauthn_rp::response::{AuthTransports, CredentialId};
use webauthn_rp::{
    AuthenticatedCredential, DiscoverableAuthenticationServerState, DiscoverableCredentialRequestOptions,
    PublicKeyCredentialCreationOptions, Registration, RegistrationServerState,
};

use crate::error::{Fault, Result};
use crate::id;
use crate::store::passkeys::PasskeyRecord;

/// How long a person has to answer, in seconds; the browser gets the same.
pub const CEREMONY_SECONDS: i64 = 300;
/// The longest answer of a browser, in bytes.
pub const ANSWER_LIMIT: usize = 12 * 1024;

/// Whom passkeys are for: the host of the base URL.
pub struct RelyingParty {
    id: RpId,
    /// The one whose pages may ask.
    origin: String,
}

/// What was asked when a passkey was to be made.
pub struct RegistrationState(RegistrationServerState<16>);

/// What was asked when somebody was to sign in.
pub struct AssertionState(DiscoverableAuthenticationServerState);

impl RegistrationState {
    pub fn written(&self) -> Result<Vec<u8>, Fault> {
        self.0.encode().map_err(|cause| Fault::new("what was asked for a passkey cannot be written", cause))
    }

    /// `None` for what another version of the crate has written.
    pub fn read(bytes: &[u8]) -> Option<RegistrationState> {
        RegistrationServerState::decode(bytes).ok().map(RegistrationState)
    }
}

impl AssertionState {
    pub fn written(&self) -> Result<Vec<u8>, Fault> {
        self.0.encode().map_err(|cause| Fault::new("what was asked for a passkey cannot be written", cause))
    }

    /// `None` for what another version of the crate has written.
    pub fn read(bytes: &[u8]) -> Option<AssertionState> {
        DiscoverableAuthenticationServerState::decode(bytes).ok().map(AssertionState)
    }
}

/// Who a browser's answer says that it is; nothing of it is proved yet.
pub struct Assertion(DiscoverableAuthentication16);

impl Assertion {
    pub fn credential(&self) -> &[u8] {
        self.0.raw_id().into_inner()
    }
}

/// Why an answer is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PasskeyFault {
    /// It cannot be read, or is not proved; with the reason, for the log.
    Unproven(String),
    /// The counter did not rise: there may be a copy of the passkey.
    Copied,
}

fn unproven(cause: impl Display) -> PasskeyFault {
    // The crate quotes what it read, which may be long.
    PasskeyFault::Unproven(cause.to_string().chars().filter(|letter| !letter.is_control()).take(200).collect())
}

impl RelyingParty {
    /// Of an origin with this domain; `None` where browsers have no passkeys for it.
    pub fn new(domain: &str, origin: &str) -> Option<RelyingParty> {
        let id = AsciiDomain::try_from(domain.to_owned()).ok()?;
        Some(RelyingParty { id: RpId::Domain(id), origin: origin.to_owned() })
    }

    /// What the browser is asked, as JSON, to make a passkey for somebody with this name, on none of the authenticators that
    /// have one already.
    pub fn begin_registration(
        &self,
        handle: &[u8; 16],
        name: &str,
        existing: &[PasskeyRecord],
    ) -> Result<(RegistrationState, String), Fault> {
        let handle = user_handle(*handle);
        let known = existing.iter().filter_map(|known| {
            let id = CredentialId::<Vec<u8>>::decode(known.credential.clone()).ok()?;
            Some(PublicKeyCredentialDescriptor { id, transports: AuthTransports::decode(known.transports).ok()? })
        });
        // Only some characters are allowed there, and it is for people to read alone.
        let name = Username::try_from(name.to_owned()).or_else(|_| Username::try_from("account".to_owned()));
        let name = name.map_err(|_| Fault::bare("a passkey's name is refused"))?;
        let user = PublicKeyCredentialUserEntity { name, id: &handle, display_name: None };
        let mut options = PublicKeyCredentialCreationOptions::passkey(&self.id, user, known.collect());
        // Many authenticators do not know this extension, and browsers would not ask them. We demand verification at each use.
        options.extensions.cred_protect = CredProtect::None;
        let (state, asked) = options.start_ceremony().map_err(|_| Fault::bare("a passkey cannot be asked for"))?;
        Ok((RegistrationState(state), json(&asked)?))
    }

    /// The passkey that an authenticator has made, if the answer is to what was asked.
    pub fn finish_registration(&self, state: RegistrationState, answer: &str) -> Result<PasskeyRecord, PasskeyFault> {
        let registration = Registration::from_json_relaxed(answer.as_bytes()).map_err(unproven)?;
        let origins = [self.origin.as_str()];
        let options = RegistrationVerificationOptions::<&str, &str> {
            allowed_origins: &origins,
            // Password managers say more than they are asked.
            error_on_unsolicited_extensions: false,
            ..RegistrationVerificationOptions::default()
        };
        let made = state.0.verify(&self.id, &registration, &options).map_err(unproven)?;
        let handle = <[u8; 16]>::try_from(made.user_id().as_ref()).map_err(unproven)?;
        let Ok(public_key) = made.static_state().encode();
        let Ok(state) = made.dynamic_state().encode();
        let Ok(transports) = made.transports().encode();
        Ok(PasskeyRecord { credential: made.id().into_inner().to_vec(), handle, transports, public_key, state })
    }

    /// What the browser is asked, as JSON, to sign in with any passkey of ours that its owner chooses.
    pub fn begin_assertion(&self) -> Result<(AssertionState, String), Fault> {
        let options = DiscoverableCredentialRequestOptions::passkey(&self.id);
        let (state, asked) = options.start_ceremony().map_err(|_| Fault::bare("a passkey cannot be asked for"))?;
        Ok((AssertionState(state), json(&asked)?))
    }

    /// Checks that the answer is to what was asked, and by this passkey. Returns what is to be stored of its use.
    pub fn finish_assertion(
        &self,
        state: AssertionState,
        assertion: &Assertion,
        known: &PasskeyRecord,
    ) -> Result<[u8; 7], PasskeyFault> {
        let handle = user_handle(known.handle);
        let id = CredentialId::<&[u8]>::decode(known.credential.as_slice()).map_err(unproven)?;
        let key = StaticState::<CompressedPubKey<[u8; 32], [u8; 32], [u8; 48], Vec<u8>>>::decode(&known.public_key);
        let used = DynamicState::decode(known.state).map_err(unproven)?;
        let credential = AuthenticatedCredential::new(id, &handle, key.map_err(unproven)?, used);
        let mut credential = credential.map_err(unproven)?;
        let origins = [self.origin.as_str()];
        let options = AuthenticationVerificationOptions::<&str, &str> {
            allowed_origins: &origins,
            error_on_unsolicited_extensions: false,
            ..AuthenticationVerificationOptions::default()
        };
        match state.0.verify(&self.id, &assertion.0, &mut credential, &options) {
            Ok(_) => {
                let Ok(state) = credential.dynamic_state().encode();
                Ok(state)
            }
            Err(AuthCeremonyErr::SignatureCounter) => Err(PasskeyFault::Copied),
            Err(cause) => Err(unproven(cause)),
        }
    }
}

/// Reads a browser's answer.
pub fn read_assertion(answer: &str) -> Result<Assertion, PasskeyFault> {
    DiscoverableAuthentication16::from_json_relaxed(answer.as_bytes()).map(Assertion).map_err(unproven)
}

/// A handle for an account that has none yet.
pub fn new_handle() -> Result<[u8; 16], Fault> {
    id::random_bytes()
}

fn user_handle(handle: [u8; 16]) -> UserHandle16 {
    let Ok(handle) = UserHandle16::decode(handle);
    handle
}

fn json(asked: &impl serde::Serialize) -> Result<String, Fault> {
    serde_json::to_string(asked).map_err(|cause| Fault::new("a passkey cannot be asked for", cause))
}
