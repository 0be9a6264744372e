//! What connects the API to its resources: the call that a handler works with, and the route that leads to the handler.

use serde_json::Value;

use crate::sandbox::api_error::ApiError;
use crate::sandbox::form::RequestForm;
use crate::sandbox::params::Rule;
use crate::sandbox::state::State;

pub struct ApiCall<'a> {
    pub state: &'a mut State,
    /// The values of `{}` in the path, in order.
    pub names: Vec<String>,
    /// Checked against the route's rules.
    pub form: RequestForm,
    /// When the call came in, in whole seconds.
    pub at: i64,
}

impl ApiCall<'_> {
    /// The first value in the path.
    pub fn id(&self) -> &str {
        self.names.first().map(String::as_str).unwrap_or_default()
    }
}

pub type Handler = fn(&mut ApiCall<'_>) -> Result<Value, ApiError>;

/// One call of the API: a row of its resource's `ROUTES`.
#[derive(Clone, Copy)]
pub struct Route {
    pub method: &'static str,
    /// `{}` stands for a value.
    pub path: &'static str,
    pub rules: &'static [&'static [Rule]],
    /// Parameters that Stripe takes and the stand-in refuses by name. A path includes everything under it.
    pub not_built: &'static [&'static str],
    pub handler: Handler,
}

impl Route {
    pub const fn get(path: &'static str, handler: Handler) -> Route {
        Route { method: "GET", path, rules: &[], not_built: &[], handler }
    }

    pub const fn post(path: &'static str, handler: Handler) -> Route {
        Route { method: "POST", path, rules: &[], not_built: &[], handler }
    }

    pub const fn delete(path: &'static str, handler: Handler) -> Route {
        Route { method: "DELETE", path, rules: &[], not_built: &[], handler }
    }

    pub const fn takes(self, rules: &'static [&'static [Rule]]) -> Route {
        Route { rules, ..self }
    }

    pub const fn not_built(self, paths: &'static [&'static str]) -> Route {
        Route { not_built: paths, ..self }
    }
}
