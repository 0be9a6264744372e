//! Requests, made once and filled in each time: who, and with which key. What the API's bodies look like is said
//! here and nowhere else.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use axum::body::Body;
use axum::http::{self, HeaderMap, HeaderValue, Method, header};

/// Where a user's id comes: as long as every id.
const USER: &str = "uuuuuuuu";
/// Where a key comes: as long as every key.
const KEY: &str = "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk";

/// Every key of a run, so that none is used twice.
pub static KEYS: Keys = Keys(AtomicU64::new(1));

/// The id of the user with this number.
pub fn user_id(number: u32) -> String {
    format!("u{number:07}")
}

/// Numbers that look random and are the same in each run: SplitMix64 (Steele, Lea and Flood, 2014).
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Dice {
        Dice(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `limit`.
    pub fn below(&mut self, limit: u32) -> u32 {
        let wide = (self.next() >> 32) * u64::from(limit);
        u32::try_from(wide >> 32).unwrap_or_default()
    }
}

/// Keys: random, as those of callers are, and counted, so that they differ for sure.
pub struct Keys(AtomicU64);

impl Keys {
    fn fill(&self, dice: &mut Dice, place: &mut [u8]) {
        let number = self.0.fetch_add(1, Ordering::Relaxed);
        let (random, counted) = place.split_at_mut(16);
        hexadecimal(random, dice.next());
        hexadecimal(counted, number);
    }

    /// The next one as text.
    pub fn next(&self, dice: &mut Dice) -> String {
        let mut key = *b"kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk";
        self.fill(dice, &mut key);
        String::from_utf8_lossy(&key).into_owned()
    }
}

fn hexadecimal(place: &mut [u8], mut number: u64) {
    for digit in place.iter_mut().rev() {
        *digit = b"0123456789abcdef"[(number & 15) as usize];
        number >>= 4;
    }
}

fn decimal(place: &mut [u8], mut number: u32) {
    for digit in place.iter_mut().rev() {
        *digit = b"0123456789"[(number % 10) as usize];
        number /= 10;
    }
}

/// A request with places for users and keys.
#[derive(Clone)]
pub struct Request {
    method: Method,
    headers: HeaderMap,
    /// The path and the body, one after the other.
    text: Vec<u8>,
    /// Where the body begins.
    body: usize,
    users: Vec<usize>,
    keys: Vec<usize>,
    /// In the header, where one belongs there.
    key: Option<String>,
    who: Who,
}

/// Whose turn it is.
#[derive(Clone)]
pub enum Who {
    /// Anybody of so many.
    Among(u32),
    /// Each of so many once, from the number that is next.
    Each { next: Arc<AtomicU32>, of: u32 },
}

impl Request {
    /// `GET /v1/users/{id}`.
    pub fn read(token: &str, who: Who) -> Request {
        Request::new(Method::GET, token, who, &format!("/v1/users/{USER}"), "")
    }

    /// `POST /v1/users/{id}/spends` of one unit.
    pub fn spend(token: &str, who: Who) -> Request {
        let spend = Request::new(Method::POST, token, who, &format!("/v1/users/{USER}/spends"), r#"{"units":1}"#);
        Request { key: Some(String::new()), ..spend }
    }

    /// `POST /v1/spends` of one unit for each of `rows` users.
    pub fn batch(token: &str, who: Who, rows: u32) -> Request {
        let row = format!(r#"{{"user_id":"{USER}","units":1,"idempotency_key":"{KEY}"}}"#);
        let rows: Vec<&str> = (0..rows).map(|_| row.as_str()).collect();
        Request::new(Method::POST, token, who, "/v1/spends", &format!(r#"{{"spends":[{}]}}"#, rows.join(",")))
    }

    fn new(method: Method, token: &str, who: Who, path: &str, body: &str) -> Request {
        let text = format!("{path}{body}");
        let places = |mark| text.match_indices(mark).map(|(at, _)| at).collect();
        let mut headers = HeaderMap::new();
        headers
            .extend(HeaderValue::from_str(&format!("Bearer {token}")).ok().map(|value| (header::AUTHORIZATION, value)));
        if !body.is_empty() {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        let (users, keys) = (places(USER), places(KEY));
        Request { method, headers, text: text.into_bytes(), body: path.len(), users, keys, key: None, who }
    }

    /// Fills in whose turn it is and new keys; `false` when nobody is left.
    pub fn turn(&mut self, dice: &mut Dice) -> bool {
        for at in &self.users {
            let user = match &self.who {
                Who::Among(users) => dice.below(*users),
                Who::Each { next, of } => match next.fetch_add(1, Ordering::Relaxed) {
                    user if user < *of => user,
                    _ => return false,
                },
            };
            decimal(&mut self.text[at + 1..at + USER.len()], user);
        }
        for at in &self.keys {
            KEYS.fill(dice, &mut self.text[*at..at + KEY.len()]);
        }
        if self.key.is_some() {
            self.key = Some(KEYS.next(dice));
        }
        true
    }

    /// The request as it is now, to the server at `address`.
    pub fn to(&self, address: SocketAddr) -> Result<http::Request<Body>, http::Error> {
        let (path, body) = self.text.split_at(self.body);
        let url = format!("http://{address}{}", String::from_utf8_lossy(path));
        let mut request = http::Request::builder().method(self.method.clone()).uri(url);
        if let Some(headers) = request.headers_mut() {
            headers.clone_from(&self.headers);
        }
        if let Some(key) = &self.key {
            request = request.header("Idempotency-Key", key);
        }
        request.body(Body::from(body.to_vec()))
    }
}
