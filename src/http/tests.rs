//! A rule about all routes: `GET` changes nothing (RFC 9110, section 9.2.1), because anybody can make a browser send one.
//! And how long a connection may take.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{Method, StatusCode, header};
use tower::ServiceExt;

use super::kept_pages::PageKey;
use super::patience::Patience;
use super::server::{Listener, Server};
use crate::app::App;
use crate::clock::{Clock, Timestamp};
use crate::config::{Need, Sources, load};
use crate::id;
use crate::language::Language;
use crate::usecase::units::grant::{GrantRequest, grant};
use crate::usecase::units::request::IdempotencyKey;
use crate::usecase::users::sessions::{self, Browser};
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
    app_at(folder, Clock::System)
}

fn app_at(folder: &Folder, clock: Clock) -> Arc<App> {
    std::fs::create_dir_all(&folder.0).unwrap();
    let database = folder.0.join("till.db");
    let variables = [
        ("SPRITE_DATABASE", database.to_str().unwrap()),
        ("SPRITE_STRIPE_SECRET_KEY", "sk_test_x"),
        ("SPRITE_STRIPE_API_BASE", "http://127.0.0.1:1"),
    ];
    let config = load(&Sources::from_variables(variables), Need::StripeKey).unwrap().config;
    Arc::new(App::open(config, clock).unwrap())
}

/// How many writes the database has taken.
fn writes(app: &App) -> String {
    let text = app.metrics.text().unwrap();
    text.lines().find(|line| line.starts_with("till_commit_writes_sum ")).unwrap().to_owned()
}

async fn get(router: &Router, method: Method, path: &str, name: header::HeaderName, value: &str) -> StatusCode {
    let request = Request::builder().method(method).uri(path).header(header::HOST, "t").header(name, value);
    let request = request.body(Body::empty()).unwrap();
    router.clone().oneshot(request).await.unwrap().status()
}

#[test]
fn no_get_changes_anything() {
    let folder = Folder(std::env::temp_dir().join(id::ordered_id("till-get", Clock::System.now()).unwrap()));
    let app = app(&folder);
    users::put(&app, "alice", UserPatch::default()).unwrap();
    let link = |app: &App| sign_in::make_link(app, "alice", None).unwrap().url;
    let token_of = |url: &str| url.rsplit('=').next().unwrap().to_owned();
    let cookie = sign_in::redeem(&app, &token_of(&link(&app)), &Browser::default()).unwrap().unwrap().cookie;
    let unused = token_of(&link(&app));
    let (_, secret) = tokens::create(&app, "t", &[Scope::Admin]).unwrap();
    let router = super::routers(Arc::clone(&app)).unwrap().public;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (session, bearer) = (format!("till={cookie}"), format!("Bearer {secret}"));
    // That a token was used is remembered once a minute, for the operator who wants to know which ones are in use.
    runtime.block_on(get(&router, Method::GET, "/v1/users", header::AUTHORIZATION, &bearer));
    app.store.write(|_| Ok(())).unwrap();
    assert!(paths().len() >= 14, "{:?}", paths());
    let more = ["/login?signed-out", "/nothing", "/billing/checkout?plan=topup_100", "/billing/portal"];
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
                    let leads_on =
                        ["/dashboard", "/account", "/login/", "/logout", "/billing/checkout", "/billing/portal"]
                            .iter()
                            .any(|known| path.starts_with(known));
                    assert!(!status.is_redirection() || leads_on, "{method} {path}: {status}");
                    assert_eq!(writes(&app), before, "{method} {path} ({status}) writes");
                }
            }
        }
    }
    assert!(sign_in::redeem(&app, &unused, &Browser::default()).unwrap().is_some(), "the link is still good");
    assert!(sessions::find(&app, &cookie).unwrap().is_some(), "and the session open");
}

#[test]
fn a_dashboard_is_kept_until_time_changes_it() {
    const NOON: i64 = 1_790_078_400;
    let folder = Folder(std::env::temp_dir().join(id::ordered_id("till-kept", Clock::System.now()).unwrap()));
    let clock = Clock::manual(Timestamp::from_seconds(NOON));
    let app = app_at(&folder, clock.clone());
    let account = users::put(&app, "alice", UserPatch::default()).unwrap().0.user.account;
    for (key, units, hours) in [("soon", 5, 1), ("later", 7, 20)] {
        let end = Timestamp::from_seconds(NOON + hours * 3600);
        let key = IdempotencyKey::parse(key).unwrap();
        grant(&app, "alice", &GrantRequest::new(units, "a gift".into(), Some(end), key).unwrap()).unwrap();
    }
    let link = sign_in::make_link(&app, "alice", None).unwrap().url;
    let token = link.rsplit('=').next().unwrap().to_owned();
    let cookie = sign_in::redeem(&app, &token, &Browser::default()).unwrap().unwrap().cookie;
    let state = super::state(Arc::clone(&app)).unwrap();
    let router = super::routers_of(state.clone()).public;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let open = || {
        let request = Request::builder().uri("/dashboard").header(header::HOST, "t");
        let request = request.header(header::COOKIE, format!("till={cookie}"));
        runtime.block_on(async {
            let answer = router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
            let status = answer.status();
            (status, axum::body::to_bytes(answer.into_body(), 1 << 20).await.unwrap())
        })
    };
    let kept = || state.pages().find(PageKey { account, language: Language::default() });
    // Seconds after noon; whether the page of the step before is still good; what is left, and the last day of the chart.
    for (seconds, is_same, left, day) in [
        (0, false, 12, "22 Sep"),
        (3599, true, 12, "22 Sep"),
        (3600, false, 7, "22 Sep"),
        (12 * 3600 - 1, true, 7, "22 Sep"),
        // Another day.
        (12 * 3600, false, 7, "23 Sep"),
        // The clock steps back. What has expired stays so.
        (12 * 3600 - 60, false, 7, "22 Sep"),
        (20 * 3600 - 1, false, 7, "23 Sep"),
        (20 * 3600, false, 0, "23 Sep"),
    ] {
        let before = kept();
        clock.set(Timestamp::from_seconds(NOON + seconds));
        // What closes a lot is a write, so the page is kept when it is written the second time.
        let pages = [open(), open()].map(|(status, page)| (status, String::from_utf8(page.to_vec()).unwrap()));
        for (status, page) in &pages {
            assert_eq!(*status, StatusCode::OK);
            assert!(page.contains(&format!("value=\"{left}\">{left}</data>")), "{seconds}: {page}");
            assert!(page.contains(&format!("<li>{day}</li></ol>")), "{seconds}: {page}");
        }
        let is_kept = before.zip(kept()).is_some_and(|(before, after)| Arc::ptr_eq(&before, &after));
        assert_eq!(is_kept, is_same, "{seconds}");
    }
    open();
    let before = kept().unwrap();
    open();
    assert!(Arc::ptr_eq(&before, &kept().unwrap()), "a page that nothing changes is written once");
    clock.set(Timestamp::from_seconds(NOON + 40 * 86_400));
    assert_eq!(open().0, StatusCode::SEE_OTHER, "the session has ended");
}

