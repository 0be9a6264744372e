//! Past one machine: several processes on one database of PostgreSQL, whatever dies or is cut off.

mod cut;
mod failover;
mod fleet;
mod link;
mod load;
mod patroni;
mod place;
mod traffic;
