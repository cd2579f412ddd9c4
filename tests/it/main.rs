//! The integration tests of the whole program, in one binary.

#[cfg(test)]
mod alert_line;
#[cfg(test)]
mod alert_log;
#[cfg(test)]
mod browser;
#[cfg(test)]
mod circles;
#[cfg(test)]
mod cli;
#[cfg(test)]
mod command;
#[cfg(test)]
mod config;
#[cfg(test)]
mod crash;
#[cfg(test)]
mod dashboards;
#[cfg(test)]
mod discovery;
#[cfg(test)]
mod docs;
#[cfg(test)]
mod edits;
#[cfg(test)]
mod evidence;
#[cfg(test)]
mod first_build;
#[cfg(test)]
mod flow;
#[cfg(test)]
mod held;
#[cfg(test)]
mod imports;
#[cfg(test)]
mod links;
#[cfg(test)]
mod pairs;
#[cfg(test)]
mod parity;
#[cfg(test)]
mod parts;
#[cfg(test)]
mod peer;
#[cfg(test)]
mod pressure;
#[cfg(test)]
mod program;
#[cfg(test)]
mod promises;
#[cfg(test)]
mod recipes;
#[cfg(test)]
mod reload;
#[cfg(test)]
mod resolver;
#[cfg(test)]
mod rooms;
#[cfg(test)]
mod runbooks;
#[cfg(test)]
mod secrets;
#[cfg(test)]
mod seeds;
#[cfg(test)]
mod slow_disk;
#[cfg(test)]
mod story;
#[cfg(test)]
mod supply;
#[cfg(test)]
mod tidy;
#[cfg(test)]
mod web_api;
#[cfg(test)]
mod web_pages;
#[cfg(test)]
mod webhook;
#[cfg(test)]
mod webhook_doubt;
#[cfg(test)]
mod words;
