//! Telling what a crash leaves from what must not happen.

use super::*;
use crate::wal::Damage;

fn flipped(disk: &SimDisk, segment: u64, byte: usize) -> SimDisk {
    let disk = disk.after_kill();
    let mut bytes = disk.bytes(&path(segment));
    bytes[byte] ^= 0b0100;
    disk.set_bytes(&path(segment), bytes);
    disk
}

fn cut(disk: &SimDisk, segment: u64, size: usize) -> SimDisk {
    let disk = disk.after_kill();
    let mut bytes = disk.bytes(&path(segment));
    bytes.truncate(size);
    disk.set_bytes(&path(segment), bytes);
    disk
}

/// Where record `index`, from 0, of a segment with payloads of `payload` bytes lies.
fn place(index: usize, payload: usize) -> std::ops::Range<usize> {
    let start = HEADER_BYTES + index * (FRAME_BYTES + payload);
    start..start + FRAME_BYTES + payload
}

fn damage(result: Result<Records, Error>) -> (u64, u64, Damage) {
    match result {
        Err(Error::Damaged {
            segment,
            offset,
            what,
        }) => (segment, offset, what),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_tail_torn_at_any_byte_is_cut_and_the_rest_survives() {
    let disk = log_of(&["first", "again", "third"], config());
    for size in place(2, 5) {
        let disk = cut(&disk, 1, size);
        let (wal, records) = open(&disk);
        assert_eq!(records, numbered(1, &["first", "again"]));
        assert_eq!(wal.stats().torn_bytes, (size - place(2, 5).start) as u64);
        assert_eq!(append(&wal, "other").unwrap(), 3);
        wal.close().unwrap();
        assert_eq!(
            read(&disk).unwrap(),
            numbered(1, &["first", "again", "other"])
        );
    }
}

#[test]
fn a_tail_of_zeros_or_noise_is_cut() {
    let disk = log_of(&["first", "again", "third"], config());
    for noise in [0_u8, 0xA5] {
        for start in place(2, 5) {
            let disk = disk.after_kill();
            let mut bytes = disk.bytes(&path(1));
            // Longer than it was: a length that reaches beyond the file is as bad as one that does not.
            bytes[start..].fill(noise);
            bytes.resize(bytes.len() + 100, noise);
            disk.set_bytes(&path(1), bytes);
            assert_eq!(read(&disk).unwrap(), numbered(1, &["first", "again"]));
            assert_eq!(disk.bytes(&path(1)).len(), place(2, 5).start);
        }
    }
}

#[test]
fn a_bit_flipped_in_an_inner_record_is_told_with_its_place_and_nothing_is_changed() {
    let disk = log_of(&["first", "again", "third"], config());
    for index in [0, 1] {
        for byte in place(index, 5) {
            let disk = flipped(&disk, 1, byte);
            let before = disk.bytes(&path(1));
            let (segment, offset, _) = damage(read(&disk));
            assert_eq!(
                (segment, offset),
                (1, place(index, 5).start as u64),
                "byte {byte}"
            );
            assert_eq!(disk.bytes(&path(1)), before);
        }
    }
}

#[test]
fn a_bit_flipped_in_the_last_record_costs_no_other() {
    // Nothing was written after it, so it looks like a write that was never synced.
    let disk = log_of(&["first", "again", "third"], config());
    for byte in place(2, 5) {
        assert_eq!(
            read(&flipped(&disk, 1, byte)).unwrap(),
            numbered(1, &["first", "again"])
        );
    }
}

#[test]
fn a_bit_flipped_in_an_earlier_segment_is_told_with_its_place() {
    let disk = log_of(
        &["first", "again", "third", "other", "fifth"],
        segments_of(2, 5),
    );
    for (segment, index) in [(1, 0), (1, 1), (3, 0), (3, 1)] {
        for byte in place(index, 5) {
            let (told, offset, _) = damage(read(&flipped(&disk, segment, byte)));
            assert_eq!((told, offset), (segment, place(index, 5).start as u64));
        }
    }
}

#[test]
fn a_bit_flipped_in_a_header_is_told() {
    let disk = log_of(&["first", "again", "third"], segments_of(2, 5));
    for segment in [1, 3] {
        for byte in 0..HEADER_BYTES {
            let damage = damage(read(&flipped(&disk, segment, byte)));
            assert_eq!(damage, (segment, 0, Damage::Header));
        }
    }
}

#[test]
fn records_before_the_damage_are_still_given() {
    let disk = log_of(&["first", "again", "third"], segments_of(2, 5));
    let disk = flipped(&disk, 1, place(1, 5).start + 20);
    let (_wal, mut replay) = Wal::open(config(), Arc::new(disk)).unwrap();
    assert_eq!(replay.next().unwrap().unwrap(), (1, b"first".to_vec()));
    assert!(matches!(replay.next(), Some(Err(Error::Damaged { .. }))));
    assert!(replay.next().is_none());
}

#[test]
fn a_bad_record_whose_own_group_goes_on_behind_it_is_a_torn_tail() {
    // A sector of one write may be missing while a later one of the same write is there.
    let disk = SimDisk::default();
    let (wal, _) = open(&disk);
    for answer in append_group(&disk, &wal, "a", &["b", "c", "d"]) {
        answer.recv().unwrap().unwrap();
    }
    wal.close().unwrap();
    for (index, left) in [
        (1, vec!["a"]),
        (2, vec!["a", "b"]),
        (3, vec!["a", "b", "c"]),
    ] {
        for byte in place(index, 1) {
            let disk = flipped(&disk, 1, byte);
            let (wal, records) = open(&disk);
            assert_eq!(records, numbered(1, &left));
            assert_eq!(append(&wal, "new").unwrap(), left.len() as u64 + 1);
            wal.close().unwrap();
            assert_eq!(read(&disk).unwrap().len(), left.len() + 1);
        }
    }
}

#[test]
fn a_bad_record_in_a_group_before_the_last_is_damage() {
    let disk = SimDisk::default();
    let (wal, _) = open(&disk);
    for answer in append_group(&disk, &wal, "a", &["b", "c", "d"]) {
        answer.recv().unwrap().unwrap();
    }
    append(&wal, "e").unwrap();
    wal.close().unwrap();
    for index in 0..4 {
        for byte in place(index, 1) {
            let (_, offset, _) = damage(read(&flipped(&disk, 1, byte)));
            assert_eq!(offset, place(index, 1).start as u64);
        }
    }
}

#[test]
fn the_end_of_an_earlier_segment_is_not_a_torn_tail() {
    let disk = log_of(&["first", "again", "third"], segments_of(2, 5));
    for size in place(1, 5) {
        let (segment, offset, what) = damage(read(&cut(&disk, 1, size)));
        assert_eq!((segment, offset), (1, place(1, 5).start as u64));
        let missing = Damage::Missing { first: 2, last: 2 };
        assert_eq!(what == missing, size == place(1, 5).start);
    }
}

#[test]
fn a_segment_that_is_missing_between_others_is_told() {
    let disk = log_of(&["a", "b", "c", "d", "e"], segments_of(2, 1));
    crate::wal::disk::Disk::remove(&disk, &path(3)).unwrap();
    let what = Damage::Missing { first: 3, last: 4 };
    assert_eq!(damage(read(&disk)), (1, place(2, 1).start as u64, what));
    // The records before the gap stand elsewhere: then it harms nobody.
    let (_wal, replay) = Wal::open(config(), Arc::new(disk)).unwrap();
    let records: Records = replay.after(4).map(Result::unwrap).collect();
    assert_eq!(records, numbered(5, &["e"]));
}

#[test]
fn an_intact_record_in_the_wrong_place_is_damage_even_at_the_end() {
    let disk = log_of(&["a", "b", "c"], config());
    for (keep, found) in [(0, 2), (1, 3)] {
        // Record `found` moves up to where the one before it stood.
        let mut bytes = disk.bytes(&path(1));
        bytes.drain(place(keep, 1));
        let disk = disk.after_kill();
        disk.set_bytes(&path(1), bytes);
        let what = Damage::OutOfOrder {
            expected: found - 1,
            found,
        };
        assert_eq!(damage(read(&disk)), (1, place(keep, 1).start as u64, what));
    }
    let mut bytes = disk.bytes(&path(1));
    let last = bytes[place(2, 1)].to_vec();
    bytes.extend_from_slice(&last);
    disk.set_bytes(&path(1), bytes);
    let what = Damage::OutOfOrder {
        expected: 4,
        found: 3,
    };
    assert_eq!(damage(read(&disk)), (1, place(3, 1).start as u64, what));
}

#[test]
fn a_payload_that_looks_like_a_record_is_never_one() {
    // Somebody sends what the log itself wrote elsewhere: with a later sequence it would turn a torn tail into damage.
    let other = log_of(
        &["a", "b", "forged"],
        Config {
            next_at_least: 100,
            ..config()
        },
    );
    let forged = other.bytes(&path(100))[HEADER_BYTES..].to_vec();
    let disk = SimDisk::default();
    let (wal, _) = open(&disk);
    append(&wal, "first").unwrap();
    append(&wal, forged.clone()).unwrap();
    wal.close().unwrap();
    let end = disk.bytes(&path(1)).len();
    assert_eq!(read(&disk).unwrap()[1].1, forged);
    assert_eq!(
        read(&cut(&disk, 1, end - 1)).unwrap(),
        numbered(1, &["first"])
    );
}

#[test]
fn a_segment_of_another_version_is_refused_by_name() {
    let disk = log_of(&["a"], config());
    let mut bytes = disk.bytes(&path(1));
    bytes[12] = 2;
    let crc = crc32c::crc32c(&bytes[12..HEADER_BYTES]);
    bytes[8..12].copy_from_slice(&crc.to_le_bytes());
    disk.set_bytes(&path(1), bytes);
    for config in [config(), salvage()] {
        let refused = try_open(&disk, config).map(|(_, records)| records);
        assert!(
            matches!(
                refused,
                Err(Error::Version {
                    segment: 1,
                    version: 2
                })
            ),
            "{refused:?}"
        );
    }
}

#[test]
fn a_segment_that_was_never_finished_is_cleared_away_and_its_name_counts() {
    let disk = log_of(&["a", "b"], config());
    let whole = disk.bytes(&path(1));
    for size in 0..=HEADER_BYTES {
        let disk = disk.after_kill();
        let mut header = whole[..size].to_vec();
        header.iter_mut().for_each(|byte| *byte ^= 1);
        disk.set_bytes(&path(3), header);
        let (wal, records) = open(&disk);
        assert_eq!(records, numbered(1, &["a", "b"]));
        assert_eq!(append(&wal, "c").unwrap(), 3);
        wal.forget(3).unwrap();
        wal.close().unwrap();
        // The same where it is all there is.
        disk.set_bytes(&path(4), whole[..size / 2].to_vec());
        let (wal, _) = open(&disk);
        assert_eq!(append(&wal, "d").unwrap(), 4);
    }
}

#[test]
fn a_disk_that_does_not_read_is_not_taken_for_damage() {
    let disk = log_of(&["a", "b"], config());
    let (_wal, mut replay) = Wal::open(config(), Arc::new(disk.clone())).unwrap();
    disk.fail(sim::Op::Read, std::io::ErrorKind::Other);
    assert!(matches!(
        replay.next(),
        Some(Err(Error::Io { doing: "read", .. }))
    ));
    assert!(replay.next().is_none());
}
