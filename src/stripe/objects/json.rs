//! Stripe's JSON, made safe to read and to store, so that one odd value spoils neither an event nor a list.
//!
//! What Stripe sends may hold what a merchant, a buyer or a bank has typed. Four things in it are JSON by its grammar
//! (RFC 8259) and still stop a reader or a database: a NUL character, half of a surrogate pair, a number beyond every
//! float, and values inside values without end. They are replaced in the text, before it is parsed. No field that till
//! reads can hold them by right; one that does is unreadable afterwards, and only the object with that field.

use std::borrow::Cow;

use serde_json::Value;

use crate::stripe::objects::fields::Unreadable;

/// What lies deeper is null. Nothing that till reads is deeper than ten levels, and serde_json reads 128.
const LEVELS_LIMIT: usize = 100;
/// Stands for a number that no float can hold. It is not a whole number of 64 bits, so no amount is read from it.
const BEYOND_FLOATS: &str = "1.7976931348623157e308";
/// A number may only be beyond all floats if it is as long as this, or has an exponent.
const LONG_NUMBER: usize = 300;

/// Parses what Stripe sent: see [`storable`].
pub(crate) fn parse_json(body: &[u8]) -> Result<Value, Unreadable> {
    let text = storable(body)?;
    serde_json::from_str(&text).map_err(|cause| Unreadable::new(format!("the body is not JSON: {cause}")))
}

/// The body as text that can be stored: UTF-8, without NUL characters and lone surrogates in its texts, and no deeper than
/// any parser reads. It is the body itself if nothing in it is odd. Fails if it is not UTF-8. Whether it is JSON is left
/// to the parser.
pub fn storable(body: &[u8]) -> Result<Cow<'_, str>, Unreadable> {
    let text = std::str::from_utf8(body).map_err(|_| Unreadable::new("the body is not UTF-8"))?;
    let mut cleaner = Cleaner { text, copied: 0, cleaned: String::new(), level: 0 };
    cleaner.clean();
    Ok(match cleaner.copied {
        0 => Cow::Borrowed(text),
        copied => Cow::Owned(cleaner.cleaned + text.get(copied..).unwrap_or_default()),
    })
}

struct Cleaner<'a> {
    text: &'a str,
    /// The bytes of `text` that are in `cleaned`, as they were or replaced. Zero as long as nothing was replaced.
    copied: usize,
    cleaned: String,
    level: usize,
}

impl Cleaner<'_> {
    fn clean(&mut self) {
        let bytes = self.text.as_bytes();
        let mut at = 0;
        while let Some(byte) = bytes.get(at) {
            at = match byte {
                b'"' => self.string(at),
                b'[' | b'{' if self.level == LEVELS_LIMIT => {
                    let end = self.end_of_container(at);
                    self.replace(at, end, "null");
                    end
                }
                b'[' | b'{' => {
                    self.level += 1;
                    at + 1
                }
                b']' | b'}' => {
                    self.level = self.level.saturating_sub(1);
                    at + 1
                }
                b'-' | b'0'..=b'9' => self.number(at),
                _ => at + 1,
            };
        }
    }

    /// Replaces the bytes from `start` to `end`, which lie after everything that was replaced before.
    fn replace(&mut self, start: usize, end: usize, by: &str) {
        self.cleaned.push_str(self.text.get(self.copied..start).unwrap_or_default());
        self.cleaned.push_str(by);
        self.copied = end;
    }

    /// Cleans the text that begins at `start`, and returns its end.
    fn string(&mut self, start: usize) -> usize {
        let bytes = self.text.as_bytes();
        let end = end_of_string(bytes, start);
        // A character that is dropped could make two keys of an object equal, and the wrong one would be read.
        let after = bytes.get(end..).unwrap_or_default();
        let is_key = after.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b':');
        let nul = if is_key { "\\ufffd" } else { "" };
        let mut at = start + 1;
        while at < end {
            if bytes.get(at) != Some(&b'\\') {
                at += 1;
                continue;
            }
            at = match escaped(bytes, at) {
                Some(0) => {
                    self.replace(at, at + 6, nul);
                    at + 6
                }
                Some(0xD800..=0xDBFF) if matches!(escaped(bytes, at + 6), Some(0xDC00..=0xDFFF)) => at + 12,
                Some(0xD800..=0xDFFF) => {
                    self.replace(at, at + 6, "\\ufffd");
                    at + 6
                }
                Some(_) => at + 6,
                None => at + 2,
            };
        }
        end
    }

    fn number(&mut self, start: usize) -> usize {
        let rest = self.text.get(start..).unwrap_or_default();
        let is_part = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.' | b'e' | b'E');
        let length = rest.bytes().position(|byte| !is_part(byte)).unwrap_or(rest.len());
        let number = rest.get(..length).unwrap_or_default();
        let may_be_beyond = length > LONG_NUMBER || number.contains(['e', 'E']);
        if may_be_beyond && number.parse().is_ok_and(f64::is_infinite) {
            self.replace(start, start + length, BEYOND_FLOATS);
        }
        start + length
    }

    /// The end of the list or object that begins at `start`. If it has no end, neither has the text.
    fn end_of_container(&self, start: usize) -> usize {
        let bytes = self.text.as_bytes();
        let mut open = 0_usize;
        let mut at = start;
        while let Some(byte) = bytes.get(at) {
            match byte {
                b'"' => {
                    at = end_of_string(bytes, at);
                    continue;
                }
                b'[' | b'{' => open += 1,
                b']' | b'}' => open -= 1,
                _ => {}
            }
            at += 1;
            if open == 0 {
                break;
            }
        }
        at
    }
}