const REQUEST: &[u8] = b"GET /healthz HTTP/1.1\r\nHost: t\r\n\r\n";
/// Longer than any test waits: a connection that is closed was closed for another reason.
const NEVER: Duration = Duration::from_secs(600);
const SOON: Duration = Duration::from_millis(400);
const PATIENT: Patience = Patience { headers: NEVER, idle: NEVER, idle_when_scarce: NEVER, write: NEVER };

fn start(folder: &Folder, connections: usize, patience: Patience) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    Server::start_with(app(folder), vec![Listener::Network(listener)], None, connections, patience).unwrap()
}

fn connect(server: &Server) -> TcpStream {
    let stream = TcpStream::connect(server.address().unwrap()).unwrap();
    for limit in [TcpStream::set_read_timeout, TcpStream::set_write_timeout] {
        limit(&stream, Some(Duration::from_secs(60))).unwrap();
    }
    stream
}

/// Whether the server closes this connection before the test gives up waiting.
fn is_closed(mut stream: &TcpStream) -> bool {
    let ended = stream.read_to_end(&mut Vec::new());
    !ended.is_err_and(|cause| cause.kind() == ErrorKind::WouldBlock)
}

fn is_answered(mut stream: &TcpStream) -> bool {
    stream.write_all(REQUEST).unwrap();
    let mut answer = [0; 1000];
    let length = stream.read(&mut answer).unwrap();
    answer[..length].starts_with(b"HTTP/1.1 200 ")
}

#[test]
fn headers_have_a_time_of_their_own_at_the_beginning_and_after_each_request() {
    let folder = Folder(std::env::temp_dir().join(id::ordered_id("till-slow", Clock::System.now()).unwrap()));
    let server = start(&folder, 100, Patience { headers: SOON, idle_when_scarce: SOON, ..PATIENT });
    let kept = connect(&server);
    assert!(is_answered(&kept));
    assert!(is_closed(&connect(&server)), "one that says nothing");
    let half = connect(&server);
    (&half).write_all(&REQUEST[..20]).unwrap();
    assert!(is_closed(&half), "one whose headers do not end");
    assert!(is_answered(&kept), "between requests there is more time");
    (&kept).write_all(&REQUEST[..20]).unwrap();
    assert!(is_closed(&kept), "and then again the same for headers");
    server.stop(Duration::from_secs(1));
}

#[test]
fn a_connection_that_is_idle_is_closed_whatever_time_headers_have() {
    let folder = Folder(std::env::temp_dir().join(id::ordered_id("till-idle", Clock::System.now()).unwrap()));
    let server = start(&folder, 100, Patience { idle: SOON, idle_when_scarce: SOON, ..PATIENT });
    let kept = connect(&server);
    assert!(is_answered(&kept) && is_closed(&kept));
    server.stop(Duration::from_secs(1));
}

#[test]
fn a_client_that_does_not_read_is_given_up() {
    let folder = Folder(std::env::temp_dir().join(id::ordered_id("till-deaf", Clock::System.now()).unwrap()));
    let server = start(&folder, 100, Patience { write: SOON, ..PATIENT });
    let mut deaf = connect(&server);
    // Once the buffers of both sides are full of answers and of requests, only the server can end this.
    let request = b"GET /docs HTTP/1.1\r\nHost: t\r\n\r\n".repeat(100);
    let cause = (0..).find_map(|_| deaf.write_all(&request).err()).unwrap();
    assert!(matches!(cause.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe), "{cause}");
    assert!(is_answered(&connect(&server)));
    server.stop(Duration::from_secs(1));
}

#[test]
fn connections_are_idle_for_less_time_while_they_are_scarce() {
    let folder = Folder(std::env::temp_dir().join(id::ordered_id("till-scarce", Clock::System.now()).unwrap()));
    let server = start(&folder, 16, Patience { idle_when_scarce: SOON, ..PATIENT });
    let idle: Vec<TcpStream> = (0..16).map(|_| connect(&server)).collect();
    assert!(idle.iter().all(is_answered));
    assert!(is_answered(&connect(&server)), "a place is made");
    server.stop(Duration::from_secs(1));
}
