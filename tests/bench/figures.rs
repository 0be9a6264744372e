//! Figures: the rate and the latencies of a round, the median of the rounds, and the table.

use super::load::Round;

/// One round in figures.
#[derive(Clone, Copy)]
pub struct Figure {
    rate: f64,
    /// Milliseconds.
    p50: f64,
    p99: f64,
    /// Microseconds of the server's processor time for each.
    cost: f64,
}

/// One row of the table.
pub struct Row {
    name: String,
    figure: Figure,
    /// To the empty handler.
    ratio: Option<f64>,
}

/// How long the answers of one row took, in milliseconds.
#[derive(Clone, Copy)]
pub struct Percentiles {
    /// The medians of the rounds.
    pub p50: f64,
    pub p99: f64,
    /// Of the round with the highest.
    pub worst_p99: f64,
}

impl Figure {
    /// Of a round in which each answer counts for so many, and in which the server used so many seconds of processor.
    pub fn of(round: &Round, counts: u32, cpu: f64) -> Figure {
        let mut latencies = round.latencies.clone();
        latencies.sort_unstable();
        let at = |part: f64| {
            let place = (part * latencies.len() as f64) as usize;
            f64::from(latencies.get(place).or(latencies.last()).copied().unwrap_or_default()) / 1000.0
        };
        let (counts, seconds) = (f64::from(counts), round.window.as_secs_f64());
        let cost = cpu * 1e6 / (round.answered.max(1) as f64 * counts);
        Figure { rate: latencies.len() as f64 * counts / seconds, p50: at(0.5), p99: at(0.99), cost }
    }

    /// The same, where not every answer was timed.
    pub fn at_rate(self, rate: f64) -> Figure {
        Figure { rate, ..self }
    }
}

impl Percentiles {
    /// Of these rounds.
    pub fn of(rounds: &[Figure]) -> Percentiles {
        let of = |field: fn(&Figure) -> f64| rounds.iter().map(field).collect();
        let worst_p99 = rounds.iter().map(|round| round.p99).fold(f64::NAN, f64::max);
        Percentiles { p50: median(of(|round| round.p50)), p99: median(of(|round| round.p99)), worst_p99 }
    }
}

impl Row {
    /// The medians of the rounds; the ratio is that of each round to the other's same round.
    pub fn of(name: String, rounds: &[Figure], against: Option<&[Figure]>) -> Row {
        let of = |field: fn(&Figure) -> f64| median(rounds.iter().map(field).collect());
        let figure = Figure {
            rate: of(|round| round.rate),
            p50: of(|round| round.p50),
            p99: of(|round| round.p99),
            cost: of(|round| round.cost),
        };
        let ratios =
            |against: &[Figure]| rounds.iter().zip(against).map(|(ours, empty)| ours.rate / empty.rate).collect();
        Row { name, figure, ratio: against.map(|against| median(ratios(against))) }
    }
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The rows with their head; the last column is a share of `against`.
pub fn table(rows: &[Row], against: &str) -> String {
    let width = rows.iter().map(|row| row.name.len()).max().unwrap_or(0);
    let head = ["per second", "p50 ms", "p99 ms", "CPU µs", against];
    let mut text =
        format!("{:width$}  {:>10}  {:>8}  {:>8}  {:>7}  {}\n", "", head[0], head[1], head[2], head[3], head[4]);
    for Row { name, figure, ratio } in rows {
        let Figure { rate, p50, p99, cost } = figure;
        let ratio = ratio.map_or(String::new(), |ratio| format!("{:.0} %", ratio * 100.0));
        text.push_str(&format!("{name:width$}  {rate:>10.0}  {p50:>8.2}  {p99:>8.2}  {cost:>7.1}  {ratio:>20}\n"));
    }
    text
}
