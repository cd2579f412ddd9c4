//! The program's log: lines on standard error, as text, logfmt or JSON.
//!
//! The alert log is not this: it is an output of its own, see the crate `alerting`. Must not know what is logged.

use std::fmt::{self, Write as _};

use tracing::{Event, Level, Metadata, Subscriber, field::Field};
use tracing_subscriber::{
    Layer as _,
    filter::filter_fn,
    fmt::{
        FmtContext, FormatEvent, FormatFields, FormattedFields, format::Writer, time::FormatTime,
    },
    layer::SubscriberExt as _,
    registry::LookupSpan,
    util::SubscriberInitExt as _,
};

use crate::clock::{Clock as _, SystemClock};

/// The log target of what probes found, which `--log.prober` sets the level of.
pub const PROBE_LOG: &str = "probe_outcome";

/// How the log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people, with colour on a terminal.
    Text,
    /// `key=value` pairs.
    Logfmt,
    /// One JSON object a line.
    Json,
}

/// From which level on lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum LogLevel {
    /// Everything.
    Debug,
    /// What an operator did, and changes of state.
    Info,
    /// Problems that the program recovered from.
    Warn,
    /// What an operator must act on.
    Error,
    /// Nothing.
    Off,
}

impl LogLevel {
    fn admits(self, level: Level) -> bool {
        let least = match self {
            Self::Debug => Level::DEBUG,
            Self::Info => Level::INFO,
            Self::Warn => Level::WARN,
            Self::Error => Level::ERROR,
            Self::Off => return false,
        };
        level <= least
    }
}

/// Starts the log. `prober` is the level for what probes found (`--log.prober`); it does not touch other lines.
///
/// A second call has no effect: a process has one log.
pub fn start(level: LogLevel, prober: LogLevel, format: Format) {
    let admit = move |metadata: &Metadata<'_>| {
        let target = metadata.target();
        if target == PROBE_LOG {
            prober.admits(*metadata.level())
        } else {
            // Libraries are logged from warnings on, whatever the level is.
            let own = target.starts_with("webservice_monitor")
                || target.starts_with("probe")
                || target.starts_with("series");
            level.admits(*metadata.level()) && (own || *metadata.level() <= Level::WARN)
        }
    };
    let colour = std::io::IsTerminal::is_terminal(&std::io::stderr());
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_target(false)
        .with_ansi(colour);
    let layer = match format {
        Format::Text => lines.with_timer(Utc).boxed(),
        Format::Json => lines.json().flatten_event(true).with_timer(Utc).boxed(),
        Format::Logfmt => lines.event_format(Logfmt).boxed(),
    };
    let started =
        tracing_subscriber::registry().with(layer.with_filter(filter_fn(admit))).try_init();
    if let Err(error) = started {
        tracing::debug!(%error, "The log had been started before.");
    }
}

/// Times in UTC with milliseconds.
struct Utc;

impl FormatTime for Utc {
    fn format_time(&self, writer: &mut Writer<'_>) -> fmt::Result {
        let now = jiff::Timestamp::from_millisecond(SystemClock.now());
        write!(writer, "{:.3}", now.unwrap_or_default())
    }
}

/// `time=… level=… msg="…" key=value`.
struct Logfmt;

impl<S, N> FormatEvent<S, N> for Logfmt
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        writer.write_str("time=")?;
        Utc.format_time(&mut writer)?;
        write!(writer, " level={}", event.metadata().level().as_str().to_ascii_lowercase())?;
        let mut fields = LogfmtFields { message: String::new(), others: String::new() };
        event.record(&mut fields);
        write!(writer, " msg={}{}", quoted(&fields.message), fields.others)?;
        for span in context.event_scope().into_iter().flatten() {
            if let Some(fields) =
                span.extensions().get::<FormattedFields<N>>().filter(|fields| !fields.is_empty())
            {
                write!(writer, " {fields}")?;
            }
        }
        writeln!(writer)
    }
}

/// Collects the fields of an event.
struct LogfmtFields {
    message: String,
    others: String,
}

impl tracing::field::Visit for LogfmtFields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            value.clone_into(&mut self.message);
        } else {
            // Writing to a string cannot fail.
            let _infallible = write!(self.others, " {}={}", field.name(), quoted(value));
        }
    }
}

/// A logfmt value: quoted unless it is one plain word.
fn quoted(value: &str) -> String {
    let plain =
        |character: char| character.is_ascii_graphic() && !matches!(character, '"' | '=' | '\\');
    if !value.is_empty() && value.chars().all(plain) {
        value.to_owned()
    } else {
        format!("{value:?}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logfmt_values_are_quoted_when_they_must_be() {
        for (value, expected) in [
            ("plain", "plain"),
            ("", "\"\""),
            ("two words", "\"two words\""),
            ("a\nb", "\"a\\nb\""),
            ("k=v", "\"k=v\""),
        ] {
            assert_eq!(quoted(value), expected);
        }
    }

    #[test]
    fn levels_admit_what_is_at_least_as_grave() {
        assert!(LogLevel::Info.admits(Level::ERROR));
        assert!(!LogLevel::Info.admits(Level::DEBUG));
        assert!(!LogLevel::Off.admits(Level::ERROR));
    }
}
