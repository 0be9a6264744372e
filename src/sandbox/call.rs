//! What a resource's handler works with, and the row that leads to it.

use serde_json::Value;

use crate::sandbox::api_error::ApiError;
use crate::sandbox::form::Form;
use crate::sandbox::params::Rule;
use crate::sandbox::state::State;

/// What a resource's handler works with.
pub struct Call<'a> {
    /// All tables.
    pub state: &'a mut State,
    /// The names in the path, in order.
    pub names: Vec<String>,
    /// The parameters, checked.
    pub form: Form,
    /// The time, in whole seconds.
    pub at: i64,
}

impl Call<'_> {
    /// The first name in the path.
    pub fn id(&self) -> &str {
        self.names.first().map(String::as_str).unwrap_or_default()
    }
}

/// What a call does.
pub type Handler = fn(&mut Call<'_>) -> Result<Value, ApiError>;

/// One call of the API: a row of its resource's `ROUTES`.
#[derive(Clone, Copy)]
pub struct Route {
    pub method: &'static str,
    /// The path, with `{}` where a name goes.
    pub path: &'static str,
    /// The parameters that the call takes.
    pub rules: &'static [&'static [Rule]],
    /// Parameters that Stripe takes and the stand-in refuses by name: paths, with everything under them.
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
