//! Data that outlives the process of a server: the tasks sent by its first client.

mod first_tasks;
pub mod message_file;

pub use first_tasks::{FirstTasks, Staged};
