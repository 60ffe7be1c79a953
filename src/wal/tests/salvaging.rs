//! Repair on request: the intact stays, the damaged is moved aside, and a second look finds nothing to do.

use super::*;

const FIVE: [&str; 5] = ["first", "again", "third", "other", "fifth"];

fn flipped(disk: &SimDisk, segment: u64, byte: usize) -> SimDisk {
    let disk = disk.after_kill();
    let mut bytes = disk.bytes(&path(segment));
    bytes[byte] ^= 0b0100;
    disk.set_bytes(&path(segment), bytes);
    disk
}

fn quarantined(disk: &SimDisk, segment: u64, offset: usize) -> Vec<u8> {
    disk.bytes(&PathBuf::from(format!(
        "{DIR}/quarantine/{segment:020}-{offset}.bad"
    )))
}

fn without(lost: &[u64]) -> Records {
    let mut records = numbered(1, &FIVE);
    records.retain(|(sequence, _)| !lost.contains(sequence));
    records
}

/// Salvages, and checks that what is left is `expected`, then and when opened as usual, and that appending goes on.
fn salvaged(disk: &SimDisk, expected: &Records) -> u64 {
    let (wal, records) = try_open(disk, salvage()).unwrap();
    assert_eq!(&records, expected);
    let bytes = wal.stats().quarantined_bytes;
    let next = append(&wal, "later").unwrap();
    assert!(next > expected.last().map_or(0, |(last, _)| *last));
    wal.close().unwrap();
    let mut expected = expected.clone();
    expected.push((next, b"later".to_vec()));
    assert_eq!(read(disk).unwrap(), expected);
    let (wal, records) = try_open(disk, salvage()).unwrap();
    assert_eq!((records, wal.stats().quarantined_bytes), (expected, 0));
    bytes
}

#[test]
fn an_intact_log_is_left_alone() {
    for config in [config(), segments_of(2, 5)] {
        let disk = log_of(&FIVE, config);
        let before: Vec<_> = segments(&disk)
            .iter()
            .map(|first| disk.bytes(&path(*first)))
            .collect();
        let (wal, records) = try_open(&disk, salvage()).unwrap();
        assert_eq!((records, wal.stats().quarantined_bytes), (without(&[]), 0));
        let after: Vec<_> = segments(&disk)
            .iter()
            .map(|first| disk.bytes(&path(*first)))
            .collect();
        assert_eq!(before, after);
    }
}

#[test]
fn every_flipped_byte_costs_its_record_and_no_other() {
    let frame = FRAME_BYTES + 5;
    for (config, segments) in [
        (config(), vec![1; 4]),
        (segments_of(2, 5), vec![1, 1, 3, 3]),
    ] {
        let disk = log_of(&FIVE, config);
        for (segment, lost) in segments.into_iter().zip(1..) {
            let start = HEADER_BYTES + frame * usize::try_from(lost - segment).unwrap();
            for byte in start..start + frame {
                let disk = flipped(&disk, segment, byte);
                let bad = disk.bytes(&path(segment))[start..start + frame].to_vec();
                assert_eq!(
                    salvaged(&disk, &without(&[lost])),
                    frame as u64,
                    "byte {byte}"
                );
                assert_eq!(quarantined(&disk, segment, start), bad);
            }
        }
    }
}

#[test]
fn a_lost_header_costs_no_record() {
    let disk = log_of(&FIVE, segments_of(2, 5));
    for segment in [1, 3, 5] {
        for byte in 0..HEADER_BYTES {
            let disk = flipped(&disk, segment, byte);
            assert_eq!(salvaged(&disk, &without(&[])), HEADER);
        }
    }
}

#[test]
fn a_segment_without_header_and_first_record_is_moved_aside_as_a_whole() {
    let disk = log_of(&FIVE, segments_of(2, 5));
    for (segment, lost) in [(1, vec![1, 2]), (3, vec![3, 4]), (5, vec![5])] {
        let disk = flipped(&flipped(&disk, segment, 3), segment, HEADER_BYTES + 1);
        let bad = disk.bytes(&path(segment));
        salvaged(&disk, &without(&lost));
        assert_eq!(quarantined(&disk, segment, 0), bad);
    }
}

