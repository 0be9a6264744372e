//! Debian's Chromium, driven from Rust: what a story about pages in a real browser needs, and what went wrong on them.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::{Value, json};

use super::devtools::Devtools;
use super::folder::Folder;
use super::left_out::{is_set, left_out};
use super::wait::eventually;

/// The modifier of the protocol for the control key.
const CONTROL: u8 = 2;
/// The steps of a page's life after which a click or a key reaches it: before it is painted, the browser drops them.
const READY: [&str; 2] = ["firstContentfulPaint", "load"];

/// A fresh browser with one tab.
pub struct Chromium {
    page: Devtools,
    seen: Arc<Seen>,
    _profile: Folder,
}

/// What the browser has told by itself.
#[derive(Default)]
struct Seen {
    problems: Mutex<Vec<String>>,
    /// The steps of its life that the page has behind it.
    steps: Mutex<BTreeSet<String>>,
}

impl Seen {
    fn note(&self, event: &str, what: &Value) {
        self.problems.lock().unwrap().extend(problem(event, what));
        if event == "Page.lifecycleEvent" {
            let step = what["name"].as_str().unwrap_or_default();
            let mut steps = self.steps.lock().unwrap();
            if step == "init" {
                steps.clear();
            }
            steps.insert(step.to_owned());
        }
    }
}

impl Chromium {
    /// Starts one; none where there is none, which the environment may not allow (`CI`, `TILL_REQUIRE_BROWSER`).
    pub fn start() -> Option<Chromium> {
        let found = find().filter(|_| !is_set("TILL_QUICK"));
        let Some(program) = found else {
            let is_asked_for = is_set("TILL_REQUIRE_BROWSER") || (is_set("CI") && !is_set("TILL_QUICK"));
            assert!(!is_asked_for, "chromium is missing: apt-get install chromium");
            left_out("stories in a real browser: there is no chromium, or this is a quick run");
            return None;
        };
        let profile = Folder::new();
        let seen = Arc::<Seen>::default();
        let told = Arc::clone(&seen);
        let listener = move |event: &str, what: &Value| told.note(event, what);
        let page = Devtools::start(&program, &profile.path(""), Box::new(listener));
        let chromium = Chromium { page, seen, _profile: profile };
        ["Page.enable", "Log.enable", "Runtime.enable"]
            .iter()
            .for_each(|method| drop(chromium.must(method, json!({}))));
        chromium.must("Page.setLifecycleEventsEnabled", json!({"enabled": true}));
        Some(chromium)
    }

    /// What the browser answers to a method that it cannot refuse.
    fn must(&self, method: &str, parameters: Value) -> Value {
        self.page.call(method, &parameters).unwrap()
    }

    /// Gives it an authenticator that keeps passkeys and that its owner unlocks at once.
    pub fn add_authenticator(&self) {
        let options = json!({"protocol": "ctap2", "ctap2Version": "ctap2_1", "transport": "internal",
            "hasResidentKey": true, "hasUserVerification": true, "isUserVerified": true,
            "automaticPresenceSimulation": true});
        self.must("WebAuthn.enable", json!({}));
        self.must("WebAuthn.addVirtualAuthenticator", json!({ "options": options }));
    }

    /// Scripts off, as some people have them.
    pub fn switch_scripts_off(&self) {
        self.must("Emulation.setScriptExecutionDisabled", json!({"value": true}));
    }

    /// Goes to an address.
    pub fn open(&self, url: &str) {
        let answer = self.must("Page.navigate", json!({ "url": url }));
        assert!(answer.get("errorText").is_none(), "{url}: {answer}");
    }

    /// Runs a script on each page that is opened from now on, before the page's own.
    pub fn run_on_every_page(&self, script: &str) {
        self.must("Page.addScriptToEvaluateOnNewDocument", json!({"source": script}));
    }

    /// Shows this page, which is no answer of a server: a letter.
    pub fn show(&self, page: &str) {
        self.open("about:blank");
        let frames = self.must("Page.getFrameTree", json!({}));
        self.must("Page.setDocumentContent", json!({"frameId": frames["frameTree"]["frame"]["id"], "html": page}));
    }

