//! The log on a disk that fails on order. `sim` is the disk; the words below make a test three lines long.

mod appending;
mod damage;
mod failing;
mod laws;
mod opening;
mod salvaging;
mod sim;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};

use super::frame::{FRAME_BYTES, HEADER_BYTES};
use super::{Config, Error, Wal, segment};
use sim::SimDisk;

const DIR: &str = "/wal";
const HEADER: u64 = HEADER_BYTES as u64;
const FRAME: u64 = FRAME_BYTES as u64;

type Records = Vec<(u64, Vec<u8>)>;
type Answer = Receiver<Result<u64, Error>>;

fn config() -> Config {
    Config::at(DIR)
}

fn salvage() -> Config {
    Config {
        salvage: true,
        ..config()
    }
}

/// A configuration with segments that hold `records` records of `payload` bytes.
fn segments_of(records: u64, payload: u64) -> Config {
    Config {
        segment_bytes: HEADER + records * (FRAME + payload),
        ..config()
    }
}

/// Opens the log and reads all of it.
fn try_open(disk: &SimDisk, config: Config) -> Result<(Wal, Records), Error> {
    let (wal, replay) = Wal::open(config, Arc::new(disk.clone()))?;
    let records = replay.collect::<Result<Records, Error>>()?;
    Ok((wal, records))
}

fn open(disk: &SimDisk) -> (Wal, Records) {
    try_open(disk, config()).unwrap()
}

/// Returns the records in the log, which is closed before and afterwards.
fn read(disk: &SimDisk) -> Result<Records, Error> {
    try_open(disk, config()).map(|(_, records)| records)
}

/// Appends without waiting; the answer comes through the channel.
fn send(wal: &Wal, payload: impl Into<Vec<u8>>) -> Answer {
    let (answer, receiver) = mpsc::channel();
    wal.append(payload.into(), move |result| {
        answer
            .send(result.map(|durable| durable.sequence()))
            .unwrap();
    })
    .unwrap();
    receiver
}

/// Appends and waits for the answer.
fn append(wal: &Wal, payload: impl Into<Vec<u8>>) -> Result<u64, Error> {
    send(wal, payload).recv().unwrap()
}

/// Appends `before` alone, and while it is being synced `group`, so that the latter goes to the disk in one write.
fn append_group(disk: &SimDisk, wal: &Wal, before: &str, group: &[&str]) -> Vec<Answer> {
    let held = disk.hold_syncs();
    let before = send(wal, before);
    held.wait_for_one();
    let answers = group.iter().map(|payload| send(wal, *payload)).collect();
    drop(held);
    before.recv().unwrap().unwrap();
    answers
}

/// Makes a log with these records, each in a group of its own, and closes it.
fn log_of(payloads: &[&str], config: Config) -> SimDisk {
    let disk = SimDisk::default();
    let (wal, _) = try_open(&disk, config).unwrap();
    for payload in payloads {
        append(&wal, *payload).unwrap();
    }
    wal.close().unwrap();
    disk
}

fn numbered(first: u64, payloads: &[&str]) -> Records {
    (first..)
        .zip(payloads.iter().map(|payload| payload.as_bytes().to_vec()))
        .collect()
}

fn path(first: u64) -> PathBuf {
    segment::path(Path::new(DIR), first)
}

fn segments(disk: &SimDisk) -> Vec<u64> {
    let list = segment::list(disk, Path::new(DIR)).unwrap();
    list.into_iter().map(|(first, _)| first).collect()
}
