//! Outgoing webhooks: notifications are queued in the transaction that they report (`enqueue`), then sent ([`deliver`])
//! to the endpoints that the operator added ([`endpoints`]). Their form on the wire is in `crate::notification`.

pub mod deliver;
pub mod endpoints;
pub(crate) mod enqueue;
pub mod expiring;
