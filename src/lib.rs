//! The health monitor: one target list, two ways to run it.
//!
//! ```text
//! config → schedule → probe → ingest ─┬─> exporter
//!                                     └─> store ─┬─> evaluate ──> alerting
//!                                                └─> query ──> web, api
//! ```
//!
//! A module may import from those to its left only; `state`, `clock`, `explain` and `telemetry` are shared by all of
//! them, `app` wires them, `cli` and `demo` start it.

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
