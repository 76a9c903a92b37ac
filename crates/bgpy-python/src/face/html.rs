//! Small tables of HTML, as which notebooks display servers.

use std::net::IpAddr;

use bgpy::{CallError, Status, Target};
use pyo3::prelude::*;

use crate::exceptions::is_no_exception;

/// Seconds that a display waits for a connection, and as long again for the answer.
pub const ANSWER_S: f64 = 0.5;

/// A server as a table of its properties.
pub struct Properties(Vec<(&'static str, String)>);

impl Properties {
    pub fn of(server: String) -> Self {
        Self(vec![("server", server)])
    }

    pub fn add(&mut self, title: &'static str, text: impl Into<String>) {
        self.0.push((title, text.into()));
    }

    /// Adds what a server has answered, or why it has not.
    ///
    /// # Errors
    /// What a signal handler raised meanwhile, such as `KeyboardInterrupt`.
    pub fn add_status(
        &mut self,
        py: Python<'_>,
        asked: PyResult<Result<Status, CallError>>,
    ) -> PyResult<()> {
        match asked {
            Ok(Ok(status)) => {
                self.0.extend(bgpy_cli::status_rows(&status, None));
                self.add("process", status.pid.to_string());
            }
            Ok(Err(CallError::Timeout { .. })) => {
                self.add("state", format!("no answer within {ANSWER_S} s"));
            }
            Ok(Err(error)) => self.add("state", error.to_string()),
            Err(error) if is_no_exception(&error, py) => return Err(error),
            Err(error) => self.add("state", error.value(py).to_string()),
        }
        Ok(())
    }

    pub fn html(&self) -> String {
        let row = |(title, text): &(&str, String)| {
            format!("<tr><th>{}</th><td>{}</td></tr>", escaped(title), escaped(text))
        };
        format!("<table><tbody>{}</tbody></table>", self.0.iter().map(row).collect::<String>())
    }
}

/// Whether a server can be asked within a time: the resolver of host names knows no limit.
pub fn is_within_reach(target: &Target) -> bool {
    match target {
        Target::Address(address) => {
            address.host == "localhost" || address.host.parse::<IpAddr>().is_ok()
        }
        Target::Name(_) | Target::Socket(_) => true,
    }
}

/// A table with titles above its columns.
pub fn table(table: &bgpy_cli::Table) -> String {
    let row = |cells: Vec<&str>, tag: &str| {
        let cells = cells.into_iter().map(|cell| format!("<{tag}>{}</{tag}>", escaped(cell)));
        format!("<tr>{}</tr>", cells.collect::<String>())
    };
    let head = row(table.titles(), "th");
    let body: String = table.rows().map(|cells| row(cells, "td")).collect();
    format!("<table><thead>{head}</thead><tbody>{body}</tbody></table>")
}

/// Text that shows as itself.
fn escaped(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#x27;"),
            _ => html.push(character),
        }
    }
    html
}