#[test]
fn the_sequence_of_a_record_that_was_moved_aside_is_not_given_again() {
    let disk = log_of(&FIVE, segments_of(2, 5));
    let disk = flipped(&flipped(&disk, 5, 3), 5, HEADER_BYTES + 1);
    let (wal, records) = try_open(&disk, salvage()).unwrap();
    assert_eq!(records, without(&[5]));
    assert_eq!(append(&wal, "later").unwrap(), 6);
}

#[test]
fn missing_and_misplaced_records_leave_a_gap_that_is_known_from_then_on() {
    let whole = log_of(&FIVE, segments_of(2, 5));
    let disk = whole.after_kill();
    crate::wal::disk::Disk::remove(&disk, &path(3)).unwrap();
    assert_eq!(salvaged(&disk, &without(&[3, 4])), 0);

    let disk = whole.after_kill();
    let mut bytes = disk.bytes(&path(1));
    bytes.truncate(HEADER_BYTES + FRAME_BYTES + 5);
    disk.set_bytes(&path(1), bytes);
    assert_eq!(salvaged(&disk, &without(&[2])), 0);

    let disk = log_of(&FIVE, config());
    let mut bytes = disk.bytes(&path(1));
    bytes.drain(HEADER_BYTES..HEADER_BYTES + FRAME_BYTES + 5);
    disk.set_bytes(&path(1), bytes);
    assert_eq!(salvaged(&disk, &without(&[1])), 0);
}

#[test]
fn a_record_that_stands_there_twice_is_kept_once() {
    let disk = log_of(&FIVE, config());
    let mut bytes = disk.bytes(&path(1));
    let frame = FRAME_BYTES + 5;
    let second = bytes[HEADER_BYTES + frame..HEADER_BYTES + 2 * frame].to_vec();
    let place = HEADER_BYTES + 3 * frame;
    bytes.splice(place..place, second.iter().copied());
    disk.set_bytes(&path(1), bytes);
    assert_eq!(salvaged(&disk, &without(&[])), frame as u64);
    assert_eq!(quarantined(&disk, 1, place), second);
}

#[test]
fn a_segment_that_says_again_what_another_said_is_moved_aside() {
    let disk = log_of(&FIVE, config());
    let copy = log_of(
        &["x"],
        Config {
            next_at_least: 4,
            ..config()
        },
    );
    disk.set_bytes(&path(4), copy.bytes(&path(4)));
    salvaged(&disk, &without(&[]));
    assert_eq!(quarantined(&disk, 4, 0), copy.bytes(&path(4)));
}

#[test]
fn a_torn_tail_is_cut_and_not_moved_aside() {
    let disk = log_of(&FIVE, config());
    let size = disk.bytes(&path(1)).len();
    let mut bytes = disk.bytes(&path(1));
    bytes.truncate(size - 1);
    disk.set_bytes(&path(1), bytes);
    assert_eq!(salvaged(&disk, &without(&[5])), 0);
}

#[test]
fn several_damages_are_repaired_at_once() {
    let disk = log_of(&FIVE, config());
    let frame = FRAME_BYTES + 5;
    let disk = flipped(&disk, 1, HEADER_BYTES + 4);
    let disk = flipped(&disk, 1, HEADER_BYTES + 2 * frame + 4);
    assert_eq!(salvaged(&disk, &without(&[1, 3])), 2 * frame as u64);
    assert_eq!(segments(&disk), [2, 4]);
}

#[test]
fn a_salvage_that_is_interrupted_anywhere_is_finished_by_the_next() {
    let frame = FRAME_BYTES + 5;
    let whole = log_of(&FIVE, segments_of(3, 5));
    let broken = flipped(&flipped(&whole, 1, HEADER_BYTES + frame + 4), 4, 7);
    let steps = {
        let disk = broken.after_kill();
        drop(try_open(&disk, salvage()).unwrap());
        disk.steps()
    };
    assert!(steps > 10, "{steps}");
    for step in 1..=steps {
        for seed in 0..8 {
            let disk = broken.after_kill();
            disk.die_at(step);
            assert!(try_open(&disk, salvage()).is_err() || step == steps);
            salvaged(&disk.after_power_loss(seed), &without(&[2]));
        }
    }
}
