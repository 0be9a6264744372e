//! Callers of the appliance: a browser without a screen, which keeps cookies and sends what forms hold, and a program
//! with a token. Neither follows a redirect; a story looks at each answer.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use serde_json::Value;
use ureq::http::{HeaderMap, Request};
use ureq::{Agent, Body};

use super::wait::PATIENCE;

/// Somebody who calls one origin.
pub struct Client {
    agent: Agent,
    origin: String,
    /// Sent with every request.
    headers: Vec<(String, String)>,
    cookies: Mutex<BTreeMap<String, String>>,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    /// 200 and so on.
    pub status: u16,
    headers: HeaderMap,
    /// As text.
    pub body: String,
}

impl Client {
    /// A browser: it wants pages, and says where its forms come from.
    pub fn browser(origin: &str) -> Client {
        Client::new(origin, &[("accept", "text/html,*/*;q=0.8"), ("origin", origin), ("sec-fetch-site", "same-origin")])
    }

    /// A program with a token.
    pub fn program(origin: &str, token: &str) -> Client {
        Client::new(origin, &[("accept", "application/json"), ("authorization", &format!("Bearer {token}"))])
    }

    /// Anybody, with these headers in every request.
    pub fn new(origin: &str, headers: &[(&str, &str)]) -> Client {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Client { agent: agent(PATIENCE), origin: origin.to_owned(), headers, cookies: Mutex::default() }
    }

    /// The same client, which gives up earlier.
    pub fn waiting_at_most(self, patience: Duration) -> Client {
        Client { agent: agent(patience), ..self }
    }

    /// The same browser, with the cookies that it has, whose next requests a proxy hands to the process at `origin`.
    pub fn at(&self, origin: &str) -> Client {
        let cookies = Mutex::new(self.cookies.lock().unwrap().clone());
        Client { agent: agent(PATIENCE), origin: origin.to_owned(), headers: self.headers.clone(), cookies }
    }

    /// `GET`; an absolute URL may lead to another origin, which gets no cookies.
    pub fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], b"")
    }

    /// `POST` of a form.
    pub fn post_form(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        self.send("POST", path, &[("content-type", "application/x-www-form-urlencoded")], body.as_bytes())
    }

    /// A call with a JSON body.
    pub fn call(&self, method: &str, path: &str, body: &Value) -> Answer {
        self.send(method, path, &[("content-type", "application/json")], body.to_string().as_bytes())
    }

    /// A call that moves units.
    pub fn call_once(&self, path: &str, key: &str, body: &Value) -> Answer {
        let headers = [("content-type", "application/json"), ("idempotency-key", key)];
        self.send("POST", path, &headers, body.to_string().as_bytes())
    }

    /// Presses the button of the form on `page` that leads to `action`.
    pub fn press(&self, page: &Answer, action: &str) -> Answer {
        let fields = page.form(action);
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        self.post_form(action, &fields)
    }

    /// The same, with these fields filled in by hand.
    #[track_caller]
    pub fn fill(&self, page: &Answer, action: &str, typed: &[(&str, &str)]) -> Answer {
        let form = page.form(action);
        let given = form.iter().filter(|(name, _)| !typed.iter().any(|(field, _)| field == name));
        let given = given.map(|(name, value)| (name.as_str(), value.as_str()));
        let fields: Vec<(&str, &str)> = given.chain(typed.iter().copied()).collect();
        self.post_form(action, &fields)
    }

    /// Signs out.
    #[track_caller]
    pub fn sign_out(&self) {
        let page = self.get("/account").must(200);
        self.press(&page, "/logout").must(303);
    }

    /// Opens a sign-in link and presses its button.
    #[track_caller]
    pub fn follow(&self, link: &str) -> Answer {
        let page = self.get(link).must(200);
        self.press(&page, "/login")
    }

    /// The cookies as a browser would send them.
    pub fn cookies(&self) -> String {
        let cookies = self.cookies.lock().unwrap();
        cookies.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
    }

    /// Any request at all.
    pub fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        self.try_send(method, path, headers, body).unwrap_or_else(|why| panic!("{method} {path}: {why}"))
    }

    /// The same, where an answer may be missing: then why.
    pub fn try_send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Result<Answer, String> {
        let url = if path.starts_with("http") { path.to_owned() } else { format!("{}{path}", self.origin) };
        let mut request = Request::builder().method(method).uri(&url);
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let is_home = url.starts_with(&self.origin);
        let cookies = if is_home { self.cookies() } else { String::new() };
        if !cookies.is_empty() {
            request = request.header("cookie", cookies);
        }
        let answer = match (method, body) {
            ("GET" | "HEAD", b"") => self.agent.run(request.body(()).unwrap()),
            _ => self.agent.run(request.body(body.to_vec()).unwrap()),
        };
        let answer = answer.and_then(Answer::read).map_err(|why| format!("{url}: {why}"))?;
        if is_home {
            self.keep_cookies(&answer.headers);
        }
        Ok(answer)
    }

    fn keep_cookies(&self, headers: &HeaderMap) {
        let mut cookies = self.cookies.lock().unwrap();
        for cookie in headers.get_all("set-cookie") {
            let cookie = cookie.to_str().unwrap();
            let (name, value) = cookie.split(';').next().unwrap().split_once('=').unwrap();
            match cookie.contains("Max-Age=0") {
                true => cookies.remove(name),
                false => cookies.insert(name.to_owned(), value.to_owned()),
            };
        }
    }
}

impl Answer {
    fn read(mut answer: ureq::http::Response<Body>) -> Result<Answer, ureq::Error> {
        let body = answer.body_mut().read_to_vec()?;
        let body = String::from_utf8_lossy(&body).into_owned();
        Ok(Answer { status: answer.status().as_u16(), headers: answer.headers().clone(), body })
    }

    /// Itself, if its status is this one.
    #[track_caller]
    pub fn must(self, status: u16) -> Answer {
        assert_eq!(self.status, status, "{}", self.body);
        self
    }

    /// A header, or nothing.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|why| panic!("{} {}: {why}", self.status, self.body))
    }

    /// The stable code of a problem.
    #[track_caller]
    pub fn code(&self) -> String {
        assert_eq!(self.header("content-type"), "application/problem+json", "{}", self.body);
        self.json()["code"].as_str().unwrap().to_owned()
    }

    /// What the form that leads to `action` holds: its inputs with a value.
    #[track_caller]
    pub fn form(&self, action: &str) -> Vec<(String, String)> {
        let opens = format!("action=\"{action}\"");
        let form = self.body.split("<form").find(|form| form.contains(&opens));
        let form = form.unwrap_or_else(|| panic!("no form leads to {action}:\n{}", self.body));
        let inputs = form.split("</form>").next().unwrap().split("<input").skip(1);
        inputs.filter_map(|input| Some((attribute(input, "name")?, attribute(input, "value")?))).collect()
    }
}

fn agent(patience: Duration) -> Agent {
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .proxy(None)
        .timeout_global(Some(patience));
    config.build().new_agent()
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let (_, rest) = tag.split('>').next()?.split_once(&format!("{name}=\""))?;
    Some(rest.split('"').next()?.replace("&#38;", "&").replace("&amp;", "&"))
}
