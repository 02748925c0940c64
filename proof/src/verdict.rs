//! What a criterion comes to: what was measured, what was allowed, and whether it holds.

use serde_json::{Map, Value, json};

/// One criterion's result; printed as one line of JSON.
#[derive(Debug, Default)]
pub struct Verdict {
    checks: Vec<Check>,
    notes: Vec<(String, Value)>,
}

#[derive(Debug)]
struct Check {
    name: String,
    measured: f64,
    limit: f64,
    /// The limit is the most; or the least.
    most: bool,
}

impl Check {
    fn holds(&self) -> bool {
        match self.most {
            true => self.measured <= self.limit,
            false => self.measured >= self.limit,
        }
    }
}

impl Verdict {
    /// Nothing was measured yet.
    pub fn new() -> Verdict {
        Verdict::default()
    }

    /// Something that may be `limit` and no more.
    pub fn at_most(&mut self, name: impl Into<String>, measured: f64, limit: f64) {
        self.checks.push(Check { name: name.into(), measured, limit, most: true });
    }

    /// Something that must be `limit` or more.
    pub fn at_least(&mut self, name: impl Into<String>, measured: f64, limit: f64) {
        self.checks.push(Check { name: name.into(), measured, limit, most: false });
    }

    /// Something that must never happen.
    pub fn none(&mut self, name: impl Into<String>, count: u64) {
        self.at_most(name, count as f64, 0.0);
    }

    /// Something that must be so.
    pub fn holds(&mut self, name: impl Into<String>, holds: bool) {
        self.at_least(name, f64::from(u8::from(holds)), 1.0);
    }

    /// Something that is told and not judged.
    pub fn note(&mut self, name: impl Into<String>, value: impl Into<Value>) {
        self.notes.push((name.into(), value.into()));
    }

    /// Takes another's checks in, their names behind a prefix.
    pub fn add(&mut self, prefix: &str, other: Verdict) {
        let named = |name| format!("{prefix}.{name}");
        let checks = other.checks.into_iter();
        self.checks.extend(checks.map(|check| Check { name: named(check.name), ..check }));
        self.notes.extend(other.notes.into_iter().map(|(name, value)| (named(name), value)));
    }

    /// Whether all holds, and something was measured at all.
    pub fn pass(&self) -> bool {
        !self.checks.is_empty() && self.checks.iter().all(Check::holds)
    }

    /// The names of what does not hold.
    pub fn failures(&self) -> Vec<String> {
        let bad = self.checks.iter().filter(|check| !check.holds());
        bad.map(|check| check.name.clone()).collect()
    }

    /// `{"id":…,"pass":…,"measured":{…},"limit":{…},"seed":…}`, and the failures by name.
    pub fn line(&self, id: &str, seed: u64) -> String {
        let measured = self.checks.iter().map(|check| (check.name.clone(), tidy(check.measured)));
        let measured: Map<_, _> = measured.chain(self.notes.iter().cloned()).collect();
        let limit = self.checks.iter().map(|check| {
            let sign = if check.most { "<=" } else { ">=" };
            (check.name.clone(), json!(format!("{sign} {}", tidy(check.limit))))
        });
        let limit: Map<_, _> = limit.collect();
        let (pass, failed) = (self.pass(), self.failures());
        let line = json!({
            "id": id, "pass": pass, "failed": failed,
            "measured": measured, "limit": limit, "seed": seed,
        });
        line.to_string()
    }
}

/// A number people can read: no more than three places behind the point.
fn tidy(number: f64) -> Value {
    let rounded = (number * 1000.0).round() / 1000.0;
    match rounded.fract() == 0.0 && rounded.abs() < 1e15 {
        true => json!(rounded as i64),
        false => json!(rounded),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_bad_check_is_a_failure() {
        let mut verdict = Verdict::new();
        assert!(!verdict.pass(), "nothing measured is nothing shown");
        verdict.at_most("bytes", 1.5, 2.0);
        verdict.at_least("calls", 10.0, 10.0);
        assert!(verdict.pass());
        let mut all = Verdict::new();
        all.add("rpcx", verdict);
        all.none("lost", 1);
        assert_eq!(all.failures(), ["lost"]);
        let line: Value = serde_json::from_str(&all.line("R0", 7)).expect("JSON");
        assert_eq!(line["measured"]["rpcx.bytes"], 1.5);
        assert_eq!(line["limit"]["lost"], "<= 0");
        assert_eq!((&line["pass"], &line["seed"]), (&json!(false), &json!(7)));
    }
}
