//! The service API described for programs. What a call takes and answers follows from the types that its handler uses.
//! The rest is an `Operation` constant beside the handler, and the router adds method and path. From these, `document`
//! makes the OpenAPI document and `reference` the content of the page for people. Nothing here knows a handler.

pub(crate) mod document;
pub(crate) mod operation;
pub(crate) mod patterns;
pub(crate) mod problems;
pub(crate) mod reference;
pub(crate) mod schemas;
pub(crate) mod webhooks;

#[cfg(test)]
mod tests;
