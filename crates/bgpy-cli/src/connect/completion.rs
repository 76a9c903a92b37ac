//! Candidates for shell completion. Nothing here prints, fails or waits for long.

use std::ffi::{OsStr, OsString};
use std::net::IpAddr;
use std::sync::OnceLock;
use std::time::Duration;

use bgpy::methods::{Method, MethodKind, MethodTable, ParameterKind};
use bgpy::registry::Registry;
use bgpy::{Client, ClientOptions, Target, Wait};
use clap::{ArgMatches, CommandFactory};
use clap_complete::engine::{ArgValueCandidates, ArgValueCompleter, CompletionCandidate};

use crate::arguments::Arguments;
use crate::service::methods;
use crate::service::signature::{shown, signature};

/// How long a server may take to tell its methods, while the user waits for the key to have an effect.
const LIMIT: Duration = Duration::from_millis(500);

/// The variable in which shells pass the number of the word that is completed.
const INDEX: &str = "_CLAP_COMPLETE_INDEX";

/// The arguments of this process.
static ARGUMENTS: OnceLock<Vec<OsString>> = OnceLock::new();

/// Notes the arguments of this process: a completer is told only of the word that it completes.
pub(crate) fn note(arguments: &[OsString]) {
    ARGUMENTS.get_or_init(|| arguments.to_vec());
}

/// Completes the names and addresses of registered servers, without connecting to them.
pub(crate) fn targets() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        let entries =
            Registry::of_user().and_then(|registry| registry.entries()).unwrap_or_default();
        let candidate = |entry: bgpy::registry::Entry| {
            let help = format!("pid {} at {}", entry.pid(), entry.address);
            CompletionCandidate::new(entry.target().to_string()).help(Some(help.into()))
        };
        entries.into_iter().map(candidate).collect()
    })
}

/// Completes the methods of a server, and the names of their parameters.
pub(crate) fn of_call() -> ArgValueCompleter {
    ArgValueCompleter::new(|current: &OsStr| candidates_of_call(current).unwrap_or_default())
}

fn candidates_of_call(current: &OsStr) -> Option<Vec<CompletionCandidate>> {
    let current = current.to_str()?;
    let (target, words) = call_before(ARGUMENTS.get()?)?;
    let table = table_of(target)?;
    let mut candidates = match words.split_first() {
        None => of_methods(&table),
        Some((name, given)) => of_parameters(table.get(name)?, given),
    };
    candidates.retain(|candidate| {
        candidate.get_value().to_str().is_some_and(|value| value.starts_with(current))
    });
    Some(candidates)
}

fn of_methods(table: &MethodTable) -> Vec<CompletionCandidate> {
    let candidate = |method: &Method| {
        CompletionCandidate::new(&method.name).help(Some(signature(method).into()))
    };
    let is_public = |method: &&Method| !method.name.starts_with('_');
    table.methods.iter().filter(is_public).map(candidate).collect()
}

/// The parameters that have no value yet.
fn of_parameters(method: &Method, given: &[String]) -> Vec<CompletionCandidate> {
    let parameters = method.parameters.as_deref().filter(|_| method.kind != MethodKind::Property);
    let parameters = parameters.unwrap_or_default();
    let is_named = |name: &str| {
        given.iter().any(|word| word.strip_prefix(name).is_some_and(|rest| rest.starts_with('=')))
    };
    let by_name = parameters.iter().filter(|it| is_named(&it.name)).count();
    let mut by_position = given.len().saturating_sub(by_name);
    let mut candidates = Vec::new();
    for parameter in parameters {
        let takes_position =
            matches!(parameter.kind, ParameterKind::Positional | ParameterKind::Any);
        if takes_position && by_position > 0 {
            by_position -= 1;
        } else if matches!(parameter.kind, ParameterKind::Any | ParameterKind::Keyword)
            && !is_named(&parameter.name)
        {
            let value = format!("{}=", parameter.name);
            candidates.push(CompletionCandidate::new(value).help(Some(shown(parameter).into())));
        }
    }
    candidates
}

/// Asks a server that can be asked quickly.
fn table_of(target: Target) -> Option<MethodTable> {
    methods(&quick_client(target)?, &Wait::at_most(LIMIT)).ok()
}

/// Completes the jobs of a server.
pub(crate) fn of_jobs() -> ArgValueCompleter {
    ArgValueCompleter::new(|current: &OsStr| candidates_of_jobs(current).unwrap_or_default())
}

fn candidates_of_jobs(current: &OsStr) -> Option<Vec<CompletionCandidate>> {
    let current = current.to_str()?;
    let target = target_before(ARGUMENTS.get()?)?;
    let wait = Wait::at_most(LIMIT);
    let client = quick_client(target)?;
    let reply = client.link(&wait).ok()?.jobs(None, &wait).ok()?;
    let found = reply.jobs.into_iter().filter(|info| info.job.starts_with(current));
    let candidate = |info: bgpy::jobs::JobInfo| {
        let help = format!("{}, {}", info.task, info.state.name());
        CompletionCandidate::new(info.job).help(Some(help.into()))
    };
    Some(found.map(candidate).collect())
}

