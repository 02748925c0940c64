//! Servers in processes of their own: started, looked at, told to go, stopped, killed.

use crate::Done;
use std::{
    fs,
    io::{BufRead, BufReader, Read},
    net::TcpListener,
    os::fd::OwnedFd,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

/// A server's process. It is killed when this is dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    /// What it listens on: `tcp://…`, `tls://…`.
    pub addresses: Vec<String>,
    said: Arc<Mutex<Vec<String>>>,
}

/// How to start one.
#[derive(Clone, Debug, Default)]
pub struct Start {
    args: Vec<String>,
    descriptors: Option<usize>,
}

impl Start {
    /// The server of this kit.
    pub fn serve() -> Start {
        Start { args: vec!["serve".to_owned()], descriptors: None }
    }

    /// The hand tool with these arguments.
    pub fn tool(args: &[&str]) -> Start {
        let tool = ["tool"].iter().chain(args).map(|arg| (*arg).to_owned());
        Start { args: tool.collect(), descriptors: None }
    }

    /// One more flag and its value.
    #[must_use]
    pub fn with(mut self, flag: &str, value: impl ToString) -> Start {
        self.args.extend([flag.to_owned(), value.to_string()]);
        self
    }

    /// Listens there.
    #[must_use]
    pub fn on(self, url: &str) -> Start {
        self.with("--listen", url)
    }

    /// A limit of another value; times in milliseconds.
    #[must_use]
    pub fn limit(self, name: &str, value: u64) -> Start {
        self.with("--limit", format!("{name}={value}"))
    }

    /// Keeps this ledger.
    #[must_use]
    pub fn book(self, path: &std::path::Path) -> Start {
        self.with("--book", path.display())
    }

    /// Serves TLS with this pair.
    #[must_use]
    pub fn tls(self, pair: &farcall_it::certs::Pair) -> Start {
        let mut start = self.with("--tls", pair.cert.display());
        start.args.push(pair.key.display().to_string());
        start
    }

    /// May have so many descriptors, and no more.
    #[must_use]
    pub fn descriptors(mut self, most: usize) -> Start {
        self.descriptors = Some(most);
        self
    }

    /// Starts it, and waits until it listens.
    pub fn start(&self) -> Done<Process> {
        self.spawn(Stdio::null(), "exec \"$@\"")
    }

    /// Starts it with a listener passed on, as systemd does.
    pub fn inheriting(&self, listener: &TcpListener) -> Done<Process> {
        let passed = Stdio::from(OwnedFd::from(listener.try_clone()?));
        // It comes as the standard input, and the shell gives it the number that it is to have.
        let line = "exec 3<&0 0</dev/null; LISTEN_PID=$$ LISTEN_FDS=1 exec \"$@\" --inherit";
        self.spawn(passed, line)
    }

    fn spawn(&self, stdin: Stdio, line: &str) -> Done<Process> {
        let limit = self.descriptors.map(|most| format!("ulimit -n {most}; "));
        let line = format!("{}{line}", limit.unwrap_or_default());
        let mut command = Command::new("sh");
        command.args(["-c", &line, "sh"]).arg(std::env::current_exe()?).args(&self.args);
        command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        let said: Arc<Mutex<Vec<String>>> = Arc::default();
        let (out, err) = (child.stdout.take(), child.stderr.take());
        gather(err, Arc::clone(&said));
        let mut process = Process { child, addresses: Vec::new(), said };
        let Some(out) = out else { return Err("there is no standard output".into()) };
        let mut lines = BufReader::new(out).lines();
        while let Some(Ok(line)) = lines.next() {
            match line.strip_prefix("listening on ") {
                Some(address) => process.addresses.push(address.trim().to_owned()),
                None => break,
            }
            // The hand tool says no more than that.
            if self.args[0] == "tool" {
                break;
            }
        }
        if process.addresses.is_empty() {
            thread::sleep(Duration::from_millis(100));
            return Err(format!("the server does not start: {:?}", process.said()).into());
        }
        // Nobody who writes to a pipe without a reader lives long.
        thread::spawn(move || lines.for_each(drop));
        Ok(process)
    }
}

fn gather(from: Option<impl Read + Send + 'static>, into: Arc<Mutex<Vec<String>>>) {
    let Some(from) = from else { return };
    thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            into.lock().expect("no panic").push(line);
        }
    });
}

impl Process {
    /// Its number.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// `HOST:PORT` of its first listener.
    pub fn place(&self) -> &str {
        self.addresses[0].split_once("://").map_or("", |(_, place)| place)
    }

    /// Where to call it, by this protocol.
    pub fn url(&self, protocol: &str) -> String {
        format!("{protocol}://{}", self.place())
    }

    /// Sends a signal, by its name: `TERM`, `KILL`, `STOP`, `CONT`.
    pub fn signal(&self, name: &str) -> Done {
        let pid = self.pid().to_string();
        match Command::new("kill").args([&format!("-{name}"), &pid]).status()?.success() {
            true => Ok(()),
            false => Err(format!("{pid} cannot be sent {name}").into()),
        }
    }

    /// Waits until it has ended; how long that took.
    pub fn wait(&mut self, most: Duration) -> Done<Option<(Duration, ExitStatus)>> {
        let since = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(Some((since.elapsed(), status)));
            }
            if since.elapsed() > most {
                return Ok(None);
            }
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// What it wrote to its standard error.
    pub fn said(&self) -> Vec<String> {
        self.said.lock().expect("no panic").clone()
    }

    /// Resident memory in bytes.
    pub fn resident(&self) -> Done<f64> {
        self.status("VmRSS:")
    }

    /// The most there was, since [`forget_peak`](Process::forget_peak).
    pub fn peak(&self) -> Done<f64> {
        self.status("VmHWM:")
    }

    /// The peak is what there is now.
    pub fn forget_peak(&self) -> Done {
        Ok(fs::write(format!("/proc/{}/clear_refs", self.pid()), "5")?)
    }

    fn status(&self, name: &str) -> Done<f64> {
        let text = fs::read_to_string(format!("/proc/{}/status", self.pid()))?;
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<f64>().ok());
        Ok(kib.ok_or_else(|| format!("/proc/PID/status has no {name}"))? * 1024.0)
    }

    /// Seconds of CPU time so far, by all its threads.
    pub fn cpu(&self) -> Done<f64> {
        cpu(self.pid())
    }

    /// The same of this program.
    pub fn own_cpu() -> Done<f64> {
        cpu(std::process::id())
    }

    /// Descriptors that are open.
    pub fn descriptors(&self) -> Done<usize> {
        Ok(fs::read_dir(format!("/proc/{}/fd", self.pid()))?.count())
    }
}

/// Seconds of CPU time of a process so far, by all its threads.
fn cpu(pid: u32) -> Done<f64> {
    let mut sum = 0.0;
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        // A thread may end while it is looked at.
        let text = fs::read_to_string(task?.path().join("schedstat")).unwrap_or_default();
        sum += text.split(' ').next().and_then(|ns| ns.parse::<f64>().ok()).unwrap_or(0.0);
    }
    Ok(sum / 1e9)
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
