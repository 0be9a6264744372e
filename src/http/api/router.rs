//! The router of the service API. A route is added together with its description, so that neither can be forgotten.

use axum::Router;
use axum::handler::Handler;
use axum::http::Method;
use axum::routing::{self, MethodRouter};

use crate::http::description::operation::{Endpoint, Operation};
use crate::http::state::AppState;

/// Routes, and the same routes as a list for the description.
#[derive(Default)]
pub(crate) struct ApiRouter {
    pub router: Router<AppState>,
    pub endpoints: Vec<Endpoint>,
}

impl ApiRouter {
    pub(crate) fn get<H: Handler<T, AppState>, T: 'static>(
        self,
        path: &'static str,
        operation: &'static Operation,
        handler: H,
    ) -> ApiRouter {
        self.add(Method::GET, path, operation, routing::get(handler))
    }

    pub(crate) fn post<H: Handler<T, AppState>, T: 'static>(
        self,
        path: &'static str,
        operation: &'static Operation,
        handler: H,
    ) -> ApiRouter {
        self.add(Method::POST, path, operation, routing::post(handler))
    }

    pub(crate) fn put<H: Handler<T, AppState>, T: 'static>(
        self,
        path: &'static str,
        operation: &'static Operation,
        handler: H,
    ) -> ApiRouter {
        self.add(Method::PUT, path, operation, routing::put(handler))
    }

    fn add(
        mut self,
        method: Method,
        path: &'static str,
        operation: &'static Operation,
        route: MethodRouter<AppState>,
    ) -> ApiRouter {
        self.endpoints.push(Endpoint { method, path, operation });
        ApiRouter { router: self.router.route(path, route), ..self }
    }
}
