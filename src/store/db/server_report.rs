//! What a server says of itself.

/// What a server says of itself, of this connection and of the role.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerReport {
    pub version: String,
    /// Settings that are off and on which it depends that what was acknowledged outlives a crash.
    pub unsafe_settings: Vec<String>,
    /// Whether commits are durable by the role's own setting: till turns that on for itself.
    pub commits_are_synchronous: bool,
    /// What `synchronous_standby_names` says.
    pub standbys_wanted: String,
    /// Standbys that are connected, how many of them a commit may wait for, and how far the last one is behind, in bytes; `None`
    /// where the role may not see them.
    pub standbys: Option<Standbys>,
    /// Connections of clients, and how many there may be.
    pub connections: i64,
    pub connections_limit: i64,
    /// Its clock, in milliseconds since 1970.
    pub now_millis: i64,
    /// Rights that the role lacks, in words.
    pub missing_rights: Vec<String>,
    pub may_make_tables: bool,
    pub is_encrypted: bool,
    /// The connection does not leave this machine.
    pub is_local: bool,
}

/// The servers that follow this one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standbys {
    pub connected: i64,
    pub synchronous: i64,
    pub behind_bytes: i64,
}
