//! `bgpy completions`: prints completion scripts for shells.

use clap::{Args, CommandFactory, ValueEnum};
use clap_complete::env::{Bash, EnvCompleter, Fish, Zsh};

use crate::arguments::Arguments;
use crate::exit::Exit;
use crate::output;

/// The environment variable with which a completion script asks for candidates.
pub(crate) const VARIABLE: &str = "BGPY_COMPLETE";

/// Print a script that lets a shell complete commands, options and servers
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  source <(bgpy completions bash)                              in ~/.bashrc
  source <(bgpy completions zsh)                               in ~/.zshrc, after compinit
  bgpy completions fish > ~/.config/fish/completions/bgpy.fish")]
pub(crate) struct Completions {
    /// Your shell
    #[arg(value_enum, value_name = "SHELL")]
    shell: Shell,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Shell {
    Bash,
    Zsh,
    Fish,
}

impl Completions {
    pub(crate) fn run(self) -> Result<(), Exit> {
        let completer: &dyn EnvCompleter = match self.shell {
            Shell::Bash => &Bash,
            Shell::Zsh => &Zsh,
            Shell::Fish => &Fish,
        };
        let name = Arguments::command().get_name().to_owned();
        let mut script = Vec::new();
        completer
            .write_registration(VARIABLE, &name, &name, &name, &mut script)
            .map_err(|error| output::error(&error, Exit::Failed))?;
        output::data(String::from_utf8_lossy(&script).trim_end());
        Ok(())
    }
}
