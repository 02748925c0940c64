//! A strict reader of Prometheus's text format, version 0.0.4, written from its description.

use std::collections::{BTreeMap, BTreeSet};

/// The labels of a number, sorted.
type Labels = Vec<(String, String)>;

/// What a page says.
#[derive(Debug, Default)]
pub(super) struct Page {
    /// By name, the number's labels and it.
    numbers: BTreeMap<String, Vec<(Labels, f64)>>,
}

fn is_name(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with(|c: char| c.is_ascii_digit())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b':')
}

impl Page {
    /// Reads a page.
    ///
    /// # Panics
    /// When anything is wrong with it.
    pub(super) fn read(text: &str) -> Page {
        assert!(text.is_empty() || text.ends_with('\n'), "the last line must end");
        let mut page = Page::default();
        let (mut kinds, mut current) = (BTreeMap::<String, String>::new(), String::new());
        let mut seen = BTreeSet::new();
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# ") {
                let (word, rest) = rest.split_once(' ').expect(line);
                let (name, rest) = rest.split_once(' ').expect(line);
                assert!(is_name(name), "{line}");
                match word {
                    "HELP" => {
                        assert!(!rest.is_empty() && !kinds.contains_key(name), "{line}");
                        current = name.to_owned();
                    }
                    "TYPE" => {
                        let known = ["counter", "gauge", "histogram"].contains(&rest);
                        assert!(known && current == name, "{line}");
                        let before = kinds.insert(name.to_owned(), rest.to_owned());
                        assert!(before.is_none(), "a second {line}");
                    }
                    _ => panic!("neither HELP nor TYPE: {line}"),
                }
                continue;
            }
            let (name, labels, value) = number(line);
            let histogram = kinds.get(&current).is_some_and(|kind| kind == "histogram");
            let family = ["_bucket", "_sum", "_count"]
                .iter()
                .find_map(|end| name.strip_suffix(end).filter(|_| histogram))
                .unwrap_or(&name);
            assert_eq!(family, current, "{line} stands with others");
            assert!(kinds.contains_key(family), "{line} has no type");
            if kinds[family] == "counter" {
                assert!(name.ends_with("_total") && value >= 0.0, "{line}");
            }
            assert!(seen.insert((name.clone(), labels.clone())), "twice: {line}");
            page.numbers.entry(name).or_default().push((labels, value));
        }
        page.check_histograms(&kinds);
        page
    }

    /// Buckets rise, the last one is `+Inf` and what `_count` says.
    fn check_histograms(&self, kinds: &BTreeMap<String, String>) {
        for name in kinds.iter().filter(|(_, kind)| *kind == "histogram").map(|(name, _)| name) {
            let mut buckets = BTreeMap::<Labels, Vec<(f64, f64)>>::new();
            for (labels, value) in self.numbers.get(&format!("{name}_bucket")).into_iter().flatten()
            {
                let (le, rest): (Vec<_>, _) =
                    labels.iter().cloned().partition(|(label, _)| label == "le");
                let bound = le[0].1.parse().expect("a bound");
                buckets.entry(rest).or_default().push((bound, *value));
            }
            for (labels, buckets) in &buckets {
                let rises = buckets.windows(2).all(|w| w[0].0 < w[1].0 && w[0].1 <= w[1].1);
                assert!(rises, "{name} {labels:?} {buckets:?}");
                let (bound, all) = buckets[buckets.len() - 1];
                assert_eq!(bound, f64::INFINITY);
                let exactly = |name: &str| {
                    let mut numbers = self.numbers[name].iter();
                    numbers.find(|(found, _)| found == labels).expect(name).1
                };
                assert_eq!(exactly(&format!("{name}_count")), all);
                assert!(exactly(&format!("{name}_sum")) >= 0.0);
            }
        }
    }

    /// The sum of all numbers of this name that have these labels.
    pub(super) fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let has = |found: &Labels| {
            labels.iter().all(|(name, value)| found.iter().any(|(n, v)| n == name && v == value))
        };
        let numbers = self.numbers.get(name).into_iter().flatten();
        numbers.filter(|(found, _)| has(found)).map(|(_, value)| value).sum()
    }

    /// How many numbers there are.
    pub(super) fn len(&self) -> usize {
        self.numbers.values().map(Vec::len).sum()
    }
}

/// Cuts `name{label="text",…} value`.
fn number(line: &str) -> (String, Labels, f64) {
    let end = line.find(['{', ' ']).expect(line);
    let (name, mut rest) = line.split_at(end);
    assert!(is_name(name), "{line}");
    let mut labels = Vec::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        loop {
            let (label, text) = rest.split_once("=\"").expect(line);
            assert!(is_name(label) && !label.contains(':'), "{line}");
            let (mut value, mut chars) = (String::new(), text.char_indices());
            let close = loop {
                match chars.next().expect(line) {
                    (at, '"') => break at,
                    (_, '\\') => value.push(match chars.next().expect(line).1 {
                        'n' => '\n',
                        c @ ('\\' | '"') => c,
                        c => panic!("\\{c} in {line}"),
                    }),
                    (_, c) => value.push(c),
                }
            };
            labels.push((label.to_owned(), value));
            rest = &text[close + 1..];
            if let Some(end) = rest.strip_prefix('}') {
                rest = end;
                break;
            }
            rest = rest.strip_prefix(',').expect(line);
        }
    }
    labels.sort();
    assert!(labels.windows(2).all(|two| two[0].0 != two[1].0), "a label twice: {line}");
    let value = rest.strip_prefix(' ').expect(line);
    assert!(!value.contains(' '), "{line}");
    (name.to_owned(), labels, value.parse().expect(line))
}

#[test]
fn the_reader_is_strict() {
    let good = "# HELP a_total What.\n# TYPE a_total counter\na_total{x=\"\\\"\\\\\\n\"} 1\n";
    assert_eq!(Page::read(good).sum("a_total", &[("x", "\"\\\n")]), 1.0);
    for bad in [
        "a_total 1\n",
        "# HELP a_total What.\n# TYPE a_total counter\na_total 1",
        "# HELP a_total What.\n# TYPE a_total counter\na_total 1\na_total 2\n",
        "# HELP a_total What.\n# TYPE a_total counter\na_total{x=\"\"\"} 2\n",
        "# HELP a_total What.\n# TYPE a_total counter\nb_total 2\n",
        "# HELP h H.\n# TYPE h histogram\nh_bucket{le=\"1\"} 2\nh_sum 1\nh_count 2\n",
        "# HELP h H.\n# TYPE h histogram\nh_bucket{le=\"+Inf\"} 2\nh_sum 1\nh_count 3\n",
    ] {
        assert!(std::panic::catch_unwind(|| Page::read(bad)).is_err(), "{bad}");
    }
}
