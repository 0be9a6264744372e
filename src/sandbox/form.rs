//! Reads Stripe's request encoding: `line_items[0][price]=…`, `metadata[user_id]=…`, `expand[]=…`. A form is a list of
//! leaves: a value, and the names that lead to it. `params` decides which names are allowed and what they mean.

use std::collections::{BTreeMap, BTreeSet};

use crate::sandbox::api_error::ApiError;

/// Limit for a request body.
pub const BODY_LIMIT: usize = 1024 * 1024;
const LEAVES_LIMIT: usize = 1_000;
const DEPTH_LIMIT: usize = 8;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestForm {
    leaves: Vec<Leaf>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaf {
    /// `line_items[0][price]` is `["line_items", "0", "price"]`.
    pub names: Vec<String>,
    pub value: String,
}

impl Leaf {
    /// The name in Stripe's bracket notation.
    pub fn bracketed(&self) -> String {
        bracketed(&self.names)
    }
}

/// Names joined in Stripe's bracket notation.
pub fn bracketed<S: AsRef<str>>(names: &[S]) -> String {
    let mut text = String::new();
    for (index, name) in names.iter().enumerate() {
        match index {
            0 => text.push_str(name.as_ref()),
            _ => text.push_str(&format!("[{}]", name.as_ref())),
        }
    }
    text
}

impl RequestForm {
    /// Decodes `application/x-www-form-urlencoded`. Refuses more than 1,000 values, and names nested more than 8 deep.
    pub fn decode(text: &str) -> Result<RequestForm, ApiError> {
        let mut form = RequestForm::default();
        for (name, value) in form_urlencoded::parse(text.as_bytes()) {
            let mut names = split(&name);
            if form.leaves.len() >= LEAVES_LIMIT || names.len() > DEPTH_LIMIT {
                return Err(ApiError::invalid("The request has too many parameters, or nests them too deeply."));
            }
            if let Some(at) = names.iter().position(String::is_empty).filter(|at| *at > 0) {
                names[at] = form.next_index(&names[..at]).to_string();
            }
            form.leaves.push(Leaf { names, value: value.into_owned() });
        }
        Ok(form)
    }

    /// A form of the leaves that a test lets through, and of these further values, by dotted paths.
    pub fn with(&self, is_kept: impl Fn(&Leaf) -> bool, more: &[(&str, &str)]) -> RequestForm {
        let kept = self.leaves.iter().filter(|leaf| is_kept(leaf)).cloned();
        let more = more.iter().map(|(path, value)| Leaf {
            names: path.split('.').map(str::to_owned).collect(),
            value: (*value).to_owned(),
        });
        RequestForm { leaves: kept.chain(more).collect() }
    }

    /// All values in the order sent.
    pub fn leaves(&self) -> &[Leaf] {
        &self.leaves
    }

    /// The value at a dotted path such as `line_items.0.price`. If it was sent twice, the last one counts.
    pub fn text(&self, path: &str) -> Option<&str> {
        self.leaves.iter().rev().find(|leaf| is_at(&leaf.names, path)).map(|leaf| leaf.value.as_str())
    }

    /// The value at `path`, unless it is empty. An empty value is Stripe's way to unset.
    pub fn filled(&self, path: &str) -> Option<&str> {
        self.text(path).filter(|value| !value.is_empty())
    }

    /// The integer at `path`. `params` has refused anything else before.
    pub fn integer(&self, path: &str) -> Option<i64> {
        self.text(path)?.parse().ok()
    }

    pub fn flag(&self, path: &str) -> Option<bool> {
        self.text(path).and_then(flag)
    }

    /// Whether the form has anything at or under `path`.
    pub fn has(&self, path: &str) -> bool {
        self.leaves.iter().any(|leaf| is_under(&leaf.names, path))
    }

    /// The paths of the items of a list, in order: `line_items` → `line_items.0`, `line_items.1`.
    pub fn items(&self, path: &str) -> Vec<String> {
        let depth = path.split('.').count();
        let mut found: BTreeMap<u64, String> = BTreeMap::new();
        for leaf in self.leaves.iter().filter(|leaf| is_under(&leaf.names, path)) {
            if let Some(index) = leaf.names.get(depth).and_then(|name| name.parse().ok()) {
                found.insert(index, format!("{path}.{index}"));
            }
        }
        found.into_values().collect()
    }

    pub fn list(&self, path: &str) -> Vec<String> {
        self.items(path).iter().filter_map(|item| self.text(item)).map(str::to_owned).collect()
    }

    /// The keys at `path`, such as the currencies of `currency_options`.
    pub fn keys(&self, path: &str) -> Vec<String> {
        let depth = path.split('.').count();
        let under = self.leaves.iter().filter(|leaf| is_under(&leaf.names, path));
        let keys: BTreeSet<&String> = under.filter_map(|leaf| leaf.names.get(depth)).collect();
        keys.into_iter().cloned().collect()
    }

    /// The entries of the map at `path`, such as metadata.
    pub fn map(&self, path: &str) -> BTreeMap<String, String> {
        let depth = path.split('.').count();
        let entries = self.leaves.iter().filter(|leaf| is_under(&leaf.names, path) && leaf.names.len() == depth + 1);
        entries.map(|leaf| (leaf.names[depth].clone(), leaf.value.clone())).collect()
    }

    /// The same text for the same parameters in any order. Idempotency keys compare it.
    pub fn canonical(&self) -> String {
        let mut lines: Vec<String> =
            self.leaves.iter().map(|leaf| format!("{:?}={:?}", leaf.names, leaf.value)).collect();
        lines.sort();
        lines.join("\n")
    }

    fn next_index(&self, names: &[String]) -> usize {
        let depth = names.len();
        let siblings = self.leaves.iter().filter(|leaf| leaf.names.len() > depth && leaf.names[..depth] == *names);
        siblings
            .filter_map(|leaf| leaf.names[depth].parse::<usize>().ok())
            .max()
            .map_or(0, |last| last.saturating_add(1))
    }
}

/// A boolean. Stripe's library for Python wrote `True` and `False` before version 12.
pub fn flag(value: &str) -> Option<bool> {
    match value {
        "true" | "True" | "1" => Some(true),
        "false" | "False" | "0" => Some(false),
        _ => None,
    }
}

fn split(name: &str) -> Vec<String> {
    let Some((head, rest)) = name.split_once('[') else { return vec![name.to_owned()] };
    let mut names = vec![head.to_owned()];
    names.extend(rest.strip_suffix(']').unwrap_or(rest).split("][").map(str::to_owned));
    names
}

fn is_at(names: &[String], path: &str) -> bool {
    names.iter().map(String::as_str).eq(path.split('.'))
}

fn is_under(names: &[String], path: &str) -> bool {
    let mut names = names.iter();
    path.split('.').all(|part| names.next().is_some_and(|name| name == part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deep_names_are_read_as_stripe_reads_them() {
        let form = RequestForm::decode(
            "mode=payment&line_items[1][price]=b&line_items[0][price]=a&line_items[0][quantity]=2\
             &metadata[user.id]=x%20y&metadata[0]=z&expand[]=line_items&expand[]=customer&email=",
        )
        .unwrap();
        assert_eq!(form.text("mode"), Some("payment"));
        assert_eq!(form.items("line_items"), ["line_items.0", "line_items.1"]);
        assert_eq!(form.text("line_items.1.price"), Some("b"));
        assert_eq!(form.integer("line_items.0.quantity"), Some(2));
        assert_eq!(
            form.map("metadata").into_iter().collect::<Vec<_>>(),
            [("0".to_owned(), "z".to_owned()), ("user.id".to_owned(), "x y".to_owned())]
        );
        assert_eq!(form.list("expand"), ["line_items", "customer"]);
        assert_eq!(
            (form.text("email"), form.filled("email"), form.has("line_items"), form.has("line")),
            (Some(""), None, true, false)
        );
        assert_eq!(form.leaves()[1].bracketed(), "line_items[1][price]");
    }

    #[test]
    fn what_is_too_much_is_refused() {
        assert!(RequestForm::decode(&"a=1&".repeat(1_001)).is_err());
        assert!(RequestForm::decode(&format!("a{}=1", "[b]".repeat(8))).is_err());
        assert!(RequestForm::decode("a[=1&]=2&[]=3&=4&%ff=%fe").is_ok());
    }

    #[test]
    fn the_canonical_text_forgets_the_order_and_nothing_else() {
        let text = |form: &str| RequestForm::decode(form).unwrap().canonical();
        assert_eq!(text("a=1&b[c]=2"), text("b[c]=2&a=1"));
        assert_ne!(text("a=1&b=2"), text("a=2&b=1"));
        assert_ne!(text("a=1"), text("a=1&b="));
    }
}
