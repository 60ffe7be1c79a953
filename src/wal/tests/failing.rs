//! A disk that fills up, fails or lies: what is answered, and what is there afterwards.

use std::io::ErrorKind;

use super::sim::Op;
use super::*;

fn is_poisoned(result: &Result<u64, Error>) -> bool {
    matches!(result, Err(Error::Poisoned { .. }))
}

#[test]
fn a_full_disk_in_the_middle_of_a_group_is_answered_to_all_of_it_and_undone() {
    let record = FRAME_BYTES + 1;
    for free in [0, 1, record - 1, record, record + 1, 3 * record - 1] {
        let disk = SimDisk::default();
        let (wal, _) = open(&disk);
        disk.set_free_bytes(Some(record + free));
        for answer in append_group(&disk, &wal, "a", &["b", "c", "d"]) {
            assert!(matches!(
                answer.recv().unwrap(),
                Err(Error::Full { source: Some(_) })
            ));
        }
        assert_eq!(disk.bytes(&path(1)).len(), HEADER_BYTES + record);
        assert_eq!(
            (wal.stats().groups_failed, wal.stats().queued_bytes),
            (1, 0)
        );
        disk.set_free_bytes(None);
        assert_eq!(append(&wal, "e").unwrap(), 2);
        wal.close().unwrap();
        assert_eq!(read(&disk).unwrap(), numbered(1, &["a", "e"]));
    }
}

#[test]
fn a_group_that_just_fits_the_disk_is_taken() {
    let disk = SimDisk::default();
    let (wal, _) = open(&disk);
    disk.set_free_bytes(Some(4 * (FRAME_BYTES + 1)));
    for answer in append_group(&disk, &wal, "a", &["b", "c", "d"]) {
        answer.recv().unwrap().unwrap();
    }
}

#[test]
fn a_failed_write_is_answered_and_the_log_goes_on() {
    let disk = SimDisk::default();
    let (wal, _) = open(&disk);
    append(&wal, "a").unwrap();
    disk.fail(Op::Write, ErrorKind::Other);
    let Err(Error::Write { path: told, .. }) = append(&wal, "b") else {
        panic!("not told")
    };
    assert_eq!(told, path(1));
    assert!(!wal.is_poisoned());
    assert_eq!(append(&wal, "c").unwrap(), 2);
    wal.close().unwrap();
    assert_eq!(read(&disk).unwrap(), numbered(1, &["a", "c"]));
}

#[test]
fn short_and_interrupted_writes_and_reads_are_taken_further() {
    let disk = SimDisk::default();
    disk.set_write_bytes_max(7);
    let (wal, _) = open(&disk);
    disk.fail(Op::Write, ErrorKind::Interrupted);
    append(&wal, "a record of some length").unwrap();
    wal.close().unwrap();
    disk.fail(Op::Read, ErrorKind::Interrupted);
    assert_eq!(
        read(&disk).unwrap(),
        numbered(1, &["a record of some length"])
    );
}

#[test]
fn a_failed_sync_poisons_the_log_and_is_told_to_all() {
    let disk = SimDisk::default();
    let (wal, _) = open(&disk);
    append(&wal, "a").unwrap();
    let told = wal.poisoned();
    let held = disk.hold_syncs();
    let first = send(&wal, "b");
    held.wait_for_one();
    let queued = send(&wal, "c");
    disk.fail(Op::Sync, ErrorKind::Other);
    drop(held);
    assert!(is_poisoned(&first.recv().unwrap()));
    assert!(is_poisoned(&queued.recv().unwrap()));
    let Error::Poisoned { cause } = futures::executor::block_on(told) else {
        panic!("other")
    };
    assert!(matches!(&*cause, Error::Sync { path: told, .. } if *told == path(1)));
    assert!(wal.is_poisoned());
    assert!(matches!(
        wal.append(Vec::new(), |_| unreachable!()),
        Err(Error::Poisoned { .. })
    ));
    assert!(matches!(wal.forget(1), Err(Error::Poisoned { .. })));
    assert_eq!(
        (wal.stats().refused_poisoned, wal.stats().queued_bytes),
        (1, 0)
    );
    assert_eq!(wal.stats().durable_sequence, 1);
    assert!(matches!(wal.close(), Err(Error::Poisoned { .. })));
}

#[test]
fn what_only_the_page_cache_holds_is_made_durable_by_opening() {
    // After a failed sync the pages read well and count as clean, so no later sync would write them.
    let disk = SimDisk::default();
    let (wal, _) = open(&disk);
    append(&wal, "a").unwrap();
    disk.fail(Op::Sync, ErrorKind::Other);
    assert!(is_poisoned(&append(&wal, "b")));
    drop(wal);
    let (wal, records) = open(&disk);
    assert_eq!(records, numbered(1, &["a", "b"]));
    append(&wal, "c").unwrap();
    for seed in 0..20 {
        let records = read(&disk.after_power_loss(seed)).unwrap();
        assert_eq!(records, numbered(1, &["a", "b", "c"]));
    }
}

#[test]
fn a_write_that_cannot_be_undone_poisons_the_log() {
    for undoing in [Op::Truncate, Op::Sync] {
        let disk = SimDisk::default();
        let (wal, _) = open(&disk);
        append(&wal, "a").unwrap();
        disk.set_free_bytes(Some(3));
        disk.fail(undoing, ErrorKind::Other);
        assert!(is_poisoned(&append(&wal, "b")));
        assert!(wal.is_poisoned());
        drop(wal);
        disk.set_free_bytes(None);
        assert_eq!(read(&disk).unwrap(), numbered(1, &["a"]));
    }
}

