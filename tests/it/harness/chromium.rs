//! Debian's Chromium, driven from Rust: what a story about pages in a real browser needs, and what went wrong on them.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use headless_chrome::browser::tab::point::Point;
use headless_chrome::browser::tab::{ModifierKey, Tab};
use headless_chrome::protocol::cdp::types::Event;
use headless_chrome::protocol::cdp::{DOM, Emulation, Log, Page, Runtime, WebAuthn};
use headless_chrome::{Browser, LaunchOptions};

use serde_json::{Value, json};

use super::folder::Folder;
use super::left_out::{is_set, left_out};
use super::wait::{PATIENCE, eventually};

/// Beyond the driver's own: nothing that a page did not ask for.
const FLAGS: &[&str] = &[
    "--disable-quic",
    "--disable-component-update",
    "--disable-background-networking",
    "--disable-search-engine-choice-screen",
    "--no-default-browser-check",
    "--no-proxy-server",
];

/// A fresh browser with one tab.
pub struct Chromium {
    tab: Arc<Tab>,
    problems: Arc<Mutex<Vec<String>>>,
    _browser: Browser,
    _profile: Folder,
}

impl Chromium {
    /// Starts one; none where there is none, which the environment may not allow (`CI`, `TILL_REQUIRE_BROWSER`).
    pub fn start() -> Option<Chromium> {
        let found = find();
        if found.is_none() || is_set("TILL_QUICK") {
            let is_asked_for = is_set("TILL_REQUIRE_BROWSER") || (is_set("CI") && !is_set("TILL_QUICK"));
            assert!(!is_asked_for, "chromium is missing: apt-get install chromium");
            left_out("stories in a real browser: there is no chromium, or this is a quick run");
            return None;
        }
        let profile = Folder::new();
        let options = LaunchOptions::default_builder()
            .path(found)
            .user_data_dir(Some(profile.path("")))
            // Chromium's own sandbox needs rights that a container does not give; only our pages are shown here.
            .sandbox(false)
            .window_size(Some((1200, 900)))
            .args(FLAGS.iter().map(OsStr::new).collect())
            .idle_browser_timeout(PATIENCE * 4)
            .build()
            .unwrap();
        let browser = Browser::new(options).unwrap();
        let tab = browser.new_tab().unwrap();
        tab.set_default_timeout(PATIENCE);
        let problems = Arc::<Mutex<Vec<String>>>::default();
        watch(&tab, &problems);
        Some(Chromium { tab, problems, _browser: browser, _profile: profile })
    }

    /// Gives it an authenticator that keeps passkeys and that its owner unlocks at once.
    pub fn add_authenticator(&self) {
        let options = json!({"options": {"protocol": "ctap2", "ctap2Version": "ctap2_1", "transport": "internal",
            "hasResidentKey": true, "hasUserVerification": true, "isUserVerified": true,
            "automaticPresenceSimulation": true}});
        let enable: WebAuthn::Enable = serde_json::from_value(json!({})).unwrap();
        self.tab.call_method(enable).unwrap();
        let asked: WebAuthn::AddVirtualAuthenticator = serde_json::from_value(options).unwrap();
        self.tab.call_method(asked).unwrap();
    }

    /// Scripts off, as some people have them.
    pub fn switch_scripts_off(&self) {
        self.tab.call_method(Emulation::SetScriptExecutionDisabled { value: true }).unwrap();
    }

    /// Goes to an address.
    pub fn open(&self, url: &str) {
        self.tab.navigate_to(url).unwrap();
    }

    /// Runs a script on each page that is opened from now on, before the page's own.
    pub fn run_on_every_page(&self, script: &str) {
        let asked: Page::AddScriptToEvaluateOnNewDocument = serde_json::from_value(json!({"source": script})).unwrap();
        self.tab.call_method(asked).unwrap();
    }

