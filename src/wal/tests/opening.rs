//! Opening, replaying and the lock, on a log that is as it was written.

use std::sync::Arc;

use super::*;
use crate::wal::disk::LocalDisk;
use crate::wal::{Replay, announced};

fn replay(disk: &SimDisk) -> (Wal, Replay) {
    Wal::open(config(), Arc::new(disk.clone())).unwrap()
}

#[test]
fn a_new_log_starts_at_one_and_replays_nothing() {
    let disk = SimDisk::default();
    let (wal, records) = open(&disk);
    assert_eq!(records, []);
    assert_eq!(append(&wal, "a").unwrap(), 1);
}

#[test]
fn a_replay_leaves_out_what_the_caller_has() {
    let disk = log_of(&["a", "b", "c", "d", "e"], segments_of(2, 1));
    let all = numbered(1, &["a", "b", "c", "d", "e"]);
    for after in 0..=6_u64 {
        let (_wal, replay) = replay(&disk);
        let records: Records = replay.after(after).map(Result::unwrap).collect();
        assert_eq!(records, all[usize::try_from(after).unwrap().min(5)..]);
    }
}

#[test]
fn segments_that_hold_nothing_needed_are_not_read_again() {
    let disk = log_of(&["a", "b", "c", "d", "e"], segments_of(2, 1));
    for (after, skipped) in [(1, false), (2, true)] {
        let (_wal, replay) = replay(&disk);
        let before = disk.opened().len();
        assert!(replay.after(after).all(|record| record.is_ok()));
        assert_eq!(!disk.opened()[before..].contains(&path(1)), skipped);
    }
}

#[test]
fn a_replay_knows_the_oldest_record() {
    let disk = log_of(&["a", "b", "c"], segments_of(2, 1));
    let (wal, replay) = replay(&disk);
    assert_eq!(replay.oldest(), Some(1));
    assert_eq!(replay.after(2).oldest(), Some(3));
    wal.forget(2).unwrap();
    drop(wal);
    let (_wal, mut replay) = self::replay(&disk);
    assert_eq!(replay.oldest(), Some(3));
    assert_eq!(replay.next().unwrap().unwrap().0, 3);
    assert_eq!(replay.oldest(), Some(3));
}

#[test]
fn appending_does_not_disturb_a_replay_that_is_not_done() {
    let disk = log_of(&["a", "b", "c"], segments_of(2, 1));
    let (wal, mut replay) = replay(&disk);
    assert_eq!(replay.next().unwrap().unwrap(), (1, b"a".to_vec()));
    assert_eq!(append(&wal, "d").unwrap(), 4);
    let rest: Records = replay.map(Result::unwrap).collect();
    assert_eq!(rest, numbered(2, &["b", "c"]));
}

#[test]
fn what_a_replay_has_yielded_may_be_forgotten_before_it_ends() {
    let disk = log_of(&["a", "b", "c", "d"], segments_of(2, 1));
    let (wal, mut replay) = replay(&disk);
    assert_eq!(replay.by_ref().take(2).filter(Result::is_ok).count(), 2);
    wal.forget(2).unwrap();
    let rest: Records = replay.map(Result::unwrap).collect();
    assert_eq!(rest, numbered(3, &["c", "d"]));
}

#[test]
fn a_log_can_be_told_to_go_on_at_a_higher_sequence() {
    let disk = SimDisk::default();
    let at = |next_at_least| Config {
        next_at_least,
        ..config()
    };
    let next = |next_at_least, payload: &str| {
        let (wal, _) = try_open(&disk, at(next_at_least)).unwrap();
        append(&wal, payload).unwrap()
    };
    assert_eq!(next(10, "a"), 10);
    assert_eq!(next(10, "b"), 11, "lower than the next one: without effect");
    assert_eq!(next(12, "c"), 12, "equal to the next one: without effect");
    assert_eq!(next(14, "d"), 14);
    assert_eq!(segments(&disk), [10, 14]);
    let records: Vec<u64> = read(&disk)
        .unwrap()
        .into_iter()
        .map(|(sequence, _)| sequence)
        .collect();
    assert_eq!(records, [10, 11, 12, 14]);
    let (wal, _) = open(&disk);
    wal.forget(12).unwrap();
    assert_eq!(segments(&disk), [14]);
}

