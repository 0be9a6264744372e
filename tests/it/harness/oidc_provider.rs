//! Providers of OpenID Connect: one that is not ours (oidc-provider from npm, see `tests/node/oidc_provider.mjs`), and one
//! that answers whatever a test says.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::{Value, json};

use super::client::Client;
use super::npm::npm;

const PACKAGE: &str = "oidc-provider@9.13.3";

/// A running oidc-provider. It ends when dropped.
pub struct OidcProvider {
    child: Child,
    /// Open while it runs: it would end on writing to nobody.
    _output: BufReader<ChildStdout>,
    /// Its issuer.
    pub url: String,
}

impl OidcProvider {
    /// Starts one that sends people back to this till; nothing where it cannot be fetched, which `CI` does not allow.
    pub fn start(till: &str) -> Option<OidcProvider> {
        let folder = npm(PACKAGE, "signing in at a real provider")?;
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/node/oidc_provider.mjs");
        let mut command = Command::new("node");
        command.arg(script).arg(folder).arg(format!("{till}/login/oidc/callback"));
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("node starts");
        let mut line = String::new();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        output.read_line(&mut line).unwrap();
        let port: Value = serde_json::from_str(&line).expect("the provider starts");
        Some(OidcProvider { child, _output: output, url: format!("http://127.0.0.1:{}", port["port"]) })
    }

    /// Signs this person in on the provider's own pages, or stops there; where the provider sends the browser back to.
    pub fn visit(&self, authorization_url: &str, back: &str, person: Option<&str>) -> String {
        let browser = Client::new(&self.url, &[("accept", "text/html")]);
        let mut next = authorization_url.to_owned();
        for _ in 0..20 {
            let answer = browser.get(&next);
            let leads_to =
                |text: &str| if text.starts_with('/') { format!("{}{text}", self.url) } else { text.to_owned() };
            if answer.status != 200 {
                next = leads_to(answer.header("location"));
            } else if let Some(person) = person {
                let action = answer.body.split("action=\"").nth(1).unwrap_or_else(|| panic!("{}", answer.body));
                let action = action.split('"').next().unwrap();
                let prompt = if answer.body.contains("value=\"login\"") { "login" } else { "consent" };
                let typed = [("prompt", prompt), ("login", person), ("password", "any")];
                next = leads_to(browser.post_form(&leads_to(action), &typed).header("location"));
            } else {
                let (path, _) = answer.body.split_once("/abort\"").unwrap_or_else(|| panic!("{}", answer.body));
                next = leads_to(&format!("{}/abort", path.rsplit('"').next().unwrap()));
            }
            if next.starts_with(back) {
                return next;
            }
        }
        panic!("the provider leads nowhere: {next}");
    }
}

impl Drop for OidcProvider {
    fn drop(&mut self) {
        let _ended_already = self.child.kill();
        let _no_status = self.child.wait();
    }
}

/// A provider that answers whatever a test says.
#[derive(Clone)]
pub struct ScriptedProvider {
    pub url: String,
    answers: Arc<Mutex<BTreeMap<String, (String, String)>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl ScriptedProvider {
    /// Starts one with a description that is right.
    pub fn start() -> ScriptedProvider {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let provider = ScriptedProvider { url, answers: Arc::default(), asked: Arc::default() };
        provider.describe(&json!({}));
        let shared = provider.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // Who asked may be gone.
                shared.answer(stream).ok();
            }
        });
        provider
    }

    /// Describes itself, with these fields changed.
    pub fn describe(&self, changes: &Value) {
        let at = |path: &str| format!("{}{path}", self.url);
        let mut whole = json!({"issuer": self.url, "authorization_endpoint": at("/authorize?tenant=1"),
            "token_endpoint": at("/token"), "jwks_uri": at("/jwks")});
        whole.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        self.set("/.well-known/openid-configuration", "200 OK", &whole.to_string());
    }

    /// What it answers at this path from now on: status line with further headers, and body.
    pub fn set(&self, path: &str, head: &str, body: &str) {
        self.answers.lock().unwrap().insert(path.to_owned(), (head.to_owned(), body.to_owned()));
    }

    /// How often this path was asked for.
    pub fn count(&self, path: &str) -> usize {
        self.asked.lock().unwrap().iter().filter(|asked| asked.split('\n').next() == Some(path)).count()
    }

    /// The last request to this path, head and body.
    pub fn last(&self, path: &str) -> String {
        let asked = self.asked.lock().unwrap();
        asked.iter().rev().find(|asked| asked.split('\n').next() == Some(path)).cloned().unwrap_or_default()
    }

    fn answer(&self, mut stream: TcpStream) -> std::io::Result<()> {
        let mut reader = BufReader::new(stream.try_clone()?);
        let (mut first, mut head, mut line, mut length) = (String::new(), String::new(), String::new(), 0);
        reader.read_line(&mut first)?;
        while reader.read_line(&mut line)? > 2 {
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            head.push_str(&line);
            line.clear();
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
        self.asked.lock().unwrap().push(format!("{path}\n{head}\n{}", String::from_utf8_lossy(&body)));
        let (head, body) =
            self.answers.lock().unwrap().get(&path).cloned().unwrap_or(("404 Not Found".into(), "{}".into()));
        write!(stream, "HTTP/1.1 {head}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
    }
}
