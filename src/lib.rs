//! The health monitor: one target list, two ways to run it.
//!
//! ```text
//! config → schedule → probe → ingest ─┬─> exporter
//!                                     └─> store ─┬─> evaluate ──> alerting
//!                                                └─> query ──> web, api
//! ```
//!
//! Which module may import from which others is one table in `tests/it/rooms.rs`. `state`, `clock`, `explain` and `telemetry` are shared
//! by many, `app` wires them all, `cli` and `demo` start it.

pub mod clock;
pub mod explain;
pub mod telemetry;

pub mod config;
pub mod schedule;
pub mod state;

pub mod ingest;

mod http;

pub mod exporter;

pub mod webhook;

pub mod evaluate;

pub mod query;

pub mod api;
pub mod web;

pub mod app;
pub mod cli;
pub mod demo;
