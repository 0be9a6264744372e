//! A Chromium that does what it is told by the messages of its developer tools (Chrome DevTools Protocol), which go through two pipes.
//! No library does it here: they bring the whole protocol as types, which take minutes to compile.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::{Value, json};

use super::wait::PATIENCE;

/// Nothing that a page did not ask for, and the same on every machine.
const FLAGS: &[&str] = &[
    "--headless",
    "--remote-debugging-pipe",
    // Chromium's own sandbox needs rights that a container does not give; only our pages are shown here.
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--disable-sync",
    "--disable-extensions",
    "--disable-breakpad",
    "--disable-component-update",
    "--disable-background-networking",
    "--disable-background-timer-throttling",
    "--disable-backgrounding-occluded-windows",
    "--disable-renderer-backgrounding",
    "--disable-search-engine-choice-screen",
    "--disable-features=Translate",
    "--force-color-profile=srgb",
    "--no-first-run",
    "--no-default-browser-check",
    "--no-proxy-server",
    "--password-store=basic",
    "--window-size=1200,900",
];
/// The browser reads commands from its descriptor 3, and answers on 4.
const WITH_PIPES: &str = r#"exec "$@" 3<&0 4>&1 </dev/null >/dev/null 2>&1"#;
/// Each message ends with it.
const END: u8 = 0;

/// What is called with each event: its name and what it says.
type Listener = Box<dyn Fn(&str, &Value) + Send>;

/// One page in a browser of its own, which ends with it.
pub struct Devtools {
    browser: Child,
    input: Mutex<ChildStdin>,
    waiting: Arc<Waiting>,
    /// The page among all that the browser has open.
    session: String,
    calls: AtomicU64,
}

#[derive(Default)]
struct Waiting(Mutex<HashMap<u64, SyncSender<Value>>>);

impl Devtools {
    /// Starts a browser that keeps its files in this folder, and opens a page. `listener` is called with each event.
    pub fn start(program: &Path, profile: &Path, listener: Listener) -> Devtools {
        let mut command = Command::new("sh");
        command.args(["-c", WITH_PIPES, "sh"]).arg(program).args(FLAGS);
        command.arg(format!("--user-data-dir={}", profile.display()));
        // A group of its own, so that all its processes can be ended.
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).process_group(0);
        let mut browser = command.spawn().unwrap();
        let input = Mutex::new(browser.stdin.take().unwrap());
        let output = browser.stdout.take().unwrap();
        let waiting = Arc::<Waiting>::default();
        let mut devtools = Devtools {
            browser,
            input,
            waiting: Arc::clone(&waiting),
            session: String::new(),
            calls: AtomicU64::new(0),
        };
        thread::spawn(move || waiting.read(output, &*listener));
        let target = devtools.call("Target.createTarget", &json!({"url": "about:blank"})).unwrap();
        let page = json!({"targetId": target["targetId"], "flatten": true});
        let session = devtools.call("Target.attachToTarget", &page).unwrap();
        session["sessionId"].as_str().unwrap().clone_into(&mut devtools.session);
        devtools
    }

    /// What the page, or the browser while there is no page, answers to a method. An error is the browser's own.
    pub fn call(&self, method: &str, parameters: &Value) -> Result<Value, String> {
        let number = self.calls.fetch_add(1, Ordering::Relaxed);
        let mut message = json!({"id": number, "method": method, "params": parameters});
        if !self.session.is_empty() {
            message["sessionId"] = json!(self.session);
        }
        let (sender, answer) = sync_channel(1);
        self.waiting.0.lock().unwrap().insert(number, sender);
        let mut bytes = message.to_string().into_bytes();
        bytes.push(END);
        self.input.lock().unwrap().write_all(&bytes).map_err(|why| format!("the browser has ended: {why}"))?;
        let mut answer = answer.recv_timeout(PATIENCE).map_err(|why| format!("{method}: {why}"))?;
        match answer.get("error") {
            Some(error) => Err(format!("{method}: {error}")),
            None => Ok(answer["result"].take()),
        }
    }
}

impl Waiting {
    fn read(&self, output: ChildStdout, listener: &dyn Fn(&str, &Value)) {
        let messages = BufReader::new(output).split(END);
        for message in messages.map_while(Result::ok) {
            let message: Value = serde_json::from_slice(&message).unwrap();
            match message["id"].as_u64() {
                Some(number) => {
                    let sender = self.0.lock().unwrap().remove(&number);
                    // One that has waited long enough is gone.
                    let _gone = sender.map(|sender| sender.send(message));
                }
                None => listener(message["method"].as_str().unwrap_or_default(), &message["params"]),
            }
        }
        // Nobody is answered any more.
        self.0.lock().unwrap().clear();
    }
}

impl Drop for Devtools {
    fn drop(&mut self) {
        let group = format!("-{}", self.browser.id());
        let _ended_already = Command::new("kill").args(["-KILL", "--", &group]).stderr(Stdio::null()).status();
        let _status = self.browser.wait();
    }
}
