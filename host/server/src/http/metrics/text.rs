//! Prometheus' text format, version 0.0.4.

use std::fmt::Write as _;

use crate::meter::{Histogram, Reading};

/// The page as it grows; writing to a `String` cannot fail.
pub(super) struct Text(pub(super) String);

impl Text {
    pub(super) fn new() -> Self {
        Self(String::with_capacity(16 * 1024))
    }

    pub(super) fn head(&mut self, name: &str, kind: &str, help: &str) {
        let _ = write!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
    }

    pub(super) fn line(&mut self, name: &str, labels: &[(&str, &str)], value: f64) {
        self.0.push_str(name);
        for (i, (label, text)) in labels.iter().enumerate() {
            let open = if i == 0 { '{' } else { ',' };
            let _ = write!(self.0, "{open}{label}=\"{}\"", escaped(text));
        }
        self.0.push_str(if labels.is_empty() { "" } else { "}" });
        let _ = writeln!(self.0, " {value}");
    }

    pub(super) fn gauge(&mut self, name: &str, help: &str, value: f64) {
        self.head(name, "gauge", help);
        self.line(name, &[], value);
    }

    pub(super) fn count(&mut self, name: &str, help: &str, value: u64) {
        self.head(name, "counter", help);
        self.line(name, &[], value as f64);
    }

    /// A histogram of durations, in seconds.
    pub(super) fn times(&mut self, name: &str, help: &str, seen_us: &Histogram) {
        self.head(name, "histogram", help);
        self.classes(name, &[], &seen_us.read(), 1e6);
    }

    /// A histogram of sizes.
    pub(super) fn sizes(&mut self, name: &str, help: &str, labels: &[(&str, &str)], of: &Reading) {
        self.head(name, "histogram", help);
        self.classes(name, labels, of, 1.0);
    }

    /// One series of a histogram whose head stands already; sizes are divided by `per_unit`.
    pub(super) fn classes(
        &mut self,
        name: &str,
        labels: &[(&str, &str)],
        of: &Reading,
        per_unit: f64,
    ) {
        let bucket = format!("{name}_bucket");
        let mut with_bound = |bound: &str, n: u64| {
            let labels = [labels, &[("le", bound)]].concat();
            self.line(&bucket, &labels, n as f64);
        };
        for (bound, n) in &of.up_to {
            with_bound(&(*bound as f64 / per_unit).to_string(), *n);
        }
        with_bound("+Inf", of.count);
        self.line(&format!("{name}_sum"), labels, of.sum as f64 / per_unit);
        self.line(&format!("{name}_count"), labels, of.count as f64);
    }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_histogram_is_cumulative_and_in_seconds() {
        let seen = Histogram::new(&[50, 2_500_000]);
        for us in [10, 60, 9_000_000] {
            seen.see(us);
        }
        let mut text = Text::new();
        text.times("t_seconds", "Time.", &seen);
        let wanted = "# HELP t_seconds Time.\n# TYPE t_seconds histogram\n\
            t_seconds_bucket{le=\"0.00005\"} 1\nt_seconds_bucket{le=\"2.5\"} 2\n\
            t_seconds_bucket{le=\"+Inf\"} 3\nt_seconds_sum 9.00007\nt_seconds_count 3\n";
        assert_eq!(text.0, wanted);
    }

    #[test]
    fn labels_are_escaped() {
        let mut text = Text::new();
        text.line("a", &[("b", "x\"\\\ny"), ("c", "d")], 1.0);
        assert_eq!(text.0, "a{b=\"x\\\"\\\\\\ny\",c=\"d\"} 1\n");
    }
}