/// A client of a server that can be asked quickly.
fn quick_client(target: Target) -> Option<Client> {
    if let Target::Address(address) = &target {
        // Looking a name up may take long.
        address.host.parse::<IpAddr>().ok()?;
    }
    Some(Client::new(target, ClientOptions::default()))
}

/// The target of a command, if it stands before the word that is completed.
fn target_before(arguments: &[OsString]) -> Option<Target> {
    let matches = matches_before(arguments)?;
    let (_, matches) = matches.subcommand()?;
    matches.try_get_one::<Target>("target").ok()?.cloned()
}

/// The words before the one that is completed, and that one if there is one.
pub(super) fn words_before(arguments: &[OsString]) -> Option<(&[OsString], Option<&OsString>)> {
    let start = arguments.iter().position(|argument| argument == "--")?;
    let words = &arguments[start + 1..];
    let index = std::env::var(INDEX).ok().and_then(|index| index.parse().ok());
    let index: usize = index.unwrap_or(words.len().saturating_sub(1));
    Some((words.get(..index)?, words.get(index)))
}

/// What is given before the word that is completed.
fn matches_before(arguments: &[OsString]) -> Option<ArgMatches> {
    let (words, _) = words_before(arguments)?;
    let words = joined(words)?;
    Arguments::command().ignore_errors(true).try_get_matches_from(words).ok()
}

/// The target of a call or a job and the arguments behind it, as far as they stand before the word that is completed.
fn call_before(arguments: &[OsString]) -> Option<(Target, Vec<String>)> {
    let matches = matches_before(arguments)?;
    let (name, matches) = matches.subcommand()?;
    if !["call", "submit"].contains(&name) {
        return None;
    }
    let target = matches.try_get_one::<Target>("target").ok()??.clone();
    let first = matches.try_get_one::<String>("argument").ok()?;
    let more = matches.try_get_many::<String>("more").ok()?.into_iter().flatten();
    Some((target, first.into_iter().chain(more).cloned().collect()))
}

/// The words of a command line. Bash takes `a=b` and `a:b` for three words each; `None` if the last is not whole.
fn joined(words: &[OsString]) -> Option<Vec<String>> {
    let mut found: Vec<String> = Vec::new();
    let mut is_open = false;
    for word in words {
        let word = word.to_str()?;
        let is_sign = word == "=" || word == ":";
        match found.last_mut() {
            Some(last) if is_sign || is_open => last.push_str(word),
            _ => found.push(word.to_owned()),
        }
        is_open = is_sign;
    }
    (!is_open).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::signature::tests::method;

    fn before(line: &str) -> Option<(String, Vec<String>)> {
        let words = ["bgpy", "--"].into_iter().chain(line.split(' '));
        let words: Vec<_> = words.map(OsString::from).collect();
        call_before(&words).map(|(target, words)| (target.to_string(), words))
    }

    #[test]
    fn the_target_and_the_words_behind_it_are_found() {
        let some = |words: &[&str]| {
            Some(("counter".to_owned(), words.iter().map(ToString::to_string).collect()))
        };
        assert_eq!(before("bgpy call counter inc"), some(&[]));
        assert_eq!(before("bgpy call --timeout 3 counter inc"), some(&[]));
        assert_eq!(before("bgpy call counter --no-wait increase b"), some(&["increase"]));
        assert_eq!(before("bgpy call counter increase by = 1 q"), some(&["increase", "by=1"]));
        assert_eq!(before("bgpy call counter increase -5 q"), some(&["increase", "-5"]));
        assert_eq!(before("bgpy call counter increase by = 1"), None);
        assert_eq!(before("bgpy call inc"), None);
        assert_eq!(before("bgpy status counter inc"), None);
        let by_address = before("bgpy call 127.0.0.1 : 54321 inc");
        assert_eq!(by_address, Some(("127.0.0.1:54321".into(), Vec::new())));
    }

    #[test]
    fn parameters_without_a_value_are_offered() {
        let method = method("f", MethodKind::Call, &["/a", "b", "c:int=1", "*d", "!e", "**f"]);
        for (given, offered) in [
            (&[][..], &["b=", "c=", "e="][..]),
            (&["1"], &["b=", "c=", "e="]),
            (&["1", "2"], &["c=", "e="]),
            (&["1", "c=2"], &["b=", "e="]),
            (&["1", "2", "3", "4", "e=5"], &[]),
        ] {
            let given: Vec<_> = given.iter().map(ToString::to_string).collect();
            let found = of_parameters(&method, &given);
            let found: Vec<_> = found.iter().map(|it| it.get_value().to_str().unwrap()).collect();
            assert_eq!(found, offered, "{given:?}");
        }
    }
}
