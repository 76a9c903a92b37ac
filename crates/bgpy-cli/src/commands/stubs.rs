//! `bgpy stubs`: prints a typed stub of a server's class.

use clap::Args;

use crate::connect::{ServerArgs, Trust, advice};
use crate::exit::Exit;
use crate::interpreter::Context;
use crate::output;
use crate::service::methods;
use crate::service::stub::{Face, stub};

/// Print a typed stub of a server's class, for type checkers and editors
#[derive(Debug, Args)]
#[command(after_help = "\
The stub describes what bgpy.aio.connect returns: methods are awaited, streams are asynchronous iterators and \
properties are awaitable. Types that only the server knows are imported from the module of its class; what is \
no type becomes Any.

Exit codes: 0 printed, 1 the server runs tasks, which have no methods, 3 not running, 4 timed out, 5 wrong token, \
6 not a bgpy server or another version.

Examples:
  bgpy stubs counter > counter_client.pyi
  bgpy stubs counter --sync > counter_client.pyi")]
pub(crate) struct Stubs {
    #[command(flatten)]
    pub(crate) server: ServerArgs,

    /// Describe what bgpy.connect returns, whose methods block
    #[arg(long)]
    pub(crate) sync: bool,

    #[command(flatten)]
    pub(crate) trust: Trust,
}

impl Stubs {
    pub(crate) fn run(self, context: &Context<'_>) -> Result<(), Exit> {
        let client = self.server.client(&self.trust)?;
        let table = methods(&client, &self.server.access.wait(context)).map_err(advice::failed)?;
        let face = if self.sync { Face::Sync } else { Face::Async };
        output::data(stub(&table, face).trim_end());
        Ok(())
    }
}
