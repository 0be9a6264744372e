//! The webhooks that go out to the operator's own programs: what a message says and where it may go, and how messages are
//! delivered, retried and parked.

mod delivery;
mod low_balance;
mod message;
