//! Idempotency keys, as at Stripe. The first answer, even a 500, is given again for the same key and parameters. Other
//! parameters, or a call still in progress, are refused. Refused calls (4xx) are not stored. Source: Stripe,
//! "Idempotent requests".

use crate::sandbox::api_error::ApiError;
use crate::sandbox::table::Table;

const LIMIT: usize = 10_000;
const KEY_LIMIT: usize = 255;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiAnswer {
    pub status: u16,
    pub body: String,
}

#[derive(Debug, PartialEq, Eq)]
pub enum KeyUse {
    /// The call does its work, then calls [`IdempotencyKeys::finish`].
    First,
    /// The call returns this answer.
    Repeat(ApiAnswer),
}

#[derive(Debug)]
pub struct IdempotencyKeys {
    rows: Table<KeyRow>,
}

#[derive(Debug)]
struct KeyRow {
    path: String,
    parameters: String,
    answer: Option<ApiAnswer>,
}

impl Default for IdempotencyKeys {
    fn default() -> IdempotencyKeys {
        IdempotencyKeys { rows: Table::new(LIMIT) }
    }
}

impl IdempotencyKeys {
    /// Reserves a key for a call.
    pub fn begin(&mut self, key: &str, path: &str, parameters: &str) -> Result<KeyUse, ApiError> {
        if key.is_empty() || key.len() > KEY_LIMIT {
            let message = format!("Idempotency keys must be 1 to {KEY_LIMIT} characters long.");
            return Err(ApiError::idempotency(message));
        }
        let Some(row) = self.rows.get(key) else {
            let (path, parameters) = (path.to_owned(), parameters.to_owned());
            self.rows.put(key, KeyRow { path, parameters, answer: None });
            return Ok(KeyUse::First);
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
            Some(answer) => Ok(KeyUse::Repeat(answer.clone())),
            None => Err(ApiError::idempotency(format!(
                "There is currently another in-progress request using this Stripe Idempotent Key (that probably means \
                 you submitted twice, and the other request is still going through): {key}. Please try again in a \
                 little bit."
            ))
            .code("idempotency_key_in_use")
            .status(409)),
        }
    }

    /// Stores the answer, or frees the key if the call was refused.
    pub fn finish(&mut self, key: &str, answer: &ApiAnswer) {
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
        let answer = |status| ApiAnswer { status, body: "{}".to_owned() };
        let refused = |outcome: Result<KeyUse, ApiError>| outcome.map_err(|error| error.status);
        let mut keys = IdempotencyKeys::default();
        assert_eq!(keys.begin("k", "/v1/a", "x=1"), Ok(KeyUse::First));
        assert_eq!(refused(keys.begin("k", "/v1/a", "x=1")), Err(409));
        keys.finish("k", &answer(500));
        for (key, path, parameters, expected) in [
            ("k", "/v1/a", "x=1", Ok(KeyUse::Repeat(answer(500)))),
            ("k", "/v1/a", "x=2", Err(400)),
            ("k", "/v1/b", "x=1", Err(400)),
            ("other", "/v1/a", "x=1", Ok(KeyUse::First)),
            ("", "/v1/a", "x=1", Err(400)),
            (&"k".repeat(256), "/v1/a", "x=1", Err(400)),
        ] {
            assert_eq!(refused(keys.begin(key, path, parameters)), expected, "{key} {path} {parameters}");
        }
        keys.finish("other", &answer(400));
        assert_eq!(keys.begin("other", "/v1/a", "x=2"), Ok(KeyUse::First), "a refused call frees its key");
    }
}
