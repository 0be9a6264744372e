//! What a provider says about itself (OpenID Connect Discovery 1.0, section 3), checked before anything is sent to where it
//! points: it is the issuer that was configured, and every address is https, or on this machine where the issuer is.

use serde::Deserialize;
use url::{Host, Url};

use super::is_same_issuer;
use super::keys::Algorithm;

/// Where the description of an issuer is, below its URL.
const WELL_KNOWN: &str = "/.well-known/openid-configuration";
/// Of an address of the provider's, in characters.
const URL_LIMIT: usize = 2000;

/// A provider's description.
#[derive(Clone, Debug, Deserialize)]
pub struct Provider {
    /// As the provider spells itself.
    pub issuer: String,
    pub authorization_endpoint: String,
    pub token_endpoint: String,
    pub jwks_uri: String,
    pub userinfo_endpoint: Option<String>,
    response_types_supported: Option<Vec<String>>,
    code_challenge_methods_supported: Option<Vec<String>>,
    id_token_signing_alg_values_supported: Option<Vec<String>>,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
    /// RFC 9207, section 3.
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

/// How a client proves itself (OpenID Connect Core 1.0, section 9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ClientProof {
    /// By nothing but PKCE.
    Absent,
    Basic,
    Post,
}

impl Provider {
    /// Where this issuer's description is.
    pub(super) fn address_of(issuer: &str) -> String {
        format!("{}{WELL_KNOWN}", issuer.trim_end_matches('/'))
    }

    /// Reads the description, which must be this issuer's.
    pub(super) fn read(body: &[u8], issuer: &str) -> Result<Provider, String> {
        let provider: Provider =
            serde_json::from_slice(body).map_err(|cause| format!("its description cannot be read: {cause}"))?;
        if !is_same_issuer(&provider.issuer, issuer) {
            let other: String = provider.issuer.chars().filter(|letter| !letter.is_control()).take(200).collect();
            return Err(format!("it calls itself {other}: set SPRITE_OIDC_ISSUER to that, if it is right"));
        }
        let is_local = issuer.starts_with("http://");
        let endpoints = [
            ("authorization_endpoint", Some(&provider.authorization_endpoint)),
            ("token_endpoint", Some(&provider.token_endpoint)),
            ("jwks_uri", Some(&provider.jwks_uri)),
            ("userinfo_endpoint", provider.userinfo_endpoint.as_ref()),
        ];
        for (name, url) in endpoints {
            if url.is_some_and(|url| !is_reachable(url, is_local)) {
                return Err(format!("its {name} is no https URL"));
            }
        }
        let lacks = |list: &Option<Vec<String>>, needed: &str| {
            list.as_ref().is_some_and(|list| !list.iter().any(|item| item == needed))
        };
        if lacks(&provider.response_types_supported, "code") {
            return Err("it does not have the authorization code flow (response_types_supported)".to_owned());
        }
        let is_known = |name: &String| Algorithm::of_name(name).is_some();
        if provider.id_token_signing_alg_values_supported.as_ref().is_some_and(|list| !list.iter().any(is_known)) {
            return Err(format!("it signs by none of {}", Algorithm::names()));
        }
        Ok(provider)
    }

    /// Whether it says that it takes PKCE by S256; `None` where it says nothing.
    pub fn takes_pkce(&self) -> Option<bool> {
        let methods = self.code_challenge_methods_supported.as_ref()?;
        Some(methods.iter().any(|method| method == "S256"))
    }

    /// Whether the provider sent this answer, by the issuer that the answer names (RFC 9207, section 2.4).
    pub fn sent(&self, issuer: Option<&str>) -> bool {
        match issuer {
            Some(issuer) => is_same_issuer(issuer, &self.issuer),
            None => !self.authorization_response_iss_parameter_supported,
        }
    }

    /// How we prove ourselves there. Basic is the method of providers that name none.
    pub(super) fn client_proof(&self, has_secret: bool) -> ClientProof {
        let methods = self.token_endpoint_auth_methods_supported.as_deref().unwrap_or_default();
        let has = |wanted: &str| methods.iter().any(|method| method == wanted);
        match has_secret {
            false => ClientProof::Absent,
            true if has("client_secret_post") && !has("client_secret_basic") => ClientProof::Post,
            true => ClientProof::Basic,
        }
    }
}

