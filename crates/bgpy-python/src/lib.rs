//! The extension module `bgpy._bgpy`: Python's view of the [`bgpy`] crate.
//!
//! It owns everything that needs the interpreter: encoding objects, unpickling (in `pickle` and
//! nowhere else), running tasks, and raising errors. The GIL is never held across a socket
//! operation or a wait: each of those stands inside `py.detach`.

mod arguments;
mod background;
mod build;
mod client;
mod command;
mod connection;
mod decode;
mod dispositions;
mod encode;
mod errors;
mod executor;
mod flags;
mod forked;
mod keys;
mod kinds;
mod made;
mod memory;
mod pickle;
mod plain;
mod prints;
mod remains;
mod reply;
mod rich;
mod seen;
mod serve;
mod server;

mod servers;
mod show;
mod signals;
mod started;
mod status;
mod tasks;
mod text;
mod token;
mod trail;

use pyo3::prelude::*;

/// The Rust core of bgpy.
#[pymodule]
mod _bgpy {
    #[pymodule_export]
    use super::background::run_background_server;
    #[pymodule_export]
    use super::client::Client;
    #[pymodule_export]
    use super::command::main;
    #[pymodule_export]
    use super::memory::Brought;
    #[pymodule_export]
    use super::reply::{ClientSocket, respond};
    #[pymodule_export]
    use super::server::Server;
    #[pymodule_export]
    use super::servers::{ServerInfo, survey, table};
    #[pymodule_export]
    use super::show::show;
    #[pymodule_export]
    use super::token::token_create;

    use pyo3::prelude::*;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        // From here on it is known which processes are copies of this one.
        bgpy::fork::is_forked();
        module.add("__version__", bgpy::VERSION)
    }
}
