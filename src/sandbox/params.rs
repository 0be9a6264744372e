//! Which parameters a call takes. Each call has rows of [`Rule`]. As at Stripe, a parameter without a row is refused
//! (`parameter_unknown`), and so is a value of the wrong kind. Parameters that Stripe takes and the stand-in has not
//! built are refused by name, never ignored. Source: Stripe's OpenAPI description.

use serde_json::{Value, json};

use crate::sandbox::api_error::ApiError;
use crate::sandbox::form::{self, Leaf, RequestForm, bracketed};

const TEXT_LIMIT: usize = 5_000;
const METADATA_ENTRIES: usize = 50;
const METADATA_KEY: usize = 40;
const METADATA_VALUE: usize = 500;

/// One parameter. In its path, `#` is any index, as in `line_items.#.price`, and `*` any key, as in
/// `currency_options.*.unit_amount`.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    path: &'static str,
    kind: ValueKind,
    required: bool,
}

#[derive(Clone, Copy, Debug)]
enum ValueKind {
    Text,
    Clearable,
    Integer,
    Boolean,
    Decimal,
    Url,
    Map,
    OneOf(&'static [&'static str]),
}

impl Rule {
    const fn new(path: &'static str, kind: ValueKind) -> Rule {
        Rule { path, kind, required: false }
    }

    pub const fn required(self) -> Rule {
        Rule { required: true, ..self }
    }
}

/// Text that cannot be unset.
pub const fn text(path: &'static str) -> Rule {
    Rule::new(path, ValueKind::Text)
}

/// Text that an empty value unsets.
pub const fn clearable(path: &'static str) -> Rule {
    Rule::new(path, ValueKind::Clearable)
}

pub const fn integer(path: &'static str) -> Rule {
    Rule::new(path, ValueKind::Integer)
}

pub const fn boolean(path: &'static str) -> Rule {
    Rule::new(path, ValueKind::Boolean)
}

/// A number with at most two decimals.
pub const fn decimal(path: &'static str) -> Rule {
    Rule::new(path, ValueKind::Decimal)
}

/// An absolute `http` or `https` URL.
pub const fn url(path: &'static str) -> Rule {
    Rule::new(path, ValueKind::Url)
}

/// A map of texts, within Stripe's limits for metadata.
pub const fn map(path: &'static str) -> Rule {
    Rule::new(path, ValueKind::Map)
}

