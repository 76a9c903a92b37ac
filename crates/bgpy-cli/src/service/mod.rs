//! What the command makes of a server's table of methods. Nothing here needs an interpreter.

pub(crate) mod annotation;
pub(crate) mod arguments;
pub(crate) mod literal;
pub(crate) mod signature;
pub(crate) mod stub;
mod type_expression;

use bgpy::methods::MethodTable;
use bgpy::{CallError, Client, Wait};

/// Asks a server for its methods. One that is starting answers once it has started.
pub(crate) fn methods(client: &Client, wait: &Wait<'_>) -> Result<MethodTable, CallError> {
    let link = client.link(wait)?;
    link.await_start(wait)?;
    link.methods(wait)
}
