//! Running other programs: servers that say where they listen and must not outlive us, programs
//! that print one line of figures, and how busy the machine was meanwhile.

use crate::Done;
use std::{
    ffi::OsStr,
    fs,
    io::{BufRead, BufReader, Read},
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

/// A server that is running. It is killed when this is dropped.
pub(crate) struct Server {
    child: Child,
    name: String,
    /// `HOST:PORT`.
    pub(crate) addr: String,
}

impl Server {
    /// Starts a server and waits until it has printed `listening on ADDRESS`.
    pub(crate) fn start(mut command: Command) -> Done<Server> {
        let name = shown(&command);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| format!("{name}: {error}"))?;
        let stderr = gather(child.stderr.take());
        let lines = listening(child.stdout.take());
        let mut server = Server { child, name, addr: String::new() };
        // Under valgrind a start takes seconds.
        match lines.recv_timeout(Duration::from_secs(60)) {
            Ok(addr) => {
                server.addr = addr;
                Ok(server)
            }
            Err(_) => {
                server.kill();
                let said = stderr.join().unwrap_or_default();
                Err(format!("{}: did not say where it listens\n{said}", server.name).into())
            }
        }
    }

    /// The process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Asks the server to end (SIGTERM) and waits until it has: tools that count write their
    /// figures when the program they watch ends by itself.
    pub(crate) fn stop(mut self) -> Done {
        // The standard library can only kill; `kill` is everywhere.
        let pid = self.child.id().to_string();
        capture(Command::new("kill").args(["-TERM", &pid]))?;
        let began = Instant::now();
        while self.child.try_wait()?.is_none() {
            if began.elapsed() > Duration::from_secs(30) {
                return Err(format!("{}: does not end when asked to", self.name).into());
            }
            thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    fn kill(&mut self) {
        // It may have ended by itself: then there is nothing to do.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Reads a server's output to its end, so that it never blocks, and sends the address.
fn listening(stdout: Option<impl Read + Send + 'static>) -> mpsc::Receiver<String> {
    let (found, address) = mpsc::channel();
    thread::spawn(move || {
        for line in stdout.map(BufReader::new).into_iter().flat_map(BufRead::lines) {
            let Ok(line) = line else { return };
            if let Some(address) = line.strip_prefix("listening on ") {
                // Nobody may be waiting any more.
                let _ = found.send(address.trim().trim_start_matches("tcp://").to_owned());
            }
        }
    });
    address
}

/// Reads all of a program's output in a thread of its own.
fn gather(from: Option<impl Read + Send + 'static>) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut from) = from {
            // What could be read is what there is to show.
            let _ = from.read_to_end(&mut bytes);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// Runs a program to its end, or kills it after `limit`; its standard output.
pub(crate) fn run_within(mut command: Command, limit: Duration) -> Done<String> {
    let name = shown(&command);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| format!("{name}: {error}"))?;
    let (stdout, stderr) = (gather(child.stdout.take()), gather(child.stderr.take()));
    let began = Instant::now();
    let status = loop {
        match child.try_wait()? {
            Some(status) => break status,
            None if began.elapsed() > limit => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(format!("{name}: not done after {limit:?}").into());
            }
            None => thread::sleep(Duration::from_millis(2)),
        }
    };
    let (stdout, stderr) = (stdout.join().unwrap_or_default(), stderr.join().unwrap_or_default());
    if status.success() { Ok(stdout) } else { Err(format!("{name}: {status}\n{stderr}").into()) }
}

/// Runs a program to its end; its standard output.
pub(crate) fn capture(command: &mut Command) -> Done<String> {
    let name = shown(command);
    let output = command.output().map_err(|error| format!("{name}: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(text);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("{name}: {}\n{said}", output.status).into())
}

/// Runs a program whose output is for the reader of ours.
pub(crate) fn show(command: &mut Command) -> Done {
    let name = shown(command);
    println!("+ {name}");
    let status = command.status().map_err(|error| format!("{name}: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("{name}: {status}").into()) }
}

/// The first line that a program prints about itself, or `None` if there is no such program.
pub(crate) fn version(program: &str, flag: &str) -> Option<String> {
    let output = Command::new(program).arg(flag).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    Some(text.lines().next().unwrap_or_default().trim().to_owned())
}

/// Cargo, the one that runs us.
pub(crate) fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// A command line as people write it.
fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or_default();
    let words = [program].into_iter().chain(command.get_args());
    words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
}

/// A number in a flat JSON object, as load programs print one; `None` if it is null or absent.
pub(crate) fn number(json: &str, name: &str) -> Option<f64> {
    let (_, rest) = json.split_once(&format!("\"{name}\":"))?;
    let end = rest.find([',', '}']).unwrap_or(rest.len());
    rest[..end].trim().parse().ok()
}

/// How busy the machine is with other work, between two moments.
pub(crate) struct OtherLoad {
    began: Instant,
    machine: f64,
    ours: f64,
}

impl OtherLoad {
    /// From now on.
    pub(crate) fn start() -> Done<OtherLoad> {
        Ok(OtherLoad { began: Instant::now(), machine: machine_seconds()?, ours: our_seconds()? })
    }

    /// Cores kept busy by anything but us and the programs we ran, on average.
    pub(crate) fn cores(&self) -> Done<f64> {
        let other = (machine_seconds()? - self.machine) - (our_seconds()? - self.ours);
        Ok((other / self.began.elapsed().as_secs_f64()).max(0.0))
    }
}

/// Linux counts in hundredths of a second towards user space, whatever its own tick is.
const TICKS_PER_SECOND: f64 = 100.0;

/// CPU seconds that all cores were busy.
fn machine_seconds() -> Done<f64> {
    let text = fs::read_to_string("/proc/stat")?;
    let fields = ticks(text.lines().next().unwrap_or_default(), 1)?;
    // user nice system idle iowait irq softirq steal: all but the fourth and the fifth are work.
    let busy = fields.iter().take(8).enumerate().filter(|(at, _)| !matches!(at, 3 | 4));
    Ok(busy.map(|(_, ticks)| ticks).sum::<f64>() / TICKS_PER_SECOND)
}

/// CPU seconds of this process and of its children that have ended.
fn our_seconds() -> Done<f64> {
    let text = fs::read_to_string("/proc/self/stat")?;
    // The name of the program, in brackets, may hold spaces; eleven fields stand before utime.
    let (_, rest) = text.rsplit_once(')').ok_or("/proc/self/stat without a name")?;
    let fields = ticks(rest, 11)?;
    Ok(fields.iter().take(4).sum::<f64>() / TICKS_PER_SECOND)
}

/// The numbers in a line, without the first `skip` words.
fn ticks(line: &str, skip: usize) -> Done<Vec<f64>> {
    let words = line.split_whitespace().skip(skip);
    Ok(words.map(str::parse).collect::<Result<_, _>>()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_found_by_name() {
        let json = r#"{"calls":10,"p50_us":1.5,"server_cpu_us_per_call":null}"#;
        assert_eq!(number(json, "calls"), Some(10.0));
        assert_eq!(number(json, "p50_us"), Some(1.5));
        assert_eq!(number(json, "server_cpu_us_per_call"), None);
        assert_eq!(number(json, "p99_us"), None);
    }

    #[test]
    fn clocks_move_forward() {
        let before = our_seconds().expect("this process has a clock");
        assert!(machine_seconds().expect("so has the machine") >= before);
    }
}
