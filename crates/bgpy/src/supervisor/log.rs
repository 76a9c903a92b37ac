//! What a supervisor has to say, in the log of its server.
//!
//! The file is opened for each record: one that stayed open would be the wrong one after a rotation, and
//! could never be removed. A file that cannot be opened or written ends nothing. What it lacks is counted,
//! and that is told as soon as it can be.

use std::fmt::Display;
use std::fs::{File, OpenOptions};

use crate::config::Config;
use crate::log::Loss;
use crate::log::{Level, record};

/// The log of the servers that one supervisor starts.
#[derive(Debug, Default)]
pub(super) struct SupervisorLog {
    loss: Loss,
}

impl SupervisorLog {
    /// Writes a record, and what there is to say of those before it that were lost.
    pub(super) fn write(
        &mut self,
        config: &Config,
        is_foreground: bool,
        level: Level,
        text: impl Display,
    ) {
        match regular_file(config) {
            // A terminal or a pipe, which takes its time; or there is none.
            Regular::Other => config.log(is_foreground).write_to_end(level, text),
            _ if level < config.log_level() => {}
            Regular::Lost => self.loss.count(),
            Regular::File(file) => self.loss.write(&file, &record(level, text)),
        }
    }

    /// Whether records were lost of which nobody knows yet.
    pub(super) fn has_lost(&self) -> bool {
        self.loss.is_any()
    }

    /// Says how many were lost, if that can be said now.
    pub(super) fn settle(&mut self, config: &Config) {
        if self.has_lost()
            && let Regular::File(file) = regular_file(config)
        {
            self.loss.tell(&file);
        }
    }
}

enum Regular {
    File(File),
    /// It cannot be opened now.
    Lost,
    Other,
}

fn regular_file(config: &Config) -> Regular {
    let Some(path) = &config.log_file else { return Regular::Other };
    if path.metadata().is_ok_and(|about| !about.is_file()) {
        return Regular::Other;
    }
    let opened = OpenOptions::new().append(true).create(true).open(path);
    opened.map_or(Regular::Lost, Regular::File)
}
