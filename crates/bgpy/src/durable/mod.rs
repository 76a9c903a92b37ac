//! What outlives the process of a server: the tasks that its first client gave it.

mod first_tasks;
pub mod message_file;

pub use first_tasks::{FirstTasks, Staged};
