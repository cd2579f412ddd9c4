//! The integration tests of `probe`: every probe runs against real sockets on the loopback address.

#[cfg(test)]
mod attempts;
#[cfg(test)]
mod auth;
#[cfg(test)]
mod body;
#[cfg(test)]
mod check;
#[cfg(test)]
mod deadline;
#[cfg(test)]
mod dialogue;
#[cfg(test)]
mod dns;
#[cfg(test)]
mod expiry;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod http2;
#[cfg(feature = "http3")]
#[cfg(test)]
mod http3;
#[cfg(test)]
mod module;
#[cfg(test)]
mod name_server;
#[cfg(test)]
mod namespace;
#[cfg(test)]
mod oauth2;
#[cfg(test)]
mod property;
#[cfg(test)]
mod proxy;
#[cfg(test)]
mod redirect;
#[cfg(test)]
mod request;
#[cfg(test)]
mod search;
#[cfg(test)]
mod secrets;
#[cfg(test)]
mod support;
#[cfg(test)]
mod tcp;
#[cfg(test)]
mod tls;
#[cfg(test)]
mod tls_trust;
