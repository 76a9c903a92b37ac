//! Executors without a server: whoever has a [`Reply`] may be anybody.

use std::sync::{Arc, Mutex};

use bgpy::server::Answers;
use bgpy::{Executor, FailureCode, Payload, Reply, Service, Value};
use bgpy_proto::{Delivered, ProtocolError, Room};

/// Notes what is answered to call 7 of connection 3.
#[derive(Default)]
struct Notes(Mutex<Vec<(Vec<u8>, bool)>>);

impl Answers for Notes {
    fn room(&self, _connection: usize, _id: u64) -> Room {
        Room::Open
    }

    fn over(&self, _number: u64, _outcome: Result<(), bgpy::Failure>) {}

    fn respond_last(
        &self,
        _connection: usize,
        _id: u64,
        _payload: bgpy::Payload,
    ) -> Result<bool, bgpy_proto::ProtocolError> {
        Ok(false)
    }

    fn callback(&self, _: usize, _: u64, _: Payload) -> Result<Option<u32>, ProtocolError> {
        Ok(None)
    }

    fn wants_response(&self, connection: usize, id: u64) -> bool {
        (connection, id) == (3, 7) && self.0.lock().unwrap().is_empty()
    }

    fn takes_pickles(&self, _connection: usize, _id: u64) -> bool {
        false
    }

    fn respond(
        &self,
        connection: usize,
        id: u64,
        payload: Payload,
        error: bool,
    ) -> Result<bool, ProtocolError> {
        let is_wanted = self.wants_response(connection, id);
        if is_wanted {
            self.0.lock().unwrap().push((payload.data, error));
        }
        Ok(is_wanted)
    }
}

fn message(value: impl Into<Value>) -> Delivered {
    Delivered::handed_over(value.into().encode().unwrap(), Vec::new())
}

#[test]
fn a_service_answers_whoever_asks() {
    let notes = Arc::new(Notes::default());
    let answers: Arc<dyn Answers> = notes.clone();
    let reply = Reply::new(Arc::downgrade(&answers), Some((3, 7)));
    let mut service = Service::new(
        |start| start.as_u64().ok_or("a number is wanted".to_owned()),
        |sum: &mut u64, value| {
            *sum += value.as_u64().ok_or("a number is wanted")?;
            Ok(Some(Value::from(*sum)))
        },
    );
    let early = service.exec(message(1_u64), &reply).unwrap_err();
    assert_eq!(early.code, FailureCode::NotInitialized);
    service.init(message(40_u64), &reply).unwrap();
    assert!(reply.is_wanted() && !reply.takes_pickles() && !reply.is_in_child());
    service.exec(message(2_u64), &reply).unwrap();
    assert_eq!(service.exec(message("two"), &reply).unwrap_err().message, "a number is wanted");
    let answer = Value::from(42_u64).encode().unwrap();
    assert_eq!(*notes.0.lock().unwrap(), [(answer, false)]);
    assert!(!reply.is_wanted());
}

#[test]
fn a_reply_keeps_nobody() {
    let notes = Arc::new(Notes::default());
    let answers: Arc<dyn Answers> = notes.clone();
    let reply = Reply::new(Arc::downgrade(&answers), Some((3, 7)));
    drop((answers, notes));
    assert!(!reply.is_wanted());
    assert!(!reply.respond(Payload::default(), false).unwrap());
    // Where nobody called, nobody is answered.
    let nobody = Reply::new(Arc::<Notes>::downgrade(&Arc::default()), None);
    assert!(!nobody.is_wanted() && !nobody.respond(Payload::default(), true).unwrap());
}
