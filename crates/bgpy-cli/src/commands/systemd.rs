//! `bgpy systemd`: hands a server over to the service manager of the user.

use std::env;
use std::ffi::OsStr;
use std::path::Path;

use bgpy::Name;
use bgpy::address::Address;
use bgpy::spawn::Config;
use clap::Args;

use crate::exit::Exit;
use crate::output;
use crate::reach::Reach;

/// Print a systemd unit for a server that was started from a file or module of tasks
#[derive(Debug, Args)]
#[command(after_help = "\
The unit starts the server at login, or at boot with `loginctl enable-linger`, tells systemd when it
is ready, and has it started again when it fails.

Example:
  bgpy start tasks.py --name trainer
  bgpy systemd trainer > ~/.config/systemd/user/bgpy-trainer.service
  bgpy stop trainer
  systemctl --user daemon-reload
  systemctl --user enable --now bgpy-trainer

Exit codes: 0 printed, 1 it has no file or module of tasks, 3 no such server.")]
pub(crate) struct Systemd {
    #[command(flatten)]
    pub(crate) reach: Reach,
}

impl Systemd {
    pub(crate) fn run(self, interrupted: &dyn Fn() -> bool) -> Exit {
        let wait = self.reach.access.wait(interrupted);
        let (_, info) = match self.reach.known(&wait) {
            Ok(known) => known,
            Err(exit) => return exit,
        };
        let target = &self.reach.target;
        let config = info.entry.config.filter(|config| config.has_tasks());
        let (Some(config), Some(name)) = (config, info.entry.name) else {
            let text = format_args!(
                "{target} was not started with a name and a file or module of tasks: see \
                 `bgpy start --help`"
            );
            return output::error(text, Exit::Failed);
        };
        output::data(unit(&name, &config, env::current_exe().ok().as_deref()).trim_end());
        Exit::Done
    }
}

/// The unit, whose program is this one unless that is an interpreter.
fn unit(name: &Name, config: &Config, program: Option<&Path>) -> String {
    let launch = config.launch.as_ref();
    let python = launch.and_then(|launch| launch.command.first());
    let is_command = |path: &&Path| path.file_stem() == Some(OsStr::new("bgpy"));
    let mut words = match (program.filter(is_command), python) {
        (Some(program), _) => vec![quoted(program.as_os_str())],
        (None, Some(python)) => {
            vec![quoted(python), "-m".into(), "bgpy".into()]
        }
        (None, None) => vec!["bgpy".into()],
    };
    words.push("run".into());
    match (&config.init_file, &config.init_module) {
        (Some(path), _) => words.push(quoted(path.as_os_str())),
        (None, module) => words.extend(module.as_deref().map(|name| quoted(OsStr::new(name)))),
    }
    let place = Address::new(config.host.as_str(), config.port).to_string();
    words.extend(["--name".into(), name.to_string(), "--bind".into(), place]);
    words.extend(python.into_iter().flat_map(|python| ["--python".into(), quoted(python)]));
    if let Some(limit) = config.idle_timeout_s {
        words.extend(["--idle-timeout".into(), limit.to_string()]);
    }
    let mut settings = Vec::new();
    if let Some(directory) = launch.and_then(|launch| launch.directory.as_ref()) {
        let path = directory.to_string_lossy().replace('%', "%%");
        settings.push(format!("WorkingDirectory={path}"));
    }
    for (variable, value) in launch.iter().flat_map(|launch| &launch.environment) {
        let pair = format!("{}={}", variable.to_string_lossy(), value.to_string_lossy());
        settings.push(format!("Environment={}", quoted_text(&pair.replace('%', "%%"))));
    }
    let settings: String = settings.into_iter().map(|line| line + "\n").collect();
    format!(
        "[Unit]\n\
         Description=bgpy server {name}\n\
         \n\
         [Service]\n\
         Type=notify\n\
         ExecStart={}\n\
         {settings}\
         Restart=on-failure\n\
         \n\
         [Install]\n\
         WantedBy=default.target\n",
        words.join(" ")
    )
}

/// A word of a command line, as systemd.service(5) wants it.
fn quoted(word: &OsStr) -> String {
    quoted_text(&word.to_string_lossy().replace('%', "%%").replace('$', "$$"))
}

fn quoted_text(text: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "%$/._-+:=,@".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}

#[cfg(test)]
mod tests {
    use bgpy::spawn::Launch;

    use super::*;

    #[test]
    fn words_are_quoted_where_they_have_to_be() {
        for (word, text) in [
            ("/a/b.py", "/a/b.py"),
            ("a b", "\"a b\""),
            ("50%", "50%%"),
            ("$HOME", "$$HOME"),
            ("say \"x\"\\", "\"say \\\"x\\\"\\\\\""),
            ("", "\"\""),
        ] {
            assert_eq!(quoted(OsStr::new(word)), text);
        }
    }

    #[test]
    fn a_unit_starts_what_was_started() {
        let config = Config {
            launch: Some(Launch {
                command: vec!["/venv/bin/python".into(), "-m".into()],
                directory: Some("/my place".into()),
                environment: vec![("LIGHT".into(), "very dim".into())],
            }),
            init_file: Some("/my place/tasks.py".into()),
            idle_timeout_s: Some(60.0),
            ..Config::default()
        };
        let name = "trainer".parse().unwrap();
        let text = unit(&name, &config, Some(Path::new("/venv/bin/bgpy")));
        let start = "ExecStart=/venv/bin/bgpy run \"/my place/tasks.py\" --name trainer \
                     --bind 127.0.0.1:0 --python /venv/bin/python --idle-timeout 60\n";
        for part in [start, "WorkingDirectory=/my place\n", "Environment=\"LIGHT=very dim\"\n"] {
            assert!(text.contains(part), "{part}: {text}");
        }
        let text = unit(&name, &config, Some(Path::new("/venv/bin/python")));
        assert!(text.contains("ExecStart=/venv/bin/python -m bgpy run "), "{text}");
    }
}
