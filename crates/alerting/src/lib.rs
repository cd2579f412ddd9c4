//! Alert events in; lines to destinations out, each once.
//!
//! An event passes the stages of a destination's pipeline into its notification log, and becomes a line that waits until the destination
//! took it. Each destination has a queue, a thread, a notification log and errors of its own. Synchronous: no network, no wall clock, no
//! metrics; times come in as values, and what is counted can be had as [`Statistics`].

mod answer;
mod delivery;
mod destination;
mod destinations;
mod doubt;
mod escape;
mod event;
mod heartbeat;
mod line;
mod notification_log;
mod pipeline;
mod present;
mod queue;
mod watched;
mod webhook;

pub use delivery::{Delivery, Held, Statistics};
pub use destination::{DeliveryError, OpenError, Uptime};
pub use destinations::{AlertLogSettings, CommandSettings, Settings, open_alert_log};
pub use doubt::Doubt;
pub use escape::harmless;
pub use event::{AlertEvent, Disruption, Ending, Origin, Transition, fingerprint, parse_time};
pub use heartbeat::Heartbeat;
pub use line::{Format, MAX_FIELD_BYTES, MAX_LINE_BYTES, render};
pub use present::Present;
pub use queue::Destinations;
pub use watched::Watched;
pub use webhook::{Webhook, alert_event};
