//! A systemd unit that starts a server with all its settings, or the reason why it cannot be written.
//!
//! Values are quoted according to systemd.syntax(7) and systemd.service(5). A value that systemd would read
//! differently is refused.

use std::ffi::OsStr;
use std::path::Path;

use bgpy::address::Address;
use bgpy::config::{Config, Launch};
use bgpy::registry::{Entry, Registry};
use bgpy::{Level, Name, Restart, limits};

/// The contents of a unit.
pub(crate) struct Plan<'a> {
    pub(crate) name: &'a Name,
    pub(crate) config: &'a Config,
    pub(crate) launch: &'a Launch,
    pub(crate) log_file: Option<&'a Path>,
    /// The file with its token, if the user chose one.
    pub(crate) token_file: Option<&'a Path>,
}

impl<'a> Plan<'a> {
    /// The plan for the server of an entry, with its [full configuration](Entry::full_config).
    ///
    /// # Errors
    /// Which of its settings cannot be in a unit, and what to do.
    pub(crate) fn of(
        entry: &'a Entry,
        config: Option<&'a Config>,
        registry: &Registry,
        token_file: Option<&'a Path>,
    ) -> Result<Self, String> {
        let config = config.filter(|config| config.has_tasks());
        let (Some(config), Some(name)) = (config, &entry.name) else {
            let text = "it was not started with a name and from a file or module: see `bgpy start \
                        --help`";
            return Err(text.into());
        };
        let Some(launch) = &config.launch else {
            let text = "it was started in the foreground, so its directory and variables are not \
                        known: start it with `bgpy start` first";
            return Err(text.into());
        };
        if !launch.forgotten.is_empty() {
            let names: Vec<_> =
                launch.forgotten.iter().map(|name| name.to_string_lossy()).collect();
            return Err(format!(
                "the values of its variables are not known, as they end with its process ({}): start it first",
                names.join(", ")
            ));
        }
        if entry.has_chosen_token && token_file.is_none() {
            let text = "it has a token that you chose, which must not be in a unit: write it to a file \
                        that only you can read, and pass --token-file FILE";
            return Err(text.into());
        }
        let log_file = registry.chosen_log_file(config);
        Ok(Self { name, config, launch, log_file, token_file })
    }

    /// The text of the unit, which runs `program` unless that is an interpreter.
    ///
    /// # Errors
    /// Which of the settings cannot be written.
    pub(crate) fn unit(&self, program: Option<&Path>) -> Result<String, String> {
        let command = self.command(program)?;
        let directory = self.launch.directory.as_deref().map(directory).transpose()?;
        let variables = self.launch.environment.iter().map(|(name, value)| variable(name, value));
        let variables = variables.collect::<Result<Vec<_>, _>>()?;
        let settings = directory.into_iter().chain(variables).map(|line| line + "\n");
        Ok(format!(
            "[Unit]\n\
             Description=bgpy server {}\n\
             \n\
             [Service]\n\
             Type=notify\n\
             ExecStart={command}\n\
             {}\
             Restart=on-failure\n\
             \n\
             [Install]\n\
             WantedBy=default.target\n",
            self.name,
            settings.collect::<String>(),
        ))
    }

