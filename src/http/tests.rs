//! A rule about all routes: `GET` changes nothing (RFC 9110, section 9.2.1), because anybody can make a browser send one.

use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{Method, StatusCode, header};
use tower::ServiceExt;

use crate::app::App;
use crate::clock::Clock;
use crate::config::{Need, Sources, load};
use crate::id;
use crate::usecase::users::tokens::{self, Scope};
use crate::usecase::users::{self, UserPatch, sign_in};

/// Every path of the page of URLs that is read with `GET`.
fn paths() -> Vec<&'static str> {
    let lines = include_str!("mod.rs").lines().filter(|line| line.contains("get(\"/") || line.contains(", get("));
    lines.filter_map(|line| line.split('"').nth(1)).collect()
}

struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _left_behind = std::fs::remove_dir_all(&self.0);
    }
}

fn app(folder: &Folder) -> Arc<App> {
    std::fs::create_dir_all(&folder.0).unwrap();
    let database = folder.0.join("till.db");
    let variables = [
        ("SPRITE_DATABASE", database.to_str().unwrap()),
        ("SPRITE_STRIPE_SECRET_KEY", "sk_test_x"),
        ("SPRITE_STRIPE_API_BASE", "http://127.0.0.1:1"),
    ];
    let config = load(&Sources::from_variables(variables), Need::StripeKey).unwrap().config;
    Arc::new(App::open(config, Clock::System).unwrap())
}

/// How many writes the database has taken.
fn writes(app: &App) -> String {
    let text = app.metrics.text().unwrap();
    text.lines().find(|line| line.starts_with("till_commit_writes_sum ")).unwrap().to_owned()
}

async fn get(router: &Router, method: Method, path: &str, name: header::HeaderName, value: &str) -> StatusCode {
    let request = Request::builder().method(method).uri(path).header(name, value).body(Body::empty()).unwrap();
    router.clone().oneshot(request).await.unwrap().status()
}

#[test]
fn no_get_changes_anything() {
    let folder = Folder(std::env::temp_dir().join(id::ordered_id("till-get", Clock::System.now()).unwrap()));
    let app = app(&folder);
    users::put(&app, "alice", UserPatch::default()).unwrap();
    let link = |app: &App| sign_in::make_link(app, "alice", None).unwrap().url;
    let token_of = |url: &str| url.rsplit('=').next().unwrap().to_owned();
    let cookie = sign_in::redeem(&app, &token_of(&link(&app)), None).unwrap().unwrap().cookie;
    let unused = token_of(&link(&app));
    let (_, secret) = tokens::create(&app, "t", &[Scope::Admin]).unwrap();
    let router = super::routers(Arc::clone(&app)).unwrap().public;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (session, bearer) = (format!("till={cookie}"), format!("Bearer {secret}"));
    // That a token was used is remembered once a minute, for the operator who wants to know which ones are in use.
    runtime.block_on(get(&router, Method::GET, "/v1/users", header::AUTHORIZATION, &bearer));
    app.store.write(|_| Ok(())).unwrap();
    assert!(paths().len() >= 14, "{:?}", paths());
    let more = ["/login?signed-out", "/nothing", "/logout", "/billing/checkout?plan=topup_100", "/billing/portal"];
    let before = writes(&app);
    // Readiness proves that the database takes writes, by writing the time into a row of its own.
    for path in paths().into_iter().filter(|path| *path != "/readyz").chain(more) {
        let path = path.replace("{id}", "alice");
        // What Stripe answers about a purchase is applied, as if its webhook had come: Stripe decides that, not the caller.
        // There is nothing to apply of a session that Stripe does not know.
        let path = if path == "/billing/return" { format!("{path}?session_id=cs_test_1") } else { path };
        let paths = if path == "/login" { vec![format!("{path}?token={unused}"), path] } else { vec![path] };
        for path in paths {
            for (name, value) in [(header::COOKIE, &session), (header::AUTHORIZATION, &bearer)] {
                for method in [Method::GET, Method::HEAD] {
                    let status = runtime.block_on(get(&router, method.clone(), &path, name.clone(), value));
                    assert!(!status.is_redirection() || path == "/dashboard", "{method} {path}: {status}");
                    assert_eq!(writes(&app), before, "{method} {path} ({status}) writes");
                }
            }
        }
    }
    assert!(sign_in::redeem(&app, &unused, None).unwrap().is_some(), "the link is still good");
    assert!(sign_in::session_account(&app, &cookie).unwrap().is_some(), "and the session open");
}