pub const fn one_of(path: &'static str, words: &'static [&'static str]) -> Rule {
    Rule::new(path, ValueKind::OneOf(words))
}

/// The parameters of every list.
pub const LIST: &[Rule] = &[
    integer("limit"),
    text("starting_after"),
    text("ending_before"),
    integer("created"),
    integer("created.gt"),
    integer("created.gte"),
    integer("created.lt"),
    integer("created.lte"),
];

const EXPAND: &[Rule] = &[text("expand.#")];

/// Refuses, in this order, parameters that the call does not take, values of the wrong kind, and missing parameters.
pub fn check(form: &RequestForm, rules: &[&[Rule]], not_built: &[&str]) -> Result<(), ApiError> {
    let rows = || rules.iter().copied().chain([EXPAND]).flatten();
    for leaf in form.leaves() {
        match rows().find(|rule| rule.matches(leaf)) {
            Some(rule) => rule.check(leaf)?,
            None if not_built.iter().any(|path| leads_to(path, leaf)) => {
                let name = leaf.bracketed();
                return Err(ApiError::not_built(&format!("the parameter `{name}`")).param(name));
            }
            None => return Err(unknown(leaf)),
        }
    }
    for rule in rows() {
        if matches!(rule.kind, ValueKind::Map) && form.map(rule.path).len() > METADATA_ENTRIES {
            let message = format!("You can have at most {METADATA_ENTRIES} metadata keys.");
            return Err(ApiError::invalid(message).param(rule.path));
        }
        if rule.required && !form.has(rule.path) {
            return Err(ApiError::missing(rule.path));
        }
    }
    Ok(())
}

/// The values that the form has for these rules, each of its kind and at its place. What is only kept and shown is
/// taken from here. An empty value is null.
pub fn shown(form: &RequestForm, rules: &[Rule]) -> Value {
    let mut root = json!({});
    for leaf in form.leaves() {
        if let Some(rule) = rules.iter().find(|rule| rule.matches(leaf)) {
            place(&mut root, rule.path, &leaf.names, rule.read(leaf));
        }
    }
    root
}

fn place(root: &mut Value, path: &str, names: &[String], value: Value) {
    let mut at = root;
    for (part, name) in path.split('.').zip(names) {
        if part == "#" {
            if !at.is_array() {
                *at = json!([]);
            }
            let Some(items) = at.as_array_mut() else { return };
            let index = name.parse::<usize>().unwrap_or_default().min(items.len());
            if index == items.len() {
                items.push(Value::Null);
            }
            at = &mut items[index];
        } else {
            if !at.is_object() {
                *at = json!({});
            }
            at = &mut at[name];
        }
    }
    *at = value;
}

fn unknown(leaf: &Leaf) -> ApiError {
    let name = leaf.bracketed();
    ApiError::invalid(format!("Received unknown parameter: {name}")).code("parameter_unknown").param(name)
}

impl Rule {
    fn matches(&self, leaf: &Leaf) -> bool {
        let below = leaf.names.len().saturating_sub(self.path.split('.').count());
        leads_to(self.path, leaf)
            && match self.kind {
                // An entry of the map, or the map itself with an empty value, which clears it.
                ValueKind::Map => below == 1 || below == 0 && leaf.value.is_empty(),
                _ => below == 0,
            }
    }

    fn read(&self, leaf: &Leaf) -> Value {
        let value = leaf.value.as_str();
        match self.kind {
            _ if value.is_empty() => Value::Null,
            ValueKind::Integer | ValueKind::Decimal => serde_json::from_str(value).unwrap_or_default(),
            ValueKind::Boolean => json!(form::flag(value)),
            _ => json!(value),
        }
    }

    fn check(&self, leaf: &Leaf) -> Result<(), ApiError> {
        let (name, value) = (leaf.bracketed(), leaf.value.as_str());
        if value.is_empty() {
            return if matches!(self.kind, ValueKind::Clearable | ValueKind::Map) { Ok(()) } else { Err(empty(&name)) };
        }
        if value.chars().count() > TEXT_LIMIT {
            let message = format!("Invalid string: {name} must be at most {TEXT_LIMIT} characters.");
            return Err(ApiError::invalid(message).param(name));
        }
        match self.kind {
            ValueKind::Text | ValueKind::Clearable => Ok(()),
            ValueKind::Integer if value.parse::<i64>().is_ok() => Ok(()),
            ValueKind::Integer => Err(wrong("integer", value, name).code("parameter_invalid_integer")),
            ValueKind::Boolean if form::flag(value).is_some() => Ok(()),
            ValueKind::Boolean => Err(wrong("boolean", value, name)),
            ValueKind::Decimal if hundredths(value).is_some() => Ok(()),
            ValueKind::Decimal => Err(wrong("decimal", value, name)),
            ValueKind::Url if is_web_url(value) => Ok(()),
            ValueKind::Url => Err(ApiError::invalid("Not a valid URL").code("url_invalid").param(name)),
            ValueKind::Map => check_metadata(leaf, name),
            ValueKind::OneOf(words) if words.contains(&value) => Ok(()),
            ValueKind::OneOf(words) => {
                let message = format!("Invalid {name}: must be one of {}", words.join(", "));
                Err(ApiError::invalid(message).param(name))
            }
        }
    }
}

/// Whether the leaf is at or under this path.
fn leads_to(path: &str, leaf: &Leaf) -> bool {
    let mut names = leaf.names.iter();
    path.split('.').all(|part| {
        names.next().is_some_and(|name| match part {
            "#" => !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit()),
            "*" => !name.is_empty(),
            _ => name == part,
        })
    })
}

fn empty(name: &str) -> ApiError {
    let message = format!(
        "You passed an empty string for '{name}'. We assume empty values are an attempt to unset a parameter; however \
         '{name}' cannot be unset. You should remove '{name}' from your request or supply a non-empty value."
    );
    ApiError::invalid(message).code("parameter_invalid_empty").param(name)
}

