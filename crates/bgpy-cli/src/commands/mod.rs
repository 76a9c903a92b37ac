//! The commands, one per file or folder: its arguments, its help and what it does.

pub(crate) mod attach;
pub(crate) mod call;
pub(crate) mod cancel;
pub(crate) mod completions;
pub(crate) mod doctor;
pub(crate) mod dump;
pub(crate) mod kill;
pub(crate) mod logs;
pub(crate) mod methods;
pub(crate) mod ping;
pub(crate) mod ps;
pub(crate) mod restart;
pub(crate) mod run;
pub(crate) mod server;
pub(crate) mod start;
pub(crate) mod status;
pub(crate) mod stop;
pub(crate) mod stubs;
pub(crate) mod systemd;
pub(crate) mod terminate;
pub(crate) mod token;
pub(crate) mod top;
pub(crate) mod version;
pub(crate) mod wait;