#[test]
fn what_was_undone_does_not_come_back_when_power_is_lost() {
    let disk = SimDisk::default();
    let (wal, _) = try_open(&disk, segments_of(2, 1)).unwrap();
    append(&wal, "a").unwrap();
    disk.set_free_bytes(Some(FRAME_BYTES));
    assert!(matches!(append(&wal, "b"), Err(Error::Full { .. })));
    disk.set_free_bytes(None);
    // Too large for the segment that the failed write was undone in: that one is sealed.
    append(&wal, "larger").unwrap();
    assert_eq!(segments(&disk), [1, 2]);
    for seed in 0..20 {
        let records = read(&disk.after_power_loss(seed)).unwrap();
        assert_eq!(records, numbered(1, &["a", "larger"]));
    }
}

#[test]
fn a_segment_that_cannot_be_begun_is_tried_again() {
    for op in [Op::Create, Op::Write] {
        for kind in [ErrorKind::StorageFull, ErrorKind::Other] {
            let disk = SimDisk::default();
            let (wal, _) = try_open(&disk, segments_of(1, 1)).unwrap();
            append(&wal, "a").unwrap();
            disk.fail(op, kind);
            let full = matches!(append(&wal, "b"), Err(Error::Full { .. }));
            assert_eq!(full, kind == ErrorKind::StorageFull);
            assert_eq!(append(&wal, "c").unwrap(), 2);
            wal.close().unwrap();
            assert_eq!(read(&disk).unwrap(), numbered(1, &["a", "c"]));
        }
    }
}

#[test]
fn a_segment_half_begun_that_cannot_be_removed_harms_nobody() {
    let disk = SimDisk::default();
    let (wal, _) = try_open(&disk, segments_of(2, 1)).unwrap();
    append(&wal, "a").unwrap();
    disk.set_free_bytes(Some(10));
    disk.fail(Op::Remove, ErrorKind::Other);
    assert!(matches!(append(&wal, "larger"), Err(Error::Full { .. })));
    assert!(disk.has(&path(2)));
    disk.set_free_bytes(None);
    // Small enough for the segment before: the name of the half-begun one is passed.
    assert_eq!(append(&wal, "b").unwrap(), 2);
    append(&wal, "c").unwrap();
    wal.close().unwrap();
    assert_eq!(read(&disk).unwrap(), numbered(1, &["a", "b", "c"]));
}

#[test]
fn a_new_segment_that_cannot_be_made_durable_poisons_the_log() {
    for op in [Op::Sync, Op::SyncDir] {
        let disk = SimDisk::default();
        let (wal, _) = try_open(&disk, segments_of(1, 1)).unwrap();
        append(&wal, "a").unwrap();
        disk.fail(op, ErrorKind::Other);
        assert!(is_poisoned(&append(&wal, "b")));
        drop(wal);
        assert_eq!(read(&disk).unwrap(), numbered(1, &["a"]));
    }
}

#[test]
fn a_segment_that_cannot_be_removed_stays_and_is_removed_the_next_time() {
    let disk = SimDisk::default();
    let (wal, _) = try_open(&disk, segments_of(1, 1)).unwrap();
    for payload in ["a", "b", "c"] {
        append(&wal, payload).unwrap();
    }
    let size = wal.size_bytes();
    disk.fail(Op::Remove, ErrorKind::PermissionDenied);
    assert!(matches!(
        wal.forget(2),
        Err(Error::Io {
            doing: "remove",
            ..
        })
    ));
    assert_eq!((wal.size_bytes(), wal.stats().segments), (size, 3));
    wal.forget(2).unwrap();
    assert_eq!(segments(&disk), [3]);
}

#[test]
fn a_directory_that_cannot_be_synced_after_forgetting_poisons_the_log() {
    let disk = SimDisk::default();
    let (wal, _) = try_open(&disk, segments_of(1, 1)).unwrap();
    append(&wal, "a").unwrap();
    append(&wal, "b").unwrap();
    disk.fail(Op::SyncDir, ErrorKind::Other);
    assert!(matches!(wal.forget(1), Err(Error::Poisoned { .. })));
    assert!(wal.is_poisoned());
}

#[test]
fn forgetting_on_a_full_disk_frees_what_it_can_and_goes_on() {
    let disk = SimDisk::default();
    let (wal, _) = try_open(&disk, segments_of(2, 1)).unwrap();
    for payload in ["a", "b", "c"] {
        append(&wal, payload).unwrap();
    }
    disk.set_free_bytes(Some(0));
    wal.forget(3).unwrap();
    assert_eq!(
        segments(&disk),
        [3],
        "the newest could not be replaced and stays"
    );
    disk.set_free_bytes(None);
    wal.forget(3).unwrap();
    assert_eq!(segments(&disk), [4]);
    assert_eq!(append(&wal, "d").unwrap(), 4);
}

#[test]
fn an_opening_whose_sync_fails_is_refused() {
    let disk = log_of(&["a"], config());
    disk.fail(Op::Sync, ErrorKind::Other);
    assert!(matches!(read(&disk), Err(Error::Sync { .. })));
    assert_eq!(read(&disk).unwrap(), numbered(1, &["a"]));
}