    /// Shows this page, which is no answer of a server: a letter.
    pub fn show(&self, page: &str) {
        self.open("about:blank");
        let frame_id = self.tab.call_method(Page::GetFrameTree(None)).unwrap().frame_tree.frame.id;
        self.tab.call_method(Page::SetDocumentContent { frame_id, html: page.to_owned() }).unwrap();
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
            let node_id = self.node(selector)?;
            let attributes = self.tab.call_method(DOM::GetAttributes { node_id }).ok()?.attributes;
            attributes.chunks(2).any(|pair| pair == [attribute, expected]).then_some(())
        });
    }

    /// Clicks in the middle of an element.
    pub fn click(&self, selector: &str) {
        self.eventually(selector, || {
            let corners = self.corners(self.node(selector)?)?;
            let middle = Point { x: (corners[0] + corners[4]) / 2.0, y: (corners[1] + corners[5]) / 2.0 };
            self.tab.click_point(middle).ok().map(drop)
        });
    }

    /// Makes the page as wide as a phone or a desktop.
    pub fn resize(&self, width: u32) {
        let asked = json!({"width": width, "height": 900, "deviceScaleFactor": 1.0, "mobile": false});
        let metrics: Emulation::SetDeviceMetricsOverride = serde_json::from_value(asked).unwrap();
        self.tab.call_method(metrics).unwrap();
    }

    /// Shows the page as one who wants it `light` or `dark`, and without movement, so that colours are at their end at once.
    pub fn set_scheme(&self, scheme: &str) {
        let features = json!([{"name": "prefers-color-scheme", "value": scheme},
            {"name": "prefers-reduced-motion", "value": "reduce"}]);
        self.set_media(&json!({ "features": features }));
    }

    /// Shows the page as the printer gets it.
    pub fn print(&self) {
        self.set_media(&json!({"media": "print"}));
    }

    fn set_media(&self, asked: &Value) {
        let asked: Emulation::SetEmulatedMedia = serde_json::from_value(asked.clone()).unwrap();
        self.tab.call_method(asked).unwrap();
    }

    /// Waits until the page and all that belongs to it are there. Needs scripts.
    pub fn wait_until_loaded(&self) {
        self.eventually("a loaded page", || (self.ask("document.readyState") == "complete").then_some(()));
    }

    /// What a script answers. Needs scripts.
    pub fn ask(&self, script: &str) -> Value {
        self.tab.evaluate(script, false).unwrap().value.unwrap_or(Value::Null)
    }

    /// What a script promises. Needs scripts.
    pub fn ask_later(&self, script: &str) -> Value {
        let answer = self.tab.evaluate(script, true).unwrap();
        answer.value.unwrap_or_else(|| panic!("{:?}", answer.description))
    }

    /// Replaces what a field holds.
    pub fn fill(&self, selector: &str, text: &str) {
        self.eventually(selector, || {
            let node_id = Some(self.node(selector)?);
            self.tab.call_method(DOM::Focus { node_id, backend_node_id: None, object_id: None }).ok()
        });
        self.tab.press_key_with_modifiers("a", Some(&[ModifierKey::Ctrl])).unwrap();
        self.tab.send_character(text).unwrap();
    }

    /// Presses a key: `Tab`, `Enter`.
    pub fn press(&self, key: &str) {
        self.tab.press_key(key).unwrap();
    }

    /// Whether the element with the focus is one of these. Needs scripts.
    pub fn has_focus(&self, selector: &str) -> bool {
        let question = format!("document.activeElement.matches({})", serde_json::json!(selector));
        self.tab.evaluate(&question, false).unwrap().value.unwrap() == true
    }

    /// What has gone wrong on the pages so far: errors, warnings, breaches of the content security policy.
    pub fn problems(&self) -> Vec<String> {
        self.problems.lock().unwrap().clone()
    }

    fn eventually<T>(&self, what: &str, ask: impl FnMut() -> Option<T>) -> T {
        eventually(&format!("in the browser, {what}"), ask)
    }

    // What is asked of a page goes past its scripts, which may be switched off.

    fn root(&self) -> Option<u32> {
        Some(self.tab.call_method(DOM::GetDocument { depth: Some(0), pierce: None }).ok()?.root.node_id)
    }

    fn node(&self, selector: &str) -> Option<u32> {
        let asked = DOM::QuerySelector { node_id: self.root()?, selector: selector.to_owned() };
        self.tab.call_method(asked).ok().map(|found| found.node_id).filter(|node| *node != 0)
    }

    fn source(&self) -> Option<String> {
        let node_id = self.root();
        let asked = DOM::GetOuterHTML { node_id, backend_node_id: None, object_id: None, include_shadow_dom: None };
        self.tab.call_method(asked).ok().map(|found| found.outer_html)
    }

    /// Four pairs of coordinates, once the element has been scrolled to.
    fn corners(&self, node: u32) -> Option<Vec<f64>> {
        let node_id = Some(node);
        let scroll = DOM::ScrollIntoViewIfNeeded { node_id, backend_node_id: None, object_id: None, rect: None };
        self.tab.call_method(scroll).ok()?;
        let asked = DOM::GetContentQuads { node_id, backend_node_id: None, object_id: None };
        self.tab.call_method(asked).ok()?.quads.into_iter().next()
    }
}

fn find() -> Option<PathBuf> {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let mut all = std::env::split_paths(&paths).flat_map(|folder| names.map(|name| folder.join(name)));
    all.find(|path| path.is_file())
}

fn watch(tab: &Tab, problems: &Arc<Mutex<Vec<String>>>) {
    let problems = Arc::clone(problems);
    let listener = move |event: &Event| {
        let problem = match event {
            Event::LogEntryAdded(event) => {
                let entry = &event.params.entry;
                let matters = matches!(entry.level, Log::LogEntryLevel::Error | Log::LogEntryLevel::Warning);
                matters.then(|| format!("{} ({})", entry.text, entry.url.clone().unwrap_or_default()))
            }
            Event::RuntimeExceptionThrown(event) => Some(format!("{:?}", event.params.exception_details)),
            Event::RuntimeConsoleAPICalled(event) => {
                use Runtime::ConsoleAPICalledEventTypeOption::{Assert, Error, Warning};
                let matters = matches!(event.params.Type, Error | Warning | Assert);
                matters.then(|| format!("{:?}", event.params.args))
            }
            _ => None,
        };
        problems.lock().unwrap().extend(problem);
    };
    tab.add_event_listener(Arc::new(listener)).unwrap();
    tab.enable_log().unwrap();
    tab.enable_runtime().unwrap();
}
