//! `bgpy version`: prints the version.

use crate::exit::Exit;
use crate::output;

/// Prints the version.
pub(crate) fn run() -> Result<(), Exit> {
    output::data(format_args!("bgpy {}", bgpy::VERSION));
    Ok(())
}
