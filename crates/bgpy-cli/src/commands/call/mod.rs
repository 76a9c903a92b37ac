//! `bgpy call`: calls a method of a server's object, or a server of tasks with JSON.

mod answer;
mod json_argument;
mod request;
mod underway;

use bgpy::methods::MethodKind;
use bgpy::{Client, ClientOptions, Wait};
use clap::Args;

pub(super) use self::answer::{AnswerArgs, OUTPUT};
use self::request::Request;
pub(super) use self::request::Words;
use self::underway::{Ended, Underway, Watch};
use crate::connect::{ServerArgs, Trust, advice};
use crate::exit::Exit;
use crate::interpreter::Context;
use crate::output;
use crate::platform::Interrupts;

/// Call a method of a server's class, or exec_task with JSON, and print the answer as JSON
#[derive(Debug, Args)]
#[command(after_help = "\
A first argument that is a name, such as increase, is a method; anything else, such as {}, 1 or null, is JSON \
for exec_task. Arguments of a method are NAME=VALUE for a parameter of that name, and by position otherwise. A \
value is text if its parameter is annotated as str, else JSON if it is valid JSON, else text. Write -- before \
values that begin with a dash. None is printed only with -o json, as null; a stream is printed line by line.

Dates, decimals, arrays, dataclasses and the like are printed in their usual form in JSON, which the page of \
this command lists. For an answer without one, use --repr.

On a terminal, the progress that the method or task reports is shown while the call runs. Ctrl-C cancels the \
call; a second one leaves at once.

Exit codes: 0 answered, 1 it raised or did not answer, or the answer has no form in JSON, 2 invalid JSON, \
no such method or wrong arguments, 3 not running, 4 timed out, 5 wrong token, 6 not a bgpy server or another \
version, 130 interrupted.

Examples:
  bgpy call counter increase                      call a method; `bgpy methods counter` lists them
  bgpy call counter increase by=10
  bgpy call counter value                         print a property
  bgpy call trainer '{\"epochs\": 3}'             call exec_task
  bgpy call trainer @request.json --timeout 1m
  echo '[1, 2, 3]' | bgpy call trainer -
  bgpy call greeter --text Ann                    send text, without the quotes of JSON
  bgpy call trainer '{\"epochs\": 10}' --no-wait  return as soon as the call is accepted
  bgpy call --stream writer --text Once           print each response of the task as it comes
  bgpy call other:54321 1 --no-pickle             unpickle nothing from a server that you do not trust")]
#[command(mut_arg("output", |argument| argument.help(OUTPUT)))]
pub(crate) struct Call {
    #[command(flatten)]
    pub(crate) server: ServerArgs,

    #[command(flatten)]
    pub(crate) words: Words,

    #[command(flatten)]
    pub(crate) answer: AnswerArgs,

    /// Print every response of exec_task, each on a line as it comes; a reader that leaves cancels the call
    #[arg(long)]
    pub(crate) stream: bool,

    /// Return as soon as the server has accepted the call
    #[arg(long, conflicts_with_all = ["repr", "output", "stream"])]
    pub(crate) no_wait: bool,

    #[command(flatten)]
    pub(crate) trust: Trust,
}

impl Call {
    /// What is called.
    fn request(&self, client: &Client, wait: &Wait<'_>) -> Result<Request, Exit> {
        self.words.request(client, wait, |method| {
            let name = &method.name;
            if self.stream {
                return Err(format!(
                    "--stream is for exec_task; the values of a method such as {name} need no option"
                ));
            }
            if self.no_wait && method.kind != MethodKind::Call {
                return Err(format!(
                    "--no-wait is for methods that return a value, and {name} is a {}",
                    if method.kind == MethodKind::Stream { "stream" } else { "property" }
                ));
            }
            Ok(())
        })
    }

    pub(crate) fn run(self, context: &Context<'_>) -> Result<(), Exit> {
        let options = self.server.access.options(&self.trust)?;
        let options = ClientOptions { allow_pickle: !self.answer.no_pickle, ..options };
        let client = Client::new(self.server.target.clone(), options);
        if self.no_wait {
            let wait = self.server.access.wait(context);
            return self.request(&client, &wait)?.accepted(&client, &wait).map_err(advice::failed);
        }
        // From here on, Ctrl-C cancels the call.
        let interrupts = Interrupts::watch_impatiently();
        let watch = Watch::new(context, &interrupts);
        match self.answered(context, &client, &watch) {
            Ended::Answered { with_error: false } => Ok(()),
            Ended::Answered { with_error: true } => {
                Err(output::error("the task responded with an error", Exit::Failed))
            }
            Ended::Failed(exit) => Err(exit),
            Ended::Interrupted => {
                output::finish(Exit::Interrupted);
                interrupts.pass_on();
                Err(Exit::Interrupted)
            }
        }
    }

    /// Makes the call, and prints what becomes of it.
    fn answered(&self, context: &Context<'_>, client: &Client, watch: &Watch<'_>) -> Ended {
        let ends_wait = || watch.has_ended_wait();
        let wait =
            Wait::new(self.server.access.limit.timeout, &ends_wait).with_notices(context.notices);
        match self.request(client, &wait) {
            Ok(request) => Underway::new(self, &request, context, watch).run(client, &wait),
            Err(Exit::Interrupted) => Ended::Interrupted,
            Err(exit) => Ended::Failed(exit),
        }
    }
}
