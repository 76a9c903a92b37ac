//! `bgpy version`: prints the version.

use clap::Args;
use serde_json::json;

use crate::exit::Exit;
use crate::output::{self, Form};

/// Print the version
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bgpy version
  bgpy version -o json")]
pub(crate) struct Version {
    #[command(flatten)]
    pub(crate) form: Form,
}

impl Version {
    pub(crate) fn run(self) -> Result<(), Exit> {
        if self.form.is_json() {
            output::json(&json!({ "bgpy": bgpy::VERSION }));
        } else {
            output::data(format_args!("bgpy {}", bgpy::VERSION));
        }
        Ok(())
    }
}
