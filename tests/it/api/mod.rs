//! The service API, called as a program calls it: one file per resource, then who may call, how calls are refused, the
//! limits, the published description, and the webhooks that go out to the operator's own programs.

mod expiring;
mod grant;
mod hold;
mod spend;
mod user;

mod access;
mod body;
mod limits;
mod metrics;
mod problem;

mod description;
mod notification;
mod own_token;
mod pipeline_example;
