//! The real program as a child process, and what Linux says about it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

/// Linux counts CPU time in hundredths of a second, whatever the kernel's own beat.
const TICKS_A_SECOND: f64 = 100.0;
const START_DEADLINE: Duration = Duration::from_secs(120);
const STOP_DEADLINE: Duration = Duration::from_secs(60);

/// A running `outspan serve`.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    pub(crate) addresses: Addresses,
    /// From the start of the process until all doors accept.
    pub(crate) started_in: Duration,
}

/// What `--addr-file` says.
#[derive(Debug, Deserialize)]
pub(crate) struct Addresses {
    pub(crate) otlp_grpc: String,
    pub(crate) otlp_http: String,
    pub(crate) http: String,
}

impl Server {
    /// Starts the program on `data`; its log goes to `data.log` beside it.
    pub(crate) fn start(binary: &Path, data: &Path) -> Result<Self> {
        let addr_file = data.with_extension("addresses");
        if addr_file.exists() {
            fs::remove_file(&addr_file)?;
        }
        let log = fs::File::create(data.with_extension("log"))?;
        let any = "127.0.0.1:0";
        let doors = [
            "--listen-grpc",
            "--listen-otlp",
            "--listen-http",
            "--listen-pg",
            "--listen-flight",
        ];
        let began = Instant::now();
        let mut child = Command::new(binary)
            .arg("serve")
            .arg("--data")
            .arg(data)
            .arg("--addr-file")
            .arg(&addr_file)
            .args(doors.iter().flat_map(|door| [*door, any]))
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("cannot start {}", binary.display()))?;
        loop {
            let written = fs::read_to_string(&addr_file).ok();
            if let Some(addresses) = written.and_then(|text| serde_json::from_str(&text).ok()) {
                return Ok(Self {
                    child,
                    addresses,
                    started_in: began.elapsed(),
                });
            }
            let ended = child.try_wait()?;
            ensure!(
                ended.is_none(),
                "the server ended at once; see {}",
                data.with_extension("log").display()
            );
            ensure!(
                began.elapsed() < START_DEADLINE,
                "the server does not open its doors"
            );
            sleep(Duration::from_millis(1));
        }
    }

    /// Returns the CPU seconds that the server has used so far.
    pub(crate) fn cpu_seconds(&self) -> Result<f64> {
        let stat = fs::read_to_string(self.proc("stat"))?;
        seconds(&stat, 14)
    }

    /// Returns the memory that is in use now, in bytes.
    pub(crate) fn memory(&self) -> Result<f64> {
        self.status("VmRSS:")
    }

    /// Returns the most memory that was ever in use, in bytes.
    pub(crate) fn memory_peak(&self) -> Result<f64> {
        self.status("VmHWM:")
    }

    fn status(&self, field: &str) -> Result<f64> {
        let status = fs::read_to_string(self.proc("status"))?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix(field))
            .context("no such field")?;
        let kib: f64 = line.trim().trim_end_matches(" kB").parse()?;
        Ok(kib * 1_024.0)
    }

    fn proc(&self, file: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/{file}", self.child.id()))
    }

    /// Asks the server to end, waits, and returns the CPU seconds of its whole life.
    pub(crate) fn stop(mut self) -> Result<f64> {
        let before = seconds(&fs::read_to_string("/proc/self/stat")?, 16)?;
        let asked = Instant::now();
        // The standard library can only kill.
        let sent = Command::new("kill")
            .args(["-TERM", &self.child.id().to_string()])
            .status()?;
        ensure!(sent.success(), "kill cannot reach the server");
        let ended = loop {
            if let Some(ended) = self.child.try_wait()? {
                break ended;
            }
            ensure!(asked.elapsed() < STOP_DEADLINE, "the server does not end");
            sleep(Duration::from_millis(10));
        };
        ensure!(ended.success(), "the server ended with {ended}");
        Ok(seconds(&fs::read_to_string("/proc/self/stat")?, 16)? - before)
    }
}

impl Drop for Server {
    /// A bench that fails leaves no server behind.
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            let _killed = self.child.kill().is_ok();
            let _ended = self.child.wait().is_ok();
        }
    }
}

/// Adds two neighbouring fields of a `/proc/PID/stat` line, user and system time, counted as in proc(5) from 1.
fn seconds(stat: &str, field: usize) -> Result<f64> {
    // The name of the program, in brackets, may hold blanks: fields are counted from behind it.
    let behind = stat.rsplit(')').next().context("no stat line")?;
    let mut fields = behind.split_whitespace().skip(field - 3);
    let mut ticks = || -> Result<f64> { Ok(fields.next().context("a short stat line")?.parse()?) };
    Ok((ticks()? + ticks()?) / TICKS_A_SECOND)
}

/// Returns the bytes of the table's Parquet files, and of all else in its folder.
pub(crate) fn table_bytes(table: &Path) -> Result<(f64, f64)> {
    let (mut parquet, mut other) = (0, 0);
    let mut folders = vec![table.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in
            fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?
        {
            let entry = entry?;
            let about = entry.metadata()?;
            if about.is_dir() {
                folders.push(entry.path());
            } else if entry.path().extension().is_some_and(|end| end == "parquet")
                && !folder.ends_with("_delta_log")
            {
                parquet += about.len();
            } else {
                other += about.len();
            }
        }
    }
    Ok((parquet as f64, other as f64))
}
