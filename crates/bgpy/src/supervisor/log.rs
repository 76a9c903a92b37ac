//! A supervisor's records in the log of its server.
//!
//! The file is opened for each record: a descriptor kept open would point to the wrong file after a
//! rotation, and would keep a removed file on disk. Failing to open or write the file ends nothing.
//! Lost records are counted, and the count is logged as soon as possible.

use std::fmt::Display;
use std::fs::{File, OpenOptions};

use crate::config::Config;
use crate::log::Loss;
use crate::log::{Level, record};

/// The log shared by successive processes of a server.
#[derive(Debug, Default)]
pub(super) struct SupervisorLog {
    loss: Loss,
}

impl SupervisorLog {
    /// Writes a record, preceded by the number of records lost before it.
    pub(super) fn write(
        &mut self,
        config: &Config,
        is_foreground: bool,
        level: Level,
        text: impl Display,
    ) {
        match regular_file(config) {
            // A terminal or a pipe, which may block; or there is none.
            Regular::Other => config.log(is_foreground).write_to_end(level, text),
            _ if level < config.log_level() => {}
            Regular::Lost => self.loss.count(),
            Regular::File(file) => self.loss.write(&file, &record(level, text)),
        }
    }

    /// Whether lost records are still to be reported.
    pub(super) fn has_lost(&self) -> bool {
        self.loss.is_any()
    }

    /// Reports how many were lost, if the log can be written now.
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
    /// The file cannot be opened now.
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
