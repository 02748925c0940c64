//! The result of a run, printed as one line of JSON with the same names as the Go peer's.

use std::{fmt, time::Duration};

/// What a run took.
#[derive(Debug)]
pub struct Report {
    calls: usize,
    seconds: f64,
    client_us: f64,
    server_us: Option<f64>,
    /// Median and 99th percentile, in microseconds; none where no latencies were taken.
    percentiles: Option<(f64, f64)>,
}

impl Report {
    pub(crate) fn new(
        calls: usize,
        wall: Duration,
        client: Duration,
        server: Option<Duration>,
        latencies: Vec<u32>,
    ) -> Report {
        let per_call = |cpu: Duration| cpu.as_secs_f64() * 1e6 / calls as f64;
        let mut report = Report {
            calls,
            seconds: wall.as_secs_f64(),
            client_us: per_call(client),
            server_us: server.map(per_call),
            percentiles: None,
        };
        report.latencies(latencies);
        report
    }

    /// Adds the latencies, in nanoseconds.
    pub(crate) fn latencies(&mut self, mut nanos: Vec<u32>) {
        nanos.sort_unstable();
        let at = |percent: usize| f64::from(nanos[(nanos.len() - 1) * percent / 100]) / 1e3;
        self.percentiles = (!nanos.is_empty()).then(|| (at(50), at(99)));
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (p50, p99) = self.percentiles.unzip();
        write!(f, r#"{{"calls":{},"seconds":{:.6},"#, self.calls, self.seconds)?;
        write!(f, r#""p50_us":{},"p99_us":{},"#, number(p50), number(p99))?;
        let server = number(self.server_us);
        write!(f, r#""client_cpu_us_per_call":{:.3},"#, self.client_us)?;
        write!(f, r#""server_cpu_us_per_call":{server}}}"#)
    }
}

fn number(value: Option<f64>) -> String {
    value.map_or_else(|| "null".to_owned(), |value| format!("{value:.3}"))
}
