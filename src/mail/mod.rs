//! Letters to people, before any database: what each says ([`letter`]), in which words ([`words`]), the message that a mail
//! server takes ([`message`]), and the conversation with that server ([`sender`]).

pub mod letter;
pub mod message;
pub mod sender;
pub mod words;
