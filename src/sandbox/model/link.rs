//! A payment link as it is stored.

use serde_json::Value;

use crate::sandbox::form::RequestForm;

#[derive(Clone, Debug)]
pub struct StoredLink {
    pub object: Value,
    pub items: Vec<Value>,
    /// What its sessions are made with.
    pub form: RequestForm,
}
