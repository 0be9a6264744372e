//! What a person reads when the configuration is wrong. Secrets are masked here: a value gets into a message only through
//! [`display`], so that no other file has to think of it.

use std::fmt;

use crate::database::ServerAddress;

/// A variable that keeps `till` from starting.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConfigFault {
    pub variable: String,
    /// With secrets masked; `None` where no value explains the fault.
    pub value: Option<String>,
    /// What is wrong and what was expected.
    pub problem: String,
    /// Whether the fault is that the variable is not set.
    pub is_missing: bool,
}

impl ConfigFault {
    /// A variable that is needed and not set.
    pub(super) fn missing(variable: impl Into<String>, problem: impl Into<String>) -> ConfigFault {
        ConfigFault { is_missing: true, ..ConfigFault::bare(variable, problem) }
    }

    /// A fault that no single value explains.
    pub(super) fn bare(variable: impl Into<String>, problem: impl Into<String>) -> ConfigFault {
        ConfigFault { variable: variable.into(), value: None, problem: problem.into(), is_missing: false }
    }

    pub(super) fn of_value(
        variable: impl Into<String>,
        value: &str,
        secret: bool,
        problem: impl Into<String>,
    ) -> ConfigFault {
        ConfigFault { value: Some(display(value, secret)), ..ConfigFault::bare(variable, problem) }
    }
}

impl fmt::Display for ConfigFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Some(value) => write!(f, "{} is {value}: {}", self.variable, self.problem),
            None => write!(f, "{}: {}", self.variable, self.problem),
        }
    }
}

impl std::error::Error for ConfigFault {}

/// Prefixes that say what kind of secret follows; a masked value keeps them.
const SECRET_PREFIXES: [&str; 4] = ["sk_", "rk_", "pk_", "whsec_"];
const DISPLAYED_LIMIT: usize = 120;

/// A value as a message may contain it. A secret becomes its kind and length, `sk_…(32 characters)`; so does anything that
/// looks like one in a variable that is not for secrets, and a URL with a password or a connection string.
pub(super) fn display(value: &str, secret: bool) -> String {
    format!("`{}`", shown(value, secret, DISPLAYED_LIMIT))
}

/// The same without the marks around it, and as long as this.
pub(super) fn shown(value: &str, secret: bool, limit: usize) -> String {
    if secret || looks_secret(value) {
        let parts: Vec<String> = value.split(',').map(|part| masked(part.trim())).collect();
        return parts.join(",");
    }
    let mut text: String = value.chars().take(limit).flat_map(char::escape_debug).collect();
    if value.chars().count() > limit {
        text.push('…');
    }
    text
}

fn looks_secret(value: &str) -> bool {
    let key = value.split(',').any(|part| SECRET_PREFIXES.iter().any(|prefix| part.trim().starts_with(prefix)));
    let inner_key = ["k_live_", "k_test_", "whsec_"].iter().any(|sign| value.contains(sign));
    let url_with_password = value.contains("://") && value.contains('@');
    key || inner_key || url_with_password || ServerAddress::parse(value).is_some()
}

fn masked(part: &str) -> String {
    let prefix = SECRET_PREFIXES.iter().find(|prefix| part.starts_with(*prefix)).copied().unwrap_or_default();
    format!("{prefix}…({} characters)", part.chars().count())
}
