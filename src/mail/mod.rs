//! Letters to people, before any database: what each says ([`letter`]).

pub mod letter;
