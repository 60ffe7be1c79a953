//! What must hold whatever happens: nothing acknowledged is lost, nothing comes twice or changed, nothing appears between.

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Act {
    Append(Vec<usize>),
    Forget(u64),
    Reopen,
    Kill,
    LosePower(u64),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        6 => prop::collection::vec(0_usize..300, 1..5).prop_map(Act::Append),
        2 => (0_u64..12).prop_map(Act::Forget),
        1 => Just(Act::Reopen),
        1 => Just(Act::Kill),
        1 => any::<u64>().prop_map(Act::LosePower),
    ]
}

/// A payload of `size` bytes that is unlike the others.
fn payload(count: &mut u64, size: usize) -> Vec<u8> {
    *count += 1;
    count.to_le_bytes().into_iter().cycle().take(size).collect()
}

fn small_segments() -> Config {
    Config {
        segment_bytes: 500,
        ..config()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn the_log_yields_exactly_what_was_not_forgotten(acts in prop::collection::vec(act(), 1..40)) {
        let mut disk = SimDisk::default();
        let (mut wal, _) = try_open(&disk, small_segments()).unwrap();
        let (mut acknowledged, mut forgotten, mut count) = (Records::new(), 0, 0);
        for act in acts.into_iter().chain([Act::Reopen]) {
            disk = match act {
                Act::Append(sizes) => {
                    let sent: Vec<_> = sizes
                        .into_iter()
                        .map(|size| payload(&mut count, size))
                        .map(|payload| (send(&wal, payload.clone()), payload))
                        .collect();
                    for (answer, payload) in sent {
                        acknowledged.push((answer.recv().unwrap().unwrap(), payload));
                    }
                    continue;
                }
                Act::Forget(back) => {
                    forgotten = forgotten.max((acknowledged.len() as u64).saturating_sub(back));
                    wal.forget(forgotten).unwrap();
                    continue;
                }
                Act::Reopen => {
                    wal.close().unwrap();
                    disk
                }
                Act::Kill => disk.after_kill(),
                Act::LosePower(seed) => disk.after_power_loss(seed),
            };
            let records;
            (wal, records) = try_open(&disk, small_segments()).unwrap();
            // Whole segments go, so something of the forgotten may be left: never more than the end of it.
            let oldest = records.first().map_or(acknowledged.len() as u64, |(first, _)| first - 1);
            prop_assert!(oldest <= forgotten || records.is_empty());
            prop_assert_eq!(&records[..], &acknowledged[usize::try_from(oldest).unwrap()..]);
            prop_assert!(records.is_empty() || forgotten - oldest < 500 / FRAME);
        }
    }

    #[test]
    fn any_prefix_of_the_bytes_yields_a_prefix_of_the_records(
        groups in prop::collection::vec(prop::collection::vec(0_usize..60, 1..4), 1..6),
        cut in any::<prop::sample::Index>(),
    ) {
        let disk = SimDisk::default();
        let (wal, _) = open(&disk);
        let (mut acknowledged, mut count) = (Records::new(), 0);
        for sizes in groups {
            let payloads: Vec<_> = sizes.into_iter().map(|size| payload(&mut count, size)).collect();
            let answers: Vec<_> = payloads.iter().map(|payload| send(&wal, payload.clone())).collect();
            for (answer, payload) in answers.into_iter().zip(payloads) {
                acknowledged.push((answer.recv().unwrap().unwrap(), payload));
            }
        }
        wal.close().unwrap();
        let mut bytes = disk.bytes(&path(1));
        bytes.truncate(cut.index(bytes.len() + 1));
        let whole = acknowledged
            .iter()
            .scan(HEADER_BYTES, |end, (_, payload)| {
                *end += FRAME_BYTES + payload.len();
                Some(*end)
            })
            .take_while(|end| *end <= bytes.len())
            .count();
        disk.set_bytes(&path(1), bytes);
        let records = read(&disk).unwrap();
        prop_assert_eq!(&records[..], &acknowledged[..whole]);
    }

    #[test]
    fn no_bytes_in_place_of_a_segment_make_opening_panic(bytes: Vec<u8>, keep in 0..200_usize, salvaging: bool) {
        let disk = log_of(&["first", "again", "third"], segments_of(2, 5));
        let mut changed = disk.bytes(&path(1));
        changed.truncate(keep);
        changed.extend_from_slice(&bytes);
        disk.set_bytes(&path(1), changed);
        let opened = try_open(&disk, Config { salvage: salvaging, ..config() });
        prop_assert!(opened.is_ok() || !salvaging);
    }
}

/// Appends, rotates and forgets until the disk dies; returns what was acknowledged and what was forgotten.
fn work_until_death(disk: &SimDisk) -> (Records, u64) {
    let (mut acknowledged, mut forgotten, mut count) = (Records::new(), 0, 0);
    let Ok((wal, _)) = try_open(disk, small_segments()) else {
        return (acknowledged, 0);
    };
    for round in 0..8_u64 {
        let mut sent = Vec::new();
        for size in [50, 0, 120] {
            let payload = payload(&mut count, size);
            let (answer, answers) = mpsc::channel();
            let done = move |result: Result<crate::wal::Durable, Error>| {
                answer
                    .send(result.map(|durable| durable.sequence()))
                    .unwrap();
            };
            if wal.append(payload.clone(), done).is_ok() {
                sent.push((answers, payload));
            }
        }
        for (answer, payload) in sent {
            if let Ok(sequence) = answer.recv().unwrap() {
                acknowledged.push((sequence, payload));
            }
        }
        if round % 3 == 2 {
            let up_to = (acknowledged.len() as u64).saturating_sub(2);
            // What fails here may have been done all the same.
            forgotten = up_to;
            let _dead = wal.forget(up_to).is_err();
        }
    }
    (acknowledged, forgotten)
}

/// Opens as the ledger does, from what it has elsewhere, and goes on appending.
fn check_after_crash(disk: &SimDisk, acknowledged: &Records, forgotten: u64) {
    let config = Config {
        next_at_least: forgotten + 1,
        ..small_segments()
    };
    let (wal, replay) = Wal::open(config, Arc::new(disk.clone())).unwrap();
    let mut records: Records = replay.after(forgotten).map(Result::unwrap).collect();
    let expected = &acknowledged[usize::try_from(forgotten).unwrap()..];
    assert_eq!(&records[..expected.len()], expected);
    // What was written and not acknowledged may be there, behind everything that was.
    let next = append(&wal, "after the crash").unwrap();
    assert_eq!(next, forgotten + records.len() as u64 + 1);
    records.push((next, b"after the crash".to_vec()));
    let sequences: Vec<u64> = records.iter().map(|(sequence, _)| *sequence).collect();
    assert_eq!(sequences, (forgotten + 1..=next).collect::<Vec<_>>());
    drop(wal);
    let (_wal, replay) = Wal::open(small_segments(), Arc::new(disk.after_power_loss(0))).unwrap();
    let again: Records = replay.after(forgotten).map(Result::unwrap).collect();
    assert_eq!(again, records);
}

#[test]
fn power_lost_at_any_moment_costs_nothing_that_was_acknowledged() {
    let steps = {
        let disk = SimDisk::default();
        work_until_death(&disk);
        disk.steps()
    };
    assert!(steps > 40, "{steps}");
    for step in 1..=steps {
        let disk = SimDisk::default();
        disk.die_at(step);
        let (acknowledged, forgotten) = work_until_death(&disk);
        check_after_crash(&disk.after_kill(), &acknowledged, forgotten);
        for seed in 0..12 {
            check_after_crash(&disk.after_power_loss(seed), &acknowledged, forgotten);
        }
    }
}
