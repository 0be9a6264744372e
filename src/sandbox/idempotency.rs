//! Idempotency keys as Stripe keeps them: the first answer, also a 500, is given again for the same key and parameters;
//! other parameters, or a call still under way, are refused; refused calls (4xx) are not kept. Source: Stripe,
//! "Idempotent requests".

use crate::sandbox::api_error::ApiError;
use crate::sandbox::table::Table;

const LIMIT: usize = 10_000;
const KEY_LIMIT: usize = 255;

/// An answer as it was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// The body, printed.
    pub body: String,
}

/// What a call with a key may do.
#[derive(Debug, PartialEq, Eq)]
pub enum Turn {
    /// Do the work, then [`Keys::finish`].
    Work,
    /// Give this answer again.
    Again(Answer),
}

/// The keys seen.
#[derive(Debug)]
pub struct Keys {
    rows: Table<Row>,
}

#[derive(Debug)]
struct Row {
    path: String,
    parameters: String,
    answer: Option<Answer>,
}

impl Default for Keys {
    fn default() -> Keys {
        Keys { rows: Table::new(LIMIT) }
    }
}

impl Keys {
    /// Claims a key for a call, or says why not.
    pub fn begin(&mut self, key: &str, path: &str, parameters: &str) -> Result<Turn, ApiError> {
        if key.is_empty() || key.len() > KEY_LIMIT {
            let message = format!("Idempotency keys must be 1 to {KEY_LIMIT} characters long.");
            return Err(ApiError::idempotency(message));
        }
        let Some(row) = self.rows.get(key) else {
            let (path, parameters) = (path.to_owned(), parameters.to_owned());
            self.rows.put(key, Row { path, parameters, answer: None });
            return Ok(Turn::Work);
        };
        if row.path != path {
            return Err(ApiError::idempotency(format!(
                "Keys for idempotent requests can only be used for the same endpoint they were first used for ('{path}' \
                 vs '{}'). Try using a key other than '{key}' if you meant to execute a different request.",
                row.path
            )));
        }
        if row.parameters != parameters {
            return Err(ApiError::idempotency(format!(
                "Keys for idempotent requests can only be used with the same parameters they were first used with. Try \
                 using a key other than '{key}' if you meant to execute a different request."
            )));
        }
        match &row.answer {
            Some(answer) => Ok(Turn::Again(answer.clone())),
            None => Err(ApiError::idempotency(format!(
                "There is currently another in-progress request using this Stripe Idempotent Key (that probably means \
                 you submitted twice, and the other request is still going through): {key}. Please try again in a \
                 little bit."
            ))
            .code("idempotency_key_in_use")
            .status(409)),
        }
    }

    /// Keeps the answer, or frees the key when the call was refused.
    pub fn finish(&mut self, key: &str, answer: &Answer) {
        match answer.status {
            400..=499 => drop(self.rows.remove(key)),
            _ => {
                if let Some(row) = self.rows.get_mut(key) {
                    row.answer = Some(answer.clone());
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_gives_its_first_answer_again_and_refuses_anything_else() {
        let answer = |status| Answer { status, body: "{}".to_owned() };
        let refused = |outcome: Result<Turn, ApiError>| outcome.map_err(|error| error.status);
        let mut keys = Keys::default();
        assert_eq!(keys.begin("k", "/v1/a", "x=1"), Ok(Turn::Work));
        assert_eq!(refused(keys.begin("k", "/v1/a", "x=1")), Err(409));
        keys.finish("k", &answer(500));
        for (key, path, parameters, expected) in [
            ("k", "/v1/a", "x=1", Ok(Turn::Again(answer(500)))),
            ("k", "/v1/a", "x=2", Err(400)),
            ("k", "/v1/b", "x=1", Err(400)),
            ("other", "/v1/a", "x=1", Ok(Turn::Work)),
            ("", "/v1/a", "x=1", Err(400)),
            (&"k".repeat(256), "/v1/a", "x=1", Err(400)),
        ] {
            assert_eq!(refused(keys.begin(key, path, parameters)), expected, "{key} {path} {parameters}");
        }
        keys.finish("other", &answer(400));
        assert_eq!(keys.begin("other", "/v1/a", "x=2"), Ok(Turn::Work), "a refused call frees its key");
    }
}
