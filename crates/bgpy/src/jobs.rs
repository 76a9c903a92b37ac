//! The names of jobs: calls that live on without their caller.
//!
//! A client makes the name of a job. Unless its user has given the job a key, the name tells which process of the
//! server the job was submitted to, so that whoever asks for it later learns whether it is lost.

use std::fmt::Write;

use bgpy_proto::{Failure, FailureCode, Id};

pub use bgpy_proto::jobs::{JobInfo, JobState, JobsReply, JobsRequest};

/// Bytes of the instance id in a name.
const INSTANCE_BYTES: usize = 2;

/// Random bytes in a name.
const RANDOM_BYTES: usize = 6;

/// A new name for a job of a server, such as `1f0c-0-5ad2c2a4b911`.
pub(crate) fn new_name(instance: Id, generation: u64) -> String {
    let mut name = format!("{}-{generation}-", short(instance));
    for byte in &Id::random().0[..RANDOM_BYTES] {
        write!(name, "{byte:02x}").expect("a string takes everything");
    }
    name
}

/// The failure of whoever asks a server for a job that it does not know.
pub(crate) fn unknown(name: &str, instance: Id, generation: u64) -> Failure {
    let crashes = match generation {
        1 => "once".to_owned(),
        crashes => format!("{crashes} times"),
    };
    if is_lost(name, instance, generation) {
        let text = format!(
            "the job {name} is lost: the server has failed and was started again since the job was submitted"
        );
        return Failure::new(FailureCode::LostJob, text);
    }
    let mut text = format!(
        "there is no job {name}: none of that name was submitted to this server, or its result is not kept any more"
    );
    if generation > 0 {
        let lost = format!(
            "; the server has failed and was started again {crashes}, and jobs of before are lost"
        );
        text += &lost;
    }
    Failure::new(FailureCode::NoJob, text)
}

/// Whether a job was submitted to an earlier process of a server, which has failed.
fn is_lost(name: &str, instance: Id, generation: u64) -> bool {
    let mut parts = name.split('-');
    let is_here = parts.next() == Some(short(instance).as_str());
    let born: Option<u64> = parts.next().and_then(|number| number.parse().ok());
    is_here && born.is_some_and(|born| born < generation)
}

fn short(instance: Id) -> String {
    instance.0[..INSTANCE_BYTES].iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_whether_the_job_is_lost() {
        let (here, there) = (Id([1; 16]), Id([2; 16]));
        let name = new_name(here, 3);
        assert_ne!(name, new_name(here, 3));
        for (instance, generation, code) in [
            (here, 3, FailureCode::NoJob),
            (here, 4, FailureCode::LostJob),
            (there, 4, FailureCode::NoJob),
        ] {
            assert_eq!(unknown(&name, instance, generation).code, code);
        }
        for key in ["", "order-17", "0101-x-1", "0101"] {
            assert_eq!(unknown(key, here, 9).code, FailureCode::NoJob);
        }
        assert!(
            unknown("order-17", here, 1)
                .message
                .ends_with("again once, and jobs of before are lost")
        );
    }
}
