//! The same metrics in Prometheus' older text format, for what does not read OpenMetrics: there a counter is named with its
//! ending also in the lines about it, and nothing marks the end ("Exposition formats").

/// OpenMetrics' text as text of version 0.0.4.
pub fn as_plain_text(open_metrics: &str) -> String {
    let counters: Vec<&str> =
        open_metrics.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.strip_suffix(" counter")).collect();
    let mut text = String::with_capacity(open_metrics.len());
    for line in open_metrics.lines() {
        match about(line) {
            Some((mark, name, rest)) if counters.contains(&name) => {
                text.push_str(&format!("{mark}{name}_total {rest}"))
            }
            _ if line == "# EOF" || line.starts_with("# UNIT ") => continue,
            _ => text.push_str(line),
        }
        text.push('\n');
    }
    text
}

/// A line about a metric: what it begins with, the name, and the rest.
fn about(line: &str) -> Option<(&'static str, &str, &str)> {
    ["# HELP ", "# TYPE "].into_iter().find_map(|mark| {
        let (name, rest) = line.strip_prefix(mark)?.split_once(' ')?;
        Some((mark, name, rest))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_has_its_ending_everywhere_and_nothing_else_changes() {
        let open = "# HELP a_b Things.\n# TYPE a_b counter\na_b_total{kind=\"# EOF\"} 1\n# HELP c Other things.\n# TYPE c gauge\n\
            # UNIT c seconds\nc 2\n# EOF\n";
        let plain = "# HELP a_b_total Things.\n# TYPE a_b_total counter\na_b_total{kind=\"# EOF\"} 1\n# HELP c Other things.\n\
            # TYPE c gauge\nc 2\n";
        assert_eq!(as_plain_text(open), plain);
    }
}
