//! `bgpy completions`: prints completion scripts for shells.

use std::ffi::OsString;

use clap::{Args, CommandFactory, ValueEnum};
use clap_complete::env::{Bash, EnvCompleter, Fish, Zsh};

use crate::arguments::Arguments;
use crate::connect::class_completion;
use crate::exit::Exit;
use crate::output;

/// The environment variable with which a completion script asks for candidates.
pub(crate) const VARIABLE: &str = "BGPY_COMPLETE";

/// Where the script for bash replaces the word that is completed by what bash tells of it.
const BASH_WORD: &str = r#"words[COMP_CWORD]="$2""#;

/// The same, but a colon stays: bash tells of an empty word behind it, as if another argument had begun.
const BASH_WORD_OR_COLON: &str = r#"[[ "${words[COMP_CWORD]}" == ":" ]] || words[COMP_CWORD]="$2""#;

/// The separator that the script for bash asks for between candidates.
const BASH_SEPARATOR: &str = "_CLAP_IFS";

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
        let script = String::from_utf8_lossy(&script).replace(BASH_WORD, BASH_WORD_OR_COLON);
        output::data(script.trim_end());
        Ok(())
    }
}

/// Prints what completes the class behind a file in bash; `false` if something else is to be completed.
pub(crate) fn complete_class_in_bash(arguments: &[OsString]) -> bool {
    if std::env::var_os(VARIABLE).is_none_or(|shell| shell != "bash") {
        return false;
    }
    let Some(classes) = class_completion::in_bash(arguments) else { return false };
    let separator = std::env::var(BASH_SEPARATOR).unwrap_or_else(|_| "\n".to_owned());
    output::data(classes.join(&separator));
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_for_bash_replaces_the_word_that_is_completed() {
        let mut script = Vec::new();
        Bash.write_registration(VARIABLE, "bgpy", "bgpy", "bgpy", &mut script).unwrap();
        assert!(String::from_utf8(script).unwrap().contains(BASH_WORD));
    }
}
