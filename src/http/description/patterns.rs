//! Rules for text as regular expressions, for the description. The use cases check the same rules when they are called.

/// A note: at least one visible character, and no control characters but the line feed.
pub(crate) const NOTE: &str = "^[^\\u0000-\\u0009\\u000b-\\u001f\\u007f-\\u009f]*[^\\s\\u0000-\\u001f\\u007f-\\u009f][^\\u0000-\\u0009\\u000b-\\u001f\\u007f-\\u009f]*$";
/// A name: at least one visible character, and no control characters.
pub(crate) const TEXT: &str =
    "^[^\\u0000-\\u001f\\u007f-\\u009f]*[^\\s\\u0000-\\u001f\\u007f-\\u009f][^\\u0000-\\u001f\\u007f-\\u009f]*$";
/// An e-mail address has an @. Anything else is for mail servers to judge.
pub(crate) const EMAIL: &str = "^[^\\u0000-\\u001f\\u007f-\\u009f]*@[^\\u0000-\\u001f\\u007f-\\u009f]*$";

/// A URL to return to: absolute, or a path of this server.
pub(crate) const URL: &str = "^(https?://|/)";
