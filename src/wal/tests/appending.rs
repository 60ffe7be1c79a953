//! Appending, answering, the bounds, rotation and forgetting, on a disk that works.

use std::sync::Arc;
use std::sync::mpsc;
use std::thread;

use super::*;
use crate::wal::Durable;

#[test]
fn a_record_is_answered_only_when_it_is_synced() {
    let disk = SimDisk::default();
    let (wal, _) = open(&disk);
    let held = disk.hold_syncs();
    let answer = send(&wal, "a");
    held.wait_for_one();
    assert!(answer.try_recv().is_err());
    assert_eq!(read(&disk.after_power_loss(0)).unwrap().len(), 0);
    drop(held);
    assert_eq!(answer.recv().unwrap().unwrap(), 1);
    assert_eq!(
        read(&disk.after_power_loss(0)).unwrap(),
        numbered(1, &["a"])
    );
}

#[test]
fn callbacks_run_in_the_order_of_the_sequences_whoever_appends() {
    let disk = SimDisk::default();
    let (wal, _) = open(&disk);
    let (answer, answers) = mpsc::channel();
    let write = |name: String| {
        let (payload, answer) = (name.into_bytes(), answer.clone());
        let record = payload.clone();
        let done = move |result: Result<Durable, Error>| {
            answer.send((result.unwrap().sequence(), record)).unwrap();
        };
        wal.append(payload, done).unwrap();
    };
    thread::scope(|scope| {
        for writer in 0..8 {
            let write = &write;
            scope.spawn(move || (0..50).for_each(|record| write(format!("{writer} {record}"))));
        }
    });
    wal.close().unwrap();
    drop(answer);
    let answered: Records = answers.into_iter().collect();
    assert!(answered.iter().map(|(sequence, _)| *sequence).eq(1..=400));
    assert_eq!(read(&disk).unwrap(), answered);
}

#[test]
fn what_queues_up_during_a_sync_becomes_one_group() {
    let disk = SimDisk::default();
    let (wal, _) = open(&disk);
    let (syncs, groups) = (disk.syncs(), wal.stats().groups);
    let answers = append_group(&disk, &wal, "alone", &["a", "b", "c"]);
    let sequences: Vec<_> = answers
        .iter()
        .map(|answer| answer.recv().unwrap().unwrap())
        .collect();
    assert_eq!(sequences, [2, 3, 4]);
    assert_eq!((disk.syncs() - syncs, wal.stats().groups - groups), (2, 2));
}

#[test]
fn a_group_ends_where_the_next_record_would_make_its_segment_too_large() {
    let disk = SimDisk::default();
    let (wal, _) = try_open(&disk, segments_of(2, 1)).unwrap();
    for answer in append_group(&disk, &wal, "a", &["b", "c", "d"]) {
        answer.recv().unwrap().unwrap();
    }
    // b and c fill a segment of their own; with a in it there was no room for both.
    assert_eq!(segments(&disk), [1, 2, 4]);
    wal.close().unwrap();
    assert_eq!(read(&disk).unwrap(), numbered(1, &["a", "b", "c", "d"]));
}

#[test]
fn empty_and_large_records_are_records() {
    let disk = SimDisk::default();
    let (wal, _) = open(&disk);
    let large = vec![7; 5 << 20];
    append(&wal, "").unwrap();
    append(&wal, large.clone()).unwrap();
    append(&wal, "").unwrap();
    wal.close().unwrap();
    let expected = vec![(1, Vec::new()), (2, large), (3, Vec::new())];
    assert!(read(&disk).unwrap() == expected);
}

#[test]
fn the_queue_takes_what_fits_and_answers_busy_beyond() {
    let disk = SimDisk::default();
    let config = Config {
        queue_bytes: 2 * (FRAME + 10),
        ..config()
    };
    let (wal, _) = try_open(&disk, config).unwrap();
    let held = disk.hold_syncs();
    let first = send(&wal, [1; 10]);
    held.wait_for_one();
    let second = send(&wal, [2; 10]);
    assert!(matches!(
        wal.append(Vec::new(), |_| unreachable!()),
        Err(Error::Busy)
    ));
    drop(held);
    assert_eq!(
        (
            first.recv().unwrap().unwrap(),
            second.recv().unwrap().unwrap()
        ),
        (1, 2)
    );
    assert_eq!(append(&wal, "again").unwrap(), 3);
    let stats = wal.stats();
    assert_eq!(
        (stats.refused_busy, stats.queued_bytes, stats.records),
        (1, 0, 3)
    );
    wal.close().unwrap();
    assert_eq!(read(&disk).unwrap().len(), 3);
}