    /// Opens a sign-in link, which says whom it signs in, and presses its button.
    pub fn sign_in(&self, link: &str, name: &str) {
        self.open(link);
        self.wait_for_words(&format!("Sign in as {name}?"));
        self.click("form[action=\"/login\"] button");
    }

    /// Waits until the page holds such an element.
    pub fn wait_for(&self, selector: &str) {
        self.eventually(selector, || self.node(selector).map(drop));
    }

    /// Waits until the page's source holds these words.
    pub fn wait_for_words(&self, words: &str) {
        self.eventually(words, || self.source()?.contains(words).then_some(()));
    }

    /// Whether the page's source holds these words now.
    pub fn has_words(&self, words: &str) -> bool {
        self.source().is_some_and(|source| source.contains(words))
    }

    /// Waits until an element's attribute has this value.
    pub fn wait_for_value(&self, selector: &str, attribute: &str, expected: &str) {
        self.eventually(&format!("{selector} with {attribute}={expected}"), || {
            let found = self.page.call("DOM.getAttributes", &json!({"nodeId": self.node(selector)?})).ok()?;
            let attributes = found["attributes"].as_array()?;
            attributes.chunks(2).any(|pair| pair == [attribute, expected]).then_some(())
        });
    }

    /// Clicks in the middle of an element.
    pub fn click(&self, selector: &str) {
        self.eventually(selector, || {
            let corners = self.corners(self.ready_node(selector)?)?;
            let [x, y] = [0, 1].map(|axis| (corners[axis] + corners[axis + 4]) / 2.0);
            ["mouseMoved", "mousePressed", "mouseReleased"].iter().try_for_each(|kind| {
                let button = if *kind == "mouseMoved" { "none" } else { "left" };
                let event = json!({"type": kind, "x": x, "y": y, "button": button, "clickCount": 1});
                self.page.call("Input.dispatchMouseEvent", &event).ok().map(drop)
            })
        });
    }

    /// Makes the page as wide as a phone or a desktop.
    pub fn resize(&self, width: u32) {
        let metrics = json!({"width": width, "height": 900, "deviceScaleFactor": 1.0, "mobile": false});
        self.must("Emulation.setDeviceMetricsOverride", metrics);
    }

    /// Shows the page as one who wants it `light` or `dark`, and without movement, so that colours are at their end at once.
    pub fn set_scheme(&self, scheme: &str) {
        let features = json!([{"name": "prefers-color-scheme", "value": scheme},
            {"name": "prefers-reduced-motion", "value": "reduce"}]);
        self.must("Emulation.setEmulatedMedia", json!({ "features": features }));
    }

    /// Shows the page as the printer gets it.
    pub fn print(&self) {
        self.must("Emulation.setEmulatedMedia", json!({"media": "print"}));
    }

    /// Waits until the page and all that belongs to it are there. Needs scripts.
    pub fn wait_until_loaded(&self) {
        self.eventually("a loaded page", || (self.ask("document.readyState") == "complete").then_some(()));
    }

    /// What a script answers. Needs scripts.
    pub fn ask(&self, script: &str) -> Value {
        self.must("Runtime.evaluate", json!({"expression": script, "returnByValue": true}))["result"]["value"].take()
    }

    /// What a script promises. Needs scripts.
    pub fn ask_later(&self, script: &str) -> Value {
        let asked = json!({"expression": script, "returnByValue": true, "awaitPromise": true});
        let mut answer = self.must("Runtime.evaluate", asked);
        assert!(answer.get("exceptionDetails").is_none(), "{answer}");
        answer["result"]["value"].take()
    }

    /// Replaces what a field holds.
    pub fn fill(&self, selector: &str, text: &str) {
        self.eventually(selector, || self.page.call("DOM.focus", &json!({"nodeId": self.ready_node(selector)?})).ok());
        self.press_with("a", CONTROL);
        self.must("Input.insertText", json!({ "text": text }));
    }

    /// Presses a key: `Tab`, `Enter`.
    pub fn press(&self, key: &str) {
        self.press_with(key, 0);
    }