/// Where the text that begins at `start` ends, its closing quote included.
fn end_of_string(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// The number of the escape at this place, if there is one: `\u` and four digits.
fn escaped(bytes: &[u8], at: usize) -> Option<u32> {
    let digits = bytes.get(at..at + 6)?.strip_prefix(b"\\u")?;
    digits.iter().try_fold(0, |sum, digit| Some(sum * 16 + char::from(*digit).to_digit(16)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(text: &str) -> Value {
        parse_json(text.as_bytes()).unwrap_or_else(|unreadable| panic!("{text}: {unreadable}"))
    }

    #[test]
    fn what_is_not_odd_is_left_as_it_is() {
        let plain = r#"{"a": "\\u0000 \"\\\u00e4 \ud83d\ude00", "n": [-1.5e3, 18446744073709551615, 1e308], "z": {}}"#;
        assert!(matches!(storable(plain.as_bytes()), Ok(Cow::Borrowed(same)) if same == plain));
        assert_eq!(read(plain)["a"], json!("\\u0000 \"\\ä 😀"));
    }

    #[test]
    fn characters_that_no_database_takes_are_dropped_or_replaced() {
        for (text, expected) in [
            (r#""a\u0000b""#, json!("ab")),
            (r#""\u0000""#, json!("")),
            (r#"["\u0000\u0000x", "\\\u0000y"]"#, json!(["x", "\\y"])),
            (r#""\ud800""#, json!("\u{fffd}")),
            (r#""\ud800\ud800\udc00\udc00""#, json!("\u{fffd}\u{10000}\u{fffd}")),
            (r#""\uDFFFx""#, json!("\u{fffd}x")),
            (r#"{"user_id": "alice", "user_id\u0000" : "bob"}"#, json!({"user_id": "alice", "user_id\u{fffd}": "bob"})),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
    }

    #[test]
    fn numbers_and_depths_without_bounds_do_not_stop_the_rest() {
        let many = "9".repeat(400);
        for number in ["1e999", "-1E+400", &many, "18446744073709551616", "-9223372036854775809"] {
            let value = read(&format!(r#"{{"n":{number},"m":1}}"#));
            assert!(value["n"].is_f64() && value["m"] == 1, "{number}");
        }
        for (open, close) in [("[", "]"), (r#"{"a":"#, "}"), (r#"[{"]": "]","a":"#, "}]")] {
            let inner = format!("{}{}", open.repeat(10_000), close.repeat(10_000)).replace(":}", ":0}");
            let text = format!(r#"{{"deep":{inner},"id":"x_1"}}"#);
            let value = read(&text);
            assert_eq!(value["id"], "x_1", "{open}");
            assert_eq!(read(&value.to_string()), value, "{open}: twice is the same");
        }
    }

    #[test]
    fn what_is_no_json_stays_none() {
        let deep = "[".repeat(500_000);
        for text in
            ["", "{", r#"{"a":"#, r#"{"a":"\u00"#, r#""\"#, "\"a\0b\"", "{\"a\":\0}", "event=evt_1", "]", "1e", &deep]
        {
            assert!(parse_json(text.as_bytes()).is_err(), "{text:.20}");
        }
        assert_eq!(parse_json(b"\xff{}"), Err(Unreadable::new("the body is not UTF-8")));
    }
}
