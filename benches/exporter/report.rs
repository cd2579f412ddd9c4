//! What was measured, and how it is printed: medians with their ranges, and ratios within a round beside their goals.
//!
//! Must not know how a figure is taken.

use std::{collections::BTreeMap, fmt};

/// Who is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Contender {
    Monitor,
    /// `blackbox_exporter`, or another build of this program.
    Other,
    Floor,
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Figure {
    CpuHttp,
    CpuHttps,
    Idle,
    PerHanging,
    Hanging,
    P99Alone,
    P99Hanging,
    Peak,
    After,
}

impl Figure {
    const ALL: [Self; 9] = [
        Self::CpuHttp,
        Self::CpuHttps,
        Self::Idle,
        Self::PerHanging,
        Self::P99Alone,
        Self::P99Hanging,
        Self::Hanging,
        Self::Peak,
        Self::After,
    ];

    /// What the figure is called, and the goal for this exporter beside the other exporter where there is one.
    fn words(self) -> (&'static str, Option<f64>) {
        match self {
            Self::CpuHttp => ("CPU of an HTTP probe, µs", Some(1.0 / 5.0)),
            Self::CpuHttps => ("CPU of an HTTPS probe, verified, µs", Some(1.0 / 2.5)),
            Self::Idle => ("memory when idle, MiB", Some(1.0 / 3.0)),
            Self::PerHanging => ("memory of a hanging probe, of 1000, KiB", Some(1.0 / 2.5)),
            Self::P99Alone => ("p99 of a good probe alone, ms", None),
            Self::P99Hanging => ("p99 of a good probe among the hanging, ms", None),
            Self::Hanging => ("how many were hanging then", None),
            Self::Peak => ("highest memory of the run, MiB", None),
            Self::After => ("memory after the hanging probes, MiB", None),
        }
    }
}

/// How much larger the p99 of good probes may be while others hang.
const P99_GOAL: f64 = 1.5;

/// Everything measured so far.
#[derive(Default)]
pub(crate) struct Report {
    series: BTreeMap<(Figure, Contender), Vec<f64>>,
    failed: BTreeMap<Contender, u32>,
}

impl Report {
    /// Takes the figure of one round in.
    pub(crate) fn add(&mut self, figure: Figure, contender: Contender, value: f64) {
        self.series.entry((figure, contender)).or_default().push(value);
    }

    /// Counts probes of a healthy target that failed: they would make a figure worthless.
    pub(crate) fn failed(&mut self, contender: Contender, count: u32) {
        *self.failed.entry(contender).or_default() += count;
    }

    fn series(&self, figure: Figure, contender: Contender) -> &[f64] {
        self.series.get(&(figure, contender)).map_or(&[], Vec::as_slice)
    }

    /// The figures of one contender over those of another, round by round.
    fn ratios(&self, over: (Figure, Contender), under: (Figure, Contender)) -> Vec<f64> {
        let pairs = self.series(over.0, over.1).iter().zip(self.series(under.0, under.1));
        pairs.map(|(over, under)| over / under).collect()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "\nThe median of the rounds [lowest-highest]:\n")?;
        writeln!(
            formatter,
            "| | webservice-monitor | the other exporter | bare sockets | ratio to the other | goal |"
        )?;
        writeln!(formatter, "|---|---|---|---|---|---|")?;
        for figure in Figure::ALL {
            let (name, goal) = figure.words();
            let goal = goal.map(|goal| format!("at most {}", as_ratio(goal))).unwrap_or_default();
            let ratios = self.ratios((figure, Contender::Monitor), (figure, Contender::Other));
            // How many hang is what was asked for, and no achievement.
            let ratio =
                if figure == Figure::Hanging { String::new() } else { summary(&ratios, as_ratio) };
            let [own, other, floor] = [Contender::Monitor, Contender::Other, Contender::Floor]
                .map(|contender| summary(self.series(figure, contender), as_number));
            writeln!(formatter, "| {name} | {own} | {other} | {floor} | {ratio} | {goal} |")?;
        }
        let [own, other] = [Contender::Monitor, Contender::Other].map(|contender| {
            let ratios =
                self.ratios((Figure::P99Hanging, contender), (Figure::P99Alone, contender));
            summary(&ratios, as_factor)
        });
        writeln!(
            formatter,
            "| p99 among the hanging : alone | {own} | {other} | | | at most {} |",
            as_factor(P99_GOAL)
        )?;
        for (contender, count) in self.failed.iter().filter(|(_, count)| **count > 0) {
            writeln!(formatter, "\n{contender:?}: {count} probes of a healthy target failed.")?;
        }
        Ok(())
    }
}

/// The median with the range, nothing for no values.
fn summary(values: &[f64], text: fn(f64) -> String) -> String {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let median = sorted.get(sorted.len() / 2);
    match (median, sorted.first(), sorted.last()) {
        (Some(median), Some(lowest), Some(highest)) => {
            format!("{} [{}-{}]", text(*median), text(*lowest), text(*highest))
        }
        _ => String::new(),
    }
}

fn as_number(value: f64) -> String {
    if value < 20.0 { format!("{value:.1}") } else { format!("{value:.0}") }
}

fn as_factor(value: f64) -> String {
    format!("{value:.1}x")
}

/// A ratio in favour of this exporter is a fraction, as the goals are.
fn as_ratio(value: f64) -> String {
    if value <= 1.0 { format!("1/{:.1}", 1.0 / value) } else { as_factor(value) }
}