    fn press_with(&self, key: &str, modifiers: u8) {
        // What the key writes, its number on Windows, and its place on the keyboard.
        let (text, number, code) = match key {
            "Enter" => ("\r", 13, "Enter"),
            "Tab" => ("", 9, "Tab"),
            "a" => ("a", 65, "KeyA"),
            _ => panic!("the key {key} is not known here"),
        };
        self.eventually("a painted page", || self.is_ready().then_some(()));
        let mut event = json!({"type": if text.is_empty() { "rawKeyDown" } else { "keyDown" }, "key": key, "code": code,
            "text": text, "windowsVirtualKeyCode": number, "modifiers": modifiers});
        self.must("Input.dispatchKeyEvent", event.clone());
        event["type"] = json!("keyUp");
        self.must("Input.dispatchKeyEvent", event);
    }

    /// Whether the element with the focus is one of these. Needs scripts.
    pub fn has_focus(&self, selector: &str) -> bool {
        self.ask(&format!("document.activeElement.matches({})", json!(selector))) == true
    }

    /// What has gone wrong on the pages so far: errors, warnings, breaches of the content security policy.
    pub fn problems(&self) -> Vec<String> {
        self.seen.problems.lock().unwrap().clone()
    }

    fn eventually<T>(&self, what: &str, ask: impl FnMut() -> Option<T>) -> T {
        eventually(&format!("in the browser, {what}"), ask)
    }

    // What is asked of a page goes past its scripts, which may be switched off.

    fn root(&self) -> Option<Value> {
        Some(self.page.call("DOM.getDocument", &json!({"depth": 0})).ok()?["root"]["nodeId"].take())
    }

    fn node(&self, selector: &str) -> Option<u64> {
        let asked = json!({"nodeId": self.root()?, "selector": selector});
        let found = self.page.call("DOM.querySelector", &asked).ok()?;
        found["nodeId"].as_u64().filter(|node| *node != 0)
    }

    /// An element of a page that takes clicks and keys.
    fn ready_node(&self, selector: &str) -> Option<u64> {
        // In this order: the browser tells of a page before it answers what is asked of it.
        self.node(selector).filter(|_| self.is_ready())
    }

    fn is_ready(&self) -> bool {
        let steps = self.seen.steps.lock().unwrap();
        READY.iter().all(|step| steps.contains(*step))
    }

    fn source(&self) -> Option<String> {
        let found = self.page.call("DOM.getOuterHTML", &json!({"nodeId": self.root()?})).ok()?;
        found["outerHTML"].as_str().map(str::to_owned)
    }

    /// Four pairs of coordinates, once the element has been scrolled to.
    fn corners(&self, node: u64) -> Option<Vec<f64>> {
        let node = json!({ "nodeId": node });
        self.page.call("DOM.scrollIntoViewIfNeeded", &node).ok()?;
        let found = self.page.call("DOM.getContentQuads", &node).ok()?;
        found["quads"][0].as_array()?.iter().map(Value::as_f64).collect()
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        if thread::panicking() {
            let steps = self.seen.steps.lock().map(|steps| steps.clone());
            println!("in the browser after {steps:?}: {}", self.source().unwrap_or_default());
        }
    }
}

fn find() -> Option<PathBuf> {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let mut all = std::env::split_paths(&paths).flat_map(|folder| names.map(|name| folder.join(name)));
    all.find(|path| path.is_file())
}

/// What an event says that should not be on our pages.
fn problem(event: &str, what: &Value) -> Option<String> {
    match event {
        "Log.entryAdded" => {
            let entry = &what["entry"];
            let matters = entry["level"] == "error" || entry["level"] == "warning";
            matters.then(|| format!("{} ({})", entry["text"], entry["url"]))
        }
        "Runtime.exceptionThrown" => Some(what["exceptionDetails"].to_string()),
        "Runtime.consoleAPICalled" => {
            let matters = ["assert", "error", "warning"].iter().any(|kind| what["type"] == *kind);
            matters.then(|| what["args"].to_string())
        }
        _ => None,
    }
}