/// Whether we may send something there, and send people there.
fn is_reachable(text: &str, is_local: bool) -> bool {
    let Ok(url) = Url::parse(text) else { return false };
    let is_loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    let is_secret_free = url.username().is_empty() && url.password().is_none();
    let is_safe = url.scheme() == "https" || (url.scheme() == "http" && is_local && is_loopback);
    text.len() <= URL_LIMIT && is_secret_free && is_safe
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn description(more: Value) -> Vec<u8> {
        let mut whole = json!({"issuer": "https://id.example/t/", "authorization_endpoint": "https://id.example/a?tenant=1",
            "token_endpoint": "https://id.example/token", "jwks_uri": "https://keys.example/jwks"});
        whole.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        whole.to_string().into_bytes()
    }

    #[test]
    fn a_description_is_of_the_issuer_and_points_to_https() {
        for (issuer, more, fault) in [
            ("https://id.example/t", json!({}), ""),
            ("https://id.example/t/", json!({}), ""),
            ("https://id.example", json!({}), "it calls itself https://id.example/t/"),
            ("https://id.example/t", json!({"jwks_uri": "http://keys.example/jwks"}), "jwks_uri"),
            ("https://id.example/t", json!({"jwks_uri": "http://127.0.0.1/jwks"}), "jwks_uri"),
            ("https://id.example/t", json!({"token_endpoint": "https://u:p@id.example/"}), "token_endpoint"),
            ("https://id.example/t", json!({"userinfo_endpoint": "file:///etc/passwd"}), "userinfo_endpoint"),
            (
                "https://id.example/t",
                json!({"authorization_endpoint": "javascript:alert(1)"}),
                "authorization_endpoint",
            ),
            ("https://id.example/t", json!({"response_types_supported": ["id_token"]}), "authorization code flow"),
            ("https://id.example/t", json!({"id_token_signing_alg_values_supported": ["HS256", "none"]}), "signs by"),
            ("http://localhost:9", json!({"issuer": "http://localhost:9", "jwks_uri": "http://localhost:9/j"}), ""),
            (
                "http://localhost:9",
                json!({"issuer": "http://localhost:9", "jwks_uri": "http://k.example/"}),
                "jwks_uri",
            ),
        ] {
            match Provider::read(&description(more.clone()), issuer) {
                Ok(_) => assert_eq!(fault, "", "{issuer} {more}"),
                Err(found) => assert!(!fault.is_empty() && found.contains(fault), "{issuer} {more}: {found}"),
            }
        }
        assert!(Provider::read(b"<html>", "https://id.example/t").is_err());
        assert_eq!(
            Provider::address_of("https://id.example/t/"),
            "https://id.example/t/.well-known/openid-configuration"
        );
    }

    #[test]
    fn a_provider_says_how_it_is_asked() {
        let read = |more| Provider::read(&description(more), "https://id.example/t").unwrap();
        let proof = |methods: Value| read(json!({"token_endpoint_auth_methods_supported": methods})).client_proof(true);
        assert_eq!(read(json!({})).client_proof(true), ClientProof::Basic);
        assert_eq!(read(json!({})).client_proof(false), ClientProof::Absent);
        assert_eq!(proof(json!(["client_secret_post"])), ClientProof::Post);
        assert_eq!(proof(json!(["client_secret_post", "client_secret_basic"])), ClientProof::Basic);
        let strict = read(json!({"authorization_response_iss_parameter_supported": true}));
        for (provider, issuer, is_sent) in [
            (&read(json!({})), None, true),
            (&read(json!({})), Some("https://evil.example"), false),
            (&strict, None, false),
            (&strict, Some("https://id.example/t"), true),
        ] {
            assert_eq!(provider.sent(issuer), is_sent, "{issuer:?}");
        }
        assert_eq!(read(json!({"code_challenge_methods_supported": ["plain"]})).takes_pkce(), Some(false));
    }
}
