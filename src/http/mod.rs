//! Every URL of the appliance on one page, grouped by who calls. `http` is the only asynchronous part: it reads a request,
//! calls one use case, and writes the answer. Our JSON and HTML live here and nowhere else.
//!
//! A new call of the service API is a file in `api/` with its handler and its `Operation`, and one line in `service` or
//! `lists` below. A new page is described in `pages`.

pub(crate) mod api;
mod assets;
mod audience;
mod body;
mod cache;
mod caller;
mod cookie;
mod cors;
mod csrf;
mod description;
mod drain;
mod etag;
mod fields;
mod guard;
mod health;
mod host;
mod kept_pages;
mod observe;
mod own_form;
mod pages;
mod patience;
mod problem;
mod proxy_user;
mod rates;
mod reader_language;
mod refusals;
mod render;
mod request;
mod security_headers;
pub mod server;
mod shares;
mod sockets;
mod state;
#[cfg(test)]
mod tests;
mod thread_pool;
mod webhook;

use std::sync::Arc;

use axum::Router;
use axum::http::HeaderMap;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use tower_http::compression::CompressionLayer;

use crate::app::App;
use crate::error::Fault;
use api::router::ApiRouter;
use api::{catalog, checkout, grants, holds, ledger, login_links, me, openapi, portal, spends, users};
use audience::Audience;
use description::document::document;
use description::operation::Endpoint;
use description::reference::Reference;
use etag::TaggedBody;
use observe::Group;
use state::AppState;

/// People with a browser.
fn people() -> Router<AppState> {
    Router::new()
        .route("/", get(pages::pricing::show))
        .route("/docs", get(pages::reference::show))
        .route("/dashboard", get(pages::dashboard::show))
        .route("/dashboard/activity", get(pages::activity::show))
        .route("/dashboard/activity.csv", get(pages::activity::file))
        .route("/dashboard/balance", get(pages::balance::show))
        .route("/dashboard/statement", get(pages::month::show))
        .route("/dashboard/receipts/{reference}", get(pages::activity::receipt))
        .route("/login", get(pages::login::show).post(pages::login::sign_in))
        .route("/login/mail", post(pages::letters::ask_sign_in).get(pages::login::reopened))
        .route("/login/oidc", get(pages::oidc::begin))
        .route("/login/oidc/callback", get(pages::oidc::callback))
        .route("/login/passkey", post(pages::passkeys::sign_in).get(pages::login::reopened))
        .route("/login/passkey/begin", post(pages::passkeys::begin).get(pages::login::reopened))
        .route("/login/second", get(pages::second::show).post(pages::second::prove))
        .route("/signup", get(pages::letters::show_sign_up).post(pages::letters::ask_sign_up))
        .route("/reset", get(pages::letters::show_reset).post(pages::letters::ask_reset))
        .route("/confirm", get(pages::letters::show_code).post(pages::letters::confirm))
        .route("/account/address", post(pages::account::actions::change_address).get(pages::account::reopened))
        .route("/account/mail", post(pages::account::actions::choose_mail).get(pages::account::reopened))
        .route("/login/password", post(pages::login::by_password).get(pages::login::reopened))
        .route("/logout", get(pages::login::show_sign_out).post(pages::login::sign_out))
        .route("/account", get(pages::account::show))
        .route("/account/data.json", get(pages::account::actions::data))
        .route("/account/name", post(pages::account::actions::rename).get(pages::account::reopened))
        .route("/account/password", post(pages::account::actions::set_password).get(pages::account::reopened))
        .route("/account/sessions", post(pages::account::actions::end_sessions).get(pages::account::reopened))
        .route("/account/identities", post(pages::account::actions::connect).get(pages::account::reopened))
        .route("/account/identities/remove", post(pages::account::actions::disconnect).get(pages::account::reopened))
        .route("/account/passkeys", post(pages::account::factors::add_passkey).get(pages::account::reopened))
        .route("/account/passkeys/begin", post(pages::account::factors::begin_passkey).get(pages::account::reopened))
        .route("/account/passkeys/rename", post(pages::account::factors::rename_passkey).get(pages::account::reopened))
        .route("/account/passkeys/remove", post(pages::account::factors::remove_passkey).get(pages::account::reopened))
        .route("/account/second-factor", post(pages::account::factors::begin_codes).get(pages::account::reopened))
        .route(
            "/account/second-factor/confirm",
            post(pages::account::factors::confirm_codes).get(pages::account::reopened),
        )
        .route(
            "/account/second-factor/remove",
            post(pages::account::factors::remove_codes).get(pages::account::reopened),
        )
        .route("/account/tokens", post(pages::account::actions::make_token).get(pages::account::reopened))
        .route("/account/tokens/revoke", post(pages::account::actions::revoke_token).get(pages::account::reopened))
        .route("/account/erase", post(pages::account::actions::erase).get(pages::account::reopened))
        .route("/unsubscribe", get(pages::unsubscribe::show).post(pages::unsubscribe::refuse))
        .route("/language", post(pages::language::choose))
        .route("/assets/{file}", get(assets::get))
        .route("/accent.css", get(pages::accent::show))
        .route(pages::preview::PATH, get(pages::preview::show))
        .route("/robots.txt", get(assets::robots))
        // Operators open these with a browser as well as with a program.
        .route("/healthz", get(health::alive))
        .route("/metrics", get(health::metrics))
}

