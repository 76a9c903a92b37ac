//! The extension module `bgpy._bgpy`: Python's view of the [`bgpy`] crate.
//!
//! It owns everything that needs the interpreter: encoding and decoding objects, unpickling (in
//! `codec::pickle` and nowhere else), running tasks, and raising exceptions. The GIL is never held across a
//! socket operation or a wait: each of those is inside `py.detach`.
//!
//! Dependencies point one way: `face` uses `serve`, which uses `codec`, which uses `exceptions`
//! and `lazy`. The last of them uses `fork_hooks`, and all use `once`.

mod codec;
mod exceptions;
mod face;
mod fork_hooks;
mod lazy;
mod once;
mod serve;

use pyo3::prelude::*;

/// The Rust core of bgpy.
#[pymodule]
mod _bgpy {
    #[pymodule_export]
    use super::codec::memory::ReceivedBuffer;
    #[pymodule_export]
    use super::face::arguments::use_deadlines;
    #[pymodule_export]
    use super::face::async_link::AsyncLink;
    #[pymodule_export]
    use super::face::call::Call;
    #[pymodule_export]
    use super::face::callback::Callback;
    #[pymodule_export]
    use super::face::client::Client;
    #[pymodule_export]
    use super::face::command::main;
    #[pymodule_export]
    use super::face::log_reader::LogReader;
    #[pymodule_export]
    use super::face::progress::ProgressReport;
    #[pymodule_export]
    use super::face::remote_method::RemoteMethod;
    #[pymodule_export]
    use super::face::server::Server;
    #[pymodule_export]
    use super::face::servers::{ServerInfo, survey, table};
    #[pymodule_export]
    use super::face::show::show;
    #[pymodule_export]
    use super::face::stream::Stream;
    #[pymodule_export]
    use super::face::token::token_create;
    #[pymodule_export]
    use super::face::waiting_servers::{WaitingServers, use_waiting_servers};
    #[pymodule_export]
    use super::lazy::import;
    #[pymodule_export]
    use super::serve::async_call::{AsyncCall, LoopBell};
    #[pymodule_export]
    use super::serve::background::run_background_server;
    #[pymodule_export]
    use super::serve::current::{Shield, check_cancelled, progress, use_loops};
    #[pymodule_export]
    use super::serve::remote_callback::RemoteCallback;
    #[pymodule_export]
    use super::serve::reply::{ClientSocket, respond};

    use pyo3::prelude::*;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        // Records this process, so that processes forked from it are recognised as such.
        bgpy::fork::is_forked();
        super::face::servers::register_as_mapping(module.py())?;
        module.add("__version__", bgpy::VERSION)
    }
}
