//! Two pools as the two ends of a connection.

use std::os::fd::AsFd;

use super::*;

const BYTES: usize = 1 << 20;

/// A receiver that has made a segment, and a sender to which it was offered.
fn offered() -> (Segments, Segments, u16) {
    let [mut receiver, mut sender] = [(); 2].map(|()| Segments::new().expect("Linux has some"));
    assert_eq!(receiver.missed(BYTES), None, "the first large message may be the only one");
    let segment = receiver.missed(BYTES).expect("the second is not");
    hand_over(&receiver, &mut sender, segment);
    (receiver, sender, segment)
}

fn hand_over(receiver: &Segments, sender: &mut Segments, segment: u16) {
    let made = lock(&receiver.pool).made(segment).expect("it was made");
    let fd = made.fd.as_fd().try_clone_to_owned().expect("a descriptor is left");
    lock(&sender.pool).descriptor(fd);
    sender.offered(segment);
}

fn message(byte: u8) -> Payload {
    Payload { data: Vec::new(), buffers: vec![vec![byte; BYTES].into()] }
}

/// Lends the one buffer of a message, and returns the number of its segment.
fn lend(sender: &Segments, payload: &mut Payload) -> Option<u16> {
    sender.lend(payload).sent();
    match payload.buffers[0] {
        Buffer::Lent { segment, .. } => Some(segment),
        _ => None,
    }
}

#[test]
fn what_is_filled_is_read_without_a_copy_and_filled_again() {
    let (mut receiver, sender, segment) = offered();
    let mut starts = Vec::new();
    for byte in 1..4 {
        let mut payload = message(byte);
        assert_eq!(lend(&sender, &mut payload), Some(segment));
        let memory = receiver.take(segment, BYTES).expect("it is filled");
        assert!(memory.as_slice().iter().all(|read| *read == byte));
        starts.push(memory.as_mut_ptr());
    }
    assert!(starts.windows(2).all(|pair| pair[0] == pair[1]));
}

#[test]
fn an_object_keeps_its_segment() {
    let (mut receiver, sender, segment) = offered();
    assert_eq!(lend(&sender, &mut message(1)), Some(segment));
    let memory = receiver.take(segment, BYTES).expect("it is filled");
    assert_eq!(lend(&sender, &mut message(2)), None);
    assert!(memory.as_slice().iter().all(|read| *read == 1));
    drop((receiver, sender));
    assert!(memory.as_slice().iter().all(|read| *read == 1), "it outlives the connection");
}

#[test]
fn a_message_that_is_not_sent_leaves_its_segment_free() {
    let (_receiver, sender, segment) = offered();
    drop(sender.lend(&mut message(1)));
    assert_eq!(lend(&sender, &mut message(2)), Some(segment));
}

#[test]
fn a_peer_that_lies_gets_nothing() {
    let (mut receiver, sender, segment) = offered();
    assert!(receiver.take(segment, BYTES).is_none(), "it is not filled");
    assert_eq!(lend(&sender, &mut message(1)), Some(segment));
    assert!(receiver.take(segment + 1, BYTES).is_none(), "there is no such segment");
    assert!(receiver.take(segment, 2 * BYTES).is_none(), "it has no room for so much");
    let memory = receiver.take(segment, BYTES);
    assert!(memory.is_some());
    assert!(receiver.take(segment, BYTES).is_none(), "an object lies in it");
}

#[test]
fn only_a_sealed_segment_of_the_right_number_is_mapped() {
    let mut sender = Segments::new().expect("Linux has some");
    let offer = |sender: &mut Segments, fd, segment| {
        lock(&sender.pool).descriptor(fd);
        sender.offered(segment);
        lend(sender, &mut message(1))
    };
    let loose = rustix::fs::memfd_create("loose", rustix::fs::MemfdFlags::CLOEXEC).unwrap();
    rustix::fs::ftruncate(&loose, 2 << 20).unwrap();
    assert_eq!(offer(&mut sender, loose, 0), None, "it could be cut off under the sender's feet");
    let file = std::fs::File::open("/dev/null").unwrap();
    assert_eq!(offer(&mut sender, file.into(), 0), None);
    let (_mapping, fd) = Mapping::create(3, BYTES).unwrap();
    let fd = fd.into_inner();
    let again = fd.try_clone().unwrap();
    assert_eq!(offer(&mut sender, fd, 4), None, "its descriptor belongs to another offer");
    assert_eq!(offer(&mut sender, again, 3), Some(3));
    sender.offered(5);
    assert_eq!(lend(&sender, &mut message(1)), None, "an offer without a descriptor is none");
}

#[test]
fn idle_segments_are_given_back_by_either_side() {
    for by_receiver in [true, false] {
        let (mut receiver, sender, segment) = offered();
        let idle = |segments: &Segments| lock(&segments.pool).give_back();
        assert!(idle(&receiver) && idle(&sender), "they are new");
        assert_eq!(lend(&sender, &mut message(1)), Some(segment));
        drop(receiver.take(segment, BYTES));
        assert!(idle(&receiver) && idle(&sender), "they were used since");
        let [first, second] = if by_receiver { [&receiver, &sender] } else { [&sender, &receiver] };
        assert!(!idle(first) && !idle(second));
        assert_eq!(lend(&sender, &mut message(1)), None);
        assert!(receiver.missed(BYTES).is_some(), "others may follow");
    }
}

#[test]
fn the_segment_of_an_object_in_use_is_not_given_back() {
    let (mut receiver, sender, segment) = offered();
    assert_eq!(lend(&sender, &mut message(7)), Some(segment));
    let memory = receiver.take(segment, BYTES).expect("it is filled");
    for _ in 0..3 {
        lock(&sender.pool).give_back();
        lock(&receiver.pool).give_back();
    }
    assert!(memory.as_slice().iter().all(|read| *read == 7));
}

#[test]
fn what_an_object_keeps_for_long_is_replaced() {
    let (mut receiver, mut sender, first) = offered();
    let mut kept = Vec::new();
    let mut segments = vec![first];
    for round in 0..200 {
        match lend(&sender, &mut message(round as u8)) {
            Some(segment) => kept.push(receiver.take(segment, BYTES).expect("it is filled")),
            None => {
                if let Some(segment) = receiver.missed(BYTES) {
                    hand_over(&receiver, &mut sender, segment);
                    segments.push(segment);
                }
            }
        }
    }
    assert!(kept.len() >= 17, "only {} objects got a segment", kept.len());
    assert!(segments.len() < 100, "a segment was made for almost every object");
}

#[test]
fn a_small_buffer_does_not_keep_a_large_segment() {
    let (_receiver, sender, _segment) = offered();
    let buffers = vec![vec![1; BYTES / 3].into()];
    let mut payload = Payload { data: Vec::new(), buffers };
    assert_eq!(lend(&sender, &mut payload), Some(0), "a third is enough");
    let (_receiver, sender, _segment) = offered();
    let buffers = vec![vec![1; LENT_LEAST].into()];
    let mut payload = Payload { data: Vec::new(), buffers };
    assert_eq!(lend(&sender, &mut payload), None, "so little goes by the stream");
}