fn wrong(kind: &str, value: &str, name: String) -> ApiError {
    let shown: String = value.chars().take(80).collect();
    ApiError::invalid(format!("Invalid {kind}: {shown}")).param(name)
}

fn check_metadata(leaf: &Leaf, name: String) -> Result<(), ApiError> {
    let key = leaf.names.last().map(|key| key.chars().count()).unwrap_or_default();
    if key == 0 || key > METADATA_KEY {
        let message = format!("Metadata keys must be 1 to {METADATA_KEY} characters long.");
        return Err(ApiError::invalid(message).param(name));
    }
    if leaf.value.chars().count() > METADATA_VALUE {
        let message = format!("Metadata values can be at most {METADATA_VALUE} characters long.");
        return Err(ApiError::invalid(message).param(name));
    }
    Ok(())
}

/// `25.5` is 2550. `None`: not a positive number with at most two decimals.
pub fn hundredths(value: &str) -> Option<i64> {
    let (whole, part) = value.split_once('.').unwrap_or((value, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || whole.len() > 9 || part.len() > 2 || !digits(whole) || !digits(part) {
        return None;
    }
    format!("{whole}{part:0<2}").parse().ok()
}

/// Whether Stripe accepts this as a URL to redirect to. It may contain `{CHECKOUT_SESSION_ID}`.
pub fn is_web_url(value: &str) -> bool {
    url::Url::parse(value).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.host().is_some())
}

/// A dotted path in Stripe's bracket notation.
pub fn name_of(path: &str) -> String {
    bracketed(&path.split('.').collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_is_held_against_the_rules() {
        const RULES: &[Rule] = &[
            text("currency").required(),
            clearable("email"),
            integer("line_items.#.quantity"),
            boolean("active"),
            decimal("percent_off"),
            url("success_url"),
            map("metadata"),
            one_of("mode", &["payment", "setup"]),
        ];
        let long = format!("currency=usd&metadata[{}]=x", "k".repeat(41));
        for (form, expected) in [
            ("currency=usd&email=&metadata=&metadata[a]=&active=true&percent_off=25.5&expand[]=x", ""),
            ("currency=usd&line_items[0][quantity]=3&success_url=http://127.0.0.1:1/?s={CHECKOUT_SESSION_ID}", ""),
            ("", "Missing required param: currency."),
            ("currency=usd&colour=red", "Received unknown parameter: colour"),
            ("currency=usd&line_items[0][size]=1", "Received unknown parameter: line_items[0][size]"),
            ("currency=usd&line_items[x][quantity]=1", "Received unknown parameter: line_items[x][quantity]"),
            ("currency=usd&line_items[0][quantity]=1.5", "Invalid integer: 1.5"),
            ("currency=", "You passed an empty string for 'currency'"),
            ("currency=usd&active=True", ""),
            ("currency=usd&active=False", ""),
            ("currency=usd&active=yes", "Invalid boolean: yes"),
            ("currency=usd&percent_off=x", "Invalid decimal: x"),
            ("currency=usd&success_url=javascript:1", "Not a valid URL"),
            ("currency=usd&mode=x", "Invalid mode: must be one of payment, setup"),
            ("currency=usd&tax=1", "This stand-in for Stripe does not do the parameter `tax`"),
            (long.as_str(), "Metadata keys must be 1 to 40 characters long."),
        ] {
            let outcome = check(&RequestForm::decode(form).unwrap(), &[RULES], &["tax"]);
            let message = outcome.err().map(|error| error.message().to_owned()).unwrap_or_default();
            assert!(message.starts_with(expected) && message.is_empty() == expected.is_empty(), "{form}: {message}");
        }
    }

    #[test]
    fn a_percentage_is_read_without_floating_point() {
        for (text, expected) in
            [("100", Some(10_000)), ("25.5", Some(2_550)), ("0.05", Some(5)), ("1.234", None), ("-1", None)]
        {
            assert_eq!(hundredths(text), expected, "{text}");
        }
    }
}
