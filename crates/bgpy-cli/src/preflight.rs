//! Whether a server could be started, found out before the one that runs is ended.

use std::ffi::OsStr;
use std::path::Path;

use bgpy::spawn::{Config, Launch};

use crate::checks::python::ask;

/// Imports what a server needs, and reads its tasks without running them.
const PROGRAM: &str = "\
import sys
import bgpy._background
kind, tasks, *places = sys.argv[1:]
if kind == 'file':
    with open(tasks, 'rb') as file:
        text = file.read()
    try:
        compile(text, tasks, 'exec')
    except SyntaxError as error:
        line = f', line {error.lineno}' if error.lineno else ''
        sys.exit(f'{type(error).__name__} in {tasks}{line}: {error.msg}')
else:
    import importlib.util
    sys.path += ['', *places]
    if importlib.util.find_spec(tasks.partition('.')[0]) is None:
        sys.exit(f'there is no module {tasks!r}')
";

/// Looks at everything that a start needs and that can be looked at without starting.
///
/// # Errors
/// What is missing, in words.
pub(crate) fn check(config: &Config, interrupted: &dyn Fn() -> bool) -> Result<(), String> {
    let launch = config.launch.as_ref().ok_or("how it was started is not known")?;
    if let Some(directory) = launch.directory.as_deref().filter(|path| !path.is_dir()) {
        return Err(format!("its working directory '{}' is not there", directory.display()));
    }
    if let Some(path) = config.init_file.as_deref().filter(|path| !path.is_file()) {
        return Err(format!("the file of its tasks '{}' is not there", path.display()));
    }
    let place = config.log_file.as_deref().and_then(Path::parent).filter(|path| !path.is_dir());
    if let Some(place) = place {
        return Err(format!("the directory of its log '{}' is not there", place.display()));
    }
    let python = launch.command.first().ok_or("how it was started is not known")?;
    let (kind, tasks) = match (&config.init_file, &config.init_module) {
        (Some(path), _) => ("file", path.as_os_str()),
        (None, module) => ("module", OsStr::new(module.as_deref().unwrap_or_default())),
    };
    let words = [python.as_os_str(), "-P".as_ref(), "-c".as_ref(), PROGRAM.as_ref()];
    let words = words.into_iter().chain([kind.as_ref(), tasks]).map(OsStr::to_owned);
    let command = words.chain(config.search_path.iter().cloned()).collect();
    let trial = Launch { command, ..launch.clone() };
    let shown = Path::new(python).display();
    let output = ask(&mut trial.command(), interrupted)
        .map_err(|error| format!("its interpreter '{shown}' cannot be run: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let words = String::from_utf8_lossy(&output.stderr);
    let reason = words.trim().lines().last().unwrap_or("it does not say why").trim().to_owned();
    Err(format!("its interpreter '{shown}' cannot load it: {reason}"))
}
