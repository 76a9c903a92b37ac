//! The extension module `bgpy._bgpy`: Python's view of the [`bgpy`] crate.
//!
//! It owns everything that needs the interpreter: encoding objects, unpickling (in [`pickle`] and
//! nowhere else), running tasks, and raising errors. The GIL is never held across a socket
//! operation or a wait: each of those stands inside `py.detach`.

mod arguments;
mod background;
mod build;
mod client;
mod command;
mod decode;
mod encode;
mod errors;
mod executor;
mod flags;
mod keys;
mod kinds;
mod made;
mod memory;
mod pickle;
mod plain;
mod reply;
mod rich;
mod seen;
mod serve;
mod server;
mod servers;
mod show;
mod signals;
mod tasks;
mod token;
mod trail;
mod words;

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
        module.add("__version__", bgpy::VERSION)
    }
}
