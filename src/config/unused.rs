//! Variables of features that this version does not have. They are checked, so that a mistake in one shows before a version
//! that uses it is installed, and their values go nowhere. A feature that begins to use its variable moves it out of here.

use url::Url;

use super::sources::Reader;
use super::{ConfigFault, origin_of};

/// The variables of one feature, and those of them that must be set when any other is.
struct Feature {
    variables: &'static [&'static str],
    required: &'static [&'static str],
}

const FEATURES: [Feature; 1] = [Feature {
    variables: &["SPRITE_OIDC_ISSUER", "SPRITE_OIDC_CLIENT_ID", "SPRITE_OIDC_CLIENT_SECRET", "SPRITE_OIDC_NAME"],
    required: &["SPRITE_OIDC_ISSUER", "SPRITE_OIDC_CLIENT_ID"],
}];

/// The variables that are checked and not used yet.
pub fn not_used_yet() -> impl Iterator<Item = &'static str> {
    FEATURES.iter().flat_map(|feature| feature.variables).copied()
}

/// Checks these variables, and warns of each that is set.
pub(super) fn check(reader: &mut Reader<'_>) {
    for feature in &FEATURES {
        for name in feature.variables {
            reader.value(name, |text| check_value(name, text));
        }
        let set = feature.variables.iter().find(|name| reader.is_set(name));
        for needed in feature.required {
            if let Some(other) = set.filter(|_| !reader.is_set(needed)) {
                let problem = format!("it is not set, but {other} is; expected both or neither");
                reader.faults.push(ConfigFault::missing(*needed, problem));
            }
        }
    }
    for name in not_used_yet().filter(|name| reader.is_set(name)).collect::<Vec<_>>() {
        reader.warnings.push(format!("{name} is set, but this version does not use it yet"));
    }
}

fn check_value(name: &str, text: &str) -> Result<(), String> {
    let (is_sound, expected) = match name {
        "SPRITE_OIDC_ISSUER" => return check_issuer(text),
        "SPRITE_OIDC_CLIENT_SECRET" => (text.chars().count() <= 1000, "expected at most 1000 characters"),
        _ => (text.chars().count() <= 200, "expected at most 200 characters"),
    };
    if is_sound { Ok(()) } else { Err(expected.to_owned()) }
}

/// OpenID Connect Discovery 1.0, section 3: an https URL without query and fragment.
fn check_issuer(text: &str) -> Result<(), String> {
    let expected = "expected the issuer's URL, such as https://id.example.com";
    let url = Url::parse(text).map_err(|cause| format!("{expected} ({cause})"))?;
    let origin = origin_of(text).ok_or_else(|| expected.to_owned())?;
    if url.query().is_some() || url.fragment().is_some() {
        return Err(format!("{expected}, without query and fragment"));
    }
    if !origin.is_https() && !origin.is_loopback() {
        return Err(format!("{expected}; plain http is taken for this machine's own addresses only"));
    }
    Ok(())
}
