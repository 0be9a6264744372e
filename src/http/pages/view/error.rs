//! The page for a request that was refused or failed. Its words are those of the JSON answer.

use askama::Template;

use super::{Link, Shell};

/// Any refusal, for a browser.
#[derive(Clone, Debug, Template)]
#[template(path = "error.html")]
pub struct ErrorPage {
    /// Title, user. A page for a visitor where the session is not known.
    pub shell: Shell,
    /// The HTTP status.
    pub status: u16,
    /// A few words: `This page does not exist`.
    pub title: String,
    /// What was wrong.
    pub sentence: String,
    /// What to do; empty when the sentence says it.
    pub advice: String,
    /// Ways on, the first one most likely.
    pub links: Vec<Link>,
}
