//! An event: the envelope in which Stripe says that something happened. What it encloses is read by its own type.

use serde_json::Value;

use super::fields::{Fields, Unreadable, parse_json};
use crate::clock::{self, Timestamp};

/// One of Stripe's events, in the shape of any API version.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// `evt_…`: the same in every delivery and in the list of events.
    pub id: String,
    /// Its type, such as `checkout.session.completed`. New ones come up at any time.
    pub kind: String,
    /// When it happened, in whole seconds: two events of one second have no order.
    pub created: Timestamp,
    /// Whether it is of live mode; `None` when Stripe did not say.
    pub livemode: Option<bool>,
    /// The API version that rendered `object`.
    pub api_version: Option<String>,
    /// The connected account (Stripe Connect) that it belongs to; `None` for the account of our own key.
    pub account: Option<String>,
    /// What it is about, as it was at that time (`data.object`); null in a thin event.
    pub object: Value,
    /// Whether it is a thin event (`v2.core.event`), which says only that something happened, and encloses nothing.
    pub thin: bool,
}

impl Event {
    /// Reads a webhook's body, after its signature was verified.
    pub fn parse(body: &[u8]) -> Result<Event, Unreadable> {
        Event::read(&parse_json(body)?)
    }

    /// Reads an event from a list, or one that was kept.
    pub fn read(value: &Value) -> Result<Event, Unreadable> {
        let fields = Fields::of("event", value)?;
        let thin = fields.text("/object")?.as_deref() == Some("v2.core.event");
        Ok(Event {
            id: fields.id()?,
            kind: fields.text("/type")?.ok_or_else(|| fields.missing("/type"))?,
            created: created(&fields, thin)?,
            livemode: fields.flag("/livemode")?,
            api_version: fields.text("/api_version")?,
            account: fields.reference("/account")?,
            object: match fields.value("/data/object") {
                Some(object @ Value::Object(_)) => object.clone(),
                _ if thin => Value::Null,
                _ => return Err(fields.missing("/data/object")),
            },
            thin,
        })
    }
}

fn created(fields: &Fields<'_>, thin: bool) -> Result<Timestamp, Unreadable> {
    let created = match thin {
        true => fields.text("/created")?.and_then(|text| clock::parse_rfc3339(&text)),
        false => fields.time("/created")?,
    };
    created.ok_or_else(|| fields.missing("/created that can be read"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_event_is_read_whole_thin_or_without_a_mode() {
        let event = Event::parse(
            br#"{"id":"evt_1","object":"event","type":"x.new","created":1790000000,"livemode":false,"account":"acct_2",
                 "api_version":"2026-05-27.dahlia","data":{"object":{"id":"x_1"}},"more":[1.5,null]}"#,
        )
        .unwrap();
        assert_eq!((event.id.as_str(), event.kind.as_str(), event.thin), ("evt_1", "x.new", false));
        assert_eq!((event.created, event.livemode), (Timestamp::from_seconds(1_790_000_000), Some(false)));
        assert_eq!(event.account.as_deref(), Some("acct_2"));
        assert_eq!(event.api_version.as_deref(), Some("2026-05-27.dahlia"));
        assert_eq!(event.object, json!({"id": "x_1"}));

        let event = Event::parse(br#"{"id":"evt_1","type":"x","created":1,"data":{"object":{}}}"#).unwrap();
        assert_eq!((event.livemode, event.account, event.api_version), (None, None, None));

        let thin =
            br#"{"id":"evt_2","object":"v2.core.event","type":"v1.invoice.paid","created":"2026-10-01T12:00:00Z"}"#;
        let event = Event::parse(thin).unwrap();
        assert_eq!((event.thin, event.object, event.created.seconds()), (true, Value::Null, 1_790_856_000));
    }

    #[test]
    fn a_body_that_is_not_an_event_is_refused_with_its_reason() {
        let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
        let with = |more: &str| format!(r#"{{"id":"evt_1","type":"x","created":1,"data":{{"object":{{{more}}}}}}}"#);
        let rows = [
            (b"\xff{}".to_vec(), "the body is not UTF-8"),
            (b"{\"id\":\"a\0\"}".to_vec(), "the body holds a NUL byte"),
            (with(r#""a":"b\u0000""#).into_bytes(), "the body holds a NUL character in a text"),
            (with(r#""a\u0000":1"#).into_bytes(), "the body holds a NUL character in a text"),
            (with(r#""n":18446744073709551616"#).into_bytes(), "the body holds a number beyond 64 bits"),
            (with(r#""n":-9223372036854775809"#).into_bytes(), "the body holds a number beyond 64 bits"),
            (with(r#""n":1e999"#).into_bytes(), "the body holds a number beyond 64 bits"),
            (deep.into_bytes(), "the body's JSON is nested deeper than 128 levels"),
            (b"".to_vec(), "the body is not JSON: EOF while parsing a value at line 1 column 0"),
            (b"[]".to_vec(), "the event is not a JSON object"),
            (b"{}".to_vec(), "the event has no id"),
            (br#"{"id":7}"#.to_vec(), "the event's id is not text"),
            (br#"{"id":"evt_1"}"#.to_vec(), "the event has no type"),
            (br#"{"id":"evt_1","type":"x"}"#.to_vec(), "the event has no created that can be read"),
            (br#"{"id":"evt_1","type":"x","created":1,"data":{}}"#.to_vec(), "the event has no data.object"),
        ];
        for (body, reason) in rows {
            let outcome = Event::parse(&body).map_err(|unreadable| unreadable.to_string());
            assert_eq!(outcome, Err(reason.to_owned()), "{}", String::from_utf8_lossy(&body));
        }
        for fine in [r#""n":18446744073709551615"#, r#""n":-9223372036854775807,"f":0.25"#] {
            assert!(Event::parse(with(fine).as_bytes()).is_ok(), "{fine}");
        }
    }
}
