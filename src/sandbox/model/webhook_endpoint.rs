//! A webhook endpoint as it is stored.

use serde_json::Value;

use crate::sandbox::shape;
use crate::secret::Secret;

#[derive(Clone, Debug)]
pub struct StoredEndpoint {
    /// Stripe's object never has the secret.
    pub object: Value,
    pub secret: Secret,
}

impl StoredEndpoint {
    pub fn id(&self) -> String {
        shape::text(&self.object, "id").to_owned()
    }

    /// Whether it is enabled and wants events of this type.
    pub fn wants(&self, kind: &str) -> bool {
        let asked = |event: &Value| event == "*" || event == kind;
        self.object["status"] == "enabled"
            && self.object["enabled_events"].as_array().is_some_and(|all| all.iter().any(asked))
    }
}