/// Browsers, from our own pages and from front ends on other origins.
fn shop() -> Router<AppState> {
    Router::new()
        .route("/billing/checkout", post(pages::checkout::open).get(pages::reopened))
        .route("/billing/portal", post(pages::portal::open).get(pages::reopened))
        .route("/billing/return", get(pages::returned::show))
}

/// The scripts of our own pages and of front ends on other origins, with the user's cookie.
fn scripts() -> ApiRouter {
    ApiRouter::default().get("/v1/me", &me::SHOW, me::show)
}

/// Programs with a token. Their answers are small, so they are not compressed.
fn service() -> ApiRouter {
    ApiRouter::default()
        .put("/v1/users/{id}", &users::PUT, users::put)
        .get("/v1/users/{id}", &users::SHOW, users::show)
        .post("/v1/users/{id}/spends", &spends::CREATE, spends::create)
        .post("/v1/spends", &spends::CREATE_BATCH, spends::create_batch)
        .post("/v1/users/{id}/holds", &holds::CREATE, holds::create)
        .get("/v1/holds/{id}", &holds::SHOW, holds::show)
        .post("/v1/holds/{id}/capture", &holds::CAPTURE, holds::capture)
        .post("/v1/holds/{id}/release", &holds::RELEASE, holds::release)
        .post("/v1/users/{id}/grants", &grants::CREATE, grants::create)
        .post("/v1/users/{id}/login-links", &login_links::CREATE, login_links::create)
        .post("/v1/users/{id}/checkout", &checkout::CREATE, checkout::create)
        .post("/v1/users/{id}/portal", &portal::CREATE, portal::create)
        .get("/v1/catalog", &catalog::SHOW, catalog::show)
}

/// The calls of the service API with long answers, which are compressed.
fn lists() -> ApiRouter {
    ApiRouter::default()
        .get("/v1/users", &users::LIST, users::list)
        .get("/v1/users/{id}/ledger", &ledger::LIST, ledger::list)
        .get("/v1/openapi.json", &openapi::SHOW, openapi::show)
}

/// Stripe.
fn stripe() -> Router<AppState> {
    Router::new().route("/billing/webhook", post(webhook::receive))
}

/// The service manager and load balancers.
fn machine() -> Router<AppState> {
    Router::new().route("/readyz", get(health::ready))
}

/// The whole service API, in the order in which the reference shows it.
fn endpoints() -> Vec<Endpoint> {
    [service(), lists(), scripts()].into_iter().flat_map(|api| api.endpoints).collect()
}

fn state(app: Arc<App>) -> Result<AppState, Fault> {
    let endpoints = endpoints();
    let origin = app.config.base_url.as_str();
    let cookie = cookie::name(&app.config);
    let description = TaggedBody::of(&document(&endpoints, origin, cookie)?)?;
    let reference = Reference::of(&endpoints, origin, cookie)?;
    AppState::new(app, description, reference)
}

/// What runs on each of our addresses.
struct Routers {
    public: Router,
    /// For `SPRITE_METRICS_LISTEN`.
    metrics: Router,
}

/// All groups with their layers.
fn routers(app: Arc<App>) -> Result<Routers, Fault> {
    Ok(routers_of(state(app)?))
}

fn routers_of(state: AppState) -> Routers {
    let group = |router: Router<AppState>, audience: Audience, add_headers: fn(&mut HeaderMap)| {
        let group = Group { state: state.clone(), audience, add_headers };
        let router = match audience {
            Audience::Browser => router.method_not_allowed_fallback(problem::no_such_page),
            _ => router.method_not_allowed_fallback(problem::wrong_method),
        };
        router.layer(from_fn_with_state(group, observe::observe))
    };
    // The routes' fallback is set before, so that a preflight, which is a method of no route, reaches this layer.
    let cross_origin = |router: Router<AppState>| router.layer(from_fn_with_state(state.clone(), cors::allow_origins));
    let shop = shop().method_not_allowed_fallback(problem::no_such_page);
    let scripts = scripts().router.method_not_allowed_fallback(problem::wrong_method);
    let unknown_path = Router::new()
        .fallback(problem::no_such_path)
        .layer(from_fn_with_state(state.clone(), observe::observe_unknown_path));

    let compressed = Router::new()
        .merge(group(people(), Audience::Browser, security_headers::for_browsers))
        .merge(group(pages::admin::routes(), Audience::Browser, security_headers::for_browsers))
        .merge(group(cross_origin(shop), Audience::Browser, security_headers::for_browsers))
        .merge(group(cross_origin(scripts), Audience::Service, security_headers::for_browsers))
        .merge(group(lists().router, Audience::Service, security_headers::for_browsers))
        .merge(group(machine(), Audience::Machine, security_headers::for_browsers))
        .merge(unknown_path)
        .layer(CompressionLayer::new());
    let public = compressed
        .merge(group(service().router, Audience::Service, security_headers::for_programs))
        .merge(group(stripe(), Audience::Stripe, security_headers::for_programs))
        .with_state(state.clone());
    let metrics = Router::new().route("/metrics", get(health::metrics_alone)).fallback(problem::no_such_path);
    let metrics = group(metrics, Audience::Machine, security_headers::for_programs).with_state(state);
    Routers { public, metrics }
}
