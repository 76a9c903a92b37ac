//! `bgpy restart`: ends a server and starts it again.

use bgpy::ending::until_ended;
use bgpy::spawn::{self, Config};
use bgpy::{Client, ClientOptions};
use clap::Args;

use crate::World;
use crate::ending::end;
use crate::exit::Exit;
use crate::output;
use crate::reach::Reach;

/// End a server of yours on this machine, and start it again as it was started
#[derive(Debug, Args)]
#[command(after_help = "\
Name, address, token, directory and --env variables stay; all other variables are those of this
shell, and the tasks are read afresh from their file or module. One that has ended is started, too.

Exit codes: 0 it is ready, 1 it does not start, 3 there was no such server, 4 timed out.")]
pub(crate) struct Restart {
    #[command(flatten)]
    pub(crate) reach: Reach,
}

impl Restart {
    pub(crate) fn run(self, world: &World<'_>) -> Exit {
        let wait = self.reach.access.wait(world.interrupted);
        let (registry, info) = match self.reach.known(&wait) {
            Ok(known) => known,
            Err(exit) => return exit,
        };
        let target = &self.reach.target;
        let entry = &info.entry;
        let known = entry.config.as_deref().filter(|config| config.launch.is_some());
        let Some(known) = known.filter(|config| config.has_tasks()) else {
            let text = format_args!(
                "{target} was not started in the background with a file or module of tasks: it has \
                 to be ended and started where it came from"
            );
            return output::error(text, Exit::Failed);
        };
        let config = Config {
            port: entry.address.port(),
            token: entry.token.clone().or_else(|| known.token.clone()),
            instance: String::new(),
            log_file: None,
            ..known.clone()
        };
        if !info.has_ended() {
            let client = Client::new(entry.unique_target(), ClientOptions::default());
            if let Err(problem) = end(&client, &wait) {
                return output::error(problem.text(target), problem.exit());
            }
            if let Err(hindrance) = until_ended(&registry, entry, &wait) {
                let text = format_args!("{target} is not started again: {hindrance}");
                return output::error(text, Exit::TimedOut);
            }
        }
        match spawn::start(config, &wait) {
            Ok(server) => {
                output::note(format_args!(
                    "Restarted {target} (process {}) at {}.",
                    server.pid, server.address
                ));
                Exit::Done
            }
            Err(error) => output::error(&error, Exit::from(&error)),
        }
    }
}