#[test]
fn a_record_as_large_as_the_queue_is_taken_and_a_larger_one_never() {
    let disk = SimDisk::default();
    let config = Config {
        queue_bytes: FRAME + 10,
        ..config()
    };
    let (wal, _) = try_open(&disk, config).unwrap();
    assert_eq!(append(&wal, [0; 10]).unwrap(), 1);
    let refused = wal.append(vec![0; 11], |_| unreachable!());
    assert!(matches!(
        refused,
        Err(Error::TooLarge {
            bytes: 11,
            limit: 10
        })
    ));
    assert_eq!(wal.stats().refused_too_large, 1);
}

#[test]
fn the_cap_is_reached_and_not_exceeded() {
    let two = HEADER + 2 * (FRAME + 10);
    for (cap, fitting) in [(two, 2), (two - 1, 1)] {
        let disk = SimDisk::default();
        let config = Config {
            hard_cap_bytes: cap,
            ..config()
        };
        let (wal, _) = try_open(&disk, config).unwrap();
        for _ in 0..fitting {
            append(&wal, [0; 10]).unwrap();
        }
        let refused = wal.append(vec![0; 10], |_| unreachable!());
        assert!(matches!(refused, Err(Error::Full { source: None })));
        assert_eq!(wal.stats().refused_full, 1);
        wal.forget(fitting).unwrap();
        assert_eq!(append(&wal, [0; 10]).unwrap(), fitting + 1);
    }
}

#[test]
fn what_waits_in_the_queue_counts_for_the_cap() {
    let disk = SimDisk::default();
    let config = Config {
        hard_cap_bytes: HEADER + 2 * FRAME,
        ..config()
    };
    let (wal, _) = try_open(&disk, config).unwrap();
    let held = disk.hold_syncs();
    let answers = [send(&wal, ""), send(&wal, "")];
    assert!(matches!(
        wal.append(Vec::new(), |_| unreachable!()),
        Err(Error::Full { .. })
    ));
    drop(held);
    answers
        .iter()
        .for_each(|answer| assert!(answer.recv().unwrap().is_ok()));
}

#[test]
fn the_soft_cap_is_half_of_the_hard_one() {
    let disk = SimDisk::default();
    let config = Config {
        hard_cap_bytes: 2 * (HEADER + FRAME),
        ..config()
    };
    let (wal, _) = try_open(&disk, config).unwrap();
    append(&wal, "").unwrap();
    assert!(!wal.over_soft_cap());
    append(&wal, "").unwrap();
    assert!(wal.over_soft_cap());
}

#[test]
fn a_segment_is_filled_to_the_byte_and_not_beyond() {
    for (size, expected) in [(10, vec![1, 3, 5]), (11, vec![1, 2, 3, 4, 5])] {
        let disk = SimDisk::default();
        let (wal, _) = try_open(&disk, segments_of(2, 10)).unwrap();
        for _ in 0..5 {
            append(&wal, vec![0; size]).unwrap();
        }
        assert_eq!(segments(&disk), expected);
        assert_eq!(wal.stats().segments, expected.len() as u64);
        assert_eq!(
            wal.size_bytes(),
            expected
                .iter()
                .map(|first| disk.bytes(&path(*first)).len() as u64)
                .sum::<u64>()
        );
    }
}

#[test]
fn a_record_larger_than_a_segment_gets_one_of_its_own() {
    let disk = SimDisk::default();
    let (wal, _) = try_open(&disk, segments_of(1, 1)).unwrap();
    for payload in ["a", "larger than a segment", "b"] {
        append(&wal, payload).unwrap();
    }
    wal.close().unwrap();
    assert_eq!(segments(&disk), [1, 2, 3]);
    assert_eq!(
        read(&disk).unwrap(),
        numbered(1, &["a", "larger than a segment", "b"])
    );
}

#[test]
fn a_segment_is_forgotten_with_its_last_record_and_not_before() {
    let disk = log_of(&["a", "b", "c", "d", "e"], segments_of(2, 1));
    let (wal, _) = try_open(&disk, segments_of(2, 1)).unwrap();
    let forgets = |up_to| {
        wal.forget(up_to).unwrap();
        segments(&disk)
    };
    assert_eq!(forgets(0), [1, 3, 5]);
    assert_eq!(forgets(1), [1, 3, 5]);
    assert_eq!(forgets(2), [3, 5]);
    assert_eq!(forgets(3), [3, 5]);
    assert_eq!(wal.stats().segments, 2);
    wal.close().unwrap();
    assert_eq!(read(&disk).unwrap(), numbered(3, &["c", "d", "e"]));
}

