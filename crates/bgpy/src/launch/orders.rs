//! What the process of a server is told when it is started.

use std::io::{self, Read};

use serde::{Deserialize, Serialize};

use crate::config::Config;
use crate::platform::{self, ProcessId, Stamp};
use crate::restart::Failing;

/// What a server has to know, and what it has from its supervisor, if it is not the first one. They stand in one
/// object: a starter of another version tells nothing of an inheritance.
#[derive(Debug)]
pub(crate) struct Orders {
    pub(crate) config: Config,
    pub(crate) inheritance: Option<Inheritance>,
}

/// What stands there beside the configuration.
#[derive(Serialize, Deserialize)]
struct Rest {
    #[serde(default)]
    inheritance: Option<Inheritance>,
}

/// What a server that is started again finds in its configuration: numbers of open descriptors.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Inheritance {
    pub(crate) supervisor: ProcessId,
    pub(crate) generation: u32,
    pub(crate) is_foreground: bool,
    pub(crate) failing: Option<Failing>,
    pub(crate) cord: i32,
    pub(crate) claim: Option<i32>,
    pub(crate) tcp: i32,
    pub(crate) unix: Option<i32>,
    /// What tells the socket's file from another: a server that has listened anew has left one on which
    /// nobody listens any more.
    #[serde(default)]
    pub(crate) stamp: Stamp,
    pub(crate) tasks: Option<i32>,
}

impl Orders {
    /// As they are sent.
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

    /// Takes them from standard input.
    pub(crate) fn take() -> io::Result<Self> {
        let mut text = Vec::new();
        platform::take_input()?.read_to_end(&mut text)?;
        let Rest { inheritance } = serde_json::from_slice(&text)?;
        Ok(Self { config: serde_json::from_slice(&text)?, inheritance })
    }
}
