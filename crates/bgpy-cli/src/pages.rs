//! Generates the tables of options in `docs/commands`.
//!
//! The part of each page between two marks is generated from the definition of the command, so it cannot
//! differ from `--help`. The rest of a page is written by hand. `make pages` writes the parts; otherwise the
//! test compares them.

use std::env;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use clap::builder::PossibleValue;
use clap::{Arg, ArgAction, Command, CommandFactory};

use crate::arguments::Arguments;

const BEGIN: &str = "<!-- make pages: begin -->\n";
const END: &str = "<!-- make pages: end -->\n";

#[test]
fn the_pages_list_the_options_of_their_commands() {
    let mut root = Arguments::command();
    root.build();
    let mut differ = Vec::new();
    let mut renew = |name: &str, part: &str| {
        let page = folder().join(name).with_extension("md");
        let text = fs::read_to_string(&page).unwrap_or_else(|error| panic!("{name}: {error}"));
        let renewed = with_part(&text, part).unwrap_or_else(|| panic!("{name} lacks the marks"));
        if renewed == text {
            return;
        }
        if env::var_os("BGPY_WRITE_PAGES").is_some() {
            fs::write(&page, renewed).unwrap_or_else(|error| panic!("{name}: {error}"));
        } else {
            differ.push(name.to_owned());
        }
    };
    for command in shown(&root) {
        renew(command.get_name(), &described(command));
    }
    renew("index", &overview(&root));
    assert!(
        differ.is_empty(),
        "run `make pages`: these pages differ from their commands: {differ:?}"
    );
}

#[test]
fn a_part_is_replaced_and_nothing_else() {
    let page = format!("before\n\n{BEGIN}old\n{END}after\n");
    let renewed = with_part(&page, "new\n");
    assert_eq!(renewed, Some(format!("before\n\n{BEGIN}\nnew\n\n{END}after\n")));
    assert_eq!(with_part("before\n", "new\n"), None);
}

#[test]
fn a_cell_stays_a_cell() {
    assert_eq!(cell("a|b\n  c"), r"a\|b c");
    assert_eq!(apart("Wait [default: 2]"), ("Wait".into(), "2".into()));
    assert_eq!(apart("N times [default N: 5]"), ("N times".into(), "N: 5".into()));
    assert_eq!(apart("Wait [default]"), ("Wait".into(), "on".into()));
    assert_eq!(apart("Wait"), ("Wait".into(), String::new()));
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/commands")
}

/// The page with the part between its marks replaced.
fn with_part(page: &str, part: &str) -> Option<String> {
    let (before, rest) = page.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n{part}\n{END}{after}"))
}

/// The commands that `--help` lists, except `help`.
fn shown(command: &Command) -> impl Iterator<Item = &Command> {
    command
        .get_subcommands()
        .filter(|command| !command.is_hide_set() && command.get_name() != "help")
}

fn overview(root: &Command) -> String {
    let mut table = String::from("| command | does |\n|---|---|\n");
    for command in shown(root) {
        let (name, about) = (command.get_name(), about(command));
        writeln!(table, "| [`bgpy {name}`]({name}.md) | {} |", cell(&about)).expect("in memory");
    }
    table
}

fn described(command: &Command) -> String {
    let mut text = one(command);
    for inner in shown(command) {
        text += "\n";
        text += &one(inner);
    }
    text
}

/// The usage of a command, and a table of its arguments and options.
fn one(command: &Command) -> String {
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage: ");
    let mut text = format!("```text\n{usage}\n```\n");
    let listed = |argument: &&Arg| !argument.is_hide_set() && argument.get_id() != "help";
    let mut arguments: Vec<_> = command.get_arguments().filter(listed).collect();
    arguments.sort_by_key(|argument| !argument.is_positional());
    if !arguments.is_empty() {
        text += "\n| option | does | default |\n|---|---|---|\n";
    }
    for argument in arguments {
        let (help, stated) = apart(&about_argument(argument));
        let default = default_of(argument);
        let between = if stated.is_empty() || default.is_empty() { "" } else { "; " };
        let default = format!("{default}{between}{stated}");
        let values = values_of(argument);
        writeln!(text, "| {} | {}{values} | {} |", names(argument), cell(&help), cell(&default))
            .expect("in memory");
    }
    text
}

fn about(command: &Command) -> String {
    command.get_about().map(ToString::to_string).unwrap_or_default()
}

fn about_argument(argument: &Arg) -> String {
    argument.get_help().map(ToString::to_string).unwrap_or_default()
}

/// An argument as the user writes it.
fn names(argument: &Arg) -> String {
    let short = argument.get_short().map(|short| format!("`-{short}`, ")).unwrap_or_default();
    let value = value_names(argument);
    match argument.get_long() {
        Some(long) if value.is_empty() => format!("{short}`--{long}`"),
        Some(long) => format!("{short}`--{long} {value}`"),
        // A `|` in code would end the cell in some Markdown readers, and show its backslash in others.
        None => format!("`{}`", value.replace(r"\|", "` or `")),
    }
}

fn value_names(argument: &Arg) -> String {
    let names = argument.get_value_names().filter(|_| takes_value(argument)).unwrap_or_default();
    let names: Vec<_> = names.iter().map(|name| cell(name)).collect();
    names.join(" ")
}

/// Whether an argument takes a value; for clap, flags have the values `true` and `false`.
fn takes_value(argument: &Arg) -> bool {
    matches!(argument.get_action(), ArgAction::Set | ArgAction::Append)
}

/// The possible values of an argument, if they are enumerated, with their meanings.
fn values_of(argument: &Arg) -> String {
    let values = argument.get_possible_values();
    if values.is_empty() || !takes_value(argument) {
        return String::new();
    }
    let values: Vec<_> = values.iter().map(value).collect();
    format!(": {}", values.join(", "))
}

fn value(value: &PossibleValue) -> String {
    let help = value.get_help().map(|help| format!(" ({})", lower(&cell(&help.to_string()))));
    format!("`{}`{}", value.get_name(), help.unwrap_or_default())
}

fn lower(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_lowercase().chain(letters).collect()).unwrap_or_default()
}

fn default_of(argument: &Arg) -> String {
    if argument.is_required_set() {
        return "required".into();
    }
    let defaults = argument.get_default_values().iter().filter(|_| takes_value(argument));
    let defaults: Vec<_> = defaults.map(|value| format!("`{}`", value.to_string_lossy())).collect();
    defaults.join(" ")
}

/// Splits a help text from the default in brackets at its end.
fn apart(help: &str) -> (String, String) {
    let parts = help.trim_end().strip_suffix(']').and_then(|help| help.rsplit_once(" [default"));
    match parts {
        Some((help, default)) => {
            let default = default.strip_prefix(':').unwrap_or(default).trim();
            (help.into(), if default.is_empty() { "on" } else { default }.into())
        }
        None => (help.into(), String::new()),
    }
}

/// A text as the cell of a table.
fn cell(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', r"\|")
}
