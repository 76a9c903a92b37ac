//! `bgpy methods`: lists what clients may call of a server's object.

use bgpy::methods::{Method, MethodKind, MethodTable, Runs};
use clap::Args;

use crate::connect::{ServerArgs, Trust, advice};
use crate::exit::Exit;
use crate::interpreter::Context;
use crate::output::table::Table;
use crate::output::{self, Form, terminal};
use crate::service::methods;
use crate::service::signature::{signature, summary};

/// List the methods and properties of a server's class
#[derive(Debug, Args)]
#[command(after_help = "\
KIND is call (it returns a value), stream (it yields values) or property. RUNS is exclusive (alone, and in order), \
read (beside others that only read) or async (beside others while it awaits something).

Exit codes: 0 listed, 1 the server runs tasks, which have no methods, 3 not running, 4 timed out, 5 wrong token, \
6 not a bgpy server or another version.

Examples:
  bgpy methods counter
  bgpy methods counter -o json  with the whole docstrings, for scripts")]
pub(crate) struct Methods {
    #[command(flatten)]
    pub(crate) server: ServerArgs,

    #[command(flatten)]
    pub(crate) trust: Trust,

    #[command(flatten)]
    pub(crate) form: Form,
}

impl Methods {
    pub(crate) fn run(self, context: &Context<'_>) -> Result<(), Exit> {
        let client = self.server.client(&self.trust)?;
        let table = methods(&client, &self.server.access.wait(context)).map_err(advice::failed)?;
        if self.form.is_json() {
            let json = serde_json::to_value(&table);
            output::json(&json.map_err(|error| output::error(error, Exit::Failed))?);
            return Ok(());
        }
        output::styled(output::shown(&lines(&table, terminal::width())));
        if table.methods.is_empty() {
            let (class, target) = (&table.class, &self.server.target);
            output::note(format_args!("{class} on {target} has no public methods or properties."));
        }
        Ok(())
    }
}

fn lines(table: &MethodTable, width: Option<usize>) -> String {
    let mut shown =
        Table::new().texts("METHOD", 9).texts("KIND", 7).texts("RUNS", 6).texts("DOES", 8);
    for method in &table.methods {
        let does = summary(method.doc.as_deref());
        shown.row(vec![
            signature(method).into(),
            kind(method).into(),
            runs(method).into(),
            does.into(),
        ]);
    }
    shown.aligned(width)
}

fn kind(method: &Method) -> &'static str {
    match method.kind {
        MethodKind::Call => "call",
        MethodKind::Stream => "stream",
        MethodKind::Property => "property",
    }
}

fn runs(method: &Method) -> &'static str {
    match method.runs {
        Runs::Exclusive => "exclusive",
        Runs::Read => "read",
        Runs::Async => "async",
    }
}