    /// The command line that runs the server with all its settings.
    fn command(&self, program: Option<&Path>) -> Result<String, String> {
        let Self { config, launch, .. } = self;
        let python = launch.command.first();
        let is_command = |path: &&Path| path.file_stem() == Some(OsStr::new("bgpy"));
        let mut words = match (program.filter(is_command), python) {
            (Some(program), _) => vec![executable(program.as_os_str())?],
            (None, Some(python)) => {
                vec![executable(python)?, "-P".into(), "-m".into(), "bgpy".into()]
            }
            (None, None) => vec!["bgpy".into()],
        };
        words.push("run".into());
        let tasks = config.init_file.as_ref().map(|path| path.as_os_str());
        let tasks = tasks.or(config.init_module.as_deref().map(OsStr::new)).unwrap_or_default();
        let origin = match &config.init_object {
            Some(object) => [tasks, OsStr::new(":"), OsStr::new(object)].into_iter().collect(),
            None => tasks.to_owned(),
        };
        words.push(word("the file or module", &origin)?);
        for (name, value) in &config.init_arguments {
            words.extend(["--with".into(), word("--with", format!("{name}={value}").as_ref())?]);
        }
        let place = Address::new(config.host.as_str(), config.wanted_port()).to_string();
        let limit = config.idle_timeout_s.map(|limit| limit.to_string());
        let threads = config.threads.map(|threads| threads.to_string());
        let most = (config.message_bytes_max != limits::MESSAGE_BYTES_MAX)
            .then(|| config.message_bytes_max.to_string());
        // systemd restarts a server that watches its files, which does not do both.
        let restarts = config.restart != Restart::Never && !config.watch;
        let restart = restarts.then(|| config.restart.to_string());
        let is_usual = config.log_level.parse() == Ok(Level::Info);
        let level = (!is_usual).then_some(config.log_level.as_str());
        let mut options: Vec<(&str, Option<&OsStr>)> = vec![
            ("--name", Some(OsStr::new(self.name.as_str()))),
            ("--bind", Some(OsStr::new(&place))),
            ("--python", python.map(|python| python.as_os_str())),
            ("--idle-timeout", limit.as_deref().map(OsStr::new)),
            ("--threads", threads.as_deref().map(OsStr::new)),
            ("--restart", restart.as_deref().map(OsStr::new)),
            ("--max-message-bytes", most.as_deref().map(OsStr::new)),
            ("--log-level", level.map(OsStr::new)),
            ("--log-file", self.log_file.map(Path::as_os_str)),
            ("--token-file", self.token_file.map(Path::as_os_str)),
        ];
        options.extend(config.search_path.iter().map(|place| ("--search-path", Some(&**place))));
        for (option, value) in options {
            if let Some(value) = value {
                words.extend([option.to_owned(), word(option, value)?]);
            }
        }
        let flags = [
            ("--no-auth", !config.auth),
            ("--allow-weak-token", config.allow_weak_token),
            ("--no-pickle", !config.allow_pickle),
            ("--watch", config.watch),
        ];
        words
            .extend(flags.iter().filter(|(_, is_set)| *is_set).map(|(flag, _)| (*flag).to_owned()));
        Ok(words.join(" "))
    }
}

/// A value as text: systemd reads UTF-8 only, and a control character such as a newline would start
/// another setting.
fn text<'a>(what: &str, value: &'a OsStr) -> Result<&'a str, String> {
    let refused = |why: &str| format!("{what} cannot be written in a unit: {value:?} {why}");
    let text = value.to_str().ok_or_else(|| refused("is not UTF-8"))?;
    match text.chars().any(char::is_control) {
        true => Err(refused("has control characters")),
        false => Ok(text),
    }
}

/// Quotes the program, in which a dollar sign is literal.
fn executable(program: &OsStr) -> Result<String, String> {
    Ok(quoted(&text("the program", program)?.replace('%', "%%")))
}

/// Quotes a word of a command line.
fn word(what: &str, value: &OsStr) -> Result<String, String> {
    Ok(quoted(&text(what, value)?.replace('%', "%%").replace('$', "$$")))
}

fn variable(name: &OsStr, value: &OsStr) -> Result<String, String> {
    let name = text("the name of a variable", name)?;
    let is_letter = |c: char| c == '_' || c.is_ascii_alphabetic();
    let is_rest = |c: char| is_letter(c) || c.is_ascii_digit();
    if !name.starts_with(is_letter) || !name.chars().all(is_rest) {
        return Err(format!("systemd cannot set a variable named {name:?}"));
    }
    let value = text(&format!("the variable {name}"), value)?;
    Ok(format!("Environment={}", quoted(&format!("{name}={value}").replace('%', "%%"))))
}

/// The working directory, which cannot be quoted: systemd would strip blanks around it, and take a
/// backslash at its end for a continued line.
fn directory(path: &Path) -> Result<String, String> {
    let text = text("the working directory", path.as_os_str())?;
    if text.ends_with('\\') || text.trim() != text {
        let why = "has a blank at an end, or a backslash at the end";
        return Err(format!("the working directory cannot be written in a unit: {text:?} {why}"));
    }
    Ok(format!("WorkingDirectory={}", text.replace('%', "%%")))
}

fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "%$/._-+:=,@".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(launch: &Launch, config: &Config, program: &str) -> Result<String, String> {
        let name = "trainer".parse().unwrap();
        let plan = Plan { name: &name, config, launch, log_file: None, token_file: None };
        plan.unit(Some(Path::new(program)))
    }

    fn launch(directory: &str) -> Launch {
        let command = vec!["/venv/bin/python".into(), "-m".into()];
        Launch { directory: Some(directory.into()), ..Launch::new(command) }
    }

    #[test]
    fn words_are_quoted_where_they_have_to_be() {
        for (value, text) in [
            ("/a/b.py", "/a/b.py"),
            ("a b", "\"a b\""),
            ("50%", "50%%"),
            ("$HOME", "$$HOME"),
            ("say \"x\"\\", "\"say \\\"x\\\"\\\\\""),
            (";", "\";\""),
            ("it's", "\"it's\""),
            ("", "\"\""),
        ] {
            assert_eq!(word("it", OsStr::new(value)).unwrap(), text);
        }
        assert_eq!(executable(OsStr::new("/a$b%/bgpy")).unwrap(), "/a$b%%/bgpy");
    }

    #[test]
    fn a_unit_has_every_setting() {
        let mut launch = launch("/my place");
        launch.set("LIGHT".into(), "very dim".into());
        let config = Config {
            init_file: Some("/my place/tasks.py".into()),
            idle_timeout_s: Some(60.0),
            threads: Some(3),
            allow_pickle: false,
            message_bytes_max: 65536,
            log_level: "DEBUG".into(),
            restart: Restart::OnFailure { least: 3 },
            search_path: vec!["/more".into(), "".into()],
            ..Config::default()
        };
        let text = unit(&launch, &config, "/venv/bin/bgpy").unwrap();
        let start = "ExecStart=/venv/bin/bgpy run \"/my place/tasks.py\" --name trainer \
                     --bind 127.0.0.1:0 --python /venv/bin/python --idle-timeout 60 --threads 3 \
                     --restart on-failure:3 --max-message-bytes 65536 --log-level DEBUG \
                     --search-path /more --search-path \"\" --no-pickle\n";
        for part in [start, "WorkingDirectory=/my place\n", "Environment=\"LIGHT=very dim\"\n"] {
            assert!(text.contains(part), "{part}: {text}");
        }
        let text = unit(&launch, &config, "/venv/bin/python").unwrap();
        assert!(text.contains("ExecStart=/venv/bin/python -P -m bgpy run "), "{text}");
    }

    #[test]
    fn a_class_has_its_arguments() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let config = Config {
            init_file: Some("/my place/counter.py".into()),
            init_object: Some("Counter".into()),
            init_arguments: vec![pair("start", "5"), pair("text", "50% of $x")],
            ..Config::default()
        };
        let text = unit(&launch("/"), &config, "/bin/bgpy").unwrap();
        let start = "ExecStart=/bin/bgpy run \"/my place/counter.py:Counter\" --with start=5 \
                     --with \"text=50%% of $$x\" --name trainer ";
        assert!(text.contains(start), "{text}");
    }

    #[test]
    fn what_systemd_would_read_otherwise_is_refused() {
        let config = Config { init_file: Some("/tasks.py".into()), ..Config::default() };
        for place in ["/a\nExecStartPre=/bin/false", "/a\\", "/a ", "/a\t", "/a\u{7f}"] {
            let refusal = unit(&launch(place), &config, "/bin/bgpy").unwrap_err();
            assert!(refusal.contains("the working directory"), "{refusal}");
        }
        for (name, value) in [("A", "b\nc"), ("A B", "c"), ("1", "c"), ("A=B", "c"), ("", "c")] {
            let mut launch = launch("/a");
            launch.set(name.into(), value.into());
            assert!(unit(&launch, &config, "/bin/bgpy").is_err(), "{name}={value}");
        }
        let config = Config { init_file: Some("/tasks\n.py".into()), ..Config::default() };
        assert!(unit(&launch("/a"), &config, "/bin/bgpy").is_err());
    }
}
