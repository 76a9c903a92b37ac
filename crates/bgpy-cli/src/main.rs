//! The program `bgpy`.

use std::process::ExitCode;

fn main() -> ExitCode {
    bgpy_cli::native::run(std::env::args_os()).into()
}
