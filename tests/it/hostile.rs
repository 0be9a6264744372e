//! What a service has to bear: bodies that are wrong in every way, clients that are slow or many, calls at the limits, and a
//! clock that steps back. Every refusal is a problem with a code that says what was wrong and what was expected.

mod bodies;
mod clock;
mod crowds;
mod limits;
