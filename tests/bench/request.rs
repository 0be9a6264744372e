//! Requests as bytes, made once and filled in each time: who, and with which key. What the API's bodies look like is said
//! here and nowhere else.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::body::Body;

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
    bytes: Vec<u8>,
    users: Vec<usize>,
    keys: Vec<usize>,
    among: u32,
}

impl Request {
    /// `GET /v1/users/{id}` of a user among so many.
    pub fn read(token: &str, among: u32) -> Request {
        Request::new(&head("GET", &format!("/v1/users/{USER}"), token, ""), among)
    }

    /// `POST /v1/users/{id}/spends` of one unit.
    pub fn spend(token: &str, among: u32) -> Request {
        let body = r#"{"units":1}"#;
        let more =
            format!("Idempotency-Key: {KEY}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n", body.len());
        Request::new(&format!("{}{body}", head("POST", &format!("/v1/users/{USER}/spends"), token, &more)), among)
    }

    /// `POST /v1/spends` of one unit for each of `rows` users.
    pub fn batch(token: &str, among: u32, rows: u32) -> Request {
        let row = format!(r#"{{"user_id":"{USER}","units":1,"idempotency_key":"{KEY}"}}"#);
        let rows: Vec<&str> = (0..rows).map(|_| row.as_str()).collect();
        let body = format!(r#"{{"spends":[{}]}}"#, rows.join(","));
        let more = format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len());
        Request::new(&format!("{}{body}", head("POST", "/v1/spends", token, &more)), among)
    }

    fn new(text: &str, among: u32) -> Request {
        let places = |mark| text.match_indices(mark).map(|(at, _)| at).collect();
        Request { bytes: text.as_bytes().to_vec(), users: places(USER), keys: places(KEY), among }
    }

    /// The next request's bytes.
    pub fn next(&mut self, dice: &mut Dice) -> &[u8] {
        for at in &self.users {
            decimal(&mut self.bytes[at + 1..at + USER.len()], dice.below(self.among));
        }
        for at in &self.keys {
            KEYS.fill(dice, &mut self.bytes[*at..at + KEY.len()]);
        }
        &self.bytes
    }

    /// The next request for a library's client, which says itself how long the body is and for whom it is.
    pub fn next_whole(
        &mut self,
        dice: &mut Dice,
        address: SocketAddr,
    ) -> Result<axum::http::Request<Body>, Box<dyn std::error::Error + Send + Sync>> {
        let text = std::str::from_utf8(self.next(dice))?;
        let (head, body) = text.split_once("\r\n\r\n").ok_or_else(odd)?;
        let mut lines = head.split("\r\n");
        let mut words = lines.next().unwrap_or_default().split(' ');
        let (method, path) = words.next().zip(words.next()).ok_or_else(odd)?;
        let mut request = axum::http::Request::builder().method(method).uri(format!("http://{address}{path}"));
        for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
            if name != "Host" && name != "Content-Length" {
                request = request.header(name, value);
            }
        }
        Ok(request.body(Body::from(body.to_owned()))?)
    }
}

/// A request whose text is not as it is made here.
fn odd() -> std::io::Error {
    std::io::Error::other("a request of the benchmark is not as expected")
}

fn head(method: &str, path: &str, token: &str, more: &str) -> String {
    format!("{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n{more}\r\n")
}
