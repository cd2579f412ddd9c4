//! The integration tests of the whole program, in one binary.

#[cfg(test)]
mod config;
#[cfg(test)]
mod reload;
