//! How long commits took, read from the text of the metrics: the library tells nothing of what a histogram holds.

/// How long durable commits took since the start of the process.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CommitTimes {
    pub count: i64,
    /// In seconds.
    pub mean: Option<f64>,
    /// In seconds: 99 of 100 took at most so long. `None` if there was none, or if it was longer than the last bucket.
    pub slow: Option<f64>,
    /// Writes that one commit held, on average: above one, writes had to wait for each other.
    pub writes: Option<f64>,
}

impl CommitTimes {
    /// Reads it from the text of the metrics.
    pub(super) fn of_text(text: &str) -> CommitTimes {
        let name = "till_commit_seconds";
        let value = |name: &str| -> Option<f64> {
            let line = text.lines().find(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(' ')))?;
            line.rsplit(' ').next()?.parse().ok()
        };
        let count = value("till_commit_seconds_count").unwrap_or_default();
        let bucket = |line: &str| -> Option<(f64, f64)> {
            let (end, number) = line.strip_prefix(name)?.strip_prefix("_bucket{le=\"")?.split_once("\"} ")?;
            Some((end.parse().ok()?, number.parse().ok()?))
        };
        let slow = text.lines().filter_map(bucket).find(|(_, number)| count > 0.0 && *number >= count * 0.99);
        CommitTimes {
            count: count as i64,
            mean: value("till_commit_seconds_sum").filter(|_| count > 0.0).map(|sum| sum / count),
            writes: value("till_commit_writes_sum").filter(|_| count > 0.0).map(|sum| sum / count),
            slow: slow.map(|(end, _)| end).filter(|end| end.is_finite()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commit_times_are_read_from_what_is_counted() {
        let text = "# TYPE till_commit_seconds histogram\n\
            till_commit_seconds_sum 0.5\ntill_commit_seconds_count 100\n\
            till_commit_seconds_bucket{le=\"0.001\"} 98\ntill_commit_seconds_bucket{le=\"0.003\"} 99\n\
            till_commit_seconds_bucket{le=\"+Inf\"} 100\ntill_commit_writes_sum 250.0\n";
        let times = CommitTimes { count: 100, mean: Some(0.005), slow: Some(0.003), writes: Some(2.5) };
        assert_eq!(CommitTimes::of_text(text), times);
        let slow = text.replace("99\n", "98\n");
        assert_eq!(CommitTimes::of_text(&slow), CommitTimes { slow: None, ..times }, "longer than the last bucket");
        assert_eq!(CommitTimes::of_text(""), CommitTimes::default());
    }
}
