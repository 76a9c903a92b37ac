//! `bgpy run`: runs a server with a name in the foreground.

use std::env;
use std::path::PathBuf;

use bgpy::{Restart, supervisor};
use clap::Args;

use crate::Interpreter;
use crate::connect::advice::serve_error;
use crate::exit::Exit;
use crate::output;
use crate::server_settings::ServerSettings;

/// The help of `--log-file`.
const LOG_FILE: &str = "Append the log to this file [default: standard error]";

/// Run a server in the foreground, until `bgpy stop` or Ctrl-C ends it
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bgpy run counter.py:Counter        a server named 'counter' with a Counter()
  bgpy run tasks.py                  a server named 'tasks' that logs to the terminal
  bgpy run tasks.py --watch          start again after each edit
  bgpy run tasks.py --name trainer --bind 0.0.0.0:54321 --token-file token")]
#[command(mut_arg("log_file", |argument| argument.help(LOG_FILE)))]
pub(crate) struct Run {
    #[command(flatten)]
    pub(crate) settings: ServerSettings,
}

impl Run {
    /// Whether this process is the supervisor that restarts the server, and not the server itself.
    pub(crate) fn is_supervisor(&self) -> bool {
        self.settings.restart != Restart::Never
    }

    /// Runs the server in child processes, and ends as the last one does.
    pub(crate) fn supervise(self, program: Result<PathBuf, String>) -> Result<u8, Exit> {
        if self.settings.watch {
            let text =
                "--watch and --restart cannot be combined here: use one of them, or bgpy start";
            return Err(output::error(text, Exit::Usage));
        }
        let config = self.settings.config_with_launch(program)?;
        match supervisor::run_in_foreground(config) {
            Ok(status) => supervisor::end_like(status),
            Err(error) => Err(output::error(serve_error(&error), Exit::from(&error))),
        }
    }

    pub(crate) fn run(self, interpreter: &dyn Interpreter) -> Result<u8, Exit> {
        if self.is_supervisor() {
            let wanted = self.settings.python.clone();
            return self.supervise(wanted.map_or_else(|| interpreter.program(), Ok));
        }
        // Whether another version can be started is checked in a process of its own.
        let config = if self.settings.watch {
            let wanted = self.settings.python.clone();
            self.settings.config_with_launch(wanted.map_or_else(|| interpreter.program(), Ok))?
        } else {
            self.settings.config()?
        };
        let directory = self.settings.cwd.as_deref();
        if let Some(path) = directory
            && let Err(error) = env::set_current_dir(path)
        {
            let text = format_args!("cannot change to the directory '{}': {error}", path.display());
            return Err(output::error(text, Exit::Usage));
        }
        interpreter.set_environment(&self.settings.env);
        Ok(interpreter.serve(config))
    }
}
