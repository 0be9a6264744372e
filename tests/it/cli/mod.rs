//! The command line and the binary behind it: the commands, what an operator asks for, the demonstration, `till check`, `till stripe setup`, faults in the
//! configuration, and what the binary needs of its host.

mod account;
mod audit;
mod backup;
mod backup_places;
mod binary;
mod bookkeeping;
mod check;
mod check_machine;
mod check_public;
mod check_server;
mod commands;
mod configuration;
mod demo;
mod first_start;
mod import;
mod migrate;
mod migrate_engine;
mod operator;
mod recovery;
mod release;
mod restore;
mod revenue;
mod server_schema;
mod setup;
