//! The classes and functions that Python code sees.

mod arguments;
pub mod client;
pub mod command;
mod connection;
mod errors;
mod html;
pub mod log_reader;
mod messages;
mod notebook;
pub mod server;
pub mod servers;
pub mod show;
mod start;
mod started;
mod status;
pub mod token;
