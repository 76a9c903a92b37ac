//! Orders: what the process of a server is told when it is started.

use std::io::{self, Read};

use serde::{Deserialize, Serialize};

use crate::config::Config;
use crate::platform::{self, ProcessId, Stamp};
use crate::restart::Failing;

/// The configuration, and what the supervisor passes on to a later process. Both are in one JSON
/// object, so orders of a starter of another version, without an inheritance, can be read as well.
#[derive(Debug)]
pub(crate) struct Orders {
    pub(crate) config: Config,
    pub(crate) inheritance: Option<Inheritance>,
}

/// The fields beside the configuration.
#[derive(Serialize, Deserialize)]
struct Rest {
    #[serde(default)]
    inheritance: Option<Inheritance>,
}

/// What a restarted server inherits: numbers of open descriptors.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Inheritance {
    pub(crate) supervisor: ProcessId,
    pub(crate) generation: u32,
    pub(crate) is_foreground: bool,
    pub(crate) failing: Option<Failing>,
    /// Versions up to 1.0.0 call it otherwise.
    #[serde(alias = "cord")]
    pub(crate) supervisor_pipe: i32,
    pub(crate) claim: Option<i32>,
    pub(crate) tcp: i32,
    pub(crate) unix: Option<i32>,
    /// Identifies the socket file of the inherited listener. A process that has opened a new listener
    /// leaves another file at the path, which nothing listens on once that process is gone.
    #[serde(default)]
    pub(crate) stamp: Stamp,
    pub(crate) tasks: Option<i32>,
}

impl Inheritance {
    /// The numbers of all that is inherited.
    pub(crate) fn numbers(&self) -> Vec<i32> {
        let Self { supervisor_pipe, claim, tcp, unix, tasks, .. } = self;
        [Some(*supervisor_pipe), *claim, Some(*tcp), *unix, *tasks].into_iter().flatten().collect()
    }
}

impl Orders {
    /// The serialized orders.
    pub(crate) fn text(self) -> Vec<u8> {
        let Self { config, inheritance } = self;
        let parts = [serde_json::to_value(config), serde_json::to_value(Rest { inheritance })];
        let parts = parts.map(|part| part.expect("orders have only text keys"));
        let fields = parts.into_iter().filter_map(|part| match part {
            serde_json::Value::Object(fields) => Some(fields),
            _ => None,
        });
        let all: serde_json::Map<_, _> = fields.flatten().collect();
        serde_json::to_vec(&all).expect("they have been values")
    }

    /// Reads them from standard input.
    pub(crate) fn take() -> io::Result<Self> {
        let mut text = Vec::new();
        platform::take_input()?.read_to_end(&mut text)?;
        let Rest { inheritance } = serde_json::from_slice(&text)?;
        Ok(Self { config: serde_json::from_slice(&text)?, inheritance })
    }
}