#[test]
fn the_sequence_goes_on_after_everything_was_forgotten() {
    for beyond in [0, 10] {
        let disk = log_of(&["a", "b", "c"], segments_of(2, 1));
        let (wal, _) = open(&disk);
        wal.forget(3 + beyond).unwrap();
        assert_eq!(segments(&disk), [4]);
        assert_eq!(wal.size_bytes(), HEADER);
        wal.forget(3 + beyond).unwrap();
        assert_eq!(
            segments(&disk),
            [4],
            "an empty segment is not replaced by another"
        );
        wal.close().unwrap();

        let disk = disk.after_power_loss(beyond);
        let (wal, records) = open(&disk);
        assert_eq!(records, []);
        assert_eq!(append(&wal, "d").unwrap(), 4);
    }
}

#[test]
fn a_callback_may_append_and_forget() {
    let disk = SimDisk::default();
    let (wal, _) = open(&disk);
    let wal = Arc::new(wal);
    let (answer, answers) = mpsc::channel();
    let inner = Arc::clone(&wal);
    wal.append(b"a".to_vec(), move |result| {
        inner.forget(result.unwrap().sequence()).unwrap();
        inner
            .append(b"b".to_vec(), move |result| {
                answer.send(result.unwrap().sequence()).unwrap()
            })
            .unwrap();
    })
    .unwrap();
    assert_eq!(answers.recv().unwrap(), 2);
}

#[test]
fn the_last_handle_may_be_dropped_in_a_callback() {
    let disk = SimDisk::default();
    let wal = Arc::new(open(&disk).0);
    let (answer, answers) = mpsc::channel();
    let inner = Arc::clone(&wal);
    let held = disk.hold_syncs();
    wal.append(b"a".to_vec(), move |_| drop(inner)).unwrap();
    held.wait_for_one();
    wal.append(b"b".to_vec(), move |result| {
        answer.send(result.unwrap().sequence()).unwrap()
    })
    .unwrap();
    drop(wal);
    drop(held);
    // Closed by the callback of the first, and yet the second was let in and is answered.
    assert_eq!(answers.recv().unwrap(), 2);
}

#[test]
fn closing_answers_everybody_who_was_let_in() {
    let disk = SimDisk::default();
    let (wal, _) = open(&disk);
    let held = disk.hold_syncs();
    let answers = ["a", "b", "c"].map(|payload| send(&wal, payload));
    thread::scope(|scope| {
        let closing = scope.spawn(|| wal.close());
        held.wait_for_one();
        drop(held);
        closing.join().unwrap().unwrap();
    });
    let sequences = answers.map(|answer| answer.try_recv().unwrap().unwrap());
    assert_eq!(sequences, [1, 2, 3]);
    assert!(matches!(
        wal.append(Vec::new(), |_| unreachable!()),
        Err(Error::Closed)
    ));
    assert!(matches!(wal.forget(3), Err(Error::Closed)));
    assert!(matches!(wal.announce("x"), Err(Error::Closed)));
    wal.close().unwrap();
    assert_eq!(read(&disk).unwrap(), numbered(1, &["a", "b", "c"]));
}

#[test]
fn a_panic_in_a_callback_poisons_and_is_told_to_all_that_follow() {
    let disk = SimDisk::default();
    let (wal, _) = open(&disk);
    let held = disk.hold_syncs();
    let before = send(&wal, "a");
    held.wait_for_one();
    wal.append(b"b".to_vec(), |_| panic!("on purpose")).unwrap();
    let after = send(&wal, "c");
    drop(held);
    assert_eq!(before.recv().unwrap().unwrap(), 1);
    assert!(matches!(after.recv().unwrap(), Err(Error::Poisoned { .. })));
    let Error::Poisoned { cause } = futures::executor::block_on(wal.poisoned()) else {
        panic!("another error");
    };
    assert_eq!(
        cause.to_string(),
        "callback of record 2 panicked: on purpose"
    );
    assert!(wal.is_poisoned());
    assert!(matches!(
        wal.append(Vec::new(), |_| unreachable!()),
        Err(Error::Poisoned { .. })
    ));
    assert!(matches!(wal.close(), Err(Error::Poisoned { .. })));
    assert_eq!(read(&disk).unwrap(), numbered(1, &["a", "b", "c"]));
}

#[test]
fn the_figures_add_up() {
    let disk = SimDisk::default();
    let (wal, _) = open(&disk);
    append(&wal, "abc").unwrap();
    append(&wal, "de").unwrap();
    let stats = wal.stats();
    assert_eq!(
        (stats.records, stats.record_bytes, stats.groups, stats.syncs),
        (2, 5, 2, 2)
    );
    assert_eq!(
        (stats.durable_sequence, stats.segments, stats.groups_failed),
        (2, 1, 0)
    );
    assert_eq!(stats.size_bytes, HEADER + 2 * FRAME + 5);
    assert!(stats.sync_nanos_last > 0 && stats.sync_nanos_total >= stats.sync_nanos_last);
}
