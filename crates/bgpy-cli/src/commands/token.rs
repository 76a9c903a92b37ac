//! `bgpy token create`: prints a new token.

use bgpy::Token;
use clap::{Args, Subcommand};
use serde_json::json;

use crate::exit::Exit;
use crate::output::{self, Form};

/// Bytes of a token by default.
const BYTES: usize = 64;

const EXAMPLES: &str = "\
Examples:
  (umask 077; bgpy token create > token)
  bgpy start tasks.py --bind 0.0.0.0:54321 --token-file token
  bgpy call gpu7:54321 '{\"x\": 1}' --token-file token    on the other machine";

/// Create a token, the shared secret of a server and its clients on other machines
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Tokens {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Print a new token
    #[command(after_help = EXAMPLES)]
    Create {
        /// Number of random bytes
        #[arg(long, value_name = "BYTES", default_value_t = BYTES as u16,
              value_parser = clap::value_parser!(u16).range(32..=1024))]
        bytes: u16,

        #[command(flatten)]
        form: Form,
    },
}

impl Tokens {
    pub(crate) fn run(self) -> Result<(), Exit> {
        let Action::Create { bytes, form } = self.action;
        let token = Token::generate(usize::from(bytes));
        if form.is_json() {
            output::json(&json!({ "token": token.expose() }));
        } else {
            output::data(token.expose());
        }
        Ok(())
    }
}
