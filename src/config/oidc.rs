//! Sign-in by OpenID Connect: `SPRITE_OIDC_ISSUER` and `SPRITE_OIDC_CLIENT_ID`, which need each other, and what may be said
//! besides. Whether there is such a provider, nobody knows before it is asked: `till check` does.

use url::Url;

use super::fault::ConfigFault;
use super::origin_of;
use super::sources::Reader;
use crate::secret::Secret;

const ISSUER: &str = "SPRITE_OIDC_ISSUER";
const CLIENT_ID: &str = "SPRITE_OIDC_CLIENT_ID";
const CLIENT_SECRET: &str = "SPRITE_OIDC_CLIENT_SECRET";
const NAME: &str = "SPRITE_OIDC_NAME";
const ALL: [&str; 4] = [ISSUER, CLIENT_ID, CLIENT_SECRET, NAME];
const ISSUER_LIMIT: usize = 400;
const WELL_KNOWN: &str = "/.well-known/openid-configuration";

/// A provider of OpenID Connect, and who we are there.
#[derive(Clone, Debug)]
pub struct OidcConfig {
    /// As it was written.
    pub issuer: String,
    pub client_id: String,
    /// `None` for a client that proves itself by PKCE alone.
    pub client_secret: Option<Secret>,
    /// What people call it.
    pub name: String,
}

/// Reads the variables.
pub(super) fn read(reader: &mut Reader<'_>) -> Option<OidcConfig> {
    let issuer = reader.value(ISSUER, issuer);
    let client_id = reader.value(CLIENT_ID, |text| plain(text, 200));
    let client_secret = reader.value(CLIENT_SECRET, |text| plain(text, 1000)).map(Secret::new);
    let name = reader.value(NAME, |text| plain(text, 60));
    let set = ALL.into_iter().find(|name| reader.is_set(name));
    for needed in [ISSUER, CLIENT_ID] {
        if let Some(other) = set.filter(|_| !reader.is_set(needed)) {
            let problem = format!("it is not set, but {other} is; expected {ISSUER} and {CLIENT_ID}, or none of them");
            reader.faults.push(ConfigFault::missing(needed, problem));
        }
    }
    let (issuer, client_id) = issuer.zip(client_id)?;
    let host = origin_of(&issuer).map_or_else(String::new, |origin| origin.host());
    Some(OidcConfig { name: name.unwrap_or(host), issuer, client_id, client_secret })
}

/// OpenID Connect Discovery 1.0, section 3: an https URL without query and fragment.
fn issuer(text: &str) -> Result<String, String> {
    let expected = "expected the issuer's URL, such as https://id.example.com";
    let url = Url::parse(text).map_err(|cause| format!("{expected} ({cause})"))?;
    let origin = origin_of(text).ok_or_else(|| expected.to_owned())?;
    if url.query().is_some() || url.fragment().is_some() || text.len() > ISSUER_LIMIT {
        return Err(format!("{expected}, without query and fragment"));
    }
    if text.trim_end_matches('/').ends_with(WELL_KNOWN) {
        return Err(format!("{expected}, without {WELL_KNOWN}"));
    }
    if !origin.is_https() && !origin.is_loopback() {
        return Err(format!("{expected}; plain http is taken for this machine's own addresses only"));
    }
    Ok(text.to_owned())
}

fn plain(text: &str, limit: usize) -> Result<String, String> {
    let is_plain = text.chars().count() <= limit && !text.chars().any(char::is_control);
    if is_plain { Ok(text.to_owned()) } else { Err(format!("expected at most {limit} characters, on one line")) }
}
