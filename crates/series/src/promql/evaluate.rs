//! Walks over a plan and evaluates each node for all steps of the query at once.
//!
//! A selector is read once for the whole query; windows then slide over its samples. Must not know how queries are
//! parsed, nor any function in particular.

use std::{cell::Cell, collections::HashMap};

use super::{
    Options, QueryError, aggregate, functions, number, operator,
    plan::{At, Moment, Plan, RangeSelector, RangeSource, Selector},
    table::{Column, SAME_LABELS, Steps, Table, Window, map_values, merge},
};
use crate::{Labels, Matcher, Queryable, Sample, Series, Timestamp, is_stale};

/// One evaluation of a query or of a subquery.
pub(super) struct Evaluation<'a> {
    /// Where samples come from.
    pub(super) source: &'a dyn Queryable,
    /// Limits and defaults.
    pub(super) options: &'a Options,
    /// The times to evaluate at.
    pub(super) steps: Steps,
    /// The times of the whole query, also inside of a subquery: what `start()`, `end()` and `step()` mean.
    pub(super) query: Steps,
    /// How many samples the whole query holds at present.
    pub(super) samples: &'a Cell<usize>,
}

impl Evaluation<'_> {
    /// Evaluates a node. What its parts held in memory is free again afterwards; only the result still counts.
    pub(super) fn table(&self, plan: &Plan) -> Result<Table, QueryError> {
        let before = self.samples.get();
        let table = self.node(plan)?;
        self.samples.set(before);
        match &table {
            Table::Scalar(values) => self.charge(values.len())?,
            Table::Text(_) => {}
            Table::Vector(columns) => {
                self.charge(columns.len().saturating_mul(self.steps.count))?;
            }
        }
        Ok(table)
    }

    fn node(&self, plan: &Plan) -> Result<Table, QueryError> {
        match plan {
            Plan::Number(number) => Ok(Table::Scalar(vec![*number; self.steps.count])),
            Plan::Text(text) => Ok(Table::Text(text.to_string())),
            Plan::Instant(selector) => {
                Ok(Table::Vector(self.latest(selector, &|sample| sample.value)?))
            }
            Plan::Range(_) => {
                Err(QueryError::Evaluate("a range vector is not allowed here".to_owned()))
            }
            Plan::Call(function, arguments) => functions::call(function, self, arguments),
            Plan::Aggregate(aggregate) => Ok(Table::Vector(aggregate::apply(aggregate, self)?)),
            Plan::Negate(operand) => match self.table(operand)? {
                Table::Scalar(values) => {
                    Ok(Table::Scalar(values.into_iter().map(|value| -value).collect()))
                }
                Table::Vector(columns) => Ok(Table::Vector(map_values(columns, |value| -value)?)),
                Table::Text(_) => {
                    Err(QueryError::Evaluate("a string cannot be negated".to_owned()))
                }
            },
            Plan::Binary(binary) => {
                let left = self.table(&binary.left)?;
                let right = self.table(&binary.right)?;
                operator::apply(binary, left, right, self)
            }
        }
    }

    /// The times of the steps, in seconds.
    pub(super) fn seconds(&self) -> impl Iterator<Item = f64> {
        self.steps.times().map(number::seconds)
    }

    /// Evaluates a node that gives an instant vector.
    pub(super) fn vector(&self, plan: &Plan) -> Result<Vec<Column>, QueryError> {
        match self.table(plan)? {
            Table::Vector(columns) => Ok(columns),
            _ => Err(QueryError::Evaluate("expected an instant vector".to_owned())),
        }
    }

    /// Evaluates a node that gives a number.
    pub(super) fn scalar(&self, plan: &Plan) -> Result<Vec<f64>, QueryError> {
        match self.table(plan)? {
            Table::Scalar(values) => Ok(values),
            _ => Err(QueryError::Evaluate("expected a scalar".to_owned())),
        }
    }

    /// Counts samples that are held in memory.
    pub(super) fn charge(&self, samples: usize) -> Result<(), QueryError> {
        let total = self.samples.get().saturating_add(samples);
        self.samples.set(total);
        if total > self.options.samples_max {
            let message =
                format!("the query needs more than {} samples in memory", self.options.samples_max);
            return Err(QueryError::Limit(message));
        }
        Ok(())
    }

    /// The moment a selector refers to, at one step.
    fn moment(&self, moment: Moment, step: Timestamp) -> Timestamp {
        let base = match moment.at {
            None => step,
            Some(At::Start) => self.query.start,
            Some(At::End) => self.query.last(),
            Some(At::Time(time)) => time,
        };
        base.saturating_sub(moment.offset_ms)
    }

    fn select(
        &self,
        matchers: &[Matcher],
        after: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<Series>, QueryError> {
        let mut series = self.source.select(matchers, after, until)?;
        self.charge(series.iter().map(|series| series.samples.len()).sum())?;
        // The order of a source is unspecified; everything after this line is deterministic.
        series.sort_by(|left, right| left.labels.cmp(&right.labels));
        Ok(series)
    }

    /// The latest sample of each series at each step, unless it is a staleness marker or older than the lookback.
    pub(super) fn latest(
        &self,
        selector: &Selector,
        read: &dyn Fn(Sample) -> f64,
    ) -> Result<Vec<Column>, QueryError> {
        if self.steps.count == 1 {
            let moment = self.moment(selector.moment, self.steps.start);
            let after = moment.saturating_sub(self.lookback_ms());
            return self.single(&selector.matchers, (after, moment), false, read);
        }
        if self.reads_in_pieces(selector.moment, self.lookback_ms()) {
            return self.piecewise(|_, single| single.latest(selector, read));
        }
        self.latest_of(selector, read)
    }

    /// The latest sample of each series in the window, at the only step there is: read without the samples before it.
    fn single(
        &self,
        matchers: &[Matcher],
        (after, until): (Timestamp, Timestamp),
        numbers: bool,
        read: &dyn Fn(Sample) -> f64,
    ) -> Result<Vec<Column>, QueryError> {
        let mut latest = self.source.latest(matchers, after, until, numbers)?;
        latest.retain(|(_, sample)| !is_stale(sample.value));
        self.charge(latest.len())?;
        latest.sort_by(|left, right| left.0.cmp(&right.0));
        let columns = latest
            .into_iter()
            .map(|(labels, sample)| Column { labels, values: vec![Some(read(sample))] })
            .collect();
        merge(columns, SAME_LABELS)
    }

    /// `last_over_time()`, and what else needs nothing of a window but its last sample.
    pub(super) fn last_of_windows(
        &self,
        selector: &RangeSelector,
        apply: fn(&Window<'_>) -> Option<f64>,
    ) -> Result<Vec<Column>, QueryError> {
        let RangeSource::Series(matchers) = &selector.over else {
            return self.over_windows(selector, &[], apply);
        };
        if self.steps.count != 1 {
            return self.over_windows(selector, &[], apply);
        }
        let at = self.steps.start;
        let end = self.moment(selector.moment, at);
        let start = end.saturating_sub(selector.range_ms);
        let read = |sample: Sample| {
            let window = Window { samples: &[sample], start, end, at, parameters: &[] };
            apply(&window).unwrap_or(f64::NAN)
        };
        self.single(matchers, (start, end), true, &read)
    }

    /// How far back an instant selector looks.
    fn lookback_ms(&self) -> i64 {
        self.options.lookback_ms.unwrap_or_else(|| self.source.lookback_ms())
    }

    /// Whether the steps are so far apart that most samples lie between the windows.
    fn reads_in_pieces(&self, moment: Moment, window_ms: i64) -> bool {
        self.steps.count > 1 && moment.at.is_none() && self.steps.step_ms / 4 >= window_ms
    }

    /// Evaluates each step by itself: a month by the hour never holds the samples of the whole month.
    fn piecewise(
        &self,
        evaluate: impl Fn(usize, &Evaluation<'_>) -> Result<Vec<Column>, QueryError>,
    ) -> Result<Vec<Column>, QueryError> {
        let mut columns: Vec<Column> = Vec::new();
        let mut places: HashMap<Labels, usize> = HashMap::new();
        for (step, start) in self.steps.times().enumerate() {
            let held = self.samples.get();
            let single = Evaluation { steps: Steps { start, step_ms: 0, count: 1 }, ..*self };
            let piece = evaluate(step, &single)?;
            self.samples.set(held);
            for Column { labels, values } in piece {
                let place = *places.entry(labels.clone()).or_insert(columns.len());
                if place == columns.len() {
                    self.charge(self.steps.count)?;
                    columns.push(Column { labels, values: vec![None; self.steps.count] });
                }
                let value = columns.get_mut(place).and_then(|column| column.values.get_mut(step));
                if let (Some(value), Some(here)) = (value, values.first()) {
                    *value = *here;
                }
            }
        }
        columns.sort_by(|left, right| left.labels.cmp(&right.labels));
        Ok(columns)
    }

    /// [`Self::latest`] with one selection for all steps.
    fn latest_of(
        &self,
        selector: &Selector,
        read: &dyn Fn(Sample) -> f64,
    ) -> Result<Vec<Column>, QueryError> {
        let (steps, lookback) = (self.steps, self.lookback_ms());
        let first = self.moment(selector.moment, steps.start).saturating_sub(lookback);
        let last = self.moment(selector.moment, steps.last());
        let series = self.select(&selector.matchers, first, last)?;
        self.charge(series.len().saturating_mul(steps.count))?;
        let mut columns = Vec::with_capacity(series.len());
        for Series { labels, samples } in series {
            let mut rest = samples.iter().copied().peekable();
            let mut latest: Option<Sample> = None;
            let values = steps.times().map(|step| {
                let moment = self.moment(selector.moment, step);
                while let Some(sample) = rest.next_if(|sample| sample.timestamp <= moment) {
                    latest = Some(sample);
                }
                latest
                    .filter(|sample| {
                        sample.timestamp > moment.saturating_sub(lookback)
                            && !is_stale(sample.value)
                    })
                    .map(read)
            });
            let values = values.collect();
            columns.push(Column { labels, values });
        }
        merge(columns, SAME_LABELS)
    }

    /// The series under the windows of a range selector, without staleness markers.
    pub(super) fn range_series(&self, selector: &RangeSelector) -> Result<Vec<Series>, QueryError> {
        let after =
            self.moment(selector.moment, self.steps.start).saturating_sub(selector.range_ms);
        let until = self.moment(selector.moment, self.steps.last());
        match &selector.over {
            RangeSource::Series(matchers) => {
                let mut series = self.select(matchers, after, until)?;
                for one in &mut series {
                    one.samples.retain(|sample| !is_stale(sample.value));
                }
                series.retain(|one| !one.samples.is_empty());
                Ok(series)
            }
            RangeSource::Subquery { plan, step_ms } => self.subquery(plan, *step_ms, after, until),
        }
    }

    /// Evaluates a subquery at the multiples of its step in (`after`, `until`].
    fn subquery(
        &self,
        plan: &Plan,
        step_ms: i64,
        after: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<Series>, QueryError> {
        let step_ms = step_ms.max(1);
        let start = after.div_euclid(step_ms).saturating_add(1).saturating_mul(step_ms);
        if start > until {
            return Ok(Vec::new());
        }
        let count = usize::try_from(until.saturating_sub(start) / step_ms)
            .unwrap_or(usize::MAX)
            .saturating_add(1);
        self.charge(count)?;
        let steps = Steps { start, step_ms, count };
        let inner = Evaluation { steps, ..*self };
        let columns = match inner.table(plan)? {
            Table::Vector(columns) => columns,
            Table::Scalar(values) => {
                vec![Column {
                    labels: Labels::default(),
                    values: values.into_iter().map(Some).collect(),
                }]
            }
            Table::Text(_) => {
                return Err(QueryError::Evaluate("a subquery needs an instant vector".to_owned()));
            }
        };
        let mut series: Vec<Series> =
            columns.into_iter().map(|column| to_series(column, steps)).collect();
        series.retain(|one| !one.samples.is_empty());
        series.sort_by(|left, right| left.labels.cmp(&right.labels));
        Ok(series)
    }

    /// Applies a function to the window of each series at each step; empty windows give no value.
    pub(super) fn over_windows(
        &self,
        selector: &RangeSelector,
        parameters: &[Vec<f64>],
        apply: fn(&Window<'_>) -> Option<f64>,
    ) -> Result<Vec<Column>, QueryError> {
        let is_stored = matches!(selector.over, RangeSource::Series(_));
        if is_stored && self.reads_in_pieces(selector.moment, selector.range_ms) {
            return self.piecewise(|step, single| {
                let here = |values: &Vec<f64>| values.get(step).copied().into_iter().collect();
                single.over_windows(
                    selector,
                    &parameters.iter().map(here).collect::<Vec<_>>(),
                    apply,
                )
            });
        }
        let series = self.range_series(selector)?;
        self.charge(series.len().saturating_mul(self.steps.count))?;
        let mut columns = Vec::with_capacity(series.len());
        let mut scratch = Vec::with_capacity(parameters.len());
        for Series { labels, samples } in series {
            let mut values = Vec::with_capacity(self.steps.count);
            let (mut low, mut high) = (0, 0);
            for (step, at) in self.steps.times().enumerate() {
                let end = self.moment(selector.moment, at);
                let start = end.saturating_sub(selector.range_ms);
                let is_before = |index: usize, time| {
                    samples.get(index).is_some_and(|sample| sample.timestamp <= time)
                };
                while is_before(low, start) {
                    low += 1;
                }
                high = high.max(low);
                while is_before(high, end) {
                    high += 1;
                }
                let window = samples.get(low..high).unwrap_or_default();
                scratch.clear();
                scratch.extend(
                    parameters.iter().map(|values| values.get(step).copied().unwrap_or(f64::NAN)),
                );
                let window = Window { samples: window, start, end, at, parameters: &scratch };
                values.push(if window.samples.is_empty() { None } else { apply(&window) });
            }
            columns.push(Column { labels, values });
        }
        Ok(columns)
    }
}

/// A column as the series it stands for.
pub(super) fn to_series(column: Column, steps: Steps) -> Series {
    let samples = steps.times().zip(column.values);
    let samples = samples
        .filter_map(|(timestamp, value)| value.map(|value| Sample { timestamp, value }))
        .collect();
    Series { labels: column.labels, samples }
}
