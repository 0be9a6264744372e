//! A webhook endpoint as it is stored.

use serde_json::Value;

use crate::sandbox::shape;
use crate::secret::Secret;

/// An endpoint with its secret, which is not in the object.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// The object, without the secret.
    pub object: Value,
    /// `whsec_…`.
    pub secret: Secret,
}

impl Endpoint {
    /// `we_…`.
    pub fn id(&self) -> String {
        shape::text(&self.object, "id").to_owned()
    }

    /// Whether it is enabled and asked for events of this type.
    pub fn wants(&self, kind: &str) -> bool {
        let asked = |event: &Value| event == "*" || event == kind;
        self.object["status"] == "enabled"
            && self.object["enabled_events"].as_array().is_some_and(|all| all.iter().any(asked))
    }
}
