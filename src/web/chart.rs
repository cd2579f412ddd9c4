//! A chart of response times: one column for each span of time, stacked from the phases of the probe.
//!
//! Drawn by the server as SVG with presentation attributes only. Must not know where the numbers come from.

use std::fmt::Write as _;

use maud::{Markup, html};

use super::{availability::Range, words};
use crate::query::{Means, SPANS};

/// The drawing's size and margins, in units that are pixels at full size.
const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 220.0;
const LEFT: f64 = 52.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 24.0;

/// One part of the columns.
#[derive(Clone, Copy, Debug)]
pub(super) struct Band<'a> {
    /// What the legend calls it.
    pub(super) name: &'static str,
    /// The class that gives its colour.
    pub(super) class: &'static str,
    /// Its values, in seconds.
    pub(super) means: &'a Means,
}

/// The chart with its legend, which is its text alternative too. Says so when there is nothing to draw.
pub(super) fn chart(title: &str, bands: &[Band<'_>], range: &Range) -> Markup {
    if !bands.iter().any(|band| band.means.has_values()) {
        return html! { p.empty { "No response times in this range yet." } };
    }
    let columns = usize::try_from(SPANS).unwrap_or(0);
    let highest = (0..columns)
        .map(|span| bands.iter().map(|band| band.means.mean(span)).sum())
        .fold(0.0, f64::max);
    let (tick, ticks) = scale(highest * 1000.0);
    let top_ms = tick * f64::from(ticks);
    html! {
        figure {
            div.scroll tabindex="0" role="group" aria-label=(title) {
                svg.chart viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) role="img" aria-label=(format!(
                    "{title}: columns over the last {}, up to {}; the table below has the numbers",
                    range.name, words::response_time(highest)
                )) {
                    (horizontal_lines(tick, ticks))
                    (times(range))
                    @for span in 0..SPANS {
                        (column(bands, span, top_ms, range))
                    }
                }
            }
            (legend(bands))
        }
    }
}