#[test]
fn an_empty_segment_that_was_passed_over_is_forgotten_too() {
    let disk = SimDisk::default();
    for next_at_least in [1, 5, 9] {
        try_open(
            &disk,
            Config {
                next_at_least,
                ..config()
            },
        )
        .unwrap();
    }
    assert_eq!(segments(&disk), [1, 5, 9]);
    let (wal, records) = open(&disk);
    assert_eq!(records, []);
    wal.forget(0).unwrap();
    assert_eq!(segments(&disk), [9]);
    assert_eq!(append(&wal, "a").unwrap(), 9);
}

#[test]
fn a_second_opening_is_refused_and_names_the_holder() {
    let disk = SimDisk::default();
    let (wal, _) = open(&disk);
    let refused = |disk: &SimDisk| match read(disk) {
        Err(Error::Locked { dir, holder }) => (dir, holder),
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(&disk), (DIR.into(), None));
    wal.announce("a rather long address that a shorter one replaces")
        .unwrap();
    wal.announce("127.0.0.1:4317\n").unwrap();
    assert_eq!(
        refused(&disk),
        (DIR.into(), Some("127.0.0.1:4317".to_owned()))
    );
    assert_eq!(
        read(&disk).unwrap_err().to_string(),
        "log directory /wal is in use by 127.0.0.1:4317"
    );
    assert_eq!(
        announced(&disk, Path::new(DIR)).as_deref(),
        Some("127.0.0.1:4317")
    );
    append(&wal, "a").unwrap();
    wal.close().unwrap();
    assert_eq!(announced(&disk, Path::new(DIR)), None);
    assert_eq!(read(&disk).unwrap(), numbered(1, &["a"]));
}

#[test]
fn a_killed_holder_does_not_keep_the_log() {
    let disk = SimDisk::default();
    let (wal, _) = open(&disk);
    wal.announce("somewhere").unwrap();
    append(&wal, "a").unwrap();
    let disk = disk.after_kill();
    assert_eq!(
        announced(&disk, Path::new(DIR)).as_deref(),
        Some("somewhere")
    );
    let (_wal, records) = open(&disk);
    assert_eq!(records, numbered(1, &["a"]));
    assert_eq!(announced(&disk, Path::new(DIR)), None);
}

#[test]
fn an_opening_that_fails_gives_the_lock_back() {
    let disk = log_of(&["a"], config());
    disk.fail(sim::Op::Read, std::io::ErrorKind::PermissionDenied);
    assert!(matches!(read(&disk), Err(Error::Io { doing: "read", .. })));
    assert_eq!(read(&disk).unwrap(), numbered(1, &["a"]));
}

#[test]
fn the_local_disk_keeps_the_promises_that_are_tested_on_the_other() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().join("not/there/yet");
    let config = Config {
        segment_bytes: 100,
        ..Config::at(&dir)
    };
    let open = |config: &Config| Wal::open(config.clone(), Arc::new(LocalDisk));
    let (wal, replay) = open(&config).unwrap();
    assert_eq!(replay.count(), 0);
    for sequence in 1..=5 {
        assert_eq!(
            append(&wal, format!("record {sequence}")).unwrap(),
            sequence
        );
    }
    wal.announce("here").unwrap();
    let Err(Error::Locked { holder, .. }) = open(&config) else {
        panic!("two at once")
    };
    assert_eq!(holder.as_deref(), Some("here"));
    wal.forget(3).unwrap();
    wal.close().unwrap();

    // A tail as of a crash.
    let newest = segment::path(&dir, 5);
    let mut bytes = std::fs::read(&newest).unwrap();
    bytes.extend_from_slice(&[1; 50]);
    std::fs::write(&newest, bytes).unwrap();
    let (wal, replay) = open(&config).unwrap();
    let records: Records = replay.map(Result::unwrap).collect();
    assert_eq!(records, numbered(4, &["record 4", "record 5"]));
    assert_eq!(wal.stats().torn_bytes, 50);
    assert_eq!(append(&wal, "record 6").unwrap(), 6);
    wal.forget(6).unwrap();
    assert_eq!(wal.size_bytes(), HEADER);
    drop(wal);
    let files: Vec<_> = std::fs::read_dir(&dir)
        .unwrap()
        .map(|file| file.unwrap().file_name())
        .collect();
    assert_eq!(files.len(), 2, "the lock and one empty segment: {files:?}");
}
