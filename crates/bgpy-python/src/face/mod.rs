//! The classes and functions that Python code sees.

pub mod arguments;
mod async_calls;
pub mod async_link;
pub mod call;
pub mod callback;
pub mod client;
mod client_calls;
mod client_services;
pub mod command;
mod connection;
mod errors;
mod foreground;
mod html;
pub mod log_reader;
mod messages;
mod notebook;
mod pending;
pub mod progress;
pub mod remote_method;
pub mod server;
pub mod servers;
pub mod show;
mod start;
mod started;
mod status;
pub mod stream;
pub mod token;