/// A distance between lines of 1, 2 or 5 times a power of ten, and how many of them reach `highest`: at most 5.
fn scale(highest: f64) -> (f64, u32) {
    let mut power = 0.001;
    while power * 50.0 < highest && power < 1e9 {
        power *= 10.0;
    }
    let fits = |tick: f64| {
        (1..=5).find(|ticks| tick * f64::from(*ticks) >= highest).map(|ticks| (tick, ticks))
    };
    [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .find_map(|factor| fits(power * factor))
        .unwrap_or((highest.max(0.001), 1))
}

fn horizontal_lines(tick: f64, ticks: u32) -> Markup {
    let bottom = HEIGHT - BOTTOM;
    let decimals = if tick < 0.01 {
        3
    } else if tick < 0.1 {
        2
    } else {
        usize::from(tick < 1.0)
    };
    html! {
        @for number in 0..=ticks {
            @let y = bottom - (bottom - TOP) * f64::from(number) / f64::from(ticks);
            line.axis x1=(LEFT) x2=(WIDTH) y1=(fixed(y)) y2=(fixed(y)) {}
            text x=(LEFT - 6.0) y=(fixed(y + 4.0)) text-anchor="end" {
                (format!("{:.decimals$}", tick * f64::from(number)))
                @if number == ticks { " ms" }
            }
        }
    }
}

fn times(range: &Range) -> Markup {
    html! {
        @for span in (0..=SPANS).step_by(12) {
            @let anchor = match span { 0 => "start", SPANS => "end", _ => "middle" };
            text x=(fixed(x(span))) y=(fixed(HEIGHT - 6.0)) text-anchor=(anchor) { (range.label(span)) }
        }
    }
}

fn column(bands: &[Band<'_>], span: i64, top_ms: f64, range: &Range) -> Markup {
    let index = usize::try_from(span).unwrap_or(0);
    let plot = HEIGHT - BOTTOM - TOP;
    let mut y = HEIGHT - BOTTOM;
    let mut parts = Vec::new();
    let mut title = format!("{} – {} UTC", range.label(span), range.label(span + 1));
    for band in bands {
        let mean = band.means.mean(index);
        let height = (mean * 1000.0 / top_ms * plot).min(plot);
        if height > 0.0 {
            y -= height;
            // Writing to a string cannot fail.
            let _infallible = write!(title, "\n{} {}", band.name, words::response_time(mean));
            parts.push((band.class, y, height));
        }
    }
    html! {
        @if !parts.is_empty() {
            g {
                title { (title) }
                @for (class, y, height) in parts {
                    rect class=(class) x=(fixed(x(span) + 0.5)) width=(fixed(x(1) - x(0) - 1.0)) y=(fixed(y))
                        height=(fixed(height)) {}
                }
            }
        }
    }
}

fn legend(bands: &[Band<'_>]) -> Markup {
    html! {
        div.scroll {
            table.legend {
                thead { tr { th scope="col" { "Phase" } th scope="col" { "Mean" } th scope="col" { "Longest" } } }
                tbody {
                    @for band in bands {
                        @if let Some(mean) = band.means.mean_of_all() {
                            tr {
                                th scope="row" {
                                    svg.key viewBox="0 0 10 10" aria-hidden="true" {
                                        rect class=(band.class) width="10" height="10" {}
                                    }
                                    " " (band.name)
                                }
                                td { (words::response_time(mean)) }
                                td { (words::response_time(band.means.highest())) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn x(span: i64) -> f64 {
    LEFT + (WIDTH - LEFT) * words::real(span) / words::real(SPANS)
}

/// A coordinate: two decimals are finer than a screen.
fn fixed(value: f64) -> String {
    format!("{value:.2}")
}

#[cfg(test)]
mod tests {
    use series::Sample;

    use super::*;

    #[test]
    fn the_scale_fits_and_is_round() {
        for (highest, expected) in [
            (0.0, (0.001, 1)),
            (4.9, (1.0, 5)),
            (7.0, (2.0, 4)),
            (23.0, (5.0, 5)),
            (30.0, (10.0, 3)),
            (1234.0, (500.0, 3)),
        ] {
            let (tick, ticks) = scale(highest);
            assert!(
                (tick - expected.0).abs() < 1e-9 * expected.0.max(1.0) && ticks == expected.1,
                "{highest}: {tick} {ticks}"
            );
        }
        for highest in [f64::INFINITY, 1e300] {
            let (tick, ticks) = scale(highest);
            assert!(tick > 0.0 && ticks >= 1);
        }
    }

    #[test]
    fn a_column_stacks_its_bands() {
        let range = Range::parse(None, 3_600_000, 0);
        let drawn = |[connect, processing]: &[Means; 2]| {
            let bands = [
                Band { name: "connect", class: "p-connect", means: connect },
                Band { name: "processing", class: "p-processing", means: processing },
            ];
            chart("Response time", &bands, &range).into_string()
        };
        let mut means = [Means::default(), Means::default()];
        assert!(drawn(&means).contains("No response times"));
        let timestamp = range.window.begin(10) + 5;
        for (means, value) in means.iter_mut().zip([0.01, 0.04]) {
            means.add(&range.window, Sample { timestamp, value });
        }
        means[0].add(&range.window, Sample { timestamp: timestamp + 1, value: f64::NAN });
        let drawing = drawn(&means);
        // 50 ms fill the height of 186, of which connecting has a fifth, at the bottom.
        assert!(drawing.contains("width=\"10.13\" y=\"158.80\" height=\"37.20\""), "{drawing}");
        assert!(drawing.contains("width=\"10.13\" y=\"10.00\" height=\"148.80\""), "{drawing}");
        assert!(
            drawing.contains("50 ms</text>") && drawing.contains("<td>40 ms</td>"),
            "{drawing}"
        );
    }
}
