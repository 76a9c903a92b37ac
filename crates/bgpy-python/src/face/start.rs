//! What `Server.run_background` does around the start itself.

use std::thread;

use bgpy::config::Config;
use bgpy::registry::Entry;
use bgpy::{Name, start};
use pyo3::prelude::*;

use crate::codec::pickle;
use crate::exceptions::config_error;
use crate::serve::source::{Source, is_being_imported};

/// Runs `act` while another thread imports the modules that pickle tasks, if a client has to send tasks to
/// this server. The import takes a third as long as the start of a server.
pub fn preparing<T>(py: Python<'_>, config: &Config, act: impl FnOnce() -> T) -> T {
    let begin = || thread::Builder::new().spawn(|| Python::attach(pickle::prepare_dumps)).ok();
    let ahead = Source::of(config).is_none().then(begin).flatten();
    let done = act();
    py.detach(|| drop(ahead.map(thread::JoinHandle::join)));
    done
}

/// Warns of what the server that was found has otherwise than this start asks for.
pub fn warn_of_differences(py: Python<'_>, entry: &Entry, asked: &Config) -> PyResult<()> {
    let differences = start::differences(entry, asked);
    if differences.is_empty() {
        return Ok(());
    }
    let text = format!(
        "the server '{}' keeps what it was started with: {}; to change that, pass replace=True instead of exist_ok=True",
        entry.target(),
        differences.join("; "),
    );
    py.import("bgpy._warnings")?.call_method1("warn", (text,)).map(drop)
}

/// Checks what a start is to do about a server that has its name.
pub fn check_choice(
    py: Python<'_>,
    exist_ok: bool,
    replace: bool,
    name: Option<&Name>,
) -> PyResult<()> {
    let text = match (exist_ok, replace, name) {
        (true, true, _) => "exist_ok and replace cannot be combined: pass one of them",
        (true, false, None) => "exist_ok=True needs a name to look for: pass name=...",
        (false, true, None) => "replace=True needs a name to look for: pass name=...",
        _ => return Ok(()),
    };
    Err(config_error(py, text))
}

/// Why this start must be refused: it runs during an import that would be repeated by the server that it
/// starts, and each of those would start the next.
pub fn recursion(py: Python<'_>, config: &Config) -> PyResult<Option<String>> {
    const ADVICE: &str = "put the start under if __name__ == '__main__':";
    if is_being_imported(config) {
        let text = format!("importing the tasks starts a server with the same tasks: {ADVICE}");
        return Ok(Some(text));
    }
    let importer: Option<String> =
        py.import("bgpy._code.local")?.call_method0("importer")?.extract()?;
    Ok(importer.map(|it| format!("{it}, starts a server: {ADVICE}")))
}
