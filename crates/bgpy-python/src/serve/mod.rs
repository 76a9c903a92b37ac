//! Runs servers in this process.
//!
//! [`run`] sets up a server and hands it an [`executor`], which calls a [`program`]: the object that answers
//! the calls. The three tasks are one kind of program ([`tasks`]), an object another ([`service`]). The other modules look after the process
//! that a server runs in: its signals, its output, its forked children, its exit.

pub mod async_call;
pub mod background;
pub mod config;
pub mod current;
mod deadline;
mod debugger;
pub mod dispositions;
mod executor;
mod exit_blockers;
pub mod failure;
pub mod forked;
pub mod interpreter;
pub mod output;
mod program;
pub mod remote_callback;
pub mod reply;
pub mod run;
mod service;
pub mod serving;
mod shown;
mod signals;
pub mod source;
mod stream;
pub mod tasks;
pub mod watching;
mod within_call;
